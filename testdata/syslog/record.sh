#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# Needs rsyslogd, logger, tcpdump, tshark, editcap, python3 and unshare, and the rights
# to make a network namespace. Each capture's .truth holds what the server understood, a
# line a message: priority, host, application, process, kind, length and beginning.
set -eu
out=$(realpath "${1:?folder to write to}")
for program in rsyslogd logger tcpdump tshark editcap python3 unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
[ -n "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 exec unshare -n -m -u "$0" "$out"
ip link set lo up
hostname web-1
work=$(mktemp -d)
servers=()
trap 'kill "${servers[@]}"; rm -rf "$work"' EXIT

cat >"$work/server.conf" <<CONF
global(workDirectory="$work" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off")
module(load="imudp")
module(load="imtcp")
template(name="truth" type="string" string="%syslogfacility-text%.%syslogseverity-text%|%hostname%|%app-name%|%procid%|%msgid%|%msg:::json%\n")
input(type="imudp" address="127.0.0.1" port="514" ruleset="told")
input(type="imtcp" address="127.0.0.1" port="514" ruleset="told")
input(type="imtcp" address="127.0.0.1" port="601" ruleset="told")
ruleset(name="told") { action(type="omfile" file="$work/told" template="truth" asyncWriting="off" flushOnTXEnd="on") }
CONF
cat >"$work/relay.conf" <<CONF
global(workDirectory="$work" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off")
module(load="imuxsock" sysSock.use="off")
input(type="imuxsock" socket="$work/lines" ruleset="lines" createPath="on")
input(type="imuxsock" socket="$work/counted" ruleset="counted" createPath="on")
ruleset(name="lines") {
  action(type="omfwd" target="127.0.0.1" port="514" protocol="tcp" template="RSYSLOG_ForwardFormat")
}
ruleset(name="counted") {
  action(type="omfwd" target="127.0.0.1" port="601" protocol="tcp" tcp_framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format")
}
CONF
for role in server relay; do
	rsyslogd -n -f "$work/$role.conf" -i "$work/$role.pid" &
	servers+=($!)
done
until [ -S "$work/counted" ] && ss -ltn | grep -q :601; do sleep 0.1; done

record() { # scenario
	name=syslog_of_$1
	: >"$work/told"
	: >"$work/log"
	tcpdump --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 port 514 or port 601 2>"$work/log" &
	dump=$!
	until grep -q listening "$work/log"; do sleep 0.1; done
	"$1"
	sleep 1
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$work/log" || { echo "$name: packets were dropped" >&2; exit 1; }
	cp "$work/told" "$out/$name.truth"
}

severities="emerg alert crit err warning notice info debug"
facilities="user mail daemon auth lpr news uucp cron authpriv ftp local0 local1 local2 local3 local4 local5 local6 local7"
datagrams() {
	to="logger -n 127.0.0.1 -P 514 -d"
	for s in $severities; do $to -p "daemon.$s" -t app --id=7 "a message of severity $s"; done
	for f in $facilities; do $to --rfc3164 -p "$f.notice" -t "in-$f" "a message of facility $f"; done
	$to -p auth.crit -t su --id=4711 --msgid ID47 --sd-id zoo@32473 --sd-param 'tiger="hungry"' --sd-param 'note="a \"word\" \] here"' \
		--sd-id empty@32473 "'su root' failed for lonvick on /dev/pts/8"
	$to --rfc5424=notime,nohost,notq -t bare-5424 "no time, no host"
	$to --rfc3164 -p cron.info -t CRON --id=99 "(root) CMD (true)"
	$to -t unicode "größer – 漢字"
	$to --size 8k -t large "$(head -c 6000 /dev/zero | tr '\0' x)"
}
stream() {
	for i in 1 2 3; do logger -n 127.0.0.1 -P 514 -T -p local0.info -t lines --id=$i "line $i"; done
	logger -n 127.0.0.1 -P 514 -T --rfc3164 -p local0.warning -t old "an old header"
	seq 40 | sed 's/^/pipelined /' | logger -u "$work/lines" -t pipe -p local1.notice
	logger -u "$work/lines" --size 40k -t large -p local1.err "$(head -c 20000 /dev/zero | tr '\0' y)"
	logger -u "$work/lines" -t after -p local1.err "behind a large one"
}
counting() {
	seq 40 | sed 's/^/counted /' | logger -u "$work/counted" -t pipe -p local2.notice
	logger -u "$work/counted" --size 40k -t large -p local2.err "$(head -c 20000 /dev/zero | tr '\0' z)"
	python3 - "$work/counted" <<'PY'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(sys.argv[1])
s.send(b"<150>two: first line\n\tsecond line <13>1 - - - - - - no header\n9 <3>x")
PY
	logger -n 127.0.0.1 -P 601 -T --octet-count -p local3.alert -t once --sd-id x@1 --sd-param 'a="b"' "counted by logger"
}
concurrent() {
	pids=()
	for i in 1 2 3 4 5 6; do
		{ for j in $(seq 8); do echo "sender $i message $j"; done | logger -n 127.0.0.1 -P 601 -T --octet-count -t "sender-$i" -p local4.info; } &
		pids+=($!)
	done
	wait "${pids[@]}"
}
record datagrams
record stream
record counting
record concurrent
# What Python's logging sends has no header but the priority, and a zero at its end.
priority() {
	python3 - <<'PY'
import logging, logging.handlers
log = logging.getLogger("shop")
for facility in (1, 19):
    h = logging.handlers.SysLogHandler(("127.0.0.1", 514), facility)
    log.handlers = [h]
    log.warning("order %d is late", facility)
    log.error("payment failed\nsecond line")
PY
}
record priority
rm "$out/syslog_of_priority.truth" # the server guesses names there
# A capture from its middle, which begins with a bare acknowledgement.
from=$(tshark -r "$out/syslog_of_counting.pcap" -Y 'frame.number > 8 && tcp.len == 0' -T fields -e frame.number | head -1)
editcap -r "$out/syslog_of_counting.pcap" "$out/syslog_of_middle.pcap" "$from-1000"
