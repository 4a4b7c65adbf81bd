#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# Needs nats-server, tcpdump, tshark, editcap, python3, go and unshare, and the rights to
# make a network namespace. Each capture's .truth holds what the client was told, a line
# a call.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in nats-server tcpdump tshark editcap python3 go unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	cp "$here/client.go.txt" "$work/main.go"
	(cd "$work" && go mod init client >/dev/null 2>&1 && go get github.com/nats-io/nats.go@v1.37.0 >/dev/null 2>&1 && CGO_ENABLED=0 go build -o client .)
	IN_NAMESPACE=1 WORK="$work" unshare -n -m "$0" "$out"
	rm -rf "$work"
	exit
fi
ip link set lo up
cat >"${WORK:?}/conf" <<CONF
host: 127.0.0.1
server_name: demo
jetstream { store_dir: "$WORK/store" }
authorization {
  users = [ { user: shop, password: secret, permissions: { publish: { deny: "forbidden.>" } } } ]
}
CONF
nats-server -c "$WORK/conf" -l "$WORK/log" &
server=$!
trap 'kill $server' EXIT
until grep -qs 'Server is ready' "$WORK/log"; do sleep 0.1; done
record() {
	name=nats_$1
	shift
	log=$(mktemp)
	tcpdump --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 port 4222 2>"$log" &
	dump=$!
	until grep -q listening "$log"; do sleep 0.1; done
	"$@" >"$out/$name.truth"
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$log" || { echo "$name: packets were dropped" >&2; exit 1; }
	rm "$log"
}
for scenario in requests jetstream concurrent errors; do
	record $scenario "$WORK/client" $scenario
done
record verbose python3 "$here/verbose.py"
# A capture from its middle, which begins with a bare acknowledgement.
from=$(tshark -r "$out/nats_requests.pcap" -Y 'frame.number > 25 && tcp.len == 0' -T fields -e frame.number | head -1)
editcap -r "$out/nats_requests.pcap" "$out/nats_middle.pcap" "$from-1000"
