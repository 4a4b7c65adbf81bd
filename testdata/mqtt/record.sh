#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# Needs mosquitto, mosquitto_pub, mosquitto_sub, mosquitto_passwd, tcpdump, tshark, editcap
# and unshare, and the rights to make a network namespace. Each capture's .truth is what
# the broker logged of it.
set -eu
out=$(realpath "${1:?folder to write to}")
for program in mosquitto mosquitto_pub mosquitto_sub mosquitto_passwd tcpdump tshark editcap unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec unshare -n -m "$0" "$out"
fi
ip link set lo up
work=$(mktemp -d)
chmod 755 "$work"
mosquitto_passwd -b -c "$work/users" gateway secret
chmod 644 "$work/users"
cat >"$work/conf" <<CONF
per_listener_settings true
log_type all
log_timestamp false
listener 1883 127.0.0.1
allow_anonymous true
max_topic_alias 10
listener 1884 127.0.0.1
allow_anonymous false
password_file $work/users
CONF
record() {
	name=mqtt_$1
	mosquitto -v -c "$work/conf" >"$work/log" 2>&1 &
	server=$!
	tcpdump --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 port 1883 or port 1884 2>"$work/dump" &
	dump=$!
	until grep -q listening "$work/dump" && grep -q running "$work/log"; do sleep 0.1; done
	"$1"
	sleep 0.7
	kill $dump
	wait $dump || true
	kill $server
	wait $server || true
	grep -q '^0 packets dropped' "$work/dump" || { echo "$name: packets were dropped" >&2; exit 1; }
	grep -E '^(Received|Sending) ' "$work/log" >"$out/$name.truth"
}
old() {
	mosquitto_sub -V mqttv311 -i reader -q 2 -t 'sensors/#' -t alerts -U nothing -C 4 >/dev/null &
	sub=$!
	sleep 0.3
	mosquitto_pub -V mqttv311 -i writer -t sensors/1 -m 20.5
	mosquitto_pub -V mqttv311 -i writer -q 1 -t sensors/2 -m 21.5
	mosquitto_pub -V mqttv311 -i writer -q 2 -t sensors/3 -m 22.5
	mosquitto_pub -V mqttv311 -i writer -q 1 -r -t alerts -m fire
	wait $sub
	mosquitto_sub -V mqttv31 -i late -t alerts -C 1 >/dev/null
}
new() {
	mosquitto_sub -V 5 -i reader -q 2 -t 'sensors/#' -t "\$share/group/alerts" -C 8 -D connect topic-alias-maximum 5 -D subscribe subscription-identifier 7 >/dev/null &
	sub=$!
	sleep 0.3
	mosquitto_pub -V 5 -i writer -q 1 -t sensors/1 -m 20.5 -D publish content-type text/plain -D publish user-property unit celsius
	printf '1\n2\n3\n' | mosquitto_pub -V 5 -i writer -q 1 -t sensors/alias -l -D publish topic-alias 3
	printf '4\n5\n6\n' | mosquitto_pub -V 5 -i writer -q 2 -t sensors/many -l
	mosquitto_pub -V 5 -i writer -q 1 -t nobody/listens -m x
	mosquitto_pub -V 5 -i writer -q 1 -t alerts -m x
	wait $sub
	mosquitto_pub -V 5 -t unnamed -m x
}
refused() {
	mosquitto_pub -V mqttv311 -p 1884 -i thief -u gateway -P wrong -t a -m x 2>/dev/null || true
	mosquitto_pub -V 5 -p 1884 -i thief -u gateway -P wrong -t a -m x 2>/dev/null || true
	mosquitto_pub -V 5 -p 1884 -i gateway-1 -u gateway -P secret -q 1 -t a -m x --will-topic gone --will-payload bye
}
large() {
	head -c 20000 /dev/zero | tr '\0' x >"$work/large"
	mosquitto_sub -i reader -q 1 -t big -C 1 >/dev/null &
	sub=$!
	sleep 0.3
	mosquitto_pub -i writer -q 2 -t big -f "$work/large"
	wait $sub
}
concurrent() {
	mosquitto_sub -i reader -t 'c/#' -q 1 -k 5 -W 8 >/dev/null &
	sub=$!
	sleep 0.3
	for i in 1 2 3 4; do
		printf '%s\n' a b c d e | mosquitto_pub -i "writer-$i" -q $((i % 3)) -t "c/$i" -l &
	done
	wait $sub || true
}
for scenario in old new refused large concurrent; do record $scenario; done
# The same from its middle, which begins with a bare acknowledgement.
from=$(tshark -r "$out/mqtt_concurrent.pcap" -Y 'frame.number > 12 && tcp.len == 0 && tcp.flags == 0x10' -T fields -e frame.number | head -1)
editcap -r "$out/mqtt_concurrent.pcap" "$out/mqtt_middle.pcap" "$from-1000"
rm -rf "$work"
