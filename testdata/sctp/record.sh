#!/bin/bash
# Records the captures of this folder, and what tshark shows of one, into the folder
# given. Needs root for network namespaces, tcpdump, tshark, editcap, python3, and a C compiler
# with libusrsctp.
set -u
out=$(realpath "${1:?folder}")
for program in tcpdump tshark editcap python3 unshare nsenter ip cc; do
  command -v $program >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
  IN_NAMESPACE=1 exec unshare -n -m bash "$0" "$out"
fi
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; rm -rf "$work"' EXIT
cc -o "$work/sctprelay" "$here/../diameter/sctprelay.c" -lusrsctp -lpthread || exit 1
ip link set lo up || exit 1
unshare -n sleep 1000 & pids+=($!); other=$!
sleep .3
ip link add sctp0 type veth peer name sctp1 && ip link set sctp1 netns $other || exit 1
ip addr add 10.0.0.1/24 dev sctp0 && ip link set sctp0 up || exit 1
nsenter -n -t $other sh -c 'ip link set lo up; ip addr add 10.0.0.2/24 dev sctp1; ip link set sctp1 up' || exit 1

name=$out/sctp_of_nothing_known
tcpdump -i sctp0 --immediate-mode -U -s 0 -w "$name.pcap" 'ip proto 132' 2>"$work/log" & dump=$!
for _ in $(seq 50); do grep -q listening "$work/log" && break; sleep .1; done
# Messages that the relay can tell apart, four bytes of length and a text, come back
# as they were sent; the first to a port where nobody listens.
echo='import socket; l = socket.create_server(("127.0.0.1", 4000)); s = l.accept()[0]
while b := s.recv(65536): s.sendall(b)'
say='import socket; s = socket.create_connection(("127.0.0.1", 4001)); f = s.makefile("rb")
for n in (20, 50, 3000, 21, 9000, 22):
    s.sendall((0xee << 24 | n).to_bytes(4, "big") + b"x" * (n - 4)); f.read(n)
s.close()'
nsenter -n -t $other python3 -c "$echo" & pids+=($!)
nsenter -n -t $other "$work/sctprelay" listen 4000 10.0.0.2 2000 & near=$!
"$work/sctprelay" connect 4002 10.0.0.2 2001 2>/dev/null & nobody=$!
sleep .5
python3 -c 'import socket; socket.create_connection(("127.0.0.1", 4002))' || exit 1
wait $nobody
"$work/sctprelay" connect 4001 10.0.0.2 2000 & far=$!
sleep .5
python3 -c "$say" || exit 1
wait $far
sleep .5
kill -INT $dump; wait $dump
kill $near 2>/dev/null
tshark -r "$name.pcap" -T fields -E occurrence=f -e frame.number -e sctp.chunk_type -e ip.len -e sctp.checksum 2>/dev/null >"$name.truth"
# Without the packet in the middle of a message.
packet=$(tshark -r "$name.pcap" -Y 'ip.len == 1500' -T fields -e frame.number 2>/dev/null | sed -n 2p)
editcap -F pcap "$name.pcap" "$out/sctp_of_loss.pcap" "$packet"
