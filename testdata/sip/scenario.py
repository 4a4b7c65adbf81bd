"""Writes the two scenarios of sipp for one of the recorded captures: scenario.py NAME FOLDER.

A step of either side is a request or a code to send ("> INVITE", "> 180"), or to wait for
("< INVITE", "< 180", "<? 100" where it may come), or a pause in ms ("..700")."""
import sys

SDP = """v=0
o=ann 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[local_ip_type] [local_ip]
t=0 0
m=audio [media_port] RTP/AVP 0 8
a=rtpmap:0 PCMU/8000
m=video 5006 RTP/AVP 31
c=IN IP4 192.0.2.7
"""
SCENARIOS = {
    "register": (
        ["> REGISTER 1", "< 401", "> REGISTER 2 auth", "< 200"],
        ["< REGISTER", "> 401", "< REGISTER", "> 200"],
    ),
    "busy": (
        ["> INVITE 1", "<? 100", "< 180", "< 486", "> ACK 1"],
        ["< INVITE", "> 100", "> 180", "> 486", "< ACK"],
    ),
    "cancel": (
        ["> INVITE 1", "<? 100", "< 180", "> CANCEL 1", "< 200", "< 487", "> ACK 1"],
        ["< INVITE", "> 100", "> 180", "< CANCEL", "> 200", "> 487 1 INVITE", "< ACK"],
    ),
    "slow": (
        ["> OPTIONS 1", "< 200"],
        ["< OPTIONS", "..700", "> 200"],
    ),
    "reverse": (
        ["> INVITE 1", "< 200", "> ACK 1", "< BYE", "> 200"],
        ["< INVITE", "> 200", "< ACK", "> BYE 1", "< 200"],
    ),
    "compact": (
        ["> INVITE 1", "<? 100", "< 180", "< 200", "> ACK 1", "> BYE 2", "< 200"],
        ["< INVITE", "> 100", "> 180", "> 200", "< ACK", "< BYE", "> 200"],
    ),
}
REASONS = {"100": "Trying", "180": "Ringing", "200": "OK", "401": "Unauthorized", "486": "Busy Here", "487": "Request Terminated"}


def request(method, cseq, extra, client, compact):
    ends = ("ann", "bob") if client else ("bob", "ann")
    tag = "" if method in ("INVITE", "REGISTER", "OPTIONS", "CANCEL") else "[peer_tag_param]"
    mine = "[pid]SIPpTag00[call_number]"
    branch = "[branch-3]" if method == "CANCEL" else "[branch]"
    lines = [
        f"{method} sip:{ends[1]}:hush@[remote_ip]:[remote_port] SIP/2.0",
        f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}",
        f'From: "A. <{ends[0]}>, of Example" <sip:{ends[0]}@[local_ip]:[local_port]>;tag={mine}',
        f"To: sip:{ends[1]}@[remote_ip]:[remote_port]{tag}",
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        f"Contact: <sip:{ends[0]}@[local_ip]:[local_port]>",
        "Max-Forwards: 70",
        "User-Agent: sipp",
    ]
    if extra == "auth":
        lines.append("[authentication username=ann password=s3cret]")
    return body(lines, SDP if method == "INVITE" else "", compact)


def response(code, cseq, method):
    to = "[last_To:]" + ("" if code == "100" else ";tag=[pid]uas[call_number]")
    lines = [f"SIP/2.0 {code} {REASONS[code]}", "[last_Via:]", "[last_From:]", to, "[last_Call-ID:]"]
    lines.append(f"CSeq: {cseq} {method}" if method else "[last_CSeq:]")
    lines += ["Contact: <sip:bob@[local_ip]:[local_port];transport=[transport]>", "Server: sipp"]
    if code == "401":
        lines.append('WWW-Authenticate: Digest realm="example.org", nonce="4711", algorithm=MD5')
    return body(lines, SDP if code == "200" and not method else "", False)


def body(lines, text, compact):
    if text:
        lines.append("Content-Type: application/sdp")
    lines.append("Content-Length: [len]")
    if compact:
        short = {"Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m", "Content-Type": "c", "Content-Length": "l"}
        for i, line in enumerate(lines[1:], 1):
            name, _, value = line.partition(":")
            lines[i] = f"{short.get(name, name)}:{value}"
        lines[3] = lines[3].replace(";tag", "\n ;tag")
    return "\n".join(lines) + "\n\n" + text


def xml(steps, client, compact):
    out = ['<?xml version="1.0" encoding="ISO-8859-1" ?>', '<scenario name="recorded">']
    for step in steps:
        way, _, rest = step.partition(" ")
        word, *more = rest.split(" ") + [""]
        if way.startswith(".."):
            out.append(f'<pause milliseconds="{way[2:]}"/>')
        elif way.startswith("<"):
            kind = "response" if word.isdigit() else "request"
            optional = ' optional="true"' if way == "<?" else ""
            auth = ' auth="true"' if word == "401" else ""
            out.append(f'<recv {kind}="{word}"{optional}{auth}/>')
        else:
            text = response(word, more[0], more[1] if len(more) > 1 else "") if word.isdigit() else request(word, more[0], more[1], client, compact)
            retrans = ' retrans="500"' if not word.isdigit() and word != "ACK" else ""
            out.append(f"<send{retrans}><![CDATA[\n\n{text}\n]]></send>")
    out.append("</scenario>")
    return "\n".join(out)


name, folder = sys.argv[1:]
for side, steps in zip(("uac", "uas"), SCENARIOS[name]):
    with open(f"{folder}/{name}_{side}.xml", "w", encoding="ascii") as f:
        f.write(xml(steps, side == "uac", name == "compact"))
