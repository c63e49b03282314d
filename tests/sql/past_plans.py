#!/usr/bin/python3
"""Plans of statements that look into the past are kept, and are run for other moments than they were made for: every
protocol against what a table held then, over changes of its schema in both directions; what is planned once; and what
each run finds out anew: errors, retention, branches, the session's moment.

usage: past_plans.py HELIOSD"""
import os
import random
import struct
import sys
import tempfile
import time

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402
from wire import Wire  # noqa: E402

RUNS = 20


def connect(server):
    connection = psycopg2.connect(host="127.0.0.1", port=server.port, user="postgres")
    connection.autocommit = True
    return connection.cursor()


def rows(cursor, sql, args=None):
    cursor.execute(sql, args)
    return cursor.fetchall()


def moment(cursor):
    """What is read as of a moment is what was committed at or before it."""
    at = rows(cursor, "select clock_timestamp()")[0][0]
    time.sleep(0.002)
    return at


def fails(cursor, state, words, sql, args=None, position=None):
    try:
        cursor.execute(sql, args)
    except psycopg2.Error as e:
        assert e.pgcode == state and words in str(e), (sql, e.pgcode, str(e))
        assert position is None or e.diag.statement_position == str(position), (sql, e.diag.statement_position)
        return
    raise AssertionError("no error: " + sql)


def planned(cursor, like):
    """How often statements like it were planned, and run."""
    return rows(cursor, "select coalesce(sum(plans), 0)::int, coalesce(sum(calls), 0)::int "
                        "from helios_stat_statements where query like %s", (like,))[0]


class Extended:
    """The extended protocol: statements with names, and portals that are bound before others are run."""

    def __init__(self, server):
        self.wire = Wire(server)

    def sync(self):
        self.wire.send(b"S", b"")
        return self.wire.until(b"Z")

    def bind(self, portal, statement, values):
        body = f"{portal}\0{statement}\0".encode() + struct.pack("!hh", 0, len(values))
        for v in values:
            data = str(v).encode()
            body += struct.pack("!i", len(data)) + data
        self.wire.send(b"B", body + struct.pack("!h", 0))

    def parse(self, name, sql):
        self.wire.send(b"P", f"{name}\0{sql}\0".encode() + struct.pack("!h", 0))
        return self.result(self.sync())

    def execute(self, portal, most=0):
        self.wire.send(b"E", portal.encode() + b"\0" + struct.pack("!i", most))

    @staticmethod
    def result(messages):
        """Rows of texts, or the code of an error."""
        found = []
        for kind, body in messages:
            if kind == b"E":
                return Wire.fields(body)["C"]
            if kind != b"D":
                continue
            at, row = 2, []
            for _ in range(struct.unpack("!h", body[:2])[0]):
                n = struct.unpack("!i", body[at:at + 4])[0]
                at += 4
                row.append(None if n < 0 else body[at:at + n].decode())
                at += max(n, 0)
            found.append(tuple(row))
        return found

    def run(self, statement, *values):
        self.bind("", statement, values)
        self.execute("")
        return self.result(self.sync())


# --- against what was ------------------------------------------------------------------------------


class World:
    """A table whose rows and columns change, and what it held when."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.past = []  # (moment, columns, {id: row})
        self.prepared = None  # the columns that a statement was prepared with
        self.made = 0

    def step(self, c):
        r = self.random
        kind = r.randrange(12)
        if kind < 6:
            c.execute("update t set a = a + 1, b = %s where id %% %s = 0", (str(r.random()), r.randrange(1, 4)))
        elif kind == 6:
            c.execute("delete from t where id = %s", (r.randrange(30),))
        elif kind == 7:
            c.execute("insert into t (id) select g from generate_series(1, 30) g on conflict (id) do nothing")
        elif kind == 8:
            self.made += 1
            c.execute(f"alter table t add column c{self.made} int default {self.made}")
        elif kind == 9:
            c.execute(f"alter table t drop column if exists c{r.randrange(self.made + 1)}")
        elif kind == 10:
            c.execute("drop table t")
            create(c)
        else:
            c.execute(r.choice(["vacuum full t", "analyze t", "checkpoint", "truncate t"]))
        at = moment(c)
        c.execute("select * from t order by id")
        self.past.append((at, [d[0] for d in c.description], {r[0]: r for r in c.fetchall()}))


def create(c):
    c.execute("create table t (id int primary key, a int default 0, b text)")
    c.execute("insert into t (id) select g from generate_series(1, 30) g")


FORMS = {  # of a point read; with parameters for the moment and the id
    "literal": "select * from t as of timestamp '{at}' where id = {id}",
    "cast": "select x.* from t as of timestamp '{at}'::timestamptz x where x.id = {id}",
    "standard": "select * from t for system_time as of '{at}' where id = {id}",
    "scan": "select * from t as of timestamp '{at}' as x where id between {id} and {id} + 0",
    "joined": "select o.* from t as of timestamp '{at}' o left join t n on n.id = o.id and n.a >= 0 where o.id = {id}",
}


def simple(w, c, at, columns, held):
    key = w.random.randrange(31)
    name = w.random.choice(list(FORMS))
    c.execute(FORMS[name].format(at=at.isoformat(), id=key))
    got = [d[0] for d in c.description], c.fetchall()
    assert got == (columns, [held[key]] if key in held else []), (name, at, key, got, columns)


def session_moment(w, c, at, columns, held):
    key = w.random.randrange(31)
    c.execute("set helios.as_of = %s", (at.isoformat(),))
    c.execute(f"select * from t where id = {key}")
    got = [d[0] for d in c.description], c.fetchall()
    assert got == (columns, [held[key]] if key in held else []), (at, key, got, columns)
    assert rows(c, "execute mine (%s)", (key,)) == ([held[key][1:3]] if key in held else [])
    c.execute("reset helios.as_of")


def prepared(w, c, x, at, columns, held):
    """Columns of a prepared statement are what they were when it was prepared, or it is refused."""
    key = w.random.randrange(31)
    want = [held[key][1:3]] if key in held else []
    assert rows(c, "execute two_columns (%s, %s)", (at, key)) == want, (at, key)
    assert x.run("two_columns", at.isoformat(), key) == [(str(r[0]), r[1]) for r in want], (at, key)
    try:
        got = rows(c, "execute all_of_it (%s, %s)", (at, key))
        assert got == ([held[key]] if key in held else []) and columns == w.prepared, (at, key, got, columns)
    except psycopg2.Error as e:
        assert e.pgcode == "0A000" and "must not change result type" in str(e) and columns != w.prepared, e


def two_moments(w, c, x):
    """Each moment of a statement has a catalog of its own."""
    (first, _, one), (second, _, other) = w.random.choice(w.past), w.random.choice(w.past)
    want = sorted((k, one[k][2], other[k][2]) for k in one.keys() & other.keys())
    assert rows(c, "execute pair (%s, %s)", (first, second)) == want, (first, second)
    assert x.run("pair", first.isoformat(), second.isoformat()) == [(str(a), b, c) for a, b, c in want]
    assert rows(c, f"select x.id, x.b, y.b from t as of timestamp '{first.isoformat()}' x, "
                   f"t as of timestamp '{second.isoformat()}' y where x.id = y.id and x.id > 0 order by 1") == want


def against_what_was(heliosd, data, seed):
    print("seed", seed, flush=True)
    w = World(seed)
    for life in range(2):
        with Server(heliosd, data=data) as server:
            c, x = connect(server), Extended(server)
            if life == 0:
                create(c)
                for _ in range(40):
                    w.step(c)
            else:
                c.execute("drop table t")
                create(c)
            c.execute("prepare two_columns (timestamptz, int) as select a, b from t as of timestamp $1 where id = $2")
            c.execute("select * from t")
            w.prepared = [d[0] for d in c.description]
            c.execute("prepare all_of_it (timestamptz, int) as select * from t as of timestamp $1 where id = $2")
            c.execute("prepare mine (int) as select a, b from t where id = $1")
            pair = ("select x.id, x.b, y.b from t as of timestamp $1 x join t as of timestamp $2 y using (id) "
                    "order by 1")
            c.execute("prepare pair (timestamptz, timestamptz) as " + pair)
            assert x.parse("two_columns", "select a, b from t as of timestamp $1 where id = $2") == []
            assert x.parse("pair", pair) == []
            for i in range(120):
                if i % 10 == 9:
                    w.step(c)
                past = w.random.choice(w.past)
                for _ in range(w.random.randrange(1, 4)):
                    simple(w, c, *past)
                    prepared(w, c, x, *past)
                session_moment(w, c, *past)
                two_moments(w, c, x)
            x.wire.close()


# --- what is planned once --------------------------------------------------------------------------


def planned_once(server, c):
    c.execute("create table p (id int primary key, v int)")
    c.execute("insert into p select g, 0 from generate_series(1, 100) g")
    c.execute("analyze p")
    moments = []
    for i in range(RUNS):
        moments.append(moment(c))
        c.execute("update p set v = v + 1")
    c.execute("select helios_stat_statements_reset()")
    x = Extended(server)
    assert x.parse("s", "select v as extended from p as of timestamp $1 where id = $2") == []
    c.execute("prepare s (timestamptz, int) as select v as prepared from p as of timestamp $1 where id = $2")
    c.execute("prepare n (int) as select v as number from p as of transaction helios_transaction_at($2) where id = $1")
    c.execute("prepare i as select v as span from p as of timestamp now() - interval '1 ms' where id = 5")
    for i, at in enumerate(moments):
        text = at.isoformat()
        assert x.run("s", text, i + 1) == [(str(i),)]
        assert rows(c, "execute s (%s, %s)", (at, i + 1)) == [(i,)]
        assert rows(c, "execute n (%s, %s)", (i + 1, at)) == [(i,)]
        assert rows(c, "execute i") == [(RUNS,)]
        assert rows(c, f"select v as literal from p as of timestamp '{text}' where id = {i + 1}") == [(i,)]
        assert rows(c, "select v as driver from p as of timestamp %s where id = %s", (at, i + 1)) == [(i,)]
        assert rows(c, f"select v as standard from p for system_time as of '{text}' where id = {i + 1}") == [(i,)]
        assert rows(c, f"select v as relative from p as of timestamp '-1 ms' where id = {i + 1}") == [(RUNS,)]
        assert rows(c, f"select v as written from p as of timestamp now() - interval '1 ms' where id = {i + 1}") == \
            [(RUNS,)]
        c.execute(f"set helios.as_of = '{text}'")
        assert rows(c, f"select v as session from p where id = {i + 1}") == [(i,)]
        c.execute("reset helios.as_of")
    for name in ("extended", "prepared", "number", "span", "literal", "driver", "standard", "relative", "written",
                 "session"):
        plans, calls = planned(c, f"%v as {name} %")
        assert calls == RUNS and 1 <= plans <= 2, (name, plans, calls)
    # Portals are bound to their moments, however many stand beside each other.
    assert x.parse("all", "select v from p as of timestamp $1") == []
    x.wire.send(*begin())
    for i in (0, 7, 3):
        x.bind(f"portal{i}", "all", [moments[i].isoformat()])
    for i in (3, 0, 7, 3):
        x.execute(f"portal{i}", 2)
    got = Extended.result(x.sync())
    assert got == [("3",)] * 2 + [("0",)] * 2 + [("7",)] * 2 + [("3",)] * 2, got
    x.wire.close()
    # EXPLAIN shows when it is.
    for at in moments[:2]:
        plan = "\n".join(r[0] for r in rows(c, "explain execute s (%s, 1)", (at,)))
        assert f"As Of: {str(at)[:19]}" in plan, plan
        plan = "\n".join(r[0] for r in rows(c, "explain analyze select * from p as of timestamp %s where id = 1",
                                             (at,)))
        assert f"As Of: {str(at)[:19]}" in plan, plan
    c.execute("set debug_parallel_query = on")
    c.execute("prepare many (timestamptz) as select sum(v)::int from p as of timestamp $1")
    for i in (3, 9, 3):
        assert rows(c, "execute many (%s)", (moments[i],)) == [(100 * i,)]
    c.execute("reset debug_parallel_query")


def begin():
    return b"P", b"\0begin\0" + struct.pack("!h", 0)


# --- what each run finds out -----------------------------------------------------------------------


def refused(c):
    """Errors of a run stand where they would if it were the first."""
    c.execute("create table r (id int primary key, v int)")
    c.execute("insert into r values (1, 1)")
    before = moment(c)
    c.execute("update r set v = 2")
    c.execute("prepare e (timestamptz) as select v from r as of timestamp $1 where id = 1")
    for _ in range(2):
        assert rows(c, "execute e (%s)", (before,)) == [(1,)]
        fails(c, "22004", "must not be null", "execute e (null)")
        fails(c, "22023", "in the future", "execute e (now() + interval '1 hour')")
        fails(c, "72000", "history is kept from", "execute e ('2020-01-01')")
        fails(c, "72000", "history is kept from", "execute e ('1900-01-01')")
        text = "select v from r as of timestamp '%s' where id = 1"
        assert rows(c, text % before.isoformat()) == [(1,)]
        fails(c, "22023", "in the future", text % "2200-01-01")
        fails(c, "72000", "history is kept from", text % "2020-01-01")
        fails(c, "72000", "history is kept from", text % "1900-01-01")
        fails(c, "72000", "history is kept from", text % "-30 days")
        fails(c, "22007", "invalid input syntax", text % "never", position=None)
        fails(c, "22023", "is no transaction", "select v from r as of transaction 0 where id = 1")
        assert rows(c, text % "-0 ms") == [(2,)]
    many = " union all ".join(f"select v from r as of transaction $1 - {2 * i} where id = 1" for i in range(257))
    c.execute("prepare m (bigint) as " + many)
    fails(c, "54001", "256 moments at most", "execute m (pg_current_scn())")
    few = " union all ".join(f"select v from r as of transaction $1 - 0 where id = {i}" for i in range(3))
    c.execute("prepare f (bigint) as " + few)
    assert rows(c, "execute f (pg_current_scn())") == [(2,)] == rows(c, "execute f (pg_current_scn())")
    # A moment that is another each time it is asked for.
    c.execute("prepare v as select v from r as of timestamp clock_timestamp() - random() * interval '1 us' "
              "where id = 1")
    for i in range(5):
        c.execute(f"alter table r add column x{i} int")
        assert rows(c, "execute v") == [(2,)] == rows(c, "execute v")


def moving(c):
    """Another table comes to lie before a moment that moves on."""
    c.execute("create table a (id int primary key, v int)")
    c.execute("insert into a values (1, 10)")
    time.sleep(0.5)
    c.execute("prepare a as select v from a as of timestamp now() - interval '400 ms' where id = 1")
    seen = set(rows(c, "execute a"))
    whole = set(rows(c, "select * from a as of timestamp '-400 ms' where id = 1"))
    c.execute("begin; drop table a; create table a (id int primary key, w int, v int); "
              "insert into a values (1, 7, 20); commit")
    end = time.monotonic() + 10
    while time.monotonic() < end and (len(seen) < 2 or len(whole) < 2):
        seen.add(rows(c, "execute a")[0])
        whole.add(rows(c, "select * from a as of timestamp '-400 ms' where id = 1")[0])
        time.sleep(0.02)
    assert seen == {(10,), (20,)} and whole == {(1, 10), (1, 7, 20)}, (seen, whole)


def dropped(c):
    """A table of the same name and columns is another one."""
    c.execute("create table d (id int primary key, v int)")
    c.execute("insert into d values (1, 1)")
    first = moment(c)
    c.execute("prepare d (timestamptz) as select v from d as of timestamp $1 where id = 1")
    assert rows(c, "execute d (%s)", (first,)) == [(1,)]
    c.execute("drop table d")
    none = moment(c)
    for _ in range(2):
        assert rows(c, "execute d (%s)", (first,)) == [(1,)]
        fails(c, "42P01", "does not exist", "execute d (%s)", (none,))
        fails(c, "42P01", "does not exist", f"select v from d as of timestamp '{none.isoformat()}' where id = 1")
        assert rows(c, f"select v from d as of timestamp '{first.isoformat()}' where id = 1") == [(1,)]
    c.execute("create table d (id int primary key, v int)")
    c.execute("insert into d values (1, 2)")
    second = moment(c)
    c.execute("truncate d")
    third = moment(c)
    for _ in range(2):
        for at, want in ((first, [(1,)]), (second, [(2,)]), (third, [])):
            assert rows(c, "execute d (%s)", (at,)) == want
            assert rows(c, f"select v from d as of timestamp '{at.isoformat()}' where id = 1") == want
        fails(c, "42P01", "does not exist", "execute d (%s)", (none,))


def retention(c):
    """What has become too old is refused, by plans that have read it, too."""
    c.execute("create table s (id int primary key, v int) with (helios.version_retention = '3s')")
    c.execute("insert into s values (1, 1)")
    at = moment(c)
    c.execute("update s set v = 2")
    c.execute("prepare old (timestamptz) as select v from s as of timestamp $1 where id = 1")
    text = f"select v from s as of timestamp '{at.isoformat()}' where id = 1"
    for _ in range(3):
        assert rows(c, "execute old (%s)", (at,)) == [(1,)] == rows(c, text)
    time.sleep(3.2)
    fails(c, "72000", "history is kept from", "execute old (%s)", (at,))
    fails(c, "72000", "history is kept from", text)


def transactions(c):
    """In a transaction, and after its own DDL."""
    c.execute("create table x (id int primary key, v int)")
    c.execute("insert into x values (1, 1)")
    at = moment(c)
    c.execute("update x set v = 2")
    c.execute("prepare x (timestamptz) as select v from x as of timestamp $1 where id = 1")
    for level in ("read committed", "repeatable read", "serializable"):
        c.execute("begin isolation level " + level)
        for _ in range(3):
            assert rows(c, "execute x (%s)", (at,)) == [(1,)]
            assert rows(c, f"select v from x as of timestamp '{at.isoformat()}' where id = 1") == [(1,)]
            assert rows(c, "select v from x where id = 1") == [(2,)]
        c.execute("update x set v = 3")
        assert rows(c, "execute x (now())") == [(2,)], "own changes are not committed"
        c.execute("alter table x rename column v to u")
        assert rows(c, "execute x (%s)", (at,)) == [(1,)]
        assert rows(c, f"select v from x as of timestamp '{at.isoformat()}' where id = 1") == [(1,)]
        c.execute("rollback")
    c.execute("begin")
    c.execute("declare k cursor for select v from x as of timestamp %s where id > 0", (at,))
    assert rows(c, "fetch all from k") == [(1,)]
    c.execute("commit")


def branches(c):
    """A branch has catalogs and rows of its own for the same moment."""
    c.execute("create table b (id int primary key, v int)")
    c.execute("insert into b values (1, 1)")
    c.execute("create branch side from main")
    c.execute("prepare b (timestamptz) as select v from b as of timestamp $1 where id = 1")
    c.execute("use branch side")
    c.execute("update b set v = 10")
    c.execute("alter table b add column w int")
    c.execute("use branch main")
    c.execute("update b set v = 2")
    at = moment(c)
    c.execute("update b set v = 3")
    text = f"select v from b as of timestamp '{at.isoformat()}' where id = 1"
    for _ in range(3):
        assert rows(c, "execute b (%s)", (at,)) == [(2,)] == rows(c, text)
        c.execute("use branch side")
        assert rows(c, "execute b (%s)", (at,)) == [(10,)] == rows(c, text)
        c.execute("update b set v = v + 0")
        c.execute("use branch main")
    c.execute("drop branch side")


def spans(c):
    """VERSIONS is planned for its span; a literal in it is no other's."""
    c.execute("create table h (id int primary key, v int)")
    c.execute("insert into h values (1, 1)")
    first = rows(c, "select pg_current_scn()")[0][0]
    c.execute("update h set v = 2")
    second = rows(c, "select pg_current_scn()")[0][0]
    c.execute("update h set v = 3")
    for _ in range(2):
        for to, want in ((first, [(1,)]), (second, [(1,), (2,)])):
            assert rows(c, "select w.v from h join h w versions between scn 1 + %s and %s on w.id = 1 and h.id = 1 "
                           "order by 1" % (first - 1, to)) == want


def functions(c):
    """Statements of functions keep their plans, too; a moment may call a function that looks into the past."""
    c.execute("create table u (id int primary key, v int)")
    c.execute("insert into u values (1, 0)")
    moments = []
    c.execute("create function in_sql(timestamptz) returns int language sql as "
              "'select v from u as of timestamp $1 where id = 1'")
    c.execute("create function in_pl(m timestamptz) returns int language plpgsql as $$ declare x int; begin "
              "select v into x from u as of timestamp m where id = 1; return x; end $$")
    c.execute("create function dynamic(m timestamptz) returns int language plpgsql as $$ declare x int; begin "
              "execute 'select v from u as of timestamp $1 where id = 1' into x using m; return x; end $$")
    c.execute("create function with_cursor(m timestamptz) returns int language plpgsql as $$ declare x int; "
              "k cursor (a timestamptz) for select v from u as of timestamp a where id > 0; begin "
              "open k(m); fetch k into x; close k; return x; end $$")
    c.execute("create function looped(m timestamptz[]) returns text language plpgsql as $$ declare x int; "
              "s text = ''; i int; begin for i in 1 .. array_length(m, 1) loop "
              "for x in select v from u as of timestamp (m[i]) loop s = s || x || ' '; end loop; end loop; "
              "return s; end $$")
    c.execute("create function span(a bigint) returns bigint language plpgsql as $$ begin return "
              "(select count(*) from u versions between scn a and maxvalue where versions_operation = 'U'); end $$")
    c.execute("create function then_of(m timestamptz) returns timestamptz language plpgsql as $$ declare x int; begin "
              "select v into x from u as of timestamp m where id = 1; return case when x is null then null else m end; "
              "end $$")
    c.execute("prepare nested (timestamptz, timestamptz) as select x.v, y.v from u as of timestamp then_of($1) x, "
              "u as of timestamp then_of($2) y where x.id = y.id and x.id = 1")
    first = rows(c, "select pg_current_scn()")[0][0]
    for i in range(6):
        moments.append(moment(c))
        c.execute("update u set v = v + 1")
        if i % 2:
            c.execute(f"alter table u add column w{i} int")
    for _ in range(2):
        for i, at in list(enumerate(moments)) + [(2, moments[2])]:
            for name in ("in_sql", "in_pl", "dynamic", "with_cursor"):
                assert rows(c, f"select {name}(%s)", (at,)) == [(i,)], (name, i)
            assert rows(c, "execute nested (%s, %s)", (at, moments[-1])) == [(i, 5)], i
        assert rows(c, "select looped(%s::timestamptz[])", (moments[::-1] * 20,)) == [("5 4 3 2 1 0 " * 20,)]
        assert rows(c, "select v, in_pl(m) from unnest(%s::timestamptz[]) m, u order by m", (moments,)) == \
            [(6, i) for i in range(6)]
        assert rows(c, "select span(%s), span(pg_current_scn())", (first,)) == [(6, 0)]
        fails(c, "22004", "must not be null", "select in_pl(null)")
        fails(c, "22023", "in the future", "select in_sql(now() + interval '1 hour')")


def main(heliosd):
    seed = int(os.environ.get("SEED", "1"))
    with tempfile.TemporaryDirectory(prefix="helios-test-") as data:
        against_what_was(heliosd, data, seed)
    with Server(heliosd) as server:
        c = connect(server)
        planned_once(server, c)
        refused(c)
        moving(c)
        dropped(c)
        retention(c)
        transactions(c)
        branches(c)
        spans(c)
        functions(c)
    print("ok")


if __name__ == "__main__":
    main(sys.argv[1])
