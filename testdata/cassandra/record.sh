#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# The server is the script of this folder (server.go.txt), since no Cassandra can be had
# as a package; the drivers are unchanged: gocql and the Python driver (Debian's package
# python3-cassandra). Needs them, go, tcpdump, tshark and unshare, and the
# rights to make a network namespace. Beside each capture, .truth holds what the driver
# was told, a line a call.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in tcpdump tshark /usr/bin/python3 go unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
/usr/bin/python3 -c 'import cassandra' || exit 1
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	for program in client server; do
		mkdir "$work/$program.d"
		cp "$here/$program.go.txt" "$work/$program.d/main.go"
		(cd "$work/$program.d" && go mod init "$program" >/dev/null 2>&1 &&
			go get github.com/apache/cassandra-gocql-driver/v2@v2.1.2 github.com/apache/cassandra-gocql-driver/v2/lz4@latest \
				github.com/golang/snappy@v1.0.0 github.com/pierrec/lz4/v4@v4.1.22 >/dev/null 2>&1 && CGO_ENABLED=0 go build -o "$work/$program" .)
	done
	IN_NAMESPACE=1 WORK="$work" unshare -n -m "$0" "$out"
	rm -rf "$work"
	exit
fi
ip link set lo up
# record NAME SERVER COMMAND...: the command's output becomes the truth.
record() {
	name=cassandra_$1
	"${WORK:?}/server" "$2" >"${WORK:?}/log" &
	server=$!
	shift 2
	until grep -q ready "$WORK/log"; do kill -0 $server; sleep 0.1; done
	log=$(mktemp)
	tcpdump -Z root --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 port 9042 2>"$log" &
	dump=$!
	until grep -q listening "$log"; do sleep 0.1; done
	"$@" >"$out/$name.truth"
	sleep 0.7
	kill $dump $server
	wait $dump || true
	wait $server || true # it holds the port until then
	grep -q '^0 packets dropped' "$log" || { echo "$name: packets were dropped" >&2; exit 1; }
	rm "$log"
	[ -s "$out/$name.truth" ] || rm "$out/$name.truth"
}
for scenario in v3_snappy v4_lz4 v5 v5_lz4; do
	record $scenario open "$WORK/client" $scenario
done
record refused auth "$WORK/client" refused
record python_v4 auth /usr/bin/python3 "$here/client.py" 4 shop
record python_v5 auth /usr/bin/python3 "$here/client.py" 5 shop
# Captures from their middle, which begin with a bare acknowledgement of a connection.
for version in python_v4 python_v5; do
	from=$(tshark -r "$out/cassandra_$version.pcap" -Y 'tcp.stream == 1 && frame.number > 40 && tcp.len == 0' -T fields -e frame.number | head -1)
	tshark -r "$out/cassandra_$version.pcap" -Y "tcp.stream == 1 && frame.number >= $from" -F pcap -w "$out/cassandra_${version}_middle.pcap"
done
