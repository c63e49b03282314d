#!/usr/bin/python3
"""DDL in a transaction that keeps its snapshot, older than what others have committed: it finds all rows, and what the
transaction reads afterwards is what its snapshot tells, through no index that tells something else.

usage: old_snapshots.py HELIOSD"""
import argparse
import os
import sys
import threading

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402

LEVELS = ("repeatable read", "serializable")
SETUP = """drop table if exists c, t, other, made;
create table t (id int primary key, a int, u int);
create table other (id int);
insert into t select g, g % 10, g from generate_series(0, 99) g"""


def connect(server):
    c = psycopg2.connect(f"host={server.host} port={server.port} user=postgres dbname=postgres")
    c.autocommit = True
    return c.cursor()


def rows(cursor, sql):
    cursor.execute(sql)
    return cursor.fetchall()


def one(cursor, sql):
    return rows(cursor, sql)[0][0]


def sound(cursor):
    assert not rows(cursor, "select * from helios_verify() where problem is not null")


def plan(cursor, sql):
    return "\n".join(r[0] for r in rows(cursor, "explain (costs off) " + sql))


def begin(now, old, level):
    """What is committed between the snapshot and the DDL: a row more, one less, one that has another key."""
    now.execute(SETUP)
    old.execute(f"begin isolation level {level}; select count(*) from pg_class")
    now.execute("insert into t values (100, 5, 100); delete from t where id = 5; update t set a = 5, u = 201 where id = 1;"
                "update t set a = 7 where id = 15")


BEFORE = "select count(*), sum(id) as ids, sum(u) as us from t where a = 5"


def young_index_of_others(now, old, level):
    """It is not read after a command of DDL either."""
    begin(now, old, level)
    expected = rows(now, BEFORE)
    now.execute("create index t_a on t (a)")
    for ddl in ("create table made (x int)", "alter table other add column b int", "create index on other (id)"):
        old.execute(ddl)
        assert rows(old, BEFORE) == [(10, 500, 500)], ddl
        assert "t_a" not in plan(old, BEFORE)
    old.execute("savepoint s; create table made2 (x int); rollback to s")
    assert rows(old, BEFORE) == [(10, 500, 500)]
    old.execute("create table made3 as " + BEFORE)
    assert rows(old, "select * from made3") == [(10, 500, 500)], "nor by the query of CREATE TABLE AS"
    old.execute("do $$ declare n bigint; begin create table made4 (a int); select count(*) into n from t where a = 5;"
                "if n <> 10 then raise 'nor in a function: %', n; end if; end $$")
    old.execute("update t set a = 5 where id = 20; commit")
    assert one(now, "select indisvalid from pg_index where indexrelid = 't_a'::regclass"), "it stays what it is"
    assert rows(now, BEFORE) == [(expected[0][0] + 1, expected[0][1] + 20, expected[0][2] + 20)]
    sound(now)
    now.execute("drop table made, made3, made4")


def own_index(now, old, level):
    """An index that it builds has all rows; its own statements see what they saw before."""
    begin(now, old, level)
    old.execute("create index t_a on t (a); create unique index t_u on t (u)")
    assert rows(old, BEFORE) == [(10, 500, 500)]
    assert rows(old, "select id from t where u = 1") == [(1,)]
    assert rows(old, "select id from t where u = 201") == []
    old.execute("update t set u = 300 where id = 2; delete from t where id = 3; insert into t values (400, 1, 400)")
    assert rows(old, "select id from t where u in (2, 3, 300, 400) order by u") == [(2,), (400,)]
    old.execute("commit")
    now.execute("set enable_seqscan = off")
    assert "t_u" in plan(now, "select id from t where u = 201")
    assert rows(now, "select id from t where u = 201") == [(1,)]
    assert rows(now, BEFORE) == [(10, 581, 781)], rows(now, BEFORE)
    now.execute("reset enable_seqscan")
    sound(now)


def own_index_of_now(now, old, level):
    """Where nobody has committed anything since, the index may be read at once."""
    now.execute(SETUP)
    old.execute(f"begin isolation level {level}; select count(*) from pg_class; create index t_a on t (a);"
                "set local enable_seqscan = off")
    assert "t_a" in plan(old, BEFORE)
    assert rows(old, BEFORE) == [(10, 500, 500)]
    old.execute("commit")
    sound(now)


def own_unique(now, old, level):
    """Rows that its snapshot does not see count."""
    begin(now, old, level)
    now.execute("insert into t values (101, 0, 7)")
    try:
        old.execute("create unique index t_u on t (u)")
        raise AssertionError("two rows of one key")
    except psycopg2.Error as e:
        assert e.pgcode == "23505", e
    old.execute("rollback")
    for check in ("add constraint small check (a <> 8)", "alter column a set not null",
                  "add foreign key (id) references other (id)"):
        now.execute(SETUP + "; create unique index on other (id); insert into other select id from t;"
                    "delete from t where a = 8")
        old.execute(f"begin isolation level {level}; select count(*) from pg_class")
        now.execute("insert into t values (201, 8, 201); update t set a = null where id = 9")
        try:
            old.execute("alter table t " + check)
            raise AssertionError(check)
        except psycopg2.Error as e:
            assert e.pgcode in ("23514", "23502", "23503"), e
        old.execute("rollback")
        sound(now)


def own_rewrite(now, old, level):
    """No row gets lost, and none that went comes back."""
    for ddl in ("alter table t alter column a type bigint using a * 2", "alter table t add column r float default random()",
                "alter table t drop constraint t_pkey, add primary key (u)"):
        begin(now, old, level)
        now.execute("create index t_a on t (a)")
        expected = rows(now, "select id, u from t order by id")
        old.execute(ddl)
        assert rows(old, "select count(*), sum(id) from t") == [(100, 5045)], ddl
        old.execute("update t set u = 1001 where id = 1; commit")
        want = sorted((i, 1001 if i == 1 else u) for i, u in expected)
        assert rows(now, "select id, u from t order by id") == want, ddl
        sound(now)


def others_rewrite(now, old, level):
    """A table that was rewritten since cannot be read, but changed."""
    begin(now, old, level)
    now.execute("alter table t alter column a type bigint using a * 2")
    expected = rows(now, "select id, a from t order by id")
    old.execute("alter table t alter column a type text using a::text; create table made (x int); commit")
    assert rows(now, "select id, a::int from t order by id") == expected
    now.execute("drop table made")
    sound(now)


def foreign_keys(now, old, level):
    """References are looked up as of now, through indexes that the snapshot may not read."""
    for ddl in ("alter table t add unique (u)", "reindex table t"):
        if ddl.startswith("alter"):
            begin(now, old, level)
        else:
            old.execute(f"begin isolation level {level}; select count(*) from pg_class")
            now.execute("insert into t values (110, 5, 110); delete from t where id = 8; update t set u = 301 where id = 4")
        now.execute(ddl)
        old.execute("create table c (id int, u int references t (u)); create index on c (u); insert into c values (2, 2)")
        new, gone, moved = (100, 5, 1) if ddl.startswith("alter") else (110, 8, 4)
        for key, codes in ((new, ("23503",)), (gone, ("23503", "40001")), (moved, ("23503", "40001")), (777, ("23503",))):
            old.execute("savepoint s")
            try:
                old.execute(f"insert into c values (3, {key})")
                raise AssertionError("a reference to what the snapshot does not see, or what has gone")
            except psycopg2.Error as e:
                assert e.pgcode in codes, (key, e)
            old.execute("rollback to s")
        old.execute("update c set u = 3; commit")
        assert rows(now, "select * from c") == [(2, 3)]
        sound(now)
        now.execute("drop table c")


def beside_builds(server, now):
    """Two builds do not wait for each other, though the sessions' transactions keep their snapshots by default."""
    now.execute(SETUP + "; create table c (id int); insert into c select generate_series(1, 5000)")
    errors = []

    def build(table):
        try:
            k = connect(server)
            k.execute("set default_transaction_isolation = 'serializable'; set statement_timeout = '60s'")
            for _ in range(10):
                k.execute(f"create index concurrently {table}_x on {table} (id)")
                k.execute(f"drop index concurrently {table}_x")
            assert one(k, "show transaction_isolation") == "serializable"
        except (psycopg2.Error, AssertionError) as e:
            errors.append(e)

    threads = [threading.Thread(target=build, args=(table,)) for table in ("t", "c", "other")]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, errors
    sound(now)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("heliosd")
    o = p.parse_args()
    for settings in ([], ["load_bytes=64kB"]):
        with Server(o.heliosd, settings=settings) as server:
            now, old = connect(server), connect(server)
            for level in LEVELS:
                for case in (young_index_of_others, own_index, own_index_of_now, own_unique, own_rewrite, others_rewrite,
                             foreign_keys):
                    case(now, old, level)
            beside_builds(server, now)


if __name__ == "__main__":
    main()
