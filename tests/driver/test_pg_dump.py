#!/usr/bin/env python3
"""pg_dump 15 of a database of ours: what it writes is what it writes of PostgreSQL's, and loading it gives
the same database, rows and all.

    test_pg_dump.py HELIOSD
    test_pg_dump.py --update HOST PORT       write dumped.out anew from PostgreSQL's database
    HELIOS_TEST_POSTGRES="HOST PORT" test_pg_dump.py HELIOSD
                                             loads our dump into PostgreSQL, and PostgreSQL's into ours, too

dumped.sql makes the database; dumped.out is PostgreSQL's dump of it.
"""
import difflib
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.dont_write_bytecode = True
from server import Server, ServerError  # noqa: E402

SECONDS_MAX = 60
DIFF_LINES_MAX = 60
NAME = "helios_dumped"
# Whose words they are, and the token that newer clients guard a script with.
UNLIKE = re.compile(r"^(-- Dumped (from|by) .*|\\(un)?restrict .*)\n", re.M)
TABLES = """select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = relnamespace
    where relkind in ('r', 'v', 'm') and relispopulated and n.nspname !~ '^(pg_|information)' order by 1"""
# Views whose text is not laid out as PostgreSQL does: it must mean the same with an empty search path.
VIEWS = """
create schema looks;
set search_path = looks, public;
create table t (a int, b text);
insert into t values (1, 'x'), (2, 'y'), (2, null);
create function twice(int) returns int language sql immutable as 'select $1 * 2';
create function all_t() returns setof t language sql stable as 'select * from looks.t';
create type wrapped as (x int);
create view v01 as select * from (select a, twice(a) as d from t where exists (select 1 from t t2 where t2.a = t.a)) q
    where (q.a::text)::int > 0;
create view v02 as with c as (select a, row_number() over (order by b) r from t) select c.a, c.r, (row(1)::wrapped).x
    from c;
create view v03 as select a, (select max(b) from t) m, array(select b from t order by 1) arr from t
    union select 1, 'x', '{}' order by 1;
create view v04 as select g, x.* from generate_series(1, 3) g, lateral (select g * 2 as two) x;
create view v05 as select a from t where a in (select a from t) or a = any (select a from t);
create view v06 as values (1, 'a'), (2, 'b');
create view v07 as select a, sum(a) over w, lag(a, 2) over (partition by b order by a desc) from t
    window w as (partition by b);
create view v08 as select t.a, u.b from t join t u using (a);
create view v09 as select a, b from t group by grouping sets ((a), (a, b)), b;
create view v10 as (select a from t limit 3) union all (select a from t order by a) limit 7;
create view v11 as select a, b from all_t();
create materialized view v12 as select twice(a) from v08;
"""


def run(command, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    env.update(LC_ALL="C.UTF-8", PGCONNECT_TIMEOUT="10", PGCLIENTENCODING="UTF8")
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=SECONDS_MAX, **more)
    text = done.stdout.decode("utf-8")
    assert done.returncode == 0, "%s\n%s%s" % (" ".join(command), text[-2000:], done.stderr.decode()[-4000:])
    assert not done.stderr, "%s\n%s" % (" ".join(command), done.stderr.decode()[-4000:])
    return text


class Place:
    """A database that psql and pg_dump reach."""

    def __init__(self, host, port, name):
        self.to = ["-h", host, "-p", str(port), "-U", "postgres"]
        self.name = name

    def psql(self, *args, name=None):
        return run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", *self.to, "-d", name or self.name, *args])

    def make(self):
        self.psql("-c", "set client_min_messages = warning", "-c", "drop database if exists " + self.name,
                  name="postgres")
        self.psql("-c", "create database " + self.name, name="postgres")
        for role in ("dump_reader", "dump_writer"):
            if not self.psql("-c", "select 1 from pg_roles where rolname = '%s'" % role, name="postgres"):
                self.psql("-c", "create role " + role, name="postgres")
        return self

    def load(self, path):
        self.psql("-f", path)

    def load_text(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".sql", encoding="utf-8") as f:
            f.write(text)
            f.flush()
            self.load(f.name)

    def dump(self, *args):
        return UNLIKE.sub("", run(["pg_dump", *self.to, *args, self.name]))

    def rows(self):
        """Every relation's rows, in one order."""
        tables = self.psql("-c", TABLES).splitlines()
        commands = []
        for t in tables:
            commands += ["-c", "\\qecho ====", "-c", "select t::text from %s t order by t::text collate \"C\"" % t]
        return dict(zip(tables, self.psql(*commands).split("====\n")[1:]))


def same(got, want, what):
    if got != want:
        lines = difflib.unified_diff(want.splitlines(), got.splitlines(), "wanted", "got", lineterm="", n=4)
        raise AssertionError(what + "\n" + "\n".join(list(lines)[:DIFF_LINES_MAX]))
    print("ok  ", what, flush=True)


def same_rows(one, other, what):
    got, want = one.rows(), other.rows()
    assert len(want) > 10 and sum(map(bool, want.values())) > 8, want
    same(repr(sorted(got.items())).replace("\\n", "\n"), repr(sorted(want.items())).replace("\\n", "\n"), what)


def check_formats(place, back):
    """The other forms of a dump: an archive, and INSERTs."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "archive")
        run(["pg_dump", *place.to, "-Fc", "-f", path, place.name])
        run(["pg_restore", *back.make().to, "-d", back.name, "--exit-on-error", path])
        same_rows(back, place, "pg_dump -Fc and pg_restore")
        run(["pg_dump", *place.to, "-Fd", "-j2", "-f", path + "s", place.name])
        run(["pg_restore", *back.make().to, "-d", back.name, "-j2", "--exit-on-error", path + "s"])
        same_rows(back, place, "pg_dump -j2 and pg_restore -j2")
    back.make().load_text(place.dump("--inserts", "--column-inserts"))
    same_rows(back, place, "pg_dump --column-inserts")
    script = back.dump("--clean", "--if-exists")
    back.load_text(script)
    same(back.dump("--clean", "--if-exists"), script, "pg_dump --clean over what is there")


def check_views(host, port, reference):
    here, there = Place(host, port, NAME + "_views").make(), Place(host, port, NAME + "_again").make()
    here.load_text(VIEWS)
    dump = here.dump()
    there.load_text(dump)
    same(there.dump(), dump, "the dump of views")
    same_rows(there, here, "what views show")
    if reference:
        other = Place(*reference, NAME).make()
        other.load_text(dump)
        same_rows(other, here, "what views show in PostgreSQL")
        there.make().load_text(other.dump())
        same_rows(there, here, "what views show that PostgreSQL wrote")
        other.psql("-c", "drop database " + NAME, name="postgres")


def check(host, port, reference):
    here = Place(host, port, NAME).make()
    there = Place(host, port, NAME + "_again").make()
    here.load(os.path.join(HERE, "dumped.sql"))
    dump = here.dump()
    with open(os.path.join(HERE, "dumped.out"), encoding="utf-8") as f:
        same(dump, f.read(), "the dump is PostgreSQL's")
    there.load_text(dump)
    same(there.dump(), dump, "the dump of what a dump made")
    same_rows(there, here, "its rows")
    check_formats(here, there)
    if reference:
        other = Place(*reference, NAME).make()
        other.load_text(dump)
        same_rows(other, here, "rows in PostgreSQL")
        there.make().load_text(other.dump())
        same_rows(there, here, "rows back from PostgreSQL")
        same(there.dump(), dump, "the dump of what came back")
        other.psql("-c", "drop database " + NAME, name="postgres")


def update(host, port):
    place = Place(host, port, NAME).make()
    place.load(os.path.join(HERE, "dumped.sql"))
    with open(os.path.join(HERE, "dumped.out"), "w", encoding="utf-8") as f:
        f.write(place.dump())
    place.psql("-c", "drop database " + NAME, name="postgres")


def main(argv):
    if len(argv) == 3 and argv[0] == "--update":
        update(argv[1], argv[2])
        return 0
    if len(argv) != 1:
        print(__doc__)
        return 2
    reference = os.environ.get("HELIOS_TEST_POSTGRES", "").split()
    try:
        with Server(argv[0]) as server:
            check(server.host, server.port, reference)
            check_views(server.host, server.port, reference)
    except (ServerError, AssertionError, subprocess.TimeoutExpired) as e:
        print(e)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
