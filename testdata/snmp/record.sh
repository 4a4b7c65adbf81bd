#!/bin/bash
# shellcheck disable=SC2086 # variables hold several words of commands
# Records the captures of this folder anew: record.sh FOLDER
# Needs snmpd, snmptrapd, the snmp tools, python3, tcpdump, editcap and unshare, and the rights to
# make a network namespace. Each capture's .truth holds what the clients were told, a line a
# call: operation, outcome, and the variables with their values. Where one run of a client makes
# several calls it is what they dump of each, see said.py.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in snmpd snmptrapd snmpget snmpset snmpbulkget snmptrap snmpinform python3 tcpdump editcap unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
[ -n "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 exec unshare -n -m "$0" "$out"
ip link set lo up mtu 1500
work=$(mktemp -d)
export MIBS='' SNMP_PERSISTENT_DIR="$work/state" SNMPCONFPATH="$work"
servers=()
trap 'kill "${servers[@]}"; wait; rm -rf "$work"' EXIT

cat >"$work/agent" <<CONF
agentAddress udp:127.0.0.1:161
sysName web-1
sysDescr an agent
sysLocation rack 7
sysContact ops@shop.example
view most included .1
view most excluded .1.3.6.1.2.1.11
rocommunity public 127.0.0.1 -V most
rwcommunity hush 127.0.0.1
createUser plain
createUser signed SHA signedsigned
createUser hidden SHA hiddenhidden AES hiddenhidden
rouser plain noauth
rouser signed auth
rouser hidden priv
CONF
cat >"$work/manager" <<CONF
disableAuthorization yes
format1 %P|%V; %v\n
format2 %P|%V; %v\n
CONF
snmpd -d -Ddump -f -Lf "$work/snmpd.log" -C -c "$work/agent" &
servers+=($!)
agent=$!
snmptrapd -f -Lf "$work/traps" -On -OqteU -C -c "$work/manager" udp:127.0.0.1:162 &
servers+=($!)
until snmpget -v2c -c public 127.0.0.1 1.3.6.1.2.1.1.5.0 >/dev/null 2>&1 && ss -lun | grep -q :162; do sleep 0.1; done

# say runs a client and writes what it was told.
say() { # operation command...
	local op=$1
	shift
	local told line text="" status=noError
	told=$("$1" -On -OqteU -r 0 -t 2 "${@:2}" 2>&1) || status=failed
	while IFS= read -r line; do
		case $line in
		*"Reason: ("*) status=${line#*(} status=${status%%)*} ;;
		*"Reason: "*) status=${line#*Reason: } status=${status%% (*} ;;
		.*) text+="; $(sed 's/No Such Object .*/noSuchObject/; s/No Such Instance .*/noSuchInstance/; s/No more variables .*/endOfMibView/; s/^\.//; s/ / = /; s/= \.1/= 1/; s/"//g' <<<"$line")" ;;
		*imeout*) status=- ;;
		esac
	done <<<"$told"
	echo "$op $status${text#;}" >>"$truth"
}
# dump runs a client that writes every message as it sends and receives it, said makes the
# truth of that.
dump() { "$1" -d -Ddump -On "${@:2}" >/dev/null 2>>"$work/said"; }
said() { python3 "$here/said.py" "$work/said" "$@" >"$truth"; }
record() { # scenario
	name=snmp_of_$1 truth=$out/snmp_of_$1.truth
	: >"$truth"
	: >"$work/log"
	: >"$work/said"
	tcpdump --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 'udp' 2>"$work/log" &
	tcpdump=$!
	until grep -q listening "$work/log"; do sleep 0.1; done
	"$1"
	sleep 0.7
	kill $tcpdump
	wait $tcpdump || true
	grep -q '^0 packets dropped' "$work/log" || { echo "$name: packets were dropped" >&2; exit 1; }
}

v1="-v1 -c public 127.0.0.1" v2="-v2c -c public 127.0.0.1" rw="-v2c -c hush 127.0.0.1" system=1.3.6.1.2.1.1
calls() {
	say GetRequest snmpget $v1 $system.5.0
	say GetRequest snmpget $v2 $system.5.0 $system.6.0 $system.2.0 $system.7.0
	say GetRequest snmpget $v2 $system.5.0 $system.5.1 1.3.6.1.2.1.11.1.0 $system.99.0
	say GetRequest snmpget $v2 1.3.6.1.2.1.4.1.0 1.3.6.1.2.1.4.20.1.1.127.0.0.1 1.3.6.1.2.1.2.2.1.6.1
	for variable in $system.4 $system.5.0 1.3.6.1.2.1.2.1; do say GetNextRequest snmpgetnext $v2 $variable; done
	say GetNextRequest snmpgetnext $v2 2.1
	say GetBulkRequest snmpbulkget -Cn1 -Cr2 $v2 $system.4 1.3.6.1.2.1.2.2.1.1 1.3.6.1.2.1.2.2.1.2
	say SetRequest snmpset $rw 1.3.6.1.2.1.11.30.0 i 2
	say SetRequest snmpset $rw 1.3.6.1.2.1.11.30.0 i 1
}
errors() {
	say GetRequest snmpget -Cf $v1 $system.5.0 $system.99.0
	say GetNextRequest snmpgetnext $v1 2.1
	say SetRequest snmpset $v2 $system.5.0 s mine
	say SetRequest snmpset $rw $system.5.0 i 7
	say SetRequest snmpset $rw $system.99.0 i 7
	say SetRequest snmpset $rw 1.3.6.1.2.1.11.30.0 i 9
	say GetRequest snmpget -v2c -c wrong -r 2 -t 0.2 127.0.0.1 $system.5.0
}
# An agent that is slow is asked again, and answers all that it was asked.
again() {
	kill -STOP $agent
	{ sleep 0.9; kill -CONT $agent; } &
	local waker=$!
	dump snmpget -r 4 -t 0.4 $v2 $system.5.0
	wait $waker
	sleep 0.3
	said "$work/snmpd.log"
}
traps() {
	for n in 0 1 2 3 4 5; do snmptrap -v1 -c public 127.0.0.1 1.3.6.1.4.1.8072.3.2.10 10.0.0.7 $n 0 4711 1.3.6.1.2.1.2.2.1.1.3 i 3; done
	snmptrap -v1 -c public 127.0.0.1 1.3.6.1.4.1.9.9.41.2 10.0.0.8 6 17 99 1.3.6.1.4.1.9.9.41.1.2.3.1.5.1 s "link flaps"
	for n in 1 3 5; do snmptrap -v2c -c public 127.0.0.1 4711 1.3.6.1.6.3.1.1.5.$n 1.3.6.1.2.1.2.2.1.1.3 i 3; done
	snmptrap -v2c -c public 127.0.0.1 4711 1.3.6.1.4.1.8072.2.3.0.1 1.3.6.1.4.1.8072.2.3.2.1 i 123456
	snmpinform -v2c -c public 127.0.0.1 4711 1.3.6.1.6.3.1.1.5.4 1.3.6.1.2.1.2.2.1.1.3 i 3
	snmpinform -v2c -c public 127.0.0.1 4711 1.3.6.1.4.1.8072.2.3.0.2 1.3.6.1.4.1.8072.2.3.2.1 i 7
	sleep 0.5
	sed -n 's/^TRAP, [^|]*|/Trap - /p; s/^TRAP2, [^|]*|/SNMPv2-Trap - /p; s/^INFORM, [^|]*|/InformRequest noError /p' "$work/traps" |
		sed 's/ \.\([0-9.]*\) / \1 = /g; s/= \.1/= 1/g; s/"//g' >"$truth"
}
three() {
	dump snmpget -v3 -u plain -l noAuthNoPriv 127.0.0.1 $system.5.0
	dump snmpget -v3 -u signed -l authNoPriv -a SHA -A signedsigned 127.0.0.1 $system.5.0 $system.6.0
	dump snmpget -v3 -u hidden -l authPriv -a SHA -A hiddenhidden -x AES -X hiddenhidden 127.0.0.1 $system.5.0
	dump snmpgetnext -v3 -u plain -l noAuthNoPriv -n vlan-7 127.0.0.1 $system.5.0 || true
	dump snmpget -v3 -r 0 -t 1 -u nobody -l noAuthNoPriv 127.0.0.1 $system.5.0 || true
	dump snmpget -v3 -r 0 -t 1 -u signed -l authNoPriv -a SHA -A wrongwrong 127.0.0.1 $system.5.0 || true
	dump snmptrap -v3 -e 0x8000000001020304 -u hidden -l authPriv -a SHA -A hiddenhidden -x AES -X hiddenhidden 127.0.0.1 4711 1.3.6.1.6.3.1.1.5.1
	dump snmptrap -v3 -e 0x8000000001020304 -u plain -l noAuthNoPriv 127.0.0.1 4711 1.3.6.1.6.3.1.1.5.1
	said
}
walks() {
	dump snmpwalk -v1 -c public 127.0.0.1 $system
	dump snmpbulkwalk -Cr9 $v2 $system
	dump snmpbulkget -Cr60 $v2 $system
	said
}
concurrent() {
	for i in $(seq 12); do
		for j in 1 2 3; do say GetRequest snmpget $v2 $system.$(((i + j) % 6 + 1)).0; done &
		pids+=($!)
	done
	wait "${pids[@]}"
}
pids=()
record calls
record errors
record again
record traps
record three
record walks
record concurrent
# From the middle: the answer to the second call, then the rest.
editcap -F pcap -r "$out/snmp_of_calls.pcap" "$out/snmp_of_middle.pcap" 4-1000
tail -n +2 "$out/snmp_of_calls.truth" | sed '1s/^[^ ]*/-/' >"$out/snmp_of_middle.truth"
