#!/usr/bin/python3
"""COPY in JSON format: lines in, lines out, what is wrong with a line.

usage: json_lines.py HELIOSD"""
import json
import sys

from session import Server, Session, same

SETUP = """
create table t (id int, v text, n numeric(10,2), b bool, d date, a int[], s text[]);
create table wide (id int, note varchar(5));
"""


def reads(s):
    lines = [
        '{"id": 1, "v": "one", "n": 1.5, "b": true, "d": "2024-02-29", "a": [1, null, 3], "s": ["x", "a\\"b\\\\c"]}',
        '',
        ' { "b" : false , "id" : 2, "v":"tab\\tnew\\nline \\u00e9 \\ud83d\\ude00 \\/" } \r',
        '{"v": {"deep": [1, {"x": "]}"}]}, "id": 3, "a": [[1, 2], [3, 4]], "s": []}',
        '{}',
        '{"id": 5, "v": null, "n": "7.25", "b": "t"}',
        '{"id": 6, "id": 7, "v": true}',
    ]
    same(s.take("copy t from stdin (format json)", "\ufeff" + "\n".join(lines)), 6, "rows")
    same(s.ask("select id, v, n::text, b, d::text, a, s from t order by id nulls last"), [
        (1, "one", "1.50", True, "2024-02-29", [1, None, 3], ["x", 'a"b\\c']),
        (2, "tab\tnew\nline é 😀 /", None, False, None, None, None),
        (3, '{"deep": [1, {"x": "]}"}]}', None, None, None, [[1, 2], [3, 4]], []),
        (5, None, "7.25", True, None, None, None),
        (7, "true", None, None, None, None, None),
        (None, None, None, None, None, None, None)], "what was read")
    s.ask("truncate t")
    s.take("copy t (v, id) from stdin with (format 'json')", '{"other": [{}], "id": 1, "v": "x"}\n')
    same(s.ask("select id, v from t"), [(1, "x")], "listed columns")
    s.ask("truncate t")


def refuses(s):
    def bad(line, state, words, detail=None, columns=""):
        got = s.error("copy t %s from stdin (format json)" % columns, '{"id": 1}\n' + line)
        same(got[0], state, line)
        assert words in got[1], (line, got)
        assert detail is None or detail in (got[2] or ""), (line, got)
        assert "COPY t, line 2" in got[3], (line, got)

    syntax = "invalid input syntax for type json"
    bad('{"id": 1', "22P02", syntax, "ends where")
    bad('{"id": 01}', "22P02", syntax, 'Expected "," or "}" at byte 9')
    bad('{"id": .5}', "22P02", syntax)
    bad('{"id": 1.}', "22P02", syntax)
    bad('{"id": 1e}', "22P02", syntax)
    bad('{"id": tru}', "22P02", syntax)
    bad('{"id" 1}', "22P02", syntax, '":"')
    bad('{id: 1}', "22P02", syntax, "a key")
    bad('{"id": 1,}', "22P02", syntax, "a key")
    bad('{"id": 1} x', "22P02", syntax, "the end of the line")
    bad('{"v": "a\tb"}', "22P02", syntax, "control character")
    bad('{"v": "\\x"}', "22P02", syntax, "an escape of")
    bad('{"v": "\\ud800x"}', "22P02", syntax, "low surrogate")
    bad('{"v": "\\u0000"}', "22P02", "unsupported Unicode escape")
    bad('{"a": [1, 2}', "22P02", syntax)
    bad('[{"id": 1}]', "22P04", "must be an object")
    bad('"x"', "22P02", syntax, '"{"')
    bad('{"nothing": 1}', "22P04", 'key "nothing" is no column of "t"')
    bad('{"id": "x"}', "22P02", 'invalid input syntax for type integer: "x"')
    bad('{"id": [1]}', "22P02", 'invalid input syntax for type integer: "[1]"')
    bad('{"v": ' + "[" * 300 + "]" * 300 + "}", "54001", "more than 200 deep")
    bad('{"a": ' + "[" * 300 + "]" * 300 + "}", "54001", "more than 200 deep")
    got = s.error("copy t from stdin (format json)", b'{"id": 1}\n{"v": "\xff\xfe"}\n')
    same((got[0], got[1], got[3]),
         ("22021", 'invalid byte sequence for encoding "UTF8": 0xff', "COPY t, line 2"), "bytes")
    got = s.error("copy wide from stdin (format json)", '{"id": 1, "note": "a long note"}')
    same(got[0], "22001", "too long")
    same(got[3], 'COPY wide, line 1, column note: "a long note"', "where")
    same(s.ask("select count(*) from t"), [(0,)], "nothing is left of them")
    for option in ("delimiter ','", "null ''", "header", "quote '\"'"):
        assert s.error("copy t from stdin (format json, %s)" % option)[0] in ("0A000", "42601"), option


def writes(s):
    s.ask("create type pair as (x int, y text); create table o (i int2, f float8, n numeric, b bool, v text, d date,"
          " ts timestamp, tz timestamptz, a text[], p pair, u uuid, by bytea)")
    s.ask("""insert into o values (1, 1.5, 'NaN', true, E'q" b\\\\ \\n \\x01', '2024-01-02', '2024-01-02 03:04:05.5',
        '2024-01-02 03:04:05+00', '{{a,NULL},{"b c",d}}', row(7, 'y'), '00000000-0000-0000-0000-000000000001', '\\x01ff'),
        (null, 'infinity', 12.50, null, '', 'infinity', null, null, '{}', null, null, null)""")
    out = s.give("copy o to stdout (format json)").decode()
    lines = [json.loads(line) for line in out.splitlines()]
    same(lines[0], {"i": 1, "f": 1.5, "n": "NaN", "b": True, "v": 'q" b\\ \n \x01', "d": "2024-01-02",
                    "ts": "2024-01-02T03:04:05.5", "tz": "2024-01-02T03:04:05+00:00",
                    "a": [["a", None], ["b c", "d"]], "p": {"x": 7, "y": "y"},
                    "u": "00000000-0000-0000-0000-000000000001", "by": "\\x01ff"}, "all kinds")
    same(lines[1], {"i": None, "f": "Infinity", "n": 12.50, "b": None, "v": "", "d": "infinity", "ts": None, "tz": None,
                    "a": [], "p": None, "u": None, "by": None}, "nothing much")
    s.ask("create table again as table o with no data")
    s.take("copy again (i, f, n, b, v, d, ts, tz, a, u, by) from stdin (format json)", out)
    columns = "i, f::text, n::text, b, v, d::text, ts, tz, a, u, by::text"
    same(s.ask("select %s from again order by i" % columns), s.ask("select %s from o order by i" % columns), "and back")
    same(s.give("copy (select 1 as \"a\"\"b\", 'x' as \"é\" union all select 2, 'y') to stdout (format json)").decode(),
         '{"a\\"b":1,"é":"x"}\n{"a\\"b":2,"é":"y"}\n', "a query")
    many = s.give("copy (select i as id, 'text ' || i as v from generate_series(1, 30000) i) to stdout (format json)")
    same(s.take("copy t from stdin (format json)", many), 30000, "many rows")
    same(s.ask("select count(*), sum(id), count(distinct v) from t"), [(30000, 450015000, 30000)], "their sum")


def main():
    with Server(sys.argv[1]) as server:
        s = Session(server)
        s.ask(SETUP)
        reads(s)
        refuses(s)
        writes(s)
    print("JSON lines come in and go out")


main()
