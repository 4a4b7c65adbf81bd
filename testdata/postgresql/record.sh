#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# Needs PostgreSQL's server and clients (Debian's packages postgresql and postgresql-client),
# tcpdump, tshark, editcap, openssl, go, runuser and unshare, and the rights to make a network
# namespace. Beside each capture, .truth holds what the client was told.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | tail -1)
for program in "$bin/postgres" psql pgbench tcpdump tshark editcap openssl go runuser unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	work=$(mktemp -d)
	cp "$here/client.go.txt" "$work/main.go"
	(cd "$work" && go mod init client >/dev/null 2>&1 && go get github.com/jackc/pgx/v5@v5.12.0 >/dev/null 2>&1 && CGO_ENABLED=0 go build -o client .)
	IN_NAMESPACE=1 WORK="$work" unshare -n -m "$0" "$out"
	rm -rf "$work"
	exit
fi
ip link set lo up
chmod 755 "${WORK:?}"
data=$WORK/data
mkdir -p "$data"
chown postgres "$data"
run() { (cd / && runuser -u postgres -- "$@"); }
run "$bin/initdb" -D "$data" -E UTF8 --locale=C -A trust >/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=db -days 1 -keyout "$data/server.key" -out "$data/server.crt" 2>/dev/null
chown postgres "$data/server.key" "$data/server.crt"
chmod 600 "$data/server.key"
echo "ssl = on" >>"$data/postgresql.conf"
cat >"$data/pg_hba.conf" <<EOF
host all plain 127.0.0.1/32 password
host all digest 127.0.0.1/32 md5
host all scram 127.0.0.1/32 scram-sha-256
host all,replication all 127.0.0.1/32 trust
local all all trust
EOF
run "$bin/pg_ctl" -D "$data" -w -l "$data/log" -o "-c listen_addresses=127.0.0.1 -c unix_socket_directories=$data" start >/dev/null
trap 'run "$bin/pg_ctl" -D "$data" -m immediate stop >/dev/null' EXIT
export PGHOST=127.0.0.1 PGUSER=postgres PGDATABASE=postgres PGSSLMODE=disable PGGSSENCMODE=disable
psql -h "$data" -q -c "create database shop" -c "set password_encryption = 'md5'" -c "create role digest login password 'hidden'" \
	-c "set password_encryption = 'scram-sha-256'" -c "create role scram login password 'hidden'" -c "create role plain login password 'hidden'" 2>/dev/null
pgbench -h "$data" -i -q postgres >/dev/null 2>&1
export URL="postgres://postgres@127.0.0.1/shop?sslmode=disable&application_name=driver"

# record NAME COMMAND...: the command's output becomes the truth.
record() {
	name=postgresql_of_$1
	shift
	log=$(mktemp)
	tcpdump -Z root -B 16384 -i lo --immediate-mode -U -w "$out/$name.pcap" -s 0 port 5432 2>"$log" &
	dump=$!
	until grep -q listening "$log"; do sleep 0.1; done
	rm "$log"
	"$@" >"$out/$name.truth" 2>&1 || true
	sleep 0.5
	kill $dump
	wait $dump || true
}
script() { PGDATABASE=shop psql -X -v VERBOSITY=sqlstate -P footer=on -f "$here/simple.sql" 2>/dev/null | grep -v -e '^-' -e '^ '; }
logins() {
	for user in plain digest scram; do
		for password in hidden wrong; do
			PGUSER=$user PGPASSWORD=$password PGDATABASE=shop psql -X -q -At -c "select user" 2>&1
		done
	done
	PGDATABASE=nowhere psql -X -c "select 1" 2>&1
	PGSSLMODE=require psql -X -q -At -c "select 'over TLS'" 2>&1
	PGSSLMODE=prefer PGGSSENCMODE=disable psql -X -q -At -c "select 'over TLS'" 2>&1
}
bench() {
	for mode in simple extended prepared; do
		pgbench -n -M $mode -c 2 -t 1 postgres 2>/dev/null
	done
}
stream() {
	psql -X -q -At -c "select pg_create_physical_replication_slot('copy')" >/dev/null
	timeout 2 "$bin/pg_receivewal" -D "$WORK" -S copy 2>&1 || true
}
record simple script
record login logins
record pgbench bench
record replication stream
psql -h "$data" -q -c "alter system set ssl = off" -c "select pg_reload_conf()" >/dev/null
sleep 1
record refused env PGSSLMODE=prefer psql -X -q -At -c "select 'in clear'"
for scenario in extended pipelined batch copy cancel notify large concurrent; do
	record $scenario "$WORK/client" $scenario
done
# Only the beginning of the stream is kept: it is not read.
editcap -r -s 2000 "$out/postgresql_of_replication.pcap" "$WORK/some" 1-37
mv "$WORK/some" "$out/postgresql_of_replication.pcap"
# The same from its middle.
from=$(tshark -r "$out/postgresql_of_extended.pcap" -Y 'frame.number > 14 && tcp.dstport == 5432 && tcp.len == 0' -T fields -e frame.number | head -1)
editcap -r "$out/postgresql_of_extended.pcap" "$out/postgresql_of_middle.pcap" "$from-100000"
