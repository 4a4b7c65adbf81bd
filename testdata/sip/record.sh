#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# Needs sipp, python3, tcpdump, tshark, editcap and unshare, and root for a network
# namespace. Each capture's .truth holds what the client was told, a line a call.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in sipp python3 tcpdump tshark editcap unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec unshare -n -m "$0" "$out"
fi
ip link set lo up
work=$(mktemp -d)
cd "$work"
export TERM=dumb
server=
trap 'stop; rm -rf "$work"' EXIT
record() { # name, then what to run
	name=sip_$1
	shift
	tcpdump --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 port 5060 2>"$work/log" &
	dump=$!
	until grep -q listening "$work/log"; do sleep 0.1; done
	"$@" >"$out/$name.truth"
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$work/log" || { echo "$name: packets were dropped" >&2; exit 1; }
	[ -z "$(tshark -r "$out/$name.pcap" -Y tcp.analysis.retransmission 2>/dev/null)" ] || { echo "$name: segments were sent again; record anew" >&2; exit 1; }
}
serve() { sipp -i 127.0.0.1 -p 5060 -nostdin "$@" >"$work/uas" 2>&1 & server=$!; sleep 1; }
stop() { [ -z "$server" ] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }; server=; }
# both TRANSPORT CALLS SCENARIO...: the built-in ones or those of scenario.py
both() {
	local transport=$1 calls=$2 name
	shift 2
	for name; do
		local uas=(-sn uas) uac=(-sn uac)
		if [ "$name" != plain ]; then
			python3 "$here/scenario.py" "$name" "$work"
			uas=(-sf "$work/${name}_uas.xml") uac=(-sf "$work/${name}_uac.xml")
		fi
		serve -t "$transport" "${uas[@]}"
		rm -f "$work/short"
		sipp -i 127.0.0.1 -p 5061 -nostdin -t "$transport" "${uac[@]}" -m "$calls" -r 50 -d 100 -s bob \
			-trace_shortmsg -shortmessage_file "$work/short" 127.0.0.1:5060 >"$work/said" 2>&1
		stop
		python3 "$here/told.py" "$work/short"
	done
}
alive() {
	python3 "$here/scenario.py" slow "$work"
	sed -i '/<pause/d' "$work/slow_uas.xml"
	serve -t t1 -sf "$work/slow_uas.xml"
	python3 "$here/drive.py"
	stop
}
record calls both u1 3 plain compact
record errors both u1 1 register busy cancel
record again both u1 1 slow
record tcp both t1 5 plain busy register
record reverse both t1 2 reverse
record alive alive
# A capture from its middle, which begins with a bare acknowledgement.
from=$(tshark -r "$out/sip_tcp.pcap" -Y 'frame.number > 12 && tcp.len == 0 && tcp.flags == 0x10' -T fields -e frame.number | head -1)
editcap -r "$out/sip_tcp.pcap" "$out/sip_middle.pcap" "$from-1000"
