#!/bin/bash
# Records the captures clear_of_* of this folder anew, which hold the secrets of their sessions:
# clear.sh FOLDER
# Needs openssl (3.0), gnutls-cli, nginx, curl, tcpdump, editcap and unshare, and the rights to make a
# network namespace. Beside each capture, .calls holds what the server logged, a line a request.
set -eu
out=$(realpath "${1:?folder to write to}")
for program in openssl gnutls-cli nginx curl tcpdump editcap unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_CLEAR:-}" ]; then
	IN_CLEAR=1 exec unshare -n -m "$0" "$out"
fi
ip link set lo up
work=$(mktemp -d)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=shop.example -addext subjectAltName=DNS:shop.example -days 3650 -keyout "$work/ec.key" -out "$work/ec.pem" 2>/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=shop.example -days 3650 -keyout "$work/rsa.key" -out "$work/rsa.pem" 2>/dev/null
mkdir "$work/files"
printf 'small\n' >"$work/files/small"
head -c 20000 /dev/zero | tr '\0' x >"$work/files/large"
cat >"$work/conf" <<CONF
user root;
worker_processes 1;
daemon off;
pid $work/pid;
error_log $work/errors;
events {}
http {
	log_format calls '\$server_port \$ssl_protocol \$ssl_cipher \$ssl_session_reused \$ssl_early_data \$request_method \$request_uri \$status \$body_bytes_sent';
	access_log $work/calls calls;
	root $work/files;
	ssl_certificate $work/ec.pem;
	ssl_certificate_key $work/ec.key;
	ssl_certificate $work/rsa.pem;
	ssl_certificate_key $work/rsa.key;
	ssl_ciphers ALL:@SECLEVEL=0;
	ssl_session_cache shared:all:1m;
	server { listen 127.0.0.1:8451 ssl; ssl_protocols TLSv1.2; }
	server { listen 127.0.0.1:8452 ssl; ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_conf_command Options -EncryptThenMac; }
	server { listen 127.0.0.1:8453 ssl; ssl_protocols TLSv1.3; ssl_early_data on; ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256; }
	server { listen 127.0.0.1:8454 ssl http2; ssl_protocols TLSv1.3; }
	server { listen 127.0.0.1:8455 ssl; ssl_protocols TLSv1.3; ssl_ecdh_curve secp384r1; ssl_client_certificate $work/ec.pem; ssl_verify_client optional_no_ca; }
	server { listen 127.0.0.1:8456 ssl; ssl_protocols TLSv1.2; ssl_session_tickets off; }
}
CONF
nginx -e "$work/errors" -c "$work/conf" &
server=$!
trap 'kill $server; wait $server || true; rm -rf "$work"' EXIT
until (exec 3<>/dev/tcp/127.0.0.1/8456) 2>/dev/null; do sleep 0.1; done

# ask PORT PATH OPTIONS...: one request in a session of its own.
ask() {
	local port=$1 path=$2
	shift 2
	printf 'GET %s HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n' "$path" |
		openssl s_client -connect "127.0.0.1:$port" -servername shop.example -keylogfile "$work/keys" -ign_eof "$@" >/dev/null 2>&1 || true
}
suites() {
	for suite in ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES256-GCM-SHA384 AES128-GCM-SHA256 ECDHE-ECDSA-CHACHA20-POLY1305 \
		ECDHE-ECDSA-AES128-CCM ECDHE-ECDSA-AES256-CCM8 ECDHE-RSA-AES128-SHA256 ECDHE-RSA-AES256-SHA384 AES256-SHA; do
		ask 8451 /small -tls1_2 -cipher "$suite:@SECLEVEL=0"
	done
}
older() {
	ask 8452 /small -tls1 -cipher "AES128-SHA:@SECLEVEL=0"
	ask 8452 /small -tls1_1 -cipher "AES256-SHA:@SECLEVEL=0"
	for suite in AES128-SHA AES128-SHA256 ECDHE-RSA-AES256-SHA384; do
		ask 8452 /large -tls1_2 -cipher "$suite:@SECLEVEL=0"
	done
}
newer() {
	for suite in TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256 TLS_AES_128_CCM_SHA256 TLS_AES_128_CCM_8_SHA256; do
		ask 8453 /small -tls1_3 -ciphersuites "$suite"
	done
	ask 8455 /small -tls1_3 -groups X25519:P-384 -cert "$work/ec.pem" -key "$work/ec.key"
	ask 8453 /large -tls1_3 -record_padding 512
}
resumed() {
	ask 8451 /small -tls1_2 -sess_out "$work/ticket"
	ask 8451 /small -tls1_2 -sess_in "$work/ticket"
	ask 8456 /small -tls1_2 -sess_out "$work/id"
	ask 8456 /small -tls1_2 -sess_in "$work/id"
	ask 8453 /small -tls1_3 -sess_out "$work/psk"
	ask 8453 /small -tls1_3 -sess_in "$work/psk"
}
early() {
	ask 8453 /small -tls1_3 -sess_out "$work/early"
	printf 'GET /small?early HTTP/1.1\r\nHost: shop.example\r\n\r\n' >"$work/data"
	ask 8453 /small -tls1_3 -sess_in "$work/early" -early_data "$work/data"
	ask 8453 /small -tls1_3 -sess_in "$work/early" -early_data "$work/data" # once is enough: it is refused
}
updated() {
	(
		for n in 1 2 3; do
			printf 'GET /small?%s HTTP/1.1\r\nHost: shop.example\r\n\r\n' $n
			sleep 0.5
			printf '^rekey^\n'
			sleep 0.5
		done
		printf 'GET /large HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n'
		sleep 1
	) | SSLKEYLOGFILE=$work/keys gnutls-cli --inline-commands --insecure --port 8453 --priority NORMAL:-VERS-ALL:+VERS-TLS1.3 127.0.0.1 >/dev/null 2>&1 || true
}
http2() {
	SSLKEYLOGFILE=$work/keys curl -sSk --http2 --parallel -o "$work/1" -o "$work/2" -o "$work/3" -o "$work/4" \
		https://127.0.0.1:8454/small https://127.0.0.1:8454/large https://127.0.0.1:8454/none 'https://127.0.0.1:8454/small?2' 2>"$work/progress"
}
for scenario in suites older newer resumed early updated http2; do
	name=clear_of_$scenario
	: >"$work/dump"
	: >"$work/keys"
	: >"$work/calls"
	tcpdump -Z root --immediate-mode -B 65536 -i lo -U -w "$work/$name.pcap" -s 0 portrange 8451-8456 2>"$work/dump" &
	dump=$!
	until grep -q listening "$work/dump"; do sleep 0.1; done
	$scenario
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$work/dump" || { echo "$name: packets were dropped" >&2; exit 1; }
	editcap --inject-secrets tls,"$work/keys" "$work/$name.pcap" "$out/$name.pcapng"
	cp "$work/calls" "$out/$name.calls"
done
