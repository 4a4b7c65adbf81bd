"""Asks a server four times: TLS 1.2 and 1.3, a new session and the same one resumed.

Prints each path that was answered with 200, and "resumed" if the session was."""
import socket
import ssl
import sys

port, prefix = int(sys.argv[1]), sys.argv[2]

def ask(context, path, session=None):
    with socket.create_connection(("127.0.0.1", port)) as plain:
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            try:
                while chunk := s.recv(65536):
                    answer += chunk
            except (ssl.SSLError, ConnectionError):
                pass  # some servers close without saying so
            if not answer.startswith(b"HTTP/1.1 200") and not answer.startswith(b"HTTP/1.0 200"):
                raise SystemExit(f"{path}: {answer!r}")
            print(path, "resumed" if s.session_reused else "new", flush=True)
            return s.session

for name, version in (("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3)):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    session = ask(context, f"{prefix}/{name}/new")
    ask(context, f"{prefix}/{name}/again", session)
