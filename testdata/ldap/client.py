"""What LDAP's ordinary clients do not do: several requests at once, an abandon
and bytes that are no message. Prints a line a call, as record.sh."""

import socket
import sys


def ber(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    size = bytes([n]) if n < 128 else bytes([0x82]) + n.to_bytes(2, "big")
    return bytes([tag]) + size + body


def integer(n, tag=2):
    return ber(tag, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def message(n, operation):
    return ber(0x30, integer(n), operation)


def search(base, scope, name, value):
    return ber(0x63, ber(4, base), integer(scope, 10), integer(0, 10), integer(0), integer(0), ber(1, b"\0"),
               ber(0xA3, ber(4, name), ber(4, value)), ber(0x30, ber(4, b"cn")))


def bind():
    return ber(0x60, integer(3), ber(4, b"cn=admin,dc=shop,dc=example"), ber(0x80, b"secret"))


def element(data):
    """Returns tag, content and what is left; None if data is too short."""
    if len(data) < 2:
        return None
    n, at = data[1], 2
    if n > 127:
        at += n - 128
        n = int.from_bytes(data[2:at], "big")
    if len(data) < at + n:
        return None
    return data[0], data[at:at + n], data[at + n:]


def messages(sock):
    data = b""
    while True:
        while (e := element(data)) is None:
            more = sock.recv(65536)
            if not more:
                return
            data += more
        data = e[2]
        _, number, rest = element(e[1])
        tag, content, _ = element(rest)
        yield int.from_bytes(number, "big"), tag, content


def code(content):
    return int.from_bytes(element(content)[1], "big")


def connect():
    return socket.create_connection(("127.0.0.1", 389))


PEOPLE = b"ou=people,dc=shop,dc=example"


def pipeline():
    """Searches, compares and modifies of two connections, twenty at a time."""
    socks = [connect(), connect()]
    for sock in socks:
        sock.sendall(message(1, bind()))
        print("bind", code(next(messages(sock))[2]))
    for sock in socks:
        asked, found = {}, {}
        out = b""
        for i in range(2, 22):
            if i % 5 == 0:
                asked[i] = "compare"
                out += message(i, ber(0x6E, ber(4, b"uid=user1," + PEOPLE), ber(0x30, ber(4, b"sn"), ber(4, b"User%d" % (i % 2)))))
            else:
                asked[i], found[i] = "search", 0
                out += message(i, search(PEOPLE if i % 3 else b"ou=nowhere,dc=shop,dc=example", 2, b"sn", b"User%d" % (i % 4 + 1)))
        sock.sendall(out)
        done = {}
        for n, tag, content in messages(sock):
            if tag == 0x64:
                found[n] += 1
            elif tag != 0x73:
                done[n] = f"{asked[n]} {code(content)}" + (f" {found[n]} 0" if n in found else "")
            if len(done) == len(asked):
                break
        for n in sorted(done):
            print(done[n])
    for sock in socks:
        sock.sendall(message(22, ber(0x50, b"\x15")) + message(23, b"\x42\0"))
        print("abandon")
        print("unbind")
        sock.recv(1)
        sock.close()


def garbage():
    """A message id of 0 is answered by a notice of disconnection."""
    sock = connect()
    sock.sendall(message(1, bind()))
    replies = messages(sock)
    print("bind", code(next(replies)[2]))
    sock.sendall(message(2, ber(0x7E, b"")))
    for _, tag, content in replies:
        print("notice", code(content))


{"pipeline": pipeline, "garbage": garbage}[sys.argv[1]]()
