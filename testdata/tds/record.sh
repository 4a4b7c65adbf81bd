#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# The server is the script of this folder (server.go.txt), since no SQL Server can be had
# as a package; the clients are unchanged: go-mssqldb, tedious (npm) and FreeTDS's tsql
# (Debian's package freetds-bin). Needs them, go, node, npm, tcpdump, tshark, editcap and
# unshare, and the rights to make a network namespace. Beside each capture, .truth holds
# what the client was told, a line a call.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in tsql node npm tcpdump tshark editcap go unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	for program in client server; do
		mkdir "$work/$program.d"
		cp "$here/$program.go.txt" "$work/$program.d/main.go"
		(cd "$work/$program.d" && go mod init "$program" >/dev/null 2>&1 &&
			go get github.com/microsoft/go-mssqldb@v1.11.2 >/dev/null 2>&1 && CGO_ENABLED=0 go build -o "$work/$program" .)
	done
	cp "$here/client.js" "$work/"
	(cd "$work" && npm init -y >/dev/null 2>&1 && npm install tedious@19.2.2 >/dev/null 2>&1)
	IN_NAMESPACE=1 WORK="$work" unshare -n -m "$0" "$out"
	rm -rf "$work"
	exit
fi
ip link set lo up
# record NAME ENCRYPTION COMMAND...: the command's output becomes the truth.
record() {
	capture=tds_$1
	"${WORK:?}/server" "$2" >"${WORK:?}/log" &
	server=$!
	shift 2
	until grep -q ready "$WORK/log"; do kill -0 $server; sleep 0.1; done
	log=$(mktemp)
	tcpdump -Z root --immediate-mode -B 65536 -i lo -U -w "$out/$capture.pcap" -s 0 port 1433 2>"$log" &
	dump=$!
	until grep -q listening "$log"; do sleep 0.1; done
	timeout 20 "$@" >"$out/$capture.truth" || true
	sleep 0.7
	kill $dump $server
	wait $dump || true
	wait $server || true # it holds the port until then
	grep -q '^0 packets dropped' "$log" || { echo "$capture: packets were dropped" >&2; exit 1; }
	rm "$log"
	[ -s "$out/$capture.truth" ] || rm "$out/$capture.truth"
}
freetds() {
	export TDSVER=$1
	printf 'select top 5 * from items\ngo\nselekt\ngo\ninsert into items values (1)\ngo\nuse archive\ngo\nselect top 2 * from items\ngo\nexit\n' |
		tsql -H 127.0.0.1 -p 1433 -U sa -P 'open sesame' -o fhq >/dev/null 2>&1
	printf 'select top 5 * from items\t5\tOK\nselekt\t0\t102\ninsert into items values (1)\t3\tOK\nuse archive\t0\tOK\nselect top 2 * from items\t2\tOK\n'
}
export -f freetds
record go none "$WORK/client" disable all
record refused none "$WORK/client" disable refused
record login off "$WORK/client" false short
record tls on "$WORK/client" true short
rm "$out/tds_tls.truth" # nothing of it can be seen
(cd "$WORK" && record tedious none node client.js)
# What tsql prints is not what it was told in order: its truth is what it was made to ask
# and what the server's script answers to that.
for version in 7.1 7.4; do
	record freetds_$version none bash -c "freetds $version"
done
# The same from its middle.
from=$(tshark -r "$out/tds_go.pcap" -Y 'frame.number > 30 && tcp.len == 0' -T fields -e frame.number | head -1)
editcap -r "$out/tds_go.pcap" "$out/tds_middle.pcap" "$from-100000"
