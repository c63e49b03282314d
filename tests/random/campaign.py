#!/usr/bin/python3
"""Random statements on our server and on PostgreSQL 15: every difference is made small and printed.

    campaign.py HELIOSD [--seed N] [--rounds N] [--queries N] [--reference HOST:PORT] [--show N]
                [--set NAME=VALUE ...] [--server NAME=VALUE ...]

A round is a database of its own random tables. Fails when answers differ. What PostgreSQL refuses as
wrong (some aggregates of an enclosing query are) must be refused with the same code. --set gives our
session a setting, --server our server."""
import argparse
import collections
import contextlib
import os
import random
import re
import sys
import types

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "..", "bench", "lib"))
sys.dont_write_bytecode = True
import peers  # noqa: E402
from answers import Connection, difference, Gone  # noqa: E402
from node import shrink  # noqa: E402
from query import Queries  # noqa: E402
from schema import create, make_schema  # noqa: E402
from server import Server  # noqa: E402
from write import Writes  # noqa: E402


def schema_on(connections, statements):
    for c in connections:
        for text in ["drop schema if exists public cascade", "create schema public", *statements]:
            got = c.run(text)
            if got.code:
                raise SystemExit("setup: %s\n%s" % (text, got))


class Campaign:
    def __init__(self, args, ours, theirs):
        self.args, self.ours, self.theirs = args, ours, theirs
        self.tally, self.shown, self.seen = collections.Counter(), 0, collections.Counter()

    @staticmethod
    def run(connection, text):
        """What a write changes is taken back at once."""
        if text[:3] not in ("ins", "upd", "del"):
            return connection.run(text)
        connection.run("begin")
        answer = connection.run(text)
        connection.run("rollback")
        return answer

    def compare(self, text, ordered):
        theirs = self.run(self.theirs, text)
        if theirs.code and theirs.code[:2] == "57":
            return "(wrong %s)" % theirs.code, None, theirs
        ours = self.run(self.ours, text)
        if theirs.code and theirs.code[:2] == "42" and theirs.code == ours.code:
            return "(wrong %s for both)" % theirs.code, ours, theirs
        return difference(ours, theirs, ordered), ours, theirs

    def one(self, node, ordered, setup):
        text = str(node)
        why, ours, theirs = self.compare(text, ordered)
        self.tally[why or "same"] += 1
        if why is None or why.startswith("(") and why != "(refused)" or why == "scale":
            if why and why.startswith("(wrong") and self.args.verbose:
                print(why, theirs, text, "\n")
            return
        mark = ours.code and "%s %s" % (ours.code, ours.message) or why
        if why == "(refused)" and not self.args.refused:
            self.seen[mark] += 1
            return
        self.seen[mark] += 1
        if self.seen[mark] > 2 and why != "rows" or self.shown >= self.args.show:
            return
        self.shown += 1

        def still(t):
            again, o, _ = self.compare(t, ordered)
            return again == why and (not ours.code or o.message == ours.message)
        small = str(shrink(node, still, tries=self.args.tries))
        why, ours, theirs = self.compare(small, ordered)
        print("-- %s (round %d)\n%s;\n-- ours: %s\n-- PostgreSQL: %s\n" % (why, self.number, small, ours, theirs))
        names = [s for s in setup if re.search(r"\bt\d", s).group() in small]
        if self.args.setup:
            print("".join("   %s;\n" % s for s in names))
        sys.stdout.flush()

    def round(self, seed):
        self.number = seed
        r = random.Random(seed)
        tables = make_schema(r)
        setup = [s for t in tables for s in create(r, t)]
        schema_on((self.ours, self.theirs), setup)
        make = Queries(r, tables)
        write = Writes(make)
        for _ in range(self.args.queries):
            if r.random() < .12:
                self.write(*write.statement(), setup)
            else:
                node, ordered = make.top()
                self.one(node, ordered, setup)

    def write(self, node, table, setup):
        """What a write returns, and what the table holds after it; both taken back."""
        self.one(node, False, setup)
        for c in (self.ours, self.theirs):
            c.run("begin")
        codes = [c.run(str(node)).code for c in (self.ours, self.theirs)]
        if codes == [None, None]:
            a, b = (c.run("select * from %s" % table) for c in (self.ours, self.theirs))
            why = difference(a, b, False)
            self.tally["table " + (why or "same")] += 1
            if why:
                print("-- the table after\n%s;\n%s\n%s" % (node, a, b))
        for c in (self.ours, self.theirs):
            c.run("rollback")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("heliosd")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--queries", type=int, default=200)
    p.add_argument("--reference")
    p.add_argument("--show", type=int, default=20)
    p.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    p.add_argument("--server", action="append", default=[], metavar="NAME=VALUE")
    p.add_argument("--tries", type=int, default=500)
    p.add_argument("--refused", action="store_true", help="differences count what is refused by name, too")
    p.add_argument("--setup", action="store_true", help="print the tables")
    p.add_argument("--verbose", action="store_true")
    args = p.parse_args()
    host, port = args.reference.rsplit(":", 1) if args.reference else (None, 0)
    with Server(args.heliosd, args.server) as server, contextlib.ExitStack() as stack:
        if args.reference:
            reference = types.SimpleNamespace(host=host, port=int(port))
        else:
            reference = stack.enter_context(peers.Postgres("128MB", ["fsync=off"], 20))
        theirs = Connection(reference)
        ours = Connection(server, ["set %s = %s" % tuple(x.split("=", 1)) for x in args.set])
        campaign = Campaign(args, ours, theirs)
        for n in range(args.rounds):
            try:
                campaign.round(args.seed + n)
            except Gone:
                print("-- the connection was lost in round %d" % (args.seed + n))
                raise
    for name, n in campaign.tally.most_common():
        print("%7d  %s" % (n, name))
    for name, n in campaign.seen.most_common(25):
        print("%7d  %s" % (n, name))
    bad = sum(n for name, n in campaign.tally.items() if name.split()[-1] not in ("same", "scale")
              and not name.startswith("("))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
