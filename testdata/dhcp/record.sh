#!/bin/bash
# shellcheck disable=SC2086 # variables hold several words of commands
# Records the captures of this folder anew: record.sh FOLDER
# Needs dhcpd, dhcrelay and dhclient of ISC, udhcpc, dnsmasq, python3, tcpdump, editcap and
# unshare, and the rights to make network namespaces. Each capture's .truth holds what the server
# logged, a line a message: kind, client and address. Of DHCPv6 it is the client that logs them,
# all but its own address.
set -eu
out=$(realpath "${1:?folder to write to}")
for program in dhcpd dhcrelay dhclient udhcpc dnsmasq python3 tcpdump editcap unshare nsenter; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
[ -n "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 exec unshare -n -m -u "$0" "$out"
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait; rm -rf "$work"' EXIT

# The server is in this namespace, a relay in the second, clients in the third.
ip link set lo up
hostname server
unshare -n sleep infinity &
relay=$!
unshare -n sleep infinity &
client=$!
pids+=("$relay" "$client")
in_relay="nsenter -t $relay -n" in_client="nsenter -t $client -n"
sleep 0.3
link() { # name address peer namespace
	ip link add "$1" address "02:00:00:00:$2:01" type veth peer name "$3" address "02:00:00:00:$2:02"
	ip link set "$3" netns "$4"
	ip link set "$1" up
}
link s 09 c "$client"
link far 08 r0 "$relay"
$in_client ip link set c up
$in_client ip link add r1 address 02:00:00:00:07:02 type veth peer name r2 address 02:00:00:00:07:01
$in_client ip link set r2 netns "$relay"
$in_relay ip addr add 10.8.0.2/24 dev r0
$in_relay ip addr add 10.7.0.2/24 dev r2
$in_relay ip link set r0 up
$in_relay ip link set r2 up
$in_client ip link set r1 up
ip addr add 10.9.0.1/24 dev s
ip addr add 10.8.0.1/24 dev far
ip addr add fd00:9::1/64 dev s
ip route add 10.7.0.0/24 via 10.8.0.2
$in_relay sysctl -qw net.ipv4.ip_forward=1

cat >"$work/dhcpd.conf" <<'CONF'
authoritative;
ping-check false;
log-facility local7;
min-lease-time 6;
default-lease-time 600;
max-lease-time 7200;
option domain-name "shop.example";
option domain-name-servers 10.9.0.53, 10.9.0.54;
subnet 10.9.0.0 netmask 255.255.255.0 {
  range 10.9.0.100 10.9.0.120;
  option routers 10.9.0.1;
  next-server 10.9.0.1;
  filename "boot/grub.efi";
}
subnet 10.8.0.0 netmask 255.255.255.0 { }
subnet 10.7.0.0 netmask 255.255.255.0 { range 10.7.0.100 10.7.0.120; option routers 10.7.0.2; }
host printer { hardware ethernet 02:00:00:00:09:77; fixed-address 10.9.0.50; option host-name "printer"; }
CONF
cat >"$work/dhcpd6.conf" <<'CONF'
default-lease-time 600;
option dhcp6.name-servers fd00:9::53;
option dhcp6.domain-search "shop.example";
subnet6 fd00:9::/64 {
  range6 fd00:9::100 fd00:9::120;
  prefix6 fd00:a:: fd00:a:0:f:: /64;
}
CONF
cat >"$work/script" <<'SCRIPT'
#!/bin/sh
case "$reason$1" in
BOUND | RENEW | REBIND | REBOOT) ip addr replace "$new_ip_address/24" dev "$interface" ;;
bound | renew) ip addr replace "$ip/24" dev "$interface" ;;
EXPIRE | RELEASE | deconfig | PREINIT) ip -4 addr flush dev "$interface" ;;
BOUND6 | RENEW6 | REBIND6) ip -6 addr replace "$new_ip6_address/64" dev "$interface" 2>/dev/null ;;
PREINIT6) until ip -6 addr show dev "$interface" scope link | grep inet6 | grep -qv tentative; do sleep 0.2; done ;;
esac
exit 0
SCRIPT
chmod +x "$work/script"
touch "$work/leases" "$work/leases6"
dhcpd -f -d -4 -cf "$work/dhcpd.conf" -lf "$work/leases" -pf "$work/pid" s far 2>"$work/told" &
pids+=($!)
$in_relay dhcrelay -d -4 -pf "$work/relaypid" -iu r0 -id r2 10.8.0.1 2>/dev/null &
relaying=$!
pids+=("$relaying")
until ip -6 addr show dev s scope link | grep inet6 | grep -qv tentative; do sleep 0.2; done
dhcpd -f -d -6 -cf "$work/dhcpd6.conf" -lf "$work/leases6" -pf "$work/pid6" s 2>"$work/told6" &
pids+=($!)
sleep 2

record() { # scenario interface
	name=dhcp_of_$1
	: >"$work/log"
	lines=$(wc -l <"$work/told")
	tcpdump --immediate-mode -B 65536 -i "$2" -U -w "$out/$name.pcap" -s 0 udp port 67 or udp port 68 or udp port 546 or udp port 547 2>"$work/log" &
	dump=$!
	until grep -q listening "$work/log"; do sleep 0.1; done
	"$1"
	sleep 1
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$work/log" || { echo "$name: packets were dropped" >&2; exit 1; }
	# DHCPREQUEST for 10.9.0.100 (10.9.0.1) from 02:00:00:00:09:02 (laptop) via s
	tail -n "+$((lines + 1))" "$work/told" | sed -n 's/^DHCP\([A-Z]*\) \(.*\)/\1 \2/p' |
		awk '{ mac = "-"; ip = "-"
			for (i = 2; i <= NF && $i != "via"; i++) {
				if ($i ~ /^([0-9a-f]+:)+[0-9a-f]+$/) mac = $i
				else if (ip == "-" && $i ~ /^[0-9]+(\.[0-9]+)+$/) ip = $i
			}
			print $1, mac, ip }' >"$out/$name.truth"
	[ "$1" != six ] || said6 >"$out/$name.truth"
}
# said6 turns what dhclient -6 wrote into the truth. What a message asks for stands before the
# line that says it is sent, what it brings behind the one that says it came. Who releases an
# address does not wait for the answer: that one the server logs alone.
said6() {
	awk 'function say() { if (kind) print toupper(kind), "-", ip; kind = ""; ip = "-" }
		/^XMT: Forming/ || /^PRC:/ { say() }
		/X-- (IAADDR|IAPREFIX) / { ip = $NF }
		/X-- Request prefix / { ip = substr($NF, 1, length($NF) - 1) }
		/X-- Release Address / { ip = $NF }
		/^XMT: .* on / { kind = $2 == "Info-Request" ? "Information-Request" : $2; say() }
		/^RCV: .* message on / { say(); kind = $2 }
		END { say() }' "$work/said"
	comm -13 <(sed -n 's/^RCV: \(.*\) message on .*/\1/p' "$work/said" | sort) \
		<(sed -n 's/^Sending \(.*\) to .*/\1/p' "$work/told6" | sort) | sed 's/.*/\U& - -/'
}
isc() { # interface options
	$in_client dhclient -d -4 -sf "$work/script" -cf "$work/client.conf" -lf "$work/mine.$1" -pf "$work/mine.pid" "${@:2}" "$1" 2>>"$work/said" &
	isc=$!
	pids+=("$isc")
}
bound() { # times
	until [ "$(grep -c '^bound to' "$work/said")" -ge "$1" ]; do sleep 0.2; done
}
busy() { $in_client udhcpc -i c -s "$work/script" -n -q -t 3 -T 1 "$@"; }

lease() {
	: >"$work/said"
	printf 'send host-name "laptop";\nsend dhcp-lease-time 8;\n' >"$work/client.conf"
	isc c
	bound 2 # the second time it asks the server alone
	kill $isc
	wait $isc || true
	isc c
	bound 3 # it asks for the address that it had
	kill $isc
	wait $isc || true
	$in_client dhclient -r -4 -sf "$work/script" -cf "$work/client.conf" -lf "$work/mine.c" -pf "$work/mine.pid" c 2>/dev/null
}
refused() {
	# An address of another network, then one that somebody else has.
	: >"$work/said"
	: >"$work/client.conf"
	cat >"$work/mine.c" <<-'LEASE'
		lease {
		  interface "c";
		  fixed-address 192.168.3.3;
		  option dhcp-lease-time 600;
		  option dhcp-server-identifier 192.168.3.1;
		  renew 2 2037/01/06 00:00:00;
		  rebind 2 2037/01/06 00:00:00;
		  expire 2 2037/01/06 00:00:00;
		}
	LEASE
	isc c
	bound 1
	kill $isc
	wait $isc || true
	$in_client ip -4 addr flush dev c
	ip addr add 10.9.0.110/24 dev s
	busy -a -r 10.9.0.110 -x hostname:squatter || true
	ip addr del 10.9.0.110/24 dev s
}
several() {
	for mac in 11 12 13 77; do
		$in_client ip link set c down
		$in_client ip link set c address "02:00:00:00:09:$mac"
		$in_client ip link set c up
		# Until then what the server says is dropped before it is captured.
		until ip -br link show s | grep -q ' UP '; do sleep 0.1; done
		busy -x "hostname:host-$mac" -V shop-phone
	done
	# One that has an address and wants to know the rest.
	$in_client ip addr replace 10.9.0.200/24 dev c
	$in_client python3 - <<'PY'
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.bind(("10.9.0.200", 68))
head = struct.pack("!BBBBIHH4s4s4s4s", 1, 1, 6, 0, 0xCAFE, 0, 0, socket.inet_aton("10.9.0.200"), bytes(4), bytes(4), bytes(4))
b = head + bytes.fromhex("020000000999") + bytes(10 + 64 + 128) + bytes.fromhex("63825363 350108 3d0701020000000999 370303060f ff")
for to in ("10.9.0.1", "255.255.255.255"):
    s.sendto(b, (to, 67))
    s.settimeout(3)
    s.recv(2000)
PY
	$in_client ip -4 addr flush dev c
} 2>/dev/null
relayed() {
	for i in 1 2; do $in_client udhcpc -i r1 -s "$work/script" -n -q -t 3 -T 1 -x "hostname:far-$i" 2>/dev/null; done
	$in_client ip -4 addr flush dev r1
}
# This relay speaks to the server from the address it has in the client's network.
forwarded() {
	kill $relaying
	wait $relaying || true
	$in_relay dnsmasq -k -p 0 -i r2 --dhcp-relay=10.7.0.2,10.8.0.1 -C /dev/null -u root -x "$work/dnsmasq.pid" 2>/dev/null &
	pids+=($!)
	sleep 1
	relayed
}
six() {
	: >"$work/said"
	until $in_client ip -6 addr show dev c scope link | grep inet6 | grep -qv tentative; do sleep 0.2; done
	for ask in -N -P -S; do
		timeout 20 $in_client dhclient -d -6 -1 $ask -sf "$work/script" -lf "$work/six$ask" -pf "$work/six.pid" c 2>>"$work/said" &
		six=$!
		pids+=("$six")
		sleep 4
		kill $six 2>/dev/null || true
		wait $six || true
	done
	$in_client dhclient -d -6 -r -N -sf "$work/script" -lf "$work/six-N" -pf "$work/six.pid" c 2>>"$work/said" || true
	# More than there is.
	timeout 6 $in_client dhclient -d -6 -1 -P --prefix-len-hint 48 -sf "$work/script" -lf "$work/six-more" -pf "$work/six.pid" c 2>>"$work/said" || true
}
record lease s
record refused s
record several s
record relayed far
record forwarded far
record six s
# From the middle: the answer to the sixth message, which the client asked the server alone,
# then the rest.
editcap -F pcap -r "$out/dhcp_of_lease.pcap" "$out/dhcp_of_middle.pcap" 6-1000
tail -n +6 "$out/dhcp_of_lease.truth" >"$out/dhcp_of_middle.truth"
