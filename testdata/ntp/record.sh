#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# Needs ntpd, ntpq and ntpdig of NTPsec, setpriv, ip, python3, tcpdump, editcap, nsenter
# and unshare, and the rights to make network namespaces. Each capture's .truth holds
# what the clients asked and were told, a line a call, out of their own logs (said.py).
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in ntpd ntpq ntpdig setpriv ip python3 tcpdump editcap nsenter unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
[ -n "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 exec unshare -n -m "$0" "$out"
ip link set lo up
ip addr add 10.9.0.1/32 dev lo
work=$(mktemp -d)
unshare -n sleep 1000 &
other=$!
servers=()
trap 'kill $other "${servers[@]}" 2>/dev/null; wait; rm -rf "$work"' EXIT
until [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
at_other=(nsenter -t "$other" -n)
ip link add near type veth peer name far netns $other
ip addr add 10.9.1.1/24 dev near
ip link set near up
"${at_other[@]}" ip addr add 10.9.1.2/24 dev far
"${at_other[@]}" ip link set far up
echo '7 SHA1 keykeykey' >"$work/keys"

# The first has a clock of its own, the second knows no time and wants not to be asked
# often, the third has its time from the first. None may set the machine's clock.
cat >"$work/one.conf" <<CONF
refclock local stratum 0 refid GPS minpoll 3 maxpoll 3 prefer
tos orphanwait 1
keys $work/keys
trustedkey 7
restrict default kod limited nomodify
restrict 10.9.0.1
CONF
cat >"$work/two.conf" <<CONF
server 10.9.0.9
restrict default kod limited nomodify
CONF
cat >"$work/three.conf" <<CONF
server 10.9.1.1 iburst minpoll 3 maxpoll 3
tos minclock 1 minsane 1 mindist 1
restrict default nomodify
CONF
interface=lo
record() { # scenario
	name=ntp_of_$1 truth=$out/ntp_of_$1.truth
	: >"$truth"
	: >"$work/log"
	tcpdump --immediate-mode -B 65536 -i "$interface" -U -w "$out/$name.pcap" -s 0 udp port 123 2>"$work/log" &
	dump=$!
	until grep -q listening "$work/log"; do sleep 0.1; done
	"$1"
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$work/log" || { echo "$name: packets were dropped" >&2; exit 1; }
}
# The clients write to both of their outputs, and in order only without buffers.
export PYTHONUNBUFFERED=1
# dig asks for the time; it fails where it was not told.
dig() {
	local told=0
	ntpdig -d -d "$@" >"$work/said" 2>&1 || told=$?
	python3 "$here/said.py" dig <"$work/said" >>"$truth"
	return $told
}
query() {
	ntpq -D 3 -n "$@" >"$work/said" 2>&1
	python3 "$here/said.py" control <"$work/said" >>"$truth"
}
start() { # name prefix
	setpriv --bounding-set -sys_time --inh-caps -sys_time "${@:2}" ntpd -n -N -c "$work/$1.conf" -f "$work/$1.drift" -l "$work/$1.log" -p "$work/$1.pid" &
	servers+=($!)
}
times() {
	for _ in 1 2 3; do dig -t 2 10.9.0.1; done
	dig -t 2 -a 7 -k "$work/keys" 10.9.0.1
}
second() {
	for _ in 1 2 3; do dig -t 2 10.9.1.2; done
}
# Many ask at once, each again as soon as it was told.
crowd() {
	local client clients=()
	for client in $(seq 8); do
		ntpdig -d -d -t 2 -p 4 -g 1 10.9.0.1 >"$work/said.$client" 2>&1 &
		clients+=($!)
	done
	wait "${clients[@]}"
	for client in $(seq 8); do python3 "$here/said.py" dig <"$work/said.$client" >>"$truth"; done
}
# Each of four asks six times before it hears an answer.
burst() { python3 "$here/burst.py" 10.9.0.1 7 keykeykey 4 6 >>"$truth"; }
# A server without the time says so, and who asks too often is told that, and then
# nothing.
refusals() { dig -t 1 -p 24 -g 10 10.9.0.1 || true; }
controls() {
	query -c rv -c "rv 4711" -c associations -c peers -c "rv 0 nonsense" 10.9.0.1
	query -c mrulist 10.9.0.1
	# What scanners ask old servers, which this one does not answer.
	python3 - >>"$truth" <<'PY'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
s.connect(("10.9.0.1", 123))
for question in b"\x17\x00\x03\x2a" + bytes(4), b"\x17\x01\x03\x2a" + bytes(44):
    s.send(question)
    try:
        told = len(s.recv(4096))
    except TimeoutError:
        told = "-"
    print("private", question[3], len(question), told)
PY
}
start one
until ntpdig -j -t 1 10.9.0.1 2>/dev/null | grep -q no-leap; do sleep 1; done
record times
record controls
record crowd
record burst
start three "${at_other[@]}"
until ntpdig -j -t 1 10.9.1.2 2>/dev/null | grep -q no-leap; do sleep 1; done
interface=near record second
kill "${servers[@]}"
wait "${servers[@]}" || true
servers=()
start two
sleep 2
record refusals
# From the middle: the answer to the first question, then the rest.
editcap -F pcap -r "$out/ntp_of_times.pcap" "$out/ntp_of_middle.pcap" 2-1000
sed '1s/^client \(\S*\) 48/- \1 -/' "$out/ntp_of_times.truth" >"$out/ntp_of_middle.truth"
