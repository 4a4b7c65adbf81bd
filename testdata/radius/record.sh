#!/bin/bash
# Records the captures of this folder, and their truth, into the folder given.
# Needs root for a network namespace and tcpdump, and editcap, freeradius,
# freeradius-utils and python3.
set -u
out=$(realpath "${1:?folder}")
for program in freeradius radclient tcpdump editcap python3 unshare; do
  command -v $program >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
  IN_NAMESPACE=1 exec unshare -n -m bash "$0" "$out"
fi
here=$(dirname "$(realpath "$0")")
ip link set lo up || exit 1
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; rm -rf "$work"' EXIT

cat >"$work/users" <<'X'
bob Cleartext-Password := "hello"
  Reply-Message := "Hi, %{User-Name}",
  Framed-IP-Address := 10.1.2.3,
  Mikrotik-Rate-Limit := "2M/2M",
  Cisco-AVPair += "ip:route=10.0.0.0/8",
  Cisco-AVPair += "shell:priv-lvl=15"

six Cleartext-Password := "hello"
  Framed-IPv6-Address := 2001:db8::7,
  Reply-Message += "first of two",
  Reply-Message += "second of two"

long Cleartext-Password := "hello"
  Reply-Message += "%{randstr:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc}",
  Class += 0x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff,
  Class += 0x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
X
cat >"$work/radiusd.conf" <<X
prefix = /usr
libdir = /usr/lib/freeradius
logdir = $work
pidfile = $work/pid
cleanup_delay = 5
security {
	reject_delay = 1
	status_server = yes
}
client localhost {
	ipaddr = 127.0.0.1
	secret = testing123
}
modules {
	pap {
	}
	chap {
	}
	files {
		usersfile = $work/users
	}
	always handled {
		rcode = handled
	}
	always ok {
		rcode = ok
	}
	always reject {
		rcode = reject
	}
}
server default {
	listen {
		type = auth
		ipaddr = 127.0.0.1
		port = 1812
	}
	listen {
		type = acct
		ipaddr = 127.0.0.1
		port = 1813
	}
	listen {
		type = coa
		ipaddr = 127.0.0.1
		port = 3799
	}
	authorize {
		if (&User-Name == "otp" && !&State) {
			update reply {
				State := 0x6f7470
				Reply-Message := "Enter the code"
			}
			update control {
				Response-Packet-Type := Access-Challenge
			}
			handled
		}
		if (&User-Name == "otp") {
			update control {
				Auth-Type := Accept
			}
		}
		chap
		files
		pap
	}
	authenticate {
		Auth-Type PAP {
			pap
		}
		Auth-Type CHAP {
			chap
		}
	}
	preacct {
		ok
	}
	accounting {
		ok
	}
	recv-coa {
		if (&User-Name == "gone") {
			update reply {
				Error-Cause := Session-Context-Not-Found
			}
			reject
		}
		ok
	}
	send-coa {
		ok
	}
}
X
freeradius -f -X -d "$work" -D /usr/share/freeradius >"$work/server" 2>&1 & pids+=($!)
for _ in $(seq 50); do grep -q 'Ready to process' "$work/server" && break; sleep .1; done
grep -q 'Ready to process' "$work/server" || { tail -3 "$work/server" >&2; exit 1; }

capture() { # scenario
  name=$out/radius_of_$1.pcap truth=$out/radius_of_$1.truth
  : >"$truth"; : >"$work/log"
  tcpdump -i lo --immediate-mode -B 65536 -U -s 0 -w "$name" 'udp' 2>"$work/log" & dump=$!
  for _ in $(seq 50); do grep -q listening "$work/log" && return; sleep .1; done
  echo "tcpdump does not start" >&2; exit 1
}
captured() {
  sleep .5; kill -INT $dump; wait $dump
  grep -q '^0 packets dropped' "$work/log" || { echo "packets of $name were lost" >&2; exit 1; }
}

# say sends requests, one a line of its input, and writes what became of them: a
# line each of identifier, operation and answer.
say() { # port type options
  local port=$1 type=$2; shift 2
  sed 's/$/\n/' | radclient -x "$@" "127.0.0.1:$port" "$type" "${secret:-testing123}" >"$work/said" 2>"$work/complaint"
  awk '{ id = $4 + 0; port = $1 == "Sent" ? $6 : $8; sub(/.*:/, "", port); key = id " " port }
    $1 == "Sent" && !(key in open) { open[key] = ++n; call[n] = id " " $2; answer[n] = "-" }
    $1 == "Received" { answer[open[key]] = $2; delete open[key] }
    END { for (i = 1; i <= n; i++) print call[i], answer[i] }' "$work/said" >>"$truth"
  grep -q "^Sent" "$work/said" || { cat "$work/complaint" >&2; exit 1; }
}

capture access
echo 'User-Name=bob,User-Password=hello,NAS-IP-Address=10.9.9.9,NAS-Port=7,Calling-Station-Id=02-00-00-00-00-07,Called-Station-Id=02-00-00-00-00-ff:guests' | say 1812 auth -r 1
echo 'User-Name=six,User-Password=hello,NAS-IPv6-Address=2001:db8::1,NAS-Identifier=ap-lobby' | say 1812 auth -r 1
echo 'User-Name=bob,CHAP-Password=hello,NAS-Port=1,Cisco-AVPair="a=b",Mikrotik-Host-IP=10.2.2.2' | say 1812 auth -r 1
echo 'User-Name=long,User-Password=hello,Message-Authenticator=0x00' | say 1812 auth -r 1
echo 'User-Name=otp,User-Password=none' | say 1812 auth -r 1
echo 'User-Name=otp,User-Password=123456,State=0x6f7470' | say 1812 auth -r 1
echo 'Message-Authenticator=0x00' | say 1812 status -r 1
captured

capture errors
echo 'User-Name=bob,User-Password=wrong,NAS-Identifier=ap-lobby' | say 1812 auth -r 1 -t 3
echo 'User-Name=bob,User-Password=wrong,NAS-Identifier=sent-again' | say 1812 auth -r 9 -t 0.2
echo 'User-Name=nobody,User-Password=x' | say 1812 auth -r 1 -t 3
echo 'User-Name=bob,Acct-Status-Type=Start,Acct-Session-Id=unanswered' | secret=wrong say 1813 acct -r 3 -t 0.3
python3 "$here/again.py" >>"$truth" || exit 1
captured

capture accounting
for s in Accounting-On Start Interim-Update Stop; do
  echo "User-Name=bob,Acct-Status-Type=$s,Acct-Session-Id=s1,NAS-IP-Address=10.9.9.9,Acct-Input-Octets=1000,Acct-Session-Time=60" | say 1813 acct -r 1
done
echo 'Message-Authenticator=0x00' | say 1813 status -r 1
captured

capture sessions
echo 'User-Name=bob,Acct-Session-Id=s1' | say 3799 disconnect -r 1
echo 'User-Name=gone,Acct-Session-Id=s2' | say 3799 disconnect -r 1
echo 'User-Name=bob,Acct-Session-Id=s1,Session-Timeout=60' | say 3799 coa -r 1
echo 'User-Name=gone,Acct-Session-Id=s2,Session-Timeout=60' | say 3799 coa -r 1
captured

capture concurrent
for i in $(seq 60); do echo "User-Name=bob,User-Password=$([ $((i % 4)) = 0 ] && echo wrong || echo hello),NAS-Port=$i,Calling-Station-Id=02-00-00-00-00-$i"; done | say 1812 auth -p 20 -r 1 -t 4
captured

# From the middle: the answer to the first request, then the rest.
editcap -F pcap -r "$out/radius_of_access.pcap" "$out/radius_of_middle.pcap" 2-1000 || exit 1
sed '1s/ [^ ]*/ -/' "$out/radius_of_access.truth" >"$out/radius_of_middle.truth"
