#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# Needs memcached, tcpdump, tshark, editcap, python3, go and unshare, and the rights to make a
# network namespace. Each capture's .truth holds what the client was told, a line a call.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in memcached tcpdump tshark editcap python3 go unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	cp "$here/client.go.txt" "$work/main.go"
	(cd "$work" && go mod init client >/dev/null 2>&1 && go get github.com/bradfitz/gomemcache@v0.0.0-20250403215159-8d39553ac7cf >/dev/null 2>&1 && CGO_ENABLED=0 go build -o client .)
	IN_NAMESPACE=1 CLIENT="$work/client" unshare -n -m "$0" "$out"
	rm -rf "$work"
	exit
fi
ip link set lo up
memcached -u nobody -l 127.0.0.1 -p 11211 -U 11211 &
server=$!
trap 'kill $server' EXIT
sleep 0.5
record() {
	name=$1
	shift
	log=$(mktemp)
	tcpdump --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 port 11211 2>"$log" &
	dump=$!
	until grep -q listening "$log"; do sleep 0.1; done
	"$@" >"$out/$name.truth"
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$log" || { echo "$name: packets were dropped" >&2; exit 1; }
	rm "$log"
}
for scenario in text meta errors pipelined large udp binary concurrent; do
	record memcached_$scenario python3 "$here/drive.py" $scenario
done
record memcached_gomemcache "$CLIENT"
# The same from its middle, which begins with a bare acknowledgement.
from=$(tshark -r "$out/memcached_text.pcap" -Y 'frame.number > 20 && tcp.len == 0' -T fields -e frame.number | head -1)
editcap -r "$out/memcached_text.pcap" "$out/memcached_middle.pcap" "$from-1000"
