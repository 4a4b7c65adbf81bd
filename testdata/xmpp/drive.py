"""Talks to the server as the scenario says and writes each call that was answered:
element, id of an iq, and how it was answered."""
import base64
import re
import socket
import ssl
import sys
import threading

lock = threading.Lock()


def say(*words):
    with lock:
        print(*words, flush=True)


class Session:
    def __init__(self):
        self.sock = socket.create_connection(("127.0.0.1", 5222))
        self.got = ""

    def send(self, text):
        self.sock.sendall(text.encode())

    def until(self, pattern):
        while not (found := re.search(pattern, self.got, re.S)):
            more = self.sock.recv(65536).decode()
            if not more:
                raise EOFError(self.got)
            self.got += more
        self.got = self.got[found.end():]
        return found

    def open(self, to="example.org"):
        self.send(f"<?xml version='1.0'?><stream:stream to='{to}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>")
        found = self.until(r"</stream:features>|<stream:features/>|<stream:error>.*?</stream:error>")
        say("stream", "features" if "features" in found.group() else re.search("<stream:error><([a-z-]+)", found.group()).group(1))

    def auth(self, user, password="s3cret"):
        secret = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        self.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>")
        found = self.until(r"<success[^>]*/>|<failure.*?</failure>").group()
        say("auth", "success" if "success" in found else re.search(r"<([a-z-]+)/>", found).group(1))

    def iq(self, number, kind, payload, to=""):
        to = to and f" to='{to}'"
        self.send(f"<iq type='{kind}' id='{number}'{to}>{payload}</iq>")

    def told(self, *numbers):
        for number in numbers:
            found = self.until(rf"<iq [^>]*id='{number}'[^>]*>").group()
            kind = re.search(r"type='(\w+)'", found).group(1)
            if kind == "error":
                kind = self.until(r"<error[^>]*><([a-z-]+)").group(1)
            say("iq", number, kind)

    def ask(self, *args, **more):
        self.iq(*args, **more)
        self.told(args[0])

    def login(self, user):
        self.open()
        self.auth(user)
        self.open()
        self.ask("bind1", "set", f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{user}s</resource></bind>")

    def close(self):
        self.send("</stream:stream>")
        self.until("</stream:stream>")
        self.sock.close()


def session():
    ann, bob = Session(), Session()
    ann.login("ann")
    bob.login("bob")
    ann.send(" \n")
    ann.send("<presence/>")
    ann.ask("r1", "get", "<query xmlns='jabber:iq:roster'/>")
    bob.send("<presence><status>a &lt; b > c</status></presence>")
    bob.ask("r2", "set", "<query xmlns='jabber:iq:roster'><item jid='ann@example.org' name='O&apos;Ann'/></query>")
    ann.send("<message to='bob@example.org/bobs' type='chat' id='m1'><body>hello &amp; <![CDATA[</message> ]]></body></message>")
    bob.until("</message>")
    text = "<x xmlns='private'>" + "<y z='/>'>0123456789</y>" * 400 + "</x>"
    ann.ask("big1", "set", f"<query xmlns='jabber:iq:private'>{text}</query>")
    ann.ask("big2", "get", "<query xmlns='jabber:iq:private'><x xmlns='private'/></query>")
    bob.send(f"<message to='ann@example.org/anns' id='m2'><body>{'x' * 9000}</body></message>")
    ann.until("</message>")
    for i in range(5):
        ann.iq(f"p{i}", "get", "<ping xmlns='urn:xmpp:ping'/>", to="example.org")
    ann.told(*(f"p{i}" for i in range(5)))
    bob.close()
    ann.close()


def errors():
    s = Session()
    s.open()
    s.auth("ann", "wrong")
    s.auth("ann")
    s.open()
    s.ask("b", "set", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>")
    s.ask("u", "get", "<query xmlns='no:such:thing'/>")
    s.ask("n", "get", "<query xmlns='jabber:iq:version'/>", to="nobody@example.org/x")
    s.send("<message to='nobody@example.org' type='normal' id='lost'><body>hi</body></message>")
    s.until("</message>")
    s.close()
    s = Session()
    s.open("elsewhere.example")


def secured():
    s = Session()
    s.open()
    s.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    s.until("<proceed[^>]*/>")
    say("starttls proceed")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    s.sock = context.wrap_socket(s.sock)
    s.sock.close()


def one(number):
    s = Session()
    s.open()
    s.auth("ann")
    s.open()
    s.ask("b", "set", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>")
    for i in range(4):
        s.ask(f"t{i}", "get", "<time xmlns='urn:xmpp:time'/>", to="example.org")
    s.close()


def concurrent():
    threads = [threading.Thread(target=one, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


globals()[sys.argv[1]]()
