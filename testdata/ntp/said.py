"""Turns what ntpdig -d -d or ntpq -D 3 wrote into a line a call: what was asked of
whom, the sizes of question and answer, and what the answer says; - is what there was
not.

    client ADDRESS ASKED ANSWERED STRATUM LEAP KISS
    control OPCODE ASSOCIATION ASKED ANSWERED PIECES ERROR
"""

import re
import sys

LEAPS = ["no warning", "61 seconds", "59 seconds", "unsynchronized"]


def dumped(line):
    """The bytes of a line of a dump, which begins with up to sixteen of them in hex."""
    row = re.match(r"(?:[0-9a-f]{2} ){1,16}", line[:48])
    return bytes.fromhex(row[0]) if row else b""


def told(address, asked, answer):
    """The line of a question for the time, and of its answer."""
    kiss = answer[12:16].decode() if answer and answer[1] == 0 and answer[12] else "-"
    says = [answer[1], LEAPS[answer[0] >> 6].replace(" ", "-"), kiss] if answer else "---"
    return " ".join(map(str, ["client", address, len(asked), len(answer) or "-", *says]))


def dig(lines):
    """A question and its answer are dumped one behind the other: a message ends with its
    third row of sixteen bytes, or with a short one, which its authenticator ends with."""
    address, keyed, messages = None, False, []

    def say():
        if address:
            asked, answer = (messages + [b"", b""])[:2]
            print(told(address, asked, answer))

    for line in lines:
        if m := re.match(r"ntpdig: querying (\S+)", line):
            say()
            address, keyed, messages = m[1], False, []
        elif "authenticating with" in line:
            keyed = True
        elif row := dumped(line):
            if not messages or len(messages[-1]) % 16 or len(messages[-1]) == 48 and not keyed:
                messages.append(b"")
            messages[-1] += row
    say()


def control(lines):
    call = None

    def say():
        if call:
            opcode, association, asked, sizes, error = call
            print("control", opcode, association, asked, sizes[-1] if sizes else "-", max(len(sizes) - 1, 0), error)

    for line in lines:
        if m := re.match(r"sendrequest: opcode=(\d+), associd=(\d+)", line):
            say()
            call = [m[1], m[2], 0, [], "-"]
        elif m := re.search(r"Sending (\d+) octets", line):
            call[2] = m[1]
        elif m := re.search(r"Received (\d+) octets", line):
            call[3].append(m[1])
        elif m := re.search(r"\*\*\*Server error code (\w+)", line):
            call[4] = m[1]
    say()


if __name__ == "__main__":
    {"dig": dig, "control": control}[sys.argv[1]](sys.stdin)
