"""Server and client of the recordings: peer.py server KIND PORT, peer.py client KIND PORT SCENARIO.

KIND is binary, compact, framed, framedcompact, header or zlib. The client prints a line
for every call: method, how it was answered, and the text of an exception.
"""
import sys

from thrift.protocol import TBinaryProtocol, TCompactProtocol, THeaderProtocol
from thrift.server import TServer
from thrift.Thrift import TApplicationException
from thrift.TMultiplexedProcessor import TMultiplexedProcessor
from thrift.transport import TSocket, TTransport
from thrift.transport.THeaderTransport import THeaderTransformID

from shop import More, Shop
from shop.ttypes import Item, SoldOut

CODES = {1: "UNKNOWN_METHOD", 6: "INTERNAL_ERROR"}
ITEM = dict(price=9.5, tags=["a", "bc"], stock={"here": 1 << 40, "there": -3}, active=True, sizes={1, 300}, image=b"\x00\x80")


class Handler:
    def ping(self):
        pass

    def add(self, a, b):
        return a + b

    def get(self, name):
        if name == "nothing":
            raise SoldOut(item="nothing is left", left=0)
        if name == "large":
            return Item(name="x" * 30000, tags=["t" * 2000] * 5)
        return Item(name=name, part=Item(name="part"), **ITEM)

    def all(self, count):
        return [Item(name="item%d" % i, **ITEM) for i in range(count)]

    def put(self, item, flags, parts):
        pass

    def fail(self, why):
        raise ValueError(why)

    def log(self, line):
        pass


def transport_and_protocol(kind):
    if kind in ("header", "zlib"):
        return None, THeaderProtocol.THeaderProtocolFactory()
    protocol = TBinaryProtocol.TBinaryProtocolFactory()
    if "compact" in kind:
        protocol = TCompactProtocol.TCompactProtocolFactory()
    transport = TTransport.TFramedTransportFactory() if "framed" in kind else TTransport.TBufferedTransportFactory()
    return transport, protocol


def serve(kind, port):
    transport, protocol = transport_and_protocol(kind)
    processor = TMultiplexedProcessor()
    processor.registerProcessor("Shop", Shop.Processor(Handler()))
    processor.registerDefault(Shop.Processor(Handler()))
    socket = TSocket.TServerSocket("127.0.0.1", port)
    server = TServer.TThreadedServer(processor, socket, transport or TTransport.TTransportFactoryBase(), protocol, daemon=True)
    server.serve()


def call(name, f, *args):
    try:
        f(*args)
        print(name, "OK")
    except TApplicationException as e:
        print(name, CODES.get(e.type, e.type), e.message)
    except SoldOut as e:
        print(name, "exception 1", e.item)


def scenario_all(c, _):
    call("ping", c.ping)
    call("add", c.add, 3, -5)
    call("get", c.get, "lamp")
    call("get", c.get, "nothing")
    call("all", c.all, 3)
    call("all", c.all, 0)
    item = Item(name="chair", part=Item(name="leg"), **ITEM)
    call("put", c.put, item, [True, False] * 10, {1: item, 2: Item()})
    call("fail", c.fail, "it must")
    c.log("a line")
    print("log oneway")
    call("nothing", c.nothing)
    call("ping", c.ping)


def scenario_large(c, _):
    call("put", c.put, Item(name="y" * 20000, image=b"\x82" * 7000), [True] * 3000, {})
    call("get", c.get, "large")
    call("add", c.add, 1, 1)
    c.log("z" * 3000)
    print("log oneway")


def scenario_pipelined(c, transport):
    for i in range(12):
        c.send_get("nothing" if i % 4 == 3 else "item%d" % i)
        c.send_add(i, i)
    for i in range(12):
        call("get", c.recv_get)
        call("add", c.recv_add)


def ask(kind, port, scenario):
    socket = TSocket.TSocket("127.0.0.1", port)
    transport, protocol = transport_and_protocol(kind)
    if transport is None:
        p = protocol.getProtocol(socket)
        if kind == "zlib":
            p.trans.add_transform(THeaderTransformID.ZLIB)
    else:
        p = protocol.getProtocol(transport.getTransport(socket))
    p.trans.open()
    {"all": scenario_all, "large": scenario_large, "pipelined": scenario_pipelined}[scenario](More.Client(p), p.trans)
    p.trans.close()


if sys.argv[1] == "server":
    serve(sys.argv[2], int(sys.argv[3]))
else:
    ask(sys.argv[2], int(sys.argv[3]), sys.argv[4])
