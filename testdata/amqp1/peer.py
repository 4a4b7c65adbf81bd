"""A server and a client of AMQP 1.0 that talk to each other: what a broker seldom does. The client writes its calls, a line each:
operation, how it was answered ("-" when nothing answers), address or "-", bytes of the body or "-"."""

import sys

from proton import Condition, Delivery, Message
from proton.handlers import MessagingHandler
from proton.reactor import AtLeastOnce, AtMostOnce, Container

ADDRESS = "127.0.0.1:5672"
SENT = 45
FRAME = 512


class Server(MessagingHandler):
    """Answers each transfer by what its subject says."""

    def __init__(self):
        super().__init__(auto_accept=False, prefetch=100)
        self.replies = {}

    def on_start(self, event):
        self.listener = event.container.listen(ADDRESS)
        print("listening", flush=True)

    def on_connection_bound(self, event):
        event.transport.max_frame_size = FRAME

    def on_link_opening(self, event):
        link = event.link
        if link.is_sender:
            link.source.copy(link.remote_source)
            if link.remote_source.dynamic:
                link.source.address = "replies-1"
                self.replies["replies-1"] = link
            return
        if link.remote_target.address != "secret":
            link.target.copy(link.remote_target)

    def on_link_opened(self, event):
        link = event.link
        if link.is_receiver and link.remote_target.address == "secret":
            link.condition = Condition("amqp:unauthorized-access", "not yours")
            link.close()

    def on_message(self, event):
        what, delivery = event.message.subject, event.delivery
        if what == "reject":
            delivery.local.condition = Condition("shop:closed", "come again tomorrow")
            delivery.update(Delivery.REJECTED)
        elif what == "release":
            delivery.update(Delivery.RELEASED)
        elif what == "modify":
            delivery.local.failed = True
            delivery.update(Delivery.MODIFIED)
        else:
            delivery.update(Delivery.ACCEPTED)
        delivery.settle()
        if what == "ask":
            self.replies[event.message.reply_to].send(Message(body="pong" * 300, correlation_id=event.message.id, subject="answer"))
        if what == "kick":
            event.link.condition = Condition("amqp:resource-deleted", "the node is gone")
            event.link.close()
        if what == "bye":
            event.connection.condition = Condition("amqp:internal-error", "going home")
            event.connection.close()
            self.listener.close()


class Client(MessagingHandler):
    """Sends one message after the other, and waits for what is said of each."""

    def __init__(self):
        super().__init__(prefetch=0, auto_accept=False)
        self.plan = ["reject", "release", "modify", "accept", "large", "fast", "ask", "flood", "leave", "kick", "bye"]
        self.waiting, self.sent = 0, False

    def tell(self, operation, status, address="-", size="-"):
        print(operation, status, address, size, sep="\t", flush=True)

    def on_start(self, event):
        self.container = event.container
        self.conn = event.container.connect(ADDRESS, sasl_enabled=True, allowed_mechs="ANONYMOUS", heartbeat=2, reconnect=False,
                                            max_frame_size=FRAME)

    def on_connection_opened(self, event):
        for header in "SASL 1.0.0", "AMQP 1.0.0":
            self.tell("protocol-header", header)
        self.tell("sasl-mechanisms", "-")
        self.tell("sasl-init", "ok")
        self.tell("open", "opened")
        self.tell("begin", "begun")
        self.container.create_sender(self.conn, "secret", name="forbidden")

    def on_link_error(self, event):
        link = event.link
        if link.name == "forbidden":
            self.tell("attach", "attached", "secret")
            self.inbox = self.container.create_receiver(self.conn, None, dynamic=True, name="inbox")
            self.inbox.flow(5)
        else:
            self.plan.append(self.plan.pop(0))
            self.out = self.container.create_sender(self.conn, "shop", name="again", options=AtLeastOnce())
        self.tell("detach", "-", "secret" if link.name == "forbidden" else "shop")
        link.close()
        self.tell("detach", "-", "secret" if link.name == "forbidden" else "shop")

    def on_link_opened(self, event):
        if event.link.name == "inbox":
            self.tell("attach", "attached", self.inbox.remote_source.address)
            self.out = self.container.create_sender(self.conn, "shop", name="out", options=AtLeastOnce())
        elif event.link.name in ("out", "again", "fast"):
            self.tell("attach", "attached", "shop")
        elif event.link.name == "spare":
            self.tell("attach", "attached", "spare")
            event.link.close()

    def on_link_closed(self, event):
        if event.link.name == "spare":
            self.tell("detach", "detached", "spare")
            self.go()

    def on_sendable(self, event):
        if event.link.name in ("out", "again") and not self.waiting:
            self.go()
        if event.link.name == "fast" and not self.sent:
            self.sent = True
            event.link.send(self.large())
            self.tell("transfer", "-", "shop", 3000)
            self.go()

    def go(self):
        what = self.plan.pop(0)
        if what == "leave":
            self.container.create_sender(self.conn, "spare", name="spare")
            return
        if what == "fast":
            self.container.create_sender(self.conn, "shop", name="fast", options=AtMostOnce())
            return
        self.what = what
        n = SENT if what == "flood" else 1
        self.waiting = n
        if what == "large":
            self.out.send(self.large())
            return
        for i in range(n):
            self.out.send(Message(body=b"x" * (i + 1), inferred=True, subject=what, id=i + 1,
                                  reply_to=self.inbox.remote_source.address if what == "ask" else None))

    def large(self):
        """A message whose body is parted over frames, and one of the sections before it."""
        return Message(body=b"x" * 3000, inferred=True, subject="large", properties={"region": "far " * 200, "last": "yes"})

    def settled(self, event, outcome):
        size = {"flood": SENT - self.waiting + 1, "large": 3000}.get(self.what, 1)
        self.tell("transfer", outcome, "shop", size)
        self.waiting -= 1
        if not self.waiting and self.what not in ("ask", "kick", "bye"):
            self.go()

    def on_accepted(self, event):
        self.settled(event, "accepted")

    def on_rejected(self, event):
        self.settled(event, "rejected")

    def on_released(self, event):
        self.settled(event, "modified" if event.delivery.remote_state == Delivery.MODIFIED else "released")

    def on_message(self, event):
        self.tell("transfer", "accepted", "replies-1", len(event.message.body))
        self.accept(event.delivery)
        self.container.schedule(2.5, self)

    def on_timer_task(self, event):
        self.go()

    def on_connection_error(self, event):
        self.tell("close", "-")
        self.tell("close", "-")
        event.connection.close()


container = Container(Server() if sys.argv[1] == "server" else Client())
container.container_id = "node" if sys.argv[1] == "server" else "till"
container.run()
