#!/usr/bin/python3
"""Statistics that follow the data by themselves; and that they are left alone where nothing has changed.

usage: autoanalyze.py HELIOSD"""
import os
import sys
import threading
import time

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402

SECONDS_MAX = 60


def wait_for(cursor, sql, what):
    end = time.monotonic() + SECONDS_MAX
    while time.monotonic() < end:
        cursor.execute(sql)
        if cursor.fetchone()[0]:
            return
        time.sleep(0.02)
    raise AssertionError("never: " + what)


def distinct(cursor, table, column):
    cursor.execute("select n_distinct from pg_stats where tablename = %s and attname = %s", (table, column))
    row = cursor.fetchone()
    return row and row[0]


def changes(cursor):
    cursor.execute("create table t (id int primary key, v int); create table few (a int);"
                   "create table same (a int)")
    cursor.execute("insert into few select generate_series(1, 50)")
    cursor.execute("insert into t select n, n % 7 from generate_series(1, 1000) n")
    wait_for(cursor, "select count(*) = 2 from pg_stats where tablename = 't'", "a filled table is analysed")
    assert distinct(cursor, "t", "v") == 7
    cursor.execute("update t set v = 1 where id <= 100")
    cursor.execute("update t set v = id")
    wait_for(cursor, "select n_distinct = -1 from pg_stats where tablename = 't' and attname = 'v'",
             "an update is seen, though there are as many rows as before")
    cursor.execute("delete from t where id > 500")
    wait_for(cursor, "select reltuples = 500 from pg_class where relname = 't'", "a deletion is seen")
    cursor.execute("alter table t rename column v to w; alter table t add column x text default 'x'")
    for i in range(200):  # by points, too
        cursor.execute("update t set w = 5 where id = %s", (i,))
    wait_for(cursor, "select n_distinct = 1 from pg_stats where tablename = 't' and attname = 'x'",
             "a new column is analysed")
    assert distinct(cursor, "few", "a") is None, "50 rows are not enough"
    assert distinct(cursor, "same", "a") is None


def ddl_meanwhile(server, cursor):
    """Tables change their columns, or go, while they are read: nothing breaks, and the server ends well."""
    failed = []

    def alter(number):
        try:
            c = psycopg2.connect(host=server.host, port=server.port, user="postgres", dbname="postgres")
            c.autocommit = True
            k = c.cursor()
            name = "d%d" % number
            for turn in range(6):
                k.execute("create table %s (a int, b text, c int)" % name)
                k.execute("insert into %s select n, 'x' || n, n from generate_series(1, 3000) n" % name)
                time.sleep(0.01 * turn)
                k.execute("alter table %s alter column a type bigint, drop column b" % name)
                k.execute("create index on %s (a, c)" % name)
                k.execute("select count(*), sum(a) from %s where c > 10" % name)
                assert k.fetchone() == (2990, 4501445)
                k.execute("drop table " + name)
            c.close()
        except Exception as e:  # noqa: BLE001
            failed.append(e)

    threads = [threading.Thread(target=alter, args=(n,)) for n in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed, failed
    cursor.execute("select count(*) from pg_stats where tablename ~ '^d[0-9]'")
    assert cursor.fetchone()[0] == 0


def main():
    settings = ["autoanalyze.interval=20ms", "autoanalyze.threshold=50", "autoanalyze.percent=10"]
    with Server(sys.argv[1], settings) as server:
        c = psycopg2.connect(host=server.host, port=server.port, user="postgres", dbname="postgres")
        c.autocommit = True
        changes(c.cursor())
        ddl_meanwhile(server, c.cursor())
        assert not [line for line in server.log if "autoanalyze" in line], server.log
        c.close()
    print("statistics follow the data")


if __name__ == "__main__":
    main()
