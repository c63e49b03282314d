#!/usr/bin/python3
"""AS OF and VERSIONS: tables and schemas of the past against what they held then, over checkpoints, VACUUM FULL, DDL
and restarts; and what is refused.

usage: past.py HELIOSD"""
import os
import random
import sys
import tempfile
import time

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402

STEPS = 150


def rows(cursor, sql, args=None):
    cursor.execute(sql, args)
    return cursor.fetchall()


def moment(cursor):
    """What is read as of a moment is what was committed at or before it."""
    at = rows(cursor, "select clock_timestamp()")[0][0]
    time.sleep(0.002)
    return at


def fails(cursor, state, words, sql, args=None):
    try:
        cursor.execute(sql, args)
    except psycopg2.Error as e:
        assert e.pgcode == state and words in str(e), (sql, e.pgcode, str(e))
        return
    raise AssertionError("no error: " + sql)


class World:
    """A table that changes, and what it held when."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.past = []  # (moment, columns, rows)
        self.made = 0

    def step(self, c):
        r = self.random
        kind = r.randrange(24)
        try:
            if kind < 8:
                c.execute("insert into t (id) select g from generate_series(%s::int, %s) g "
                          "on conflict (id) do nothing", (r.randrange(300), r.randrange(300)))
            elif kind < 14:
                c.execute("update t set a = a + 1, b = %s where id %% %s = 0", (str(r.random()), r.randrange(1, 9)))
            elif kind < 17:
                c.execute("delete from t where id between %s and %s", (r.randrange(300), r.randrange(300)))
            elif kind == 17:
                self.made += 1
                c.execute(f"alter table t add column c{self.made} int default {self.made}")
            elif kind == 18 and self.made:
                c.execute(f"alter table t drop column if exists c{self.made}")
            elif kind == 19:
                c.execute("truncate t")
            elif kind == 20:
                c.execute("alter table t alter column a type %s using a::%s" % (("bigint",) * 2 if r.random() < .5
                                                                                else ("int",) * 2))
            elif kind == 21:
                c.execute("vacuum full t")
            elif kind == 22:
                c.execute("checkpoint")
            else:
                c.execute("drop table t")
                create(c)
        except psycopg2.Error as e:
            raise AssertionError(f"step {kind}: {e}") from e

    def remember(self, c):
        at = moment(c)
        c.execute("select * from t order by id")
        self.past.append((at, [d[0] for d in c.description], c.fetchall()))

    def check(self, c, at, columns, want):
        how = self.random.randrange(4)
        if how == 0:
            c.execute("set helios.as_of = %s", (at.isoformat(),))
            c.execute("select * from t order by id")
        elif how == 1:
            c.execute("select * from t as of timestamp %s order by id", (at,))
        elif how == 2:
            c.execute("select x.* from t for system_time as of %s as x order by id", (at,))
        else:
            c.execute("select x.* from t x as of timestamp %s::timestamptz where id >= 0 order by id", (at,))
        got = [d[0] for d in c.description], c.fetchall()
        if how == 0:
            c.execute("reset helios.as_of")
        assert got == (columns, want), (how, at, got[0], columns, len(got[1]), len(want))
        some = self.random.randrange(300)
        assert rows(c, "select id from t as of timestamp %s where id = %s", (at, some)) == \
            [(r[0],) for r in want if r[0] == some]
        if want and want[0][2] is not None:
            b = want[0][2]
            assert rows(c, "select count(*) from t as of timestamp %s where b = %s", (at, b)) == \
                [(sum(r[2] == b for r in want),)]


def create(c):
    c.execute("create table t (id int primary key, a int default 0, b text); create index on t (b)")


def histories(data, heliosd, seed):
    print("seed", seed, flush=True)
    w = World(seed)
    for life in range(3):
        server = Server(heliosd, ["memtable_bytes=64kB"], data=data).start()
        connection = psycopg2.connect(host="127.0.0.1", port=server.port, user="postgres")
        connection.autocommit = True
        c = connection.cursor()
        if life == 0:
            create(c)
        for p in w.past[::7]:
            w.check(c, *p)
        for _ in range(STEPS // 3):
            w.step(c)
            w.remember(c)
            w.check(c, *w.random.choice(w.past))
        connection.close()
        if life == 1:
            server.kill()
        else:
            assert server.stop() is None


def refused(c):
    c.execute("create table r (id int primary key, v int)")
    c.execute("insert into r values (1, 1)")
    before = moment(c)
    c.execute("update r set v = 2")
    fails(c, "72000", "history is kept from", "select * from r as of timestamp '2020-01-01'")
    fails(c, "72000", "history is kept from", "select * from r as of timestamp '-30 days'")
    fails(c, "22023", "in the future", "select * from r as of timestamp now() + interval '1 hour'")
    fails(c, "22004", "must not be null", "select * from r as of timestamp null::timestamptz")
    fails(c, "42703", "does not exist", "select * from r as of timestamp v")
    fails(c, "0A000", "subquery", "select * from r as of timestamp (select now())")
    fails(c, "42601", "AS OF must follow", "update r as of timestamp now() set v = 1")
    fails(c, "42601", "AS OF must follow", "copy r as of timestamp now() to stdout")
    fails(c, "0A000", "FOR UPDATE", "select * from r as of timestamp %s for update", (before,))
    fails(c, "0A000", "no history", "select * from pg_class as of timestamp %s", (before,))
    fails(c, "0A000", "WITH query", "with x as (select 1) select * from x as of timestamp %s", (before,))
    c.execute("set helios.as_of = %s", (before.isoformat(),))
    fails(c, "25006", "read-only", "insert into r values (2, 2)")
    fails(c, "25006", "read-only", "create table other (a int)")
    fails(c, "25006", "read-only", "truncate r")
    assert rows(c, "select v from r") == [(1,)]
    assert rows(c, "select v from r as of now") == [(2,)]
    c.execute("reset helios.as_of")
    fails(c, "22023", "in the future", "set helios.as_of = '2100-01-01'")
    fails(c, "22007", "invalid input syntax", "set helios.as_of = 'never'")
    # What only looks like it.
    assert rows(c, "select 'r AS OF TIMESTAMP now()', of.v from r as of") == [("r AS OF TIMESTAMP now()", 2)]
    assert rows(c, 'select "as of now".v from r "as of now" /* r AS OF NOW */') == [(2,)]
    try:
        c.execute("select * from r as of timestamp now() where x = 1")
    except psycopg2.Error as e:
        assert e.diag.statement_position == "45", e.diag.statement_position
    # Several moments, the past in a write, relative ones, prepared ones.
    assert rows(c, "select n.v, o.v from r n join r as of timestamp %s o using (id)", (before,)) == [(2, 1)]
    assert rows(c, "select (select v from r as of timestamp %s), v from r", (before,)) == [(1, 2)]
    c.execute("update r set v = o.v from r as of timestamp %s as o where o.id = r.id", (before,))
    assert rows(c, "select v from r") == [(1,)]
    c.execute("prepare p (timestamptz) as select v from r as of timestamp $1")
    now = moment(c)
    c.execute("update r set v = 7")
    for at, want in ((before, 1), (now, 1), (moment(c), 7)):
        assert rows(c, "execute p (%s)", (at,)) == [(want,)]
    c.execute("drop table r")
    assert rows(c, "select v from r as of timestamp %s", (now,)) == [(1,)]


def versions(c):
    """VERSIONS BETWEEN: what became of each row."""
    c.execute("create table w (id int primary key, v int)")
    start = moment(c)
    c.execute("insert into w values (1, 10), (2, 20)")
    middle = moment(c)
    c.execute("update w set v = 11 where id = 1")
    c.execute("delete from w where id = 2")
    c.execute("insert into w values (2, 22), (3, 30)")
    ask = ("select id, v, versions_operation from w versions between timestamp %s and {} "
           "order by id, versions_startscn, versions_operation")
    all_of_it = [(1, 10, "I"), (1, 11, "U"), (2, 20, "I"), (2, 20, "D"), (2, 22, "I"), (3, 30, "I")]
    assert rows(c, ask.format("maxvalue"), (start,)) == all_of_it
    assert rows(c, ask.format("timestamp %s"), (start, middle)) == [(1, 10, "I"), (2, 20, "I")]
    assert rows(c, ask.format("now"), (middle,)) == \
        [(1, 10, None), (1, 11, "U"), (2, 20, None), (2, 20, "D"), (2, 22, "I"), (3, 30, "I")]
    assert rows(c, "select count(*), count(versions_endtime) from w x versions between minvalue and maxvalue "
                   "where x.id = 1") == [(2, 1)]
    n, at = rows(c, "select versions_xid, versions_starttime from w versions between minvalue and maxvalue "
                    "where id = 1 and versions_operation = 'U'")[0]
    assert rows(c, "select v from w as of transaction %s where id = 1", (n,)) == [(11,)]
    assert rows(c, "select v from w as of transaction %s - 2 where id = 1", (n,)) == [(10,)]
    assert rows(c, "select helios_transaction_time(%s)", (n,)) == [(at,)]
    assert rows(c, "select helios_transaction_at(%s) >= %s", (at, n)) == [(True,)]
    assert rows(c, "select v from w as of scn pg_current_scn() where id = 3") == [(30,)]
    assert rows(c, "select id from w versions between scn %s and %s + 0 order by 1", (n, n)) == [(1,), (2,)]
    of_row = "select operation, \"row\" from helios_versions('w', %s)"
    assert rows(c, of_row % "1") == [("I", "(1,10)"), ("U", "(1,11)")]
    assert rows(c, of_row % "'2'") == [("I", "(2,20)"), ("D", "(2,20)"), ("I", "(2,22)")]
    assert rows(c, of_row % "4") == []
    assert rows(c, "select end_scn, end_time from helios_versions('w', 1) limit 1") == [(n, at)]
    assert rows(c, "select id, (select count(*) from helios_versions('w', id)) from w order by 1") == \
        [(1, 2), (2, 3), (3, 1)]
    c.execute("create table pair (a text, b int, v int, primary key (b, a))")
    c.execute("insert into pair values (E'it''s \\\\', 1, 0)")
    assert rows(c, "select operation from helios_versions('pair', 1, E'it''s \\\\')") == [("I",)]
    fails(c, "22023", "has 2 columns, not 1", "select * from helios_versions('pair', 1)")
    fails(c, "55000", "no primary key", "create table nokey (a int); select * from helios_versions('nokey', 1)")
    fails(c, "42809", "is not a table", "select * from helios_versions('pg_class', 1)")
    fails(c, "22P02", "invalid input syntax", "select * from helios_versions('w', 'x')")
    c.execute("truncate w")
    fails(c, "0A000", "truncated or rewritten", ask.format("maxvalue"), (start,))
    fails(c, "22023", "ends before it begins", ask.format("timestamp %s"), (middle, start))
    fails(c, "0A000", "no history", "select * from pg_class versions between minvalue and maxvalue")
    fails(c, "0A000", "TABLESAMPLE", "select * from w versions between minvalue and maxvalue tablesample system (10)")
    assert rows(c, "select relname, retention_ms from helios_history where relname = 'w'") == [("w", 86400000)]
    assert rows(c, "select count(*) from helios_history where relname is null and total_bytes >= 0") == [(1,)]


def collection(c, dsn):
    """helios_gc: who holds old versions back, and how much there is of them."""
    other = psycopg2.connect(dsn)
    other.set_session(isolation_level="REPEATABLE READ")
    o = other.cursor()
    o.execute("select pg_backend_pid()")
    pid = o.fetchone()[0]
    ask = "select kind, scn <= pg_current_scn(), age_ms >= 0 from helios_gc where pid = %s"
    assert rows(c, ask, (pid,)) == [("snapshot", True, True)]
    o.execute("declare k cursor for select * from pair as of timestamp '-1 ms', generate_series(1, 9999)")
    o.execute("fetch 1 from k")
    assert {r[0] for r in rows(c, ask, (pid,))} == {"snapshot", "snapshot of the past"}
    other.rollback()
    assert rows(c, ask, (pid,)) == []
    assert rows(c, "select relname, history_bytes >= 0, since <= now() from helios_gc where kind = 'retention'"
                   " and relname = 'w'") == [("w", True, True)]
    other.close()


def cursors(c):
    """A cursor and a parallel query go on seeing their moment."""
    c.execute("create table k (id int primary key, v int)")
    c.execute("insert into k select g, 0 from generate_series(1, 5000) g")
    at = moment(c)
    c.execute("update k set v = 1")
    c.execute("begin")
    c.execute("declare cur cursor for select v from k as of timestamp %s", (at,))
    assert rows(c, "fetch 10 from cur") == [(0,)] * 10
    c.execute("update k set v = 2")
    assert rows(c, "fetch 5000 from cur") == [(0,)] * 4990
    c.execute("commit")
    c.execute("set debug_parallel_query = on")
    assert rows(c, "select count(*), sum(o.v), sum(n.v) from k as of timestamp %s o join k n using (id)", (at,)) == \
        [(5000, 0, 10000)]
    c.execute("reset debug_parallel_query")


def retention(c):
    """A table may keep less; and a moment within a transaction is what others see, too."""
    c.execute("create table s (id int primary key, v int) with (helios.version_retention = '1s')")
    c.execute("insert into s values (1, 1)")
    at = moment(c)
    c.execute("update s set v = 2")
    assert rows(c, "select v from s as of timestamp %s", (at,)) == [(1,)]
    time.sleep(1.2)
    fails(c, "72000", "history is kept from", "select v from s as of timestamp %s", (at,))
    assert rows(c, "select reloptions from pg_class where relname = 's'") == [(["helios.version_retention=1s"],)]
    c.execute("alter table s set (helios.version_retention = '1h')")
    assert rows(c, "select reloptions from pg_class where relname = 's'") == [(["helios.version_retention=1h"],)]
    c.execute("alter table s reset (helios.version_retention)")
    assert rows(c, "select reloptions from pg_class where relname = 's'") == [(None,)]
    fails(c, "22023", "invalid value", "alter table s set (helios.version_retention = 'long')")
    assert rows(c, "show helios.version_retention") == [("1d",)]


def main(heliosd):
    seed = int(os.environ.get("SEED", "1"))
    with tempfile.TemporaryDirectory(prefix="helios-test-") as data:
        histories(data, heliosd, seed)
    with Server(heliosd) as server:
        connection = psycopg2.connect(host="127.0.0.1", port=server.port, user="postgres")
        connection.autocommit = True
        refused(connection.cursor())
        versions(connection.cursor())
        collection(connection.cursor(), "host=127.0.0.1 port=%d user=postgres" % server.port)
        cursors(connection.cursor())
        retention(connection.cursor())
        connection.close()
    print("ok")


if __name__ == "__main__":
    main(sys.argv[1])
