"""Answers for the name cup on the link, as RFC 4795 wants it: neighbour.py"""
import select
import socket
import struct

LINK = socket.if_nametoindex('under0')
DATA = {1: socket.inet_aton('10.0.1.1'), 28: socket.inet_pton(socket.AF_INET6, 'fd00:1::1')}


def question(b):
    """Returns the name, the type and the bytes of the question."""
    labels, at = [], 12
    while b[at]:
        labels.append(b[at + 1:at + 1 + b[at]].decode())
        at += 1 + b[at]
    return '.'.join(labels), int.from_bytes(b[at + 1:at + 3], 'big'), b[12:at + 5]


four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
four.bind(('', 5355))
four.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack('4s4si', socket.inet_aton('224.0.0.252'), bytes(4), LINK))
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
six.bind(('::', 5355))
six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, struct.pack('16si', socket.inet_pton(socket.AF_INET6, 'ff02::1:3'), LINK))
while True:
    for s in select.select([four, six], [], [])[0]:
        b, asker = s.recvfrom(2000)
        name, kind, asked = question(b)
        if name.lower() == 'cup':
            record = struct.pack('>HHHIH', 0xc00c, kind, 1, 30, len(DATA[kind])) + DATA[kind] if kind in DATA else b''
            s.sendto(b[:2] + struct.pack('>5H', 0x8000, 1, bool(record), 0, 0) + asked + record, asker)
