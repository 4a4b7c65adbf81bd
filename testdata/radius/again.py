"""Sends a request again after it was answered, and takes its identifier for
another one then. Prints a line a call, as record.sh."""

import socket


def attribute(kind, value):
    return bytes([kind, len(value) + 2]) + value


def packet(code, identifier, authenticator, *attributes):
    body = b"".join(attributes)
    return bytes([code, identifier]) + (20 + len(body)).to_bytes(2, "big") + authenticator + body


names = {2: "Access-Accept", 3: "Access-Reject"}
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(5)
sock.connect(("127.0.0.1", 1812))
for n in (1, 2):
    # A CHAP-Password that is wrong: its answer is Access-Reject.
    request = packet(1, 200, bytes([n]) * 16, attribute(1, b"bob"), attribute(3, bytes(17)))
    for _ in range(2):
        sock.send(request)
        answer = sock.recv(4096)
    print(200, "Access-Request", names[answer[0]])
