"""Makes calls of what curl -v and lftp wrote: command, code, interim replies."""
import re
import sys

asked, interim, code, greeted = [], 0, None, False
for line in sys.stdin.buffer.read().decode(errors="replace").splitlines():
    if line.startswith("* Trying") or "Connecting to" in line:
        greeted = False
    sent = re.match(r"(?:---> |> )(\w+)", line)
    said = re.match(r"(?:<--- |<\s)(.*)", line)
    if sent:
        asked.append(sent.group(1).upper())
    elif said:
        reply = re.match(r"(\d{3})([ -])", said.group(1))
        if code is not None:
            if not (reply and reply.group(1) == code and reply.group(2) == " "):
                continue
            code = None
        elif reply and reply.group(2) == "-":
            code = reply.group(1)
            continue
        if reply.group(1) == "220" and not greeted:
            greeted = True
            print("greeting 220")
        elif reply.group(1)[0] == "1":
            interim += 1
        else:
            print(asked.pop(0), reply.group(1), *([interim] if interim else []))
            interim = 0
