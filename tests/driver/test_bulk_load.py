#!/usr/bin/env python3
"""Bulk loads over the wire: COPY and INSERT ... SELECT of more than memtables and log would take, in key
order and not, with indexes; duplicates, rollback, savepoints, other sessions, and kill -9 in the middle.

    test_bulk_load.py HELIOSD
"""
import io
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import psycopg2
import psycopg2.errors

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402

ROWS = 30000
SMALL = ["memtable_total_bytes=8MB", "memtable_bytes=1MB", "load_bytes=1MB", "wal.file_bytes=1MB"]
SEED = int(os.environ.get("SEED", "1"))


def connect(server, autocommit=True):
    conn = psycopg2.connect(host=server.host, port=server.port, user="postgres", dbname="postgres",
                            connect_timeout=10)
    conn.autocommit = autocommit
    return conn


def run(conn, sql):
    with conn.cursor() as q:
        q.execute(sql)
        return q.fetchall() if q.description else q.rowcount


def one(conn, sql):
    return run(conn, sql)[0][0]


def line(i):
    return "%d\t%d\t%s\t%s\n" % (i, i * 7919 % 1000003, "n%d" % (i % 1000), "x" * (i * 31 % 200))


def copy(conn, table, lines):
    with conn.cursor() as q:
        q.copy_expert("copy %s from stdin" % table, io.StringIO("".join(lines)))
        return q.rowcount


def make(conn, table):
    run(conn, "create table %s (id int primary key, u int not null unique, name text,"
              " filler text check (length(filler) < 200))" % table)
    run(conn, "create index %s_name on %s (name)" % (table, table))


def check(conn, table, ids):
    """The table and its indexes hold these rows."""
    want = (len(ids), sum(ids), sum(i * 7919 % 1000003 for i in ids), sum(i * 31 % 200 for i in ids))
    got = run(conn, "select count(*), sum(id), sum(u), sum(length(filler)) from %s" % table)[0]
    assert got == want, (got, want)
    for i in random.sample(sorted(ids), min(20, len(ids))):
        assert run(conn, "select id from %s where u = %d" % (table, i * 7919 % 1000003)) == [(i,)]
        assert one(conn, "select length(filler) from %s where id = %d" % (table, i)) == i * 31 % 200
    n = sum(1 for i in ids if i % 1000 == 7)
    assert one(conn, "select count(*) from %s where name = 'n7'" % table) == n
    bad = run(conn, "select object, kind, problem from helios_verify() where problem is not null")
    assert not bad, bad


def fails(kind, fn, *args):
    try:
        fn(*args)
    except kind as e:
        return e
    raise AssertionError("no " + kind.__name__)


def test_orders(server):
    conn = connect(server)
    for order in ("sorted", "shuffled"):
        make(conn, order)
        ids = list(range(ROWS))
        if order == "shuffled":
            random.shuffle(ids)
        assert copy(conn, order, map(line, ids)) == ROWS
        check(conn, order, ids)
        run(conn, "delete from %s where id %% 3 = 0" % order)
        assert copy(conn, order, map(line, range(0, ROWS, 3))) == ROWS // 3
        check(conn, order, ids)
    run(conn, "create table plain (a int, b text)")
    with conn.cursor() as q:
        q.copy_expert("copy plain from stdin", io.StringIO("".join("%d\t%s\n" % (i % 10, "y" * 90)
                                                                  for i in range(ROWS))))
    assert run(conn, "select count(*), sum(a) from plain") == [(ROWS, ROWS // 10 * 45)]
    conn.close()


def test_insert_select(server):
    conn = connect(server)
    make(conn, "derived")
    assert run(conn, "insert into derived select * from shuffled") == ROWS
    check(conn, "derived", range(ROWS))
    assert run(conn, "insert into derived select id + 200000, u + 1000003, name, filler"
                     " from derived where id < 15000") == 15000
    assert one(conn, "select count(*) from derived") == ROWS + 15000
    conn.close()


def test_duplicates(server):
    conn = connect(server)
    make(conn, "twice")
    lines = [line(i) for i in range(ROWS)]
    late = ROWS - 500
    e = fails(psycopg2.errors.UniqueViolation, copy, conn, "twice",
              lines[:late] + [line(22222)] + lines[late:])
    assert e.diag.message_primary == \
        'duplicate key value violates unique constraint "twice_pkey"', e
    assert e.diag.message_detail == "Key (id)=(22222) already exists.", e
    assert e.diag.context == "COPY twice, line %d" % (late + 1), e.diag.context
    assert one(conn, "select count(*) from twice") == 0
    copy(conn, "twice", lines[50:60])
    e = fails(psycopg2.errors.UniqueViolation, copy, conn, "twice", lines[::-1])
    assert e.diag.constraint_name == "twice_pkey", e
    assert e.diag.context == "COPY twice, line %d" % (ROWS - 59), e.diag.context
    other = "%d\t%d\tn\tf\n" % (ROWS + 5, 55 * 7919 % 1000003)
    e = fails(psycopg2.errors.UniqueViolation, copy, conn, "twice", lines[60:] + [other])
    assert e.diag.message_detail == "Key (u)=(%d) already exists." % (55 * 7919 % 1000003), e
    e = fails(psycopg2.errors.CheckViolation, copy, conn, "twice",
              lines[60:] + ["%d\t-1\tn\t%s\n" % (ROWS + 5, "z" * 200)])
    e = fails(psycopg2.errors.NotNullViolation, copy, conn, "twice",
              lines[60:] + ["%d\t\\N\tn\tf\n" % (ROWS + 5)])
    assert "line %d" % (ROWS - 59) in e.diag.context, e.diag.context
    check(conn, "twice", range(50, 60))
    copy(conn, "twice", lines[:50] + lines[60:])
    check(conn, "twice", range(ROWS))
    conn.close()


def test_transactions(server):
    conn, other = connect(server, False), connect(server)
    run(conn, "create table fresh (id int primary key, t text)")
    conn.commit()
    lines = ["%d\t%s\n" % (i, "w" * 100) for i in range(ROWS)]
    run(conn, "begin")
    run(conn, "truncate fresh")
    copy(conn, "fresh", lines[: ROWS // 2])
    assert one(conn, "select count(*) from fresh") == ROWS // 2
    conn.rollback()
    copy(conn, "fresh", lines[: ROWS // 2])
    run(conn, "savepoint s")
    copy(conn, "fresh", lines[ROWS // 2:])
    run(conn, "update fresh set t = 'new' where id = %d" % (ROWS - 1))
    run(conn, "delete from fresh where id = 5")
    assert one(conn, "select count(*) from fresh") == ROWS - 1
    run(conn, "rollback to s")
    assert one(conn, "select count(*) from fresh") == ROWS // 2
    run(conn, "update fresh set t = 'mine' where id = 7")
    run(conn, "delete from fresh where id = 8")
    assert run(other, "select count(*) from fresh") == [(0,)]
    # Another session that inserts a key of the load waits for it.
    waits = {}

    def insert():
        try:
            run(other, "insert into fresh values (9, 'other')")
        except psycopg2.errors.UniqueViolation as e:
            waits["error"] = e
    t = threading.Thread(target=insert)
    t.start()
    time.sleep(0.2)
    assert t.is_alive()
    conn.commit()
    t.join(20)
    assert "error" in waits
    assert run(other, "select t from fresh where id in (7, 8)") == [("mine",)]
    assert one(other, "select count(*) from fresh") == ROWS // 2 - 1
    run(conn, "truncate fresh")
    copy(conn, "fresh", lines)
    conn.commit()
    assert one(other, "select count(*) from fresh") == ROWS
    conn.close()
    other.close()


def test_ddl(server):
    conn = connect(server)
    run(conn, "create table bare (id int, u int, name text, filler text)")
    ids = list(range(ROWS))
    random.shuffle(ids)
    copy(conn, "bare", map(line, ids))
    run(conn, "create index bare_name on bare (name)")
    run(conn, "create unique index bare_u on bare (u)")
    run(conn, "alter table bare add primary key (id)")
    check(conn, "bare", ids)
    run(conn, "alter table bare alter column u type bigint")
    check(conn, "bare", ids)
    e = fails(psycopg2.errors.UniqueViolation, run, conn, "create unique index bad on bare (name)")
    assert e.diag.message_primary == 'could not create unique index "bad"', e
    assert re.fullmatch(r"Key \(name\)=\(n\d+\) is duplicated.", e.diag.message_detail), e
    run(conn, "create table copied as select * from bare")
    run(conn, "insert into copied select * from bare where id = 20000")
    e = fails(psycopg2.errors.UniqueViolation, run, conn, "alter table copied add primary key (id)")
    assert e.diag.message_detail == "Key (id)=(20000) is duplicated.", e
    check(conn, "bare", ids)
    conn.close()


def verify_offline(binary, data):
    tool = os.path.join(os.path.dirname(binary), "helios")
    r = subprocess.run([tool, "verify", data], capture_output=True, text=True, timeout=120)
    assert r.returncode == 0, r.stdout + r.stderr


class Kept:
    """A server that is killed and started again on the same data."""

    def __init__(self, binary, data):
        command = [binary, "--data", data, "--pg-port", "0"]
        for setting in SMALL:
            command += ["--set", setting]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.host = "127.0.0.1"
        for text in self.process.stderr:
            found = re.search(r"ready: postgresql on ([0-9.]+):(\d+)", text)
            if found:
                self.port = int(found.group(2))
                break
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def test_kill(binary):
    data = tempfile.mkdtemp(prefix="helios-bulk-")
    try:
        server = Kept(binary, data)
        conn = connect(server)
        make(conn, "kept")
        copy(conn, "kept", map(line, range(0, ROWS, 2)))
        have = set(range(0, ROWS, 2))
        for cycle in range(2):
            lines = [line(i) for i in range(1, ROWS, 2)]
            killer = threading.Timer(random.uniform(0.05, 0.6), server.kill)
            killer.start()
            done = False
            try:
                copy(conn, "kept", lines)
                done = True
            except psycopg2.Error:
                pass
            killer.join()
            conn.close()
            verify_offline(binary, data)
            server = Kept(binary, data)
            conn = connect(server)
            count = one(conn, "select count(*) from kept")
            assert count in (ROWS // 2, ROWS), count
            assert not (done and count != ROWS), "an acknowledged load is gone"
            if count == ROWS:
                run(conn, "delete from kept where id % 2 = 1")
            check(conn, "kept", have)
        conn.close()
        server.process.terminate()
        server.process.wait()
    finally:
        shutil.rmtree(data, ignore_errors=True)


def main():
    binary = os.path.abspath(sys.argv[1])
    random.seed(SEED)
    print("seed", SEED)
    with Server(binary, SMALL) as server:
        for test in (test_orders, test_insert_select, test_duplicates, test_transactions,
                     test_ddl):
            test(server)
            print("ok", test.__name__, flush=True)
    test_kill(binary)
    print("ok test_kill")


main()
