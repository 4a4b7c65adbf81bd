#!/bin/bash
# Records the captures of this folder, and their truth, into the folder given.
# Needs root for a network namespace, and samba, smbclient, samba-testsuite,
# tcpdump, tshark and editcap.
set -u
out=$(realpath "${1:?folder}")
for program in smbd smbpasswd smbclient smbtorture tcpdump tshark editcap unshare; do
  command -v $program >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
  IN_NAMESPACE=1 exec unshare -n -m bash "$0" "$out"
fi
here=$(dirname "$(realpath "$0")")
ip link set lo up || exit 1
work=$(mktemp -d)
chmod 755 "$work"
server='' dump=''
trap 'kill $server $dump 2>/dev/null; rm -rf "$work"' EXIT
mkdir "$work"/{private,state,cache,lock,pid,files,shown,ncalrpc}
chmod 777 "$work/files"
echo "only to be read" >"$work/shown/read.txt"
conf() { # lines of [global]
  cat >"$work/conf" <<X
[global]
 workgroup = SHOP
 netbios name = FILES
 server role = standalone server
 interfaces = lo
 bind interfaces only = yes
 smb ports = 445
 private dir = $work/private
 state directory = $work/state
 cache directory = $work/cache
 lock directory = $work/lock
 pid directory = $work/pid
 ncalrpc dir = $work/ncalrpc
 log file = $work/smbd.log
 log level = 10
 max log size = 0
 disable spoolss = yes
 load printers = no
 $1
[files]
 path = $work/files
 read only = no
 force user = root
[shown]
 path = $work/shown
 read only = yes
X
}
conf ''
printf 'geheim\ngeheim\n' | smbpasswd -c "$work/conf" -a -s games >/dev/null 2>&1 || exit 1
start() {
  conf "$1"
  setsid smbd -F --no-process-group -s "$work/conf" </dev/null >/dev/null 2>&1 & server=$!
  for _ in $(seq 50); do (: </dev/tcp/127.0.0.1/445) 2>/dev/null && return; sleep .1; done
  echo "smbd does not start" >&2; exit 1
}
stop() { kill $server; wait $server; }

capture() { # scenario
  name=$out/smb2_of_$1.pcap truth=$out/smb2_of_$1.truth
  sleep .3; : >"$work/smbd.log"; : >"$work/log"; : >"$work/said"
  tcpdump -i lo --immediate-mode -B 65536 -U -s 0 -w "$name" 'port 445' 2>"$work/log" & dump=$!
  for _ in $(seq 50); do grep -q listening "$work/log" && return; sleep .1; done
  echo "tcpdump does not start" >&2; exit 1
}
stopped() {
  sleep .5; kill -INT $dump; wait $dump; dump=
  grep -q '^0 packets dropped' "$work/log" || { echo "packets of $name were lost" >&2; exit 1; }
}
# captured also writes what the server's log says of each request, and where a client was told
# to speak of it, with which dialect it spoke and how many messages it encrypted.
captured() {
  stopped
  [ -z "${KEEP_LOG:-}" ] || cp "$work/smbd.log" "$name.log"
  awk -f "$here/truth.awk" "$work/smbd.log" >"$truth"
  [ ! -s "$work/said" ] || awk -f "$here/said.awk" "$work/said" >>"$truth"
}
client() { smbclient -s "$work/conf" "//127.0.0.1/$1" -U games%geheim "${@:2}" >/dev/null 2>&1; }
speaking() { smbclient -d 10 -s "$work/conf" "//127.0.0.1/$1" -U games%geheim "${@:2}" >>"$work/said" 2>&1; }
torture() { timeout 60 smbtorture //127.0.0.1/files -s "$work/conf" -U games%geheim "$@" >/dev/null 2>&1; }

cd "$work" || exit 1
head -c 9000 /dev/urandom >large
echo hello >small

start ''
capture files
client files -c 'mkdir docs; cd docs; put small a.txt; put small Jürgen.txt; ls; get a.txt got; rename a.txt b.txt; allinfo b.txt; chmod -r b.txt; del *.txt; cd ..; rmdir docs' || exit 1
captured

capture errors
client files -c 'get nothing; cd nowhere; rmdir none\such; mkdir x; mkdir x'
client nothing -c 'ls'
client shown -c 'get read.txt got; put small new.txt; del read.txt'
smbclient -s "$work/conf" //127.0.0.1/files -U games%wrong -c ls >/dev/null 2>&1
smbclient -s "$work/conf" //127.0.0.1/files -U nobody%x -c ls >/dev/null 2>&1
captured

capture large
client files -c 'put large large' || exit 1
client files -c 'get large back' || exit 1
captured

capture compound
torture smb2.compound.related1
torture smb2.compound.unrelated1
captured

capture oplock
torture smb2.oplock.exclusive2
captured

capture notify
torture smb2.notify.valid-req
captured

capture rpc
smbclient -s "$work/conf" -L 127.0.0.1 -U games%geheim >/dev/null 2>&1 || exit 1
captured

capture concurrent
clients=()
for i in 1 2; do client files -c "put small c$i; del c$i" & clients+=($!); done
for c in "${clients[@]}"; do wait "$c" || exit 1; done
captured

capture signed
client files --client-protection=sign -c 'put small s; del s' || exit 1
captured

capture encrypted
speaking files --client-protection=encrypt -c 'put small s; del s' || exit 1
captured

capture multi
client files -m SMB3 --option='client min protocol=NT1' -c 'ls small' 
captured
stop

start 'server max protocol = NT1
 server min protocol = NT1'
capture smb1
speaking files -m NT1 --option='client min protocol=NT1' -c 'ls' || exit 1
captured

# From the middle of the connection, which begins with a bare acknowledgement: the answer to
# the first request, then the rest.
from=$(tshark -r "$out/smb2_of_files.pcap" -Y 'frame.number > 3 && tcp.srcport == 445 && tcp.len == 0' -T fields -e frame.number | head -1)
editcap -F pcap -r "$out/smb2_of_files.pcap" "$out/smb2_of_middle.pcap" "${from:?no acknowledgement}-100000" || exit 1
sed '1s/ [A-Z]* / - /' "$out/smb2_of_files.truth" >"$out/smb2_of_middle.truth"
