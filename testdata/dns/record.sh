#!/bin/bash
# Records the captures dns_of_* of this folder anew: record.sh FOLDER
# Needs named and dig (Debian's packages bind9 and bind9-dnsutils), python3, tcpdump,
# editcap and unshare, and the rights to make a network namespace. Beside each capture,
# .truth holds what the client was told, a line a call.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in named dig python3 tcpdump editcap unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec unshare -n -m "$0" "$out"
fi
ip link set lo up
work=$(mktemp -d)
cp "$here/shop.zone" "$here/small.zone" "$work/"
cat >"$work/conf" <<CONF
options {
	directory "$work";
	pid-file none;
	session-keyfile none;
	listen-on { 127.0.0.1; };
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
trap 'kill $server; wait $server || true; rm -rf "$work"' EXIT
until dig @127.0.0.1 +tries=1 +time=1 +short SOA shop.example 2>/dev/null | grep -q hostmaster; do sleep 0.2; done
for scenario in types failures large concurrent pipelined transfer; do
	name=dns_of_$scenario
	: >"$work/dump"
	tcpdump -Z root --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 port 53 2>"$work/dump" &
	dump=$!
	until grep -q listening "$work/dump"; do sleep 0.1; done
	python3 "$here/client.py" $scenario >"$out/$name.truth" || { kill $dump; exit 1; }
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$work/dump" || { echo "$name: packets were dropped" >&2; exit 1; }
done
# From the middle: the answer to the sixth query, then the rest.
editcap -r "$out/dns_of_types.pcap" "$out/dns_of_middle.pcap" 12-100000
tail -n +7 "$out/dns_of_types.truth" >"$out/dns_of_middle.truth"
