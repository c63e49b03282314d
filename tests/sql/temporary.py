#!/usr/bin/python3
"""Temporary tables of several sessions: each has its own, and they are gone when the session ends, in
whatever way, and when a server comes up again that was killed.

usage: temporary.py HELIOSD"""
import os
import shutil
import sys
import tempfile
import threading
import time

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402

SECONDS_MAX = 30
LEFT = "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname like 'pg_temp_%'"
SCHEMAS = "select count(*) from pg_namespace where nspname like 'pg_temp_%'"


def connect(server, **options):
    c = psycopg2.connect(host=server.host, port=server.port, user="postgres", dbname="postgres", **options)
    c.autocommit = True
    return c


def ask(c, sql):
    with c.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()[0][0] if cursor.description else cursor.rowcount


def fails(c, sql, state):
    try:
        ask(c, sql)
    except psycopg2.Error as e:
        assert e.pgcode == state, (sql, e)
        return str(e)
    raise AssertionError("no error: " + sql)


def wait_for(c, sql, want, what):
    end = time.monotonic() + SECONDS_MAX
    while ask(c, sql) != want:
        assert time.monotonic() < end, "never: " + what
        time.sleep(0.02)


def make(c, number):
    ask(c, "create temp table t (id int primary key, who text unique) on commit preserve rows")
    ask(c, "insert into t select g, 'session %d row ' || g from generate_series(1, 100) g" % number)
    ask(c, "create temp sequence s")
    ask(c, "create index on t (lower(who))")
    ask(c, "create view v as select count(*) as n from t")


def own_tables(server, watcher):
    sessions = [connect(server) for _ in range(4)]
    for i, c in enumerate(sessions):
        make(c, i)
        ask(c, "delete from t where id <= %d" % i)
    for i, c in enumerate(sessions):
        assert ask(c, "select n from v") == 100 - i
        assert ask(c, "select min(who) like 'session %d %%' from t" % i)
    fails(watcher, "select * from t", "42P01")
    name = ask(sessions[0], "select nspname from pg_namespace where oid = pg_my_temp_schema()")
    assert "other sessions" in fails(watcher, "select * from %s.t" % name, "0A000")
    assert "other sessions" in fails(watcher, "create table %s.x (a int)" % name, "42P16")
    fails(watcher, "drop table t", "42P01")
    return sessions


def ends(server, watcher, sessions):
    assert ask(watcher, SCHEMAS) == 4
    sessions[0].close()
    wait_for(watcher, SCHEMAS, 3, "closed")
    sessions[1].autocommit = False  # in a transaction, and one that failed
    ask(sessions[1], "insert into t values (1000, 'x')")
    sessions[1].close()
    wait_for(watcher, SCHEMAS, 2, "closed in a transaction")
    ask(sessions[2], "begin")
    fails(sessions[2], "select 1 / 0", "22012")
    pid = sessions[2].get_backend_pid()
    ask(watcher, "select pg_terminate_backend(%d)" % pid)
    wait_for(watcher, SCHEMAS, 1, "terminated")
    assert ask(sessions[3], "select n from v") == 97
    ask(sessions[3], "discard temp")
    assert ask(watcher, LEFT) == 0
    make(sessions[3], 9)
    ask(sessions[3], "discard all")
    assert ask(watcher, LEFT) == 0
    sessions[3].close()
    wait_for(watcher, SCHEMAS, 0, "all gone")


def many_at_once(server, watcher):
    """Sessions come and go; nothing stays, nothing is mixed up."""
    errors = []

    def work(number):
        try:
            for i in range(5):
                c = connect(server)
                ask(c, "create temp table w (n int) on commit delete rows")
                ask(c, "begin")
                ask(c, "insert into w select %d from generate_series(1, %d)" % (number, i + 10))
                assert ask(c, "select count(*) from w where n = %d" % number) == i + 10
                ask(c, "commit")
                assert ask(c, "select count(*) from w") == 0
                c.close()
        except Exception as e:  # told to the main thread
            errors.append(e)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, errors
    wait_for(watcher, SCHEMAS, 0, "all gone")


def in_branches(server):
    c = connect(server)
    make(c, 1)
    ask(c, "create branch side")
    ask(c, "use branch side")
    fails(c, "select * from t", "42P01")
    fails(c, "create temp table t (a int)", "0A000")
    ask(c, "create table made_in_branch (a int)")
    ask(c, "use branch main")
    assert ask(c, "select n from v") == 100
    ask(c, "use branch side")
    c.close()
    c = connect(server)
    ask(c, "merge branch side into main")
    assert ask(c, "select count(*) from made_in_branch") == 0
    wait_for(c, SCHEMAS, 0, "a session that ended in a branch")
    ask(c, "drop branch side")
    ask(c, "create database other")
    c.close()


def restarts(binary, data):
    with Server(binary, data=data) as server:
        c = connect(server)
        make(c, 5)
        other = psycopg2.connect(host=server.host, port=server.port, user="postgres", dbname="other")
        other.autocommit = True
        make(other, 6)
        ask(c, "create table stays (a int)")
        ask(c, "checkpoint")
        server.kill()
    with Server(binary, data=data) as server:
        c = connect(server)
        assert ask(c, SCHEMAS) == 0 and ask(c, LEFT) == 0
        fails(c, "select * from t", "42P01")
        assert ask(c, "select count(*) from stays") == 0
        make(c, 7)
        assert ask(c, "select count(*) from t") == 100
    with Server(binary, data=data) as server:
        assert ask(connect(server), SCHEMAS) == 0


def main():
    binary, data = sys.argv[1], tempfile.mkdtemp(prefix="helios-temporary-")
    try:
        with Server(binary, data=data) as server:
            watcher = connect(server)
            ends(server, watcher, own_tables(server, watcher))
            many_at_once(server, watcher)
            in_branches(server)
        restarts(binary, data)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    print("temporary tables come and go")


if __name__ == "__main__":
    main()
