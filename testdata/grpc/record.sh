#!/bin/bash
# Records web.pcap and the captures grpc_of_* of this folder anew: record.sh FOLDER
# Needs node, npm, go, tcpdump, tshark, editcap and unshare, and the rights to make a network namespace. Beside
# each capture, .truth holds what the clients were told, a line a call.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in node npm go tcpdump tshark editcap unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	mkdir "$work/web" "$work/client"
	cp "$here/web.go.txt" "$work/web/main.go"
	cp "$here/web.cjs" "$work/web/"
	cp "$here/client.go.txt" "$work/client/main.go"
	(cd "$work/web" && go mod init web >/dev/null 2>&1 && go get google.golang.org/grpc@v1.71.0 connectrpc.com/connect@v1.18.1 github.com/improbable-eng/grpc-web@v0.15.0 cloud.google.com/go@v0.118.0 >/dev/null 2>&1 &&
		go mod tidy >/dev/null 2>&1 && CGO_ENABLED=0 go build -o web . && npm init -y >/dev/null && npm install --silent grpc-web@1.5.0 google-protobuf@3.21.4 xhr2@0.2.1)
	(cd "$work/client" && go mod init client >/dev/null 2>&1 && go get google.golang.org/grpc@v1.71.0 cloud.google.com/go@v0.118.0 >/dev/null 2>&1 && go mod tidy >/dev/null 2>&1 && CGO_ENABLED=0 go build -o client .)
	IN_NAMESPACE=1 WORK="$work" unshare -n -m "$0" "$out"
	rm -rf "$work"
	exit
fi
ip link set lo up
cd "${WORK:?}/web"
# record NAME PORT COMMAND...: the command's output becomes the truth.
record() {
	log=$(mktemp)
	tcpdump -Z root --immediate-mode -B 65536 -i lo -U -w "$out/$1.pcap" -s 0 port "$2" 2>"$log" &
	dump=$!
	until grep -q listening "$log"; do sleep 0.1; done
	"${@:3}" >"$out/$1.truth" || { kill $dump; exit 1; }
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$log" || { echo "$1: packets were dropped" >&2; exit 1; }
	rm "$log"
}
# The server of gRPC-Web starts while its capture runs, which has a first connection without
# a call.
web() {
	./web serve &
	server=$!
	trap 'kill $server' EXIT
	until (exec 3<>/dev/tcp/127.0.0.1/8089) 2>/dev/null; do sleep 0.1; done
	./web call && node web.cjs
}
record web 8089 web
for scenario in unary failures streams large concurrent; do
	record grpc_of_$scenario 8088 "$WORK/client/client" $scenario
done
# From the middle of the first connection, which begins with a bare acknowledgement: what these
# calls are stood in headers before it, which they only refer to.
from=$(tshark -r "$out/grpc_of_unary.pcap" -Y 'frame.number > 12 && tcp.len == 0' -T fields -e frame.number | head -1)
editcap -F pcap -r "$out/grpc_of_unary.pcap" "$out/grpc_of_middle.pcap" "${from:?no acknowledgement}-100000"
