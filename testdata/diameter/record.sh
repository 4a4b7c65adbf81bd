#!/bin/bash
# Records the captures of this folder, and their truth, into the folder given.
# Needs root for network namespaces, and freeDiameterd with its extensions, tcpdump,
# editcap, openssl, python3, and a C compiler with libusrsctp.
set -u
out=$(realpath "${1:?folder}")
for program in freeDiameterd tcpdump editcap tshark openssl python3 unshare nsenter ip cc; do
  command -v $program >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
  IN_NAMESPACE=1 exec unshare -n -m bash "$0" "$out"
fi
here=$(dirname "$(realpath "$0")")
ip link set lo up && ip addr add 10.0.9.9/32 dev lo || exit 1 # the daemon wants another address than 127.0.0.1
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; rm -rf "$work"' EXIT
cc -o "$work/sctprelay" "$here/sctprelay.c" -lusrsctp -lpthread || exit 1
extensions=$(dirname "$(find / -xdev -name dict_dcca.fdx 2>/dev/null | head -1)")

wait_for() { # what file
  for _ in $(seq 150); do grep -q "$1" "$2" 2>/dev/null && return; sleep .1; done
  echo "no $1" >&2; tail -3 "$2" >&2; exit 1
}

openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=ca -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null || exit 1
openssl dhparam -out "$work/dh.pem" 1024 2>/dev/null || exit 1

# daemon starts freeDiameterd as one peer that relays to the other.
daemon() { # name port peer peerport tls
  local name=$1.example.net conf=$work/$1.conf
  openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout "$work/$1.key" -out "$work/$1.csr" 2>/dev/null
  openssl x509 -req -in "$work/$1.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 3650 -out "$work/$1.pem" 2>/dev/null
  echo "$([ "$5" = No_TLS ] && echo ALLOW_IPSEC || echo ALLOW_OLD_TLS) *.example.net *.example.org" >"$work/acl.conf"
  echo "* : \"$3.example.net\" += 5 ;" >"$work/$1.route"
  cat >"$conf" <<X
Identity = "$name";
Realm = "example.net";
Port = $2;
SecPort = 0;
No_SCTP;
No_IPv6;
ListenOn = "10.0.9.9";
TwTimer = 6;
TLS_Cred = "$work/$1.pem", "$work/$1.key";
TLS_CA = "$work/ca.pem";
TLS_DH_File = "$work/dh.pem";
LoadExtension = "$extensions/dict_nasreq.fdx";
LoadExtension = "$extensions/dict_dcca.fdx";
LoadExtension = "$extensions/dict_dcca_3gpp.fdx";
LoadExtension = "$extensions/acl_wl.fdx" : "$work/acl.conf";
X
  [ "$4" = 0 ] || echo "LoadExtension = \"$extensions/rt_default.fdx\" : \"$work/$1.route\";
ConnectPeer = \"$3.example.net\" { ConnectTo = \"10.0.9.9\"; Port = $4; $5; };" >>"$conf"
  freeDiameterd -c "$conf" >"$work/$1.log" 2>&1 & pids+=($!)
  wait_for 'daemon initialized\|framework is initialized' "$work/$1.log"
}

capture() { # scenario interface filter
  name=$out/diameter_of_$1.pcap truth=$out/diameter_of_$1.truth
  : >"$work/log"
  tcpdump -i "$2" --immediate-mode -B 65536 -U -s 0 -w "$name" "$3" 2>"$work/log" & dump=$!
  wait_for listening "$work/log"
}
captured() {
  sleep .5; kill -INT $dump; wait $dump
  grep -q '^0 packets dropped' "$work/log" || { echo "packets of $name were lost" >&2; exit 1; }
}
peer() { python3 "$here/peer.py" "$@"; }

# Two daemons between a client and a server: every call is seen on three connections.
capture relay lo tcp
daemon b 3878 a 0 No_TLS
daemon a 3868 b 3878 No_TLS
wait_for "STATE_OPEN.*b.example.net\|b.example.net.*STATE_OPEN" "$work/a.log"
mkfifo "$work/say" "$work/go"
peer pcrf.example.org example.org 3878 serve-rar <"$work/say" >"$work/server.truth" 2>"$work/server.log" & server=$!
exec 8>"$work/say"
wait_for ready "$work/server.log"
peer client.example.net example.net 3868 calls <"$work/go" >"$work/client.truth" 2>"$work/client.log" & client=$!
exec 9>"$work/go"
wait_for 'done' "$work/client.log"
sleep 8 # until the watchdogs bark
echo >&8; wait_for asked "$work/server.log"
echo >&9; wait $client || exit 1
peer second.example.net example.net 3868 errors >"$work/second.truth" || exit 1
for d in "${pids[@]}"; do kill "$d"; wait "$d"; done 2>/dev/null
wait $server || exit 1
exec 8>&- 9>&-
captured
cat "$work/client.truth" "$work/server.truth" "$work/second.truth" >"$truth"
pids=()

# The same daemons, TLS after the exchange of capabilities as in RFC 3588.
capture tls lo tcp
daemon b 3878 a 0 TLS_old_method
daemon a 3868 b 3878 TLS_old_method
wait_for "STATE_OPEN.*b.example.net\|b.example.net.*STATE_OPEN" "$work/a.log"
sleep 1
for d in "${pids[@]}"; do kill "$d"; wait "$d"; done 2>/dev/null
captured
pids=()

# Straight from client to server.
capture huge lo tcp
peer server.example.org example.org 3868 listen >"$work/server.truth" & server=$!
sleep .5
peer client.example.net example.net 3868 huge >"$truth" || exit 1
wait $server || exit 1
cat "$work/server.truth" >>"$truth"
captured

# SCTP: between two namespaces, each with a stack of its own.
unshare -n sleep 1000 & pids+=($!); other=$!
sleep .3
ip link add sctp0 type veth peer name sctp1 && ip link set sctp1 netns $other || exit 1
ip addr add 10.0.0.1/24 dev sctp0 && ip link set sctp0 up || exit 1
nsenter -n -t $other sh -c 'ip link set lo up; ip addr add 10.0.0.2/24 dev sctp1; ip link set sctp1 up' || exit 1
for scenario in calls large concurrent; do
  capture sctp_$scenario sctp0 'ip proto 132'
  nsenter -n -t $other python3 "$here/peer.py" server.example.org example.org 4000 listen any >/dev/null & server=$!
  nsenter -n -t $other "$work/sctprelay" listen 4000 10.0.0.2 3868 & near=$!
  "$work/sctprelay" connect 4001 10.0.0.2 3868 & far=$!
  sleep 1
  peer client.example.net example.net 4001 $scenario any >"$truth" </dev/null || exit 1
  wait $server || exit 1
  sleep .5
  kill $near $far; wait $near $far 2>/dev/null
  captured
done

# The relayed calls without their beginning: from where the connections are silent.
quiet=$(tshark -r "$out/diameter_of_relay.pcap" -Y 'frame.number > 60 && tcp.len == 0' -T fields -e frame.number | head -1)
editcap -r "$out/diameter_of_relay.pcap" "$out/diameter_of_middle.pcap" "$quiet-$((quiet + 80))"
