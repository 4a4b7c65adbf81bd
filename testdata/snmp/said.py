"""Turns what a client of net-snmp wrote with -d -Ddump into a line a call: the sizes of
question and answer, how often it was asked, the level of security, the operation, what
came of it, and the variables, with - for what there was not. What the agent wrote too is
read for the answers that a client had gone before.

    said.py CLIENT [AGENT]
    ASKED ANSWERED TIMES LEVEL OPERATION STATUS VARIABLES [NAME = VALUE; ...]
"""

import re
import sys

OPERATIONS = {
    "GET": "GetRequest",
    "GETNEXT": "GetNextRequest",
    "GETBULK": "GetBulkRequest",
    "TRAP2": "SNMPv2-Trap",
}
STATUSES = {"0": "noError"}
REPORTS = {
    "1.3.6.1.6.3.15.1.1.3.0": "usmStatsUnknownUserNames",
    "1.3.6.1.6.3.15.1.1.4.0": "usmStatsUnknownEngineIDs",
    "1.3.6.1.6.3.15.1.1.5.0": "usmStatsWrongDigests",
}
LEVELS = {0: "noAuthNoPriv", 1: "authNoPriv", 3: "authPriv"}
STRING, ADDRESS = 0x04, 0x40


def value(element, text):
    """A value as the dump spells it, but for those of which it spells no byte."""
    tag, content = element[0], element[2 + (element[1] & 0x7F if element[1] & 0x80 else 0) :]
    if tag == STRING:
        return content.decode() if content.isascii() and content.decode().isprintable() else "0x" + content.hex()
    if tag == ADDRESS:
        return ".".join(map(str, content))
    # The agent knows the name of the first number of an object's id.
    return re.sub(r"^iso(?=\.)", "1", re.sub(r" \(0x[0-9A-F]+\)$", "", text).removeprefix("."))


class Message:
    def __init__(self):
        self.sent, self.size, self.operation = True, 0, ""
        self.fields, self.names, self.values = {}, [], []

    def add(self, head, element, text):
        if head == "Name":
            self.names.append(value(element, text))
        elif head == "Value":
            self.values.append(value(element, text))
        else:
            self.fields[head] = (element, text.split(" ")[0])

    def id(self):
        return self.fields.get("msgID", self.fields["request_id"])[1]

    def level(self):
        return LEVELS[self.fields["msgFlags"][0][2] & 3] if "msgFlags" in self.fields else "-"

    def status(self):
        return REPORTS[self.names[0]] if self.operation == "REPORT" else STATUSES[self.fields["error status"][1]]

    def variables(self):
        """They are written from the last to the first, and each value before its name."""
        step = -1 if self.sent else 1
        return "; ".join(f"{n} = {v}" for n, v in zip(self.names[::step], self.values[::step]))


def messages(file):
    """A message that is sent is spelled before the line that says so, and one that came
    behind it."""
    message, head, element = Message(), "", b""
    with open(file, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if m := re.match(r"Sending (\d+) bytes", line):
                message.size = int(m[1])
                yield message
                message = Message()
            elif m := re.match(r"Received (\d+) byte", line):
                message = Message()
                message.sent, message.size = False, int(m[1])
            elif m := re.match(r"dumph_(send|recv):(?:\w+:)?\s*(.*)", line):
                if m[1] == "send" and not message.sent:
                    yield message
                    message = Message()
                head = m[2].strip()
                if message.sent and head in ("RESPONSE", *OPERATIONS):
                    message.operation = head
            elif m := re.match(r"dumpx_\w+:\s*([0-9A-F ]+)", line):
                element = bytes.fromhex(m[1])
            elif re.fullmatch(r"([0-9A-F]{2} )+\n", line):
                element += bytes.fromhex(line)
            elif m := re.match(r"dumpv_recv:\s*Command (\w+)", line):
                message.operation = m[1]
            elif m := re.match(r"dumpv_\w+:\s*(?:\w+:\s*)?(.*)", line):
                message.add(head, element, m[1])
    if not message.sent:
        yield message


def say(asked, times, answer):
    told = answer or (asked if asked.operation == "TRAP2" else None)
    line = [
        asked.size if asked else "-",
        answer.size if answer else "-",
        times,
        (asked or answer).level(),
        OPERATIONS[asked.operation] if asked else "-",
        answer.status() if answer else "-",
        len(told.names) if told else "-",
    ]
    print(*line, *([told.variables()] if told and told.names else []))


calls = {}
for message in messages(sys.argv[1]):
    call = calls.setdefault(message.id(), [None, 0, None])
    if message.sent:
        call[0], call[1] = message, call[1] + 1
    else:
        call[2] = message
for call in calls.values():
    say(*call)
for file in sys.argv[2:]:
    late = {}
    for message in messages(file):
        if message.sent and message.id() in calls:
            late.setdefault(message.id(), []).append(message)
    for answers in late.values():
        for answer in answers[1:]:
            say(None, "-", answer)
