#!/bin/bash
# Records late/long.pcap anew: record.sh FOLDER
# Needs go, tcpdump and unshare, and the rights to make a network namespace.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in go tcpdump unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	cp "$here/long.go.txt" "$work/main.go"
	(cd "$work" && go mod init long >/dev/null 2>&1 && CGO_ENABLED=0 go build -o long .)
	IN_NAMESPACE=1 WORK="$work" unshare -n -m "$0" "$out"
	rm -rf "$work"
	exit
fi
ip link set lo up
mkdir -p "$out/late"
log=$(mktemp)
tcpdump --immediate-mode -B 65536 -i lo -U -w "$out/late/long.pcap" -s 0 port 8080 2>"$log" &
dump=$!
until grep -q listening "$log"; do sleep 0.1; done
"${WORK:?}/long"
kill $dump
wait $dump || true
grep -q '^0 packets dropped' "$log" || { echo "packets were dropped" >&2; exit 1; }
rm "$log"
