#!/usr/bin/python3
"""What plans look like, and statements deeper or wider than any sensible one: an answer or a clear error.

usage: plans.py HELIOSD"""
import json
import os
import re
import sys
import time

import psycopg2
import psycopg2.errors as errors

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402

SETUP = """
create table part (id int primary key, brand text);
create table line (id int primary key, part int, qty numeric(12,2), day date, big bigint);
insert into part select n, 'b' || n % 5 from generate_series(1, 400) n;
insert into line select n, n % 200, n % 9, date '1994-01-01' + n % 900, n from generate_series(1, 4000) n;
create view grouped as select part, count(*) as n from line group by part;
create view plain as select id, part from line where qty > 1;
"""

# statement, what its plan shows, what it must not
PLANS = [
    ("select sum(qty) from line, part p where p.id = part and brand = 'b1'"
     " and qty < (select 0.2 * avg(qty) from line where part = p.id)",
     ["Hash Left Join", "HashAggregate"], ["SubPlan"]),
    ("select id, (select count(*) from line where part = p.id) from part p", ["Hash Left Join"], ["SubPlan"]),
    ("select id from part p where exists (select from line where part = p.id)", ["Hash Semi Join"], ["SubPlan"]),
    ("select id from part p where not exists (select from line where part = p.id)",
     ["Hash Anti Join"], ["SubPlan"]),
    ("select id from part p where id in (select part from line)", ["Hash Semi Join"], ["SubPlan"]),
    ("select id from part p where id in (select big from line)", ["Hash Semi Join"], ["SubPlan"]),
    ("select id from part p where id not in (select part from line)", ["Hash Anti Join"], ["SubPlan"]),
    ("select id from part p where brand = 'x' or exists (select from line where part = p.id)",
     ["Hash Left Join"], ["SubPlan"]),
    ("delete from part where exists (select from line where part = part.id)", ["Hash Semi Join"], []),
    # an index makes one run for one row cheaper than a join
    ("select (select max(l.qty) from line l where l.id = p.id) from part p where id = 3", ["SubPlan"], ["Hash"]),
    ("select 1 from line where day < date '1994-01-01' + interval '1 year'",
     ["day < '1995-01-01'::date"], ["timestamp"]),
    ("select 1 from line where big = 5 or big = 6", ["ANY"], [" OR "]),
    ("select 1 from line where true and id = 1 + 2", ["id = 3"], []),
    ("select * from grouped where part = 5", ["part = 5"], ["Subquery Scan"]),
    ("select plain.id from plain join part on part.id = plain.part and plain.id = 7",
     ["line_pkey", "part_pkey"], ["Hash"]),
    ("select 1 from line l join part p on l.part = p.id where p.id = 5", ["part = 5"], []),
    ("select 1 from part p left join line l on l.part = p.id where l.qty = 2", ["Hash Join"], ["Left"]),
    ("select 1 from part p left join line l on l.part = p.id where l.qty is null", ["Left"], []),
]

# after ANALYZE the estimate of this many rows is within a tenth
ESTIMATES = [
    "line where qty = 3",
    "line where qty <> 3",
    "line where qty in (1, 2, 77)",
    "line where qty not in (1, 2)",
    "line where qty is null",
    "line where day < date '1994-01-01' + 90",
    "line where day >= date '1994-02-01' and day < date '1994-03-01'",
    "line where id between 1000 and 1999 and big > 0",
    "line where 3000 < big",
    "part where brand = 'b1' or brand = 'b2'",
    "part where brand like 'b%'",
    "part where not (brand = 'b1')",
    "line l join part p on l.part = p.id",
    "line l join part p on l.part = p.id where brand = 'b1'",
    "line a join line b on a.part = b.part where a.qty = 1",
    "part p where exists (select from line where part = p.id)",
    "part p where not exists (select from line where part = p.id)",
    "(select part from line group by part) s",
    "(select distinct brand from part) s",
]

# after ANALYZE: statement, what its plan shows, what it must not
ANALYSED = [
    # few rows ask: by index; many: by hash, the smaller side in the table
    ("select 1 from line l join part p on l.part = p.id where l.id = 7", ["Nested Loop", "part_pkey"], ["Hash"]),
    ("select 1 from line l join part p on l.part = p.id where l.id < 5", ["Nested Loop", "part_pkey"], ["Hash"]),
    ("select 1 from line l join part p on l.part = p.id", ["Hash Join", "->  Hash\n        ->  Seq Scan on part"], []),
    ("select 1 from part p join line l on l.part = p.id", ["Hash Join", "->  Hash\n        ->  Seq Scan on part"], []),
    # the index of a frequent value is no help, that of a rare one is
    ("select 1 from skew where v = 1", ["Seq Scan"], ["Index"]),
    ("select 1 from skew where v = 2", ["Index Scan"], ["Seq Scan"]),
    ("select 1 from skew where v < 3000", ["Seq Scan"], ["Index"]),
    ("select 1 from skew where v > 3990", ["Index Scan"], ["Seq Scan"]),
    # a condition over three that nothing else connects
    ("select 1 from line a, part p, skew k where a.part + p.id = k.id", ["Hash Join", "Nested Loop"], []),
]

GROUPED = """
create table star_dim (id int primary key, name text, kind int);
create table star_fact (id int primary key, d int, v int, x float8, far int);
insert into star_dim select i, 'd' || i % 9, i % 3 from generate_series(1, 100) i;
insert into star_fact select i, i % 100, i % 1000, i, i * 7 % 50000 from generate_series(1, 50000) i;
analyze star_dim;
analyze star_fact;
"""
TWICE = ["HashAggregate", "Hash Join", "  ->  HashAggregate"]

# grouped below the join: few groups of many rows, and an answer that is the same to the letter
BELOW = [
    ("select d.name, sum(f.v), count(*), avg(f.v) from star_fact f join star_dim d on f.d = d.id group by d.name", TWICE, []),
    ("select count(*) from star_fact f join star_fact g on f.d = g.d", ["->  HashAggregate"], []),
    ("select d.id, count(f.id) from star_dim d left join star_fact f on f.d = d.id group by d.id",
     ["Hash Left Join", "->  HashAggregate"], []),
    ("select d.name, sum(d.kind) from star_fact f join star_dim d on f.d = d.id group by d.name", TWICE, []),
    # not so: as many groups as rows; a sum of floats; a division that might fail; an aggregate of a list
    ("select d.name, sum(f.v) from star_fact f join star_dim d on f.far = d.id group by d.name", ["Hash Join"],
     ["->  HashAggregate"]),
    ("select d.name, sum(f.x) from star_fact f join star_dim d on f.d = d.id group by d.name", ["Hash Join"],
     ["->  HashAggregate"]),
    ("select d.name, sum(100 / f.v) from star_fact f join star_dim d on f.d = d.id group by d.name", ["Hash Join"],
     ["->  HashAggregate"]),
    ("select d.name, array_agg(f.v) from star_fact f join star_dim d on f.d = d.id group by d.name", ["Hash Join"],
     ["->  HashAggregate"]),
]

# the order of conditions: what leaves out more for less comes first, and nothing passes what may fail
ORDERED = [
    ("select 1 from star_fact where x > 5 and d <> 3 and v = 7", ["(v = 7)", "AND (d <> 3)"], []),
    ("select 1 from star_fact where 10 / d > 2 and v = 7 and 10 / v > 1",
     ["((v = 7) AND ((10 / d) > 2) AND ((10 / v) > 1))"], []),
]


SPECIAL = """
create table doc (id int primary key, name text, state int, at timestamp, k int unique deferrable);
insert into doc select i, 'Name ' || i, case when i % 50 = 0 then 1 else 2 end, timestamp '2024-01-01' + i * interval '1 hour', i
  from generate_series(1, 5000) i;
create index doc_lower on doc (lower(name));
create index doc_open on doc (id) where state = 1;
create index doc_late on doc (name) where id > 4000 and at is not null;
create index doc_day on doc (date_trunc('day', at));
create table child (id int primary key, doc int references doc);
insert into child select i, i from generate_series(1, 2000) i;
analyze doc;
analyze child;
"""

# indexes on expressions, partial ones, and what row locks stand on
SPECIALS = [
    ("select id from doc where lower(name) = 'name 7'", ["doc_lower", "Index Cond: (lower(name) = 'name 7'::text)"], ["Filter"]),
    ("select id from doc where lower(name) in ('name 7', 'name 8')", ["doc_lower"], ["Seq Scan"]),
    ("select id from doc where upper(name) = 'NAME 7'", ["Seq Scan"], []),
    ("select id from doc where state = 1 and id > 10 and id < 90", ["doc_"], []),
    ("select name from doc where name = 'Name 4500' and id > 4200 and at > '2024-01-01'", ["doc_late"], ["Seq Scan"]),
    ("select name from doc where name = 'Name 4500' and id = 4500 and at = '2024-01-01'", ["Index Scan"], ["Seq Scan"]),
    ("select name from doc where name = 'Name 4500' and id > 3900 and at > '2024-01-01'", [], ["doc_late"]),
    ("select name from doc where name = 'Name 4500' and id > 4200", [], ["doc_late"]),
    ("select name from doc where name = 'Name 4500' and (id > 4200 or at is not null)", [], ["doc_late"]),
    ("select id from doc where date_trunc('day', at) = '2024-03-01'", ["doc_day"], ["Seq Scan"]),
    ("select a.id from doc a join doc b on lower(a.name) = lower(b.name) where b.id = 5", ["doc_lower", "Nested Loop"], ["Hash"]),
    ("update doc set state = 3 where lower(name) = 'name 7'", ["doc_lower"], ["Seq Scan"]),
    ("select id from doc where k = 5", ["doc_k_key"], ["Seq Scan"]),
    ("select id from doc order by state, id limit 3 for update skip locked", ["Limit\n  ->  LockRows\n        ->  Sort"], []),
    ("select id from doc order by id limit 3 for update", ["Limit\n  ->  LockRows\n        ->  Seq Scan"], ["Sort"]),
    ("select d.id from doc d join child c on c.doc = d.id where c.id = 5 for update of c", ["LockRows\n  ->  Nested Loop"], ["Hash"]),
]


def check_special(c):
    c.execute(SPECIAL)
    check_plans(c, SPECIALS)
    c.execute("select id from doc where lower(name) = 'name 7' or false")
    assert c.fetchall() == [(7,)]
    for mode in "auto", "force_generic_plan", "force_custom_plan":
        c.execute("set plan_cache_mode = %s" % mode)
        for _ in range(3):
            c.execute("select id from doc where state = 1 and id > 10 and id < 110 order by id")
            assert c.fetchall() == [(50,), (100,)]
            c.execute("select id from doc where date_trunc('day', at) = '2024-01-02' order by id limit 1")
            assert c.fetchall() == [(24,)]
    c.execute("reset plan_cache_mode")


DEEP = [
    "select " + "(" * 10000 + "1" + ")" * 10000,
    "select 1 from part where " + " or ".join(f"id = {n}" for n in range(5000)),
    "select 1 from part where " + " or ".join(f"id + 0 > {n}" for n in range(5000)),
    " union ".join(f"select {n}" for n in range(1000)),
    " union all ".join(["select id from part where id = 1"] * 1000),
    "select count(*) from " + ", ".join(f"part p{n}" for n in range(200)) + " where "
    + " and ".join(f"p{n}.id = p{n + 1}.id" for n in range(199)),
    "select count(*) from part p0 " + " ".join(f"left join part p{n} on p{n}.id = p{n - 1}.id"
                                               for n in range(1, 200)),
    "select * from " + "(select * from " * 200 + "part" + "".join(f") s{n}" for n in range(200)) + " where id = 1",
    "select 1 from part p where " + "exists (select from part p where id > 0 and " * 60 + "true" + ")" * 60,
    "select 1 from part p where " + "".join(
        f"exists (select from part p{n} where p{n}.id = p{n - 1 if n else ''}.id and " for n in range(40))
    + "true" + ")" * 40,
    "select " + "".join(f"(select count(*) + sum(" for n in range(25)) + "1" + "".join(
        f") from line l{n} where l{n}.part = {f'l{n + 1}.part' if n < 24 else 'p.id'})"
        for n in range(25)) + " from part p where id = 1",
    "select " + "not " * 5000 + "true",
    "select 1" + " + 1" * 5000,
    "select " + "case when true then " * 2000 + "1" + " end" * 2000,
]


def show(c, sql):
    c.execute("explain (costs off) " + sql)
    return "\n".join(row[0] for row in c.fetchall())


def check_plans(c, plans):
    for sql, shown, hidden in plans:
        plan = show(c, sql)
        for part in shown:
            assert part in plan, f"{part!r} is not in the plan of\n{sql}\n{plan}"
        for part in hidden:
            assert part not in plan, f"{part!r} is in the plan of\n{sql}\n{plan}"


def check_estimates(c):
    c.execute("create table skew (id int primary key, v int); create index on skew (v);"
              "insert into skew select n, case when n % 2 = 0 then 1 else n end from generate_series(0, 4000) n;"
              "insert into skew values (-1, 2); analyze")
    off = []
    for tail in ESTIMATES:
        c.execute("select count(*) from " + tail)
        rows = max(c.fetchone()[0], 1)
        c.execute("explain (format json) select 1 from " + tail)
        plan = c.fetchone()[0]
        estimate = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Plan Rows"]
        if not rows / 1.1 - 1 <= estimate <= rows * 1.1 + 1:
            off.append(f"{estimate} estimated of {rows}: {tail}")
    assert not off, "\n".join(off)
    check_plans(c, ANALYSED)


def check_grouped(c):
    c.execute("set max_parallel_workers_per_gather = 0")
    c.execute(GROUPED)
    check_plans(c, BELOW)
    check_plans(c, ORDERED)
    for sql, shown, _ in BELOW:
        rows = []
        for mode in ("off", "auto", "force"):
            c.execute("set helios.group_below = " + mode)
            c.execute(sql)
            rows.append(sorted(map(repr, c.fetchall())))
            assert mode != "off" or "->  HashAggregate" not in show(c, sql), sql
        assert rows[0] == rows[1] == rows[2] or "array_agg" in sql, (sql, rows)
    c.execute("reset helios.group_below")
    c.execute("reset max_parallel_workers_per_gather")


def check_cancel(c):
    """Planning ends with its statement's time. As planning takes longer than that, EXPLAIN must fail."""
    c.execute("create table canceled (id int)")
    wide = "explain select 1 from canceled c0" + "".join(
        " join canceled c%d on c%d.id = c%d.id" % (i, i, i - 1) for i in range(1, 300))
    c.execute("set statement_timeout = 2")
    try:
        c.execute(wide)
        raise AssertionError("planning went on without time")
    except errors.QueryCanceled as e:
        assert "statement timeout" in str(e), e
    c.execute("set statement_timeout = 0")
    c.execute(wide)


CUSTOM = """
create table cu (id int primary key, v int, pad text);
insert into cu select i, i, repeat('x', 50) from generate_series(1, 60000) i;
create index on cu (v);
analyze cu;
prepare few as select pad from cu where v > $1;
prepare tiny as select pad from cu where id = $1;
"""


def plan_logged(c, server, sql):
    """The plan by which the statement ran."""
    before = len(server.log)
    c.execute(sql)
    rows = c.rowcount
    for _ in range(500):
        found = [line for line in server.log[before:] if "Query Text: " + sql in line]
        if found:
            return rows, found[0]
        time.sleep(0.01)
    raise AssertionError("no plan was logged: " + sql)


def check_custom(c, server):
    """What seems to take long is planned for its values, however it comes."""
    for sql in CUSTOM.strip().split("\n"):
        c.execute(sql)
    c.execute("set auto_explain.log_min_duration = 0")
    for mode, found in (("auto", "Index Scan"), ("force_generic_plan", "Seq Scan"),
                        ("force_custom_plan", "Index Scan"), ("auto", "Index Scan")):
        c.execute("set plan_cache_mode = " + mode)
        for sql in ("select pad from cu where v > 59990", "execute few(59990)"):
            rows, plan = plan_logged(c, server, sql)
            assert rows == 10 and found in plan, (mode, sql, plan)
            assert ("$1" in plan) == (mode == "force_generic_plan"), (mode, sql, plan)
        rows, plan = plan_logged(c, server, "execute few(10)")
        assert rows == 59990 and "Seq Scan" in plan, (mode, plan)
        for sql in ("select pad from cu where id = 7", "execute tiny(7)"):
            rows, plan = plan_logged(c, server, sql)
            assert rows == 1 and "$1" in plan, (mode, sql, plan)  # by its key: the kept plan
    c.execute("reset auto_explain.log_min_duration")


def check_grown(c, server):
    """A plan for an empty table is not kept when the table is no longer empty."""
    c.execute("create table grown (id int primary key, v int)")
    c.execute("prepare below as select id from grown where v < $1")
    c.execute("set auto_explain.log_min_duration = 0")
    c.execute("set plan_cache_mode = force_generic_plan")
    texts = ("select id from grown where v < 5", "execute below(5)")
    for many in (False, True):
        if many:
            c.execute("insert into grown select i, i from generate_series(1, 20000) i")
            time.sleep(0.2)
        for sql in texts:
            rows, plan = plan_logged(c, server, sql)
            estimate = int(re.search(r"rows=(\d+)", plan).group(1))
            assert rows == (4 if many else 0) and (estimate > 1000) == many, (sql, plan)
    c.execute("reset auto_explain.log_min_duration")
    c.execute("reset plan_cache_mode")


EXPLAINED = [
    ("execute tiny(7)", "Index Scan using cu_pkey on cu\n  Index Cond: (id = $1)"),
    ("execute few(59990)", "Index Scan using cu_v_idx on cu\n  Index Cond: (v > 59990)"),
    ("create table made as select v from cu where id = 3",
     "Index Scan using cu_pkey on cu\n  Index Cond: (id = 3)"),
    ("create table made as execute tiny(3)", "Index Scan using cu_pkey on cu\n  Index Cond: (id = $1)"),
    ("select v into made from cu where id = 3",
     "Index Scan using cu_pkey on cu\n  Index Cond: (id = 3)"),
    ("declare x cursor for select v from cu where id = 3",
     "Index Scan using cu_pkey on cu\n  Index Cond: (id = 3)"),
]


def check_explained(c):
    """EXPLAIN of statements that hold another: nothing of them is done."""
    for sql, plan in EXPLAINED:
        c.execute("explain (costs off) " + sql)
        found = "\n".join(row[0] for row in c.fetchall())
        assert found == plan, (sql, found)
    c.execute("explain (analyze, costs off, timing off, summary off) execute tiny(7)")
    assert "actual rows=1" in c.fetchone()[0]
    c.execute("select count(*) from pg_class where relname = 'made'")
    assert c.fetchone() == (0,)
    for sql, code in (("execute nobody", "26000"), ("execute tiny", "42601"),
                      ("analyze create table made as select 1", "0A000")):
        try:
            c.execute("explain " + sql)
            raise AssertionError("not refused: " + sql)
        except psycopg2.Error as e:
            assert e.pgcode == code, (sql, e)


def main():
    with Server(sys.argv[1]) as server:
        db = psycopg2.connect(host="127.0.0.1", port=server.port, user="postgres", dbname="postgres")
        db.autocommit = True
        c = db.cursor()
        c.execute(SETUP)
        check_plans(c, PLANS)
        check_estimates(c)
        check_grouped(c)
        check_special(c)
        check_cancel(c)
        check_custom(c, server)
        check_explained(c)
        check_grown(c, server)
        for sql in DEEP:
            try:
                c.execute(sql)
                c.fetchall()
            except psycopg2.Error as e:
                assert e.pgcode in ("54001", "54000"), f"{e.pgcode} {e} for {sql[:60]}"
            c.execute("select 1")
            assert c.fetchone() == (1,)
        db.close()
    print(f"{len(PLANS) + len(ANALYSED) + len(SPECIALS)} plans, {len(ESTIMATES)} estimates and {len(DEEP)} deep statements are as they should be")


main()
