"""Turns traces of MIT Kerberos' library into a line a call: transport, bytes asked and
answered, and the error's number, 0 without one."""
import re
import sys

BASE = -1765328384  # ERROR_TABLE_BASE_krb5: the number of error 0
calls, by_process = [], {}
for line in sys.stdin:
    m = re.match(r"\[(\d+)\] [\d.]+: (.*)", line)
    if not m:
        continue
    call, text = by_process.get(m[1]), m[2]
    if m := re.match(r"Sending request \((\d+) bytes\)", text):
        call = {"asked": int(m[1])}
        calls.append(call)
        by_process[line.split("]")[0][1:]] = call
    elif m := re.match(r"Received answer \((\d+) bytes\) from (dgram|stream)", text):
        call.update(answered=int(m[1]), over=m[2], code=0)
    elif text.startswith("Request or response is too big for UDP"):
        call["code"] = 52
    elif m := re.match(r"(?:Received error from KDC|TGS request result): (-\d+)", text):
        if call.get("code") == 0:
            call["code"] = int(m[1]) - BASE
for call in calls:
    if "over" in call:
        over = {"dgram": "UDP", "stream": "TCP"}[call["over"]]
        size = 4 if over == "TCP" else 0
        print(over, call["asked"] + size, call["answered"] + size, call["code"])
