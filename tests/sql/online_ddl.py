#!/usr/bin/python3
"""DDL that works while others write: an index is built, remade and dropped under random writers, each of whom knows
what his rows must be, and equals its table at the end; who waits for whom; cancel; kill -9 in the middle.

usage: online_ddl.py HELIOSD [--seed N] [--seconds S]"""
import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402

WRITERS, SHARE, SECONDS_MAX = 4, 300, 60


def connect(server, autocommit=True):
    c = psycopg2.connect(f"host={server.host} port={server.port} user=postgres dbname=postgres")
    c.autocommit = autocommit
    return c


def one(cursor, sql):
    cursor.execute(sql)
    return cursor.fetchone()[0]


def wait_for(cursor, sql, what):
    end = time.monotonic() + SECONDS_MAX
    while not one(cursor, sql):
        assert time.monotonic() < end, "never: " + what
        time.sleep(0.01)


def in_background(server, sql, settings=""):
    """(thread, error or None in a list)"""
    result = []

    def run():
        try:
            c = connect(server)
            cursor = c.cursor()
            if settings:
                cursor.execute(settings)
            cursor.execute(sql)
            result.append(None)
            c.close()
        except psycopg2.Error as e:
            result.append(e)

    t = threading.Thread(target=run)
    t.start()
    return t, result


def sound(cursor):
    cursor.execute("select * from helios_verify() where problem is not null")
    bad = cursor.fetchall()
    assert not bad, bad


class Writer(threading.Thread):
    """Rows of a share of the keys, whose values of u are a share of the unique values: nobody else touches them, so that
    each transaction must succeed, and no build may find a duplicate."""

    def __init__(self, server, number, seed):
        super().__init__()
        self.cursor = connect(server).cursor()
        self.random = random.Random(seed * 1000 + number)
        self.low = number * SHARE
        self.rows = {i: i for i in range(self.low, self.low + SHARE, 2)}
        self.commits, self.error, self.stopping = 0, None, False

    def free(self, taken):
        return self.random.choice([v for v in range(self.low, self.low + SHARE) if v not in taken])

    def step(self, rows):
        r, run = self.random, self.cursor.execute
        what, i = r.random(), r.choice(list(rows))
        if what < .3:
            run("delete from t where id = %s", (i,))
            u, to = rows.pop(i), self.free(rows)
            run("insert into t values (%s, %s, %s, 'n')", (to, u, r.randint(0, 9)))  # another row gets its key
            rows[to] = u
        elif what < .6:
            rows[i] = self.free(set(rows.values()))
            run("update t set u = %s, a = %s where id = %s", (rows[i], r.randint(0, 9), i))
        elif what < .7:
            to = self.free(rows)
            run("update t set id = %s where id = %s", (to, i))
            rows[to] = rows.pop(i)
        elif what < .85:
            run("update t set pad = pad || 'x' where id = %s", (i,))
        elif len(rows) > SHARE * 3 // 4:
            run("delete from t where id = %s", (i,))
            del rows[i]
        else:
            to = self.free(rows)
            rows[to] = self.free(set(rows.values()))
            run("insert into t values (%s, %s, %s, 'i')", (to, rows[to], r.randint(0, 9)))

    def run(self):
        try:
            while not self.stopping:
                rows = dict(self.rows)
                self.cursor.execute("begin")
                for _ in range(self.random.randint(1, 4)):
                    self.step(rows)
                if self.random.random() < .1:
                    time.sleep(self.random.random() * .02)
                if self.random.random() < .2:
                    self.cursor.execute("rollback")
                else:
                    self.cursor.execute("commit")
                    self.rows = rows
                    self.commits += 1
        except psycopg2.Error as e:
            self.error = e


def fill(cursor):
    cursor.execute("drop table if exists t; create table t (id int primary key, u int, a int, pad text)")
    cursor.execute("insert into t select g, g, g %% 10, repeat('p', 20) from generate_series(0, %s, 2) g",
                   (WRITERS * SHARE - 1,))


STATEMENTS = ["create unique index concurrently t_u on t (u)", "create index concurrently t_a on t (a) where id % 3 = 0",
              "create index concurrently t_x on t ((a + u))", "reindex index concurrently t_u",
              "reindex table concurrently t", "drop index concurrently t_a", "reindex table t",
              "drop index concurrently t_x", "drop index concurrently t_u"]


def under_writers(server, seed, seconds):
    cursor = connect(server).cursor()
    fill(cursor)
    writers = [Writer(server, n, seed) for n in range(WRITERS)]
    for w in writers:
        w.start()
    end, ran = time.monotonic() + seconds, 0
    while time.monotonic() < end or ran < len(STATEMENTS):
        cursor.execute(STATEMENTS[ran % len(STATEMENTS)])
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
    assert one(cursor, "select count(*) from pg_index where indrelid = 't'::regclass and not indisvalid") == 0
    print(f"{ran} statements beside {sum(w.commits for w in writers)} transactions")


def who_waits(server):
    """An old writer is waited for; new ones go on; other DDL on the table waits for the build, none other does."""
    cursor, old = connect(server).cursor(), connect(server, autocommit=False)
    fill(cursor)
    old.cursor().execute("update t set a = 77 where id = 0")
    build, result = in_background(server, "create index concurrently t_a on t (a)")
    wait_for(cursor, "select count(*) = 1 from pg_stat_progress_create_index where phase = "
             "'waiting for writers before build' and command = 'CREATE INDEX CONCURRENTLY' and "
             "relid = 't'::regclass", "it waits for the old writer")
    cursor.execute("insert into t values (1, 1, 78, 'new'); update t set a = 79 where id = 2; delete from t where id = 4")
    alter, altered = in_background(server, "alter table t add column z int default 5")
    again, second = in_background(server, "create index concurrently t_u on t (u)")
    impatient, timed_out = in_background(server, "alter table t drop column pad", "set lock_timeout = '50ms'")
    impatient.join()
    assert timed_out[0].pgcode == "55P03", timed_out
    cursor.execute("create table beside (a int); alter table beside add column b int; drop table beside")
    cursor.execute("begin; create table beside (a int)")
    try:
        cursor.execute("alter table t add column y int")
        raise AssertionError("DDL on a table whose index is being built")
    except psycopg2.Error as e:
        assert e.pgcode == "55006", e
    cursor.execute("rollback")
    old.commit()
    for t in (build, alter, again):
        t.join(SECONDS_MAX)
        assert not t.is_alive()
    assert result == altered == second == [None], (result, altered, second)
    cursor.execute("set enable_seqscan = off")
    cursor.execute("select id, z from t where a in (77, 78, 79) order by id")
    assert cursor.fetchall() == [(0, 5), (1, 5), (2, 5)]
    assert one(cursor, "select count(*) from pg_index where indrelid = 't'::regclass and indisvalid") == 3
    sound(cursor)


def old_snapshot(server):
    """A snapshot of before the build does not see rows through it."""
    cursor, reader = connect(server).cursor(), connect(server)
    fill(cursor)
    r = reader.cursor()
    r.execute("begin isolation level repeatable read; select count(*) from pg_class")
    count = one(r, "select count(*) from t where a = 4")
    build, result = in_background(server, "create index concurrently t_a on t (a)")
    wait_for(cursor, "select count(*) = 1 from pg_stat_progress_create_index where phase = 'waiting for old snapshots'",
             "it waits for the old snapshot")
    cursor.execute("delete from t where a = 4 and id > 100")
    assert one(r, "select count(*) from t where a = 4") == count > 0
    r.execute("commit")
    build.join(SECONDS_MAX)
    assert result == [None], result
    sound(cursor)


def old_snapshot_plain(server):
    """Nor through one that was made by plain CREATE INDEX, or made anew."""
    cursor, reader = connect(server).cursor(), connect(server)
    fill(cursor)
    r = reader.cursor()
    for ddl in ("create index t_a on t (a)", "reindex index t_a", "drop index t_a"):
        r.execute("begin isolation level repeatable read; select count(*) from pg_class")
        cursor.execute("update t set a = a + 1 where id = 8")
        cursor.execute(ddl)
        expected = one(cursor, "select count(*) from t where a = 9")
        assert one(r, "select count(*) from t where a = 9") == expected - 1, ddl
        r.execute("update t set a = 9 where id = 20; delete from t where id = 22")
        r.execute("commit")
        assert one(cursor, "select count(*) from t where a = 9") == expected + 1, ddl
        cursor.execute("update t set a = 8 where id in (8, 20); insert into t values (22, 22, 2, '')")
        sound(cursor)


def despite_deadlocks(cursor, sql):
    """Child first, parent first: who comes and goes locks the one way, who deletes the other."""
    while True:
        try:
            return cursor.execute(sql)
        except psycopg2.errors.DeadlockDetected:
            pass


def validated(server):
    """Rows are looked at while others write, and do DDL to other tables."""
    cursor, old = connect(server).cursor(), connect(server, autocommit=False)
    fill(cursor)
    cursor.execute("create table parent (id int primary key); insert into parent select id from t")
    cursor.execute("alter table t add foreign key (id) references parent on delete cascade not valid;"
                   "alter table t add constraint small check (a < 1000) not valid")
    old.cursor().execute("update t set a = 77 where id = 0; delete from parent where id = 2")
    cursor.execute("set lock_timeout = '5s'")
    cursor.execute("alter table t validate constraint small, validate constraint t_id_fkey")
    assert one(cursor, "select bool_and(convalidated) from pg_constraint where conrelid = 't'::regclass")
    cursor.execute("begin; alter table t alter column a set statistics 10; rollback")
    old.commit()

    def remove():
        k = connect(server).cursor()
        for i in range(4, WRITERS * SHARE, 2):
            despite_deadlocks(k, f"delete from parent where id = {i}")
            despite_deadlocks(k, f"insert into parent values ({i}); insert into t values ({i}, {i}, 1, '')")

    remover = threading.Thread(target=remove)
    remover.start()
    while remover.is_alive():
        despite_deadlocks(cursor, "alter table t add constraint again foreign key (id) references parent "
                          "on delete cascade not valid")
        cursor.execute("alter table t validate constraint again")
        despite_deadlocks(cursor, "alter table t drop constraint again")
    remover.join()
    cursor.execute("drop table t; drop table parent")


def readers_go_on(server):
    """While a table is rewritten, or all its rows are looked at, others read it; nobody who reads holds that up."""
    cursor, reader, old = connect(server).cursor(), connect(server), connect(server)
    fill(cursor)
    r, o = reader.cursor(), old.cursor()
    o.execute("begin isolation level repeatable read; select count(*) from pg_class")
    r.execute("begin; declare c cursor for select a from t order by id; fetch 1 from c")
    count = one(r, "select count(*) from t")
    cursor.execute("set lock_timeout = '10s'; begin; alter table t alter column a type bigint using a * 2")
    assert one(cursor, "select a from t where id = 2") == 4
    assert one(r, "select a from t where id = 2") == 2
    r.execute("fetch 1 from c")
    assert r.fetchone()[0] == 2
    for sql in ("update t set pad = '' where id = 2", "select * from t where id = 2 for share", "insert into t values (1)"):
        writer, refused = in_background(server, sql, "set lock_timeout = '50ms'")
        writer.join()
        assert refused[0].pgcode == "55P03", (sql, refused)
    cursor.execute("commit")
    r.execute("fetch 1 from c")
    assert r.fetchone()[0] == 4, "a cursor reads what was there"
    assert one(r, "select a from t where id = 2") == 4
    assert one(r, "select count(*) from t") == count
    r.execute("commit")
    try:
        o.execute("select count(*) from t")
        raise AssertionError("an old snapshot reads a table that was rewritten")
    except psycopg2.Error as e:
        assert e.pgcode == "40001", e
    o.execute("rollback; begin isolation level repeatable read")
    assert one(o, "select count(*) from t") == count
    cursor.execute("alter table t add constraint small check (a < 1000), add unique (u), alter column a set not null")
    o.execute("commit")
    sound(cursor)

    def read(errors, stop):
        k = connect(server).cursor()
        while not stop.is_set():
            try:
                k.execute("select count(*), count(distinct id), sum(id) from t")
                errors.add(k.fetchone())
                assert one(k, "select count(*) from t where u = 10") == 1
            except (psycopg2.Error, AssertionError) as e:
                errors.add(str(e))
                return

    seen, stop = set(), threading.Event()
    readers = [threading.Thread(target=read, args=(seen, stop)) for _ in range(3)]
    for t in readers:
        t.start()
    for n in range(20):
        cursor.execute("alter table t alter column pad type " + ("varchar(100)" if n % 2 else "text"))
        cursor.execute("alter table t alter column u type " + ("int" if n % 2 else "bigint"))
        cursor.execute("reindex table t")
    stop.set()
    for t in readers:
        t.join()
    assert len(seen) == 1, seen


TYPES = [("varchar(10)", "varchar(20)", True), ("varchar(10)", "varchar", True), ("varchar(10)", "text", True),
         ("text", "varchar", True), ("varchar(20)", "varchar(10)", False), ("text", "varchar(20)", False),
         ("numeric(6,2)", "numeric(10,2)", True), ("numeric(6,2)", "numeric", True), ("numeric(6,2)", "numeric(10,3)", False),
         ("numeric", "numeric(10,2)", False), ("timestamp(3)", "timestamp(6)", True), ("timestamp(0)", "timestamp", True),
         ("timestamp", "timestamp(3)", False), ("timestamptz(2)", "timestamptz(4)", True), ("time(2)", "time", True),
         ("int", "bigint", False), ("char(5)", "char(9)", False)]


def types(server):
    """Which changes of a type leave the rows as they are: then an old snapshot goes on reading them."""
    cursor, old = connect(server).cursor(), connect(server)
    o = old.cursor()
    for before, after, instant in TYPES:
        cursor.execute(f"drop table if exists w; create table w (id int primary key, v {before}); create index on w (v)")
        cursor.execute("insert into w values (1, %s), (2, null)", ("2024-01-01 10:11:12.5" if "time" in before else "12",))
        o.execute("begin isolation level repeatable read; select count(*) from pg_class")
        cursor.execute(f"alter table w alter column v type {after}")
        try:
            o.execute("select count(*) from w")
            left = True
        except psycopg2.Error as e:
            assert e.pgcode == "40001", e
            left = False
        o.execute("rollback")
        assert left == instant, (before, after)
        assert one(cursor, "select count(*) from w where v = (select v from w where id = 1)") == 1
    sound(cursor)


def canceled(server):
    cursor, old = connect(server).cursor(), connect(server, autocommit=False)
    fill(cursor)
    old.cursor().execute("update t set a = 77 where id = 0")
    build, result = in_background(server, "create index concurrently t_a on t (a)")
    wait_for(cursor, "select count(*) = 1 from pg_stat_progress_create_index", "it has begun")
    cursor.execute("select pg_cancel_backend(pid) from pg_stat_progress_create_index")
    build.join(SECONDS_MAX)
    assert result[0].pgcode == "57014", result
    assert one(cursor, "select indisvalid from pg_index where indexrelid = 't_a'::regclass") is False
    old.commit()
    cursor.execute("update t set a = 5 where id = 0; delete from t where id = 2; insert into t values (3, 3, 3, '')")
    sound(cursor)
    cursor.execute("reindex index concurrently t_a")
    assert one(cursor, "select indisvalid from pg_index where indexrelid = 't_a'::regclass") is True
    assert one(cursor, "select count(*) from pg_stat_progress_create_index") == 0
    sound(cursor)


def killed(binary, seed):
    """In the middle: the index is not valid, nothing is damaged, and DROP and REINDEX take it from there."""
    r = random.Random(seed)
    data = tempfile.mkdtemp(prefix="helios-test-")
    left = 0
    try:
        for n in range(4):
            server = Server(binary, data=data, settings=["load_bytes=256kB"])
            server.start()
            cursor = connect(server).cursor()
            if n == 0:
                cursor.execute("create table big (id int primary key, a int, b text)")
                cursor.execute("insert into big select g, g % 1000, 'b' || g from generate_series(1, 60000) g")
            sound(cursor)
            cursor.execute("select indexrelid::regclass::text from pg_index where not indisvalid")
            for (name,) in cursor.fetchall():
                left += 1
                cursor.execute("reindex index concurrently " + name if n % 2 else "drop index concurrently " + name)
            sound(cursor)
            cursor.execute("drop index if exists big_a")
            build, _ = in_background(server, "create unique index concurrently big_a on big (b, a)")
            writer, _ = in_background(server, "do $$ begin for i in 1..100000 loop "
                                      "update big set a = a + 1 where id = i % 60000 + 1; end loop; end $$")
            time.sleep(r.random() * .4)
            server.process.kill()
            server.process.wait()
            build.join()
            writer.join()
        with Server(binary, data=data, settings=["load_bytes=64kB"]) as server:
            cursor = connect(server).cursor()
            sound(cursor)
            cursor.execute("drop index if exists big_a; update big set a = id")
            cursor.execute("create unique index concurrently big_a on big (b, a)")
            cursor.execute("create unique index concurrently big_b on big (a) include (b)")
            sound(cursor)
            cursor.execute("update big set a = -7 where id = 59999")
            cursor.execute("reindex table concurrently big")
            assert one(cursor, "select count(*) from pg_index where not indisvalid") == 0
            sound(cursor)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    print(f"{left} indexes were left by kill -9")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("heliosd")
    p.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    p.add_argument("--seconds", type=float, default=4)
    o = p.parse_args()
    print("seed", o.seed)
    # Small buffers: sorted runs are many, and must be merged.
    with Server(o.heliosd, settings=["load_bytes=64kB"]) as server:
        who_waits(server)
        old_snapshot(server)
        old_snapshot_plain(server)
        validated(server)
        readers_go_on(server)
        types(server)
        canceled(server)
        under_writers(server, o.seed, o.seconds)
    killed(o.heliosd, o.seed)


if __name__ == "__main__":
    main()
