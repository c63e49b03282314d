#!/usr/bin/python3
"""Branches: how long CREATE BRANCH takes and what it writes, at several table sizes, beside PostgreSQL's CREATE DATABASE …
TEMPLATE; and point reads in main, in a branch without changes, and through eight branches that each changed a part of
the table. The reads are look-ups by primary key within one statement, so that no round trip hides them; the best
of the rounds counts.

The bars: CREATE BRANCH under 5 ms (p50) and under 64 KB at any size; a point read through 8 levels at most twice one of main.

usage: branches.py HELIOSD [--rows 1000,1000000] [--creates 50] [--reads 100000] [--rounds 5] [--no-postgres] [--json FILE]"""
import argparse
import json
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import peers  # noqa: E402

CREATE_MS_MAX, CREATE_BYTES_MAX, READ_RATIO_MAX, LEVELS = 5.0, 64 << 10, 2.0, 8


def connect(server, branch=None):
    import psycopg2
    c = psycopg2.connect(server.dsn() + (f" options='-c branch={branch}'" if branch else ""))
    c.autocommit = True
    return c


def fill(c, rows):
    c.execute("drop table if exists t")
    c.execute("create table t (id int primary key, a int, pad text)")
    c.execute("insert into t select g, g, repeat('x', 80) from generate_series(1, %s) g", (rows,))


def bytes_of(directory):
    total = 0
    for base, _, names in os.walk(directory):
        total += sum(os.stat(os.path.join(base, n)).st_blocks * 512 for n in names)
    return total


def creates(server, c, o, rows):
    """Milliseconds of each, and bytes of disk of one, of many."""
    c.execute("checkpoint")
    times, before = [], bytes_of(server.data)
    for i in range(o.creates):
        began = time.perf_counter()
        c.execute(f"create branch b{i} from main")
        times.append((time.perf_counter() - began) * 1000)
    grown = (bytes_of(server.data) - before) / o.creates
    c.execute("select sum(bytes), sum(trees) from helios_branches")
    own = c.fetchone()
    for i in range(o.creates):
        c.execute(f"drop branch b{i}")
    if own[0] or own[1]:
        raise peers.BenchError(f"branches without changes hold {own}")
    times.sort()
    return times[len(times) // 2], times[int(len(times) * .99)], grown


def postgres_ms(server, rows):
    c = connect(server)
    cursor = c.cursor()
    fill(cursor, rows)
    c.close()
    import psycopg2
    admin = psycopg2.connect(server.dsn("template1"))
    admin.autocommit = True
    began = time.perf_counter()
    admin.cursor().execute("create database copy template postgres")
    ms = (time.perf_counter() - began) * 1000
    admin.cursor().execute("drop database copy")
    admin.close()
    return ms


def read_us(c, rows, reads):
    """A look-up, of many in one statement."""
    cursor = c.cursor()
    began = time.perf_counter()
    cursor.execute("select count(x.a) from generate_series(1, %s) g, "
                   "lateral (select a from t where id = ((g * 7919::bigint) %% %s + 1)::int offset 0) x", (reads, rows))
    if cursor.fetchone()[0] != reads:
        raise peers.BenchError("a row is not there")
    return (time.perf_counter() - began) / reads * 1e6


def chain(c, rows):
    """Each of eight branches changes one row in a hundred."""
    c.execute("create branch untouched from main")
    parent = "main"
    for i in range(1, LEVELS + 1):
        c.execute(f"create branch level{i} from {parent}")
        c.execute(f"use branch level{i}")
        c.execute("update t set a = a + 1 where id %% 100 = %s", (i,))
        parent = f"level{i}"
    c.execute("use branch main")
    c.execute("checkpoint")


def reads(server, o, rows):
    lines = {"main": connect(server), "untouched": connect(server, "untouched"),
             "level%d" % LEVELS: connect(server, "level%d" % LEVELS)}
    times = {name: [] for name in lines}
    for i in range(o.rounds + 1):
        for name in list(lines) if i % 2 else reversed(list(lines)):
            us = read_us(lines[name], rows, o.reads)
            if i:
                times[name].append(us)
    for c in lines.values():
        c.close()
    return {name: min(t) for name, t in times.items()}


def page(o, found):
    """As bench/report.py wants it."""
    columns = ["rows of the table", "CREATE BRANCH p50, ms", "p99, ms", "KB on disk", "PostgreSQL TEMPLATE, ms", "point read in main, µs",
               "in an unchanged branch", f"through {LEVELS} levels", "ratio to main"]
    rows = [[n, round(f["create_ms_p50"], 2), round(f["create_ms_p99"], 2), round(f["create_bytes"] / 1024, 1), f["postgres_template_ms"],
             round(f["read_us"]["main"], 3), round(f["read_us"]["untouched"], 3), round(f["read_us"]["level%d" % LEVELS], 3),
             round(f["ratio"], 2)] for n, f in found.items()]
    notes = [f"At most {CREATE_MS_MAX:.0f} ms (p50) and {CREATE_BYTES_MAX >> 10} KB at any size; a point read through {LEVELS} levels at most "
             f"{READ_RATIO_MAX:.0f} times one of main.",
             f"Each of the {LEVELS} branches has changed one row in a hundred. Reads are look-ups by primary key within one statement, {o.reads:,} "
             "of them."]
    return {"title": "Branches", "command": "make bench-branches", "columns": columns, "rows": rows, "notes": notes}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("heliosd")
    p.add_argument("--rows", default="1000,1000000")
    p.add_argument("--creates", type=int, default=50)
    p.add_argument("--reads", type=int, default=100000)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--no-postgres", action="store_true")
    p.add_argument("--json")
    o = p.parse_args()
    ok, found = True, {}
    for rows in map(int, o.rows.split(",")):
        with peers.Helios(o.heliosd) as server:
            c = connect(server).cursor()
            fill(c, rows)
            p50, p99, grown = creates(server, c, o, rows)
            chain(c, rows)
            at = reads(server, o, rows)
        theirs = None
        if not o.no_postgres:
            with peers.Postgres() as server:
                theirs = postgres_ms(server, rows)
        ratio = at["level%d" % LEVELS] / at["main"]
        held = p50 < CREATE_MS_MAX and grown < CREATE_BYTES_MAX and ratio <= READ_RATIO_MAX
        ok &= held
        found[rows] = {"create_ms_p50": p50, "create_ms_p99": p99, "create_bytes": grown,
                       "postgres_template_ms": theirs, "read_us": at, "ratio": ratio}
        print(f"{rows} rows: CREATE BRANCH p50 {p50:.2f} ms, p99 {p99:.2f} ms, {grown / 1024:.1f} KB on disk"
              + (f"; PostgreSQL TEMPLATE {theirs:.0f} ms" if theirs else ""))
        print(f"{rows} rows: point read {at['main']:.2f} µs in main, {at['untouched']:.2f} in an unchanged branch, "
              f"{at['level%d' % LEVELS]:.2f} through {LEVELS} levels ({ratio:.2f}×){'' if held else '  FAILED'}")
    if o.json:
        with open(o.json, "w", encoding="utf-8") as f:
            json.dump(page(o, found), f, indent=1)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
