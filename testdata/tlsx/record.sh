#!/bin/bash
# Records the captures tlsx_of_* of this folder anew: record.sh FOLDER
# Needs openssl (3.0), nginx, python3, tcpdump, editcap and unshare, and the rights to
# make a network namespace. Beside each capture, .truth holds what the client was told, a line
# a handshake.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in openssl nginx python3 tcpdump editcap unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec unshare -n -m "$0" "$out"
fi
ip link set lo up
work=$(mktemp -d)
# certificate NAME KEY SUBJECT NAMES: one that the authority signs.
certificate() {
	openssl req -newkey "$2" -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$3" -keyout "$work/$1.key" -out "$work/$1.csr" 2>/dev/null ||
		openssl req -newkey "$2" -nodes -subj "$3" -keyout "$work/$1.key" -out "$work/$1.csr" 2>/dev/null
	openssl x509 -req -in "$work/$1.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -days 3650 -extfile <(echo "subjectAltName=$4") -out "$work/$1.pem" 2>/dev/null
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/O=Shop/CN=Authority' -days 3650 -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
certificate ec ec /O=Shop/CN=shop.example 'DNS:shop.example,DNS:*.shop.example,IP:127.0.0.1'
certificate rsa rsa:2048 /O=Shop/CN=shop.example 'DNS:shop.example'
certificate client ec /O=Shop/CN=till 'email:till@shop.example'
certificate large ec /CN=large.example "DNS:large.example$(printf ',DNS:name-%d.large.example' {1..150})"
cat "$work/ec.pem" "$work/ca.pem" >"$work/ec-chain.pem"
cat "$work/large.pem" "$work/ca.pem" "$work/ec.pem" >"$work/large-chain.pem"
openssl dhparam -dsaparam -out "$work/dh.pem" 2048 2>/dev/null
cat >"$work/conf" <<CONF
user root;
worker_processes 1;
daemon off;
pid $work/pid;
error_log $work/errors;
events {}
http {
	access_log off;
	ssl_certificate $work/ec-chain.pem;
	ssl_certificate_key $work/ec.key;
	server {
		listen 127.0.0.1:8441 ssl;
		ssl_protocols TLSv1.2;
		ssl_ciphers ECDHE+AESGCM:DHE+AESGCM:AES128-SHA256;
		ssl_ecdh_curve X25519:P-384;
		ssl_dhparam $work/dh.pem;
		ssl_certificate $work/ec-chain.pem;
		ssl_certificate_key $work/ec.key;
		ssl_certificate $work/rsa.pem;
		ssl_certificate_key $work/rsa.key;
		return 204;
	}
	server { listen 127.0.0.1:8442 ssl http2; ssl_protocols TLSv1.3; ssl_ecdh_curve X25519:X448; return 204; }
	server {
		listen 127.0.0.1:8443 ssl;
		ssl_protocols TLSv1.2 TLSv1.3;
		ssl_client_certificate $work/ca.pem;
		ssl_verify_client on;
		return 204;
	}
	server { listen 127.0.0.1:8444 ssl; ssl_protocols TLSv1.3; ssl_ecdh_curve secp384r1; return 204; }
	server { listen 127.0.0.1:8445 ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_reject_handshake on; }
	server { listen 127.0.0.1:8446 ssl; ssl_protocols TLSv1 TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0; ssl_certificate $work/rsa.pem; ssl_certificate_key $work/rsa.key; return 204; }
	server { listen 127.0.0.1:8447 ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate $work/large-chain.pem; ssl_certificate_key $work/large.key; return 204; }
}
CONF
nginx -e "$work/errors" -c "$work/conf" &
server=$!
trap 'kill $server; wait $server || true; rm -rf "$work"' EXIT
until (exec 3<>/dev/tcp/127.0.0.1/8447) 2>/dev/null; do sleep 0.1; done
for scenario in older newer certificates refused large concurrent; do
	name=tlsx_of_$scenario
	: >"$work/dump"
	tcpdump -Z root --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 portrange 8441-8447 2>"$work/dump" &
	dump=$!
	until grep -q listening "$work/dump"; do sleep 0.1; done
	python3 "$here/client.py" $scenario "$work" >"$out/$name.truth" || { kill $dump; exit 1; }
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$work/dump" || { echo "$name: packets were dropped" >&2; exit 1; }
done
# From the middle, which begins with the bare acknowledgement of a client's hello.
editcap -r "$out/tlsx_of_certificates.pcap" "$out/tlsx_of_middle.pcap" 5-100000
tail -n +2 "$out/tlsx_of_certificates.truth" >"$out/tlsx_of_middle.truth"
"$here/clear.sh" "$out"
