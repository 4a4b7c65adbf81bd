#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# Needs java 11 or later, ZooKeeper's Java archives (Debian: zookeeper) at
# /usr/share/java or in the folder that ZK_JARS names, kazoo for the python3 that
# ZK_PYTHON names (Debian: python3-kazoo), tcpdump, tshark, editcap and unshare, and the
# rights to make a network namespace. Each capture's .truth holds what the client was
# told, a line a call.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
jars=${ZK_JARS:-/usr/share/java}
python=${ZK_PYTHON:-/usr/bin/python3}
for program in java tcpdump tshark editcap unshare "$python"; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
[ -e "$jars/zookeeper.jar" ] || { echo "$jars/zookeeper.jar is missing" >&2; exit 1; }
"$python" -c 'import kazoo' || exit 1
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	IN_NAMESPACE=1 WORK="$work" unshare -n -m "$0" "$out"
	rm -rf "$work"
	exit
fi
ip link set lo up
export CLASSPATH="$jars/zookeeper.jar"
cat >"${WORK:?}/zoo.cfg" <<CONF
tickTime=2000
dataDir=$WORK/data
clientPort=2181
clientPortAddress=127.0.0.1
admin.enableServer=false
extendedTypesEnabled=true
4lw.commands.whitelist=ruok,srvr
CONF
serve() {
	java -Dzookeeper.extendedTypesEnabled=true -Dlog4j.rootLogger=OFF org.apache.zookeeper.server.quorum.QuorumPeerMain "$WORK/zoo.cfg" >"$WORK/log" 2>&1 &
	server=$!
	until (exec 3<>/dev/tcp/127.0.0.1/2181) 2>/dev/null; do
		kill -0 "$server" || { cat "$WORK/log" >&2; exit 1; }
		sleep 0.2
	done
}
serve
trap 'kill $server' EXIT
record() {
	name=zookeeper_$1
	shift
	log=$(mktemp)
	tcpdump -Z root --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 port 2181 2>"$log" &
	dump=$!
	until grep -q listening "$log"; do sleep 0.1; done
	"$@" >"$out/$name.truth"
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$log" || { echo "$name: packets were dropped" >&2; exit 1; }
	rm "$log"
}
javac -d "$WORK" "$here/client.java"
client() { java -cp "$WORK:$CLASSPATH" Client 127.0.0.1:2181 "$1" 2>>"$WORK/err"; }
for scenario in basics errors large pipelined concurrent; do
	record $scenario client $scenario
done
# The server is restarted when the client asks for it, so that the client sets its watches again.
watches() {
	: >"$WORK/err"
	client watches &
	asking=$!
	until grep -q restart "$WORK/err"; do sleep 0.1; done
	kill $server
	wait $server || true
	serve
	wait $asking
}
# Words that are no requests, as probes of health send them.
words() {
	for word in ruok srvr; do
		exec 3<>/dev/tcp/127.0.0.1/2181
		printf %s "$word" >&3
		cat <&3 >"$WORK/answer"
		exec 3>&-
		echo "$word - OK $(wc -c <"$WORK/answer")"
	done
}
record words words
record kazoo "$python" "$here/kazoo_client.py" 127.0.0.1:2181
record watches watches
# A capture from its middle, which begins with a bare acknowledgement.
from=$(tshark -r "$out/zookeeper_basics.pcap" -Y 'frame.number > 25 && tcp.len == 0' -T fields -e frame.number | head -1)
editcap -r "$out/zookeeper_basics.pcap" "$out/zookeeper_middle.pcap" "$from-1000"
