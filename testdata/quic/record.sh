#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# Needs go, kdig, tcpdump, tshark, editcap and unshare, and the rights to make a network
# namespace. Each capture's .truth holds what the client was told, a line a connection.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in go kdig tcpdump tshark editcap unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	cp "$here/driver.go.txt" "$work/main.go"
	(
		cd "$work"
		go mod init driver
		go get github.com/quic-go/quic-go@v0.60.0 golang.org/x/net@v0.62.0
		go mod tidy
		CGO_ENABLED=0 go build -o driver .
	) >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
	IN_NAMESPACE=1 WORK="$work" unshare -n -m "$0" "$out"
	exit
fi
ip link set lo up
record() {
	name=quic_of_$1
	log=$(mktemp)
	tcpdump --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 udp port 4433 2>"$log" &
	dump=$!
	trap 'kill "$dump"' EXIT
	until grep -q listening "$log"; do sleep 0.1; done
	"${WORK:?}/driver" "$1" >"$out/$name.truth"
	sleep 0.5
	kill $dump
	wait $dump || true
	trap - EXIT
	grep -q '^0 packets dropped' "$log" || { echo "$name: packets were dropped" >&2; exit 1; }
	rm "$log"
}
for scenario in http3 retry negotiation errors again hrr migration rebinding unanswered late concurrent doq other; do
	record $scenario
done
# A capture from its middle: behind the first connection's first packets.
cut=$(tshark -r "$out/quic_of_http3.pcap" -Y 'udp.srcport == 4433' -T fields -e frame.number | head -1)
editcap -r "$out/quic_of_http3.pcap" "$out/quic_of_middle.pcap" "$cut-$((cut + 14))"
