"""As main.go.

peer.py server PORT CERT KEY
peer.py client PORT SERVER CLIENT METHOD
"""
import hashlib, socket, ssl, sys

mode, port, args = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
versions = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

def digest(b): return hashlib.sha256(b).hexdigest()[:16]

def message(f):
    """Reads the head of a message and its body: so long as it says, or up to the end."""
    first, length = f.readline().decode(), None
    while (line := f.readline()) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode().partition(":")
        if name.lower() == "content-length": length = int(value)
        if name.lower() == "transfer-encoding": length = -1
    if length == -1:
        body = b""
        while n := int(f.readline(), 16):
            body += f.read(n); f.readline()
        return first, body
    try:
        return first, f.read(length)
    except ssl.SSLError: # closed without saying so
        return first, b""

def server():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*args)
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            plain, (_, peer) = listener.accept()
            try:
                with context.wrap_socket(plain, server_side=True) as s, s.makefile("rwb") as f:
                    first, sent = message(f)
                    path = first.split()[1]
                    answer = ("answer to %s " % path).encode() * (1 + len(sent) % 97)
                    print(path, peer, flush=True)
                    f.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
                    f.flush()
            except OSError:
                pass # who only looks whether somebody listens

def client():
    name, own, method = args
    for version, number in versions.items():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = number
        session = None
        for how in ("new", "again"):
            path = "/%s/%s/%s/%s" % (name, own, version, how)
            sent = b"" if method == "GET" else path.encode() * (1 + len(path) * 7 % 31)
            with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), session=session) as s:
                head = "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" % (method, path)
                if sent: head += "Content-Length: %d\r\n" % len(sent)
                s.sendall(head.encode() + b"\r\n" + sent)
                first, received = message(s.makefile("rb"))
                assert " 200 " in first, (path, first)
                assert s.session_reused == (how == "again"), path
                print(path, s.getsockname()[1], how, digest(sent), digest(received), flush=True)
                session = s.session

server() if mode == "server" else client()
