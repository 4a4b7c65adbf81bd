#!/bin/bash
# Records the captures redis_of_* of this folder anew: record.sh FOLDER
# Needs redis-server (7.0), python3, tcpdump, tshark, editcap and unshare, and the rights to
# make a network namespace. Beside each capture, .truth holds what the client was told, a
# line a call.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in redis-server python3 tcpdump tshark editcap unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec unshare -n -m "$0" "$out"
fi
ip link set lo up
work=$(mktemp -d)
redis-server --port 6379 --bind 127.0.0.1 --dir "$work" --save '' --enable-debug-command yes --logfile "$work/log" &
server=$!
trap 'kill $server; wait $server || true; rm -rf "$work"' EXIT
until (exec 3<>/dev/tcp/127.0.0.1/6379) 2>/dev/null; do sleep 0.1; done
# record NAME COMMAND...: the command's output becomes the truth.
record() {
	name=redis_of_$1
	: >"$work/dump"
	tcpdump -Z root --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 port 6379 2>"$work/dump" &
	dump=$!
	until grep -q listening "$work/dump"; do sleep 0.1; done
	"${@:2}" >"$out/$name.truth" || { kill $dump; exit 1; }
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$work/dump" || { echo "$name: packets were dropped" >&2; exit 1; }
}
for scenario in commands errors large pipelined subscribed concurrent; do
	record $scenario python3 "$here/client.py" $scenario
done
# From the middle, which begins with a bare acknowledgement: the calls behind it.
from=$(tshark -r "$out/redis_of_commands.pcap" -Y 'frame.number > 14 && tcp.len == 0' -T fields -e frame.number | head -1)
before=$(tshark -r "$out/redis_of_commands.pcap" -Y "frame.number < $from && tcp.dstport == 6379 && tcp.len > 0" -T fields -e frame.number | wc -l)
editcap -r "$out/redis_of_commands.pcap" "$out/redis_of_middle.pcap" "$from-100000"
tail -n +$((before + 1)) "$out/redis_of_commands.truth" >"$out/redis_of_middle.truth"
