#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# Needs tcpdump, tshark, editcap, go and unshare, and the rights to make a network
# namespace. FerretDB is the server. Each capture's .truth holds what the driver reports,
# a line a command.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in tcpdump tshark editcap go unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	build() {
		mkdir "$work/$1.src"
		cp "$here/$1.go.txt" "$work/$1.src/main.go"
		(cd "$work/$1.src" && go mod init "$1" && go get "$2" && go mod tidy && CGO_ENABLED=0 go build -o "$work/$1" .) >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
	}
	build server github.com/FerretDB/FerretDB@v1.24.0
	build client go.mongodb.org/mongo-driver/v2@v2.3.1
	mkdir "$work/data" "$work/behind"
	IN_NAMESPACE=1 WORK="$work" unshare -n -m "$0" "$out"
	exit
fi
ip link set lo up
work=${WORK:?}
pids=()
trap 'kill "${pids[@]}"' EXIT
reach() { # program and its port: waits until it listens
	for _ in $(seq 100); do (: <"/dev/tcp/127.0.0.1/$2") 2>/dev/null && return; sleep 0.1; done
	echo "$1 does not start" >&2
	exit 1
}
record() {
	name=mongodb_of_$1
	log=$(mktemp)
	tcpdump --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 port 27017 2>"$log" &
	dump=$!
	until grep -q listening "$log"; do sleep 0.1; done
	"$work/client" "$1" >"$out/$name.truth"
	[ -s "$out/$name.truth" ] || rm "$out/$name.truth"
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$log" || { echo "$name: packets were dropped" >&2; exit 1; }
	rm "$log"
}
"$work/server" "$work/data" 127.0.0.1:27017 & pids+=($!)
reach server 27017
for scenario in crud errors large concurrent pipelined login; do
	record $scenario
done
# A capture from the middle of a message: the tail of the packet with the first large one.
from=$(tshark -r "$out/mongodb_of_large.pcap" -Y 'tcp.len > 15000' -T fields -e frame.number | head -1)
editcap -r "$out/mongodb_of_large.pcap" "$work/tail.pcap" "$((from + 1))-100000"
editcap -r "$work/tail.pcap" "$out/mongodb_of_middle.pcap" 1-7
kill "${pids[0]}"
wait "${pids[0]}" || true
pids=()
"$work/server" "$work/behind" 127.0.0.1:27018 & pids+=($!)
reach server 27018
"$work/client" proxy & pids+=($!)
reach proxy 27017
for scenario in compressed exhaust; do
	record $scenario
done
