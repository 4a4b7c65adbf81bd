#!/bin/bash
# Records the captures of AMQP 1.0 into the folder named by the first argument: a RabbitMQ server of its
# own, driven by client.go.txt, and peer.py, which is both ends. The clients write what each call did into
# the .truth files.
#
# Needs: rabbitmq-server with its plugin rabbitmq_amqp1_0, erlang's epmd, tcpdump, tshark, editcap, unshare,
# runuser, go, and a Python with qpid-proton (PYTHON names it). Run it as root: it makes a network namespace,
# in which it uses the ordinary ports.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "${1:?folder to write to}" && cd "$1" && pwd)
export PYTHON=${PYTHON:-/usr/bin/python3}
for program in rabbitmqctl tcpdump tshark editcap unshare runuser epmd go; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
"$PYTHON" -c 'import proton' || { echo "python's qpid-proton is missing" >&2; exit 1; }
if [ -z "${WORK:-}" ]; then
	WORK=$(mktemp -d)
	export WORK
	trap 'rm -rf "$WORK"' EXIT
	cp "$here/client.go.txt" "$WORK/main.go"
	(cd "$WORK" && go mod init client && go get github.com/Azure/go-amqp@v1.7.0 && CGO_ENABLED=0 go build -o client .) >"$WORK/build" 2>&1 ||
		{ cat "$WORK/build" >&2; exit 1; }
	unshare -n -m "$0" "$out"
	exit
fi

ip link set lo up
work=$WORK
mkdir "$work/rabbit"
chown -R rabbitmq "$work/rabbit"
chmod 755 "$work"
cat >"$work/rabbit/rabbitmq.conf" <<'CONF'
listeners.tcp.1 = 127.0.0.1:5672
CONF
echo '[rabbitmq_amqp1_0].' >"$work/rabbit/plugins"
rabbit=(env "HOME=$work/rabbit" RABBITMQ_NODENAME=shark@localhost "RABBITMQ_MNESIA_BASE=$work/rabbit" "RABBITMQ_LOG_BASE=$work/rabbit"
	"RABBITMQ_CONFIG_FILE=$work/rabbit/rabbitmq.conf" "RABBITMQ_ENABLED_PLUGINS_FILE=$work/rabbit/plugins" ERL_EPMD_ADDRESS=127.0.0.1)
cd "$work/rabbit"
runuser -u rabbitmq -- "${rabbit[@]}" epmd -daemon
runuser -u rabbitmq -- "${rabbit[@]}" /usr/lib/rabbitmq/bin/rabbitmq-server >"$work/log" 2>&1 &
server=$!
stop() {
	runuser -u rabbitmq -- "${rabbit[@]}" timeout 60 /usr/lib/rabbitmq/bin/rabbitmqctl -n shark@localhost stop >/dev/null 2>&1 || kill "$server" 2>/dev/null || true
	wait "$server" || true
	runuser -u rabbitmq -- epmd -kill >/dev/null 2>&1 || true
}
trap stop EXIT
for _ in $(seq 120); do
	if (exec 3<>/dev/tcp/127.0.0.1/5672) 2>/dev/null; then break; fi
	sleep 1
done
sleep 3

# record NAME PROGRAM...
record() {
	name=$1
	shift
	rm -f "$work/tcpdump"
	tcpdump -i lo -U -s 0 -B 8192 -w "$work/$name.pcap" tcp port 5672 2>"$work/tcpdump" &
	dump=$!
	until grep -qs listening "$work/tcpdump"; do sleep .1; done
	"$@" >"$out/amqp1_of_$name.truth"
	sleep 1
	kill "$dump"
	wait "$dump" || true
	cp "$work/$name.pcap" "$out/amqp1_of_$name.pcap"
}
for scenario in calls errors content crowd; do
	record "$scenario" "$work/client" "$scenario"
done
stop
trap - EXIT
"$PYTHON" "$here/peer.py" server >"$work/peer" &
until grep -qs listening "$work/peer"; do sleep .1; done
record peer timeout 60 "$PYTHON" "$here/peer.py" client

# A capture from its middle, which begins with a bare acknowledgement.
begin=$(tshark -r "$out/amqp1_of_calls.pcap" -Y 'amqp.performative == 17' -T fields -e frame.number 2>/dev/null | head -1)
from=$(tshark -r "$out/amqp1_of_calls.pcap" -Y "frame.number < ${begin:?no begin} && tcp.len == 0" -T fields -e frame.number 2>/dev/null | tail -1)
editcap -r "$out/amqp1_of_calls.pcap" "$out/amqp1_of_middle.pcap" "${from:?no acknowledgement}-1000"
