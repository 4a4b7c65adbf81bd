"""Writes PROXY headers of both versions byte by byte, and requests behind them. Prints a
line a header and one a call, first those of curl, whose log of its transfers is given:

    PROXY VERSION COMMAND SOURCE DESTINATION SIZE
    GET PATH STATUS ASKED ANSWERED
"""

import socket
import struct
import sys
from urllib.parse import urlsplit

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def joined(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def curl(log):
    """curl says nothing of its headers but whether it connected, and from where: of that it
    makes a line of version 1."""
    for line in open(log):
        connected, source, port, to, to_port, url, status, asked, head, body = line.split()
        if connected != "0":
            header = f"PROXY TCP{6 if ':' in source else 4} {source} {to} {port} {to_port}\r\n"
            print("PROXY 1 PROXY", joined(source, port), joined(to, to_port), len(header))
        print("GET", urlsplit(url).path, status, asked, int(head) + int(body))


def ask(version, command, header, path, source=None, to=None, answers=1):
    """The server answers with where the header says that the client is."""
    s = socket.create_connection(("127.0.0.1", 8080))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = b"GET " + path.encode() + b" HTTP/1.1\r\nHost: shop.example\r\n\r\n"
    s.sendall(header + request * answers)
    print("PROXY", version, command, joined(*source) if source else "-", joined(*to) if to else "-", len(header))
    stream = s.makefile("rb")
    for _ in range(answers):
        head = []
        while not head or head[-1] != b"\r\n":
            head.append(stream.readline())
        size = next(int(line.split()[1]) for line in head if line.startswith(b"Content-Length:"))
        body = stream.read(size)
        told = ":".join(map(str, source or ("", "")))
        assert body.decode() == told + "\n", (body, told)
        print("GET", path, head[0].split()[1].decode(), len(request), sum(map(len, head)) + size)
    s.close()


def v2(command, family, rest):
    return SIGNATURE + bytes((0x20 | command, family)) + struct.pack(">H", len(rest)) + rest


def tlv(kind, value):
    return bytes((kind,)) + struct.pack(">H", len(value)) + value


def addresses(family, source, to):
    return socket.inet_pton(family, source[0]) + socket.inet_pton(family, to[0]) + struct.pack(">HH", source[1], to[1])


curl(sys.argv[1])
four = ("192.0.2.17", 54321), ("198.51.100.7", 443)
six = ("2001:db8::17", 54322), ("2001:db8::7", 443)
in_four, in_six = addresses(socket.AF_INET, *four), addresses(socket.AF_INET6, *six)
tls = tlv(0x20, b"\x01" + struct.pack(">I", 0) + tlv(0x21, b"TLSv1.3") + tlv(0x22, b"billing") + tlv(0x23, b"TLS_AES_128_GCM_SHA256"))
more = tlv(0x01, b"http/1.1") + tlv(0x02, b"shop.example") + tlv(0x05, b"\x0a\x0b\x0c\x0d") + tls
ask(2, "PROXY", v2(1, 0x11, in_four), "/two", *four)
ask(2, "PROXY", v2(1, 0x21, in_six), "/two/six", *six, answers=3)
ask(2, "PROXY", v2(1, 0x11, in_four + more), "/two/more", *four)
ask(2, "LOCAL", v2(0, 0x00, b""), "/two/local")
ask(1, "PROXY", b"PROXY UNKNOWN\r\n", "/one/unknown")
ask(1, "PROXY", b"PROXY TCP4 192.0.2.99 198.51.100.7 40000 80\r\n", "/one/many", ("192.0.2.99", 40000), ("198.51.100.7", 80), answers=4)
