"""Drives a server with kazoo, and prints a line for every call as the other client does."""
import sys
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, BadVersionError, NoNodeError

CODES = {BadVersionError: "BADVERSION", NoNodeError: "NONODE"}
zk = KazooClient(hosts=sys.argv[1], auth_data=[("digest", "carol:secret")])


def call(name, path, f, more=lambda r: ""):
    try:
        print(name, path, "OK" + more(f()))
    except KazooException as e:
        print(name, path, CODES[type(e)])


zk.start()
zk.add_auth("digest", "dave:secret")
print("connect - OK")
print("auth digest OK")
print("auth digest OK")
call("create", "/kazoo", lambda: zk.create("/kazoo", b"12345"), lambda r: " " + r)
call("setData", "/kazoo", lambda: zk.set("/kazoo", b"123", 0), lambda s: " v%d" % s.version)
call("setData", "/kazoo", lambda: zk.set("/kazoo", b"1", 5))
call("getData", "/kazoo", lambda: zk.get("/kazoo"), lambda r: " %d v%d" % (len(r[0]), r[1].version))
call("getData", "/missing", lambda: zk.get("/missing"))
t = zk.transaction()
t.check("/kazoo", 1)
t.set_data("/kazoo", b"")
t.delete("/missing")
failed = next(r for r in t.commit() if type(r) in CODES)
print("multi -", CODES[type(failed)])
zk.stop()
print("closeSession - OK")
