#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# Needs java 11 or later, hessian.jar (Debian: libhessian-java) at /usr/share/java or in
# the folder that HESSIAN_JARS names, node and npm, tcpdump, tshark, editcap and unshare,
# and the rights to make a network namespace. The server is peer.java, not Dubbo itself;
# one client is dubbo2.js. Each capture's .truth holds what the client was told, a line a
# call.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
jars=${HESSIAN_JARS:-/usr/share/java}
for program in java javac node npm tcpdump tshark editcap unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
[ -e "$jars/hessian.jar" ] || { echo "$jars/hessian.jar is missing" >&2; exit 1; }
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	(cd "$work" && npm install --no-audit --no-fund --silent apache-dubbo-js@3.0.0-rc6 js-to-java@2.8.0 >/dev/null)
	cp "$here/client.js" "$work"
	javac -cp "$jars/hessian.jar" -d "$work" "$here/peer.java"
	IN_NAMESPACE=1 WORK="$work" unshare -n -m "$0" "$out"
	rm -rf "$work"
	exit
fi
ip link set lo up
peer() {
	exec java --add-opens java.base/java.lang=ALL-UNNAMED --add-opens java.base/java.util=ALL-UNNAMED -cp "${WORK:?}:$jars/hessian.jar" Peer "$@"
}
peer server 20880 >"$WORK/log" 2>&1 </dev/null &
server=$!
trap 'kill $server' EXIT
until (exec 3<>/dev/tcp/127.0.0.1/20880) 2>/dev/null; do
	kill -0 $server || { cat "$WORK/log" >&2; exit 1; }
	sleep 0.1
done
record() {
	name=dubbo_$1
	shift
	log=$(mktemp)
	tcpdump -Z root --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 port 20880 2>"$log" &
	dump=$!
	until grep -q listening "$log"; do sleep 0.1; done
	("$@") >"$out/$name.truth"
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$log" || { echo "$name: packets were dropped" >&2; exit 1; }
	rm "$log"
}
record calls timeout 60 node "$WORK/client.js" 127.0.0.1:20880 calls
record concurrent timeout 60 node "$WORK/client.js" 127.0.0.1:20880 concurrent
record rare peer client 20880
# A capture from its middle, which begins with a bare acknowledgement.
from=$(tshark -r "$out/dubbo_rare.pcap" -Y 'frame.number > 8 && tcp.len == 0' -T fields -e frame.number | head -1)
editcap -r "$out/dubbo_rare.pcap" "$out/dubbo_middle.pcap" "$from-1000"
