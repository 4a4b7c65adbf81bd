"""Drives the Redis on port 6379 of this host: client.py SCENARIO. It writes what it was told,
a line a call: command, kind of the reply, OK or QUEUED or the first word of the error in it,
the sizes in bytes of command and last reply, and how many replies came before that one; one
for each message that came without having been asked for, with its channel, and for each
command that is not answered."""
import socket
import sys
import threading

lock = threading.Lock()


def tell(*words):
    with lock:
        print(*words, flush=True)


class Client:
    def __init__(self):
        self.sock = socket.create_connection(('127.0.0.1', 6379))
        self.file = self.sock.makefile('rb')
        self.taken = 0

    def line(self):
        b = self.file.readline()
        if not b:
            raise EOFError
        self.taken += len(b)
        return b[:-2].decode('latin-1')

    def bytes(self, n):
        b = self.file.read(n + 2)
        self.taken += n + 2
        return b[:-2]

    def value(self):
        """Reads a value and returns its kind, what is told of it, and its elements."""
        line = self.line()
        kind, rest = line[0], line[1:]
        if kind == '+':
            return 'status', rest, None
        if kind == '-':
            return 'error', rest.split()[0], None
        if kind == ':':
            return 'integer', rest, int(rest)
        if kind == '_':
            return 'null', '-', None
        if kind == '#':
            return 'boolean', rest, None
        if kind == ',':
            return 'double', rest, None
        if kind == '(':
            return 'number', rest, None
        n = int(rest)
        if n < 0:
            return 'null', '-', None
        if kind in '$=!':
            b = self.bytes(n)
            return ('error', b.split()[0].decode(), None) if kind == '!' else ('string', n, b)
        if kind in '%|':
            n *= 2
        kinds = {'*': 'array', '~': 'set', '>': 'push', '%': 'map', '|': 'attribute'}
        items = [self.value() for _ in range(n)]
        if kind == '|':
            return self.value()
        for item in items:
            if item[0] == 'error':
                return 'error-in-' + kinds[kind], item[1], items
        return kinds[kind], int(rest), items

    def read(self):
        self.taken = 0
        kind, what, items = self.value()
        return kind, what, items, self.taken

    def unasked(self):
        """Reads a message that nobody asked for."""
        _, _, items, size = self.read()
        words = [i[2].decode() for i in items if i[0] == 'string']
        tell(words[0].upper(), 'message', words[-2] if len(words) > 2 else words[1] if len(words) > 1 else '-', 0, size)

    def send(self, *args):
        self.sock.sendall(pack(*args))

    def answer(self, name, sent, replies=1):
        for _ in range(replies):
            kind, what, _, size = self.read()
        if kind != 'error' and not kind.startswith('error-in-') and what != 'QUEUED':
            what = 'OK'
        tell(name, kind.removeprefix('error-in-'), what, sent, size, *(['after', replies - 1] if replies > 1 else []))

    def call(self, *args, replies=1):
        b = pack(*args)
        self.sock.sendall(b)
        self.answer(args[0].upper(), len(b), replies)


def pack(*args):
    out = [b'*%d\r\n' % len(args)]
    for a in args:
        a = a if isinstance(a, bytes) else str(a).encode()
        out.append(b'$%d\r\n%s\r\n' % (len(a), a))
    return b''.join(out)


def commands():
    c = Client()
    for args in [
        ('PING',), ('PING', 'hello'), ('ECHO', 'a word'), ('SET', 'a', '1'), ('GET', 'a'), ('GET', 'none'), ('INCRBY', 'a', '41'),
        ('SET', 'a', '2', 'NX'), ('set', 'b', b'\x00\xff\r\n', 'EX', '60'), ('Get', 'b'), ('TTL', 'b'), ('EXISTS', 'a', 'b', 'c'), ('DEL', 'b', 'c'),
        ('HSET', 'h', 'x', '1', 'y', '2'), ('HGETALL', 'h'), ('HGET', 'h', 'x'), ('HMGET', 'h', 'x', 'z'), ('LPUSH', 'l', '1', '2', '3'),
        ('LRANGE', 'l', '0', '-1'), ('LPOP', 'none'), ('SADD', 's', 'p', 'q'), ('SMEMBERS', 's'), ('ZADD', 'z', '1.5', 'p', '2', 'q'),
        ('ZRANGE', 'z', '0', '-1', 'WITHSCORES'), ('ZSCORE', 'z', 'p'), ('XADD', 'x', '1-1', 'k', 'v'), ('XRANGE', 'x', '-', '+'),
        ('XREAD', 'COUNT', '2', 'STREAMS', 'x', '0'), ('SCAN', '0', 'COUNT', '100'), ('TYPE', 'z'), ('SETRANGE', 'r', '5', 'end'), ('APPEND', 'r', ''),
        ('BLPOP', 'none', '0.05'), ('EVAL', "return {KEYS[1], ARGV[1], 3}", '1', 'a', 'b'), ('EVAL', "return redis.status_reply('FINE')", '0'),
        ('MSET', 'm1', '1', 'm2', ''), ('MGET', 'm1', 'm2', 'm3'), ('OBJECT', 'ENCODING', 'a'), ('CLIENT', 'SETNAME', 'shop'), ('CLIENT', 'GETNAME'),
        ('SELECT', '1'), ('DBSIZE',), ('SELECT', '0'), ('GEOADD', 'g', '13.36', '38.11', 'P'), ('GEOPOS', 'g', 'P', 'Q'), ('PFADD', 'p', 'a'), ('RENAME', 'm1', 'm9'),
    ]:
        c.call(*args)
    c.call('HELLO', '3')
    for args in [
        ('HGETALL', 'h'), ('SMEMBERS', 's'), ('ZSCORE', 'z', 'p'), ('GET', 'none'), ('EVAL', 'redis.setresp(3); return true', '0'), ('ZRANGE', 'z', '0', '-1', 'WITHSCORES'),
        ('LPOP', 'none', '2'), ('XREAD', 'STREAMS', 'x', '0'), ('EVAL', "redis.setresp(3); return {double=3.25}", '0'),
        ('EVAL', "return {map={a=1}}", '0'), ('EVAL', "return {big_number='12345678901234567890123'}", '0'), ('LOLWUT', 'VERSION', '0'), ('DEBUG', 'PROTOCOL', 'attrib'), ('DEBUG', 'PROTOCOL', 'verbatim'),
    ]:
        c.call(*args)
    c.call('RESET')
    c.call('QUIT')


def errors():
    c = Client()
    for args in [
        ('SET', 'e', 'text'), ('NOSUCH', 'word'), ('GET',), ('INCR', 'e'), ('LPUSH', 'e', '1'), ('SET', 'e', '1', 'XX', 'NX'), ('EVALSHA', '0' * 40, '0'),
        ('EVAL', 'return redis.error_reply("MINE all wrong")', '0'), ('EVAL', 'syntax(', '0'), ('AUTH', 'shop', 'wrong'), ('HELLO', '9'), ('SELECT', '99'), ('OBJECT', 'ENCODING', 'none'),
        ('XADD', 'x', '0-0', 'k', 'v'), ('RESTORE', 'r', '0', 'junk'), ('EXEC',), ('CONFIG', 'SET', 'maxmemory', 'much'), ('XGROUP', 'CREATE', 'nokey', 'g', '$'), ('GEOADD', 'g', '500', '1', 'P'),
        ('EVAL', "return {1, {err='DEEP one'}}", '0'),
        ('MULTI',), ('INCR', 'e'), ('SET', 'f', '1'), ('EXEC',), ('MULTI',), ('GET',), ('EXEC',), ('MULTI',), ('SET', 'f', '1'), ('DISCARD',), ('WATCH', 'f'), ('SET', 'f', '2'), ('MULTI',), ('GET', 'f'), ('EXEC',),
        ('ACL', 'SETUSER', 'poor', 'on', '>hidden', '+get', '~own:*'), ('AUTH', 'poor', 'hidden'), ('SET', 'own:1', '1'), ('GET', 'f'), ('GET', 'own:1'),
    ]:
        c.call(*args)
    # What is no command ends the connection, after the complaint.
    c = Client()
    c.call('PING')
    c.sock.sendall(b'*1\r\n+PING\r\n')
    c.read()


def large():
    c = Client()
    c.call('SET', 'large', b'v' * 6000)
    c.call('GET', 'large')
    c.call('STRLEN', 'large')
    c.call('GETRANGE', 'large', '0', '511')
    c.call('GETRANGE', 'large', '0', '512')
    c.call('GETRANGE', 'large', '0', '4095')
    c.call('GETRANGE', 'large', '0', '4096')
    c.call('RPUSH', 'list', *range(500))
    c.call('LRANGE', 'list', '0', '-1')
    c.call('LRANGE', 'list', '0', '-2')
    c.call('MSET', *[w for i in range(30) for w in ('key:%d' % i, 'w' * 100)])
    c.call('MGET', *['key:%d' % i for i in range(40)])
    c.call('HSET', 'hash', 'f' * 600, 'v' * 700)
    c.call('HGETALL', 'hash')
    c.call('SET', 'k' * 300, 'v')
    c.call('EVAL', 'return {{{{{{1}}}}}, ARGV[1]}', '0', b'\r\n$5\r\n' * 100)
    c.call('EVAL', 'local t = {} for i = 1, 300 do t[i] = {i, "x"} end return t', '0')
    c.call('PING')


def pipelined():
    c = Client()
    batch = []
    for i in range(18):
        batch += [('SET', 'p%d' % i, 'x' * i), ('GET', 'p%d' % i), ('INCR', 'p0' if i % 7 else 'n'), ('LRANGE', 'list', 0, i)]
    batch += [('MULTI',), ('SET', 'q', '1'), ('GET', 'q'), ('EXEC',), ('PING',)]
    c.sock.sendall(b''.join(pack(*args) for args in batch))
    for args in batch:
        c.answer(args[0], len(pack(*args)))
    # Lines of words, by one write too.
    lines = [b'PING\r\n', b'  set  inline   word\r\n', b'get inline\n', b'nosuch\r\n', b'EXISTS inline none\r\n']
    c.sock.sendall(b''.join(lines))
    for line in lines:
        c.answer(line.split()[0].upper().decode(), len(line))
    # Commands without an answer.
    for args in [('CLIENT', 'REPLY', 'SKIP'), ('SET', 'u', '1')]:
        c.send(*args)
        tell(args[0], 'unanswered', '-', len(pack(*args)), 0)
    c.call('GET', 'u')
    for args in [('CLIENT', 'REPLY', 'OFF'), ('SET', 'u', '2'), ('INCR', 'u')]:
        c.send(*args)
        tell(args[0], 'unanswered', '-', len(pack(*args)), 0)
    c.call('CLIENT', 'REPLY', 'ON')
    c.call('GET', 'u')


def subscribed():
    c, p = Client(), Client()
    c.call('SUBSCRIBE', 'news', 'sport', replies=2)
    c.call('PSUBSCRIBE', 'n*')
    p.call('PUBLISH', 'news', 'one')
    c.unasked()
    c.unasked()
    c.call('PING')
    p.call('PUBLISH', 'sport', 'two')
    c.unasked()
    c.call('UNSUBSCRIBE', 'sport')
    p.call('PUBLISH', 'sport', 'three')
    c.call('UNSUBSCRIBE')
    c.call('PUNSUBSCRIBE')
    c.call('UNSUBSCRIBE')
    c.call('GET', 'none')
    c.call('HELLO', '3')
    c.call('SUBSCRIBE', 'news')
    p.call('PUBLISH', 'news', 'm' * 2000)
    c.unasked()
    c.call('SET', 'k', 'v')
    c.call('CLIENT', 'TRACKING', 'ON')
    c.call('GET', 'k')
    p.call('SET', 'k', 'w')
    c.unasked()
    c.call('SSUBSCRIBE', 'shard')
    p.call('SPUBLISH', 'shard', 'four')
    c.unasked()
    c.call('SUNSUBSCRIBE')
    c.call('UNSUBSCRIBE', 'news', 'other', replies=2)
    p.call('PING')


def concurrent():
    def run(i):
        c = Client()
        for j in range(5):
            c.call('SET', 'c%d:%d' % (i, j), 'x' * (7 * i + j))
            c.call('GET', 'c%d:%d' % (i, j))
            c.call('INCR', 'shared' if j % 5 else 'c%d:1' % i)
    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


globals()[sys.argv[1]]()
