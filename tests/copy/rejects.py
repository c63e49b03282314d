#!/usr/bin/python3
"""COPY FROM that passes bad rows over: how many, what is kept of them, and what is not forgiven.

usage: rejects.py HELIOSD"""
import os
import sys

from session import Server, Session, same

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
SETUP = """
create table t (id int primary key, v varchar(5), d date);
create table bad (table_name text, source text, line bigint, column_name text, sqlstate text, reason text, "row" text,
                  seen timestamptz default now());
create table few (line bigint, reason text);
"""
KEPT = "select line, column_name, sqlstate, reason, \"row\" from bad order by line"


def loads(s, options, data, rows, kept, notice):
    del s.db.notices[:]
    same(s.take("copy t from stdin (%s)" % options, data), rows, options)
    same(s.ask(KEPT), kept, options)
    same([n.strip() for n in s.db.notices], notice, options)
    same(s.ask("select distinct table_name, source from bad"), [("t", "STDIN")] if kept else [], options)
    got = s.ask("select id, v from t order by id")
    s.ask("truncate t; truncate bad")
    return got


def formats(s):
    told = ['NOTICE:  5 rows were skipped: see table "bad"']
    got = loads(s, "format csv, header, reject_table 'bad'",
                b'id,v,d\n1,a,2024-01-01\nx,b,\n2,"two\nlines\nhere",\n3,c,2024-02-30\n4\n5,\xff,\n6,f,\n7,g,,h\n8,,\n', 3, [
                    (3, "id", "22P02", 'invalid input syntax for type integer: "x"', "x,b,"),
                    (6, "v", "22001", "value too long for type character varying(5)", '2,"two\nlines\nhere",'),
                    (7, "d", "22008", 'date/time field value out of range: "2024-02-30"', "3,c,2024-02-30"),
                    (8, None, "22P04", 'missing data for column "v"', "4"),
                    (9, None, "22021", 'invalid byte sequence for encoding "UTF8": 0xff', None),
                    (11, None, "22P04", "extra data after last expected column", "7,g,,h")],
                ['NOTICE:  6 rows were skipped: see table "bad"'])
    same(got, [(1, "a"), (6, "f"), (8, None)], "csv")
    got = loads(s, "on_error ignore, reject_table 'public.bad', reject_limit 5",
                "1\ta\t\\N\n\\N\tb\n2\tlonger than five\t\\N\n3\tc\tno\n\n5\te\t\\N\textra\n6\tf\t\\N\n", 2, [
                    (2, None, "22P04", 'missing data for column "d"', "\\N\tb"),
                    (3, "v", "22001", "value too long for type character varying(5)", "2\tlonger than five\t\\N"),
                    (4, "d", "22007", 'invalid input syntax for type date: "no"', "3\tc\tno"),
                    (5, "id", "22P02", 'invalid input syntax for type integer: ""', ""),
                    (6, None, "22P04", "extra data after last expected column", "5\te\t\\N\textra")], told)
    same(got, [(1, "a"), (6, "f")], "text")
    got = loads(s, "format json, reject_table 'bad'",
                '{"id": 1}\n{"id": 2\n\n{"id": 3, "w": 1}\n{"id": 4, "d": "x"}\n{"id": 5, "v": null}', 2, [
                    (2, None, "22P02", "invalid input syntax for type json: The line ends where \",\" or \"}\" is expected; "
                     "each line must be a whole object.", '{"id": 2'),
                    (4, None, "22P04", 'key "w" is no column of "t"', '{"id": 3, "w": 1}'),
                    (5, "d", "22007", 'invalid input syntax for type date: "x"', '{"id": 4, "d": "x"}')],
                ['NOTICE:  3 rows were skipped: see table "bad"'])
    same(got, [(1, None), (5, None)], "json")
    del s.db.notices[:]
    same(s.take("copy t (id) from stdin (on_error 'ignore')", "1\nx\n3\n"), 2, "without a table")
    same(s.ask("select count(*) from t"), [(2,)], "without a table")
    same([n.strip() for n in s.db.notices], ["NOTICE:  1 row was skipped due to data type incompatibility"], "its notice")
    s.ask("truncate t")


def parquet(s):
    with open(os.path.join(FIXTURES, "groups.parquet"), "rb") as f:
        data = f.read()
    s.ask("create table p (id int, w varchar(6), n int4)")
    fine = [(i, None if i % 5 == 0 else "word %d" % (i % 7), i * i * 1000003) for i in range(3000) if i * i * 1000003 < 1 << 31]
    same(s.take("copy p from stdin (format parquet, reject_table 'bad')", data_of(s, data)), len(fine), "rows")
    same(s.ask("select id, w, n from p order by id"), fine, "values")
    same(s.ask("select count(*), min(line), max(line), min(column_name), min(sqlstate), count(distinct reason) from bad"),
         [(3000 - len(fine), len(fine) + 1, 3000, "n", "22003", 3000 - len(fine))], "rejects")
    s.ask("truncate bad; truncate p")


def data_of(s, data):
    s.ask("create table all_of_it (id int, n bigint, w text, s text, f float8, b bool)")
    s.take("copy all_of_it from stdin (format parquet)", data)
    return s.give("copy (select id, w, n from all_of_it order by id) to stdout (format parquet)")


def limits(s):
    got = s.error("copy t (id) from stdin (reject_table 'bad', reject_limit 2)", "1\na\nb\nc\n")
    same(got, ("22P02", "skipped more than REJECT_LIMIT (2) rows due to data type incompatibility",
               'The last of them: invalid input syntax for type integer: "c"', 'COPY t, line 4, column id: "c"'), "limit")
    same(s.error("copy t (id) from stdin (reject_table 'bad')", "1\nx\n1\n")[0], "23505", "a key is no bad row")
    same(s.ask("select (select count(*) from t), (select count(*) from bad)"), [(0, 0)], "nothing, not even rejects")
    s.ask("begin")
    s.take("copy t (id) from stdin (reject_table 'bad')", "1\nx\n")
    s.ask("rollback")
    same(s.ask("select (select count(*) from t), (select count(*) from bad)"), [(0, 0)], "rolled back with it")
    lines = "".join("%s\n" % (n if n % 3 else "x%d" % n) for n in range(1, 30001))
    same(s.take("copy t (id) from stdin (reject_table 'few')", lines), 20000, "many rows")
    same(s.ask("select count(*), sum(line), min(reason) from few"),
         [(10000, 150015000, 'invalid input syntax for type integer: "x10002"')], "many rejects")
    s.ask("truncate t")


def refuses(s):
    for options, words in (
            ("reject_limit 3", "COPY REJECT_LIMIT requires ON_ERROR to be set to IGNORE"),
            ("on_error stop, reject_table 'bad'", "COPY REJECT_TABLE requires ON_ERROR to be set to IGNORE"),
            ("on_error ignore, reject_limit 0", "REJECT_LIMIT (0) must be greater than zero"),
            ("on_error ignore, reject_limit 'x'", "reject_limit requires a numeric value"),
            ("on_error never", 'COPY ON_ERROR "never" not recognized'),
            ("format binary, on_error ignore", "only ON_ERROR STOP is allowed in BINARY mode"),
            ("reject_table 'none'", 'relation "none" does not exist'),
            ("reject_table 'pg_class'", '"pg_class" is no table that rows can be copied to'),
            ("reject_table 'shape'", 'column "line" of the reject table must be bigint'),
            ("reject_table 'nothing'", 'the reject table "nothing" has none of the columns that it needs')):
        same(s.error("copy t from stdin (%s)" % options, "")[1], words, options)
    same(s.error("copy t to stdout (on_error ignore)")[1], "COPY ON_ERROR cannot be used with COPY TO", "to")
    same(s.error("copy t to stdout (reject_table 'bad')")[1], "COPY REJECT_TABLE cannot be used with COPY TO", "to")


def main():
    with Server(sys.argv[1]) as server:
        s = Session(server)
        s.ask(SETUP + "create table shape (line text); create table nothing (x int);")
        formats(s)
        parquet(s)
        limits(s)
        refuses(s)
    print("bad rows are passed over and kept")


main()
