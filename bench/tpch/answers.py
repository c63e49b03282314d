#!/usr/bin/python3
"""Compares the answers to TPC-H's 22 queries with a reference, to the letter.

DIR holds TABLE.tbl.zst (or TABLE.tbl) for the eight tables and answers/qN.out, rows as `psql -At -F'|'` prints
them. The tables are loaded into a server that is started for it, or are there already (--dsn).

usage: answers.py DIR --heliosd build/src/bin/heliosd [--set NAME=VALUE ...]
       answers.py DIR --dsn 'host=... dbname=...' [--load]

Exit status 0: all equal."""
import argparse
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import peers  # noqa: E402
import tpch_data as tpch  # noqa: E402


def first_difference(got, wanted):
    for n, (a, b) in enumerate(zip(got, wanted)):
        if a != b:
            return f"row {n + 1} is\n    {a}\n  not\n    {b}"
    return f"{len(got)} rows, not {len(wanted)}"


def compare(db, directory, chosen):
    """The number of queries that failed."""
    bad = 0
    for n in chosen:
        with open(f"{directory}/answers/q{n}.out") as f:
            wanted = f.read().splitlines()
        try:
            seconds, got = tpch.ask(db, n)
        except Exception as e:  # the others are still worth asking
            bad += 1
            print(f"q{n}: FAILED: {str(e).strip()}", flush=True)
            if db.closed:
                raise
            continue
        equal = tpch.same(n, got, wanted)
        bad += not equal
        print(f"q{n}: {'equal' if equal else 'DIFFERS: ' + first_difference(got, wanted)}"
              f" ({len(got)} rows, {seconds:.3f} s)", flush=True)
    return bad


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    a.add_argument("directory")
    a.add_argument("--heliosd", help="starts it and loads the tables")
    a.add_argument("--set", action="append", default=[], help="setting of the started server")
    a.add_argument("--dsn")
    a.add_argument("--load", action="store_true", help="create and fill the tables over --dsn")
    a.add_argument("--queries", help="1,2,3: only these")
    o = a.parse_args()
    if bool(o.heliosd) == bool(o.dsn):
        a.error("one of --heliosd and --dsn is needed")
    chosen = [int(n) for n in o.queries.split(",")] if o.queries else tpch.NUMBERS
    server = peers.Helios(o.heliosd, settings=o.set) if o.heliosd else None
    try:
        if server:
            server.start()
        db = tpch.connect(server.dsn() if server else o.dsn)
        if server or o.load:
            tpch.load(db, o.directory)
        bad = compare(db, o.directory, chosen)
    finally:
        if server:
            server.stop()
    print(f"{len(chosen) - bad} of {len(chosen)} equal")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
