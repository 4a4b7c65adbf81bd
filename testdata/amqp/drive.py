"""Drives an AMQP server at 127.0.0.1:5672 through one scenario and writes its calls, a line each:
operation, how it was answered ("-" when nothing answers, "?" where that is not known), channel, size of the body or "-",
and what it is about."""

import socket
import struct
import sys
import threading

import pika
from pika.exceptions import AMQPError

SERVER = dict(host="127.0.0.1", heartbeat=0)


def tell(operation, status, channel, body="-", about="-"):
    sys.stdout.write(f"{operation}\t{status}\t{channel}\t{body}\t{about or '-'}\n")


def connect(**options):
    conn = pika.BlockingConnection(pika.ConnectionParameters(**{**SERVER, **options}))
    tell("connection.start", "connection.start", 0)
    tell("connection.start-ok", "connection.tune", 0)
    tell("connection.tune-ok", "-", 0)
    tell("connection.open", "connection.open-ok", 0, about=options.get("virtual_host", "/"))
    return conn


def open_channel(conn):
    ch = conn.channel()
    tell("channel.open", "channel.open-ok", ch.channel_number)
    return ch


def hang_up(conn, channels):
    conn.close()
    for number in channels:
        tell("channel.close", "channel.close-ok", number, about="Normal shutdown")
    tell("connection.close", "connection.close-ok", 0, about="Normal shutdown")


def declare(ch, queue, **options):
    ch.queue_declare(queue, **options)
    tell("queue.declare", "queue.declare-ok", ch.channel_number, about=queue)


def publish(ch, exchange, key, body, **properties):
    ch.basic_publish(exchange, key, body, pika.BasicProperties(**properties))
    tell("basic.publish", "-", ch.channel_number, len(body), " ".join(filter(None, [exchange, key])))


def calls():
    """Every method that has an answer."""
    conn = connect()
    ch = open_channel(conn)
    n = ch.channel_number

    def did(name, about=""):
        tell(name, name + "-ok", n, about=about)

    ch.basic_qos(prefetch_count=10)
    did("basic.qos")
    ch.exchange_declare("orders", "topic", durable=True)
    did("exchange.declare", "orders topic")
    ch.exchange_declare("audit", "fanout")
    did("exchange.declare", "audit fanout")
    ch.exchange_bind("audit", "orders", "order.#")
    did("exchange.bind", "audit orders order.#")
    declare(ch, "billing", durable=True, arguments={"x-max-length": 1000})
    ch.queue_declare("", exclusive=True)
    did("queue.declare", "-")
    ch.queue_declare("billing", passive=True)
    did("queue.declare", "billing")
    ch.queue_bind("billing", "orders", "order.*")
    did("queue.bind", "billing orders order.*")
    ch.queue_unbind("billing", "orders", "order.*")
    did("queue.unbind", "billing orders order.*")
    ch.exchange_unbind("audit", "orders", "order.#")
    did("exchange.unbind", "audit orders order.#")
    ch.basic_recover(requeue=True)
    did("basic.recover")
    ch.tx_select()
    did("tx.select")
    publish(ch, "", "billing", b"in a transaction", delivery_mode=2)
    ch.tx_commit()
    did("tx.commit")
    publish(ch, "", "billing", b"taken back")
    ch.tx_rollback()
    did("tx.rollback")
    ch.queue_purge("billing")
    did("queue.purge", "billing")
    ch.queue_delete("billing")
    did("queue.delete", "billing")
    ch.exchange_delete("audit")
    did("exchange.delete", "audit")
    ch.exchange_delete("orders")
    did("exchange.delete", "orders")
    hang_up(conn, [n])


def content():
    """Messages that are published, delivered, acknowledged, rejected and fetched."""
    conn = connect(frame_max=4096)
    ch = open_channel(conn)
    n = ch.channel_number
    declare(ch, "work")
    for body, properties in [
        (b'{"id": 1}', dict(content_type="application/json", delivery_mode=2, headers={"trace": "abc", "n": 7})),
        (b"", {}),
        (b"plain", dict(content_type="text/plain", priority=3, correlation_id="c1", reply_to="answers", expiration="60000", message_id="m1", timestamp=1700000000, type="t", app_id="drive")),
        (b"x" * 20_000, dict(content_type="application/octet-stream")),
    ]:
        publish(ch, "", "work", body, **properties)
    ch.basic_qos(prefetch_count=5)
    tell("basic.qos", "basic.qos-ok", n)
    method, _, body = ch.basic_get("work")
    tell("basic.get", "basic.get-ok", n, len(body), "work")
    ch.basic_nack(method.delivery_tag, requeue=True)
    tell("basic.nack", "-", n, about="tag 1")
    seen = 0
    for method, _, body in ch.consume("work", inactivity_timeout=5):
        if seen == 0:
            tell("basic.consume", "basic.consume-ok", n, about="work")
        seen += 1
        tell("basic.deliver", "basic.reject" if seen == 2 else "basic.ack", n, len(body), "work")
        if seen == 1:
            ch.basic_ack(method.delivery_tag)
        if seen == 2:
            ch.basic_reject(method.delivery_tag, requeue=False)
        if seen == 4:
            ch.basic_ack(method.delivery_tag, multiple=True)
            break
    ch.cancel()
    tell("basic.cancel", "basic.cancel-ok", n, about="?")
    ch.basic_get("work")
    tell("basic.get", "basic.get-empty", n, about="work")
    hang_up(conn, [n])


def confirm():
    """Publishes in confirm mode: one by one, refused, and many at once on two channels."""
    conn = connect()
    ch = open_channel(conn)
    n = ch.channel_number
    declare(ch, "small", arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
    declare(ch, "large")
    ch.confirm_delivery()
    tell("confirm.select", "confirm.select-ok", n)
    for i in range(4):
        try:
            ch.basic_publish("", "small", b"body %d" % i)
            status = "basic.ack"
        except pika.exceptions.NackError:
            status = "basic.nack"
        tell("basic.publish", status, n, 6, "small")
    numbers = [n]
    channels = []
    for _ in range(2):
        # The blocking client waits for each confirmation; the one inside it does not.
        channel = open_channel(conn)
        numbers.append(channel.channel_number)
        channels.append(channel._impl)
        ready = []
        channel._impl.confirm_delivery(lambda frame: None, callback=ready.append)
        while not ready:
            conn.process_data_events(0.1)
        tell("confirm.select", "confirm.select-ok", channel.channel_number)
    for i in range(15):
        for channel in channels:
            channel.basic_publish("", "large", b"y" * (i * 100), pika.BasicProperties(delivery_mode=2))
            tell("basic.publish", "basic.ack", channel.channel_number, i * 100, "large")
    conn.process_data_events(1)
    hang_up(conn, numbers)


def errors():
    """What the server refuses."""

    def refused(status, operation, about, act):
        conn = connect()
        ch = open_channel(conn)
        try:
            act(ch)
        except AMQPError:
            pass
        tell(operation, status, ch.channel_number, about=about)
        tell("channel.close-ok", "-", ch.channel_number)
        hang_up(conn, [])

    refused("NOT_FOUND", "queue.declare", "nowhere", lambda ch: ch.queue_declare("nowhere", passive=True))
    refused("ACCESS_REFUSED", "exchange.declare", "amq.mine direct", lambda ch: ch.exchange_declare("amq.mine", "direct"))
    refused("PRECONDITION_FAILED", "exchange.declare", "amq.topic fanout", lambda ch: ch.exchange_declare("amq.topic", "fanout"))
    refused("NOT_FOUND", "basic.consume", "nowhere", lambda ch: ch.basic_consume("nowhere", print))

    conn = connect()
    ch = open_channel(conn)
    publish(ch, "nowhere", "key", b"lost")
    try:
        conn.process_data_events(1)
    except AMQPError:
        pass
    tell("channel.close", "NOT_FOUND", ch.channel_number, about="NOT_FOUND - no exchange 'nowhere' in vhost '/'")
    tell("channel.close-ok", "-", ch.channel_number)
    ch = open_channel(conn)
    ch.basic_publish("", "nowhere", b"returned", mandatory=True)
    tell("basic.publish", "-", ch.channel_number, 8, "nowhere")
    conn.process_data_events(1)
    tell("basic.return", "NO_ROUTE", ch.channel_number, 8, "nowhere")
    hang_up(conn, [ch.channel_number])

    for about, options in [("vhost", dict(virtual_host="nowhere")), ("login", dict(credentials=pika.PlainCredentials("guest", "wrong-password")))]:
        try:
            pika.BlockingConnection(pika.ConnectionParameters(**SERVER, **options))
        except AMQPError:
            pass
        tell("connection.start", "connection.start", 0)
        if about == "login":
            tell("connection.start-ok", "ACCESS_REFUSED", 0)
        else:
            tell("connection.start-ok", "connection.tune", 0)
            tell("connection.tune-ok", "-", 0)
            tell("connection.open", "NOT_ALLOWED", 0, about="nowhere")


def crowd():
    """Several clients at once, and a consumer whose queue is deleted under it."""

    def work(name):
        conn = connect()
        ch = open_channel(conn)
        n = ch.channel_number
        declare(ch, name, auto_delete=False)
        ch.confirm_delivery()
        tell("confirm.select", "confirm.select-ok", n)
        for i in range(6):
            ch.basic_publish("", name, b"z" * i)
            tell("basic.publish", "basic.ack", n, i, name)
        for i in range(6):
            _, _, body = ch.basic_get(name, auto_ack=True)
            tell("basic.get", "basic.get-ok", n, len(body), name)
        ch.basic_consume(name, print)
        tell("basic.consume", "basic.consume-ok", n, about=name)
        other = open_channel(conn)
        other.queue_delete(name)
        tell("queue.delete", "queue.delete-ok", other.channel_number, about=name)
        conn.process_data_events(1)
        tell("basic.cancel", "-", n, about="?")
        hang_up(conn, [n, other.channel_number])

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def settled():
    """Deliveries that are acknowledged in and out of order, several at once, refused, taken back or not to be acknowledged."""
    conn = connect()
    asked, silent = open_channel(conn), open_channel(conn)
    one, two = asked.channel_number, silent.channel_number
    declare(asked, "asked")
    declare(asked, "silent")
    for i in range(30):
        publish(asked, "", "asked", b"a" * i)
    for i in range(5):
        publish(asked, "", "silent", b"s" * i)
    asked.basic_qos(prefetch_count=0)
    tell("basic.qos", "basic.qos-ok", one)
    got = {one: [], two: []}
    asked.basic_consume("asked", lambda ch, method, _, body: got[one].append((method.delivery_tag, len(body), method.redelivered)), consumer_tag="worker")
    tell("basic.consume", "basic.consume-ok", one, about="asked")
    silent.basic_consume("silent", lambda ch, method, _, body: got[two].append((method.delivery_tag, len(body), method.redelivered)), auto_ack=True)
    tell("basic.consume", "basic.consume-ok", two, about="silent")
    while len(got[one]) < 30 or len(got[two]) < 5:
        conn.process_data_events(0.1)
    said = dict.fromkeys(range(1, 31), "-")

    def say(act, tag, **options):
        getattr(asked, act.replace(".", "_"))(tag, **options)
        for other in range(1, tag + 1) if options.get("multiple") else (tag,):
            if said[other] == "-":
                said[other] = act

    say("basic.ack", 3)
    say("basic.ack", 2)
    say("basic.reject", 5, requeue=False)
    say("basic.ack", 25, multiple=True)
    say("basic.nack", 27, multiple=True, requeue=False)
    say("basic.nack", 28, requeue=True)
    while len(got[one]) < 31:
        conn.process_data_events(0.1)
    said[31] = "-"
    say("basic.ack", 31)
    for tag, size, _ in got[one]:
        tell("basic.deliver", said[tag], one, size, "asked")
    for _, size, _ in got[two]:
        tell("basic.deliver", "-", two, size, "silent")
    for n in (one, two):  # whose closing ends its consumer
        tell("basic.cancel", "basic.cancel-ok", n, about="?")
    hang_up(conn, [one, two])


def flood():
    """Many publishes sent at once, some confirmed by one ack."""
    conn = connect()
    ch = open_channel(conn)
    n = ch.channel_number
    declare(ch, "flood")
    ready, confirmed = [], {}

    def confirm(frame):
        said = frame.method
        for tag in range(1, said.delivery_tag + 1) if said.multiple else (said.delivery_tag,):
            confirmed.setdefault(tag, said.NAME.lower())

    ch._impl.confirm_delivery(confirm, callback=ready.append)
    while not ready:
        conn.process_data_events(0.1)
    tell("confirm.select", "confirm.select-ok", n)
    for i in range(100):
        ch._impl.basic_publish("", "flood", b"w" * i)
    while len(confirmed) < 100:
        conn.process_data_events(0.1)
    for i in range(100):
        tell("basic.publish", confirmed[i + 1], n, i, "flood")
    hang_up(conn, [n])


def frame(kind, channel, payload):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def interleaved():
    """Frames of several channels one between the other's, and a connection that ends in the middle of a body."""
    conn = connect(frame_max=4096)
    one, two = open_channel(conn), open_channel(conn)
    two.confirm_delivery()
    tell("confirm.select", "confirm.select-ok", 2)
    declare(one, "mixed")
    raw = conn._impl._transport._sock if hasattr(conn._impl._transport, "_sock") else None
    if raw is None:
        raise SystemExit("this version of pika hides its socket")
    raw.setblocking(True)
    method = struct.pack(">HHH", 60, 40, 0) + b"\x00" + b"\x05mixed" + b"\x00"

    def head(size):
        return struct.pack(">HHQH", 60, 0, size, 0)

    sent = [
        frame(1, 1, method), frame(1, 2, method), frame(2, 2, head(3000)), frame(2, 1, head(2000)), frame(3, 1, b"a" * 1000),
        frame(3, 2, b"b" * 1000), frame(3, 2, b"b" * 1000), frame(3, 1, b"a" * 1000), frame(8, 0, b""), frame(3, 2, b"b" * 1000),
        frame(1, 1, method), frame(2, 1, head(2000)), frame(3, 1, b"c" * 1000), frame(3, 1, b"c" * 1000),
    ]
    raw.sendall(b"".join(sent))
    raw.setblocking(False)
    tell("basic.publish", "-", 1, 2000, "mixed")
    tell("basic.publish", "basic.ack", 2, 3000, "mixed")
    tell("basic.publish", "-", 1, 2000, "mixed")
    conn.process_data_events(1)
    for size in (2000, 3000, 2000):
        _, _, body = one.basic_get("mixed", auto_ack=True)
        tell("basic.get", "basic.get-ok", 1, len(body), "mixed")
    raw.setblocking(True)
    raw.sendall(frame(1, 1, method) + frame(2, 1, head(2000)) + frame(3, 1, b"d" * 1000)[:500])
    tell("basic.publish", "-", 1, 2000, "mixed")
    raw.shutdown(socket.SHUT_RDWR)


{f.__name__: f for f in (calls, content, confirm, errors, crowd, flood, interleaved, settled)}[sys.argv[1]]()
