#!/usr/bin/python3
"""Functions and triggers outlive a crash, are seen by other sessions when their transaction has committed, and
end at a cancel, a timeout and the stack's end.

usage: procedural.py HELIOSD"""
import os
import shutil
import struct
import sys
import tempfile
import threading
import time

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402
from wire import Wire  # noqa: E402

SETUP = """
create table t (id int primary key, n int);
create table log (line text);
create function twice(x int, y int default 2) returns int language sql immutable as 'select x * y';
create function note() returns trigger language plpgsql as
  $$ begin insert into log values (tg_argv[0] || new.id); new.n := twice(new.n); return new; end $$;
create trigger note before insert on t for each row when (new.n > 0) execute function note('row ');
create function count_to(k int) returns int language plpgsql as
  $$ declare s int := 0; begin for i in 1..k loop s := s + i; end loop; return s; end $$;
"""


def connect(server):
    c = psycopg2.connect(host=server.host, port=server.port, user="postgres", dbname="postgres")
    c.autocommit = True
    return c


def one(c, sql):
    with c.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0] if cursor.description else None


def fails(c, sql, state):
    try:
        one(c, sql)
    except psycopg2.Error as e:
        assert e.pgcode == state, (sql, e.pgcode, e)
        return str(e)
    raise AssertionError(sql + ": no error")


def check_works(c):
    one(c, "truncate t, log")
    one(c, "insert into t values (1, 5), (2, -5)")
    assert one(c, "select string_agg(n::text, ',' order by id) from t") == "10,-5"
    assert one(c, "select string_agg(line, ',') from log") == "row 1"
    assert one(c, "select count_to(10)") == 55
    assert one(c, "select twice(4, y => 3)") == 12


def check_restart(binary):
    folder = tempfile.mkdtemp(prefix="helios-procedural-")
    try:
        server = Server(binary, data=folder).start()
        c = connect(server)
        one(c, SETUP)
        check_works(c)
        definition = one(c, "select pg_get_functiondef('note'::regproc)")
        server.kill()
        server = Server(binary, data=folder).start()
        c = connect(server)
        assert one(c, "select pg_get_functiondef('note'::regproc)") == definition
        check_works(c)
        one(c, "checkpoint")
        one(c, "drop trigger note on t")
        server.kill()
        server = Server(binary, data=folder).start()
        c = connect(server)
        one(c, "truncate t, log")
        one(c, "insert into t values (1, 5)")
        assert one(c, "select n from t") == 5 and one(c, "select count(*) from log") == 0
        reason = server.stop()
        assert not reason, reason
    finally:
        shutil.rmtree(folder, ignore_errors=True)


ROWS = """
create type place as (name text, x int);
create table visit (id int primary key, at place, before place[], default_at place default row('home', 0));
create view seen as select id, (at).name from visit;
create table told (line text);
create function tell() returns trigger language plpgsql as
  $$ begin insert into told select tg_op || ' ' || count(*) from becomes; return null; end $$;
create trigger tell after insert on visit referencing new table as becomes for each statement execute function tell();
create function rename() returns trigger language plpgsql as
  $$ begin update visit set at = row(new.name, (at).x) where id = old.id; return new; end $$;
create trigger rename instead of update on seen for each row execute function rename();
create function name_of(v visit) returns text language sql as 'select (v.at).name';
create function first(variadic a anyarray) returns anyelement language sql as 'select a[1]';
create procedure steps(n int) language plpgsql as
  $$ begin for i in 1..n loop insert into told values ('step ' || i); commit; end loop;
     insert into told values ('never'); perform pg_sleep(60); end $$;
"""


def check_rows(c, first):
    """What restarts must not change; `first`: the id of a new row."""
    one(c, "insert into visit (id, at, before) values (%d, row('inn', %d), array[row('mill', 7)::place])" % (first, first))
    assert one(c, "select visit from visit where id = %d" % first) == \
        '(%d,"(inn,%d)","{""(mill,7)""}","(home,0)")' % (first, first)
    assert one(c, "update seen set name = name || '!' where id = %d returning name" % first) == "inn!"
    assert one(c, "select name_of(v) from visit v where id = %d" % first) == "inn!"
    assert one(c, "select (first(variadic before)).x + first(3, 4) from visit where id = %d" % first) == 10
    assert one(c, "select count(*) from visit where at > row('inn', 0)::place") == first
    assert one(c, "select count(*) from told where line = 'INSERT 1'") == first


def check_rows_restart(binary):
    folder = tempfile.mkdtemp(prefix="helios-procedural-")
    try:
        server = Server(binary, data=folder).start()
        c = connect(server)
        with c.cursor() as cursor:
            cursor.execute("create type gone as (a int)")
            assert cursor.statusmessage == "CREATE TYPE", cursor.statusmessage
            cursor.execute("drop type gone")
            assert cursor.statusmessage == "DROP TYPE", cursor.statusmessage
        one(c, ROWS)
        check_rows(c, 1)
        server.kill()
        server = Server(binary, data=folder).start()
        c = connect(server)
        check_rows(c, 2)
        one(c, "create index on visit (at)")
        one(c, "checkpoint")
        caller = threading.Thread(target=lambda: fails_anyhow(connect(server), "call steps(3)"))
        caller.start()
        while one(c, "select count(*) from told where line like 'step%'") < 3:
            time.sleep(0.02)
        server.kill()
        caller.join()
        server = Server(binary, data=folder).start()
        c = connect(server)
        assert one(c, "select string_agg(line, ',' order by line) from told where line !~ 'INSERT'") == \
            "step 1,step 2,step 3"
        check_rows(c, 3)
        assert "2" in one(c, "select string_agg(id::text, ' ') from visit where at = row('inn!', 2)::place")
        reason = server.stop()
        assert not reason, reason
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fails_anyhow(c, sql):
    try:
        one(c, sql)
    except psycopg2.Error:
        return
    raise AssertionError(sql + ": no error")


def check_sessions(server):
    """A new body, a new trigger: what the others run next is that."""
    a, b = connect(server), connect(server)
    one(a, SETUP)
    check_works(b)
    a.autocommit = False
    one(a, "create or replace function twice(x int, y int default 2) returns int language sql immutable as 'select 0'")
    assert one(a, "select twice(4)") == 0
    assert one(b, "select twice(4)") == 8
    a.rollback()
    assert one(a, "select twice(4)") == 8
    one(a, "create or replace function twice(x int, y int default 2) returns int language sql immutable as 'select x + 1'")
    one(a, "drop trigger note on t")
    a.commit()
    a.autocommit = True
    assert one(b, "select twice(4)") == 5
    one(b, "truncate t, log")
    one(b, "insert into t values (1, 5)")
    assert one(b, "select count(*) from log") == 0
    fails(b, "drop function nosuch()", "42883")


def check_bounds(server):
    c = connect(server)
    one(c, "create function down(k int) returns int language plpgsql as "
           "$$ begin if k = 0 then return 0; end if; return 1 + down(k - 1); end $$")
    assert one(c, "select down(300)") == 300
    fails(c, "select down(1000000)", "54001")
    assert one(c, "select down(300)") == 300
    one(c, "set statement_timeout = 200")
    for body in ("loop null; end loop", "loop begin perform 1 / 0; exception when division_by_zero then null; end; end loop",
                 "for i in 1..2000000000 loop i := i; end loop", "perform pg_sleep(60)",
                 "for r in select * from generate_series(1, 2000000000) loop null; end loop"):
        fails(c, "do $$ declare r record; begin %s; end $$" % body, "57014")
    one(c, "set statement_timeout = 0")
    timer = threading.Timer(0.3, c.cancel)
    timer.start()
    began = time.monotonic()
    fails(c, "do $$ begin loop null; end loop; end $$", "57014")
    assert time.monotonic() - began < 30
    timer.join()
    assert one(c, "select down(3)") == 3


def check_snapshots(server):
    """Each statement of a function sees what has committed; an index made in one has those rows, too."""
    a, b = connect(server), connect(server)
    one(a, "create table v (a int primary key, b int)")
    wait = ("n := 0; loop exit when exists (select 1 from v where b = %d) or n > 600;"
            " perform pg_sleep(0.02); n := n + 1; end loop;")
    one(a, "create function look() returns bigint language plpgsql as $$ declare n int; begin %s"
           " return (select count(*) from v); end $$" % (wait % 1))
    one(a, "create function build() returns int language plpgsql as $$ declare n int; begin %s"
           " create index vb on v (b); return 1; end $$" % (wait % 77))

    def later(sql):
        time.sleep(0.2)
        one(b, sql)

    for call, change, want in (("select look() || ' ' || (select count(*) from v)", "insert into v values (1, 1)", "1 0"),
                               ("select build()", "insert into v values (2, 77)", 1)):
        helper = threading.Thread(target=later, args=(change,))
        helper.start()
        got = one(a, call)
        helper.join()
        assert got == want, (call, got)
    assert one(b, "select count(*) from helios_verify() where problem is not null") == 0
    one(b, "set enable_seqscan = off")
    assert one(b, "select a from v where b = 77") == 2


def check_errors_undo(server):
    """What a handler guards is undone whole; what stands before it stays."""
    c = connect(server)
    one(c, "create table u (id int primary key)")
    one(c, "create function try(k int) returns int language plpgsql as $$ declare done int := 0; begin"
           " for i in 1..k loop begin insert into u values (i); insert into u values (i % 7); done := done + 1;"
           " exception when unique_violation then null; end; end loop; return done; end $$")
    done = one(c, "select try(50)")
    assert one(c, "select count(*) from u") == 2 * done
    c.autocommit = False
    one(c, "delete from u")
    assert one(c, "select try(5)") == 0
    one(c, "savepoint s")
    fails(c, "do $$ begin insert into u values (1000); raise exception 'no'; end $$", "P0001")
    one(c, "rollback to s")
    c.commit()
    assert one(c, "select count(*) from u") == 0
    c.rollback()


def check_extended(server):
    """CALL by the extended protocol: parameters without types, and a row of what comes back."""
    c = connect(server)
    one(c, "create procedure add(a int, inout b int, out c text) language plpgsql as"
           " $$ begin b := a + b; c := 'sum ' || b; end $$")
    w = Wire(server)
    m = w.message
    values = b"".join(struct.pack("!i", len(v)) + v for v in (b"2", b"40", b"ignored"))
    w.socket.sendall(m(b"P", b"\0call add($1, $2, $3)\0\0\0") + m(b"D", b"S\0") +
                     m(b"B", b"\0\0\0\0" + struct.pack("!h", 3) + values + b"\0\0") +
                     m(b"E", b"\0\0\0\0\0") + m(b"S", b""))
    got = list(w.until(b"Z"))
    kinds = b"".join(kind for kind, _ in got)
    assert kinds == b"1tT2DCZ", (kinds, got)
    row = dict(got)[b"D"]
    assert row == struct.pack("!hi", 2, 2) + b"42" + struct.pack("!i", 6) + b"sum 42", row
    assert dict(got)[b"t"] == struct.pack("!hiii", 3, 23, 23, 25), dict(got)[b"t"]
    w.close()


def main():
    check_restart(sys.argv[1])
    check_rows_restart(sys.argv[1])
    for check in (check_sessions, check_bounds, check_snapshots, check_errors_undo,
                  check_extended):
        with Server(sys.argv[1]) as server:
            check(server)
    print("ok")


if __name__ == "__main__":
    main()
