#!/usr/bin/python3
"""Tables kept by columns: what a scan by columns gives must be what one by rows gives, whatever is in memory, was changed
since, or is being changed; at each isolation level, with workers and without. And the option, the settings, EXPLAIN.

usage: columns.py HELIOSD [SEED]     a seed that is printed makes the same queries again"""
import json
import os
import random
import sys

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.dont_write_bytecode = True
from parallel import Query, too_large  # noqa: E402
from server import Server  # noqa: E402

QUERIES = 60
TABLES = """
create table big (id int primary key, g int, h int, t text, n numeric(12,2), d date, f bool);
create table mid (id int primary key, g int, t text, n numeric);
create table dim (g int primary key, name text);
create table nil (id int primary key, g int);
create index on big (g);
"""
ROWS = """
insert into big select i, case when i % 13 <> 0 then i % 101 end, i % 5003,
  case when i % 17 <> 0 then 'text ' || i % 211 end, (i % 1009) * 1.37 - 300,
  date '2020-01-01' + i % 700, i % 3 = 0 from generate_series({0}, {0} + 9999) i;
insert into mid select i, case when i % 7 <> 0 then i % 101 end, 'text ' || i % 307, i * 0.5
  from generate_series({0}, {0} + 1249) i;
"""
CHANGES = """
update big set g = g + 1, t = t || 'x' where id % 11 = 3;
update big set n = n * 2 where id between 300 and 400;
delete from big where id % 29 = 5;
delete from mid where id % 5 = 1;
insert into mid select i, i % 50, 'new ' || i, null from generate_series(900001, 900100) i;
update dim set name = 'other' where g % 4 = 0;
"""
failures = []


def check(what, ok, detail=""):
    if not ok:
        failures.append(what)
        print("FAIL %s %s" % (what, detail))


class Session:
    def __init__(self, server, *settings):
        self.connection = psycopg2.connect(host="127.0.0.1", port=server.port, user="postgres")
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        for s in settings:
            self.run("set " + s)

    def run(self, text, args=None):
        self.cursor.execute(text, args)
        return self.cursor.fetchall() if self.cursor.description else None

    def value(self, text):
        return self.run(text)[0][0]

    def fails(self, code, text):
        try:
            self.run(text)
        except psycopg2.Error as e:
            check("error of " + text, e.pgcode == code, "%s %s" % (e.pgcode, e))
            return e.diag
        check("error of " + text, False, "none")
        return None

    def answer(self, text):
        try:
            return sorted(map(repr, self.run(text)))
        except psycopg2.Error as e:
            return (e.pgcode,)

    def both(self, what, text):
        """The answer by rows and by columns, which must be one."""
        got = {}
        for how in ("row", "column"):
            self.run("set helios.force_format = '%s'" % how)
            got[how] = self.answer(text)
        self.run("reset helios.force_format")
        check(what, got["row"] == got["column"], "%s\n  row    %s\n  column %s" %
              (text, str(got["row"])[:400], str(got["column"])[:400]))
        return got["row"]

    def plan(self, text, analyze=False):
        self.run("set max_parallel_workers_per_gather = 0")
        plan = json.loads(self.value("explain (format json%s) %s" % (", analyze" if analyze else "", text)))[0]["Plan"]
        self.run("reset max_parallel_workers_per_gather")
        while plan.get("Node Type") not in ("Seq Scan", "Index Scan"):
            plan = plan["Plans"][0]
        return plan


# --- the option, the settings ------------------------------------------------------------------------

def options(server):
    s = Session(server)
    s.run("create table o1 (id int primary key, v int) with (helios.storage = dual)")
    check("the option is kept", s.value("select reloptions from pg_class where relname = 'o1'") == ["helios.storage=dual"])
    s.run("create table o2 (id int primary key) with (helios.storage = row, fillfactor = 70)")
    s.run("alter table o2 set (helios.storage = dual)")
    check("ALTER tells how", any("rewritten in the background" in n for n in s.connection.notices), str(s.connection.notices))
    check("others stay", s.value("select reloptions from pg_class where relname = 'o2'") ==
          ["fillfactor=70", "helios.storage=dual"])
    s.run("alter table o2 reset (helios.storage)")
    check("RESET", s.value("select reloptions from pg_class where relname = 'o2'") == ["fillfactor=70"])
    for kind in ("column", "hybrid", "compressed"):
        s.run("create table o_%s (id int) with (helios.storage = %s)" % (kind, kind))
        check("the option " + kind, s.value("select reloptions from pg_class where relname = 'o_%s'" % kind) ==
              ["helios.storage=" + kind])
    d = s.fails("22023", "create table o3 (id int) with (helios.storage = sideways)")
    check("a hint", d and d.message_hint and "hybrid" in d.message_hint)
    s.run("set helios.default_storage = dual")
    s.run("create table o3 as select 1 as a")
    s.run("create table o4 (a int) with (helios.storage = row)")
    check("the default", s.value("select array_agg(reloptions::text order by relname) from pg_class "
                                 "where relname in ('o3', 'o4')") == ["{helios.storage=dual}", "{helios.storage=row}"])
    s.fails("22023", "set helios.force_format = other")


def explain(server):
    s = Session(server)
    check("nothing is said of others", "Format" not in s.plan("select * from plain"))
    s.run("set helios.force_format = row")
    check("rows when told", s.plan("select g from big")["Format"] == "row")
    s.run("set helios.force_format = column")
    p = s.plan("select g from big where n > 5 and h + 1 > 3 and t like 'text 1%'")
    check("columns when told", p["Format"] == "column", str(p))
    c = p.get("Column Conditions", "")
    check("what the store tests", "n >" in c and "~~" in c and "h" not in c, c)
    p = s.plan("select g from big where id < 4000", analyze=True)
    check("counts", p["Format"] == "column" and p["Blocks"] > 0 and "Rows By Row" in p, str(p))
    check("a point is a row's", s.plan("select g from big where id = 400")["Format"] == "row")
    s.run("reset helios.force_format")
    check("a point is a row's by itself", s.plan("select g from big where id = 400")["Format"] == "row")


# --- equal answers -----------------------------------------------------------------------------------

FIXED = [
    "select * from big", "select count(*) from big", "select count(*), min(id), max(d), sum(n) from big",
    "select * from big where id between 5000 and 5100", "select * from big where id in (3, 77, 5000, 19999, 20001)",
    "select id from big where g is null", "select id from big where t is not null and g = 7",
    "select id from big where t like 'text 12%'", "select id from big where t like 'text 12'",
    "select id from big where t like '%9' or g = 3", "select id from big where t like 'te%1_'",
    "select id from big where f", "select id from big where not f", "select id from big where n = 2.74",
    "select id from big where n in (2.74, -300, 1000) and g < 50", "select id from big where g = any ('{3, 4, null}')",
    "select id from big where d < timestamp '2020-06-01 12:00'", "select id from big where d = timestamp '2020-06-01'",
    "select id from big where d >= timestamp '2020-06-01 12:00' and d < date '2020-08-01'",
    "select id from big where g = 5000000000", "select id from big where g < 5000000000",
    "select id from big where g <> 4 and h > 4990", "select id from big where g = null",
    "select id from big where 50 > g", "select tableoid::regclass, id from big where id < 20",
    "select t, count(*), sum(n), min(d), max(t) from big group by t", "select f, g, avg(n) from big group by f, g",
    "select distinct t from big", "select b.id, m.t from big b join mid m on b.id = m.id where m.g < 10",
    "select b.t, count(*) from big b join mid m on b.t = m.t group by b.t",
    "select count(*) from big where id in (select id from mid where g = 3)",
    "select count(*) from big b where not exists (select from mid m where m.id = b.id)",
    "select upper(t), length(t) from big where id % 100 = 1", "select case when f then t else 'no' end from big",
    "select coalesce(t, 'none'), g + h from big where h < 100", "select * from nil",
    "select id, rank() over (partition by t order by id) from big where h < 500",
    "select id, t from big order by t nulls first, id limit 50", "select x.t from (select t from big order by id offset 10) x",
    "select count(distinct t), count(t), bool_or(f) from big", "select t || d, n::int from big where g = 12",
    "select (select max(m.n) from mid m where m.g = b.g) from big b where b.id < 300",
    "select t from big where t > 'text 5' and t <= 'text 7' union select t from mid where t >= 'text 30'",
]


def equal(server, r, what):
    s = Session(server)
    for text in FIXED:
        s.both(what, text)
    s.run("set debug_parallel_query = on")
    for text in FIXED:
        s.both(what + ", with workers", text)
    for _ in range(QUERIES):
        text = Query(r).text()
        for workers in (0, 2):
            if workers == 0 and too_large(s.cursor, text):
                break
            s.run("set max_parallel_workers_per_gather = %d" % workers)
            s.both("%s, generated, %d workers" % (what, workers), text)


LEVELS = ("read committed", "repeatable read", "serializable")
PROBE = "select count(*), sum(id), sum(n), min(t), max(g) from big"


def transactions(server):
    """Own writes, those of others, and those of others since the snapshot."""
    other = Session(server)
    for level in LEVELS:
        s = Session(server, "helios.force_format = column")
        s.run("begin isolation level " + level)
        before = s.run(PROBE)
        other.run("insert into big (id, n) values (-1, 7)")
        between = s.run(PROBE)
        check(level + ": others' commits", (between == before) == (level != "read committed"), "%s %s" % (before, between))
        s.run("update big set n = n + 1 where id = 77")
        s.run("delete from big where id = 78")
        s.run("insert into big (id, n) values (-2, 9)")
        s.both(level + ": own writes", PROBE)
        s.both(level + ": own writes", "select * from big where id < 90")
        s.run("savepoint a")
        s.run("delete from big where id < 1000")
        s.both(level + ": a savepoint's writes", PROBE)
        s.run("rollback to a")
        s.both(level + ": after it", PROBE)
        s.run("set helios.force_format = column")
        s.run("rollback")
        other.run("delete from big where id < 0")


def changes_by_columns(server):
    """UPDATE, DELETE and INSERT … SELECT that read what they change."""
    s = Session(server, "helios.force_format = column")
    s.run("begin")
    want = s.value("select count(*) from big where g = 4")
    s.run("update big set h = h + 1 where g = 4")
    check("rows of an UPDATE", s.cursor.rowcount == want, str(s.cursor.rowcount))
    s.run("rollback")
    s.run("begin")
    want = s.value("select count(*) from big")
    s.run("insert into big select id + 1000000, g, h, t, n, d, f from big")
    check("a statement does not see its own rows", s.cursor.rowcount == want, "%s %s" % (s.cursor.rowcount, want))
    s.run("delete from big where id >= 1000000 and f is not null")
    check("but those of the one before", s.cursor.rowcount == want, "%s %s" % (s.cursor.rowcount, want))
    s.run("rollback")
    s.run("begin; declare c cursor for select id from big")
    s.run("fetch 10 from c")
    s.run("delete from big")
    check("a cursor's snapshot", len(s.run("fetch all from c")) == want - 10)
    s.run("rollback")
    locked = s.run("select id from big where g = 9 for update")
    check("FOR UPDATE", len(locked) == s.value("select count(*) from big where g = 9"))


def shapes(server, kind):
    """Columns that come, go, and change while there are rows."""
    s = Session(server)
    s.run("create table shape (id int primary key, a int, b text) with (helios.storage = %s)" % kind)
    s.run("create table twin (id int primary key, a int, b text) with (helios.storage = row)")
    for t in ("shape", "twin"):
        s.run("insert into %s select i, i, 'b' || i from generate_series(1, 5000) i" % t)
    s.run("checkpoint")
    for ddl in ("alter table shape add c int default 7", "insert into shape (id) select generate_series(5001, 6000)",
                "alter table shape add e numeric", "update shape set e = 1.5 where id % 3 = 0", "checkpoint",
                "alter table shape drop a", "alter table shape add a text default 'new'", "vacuum full shape",
                "alter table shape alter c type text", "insert into shape (id, c) values (0, 'zero')", "checkpoint",
                "alter table shape alter b type varchar(100)", "alter table shape set (helios.storage = row)",
                "checkpoint", "alter table shape set (helios.storage = %s)" % kind, "truncate shape",
                "insert into shape (id, c, e) select i, 'x', i from generate_series(1, 3000) i", "checkpoint"):
        s.run(ddl)
        if "helios.storage" not in ddl:
            s.run(ddl.replace("shape", "twin"))
        got, twin = s.both("after " + ddl, "select * from shape"), s.answer("select * from twin")
        check("the same as by rows after " + ddl, got == twin, "%s\n%s" % (str(got)[:300], str(twin)[:300]))
        s.both("after " + ddl, "select count(*), min(id), max(b) from shape")
    s.run("drop table shape, twin")
    s.run("begin; create table own (id int primary key, t text) with (helios.storage = %s); "
          "insert into own select i, 't' || i %% 10 from generate_series(1, 300) i" % kind)
    s.both("in the transaction that made it", "select t, count(*) from own group by t")
    s.run("rollback")


def views(server):
    """helios_htap and helios_segments: what is in memory, what is on disk, by rows and columns."""
    s = Session(server)
    s.run("create table seen (id int primary key, a int, b text) with (helios.storage = dual)")
    s.run("insert into seen select i, i % 10, 'b ' || i % 100 from generate_series(1, 5000) i")
    state = "select storage, delta_rows, column_rows, row_bytes > 0, column_bytes > 0, last_flush is not null," \
            " last_merge is not null from helios_htap where relname = 'seen'"
    check("all in memory", s.run(state) == [("dual", 5000, 0, False, False, False, False)], s.run(state))
    s.run("checkpoint")
    check("all on disk", s.run(state) == [("dual", 0, 5000, True, True, True, False)], s.run(state))
    s.run("update seen set a = 0 where id <= 7")
    check("7 in memory", s.run(state)[0][1:3] == (7, 5000), s.run(state))
    s.run("vacuum full seen")
    check("merged", s.run(state) == [("dual", 0, 5000, True, True, True, True)], s.run(state))
    lines = s.run("select kind, segment, rows, ratio > 1, encodings from helios_segments where relname = 'seen'"
                  " and kind <> 'history' order by kind")
    check("segments", [line[:4] for line in lines] == [("column", 0, 5000, True), ("row", None, 5000, None)], lines)
    said = dict(one.split(": ") for one in lines[0][4].split("; "))
    check("encodings", set(said) == {"id", "a", "b"} and said["b"].startswith("dictionary"), said)
    sums = s.run("select h.row_bytes, h.column_bytes, sum(g.bytes) filter (where g.kind = 'row'),"
                 " sum(g.bytes) filter (where g.kind = 'column') from helios_htap h join helios_segments g"
                 " using (schemaname, relname) where relname = 'seen' group by 1, 2")[0]
    check("bytes", sums[0] == sums[2] and sums[1] >= sums[3] > 0, sums)  # the index of columns is in no segment
    s.run("alter table seen set (helios.storage = row)")
    s.run("vacuum full seen")
    check("by rows", s.run(state)[0][:5] == ("row", 5000, 0, True, False), s.run(state))


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)
    print("seed %d" % seed)
    r = random.Random(seed)
    with Server(sys.argv[1]) as server:
        s = Session(server)
        s.run("create table plain (id int primary key)")
        s.run("set helios.default_storage = dual")
        s.run(TABLES)
        s.run(ROWS.format(1))
        s.run("insert into dim select i, 'name ' || i % 10 from generate_series(0, 90) i")
        options(server)
        equal(server, r, "in memory")
        s.run("checkpoint")
        explain(server)
        s.run(ROWS.format(10001))
        equal(server, r, "half in memory")
        s.run(CHANGES)
        equal(server, r, "changed")
        transactions(server)
        changes_by_columns(server)
        s.run("checkpoint")
        equal(server, r, "changed, on disk")
        s.run("vacuum full big")
        equal(server, r, "rewritten")
        for kind in ("dual", "column"):
            shapes(server, kind)
        views(server)
    print("%d failures" % len(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
