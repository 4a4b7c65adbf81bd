#!/bin/bash
# Records the captures of this folder anew: record.sh FOLDER
# Needs exim4 (the heavy daemon), dovecot with its lmtpd, swaks, python3, openssl, tcpdump,
# tshark, editcap and unshare, and root for a network namespace. Each capture's .truth
# holds what the client was told, a line a call.
set -eu
out=$(realpath "${1:?folder to write to}")
here=$(realpath "$(dirname "$0")")
for program in exim4 dovecot swaks python3 openssl tcpdump tshark editcap unshare; do
	command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec unshare -n -m "$0" "$out"
fi
ip link set lo up
work=$(mktemp -d)
chmod 755 "$work"
mkdir "$work/spool"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=mail.example.org \
	-keyout "$work/key" -out "$work/cert" 2>/dev/null
chmod 644 "$work/key"
cat >"$work/exim" <<X
primary_hostname = mail.example.org
spool_directory = $work/spool
log_file_path = $work/spool/log-%s
keep_environment =
tls_advertise_hosts = *
tls_certificate = $work/cert
tls_privatekey = $work/key
chunking_advertise_hosts = *
pipelining_advertise_hosts = *
dsn_advertise_hosts = *
message_size_limit = 200K
smtp_enforce_sync = true
smtp_accept_max_per_connection = 50
queue_only
smtp_accept_max_nonmail = 100
smtp_max_unknown_commands = 10
smtp_max_synprot_errors = 20
acl_smtp_rcpt = rcpt
acl_smtp_data = data
acl_smtp_vrfy = accept
begin acl
rcpt:
  deny local_parts = nobody
       message = 5.1.1 no such mailbox
  defer local_parts = later
       message = 4.2.0 greylisted, come again
  accept
data:
  deny condition = \${if match{\$h_subject:}{spam}}
       message = 5.7.1 not wanted here
  accept
begin routers
all:
  driver = redirect
  data = :blackhole:
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and {{eq{\$auth2}{ann}}{eq{\$auth3}{s3cret}}}}
  server_set_id = \$auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = \${if and {{eq{\$auth1}{ann}}{eq{\$auth2}{s3cret}}}}
  server_set_id = \$auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = s3cret
  server_set_id = \$auth1
X
chown -R Debian-exim "$work/spool"
chmod 644 "$work/exim"
exim4 -C "$work/exim" -bdf -oX 127.0.0.1.25 -oP "$work/spool/pid" &
pids=$!
cat >"$work/dovecot" <<X
base_dir = $work/run
state_dir = $work/state
log_path = $work/dovecot.log
protocols = lmtp
ssl = no
mail_location = maildir:$work/mail/%u
first_valid_uid = 1
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = passwd-file
  args = $work/users
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = 24
  }
}
service anvil {
  chroot =
}
X
mkdir "$work/mail"
for user in ann bob; do echo "$user::65534:65534::$work/mail/$user::" >>"$work/users"; done
chown -R nobody "$work/mail"
dovecot -F -c "$work/dovecot" &
pids="$pids $!"
trap 'kill $pids; wait; rm -rf "$work"' EXIT
for port in 25 24; do
	for _ in $(seq 100); do (: </dev/tcp/127.0.0.1/$port) 2>/dev/null && break; sleep 0.1; done
done
sleep 0.5
record() {
	name=smtp_$1 port=$2
	shift 2
	tcpdump --immediate-mode -B 65536 -i lo -U -w "$out/$name.pcap" -s 0 port "$port" 2>"$work/log" &
	dump=$!
	until grep -q listening "$work/log"; do sleep 0.1; done
	"$@" >"$out/$name.truth"
	sleep 0.7
	kill $dump
	wait $dump || true
	grep -q '^0 packets dropped' "$work/log" || { echo "$name: packets were dropped" >&2; exit 1; }
}
# What swaks says it sent and was told, as calls; it fails where the server refuses.
swaks() {
	command swaks --server 127.0.0.1 --ehlo client.example.org --from ann@example.org --to bob@example.org "$@" >"$work/said" || true
	python3 "$here/told.py" "$work/said"
}
mails() {
	swaks
	swaks --to bob@example.org,carol@example.org --from '<>' --header 'X-Note: a bounce'
	swaks --pipeline --to bob@example.org,nobody@example.org,carol@example.org
	swaks --body "$(printf '.\n..two\nend.\n.')"
	swaks --protocol SMTP --quit-after RCPT
}
errors() {
	swaks --to nobody@example.org
	swaks --to later@example.org
	swaks --pipeline --to nobody@example.org
	swaks --header 'Subject: spam'
	swaks --auth PLAIN --auth-user ann --auth-password wrong
	swaks --ehlo 'in valid'
}
logins() {
	for mechanism in PLAIN LOGIN CRAM-MD5; do
		swaks --auth $mechanism --auth-user ann --auth-password s3cret --quit-after AUTH
	done
}
starttls() { swaks --tls --quit-after FIRST-EHLO; swaks --tls | sed '/^STARTTLS/q'; }
lmtp() { swaks --protocol LMTP --port 24 --to ann,bob --from ann@example.org; swaks --protocol LMTP --port 24 --to nobody,bob; }
record mails 25 mails
record errors 25 errors
record logins 25 logins
record starttls 25 starttls
record lmtp 24 lmtp
for scenario in chunks large concurrent strange; do
	record $scenario 25 python3 "$here/drive.py" $scenario
done
# A capture from its middle, which begins with a bare acknowledgement.
from=$(tshark -r "$out/smtp_mails.pcap" -Y 'frame.number > 12 && tcp.len == 0 && tcp.flags == 0x10' -T fields -e frame.number | head -1)
editcap -r "$out/smtp_mails.pcap" "$out/smtp_middle.pcap" "$from-1000"
