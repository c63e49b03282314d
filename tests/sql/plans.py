#!/usr/bin/python3
"""What plans look like, and statements deeper or wider than any sensible one: an answer or a clear error.

usage: plans.py HELIOSD"""
import os
import sys

import psycopg2

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


def main():
    with Server(sys.argv[1]) as server:
        db = psycopg2.connect(host="127.0.0.1", port=server.port, user="postgres", dbname="postgres")
        db.autocommit = True
        c = db.cursor()
        c.execute(SETUP)
        for sql, shown, hidden in PLANS:
            c.execute("explain (costs off) " + sql)
            plan = "\n".join(row[0] for row in c.fetchall())
            for part in shown:
                assert part in plan, f"{part!r} is not in the plan of\n{sql}\n{plan}"
            for part in hidden:
                assert part not in plan, f"{part!r} is in the plan of\n{sql}\n{plan}"
        for sql in DEEP:
            try:
                c.execute(sql)
                c.fetchall()
            except psycopg2.Error as e:
                assert e.pgcode in ("54001", "54000"), f"{e.pgcode} {e} for {sql[:60]}"
            c.execute("select 1")
            assert c.fetchone() == (1,)
        db.close()
    print(f"{len(PLANS)} plans and {len(DEEP)} deep statements are as they should be")


main()
