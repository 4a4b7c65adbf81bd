#!/bin/bash
# Records the captures mdns_of_* of this folder anew: record.sh FOLDER
# Needs avahi-daemon, python3 with zeroconf (Debian's package python3-zeroconf), ip, tcpdump,
# editcap, nsenter and unshare, and the rights to make network namespaces: one with who answers,
# one with the client. Beside each capture, .truth holds what the client saw, a line a message.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in avahi-daemon ip /usr/bin/python3 tcpdump editcap nsenter unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
/usr/bin/python3 -c 'import zeroconf' || exit 1
if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec unshare -n -m "$0" "$out"
fi
unshare -n sleep 1000 &
other=$!
work=$(mktemp -d)
trap 'kill $other; rm -rf "$work"' EXIT
until [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
at_other=(nsenter -t "$other" -n)
ip link set lo up
ip link add under0 type veth peer name under1 netns $other
ip address add 10.0.1.1/24 dev under0
ip address add fd00:1::1/64 dev under0 nodad
ip link set under0 up
"${at_other[@]}" ip address add 10.0.1.2/24 dev under1
"${at_other[@]}" ip address add fd00:1::2/64 dev under1 nodad
"${at_other[@]}" ip link set under1 up
mkdir "$work/services"
cat >"$work/services/tea.service" <<SERVICE
<service-group>
	<name>Tea shop</name>
	<service><type>_http._tcp</type><port>8080</port><txt-record>path=/tea</txt-record><txt-record>open=yes</txt-record></service>
</service-group>
SERVICE
printf '[server]\nhost-name=cup\nallow-interfaces=under0\nenable-dbus=no\n[publish]\npublish-workstation=no\npublish-hinfo=no\n' >"$work/conf"
mount --bind "$work/services" /etc/avahi/services
mount -t tmpfs tmpfs /run
avahi-daemon -f "$work/conf" --no-drop-root --no-chroot --no-rlimits --no-proc-title 2>"$work/avahi" &
responder=$!
trap 'kill $other $responder; wait $responder || true; rm -rf "$work"' EXIT
# It announces itself for some seconds first, until three are silent.
until grep -q 'Service "Tea shop" .* successfully established' "$work/avahi"; do sleep 0.1; done
while timeout 3 tcpdump -Z root -i under0 -c 1 'port 5353' >"$work/announced" 2>&1; do :; done
name=mdns_of_services
: >"$work/dump"
tcpdump -Z root --immediate-mode -B 65536 -i under0 -U -w "$out/$name.pcap" -s 0 'port 5353' 2>"$work/dump" &
dump=$!
until grep -q listening "$work/dump"; do sleep 0.1; done
"${at_other[@]}" /usr/bin/python3 "$here/client.py" >"$out/$name.truth" || { kill $dump; exit 1; }
kill $dump
wait $dump || true
grep -q '^0 packets dropped' "$work/dump" || { echo "$name: packets were dropped" >&2; exit 1; }
# From the middle: all but the first question.
editcap -r "$out/$name.pcap" "$out/mdns_of_middle.pcap" 2-100000
tail -n +2 "$out/$name.truth" >"$out/mdns_of_middle.truth"
