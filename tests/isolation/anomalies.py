#!/usr/bin/python3
"""Isolation levels, anomaly by anomaly: scripts of steps by two or three sessions, the catalogue of Hermitage
(Kleppmann) at each level and more for SERIALIZABLE. What each step says, rows or an error with its detail and
hint, or that it waits, is held against what PostgreSQL 15 said.

usage: anomalies.py HELIOSD                       starts a server, runs the cases
       anomalies.py --update HOST PORT DATABASE   writes anomalies.json from a PostgreSQL server
       anomalies.py --at HOST PORT DATABASE       runs the cases against a server that is there"""
import json
import os
import re
import sys

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
from server import Server  # noqa: E402
from sessions import run_steps  # noqa: E402
from cases import BOTH, HERMITAGE, OURS, SERIALIZABLE, SETUP  # noqa: E402

EXPECTED = os.path.join(HERE, "anomalies.json")
LEVELS = ["read committed", "repeatable read", "serializable"]


def error(e):
    d = e.diag
    detail = re.sub(r"\d+", "N", d.message_detail or "")
    return [d.sqlstate, d.message_primary, detail, d.message_hint or ""]


def at_level(steps, level):
    return [re.sub(r"^(\d: begin)(?= |$)", r"\1 isolation level " + level, s) for s in steps]


def all_cases():
    for name, steps in HERMITAGE.items():
        for level in LEVELS:
            yield "%s, %s" % (name, level), at_level(steps, level)
    for name, steps in SERIALIZABLE.items():
        yield name, at_level(steps, "serializable")
    for name, steps in BOTH.items():
        yield name, steps


def set_up(dsn):
    c = psycopg2.connect(dsn)
    c.autocommit = True
    c.cursor().execute(SETUP)
    c.close()


def run_case(dsn, steps, expected=None):
    set_up(dsn)
    return json.loads(json.dumps(run_steps(dsn, steps, error, expected), default=str))


def update(dsn):
    said = {}
    for name, steps in all_cases():
        said[name] = [[step, got] for step, got in zip(steps, run_case(dsn, steps))]
        if "did not wait" in [got for _, got in said[name]]:
            print("%s: a step that is to have waited has not" % name)
    with open(EXPECTED, "w") as f:
        f.write("{\n" + ",\n".join("%s: [\n%s]" % (
            json.dumps(name), ",\n".join("  " + json.dumps(s) for s in steps))
            for name, steps in said.items()) + "\n}\n")


def compare(name, steps, expected, got):
    if got == expected:
        return 0
    print("%s:" % name)
    for step, want, have in zip(steps, expected, got):
        print("   %s %s\n        %s" % ("  " if want == have else "!!", step, have))
        if want != have:
            print("   expected %s" % (want,))
    return 1


def check(dsn, ours):
    with open(EXPECTED) as f:
        known = json.load(f)
    bad = count = 0
    for name, steps in all_cases():
        if [s for s, _ in known[name]] != steps:
            sys.exit("%s: the case is not the one that PostgreSQL was asked; run with --update" % name)
        want = [got for _, got in known[name]]
        bad += compare(name, steps, want, run_case(dsn, steps, want))
        count += 1
    for name, (steps, want) in OURS.items() if ours else ():
        steps = at_level(steps, "serializable")
        bad += compare(name, steps, want, run_case(dsn, steps, want))
        count += 1
    print("%d cases, %d differ" % (count, bad))
    return bad


def main():
    if sys.argv[1] in ("--update", "--at"):
        dsn = "host=%s port=%s dbname=%s user=%s" % (*sys.argv[2:5],
                                                     os.environ.get("PGUSER", "postgres"))
        return update(dsn) if sys.argv[1] == "--update" else sys.exit(check(dsn, False) > 0)
    with Server(sys.argv[1]) as s:
        bad = check("host=%s port=%d dbname=postgres user=postgres" % (s.host, s.port), True)
    sys.exit(bad > 0)


main()
