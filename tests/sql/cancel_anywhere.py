#!/usr/bin/python3
"""Statements that run long are canceled wherever they are: SQLSTATE 57014, and the server goes on.

usage: cancel_anywhere.py HELIOSD [ROWS [SEED [WORD ...]]]

Each statement runs once to its end, then again and again, and is canceled after a random part of that
time: by a cancel request, or by statement_timeout. How long the answers took is printed, and not
judged. With words: only statements that hold one of them."""
import os
import random
import sys
import threading
import time

import psycopg2
import psycopg2.errors as errors

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402

ROWS = 10000
TRIES = 1            # of each way
LONGEST = 0.3        # seconds: a statement need not come to its end
LONGEST_OF_MANY = 10.0

SETUP = """
create table t (id int primary key, g int, h int, s text, one int);
insert into t select i, i %% 1000, (i * 7919::bigint %% %(rows)d)::int, md5(i::text), 1
  from generate_series(1, %(rows)d) i;
analyze t;
checkpoint;
"""

# Where a statement may be when it is canceled: what it does most of its time.
STATEMENTS = {
    "sort": "select count(*) from (select * from t order by h, id offset 1) x",
    "sort of text": "select count(*) from (select * from t order by one, s offset 1) x",
    "sort of sorted": "select count(*) from (select * from t order by id, s offset 1) x",
    "group": "select count(*) from (select h, count(*) from t group by h) x",
    "group by text": "select count(*) from (select s, max(id) from t group by s) x",
    "grouping sets": "select count(*) from (select g, h, one, count(*) from t group by cube (g, h, one)) x",
    "distinct": "select count(*) from (select distinct h, s from t) x",
    "distinct in aggregate": "select count(distinct s), count(distinct h) from t",
    "ordered aggregate": "select percentile_cont(0.5) within group (order by h) from t",
    "list": "select length(string_agg(s, ',' order by h)) from t",
    "hash join": "select count(*) from t a join t b on a.id = b.h",
    "hash join of text": "select count(*) from t a join t b on a.s = b.s",
    "full join": "select count(*) from t a full join t b on a.id = b.h + 100",
    "anti join": "select count(*) from t a where not exists (select 1 from t b where b.h = a.id)",
    "not in": "select count(*) from t where id not in (select h from t)",
    "nested loop": "select count(*) from t a join t b on a.id + b.id < 10",
    "correlated": "select sum((select count(*) from t b where b.h > a.id)) from t a",
    "windows": "select count(*) from (select row_number() over w r, sum(g) over w, lag(s) over w,"
               " ntile(7) over w from t window w as (order by h)) x where r < 0",
    "window frame": "select count(*) from (select sum(h::float8) over (order by id rows between 300"
                    " preceding and current row) z from t) x where z < 0",
    "union": "select count(*) from (select h, s from t union select id, s from t) x",
    "except": "select count(*) from (select h, s from t except select id, s from t) x",
    "intersect all": "select count(*) from (select h, s from t intersect all select id, s from t) x",
    "recursion": "with recursive r (n) as (select 1 union select n + 1 from r where n < 1000000)"
                 " select count(*) from r",
    "recursion in width": "with recursive r (n, s) as (select id, s from t union select n % 100, s from r"
                          " where n > 100) select count(*) from r",
    "with": "with c as materialized (select * from t) select count(*) from c a join c b on a.id = b.h",
    "function": "select count(*) from generate_series(1, 3000000)",
    "regular expression": "select count(*) from t where s ~ '(a|b)*c.*d.*e.*f$'",
    "analyze": "analyze t",
    "index": "create index on t (h, s)",
    "unique index": "create unique index on t (s, h)",
    "create table as": "create table made as select * from t order by s",
    "insert": "insert into t select id + 10000000, g, h, s, one from t",
    "update": "update t set g = g + 1",
    "delete": "delete from t where h > 5",
    "new type": "alter table t alter column g type bigint",
    "check": "alter table t add constraint c check (g >= 0 and s <> 'x')",
}

SETTINGS = (
    ("serial", ["set max_parallel_workers_per_gather = 0"]),
    ("parallel", ["set max_parallel_workers_per_gather = 2", "set debug_parallel_query = on"]),
    ("little memory", ["set max_parallel_workers_per_gather = 0", "set query.memory_limit = '4MB'"]),
)


def run(c, sql):
    """'ok' or an SQLSTATE, and the seconds that it took."""
    begun = time.monotonic()
    try:
        c.execute(sql)
        return "ok", time.monotonic() - begun
    except psycopg2.Error as e:
        return e.pgcode, time.monotonic() - begun


class Canceler:
    """Cancels after a while; `at` is when the request had been taken."""

    def __init__(self, db, after):
        self.db = db
        self.at = None
        self.timer = threading.Timer(after, self.cancel)
        self.timer.start()

    def cancel(self):
        self.at = time.monotonic()
        self.db.cancel()

    def stop(self):
        self.timer.cancel()
        self.timer.join()


def cancel_once(r, db, c, sql, whole, timeout):
    """Seconds until the answer came, or None when the statement was faster."""
    after = r.random() * whole
    if timeout:
        c.execute("set local statement_timeout = %d" % max(1, int(after * 1000)))
        after = max(1, int(after * 1000)) / 1000
        state, took = run(c, sql)
        late = took - after
    else:
        canceler = Canceler(db, after)
        state, took = run(c, sql)
        now = time.monotonic()
        canceler.stop()
        late = now - canceler.at if canceler.at else 0
    assert state in ("ok", "57014", "53200"), "%s ended with %s" % (sql, state)
    return late if state == "57014" else None


def check_statement(r, db, name, sql, settings, late):
    c = db.cursor()
    for setting in settings:
        c.execute(setting)
    many = check_statement.rows > ROWS
    c.execute("set statement_timeout = %d" % ((LONGEST_OF_MANY if many else LONGEST) * 1000))
    state, whole = run(c, sql)
    assert state in ("ok", "57014", "53200"), "%s ended with %s" % (sql, state)
    db.rollback()
    for i in range(2 * TRIES * (3 if many else 1)):
        for setting in settings:
            c.execute(setting)
        try:
            took = cancel_once(r, db, c, sql, whole, i % 2)
        finally:
            drain(db)
        if took is not None:
            late.append((took, name))
    c.execute("select count(*), sum(one) from t")
    rows = c.fetchone()
    assert rows == (check_statement.rows, check_statement.rows), rows
    db.rollback()


def drain(db):
    """A cancel request that came too late may end the next statement, and no later one."""
    for _ in range(20):
        try:
            db.rollback()
            with db.cursor() as c:
                c.execute("select pg_sleep(0.002)")
            db.rollback()
            return
        except errors.QueryCanceled:
            pass
    raise AssertionError("canceled again and again")


SHARED_ROWS = 20000
SHARED_SCAN = 256    # rows between two looks at who else is there
SHARED = """
create table shared (id int primary key, g int);
insert into shared select i, i from generate_series(1, %d) i;
create sequence passed;
""" % SHARED_ROWS


def passed(c):
    c.execute("select case when is_called then last_value else 0 end from passed")
    return c.fetchone()[0]


def check_turns(binary):
    """One thread serves all: who rewrites a table lets the others have their turns, and stops where it is
    canceled. How far it is, a sequence tells that each row calls."""
    with Server(binary, ["front_workers=1"]) as server:
        dsn = dict(host=server.host, port=server.port, user="postgres", dbname="postgres")
        busy, other = psycopg2.connect(**dsn), psycopg2.connect(**dsn)
        busy.autocommit = other.autocommit = True
        c, o = busy.cursor(), other.cursor()
        for sql in SHARED.split(";"):
            if sql.strip():
                c.execute(sql)
        rewrite = "alter table shared alter column g type bigint using" \
                  " nextval('passed') + length(repeat('x', 3000 + g % 7)) - 3000"
        inside, ended = 0, 0
        for cancel in (False, True) * 4:
            c.execute("select setval('passed', 1, false)")
            c.execute("alter table shared alter column g type int using 1")
            state = []
            worker = threading.Thread(target=lambda s=state: s.append(run(c, rewrite)[0]))
            worker.start()
            at = 0
            while worker.is_alive():
                at = passed(o)
                inside += 0 < at < SHARED_ROWS
                if cancel and at > 0:
                    busy.cancel()
                    at = passed(o)
                    break
            worker.join()
            after = passed(o)
            if cancel and state == ["57014"]:
                ended += 1
                assert after - at <= 2 * SHARED_SCAN, "%d rows after the cancel" % (after - at)
            else:
                assert state in (["ok"], ["57014"]), state
            if inside and ended:
                break
        busy.close()
        other.close()
        assert inside, "nobody was served while a table was rewritten"
        assert ended, "no rewrite was canceled"
        print("others had %d turns within rewrites of a table, %d were canceled at once" % (inside, ended))


def main():
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else ROWS
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 30)
    words = sys.argv[4:]
    print("seed %d" % seed, flush=True)
    r = random.Random(seed)
    check_statement.rows = rows
    worst = 0
    with Server(sys.argv[1]) as server:
        db = psycopg2.connect(host=server.host, port=server.port, user="postgres", dbname="postgres")
        db.autocommit = True
        c = db.cursor()
        for sql in (SETUP % {"rows": rows}).split(";"):
            if sql.strip():
                c.execute(sql)
        db.autocommit = False
        for name, settings in SETTINGS:
            late = []
            for what, sql in STATEMENTS.items():
                if not words or any(w in what for w in words):
                    before = len(late)
                    check_statement(r, db, what, sql, settings, late)
                    if words or rows > ROWS:
                        print("  %-22s %s" % (what, " ".join("%.0f" % (1e3 * t) for t, _ in late[before:])),
                              flush=True)
            late.sort()
            print("%-14s %d canceled; ms until the answer: median %.1f, most %.1f (%s)" % (
                name, len(late), 1e3 * late[len(late) // 2][0], 1e3 * late[-1][0], late[-1][1]))
            worst = max(worst, len(late))
        db.close()
    assert worst, "nothing was canceled"
    if not words:
        check_turns(sys.argv[1])


main()
