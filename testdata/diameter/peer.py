# A Diameter peer (RFC 6733) of one connection, that says what it did: a line for each
# request that it sent or answered, with its own port, the command, the application,
# the end-to-end identifier and the result.
#
#   peer.py IDENTITY REALM PORT SCENARIO [LABEL]
#
# The lines go to standard output. LABEL stands there instead of the port. A scenario
# named serve answers until the connection ends; serve-rar asks for itself too.
import random, socket, struct, sys, threading, time

identity, realm, port, scenario = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
V3GPP = 10415
host = '127.0.0.1' if len(sys.argv) > 5 or scenario == 'huge' else '10.0.9.9'
random.seed(identity + scenario)

def avp(code, value, vendor=0, flags=0x40):
    if isinstance(value, int): value = struct.pack('>I', value)
    if isinstance(value, str): value = value.encode()
    head = struct.pack('>II', code, (flags | (0x80 if vendor else 0)) << 24 | len(value) + (12 if vendor else 8))
    if vendor: head += struct.pack('>I', vendor)
    return head + value + bytes(-len(value) % 4)

def message(flags, command, app, hop, end, avps):
    return struct.pack('>IIIII', 1 << 24 | 20 + len(avps), flags << 24 | command, app, hop, end) + avps

def parse(b):
    out = {}
    while b:
        code, word = struct.unpack('>II', b[:8])
        n, start = word & 0xffffff, 12 if word >> 31 else 8
        out.setdefault(code, []).append(b[start:n])
        b = b[n + -n % 4:]
    return out

origin = avp(264, identity) + avp(296, realm)
sock = socket.create_connection((host, port)) if scenario != 'listen' else None
if scenario == 'listen':
    l = socket.create_server(('127.0.0.1', port))
    sock, _ = l.accept()
sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
label = sys.argv[5] if len(sys.argv) > 5 else str(sock.getsockname()[1])
lock, told, waiting, opened = threading.Lock(), [], {}, threading.Event()
hops = iter(range(random.getrandbits(30), 1 << 32))

def tell(what, command, app, end, result):
    with lock: told.append(f'{label} {what} {command} {app} {end} {result}')

def send(b):
    with lock: sock.sendall(b)

def ask(command, app, avps, flags=0xc0, wait=True):
    hop, end = next(hops), random.getrandbits(32)
    w = waiting[hop] = [threading.Event(), command, app, end]
    send(message(flags, command, app, hop, end, avps))
    if wait and not w[0].wait(10): sys.exit('no answer to %d' % command)
    return w

def result_of(avps):
    if 268 in avps: return struct.unpack('>I', avps[268][0])[0]
    if 297 in avps: return struct.unpack('>I', parse(avps[297][0])[298][0])[0]
    return '-'

def answer(flags, command, app, hop, end, avps):
    user = avps.get(1, [b''])[0].decode()
    body = b''.join(avp(263, s) for s in avps.get(263, []))
    code = avp(268, 2001)
    if user.startswith('unknown'): code = avp(297, avp(266, V3GPP) + avp(298, 5001))
    if user.startswith('busy'): code = avp(268, 4002)
    if user.startswith('code '): code = avp(268, int(user[5:]))
    extra = b''
    if user.startswith('missing'):
        code, extra = avp(268, 5005), avp(281, 'Where is it?', flags=0) + avp(279, avp(283, 'a') + avp(1032, 0, V3GPP) + avp(9999, 'x'))
    if user.startswith('large'): extra = avp(25, bytes(8000))
    if command == 257:
        body, extra = b'', avp(257, b'\0\1\x7f\0\0\1') + avp(266, 0) + avp(269, 'peer.py', flags=0) + avp(258, 0xffffffff)
    if command in (271, 272): extra += b''.join(avp(c, v) for c in (416, 415, 480, 485) for v in avps.get(c, []))
    body += code + origin + extra + (avp(1, user) if user and command != 257 else b'')
    send(message(flags & 0x40, command, app, hop, end, body))
    tell('answered', command, app, end, result_of(parse(body)))

def listen():
    f = sock.makefile('rb')
    while True:
        head = f.read(20)
        if len(head) < 20: break
        n, command, app, hop, end = struct.unpack('>IIIII', head)
        flags, command, n = command >> 24, command & 0xffffff, n & 0xffffff
        avps = parse(f.read(n - 20))
        if flags & 0x80:
            answer(flags, command, app, hop, end, avps)
            if command == 282: break
        else:
            w = waiting.pop(hop)
            tell('asked', w[1], w[2], w[3], result_of(avps))
            w[0].set()
    opened.set()

def session(n): return avp(263, f'{identity};1;{n}')

def capabilities():
    apps = b''.join(avp(258, a) for a in (1, 4, 6)) + avp(259, 3) + b''.join(avp(260, avp(266, V3GPP) + avp(258, a)) for a in (16777238, 16777251))
    ask(257, 0, origin + avp(257, b'\0\1\x7f\0\0\1') + avp(266, 0) + avp(269, 'peer.py', flags=0) + avp(265, V3GPP) + apps, flags=0x80)

def to(host=None): return origin + (avp(293, host) if host else b'') + avp(283, 'example.org')

def credit(n, app, kind, number, user, extra=b'', flags=0xc0, host=None, wait=True):
    context = avp(461, '32251@3gpp.org') if app == 4 else b''
    who = avp(1, user) if user else b''
    return ask(272, app, session(n) + to(host) + avp(258, app) + context + avp(416, kind) + avp(415, number) + who +
        avp(443, avp(450, 1) + avp(444, '001010000000001')) + avp(443, avp(450, 0) + avp(444, '4915100000001')) + extra, flags, wait)

def calls():
    capabilities()
    time.sleep(.5)
    for kind, number in ((1, 0), (2, 1), (2, 2), (3, 3)):
        credit(1, 4, kind, number, None)
    credit(2, 16777238, 1, 0, 'alice@example.org', host='pcrf.example.org')
    credit(3, 4, 4, 0, 'bob')
    ask(265, 1, session(4) + to() + avp(258, 1) + avp(274, 1) + avp(1, 'carol') + avp(2, 'opensesame'))
    for kind, number in ((2, 0), (3, 1), (4, 2)):
        ask(271, 3, session(5) + to() + avp(480, kind) + avp(485, number) + avp(259, 3) + avp(1, 'dave'))
    ask(275, 1, session(4) + to() + avp(258, 1) + avp(295, 1))

def errors():
    capabilities()
    credit(1, 4, 1, 0, 'unknown user')
    credit(2, 4, 1, 0, 'busy user')
    credit(3, 4, 1, 0, 'missing AVP')
    for code in (1001, 2002, 4010, 5012, 5999): credit(code, 4, 4, 0, f'code {code}')
    credit(4, 4, 1, 0, 'again', flags=0xd0)
    ask(272, 4, session(5) + origin + avp(283, 'nowhere.example.com') + avp(258, 4) + avp(461, 'x') + avp(416, 1) + avp(415, 0))
    ask(316, 16777251, session(6) + to() + avp(277, 1) + avp(1, '001010000000001') + avp(1405, 34, V3GPP) + avp(1407, b'\0\xf1\x10', V3GPP))
    ask(265, 1, session(7) + to())

def large():
    capabilities()
    credit(1, 4, 4, 0, 'large answer')
    credit(2, 4, 4, 0, 'alice', avp(25, bytes(9000)))
    credit(3, 4, 4, 0, 'large both', avp(25, bytes(5000)))

def huge():
    capabilities()
    credit(1, 4, 4, 0, 'alice', avp(25, bytes(66000)) + avp(1, 'behind what is looked at'))
    credit(2, 4, 4, 0, 'bob')

def concurrent():
    capabilities()
    users = ['alice', 'unknown', 'busy', 'large']
    w = [credit(n, 4, 4, 0, users[n % 4] if n % 4 < 3 or n < 4 else 'bob', avp(25, bytes(n * 40)), wait=False) for n in range(30)]
    for x in w:
        if not x[0].wait(10): sys.exit('no answer')

reader = threading.Thread(target=listen)
reader.start()
if scenario in ('serve', 'serve-rar'):
    capabilities()
    print('ready', file=sys.stderr, flush=True)
    if scenario == 'serve-rar':
        sys.stdin.readline()
        for n, (command, app, more) in enumerate(((258, 16777238, avp(285, 0)), (274, 1, b''), (258, 4, avp(285, 1)))):
            ask(command, app, avp(263, f'client.example.net;1;{n}') + origin + avp(293, 'client.example.net') + avp(283, 'example.net') + avp(258, app) + more)
        print('asked', file=sys.stderr, flush=True)
    reader.join()
elif scenario == 'listen':
    reader.join()
else:
    globals()[scenario]()
    if scenario == 'calls':
        print('done', file=sys.stderr, flush=True)
        sys.stdin.readline()
        time.sleep(.3)
    ask(282, 0, origin + avp(273, 0), flags=0x80)
    sock.close()
reader.join()
print('\n'.join(told))
