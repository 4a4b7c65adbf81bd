#!/bin/bash
# Records the captures dns_of_* of this folder anew: record.sh FOLDER
# Needs named and dig (Debian's packages bind9 and bind9-dnsutils), ip, python3, tcpdump,
# editcap, nsenter and unshare, and the rights to make network namespaces: one with the server,
# and for VXLAN and LLMNR one with the client. Beside each capture, .truth holds what the
# client was told, a line a call.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in named dig ip python3 tcpdump editcap nsenter unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
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
ip link add over0 type vxlan id 4096 dev under0 local 10.0.1.1 remote 10.0.1.2 dstport 4789
"${at_other[@]}" ip link add over1 type vxlan id 4096 dev under1 local 10.0.1.2 remote 10.0.1.1 dstport 4789
ip address add 10.0.1.1/24 dev under0
ip address add fd00:1::1/64 dev under0 nodad
ip address add 10.0.2.1/24 dev over0
ip link set under0 up
ip link set over0 up
"${at_other[@]}" ip address add 10.0.1.2/24 dev under1
"${at_other[@]}" ip address add fd00:1::2/64 dev under1 nodad
"${at_other[@]}" ip address add 10.0.2.2/24 dev over1
"${at_other[@]}" ip link set under1 up
"${at_other[@]}" ip link set over1 up
cp "$here/shop.zone" "$here/small.zone" "$work/"
cat >"$work/conf" <<CONF
options {
	directory "$work";
	pid-file none;
	session-keyfile none;
	listen-on { 127.0.0.1; 10.0.2.1; };
	listen-on-v6 { none; };
	recursion no;
	minimal-responses yes;
	minimal-any no;
	max-udp-size 4096;
	dnssec-validation no;
};
controls {};
zone "small.example" { type primary; file "small.zone"; allow-transfer { any; }; };
zone "shop.example" { type primary; file "shop.zone"; };
CONF
named -f -c "$work/conf" 2>"$work/named" &
server=$!
python3 "$here/neighbour.py" &
neighbour=$!
trap 'kill $server $other $neighbour; wait $server || true; rm -rf "$work"' EXIT
until dig @127.0.0.1 +tries=1 +time=1 +short SOA shop.example 2>/dev/null | grep -q hostmaster; do sleep 0.2; done
# record SCENARIO INTERFACE FILTER PREFIX...
record() {
	name=dns_of_$1
	: >"$work/dump"
	tcpdump -Z root --immediate-mode -B 65536 -i "$2" -U -w "$out/$name.pcap" -s 0 "$3" 2>"$work/dump" &
	dump=$!
	until grep -q listening "$work/dump"; do sleep 0.1; done
	"${@:4}" python3 "$here/client.py" "$1" >"$out/$name.truth" || { kill $dump; exit 1; }
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$work/dump" || { echo "$name: packets were dropped" >&2; exit 1; }
}
for scenario in types failures large concurrent pipelined transfer; do
	record $scenario lo 'port 53'
done
record vxlan under0 'udp port 4789' "${at_other[@]}"
record llmnr under0 'port 5355' "${at_other[@]}"
# From the middle: the answer to the sixth query, then the rest.
editcap -r "$out/dns_of_types.pcap" "$out/dns_of_middle.pcap" 12-100000
tail -n +7 "$out/dns_of_types.truth" >"$out/dns_of_middle.truth"
