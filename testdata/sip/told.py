"""Makes calls of what sipp's client wrote of its messages (-trace_shortmsg): method, number,
code and interim responses; ACK, and what was sent again, by itself."""
import sys

calls, order, lines = {}, [], []
for line in open(sys.argv[1], encoding="utf-8", errors="replace"):
    parts = line.rstrip("\n").split("\t")
    parts = [p for p in parts if p]
    way = next(p for p in parts if p in "SR")
    at = parts.index(way)
    call, cseq, text = parts[at + 1], parts[at + 2].replace("CSeq:", "").strip(), parts[at + 3]
    number, method = cseq.split(" ")
    key = (call, cseq, way if text.startswith("SIP/2.0") else ("R" if way == "S" else "S"))
    if text.startswith("SIP/2.0"):
        code = text.split(" ")[1]
        if code[0] == "1":
            calls[key][1] += 1
        elif key in calls and calls[key][0] is None:
            calls[key][0] = code
    elif method == "ACK":
        lines.append(f"ACK {number}")
    elif key in calls:
        lines.append(f"{method} {number} again")
    else:
        calls[key] = [None, 0]
        order.append(key)
for key in order:
    number, method = key[1].split(" ")
    code, interim = calls[key]
    print(method, number, code, *([interim] if interim else []))
print(*lines, sep="\n", end="\n" if lines else "")
