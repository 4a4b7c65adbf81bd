#!/bin/bash
# Records the captures of this folder, and their truth, into the folder given.
# Needs root for a network namespace, and krb5-kdc, krb5-admin-server, krb5-user,
# tcpdump, editcap, tshark and python3.
set -u
out=$(realpath "${1:?folder}")
for program in krb5kdc kdb5_util kadmin.local kinit kvno tcpdump editcap tshark python3 unshare; do
  command -v $program >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
  IN_NAMESPACE=1 exec unshare -n -m bash "$0" "$out"
fi
here=$(dirname "$(realpath "$0")")
ip link set lo up || exit 1
work=$(mktemp -d)
kdc='' dump=''
trap 'kill -CONT $kdc 2>/dev/null; kill $kdc $dump 2>/dev/null; rm -rf "$work"' EXIT

# conf writes what clients read; the argument goes into [libdefaults].
conf() {
  cat >"$work/krb5.conf" <<X
[libdefaults]
 default_realm = SHOP.EXAMPLE
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 allow_weak_crypto = true
 $1
[realms]
 SHOP.EXAMPLE = {
  kdc = 127.0.0.1:88
 }
X
}
kdcconf() {
  cat >"$work/kdc.conf" <<X
[kdcdefaults]
 kdc_listen = 127.0.0.1:88
 ${1:-kdc_tcp_listen = 127.0.0.1:88}
[realms]
 SHOP.EXAMPLE = {
  database_name = $work/principal
  key_stash_file = $work/stash
  supported_enctypes = aes256-cts:normal aes128-cts:normal arcfour-hmac:normal
  max_renewable_life = 7d
 }
X
}
export KRB5_CONFIG=$work/krb5.conf KRB5_KDC_PROFILE=$work/kdc.conf KRB5CCNAME=FILE:$work/cache
conf ''
kdcconf ''
kdb5_util create -s -r SHOP.EXAMPLE -P master >/dev/null 2>&1 || { echo "no database" >&2; exit 1; }
admin() { kadmin.local -q "$1" >/dev/null 2>&1 || exit 1; }
admin 'addprinc +requires_preauth -pw geheim alice'
admin 'addprinc -pw geheim bob'
admin 'addprinc -pw geheim -pwexpire yesterday carol'
admin 'addprinc -pw geheim -allow_tix mallory'
admin 'addprinc -randkey HTTP/web.shop.example'
admin 'addprinc -randkey -e arcfour-hmac:normal host/old.shop.example'
admin 'addprinc -pw geheim -e aes128-cts:normal dave'
start() {
  krb5kdc -n -P "$work/pid" >/dev/null 2>&1 & kdc=$!
  for _ in $(seq 50); do KRB5CCNAME=FILE:$work/probe kinit bob <<<geheim >/dev/null 2>&1 && return; sleep .1; done
  echo "krb5kdc does not start" >&2; exit 1
}
stop() { kill $kdc; wait $kdc; }
start

capture() { # scenario
  name=$out/kerberos_of_$1.pcap truth=$out/kerberos_of_$1.truth
  : >"$work/trace"; : >"$work/log"
  tcpdump -i lo --immediate-mode -B 65536 -U -s 0 -w "$name" 'port 88' 2>"$work/log" & dump=$!
  for _ in $(seq 50); do grep -q listening "$work/log" && return; sleep .1; done
  echo "tcpdump does not start" >&2; exit 1
}
captured() {
  sleep .5; kill -INT $dump; wait $dump; dump=
  grep -q '^0 packets dropped' "$work/log" || { echo "packets of $name were lost" >&2; exit 1; }
  [ -z "${KEEP_TRACE:-}" ] || cp "$work/trace" "$out/$(basename "$name").trace"
  python3 "$here/truth.py" <"$work/trace" >"$truth" || exit 1
}
login() { # principal password options
  local who=$1 password=$2; shift 2
  KRB5_TRACE=$work/trace kinit "$@" "$who" <<<"$password" >/dev/null 2>&1
}
ticket() { KRB5_TRACE=$work/trace kvno "$@" >/dev/null 2>&1; }

capture udp
login alice geheim -f -r 2d -l 8h || exit 1
ticket HTTP/web.shop.example || exit 1
ticket host/old.shop.example || exit 1
KRB5_TRACE=$work/trace kinit -R || exit 1
login bob geheim -C || exit 1
login dave geheim -A -l 3h || exit 1
captured

conf 'udp_preference_limit = 1'
capture tcp
login alice geheim -r 2d || exit 1
ticket HTTP/web.shop.example || exit 1
ticket host/old.shop.example || exit 1
login bob geheim || exit 1
captured

conf ''
capture errors
login nobody geheim
login alice wrong
login carol geheim
login mallory geheim
login bob geheim -S nothing/here
login bob geheim
ticket nothing/here.shop.example
conf 'default_tgs_enctypes = camellia128-cts'
ticket HTTP/web.shop.example
conf 'default_tkt_enctypes = camellia128-cts'
login bob geheim
conf ''
captured

capture concurrent
one() { # number
  export KRB5CCNAME=FILE:$work/cache$1
  { KRB5_TRACE=$work/trace$1 kinit alice <<<geheim && KRB5_TRACE=$work/trace$1 kvno HTTP/web.shop.example; } >/dev/null 2>&1
}
clients=()
for i in $(seq 12); do one "$i" & clients+=($!); done
for client in "${clients[@]}"; do wait "$client" || exit 1; done
cat "$work"/trace[0-9]* >"$work/trace"
captured

stop
kdcconf 'kdc_tcp_listen = 127.0.0.1:88
 kdc_max_dgram_reply_size = 300'
start
capture large
login bob geheim || exit 1
ticket HTTP/web.shop.example || exit 1
captured

# While the server sleeps the client asks again.
stop
kdcconf 'kdc_tcp_listen = ""'
start
capture again
kill -STOP $kdc
login bob geheim & client=$!
sleep 4.6
kill -CONT $kdc
wait $client || exit 1
captured

# A connection that is seen from its middle: from the last packet of its handshake.
editcap -F pcap -r "$out/kerberos_of_tcp.pcap" "$out/kerberos_of_middle.pcap" \
  "$(($(tshark -r "$out/kerberos_of_tcp.pcap" -Y 'kerberos.msg_type == 12' -T fields -e frame.number | head -1) - 1))-1000" || exit 1
