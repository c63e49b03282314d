#!/usr/bin/python3
"""Parallel queries: what they give must be what serial ones give, whatever else happens.

usage: parallel.py HELIOSD [SEED]     a seed that is printed makes the same queries again"""
import json
import os
import random
import re
import sys
import threading
import time

import psycopg2
import psycopg2.errors as errors

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402

QUERIES = 80
CANCELS = 50
SMALL_QUERIES = 40

SETUP = """
create table big (id int primary key, g int, h int, t text, n numeric(12,2), d date, f bool);
insert into big select i, case when i % 13 <> 0 then i % 101 end, i % 5003,
  case when i % 17 <> 0 then 'text ' || i % 211 end, (i % 1009) * 1.37 - 300,
  date '2020-01-01' + i % 700, i % 3 = 0 from generate_series(1, 20000) i;
create table mid (id int primary key, g int, t text, n numeric);
insert into mid select i, case when i % 7 <> 0 then i % 101 end, 'text ' || i % 307, i * 0.5
  from generate_series(1, 2500) i;
create table dim (g int primary key, name text);
insert into dim select i, 'name ' || i % 10 from generate_series(0, 90) i;
create table nil (id int primary key, g int);
create index on big (g);
create index on big (d, h);
create sequence seq;
checkpoint;
"""

failures = []


def check(what, ok, detail=""):
    if not ok:
        failures.append(what)
        print("FAIL %s %s" % (what, detail))


# --- generated queries ---------------------------------------------------------------------------

COLUMNS = {"big": {"id": "int", "g": "int", "h": "int", "t": "text", "n": "num", "d": "date"},
           "mid": {"id": "int", "g": "int", "t": "text", "n": "num"},
           "dim": {"g": "int", "name": "text"}, "nil": {"id": "int", "g": "int"}}


class Query:
    def __init__(self, r):
        self.r = r
        self.scope = []

    def column(self, kinds=("int", "text", "num", "date")):
        fits = [(a + "." + c, k) for a, t in self.scope for c, k in COLUMNS[t].items()
                if k in kinds]
        return self.r.choice(fits or [("1", "int")])

    def predicate(self):
        r = self.r
        c, kind = self.column()
        if kind == "int":
            return r.choice(["%s < %d" % (c, r.choice([10, 60, 3000, 15000])),
                             "%s %% %d = 1" % (c, r.choice([2, 3, 50])),
                             "%s is null" % c, "%s in (1, 5, 77, 100, 4000)" % c,
                             "%s between 20 and %d" % (c, r.choice([40, 9000])),
                             "%s > (select avg(g) from mid)" % c,
                             "%s in (select g from dim where name like '%%3')" % c,
                             "%s not in (select g from dim where g > %d)" % (c, r.choice([50, 95])),
                             "exists (select from mid m0 where m0.g = %s and m0.id < 90)" % c,
                             "%s = any (select g + 1 from dim)" % c,
                             "%s < (select max(m1.id) from mid m1 where m1.g = %s)" % (c, c)])
        if kind == "text":
            return r.choice(["%s like '%%1_'" % c, "%s > 'text 2'" % c, "length(%s) > 6" % c])
        if kind == "num":
            return r.choice(["%s > 100" % c, "%s * 2 < 77.5" % c])
        return r.choice(["%s < date '2020-06-01'" % c, "extract(month from %s) = 2" % c])

    def source(self):
        r = self.r
        tables = ["big"] + [r.choice(["mid", "dim", "big", "mid", "nil"])
                            for _ in range(r.choice([0, 0, 1, 1, 2]))]
        r.shuffle(tables)
        text = ""
        for i, t in enumerate(tables):
            alias = "a%d" % i
            if not i:
                text = "%s %s" % (t, alias)
                self.scope.append((alias, t))
                continue
            left, _ = self.column(("int",))
            key = r.choice([c for c, k in COLUMNS[t].items() if k == "int"])
            self.scope.append((alias, t))
            join = r.choice(["join", "join", "left join", "right join", "full join"])
            text += " %s %s %s on %s = %s.%s" % (join, t, alias, left, alias, key)
            if "full" not in join and r.random() < 0.2:
                text += " and %s.%s %% 5 <> %d" % (alias, key, r.randrange(5))
        # joins of two large tables on a column with few values would have too many rows
        if r.random() < 0.8:
            text += " where " + self.predicate()
            if r.random() < 0.4:
                text += r.choice([" and ", " or "]) + self.predicate()
        return text

    def aggregate(self):
        r = self.r
        c, kind = self.column()
        number, _ = self.column(("int", "num"))
        return r.choice(["count(*)", "count(%s)" % c, "min(%s)" % c, "max(%s)" % c,
                         "sum(%s)" % number, "avg(%s)" % number, "stddev(%s)" % number,
                         "sum(%s) filter (where %s)" % (number, self.predicate()),
                         "count(distinct %s)" % c, "sum(distinct %s)" % number, "avg(distinct %s)" % number,
                         "count(distinct %s) filter (where %s)" % (c, self.predicate()), "bool_or(%s is null)" % c])

    def text(self):
        r = self.r
        source = self.source()
        shape = r.randrange(5)
        if shape == 0:
            return "select %s, %s from %s" % (self.aggregate(), self.aggregate(), source)
        if shape in (1, 2):
            keys = list(dict.fromkeys(self.column()[0] for _ in range(r.choice([1, 1, 2]))))
            keys = [k for k in keys if "." in k] or ["a0.g"]
            sets = r.choice(["%s", "%s", "%s", "rollup (%s)", "grouping sets ((%s), ())"])
            q = "select %s, %s, %s from %s group by %s" % (
                ", ".join(keys), self.aggregate(), self.aggregate(), source,
                sets % ", ".join(keys))
            if r.random() < 0.3:
                q += " having count(*) > %d" % r.choice([1, 20])
            if sets == "%s" and r.random() < 0.4:
                q += " order by count(%s)%s, %s limit %d" % (r.choice(["*", "distinct " + self.column()[0]]),
                                                             r.choice(["", " desc"]), ", ".join(keys),
                                                             r.choice([1, 7, 60]))
                q += r.choice(["", " offset 3"])
            return q
        columns = ", ".join(self.column()[0] + " as c%d" % i for i in range(3))
        if shape == 3:
            return "select count(*), sum(length(c1::text)) from (select %s %s from %s) x" % (
                r.choice(["", "distinct"]), columns, source)
        return "select %s from %s" % (columns, source)


ROWS_MAX = 60000


def run(cursor, text, workers):
    cursor.execute("set max_parallel_workers_per_gather = %d" % workers)
    try:
        cursor.execute(text)
        rows = cursor.fetchmany(ROWS_MAX)
        return sorted(map(repr, rows))
    except psycopg2.Error as e:
        return (e.pgcode, e.diag.message_primary)


def too_large(cursor, text):
    """Serially first, with an end: keys with few values make joins without one."""
    cursor.execute("set max_parallel_workers_per_gather = 0")
    cursor.execute("set statement_timeout = 1500")
    try:
        cursor.execute("select count(*) from (%s) q" % text)
        return cursor.fetchone()[0] > ROWS_MAX
    except errors.QueryCanceled:
        return True
    except psycopg2.Error:
        return False
    finally:
        cursor.execute("set statement_timeout = 0")


def generated(connect, r, count, what):
    cursor = connect().cursor()
    done = 0
    for _ in range(count):
        text = Query(r).text()
        if too_large(cursor, text):
            continue
        want = run(cursor, text, 0)
        for workers in (1, 2, 3):
            got = run(cursor, text, workers)
            if isinstance(want, tuple) and isinstance(got, tuple) and want[0] != got[0]:
                # two errors of one query: which comes first is open
                got = want
            check("%s, %d workers" % (what, workers), got == want,
                  "%s\n  want %s\n  got  %s" % (text, str(want)[:300], str(got)[:300]))
        done += 1
    check("%s: queries that are small enough" % what, done > count // 3, str(done))
    return done


# --- single cases --------------------------------------------------------------------------------

def plan_of(cursor, text, how=""):
    cursor.execute("explain %s %s" % (how, text))
    return "\n".join(row[0] for row in cursor.fetchall())


def value(cursor, text, args=None):
    cursor.execute(text, args)
    return cursor.fetchone()[0]


def plans(connect):
    c = connect().cursor()
    parallel = ["select count(*) from big", "select g, sum(n) from big group by g",
                "select count(*) from big join mid using (id) where mid.n > 3",
                "select count(*) from big where g > (select avg(g) from mid)",
                "select g, sum(n) from big group by g having sum(n) > (select avg(n) from big)"]
    serial = ["select nextval('seq') from big", "select count(*) from big where random() < 2",
              "select string_agg(t, ',') from big where id < 9 for update",
              "select setseed(0.5), count(*) from big group by 1",
              "update big set g = g where id = 4", "select count(*) from pg_class",
              "select * from big where id = 4", "select count(*) from big where current_setting('port') = t"]
    for q in parallel:
        check("parallel plan", "Gather" in plan_of(c, q), q)
    for q in serial:
        try:
            check("serial plan", "Gather" not in plan_of(c, q), q)
        except psycopg2.Error:
            pass
    c.execute("set debug_parallel_query = off")
    c.execute("set min_parallel_table_scan_size = '64MB'")
    check("small tables stay serial", "Gather" not in plan_of(c, parallel[0]))
    c.execute("reset min_parallel_table_scan_size")
    c.execute("set min_parallel_table_scan_size = 0; set parallel_setup_cost = 0")
    check("settings decide", "Gather" in plan_of(c, parallel[0]))
    c.execute("set parallel_setup_cost = 1e9")
    check("setup cost decides", "Gather" not in plan_of(c, parallel[0]))
    c.execute("set parallel_setup_cost = 0; set max_parallel_workers_per_gather = 0")
    check("no workers, no gather", "Gather" not in plan_of(c, parallel[0]))


def counts(connect):
    c = connect().cursor()
    c.execute("explain (analyze, format json) select g, count(*) from big where id > 500 group by g")
    plan = json.loads(c.fetchone()[0])[0]["Plan"]
    seen = {}

    def walk(n):
        seen[n["Node Type"]] = n
        for child in n.get("Plans", []):
            walk(child)
    walk(plan)
    scan = seen.get("Seq Scan", seen.get("Index Scan"))
    check("workers' rows add up", scan and scan["Actual Rows"] * scan["Actual Loops"] >= 19500 - 2,
          str(scan))
    check("workers are told", seen["Gather"]["Workers Launched"] >= 1, str(seen["Gather"]))


def blocks(node):
    return node.get("Shared Hit Blocks", 0) + node.get("Shared Read Blocks", 0)


def buffers(connect):
    """Blocks that workers read are their nodes', the gather's and the statement's."""
    c = connect().cursor()
    c.execute("create table stored (id int primary key, g int, t text)")  # a bulk load: in blocks
    c.execute("insert into stored select i, i % 100, repeat('x', 60) from generate_series(1, 100000) i")
    for sql in ("select g, count(*) from stored group by g",
                "select count(*) from stored a join stored b on a.id = b.id + 5 where a.g > 5"):
        total = []
        for workers in (0, 2):
            c.execute("set max_parallel_workers_per_gather = %d" % workers)
            c.execute("explain (analyze, buffers, format json) " + sql)
            plan = json.loads(c.fetchone()[0])[0]["Plan"]
            total.append(blocks(plan))
            for n in nodes(plan):
                most = sum(blocks(child) for child in n.get("Plans", []))
                check("a node's blocks hold its children's", blocks(n) >= most,
                      "%s: %d, %d below" % (n["Node Type"], blocks(n), most))
            if workers:
                check("it is parallel", any(n["Node Type"] == "Gather" for n in nodes(plan)))
            scans = [n for n in nodes(plan) if "Scan" in n["Node Type"]]
            check("scans read blocks", all(blocks(n) > 0 for n in scans), sql)
        # Where parts of a scan meet both read a block; and a table is small beside the workers' parts.
        check("as many blocks in parallel", total[0] <= total[1] <= 3 * total[0] + 200, str(total))
    c.execute("drop table stored")


class SlowReader:
    """A client that takes a little of a long result and then nothing, until it is let go."""

    def __init__(self, connect):
        self.connection = connect()
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.bytes = 0
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        try:
            self.connection.cursor().copy_expert(
                "copy (select id, repeat(t, 100) from big where t is not null) to stdout", self)
        except errors.QueryCanceled:
            self.bytes = -1

    def write(self, data):
        self.bytes += len(data)
        self.begun.set()
        self.go_on.wait(60)


def workers_launched(c, sql):
    c.execute("explain (analyze, format json) " + sql)
    return sum(n.get("Workers Launched", 0) for n in nodes(json.loads(c.fetchone()[0])[0]["Plan"]))


def nodes(plan):
    yield plan
    for p in plan.get("Plans", []):
        yield from nodes(p)


def slow_clients(connect):
    """Workers whose rows nobody takes are there for others."""
    c = connect().cursor()
    rows = value(c, "select count(t) from big")
    size = value(c, "select sum(length(id::text) + 2 + 100 * length(t)) from big")
    readers = [SlowReader(connect) for _ in range(4)]
    for reader in readers:
        reader.begun.wait(60)
    time.sleep(0.3)
    for _ in range(5):
        n = workers_launched(c, "select g, sum(n) from big group by g")
        check("slow clients leave workers to others", n >= 1, "%d launched" % n)
    gone = readers.pop()  # canceled while its workers stand
    gone.connection.cancel()
    for reader in readers:
        reader.go_on.set()
    for reader in readers:
        reader.thread.join()
        check("a slow client gets all", reader.bytes == size, "%d of %d bytes" % (reader.bytes, size))
    gone.go_on.set()
    gone.thread.join()
    check("and all are as before", value(c, "select count(t) from big") == rows)


def open_cursor(connect):
    """Nor does a cursor that is left open hold them."""
    a, c = connect(), connect().cursor()
    a.autocommit = False
    cursors = [a.cursor("c%d" % i) for i in range(3)]
    for cursor in cursors:
        cursor.itersize = 10
        cursor.execute("select id, repeat(t, 100) from big order by id + 0 desc")
        check("the first row", cursor.fetchone()[0] == 20000)
    n = workers_launched(c, "select g, sum(n) from big group by g")
    check("open cursors leave workers to others", n >= 1, "%d launched" % n)
    check("the rest", len(cursors[0].fetchall()) == 19999)
    a.rollback()


def own_writes(connect):
    a, b = connect(), connect()
    a.autocommit = False
    x, y = a.cursor(), b.cursor()
    before = value(y, "select count(*) from big")
    x.execute("insert into big (id, g) select i, 5 from generate_series(30001, 30500) i")
    x.execute("delete from big where id <= 100")
    check("own writes are seen", value(x, "select count(*) from big") == before + 400)
    check("others' are not", value(y, "select count(*) from big") == before)
    x.execute("savepoint s")
    x.execute("delete from big where id > 5000")
    x.execute("rollback to s")
    check("what was undone is not", value(x, "select count(*) from big") == before + 400)
    x.execute("declare c cursor for select id from big")
    x.execute("delete from big")
    x.execute("fetch all from c")
    check("a cursor has its snapshot", len(x.fetchall()) == before + 400)
    a.rollback()
    check("rolled back", value(x, "select count(*) from big") == before)
    a.rollback()


def failing(connect):
    c = connect().cursor()
    for text, code in (("select sum(1 / (id - 17000)) from big", "22012"),
                       ("select 1 / (g - 5) from big", "22012"),
                       ("select count(*) from big where g = (select g from mid)", "21000"),
                       ("select b.id from big b join (select 1 / (g - 9) as k from big) x"
                        " on x.k = b.g", "22012")):
        for _ in range(5):
            got = run(c, text, 2)
            check("error of a worker", isinstance(got, tuple) and got[0] == code, str(got)[:200])
    # what serial plans never evaluate must not fail here
    check("unused subquery", value(c, "select count(*) from big where id < 0 and"
                                      " g = (select 1 / (count(*) - 2500) from mid)") == 0)
    check("after errors", value(c, "select count(*) from big") == 20000)


def limits(connect):
    c = connect().cursor()
    for n in (0, 1, 10, 3000):
        c.execute("select id from big where g is not null limit %d" % n)
        check("limit %d" % n, len(set(c.fetchall())) == n)
    c.execute("select id from big order by h, id limit 5")
    check("top rows", [r[0] for r in c.fetchall()] == [5003, 10006, 15009, 1, 5004])
    check("exists", value(c, "select exists (select from big where n > 5)") is True)


def prepared(connect):
    c = connect().cursor()
    c.execute("prepare p (int) as select count(*) from big where h < $1")
    for n in (0, 10, 5003, 77, 5003):
        want = value(c, "select count(*) from big where mod(id, 5003) < %d" % n)
        check("prepared", value(c, "execute p (%d)" % n) == want)
        c.execute("set max_parallel_workers_per_gather = %d" % (n % 3))


def writers(connect):
    """Money moves between rows: any snapshot has the same sum."""
    stop = threading.Event()
    connect().cursor().execute("create table money (id int primary key, v int);"
                               "insert into money select i, 100 from generate_series(1, 5000) i")

    def move(seed):
        r = random.Random(seed)
        conn = connect()
        conn.autocommit = False
        cur = conn.cursor()
        while not stop.is_set():
            a, b, n = r.randint(1, 5000), r.randint(1, 5000), r.randint(1, 50)
            try:
                cur.execute("update money set v = v - %s where id = %s", (n, a))
                cur.execute("update money set v = v + %s where id = %s", (n, b))
                conn.commit()
            except psycopg2.Error:
                conn.rollback()

    threads = [threading.Thread(target=move, args=(i,)) for i in range(2)]
    for t in threads:
        t.start()
    c = connect().cursor()
    for _ in range(40):
        c.execute("select count(*), sum(v), sum(case when v > 100 then v - 100 else 0 end)"
                  " + sum(case when v < 100 then v - 100 else 0 end) from money")
        check("snapshot", c.fetchone() == (5000, 500000, 0))
    stop.set()
    for t in threads:
        t.join()


CANCELED = [
    "select count(*) from big a, big b where a.n + b.n > 1e9",
    "select a.g, sum(a.n * b.n) from big a join big b on a.g = b.g group by a.g",
    "select a.t, count(*) from big a join big b on a.h % 40 = b.h % 40 group by a.t order by 2",
    "select a.id, b.id from big a join big b on a.g = b.g",
    "select count(*) from (select distinct a.id, b.h from big a join big b on a.g = b.g) x",
    "select sum((select count(*) from mid m where m.n > a.n)) from big a",
]


def cancels(connect, r):
    conn = connect()
    c = conn.cursor()
    slowest = 0
    for i in range(CANCELS):
        text = CANCELED[i % len(CANCELED)]
        c.execute("set max_parallel_workers_per_gather = %d" % r.choice([1, 2, 3]))
        after = r.choice([0, 0.001, 0.01, 0.05, 0.15]) * r.random()
        if i % 3 == 0:
            c.execute("set statement_timeout = %d" % max(1, int(after * 1000)))
        timer = threading.Timer(after, conn.cancel)
        if i % 3:
            timer.start()
        begun = time.monotonic()
        try:
            c.execute(text)
            if i % 3 == 0 and text != CANCELED[3]:
                check("a timeout ends it", False, text)
        except errors.QueryCanceled as e:
            want = "user request" if i % 3 else "statement timeout"
            check("cancel's words", want in str(e), str(e))
            slowest = max(slowest, time.monotonic() - begun - after)
        timer.join() if i % 3 else None
        try:
            c.execute("set statement_timeout = 0")
        except errors.QueryCanceled:  # it came late
            c.execute("set statement_timeout = 0")
        try:
            n = value(c, "select count(*) from big")
        except errors.QueryCanceled:
            n = value(c, "select count(*) from big")
        check("after a cancel", n == 20000)
    print("slowest end after a cancel: %.0f ms" % (slowest * 1000))


WIDE = """
create table wide (id int primary key, k int, t text);
insert into wide select i, i % 140000, repeat('w', 90) || i % 120000 from generate_series(1, 160000) i;
checkpoint;
"""

TEMP_LIMIT = "12MB"  # of the 30 that the query needs

SPILLED = [
    "select t, count(*) + sum(id) + min(k) as v from wide group by t, k",
    "select t, count(*) + avg(id) as v from wide group by rollup (t)",
    "select t, max(t || id) as v from wide where id > 5 group by t having count(*) = 1",
    "select 't' || k % 90 as t, count(distinct t) + count(distinct id) + count(*) as v from wide group by k % 90",
    "select t, count(distinct k) + min(id) as v from wide group by t",
    "select count(distinct t)::text as t, sum(distinct k) + count(distinct id) as v from wide",
    "select max(t) as t, k % 500 + count(distinct t) as v from wide group by k % 500"
    " order by count(distinct t) desc, k % 500 limit 9",
    "select a.t, count(*) + sum(b.id) as v from wide a join wide b on a.k = b.k group by a.t",
    "select a.t, b.t as v from wide a left join wide b on a.t = b.t and a.id % 7 < 6",
]


# Builds of joins: keys that come once and often, close together and far apart, text, NULL, none.
BUILT = [
    "select count(*), sum(a.id * 3 + b.id) from wide a join wide b on a.id = b.id",
    "select count(*), sum(a.id * 3 + b.id) from wide a join wide b on a.id = b.k",
    "select count(*), sum(a.id * 3 + b.k) from wide a join wide b on a.id * 9999 = b.id * 9999",
    "select count(*), sum(a.id * 3 + b.k) from wide a join wide b on a.k * 99991::bigint"
    " = b.k * 99991::bigint",
    "select count(*), sum(a.id * 3 + b.id), count(b.t) from wide a left join"
    " (select *, case when id % 3 > 0 then t end as x from wide) b on a.t = b.x",
    "select count(*), sum(a.id * 3 + b.v), count(b.y) from wide a join (select nullif(id % 65, 3)"
    " as y, id as v, k from wide where id % 7 < 6) b on a.id = b.v and a.k = b.k",
    "select count(*), sum(id) from wide where t in (select t from wide where k > 30000)",
    "select count(*), sum(id) from wide where not exists (select from wide w where w.k = wide.id)",
    "select count(*), sum(id) from wide where id + 100 not in (select k from wide)",
    "select count(*), sum(id) from wide where id not in (select nullif(k, 5) from wide)",
    "select count(*), sum(id) from wide where id not in (select k from wide where k < 0)",
    "select count(*), sum(a.id + b.n) from wide a join (select k, count(*) as n from wide group by k)"
    " b on a.id = b.k",
    "select count(*), sum(a.id + coalesce(b.id, 0)) from wide a right join wide b on a.k = b.id",
    "select count(*), sum(hashtext(a.t || c.t)) from wide a join (select w.id, v.t from wide w join"
    " wide v on w.k = v.id) c on a.id = c.id",
]


def builds(connect, memory):
    c = connect().cursor()
    if value(c, "select to_regclass('wide') is null"):
        c.execute(WIDE)
    if memory != "all in memory":
        c.execute("set query.memory_limit = '%s'" % memory)
    for text in BUILT:
        want = run(c, text, 0)
        check("a build, %s" % memory, isinstance(want, list), "%s %s" % (text, want))
        for workers in (2, 3) if memory != "20MB" else (2,):
            got = run(c, text, workers)
            check("a build by %d workers, %s" % (workers, memory), got == want,
                  "%s\n  want %s\n  got  %s" % (text, want, got))
        if "group by" not in text and " right " not in text:
            plan = plan_of(c, text)
            check("its plan, %s" % memory, re.search(r"->  Hash  .*\n *->  Gather", plan), plan)
    for _ in range(5):
        got = run(c, "select count(*) from wide a join (select 1 / (id - 150000) as x from wide) b"
                     " on a.id = b.x", 2)
        check("error of a builder", isinstance(got, tuple) and got[0] == "22012", str(got))


def spills(connect):
    """Groups and builds that do not fit: on disk, whoever made them."""
    c = connect().cursor()
    c.execute(WIDE)
    spilled = 0
    for text in SPILLED:
        text = ("select count(*), sum(hashtext(t)), sum(hashtext(v::text)), sum(hashtext(t || v))"
                " from (%s) q" % text)
        want = run(c, text, 0)
        check("fits when it spills", isinstance(want, list), "%s %s" % (text, want))
        for workers in (1, 2):
            got = run(c, text, workers)
            check("spilling, %d workers" % workers, got == want,
                  "%s\n  want %s\n  got  %s" % (text, want, got))
        spilled += bool(re.search("Batches: ([2-9]|1[0-9])", plan_of(c, text, "analyze")))
    check("a join was spilled", spilled >= 1, str(spilled))


def temp_limit(connect):
    """What the workers have on disk counts together: three of them have no more room than one."""
    c = connect().cursor()
    c.execute(WIDE)
    text = ("select count(*), sum(hashtext(v::text)) from (select t, max(t || id) as v from wide"
            " group by t, k) q")
    for workers in (0, 1, 2, 3):
        got = run(c, text, workers)
        check("query.temp_limit, %d workers" % workers,
              isinstance(got, tuple) and got[0] == "53400", str(got))
    check("after query.temp_limit", value(c, "select count(*) from wide") == 160000)


def many_sessions(connect, r):
    """More leaders than threads, each with gathers in gathers."""
    text = ("select g, sum(n), (select count(*) from big) from big"
            " where h > (select avg(h) / 2 from big) group by g"
            " having sum(n) > (select min(n) from big) order by g")
    want = run(connect().cursor(), text, 0)
    bad = []

    def session(seed):
        c = connect().cursor()
        x = random.Random(seed)
        for _ in range(6):
            if run(c, text, x.randint(0, 3)) != want:
                bad.append(seed)

    threads = [threading.Thread(target=session, args=(r.random(),)) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check("many sessions", not bad)


# What one worker runs as it stands: nothing of it is divided.
ALONE = [
    "with c as materialized (select h, count(*) n from big group by h) select count(*), sum(a.n * b.n)"
    " from c a join c b on a.h = b.h where a.n > (select avg(n) from c)",
    "with recursive r(i) as (select 1 union all select i + 1 from r where i < 3000) select sum(i) from r",
    "select g, string_agg(t, ',' order by id) from big where h < 50 group by g order by g",
    "select count(*), sum(x.i) from generate_series(1, 100000) x(i) where x.i % 7 = 3",
    "select id, rank() over (partition by g order by n, id) from big order by h, id limit 50",
    "select 1 / (g - 50) from big order by 1",
]


def thread_ns(pid, name):
    """Processor time of the threads whose names begin so."""
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/comm" % (pid, task)) as f:
            if not f.read().startswith(name):
                continue
        with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
            total += int(f.read().split()[0])
    return total


def away(connect, pid):
    c = connect().cursor()
    c.execute("set min_parallel_table_scan_size = '1GB'")
    for text in ALONE:
        c.execute("set debug_parallel_query = off")
        want = run(c, text, 0)
        check("on a worker: " + text, run(c, text, 2) == want)
        c.execute("set debug_parallel_query = on")
        check("on a worker, forced: " + text, run(c, text, 2) == want)
    # A thread may be late, and then it is the session's after all: not every time.
    c.execute("set debug_parallel_query = off; set max_parallel_workers_per_gather = 2")
    for _ in range(30):
        before = [thread_ns(pid, name) for name in ("analytic", "front")]
        c.execute("select count(*), sum(a.n * b.h) from big a join big b on a.g = b.g where a.id < 4000")
        analytic, front = (thread_ns(pid, name) - b for name, b in zip(("analytic", "front"), before))
        if analytic > 4 * front:
            return
    check("a long query leaves its session's thread", False, "%d ns, %d ns" % (analytic, front))


def connector(server):
    def connect():
        conn = psycopg2.connect(host=server.host, port=server.port, user="postgres",
                                dbname="postgres")
        conn.autocommit = True
        conn.cursor().execute("set debug_parallel_query = on;"
                              "set max_parallel_workers_per_gather = 2")
        return conn
    return connect


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)
    print("seed %d" % seed)
    r = random.Random(seed)
    with Server(sys.argv[1], ["analytic_workers=3"]) as s:
        connect = connector(s)
        connect().cursor().execute(SETUP)
        for case in (plans, counts, buffers, slow_clients, open_cursor, own_writes, failing, limits, prepared, writers):
            case(connect)
        away(connect, s.process.pid)
        many_sessions(connect, r)
        print("%d queries" % generated(connect, r, QUERIES, "generated"))
        cancels(connect, r)
        builds(connect, "all in memory")
    with Server(sys.argv[1], ["analytic_workers=2", "query.memory_limit=32MB"]) as s:
        connect = connector(s)
        connect().cursor().execute(SETUP)
        print("%d queries in little memory" % generated(connect, r, SMALL_QUERIES, "small memory"))
        spills(connect)
        builds(connect, "20MB")
    with Server(sys.argv[1], ["analytic_workers=3", "query.memory_limit=32MB",
                              "query.temp_limit=%s" % TEMP_LIMIT]) as s:
        temp_limit(connector(s))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
