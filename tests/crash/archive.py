#!/usr/bin/python3
"""Point-in-time restores: a backup taken under load and the archived log give, at any commit, what AS OF says that the
source had then, across kills of the server; with tables made and dropped, bulk loads, branches, prepared transactions
and roles. Whatever is missing or damaged is refused and named. An archive that cannot be written stops nobody until its
bound, and fills up afterwards.

usage: archive.py HELIOSD [TARGETS] [SEED]"""
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402

WRITERS, SECONDS, DAMAGES = 3, 0.8, 6
SMALL = ["wal.file_bytes=1MB", "memtable_bytes=1MB", "memtable_total_bytes=8MB", "wal.archive_timeout=300ms"]

SETUP = """
create table accounts (id int primary key, balance int not null, note text);
insert into accounts select i, 100, repeat('n', i %% 50) from generate_series(1, %d) i;
create index on accounts (balance);
create table moves (id bigserial primary key, a int, b int, amount int);
create table loaded (id int primary key, pad text);
"""
ACCOUNTS = 100


class Tool:
    def __init__(self, heliosd):
        self.path = os.path.join(os.path.dirname(os.path.abspath(heliosd)), "helios")

    def run(self, *arguments):
        return subprocess.run([self.path, *map(str, arguments)], capture_output=True, text=True, timeout=120)

    def must(self, *arguments):
        done = self.run(*arguments)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def refused(self, words, *arguments):
        done = self.run(*arguments)
        assert done.returncode != 0 and words in done.stderr, (words, arguments, done)
        return done.stderr


def connect(server, **more):
    c = psycopg2.connect(host=server.host, port=server.port, user="postgres", dbname="postgres", **more)
    c.autocommit = True
    return c


def one(server, sql):
    q = connect(server).cursor()
    q.execute(sql)
    row = q.fetchone()
    q.connection.close()
    return row[0]


def address(server):
    return "host=%s port=%d user=postgres dbname=postgres" % (server.host, server.port)


def contents(server, at=None, branch=None):
    """All tables of the schema public and their rows; `at`: a transaction's number, of which AS OF is asked."""
    c = connect(server)
    q = c.cursor()
    if branch:
        q.execute('use branch "%s"' % branch)
    moment = " as of transaction %d" % at if at else ""
    q.execute("select c.relname from pg_class%s c join pg_namespace%s n on n.oid = c.relnamespace"
              " where c.relkind = 'r' and n.nspname = 'public' order by 1" % (moment, moment)
              if not at else "select 1")
    names = [r[0] for r in q.fetchall()] if not at else None
    if at:
        q.execute("select helios_transaction_time(%s)", (at,))
        names = []
        for name in TABLES:
            try:
                q.execute("select 1 from %s as of transaction %d limit 0" % (name, at))
                names.append(name)
            except psycopg2.errors.UndefinedTable:
                pass
    out = {}
    for name in names:
        q.execute('select * from %s%s' % (name, moment))
        out[name] = sorted(map(repr, q.fetchall()))
    c.close()
    return out


TABLES = ["accounts", "loaded", "moves"] + ["extra%d" % i for i in range(8)] + ["sink%d" % i for i in range(8)]


class Load:
    def __init__(self, server, seed):
        self.server, self.seed = server, seed
        self.stop, self.commits, self.errors = threading.Event(), [], []
        self.threads = [threading.Thread(target=self.work, args=(seed + i, i)) for i in range(WRITERS)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for t in self.threads:
            t.join()
        assert not self.errors, self.errors

    def work(self, seed, number):
        r = random.Random(seed)
        try:
            self.transactions(r, number)
        except psycopg2.OperationalError:
            pass  # the server was killed
        except Exception as e:  # pylint: disable=broad-except
            self.errors.append(repr(e))

    def transactions(self, r, number):
        c = connect(self.server)
        q = c.cursor()
        q.execute("set lock_timeout = '5s'")
        while not self.stop.is_set():
            a, b = sorted(r.sample(range(1, ACCOUNTS + 1), 2))
            amount = 1 + r.randrange(50)
            q.execute("begin")
            q.execute("update accounts set balance = balance - %s where id = %s", (amount, a))
            q.execute("insert into moves (a, b, amount) values (%s, %s, %s)", (a, b, amount))
            q.execute("update accounts set balance = balance + %s where id = %s", (amount, b))
            q.execute("commit" if r.randrange(8) else "rollback")
            if r.randrange(12) == 0:
                q.execute("drop table if exists extra%d" % number)
                q.execute("create table extra%d (a int primary key, b text default 'x')" % number)
                q.execute("insert into extra%d select generate_series(1, %d)" % (number, r.randrange(60)))
            if r.randrange(12) == 0:
                q.execute("alter table accounts add column c%d_%d int default %d" % (number, r.randrange(1 << 30), amount))
            if r.randrange(10) == 0:  # enough for a bulk load, into a new table, too
                base = r.randrange(1 << 30)
                q.execute("begin")
                q.execute("insert into loaded select i, repeat(md5(i::text), 8) from generate_series(%d, %d) i"
                          " on conflict do nothing" % (base, base + 300))
                q.execute("drop table if exists sink%d" % number)
                q.execute("create table sink%d as select i, repeat(md5(i::text), 10) t from"
                          " generate_series(1, 1500) i" % number)
                q.execute("commit")
            q.execute("select pg_current_scn()")
            self.commits.append(q.fetchone()[0])


def wait_archived(server):
    """All that has been committed is in the archive."""
    lsn = one(server, "select pg_switch_wal()")
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if one(server, "select waiting_bytes from pg_stat_archiver") == 0:
            return lsn
        time.sleep(0.05)
    raise AssertionError("the log is not archived: %s" % one(server, "select last_failure from pg_stat_archiver"))


class Place:
    """What the parts of this test share."""

    def __init__(self, heliosd, folder, seed):
        self.heliosd, self.folder, self.tool = heliosd, folder, Tool(heliosd)
        self.random = random.Random(seed)
        self.archive, self.data = os.path.join(folder, "archive"), os.path.join(folder, "source")
        self.count = 0
        os.mkdir(self.archive)

    def source(self, *more):
        return Server(self.heliosd, data=self.data,
                      settings=[*SMALL, "wal.archive_directory=" + self.archive, *more])

    def name(self, what):
        self.count += 1
        return os.path.join(self.folder, "%s%d" % (what, self.count))

    def restored(self, backup, *more):
        where = self.name("restored")
        told = self.tool.must("restore", backup, where, *more)
        if self.count % 3 == 0:
            self.tool.must("verify", where)
        return Server(self.heliosd, data=where, settings=SMALL), told


def same(found, expected, what=""):
    """Tells where two states differ, not how long they are."""
    if found == expected:
        return
    for k in sorted(set(found) | set(expected)):
        a, b = found.get(k), expected.get(k)
        if a == b:
            continue
        if isinstance(a, dict) and isinstance(b, dict):
            same(a, b, "%s %s" % (what, k))
        extra = [x for x in a or [] if x not in (b or [])][:3]
        lacks = [x for x in b or [] if x not in (a or [])][:3]
        raise AssertionError("%s %s differs: too much %s, lacks %s" % (what, k, extra, lacks))


def branches(server):
    q = connect(server).cursor()
    q.execute("select name, parent from helios_branches order by 1")
    rows = q.fetchall()
    q.connection.close()
    return rows


def whole_state(server):
    q = connect(server).cursor()
    out = {"main": contents(server)}
    for name, sql in {"roles": "select rolname, rolcanlogin from pg_roles order by 1",
                      "prepared": "select gid from pg_prepared_xacts order by 1",
                      "databases": "select datname from pg_database order by 1"}.items():
        q.execute(sql)
        out[name] = q.fetchall()
    q.connection.close()
    out["branches"] = branches(server)
    for name, _ in out["branches"]:
        if name != "main":
            out[name] = contents(server, branch=name)
    return out


def special_things(server):
    """What is not rows of the main line, after the backup."""
    q = connect(server).cursor()
    for sql in ("create role keeper login", "create role gone", "drop role gone", "create database other",
                "create branch early from main", "use branch early",
                "update accounts set balance = 1 where id <= 10", "create table only_here (a int primary key)",
                "insert into only_here select generate_series(1, 20)", "use branch main",
                "update accounts set balance = 7 where id between 5 and 15",
                "create branch nested from early", "use branch nested",
                "delete from accounts where id > 50", "use branch main",
                "create branch dropped from main", "drop branch dropped",
                "create branch merged from main", "use branch merged", "create table from_branch (a int)",
                "insert into from_branch values (1), (2)", "use branch main", "merge branch merged into main",
                "begin", "update accounts set note = 'prepared' where id = 3",
                "insert into loaded select i, repeat(md5(i::text), 10) from generate_series(1900000000, 1900001999) i",
                "prepare transaction 'kept'",
                "begin", "update accounts set note = 'gone' where id = 4", "prepare transaction 'rolled'",
                "rollback prepared 'rolled'"):
        q.execute(sql)
    q.connection.close()


def at_commits(place, targets):
    """The oracle: AS OF of the source. The server is killed in between, and goes on archiving."""
    commits = []
    with place.source() as server:
        connect(server).cursor().execute(SETUP % ACCOUNTS)
        with Load(server, place.random.randrange(1 << 30)) as load:
            time.sleep(SECONDS / 3)
            base = place.name("backup")
            place.tool.must("backup", address(server), base, *place.random.choice([[], ["--compress"]]))
            backup_ts = int(re.search(r"transaction (\d+)", place.tool.must("verify", base)).group(1))
            time.sleep(SECONDS)
            server.kill()
        commits += load.commits
        server.port = None
        server.ready.clear()
        server.start()
        with Load(server, place.random.randrange(1 << 30)) as load:
            time.sleep(SECONDS)
        commits += load.commits
        special_things(server)
        wait_archived(server)
        after = sorted(c for c in commits if c > backup_ts)
        assert len(after) > 20, "only %d commits" % len(after)
        other, _ = place.restored(base)
        with other:
            same(contents(other), contents(server, backup_ts), "the backup")
        chosen = [backup_ts, after[-1], *place.random.sample(after, targets)]
        for n in chosen:
            other, told = place.restored(base, "--archive", place.archive, "--to-transaction", n)
            with other:
                same(contents(other), contents(server, n), "transaction %d" % n)
        n = place.random.choice(after)
        moment = one(server, "select helios_transaction_time(%d)::text" % n)
        exact = one(server, "select helios_transaction_at('%s')" % moment)
        other, told = place.restored(base, "--archive", place.archive, "--to-time", moment)
        with other:
            same(contents(other), contents(server, exact), "time %s" % moment)
        before = whole_state(server)
        other, told = place.restored(base, "--archive", place.archive)
        with other:
            same(whole_state(other), before, "latest")
            for n in [backup_ts, *place.random.sample(after, 2)]:
                same(contents(other, n), contents(server, n), "the past of the restored, transaction %d" % n)
            q = connect(other).cursor()
            q.execute("commit prepared 'kept'")
            q.execute("select note from accounts where id = 3")
            assert q.fetchone() == ("prepared",)
            q.execute("select count(*), count(distinct pad) from loaded where id >= 1900000000")
            assert q.fetchone() == (2000, 2000)  # which the log has, or the archive
            q.execute("select * from helios_verify() where problem is not null")
            assert q.fetchall() == []
            q.execute("insert into moves (a) values (1) returning id = (select max(id) from moves)")
            assert q.fetchone() is not None  # its number is nobody's yet
            q.connection.close()
    print("%d commits, restored at %d of them" % (len(commits), len(chosen) + 1))
    return base, backup_ts, after


def refusals(place, base, backup_ts, after):
    tool, archive = place.tool, place.archive
    target = place.name("nowhere")
    names = sorted(os.listdir(archive))
    assert len(names) > 5 and all(re.fullmatch(r"[0-9a-f]{16}\.hwa", n) for n in names), names
    tool.refused("before consistent recovery point", "restore", base, target, "--archive", archive,
                 "--to-transaction", backup_ts - 2)
    tool.refused("recovery ended before configured recovery target was reached", "restore", base, target,
                 "--archive", archive, "--to-time", "2100-01-01")
    tool.refused("does not exist", "restore", base, target, "--archive", place.name("no-archive"))
    tool.refused("Usage", "restore", base, target, "--to-transaction", after[-1])
    tool.refused("invalid input syntax", "restore", base, target, "--archive", archive, "--to-time", "soon")
    # A segment is missing: what lies before it can be had, the rest is refused, and it is named.
    log_end = int.from_bytes(open(base, "rb").read()[32 + 56:32 + 64], "little")
    later = [n for n in names if int(n[:16], 16) >= log_end]
    hidden = later[len(later) // 2]
    os.rename(os.path.join(archive, hidden), os.path.join(place.folder, hidden))
    assert hidden in tool.refused("is missing", "restore", base, target, "--archive", archive)
    tool.must("restore", base, target, "--archive", archive, "--to-transaction", backup_ts)
    shutil.rmtree(target)
    os.rename(os.path.join(place.folder, hidden), os.path.join(archive, hidden))
    damaged(place, base, later)


def damaged(place, base, later):
    archive, target = place.archive, place.name("nowhere")
    for i in range(DAMAGES):
        name = place.random.choice(later)
        path = os.path.join(archive, name)
        with open(path, "rb") as f:
            whole = f.read()
        at = place.random.randrange(len(whole))
        if i % 2:
            data = whole[:at]
        else:
            data = bytearray(whole)
            data[at] ^= 1 << place.random.randrange(8)
        with open(path, "wb") as f:
            f.write(data)
        said = place.tool.refused("log segment", "restore", base, target, "--archive", archive)
        assert name in said and re.search(r"offset \d+", said), (name, at, said)
        assert not os.path.exists(target) and not os.path.exists(target + ".part")
        with open(path, "wb") as f:
            f.write(whole)


def incremental(place):
    """A chain: each copies what the one before has not; all are needed, and each is checked."""
    tool, chain = place.tool, []
    with place.source() as server:
        q = connect(server).cursor()
        q.execute("create table big (id int primary key, t text)")
        q.execute("insert into big select i, md5(i::text) || md5((i + 1)::text) from generate_series(1, 30000) i")
        q.execute("checkpoint")
        for i in range(3):
            backup = place.name("chain")
            tool.must("backup", address(server), backup, *(["--incremental-from", chain[-1]] if chain else []),
                      *(place.random.choice([[], ["--compress"]]) if chain else []))
            chain.append(backup)
            q.execute("insert into moves (a, b, amount) select 1, 2, i from generate_series(1, 200) i")
            q.execute("checkpoint")
        sizes = [os.path.getsize(b) for b in chain]
        assert sizes[1] < sizes[0] / 2 and sizes[2] < sizes[0] / 2, sizes
        ts = int(re.search(r"transaction (\d+)", tool.must("verify", chain[-1])).group(1))
        expected = contents(server, ts)
        expected["big"] = sorted(map(repr, rows(server, "select * from big")))
        with place.restored(chain[-1])[0] as other:
            found = contents(other)
            found.pop("from_branch", None)
            same(found, expected, "incremental")
        aside = place.name("elsewhere")
        os.mkdir(aside)
        tool.refused("does not lie in the directory", "backup", address(server), os.path.join(aside, "x"),
                     "--incremental-from", chain[-1])
        q.connection.close()
    os.rename(chain[0], chain[0] + ".away")
    said = tool.refused("which is not there", "verify", chain[-1])
    assert chain[0] in said
    shutil.copy(chain[1], chain[0])
    tool.refused("is not the one of that name", "restore", chain[-1], place.name("nowhere"))
    os.rename(chain[0] + ".away", chain[0])
    with open(chain[0], "r+b") as f:
        at = sizes[0] // 2
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 4]))
    said = tool.refused("is damaged in block", "restore", chain[-1], place.name("nowhere"))
    assert chain[0] in said and "offset" in said


def rows(server, sql):
    q = connect(server).cursor()
    q.execute(sql)
    out = q.fetchall()
    q.connection.close()
    return out


def unreachable(place):
    """Writes go on while the archive is away, up to the bound; when it is back, nothing is missing."""
    away = place.archive + ".away"
    with place.source("wal.archive_bytes_max=3MB") as server:
        c = connect(server)
        q = c.cursor()
        q.execute("rollback prepared 'kept'")
        wait_archived(server)
        before = one(server, "select failed_count from pg_stat_archiver")
        os.rename(place.archive, away)
        q.execute("insert into moves (a, b, amount) values (1, 1, 1)")
        refused, rounds = None, 0
        end = time.monotonic() + 30
        while not refused and time.monotonic() < end:
            rounds += 1
            try:
                q.execute("update accounts set note = repeat('x', 1000)")
            except psycopg2.Error as e:
                refused = e.pgcode
        assert refused == "53100" and rounds > 5, (refused, rounds)
        q.execute("select failed_count, last_failure from pg_stat_archiver")
        failed, why = q.fetchone()
        assert failed > before and "does not exist" in why or "No such file" in why, (failed, why)
        q.execute("select count(*) from accounts")  # reads go on
        os.rename(away, place.archive)
        end = time.monotonic() + 20
        while refused and time.monotonic() < end:
            try:
                q.execute("insert into moves (a, b, amount) values (2, 2, 2)")
                refused = None
            except psycopg2.Error:
                time.sleep(0.1)
        assert not refused, "writes did not come back"
        wait_archived(server)
        c.close()
        return contents(server)


def main(argv):
    targets = int(argv[1]) if len(argv) > 1 else 4
    seed = int(argv[2]) if len(argv) > 2 else random.randrange(1 << 30)
    print("seed %d" % seed, flush=True)
    folder = tempfile.mkdtemp(prefix="helios-archive-")
    try:
        place = Place(argv[0], folder, seed)
        base, backup_ts, after = at_commits(place, targets)
        refusals(place, base, backup_ts, after)
        last = unreachable(place)
        other, _ = place.restored(base, "--archive", place.archive)
        with other:
            same(contents(other), last, "after the archive was away")
        where = other.data
        with Server(argv[0], data=where, settings=[*SMALL, "wal.archive_directory=" + place.archive]) as other:
            end = time.monotonic() + 20
            while not one(other, "select last_failure from pg_stat_archiver") and time.monotonic() < end:
                time.sleep(0.05)
            assert "of another server" in one(other, "select last_failure from pg_stat_archiver")
        incremental(place)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
