"""Talks to the server as the scenario says and writes each call that was answered."""
import base64
import socket
import sys
import threading

lock = threading.Lock()


class Session:
    def __init__(self):
        self.sock = socket.create_connection(("127.0.0.1", 25))
        self.file = self.sock.makefile("rb")
        self.told("greeting")

    def reply(self):
        while True:
            line = self.file.readline()
            if line[3:4] != b"-":
                return line[:3].decode()

    def told(self, verb, more=""):
        with lock:
            print(verb, self.reply() + more, flush=True)

    def send(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode())

    def call(self, line):
        self.send(line + "\r\n")
        self.told(line.split(" ")[0].upper())

    def envelope(self, *to):
        self.call("MAIL FROM:<ann@example.org>")
        for address in to:
            self.call(f"RCPT TO:<{address}>")

    def message(self, body):
        self.call("DATA")
        self.send(body + b".\r\n")
        self.told("message", f" {len(body)}")


def mail(size, subject="hello"):
    head = f"Subject: {subject}\r\nFrom: ann@example.org\r\n\r\n".encode()
    line = b"0123456789" * 7 + b"\r\n"
    return head + line * (size // len(line))


def chunks():
    s = Session()
    s.call("EHLO client.example.org")
    s.envelope("bob@example.org", "nobody@example.org")
    body = mail(3000)
    for part, last in ((body[:1000], ""), (body[1000:2500], ""), (body[2500:], " LAST")):
        s.send(f"BDAT {len(part)}{last}\r\n".encode() + part)
        s.told("BDAT", f" {len(part)}")
    # all of it at once
    body = mail(500, "pipelined") + b"\r\n.\r\nMAIL FROM:<no@example.org>\r\n"
    s.send(b"MAIL FROM:<ann@example.org> SIZE=600\r\nRCPT TO:<bob@example.org>\r\nRCPT TO:<later@example.org>\r\n"
           + f"BDAT {len(body)} LAST\r\n".encode() + body)
    for verb in ("MAIL", "RCPT", "RCPT"):
        s.told(verb)
    s.told("BDAT", f" {len(body)}")
    s.send(b"BDAT 5 LAST\r\nhello")
    s.told("BDAT", " 5")
    s.call("QUIT")


def large():
    s = Session()
    s.call("EHLO client.example.org")
    s.envelope(*(f"user{i}@example.org" for i in range(105)))
    s.message(mail(9000))
    s.envelope("bob@example.org")
    s.message(mail(100) + b"\r\n.. is not the end\r\n..stuffed\r\n")
    s.envelope("bob@example.org")
    s.message(b"")
    s.call("QUIT")


def one(number):
    s = Session()
    s.call(f"EHLO client{number}.example.org")
    for i in range(3):
        s.envelope(f"user{i}@example.org")
        s.message(mail(200 * number, f"mail {i} of {number}"))
    s.call("QUIT")


def concurrent():
    threads = [threading.Thread(target=one, args=(i,)) for i in range(1, 5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def strange():
    s = Session()
    s.call("HELO client.example.org")
    s.send("hunter2 is no command\r\n")
    s.told("UNKNOWN")
    s.call("vrfy bob")
    s.call("EXPN staff")
    s.call("HELP")
    s.call("NOOP")
    s.call("RCPT TO:<bob@example.org>")
    s.call("DATA")
    s.call("RSET")
    s.call("STARTTLS now")
    s.call("ETRN example.org")
    s.call("EHLO again.example.org")
    s.call("AUTH LOGIN " + base64.b64encode(b"ann").decode())
    s.send("*\r\n")
    s.told("AUTH")
    s.call("AUTH PLAIN " + base64.b64encode(b"\0ann\0wrong").decode())
    s.call("AUTH XOAUTH2 " + base64.b64encode(b"user=ann").decode())
    s.call("QUIT")


globals()[sys.argv[1]]()
