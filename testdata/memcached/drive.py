"""Drives memcached over its protocols and prints what it was told: a line a call,
with operation, first key or -, status, and for retrievals hits and bytes."""
import socket
import struct
import sys
import threading
import time

ADDRESS = ("127.0.0.1", 11211)


class Text:
    def __init__(self):
        self.s = socket.create_connection(ADDRESS)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.f = self.s.makefile("rb")

    def say(self, line, data=None):
        b = line.encode() + b"\r\n"
        if data is not None:
            b += data + b"\r\n"
        self.s.sendall(b)

    def hear(self, line):
        """Reads the answer to a command and returns the line of truth."""
        words = line.split()
        op = words[0]
        key = "-"
        if op in KEYED:
            key = (words + ["-"] * 3)[2 if op in ("gat", "gats") else 1]
            key = key[:250] + "..." * (len(key) > 250)
        first, hits, size = None, 0, 0
        while True:
            got = self.f.readline().rstrip(b"\r\n").split(b" ")
            word = got[0].decode().rstrip(":")
            if first is None:
                first = word
            if word == "VALUE":
                hits, size = hits + 1, size + int(got[3])
                self.f.read(int(got[3]) + 2)
            elif word == "VA":
                hits, size = 1, int(got[1])
                self.f.read(size + 2)
                break
            elif word.startswith("key="):
                first = "KEY"
            elif word == "mg":
                pass
            elif word not in ("STAT", "ITEM", "PREFIX"):
                break
        if first.isdigit():
            first = "NUMBER"
        return f"{op} {key} {first}" + (f" {hits} {size}" if hits else "")

    def call(self, line, data=None):
        self.say(line, data)
        print(self.hear(line))


KEYED = set("set add replace append prepend cas get gets gat gats delete incr decr touch mg ms md ma me".split())


def silent(op, key="-"):
    print(op, key, "one-way")


def text():
    c = Text()
    c.call("version")
    c.call("set user:1 5 0 5", b"alice")
    c.call("get user:1")
    c.call("get nobody")
    c.call("set user:2 0 300 3", b"bob")
    c.call("get user:1 user:2 user:3")
    c.call("gets user:1 user:2")
    c.call("add user:1 0 0 1", b"x")
    c.call("replace user:9 0 0 1", b"x")
    c.call("append user:1 0 0 1", b"!")
    c.call("prepend user:1 0 0 1", b"<")
    c.call("cas user:1 0 0 1 1", b"x")
    c.call("cas user:9 0 0 1 1", b"x")
    time.sleep(0.1)  # so that a bare acknowledgement comes here
    c.call("set n 0 0 1", b"9")
    c.call("incr n 3")
    c.call("decr n 100")
    c.call("incr nobody 1")
    c.call("touch n 100")
    c.call("touch nobody 100")
    c.call("gat 60 n user:2")
    c.call("gats 60 n")
    c.call("delete n")
    c.call("delete n")
    c.say("set quiet 0 0 5 noreply", b"hello")
    silent("set", "quiet")
    c.say("delete user:2 noreply")
    silent("delete", "user:2")
    c.call("get quiet user:2")
    c.call("set empty 0 0 0", b"")
    c.call("set lines 0 0 14", b"END\r\nSTORED\r\nx")
    c.call("get lines")
    c.call("stats")
    c.call("stats items")
    c.call("stats reset")
    c.call("verbosity 0")
    c.call("slabs automove 0")
    c.call("lru_crawler metadump all")
    c.call("cache_memlimit 64")
    c.call("flush_all 0")
    c.say("quit")
    silent("quit")


def meta():
    c = Text()
    c.call("ms fruit 5 T60 F3", b"apple")
    c.call("mg fruit v f t k O77")
    c.call("mg fruit")
    c.call("mg fruit t s")
    c.call("mg nothing v")
    c.call("ms fruit 3 ME", b"fig")
    c.call("ms fruit 3 C1", b"fig")
    c.call("ms nothing 3 MA", b"fig")
    c.call("set n 0 0 1", b"5")
    c.call("ma n v")
    c.call("ma n MD D2")
    c.call("ma nothing")
    c.call("md nothing")
    c.call("md n")
    c.call("me fruit")
    c.call("me nothing")
    c.call("mg Zm9v b k v")
    # Silent ones: only what is worth it is answered, and then one that is not silent.
    c.say("mg fruit v q k O1\r\nmg nothing v q k O2\r\nmg fruit v q k O3\r\nmn")
    for op, key in (("mg", "fruit"), ("mg", "nothing"), ("mg", "fruit")):
        silent(op, key)
    for _ in range(2):
        _, key, status, hits, size = c.hear("mg fruit").split()
        print(status, key, status, hits, size, "one-way")
    print(c.hear("mn"))
    c.say("mg nothing v q O1\r\nmg fruit v q O2\r\nmg fruit v k O3")
    silent("mg", "nothing")
    silent("mg", "fruit")
    print("VA -", c.hear("mg -")[5:], "one-way")
    print(c.hear("mg fruit"))
    c.say("ms s 1 q", b"a")
    silent("ms", "s")
    c.call("mn")


def errors():
    c = Text()
    c.call("version")
    c.call("bogus")
    c.call("GET user:1")
    c.call("get")
    c.call("set user:1 0 0")
    c.call("incr user:1 many")
    c.call("set text 0 0 3", b"abc")
    c.call("incr text 1")
    c.call("get " + "k" * 251)
    c.call("delete text 5")
    c.call("stats nonsense")
    c.call("shutdown")
    c.call("mg")
    c.call("get text")


def pipelined():
    c = Text()
    c.call("version")
    lines = []
    for i in range(40):
        lines.append((f"set k{i} 0 0 {i}", b"v" * i))
        lines.append((f"get k{i} k{i + 1}", None))
        if i % 3 == 0:
            lines.append((f"delete k{i}", None))
    batch = b""
    for line, data in lines:
        batch += line.encode() + b"\r\n" + (data + b"\r\n" if data is not None else b"")
    c.s.sendall(batch)
    for line, _ in lines:
        print(c.hear(line))


def large():
    c = Text()
    c.call("set big 0 0 24000", b"0123456789" * 2400)
    c.call("get big")
    c.call("set small 0 0 1", b"s")
    c.call("get small big")
    c.call("get " + " ".join(f"a-rather-long-key-{i}" for i in range(60)))


def datagram(sock, ident, line):
    sock.send(struct.pack(">HHHH", ident, 0, 1, 0) + line.encode() + b"\r\n")
    got = sock.recv(65536)
    words = got[8:].split()
    op = line.split()[0]
    key = line.split()[1] if op in KEYED else "-"
    more = ""
    if words[0] == b"VALUE":
        more = f" {got.count(b'VALUE ')} {sum(int(w.split()[3]) for w in got[8:].splitlines() if w.startswith(b'VALUE '))}"
    print(op, key, words[0].decode() + more)


def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(ADDRESS)
    datagram(s, 1, "set u 0 0 4\r\ndata")
    datagram(s, 2, "get u")
    datagram(s, 3, "get nobody")
    datagram(s, 4, "version")
    datagram(s, 5, "bogus")
    datagram(s, 6, "stats")  # what amplifiers are asked for


NAMES = {0: "SUCCESS", 1: "KEY_ENOENT", 2: "KEY_EEXISTS", 3: "E2BIG", 4: "EINVAL", 5: "NOT_STORED", 6: "DELTA_BADVAL",
         0x20: "AUTH_ERROR", 0x81: "UNKNOWN_COMMAND", 0x82: "ENOMEM", 0x83: "NOT_SUPPORTED"}


class Binary:
    def __init__(self):
        self.s = socket.create_connection(ADDRESS)
        self.f = self.s.makefile("rb")

    def say(self, op, key=b"", extras=b"", value=b"", opaque=0):
        body = extras + key + value
        self.s.sendall(struct.pack(">BBHBBHIIQ", 0x80, op, len(key), len(extras), 0, 0, len(body), opaque, 0) + body)

    def hear(self):
        h = struct.unpack(">BBHBBHIIQ", self.f.read(24))
        body = self.f.read(h[6])
        return h[1], h[5], h[7], body[h[3]:h[3] + h[2]], body[h[3] + h[2]:]

    def call(self, name, op, key=b"", extras=b"", value=b"", opaque=0):
        self.say(op, key, extras, value, opaque)
        self.told(name, key)

    def told(self, name, key):
        while True:
            op, status, _, k, v = self.hear()
            if op != 0x10 or not k:
                break
        hit = f" 1 {len(v)}" if status == 0 and op in (0, 0x0c, 0x1d, 0x23) else ""
        print(name, key.decode() or "-", NAMES[status] + hit)


def binary():
    c = Binary()
    sets, counter = struct.pack(">II", 7, 0), struct.pack(">QQI", 1, 10, 0)
    c.call("version", 0x0b)
    c.call("set", 0x01, b"user:1", sets, b"alice", 1)
    c.call("get", 0x00, b"user:1", opaque=2)
    c.call("get", 0x00, b"nobody", opaque=3)
    c.call("getk", 0x0c, b"user:1", opaque=4)
    c.call("add", 0x02, b"user:1", sets, b"x", 5)
    c.call("replace", 0x03, b"user:9", sets, b"x")
    c.call("append", 0x0e, b"user:1", b"", b"!")
    c.call("prepend", 0x0f, b"user:1", b"", b"<")
    c.call("increment", 0x05, b"n", counter)
    c.call("decrement", 0x06, b"n", counter)
    c.call("increment", 0x05, b"user:1", counter)
    c.call("touch", 0x1c, b"n", struct.pack(">I", 60))
    c.call("gat", 0x1d, b"n", struct.pack(">I", 60))
    c.call("delete", 0x04, b"n")
    c.call("delete", 0x04, b"n", opaque=9)
    quiet = {100 + i: key for i, key in enumerate((b"user:1", b"nobody", b"user:1"))}
    for opaque, key in quiet.items():
        c.say(0x0d, key, opaque=opaque)
    c.say(0x11, b"quiet", sets, b"hush", 103)
    silent("setq", "quiet")
    c.say(0x0a, opaque=104)
    for _ in range(2):
        _, status, opaque, k, v = c.hear()
        assert quiet.pop(opaque) == k
        print("getkq", k.decode(), NAMES[status], 1, len(v))
    c.told("noop", b"")
    for key in quiet.values():  # what was not found
        silent("getkq", key.decode())
    for i in range(6):  # pipelined, with and without an opaque
        c.say(0x00, b"user:%d" % i, opaque=i // 2)
    for i in range(6):
        c.told("get", b"user:%d" % i)
    c.call("stat", 0x10, b"", opaque=200)
    c.call("sasl_list_mechs", 0x20)
    c.call("opcode_0x50", 0x50, opaque=201)
    c.call("set", 0x01, b"big", sets, b"x" * 8000, 202)
    c.call("get", 0x00, b"big", opaque=203)
    c.call("flush", 0x08, extras=struct.pack(">I", 0))
    c.call("quit", 0x07)


def concurrent():
    lock = threading.Lock()

    def one(n):
        c = Text()
        for i in range(6):
            for line, data in ((f"set t{n}:{i} 0 0 2", b"ab"), (f"get t{n}:{i}", None), (f"get t{n}:none", None)):
                c.say(line, data)
                got = c.hear(line)
                with lock:
                    print(got)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


globals()[sys.argv[1]]()
