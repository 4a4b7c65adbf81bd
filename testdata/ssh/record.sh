#!/bin/bash
# Records the captures of this folder, and their truth, into the folder given.
# Needs root for a network namespace, and openssh-server, openssh-client, openssl,
# tcpdump, tshark and editcap.
set -u
out=$(realpath "${1:?folder}")
for program in /usr/sbin/sshd ssh scp ssh-keyscan ssh-keygen openssl tcpdump tshark editcap unshare; do
  command -v $program >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
  IN_NAMESPACE=1 exec unshare -n -m bash "$0" "$out"
fi
here=$(dirname "$(realpath "$0")")
ip link set lo up || exit 1
mount -t tmpfs run /run && mkdir /run/sshd || exit 1
work=$(mktemp -d)
server='' dump=''
trap 'kill $server $dump 2>/dev/null; rm -rf "$work"' EXIT
for type in ed25519 rsa ecdsa; do ssh-keygen -q -t $type -N '' -f "$work/$type" || exit 1; done
ssh-keygen -q -t ed25519 -N '' -f "$work/user" || exit 1
cp "$work/user.pub" "$work/authorized"
cat >"$work/conf" <<X
Port 22
ListenAddress 127.0.0.1
HostKey $work/ed25519
HostKey $work/rsa
HostKey $work/ecdsa
AuthorizedKeysFile $work/authorized
StrictModes no
PermitRootLogin yes
UsePAM no
PidFile none
Compression yes
Subsystem sftp internal-sftp
X
/usr/sbin/sshd -D -f "$work/conf" 2>/dev/null & server=$!
for _ in $(seq 50); do (: </dev/tcp/127.0.0.1/22) 2>/dev/null && break; sleep .1; done

capture() { # scenario
  name=$out/ssh_of_$1.pcap truth=$out/ssh_of_$1.truth
  : >"$work/log"; : >"$work/said"
  tcpdump -i lo --immediate-mode -B 65536 -U -s 0 -w "$name" 'port 22' 2>"$work/log" & dump=$!
  for _ in $(seq 50); do grep -q listening "$work/log" && return; sleep .1; done
  echo "tcpdump does not start" >&2; exit 1
}
captured() {
  sleep .5; kill -INT $dump; wait $dump; dump=
  grep -q '^0 packets dropped' "$work/log" || { echo "packets of $name were lost" >&2; exit 1; }
  awk -f "$here/truth.awk" "$work/said" >"$truth"
}
options=(-F none -i "$work/user" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes)
client() { ssh -v "${options[@]}" "$@" root@127.0.0.1 true 2>>"$work/said"; }

capture default
client || exit 1
captured

capture algorithms
client -o KexAlgorithms=diffie-hellman-group14-sha256 -o Ciphers=aes128-ctr -o MACs=hmac-sha2-256 -o Compression=yes -o HostKeyAlgorithms=rsa-sha2-512 || exit 1
client -o KexAlgorithms=ecdh-sha2-nistp256 -o Ciphers=aes256-gcm@openssh.com -o HostKeyAlgorithms=ecdsa-sha2-nistp256 || exit 1
client -o KexAlgorithms=diffie-hellman-group-exchange-sha256 -o Ciphers=aes256-ctr,aes128-ctr -o MACs=hmac-sha1,hmac-sha2-512 || exit 1
captured

capture errors
client -o Ciphers=3des-cbc
client -o KexAlgorithms=diffie-hellman-group1-sha1
client -o Ciphers=aes128-ctr -o MACs=hmac-md5
ssh -v "${options[@]}" -i "$work/rsa" nobody@127.0.0.1 true 2>>"$work/said" # is not let in
captured

capture large
head -c 30000 /dev/urandom >"$work/large"
scp -v "${options[@]}" "$work/large" root@127.0.0.1:"$work/copy" 2>>"$work/said" || exit 1
captured

capture concurrent
clients=()
for i in 1 2 3; do ssh -v "${options[@]}" root@127.0.0.1 true 2>"$work/said$i" & clients+=($!); done
for c in "${clients[@]}"; do wait "$c" || exit 1; done
cat "$work"/said[0-9] >"$work/said"
captured

capture scan
ssh-keyscan -t ed25519,rsa 127.0.0.1 2>/dev/null | while read -r _ _ key; do
  echo "SHA256:$(base64 -d <<<"$key" | openssl dgst -sha256 -binary | base64 | tr -d =)"
done >"$work/keys"
captured
sort "$work/keys" >"$truth"

# cut NAME NTH: from the middle of the first connection, which begins with a bare
# acknowledgement of its client's.
cut() {
  from=$(tshark -r "$out/ssh_of_algorithms.pcap" -Y 'frame.number > 3 && tcp.dstport == 22 && tcp.len == 0' -T fields -e frame.number | sed -n "$2p")
  editcap -F pcap -r "$out/ssh_of_algorithms.pcap" "$out/ssh_of_$1.pcap" "${from:?no acknowledgement}-100000" || exit 1
}
# Behind what both call themselves; and behind their keys, so that nothing is in clear.
cut middle 1
sed '1s/^[^|]*|[^|]*|/- | - |/' "$out/ssh_of_algorithms.truth" >"$out/ssh_of_middle.truth"
cut late 2
tail -n +2 "$out/ssh_of_algorithms.truth" >"$out/ssh_of_late.truth"
