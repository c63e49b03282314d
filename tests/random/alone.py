#!/usr/bin/python3
"""Random statements on our server alone: the answer must not depend on how it is worked out.

    alone.py HELIOSD [--seed N] [--rounds N] [--queries N]

Each query runs with batches of 2048, 3 and 1 rows, grouped below joins wherever that can be, without keys and
indexes, by columns, part of the rows in memory, with little memory, with no worker, one and two, also in little memory and batches of 3, through a view, the
view's own text, and PREPARE. Besides, whatever a
condition is, its rows, those of its negation and those where it is NULL are all rows (ternary logic
partitioning), and counting where it holds is counting how often it is true."""
import argparse
import collections
import contextlib
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.dont_write_bytecode = True
from answers import Connection, difference, Gone  # noqa: E402
from expression import Scope  # noqa: E402
from node import shrink  # noqa: E402
from query import Queries  # noqa: E402
from schema import create, make_schema  # noqa: E402
from server import Server  # noqa: E402

SMALL_MEMORY = "query.memory_limit=4MB"
COLUMNS = ["set search_path = dual", "set helios.force_format = 'column'"]


class Variant:
    def __init__(self, name, connection, form=None):
        self.name, self.connection, self.form = name, connection, form

    def run(self, text, columns):
        c = self.connection
        if self.form is None:
            return c.run(text)
        c.run("begin")
        try:
            if self.form == "prepare":
                got = c.run("prepare p as " + text)
                return got if got.code else c.run("execute p")
            names = ", ".join("c%d" % i for i in range(columns))
            got = c.run("create view v(%s) as %s" % (names, text))
            if got.code or self.form == "view":
                return got if got.code else c.run("select * from v")
            return c.run(c.run("select pg_get_viewdef('v'::regclass)").rows[0][0].rstrip(";"))
        finally:
            c.run("rollback")
            if self.form == "prepare":
                c.run("deallocate p")


def variants(server, small):
    """All ways of running; the first is the plain one."""
    out = [Variant("plain", Connection(server)),
           Variant("batches of 1", Connection(server, ["set helios.batch_rows = 1"])),
           Variant("batches of 3", Connection(server, ["set helios.batch_rows = 3"])),
           Variant("grouped below joins", Connection(server, ["set helios.group_below = force"])),
           Variant("no index", Connection(server, ["set search_path = bare"])),
           Variant("by columns", Connection(server, COLUMNS)),
           Variant("little memory", Connection(small)),
           Variant("little memory, batches of 3", Connection(small, ["set helios.batch_rows = 3"]))]
    for n in (0, 1, 2):
        forced = ["set max_parallel_workers_per_gather = %d" % n, "set debug_parallel_query = on"]
        if n:
            out.append(Variant("%d workers" % n, Connection(server, forced)))
            out.append(Variant("by columns, %d workers" % n, Connection(server, [*COLUMNS, *forced])))
            out.append(Variant("%d workers, little memory" % n, Connection(
                small, [*forced, "set helios.batch_rows = 3"][:n + 2])))
        else:
            out[0].connection.run(forced[0])
    for form in ("view", "view text", "prepare"):
        out.append(Variant(form, out[0].connection, form))
    return out


class Check:
    def __init__(self, all_variants):
        self.all = all_variants
        self.tally, self.failures = collections.Counter(), []

    def fail(self, what, seed, text, *answers):
        self.failures.append(what)
        print("-- %s, round %d\n%s;\n%s" % (what, seed, text, "\n".join(map(str, answers))))

    def judge(self, variant, text, ordered, plain=None):
        plain = plain or self.all[0].run(text, 0)
        got = variant.run(text, len(plain.types))
        # plain is stopped by time, a setting's limit or a divisor; that says nothing
        return difference(got, plain, ordered), got, plain

    def query(self, node, ordered, seed):
        text = str(node)
        plain = self.all[0].run(text, 0)
        self.tally[plain.code or "answers"] += 1
        if plain.code and plain.code[:2] == "XX":
            return self.fail("an internal error", seed, text, plain)
        chosen = self.all[1:] if not plain.code else [v for v in self.all[1:] if not v.form][:2]
        for v in chosen:
            why, got, _ = self.judge(v, text, ordered, plain)
            self.tally["%s: %s" % (v.name, why or "same")] += 1
            if why in (None, "scale", "(limit)", "(depends)") or v.form and why == "tag":
                continue
            small = str(shrink(node, lambda t: self.judge(v, t, ordered)[0] == why, tries=300))
            _, got, plain = self.judge(v, small, ordered)
            self.fail("%s: %s" % (v.name, why), seed, small, got, plain)
            return None
        return None

    def partition(self, make, seed):
        """A condition, its negation and its NULL share out the rows."""
        make.names, make.ctes, make.query_depth = 0, [], 1
        source, columns = make.from_clause(None)
        columns = columns[:6]
        p = make.condition(Scope(columns), 2)
        head = "select %s from %s" % (", ".join(t for t, _ in columns), source)
        whole = head
        parts = " union all ".join("%s where %s" % (head, w % p) for w in ("%s", "not %s", "(%s) is null"))
        c = self.all[0].connection
        a, b = c.run(whole), c.run(parts)
        if b.code == "42803":  # it holds an aggregate of this query's rows, which WHERE may not
            self.tally["partition: (wrong)"] += 1
            return
        why = difference(b, a, False)
        self.tally["partition: %s" % (why or "same")] += 1
        if why and why[0] != "(" and why != "tag":
            self.fail("partition: " + why, seed, parts, b, a)
        a = c.run("select count(*) from %s where %s" % (source, p))
        b = c.run("select coalesce(sum(case when %s then 1 else 0 end), 0)::bigint from %s" % (p, source))
        why = difference(b, a, False)
        self.tally["counted: %s" % (why or "same")] += 1
        if why and why[0] != "(":
            self.fail("counted: " + why, seed, "select count(*) from %s where %s" % (source, p), a, b)


def setup(statements, connection, schema):
    for text in ["drop schema if exists %s cascade" % schema, "create schema %s" % schema,
                 "set search_path = %s" % schema, *statements]:
        got = connection.run(text)
        if got.code:
            raise SystemExit("setup: %s\n%s" % (text, got))


def setup_columns(statements, tables, connection):
    """The same tables by columns: the newest versions of some rows are in memory, the others on disk."""
    setup(["set helios.default_storage = dual", *statements, "checkpoint",
           *["update %s set k = k where id %% 3 = 1" % t.name for t in tables],
           "set helios.default_storage = 'row'"], connection, "dual")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("heliosd")
    p.add_argument("--seed", type=int, default=int(os.environ.get("SEED", "1")))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--queries", type=int, default=40)
    p.add_argument("--verbose", action="store_true")
    args = p.parse_args()
    print("seed %d, %d rounds" % (args.seed, args.rounds))
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server(args.heliosd))
        small = stack.enter_context(Server(args.heliosd, [SMALL_MEMORY]))
        first = [Connection(server), Connection(small)]
        for c in first:
            c.run("create schema bare")
            c.run("create schema dual")
        check = Check(variants(server, small))
        for seed in range(args.seed, args.seed + args.rounds):
            r = random.Random(seed)
            tables = make_schema(r)
            keep = r.getstate()
            full = [s for t in tables for s in create(r, t)]
            r.setstate(keep)
            bare = [s for t in tables for s in create(r, t, indexes=False)]
            setup(bare, first[0], "bare")
            setup_columns(full, tables, first[0])
            for c in first:
                setup(full, c, "public")
            make = Queries(r, tables)
            for _ in range(args.queries):
                node, ordered = make.top()
                check.query(node, ordered, seed)
                check.partition(make, seed)
    if args.verbose:
        for name, n in sorted(check.tally.items()):
            print("%7d  %s" % (n, name))
    answered = check.tally["answers"]
    print("%d queries answered, %d differences" % (answered, len(check.failures)))
    # Of a hundred queries ninety and more must say something, or the generator is broken.
    return 1 if check.failures or answered < args.rounds * args.queries * .8 else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Gone as e:
        sys.exit("the server closed the connection: %s" % e)
