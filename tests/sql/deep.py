#!/usr/bin/python3
"""Statements deeper and wider than any sensible one, as a simple and an extended query, prepared and in a
view: an answer, or an error that says which limit was met; and what never ends is cancelled.

usage: deep.py HELIOSD"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402
from wire import Wire  # noqa: E402

SETUP = ("create table part (id int primary key, brand text);"
         "insert into part select n, 'b' || n % 5 from generate_series(1, 200) n")
LIMITS = ("54001", "54011", "54000", "2201B", "42701")


def many(form, between, n):
    return between.join(form.format(i=i, j=i - 1, k=i + 1) for i in range(1, n))


def nest(opened, middle, closed, n):
    return opened * n + middle + closed * n


def statements(size):
    ids = ", ".join("id + %d" % i for i in range(size))
    return {
        "parentheses": "select " + nest("(", "1", ")", size * 3),
        "or": "select count(*) from part where " + many("id = {i} and brand = 'b{i}'", " or ", size),
        "in list": "select count(*) from part where id in (%s)" % many("{i}", ",", size),
        "in expressions": "select count(*) from part where id in (%s)" % ids,
        "functions": "select %s from part" % nest("abs(", "id", ")", size),
        "concatenation": "select %s from part limit 1" % many("brand", " || ", size),
        "casts": "select id%s from part" % ("::int::bigint" * size),
        "case within": "select %s from part" % nest("case id when 1 then ", "1", " end", size),
        "case after case": "select %s0%s from part" % (many("case when id = {i} then 1 else ", "", size), " end" * (size - 1)),
        "whens": "select case %s end from part" % many("when id = {i} then {i}", " ", size),
        "is null": "select %s from part" % nest("(", "id", " is null)", size),
        "union": many("select {i}", " union ", size // 3),
        "union to the right": nest("select 1 union (", "select 2", ")", size),
        "except to the left": nest("(", "select 1", " except select 2)", size),
        "scalar subqueries": "select " + nest("(select ", "1", ")", size),
        "subqueries": "select * from " + "(select * from " * size + "part" + many(" limit 9) s{i}", "", size + 1),
        "exists": "select 1 from part where " + nest("exists (select from part where ", "true", ")", size),
        "in or": "select 1 from part where " + nest("id = 3 or id in (select id from part where ", "true", ")", size),
        "joins": "select count(*) from part p0 " + many("join part p{i} on p{i}.id = p{j}.id", " ", size // 15),
        "many joins": "select count(*) from part p0 " + many("join part p{i} on p{i}.id = p{j}.id", " ", size // 3),
        "nested joins": "select count(*) from %spart p1%s" % (
            "(" * (size // 3), many(" left join part p{k} on p{k}.id = p{i}.id)", "", size // 3 + 1)),
        "with after with": "with c0 as (select 1 as a), %s select * from c%d" % (
            many("c{i} as (select a + 1 as a from c{j})", ", ", size // 3), size // 3 - 1),
        "with in with": nest("with c as (", "select 1", ") select * from c", size),
        "arrays": "select " + nest("array[", "1", "]", size),
        "targets": "select " + many("{i} as c{i}", ", ", size),
        "group by": "select 1 from part group by " + ids,
        "order by": "select 1 from part order by " + ids,
        "aggregates": "select %s from part" % many("sum(id + {i}) as c{i}", ", ", size // 3),
        "windows": "select %s from part" % many("sum(id) over (order by id + {i}) as c{i}", ", ", size // 10),
        "cube": "select 1 from part group by cube (%s)" % ids,
        "rollup": "select 1 from part group by rollup (%s)" % ids,
        "cube and columns": "select 1 from part group by cube (%s), %s" % (
            ", ".join("id - %d" % i for i in range(12)), ", ".join("id + %d" % i for i in range(1500))),
        "sets": "select count(*) from (select 1 from part group by grouping sets (%s)) s" % many("(id, brand)", ",", size),
        "pattern": "select 'a' ~ '%s'" % nest("(", "a", ")", size),
    }


ENDLESS = [
    "select count(*) from part a, part b, part c, part d, part e where a.id + b.id + c.id + d.id + e.id < 0",
    "select count(*) from generate_series(1, 1000000000) a, generate_series(1, 1000000000) b",
    "with recursive r(n) as (select 1 union all select n from r) select count(*) from r",
]


def errors(wire):
    return [wire.fields(body)["C"] for kind, body in wire.until(b"Z") if kind == b"E"]


def simple(wire, *texts):
    found = []
    for text in texts:
        wire.query(text)
        found += errors(wire)
    return found


def extended(wire, text):
    m = wire.message
    wire.socket.sendall(m(b"P", b"\0" + text.encode() + b"\0\0\0") + m(b"B", b"\0" * 8) + m(b"D", b"P\0")
                        + m(b"E", b"\0" * 5) + m(b"S", b""))
    return errors(wire)


def prepared(wire, text):
    found = simple(wire, "prepare p as " + text)
    return found or simple(wire, "execute p", "deallocate p")


def viewed(wire, text):
    found = simple(wire, "create view v as " + text)
    return found or simple(wire, "select count(*) from v", "select pg_get_viewdef('v'::regclass)", "drop view v")


def main():
    answered = 0
    with Server(sys.argv[1]) as server:
        wire = Wire(server)
        wire.socket.settimeout(60)
        assert not simple(wire, SETUP)
        for size, runs in ((30, (simple, extended, prepared, viewed)), (1500, (viewed,)), (3000, (simple,))):
            for name, text in statements(size).items():
                for run in runs:
                    found = run(wire, text)
                    allowed = LIMITS if size > 1000 or name.startswith(("cube", "arrays")) else ()
                    assert set(found) <= set(allowed), "%d %s, %s: %s" % (size, name, run.__name__, found)
                    answered += not found
        simple(wire, "set query.memory_limit = '1MB'")
        found = simple(wire, statements(6000)["nested joins"])
        assert found == ["53200"], found
        simple(wire, "reset query.memory_limit", "set statement_timeout = 50")
        for text in ENDLESS:
            found = simple(wire, text)
            assert found == ["57014"], "%s: %s" % (text, found)
        assert not simple(wire, "select 1")
        wire.close()
    print("%d statements were answered, the others met a limit" % answered)


main()
