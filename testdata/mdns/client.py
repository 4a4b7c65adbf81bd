"""Looks for services on the link, asks for one that nobody has, and offers one for a while. It
writes what was said there, as zeroconf reads it, a line a message: mdns, type and name of the first
question, status, flags, size and least time to live of an answer, and its records: their data in
order, in small letters, without spaces and last dots; - for what is not there."""
import re
import socket
import struct
import threading

import zeroconf


def main():
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    link.bind(('under1', 0))
    link.settimeout(1)
    zc = zeroconf.Zeroconf(interfaces=['10.0.1.2'], ip_version=zeroconf.IPVersion.V4Only)
    for name in 'Tea shop', 'Nothing':
        zc.get_service_info('_http._tcp.local.', name + '._http._tcp.local.', timeout=1200)
    found = threading.Event()
    zeroconf.ServiceBrowser(zc, '_http._tcp.local.', handlers=[lambda **_: found.set()])
    assert found.wait(5)
    zc.register_service(zeroconf.ServiceInfo(
        '_coffee._tcp.local.', 'Beans._coffee._tcp.local.', port=8081, server='mug.local.', properties={'roast': 'dark'}, addresses=[socket.inet_aton('10.0.1.2')]))
    zc.close()
    for frame in frames(link):
        print('mdns', *message(zeroconf.DNSIncoming(frame)), sep='\t')


def frames(link):
    """Returns what UDP carried from and to port 5353, until a second has nothing."""
    while True:
        try:
            b = link.recv(9000)
        except TimeoutError:
            return
        ip = b[14:]
        udp = ip[40:] if ip[0] >> 4 == 6 else ip[(ip[0] & 15) * 4:]
        if (ip[6] if ip[0] >> 4 == 6 else ip[9]) == socket.IPPROTO_UDP and 5353 in struct.unpack('>HH', udp[:4]):
            yield udp[8:struct.unpack('>H', udp[4:6])[0]]


def message(m):
    assert m.valid
    kinds = {1: 'A', 12: 'PTR', 16: 'TXT', 28: 'AAAA', 33: 'SRV', 255: 'ANY'}
    kind, name = (kinds[m.questions[0].type], m.questions[0].name.rstrip('.')) if m.questions else ('-', '-')
    if m.is_query():
        return kind, name, *'----', ''  # with it come answers that are known already
    answers = m.answers[:m.num_answers]
    data = sorted(re.sub(r'\s', '', value(r)).lower().removesuffix('.') for r in answers)
    return kind, name, 'NOERROR', 'aa' if m.flags & 0x400 else '-', len(m.data), min(r.ttl for r in answers), ' | '.join(data)


def value(r):
    if isinstance(r, zeroconf.DNSPointer):
        return r.alias
    if isinstance(r, zeroconf.DNSService):
        return f'{r.priority} {r.weight} {r.port} {r.server}'
    if isinstance(r, zeroconf.DNSAddress):
        return socket.inet_ntop(socket.AF_INET if len(r.address) == 4 else socket.AF_INET6, r.address)
    texts, rest = [], r.text
    while rest:
        texts.append('"' + rest[1:1 + rest[0]].decode() + '"')
        rest = rest[1 + rest[0]:]
    return ' '.join(texts)


main()
