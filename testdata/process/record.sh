#!/bin/bash
# Records web.pcapng.zst anew: record.sh FOLDER
# Needs go, nginx, curl, python3, tcpdump, ip and zstd, and the rights to make network
# namespaces and cgroups and to load programs into the kernel. It is what the test of the
# command line does too: tcpdump captures what nginx's workers, curl and programs in Python say
# in two namespaces, and recorder/watch tells meanwhile whose sockets these are. The test holds
# what comes out against what the clients say of themselves.
set -eu
out=$(realpath "${1:?folder to write to}")
cd "$(dirname "$0")/../.."
SHARK_CI=1 SHARK_RECORD="$out" go test -count=1 ./cmd/shark -run 'TestProcesses$'
