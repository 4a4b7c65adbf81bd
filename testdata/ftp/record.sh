#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# Needs vsftpd, curl, lftp, python3, openssl, tcpdump, tshark, editcap and unshare, the user
# ftp that vsftpd is installed with, and root for a network namespace. Each capture's
# .truth holds what the client was told, a line a call: command, code, interim replies.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in vsftpd curl lftp python3 openssl tcpdump tshark editcap unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec unshare -n -m "$0" "$out"
fi
ip link set lo up
work=$(mktemp -d)
chmod 755 "$work"
mkdir -p "$work/root/in" "$work/empty"
chown ftp "$work/root/in"
seq 200 >"$work/root/numbers.txt"
seq 20000 >"$work/root/large.txt"
openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=ftp.example.org -keyout "$work/pem" -out "$work/cert" 2>/dev/null
cat "$work/cert" >>"$work/pem"
cat >"$work/conf" <<X
listen=NO
listen_ipv6=YES
background=NO
anonymous_enable=YES
anon_root=$work/root
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
write_enable=YES
no_anon_password=NO
secure_chroot_dir=$work/empty
ssl_enable=YES
allow_anon_ssl=YES
require_ssl_reuse=NO
rsa_cert_file=$work/pem
seccomp_sandbox=NO
pasv_min_port=30000
pasv_max_port=30999
delay_failed_login=0
X
vsftpd "$work/conf" &
server=$!
trap 'kill $server; wait; rm -rf "$work"' EXIT
for _ in $(seq 100); do (: </dev/tcp/127.0.0.1/21) 2>/dev/null && break; sleep 0.1; done
sleep 0.5
record() {
	name=ftp_$1
	shift
	tcpdump --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 port 21 2>"$work/log" &
	dump=$!
	until grep -q listening "$work/log"; do sleep 0.1; done
	"$@" >"$out/$name.truth"
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$work/log" || { echo "$name: packets were dropped" >&2; exit 1; }
}
told() { python3 "$here/told.py"; }
fetch() { curl -sv -o /dev/null "$@" 2>&1 | told; }
files() {
	fetch ftp://127.0.0.1/
	fetch --disable-epsv ftp://127.0.0.1/numbers.txt
	fetch -P - ftp://127.0.0.1/numbers.txt
	fetch -P - --disable-eprt ftp://127.0.0.1/numbers.txt
	fetch 'ftp://[::1]/numbers.txt'
	fetch -P - 'ftp://[::1]/large.txt'
	seq 300 | fetch -T - ftp://127.0.0.1/in/up.txt
	fetch -Q 'MKD in/new' -Q 'RNFR in/new' -Q 'RNTO in/other' -Q 'RMD in/other' -Q 'SITE CHMOD 600 in' -l ftp://127.0.0.1/in/
}
errors() {
	fetch ftp://127.0.0.1/missing.txt || true
	fetch ftp://ann:s3cret@127.0.0.1/numbers.txt || true
	fetch -Q 'XYZZ plugh' ftp://127.0.0.1/ || true
	fetch -T "$work/conf" ftp://127.0.0.1/ || true
}
secured() { fetch -k --ssl-reqd ftp://127.0.0.1/numbers.txt | sed '/^AUTH/q'; }
shell() {
	lftp -e 'debug 5; set ftp:ssl-allow no; set ftp:sync-mode off; set ftp:use-mlsd no; set net:max-retries 1; cd in; cls -l ..; cat ../numbers.txt; mv up.txt down.txt; rm down.txt; quit' ftp://127.0.0.1 2>&1 | told
}
record files files
record errors errors
record secured secured
record shell shell
for scenario in pipelined concurrent transfer; do
	record $scenario python3 "$here/drive.py" $scenario
done
# A capture from its middle, which begins with a bare acknowledgement.
from=$(tshark -r "$out/ftp_files.pcap" -Y 'frame.number > 12 && tcp.len == 0 && tcp.flags == 0x10' -T fields -e frame.number | head -1)
editcap -r "$out/ftp_files.pcap" "$out/ftp_middle.pcap" "$from-1000"
