#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# Needs go, tcpdump, tshark, editcap and unshare, and the rights to make a network
# namespace. Each capture's .truth holds what the client asked and was told, a line a call.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in go tcpdump tshark editcap unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	cp "$here/calls.go.txt" "$work/main.go"
	(cd "$work" && go mod init calls >/dev/null 2>&1 && go get github.com/graphql-go/graphql@v0.8.1 >/dev/null 2>&1 && CGO_ENABLED=0 go build -o calls .)
	IN_NAMESPACE=1 WORK="$work" unshare -n -m "$0" "$out"
	rm -rf "$work"
	exit
fi
ip link set lo up
for scenario in calls faults large concurrent; do
	name=gql_$scenario
	log=$(mktemp)
	tcpdump -Z root --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 port 4000 2>"$log" &
	dump=$!
	until grep -q listening "$log"; do sleep 0.1; done
	"${WORK:?}/calls" $scenario >"$out/$name.truth"
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$log" || { echo "$name: packets were dropped" >&2; exit 1; }
	rm "$log"
done
# From the middle of the first connection, which begins with a bare acknowledgement.
from=$(tshark -r "$out/gql_large.pcap" -Y 'frame.number > 12 && tcp.len == 0' -T fields -e frame.number | head -1)
editcap -F pcap -r "$out/gql_large.pcap" "$out/gql_middle.pcap" "$from-$((from + 40))"
