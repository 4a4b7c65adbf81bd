#!/bin/bash
# Records the captures icmp_of_* of this folder anew: record.sh FOLDER
# Needs ping, ip, sysctl, python3, tcpdump, editcap, nsenter and unshare, and the rights to
# make network namespaces: one with the client, one with a router and one with the other host.
# Beside each capture, .truth holds what ping was told.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in ping ip sysctl python3 tcpdump editcap nsenter unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec unshare -n -m "$0" "$out"
fi
work=$(mktemp -d)
unshare -n sleep 1000 &
router=$!
unshare -n sleep 1000 &
far=$!
trap 'kill $router $far; rm -rf "$work"' EXIT
own=$(readlink /proc/self/ns/net)
for process in $router $far; do
	until [ "$(readlink "/proc/$process/ns/net")" != "$own" ]; do sleep 0.1; done
done
at_router() { nsenter -t $router -n "$@"; }
at_far() { nsenter -t $far -n "$@"; }
ip link set lo up
ip link add near type veth peer name left netns $router
at_router ip link add right mtu 1280 type veth peer name remote mtu 1280 netns $far
ip link set near up
at_router ip link set left up
at_router ip link set right up
at_far ip link set remote up
ip address add 10.0.1.2/24 dev near
ip address add fd00:1::2/64 dev near nodad
at_router ip address add 10.0.1.1/24 dev left
at_router ip address add fd00:1::1/64 dev left nodad
at_router ip address add 10.0.2.1/24 dev right
at_router ip address add fd00:2::1/64 dev right nodad
at_far ip address add 10.0.2.2/24 dev remote
at_far ip address add fd00:2::2/64 dev remote nodad
ip route add default via 10.0.1.1
ip route add default via fd00:1::1
at_far ip route add default via 10.0.2.1
at_far ip route add default via fd00:2::1
at_router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
at_router ip route add unreachable 10.0.3.0/24
at_router ip route add unreachable fd00:3::/64
at_router ip route add prohibit 10.0.4.0/24
at_router ip route add prohibit fd00:4::/64
at_router ip route add blackhole 10.0.6.0/24
# record NAME INTERFACE
record() {
	name=icmp_of_$1
	: >"$work/dump"
	tcpdump -Z root --immediate-mode -i "$2" -U -w "$out/$name.pcap" -s 0 'icmp or icmp6 or (ip[6:2] & 0x3fff != 0) or ip6[6] = 44' 2>"$work/dump" &
	dump=$!
	until grep -q listening "$work/dump"; do sleep 0.1; done
	python3 "$here/client.py" "$1" >"$out/$name.truth" || { kill $dump; exit 1; }
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$work/dump" || { echo "$name: packets were dropped" >&2; exit 1; }
}
until ping -c 1 -W 1 10.0.2.2 >/dev/null && ping -c 1 -W 1 fd00:2::2 >/dev/null; do sleep 0.1; done
record local lo
record routed near
record failures near
record concurrent near
# From the middle: the answer to the second echo, then the rest.
editcap -r "$out/icmp_of_local.pcap" "$out/icmp_of_middle.pcap" 4-1000
tail -n +3 "$out/icmp_of_local.truth" >"$out/icmp_of_middle.truth"
