#!/bin/bash
# Records the capture of this folder and of the folder udp beside it, and their truth,
# into the two folders given; the second is udp beside the first if it is not. Needs root for a network namespace, tcpdump and python3.
set -u
tcp=$(realpath "${1:?folder}") udp=$(realpath "${2:-$1/../udp}")
mkdir -p "$udp"
for program in tcpdump python3 unshare ip; do
  command -v $program >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
  IN_NAMESPACE=1 exec unshare -n bash "$0" "$tcp" "$udp"
fi
here=$(dirname "$(realpath "$0")")
ip link set lo up || exit 1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for kind in tcp udp; do
  out=${!kind}
  tcpdump -i lo --immediate-mode -U -s 0 -w "$out/${kind}_of_nothing_known.pcap" $kind 2>"$log" & dump=$!
  for _ in $(seq 50); do grep -q listening "$log" && break; sleep .1; done
  python3 "$here/talk.py" $kind >"$out/${kind}_of_nothing_known.truth" || exit 1
  sleep .5; kill -INT $dump; wait $dump
done
