#!/bin/bash
# Records the captures of this folder into the folder given. It needs mariadbd,
# mariadb-install-db, mariadb, mariadb-admin, mariadb-slap, openssl, python3, tcpdump, editcap,
# go with a module proxy for go-sql-driver/mysql, and the rights to make a network namespace.
# Beside each capture, .truth holds what its clients said of it, a line a command: see said.py.
set -euo pipefail
out=$(realpath "${1:?the folder to record into}")
here=$(dirname "$(realpath "$0")")
export PATH=$PATH:/usr/sbin:/sbin
if [ "${2:-}" != inside ]; then
	for program in mariadbd mariadb-install-db mariadb mariadb-admin mariadb-slap openssl python3 tcpdump editcap go unshare; do
		command -v $program >/dev/null || { echo "$program is missing" >&2; exit 1; }
	done
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	mkdir "$work/client"
	cp "$here/client/main.go" "$here/said.py" "$work/client"
	(cd "$work/client" && go mod init client && go get github.com/go-sql-driver/mysql@v1.9.3 && CGO_ENABLED=0 go build -o client .) >&2
	work=$work unshare -n "$0" "$out" inside
	exit
fi

ip link set lo up
port=3306
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=mysql -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
mariadb-install-db --no-defaults --datadir="$work/data" --auth-root-authentication-method=normal --skip-test-db >/dev/null
id mysql >/dev/null 2>&1 && chown -R mysql "$work" && chmod 755 "$work"
mariadbd --no-defaults --datadir="$work/data" --socket="$work/socket" --bind-address=127.0.0.1 --port=$port --user=mysql \
	--ssl-cert="$work/cert.pem" --ssl-key="$work/key.pem" --local-infile=1 --skip-name-resolve >"$work/log" 2>&1 &
server=$!
trap 'kill $server; wait $server || true' EXIT
root="mariadb --no-defaults -S $work/socket -u root"
for _ in $(seq 100); do $root -e 'SELECT 1' >/dev/null 2>&1 && break; sleep 0.2; done
$root -e "CREATE DATABASE shop; CREATE DATABASE test;
	CREATE USER 'app'@'%' IDENTIFIED BY 'secret'; GRANT ALL ON *.* TO 'app'@'%'; CREATE USER 'guest'@'%'; GRANT SELECT ON shop.* TO 'guest'@'%'; GRANT ALL ON test.* TO 'guest'@'%'"
client=(mariadb --no-defaults -h 127.0.0.1 -P "$port" -u app -psecret)

# capture NAME COMMAND... records what the command says to the server.
capture() {
	local name=$1
	shift
	rm -f "$work/tcpdump"
	tcpdump -i lo -w "$out/mysql_of_$name.pcap" -s 0 -U port $port 2>"$work/tcpdump" &
	local dump=$!
	until grep -qs listening "$work/tcpdump"; do sleep 0.1; done
	"$@"
	sleep 1
	kill -INT $dump
	wait $dump || true
}
# said MODE... turns what a client wrote into the truth.
said() { python3 "$work/client/said.py" "$@"; }

session() {
	printf 'one,1\ntwo,2\n' >"$work/stock.csv"
	cd "$work"
	cat >"$work/statements" <<-'SQL'
		CREATE TABLE stock (name VARCHAR(20) PRIMARY KEY, n INT);
		INSERT INTO stock VALUES ('apple', 3), ('pear', 5);
		INSERT INTO stock VALUES ('apple', 4);
		SELECT * FROM stock
		ORDER BY name;
		LOAD DATA LOCAL INFILE 'stock.csv' INTO TABLE stock FIELDS TERMINATED BY ',';
		USE test;
		SELECT * FROM stock;
		ALTER USER 'guest'@'%' IDENTIFIED BY '';
	SQL
	"${client[@]}" --local-infile=1 --skip-ssl -D shop -n -f -vvv <"$work/statements" >"$work/session" 2>&1
	said session "$work/statements" <"$work/session"
	{ mariadb --no-defaults -h 127.0.0.1 -P $port -u app -pwrong --skip-ssl -e 'SELECT 1' 2>&1 || true; } | said connect
	{ "${client[@]}" --skip-ssl -D nowhere -e 'SELECT 1' 2>&1 || true; } | said connect
	mariadb-admin --no-defaults -h 127.0.0.1 -P $port -u app -psecret --skip-ssl status | grep ^Uptime >&2
	printf '%s\tok\t-\t-\t-\t\n' COM_CONNECT COM_STATISTICS COM_QUIT
}
# Of what is encrypted or compressed there is to see how it began; the client tells that it
# is so.
tls() {
	"${client[@]}" --ssl -e "SHOW STATUS LIKE 'Ssl_version'" | grep TLS >&2
	printf 'SSLRequest\tok\t-\t-\t-\t\n'
}
compression() {
	"${client[@]}" --skip-ssl --compress -e "SHOW STATUS LIKE 'Compression'" | grep ON >&2
	printf 'COM_CONNECT\tok\t-\t-\t-\t\n'
}
load() {
	mariadb-slap --no-defaults -h 127.0.0.1 -P $port -u app -psecret --skip-ssl -vvv --concurrency=4 --number-of-queries=24 \
		--create-schema=shop --query="INSERT INTO stock VALUES (UUID_SHORT(), 1); SELECT COUNT(*) FROM stock" | said slap
}

capture client session >"$out/mysql_of_client.truth"
capture prepared "$work/client/client" prepared 127.0.0.1:$port >"$out/mysql_of_prepared.truth"
capture commands "$work/client/client" commands 127.0.0.1:$port >"$out/mysql_of_commands.truth"
capture concurrency "$work/client/client" concurrency 127.0.0.1:$port >"$out/mysql_of_concurrency.truth"
for scenario in tls compression load; do
	capture $scenario $scenario >"$out/mysql_of_$scenario.truth"
done
# late FROM NAME AFTER cuts the head of a capture: the connection is first seen in its
# middle, from an acknowledgement on. That has the place of both sides, which the tests
# want to know when they change the order of segments. The truth is that of the commands
# behind it, without the text of statements that were prepared before.
late() {
	local last before
	last=$(tcpdump -nr "$out/mysql_of_$1.pcap" 2>/dev/null | awk -v after="$3" 'NR > after && /length 0/ && !n {n = NR - 1} END {print n}')
	editcap -F pcap "$out/mysql_of_$1.pcap" "$out/mysql_of_$2.pcap" "1-$last"
	before=$(tcpdump -nr "$out/mysql_of_$1.pcap" 2>/dev/null | awk -v last="$last" -v to="[.]$port:" 'NR <= last && $5 ~ to && !/length 0/ {n++} END {print n}')
	tail -n +$((before + 1)) "$out/mysql_of_$1.truth" | awk -F'\t' -v OFS='\t' '
		$1 == "COM_STMT_PREPARE" { known[$6] = 1 }
		$1 ~ /^COM_STMT_/ && !known[$6] { $6 = "" }
		1' >"$out/mysql_of_$2.truth"
}

late prepared late 26
late client late_session 18
