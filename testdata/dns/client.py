"""Asks the server on port 53 of this host: client.py SCENARIO. It writes what dig was told, a
line a call: transport, type, name, status, flags, size of the answer, and its records: least
time to live, and their data in order, in small letters, without spaces and last dots; - for
what did not come."""
import re
import socket
import struct
import subprocess
import sys

SERVER = '127.0.0.1'


def blocks(text):
    """Splits what dig printed into its answers."""
    return re.split(r'(?m)^;; ->>HEADER<<- ', text)[1:]


def plain(data):
    return re.sub(r'\s', '', re.sub(r'(?<=\S)\.(?= |$)', '', data)).lower()


def line(transport, block):
    status = re.search(r'status: (\w+)', block)[1]
    flags = [f for f in re.search(r'flags: ([a-z ]*)', block)[1].split() if f in ('aa', 'tc', 'ra', 'ad')]
    question = re.search(r'(?m)^;(\S+)\s+IN\s+(\S+)', block)
    size = re.search(r'MSG SIZE  rcvd: (\d+)', block)[1]
    section = re.search(r'(?ms)ANSWER SECTION:\n(.*?)\n\n', block)
    records = [r.split(None, 4) for r in section[1].splitlines()] if section else []
    ttl = min(int(r[1]) for r in records) if records else '-'
    data = sorted(plain(r[4]) for r in records)
    name, kind = (question[1].rstrip('.') or '.', question[2]) if question else ('-', '-')
    print(transport, kind, name, status, '+'.join(flags) or '-', size, ttl, ' | '.join(data), sep='\t', flush=True)


def dig(*args):
    run = subprocess.run(['dig', '@' + SERVER, '+tries=1', '+time=2', '+nocookie', *args], capture_output=True, text=True)
    found = blocks(run.stdout)
    for block in found:
        line('tcp' if '+tcp' in args else 'udp', block)
    if not found:
        kind, name = [a for a in args if not a.startswith('+')]
        print('udp', kind, name, '-', '-', '-', '-', '', sep='\t', flush=True)


def types():
    for kind, name in [
        ('A', 'web.shop.example'), ('AAAA', 'web.shop.example'), ('A', 'www.shop.example'), ('A', 'alias.shop.example'), ('CNAME', 'www.shop.example'),
        ('A', 'away.shop.example'), ('MX', 'shop.example'), ('NS', 'shop.example'), ('SOA', 'shop.example'), ('TXT', 'shop.example'), ('CAA', 'shop.example'),
        ('SRV', '_http._tcp.shop.example'), ('HINFO', 'host.shop.example'), ('SSHFP', 'host.shop.example'), ('NAPTR', 'host.shop.example'), ('LOC', 'host.shop.example'),
        ('TLSA', '_443._tcp.web.shop.example'), ('TYPE65534', 'web.shop.example'), ('A', 'any.thing.wild.shop.example'), ('A', 'WeB.sHoP.exAMPLE'),
        ('PTR', '1.2.0.192.in-addr.shop.example'), ('A', 'x.sub.shop.example'),
    ]:
        dig(kind, name)
    dig('+notcp', 'ANY', 'host.shop.example')
    dig('+noedns', 'A', 'web.shop.example')
    dig('+dnssec', 'A', 'web.shop.example')
    dig('+subnet=192.0.2.0/24', 'A', 'web.shop.example')
    dig('+nsid', '+norecurse', 'A', 'web.shop.example')


def failures():
    dig('A', 'none.shop.example')
    dig('A', 'none.shop.example')
    dig('MX', 'web.shop.example')
    dig('A', 'www.other.example')
    dig('+edns=9', '+noednsnegotiation', 'A', 'web.shop.example')
    dig('A', 'a' * 63 + '.' + 'b' * 63 + '.shop.example')
    dig('+tcp', 'A', 'none.shop.example')
    global SERVER
    SERVER = '127.0.0.9'
    dig('A', 'nobody.shop.example')


def large():
    dig('+ignore', '+noedns', 'TXT', 'long.shop.example')
    dig('+ignore', '+bufsize=512', 'A', 'many.shop.example')
    dig('+bufsize=4096', 'TXT', 'long.shop.example')
    dig('+tcp', 'TXT', 'long.shop.example')
    dig('+tcp', 'A', 'many.shop.example')


def query(number, name):
    labels = b''.join(bytes([len(p)]) + p.encode() for p in name.split('.'))
    q = struct.pack('>6H', number, 0, 1, 0, 0, 0) + labels + b'\0\0\1\0\1'
    return struct.pack('>H', len(q)) + q


def told(transport, names, answer):
    """Writes the line of an answer to one of the queries that are numbered by names."""
    number, _, _, count, _, _ = struct.unpack('>6H', answer[:12])
    name = names[number]
    at = 12 + len(name) + 6
    records = [answer[at + 16 * i:at + 16 * i + 16] for i in range(count)]
    ttl = min(struct.unpack('>I', r[6:10])[0] for r in records) if records else '-'
    status = {0: 'NOERROR', 3: 'NXDOMAIN'}[answer[3] & 15]
    data = ' | '.join(sorted(socket.inet_ntoa(r[12:]) for r in records))
    print(transport, 'A', name, status, 'aa', len(answer), ttl, data, sep='\t', flush=True)


NAMES = ['n%d.wild.shop.example' % i if i % 3 else 'none%d.shop.example' % i for i in range(24)] + ['web.shop.example']


def pipelined():
    """Asks by two writes, and reads the answers in whichever order they come."""
    s = socket.create_connection((SERVER, 53))
    f = s.makefile('rb')
    for part in range(12), range(12, 25):
        s.sendall(b''.join(query(i, NAMES[i]) for i in part))
        for _ in part:
            told('tcp', NAMES, f.read(struct.unpack('>H', f.read(2))[0]))


def concurrent():
    """Asks from two ports, as fast as it can, with the same numbers."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for s in sockets:
        s.connect((SERVER, 53))
    for i, name in enumerate(NAMES):
        for s in sockets:
            s.send(query(i, name)[2:])
    for s in sockets:
        for _ in NAMES:
            told('udp', NAMES, s.recv(4096))


def transfer():
    """Has a whole zone sent, between two questions of other connections."""
    dig('+tcp', 'SOA', 'small.example')
    out = subprocess.run(['dig', '@' + SERVER, '+nocookie', 'AXFR', 'small.example'], capture_output=True, text=True).stdout
    size = re.search(r'XFR size: \d+ records \(messages 1, bytes (\d+)\)', out)[1]
    data = sorted(plain(r.split(None, 4)[4]) for r in out.splitlines() if r and r[0] != ';')
    print('tcp', 'AXFR', 'small.example', 'NOERROR', 'aa', size, 300, ' | '.join(data), sep='\t', flush=True)
    dig('+tcp', 'TXT', 'cup.small.example')


def vxlan():
    global SERVER
    SERVER = '10.0.2.1'
    dig('A', 'web.shop.example')
    dig('AAAA', 'web.shop.example')
    dig('A', 'none.shop.example')
    dig('+tcp', 'TXT', 'long.shop.example')


def llmnr():
    """Asks the neighbours on the link, twice for what nobody has. A line is a message."""
    link = socket.if_nametoindex('under1')
    four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    four.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack('4s4si', bytes(4), bytes(4), link))
    six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, link)
    for s, group, kind, name in [
        (four, '224.0.0.252', 'A', 'cup'), (four, '224.0.0.252', 'AAAA', 'cup'), (six, 'ff02::1:3', 'A', 'CUP'),
        (four, '224.0.0.252', 'A', 'payroll'), (four, '224.0.0.252', 'A', 'payroll'), (six, 'ff02::1:3', 'MX', 'cup'),
    ]:
        number = {'A': 1, 'MX': 15, 'AAAA': 28}[kind]
        asked = bytes([len(name)]) + name.encode() + struct.pack('>BHH', 0, number, 1)
        s.sendto(struct.pack('>6H', number * len(group), 0, 1, 0, 0, 0) + asked, (group, 5355))
        print('llmnr', kind, name, *'----', '', sep='\t')
        s.settimeout(0.3)
        try:
            b = s.recv(2000)
        except TimeoutError:
            continue
        ttl, data = '-', b[12 + len(asked) + 12:]
        if data:
            ttl = int.from_bytes(b[12 + len(asked) + 6:][:4], 'big')
            data = socket.inet_ntop(socket.AF_INET if len(data) == 4 else socket.AF_INET6, data)
        print('llmnr', kind, name, 'NOERROR', '-', len(b), ttl, data or '', sep='\t')


globals()[sys.argv[1]]()
