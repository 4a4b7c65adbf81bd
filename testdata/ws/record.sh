#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# Needs node, npm, go, tcpdump, tshark, editcap and unshare, and the rights to make a network
# namespace. Each capture's .truth holds what the server sent and received, a line a message.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in node npm go tcpdump tshark editcap unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	cp "$here/server.go.txt" "$work/main.go"
	cp "$here/client.mjs" "$work/"
	(cd "$work" && go mod init server >/dev/null 2>&1 && go get github.com/coder/websocket@v1.8.12 >/dev/null 2>&1 && CGO_ENABLED=0 go build -o server . &&
		npm init -y >/dev/null && npm install --silent ws@8.18.0)
	IN_NAMESPACE=1 WORK="$work" unshare -n -m "$0" "$out"
	rm -rf "$work"
	exit
fi
ip link set lo up
cd "${WORK:?}"
record() {
	name=ws_$1
	log=$(mktemp)
	tcpdump -Z root --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 port 8081 2>"$log" &
	dump=$!
	until grep -q listening "$log"; do sleep 0.1; done
	./server "$out/$name.truth" &
	server=$!
	until (exec 3<>/dev/tcp/127.0.0.1/8081) 2>/dev/null; do sleep 0.1; done
	node client.mjs "$1"
	sleep 0.7
	kill $server $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$log" || { echo "$name: packets were dropped" >&2; exit 1; }
	rm "$log"
}
for scenario in messages fragments compressed errors push; do
	record $scenario
done
# The same from its middle, which begins with a bare acknowledgement, and without one
# packet of the client.
from=$(tshark -r "$out/ws_messages.pcap" -Y 'frame.number > 22 && tcp.len == 0' -T fields -e frame.number | head -1)
editcap -F pcap -r "$out/ws_messages.pcap" "$out/ws_middle.pcap" "$from-1000"
packet=$(tshark -r "$out/ws_compressed.pcap" -d tcp.port==8081,http -Y 'websocket && tcp.dstport == 8081' -T fields -e frame.number | sed -n 5p)
editcap -F pcap "$out/ws_compressed.pcap" "$out/ws_loss.pcap" "$packet"
