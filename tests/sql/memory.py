#!/usr/bin/python3
"""Queries under a small query.memory_limit give what they give without one; and what runs long ends
when it is cancelled, wherever it is.

    memory.py HELIOSD
"""
import collections
import os
import sys
import time

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402

SETUP = [
    "create table t (id int primary key, k int, s text, n numeric, d date, w text)",
    "insert into t select i, (i * 7919) % 5003, 'text ' || (i * 31 % 20011), (i % 9973) / 7.0,"
    " date '2000-01-01' + i % 4001, repeat(chr(97 + i % 26), i % 150)"
    " from generate_series(1, 40000) i",
    "create table e (a int, b int)",
    "insert into e select i, (i * 3 + j * 17) % 12000 from generate_series(0, 11999) i,"
    " generate_series(1, 2) j",
    "analyze",
]

# (query, is its order whole?)
QUERIES = [
    ("select * from t order by s desc, id", True),
    ("select id, n from t order by n, d desc nulls first, id", True),
    ("select w from t order by w limit 30000", True),
    ("select id from t order by w, id offset 39000", True),
    ("select distinct s, d from t", False),
    ("select distinct on (k) k, id, w from t order by k, id desc", True),
    ("select distinct w || s from t", False),
    ("select s, id % 30000 from t union select s, id + 5 from t", False),
    ("select s, id % 30000 from t intersect select s, id from t where id < 35000", False),
    ("select s, k from t except select s, k from t where id % 3 = 0", False),
    ("select k, d from t intersect all select k, d from t where id % 2 = 0", False),
    ("select k % 100 from t except all select k % 100 from t where id % 2 = 0", False),
    ("select w, id from t except select w, id from t where id < 100", False),
    ("select k, count(distinct s), string_agg(s, ',' order by id desc) from t group by k", False),
    ("select k, count(distinct s), sum(distinct id) from t group by k", False),
    ("select count(distinct s), count(distinct w || s), avg(distinct n), min(w) from t", False),
    ("select s, count(distinct w) from t group by s order by 2 desc, 1 limit 20", True),
    ("select percentile_cont(0.3) within group (order by n), mode() within group (order by k),"
     " count(distinct s) from t where id < 4000", False),
    ("select s, w, count(*), sum(n) from t group by s, w", False),
    ("select id, row_number() over (order by s, id), sum(n) over (partition by k order by id),"
     " lag(w) over (order by id) from t", False),
    ("select id, first_value(w) over (order by d, id rows between 700 preceding and current row)"
     " from t", False),
    ("with c as materialized (select * from t) select count(*), sum(c1.n) from c c1 join c c2"
     " on c1.id = c2.id + 1 where c2.w <> c1.w", False),
    ("with c as materialized (select id, s, w from t) select * from c where id % 3 = 0"
     " union all select * from c where id % 5 = 0", False),
    ("with recursive r as (select 1 as i, repeat('x', 300) as w union all"
     " select i + 1, w from r where i < 4000) select count(*), sum(i), max(w) from r", False),
    ("with recursive r as (select id, s from t where id < 30000 union all"
     " select id + 30000, s from r where id < 3000) select count(*), min(s), sum(id) from r", False),
    ("with recursive r as (select a from e where a < 3 union select e.b from r join e on e.a = r.a)"
     " select count(*), sum(a) from r", False),
    ("with recursive r (n) as (select id from generate_series(1, 150000) id union"
     " select (n * 7 + 3) % 225000 from r where n % 4 < 3) select count(*), sum(n) from r", False),
    ("with recursive r (n, w) as (select id, w from t where id < 9000 union"
     " select (n * 7 + 3) % 20000, w from r where n % 4 < 1) select count(*), sum(n), max(w) from r", False),
    ("select count(*), sum(x.id) from t x, (select id, w, s from t) y"
     " where x.id < 9 and x.id + length(y.w) > length(y.s) + 100", False),
    ("select x.id, y.id from (select * from t where id < 40) x left join (select * from t) y"
     " on x.id > y.id - 3 and length(y.w) > 140", False),
    ("select count(*), count(x.id), count(y.id) from (select id from t where id < 20) x full join"
     " (select id, w, s from t) y on x.id = y.id", False),
    ("select t.id, l.m from t, lateral (select max(b) as m from e where e.a = t.k) l where t.id < 300", False),
    ("select x.s, y.d from t x join t y on x.s = y.s and x.id < y.id", False),
    ("select k, s, count(*) from t group by grouping sets ((k, s), (s), (k))", False),
    ("select array_agg(id order by s, id)::text from (select * from t where id < 5000) x", False),
]

LONG = [
    "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000) b",
    "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000) b where a + b = -1",
    "select * from (select a.id from t a, t b) x order by id desc limit 3",
    "select * from (select a.id, b.s from t a, t b) x order by s, id offset 1000000000",
    "select count(*) from (select distinct a.id, b.id from t a, t b) x",
    "select a.id, sum(b.n) over (order by a.id, b.id) from t a, t b offset 1000000000",
    "select sum(n) over (order by id rows between unbounded preceding and unbounded following"
    " exclude current row) from (select a.id, a.n from t a, t b) x offset 1000000000",
    "select count(*) from (select a.id + b.id as i from t a, t b) x join"
    " (select a.id * b.id as i from t a, t b) y using (i)",
    "with recursive r as (select 1 as i union all select i + 1 from r) select count(*) from r",
    "with recursive r as (select 1 as i union select i + g from r, generate_series(1, 10000) g where g = 1) select count(*) from r",
    "with c as materialized (select a.id from t a, t b) select count(*) from c",
    "select a.id, b.id from t a, t b intersect select a.id, b.id from t a, t b",
    "select count(distinct a.s || b.s) from t a, t b",
    "select a.id, b.id, count(*) from t a, t b group by 1, 2 offset 1000000000",
    "select string_agg(a.s, ',' order by b.id) from t a, t b group by a.k",
]


def rows_of(cursor, query, ordered):
    cursor.execute(query)
    rows = cursor.fetchall()
    return rows if ordered else collections.Counter(rows)




def compare(cursor, failed):
    for query, ordered in QUERIES:
        cursor.execute("reset query.memory_limit")
        start = time.monotonic()
        want = rows_of(cursor, query, ordered)
        print("%.2f s %s" % (time.monotonic() - start, query[:80]), flush=True)
        for limit in ("4MB", "64MB"):
            cursor.execute("set query.memory_limit = '%s'" % limit)
            try:
                got = rows_of(cursor, query, ordered)
            except psycopg2.Error as e:
                failed.append("%s under %s: %s" % (query, limit, e))
                continue
            if got != want:
                failed.append("%s under %s: %d rows, not %d, or others" %
                              (query, limit, len(got), len(want)))


def check_spills(cursor, failed):
    """The limit was small enough for the test to mean something."""
    cursor.execute("set query.memory_limit = '4MB'")
    cursor.execute("explain analyze select * from t order by s, id")
    text = "\n".join(r[0] for r in cursor.fetchall())
    if "external merge  Disk:" not in text:
        failed.append("a sort of t did not spill:\n" + text)


def check_left_over(data, failed):
    left = os.listdir(os.path.join(data, "tmp")) if os.path.isdir(os.path.join(data, "tmp")) else []
    if left:
        failed.append("temporary files are left: %s" % left[:5])


def check_cancel(cursor, failed):
    for limit in ("4MB", "64MB"):
        cursor.execute("set query.memory_limit = '%s'" % limit)
        for query in LONG:
            cursor.execute("set statement_timeout = '300ms'")
            start = time.monotonic()
            try:
                cursor.execute(query)
                failed.append("%s under %s came to an end" % (query, limit))
            except psycopg2.errors.QueryCanceled:
                pass
            except psycopg2.Error as e:
                failed.append("%s under %s: %s" % (query, limit, e))
            print("%4.0f ms late, %s: %s" % ((time.monotonic() - start - 0.3) * 1000, limit,
                                            query[:70]))
            cursor.execute("reset statement_timeout")


def main():
    failed = []
    with Server(sys.argv[1]) as server:
        connection = psycopg2.connect(host=server.host, port=server.port, user="postgres",
                                      dbname="postgres")
        connection.autocommit = True
        cursor = connection.cursor()
        for statement in SETUP:
            cursor.execute(statement)
        compare(cursor, failed)
        check_spills(cursor, failed)
        check_left_over(server.data, failed)
        check_cancel(cursor, failed)
        check_left_over(server.data, failed)
        connection.close()
    for f in failed:
        print("FAILED", f)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
