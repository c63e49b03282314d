#!/usr/bin/env python3
"""Runs tests/sql/NAME.sql through psql and compares with NAME.out, which PostgreSQL 15 wrote.

    run.py HELIOSD [NAME ...]               start a server, run all or the named files
    run.py --update HOST PORT [NAME ...]    write the .out files anew from a PostgreSQL server

Expected output is never edited by hand: it is the reference's own, so a difference is a bug here
or a statement that does not belong in the corpus.
"""
import difflib
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.dont_write_bytecode = True
from server import Server, ServerError  # noqa: E402

SECONDS_MAX = 60
DIFF_LINES_MAX = 40
SCRATCH = "helios_sql_expected"


def clean_env():
    """The caller's PG* settings must not change what psql prints."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    env.update(PAGER="", PSQL_PAGER="", LC_ALL="C.UTF-8", PSQL_HISTORY="/dev/null",
               PGCONNECT_TIMEOUT="10", PGCLIENTENCODING="UTF8")
    return env


def psql(host, port, database, *args):
    command = ["psql", "-X", "-q", "-A", "-v", "ON_ERROR_STOP=0", "-P", "pager=off", "-h", host,
               "-p", str(port), "-U", "postgres", "-d", database, *args]
    try:
        done = subprocess.run(command, cwd=HERE, env=clean_env(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired as e:
        got = (e.output or b"").decode("utf-8", "replace")
        return None, got + "\n-- no end after %d s\n" % SECONDS_MAX
    return done.returncode, done.stdout.decode("utf-8", "replace")


def run_file(host, port, database, name):
    """Each file begins with an empty schema public and leaves what it likes behind."""
    status, got = psql(host, port, database, "-c", "set client_min_messages = warning",
                       "-c", "drop schema if exists public cascade", "-c", "create schema public")
    if status != 0 or got:
        return "-- the schema could not be emptied\n" + got
    return psql(host, port, database, "-f", name + ".sql")[1]


def all_names():
    return sorted(f[:-4] for f in os.listdir(HERE) if f.endswith(".sql"))


def read(path):
    with open(path, encoding="utf-8", errors="replace", newline="") as f:
        return f.read()


def update(host, port, names):
    for command in ("drop database if exists ", "create database "):
        status, got = psql(host, port, "postgres", "-c", "set client_min_messages = warning",
                           "-c", command + SCRATCH)
        if status != 0:
            print(got, end="")
            return 1
    for name in names:
        out = run_file(host, port, SCRATCH, name)
        with open(os.path.join(HERE, name + ".out"), "w", encoding="utf-8",
                  newline="") as f:
            f.write(out)
        print("wrote %s.out: %d lines" % (name, out.count("\n")))
    psql(host, port, "postgres", "-c", "drop database " + SCRATCH)
    return 0


def compare(name, got):
    """Prints a difference; true if there is none."""
    path = os.path.join(HERE, name + ".out")
    want = read(path) if os.path.exists(path) else ""
    if want == got:
        print("ok   %s" % name)
        return True
    lines = list(difflib.unified_diff(want.split("\n"), got.split("\n"), name + ".out",
                                      name + " (heliosd)", lineterm="", n=2))
    print("FAIL %s: %d lines of difference" % (name, len(lines)))
    print("\n".join(lines[:DIFF_LINES_MAX]))
    if len(lines) > DIFF_LINES_MAX:
        print("... %d lines more" % (len(lines) - DIFF_LINES_MAX))
    return False


def run(binary, names):
    failed = []
    server = Server(binary)
    server.start()
    try:
        for name in names:
            got = run_file(server.host, server.port, "postgres", name)
            if not compare(name, got):
                failed.append(name)
            if not server.alive():
                print("the server died in %s:\n%s" % (name, server.log_tail()))
                failed += [n for n in names if n > name and n not in failed]
                break
    finally:
        reason = server.stop()
    if reason:
        print("%s\n%s" % (reason, server.log_tail()))
    print("%d of %d files passed%s" % (len(names) - len(failed), len(names),
                                       ": failed " + " ".join(failed) if failed else ""))
    return 1 if failed or reason else 0


def main(argv):
    if len(argv) >= 3 and argv[0] == "--update":
        return update(argv[1], argv[2], argv[3:] or all_names())
    if not argv or argv[0].startswith("-"):
        print(__doc__)
        return 2
    try:
        return run(argv[0], sorted(argv[1:]) or all_names())
    except ServerError as e:
        print(e)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
