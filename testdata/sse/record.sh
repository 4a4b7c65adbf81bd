#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# Needs node, npm, tcpdump, tshark, editcap and unshare, and the rights to make a network
# namespace. sse_streams.truth holds what the server sent, a line a stream.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in node npm tcpdump tshark editcap unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	cp "$here/server.mjs" "$here/client.mjs" "$work/"
	(cd "$work" && npm init -y >/dev/null && npm install --silent better-sse@0.14.1 eventsource@3.0.2)
	IN_NAMESPACE=1 WORK="$work" unshare -n -m "$0" "$out"
	rm -rf "$work"
	exit
fi
ip link set lo mtu 1500 up
cd "${WORK:?}"
log=$(mktemp)
tcpdump -Z root --immediate-mode -B 65536 -i lo -U -w "$out/sse_streams.pcap" -s 0 'port 8087 or port 8088' 2>"$log" &
dump=$!
until grep -q listening "$log"; do sleep 0.1; done
node server.mjs "$out/sse_streams.truth" &
server=$!
trap 'kill $server' EXIT
until (exec 3<>/dev/tcp/127.0.0.1/8088) 2>/dev/null; do sleep 0.1; done
node client.mjs
sleep 0.7
kill $dump
wait $dump || true
grep -q '^0 packets dropped' "$log" || { echo "packets were dropped" >&2; exit 1; }
rm "$log"
# Without a packet in the middle of a stream.
packet=$(tshark -r "$out/sse_streams.pcap" -Y 'tcp.srcport == 8088 && tcp.len > 1000' -T fields -e frame.number | sed -n 3p)
editcap -F pcap "$out/sse_streams.pcap" "$out/sse_loss.pcap" "$packet"
# From the middle of the large stream, which begins with a bare acknowledgement: of that
# nothing can be said. Then those of HTTP/2.
read -r from stream < <(tshark -r "$out/sse_streams.pcap" -Y 'tcp.dstport == 8087 && tcp.len == 0 && tcp.ack > 2000' -T fields -e frame.number -e tcp.stream)
tshark -r "$out/sse_streams.pcap" -Y "frame.number >= ${from:?no acknowledgement} && (tcp.stream == $stream || tcp.port == 8088)" -F pcap -w "$out/sse_middle.pcap"
tail -n +5 "$out/sse_streams.truth" >"$out/sse_middle.truth"
