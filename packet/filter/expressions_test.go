package filter

import "strings"

// handPicked is the expressions compared with tcpdump, one a line.
func handPicked() (exprs []string) {
	for line := range strings.Lines(expressions) {
		if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, "#") {
			exprs = append(exprs, line)
		}
	}
	return exprs
}

const expressions = `
# protocols
ip
ip6
arp
rarp
tcp
udp
sctp
icmp
icmp6
igmp
igrp
pim
vrrp
carp
ah
esp
atalk
aarp
decnet
lat
sca
moprc
mopdl
iso
esis
es-is
isis
is-is
clnp
l1
l2
iih
lsp
snp
csnp
psnp
stp
ipx
netbeui
radio
ether
link
not ip
not tcp
! udp
not not tcp
ip proto 6
ip proto \tcp
ip proto \udp
ip proto tcp
ip proto ospf
ip proto \ospf
ip proto gre
ip proto 47
ip proto 300
ip6 proto 6
ip6 proto \udp
ip6 proto ipv6-icmp
ip6 proto 44
proto 6
proto \tcp
proto TCP
proto \sctp
proto nonesuch
proto 6 or 17
proto (6 or 17)
ip proto (1 or 2 or 132)
ether proto \ip
ether proto \ip6
ether proto \arp
ether proto ip
ether proto 0x0800
ether proto 0x86dd
ether proto 0x88cc
ether proto 66
ether proto 6
ether proto 1500
ether proto 1501
ether proto 0xfe
ether proto 0xe0
ether proto 0xf0
ether proto stp
ether proto \stp
ether proto loopback
ether proto \loopback
ether proto mpls
link proto \arp
iso proto 131
iso proto \isis
iso proto clnp
iso proto nonesuch
isis proto 15
isis proto \esis
arp proto 1
tcp proto 6
protochain 6
protochain \tcp
ip protochain 6
ip protochain \udp
ip protochain 51
ip6 protochain 6
ip6 protochain 17
ip6 protochain 58
ip6 protochain 44
ip6 protochain 51
ip6 protochain 59
not protochain 6
ether protochain 6
tcp protochain 6
ip protochain 6 and port 80
# hosts and networks
host 10.1.2.3
src host 10.1.2.3
dst host 10.1.2.3
src or dst host 10.1.2.3
dst or src host 10.1.2.3
src and dst host 10.1.2.3
dst and src 10.1.2.3
src 10.1.2.3
dst 10.1.2.3
ip host 10.1.2.3
ip src 10.1.2.3
arp host 10.1.2.3
arp src 10.1.2.3
arp dst host 10.1.200.7
rarp host 10.1.200.7
tcp host 10.1.2.3
ether host 10.1.2.3
ip6 host 10.1.2.3
host 10.1.2.3 or 192.168.0.1
host 10.1.2.3 and 10.1.200.7
host (10.1.2.3 or 192.168.0.1)
host 10.1.2.3 and (10.1.200.7 or 192.168.0.1)
host 10.1.2.3 and not 10.1.200.7
host 10.1.2.3 and not (10.1.200.7 or 192.168.0.1)
host not 10.1.2.3
host ! 10.1.2.3
host (not 10.1.2.3 and 10.1.200.7)
host ((10.1.2.3 or 192.168.0.1) or 8.8.8.8)
src host 10.1.2.3 and dst port 80
src host 10.1.2.3 or dst host 10.1.2.3
host 10.1
host 10
host 167838211
host 10.1.2
host 256.1.1.1
host 10.1.2.999
host 010.01.02.03
host 0x0a.1.2.3
host 10.1.2.3.4
host 10.1.2.3/24
host 10.1.2.3 mask 255.255.255.0
src 10.1.2.0/24
net 10
net 10.1
net 10.1.2
net 10.1.2.3
net 2561
net 0
src net 10.1
dst net 10.1.200
net 10.1.0.0/16
net 10.1/16
net 10.0.0.0/8
net 10.1.2.0/8
net 10.1.2.3/32
net 0.0.0.0/0
net 0/0
net 10.0/8
net 10.0.0.0/33
net 10.1.0.0 mask 255.255.0.0
net 10.1 mask 255.255
net 10.1.2.0 mask 255.255.0.0
net 10.1.0.0 mask 255.255.0.255
net 10.1.0.0 mask 65535
net 10.0.0.0/8 or 192.168.0.0/16
net (10.0.0.0/8 or 192.168)
not net 10.0.0.0/8
src net 10.0.0.0/8 and dst net 10.0.0.0/8
src and dst net 10.1
ip net 10.1
arp net 10.1
ip6 net 10.1
ip6
host 2001:db8::1
src host 2001:db8::1
dst 2001:db8::1
src and dst host 2001:db8::1
ip6 host 2001:db8::1
ip6 src 2001:db8::1
ip host 2001:db8::1
ip6 host fe80::200:0:0:5
host ::1
host ::
host 2001:db8:0:0:0:0:0:1
host 2001:0db8:0000:0000:0000:0000:0000:0001
host ::ffff:10.1.2.3
host 2001:db8::1/128
host 2001:db8::1/64
net 2001:db8::/32
net 2001:db8::/33
net 2001:db8:0:1::/64
net 2001:db8:0:1::/63
net 2001:db8::1/32
net 2001:db8::1/128
net fe80::/10
net ff00::/8
net ::/0
net ::/129
ip6 net fe80::/10
ip net fe80::/10
dst net ff00::/8
src net 2001:db8::/32 and dst net 2001:db8:0:1::/64
host 2001:db8::1 or 10.1.2.3
port 2001:db8::1
host 1:2:3:4:5:6:7:8:9
host 12345::1
# hardware addresses
ether host 02:00:00:00:00:01
ether src 02:00:00:00:00:01
ether dst 2:0:0:0:0:2
ether src host 02-00-00-00-00-01
ether host 0200.0000.0001
ether host 020000000001
ether dst 02.00.00.00.00.02
ether src and dst 02:00:00:00:00:01
ether src or dst 02:00:00:00:00:01
ether host 02:00:00:00:00:01 or 02:00:00:00:00:02
ether host 02:00:00:00:00:01 and ip
link host 02:00:00:00:00:01
wlan host 02:00:00:00:00:01
host 02:00:00:00:00:01
ether host 02:00:00:00:00
ether port 80
ether net 10
ether broadcast
broadcast
ether multicast
multicast
ip broadcast
ip6 broadcast
ip multicast
ip6 multicast
tcp multicast
not broadcast and not multicast
ether[0] & 1 = 0 and ip[16] >= 224
wlan addr1 02:00:00:00:00:01
ra 02:00:00:00:00:01
$12
# ports
port 80
src port 80
dst port 80
src or dst port 80
src and dst port 443
tcp port 80
tcp src port 80
tcp dst port 80
udp port 53
udp dst port 53
sctp port 2905
sctp dst port 3868
sctp src and dst port 2905
ip port 80
ip6 port 80
icmp port 80
port 0x50
port 0120
port 65535
port 65536
port 080
port http
port https
port domain
port ssh
port bootps
port ntp
port dns
tcp port http
udp port http
sctp port http
sctp port domain
udp port domain
tcp port domain
tcp port bootps
src port http or dst port https
port http or https
port \80
port nonesuch
port 80 or 443
port 80 or port 443
port (80 or 443)
port (80)
port ((80) or 443)
port 80 and 443
port not 80
not port 80
not port (80 or 443)
port 80 or (443 or 22)
tcp port 80 or udp port 53
port 80 or tcp
port 80 or tcp[0] = 1
port 80 or 443 = 443
port 80 or (443) = 443
port 80 or (443) or 22
port 10.1.2.3
portrange 80-443
portrange 443-80
portrange 80
portrange http-https
portrange 80-https
portrange ssh-8080
portrange 0-65535
portrange 0-65536
portrange 80-
portrange -80
portrange domain-http
tcp portrange 1-1024
udp portrange 50-60
src portrange 40000-40001
dst portrange 1-100
src and dst portrange 400-500
tcp dst portrange 8000-9000
ip portrange 1-2
not portrange 1-1023
port 8000-9000
# length
less 60
greater 60
less 0
greater 0
greater 4294967295
less 4294967296
len > 60
len >= 60
len < 60
len <= 60
len = 58
len == 58
len != 58
length > 60
len
len - 14 > 40
len > 40 and len < 100
# loads and arithmetic
tcp[13] & 2 != 0
tcp[tcpflags] & tcp-syn != 0
tcp[tcpflags] & (tcp-syn|tcp-fin) != 0
tcp[tcpflags] == tcp-syn
tcp[tcpflags] & (tcp-syn|tcp-ack) == (tcp-syn|tcp-ack)
tcp[tcpflags] = tcp-syn|tcp-ack
tcp[13] = 18
tcp[13] = 0x12
tcp[13] = 022
tcp[13] = 08
tcp[0:2] = 80
tcp[2:2] = 80
tcp[0:2] > 1023 and tcp[2:2] < 1024
tcp[4:4] = 1
tcp[0:3] = 1
tcp[0:0] = 1
tcp[20:4] = 0x47455420
tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420
tcp[(tcp[12]>>4)*4:4] = 0x47455420
tcp[12] >> 2 & 0x3c = 20
tcp[100] = 1
not tcp[100] = 1
tcp[100] = 1 or udp
udp or tcp[100] = 1
tcp[-1] != 0
ip[-1] != 0
ip[0-1] != 0
ip[4294967295] = 0
ip[0] & 0xf > 5
ip[0] & 0xf != 5
ip[6:2] & 0x1fff != 0
ip[6:2] & 0x3fff != 0
ip[6] & 0x20 != 0
ip[8] < 64
ip[9] = 6
ip[12:4] = 0x0a010203
ip[2:2] > 50
ip[2:2] - ((ip[0]&0xf)<<2) > 20
ip[ip[0] & 0xf] = 0
ip[16] >= 224
ip6[6] = 6
ip6[40:2] = 40000
ip6[6] = 58 and ip6[40] = 128
ip6[0] >> 4 = 6
arp[6:2] = 1
arp[7] = 2
rarp[6:2] = 3
ether[0] & 1 != 0
ether[12:2] = 0x800
ether[12:2] > 1500
ether[6:4] = 0x02000000
link[0] = 2
ppp[2:2] = 0x21
ether[1000] = 0
not ether[1000] = 0
icmp[icmptype] = icmp-echo
icmp[icmptype] = icmp-echoreply
icmp[icmptype] == icmp-unreach
icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply
icmp[icmpcode] = 1
icmp[0] = 8
icmp[4:2] = 0
icmp6[icmp6type] = icmp6-echo
icmp6[icmp6type] = icmp6-neighborsolicit
icmp6[0] = 135
icmp6[icmp6code] = 0
icmp6[0] & 0x80 != 0
igmp[0] = 0x16
igmp[0:2] = 0x1600
pim[0] = 0x20
vrrp[0] = 0x21
carp[0] = 0x21
igrp[0] = 1
sctp[0:2] = 2905
sctp[12] = 1
udp[4:2] > 10
udp[8:2] = 0xfffe
udp[0:2] = udp[2:2]
tcp[0:2] = tcp[2:2]
tcp[0:2] + udp[0:2] = 0
udp[0:2] + tcp[0:2] = 0
1 + tcp[0:2] = 81
tcp[0:2] + 1 = 81
tcp[0:2] * 2 = 160
tcp[0:2] / 2 = 40
tcp[0:2] % 10 = 0
tcp[0:2] % 7 + 1 = 4
1 + tcp[0:2] % 7 = 4
tcp[0:2] ^ 80 = 0
tcp[0:2] | 1 = 81
tcp[0:2] & 0xff = 80
tcp[0:2] << 1 = 160
tcp[0:2] >> 1 = 40
tcp[0:2] - 81 = 4294967295
tcp[0:2] - 81 < 0
- tcp[0:2] = 4294967216
- tcp[0:2] % 7 = 0
-1 = 4294967295
- - 5 = 5
2 + 3 * 4 = 14
(2 + 3) * 4 = 20
10 - 2 - 3 = 5
20 / 2 / 5 = 2
7 & 3 << 1 = 6
1 | 2 & 4 = 1
100 / 7 % 5 = 14
1 = 1
1 = 2
1 > 0 and ip
len / 0 = 1
len % 0 = 1
len / (0 + 1) = len
len / (1 + 0) = len
len / ip[0] = 1
len / ip[1] = 1
len % ip[8] = 3
len / (ip[1] + 0) = 1
1 << 32 = 0
1 << 31 = 0x80000000
len << ip[8] = 0
len << ip[32] = 0
len >> 32 = 0
len >> ip[8] = 0
1 << len = 0
len = len
ip[0] = 0x45 and ip[1] = 0
ip[0:1] = 69
ip[0] = ip6[0]
tcp[ip[8]] = 0
tcp[len] = 0
ip[len - 15] != 0
ether[len-1] = 0
((ip[0])) = 69
(ip[0]) = 69
(len) > 60
(len > 60)
((len > 60))
(60) < len
tcp > 5
tcp[0
tcp[0] =
tcp[0]
tcp[] = 1
tcp[0:] = 1
tcp[0:(2)] = 1
1 < 2 < 3
ah[0] = 1
esp[0] = 1
isis[0] = 1
stp[0] = 1
radio[0] = 1
decnet[0] = 1
atalk[0] = 0
((((((((1+2)+3)+4)+5)+6)+7)+8)+9) = 45
1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+1))))))))))))) = 15
1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+1)))))))))))))) = 16
1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+1)))))))))))))))) = 18
byte 0 = 2
byte 0 < 2
byte 23 > 6
byte 100000 = 0
byte 0
byte 0 != 5
# encapsulations
vlan
vlan 100
vlan 300
vlan (100)
vlan 4095
vlan 4096
vlan and ip
vlan 100 and ip
vlan 100 and tcp port 80
vlan 300 and vlan 200
vlan and vlan
vlan 300 && vlan 200 && ip
vlan and arp
vlan 5 and arp host 10.1.200.7
not vlan
not vlan and ip
ip or vlan
vlan or ip
(vlan and ip) or ip
ip and vlan
(vlan 100 or vlan 300) and ip
vlan and ether host 02:00:00:00:00:01
vlan and ether[12:2] = 0x8100
vlan and ip[8] = 64
vlan and stp
vlan and mpls
vlan and pppoes
vlan and pppoes 8
mpls
mpls 100
mpls 100 and ip
mpls 100 and mpls 1024
mpls 100 and mpls 1024 and host 10.1.2.3
mpls and ip6
mpls and tcp port 80
mpls and host 10.1.2.3
mpls and arp
mpls and vlan
mpls 1048576
mpls or ip
not mpls
mpls and ip[8] = 64
mpls and tcp[13] & 2 != 0
mpls and mpls and mpls
pppoed
pppoes
pppoes 7
pppoes 8
pppoes 65536
pppoes and ip
pppoes and ip6
pppoes and tcp port 80
pppoes 7 and host 10.1.2.3
pppoes and ppp[0:2] = 0x21
pppoes and ether host 02:00:00:00:00:01
pppoes and pppoes
pppoes and vlan
pppoes and arp
pppoes and ip[8] = 64
pppoes and mpls
geneve
geneve 123
geneve 0x1c8
geneve 16777216
geneve and ip
geneve and ip6
geneve and tcp
geneve and tcp port 80
geneve and host 10.1.2.3
geneve and ether host 02:00:00:00:00:02
geneve and ether broadcast
geneve and ether multicast
geneve and ether[12:2] = 0x800
geneve and ip[8] = 64
geneve and ip6[6] = 6
geneve and tcp[13] & 2 != 0
geneve and icmp[0] = 8
geneve and icmp6[0] = 128
geneve and ip6 host 2001:db8::1
geneve and vlan
geneve and geneve
geneve and protochain 6
geneve and arp
geneve 123 and udp port 53
udp port 6081 and geneve
vlan and geneve
vlan 100 and geneve and ip
llc
llc i
llc s
llc u
llc rr
llc rnr
llc rej
llc ui
llc UA
llc xid
llc nonesuch
not llc
llc and stp
# direction
inbound
outbound
not outbound
inbound and tcp
ifindex 1
ifindex 2 and ip
ifindex nonesuch
# joining
ip and tcp and port 80
ip or arp and port 80
arp and port 80 or ip
(ip or arp) and (tcp or udp)
not (tcp or udp) and ip
not tcp and not udp
ip && !tcp || arp
ip&&tcp
ip and(tcp)
not(tcp)
!tcp
!!tcp
! ! tcp
(((tcp)))
host 10.1.2.3 and port 80 or 443
port 80 and (host 10.1.2.3) or 443
port 80 and ((host 10.1.2.3) or 443)
(port 80) or 443
tcp or 443
tcp or 10.1.2.3
vlan or 10.1.2.3
len > 5 or 10.1.2.3
tcp and udp
ip and ip6
ip and not ip
tcp port 80 and host 10.1.2.3 and not src net 192.168.0.0/16
icmp or arp or port 53
tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)
tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src and dst net 10.1
ether[0] & 1 = 0 and ip[16] >= 224
gateway snup and (port ftp or ftp-data)
# errors
(
)
()
(tcp
tcp)
tcp and
and tcp
tcp or or udp
tcp udp
tcp 80
tcp not
not
80
10.1.2.3
host
port
src
dst
src or 10.1.2.3
src and tcp
ip src port 80
src proto 6
src gateway x
net
net 10/8
mask 255.0.0.0
HOST 10.1.2.3
iphost 10.1.2.3
tcp-foo
tcp_port 80
host 10.1.2.3;
host "10.1.2.3"
port 80 # comment
port = 80
tcp = 6
ip[0] == 0x45 === 1
0x
0xfffffffff = 1
4294967296 = 0
037777777777 = 4294967295
0400000000000 = 1
\
tcp \
type mgt
subtype beacon
dir tods
vpi 5
lane
fisu
sio 5
on eth0
action pass
reason match
rnr 5
tcp type mgt
port 80,443
host 10.1.2.3 & port 80
host 10.1.2.3 | port 80
port 80 ^ 3
`
