#!/usr/bin/python3
"""How tables had better be kept: what helios_storage_advice says after some use, and that helios.auto_storage does it; that changes of the
form of storage come to an end in the background.

usage: auto_storage.py HELIOSD"""
import os
import sys
import time

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402

ROWS = 30000
SECONDS_MAX = 60
failures = []


def check(what, ok, detail=""):
    if not ok:
        failures.append(what)
        print("FAIL %s %s" % (what, detail))


class Session:
    def __init__(self, server):
        self.connection = psycopg2.connect(host="127.0.0.1", port=server.port, user="postgres")
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()

    def run(self, text, args=None):
        self.cursor.execute(text, args)
        return self.cursor.fetchall() if self.cursor.description else None

    def value(self, text):
        return self.run(text)[0][0]

    def advice(self, table):
        return self.run("select storage, advice, reason from helios_storage_advice where relname = %s", (table,))[0]

    def wait(self, what, text, want):
        end = time.monotonic() + SECONDS_MAX
        while self.value(text) != want and time.monotonic() < end:
            time.sleep(.02)
        check(what, self.value(text) == want, str(self.value(text)))


def make(s, table, options=""):
    s.run("create table %s (id int primary key, a int, b int, c numeric, t text) %s" % (table, options))
    s.run("insert into %s select i, i %% 7, i %% 100, i * 0.25, 'row ' || i %% 50 from generate_series(1, %d) i" % (table, ROWS))


def scan(s, table):
    """Enough to tell, whatever the machine: what counts is rows, not time."""
    want = s.value("select rows_scanned from helios_storage_advice where relname = '%s'" % table) + 4000000
    s.run("set max_parallel_workers_per_gather = 0")
    while s.value("select rows_scanned from helios_storage_advice where relname = '%s'" % table) < want:
        s.run("select a, sum(b), sum(c) from %s where t <> 'row 1' group by a" % table)


def look_up(s, table, count):
    s.run("prepare one as select a from %s where id = $1" % table)
    for i in range(count):
        s.run("execute one(%d)" % (i * 7 % ROWS + 1))
    s.run("deallocate one")


def advices(server):
    s = Session(server)
    make(s, "scanned")
    make(s, "shared")
    make(s, "written")
    s.run("create table small (id int primary key)")
    check("not told yet", s.advice("scanned")[1:] == ("row", "it was not used enough to tell"), str(s.advice("scanned")))
    check("small ones", s.advice("small")[1:] == ("row", "the table is small"), str(s.advice("small")))
    scan(s, "scanned")
    scan(s, "shared")
    look_up(s, "shared", 6000)
    check("scans", s.advice("scanned")[1] == "column", str(s.advice("scanned")))
    check("scans and lookups", s.advice("shared")[1] == "dual", str(s.advice("shared")))
    for _ in range(8):
        s.run("update written set a = a + 1")
    scan(s, "written")
    check("writes", s.advice("written")[1] == "row", str(s.advice("written")))
    lookups, scans = s.run("select lookups, scans from helios_storage_advice where relname = 'shared'")[0]
    check("lookups are counted", lookups >= 6000 and scans > 50, "%s %s" % (lookups, scans))


def changes(server):
    """The server does it by itself, and leaves alone what was told something."""
    s = Session(server)
    make(s, "said", "with (helios.storage = row)")
    make(s, "asked", "with (fillfactor = 70, helios.storage = auto)")
    s.run("checkpoint")
    before = s.run("select count(*), sum(a), sum(c), min(t) from asked")
    scan(s, "said")
    scan(s, "asked")
    s.wait("it is changed", "select reloptions::text from pg_class where relname = 'asked'",
           "{fillfactor=70,helios.storage=auto:column}")
    s.wait("the rest is rewritten", "select bytes_to_rewrite from helios_storage_advice where relname = 'asked'", 0)
    check("rows stay", s.run("select count(*), sum(a), sum(c), min(t) from asked") == before)
    time.sleep(.3)
    check("what was told is kept", s.value("select reloptions::text from pg_class where relname = 'said'") ==
          "{helios.storage=row}")
    check("but advised", s.advice("said")[1] == "column", str(s.advice("said")))
    check("the setting", s.value("show helios.auto_storage") == "on")


def rewriting(server):
    """From form to form while rows change."""
    s, other = Session(server), Session(server)
    make(s, "moving", "with (helios.storage = row)")
    s.run("checkpoint")
    sizes = {}
    for kind in ("column", "dual", "hybrid", "compressed", "row"):
        s.run("alter table moving set (helios.storage = %s)" % kind)
        other.run("update moving set a = a + 1 where id % 10 = 3")
        s.run("checkpoint")
        left = s.value("select bytes_to_rewrite from helios_storage_advice where relname = 'moving'")
        check("what is left is no more than all", 0 <= left, str(left))
        s.wait("%s: it comes to an end" % kind,
               "select bytes_to_rewrite from helios_storage_advice where relname = 'moving'", 0)
        sizes[kind] = s.value("select disk_bytes from helios_storage_advice where relname = 'moving'")
        check("%s: rows" % kind, s.run("select count(*), sum(b) from moving") == [(ROWS, sum(i % 100 for i in range(1, ROWS + 1)))])
    check("columns take less", sizes["column"] < sizes["dual"], str(sizes))


def main():
    with Server(sys.argv[1], ["autoanalyze.interval=0"]) as server:
        advices(server)
        rewriting(server)
    with Server(sys.argv[1], ["autoanalyze.interval=50ms", "helios.auto_storage=on"]) as server:
        changes(server)
    print("%d failures" % len(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
