"""Turns what MariaDB's clients wrote into the lines that client/main.go writes: a command,
"ok" or the error's number, rows, affected rows, last insert id and statement, with - for
what the client does not tell.

    said.py session STATEMENTS <what mariadb -n -f -vvv, reading STATEMENTS, wrote
    said.py connect <what a mariadb that is not let in wrote
    said.py slap <what mariadb-slap -vvv wrote
"""

import re
import sys


def say(command, outcome="ok", rows="-", affected="-", text=""):
    text = re.sub(r"(IDENTIFIED BY) '.*'", r"\1 ***", text)
    print(command, outcome, rows, affected, "-", text.replace("\n", "\\n"), sep="\t")


def session(statements):
    """A statement stands between two rules, and then what came of it, but for an error, which
    stands anywhere and names the statement's line. Of USE nothing is written: the client asks
    where it is and then goes there."""
    wrote = sys.stdin.read()
    errors = {int(line): code for code, line in re.findall(r"^ERROR (\d+) .* at line (\d+): ", wrote, re.M)}
    _, *told = re.split(r"^-{14}$", re.sub(r"^ERROR .*\n", "", wrote, flags=re.M), flags=re.M)
    came = iter(zip(told[::2], told[1::2]))
    line = 1
    say("COM_CONNECT")
    for statement in open(statements).read().strip().removesuffix(";").split(";\n"):
        if statement.startswith("USE "):
            say("COM_QUERY", rows=1, text="SELECT DATABASE()")
            say("COM_INIT_DB")
        else:
            echoed, outcome = next(came)
            assert echoed.strip() == statement, (echoed, statement)
            rows, affected = (re.search(p, outcome) for p in (r"(\d+) rows? in set", r"(\d+) rows? affected"))
            assert (line in errors) != bool(rows or affected), (statement, outcome)
            say("COM_QUERY", errors.get(line, "ok"), rows[1] if rows else "-", affected[1] if affected else "-", statement)
            if " LOCAL INFILE " in statement:
                say("LOCAL INFILE")
        line += 1 + statement.count("\n")
    assert wrote.endswith("Bye\n"), wrote
    say("COM_QUIT")


def connect():
    refused = re.match(r"ERROR (\d+) ", sys.stdin.read())
    say("COM_CONNECT", refused[1] if refused else sys.exit("the client was let in"))


def slap():
    """Beside the connections that it writes of there is one by which it asks for nothing. A
    row comes of each query, which ends with a COUNT."""
    lines = sys.stdin.read().splitlines()
    for _ in range(1 + lines.count("connected!")):
        say("COM_CONNECT")
        say("COM_QUIT")
    for line in lines:
        if line.endswith(";"):
            say("COM_QUERY", rows=1, text=line[:-1])


if sys.argv[1] == "session":
    session(sys.argv[2])
elif sys.argv[1] == "connect":
    connect()
else:
    slap()
