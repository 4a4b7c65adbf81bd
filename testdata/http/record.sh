#!/bin/bash
# Records hints.pcap and the captures http_of_* of this folder anew: record.sh FOLDER
# Needs go, nginx, ip, python3, tcpdump, tshark, editcap, nsenter and unshare, and the rights
# to make network namespaces: one with the servers, and for VLAN one with the client. Beside
# each capture, .truth holds what the client was told, a line a call.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
# shellcheck source=testdata/http/site.sh
source "$here/site.sh"
for program in go nginx ip python3 tcpdump tshark editcap nsenter unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	for program in hints client; do
		mkdir "$work/$program"
		cp "$here/$program.go.txt" "$work/$program/main.go"
		(cd "$work/$program" && go mod init $program >/dev/null 2>&1 && CGO_ENABLED=0 go build -o ../run-$program .)
	done
	IN_NAMESPACE=1 WORK="$work" unshare -n -m "$0" "$out"
	rm -rf "$work"
	exit
fi
ip link set lo up
unshare -n sleep 1000 &
other=$!
coproc python3 "$here/switch.py"
trap 'kill $other $COPROC_PID' EXIT
read -r <&"${COPROC[0]}"
until [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
at_other=(nsenter -t "$other" -n)
ip address add 10.0.100.1/24 dev far
ip link set far mtu 900 up
ip link set mirror up
ip link set near netns $other
"${at_other[@]}" ip link set lo up
"${at_other[@]}" ip address add 10.0.100.2/24 dev near
"${at_other[@]}" ip link set near mtu 900 up
site '
	listen 127.0.0.1:8080;
	listen 10.0.100.1:8080;
	large_client_header_buffers 2 1k;
	location = /closed { return 403 "closed\n"; }
	location = /dropped { return 444; }
'
trap 'kill $server $other $COPROC_PID' EXIT
until (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null; do sleep 0.1; done
# record NAME FILTER COMMAND..., what passes at $interface
interface=lo
record() {
	log=$(mktemp)
	tcpdump -Z root --immediate-mode -B 65536 -i "$interface" -U -w "$out/$1.pcap" -s 0 "$2" 2>"$log" &
	dump=$!
	until grep -q listening "$log"; do sleep 0.1; done
	"${@:3}" || { kill $dump; exit 1; }
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$log" || { echo "$1: packets were dropped" >&2; exit 1; }
	rm "$log"
}
prefix=()
call() { "${prefix[@]}" "$WORK/run-client" "$1" >"$out/http_of_$1.truth"; }
record hints 'port 9200' "$WORK/run-hints"
for scenario in files failures large pipelined concurrent; do
	record http_of_$scenario 'port 8080 or port 8081' call $scenario
done
interface=mirror prefix=("${at_other[@]}")
record http_of_vlan 'vlan 100 and tcp' call vlan
# From the middle of the first connection, which begins with a bare acknowledgement: the calls
# behind it.
from=$(tshark -r "$out/http_of_files.pcap" -Y 'frame.number > 20 && tcp.len == 0 && tcp.stream == 0' -T fields -e frame.number | head -1)
before=$(tshark -r "$out/http_of_files.pcap" -Y "frame.number < $from && tcp.dstport == 8080 && tcp.len > 0" -T fields -e frame.number | wc -l)
editcap -r "$out/http_of_files.pcap" "$out/http_of_middle.pcap" "$from-100000"
tail -n +$((before + 1)) "$out/http_of_files.truth" >"$out/http_of_middle.truth"
