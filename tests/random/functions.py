#!/usr/bin/python3
"""Random calls of functions on our server and on PostgreSQL 15: value, SQLSTATE and message must be the same to the byte.

    functions.py HELIOSD [--seed N] [--calls N] [--seconds N] [--families numeric,regex,…] [--reference HOST:PORT]
                 [--show N] [--messages]

One call a statement, on constants. --seconds is for all families together, and then --calls does not count. Without --messages
errors are told apart by their codes alone. What differs is printed, the shortest of a kind."""
import argparse
import collections
import contextlib
import os
import random
import sys
import time
import types

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "..", "bench", "lib"))
sys.dont_write_bytecode = True
import peers  # noqa: E402
from answers import Connection  # noqa: E402
from calls import FAMILIES  # noqa: E402
from server import Server  # noqa: E402

SETTINGS = ["set extra_float_digits = 1", "set datestyle = 'ISO, MDY'", "set intervalstyle = postgres"]


def same(ours, theirs, messages):
    if ours.code or theirs.code:
        return ours.code == theirs.code and (not messages or ours.message == theirs.message)
    return ours.rows == theirs.rows and ours.types == theirs.types


def told(answer):
    if answer.code:
        return "%s: %s" % (answer.code, answer.message)
    return "; ".join(", ".join("NULL" if v is None else repr(v) for v in r) for r in answer.rows[:8]) + " " + str(answer.types)


class Findings:
    """Of each kind, a family, a function and what is wrong, the shortest call."""

    def __init__(self):
        self.shortest, self.count = {}, collections.Counter()

    def add(self, family, name, text, ours, theirs):
        what = "value"
        if ours.code or theirs.code:
            what = "%s, not %s" % (ours.code or "a value", theirs.code or "a value")
        key = (family, name, what)
        self.count[key] += 1
        if key not in self.shortest or len(text) < len(self.shortest[key][0]):
            self.shortest[key] = text, told(ours), told(theirs)

    def show(self, most):
        for key, n in self.count.most_common(most):
            text, ours, theirs = self.shortest[key]
            print("-- %s, %s: %s (%d times)\n%s;\n-- ours:       %s\n-- PostgreSQL: %s\n" % (*key, n, text, ours, theirs))


def compare(ours, theirs, args):
    r, found, calls, until = random.Random(args.seed), Findings(), collections.Counter(), time.monotonic() + (args.seconds or 1e9)
    names = args.families.split(",")
    while time.monotonic() < until and (args.seconds or calls.total() < args.calls):
        family = names[calls.total() % len(names)]
        name, text = FAMILIES[family](r)
        text = "select " + text
        calls[family] += 1
        a, b = ours.run(text), theirs.run(text)
        if not same(a, b, args.messages):
            found.add(family, name, text, a, b)
    return calls, found


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("heliosd")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--calls", type=int, default=20000)
    p.add_argument("--seconds", type=int)
    p.add_argument("--families", default=",".join(FAMILIES))
    p.add_argument("--reference")
    p.add_argument("--show", type=int, default=40)
    p.add_argument("--messages", action="store_true")
    args = p.parse_args()
    host, port = args.reference.rsplit(":", 1) if args.reference else (None, 0)
    with Server(args.heliosd) as server, contextlib.ExitStack() as stack:
        if args.reference:
            reference = types.SimpleNamespace(host=host, port=int(port))
        else:
            reference = stack.enter_context(peers.Postgres("128MB", ["fsync=off"], 20))
        ours, theirs = Connection(server, SETTINGS), Connection(reference, SETTINGS)
        calls, found = compare(ours, theirs, args)
    found.show(args.show)
    print("%s calls, seed %d; %d differ, of %d kinds" % (", ".join("%d %s" % (n, f) for f, n in calls.items()), args.seed,
                                                       found.count.total(), len(found.count)))
    return 1 if found.count else 0


if __name__ == "__main__":
    sys.exit(main())
