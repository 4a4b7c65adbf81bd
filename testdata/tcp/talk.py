# Says what is of no protocol over TCP or UDP, and writes what it said: a line for each
# packet with payload, of ports, length and payload in hexadecimal. Each send waits for
# what it sent, so that it is one packet.
import socket, struct, sys

def tell(sender, receiver, b, more=''):
    print(sender.getsockname()[1], receiver.getsockname()[1], len(b), b[:1024].hex() + more)

def tcp():
    l = socket.create_server(('127.0.0.1', 7777))
    def opened():
        c = socket.create_connection(('127.0.0.1', 7777))
        return c, l.accept()[0]
    def send(a, b, data):
        a.sendall(data)
        tell(a, b, data)
        while data: data = data[len(b.recv(len(data))):]
    a, b = opened()
    for i in range(6):
        send(a, b, b'\xfe\xed%d of nobody' % i)
        send(b, a, b'\xfe\xee%d' % i)
    send(a, b, bytes(range(256)) * 12)
    a.close(), b.close()
    a, b = opened() # one word only
    send(a, b, b'\xfe\xed')
    a.close(), b.close()
    a, b = opened() # a reset that says why (RFC 9293 section 3.5.2), by a socket of our own
    send(a, b, b'\xfe\xed')
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    why = b'go away'
    segment = struct.pack('>HHIIBBHHH', b.getsockname()[1], a.getsockname()[1], 1, 0, 0x50, 0x04, 0, 0, 0) + why
    header = struct.pack('>BBHHHBBH', 0x45, 0, 40 + len(why), 1, 0, 64, 6, 0) + socket.inet_aton('127.0.0.1') * 2
    raw.sendto(header + segment, ('127.0.0.1', 0))
    tell(b, a, why, ' reset')
    a.close(), b.close()

def udp():
    a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for s in (a, b): s.bind(('127.0.0.1', 0))
    b.setsockopt(socket.SOL_SOCKET, 11, 1) # SO_NO_CHECK: without checksums
    for data in (b'\xfe\xed one', b'', b'\xfe' * 3000, b'last'):
        a.sendto(data, b.getsockname())
        b.recv(5000)
        if data: tell(a, b, data)
        b.sendto(b'\xfe' + data, a.getsockname())
        a.recv(5000)
        tell(b, a, b'\xfe' + data, ' unchecked')

globals()[sys.argv[1]]()
