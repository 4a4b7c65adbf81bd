"""Asks a server for the time many times before it hears an answer, every second time with
a key, and writes what it was told as said.py does. An answer belongs to the question whose
time it repeats.

    burst.py SERVER KEY SECRET SOCKETS QUESTIONS
"""

import hashlib
import socket
import struct
import sys
import time

from said import told

EPOCH = 2208988800  # from 1900 to 1970

server, key, secret, sockets, questions = sys.argv[1:]


def question(i):
    sent = struct.pack("!Q", int((time.time() + EPOCH) * 2**32))
    ask = b"\x23" + bytes(39) + sent
    if i % 2:
        ask += struct.pack("!I", int(key)) + hashlib.sha1(secret.encode() + ask).digest()
    return sent, ask


clients = []
for _ in range(int(sockets)):
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(2)
    client.connect((server, 123))
    clients.append((client, dict(question(i) for i in range(int(questions)))))
for client, asked in clients:
    for ask in asked.values():
        client.send(ask)
for client, asked in clients:
    answers = {}
    for _ in asked:
        try:
            answer = client.recv(4096)
        except TimeoutError:
            break
        answers[answer[24:32]] = answer
    for sent, ask in asked.items():
        print(told(server, ask, answers.get(sent, b"")))
