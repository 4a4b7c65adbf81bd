#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# Needs prosody, python3, openssl, tcpdump, tshark, editcap and unshare, and root for a
# network namespace. Each capture's .truth holds what the client was told, a line a call.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in prosody python3 openssl tcpdump tshark editcap unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec unshare -n -m "$0" "$out"
fi
ip link set lo up
work=$(mktemp -d)
mkdir "$work/data"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=example.org \
	-keyout "$work/key" -out "$work/cert" 2>/dev/null
cat >"$work/conf.lua" <<X
daemonize = false
run_as_root = true
pidfile = "$work/pid"
data_path = "$work/data"
plugin_paths = {}
log = { warn = "$work/log.prosody" }
modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "register", "time", "version", "presence", "message", "iq", "private" }
modules_disabled = { "s2s" }
interfaces = { "127.0.0.1" }
c2s_ports = { 5222 }
s2s_ports = {}
allow_registration = false
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
ssl = { key = "$work/key", certificate = "$work/cert" }
VirtualHost "example.org"
X
export PROSODY_CONFIG=$work/conf.lua
prosody --root -F --config "$work/conf.lua" >"$work/said" 2>&1 &
server=$!
trap 'kill $server; wait; rm -rf "$work"' EXIT
for _ in $(seq 100); do (: </dev/tcp/127.0.0.1/5222) 2>/dev/null && break; sleep 0.1; done
for user in ann bob; do
	mkdir -p "$work/data/example%2eorg/accounts"
	echo "return { [\"password\"] = \"s3cret\"; };" >"$work/data/example%2eorg/accounts/$user.dat"
done
record() {
	name=xmpp_$1
	shift
	tcpdump --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 port 5222 2>"$work/log" &
	dump=$!
	until grep -q listening "$work/log"; do sleep 0.1; done
	"$@" >"$out/$name.truth"
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$work/log" || { echo "$name: packets were dropped" >&2; exit 1; }
}
for scenario in session errors secured concurrent; do
	record $scenario python3 "$here/drive.py" $scenario
done
# A capture from its middle, which begins with a bare acknowledgement: both clients have
# asked for their rosters.
asked=$(tshark -r "$out/xmpp_session.pcap" -Y 'tcp contains "id=\"r2\"" || tcp contains "id='"'r2'"'"' -T fields -e frame.number | tail -1)
from=$(tshark -r "$out/xmpp_session.pcap" -Y "frame.number > $asked && tcp.len == 0 && tcp.flags == 0x10" -T fields -e frame.number | head -1)
editcap -r "$out/xmpp_session.pcap" "$out/xmpp_middle.pcap" "$from-1000"
