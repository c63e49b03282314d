#!/usr/bin/python3
"""helios import: what it takes files for, into a server and into a directory; and what it says when it cannot.

usage: import.py HELIOSD HELIOS"""
import os
import re
import subprocess
import sys
import tempfile

from session import Server, Session, same

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")


class Importer:
    def __init__(self, helios, place, server):
        self.helios, self.place = helios, place
        self.address = "postgresql://postgres@127.0.0.1:%d/postgres" % server.port

    def write(self, name, text):
        with open(os.path.join(self.place, name), "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        return name

    def run(self, *arguments, code=0, stdin=b"", target=None):
        """Standard output and error."""
        done = subprocess.run([self.helios, "import", *arguments, target or self.address], cwd=self.place, input=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        out, err = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == code, (arguments, done.returncode, out, err)
        return out, err

    def made(self, name, *more):
        """Columns as they would be made."""
        out = self.run(name, "--into", "x", "--create", "--dry-run", *more)[0]
        return re.findall(r'^    "(.*)" (.*?),?$', out, re.M), out.split(";\n")[1]


def inference(i):
    i.write("a.csv", "id,name,price,day,at,seen,ok,code,big,f,u,none,mixed\n"
            "1,x,1.50,2024-01-31,2024-01-31 10:00:00,2024-01-31T10:00:00Z,true,007,12345678901234567890,1e5,"
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,,1\n-2,,2,2024-02-29,2024-01-31,2024-01-31 10:00+01,FALSE,1,1,2.5,,,x\n")
    columns, copy = i.made("a.csv")
    same(columns, [("id", "bigint"), ("name", "text"), ("price", "numeric"), ("day", "date"), ("at", "timestamp"),
                   ("seen", "timestamptz"), ("ok", "boolean"), ("code", "text"), ("big", "numeric"),
                   ("f", "double precision"), ("u", "uuid"), ("none", "text"), ("mixed", "text")], "kinds")
    assert copy.endswith("FROM STDIN (FORMAT csv, DELIMITER E',', HEADER)"), copy
    i.write("b.txt", 'nr;text\n1;"a;b"\n2;"c\n""d"""\n')
    columns, copy = i.made("b.txt")
    same((columns, "DELIMITER E';', HEADER" in copy), ([("nr", "bigint"), ("text", "text")], True), "semicolons")
    i.write("c.tsv", "1\tx\n2\ty\n")
    columns, copy = i.made("c.tsv")
    same((columns, "HEADER" in copy), ([("column1", "bigint"), ("column2", "text")], False), "no header")
    same(i.made("c.tsv", "--header")[0], [("1", "bigint"), ("x", "text")], "told")
    same(i.made("c.tsv", "--text")[0], [("column1", "text"), ("column2", "text")], "text")
    i.write("d", '\ufeff{"id": 1, "s": "12", "d": "2024-01-01", "o": {"x": [1]}, "n": null}\n'
            '{"id": 2.5, "Späte": true, "d": null, "s": "x\\"}"}\n{"id": ')
    same(i.made("d", "--format", "json")[0], [("id", "numeric"), ("s", "text"), ("d", "date"), ("o", "text"), ("n", "text"),
                                              ("Späte", "boolean")], "json")
    same(i.made(os.path.join(FIXTURES, "zstd.parquet"))[0],
         [("id", "integer"), ("n", "bigint"), ("w", "text"), ("s", "text"), ("f", "double precision"), ("b", "boolean")], "parquet")
    same(i.made(os.path.join(FIXTURES, "nested.parquet"))[0], [("id", "integer")], "what can be read of it")


def loads(i, s):
    out, err = i.run("a.csv", "--into", "a", "--create")
    assert re.match(r"2 rows in \d+\.\d s \(.* rows/s, .*/s\)\n$", out) and not err, (out, err)
    same(s.ask("select id, name, price, ok, code from a order by id"),
         [(-2, None, 2, False, "1"), (1, "x", 1.5, True, "007")], "what is in it")
    i.run("b.txt", "--into", "public.b", "--create", "-q")
    same(s.ask("select * from b order by nr"), [(1, "a;b"), (2, 'c\n"d"')], "quotes")
    i.run("-", "--into", "b", "--format", "csv", "--columns", "text, nr", "--no-header", "--delimiter", "|", "--null", "-",
          stdin=b"x|3\n-|4\n")
    same(s.ask("select * from b where nr > 2 order by nr"), [(3, "x"), (4, None)], "standard input")
    many = "".join('{"n": %d, "t": "row %d"}\n' % (n, n) for n in range(200000))
    i.write("many.jsonl", many)
    out = i.run("many.jsonl", "--into", "many", "--create")[0]
    assert out.startswith("200,000 rows in "), out
    same(s.ask("select count(*), sum(n), count(distinct t) from many"), [(200000, 19999900000, 200000)], "many")
    i.run(os.path.join(FIXTURES, "zstd.parquet"), "--into", "p", "--create")
    i.run(os.path.join(FIXTURES, "snappy.parquet"), "--into", "p")
    same(s.ask("select count(*), count(distinct id) from p"), [(1000, 500)], "parquet, twice")


def fails(i, s):
    _, err = i.run("a.csv", "--into", "none", code=1)
    assert 'relation "none" does not exist' in err and "--create makes the table" in err and "Nothing was loaded." in err, err
    rows = 170000  # more than is looked at
    i.write("late.csv", "id,pad\n" + ("1," + "p" * 100 + "\n") * rows + "x,\n")
    _, err = i.run("late.csv", "--into", "late", "--create", code=1)
    assert 'invalid input syntax for type bigint: "x"' in err and "COPY late, line %d" % (rows + 2) in err, err
    assert "--text makes all" in err, err
    same(s.ask("select count(*) from pg_class where relname = 'late'"), [(0,)], "the table is gone with it")
    s.ask("create table bad (line bigint, reason text)")
    _, err = i.run("late.csv", "--into", "late", "--create", "--reject-table", "bad", "--reject-limit", "1")
    assert 'NOTICE: 1 row was skipped: see table "bad"' in err, err
    same(s.ask("select line from bad"), [(rows + 2,)], "the bad row")
    for arguments in (["none.csv", "--into", "t"], [".", "--into", "t"], ["a.csv", "--into", "t", "--format", "xml"],
                      ["a.csv", "--into", "t", "--nonsense"], ["a.csv", "--into", "t", "--nonsense", "x"], ["a.csv"],
                      ["d", "--into", "t", "--format", "parquet"], ["-", "--into", "t", "--format", "parquet"]):
        assert i.run(*arguments, code=2)[1], arguments
    i.write("empty.csv", "")
    assert "no columns" in i.run("empty.csv", "--into", "t", "--create", code=2)[1]


def progress(i):
    """What a terminal sees: a bar, how much and how fast, and nothing left of it at the end."""
    ours, theirs = os.openpty()
    p = subprocess.Popen([i.helios, "import", "many.jsonl", "--into", "many", i.address], cwd=i.place,
                         stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    seen = b""
    try:
        while True:
            seen += os.read(ours, 65536)
    except OSError:  # the other side is closed
        pass
    same(p.wait(60), 0, "with a terminal")
    os.close(ours)
    text = seen.decode()
    assert re.search(r"\r\x1b\[K\[#{24}\] 100%  6\.\d MB of 6\.\d MB  .*B/s  waiting for the server", text), text
    assert text.endswith("\r\x1b[K"), text


def directory(i, helios):
    data = os.path.join(i.place, "data")
    i.run("a.csv", "--into", "a", "--create", target=data)
    i.run("many.jsonl", "--into", "many", "--create", target=data)
    out = subprocess.run([helios, "sql", data, "-qAt", "-c", "select count(*) from a, many"], stdout=subprocess.PIPE, timeout=60)
    same(out.stdout, b"400000\n", "an embedded database")


def main():
    helios = os.path.abspath(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="helios-import-") as place, Server(sys.argv[1]) as server:
        i, s = Importer(helios, place, server), Session(server)
        inference(i)
        loads(i, s)
        progress(i)
        fails(i, s)
        directory(i, helios)
    print("files come into tables")


main()
