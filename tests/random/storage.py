#!/usr/bin/python3
"""Random analytical queries over the same tables in every form of storage: the answers must be the same.

    storage.py HELIOSD [--seed N] [--queries N] [--rows N] [--encodings N,N… | all]

Tables lie half on disk and half in memory, in a schema for each form; what each server may encode columns by is forced in turn (a build
with points heeds HELIOS_ENCODING). Each query runs by whatever is cheaper and by columns. Then rows are changed and deleted, part of
that is written to disk, and forms are exchanged while the same queries run again: as of now, and as of the moment before the
changes, which must give what it gave then."""
import argparse
import os
import random
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "sql")]
sys.dont_write_bytecode = True
from answers import Connection, difference, Gone  # noqa: E402
from parallel import Query  # noqa: E402
from query import Queries  # noqa: E402
from schema import create, make_schema  # noqa: E402
from server import Server  # noqa: E402

KINDS = ["row", "dual", "column", "hybrid", "compressed"]
NEXT = {"dual": "column", "column": "hybrid", "hybrid": "dual", "compressed": "column"}
ENCODINGS = 13  # the last: as usual
BIG = """create table big (id int primary key, g int, h int, t text, n numeric(12,2), d date, f bool);
create table mid (id int primary key, g int, t text, n numeric);
create table dim (g int primary key, name text);
create table nil (id int primary key, g int);
create index on big (g)"""
FILL = """insert into big select i, case when i % 13 <> 0 then i % 101 end, i % 5003, case when i % 17 <> 0 then 'text ' || i % 211 end,
(i % 1009) * 1.37 - 300, date '2020-01-01' + i % 700, i % 3 = 0 from generate_series({0}, {1}) i;
insert into mid select i, case when i % 7 <> 0 then i % 101 end, 'text ' || i % 307, i * 0.5 from generate_series({0}, {1}, 8) i"""
CHANGES = ["update big set g = g + 1, t = t || 'x' where id % 11 = 3", "delete from big where id % 29 = 5",
           "update mid set n = -n where id % 3 = 0", "delete from mid where id % 5 = 1"]


class Round:
    """The tables of one server."""

    def __init__(self, server, r, rows, name):
        self.server, self.r, self.name = server, r, name
        self.failures = self.asked = self.answered = 0
        self.tables = make_schema(r)
        self.kinds = {}
        keep = r.getstate()
        for kind in KINDS:
            r.setstate(keep)
            c = Connection(server, ["create schema s_" + kind, "set search_path = s_" + kind,
                                    "set helios.default_storage = '%s'" % kind])
            self.fill(c, rows)
            self.kinds[kind] = c
        self.queries = []

    @staticmethod
    def must(c, text):
        got = c.run(text)
        if got.code:
            raise SystemExit("%s\n%s" % (text, got))
        return got

    def fill(self, c, rows):
        made = [s for t in self.tables for s in create(self.r, t)]
        first = [s for s in made if not s.startswith("insert")] + BIG.split(";\n")
        inserts = [s for s in made if s.startswith("insert")]
        halves = [[s for i, s in enumerate(inserts) if i % 2 == n] for n in (0, 1)]
        halves[0] += FILL.format(1, rows // 2).split(";\n")
        halves[0].append("insert into dim select i, 'name ' || i % 10 from generate_series(0, 90) i")
        halves[1] += FILL.format(rows // 2 + 1, rows).split(";\n")
        for text in [*first, *halves[0], "checkpoint", *halves[1]]:
            self.must(c, text)

    def make(self, count):
        make = Queries(self.r, self.tables)
        for i in range(count):
            if i % 4 == 0:
                self.queries.append((Query(self.r).text(), False))
            else:
                node, ordered = make.top()
                self.queries.append((str(node), ordered))

    def compare(self, what, text, ordered, want, c):
        got = c.run(text)
        why = difference(got, want, ordered)
        if why in (None, "scale", "(limit)", "(depends)"):
            return
        self.failures += 1
        print("-- %s, %s: %s\n%s;\n%s\n%s" % (self.name, what, why, text, got, want))

    def small(self, text):
        """Not of so many rows that it says nothing but costs much."""
        got = self.kinds["row"].run("select count(*) from (%s) q" % text)
        return bool(got.code) or int(got.rows[0][0]) <= 20000

    def run(self, when, answers=None):
        """All queries: `answers` are what the row tables must give, too; else they are returned."""
        out = []
        for i, (text, ordered) in enumerate(self.queries):
            want = self.kinds["row"].run(text)
            out.append(want)
            self.asked += 1
            self.answered += not want.code
            if want.code and want.code[:2] == "XX":
                self.failures += 1
                print("-- %s, %s\n%s;\n%s" % (self.name, when, text, want))
            if answers:
                self.compare(when + ", row", text, ordered, answers[i], self.kinds["row"])
            for kind in KINDS[1:]:
                for force in ("auto", "column"):
                    self.must(self.kinds[kind], "set helios.force_format = '%s'" % force)
                    self.compare("%s, %s, %s" % (when, kind, force), text, ordered, want, self.kinds[kind])
        return out

    def change(self):
        for c in self.kinds.values():
            for i, t in enumerate(self.tables):
                self.must(c, "update %s set k = k + 1 where id %% 3 = 1" % t.name)
                if i % 2:
                    self.must(c, "checkpoint")
                self.must(c, "delete from %s where id %% 7 = 2" % t.name)
            for text in CHANGES[:2] + ["checkpoint"] + CHANGES[2:]:
                self.must(c, text)

    def exchange(self):
        """Other forms: runs are rewritten while queries go on."""
        for kind, other in NEXT.items():
            for t in [t.name for t in self.tables] + ["big", "mid"]:
                self.must(self.kinds[kind], "alter table %s set (helios.storage = '%s')" % (t, other))

    def check(self, count):
        self.make(count)
        self.queries = [q for q in self.queries if self.small(q[0])]
        before = self.run("half in memory")
        moment = self.must(self.kinds["row"], "select clock_timestamp()").rows[0][0]
        time.sleep(.005)
        self.change()
        self.exchange()
        self.run("changed")
        for c in self.kinds.values():
            self.must(c, "set helios.as_of = '%s'" % moment)
        self.run("as of before", before)
        for c in self.kinds.values():
            self.must(c, "reset helios.as_of")
        self.must(self.kinds["row"], "vacuum full")
        self.queries = self.queries[:max(1, count // 4)]
        self.run("rewritten")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("heliosd")
    p.add_argument("--seed", type=int, default=int(os.environ.get("SEED", "1")))
    p.add_argument("--queries", type=int, default=10, help="for each encoding")
    p.add_argument("--rows", type=int, default=3000)
    p.add_argument("--encodings", default="", help="two, when none are given")
    args = p.parse_args()
    chosen = [int(n) for n in re.findall(r"\d+", args.encodings)]
    if args.encodings == "all":
        chosen = list(range(ENCODINGS))
    if not chosen:
        chosen = [args.seed % ENCODINGS, ENCODINGS - 1]
    print("seed %d, encodings %s" % (args.seed, chosen))
    asked = answered = failures = 0
    for n in chosen:
        r = random.Random(args.seed * 1000 + n)
        with Server(args.heliosd, prefix=["env", "HELIOS_ENCODING=%d" % n]) as server:
            one = Round(server, r, args.rows, "encoding %d" % n)
            one.check(args.queries)
            asked, answered, failures = asked + one.asked, answered + one.answered, failures + one.failures
    print("%d answers to %d queries, %d differences" % (answered, asked, failures))
    return 1 if failures or answered < asked * .7 else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Gone as e:
        sys.exit("the server closed the connection: %s" % e)
