#!/bin/bash
# Records late/long.pcap, late/site.pcap, slow.pcap, away.pcap, calm.pcap, refused.pcap and the
# captures of calls anew: record.sh FOLDER
# Needs go, node, nginx, tcpdump and unshare, and the rights to make a network namespace. Beside
# each capture but the late ones and refused.pcap, .truth holds what the client was told, a line a call.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
# shellcheck source=testdata/http/site.sh
source "$here/../http/site.sh"
for program in go node nginx tcpdump unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	for name in long site calls waits; do
		mkdir "$work/src.$name"
		cp "$here/$name.go.txt" "$work/src.$name/main.go"
		(cd "$work/src.$name" && go mod init "$name" >/dev/null 2>&1 && CGO_ENABLED=0 go build -o "$work/$name" .)
	done
	IN_NAMESPACE=1 WORK="$work" unshare -n -m "$0" "$out"
	rm -rf "$work"
	exit
fi
ip link set lo up
# record FILE FILTER COMMAND...
record() {
	log=$(mktemp)
	# The slots of its ring are as long as the longest packet: with this length there are 4000.
	tcpdump -Z root --immediate-mode -B 262144 -i lo -w "$out/$1.pcap" -s 65600 "$2" 2>"$log" &
	dump=$!
	until grep -q listening "$log"; do sleep 0.1; done
	"${@:3}" || { kill $dump; exit 1; }
	sleep 0.5
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$log" || { echo "$1: packets were dropped" >&2; exit 1; }
	rm "$log"
}
mkdir -p "$out/late" "$out/calls"
for name in long site; do
	record "late/$name" 'port 8080' "${WORK:?}/$name"
done
told() { "${@:2}" >"$out/$1.truth"; }
ports='port 8080 or port 8081 or port 8082'
for scenario in slow away; do
	record "$scenario" "$ports" told "$scenario" "$WORK/waits" "$scenario"
done
record calm "$ports" told calm node "$here/calm.cjs"
record refused "$ports" node "$here/refused.cjs"
site '
	listen 127.0.0.1:8080 http2;
	location = /closed { return 403 "closed\n"; }
'
trap 'kill $server' EXIT
until (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null; do sleep 0.1; done
calls() { "$WORK/calls" "$1" >"$out/calls/$1.truth"; }
for scenario in files failures large concurrent; do
	record "calls/$scenario" 'port 8080 or port 8081' calls $scenario
done
