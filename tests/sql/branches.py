#!/usr/bin/python3
"""Branches: made of now and of the past, used side by side, nested, over restarts; what differs between them; merging
with and without conflicts, constraints held against it; what is refused. The example of docs/branches.md is run.

usage: branches.py HELIOSD BRANCHES.MD"""
import os
import random
import re
import sys
import tempfile
import time

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402


def connect(server, branch=None, database="postgres", **more):
    options = f"-c branch={branch}" if branch else ""
    c = psycopg2.connect(host="127.0.0.1", port=server.port, user="postgres", dbname=database, options=options, **more)
    c.autocommit = True
    return c


def rows(cursor, sql, args=None):
    cursor.execute(sql, args)
    return cursor.fetchall()


def fails(cursor, state, words, sql, args=None):
    try:
        cursor.execute(sql, args)
    except psycopg2.Error as e:
        assert e.pgcode == state and words in str(e), (sql, e.pgcode, str(e))
        return
    raise AssertionError("no error: " + sql)


def here(c):
    return rows(c, "show helios.branch")[0][0]


# --- making, using, dropping ---------------------------------------------------------------------

def basics(server):
    c = connect(server).cursor()
    c.execute("create table t (id int primary key, v text)")
    c.execute("insert into t select g, 'main' from generate_series(1, 1000) g")
    c.execute("create branch work from main")
    w = connect(server, "work").cursor()
    assert here(w) == "work" and here(c) == "main"
    w.execute("update t set v = 'work' where id <= 10")
    w.execute("delete from t where id > 990")
    w.execute("insert into t values (2000, 'new')")
    c.execute("update t set v = 'later' where id = 500")
    c.execute("insert into t values (3000, 'main only')")
    assert rows(w, "select count(*), count(*) filter (where v = 'work'), max(id) from t") == [(991, 10, 2000)]
    assert rows(c, "select count(*), count(*) filter (where v = 'work'), max(id) from t") == [(1001, 0, 3000)]
    assert rows(w, "select v from t where id = 500") == [("main",)]
    fails(w, "23505", "duplicate key", "insert into t values (20, 'twice')")
    w.execute("insert into t values (995, 'again')")
    # A branch of a branch, and of the past.
    w.execute("create database branch deep from current")
    w.execute("update t set v = 'after'")
    d = connect(server, database="postgres@deep").cursor()
    assert here(d) == "deep" and rows(d, "select current_database()") == [("postgres",)]
    assert rows(d, "select count(*) filter (where v = 'after'), count(*) from t") == [(0, 992)]
    at = rows(c, "select clock_timestamp()")[0][0]
    time.sleep(0.002)
    c.execute("truncate t")
    c.execute("create branch past from main as of timestamp %s", (at,))
    c.execute("use branch past")
    assert rows(c, "select count(*), max(id) from t") == [(1001, 3000)]
    c.execute("use branch main")
    assert rows(c, "select count(*) from t") == [(0,)]
    # Schemas are private.
    d.execute("create table own (a serial primary key, b int references t)")
    d.execute("insert into own (b) select id from t where id < 5 order by id")
    d.execute("create index on t (v)")
    d.execute("alter table t add column extra int default 7")
    assert rows(d, "select sum(extra) from t") == [(7 * 992,)]
    fails(c, "42P01", "does not exist", "select * from own")
    fails(w, "42703", "extra", "select extra from t")
    assert [r[0] for r in rows(c, "show branches")] == ["main", "work", "deep", "past"]
    assert rows(c, "select name, parent, depth from helios_branches order by id") == [
        ("main", None, 0), ("work", "main", 1), ("deep", "work", 2), ("past", "main", 1)]
    return c, w, d


def refused(server, c, w, d):
    fails(c, "42P04", "already exists", "create branch work")
    fails(c, "42P04", "already exists", "create branch main")
    c.execute("create branch if not exists work")
    fails(c, "3D000", 'branch "nowhere" does not exist', "use branch nowhere")
    fails(c, "3D000", "does not exist", "create branch x from nowhere")
    fails(c, "3D000", "does not exist", "drop branch nowhere")
    c.execute("drop branch if exists nowhere")
    fails(c, "55006", "branches of its own", "drop branch work")
    fails(c, "55006", "being accessed by other users", "drop branch deep")
    fails(d, "55006", "currently open", "drop branch deep")
    fails(c, "55000", "cannot drop", "drop branch main")
    fails(c, "42601", "syntax error", "create branch")
    fails(c, "42601", 'at or near "to"', "merge branch work to main")
    fails(d, "0A000", "not supported in a branch", "create role somebody")
    fails(c, "22023", "future", "create branch x as of timestamp now() + interval '1 hour'")
    fails(c, "0A000", "into its parent", "merge branch deep into main")
    c.execute("begin")
    fails(c, "25001", "transaction block", "create branch x")
    c.execute("rollback")
    c.execute("begin")
    fails(c, "25001", "transaction block", "use branch work")
    c.execute("rollback")
    names = ["d%d" % i for i in range(1, 9)]
    for before, name in zip(["main"] + names, names):
        c.execute(f"create branch {name} from {before}")
    fails(c, "54000", "8 deep", "create branch d9 from d8")
    for name in reversed(names):
        c.execute(f'drop database branch "{name}"')
    try:
        connect(server, "nowhere")
    except psycopg2.Error as e:
        assert 'branch "nowhere" does not exist' in str(e)
    else:
        raise AssertionError("connected to no branch")
    c.execute("create role plain login")
    p = psycopg2.connect(host="127.0.0.1", port=server.port, user="plain", dbname="postgres")
    p.autocommit = True
    fails(p.cursor(), "42501", "permission denied", "create branch x")
    p.close()


def literals(c):
    """Words of branches in other places are just that."""
    c.execute("create table branch (branch int, branches text)")
    c.execute("insert into branch values (1, 'create branch x; use branch y')")
    assert rows(c, "select branch, branches from branch -- use branch z\n") == [(1, "create branch x; use branch y")]
    c.execute("select 1; use branch work; select 2")
    assert here(c) == "work"
    c.execute("use branch 'main'; drop table branch")
    assert here(c) == "main"


# --- side by side --------------------------------------------------------------------------------

def locks(server):
    """Sessions of one branch meet, those of different branches do not."""
    c = connect(server).cursor()
    c.execute("create table l (id int primary key, v int)")
    c.execute("insert into l select g, 0 from generate_series(1, 10) g")
    c.execute("create branch l1")
    a, b = connect(server, "l1").cursor(), connect(server, "l1").cursor()
    for x in (a, b, c):
        x.execute("set lock_timeout = '100ms'")
    a.execute("begin")
    a.execute("update l set v = 1 where id = 1")
    a.execute("select * from l where id = 2 for update")
    c.execute("update l set v = 2 where id in (1, 2)")
    fails(b, "55P03", "lock timeout", "update l set v = 3 where id = 1")
    fails(b, "55P03", "lock timeout", "delete from l where id = 2")
    assert rows(b, "select v from l where id = 1") == [(0,)]
    a.execute("lock table l in access exclusive mode")
    c.execute("select count(*) from l")
    fails(b, "55P03", "lock timeout", "select count(*) from l")
    a.execute("commit")
    assert rows(b, "select v from l where id = 1") == [(1,)]
    for level, write in (("repeatable read", "id = 3"), ("serializable", "id = 4")):
        for x in (a, b, c):
            x.execute("begin isolation level " + level)
            x.execute("select sum(v) from l")
        a.execute("update l set v = 5 where " + write)
        a.execute("commit")
        c.execute("update l set v = 6 where " + write)
        c.execute("commit")
        fails(b, "40001", "could not serialize", "update l set v = 7 where " + write)
        b.execute("rollback")
    # Two serializable sessions that each read what the other writes: in one branch one fails, in two none.
    for one, two, fail in ((a, b, True), (a, c, False)):
        for x in (one, two):
            x.execute("begin isolation level serializable")
            x.execute("select sum(v) from l")
        one.execute("insert into l values (%s, 1)", (100 + 2 * fail,))
        two.execute("insert into l values (%s, 1)", (101 + 2 * fail,))
        one.execute("commit")
        if fail:
            fails(two, "40001", "could not serialize", "commit")
            two.execute("rollback")
        else:
            two.execute("commit")
    for x in (a, b):
        x.connection.close()


def bulk(server):
    """Loads past the log, parallel scans, and the past of a branch."""
    c = connect(server).cursor()
    c.execute("create table big (id int primary key, v text)")
    c.execute("insert into big select g, repeat('m', 100) from generate_series(1, 60000) g")
    c.execute("create branch big1")
    c.execute("use branch big1")
    before = rows(c, "select clock_timestamp()")[0][0]
    time.sleep(0.002)
    c.execute("insert into big select g, repeat('b', 100) from generate_series(60001, 150000) g")
    fails(c, "23505", "duplicate key", "insert into big select g, repeat('c', 100) from generate_series(200000, 100001, -1) g")
    fails(c, "23505", "duplicate key", "insert into big select g, repeat('c', 100) from generate_series(250000, 59999, -1) g")
    c.execute("delete from big where id % 10 = 0")
    c.execute("insert into big select g * 10, 'again' from generate_series(1, 10) g")
    c.execute("checkpoint")
    c.execute("vacuum full big")
    want = [(135010, sum(i for i in range(1, 150001) if i % 10) + 550)]
    assert rows(c, "select count(*), sum(id) from big") == want
    c.execute("set debug_parallel_query = on")
    c.execute("set max_parallel_workers_per_gather = 2")
    assert rows(c, "select count(*), sum(id) from big") == want
    assert rows(c, "select count(*) from big as of timestamp %s", (before,)) == [(60000,)]
    c.execute("use branch main")
    assert rows(c, "select count(*) from big") == [(60000,)]
    c.execute("delete from big")
    c.execute("use branch big1")
    assert rows(c, "select count(*), sum(id) from big") == want
    c.execute("use branch main")
    c.execute("drop branch big1")


# --- merging -------------------------------------------------------------------------------------

def snapshot(c):
    return rows(c, "select * from a order by 1"), rows(c, "select * from b order by 1")


def merges(server):
    c = connect(server).cursor()
    c.execute("create table a (id int primary key, u int unique, v text, check (v <> 'bad'))")
    c.execute("create table b (id int primary key, a int references a on delete cascade)")
    c.execute("create table plain (v int)")
    c.execute("create sequence s")
    c.execute("insert into a select g, g, 'base' from generate_series(1, 100) g")
    c.execute("insert into b select g, g from generate_series(1, 100) g")
    c.execute("insert into plain values (1), (2)")
    c.execute("create branch m")
    m = connect(server, "m").cursor()
    m.execute("update a set v = 'branch' where id <= 10")
    m.execute("delete from a where id = 50")
    m.execute("insert into a values (200, 200, 'new')")
    m.execute("insert into b values (200, 200)")
    m.execute("insert into plain values (3)")
    m.execute("select nextval('s')")
    m.execute("create table made (id serial primary key, w text)")
    m.execute("create index made_w on made (w)")
    m.execute("insert into made (w) values ('x'), ('y')")
    m.execute("create view seen as select * from made")
    c.execute("update a set v = 'main' where id = 60")
    c.execute("insert into plain values (4)")
    assert rows(c, "select table_name, key, kind, old, new from helios_branch_diff('main', 'm') "
                   "where table_name in ('public.a', 'public.b') and key in ('id=1', 'id=50', 'id=60', 'id=200') "
                   "order by 1, 2") == [
        ("public.a", "id=1", "update", "(1,1,base)", "(1,1,branch)"),
        ("public.a", "id=200", "insert", None, "(200,200,new)"),
        ("public.a", "id=50", "delete", "(50,50,base)", None),
        ("public.a", "id=60", "update", "(60,60,main)", "(60,60,base)"),
        ("public.b", "id=200", "insert", None, "(200,200)"),
        ("public.b", "id=50", "delete", "(50,50)", None)]
    c.execute("merge branch m into main")
    assert rows(c, "select v, count(*) from a group by v order by v") == [
        ("base", 88), ("branch", 10), ("main", 1), ("new", 1)]
    assert rows(c, "select count(*) from b") == [(100,)]
    assert rows(c, "select v from plain order by v") == [(1,), (2,), (3,), (4,)]
    assert rows(c, "select id, w from seen order by id") == [(1, "x"), (2, "y")]
    c.execute("insert into made (w) values ('z')")
    assert rows(c, "select max(id) > 2 from made where w >= 'z'") == [(True,)]
    assert rows(c, "select nextval('s') > 1") == [(True,)]
    assert rows(c, "select count(*) from helios_merge_conflicts") == [(0,)]
    # It goes on, and is merged again.
    m.execute("update a set v = 'second' where id <= 5")
    m.execute("insert into made (w) values ('branch')")
    m.execute("merge branch m into main")
    assert here(m) == "m"
    assert rows(c, "select count(*) from a where v = 'second'") == [(5,)]
    assert rows(c, "select count(*) from made") == [(4,)]
    c.execute("merge branch m into main")
    return c, m


def conflicts(server, c, m):
    """Each side inserts, updates, deletes, or does nothing; the other does, too."""
    for mode, wins in (("abort", None), ("ours", "main"), ("theirs", "side")):
        c.execute("drop table if exists k")
        c.execute("create table k (id int primary key, v text)")
        c.execute("insert into k select g, 'base' from generate_series(1, 20) g")
        c.execute("create branch side")
        c.execute("use branch side")
        side = ["update k set v = 'side' where id in (1, 2, 3)", "delete from k where id in (4, 5, 6)",
                "insert into k values (101, 'side'), (102, 'side'), (103, 'same')", "update k set v = 'same' where id = 7"]
        for sql in side:
            c.execute(sql)
        c.execute("use branch main")
        for sql in ("update k set v = 'main' where id in (2, 5)", "delete from k where id in (3, 6)",
                    "insert into k values (102, 'main'), (103, 'same')", "update k set v = 'same' where id = 7"):
            c.execute(sql)
        before = rows(c, "select * from k order by id")
        if mode == "abort":
            fails(c, "55000", "4 rows were changed in both", "merge branch side into main")
            assert rows(c, "select relname, key, kind, base, ours, theirs from helios_merge_conflicts order by key") == [
                ("k", "id=102", "insert/insert", None, "(102,main)", "(102,side)"),
                ("k", "id=2", "update/update", "(2,base)", "(2,main)", "(2,side)"),
                ("k", "id=3", "update/delete", "(3,base)", None, "(3,side)"),
                ("k", "id=5", "delete/update", "(5,base)", "(5,main)", None)]
            assert rows(c, "select * from k order by id") == before
            c.execute("drop branch side")
            continue
        c.execute(f"merge branch side into main with (strategy = '{mode}', delete_branch_after = true)")
        got = dict(rows(c, "select * from k order by id"))
        assert got[1] == "side" and 4 not in got and 6 not in got and got[101] == "side" and got[103] == "same"
        assert got[2] == wins and got[102] == wins and got.get(3) == (None if wins == "main" else "side")
        assert got.get(5) == ("main" if wins == "main" else None)
        assert "side" not in [r[0] for r in rows(c, "show branches")]


def constraints(server, c):
    c.execute("create table p (id int primary key, u int unique)")
    c.execute("create table q (id int primary key, p int references p)")
    c.execute("insert into p values (1, 1), (2, 2), (3, 3)")
    c.execute("create branch g")
    g = connect(server, "g").cursor()
    # A key that main has given to another row.
    g.execute("insert into p values (10, 77)")
    c.execute("insert into p values (11, 77)")
    fails(c, "23505", "p_u_key", "merge branch g into main")
    c.execute("delete from p where id = 11")
    # A row that is referred to in main is deleted in the branch, and the other way round.
    g.execute("delete from p where id = 3")
    c.execute("insert into q values (1, 3)")
    fails(c, "23503", "still referenced", "merge branch g into main")
    c.execute("delete from q")
    g.execute("insert into q values (2, 2)")
    c.execute("delete from p where id = 2")
    fails(c, "23503", "not present", "merge branch g into main")
    c.execute("insert into p values (2, 2)")
    # Unique keys change hands.
    g.execute("update p set u = 99 where id = 1")
    g.execute("update p set u = 1 where id = 2")
    g.execute("update p set u = 2 where id = 1")
    c.execute("merge branch g into main on conflict theirs")
    assert rows(c, "select * from p order by id") == [(1, 2), (2, 1), (10, 77)]
    assert rows(c, "select id from p where u = 1") == [(2,)]
    assert rows(c, "select * from q") == [(2, 2)]
    g.connection.close()


def functions(server, c):
    """New ones are merged with the triggers that call them, and so is what becomes of old ones."""
    c.execute("create function was() returns int language sql as 'select 1'")
    c.execute("create branch f")
    f = connect(server, "f").cursor()
    f.execute("create function twice(i int) returns int language sql as 'select 2 * i'")
    f.execute("create function stamp() returns trigger language plpgsql as "
              "$$ begin new.b := twice(new.a); return new; end $$")
    f.execute("create table stamped (a int primary key, b int)")
    f.execute("create trigger t before insert on stamped for each row execute function stamp()")
    f.execute("insert into stamped values (1, 0)")
    fails(c, "42883", "does not exist", "select twice(1)")
    c.execute("merge branch f into main")
    assert c.statusmessage == "MERGE 1", c.statusmessage
    c.execute("insert into stamped values (2, 0)")
    assert rows(c, "select a, b, twice(b) from stamped order by a") == [(1, 2, 4), (2, 4, 8)]
    f.execute("insert into stamped values (3, 0)")
    c.execute("merge branch f into main")
    assert rows(c, "select b from stamped where a = 3") == [(6,)]
    f.execute("create or replace function was() returns int language sql as 'select 2'")
    c.execute("merge branch f into main")
    assert rows(c, "select was()") == [(2,)]
    f.execute("drop function was()")
    c.execute("create or replace function was() returns int language sql as 'select 3'")
    fails(c, "55000", "1 object was changed in both", "merge branch f into main")
    assert rows(c, "select relname, key, kind from helios_merge_conflicts") == [("was", None, "drop/alter")]
    c.execute("merge branch f into main on conflict theirs")
    fails(c, "42883", "does not exist", "select was()")
    f.connection.close()
    for sql in ("create branch h", "create function twin() returns int language sql as 'select 1'",
                "use branch h", "create function twin() returns int language sql as 'select 2'", "use branch main"):
        c.execute(sql)
    fails(c, "42723", "already exists", "merge branch h into main")


# --- definitions ---------------------------------------------------------------------------------

def in_branch(c, name, *statements):
    c.execute(f"use branch {name}")
    for sql in statements:
        c.execute(sql)
    c.execute("use branch main")


def altered(c):
    """All kinds of changes of a table, with rows changed on both sides of them."""
    c.execute("create table a1 (id int primary key, n int, old text, note text default 'x')")
    c.execute("insert into a1 select g, g, 'old' || g from generate_series(1, 100) g")
    c.execute("create view v1 as select id, n from a1")
    c.execute("create sequence s1")
    c.execute("create branch d1")
    in_branch(c, "d1",
              "alter table a1 add column more int not null default 7",
              "alter table a1 drop column old",
              "alter table a1 rename column n to number",
              "alter table a1 alter column note set default 'y'",
              "alter table a1 add constraint positive check (number > 0)",
              "create index a1_number on a1 (number)",
              "create unique index a1_more on a1 (id, more)",
              "alter table a1 rename to b1",
              "create or replace view v1 as select id, number as n, note from b1",
              "alter sequence s1 increment by 10",
              "update b1 set more = 8, number = number + 1000 where id <= 10",
              "insert into b1 (id, number) values (200, 200)",
              "create table child1 (id int primary key, b int references b1)",
              "insert into child1 values (1, 200)")
    c.execute("update a1 set n = 5000 where id = 50")
    c.execute("insert into a1 values (300, 300, 'gone', 'main')")
    c.execute("merge branch d1 into main")
    assert c.statusmessage == "MERGE 12", c.statusmessage
    fails(c, "42P01", "does not exist", "select * from a1")
    assert rows(c, "select * from b1 where id in (1, 50, 200, 300) order by id") == [
        (1, 1001, "x", 8), (50, 5000, "x", 7), (200, 200, "y", 7), (300, 300, "main", 7)]
    assert rows(c, "select id from b1 where number > 4000") == [(50,)]
    assert rows(c, "select count(*) from b1 where number between 1 and 2000") == [(101,)]
    assert rows(c, "select * from v1 where id = 300") == [(300, 300, "main")]
    fails(c, "23514", "positive", "insert into b1 values (400, -1)")
    fails(c, "23503", "child1", "delete from b1 where id = 200")
    assert rows(c, "select nextval('s1'), nextval('s1')") == [(1, 11)]
    # It goes on from there, either side.
    in_branch(c, "d1", "alter table b1 drop constraint positive", "update b1 set note = 'two' where id = 3",
              "drop index a1_more")
    c.execute("update b1 set note = 'three' where id = 4")
    c.execute("merge branch d1 into main")
    assert rows(c, "select id, note from b1 where id in (3, 4) order by id") == [(3, "two"), (4, "three")]
    c.execute("insert into b1 values (400, -1)")
    # The parent alters, the branch has rows.
    c.execute("alter table b1 add column late text default 'late'")
    c.execute("update b1 set late = 'set' where id = 5")
    in_branch(c, "d1", "update b1 set number = 77 where id in (5, 6)")
    fails(c, "55000", "1 row was changed in both", "merge branch d1 into main")
    c.execute("merge branch d1 into main on conflict theirs")
    assert rows(c, "select id, number, late from b1 where id in (5, 6) order by id") == [(5, 77, "set"), (6, 77, "late")]
    assert not rows(c, "select * from helios_verify() where problem is not null")


def rewritten(c):
    """What gives a table another tree in the branch: the rows of both are brought together."""
    for name, sql, value in (("type", "alter table r1 alter column n type bigint using n * 10", 10),
                             ("full", "vacuum full r1", 1), ("key", "alter table r1 add primary key (id)", 1),
                             ("empty", "truncate r1", None)):
        c.execute("drop table if exists r1")
        c.execute("create table r1 (id int, n int, note text)")
        c.execute("create index on r1 (n)")
        c.execute("insert into r1 select g, g, 'base' from generate_series(1, 50) g")
        c.execute(f"create branch {name}")
        in_branch(c, name, sql, "insert into r1 values (100, 100, 'branch')")
        if name != "key":
            c.execute("insert into r1 values (200, 200, 'main')")
        c.execute(f"merge branch {name} into main")
        got = {r[0]: r[1:] for r in rows(c, "select * from r1")}
        assert got[100] == (100, "branch") and (name == "key" or got[200] == (200, "main"))
        assert (got[7][0] == 7 * value) if value else len(got) == 2, (name, got)
        assert rows(c, "select id from r1 where n = 100") in ([(100,)], [(10,), (100,)], [(100,), (10,)])
    # Another key, while the parent's rows have changed: that cannot be brought together row by row.
    c.execute("create branch keyed")
    in_branch(c, "keyed", "alter table r1 add primary key (id)")
    c.execute("update r1 set note = 'main' where id = 100")
    fails(c, "55000", "1 object was changed in both", "merge branch keyed into main")
    c.execute("merge branch keyed into main on conflict theirs")
    assert rows(c, "select note from r1 where id = 100") == [("branch",)]
    assert not rows(c, "select * from helios_verify() where problem is not null")


def referred_altered(c):
    """Both have altered a table, so its rows are written anew: what refers to those that go, or change, is told. Triggers
    of those do not fire, as in any merge."""
    setup = ("drop table if exists r1, r2, r3, told", "create table r1 (id int primary key, u int unique, v text)",
             "create table told (id int)",
             "create table r2 (id int primary key, r1 int references r1 on delete cascade,"
             " u int references r1 (u) on update cascade on delete set null)",
             "create table r3 (id int primary key, r1 int references r1)",
             "create or replace function tell() returns trigger language plpgsql as"
             " $$ begin insert into told values (coalesce(new.id, old.id)); return coalesce(new, old); end $$",
             "create trigger t1 before update or delete on r2 for each row execute function tell()",
             "create trigger t2 after update or delete on r2 for each row execute function tell()",
             "insert into r1 select g, g * 10, 'x' from generate_series(1, 9) g", "create branch r")
    for where in ("alter table r1 add column m int default 1", None):
        for statement in setup:
            c.execute(statement)
        in_branch(c, "r", "alter table r1 add column b int default 2", "delete from r1 where id in (5, 7)",
                  "update r1 set u = 66 where id = 6", "insert into r1 values (12, 120, 'y')")
        c.execute("insert into r2 values (1, 5, 20), (2, 2, 60), (3, 2, 70), (4, 4, 40)")
        if where:
            c.execute(where)
        c.execute("insert into r3 values (1, 7)")
        fails(c, "23503", 'violates foreign key constraint "r3_r1_fkey"', "merge branch r into main on conflict theirs")
        c.execute("delete from r3")
        c.execute("merge branch r into main on conflict theirs")
        assert rows(c, "select * from r2 order by 1") == [(2, 2, 66), (3, 2, None), (4, 4, 40)]
        assert rows(c, "select id, u, v, b from r1 where id > 4 order by 1") == [
            (6, 66, "x", 2), (8, 80, "x", 2), (9, 90, "x", 2), (12, 120, "y", 2)]
        assert rows(c, "select * from told") == []
        fails(c, "23503", "r2_r1_fkey", "insert into r2 values (9, 5, null)")
        assert rows(c, "select * from helios_verify() where problem is not null") == []
        c.execute("drop branch r")
    # Another primary key: the branch's rows are taken, and what refers to others is not left alone.
    for statement in (*setup[:4], setup[8], "create branch r"):
        c.execute(statement)
    in_branch(c, "r", "alter table r1 drop constraint r1_pkey cascade", "alter table r1 add primary key (id, v)",
              "delete from r1 where id = 5")
    c.execute("insert into r2 values (1, 4, 50)")
    fails(c, "23503", "r2_u_fkey", "merge branch r into main on conflict theirs")
    c.execute("update r2 set u = 40")
    c.execute("merge branch r into main on conflict theirs")
    assert rows(c, "select id from r1 where id > 3 order by 1") == [(4,), (6,), (7,), (8,), (9,)]
    c.execute("drop branch r")
    c.execute("drop table r1, r2, told cascade")


def both_altered(c):
    """The same object on both sides: table, view, sequence; altered, dropped, and rows of it."""
    cases = [("alter table o1 add column b int default 2", "alter table o1 add column m int default 3", "alter/alter"),
             ("drop table o1", "alter table o1 add column m int default 3", "drop/alter"),
             ("alter table o1 add column b int default 2", "drop table o1", "alter/drop"),
             ("drop table o1", "update o1 set v = 'main' where id = 1", "drop/update"),
             ("update o1 set v = 'branch' where id = 1", "drop table o1", "update/drop")]
    for side, main_, kind in cases:
        for mode in ("abort", "ours", "theirs"):
            c.execute("drop table if exists o1")
            c.execute("create table o1 (id int primary key, v text)")
            c.execute("create table if not exists o2 (id int)")
            c.execute("insert into o1 select g, 'base' from generate_series(1, 10) g")
            c.execute("create branch o")
            in_branch(c, "o", side, "insert into o2 values (1)")
            c.execute(main_)
            if mode == "abort":
                fails(c, "55000", "1 object was changed in both", "merge branch o into main")
            else:
                c.execute(f"merge branch o into main on conflict {mode}")
            assert rows(c, "select relname, key, kind from helios_merge_conflicts") == [("o1", None, kind)], kind
            there = rows(c, "select to_regclass('o1') is not null")[0][0]
            from_side = mode == "theirs"
            assert there == (not (side if from_side else main_).startswith("drop")), (kind, mode)
            if there:
                columns = [r[0] for r in rows(c, "select attname from pg_attribute where attrelid = 'o1'::regclass "
                                                 "and attnum > 0 and not attisdropped order by attnum")]
                want = {"abort": main_, "ours": main_, "theirs": side}[mode]
                assert columns == ["id", "v"] + [x for x in ("b", "m") if f" {x} int" in want], (kind, mode, columns)
                assert rows(c, "select count(*) from o1") == [(10,)]
            c.execute("drop branch o")
    # The same change on both sides is none.
    c.execute("drop table if exists o1")
    c.execute("create table o1 (id int primary key)")
    c.execute("create branch o")
    in_branch(c, "o", "alter table o1 rename to o3")
    c.execute("alter table o1 rename to o3")
    c.execute("merge branch o into main")
    in_branch(c, "o", "drop table o3")
    c.execute("drop table o3")
    c.execute("merge branch o into main")
    # What hangs on a dropped table in the parent alone, and a name that another has.
    c.execute("create table o4 (id int primary key)")
    c.execute("create branch p")
    in_branch(c, "p", "drop table o4", "create table o5 (id int)")
    c.execute("create view o6 as select * from o4")
    fails(c, "2BP01", "other objects depend on it", "merge branch p into main")
    c.execute("drop view o6")
    c.execute("create table o5 (id int)")
    fails(c, "42P07", "already exists", "merge branch p into main")
    c.execute("alter table o5 rename to o7")
    c.execute("merge branch p into main")
    fails(c, "42P01", "does not exist", "select * from o4")
    # Names change hands, and a new constraint meets rows of the parent.
    c.execute("create table n1 (id int, what text)")
    c.execute("create table n2 (id int, what text)")
    c.execute("insert into n1 values (1, 'one')")
    c.execute("create branch q")
    in_branch(c, "q", "alter table n1 rename to n3", "alter table n2 rename to n1", "alter table n3 rename to n2",
              "alter table n2 alter column id set not null", "alter table n1 add unique (id)")
    c.execute("merge branch q into main")
    assert rows(c, "select what from n2") == [("one",)] and not rows(c, "select * from n1")
    in_branch(c, "q", "alter table n2 alter column what set not null", "alter table n2 add check (id < 5)")
    c.execute("insert into n2 values (2, null)")
    fails(c, "23502", "contains null values", "merge branch q into main")
    c.execute("update n2 set what = 'two', id = 7 where id = 2")
    fails(c, "23514", "is violated by some row", "merge branch q into main")
    c.execute("update n2 set id = 3 where id = 7")
    c.execute("merge branch q into main")
    fails(c, "23514", "n2_id_check", "insert into n2 values (9, 'nine')")
    # Schemas.
    c.execute("create schema z1")
    c.execute("create table z1.t (id int)")
    c.execute("create branch r")
    in_branch(c, "r", "create schema z2", "alter table z1.t set schema z2", "drop schema z1")
    c.execute("merge branch r into main")
    assert rows(c, "select count(*) from z2.t") == [(0,)]
    fails(c, "3F000", "does not exist", "create table z1.u (id int)")
    assert not rows(c, "select * from helios_verify() where problem is not null")


# --- against a model, over restarts --------------------------------------------------------------

class Line:
    def __init__(self, name, parent, value):
        self.name, self.parent, self.value = name, parent, dict(value)


def model(heliosd, seed):
    r = random.Random(seed)
    lines = {"main": Line("main", None, {})}
    made = 0
    with tempfile.TemporaryDirectory(prefix="helios-test-") as data:
        for life in range(3):
            with Server(heliosd, data=data) as server:
                open_ = {}
                for name in lines:
                    open_[name] = connect(server, None if name == "main" else name)
                if life == 0:
                    open_["main"].cursor().execute("create table t (id int primary key, a int, b text)")
                    open_["main"].cursor().execute("create index on t (a)")
                for _ in range(120):
                    line = lines[r.choice(list(lines))]
                    c = open_[line.name].cursor()
                    kind = r.randrange(20)
                    lo, hi, v = r.randrange(60), r.randrange(60), r.randrange(1000)
                    if kind < 6:
                        c.execute("insert into t select g, %s, repeat('x', %s) from generate_series(%s::int, %s) g "
                                  "on conflict (id) do nothing", (v, v % 50, lo, hi))
                        for i in range(lo, hi + 1):
                            line.value.setdefault(i, (v, "x" * (v % 50)))
                    elif kind < 11:
                        c.execute("update t set a = %s where id between %s and %s", (v, lo, hi))
                        for i in [i for i in line.value if lo <= i <= hi]:
                            line.value[i] = (v, line.value[i][1])
                    elif kind < 14:
                        c.execute("delete from t where id between %s and %s", (lo, lo + 3))
                        for i in range(lo, lo + 4):
                            line.value.pop(i, None)
                    elif kind == 14:
                        c.execute("checkpoint")
                    elif kind == 15:
                        c.execute("vacuum full t")
                    elif kind == 16 and len(lines) < 8:
                        made += 1
                        c.execute(f"create branch n{made} from {line.name}")
                        lines[f"n{made}"] = Line(f"n{made}", line.name, line.value)
                        open_[f"n{made}"] = connect(server, f"n{made}")
                    elif kind == 17 and line.parent and not any(x.parent == line.name for x in lines.values()):
                        open_.pop(line.name).close()
                        wait_for_end(open_["main"].cursor(), line.name)
                        del lines[line.name]
                    else:
                        check(c, line)
                for line in lines.values():
                    check(open_[line.name].cursor(), line)
                for c in open_.values():
                    c.close()


def wait_for_end(c, name):
    """The server hears a little later that a session has gone."""
    for _ in range(200):
        try:
            c.execute(f"drop branch {name}")
            return
        except psycopg2.Error as e:
            assert e.pgcode == "55006", str(e)
            time.sleep(0.02)
    raise AssertionError("the session does not end")


def check(c, line):
    want = sorted((i, a, b) for i, (a, b) in line.value.items())
    got = rows(c, "select id, a, b from t order by id")
    assert got == want, (line.name, [x for x in got if x not in want], [x for x in want if x not in got])
    if not want:
        return
    i, a, _ = want[len(want) // 2]
    assert rows(c, "select a from t where id = %s", (i,)) == [(a,)]
    assert sorted(rows(c, "select id from t where a = %s", (a,))) == [(x[0],) for x in want if x[1] == a]
    assert rows(c, "select count(*) from t") == [(len(want),)]
    assert [x[0] for x in rows(c, "select id from t order by id desc limit 3")] == [x[0] for x in want[::-1][:3]]


def materialized(c):
    """Materialized views of both sides stay as they are; those of the branch come without rows."""
    c.execute("create table mb (a int primary key); insert into mb select generate_series(1, 5);"
              "create materialized view kept_mv as select * from mb; create unique index on kept_mv (a);"
              "create materialized view lazy_mv as select 1 as x with no data;"
              "create materialized view gone_mv as select 1 as x")
    c.execute("create branch mv")
    in_branch(c, "mv", "insert into mb values (6)", "refresh materialized view kept_mv",
              "refresh materialized view lazy_mv", "drop materialized view gone_mv",
              "create materialized view made_mv as select a * 2 as d from mb", "create index on made_mv (d)")
    got = rows(c, "select table_name, kind from helios_branch_diff('main', 'mv') where key is null order by 1")
    assert got == [
        ("public.gone_mv", "materialized view dropped"), ("public.kept_mv", "materialized view altered"),
        ("public.lazy_mv", "materialized view altered"), ("public.made_mv", "materialized view added")], got
    c.execute("merge branch mv into main")
    assert rows(c, "select count(*) from mb") == [(6,)]
    assert rows(c, "select count(*) from kept_mv") == [(5,)]
    fails(c, "55000", "has not been populated", "select * from lazy_mv")
    fails(c, "55000", "has not been populated", "select * from made_mv")
    fails(c, "42P01", "does not exist", "select * from gone_mv")
    for view in ("kept_mv", "lazy_mv", "made_mv"):
        c.execute("refresh materialized view " + view)
    c.execute("refresh materialized view concurrently kept_mv")
    assert rows(c, "select (select count(*) from kept_mv), (select max(d) from made_mv)") == [(6, 12)]
    assert rows(c, "select count(*) from helios_verify() where problem is not null") == [(0,)]
    c.execute("drop branch mv")


# --- the example of the documentation ------------------------------------------------------------

def documented(server, path):
    text = open(path, encoding="utf-8").read()
    block = text.split("<!-- tested -->")[1].split("<!-- end -->")[0]
    sql = "\n".join(line[4:] for line in block.splitlines() if line.startswith("    "))
    c = connect(server).cursor()
    results = []
    for statement in [s.strip() for s in re.sub(r"--.*", "", sql).split(";")]:
        if not statement:
            continue
        c.execute(statement)
        if c.description:
            results.append(c.fetchall())
    told = [tuple(m.split(", ")) for m in re.findall(r"-- → (.*)", sql)]
    got = [tuple(str(v) for v in row) for rows_ in results for row in rows_]
    assert got == told, (got, told)


def main(heliosd, document):
    seed = int(os.environ.get("SEED", "1"))
    print("seed", seed)
    with Server(heliosd) as server:
        c, w, d = basics(server)
        refused(server, c, w, d)
        literals(c)
        locks(server)
        bulk(server)
    with Server(heliosd) as server:
        c, m = merges(server)
        conflicts(server, c, m)
        constraints(server, c)
        functions(server, c)
        altered(c)
        rewritten(c)
        referred_altered(c)
        both_altered(c)
        materialized(c)
    with Server(heliosd) as server:
        documented(server, document)
    model(heliosd, seed)
    print("ok")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
