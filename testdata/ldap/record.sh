#!/bin/bash
# Records the captures of this folder, and their truth, into the folder given.
# Needs root for a network namespace and tcpdump, and slapd, ldap-utils,
# libsasl2-modules, openssl, python3, tshark and editcap.
set -u
out=$(realpath "${1:?folder}")
for program in slapd ldapsearch ldapmodify ldapwhoami openssl python3 tcpdump tshark editcap unshare; do
  command -v $program >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${IN_NAMESPACE:-}" ]; then
  IN_NAMESPACE=1 exec unshare -n -m bash "$0" "$out"
fi
here=$(dirname "$(realpath "$0")")
ip link set lo up || exit 1
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; rm -rf "$work"' EXIT

mkdir "$work/db"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=localhost \
  -keyout "$work/key" -out "$work/cert" 2>/dev/null || exit 1
cat >"$work/conf" <<X
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
pidfile $work/pid
TLSCertificateFile $work/cert
TLSCertificateKeyFile $work/key
referral ldap://elsewhere.example/
password-hash {CLEARTEXT}
authz-regexp uid=([^,]*),cn=[^,]*,cn=auth uid=\$1,ou=people,dc=shop,dc=example
database mdb
suffix "dc=shop,dc=example"
rootdn "cn=admin,dc=shop,dc=example"
rootpw secret
directory $work/db
overlay syncprov
X
start() {
  slapd -d 0 -f "$work/conf" -h "ldap://127.0.0.1:389" & pids+=($!)
  for _ in $(seq 50); do ldapsearch -x -H ldap://127.0.0.1 -s base -b '' >/dev/null 2>&1 && return; sleep .1; done
  echo "slapd does not start" >&2; exit 1
}
start

capture() { # scenario
  name=$out/ldap_of_$1.pcap truth=$out/ldap_of_$1.truth
  : >"$truth"; : >"$work/log"
  tcpdump -i lo --immediate-mode -B 65536 -U -s 0 -w "$name" 'port 389' 2>"$work/log" & dump=$!
  for _ in $(seq 50); do grep -q listening "$work/log" && return; sleep .1; done
  echo "tcpdump does not start" >&2; exit 1
}
captured() {
  sleep .5; kill -INT $dump; wait $dump
  grep -q '^0 packets dropped' "$work/log" || { echo "packets of $name were lost" >&2; exit 1; }
}

# say runs a client and writes what it did: a line for the bind, one for the
# operation with its result code, a search with its entries and references, and one
# for the unbind.
admin=(-x -H ldap://127.0.0.1 -D "cn=admin,dc=shop,dc=example" -w secret)
say() {
  local operation=$1 tool=$2 code; shift 2
  "$tool" "${admin[@]}" "$@" >"$work/said" 2>&1 </dev/null; code=$?
  { echo "bind 0"
    if [ "$operation" = search ]; then
      echo "search $code $(sed -n 's/^# numEntries: //p' "$work/said" | grep . || echo 0) $(sed -n 's/^# numReferences: //p' "$work/said" | grep . || echo 0)"
    else
      echo "$operation $code"
    fi
    echo unbind; } >>"$truth"
}

cat >"$work/base.ldif" <<X
dn: dc=shop,dc=example
objectClass: dcObject
objectClass: organization
o: Shop
dc: shop

dn: ou=people,dc=shop,dc=example
objectClass: organizationalUnit
ou: people

dn: ou=far,dc=shop,dc=example
objectClass: referral
objectClass: extensibleObject
ou: far
ref: ldap://far.example/ou=far,dc=shop,dc=example
X
for i in 1 2 3 4 5 6; do cat <<X >>"$work/base.ldif"

dn: uid=user$i,ou=people,dc=shop,dc=example
objectClass: inetOrgPerson
uid: user$i
cn: Jürgen User $i
sn: User$i
userPassword: geheim$i
X
done

capture operations
ldapadd "${admin[@]}" -M -f "$work/base.ldif" >/dev/null || exit 1
{ echo "bind 0"; for _ in 1 2 3 4 5 6 7 8 9; do echo "add 0"; done; echo unbind; } >>"$truth"
say search ldapsearch -b dc=shop,dc=example
say search ldapsearch -b dc=shop,dc=example -s one '(|(ou=people)(!(cn=a*b*c)))' cn mail
say search ldapsearch -b ou=people,dc=shop,dc=example '(&(objectClass=inetOrgPerson)(uid>=user3)(cn=*Jürgen*)(userPassword=geheim3))' uid
say search ldapsearch -b '' -s base '(objectClass=*)' supportedExtension
say search ldapsearch -b ou=people,dc=shop,dc=example -s children '(|(cn:dn:caseIgnoreMatch:=x\2a\28\00y)(sn~=user2)(uid<=user2)(cn=J*r*1))'
say search ldapsearch -b ou=people,dc=shop,dc=example -z 2 uid=*
say modify ldapmodify -f <(printf 'dn: uid=user1,ou=people,dc=shop,dc=example\nreplace: mail\nmail: u1@shop.example\n-\nadd: description\ndescription: first\n-\nreplace: userPassword\nuserPassword: neu\n')
say compare ldapcompare uid=user1,ou=people,dc=shop,dc=example mail:u1@shop.example
say compare ldapcompare uid=user1,ou=people,dc=shop,dc=example mail:other
say compare ldapcompare uid=user1,ou=people,dc=shop,dc=example userPassword:neu
say modifyDN ldapmodrdn -r -s dc=shop,dc=example uid=user6,ou=people,dc=shop,dc=example uid=moved
say delete ldapdelete uid=user5,ou=people,dc=shop,dc=example
say extended ldapwhoami
say extended ldappasswd -s anders uid=user2,ou=people,dc=shop,dc=example
captured

capture errors
code() { # operation tool arguments: without what admin binds as
  local operation=$1 tool=$2; shift 2
  "$tool" -H ldap://127.0.0.1 "$@" >/dev/null 2>&1 </dev/null; echo "$operation $?" >>"$truth"
}
code bind ldapwhoami -x -D cn=admin,dc=shop,dc=example -w wrong
echo unbind >>"$truth"
code bind ldapwhoami -x -D 'not a name' -w wrong
echo unbind >>"$truth"
say search ldapsearch -b uid=nobody,ou=people,dc=shop,dc=example
say search ldapsearch -b dc=other,dc=example
say add ldapadd -f <(printf 'dn: ou=people,dc=shop,dc=example\nobjectClass: organizationalUnit\nou: people\n')
say add ldapadd -f <(printf 'dn: ou=bad,dc=shop,dc=example\nobjectClass: organizationalUnit\nnonsense: 1\n')
say delete ldapdelete ou=people,dc=shop,dc=example
say modifyDN ldapmodrdn uid=nobody,ou=people,dc=shop,dc=example uid=moved
say modify ldapmodify -f <(printf 'dn: uid=user1,ou=people,dc=shop,dc=example\ndelete: telephoneNumber\ntelephoneNumber: 1\n')
say compare ldapcompare uid=user1,ou=people,dc=shop,dc=example nonsense:1
ldapexop "${admin[@]}" 1.2.3.4 >"$work/said" 2>&1
printf 'bind 0\nextended %s\nunbind\n' "$(sed -n 's/.*(\([0-9]*\))$/\1/p' "$work/said" | head -1)" >>"$truth"
python3 "$here/client.py" garbage >>"$truth" || exit 1
captured

capture sasl
for mechanism in SCRAM-SHA-256 DIGEST-MD5; do
  LDAPSASL_SECPROPS=none ldapwhoami -Q -Y $mechanism -O maxssf=0 -U user1 -w neu -H ldap://127.0.0.1 >/dev/null 2>&1 || { echo "$mechanism fails" >&2; exit 1; }
  printf 'bind 14\nbind 0\nextended 0\nunbind\n' >>"$truth"
done
ldapsearch -Q -Y DIGEST-MD5 -U user1 -w neu -H ldap://127.0.0.1 -b ou=people,dc=shop,dc=example uid=user* >/dev/null 2>&1 || exit 1
printf 'bind 14\nbind 0\nsasl\n' >>"$truth"
captured

capture starttls
LDAPTLS_REQCERT=never ldapsearch "${admin[@]}" -ZZ -b dc=shop,dc=example >/dev/null 2>&1 || exit 1
echo "extended 0" >>"$truth"
captured

capture large
head -c 45000 /dev/urandom >"$work/photo"
say modify ldapmodify -f <(printf 'dn: uid=user3,ou=people,dc=shop,dc=example\nadd: jpegPhoto\njpegPhoto:< file://%s/photo\n-\nadd: description\ndescription: x\n' "$work")
say search ldapsearch -b ou=people,dc=shop,dc=example 'uid=user*'
say search ldapsearch -b ou=people,dc=shop,dc=example "(|$(for i in $(seq 60); do printf '(cn=a name of some length %d)' "$i"; done))" uid
say delete ldapdelete uid=user4,ou=people,dc=shop,dc=example
captured

capture pipelined
python3 "$here/client.py" pipeline >>"$truth" || exit 1
captured

capture sync
say search ldapsearch -b dc=shop,dc=example -E sync=ro uid=user1
ldapsearch "${admin[@]}" -b dc=shop,dc=example -E sync=rp uid=user1 >/dev/null 2>&1 & client=$!
sleep 1
kill $client
wait $client
printf 'bind 0\nsearch cut\n' >>"$truth"
captured

# From the middle of the first connection, which begins with a bare acknowledgement: the
# answer to its bind, then the rest.
from=$(tshark -r "$out/ldap_of_operations.pcap" -Y 'frame.number > 3 && tcp.srcport == 389 && tcp.len == 0' -T fields -e frame.number | head -1)
editcap -F pcap -r "$out/ldap_of_operations.pcap" "$out/ldap_of_middle.pcap" "${from:?no acknowledgement}-100000" || exit 1
sed '1s/^bind/-/' "$out/ldap_of_operations.truth" >"$out/ldap_of_middle.truth"
