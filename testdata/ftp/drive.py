"""Talks to the server as the scenario says and writes each call that was answered."""
import ftplib
import io
import re
import socket
import sys
import threading

lock = threading.Lock()


def say(*words):
    with lock:
        print(*words, flush=True)


class Control:
    """A control connection by hand."""

    def __init__(self):
        self.sock = socket.create_connection(("127.0.0.1", 21))
        self.file = self.sock.makefile("rb")
        self.told("greeting")

    def reply(self):
        line = self.file.readline()
        code = line[:3]
        if line[3:4] == b"-":
            while not (line[:3] == code and line[3:4] == b" "):
                line = self.file.readline()
        return code.decode(), line.decode()

    def told(self, verb):
        interim = 0
        code, line = self.reply()
        while code[0] == "1":
            interim += 1
            code, line = self.reply()
        say(verb, code, *([interim] if interim else []))
        return line

    def send(self, text):
        self.sock.sendall(text.encode())

    def call(self, line):
        self.send(line + "\r\n")
        return self.told(line.split(" ")[0].upper())

    def passive(self):
        port = int(re.search(r"\|\|\|(\d+)\|", self.call("EPSV")).group(1))
        return socket.create_connection(("127.0.0.1", port))


def pipelined():
    c = Control()
    c.send("USER anonymous\r\nPASS me@\r\nSYST\r\nFEAT\r\nNOOP\r\nhelp\r\nSTAT\r\nSIZE numbers.txt\r\nMDTM numbers.txt\r\nFROB\r\nQUIT\r\n")
    for verb in ("USER", "PASS", "SYST", "FEAT", "NOOP", "HELP", "STAT", "SIZE", "MDTM", "FROB", "QUIT"):
        c.told(verb)


def transfer():
    c = Control()
    c.call("USER anonymous")
    c.call("PASS me@")
    c.call("TYPE I")
    c.call("REST 10")
    data = c.passive()
    c.send("RETR numbers.txt\r\n")
    while data.recv(4096):
        pass
    data.close()
    c.told("RETR")
    c.call("RETR numbers.txt")  # no data connection
    c.call("ABOR")
    c.call("ACCT secret")
    c.call("PWD")
    c.call("HELP")
    c.call("REIN")
    c.call("QUIT")


class Told(ftplib.FTP):
    """Writes each call with its replies."""

    pending, interim = "greeting", 0

    def putcmd(self, line):
        self.pending, self.interim = line.split(" ")[0], 0
        super().putcmd(line)

    def getmultiline(self):
        text = super().getmultiline()
        if text[:1] == "1":
            self.interim += 1
        else:
            say(self.pending, text[:3], *([self.interim] if self.interim else []))
            self.interim = 0
        return text


def one(number):
    f = Told()
    f.connect("127.0.0.1", 21)
    f.login()
    for i in range(2):
        f.storbinary(f"STOR in/file{number}_{i}", io.BytesIO(b"x" * 3000 * number))
        got = io.BytesIO()
        try:
            f.retrbinary(f"RETR in/file{number}_{i}", got.write)
        except ftplib.error_perm:
            pass
        f.delete(f"in/file{number}_{i}")
    f.nlst("in")
    f.quit()


def concurrent():
    threads = [threading.Thread(target=one, args=(i,)) for i in range(1, 5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


globals()[sys.argv[1]]()
