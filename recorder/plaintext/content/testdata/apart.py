"""A server and a client of HTTPS of asyncio, that say what they did in a line of JSON for each request.

apart.py server PORT CERT KEY
apart.py client PORT CERT VERSION
"""
import asyncio, hashlib, json, ssl, sys

mode, port, cert, how = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]

def digest(b): return hashlib.sha256(b).hexdigest()[:16]
def body(n): return (b"body %d " % n) * (n * 7919 % (30000 if n % 10 == 9 else 300))
def end(pair): return "%s:%d" % pair

async def message(reader):
    """Reads the head of a message and its body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    length = next(int(line.split(":")[1]) for line in head if line.lower().startswith("content-length"))
    return head[0], await reader.readexactly(length)

async def serve(reader, writer):
    try:
        while True:
            line, sent = await message(reader)
            answer = body(len(sent) + 7)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
            await writer.drain()
            print(json.dumps(dict(Request=line.rsplit(" ", 1)[0], Sent=digest(sent), Received=digest(answer),
                                  Local=end(writer.get_extra_info("peername")), Remote=end(writer.get_extra_info("sockname")))), flush=True)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def connection(context, name, requests):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    for i in range(requests):
        path, sent = "/%s/%d" % (name, i), body(10 * i + len(name) + 1)
        writer.write(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(sent)) + sent)
        _, answer = await message(reader)
        print(json.dumps(dict(Request="POST " + path, Sent=digest(sent), Received=digest(answer),
                              Local=end(writer.get_extra_info("sockname")), Remote=end(writer.get_extra_info("peername")))), flush=True)
    writer.close()
    await writer.wait_closed()

async def main():
    if mode == "server":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, how)
        async with await asyncio.start_server(serve, "127.0.0.1", port, ssl=context) as s:
            await s.serve_forever()
    context = ssl.create_default_context(cafile=cert)
    context.minimum_version = context.maximum_version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[how]
    await asyncio.gather(*(connection(context, "c" * (n + 1), 5) for n in range(6)))

asyncio.run(main())
