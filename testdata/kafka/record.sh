#!/bin/bash
# Records the captures kafka_of_* of this folder anew: record.sh FOLDER
# Needs go, tcpdump, tshark, editcap and unshare, and the rights to make a network namespace.
# Broker and client are those of franz-go. Beside each capture, .truth holds what the client
# was told, a line a call; .batches, of some, what records the calls had.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in go tcpdump tshark editcap unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	cp "$here/client.go.txt" "$work/main.go"
	(cd "$work" && go mod init client >/dev/null 2>&1 && go get github.com/twmb/franz-go@v1.22.2 github.com/twmb/franz-go/pkg/kmsg@v1.15.0 \
		github.com/twmb/franz-go/pkg/kfake@v0.0.0-20260918054303-01f206a7e32c >/dev/null 2>&1 && go mod tidy >/dev/null 2>&1 && CGO_ENABLED=0 go build -o client .)
	IN_NAMESPACE=1 WORK="$work" unshare -n -m "$0" "$out"
	rm -rf "$work"
	exit
fi
ip link set lo up
log=${WORK:?}/log
for scenario in group transactions failures large pipelined concurrent compressed login; do
	name=kafka_of_$scenario
	: >"$log"
	tcpdump -Z root --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 port 9092 2>"$log" &
	dump=$!
	until grep -q listening "$log"; do sleep 0.1; done
	"$WORK/client" $scenario >"$out/$name.truth" 2>"$out/$name.batches" || { kill $dump; cat "$out/$name.batches" >&2; exit 1; }
	[ -s "$out/$name.batches" ] || rm "$out/$name.batches"
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$log" || { echo "$name: packets were dropped" >&2; exit 1; }
done
# From the middle, which begins with a bare acknowledgement: the calls behind it.
from=$(tshark -r "$out/kafka_of_pipelined.pcap" -Y 'frame.number > 16 && tcp.len == 0' -T fields -e frame.number | head -1)
before=$(tshark -r "$out/kafka_of_pipelined.pcap" -Y "frame.number < $from && tcp.dstport == 9092 && tcp.len > 0" -T fields -e frame.number | wc -l)
editcap -r "$out/kafka_of_pipelined.pcap" "$out/kafka_of_middle.pcap" "$from-100000"
tail -n +$((before + 1)) "$out/kafka_of_pipelined.truth" >"$out/kafka_of_middle.truth"
