#!/usr/bin/python3
"""What a server tells of its statements: EXPLAIN in all forms, slow statements in the log,
helios_stat_statements.

usage: observe.py HELIOSD"""
import json
import os
import re
import sys
import time
import xml.etree.ElementTree as ET

import psycopg2

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from server import Server  # noqa: E402

SETUP = """
create table t (id int primary key, a text, b int);
insert into t select n, 'x' || n, n % 10 from generate_series(1, 20000) n;
checkpoint;
"""
SETTINGS = ["query.memory_limit=8MB", "helios_stat_statements.max=160", "log.format=json"]


class Session:
    def __init__(self, server, user="postgres"):
        self.db = psycopg2.connect(host="127.0.0.1", port=server.port, user=user, dbname="postgres")
        self.db.autocommit = True
        self.cursor = self.db.cursor()

    def ask(self, sql):
        self.cursor.execute(sql)
        return self.cursor.fetchall() if self.cursor.description else None

    def text(self, sql):
        return "\n".join(r[0] for r in self.ask(sql))

    def error(self, sql):
        try:
            self.cursor.execute(sql)
        except psycopg2.Error as e:
            return e.pgcode, e.diag.message_primary
        raise AssertionError("no error: " + sql)


# --- EXPLAIN --------------------------------------------------------------------------------------


def yaml_value(text):
    return json.loads(text) if text else None


def parse_yaml(lines, indent):
    """The subset that EXPLAIN writes: objects, lists of objects and of strings."""
    if lines and lines[0][:indent + 2] == " " * indent + "- ":
        found = []
        while lines and lines[0][:indent + 2] == " " * indent + "- ":
            rest = lines[0][indent + 2:]
            if rest.startswith('"'):
                found.append(json.loads(rest))
                lines.pop(0)
            else:
                lines[0] = " " * (indent + 2) + rest
                found.append(parse_yaml(lines, indent + 2))
        return found
    found = {}
    while lines and re.match(" {%d}[^ -]" % indent, lines[0]):
        name, value = lines.pop(0).strip().split(":", 1)
        found[name] = yaml_value(value.strip())
        if not value.strip():
            deeper = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
            found[name] = parse_yaml(lines, deeper) if deeper > indent else []
    return found


def plain(x):
    """An XML element as the same object in JSON is; tags keep their hyphens."""
    children = list(x)
    tag = re.sub("{.*}", "", x.tag)
    if tag in ("Plans", "Triggers"):
        return [plain(c) for c in children]
    if children and all(c.tag.endswith("Item") for c in children):
        return [c.text for c in children]
    if not children:
        return x.text if tag != "Triggers" else []
    return {re.sub("{.*}", "", c.tag): plain(c) for c in children}


def shape(value):
    """Names and texts; numbers and times differ from run to run."""
    if isinstance(value, dict):
        return {k.replace(" ", "-"): shape(v) for k, v in value.items()}
    if isinstance(value, list):
        return [shape(v) for v in value]
    if isinstance(value, str) and not re.fullmatch(r"[-\d.]+|true|false", value):
        return value
    return "number"


def explain_forms(s):
    what = ("(analyze, buffers, verbose, wal, settings, format {}) select b, count(*), min(a) from t"
            " where a <> 'x < \"y\" & z' and id in (select b from t) group by b order by 2 limit 3")
    s.ask("set work_mem = '64kB'")
    as_json = json.loads(s.text("explain " + what.format("json")))
    as_yaml = parse_yaml(s.text("explain " + what.format("yaml")).split("\n"), 0)
    root = ET.fromstring(s.text("explain " + what.format("xml")))
    as_xml = [plain(q) for q in root]
    assert as_json[0]["Settings"] == {"work_mem": "64kB"}, as_json[0]["Settings"]
    assert shape(as_json) == shape(as_yaml), f"{shape(as_json)}\n{shape(as_yaml)}"
    assert shape(as_json) == shape(as_xml), f"{shape(as_json)}\n{shape(as_xml)}"
    for name in ("Planning", "Planning Time", "Execution Time", "Triggers"):
        assert name in as_json[0], name
    s.ask("reset work_mem")
    assert "Settings" not in json.loads(s.text("explain (settings, format json) select 1"))[0]
    assert "Planning Time" in s.text("explain (summary) select 1")
    assert "Planning Time" not in s.text("explain select 1")


def nodes(plan):
    yield plan
    for p in plan.get("Plans", []):
        yield from nodes(p)


def explain_counts(s):
    def root(sql, options="analyze, buffers, wal, format json"):
        return json.loads(s.text(f"explain ({options}) {sql}"))[0]["Plan"]

    first, second = root("select count(*) from t"), root("select count(*) from t")
    blocks = first["Shared Hit Blocks"] + first["Shared Read Blocks"]
    assert blocks > 0 and second["Shared Read Blocks"] == 0 and second["Shared Hit Blocks"] == blocks
    for n in nodes(second):
        assert n["Shared Hit Blocks"] == blocks, n
    changed = root("update t set b = b + 1 where id <= 100")
    assert changed["WAL Records"] >= 100 and changed["WAL Bytes"] > 0, changed
    assert all(n["WAL Records"] == 0 for n in nodes(changed["Plans"][0]))
    assert "WAL: records=" in s.text("explain (analyze, wal) update t set b = b where id = 1")
    assert "Buffers: shared hit=" in s.text("explain (analyze, buffers) select count(*) from t")
    spilled = root("select a || b, count(*) from t, generate_series(1, 10) g group by g, a || b")
    assert spilled["Temp Written Blocks"] > 0 and spilled["Temp Read Blocks"] > 0, spilled
    assert any(n.get("HashAgg Batches", 0) > 1 for n in nodes(spilled)), spilled


def explain_errors(s):
    cases = {
        "explain (wal) select 1": ("22023", "EXPLAIN option WAL requires ANALYZE"),
        "explain (timing) select 1": ("22023", "EXPLAIN option TIMING requires ANALYZE"),
        "explain (format foo) select 1":
            ("22023", 'unrecognized value for EXPLAIN option "format": "foo"'),
        "explain (serialize) select 1": ("42601", 'unrecognized EXPLAIN option "serialize"'),
        "explain (analyze perhaps) select 1": ("42601", "analyze requires a Boolean value"),
    }
    for sql, wanted in cases.items():
        assert s.error(sql) == wanted, (sql, s.error(sql))


# --- the log --------------------------------------------------------------------------------------


def logged(server, mark, what):
    """The messages of the log behind the mark, once one has `what`."""
    for _ in range(200):
        found = [json.loads(line)["message"] for line in server.log[mark:] if line.startswith("{")]
        if any(what in m for m in found):
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} is not in the log: {found}")


def slow_log(server, s):
    mark = len(server.log)
    s.ask("select 'not logged'")
    s.ask("set log_min_duration_statement = 0")
    s.ask("select 'it\nis'")
    messages = logged(server, mark, "is'")
    assert not any("not logged" in m for m in messages)
    assert any(re.fullmatch(r"duration: \d+\.\d{3} ms  statement: select 'it\nis'", m) for m in messages)
    s.ask("set log_min_duration_statement = '1h'")
    s.ask("select 'too fast'")
    s.ask("set log_min_duration_statement = -1")
    s.ask("set auto_explain.log_min_duration = 0")
    s.ask("select count(*) from t where b = 4")
    plan = next(m for m in logged(server, mark, "Seq Scan") if "Seq Scan" in m)
    assert re.match(r"duration: \d+\.\d{3} ms  plan:\nQuery Text: select count\(\*\) from t where b = 4\n"
                    r"Aggregate  \(cost=[^)]*\)\n  ->  Seq Scan on t  \(cost=[^)]*\)\n", plan), plan
    s.ask("set auto_explain.log_analyze = on")
    s.ask("set auto_explain.log_buffers = on")
    s.ask("set auto_explain.log_format = json")
    assert s.ask("select a from t where id = 7") == [("x7",)]
    text = next(m for m in logged(server, mark, '"Actual Rows"') if '"Actual Rows"' in m)
    found = json.loads(text[text.index("["):])[0]
    assert found["Query Text"] == "select a from t where id = 7" and found["Plan"]["Actual Rows"] == 1
    assert "Shared Hit Blocks" in found["Plan"]
    s.ask("set auto_explain.log_min_duration = -1")
    assert not any("too fast" in line for line in server.log)
    assert s.ask("show auto_explain.log_min_duration") == [("-1",)]
    assert s.error("set auto_explain.log_format = html")[0] == "22023"


# --- helios_stat_statements ------------------------------------------------------------------------


def counted(s, like):
    return s.ask("select calls, rows, query, queryid, total_exec_time, min_exec_time, max_exec_time,"
                 f" mean_exec_time, plans from helios_stat_statements where query like '{like}'")


def stat_statements(server, s):
    s.ask("select helios_stat_statements_reset()")
    for n in range(5):
        s.ask(f"select a from t where id = {n}")
    s.ask("SELECT  a\nFROM t WHERE id=99 -- a comment")
    s.ask("prepare p as select a from t where id = $1")
    for n in range(4):
        s.ask(f"execute p({n})")
    (calls, rows, query, number, total, least, most, mean, plans), = counted(s, "select a from t %")
    assert (calls, rows, query) == (10, 8, "select a from t where id = $1"), (calls, rows, query)
    assert 0 <= least <= mean <= most <= total and abs(mean * calls - total) < 1e-6 * total + 1e-9
    assert 1 <= plans <= 10
    s.ask("begin")
    s.ask("declare c cursor for select id from t order by id")
    assert len(s.ask("fetch 7 from c")) == 7 and len(s.ask("fetch 5 from c")) == 5
    s.ask("close c")
    s.ask("create role eve password 'secret' login")
    s.ask("commit")
    assert not counted(s, "%secret%") and counted(s, "create role eve password $1 login")
    assert counted(s, "begin")[0][0] == 1
    cursor, = counted(s, "declare c cursor for %")
    assert cursor[1] in (0, 12), cursor
    assert not counted(s, "execute%") and not counted(s, "prepare%")
    s.ask("insert into t select n, 'y', 0 from generate_series(30001, 30010) n")
    wal = s.ask("select wal_records, wal_bytes > 0, rows from pg_stat_statements where query like 'insert%'")
    assert wal == [(10, True, 10)], wal
    s.ask("grant select on t to eve")
    eve = Session(server, "eve")
    assert eve.ask("select count(*) from t") == [(20010,)]
    assert eve.error("select pg_stat_statements_reset()")[0] == "42501"
    assert eve.error("set log_min_duration_statement = 0") == \
        ("42501", 'permission denied to set parameter "log_min_duration_statement"')
    seen = eve.ask("select query, queryid from pg_stat_statements where userid <> 'eve'::regrole")
    assert seen and set(seen) == {("<insufficient privilege>", None)}, seen
    s.ask(f"select pg_stat_statements_reset(0, 0, {number})")
    assert not counted(s, "select a from t %") and counted(s, "insert%")
    s.ask("execute p(1)")  # a plan whose entry is gone is counted again
    assert counted(s, "select a from t %")[0][:2] == (1, 1)


def eviction(s):
    s.ask("select helios_stat_statements_reset()")
    for n in range(40):
        s.ask(f"select b from t where id = {n}")
    for n in range(600):
        s.ask(f"select {n} as c{n}")
        if n % 20 == 0:
            s.ask(f"select b from t where id = {n}")
    (count,), = s.ask("select count(*) from helios_stat_statements")
    assert 80 <= count <= 160, count
    assert counted(s, "select b from t where id = $1")[0][0] == 70, "the most used one was driven out"
    (dealloc,), = s.ask("select dealloc from helios_stat_statements_info")
    assert dealloc > 0


def off(heliosd):
    with Server(heliosd, settings=["helios_stat_statements.track=none"]) as server:
        s = Session(server)
        assert s.ask("select 1") == [(1,)]
        assert s.ask("select count(*) from helios_stat_statements") == [(0,)]
        s.ask("select helios_stat_statements_reset()")


def main():
    with Server(sys.argv[1], settings=SETTINGS) as server:
        s = Session(server)
        for statement in SETUP.strip().split(";\n"):
            s.ask(statement)
        explain_forms(s)
        explain_counts(s)
        explain_errors(s)
        slow_log(server, s)
        stat_statements(server, s)
        eviction(s)
    off(sys.argv[1])


if __name__ == "__main__":
    main()
