"""Makes calls of what swaks wrote: command and code; message, code and size."""
import re
import sys

asked, content, size = [], False, 0
for line in open(sys.argv[1], errors="replace"):
    line = line.rstrip("\n")
    sent = re.match(r" (?:->|~>) (.*)", line)
    said = re.match(r"<(?:-|~|\*\*|~\*)\s+(\d{3})( |-|$)", line)
    if sent and content:
        if sent.group(1) == ".":
            asked.append("message")
            content = False
        else:
            size += len(sent.group(1).encode()) + 2
    elif sent:
        word = sent.group(1).split(" ")[0]
        known = word in ("EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", "QUIT", "RSET", "STARTTLS", "AUTH")
        verb = word.split(":")[0] if known else "AUTH"
        asked.append(verb)
    elif said and said.group(2) != "-":
        code = said.group(1)
        if not asked:
            print("greeting" if code == "220" else "again", code)
            continue
        verb = asked.pop(0)
        print(verb, code, *([size] if verb == "message" else []))
        if code == "354":
            content, size = True, 0
