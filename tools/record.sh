#!/usr/bin/env bash
# record.sh OUT [NAME...] records the captures of testdata anew, of all protocols or of those
# named, each into its own folder below OUT: real servers in network namespaces of their own,
# driven by their ordinary clients. It installs what Debian has of them, goes on where one
# fails, and says in the end which did.
set -uo pipefail
out=${1:?folder to write to}
shift
root=$(cd "$(dirname "$0")/.." && pwd)

# Servers, clients and what drives them, by Debian's names.
packages=(
	avahi-daemon python3-zeroconf bind9 bind9-dnsutils dnsmasq-base
	isc-dhcp-client isc-dhcp-relay isc-dhcp-server udhcpc
	rabbitmq-server python3-pika python3-qpid-proton mosquitto mosquitto-clients nats-server
	mariadb-client mariadb-server postgresql redis-server memcached python3-cassandra freetds-bin
	slapd ldap-utils libsasl2-modules krb5-admin-server krb5-kdc krb5-user freeradius freeradius-utils
	freediameter libusrsctp-dev gcc libc6-dev
	exim4-daemon-light dovecot-lmtpd dovecot-imapd swaks vsftpd lftp prosody sip-tester
	samba samba-testsuite smbclient openssh-client openssh-server
	snmp snmpd snmptrapd rsyslog bsdutils ntpsec ntpsec-ntpdig
	default-jre-headless libhessian-java libzookeeper-java python3-kazoo python3-thrift thrift-compiler
	nginx-light knot-dnsutils curl openssl
	iproute2 iputils-ping procps python3 tcpdump tshark util-linux wireshark-common
)

install_missing() {
	local missing=() p
	command -v npm >/dev/null || packages+=(nodejs npm) # other packages of Node bring it along
	for p in "${packages[@]}"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
	done
	((${#missing[@]} == 0)) && return
	if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
		echo "missing: on Debian, as root: apt-get install --no-install-recommends ${missing[*]}" >&2
		return 1
	fi
	echo "installing ${missing[*]}" >&2
	local policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then # the servers are not to start by themselves
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod +x "$policy"
		trap 'rm -f /usr/sbin/policy-rc.d' RETURN
	fi
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get update -qq && apt-get install -qq -y --no-install-recommends "${missing[@]}"; } </dev/null >/dev/null
}

install_missing || exit 1
names=("$@")
if ((${#names[@]} == 0)); then
	for script in "$root"/testdata/*/record.sh; do
		names+=("$(basename "$(dirname "$script")")")
	done
fi
failed=()
for name in "${names[@]}"; do
	echo "record $name" >&2
	mkdir -p "$out/$name"
	"$root/testdata/$name/record.sh" "$out/$name" || failed+=("$name")
done
if ((${#failed[@]} > 0)); then
	echo "not recorded: ${failed[*]}" >&2
	exit 1
fi
