#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# Needs thrift (the compiler, 0.17), Thrift's library for the python3 that THRIFT_PYTHON
# names (Debian: python3-thrift), go, tcpdump, tshark, editcap and unshare, and the rights
# to make a network namespace. Each capture's .truth holds what the client was told, a
# line a call.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
python=${THRIFT_PYTHON:-/usr/bin/python3}
for program in thrift go tcpdump tshark editcap unshare "$python"; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
"$python" -c 'import thrift' || exit 1
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	mkdir "$work/client" "$work/client/gen"
	thrift -gen py -out "$work" "$here/shop.thrift"
	thrift -gen go:package_prefix=client/gen/ -out "$work/client/gen" "$here/shop.thrift"
	rm -rf "$work"/client/gen/shop/*-remote
	cp "$here/client.go.txt" "$work/client/main.go"
	(cd "$work/client" && go mod init client >/dev/null 2>&1 && go get github.com/apache/thrift@v0.17.0 >/dev/null 2>&1 && CGO_ENABLED=0 go build -o ../ask .)
	IN_NAMESPACE=1 WORK="$work" unshare -n -m "$0" "$out"
	rm -rf "$work"
	exit
fi
ip link set lo up
export PYTHONPATH="${WORK:?}"
servers=
trap 'kill $servers' EXIT
port=9090
for kind in binary compact framed framedcompact header zlib; do
	"$python" "$here/peer.py" server "$kind" $port >"$WORK/log.$kind" 2>&1 &
	servers="$servers $!"
	until (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null; do
		kill -0 $! || { cat "$WORK/log.$kind" >&2; exit 1; }
		sleep 0.1
	done
	declare "port_$kind=$port"
	port=$((port + 1))
done
record() {
	name=thrift_$1
	filter="port $2"
	shift 2
	log=$(mktemp)
	tcpdump -Z root --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 "$filter" 2>"$log" &
	dump=$!
	until grep -q listening "$log"; do sleep 0.1; done
	timeout 60 "$@" >"$out/$name.truth"
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$log" || { echo "$name: packets were dropped" >&2; exit 1; }
	rm "$log"
}
python() {
	at=port_$2
	record "$1" "${!at}" "$python" "$here/peer.py" client "$2" "${!at}" "$3"
}
for kind in binary compact framed framedcompact header zlib; do
	python $kind $kind all
done
python large binary large
python large_compact framedcompact large
python pipelined compact pipelined
# shellcheck disable=SC2154
record concurrent "$port_framedcompact" "$WORK/ask" "127.0.0.1:$port_framedcompact"
record old 9080 "$WORK/ask" old 127.0.0.1:9080
# Captures from their middle, which begin with a bare acknowledgement.
from=$(tshark -r "$out/thrift_framed.pcap" -Y 'frame.number > 10 && tcp.len == 0' -T fields -e frame.number | head -1)
editcap -r "$out/thrift_framed.pcap" "$out/thrift_middle.pcap" "$from-1000"
from=$(tshark -r "$out/thrift_binary.pcap" -Y 'frame.number > 10 && tcp.len == 0' -T fields -e frame.number | head -1)
editcap -r "$out/thrift_binary.pcap" "$out/thrift_middle_unframed.pcap" "$from-1000"
