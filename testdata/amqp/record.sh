#!/bin/bash
# Records the captures of AMQP into the folder named by the first argument: a RabbitMQ server of its
# own, driven by drive.py, which writes what each call did into the .truth files.
#
# SCENARIOS may name some of them.
#
# Needs: rabbitmq-server, erlang's epmd, tcpdump, tshark, editcap, unshare, runuser, and a Python with pika (PYTHON names it).
# Run it as root: it makes a network namespace, in which it uses the ordinary ports.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "${1:?folder to write to}" && cd "$1" && pwd)
export PYTHON=${PYTHON:-/usr/bin/python3}
for program in rabbitmqctl tcpdump tshark editcap unshare runuser epmd; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
"$PYTHON" -c 'import pika' || { echo "python's pika is missing" >&2; exit 1; }
if [ "${2:-}" != inside ]; then
	exec unshare -n -m "$0" "$out" inside
fi

ip link set lo up
work=$(mktemp -d)
mkdir "$work/rabbit"
chown -R rabbitmq "$work"
chmod 755 "$work"
cat >"$work/rabbit/rabbitmq.conf" <<'CONF'
listeners.tcp.1 = 127.0.0.1:5672
CONF
rabbit=(env "HOME=$work/rabbit" RABBITMQ_NODENAME=shark@localhost "RABBITMQ_MNESIA_BASE=$work/rabbit" "RABBITMQ_LOG_BASE=$work/rabbit"
	"RABBITMQ_CONFIG_FILE=$work/rabbit/rabbitmq.conf" "RABBITMQ_ENABLED_PLUGINS_FILE=$work/rabbit/plugins" ERL_EPMD_ADDRESS=127.0.0.1)
cd "$work"
runuser -u rabbitmq -- "${rabbit[@]}" epmd -daemon
runuser -u rabbitmq -- "${rabbit[@]}" /usr/lib/rabbitmq/bin/rabbitmq-server >"$work/log" 2>&1 &
server=$!
stop() {
	runuser -u rabbitmq -- "${rabbit[@]}" timeout 60 /usr/lib/rabbitmq/bin/rabbitmqctl -n shark@localhost stop >/dev/null 2>&1 || kill "$server" 2>/dev/null || true
	wait "$server" || true
	runuser -u rabbitmq -- epmd -kill >/dev/null 2>&1 || true
	cd / && rm -rf "$work"
}
trap stop EXIT
for _ in $(seq 120); do
	if (exec 3<>/dev/tcp/127.0.0.1/5672) 2>/dev/null; then break; fi
	sleep 1
done
sleep 3

for scenario in ${SCENARIOS:-calls content confirm errors crowd flood interleaved settled}; do
	rm -f "$work/tcpdump"
	tcpdump -i lo -U -s 0 -B 8192 -w "$work/$scenario.pcap" tcp port 5672 2>"$work/tcpdump" &
	dump=$!
	until grep -qs listening "$work/tcpdump"; do sleep .1; done
	"$PYTHON" "$here/drive.py" "$scenario" >"$out/amqp_of_$scenario.truth"
	sleep 1
	kill "$dump"
	wait "$dump" || true
	cp "$work/$scenario.pcap" "$out/amqp_of_$scenario.pcap"
done

# From the middle: the first commit, and before it a bare acknowledgement.
commit=$(tshark -r "$out/amqp_of_calls.pcap" -Y 'amqp.method.class == 90 && amqp.method.method == 20' -T fields -e frame.number | head -1)
from=$(tshark -r "$out/amqp_of_calls.pcap" -Y "frame.number < ${commit:?no commit} && tcp.len == 0" -T fields -e frame.number | tail -1)
editcap -F pcap -r "$out/amqp_of_calls.pcap" "$out/amqp_of_middle.pcap" "${from:?no acknowledgement}-100000"
sed -n '/^tx.commit/,$p' "$out/amqp_of_calls.truth" >"$out/amqp_of_middle.truth"
