#!/usr/bin/python3
"""ALTER COLUMN TYPE that writes all rows anew while others write: at the end the table has what its writers made of it,
in the new type; who waits for whom; what makes it fail leaves nothing; kill -9 in the middle.

usage: online_retype.py HELIOSD [--seed N] [--seconds S]"""
import argparse
import os
import random
import shutil
import sys
import tempfile
import time

import psycopg2

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from online_ddl import SECONDS_MAX, WRITERS, Server, Writer, connect, fill, in_background, one, sound, wait_for  # noqa: E402

SLOW = """create or replace function slow(x anyelement) returns anyelement language plpgsql as
$$ begin perform pg_sleep(0.002); return x; end $$"""
TYPES = ["a type bigint", "u type numeric", "id type bigint", "a type text", "pad type varchar(2000)", "u type int",
         "a type int using a::int + 0", "id type int", "a type text", "pad type text", "a type int using a::int",
         "id type numeric", "id type int", "u type bigint using u::bigint", "u type int"]


def type_of(cursor, column, table="t"):
    return one(cursor, f"select atttypid::regtype::text from pg_attribute where attrelid = '{table}'::regclass "
               f"and attname = '{column}'")


def under_writers(server, seed, seconds):
    cursor = connect(server).cursor()
    fill(cursor)
    cursor.execute(SLOW)
    cursor.execute("alter table t add check (a is not null), add constraint own check (u >= 0), alter column u set not null")
    cursor.execute("create unique index t_u on t (u); create index t_a on t (a) where id % 3 = 0;"
                   "create index t_x on t ((u + id), pad)")
    writers = [Writer(server, n, seed) for n in range(WRITERS)]
    for w in writers:
        w.start()
    end, ran = time.monotonic() + seconds, 0
    while time.monotonic() < end or ran < len(TYPES):
        cursor.execute("alter table t alter column " + TYPES[ran % len(TYPES)])
        ran += 1
        if ran % 4 == 2:
            sound(cursor)
    for w in writers:
        w.stopping = True
    for w in writers:
        w.join()
        assert not w.error, w.error
    sound(cursor)
    cursor.execute("select id, u from t")
    want = {}
    for w in writers:
        want.update(w.rows)
    assert dict(cursor.fetchall()) == want, "the table is not what its writers made of it"
    cursor.execute("set enable_seqscan = off; select u, id from t order by u")
    assert {i: u for u, i in cursor.fetchall()} == want, "nor the index"
    print(f"{ran} changes of a type beside {sum(w.commits for w in writers)} transactions")


def who_waits(server):
    """Who writes goes on while rows are moved, and is waited for at the end alone; other DDL waits."""
    cursor, old = connect(server).cursor(), connect(server, autocommit=False)
    fill(cursor)
    cursor.execute(SLOW.replace("0.002", "0.008"))
    cursor.execute("create index t_a on t (a); set lock_timeout = '10s'")
    alter, altered = in_background(server, "alter table t alter column a type bigint using slow(a)")
    wait_for(cursor, "select count(*) = 1 from helios_progress where command = 'ALTER TABLE'", "it moves rows")
    began, turns = time.monotonic(), 0
    while turns < 20 and time.monotonic() < began + 1 or not turns:
        turns += 1
        cursor.execute("update t set a = 77 where id = 0; delete from t where id = 2; insert into t values (2, 2, 78, '')")
        cursor.execute("update t set a = 79, id = 9999 where id = 4; update t set id = 4 where id = 9999")
        cursor.execute("select * from t where id = 6 for update; select count(*) from t")
        assert alter.is_alive(), ("it was over too soon to tell", altered, turns)
    k = old.cursor()
    k.execute("update t set a = 80 where id = 8")
    other, done = in_background(server, "alter table t add column z int default 5")
    wait_for(cursor, "select count(*) = 1 from pg_locks where relation = 't'::regclass and mode = 'ExclusiveLock' "
             "and not granted", "it waits for the old writer")
    k.execute("update t set a = 81 where id = 10")
    old.commit()
    for t, result in ((alter, altered), (other, done)):
        t.join(SECONDS_MAX)
        assert not t.is_alive() and result == [None], result
    cursor.execute("set enable_seqscan = off; select id, a, z from t where a between 77 and 81 order by a")
    assert cursor.fetchall() == [(0, 77, 5), (2, 78, 5), (4, 79, 5), (8, 80, 5), (10, 81, 5)]
    assert type_of(cursor, "a") == "bigint"
    cursor.execute("reset enable_seqscan")
    sound(cursor)


def fails(server):
    """With PostgreSQL's errors, after which all is as it was, and what was written meanwhile stays."""
    cursor = connect(server).cursor()
    cursor.execute("drop table if exists t; create table t (id int primary key, n numeric unique not null check (n < 1000))")
    cursor.execute("insert into t select g, g + 0.25 from generate_series(0, 799) g")
    cursor.execute(SLOW)
    cursor.execute("create table two (id int primary key, n numeric unique); insert into two values (1, 1.1), (2, 1.2)")
    for sql, code in (("alter table two alter n type int", "23505"),
                      ("alter table two alter id type int using 1", "23505"),
                      ("alter table two alter id type int using null", "23502"),
                      ("alter table t alter n type int using null", "23502"),
                      ("alter table t alter n type int using 2000 + n", "23514"),
                      ("alter table t alter n type int using (n / 0)", "22012")):
        try:
            cursor.execute(sql)
            raise AssertionError(sql)
        except psycopg2.Error as e:
            assert e.pgcode == code, (sql, e)
        sound(cursor)
    # What makes it fail is written while it runs.
    alter, result = in_background(server, "alter table t alter n type int using slow(n)")
    wait_for(cursor, "select count(*) = 1 from helios_progress where command = 'ALTER TABLE'", "it moves rows")
    cursor.execute("insert into t values (5000, 7.3)")
    alter.join(SECONDS_MAX)
    assert result[0].pgcode == "23505", result
    alter, result = in_background(server, "alter table t alter n type numeric(5,0) using slow(n)")
    wait_for(cursor, "select count(*) = 1 from helios_progress where command = 'ALTER TABLE'", "it moves rows")
    cursor.execute("delete from t where id = 5000; select pg_cancel_backend(pid) from helios_progress")
    alter.join(SECONDS_MAX)
    assert result[0].pgcode == "57014", result
    assert type_of(cursor, "n") == "numeric"
    assert one(cursor, "select sum(n) from t where n > 0") == sum(range(800)) + 200
    assert one(cursor, "select count(*) from helios_progress") == 0
    sound(cursor)
    cursor.execute("alter table t alter n type int; insert into t values (800, 800); drop table two")
    sound(cursor)


def not_alone(server):
    """What the same transaction has written before, in one string, or in one series of messages, counts."""
    cursor = connect(server).cursor()
    cursor.execute("create table m (id int primary key, a int); insert into m values (1, 5), (2, 6); create index m_a on m (a)")
    cursor.execute("insert into m values (3, 7); alter table m alter a type bigint")
    cursor.execute("update m set a = 8 where id = 1; alter table m alter id type bigint")
    cursor.execute("insert into m select g, g from generate_series(10, 20000) g; create unique index m_u on m (a, id)")
    try:
        cursor.execute("insert into m values (4, -1); alter table m add check (a > 0)")
        raise AssertionError("a row of its own that the check does not allow")
    except psycopg2.errors.CheckViolation:
        pass
    cursor.execute("delete from m where id >= 10; alter table m alter a set not null")
    cursor.execute("set enable_seqscan = off; select a, id from m where a > 0 order by a")
    assert cursor.fetchall() == [(6, 2), (7, 3), (8, 1)]
    sound(cursor)
    cursor.execute("reset enable_seqscan")
    cursor.execute("drop table m")


def without_key(server):
    """Rows that have no key but their number; a table that a branch has its own of."""
    cursor = connect(server).cursor()
    cursor.execute("drop table if exists t; create table t (a int, b text); create index on t (a)")
    cursor.execute("insert into t select g, 'b' || g from generate_series(0, 999) g")
    cursor.execute(SLOW)
    for branch in ("main", "side"):
        if branch == "side":
            cursor.execute("create branch side from main")
            cursor.execute("use branch side")
        before = one(cursor, "select count(*) from t")
        alter, result = in_background(server, "alter table t alter a type bigint using slow(a)", f"use branch {branch}")
        wait_for(cursor, "select count(*) = 1 from helios_progress where command = 'ALTER TABLE'", "it moves rows")
        for _ in range(10):
            cursor.execute("insert into t values (7000, 'new'); update t set b = 'x' where a = 500; delete from t where a = 501;"
                           "insert into t values (501, 'again')")
        alter.join(SECONDS_MAX)
        assert result == [None], result
        assert one(cursor, "select count(*) from t") == before + 10
        assert one(cursor, "select count(*) from t where a = 501 and b = 'again'") == 1
        assert one(cursor, "select b from t where a = 500") == "x"
        sound(cursor)
        cursor.execute("delete from t where a = 7000; update t set b = 'y' where a = 500; alter table t alter a type int")
    cursor.execute("use branch main")
    cursor.execute("drop branch side")
    cursor.execute("drop table t")


def killed(binary, seed):
    r = random.Random(seed)
    data = tempfile.mkdtemp(prefix="helios-test-")
    try:
        for n in range(3):
            server = Server(binary, data=data, settings=["load_bytes=256kB"]).start()
            cursor = connect(server).cursor()
            if n == 0:
                cursor.execute("create table big (id int primary key, a int, b text); create index on big (a)")
                cursor.execute("insert into big select g, g % 1000, 'b' || g from generate_series(1, 40000) g")
            sound(cursor)
            assert one(cursor, "select count(*) from big") == 40000
            alter, _ = in_background(server, "alter table big alter a type bigint using a + 0",
                                     "alter table big alter a type int")
            writer, _ = in_background(server, "do $$ begin for i in 1..100000 loop "
                                      "update big set a = a + 1 where id = i % 40000 + 1; end loop; end $$")
            time.sleep(r.random() * .4)
            server.kill()
            alter.join()
            writer.join()
    finally:
        shutil.rmtree(data, ignore_errors=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("heliosd")
    p.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    p.add_argument("--seconds", type=float, default=3)
    o = p.parse_args()
    print("seed", o.seed)
    with Server(o.heliosd, settings=["load_bytes=64kB"]) as server:
        who_waits(server)
        fails(server)
        without_key(server)
        not_alone(server)
        under_writers(server, o.seed, o.seconds)
    killed(o.heliosd, o.seed)


if __name__ == "__main__":
    main()
