#!/usr/bin/env python3
"""psycopg2 (libpq) against the server: types, transactions, errors, cursors, COPY, cancel.

    test_psycopg2.py HELIOSD [NAME ...]
    HELIOS_TEST_DSN="host=... dbname=..." test_psycopg2.py     the same against another server,
                                                               to prove the test itself right
The server's schema public is emptied first.
"""
import datetime as dt
import io
import os
import sys
import threading
import time
import traceback
import uuid
from decimal import Decimal

import psycopg2
import psycopg2.extensions as ext
import psycopg2.extras

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.dont_write_bytecode = True
from server import Server, ServerError  # noqa: E402

DSN = None
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def connect(autocommit=False, **more):
    conn = psycopg2.connect(DSN, connect_timeout=10, **more)
    conn.autocommit = autocommit
    return conn


def one(cur, sql, args=None):
    cur.execute(sql, args)
    rows = cur.fetchall()
    assert len(rows) == 1, rows
    return rows[0] if len(rows[0]) > 1 else rows[0][0]


def fails(cur, sql, args=None):
    """The error that a statement must raise."""
    try:
        cur.execute(sql, args)
    except psycopg2.Error as e:
        return e
    raise AssertionError("no error from " + sql)


@test
def connecting(conn, cur):
    assert conn.server_version // 10000 == 15, conn.server_version
    assert conn.encoding == conn.get_parameter_status("server_encoding") == "UTF8"
    assert conn.get_parameter_status("standard_conforming_strings") == "on"
    assert conn.get_parameter_status("integer_datetimes") == "on"
    assert conn.protocol_version == 3
    assert conn.get_backend_pid() == one(cur, "select pg_backend_pid()")
    named = connect(application_name="driver test")
    assert one(named.cursor(), "show application_name") == "driver test"
    named.close()
    assert named.closed
    set_up = connect(options="-c timezone=Asia/Tokyo -c search_path=pg_catalog")
    assert one(set_up.cursor(), "select current_setting('TimeZone'), current_setting('search_path')"
               ) == ("Asia/Tokyo", "pg_catalog")
    set_up.close()
    try:
        psycopg2.connect(DSN, dbname="no_such_database", connect_timeout=10)
    except psycopg2.OperationalError as e:
        assert 'database "no_such_database" does not exist' in str(e), e
    else:
        raise AssertionError("connected to a database that does not exist")


VALUES = [
    ("bool", True), ("bool", False), ("int2", -32768), ("int4", 2147483647),
    ("int8", -9223372036854775808), ("float4", 1.5), ("float8", 0.1), ("float8", 1e308),
    ("float8", float("inf")), ("numeric", Decimal("123456789012345678901234567890.123456789")),
    ("numeric(6,2)", Decimal("1.50")), ("text", ""), ("text", "it's \\ \"q\"\n\t"),
    ("text", "äöü 日本 😀"), ("text", "x" * 100000),
    ("varchar(5)", "abcde"), ("char(5)", "ab   "),
    ("date", dt.date(2024, 2, 29)), ("date", dt.date(1, 1, 1)),
    ("time", dt.time(23, 59, 59, 999999)),
    ("timestamp", dt.datetime(2024, 1, 2, 3, 4, 5, 6)),
    ("timestamptz", dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc)),
    ("interval", dt.timedelta(days=3, hours=4, microseconds=5)), ("interval", dt.timedelta(-1)),
    ("uuid", uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
]


@test
def types(conn, cur):
    psycopg2.extras.register_uuid(conn_or_curs=conn)
    for name, value in VALUES:
        got = one(cur, "select cast(%%s as %s)" % name, (value,))
        assert got == value and type(got) is type(value), (name, value, got)
        assert one(cur, "select cast(%%s as %s)" % name, (None,)) is None
        cur.execute("drop table if exists ty")
        cur.execute("create table ty (v %s)" % name)
        cur.execute("insert into ty values (%s), (%s)", (value, None))
        cur.execute("select v from ty where v = cast(%%s as %s)" % name, (value,))
        assert cur.fetchall() == [(value,)], (name, value)
        assert one(cur, "select count(*) from ty where v is null") == 1
    raw = bytes(range(256))
    assert bytes(one(cur, "select %s::bytea", (psycopg2.Binary(raw),))) == raw
    assert bytes(one(cur, "select ''::bytea")) == b""
    nan = one(cur, "select 'NaN'::float8")
    assert nan != nan
    assert one(cur, "select 'NaN'::numeric").is_nan()


@test
def description(conn, cur):
    cur.execute("select 1::int2 as a, 2::int8 as b, 'x'::varchar(7) as c, 1.5::numeric(6,2) as d,"
                " now() as e, null as f, true, '2024-01-01'::date, 'a'::char(3)")
    assert [c.name for c in cur.description] == ["a", "b", "c", "d", "e", "f", "?column?",
                                                 "date", "bpchar"]
    assert [c.type_code for c in cur.description] == [21, 20, 1043, 1700, 1184, 25, 16, 1082, 1042]
    assert cur.description[0].internal_size == 2 and cur.description[1].internal_size == 8
    assert (cur.description[3].precision, cur.description[3].scale) == (6, 2)
    cur.execute("create table ds (id int, name text)")
    assert cur.description is None and cur.statusmessage == "CREATE TABLE"
    cur.execute("insert into ds values (1, 'a'), (2, 'b')")
    assert cur.rowcount == 2 and cur.statusmessage == "INSERT 0 2"
    cur.execute("update ds set name = 'c' where id > 1")
    assert cur.rowcount == 1 and cur.statusmessage == "UPDATE 1"
    cur.execute("select * from ds order by id")
    assert cur.rowcount == 2 and cur.statusmessage == "SELECT 2"
    cur.execute("delete from ds")
    assert cur.rowcount == 2 and cur.statusmessage == "DELETE 2"
    cur.execute("select 1; select 2, 'last'")
    assert cur.fetchall() == [(2, "last")]
    d = conn.cursor(cursor_factory=psycopg2.extras.RealDictCursor)
    d.execute("select 1 as x, 'y' as z")
    assert dict(d.fetchone()) == {"x": 1, "z": "y"}


@test
def transactions(conn, cur):
    cur.execute("create table tx (id int primary key, v text)")
    conn.commit()
    assert conn.get_transaction_status() == ext.TRANSACTION_STATUS_IDLE
    cur.execute("insert into tx values (1, 'a')")
    assert conn.get_transaction_status() == ext.TRANSACTION_STATUS_INTRANS
    other = connect()
    oc = other.cursor()
    assert one(oc, "select count(*) from tx") == 0
    conn.commit()
    assert one(oc, "select count(*) from tx") == 1
    other.rollback()
    cur.execute("insert into tx values (2, 'b')")
    conn.rollback()
    assert one(cur, "select count(*) from tx") == 1
    e = fails(cur, "select 1/0")
    assert e.pgcode == "22012"
    assert conn.get_transaction_status() == ext.TRANSACTION_STATUS_INERROR
    e = fails(cur, "select 1")
    assert e.pgcode == "25P02" and isinstance(e, psycopg2.errors.InFailedSqlTransaction)
    conn.rollback()
    cur.execute("insert into tx values (3, 'c')")
    cur.execute("savepoint s")
    assert fails(cur, "insert into tx values (1, 'dup')").pgcode == "23505"
    cur.execute("rollback to savepoint s")
    cur.execute("insert into tx values (4, 'd')")
    conn.commit()
    assert one(cur, "select count(*) from tx") == 3
    conn.rollback()
    with conn:
        cur.execute("delete from tx where id = 4")
    try:
        with conn:
            cur.execute("delete from tx")
            raise KeyError
    except KeyError:
        pass
    assert one(cur, "select count(*) from tx") == 2
    conn.rollback()
    other.set_session(isolation_level="REPEATABLE READ", readonly=True)
    assert one(oc, "select count(*) from tx") == 2
    cur.execute("insert into tx values (5, 'e')")
    conn.commit()
    assert one(oc, "select count(*) from tx") == 2
    assert one(oc, "show transaction_isolation") == "repeatable read"
    assert fails(oc, "delete from tx").pgcode == "25006"
    other.rollback()
    assert one(oc, "select count(*) from tx") == 3
    other.close()


@test
def conflicts(conn, cur):
    cur.execute("create table cf (id int primary key, v int)")
    cur.execute("insert into cf values (1, 0), (2, 0)")
    conn.commit()
    other = connect()
    other.set_session(isolation_level="REPEATABLE READ")
    oc = other.cursor()
    assert one(oc, "select v from cf where id = 1") == 0
    cur.execute("update cf set v = 1 where id = 1")
    conn.commit()
    e = fails(oc, "update cf set v = 2 where id = 1")
    assert e.pgcode == "40001" and "could not serialize access" in str(e), e
    other.rollback()
    other.set_session(isolation_level="READ COMMITTED")
    cur.execute("update cf set v = v + 10 where id = 1")
    result = []

    def waiter():
        oc.execute("update cf set v = v + 100 where id = 1 returning v")
        result.append(oc.fetchone()[0])
        other.commit()

    thread = threading.Thread(target=waiter)
    thread.start()
    time.sleep(0.3)
    assert not result
    conn.commit()
    thread.join(20)
    assert result == [111], result
    cur.execute("select v from cf where id = 2 for update")
    assert fails(oc, "select v from cf where id = 2 for update nowait").pgcode == "55P03"
    other.rollback()
    oc.execute("select id from cf order by id for update skip locked")
    assert oc.fetchall() == [(1,)]
    other.rollback()
    conn.rollback()
    other.close()


@test
def errors(conn, cur):
    conn.autocommit = True
    cur.execute("create table er (id int primary key, n int not null, name varchar(3) unique,"
                " constraint n_pos check (n > 0))")
    cur.execute("insert into er values (1, 1, 'a')")
    e = fails(cur, "select nosuch from er")
    assert isinstance(e, psycopg2.errors.UndefinedColumn) and e.pgcode == "42703"
    assert e.diag.severity == "ERROR" and e.diag.statement_position == "8"
    assert e.diag.message_primary == 'column "nosuch" does not exist'
    assert "LINE 1: select nosuch from er" in e.pgerror
    e = fails(cur, "insert into er values (1, 1, 'b')")
    assert isinstance(e, psycopg2.errors.UniqueViolation) and isinstance(e, psycopg2.IntegrityError)
    assert e.diag.constraint_name == "er_pkey" and e.diag.table_name == "er"
    assert e.diag.schema_name == "public"
    assert e.diag.message_detail == "Key (id)=(1) already exists."
    assert e.diag.statement_position is None
    e = fails(cur, "insert into er values (2, 1, 'a')")
    assert e.diag.constraint_name == "er_name_key"
    e = fails(cur, "insert into er values (2, null, 'b')")
    assert e.pgcode == "23502" and e.diag.column_name == "n" and e.diag.table_name == "er"
    assert e.diag.message_detail == "Failing row contains (2, null, b)."
    e = fails(cur, "insert into er values (2, 0, 'b')")
    assert e.pgcode == "23514" and e.diag.constraint_name == "n_pos"
    e = fails(cur, "insert into er values (2, 1, 'long')")
    assert e.pgcode == "22001" and isinstance(e, psycopg2.DataError)
    e = fails(cur, "selec 1")
    assert e.pgcode == "42601" and e.diag.statement_position == "1"
    e = fails(cur, "select * from nosuch")
    assert e.pgcode == "42P01" and e.diag.statement_position == "15"
    e = fails(cur, "select nosuch(1)")
    assert e.pgcode == "42883" and e.diag.message_hint.startswith("No function matches")
    e = fails(cur, "select 'äö', nosuch")
    assert e.diag.statement_position == "14", e.diag.statement_position
    e = fails(cur, "select %s::int", ("x",))
    assert e.pgcode == "22P02" and isinstance(e, psycopg2.errors.InvalidTextRepresentation)
    assert fails(cur, "select 2147483647 + 1").pgcode == "22003"
    del conn.notices[:]
    cur.execute("create table if not exists er (a int)")
    assert conn.notices == ['NOTICE:  relation "er" already exists, skipping\n'], conn.notices
    assert one(cur, "select count(*) from er") == 1


@test
def cursors(conn, cur):
    cur.execute("create table cu (id int primary key, v text)")
    cur.execute("insert into cu select g, 'v' || g from generate_series(1, 5000) g")
    named = conn.cursor("big")
    named.itersize = 1000
    named.execute("select id, v from cu order by id")
    assert named.fetchone() == (1, "v1")
    assert named.fetchmany(3) == [(2, "v2"), (3, "v3"), (4, "v4")]
    assert sum(1 for _ in named) == 4996
    assert named.fetchone() is None
    named.close()
    two = [conn.cursor("c%d" % i) for i in (1, 2)]
    for c in two:
        c.execute("select id from cu where id <= %s order by id", (10,))
    for i in range(1, 11):
        assert [c.fetchone()[0] for c in two] == [i, i]
    for c in two:
        c.close()
    conn.commit()
    hold = conn.cursor("held", withhold=True)
    hold.execute("select id from cu order by id limit 5")
    conn.commit()
    assert [r[0] for r in hold.fetchall()] == [1, 2, 3, 4, 5]
    hold.close()
    scroll = conn.cursor("scrolling", scrollable=True)
    scroll.execute("select id from cu order by id limit 100")
    scroll.scroll(50, mode="absolute")
    first = scroll.fetchone()[0]
    scroll.scroll(-10)
    assert scroll.fetchone()[0] < first
    conn.rollback()
    assert fails(cur, "fetch 1 from big").pgcode == "34000"


@test
def copying(conn, cur):
    cur.execute("create table cp (id int primary key, name text, n numeric)")
    rows = "".join("%d\tname %d\t%d.5\n" % (i, i, i) for i in range(1, 2001)) + "3000\t\\N\t\\N\n"
    cur.copy_expert("copy cp from stdin", io.StringIO(rows))
    assert cur.rowcount == 2001, cur.rowcount
    assert one(cur, "select count(*), sum(n), count(name) from cp") == (
        2001, Decimal("2002000.0"), 2000)
    out = io.StringIO()
    cur.copy_expert("copy (select * from cp order by id) to stdout", out)
    assert out.getvalue() == rows
    out = io.StringIO()
    cur.copy_expert("copy (select id, name from cp where id in (1, 3000) order by id)"
                    " to stdout with (format csv, header)", out)
    assert out.getvalue() == "id,name\n1,name 1\n3000,\n", out.getvalue()
    cur.copy_expert("copy cp (id, name) from stdin with (format csv)",
                    io.StringIO('4000,"quo""ted, x"\n4001,\n'))
    cur.execute("select id, name from cp where id >= 4000 order by id")
    assert cur.fetchall() == [(4000, 'quo"ted, x'), (4001, None)]
    cur.copy_from(io.StringIO("5000|x\n"), "cp", sep="|", columns=("id", "name"))
    assert one(cur, "select name from cp where id = 5000") == "x"
    conn.commit()
    for bad, code in (("6000\tx\n", "22P04"), ("x\ty\t1\n", "22P02"), ("1\tdup\t1\n", "23505")):
        try:
            cur.copy_expert("copy cp from stdin", io.StringIO("7000\tok\t1\n" + bad))
            raise AssertionError("no error from " + bad)
        except psycopg2.Error as e:
            assert e.pgcode == code, (e.pgcode, code)
            assert e.diag.context.startswith("COPY cp, line 2"), e.diag.context
        conn.rollback()
    assert one(cur, "select count(*) from cp where id >= 6000") == 0

    class Broken:
        def read(self, size):
            raise ValueError("the client gave up")

    try:
        cur.copy_expert("copy cp from stdin", Broken())
        raise AssertionError("no error")
    except psycopg2.Error as e:
        assert e.pgcode == "57014", e.pgcode
    conn.rollback()
    big = "".join("%d\t%s\t1\n" % (i, "y" * 1000) for i in range(10000, 15000))
    cur.copy_expert("copy cp from stdin", io.StringIO(big))
    assert one(cur, "select count(*), sum(length(name)) from cp where id >= 10000") == (
        5000, 5000000)


@test
def cancelling(conn, cur):
    conn.autocommit = True
    for sql in ("select pg_sleep(30)",
                "select count(*) from generate_series(1, 100000000) a, generate_series(1, 1000) b"):
        timer = threading.Timer(0.3, conn.cancel)
        timer.start()
        began = time.monotonic()
        e = fails(cur, sql)
        timer.join()
        assert e.pgcode == "57014" and isinstance(e, ext.QueryCanceledError), e
        assert "canceling statement due to user request" in str(e)
        assert time.monotonic() - began < 15
        assert one(cur, "select 'alive'") == "alive"
    cur.execute("set statement_timeout = '200ms'")
    e = fails(cur, "select pg_sleep(30)")
    assert e.pgcode == "57014" and "statement timeout" in str(e)
    cur.execute("reset statement_timeout")


@test
def prepared(conn, cur):
    cur.execute("create table pr (id int primary key, v text)")
    cur.execute("prepare ins (int, text) as insert into pr values ($1, $2) returning id")
    for i in range(5):
        assert one(cur, "execute ins (%s, %s)", (i, "v%d" % i)) == i
    cur.execute("prepare sel as select v from pr where id = $1")
    assert one(cur, "execute sel (3)") == "v3"
    assert one(cur, "select count(*) from pg_prepared_statements") == 2
    conn.commit()
    conn.rollback()
    assert one(cur, "execute sel (4)") == "v4"
    cur.execute("deallocate sel")
    assert fails(cur, "execute sel (4)").pgcode == "26000"


@test
def many(conn, cur):
    cur.execute("create table mn (id int primary key, v text)")
    cur.executemany("insert into mn values (%s, %s)", [(i, "v%d" % i) for i in range(200)])
    psycopg2.extras.execute_values(cur, "insert into mn values %s",
                                   [(i, None) for i in range(200, 1200)], page_size=500)
    psycopg2.extras.execute_batch(cur, "update mn set v = %s where id = %s",
                                  [("u%d" % i, i) for i in range(50)], page_size=20)
    assert one(cur, "select count(*), count(v), count(*) filter (where v like 'u%%') from mn",
               ()) == (1200, 200, 50)
    ids = psycopg2.extras.execute_values(cur, "insert into mn values %s returning id",
                                         [(i, "r") for i in range(5000, 5010)], fetch=True)
    assert [r[0] for r in ids] == list(range(5000, 5010))
    cur.execute("select id from mn where id in %s order by id", ((1, 3, 5000),))
    assert cur.fetchall() == [(1,), (3,), (5000,)]
    cur.execute("select id, repeat('x', 500) from mn order by id")
    assert sum(len(r[1]) for r in cur) == 1210 * 500


@test
def connections(conn, cur):
    all_of_them = [connect(autocommit=True) for _ in range(20)]
    cur.execute("create table cn (id int primary key)")
    conn.commit()
    failures = []

    def work(c, base):
        try:
            with c.cursor() as k:
                for i in range(20):
                    k.execute("insert into cn values (%s)", (base * 100 + i,))
        except Exception as e:  # reported by the main thread
            failures.append(e)

    threads = [threading.Thread(target=work, args=(c, i)) for i, c in enumerate(all_of_them)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not failures, failures
    assert one(cur, "select count(*) from cn") == 400
    for c in all_of_them:
        c.close()


def run_one(function):
    setup = connect(autocommit=True)
    with setup.cursor() as cur:
        cur.execute("set client_min_messages = warning")
        cur.execute("drop schema if exists public cascade")
        cur.execute("create schema public")
    setup.close()
    conn = connect()
    try:
        function(conn, conn.cursor())
        print("ok   " + function.__name__, flush=True)
        return True
    except Exception:
        print("FAIL " + function.__name__)
        traceback.print_exc(file=sys.stdout)
        return False
    finally:
        conn.close()


def run_all(names):
    chosen = [t for t in TESTS if not names or t.__name__ in names]
    failed = []
    for function in chosen:
        try:
            good = run_one(function)
        except psycopg2.Error as e:
            print("FAIL %s: %s" % (function.__name__, e))
            good = False
        if not good:
            failed.append(function.__name__)
    print("%d of %d passed%s" % (len(chosen) - len(failed), len(chosen),
                                 ": failed " + " ".join(failed) if failed else ""))
    return 1 if failed else 0


def main(argv):
    global DSN
    DSN = os.environ.get("HELIOS_TEST_DSN")
    if DSN:
        return run_all(argv)
    if not argv:
        print(__doc__)
        return 2
    try:
        with Server(argv[0]) as server:
            DSN = "host=%s port=%d user=postgres dbname=postgres" % (server.host, server.port)
            return run_all(argv[1:])
    except ServerError as e:
        print(e)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
