#!/usr/bin/python3
"""Indexes on expressions, partial ones and deferrable ones, at random: a table that has them must give what
its twin without any gives, and be sound when verified.

usage: special_indexes.py HELIOSD [SEED]"""
import os
import random
import sys

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402

STEPS = 1500
COLUMNS = "(id int primary key, a int, b int, t text, f bool)"
INDEXES = """
create index on x (a) where f;
create index on x (lower(t));
create unique index on x ((a * 1000 + b)) where b > 5;
create index on x ((a + b) desc, t) where t is not null;
create index on x (b) where a > 3 and a < 8;
alter table x add unique (id, a) deferrable;
"""
CONDITIONS = [
    "f and a = %d", "f and a > %d", "lower(t) = 't%d'", "a + b = %d", "a + b > %d and t is not null",
    "a * 1000 + b = %d006 and b > 5", "b = %d and a > 4 and a < 7", "b > %d and a = 5",
    "a * 1000 + b > 3000 and b > 7 and a < %d", "f is true and a = %d", "lower(t) in ('t1', 't%d')",
    "b < %d and a between 4 and 7", "id > %d and a * 1000 + b is not null and b >= 6",
]


def change(r):
    def value():
        return r.choice([str(r.randrange(10))] * 9 + ["null"])

    row = r.randrange(400)
    return r.choice([
        "insert into @ values (%d, %s, %s, 'T%s', %s)"
        % (row, value(), value(), value(), r.choice(["true", "false", "null"])),
        "update @ set a = %s, b = %s where id = %d" % (value(), value(), row),
        "update @ set t = lower(t), f = not f where id %% 7 = %d" % r.randrange(7),
        "delete from @ where id = %d" % row,
        "update @ set id = id + 400 where id = %d" % row])


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)
    print("seed %d" % seed)
    r = random.Random(seed)
    with Server(sys.argv[1]) as server:
        db = psycopg2.connect(host=server.host, port=server.port, user="postgres", dbname="postgres")
        db.autocommit = True
        c = db.cursor()
        c.execute("create table x %s; create table y %s; %s" % (COLUMNS, COLUMNS, INDEXES))
        for step in range(STEPS):
            sql = change(r)
            try:
                c.execute(sql.replace("@", "x"))
            except psycopg2.Error as e:
                assert e.pgcode == "23505", "%s: %s" % (sql, e)
                continue
            c.execute(sql.replace("@", "y"))
            where = r.choice(CONDITIONS) % r.randrange(10)
            rows = []
            for table in "xy":
                c.execute("select * from %s where %s order by id" % (table, where))
                rows.append(c.fetchall())
            assert rows[0] == rows[1], "step %d: where %s: %s" % (step, where, rows)
        c.execute("select object, kind, problem from helios_verify() where problem is not null")
        assert c.fetchall() == []
        c.execute("select count(distinct object) from helios_verify() where object like '%.x, index %'")
        assert c.fetchone() == (6,)
        db.close()
    print("%d steps gave the same rows" % STEPS)


main()
