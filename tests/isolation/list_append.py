#!/usr/bin/python3
"""Random transactions of many clients append to lists and read them, at each isolation level, and our own
checker looks for what the level forbids (history.py tells what that is). Some only read, of those some DEFERRABLE. Reads
are by key, by range of keys and by an index, and find keys that are not there yet. With --crashes the server is killed and
started again meanwhile: what was acknowledged has to be there.

usage: list_append.py HELIOSD [--transactions N] [--crashes N] [--clients N] [--seed N] [--level LEVEL]
       list_append.py --at HOST PORT DATABASE …    against a server that is there"""
import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import history  # noqa: E402
from server import Server  # noqa: E402

KEYS = 8            # lists that are appended to at a time
GROUP = 4           # of keys, found by the index
APPENDS_MAX = 40    # to one list, about: then it makes room for a new one
OPS_MAX = 5
BACK_SECONDS = 60   # a server that was killed is there again by then

SETUP = """
drop table if exists la;
create table la (k int primary key, g int, v text);
create index la_g on la (g);
"""
RETRY = ("40001", "40P01")


class Run:
    def __init__(self, dsn, level, count, seed):
        self.dsn, self.level, self.left, self.seed = dsn, level, count, seed
        self.lock = threading.Lock()
        self.txns, self.problems = [], []
        self.appends = 0
        self.failures = {}

    def next_txn(self):
        """None when there are enough; else a transaction and the first key that is in use."""
        with self.lock:
            if self.left <= 0:
                return None
            self.left -= 1
            t = history.Txn(len(self.txns))
            self.txns.append(t)
            return t, self.appends // APPENDS_MAX

    def count(self, code, t):
        with self.lock:
            self.failures[code] = self.failures.get(code, 0) + 1
            self.appends += sum(op[0] == "append" for op in t.ops) if code == "00000" else 0


def elements(text):
    return [int(x) for x in text.split(",")] if text else []


def do_op(cursor, r, t, base, numbers, read_only):
    key = base + r.randrange(KEYS)
    what = r.random() / 2 + 0.5 if read_only else r.random()
    if what < 0.5:
        x = next(numbers)
        t.ops.append(("append", key, x))
        cursor.execute("insert into la values (%s, %s, %s) on conflict (k) do update"
                       " set v = la.v || ',' || excluded.v", (key, key // GROUP, str(x)))
    elif what < 0.75:
        cursor.execute("select v from la where k = %s", (key,))
        row = cursor.fetchone()
        t.ops.append(("read", key, elements(row[0]) if row else []))
    else:
        if what < 0.9:
            keys = range(key, key + 1 + r.randrange(KEYS))
            cursor.execute("select k, v from la where k >= %s and k < %s", (keys.start, keys.stop))
        else:
            group = key // GROUP
            keys = range(group * GROUP, (group + 1) * GROUP)
            cursor.execute("select k, v from la where g = %s", (group,))
        found = dict(cursor.fetchall())
        for k in keys:
            t.ops.append(("read", k, elements(found.get(k))))


def connect(run):
    end = time.monotonic() + BACK_SECONDS
    while True:
        try:
            c = psycopg2.connect(run.dsn)
            c.set_session(isolation_level=run.level)
            return c
        except psycopg2.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def one_txn(c, r, t, base, numbers):
    """The SQLSTATE; "00000" when it has committed, "" when nobody knows."""
    committing = False
    try:
        read_only = r.randrange(6) == 0
        c.set_session(readonly=read_only, deferrable=read_only and r.randrange(3) == 0)
        with c.cursor() as cursor:
            for _ in range(r.randrange(1, OPS_MAX)):
                do_op(cursor, r, t, base, numbers, read_only)
        if r.randrange(20) == 0:
            c.rollback()
            t.status = history.ABORTED
            return "rollback"
        committing = True
        c.commit()
        t.status = history.COMMITTED
        return "00000"
    except psycopg2.Error as e:
        if e.pgcode is None or c.closed or e.pgcode.startswith("57P"):
            t.status = history.UNKNOWN if committing else history.ABORTED
            return ""
        t.status = history.ABORTED
        try:
            c.rollback()
        except psycopg2.Error:
            return ""
        return e.pgcode


def client(run, number):
    r = random.Random(run.seed * 1000 + number)
    numbers = iter(range(number * 10000000 + 1, (number + 1) * 10000000))
    try:
        c = connect(run)
        while True:
            got = run.next_txn()
            if not got:
                break
            t, base = got
            code = one_txn(c, r, t, base, numbers)
            run.count(code or "cut off", t)
            if not code:
                c.close()
                c = connect(run)
            elif code not in ("00000", "rollback", *RETRY):
                raise RuntimeError("SQLSTATE %s" % code)
        c.close()
    except Exception as e:  # pylint: disable=broad-except
        run.problems.append("client %d: %s" % (number, e))
        run.left = 0


def final_lists(dsn):
    c = psycopg2.connect(dsn)
    with c.cursor() as cursor:
        cursor.execute("select k, v from la")
        lists = {k: elements(v) for k, v in cursor.fetchall()}
    c.close()
    return lists


def dsn_of(server):
    return "host=%s port=%d dbname=postgres user=postgres" % (server.host, server.port)


def crash(server, run, crashes, total):
    """Kills it when so much has been done, and starts it again; returns the one that runs."""
    for i in range(crashes):
        while run.left > total * (crashes - i) // (crashes + 1):
            time.sleep(0.01)
        server.kill()
        server = Server(server.binary, data=server.kept).start()
        run.dsn = dsn_of(server)
    return server


def run_level(server, dsn, level, o):
    setup = psycopg2.connect(dsn)
    setup.autocommit = True
    setup.cursor().execute(SETUP)
    setup.close()
    run = Run(dsn, level, o.transactions, o.seed)
    threads = [threading.Thread(target=client, args=(run, i), daemon=True) for i in range(o.clients)]
    began = time.monotonic()
    for t in threads:
        t.start()
    if server and o.crashes:
        server = crash(server, run, o.crashes, o.transactions)
    for t in threads:
        t.join()
    seconds = time.monotonic() - began
    h = history.History(run.txns, final_lists(run.dsn))
    problems = run.problems or h.check(level)
    print("%s: %d transactions of %d clients in %.1f s, %d kills: %s; %d lists, %d elements, %d reads" % (
        level, len(run.txns), o.clients, seconds, o.crashes,
        ", ".join("%d %s" % (n, code) for code, n in sorted(run.failures.items())), len(h.final), len(h.there),
        sum(op[0] == "read" for t in h.txns for op in t.ops)))
    if not problems:
        print("   forbidden: %s: none; permitted and found: %s" % (
            ", ".join(history.FORBIDDEN[level]), ", ".join(h.permitted(level)) or "nothing"), flush=True)
    for p in problems[:5]:
        print("   " + p)
    if not h.txns:
        problems.append("nothing has committed")
    return server, len(problems)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("binary", nargs="?")
    p.add_argument("--at", nargs=3)
    p.add_argument("--transactions", type=int, default=4000)
    p.add_argument("--crashes", type=int, default=0)
    p.add_argument("--clients", type=int, default=16)
    p.add_argument("--seed", type=int, default=random.randrange(1 << 20))
    p.add_argument("--level", choices=history.LEVELS)
    o = p.parse_args()
    print("seed %d" % o.seed)
    bad = 0
    server = data = None
    if o.at:
        dsn = "host=%s port=%s dbname=%s user=%s" % (*o.at, os.environ.get("PGUSER", "postgres"))
    else:
        data = tempfile.mkdtemp(prefix="helios-test-")
        server = Server(o.binary, data=data).start()
        dsn = dsn_of(server)
    try:
        for level in [o.level] if o.level else history.LEVELS:
            server, n = run_level(server, dsn_of(server) if server else dsn, level, o)
            bad += n
    finally:
        reason = server.stop() if server else None
        if reason:
            print(reason + "\n" + server.log_tail())
            bad += 1
        if data:
            shutil.rmtree(data, ignore_errors=True)
    sys.exit(bad > 0)


main()
