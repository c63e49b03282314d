#!/usr/bin/env python3
"""Runs the statements that sqlsmith prints (standard input) on a server, and counts what they end with.

    sqlsmith --target=... --dry-run | sqlsmith.py HOST PORT SECONDS

Every third SELECT is run as a cursor, a few rows at a time, forward and back.
Fails when the server goes away, or when a statement ends with an internal error (SQLSTATE XX…); such
statements are printed.
"""
import collections
import re
import sys
import time

import psycopg2

SHOWN_MAX = 20
# Most of what sqlsmith writes has it, and we refuse it: without it the rest gets its turn.
TABLESAMPLE = re.compile(r"tablesample \w+ \([0-9.]+\)")


def statements(stream):
    lines = []
    for line in stream:
        lines.append(line)
        if line.rstrip().endswith(";"):
            yield TABLESAMPLE.sub("", "".join(lines))
            lines = []


def connect(host, port):
    db = psycopg2.connect(host=host, port=port, user="postgres", dbname="postgres",
                          connect_timeout=20, options="-c statement_timeout=2000")
    db.autocommit = True
    return db


def by_cursor(c, text):
    c.execute("declare c cursor for " + text)
    c.execute("declare d no scroll cursor for " + text)
    for step in ("fetch 3 from c", "fetch 5 from d", "fetch 3000 from c", "fetch all from d",
                 "fetch backward 2 from c", "fetch absolute 2 from c", "fetch all from c"):
        c.execute(step)


def main():
    host, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    seen = 0
    tally, words, bad, end = collections.Counter(), {}, [], time.time() + seconds
    db = connect(host, port)
    for text in statements(sys.stdin):
        if time.time() > end:
            break
        try:
            with db.cursor() as c:
                c.execute("begin")
                seen += 1
                if seen % 3 == 0 and text.lstrip()[:6].lower() == "select":
                    by_cursor(c, text)
                else:
                    c.execute(text)
                tally["00000"] += 1
        except psycopg2.Error as e:
            state = e.pgcode or "gone"
            tally[state] += 1
            words.setdefault(state, collections.Counter())[str(e).split("\n")[0]] += 1
            if state == "gone" or state.startswith("XX"):
                bad.append("%s %s\n%s" % (state, e, text))
            if state == "gone":
                db = connect(host, port)  # raises when the server is gone: that is the finding
        with db.cursor() as c:
            c.execute("rollback")
    for state, n in tally.most_common():
        print("%6d  %s" % (n, state))
        for w, count in words.get(state, collections.Counter()).most_common(6):
            print("        %6d  %s" % (count, w))
    for b in bad[:SHOWN_MAX]:
        print("--- " + b)
    sys.exit(1 if bad else 0)


main()
