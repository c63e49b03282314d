#!/usr/bin/python3
"""What is prepared in a branch, after DDL, a bulk load, ALTER SEQUENCE, and under SERIALIZABLE: it is unseen and holds its locks over checkpoints and
kill -9, and either end is possible afterwards, wholly.

usage: prepared_kinds.py HELIOSD"""
import os, shutil, sys, tempfile
import psycopg2

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from kill import Server


class Session:
    def __init__(self, server, branch=None):
        options = f"-c branch={branch}" if branch else ""
        self.c = psycopg2.connect(host="127.0.0.1", port=server.port, user="postgres", dbname="postgres", options=options)
        self.c.autocommit = True
        self.q = self.c.cursor()
        self("set lock_timeout = '50ms'")

    def __call__(self, sql):
        self.q.execute(sql)
        return self.q.fetchall() if self.q.description else self.q.statusmessage

    def fails(self, state, sql, words=""):
        try:
            self(sql)
        except psycopg2.Error as e:
            assert e.pgcode == state and words in str(e), (sql, e.pgcode, str(e))
            return
        raise AssertionError("no error: " + sql)


def restart(server, how):
    """0: not at all; 1: killed; 2: checkpoints and a lot of log first."""
    if how == 0:
        return
    if how == 2:
        s = Session(server)
        for _ in range(6):
            s("insert into filler select g, repeat(md5(g::text), 8) from generate_series(1, 3000) g on conflict (id) "
              "do update set t = excluded.t")
            s("checkpoint")
    server.kill()
    server.start()


def sound(server):
    s = Session(server)
    assert s("select object, kind, problem from helios_verify() where problem is not null") == []


def in_branch(server, how, commit):
    s = Session(server)
    s("drop table if exists t")
    s("create table t (id int primary key, v int)")
    s("insert into t select g, 0 from generate_series(1, 10) g")
    s("create branch b")
    b = Session(server, "b")
    for sql in ("begin", "update t set v = 1 where id < 5", "insert into t values (20, 1)", "delete from t where id = 9",
                "prepare transaction 'branch'"):
        b(sql)
    s("update t set v = 2 where id = 1")
    b.c.close()
    restart(server, how)
    s, b = Session(server), Session(server, "b")
    assert b("select sum(v), count(*) from t") == [(0, 10)]
    b.fails("55P03", "update t set v = 3 where id = 2")
    assert s("update t set v = 3 where id = 2") == "UPDATE 1"
    s.fails("0A000", "commit prepared 'branch'", "another branch")
    b.c.close()
    s.fails("55006", "drop branch b")
    b = Session(server, "b")
    b("commit prepared 'branch'" if commit else "rollback prepared 'branch'")
    want = [(5, 10)] if commit else [(0, 10)]
    assert b("select sum(v), count(*) from t") == want
    restart(server, how)
    s, b = Session(server), Session(server, "b")
    assert b("select sum(v), count(*) from t") == want and s("select sum(v) from t") == [(5,)]
    b("update t set v = 9 where id = 2")
    sound(server)
    b("use branch main")
    s("drop branch b")
    s.c.close()
    b.c.close()


def after_ddl(server, how, commit, branch=None):
    s = Session(server)
    for sql in ("drop table if exists made, old, kept, renamed cascade", "create table old (id int)", "insert into old values (1)",
                "create table kept (id int primary key, v text)", "insert into kept values (1, 'one')"):
        s(sql)
    if branch:
        s(f"create branch {branch}")
    d = Session(server, branch)
    for sql in ("begin", "create table made (id serial primary key, w text unique)", "create index on made (id, w)",
                "insert into made (w) select 'w' || g from generate_series(1, 50) g", "alter table kept add column n int default 7",
                "alter table kept rename to renamed", "update renamed set v = 'two'", "drop table old",
                "create view seen as select * from made", "prepare transaction 'ddl'"):
        d(sql)
    d.c.close()
    restart(server, how)
    s = Session(server, branch)
    s.fails("42P01", "select * from made", "does not exist")
    s.fails("55P03", "select * from kept")
    s.fails("55P03", "select * from old")
    s.fails("55P03", "create table other (id int)")
    s("insert into filler values (0, 'goes on') on conflict (id) do nothing")
    if branch:
        Session(server)("create table if not exists elsewhere (id int)")
    s("commit prepared 'ddl'" if commit else "rollback prepared 'ddl'")
    for round_ in range(2):
        if commit:
            got = s("select count(*), max(w) from seen")
            assert got == [(50, "w9")], (got, round_)
            assert s("select * from renamed") == [(1, "two", 7)]
            assert s("select id from made where w = 'w7'") == [(7,)]
            s.fails("42P01", "select * from old", "does not exist")
            s("insert into made (w) values ('more') on conflict (w) do nothing")
            s("delete from made where w = 'more'")
        else:
            s.fails("42P01", "select * from made", "does not exist")
            assert s("select * from kept") == [(1, "one")] and s("select * from old") == [(1,)]
        s("create table other (id int)")
        s("drop table other")
        sound(server)
        s.c.close()
        restart(server, how)
        s = Session(server, branch)
    s("drop view if exists seen")
    if branch:
        s("use branch main")
        s(f"drop branch {branch}")
    s.c.close()


ROWS = 20000 # of a bulk load


def after_load(server, how, commit, branch=None):
    """Rows that never went through the log: into a table that is there, and one that it makes, over keys that it deleted
    before, and with rows written over afterwards."""
    s = Session(server)
    for sql in ("drop table if exists big, fresh", "create table big (id int primary key, v text)",
                "insert into big select g, 'old' || g from generate_series(1, 100) g", "create index big_v on big (v)"):
        s(sql)
    if branch:
        s(f"create branch {branch}")
    d = Session(server, branch)
    for sql in ("begin", "delete from big where id <= 50",
                f"insert into big select g, 'new' || g from generate_series(1, {ROWS}) g where g not between 51 and 100",
                "update big set v = 'over' where id = 7", "delete from big where id = 8",
                "create table fresh (id int primary key, t text)",
                f"insert into fresh select g, repeat('t', 100) from generate_series(1, {ROWS}) g",
                "prepare transaction 'load'"):
        d(sql)
    d.c.close()
    restart(server, how)
    s = Session(server, branch)
    assert s("select count(*), min(v) from big") == [(100, "old1")]
    s.fails("55P03", "insert into big values (13333, 'mine')")
    s.fails("55P03", "insert into big values (5, 'mine')")
    s.fails("55P03", "update big set v = 'mine' where id = 6")
    s("update big set v = 'kept' where id = 60")
    s("insert into big values (-1, 'kept')")
    for _ in range(3): # runs in front of it, and merges
        s("update big set v = v || 'x' where id between 51 and 59")
        s("checkpoint")
    if how == 2: # once more, with what came after it
        restart(server, 1)
        s = Session(server, branch)
    sound(server)
    s("commit prepared 'load'" if commit else "rollback prepared 'load'")
    for _ in range(2):
        if commit:
            assert s("select count(*), count(*) filter (where v like 'new%'), count(*) filter (where v like 'old%xxx') "
                     "from big") == [(ROWS, ROWS - 52, 9)]
            assert s("select v from big where id in (7, 8, 9, 60, -1) order by id") == [("kept",), ("over",), ("new9",), ("kept",)]
            assert s("select id from big where v = 'new13333'") == [(13333,)]
            assert s("select count(*), sum(length(t)) from fresh") == [(ROWS, 100 * ROWS)]
            s.fails("23505", "insert into big values (13333, 'mine')")
        else:
            assert s("select count(*), count(*) filter (where v like 'old%') from big") == [(101, 99)]
            s.fails("42P01", "select * from fresh", "does not exist")
            s("insert into big values (13333, 'mine')")
            s("delete from big where id = 13333")
        sound(server)
        s.c.close()
        restart(server, how > 0)
        s = Session(server, branch)
    if branch:
        s("use branch main")
        s(f"drop branch {branch}")
    s.c.close()


def after_sequence(server, how, commit, branch=None):
    s = Session(server)
    for sql in ("drop sequence if exists q", "drop table if exists counted", "create sequence q",
                "create table counted (id int generated always as identity, v int)", "insert into counted (v) values (1), (2)"):
        s(sql)
    assert s("select nextval('q')") == [(1,)]
    if branch:
        s(f"create branch {branch}")
    d = Session(server, branch)
    d("select nextval('q')")
    for sql in ("begin", "alter sequence q restart 100 increment 10", "select nextval('q')", "truncate counted restart identity",
                "prepare transaction 'sequence'"):
        d(sql)
    d.c.close()
    restart(server, how)
    s = Session(server, branch)
    s.fails("55P03", "select nextval('q')")
    s.fails("55P03", "insert into counted (v) values (3)")
    s("commit prepared 'sequence'" if commit else "rollback prepared 'sequence'")
    first = s("select nextval('q')")[0][0]
    assert first == 110 if commit else 3 <= first < 100, first
    s("insert into counted (v) values (4)")
    number = s("select id from counted where v = 4")[0][0]
    assert number == 1 if commit else 3 <= number < 100, number
    sound(server)
    s.c.close()
    restart(server, how > 0)
    s = Session(server, branch)
    after = s("select nextval('q')")[0][0]
    assert after > first and (not commit or after % 10 == 0), (first, after)
    # A savepoint that is rolled back gives the sequence free.
    other = Session(server, branch)
    for sql in ("begin", "savepoint a", "alter sequence q restart 5", "rollback to a"):
        s(sql)
    assert other("select nextval('q')")[0][0] > after and s("select nextval('q')")[0][0] > after
    s("commit")
    if branch:
        other("use branch main")
    other.c.close()
    if branch:
        s("use branch main")
        s(f"drop branch {branch}")
    s.c.close()


def serializable(server, how, commit):
    s = Session(server)
    s("drop table if exists skew, calm")
    s("create table skew (id int primary key, v int)")
    s("create table calm (id int primary key, v int)")
    s("insert into skew values (1, 0), (2, 0)")
    s("insert into calm values (1, 0)")
    one, two = Session(server), Session(server)
    for x in (one, two):
        x("begin isolation level serializable")
        x("select sum(v) from skew")
    one("update skew set v = 1 where id = 1")
    one("prepare transaction 'skew'")
    two.fails("40001", "update skew set v = 1 where id = 2", "pivot")
    two("rollback")
    # Of two that would have to fail the one that is to be prepared is told so at once.
    for x in (one, two):
        x("begin isolation level serializable")
        x("select sum(v) from calm")
    one("insert into calm values (2, 0)")
    two("insert into calm values (3, 0)")
    two("commit")
    one.fails("40001", "prepare transaction 'late'", "serialize")
    assert one("select gid from pg_prepared_xacts") == [("skew",)]
    one.c.close()
    two.c.close()
    restart(server, how)
    s = Session(server)
    assert s("select sum(v) from skew") == [(0,)]
    s("begin isolation level serializable")
    assert s("select count(*) from calm") == [(2,)]
    s("update calm set v = v + 1")
    s("commit")
    s("begin isolation level serializable")
    if how:
        s.fails("40001", "select sum(v) from skew", "serialize") # what it had to do with others is forgotten: the worst is taken
        s("rollback")
    else: # it reads what is overwritten, and writes what was read
        s("select sum(v) from skew")
        s.fails("40001", "update skew set v = 1 where id = 2", "serialize")
        s("rollback")
    s("commit prepared 'skew'" if commit else "rollback prepared 'skew'")
    s("begin isolation level serializable")
    assert s("select sum(v) from skew") == [(int(commit),)]
    s("update skew set v = 5 where id = 2")
    s("commit")
    s.c.close()


def run(server):
    Session(server)("create table filler (id int primary key, t text)")
    for how in (0, 1, 2):
        for commit in (True, False):
            in_branch(server, how, commit)
            after_ddl(server, how, commit)
            after_ddl(server, how, commit, "d")
            serializable(server, how, commit)
            after_sequence(server, how, commit)
            after_sequence(server, how, commit, "q")
            after_load(server, how, commit)
            after_load(server, how, commit, "l")
            print(("no restart", "kill -9", "checkpoints and kill -9")[how], "commit" if commit else "rollback", flush=True)


def main():
    data = tempfile.mkdtemp(prefix="helios-prepared-")
    server = Server(sys.argv[1], data)
    server.settings = ["memtable_bytes=4MB", "memtable_total_bytes=8MB", "load_bytes=1MB", "wal.file_bytes=1MB"] # loads are bulk loads
    server.start()
    try:
        run(server)
    finally:
        server.kill()
    shutil.rmtree(data)
    print("ok")


if __name__ == "__main__":
    main()
