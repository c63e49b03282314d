#!/usr/bin/python3
"""helios_verify() beside writers, and beside DDL that makes, rewrites and drops tables and indexes: it finds
no problem, nobody gets an error, and it can be cancelled.

usage: verify_online.py HELIOSD [SECONDS]"""
import os, sys, threading, time
import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from server import Server

# VACUUM FULL of a table that is being compacted; a plan that was overtaken by DDL.
EXPECTED = {"55006", "40001"}


def connect(server):
    c = psycopg2.connect(host=server.host, port=server.port, user="postgres", dbname="postgres")
    c.autocommit = True
    return c.cursor()


def execute(q, text, errors):
    try:
        q.execute(text)
    except psycopg2.Error as e:
        if e.pgcode not in EXPECTED:
            errors.append(f"{text}: {e.pgcode} {e}")


def write(server, n, stop, errors):
    q, i = connect(server), 0
    while not stop.is_set():
        i += 1
        execute(q, f"insert into t (a, b) select {i % 9}, '{n}-{i}-' || g from generate_series(1, 50) g", errors)
        if i % 7 == 0:
            execute(q, f"update t set a = a + 1 where id % 13 = {i % 13}", errors)
        if i % 11 == 0:
            execute(q, f"delete from t where id % 17 = {i % 17}", errors)


def define(server, stop, errors):
    q = connect(server)
    while not stop.is_set():
        for text in ("create index x on t (b desc, a)", "drop index x", "create table u as select * from t",
                     "create index on u (a)", "vacuum full u", "alter table u add column z int default 3",
                     "drop table u"):
            execute(q, text, errors)


def main():
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 5
    server = Server(sys.argv[1], ["memtable_bytes=256kB", "wal.file_bytes=1MB", "checkpoint_interval=1s"])
    server.start()
    q, stop, errors, runs = connect(server), threading.Event(), [], 0
    q.execute("create table t (id serial primary key, a int, b text unique)")
    q.execute("create index on t (a)")
    threads = [threading.Thread(target=write, args=(server, n, stop, errors)) for n in range(3)]
    threads.append(threading.Thread(target=define, args=(server, stop, errors)))
    for t in threads:
        t.start()
    end = time.time() + seconds
    while time.time() < end:
        q.execute("select * from helios_verify() where problem is not null")
        errors += q.fetchall()
        runs += 1
    try:
        q.execute("set statement_timeout = 1")
        q.execute("select count(*) from helios_verify()")
        errors.append("it was not cancelled")
    except psycopg2.Error as e:
        assert e.pgcode == "57014", e
    stop.set()
    for t in threads:
        t.join()
    server.stop()
    assert not errors, errors[:5]
    print(f"{runs} verifications, no problem")


main()
