"""Talks to sipp over one TCP connection: keeps it alive, sends many requests at once, and
one with a large body. Writes each call that was answered."""
import re
import socket

sock = socket.create_connection(("127.0.0.1", 5060))
file = sock.makefile("rb")


def request(method, number, body="", kind="text/plain"):
    return (
        f"{method} sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK{method}{number}\r\n"
        f"From: <sip:ann@127.0.0.1>;tag=a{number}\r\nTo: <sip:bob@127.0.0.1>\r\nCall-ID: drive{number}\r\nCSeq: {number} {method}\r\n"
        f"Contact: <sip:ann@127.0.0.1>\r\nMax-Forwards: 70\r\nUser-Agent: drive\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def told(count):
    left = count
    while left:
        line = file.readline().decode()
        if line.startswith("SIP/2.0"):
            code, length = line.split(" ")[1], 0
        elif line.lower().startswith("cseq:"):
            number, method = line.split(":")[1].split()
        elif line.lower().startswith("content-length:"):
            length = int(line.split(":")[1])
        elif line == "\r\n" and code:
            file.read(length)
            print(method, number, code, flush=True)
            code, left = "", left - 1


sock.sendall(b"\r\n\r\n")
sock.sendall(request("OPTIONS", 1))
told(1)
sock.sendall(b"\r\n\r\n" + b"".join(request("OPTIONS", n) for n in range(2, 8)) + b"\r\n\r\n")
told(6)
sock.sendall(request("OPTIONS", 8, "SIP/2.0 200 OK\r\n\r\nBYE sip:x SIP/2.0\r\n\r\n" * 600))
told(1)
sock.sendall(b"\r\n\r\n")
sock.close()
