#!/bin/bash
# Records the captures of this folder anew, which hold the secrets of their connections:
# record.sh FOLDER
# Needs go, tcpdump, editcap and unshare, and the rights to make a network namespace. Each
# capture's .truth holds what the client was told, a line a call.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in go tcpdump editcap unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	cp "$here/driver.go.txt" "$work/main.go"
	cp "$here/rare.go.txt" "$work/rare.go"
	(
		cd "$work"
		go mod init driver
		go get github.com/quic-go/quic-go@v0.60.0
		go mod tidy
		CGO_ENABLED=0 go build -o driver .
	) >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
	IN_NAMESPACE=1 WORK="$work" unshare -n -m "$0" "$out"
	exit
fi
ip link set lo up
record() {
	name=http3_of_$1
	log=$(mktemp)
	tcpdump -Z root --immediate-mode -B 65536 -i lo -U -w "${WORK:?}/raw" -s 0 udp port 4433 2>"$log" &
	dump=$!
	trap 'kill "$dump"' EXIT
	until grep -q listening "$log"; do sleep 0.1; done
	"$WORK/driver" "$1" "$WORK/keys" >"$out/$name.truth" 2>"$WORK/said" || { cat "$WORK/said" >&2; exit 1; }
	sleep 0.5
	kill $dump
	wait $dump || true
	trap - EXIT
	grep -q '^0 packets dropped' "$log" || { echo "$name: packets were dropped" >&2; exit 1; }
	editcap --inject-secrets "tls,$WORK/keys" "$WORK/raw" "$out/$name.pcapng"
	rm "$log"
}
for scenario in files concurrent early failures leaving lossy moving rare updated; do
	record $scenario
done
