"""Drives nats-server as a verbose client and prints what it was told, a line a call."""
import socket

s = socket.create_connection(("127.0.0.1", 4222))
f = s.makefile("rb")
f.readline()


def call(name, subject, text):
    s.sendall(text.encode())
    print(name, subject, f.readline().decode().split()[0])


call("CONNECT", "-", 'CONNECT {"verbose":true,"name":"nc","user":"shop","pass":"secret"}\r\n')
call("PING", "-", "PING\r\n")
call("PUB", "a.b", "PUB a.b 5\r\nhello\r\n")
call("SUB", "inbox.1", "sub inbox.1 7\r\n")
call("UNSUB", "-", "UNSUB 7\r\n")
call("PUB", "forbidden.x", "PUB forbidden.x 0\r\n\r\n")
