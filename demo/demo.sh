#!/usr/bin/env bash
# Finds out, in a handful of commands, why a small shop in Kubernetes fails. The
# traffic is recorded and comes with the source; nothing is sent and nothing is
# kept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SHARK_STORE=$work/store SHARK_CACHE=$work/cache PATH=$PWD/bin:$PATH

say() { printf '\n\n# %s\n' "$*"; }
run() {
	printf '\n$ shark'
	local word
	for word in "$@"; do
		case $word in
		*[!A-Za-z0-9_./:=,@-]*) printf " '%s'" "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	printf '\n'
	shark "$@"
}

say 'A shop was recorded while customers complained. Keep the recording as a snapshot.'
run snapshot import testdata/shop/shop.pcapng.zst --identity testdata/shop/identity.jsonl --name shop

say 'What fails, and where?'
run stats shop failed --by protocol,dst.service.name,operation,status

say 'Customers see 503 on checkout, and checkout cannot reach payment. What does payment itself do at that time?'
run query shop 'src.workload.name == "payment" && failed' -n 4

say 'It asks for a name that does not exist. Did it always?'
run stats shop 'dns && src.workload.name == "payment"' --by src.pod.name,summary,status

say 'Another pod, another name: the new payment pod came with a typing error in its configuration.'
run workloads shop --type pod --name-regex '^payment'

say 'A second complaint: orders are slow at times. The time is spent in Redis, behind one command.'
run stats shop redis --by operation,src.workload.name
run query shop 'redis && elapsed_time > 300000' -n 5

say 'The packets of the failed checkouts, for Wireshark, and nothing else:'
run export shop 'http && path == "/checkout" && status_code == 503' -w "$work/checkout.pcapng"

say 'The snapshot of this walk is removed again. To go on by yourself:'
printf '\n  bin/shark query testdata/shop/shop.pcapng.zst --identity testdata/shop/identity.jsonl failed\n'
