#!/usr/bin/python3
"""helios backup and helios restore: what comes back is what was there at one moment, row for row, beside writers, too;
and a backup that is damaged, cut, or put together wrongly is refused with the place.

usage: backup.py HELIOSD [SEED]"""
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

ACCOUNTS, WRITERS, SECONDS = 200, 4, 1
DAMAGES = 8

SETUP = """
create table accounts (id int primary key, balance int not null, note text unique);
insert into accounts select i, 100, 'n' || i from generate_series(1, %d) i;
create table moves (id bigserial primary key, a int references accounts, b int, amount int check (amount > 0));
create index on moves (a, b);
create table bag (t text, v numeric);
insert into bag select repeat(md5(i::text), i %% 300), i / 7.0 from generate_series(1, 3000) i;
insert into bag values (null, null), (repeat('long', 200000), 1);
create table gone (a int);
drop table gone;
create table empty (a int primary key);
create view sums as select sum(balance) s from accounts;
create schema other;
create table other.t (a int, b timestamptz default now(), c text[]);
create role keeper login;
comment on table bag is 'of many things';
""" % ACCOUNTS

TABLES = {"accounts": "id", "moves": "id", "bag": "v, t", "empty": "a", "other.t": "a, b"}


class Tool:
    def __init__(self, heliosd):
        self.path = os.path.join(os.path.dirname(os.path.abspath(heliosd)), "helios")

    def run(self, *arguments):
        return subprocess.run([self.path, *arguments], capture_output=True, text=True, timeout=120)

    def must(self, *arguments):
        done = self.run(*arguments)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout


def connect(server):
    c = psycopg2.connect(host=server.host, port=server.port, user="postgres", dbname="postgres")
    c.autocommit = True
    return c


def contents(server):
    q = connect(server).cursor()
    out = {}
    for table, order in TABLES.items():
        q.execute("select * from %s order by %s" % (table, order))
        out[table] = q.fetchall()
    for name, sql in {"sums": "select * from sums", "roles": "select rolname from pg_roles order by 1",
                      "comment": "select obj_description('bag'::regclass)",
                      "columns": "select table_name, column_name, data_type, column_default from"
                                 " information_schema.columns where table_schema in ('public', 'other')"
                                 " order by 1, ordinal_position",
                      "indexes": "select indexname, indexdef from pg_indexes where schemaname = 'public'"
                                 " order by 1"}.items():
        q.execute(sql)
        out[name] = q.fetchall()
    q.connection.close()
    return out


def writer(server, seed, stop, made):
    r = random.Random(seed)
    c = connect(server)
    q = c.cursor()
    q.execute("set lock_timeout = '5s'")
    while not stop.is_set():
        a, b = sorted(r.sample(range(1, ACCOUNTS + 1), 2))
        amount = 1 + r.randrange(50)
        q.execute("begin")
        q.execute("update accounts set balance = balance - %s where id = %s", (amount, a))
        q.execute("insert into moves (a, b, amount) values (%s, %s, %s)", (a, b, amount))
        q.execute("update accounts set balance = balance + %s where id = %s", (amount, b))
        q.execute("commit" if r.randrange(8) else "rollback")
        if r.randrange(40) == 0:
            q.execute("create table extra%d (a int primary key)" % seed)
            q.execute("insert into extra%d select generate_series(1, 50)" % seed)
            q.execute("drop table extra%d" % seed)
        made[0] += 1
    c.close()


def restored(tool, heliosd, backup, folder, name):
    where = os.path.join(folder, name)
    tool.must("restore", backup, where)
    tool.must("verify", where)
    return Server(heliosd, data=where)


def quiet(tool, heliosd, server, folder):
    backup = os.path.join(folder, "quiet.backup")
    before = contents(server)
    address = "host=%s port=%d user=postgres dbname=postgres" % (server.host, server.port)
    tool.must("backup", address, backup)
    packed = backup + ".packed"
    tool.must("backup", address, packed, "--compress")
    assert os.path.getsize(packed) < os.path.getsize(backup), "it is not smaller"
    with restored(tool, heliosd, packed, folder, "packed") as other:
        assert contents(other) == before
    with restored(tool, heliosd, backup, folder, "quiet") as other:
        assert contents(other) == before
        q = connect(other).cursor()
        q.execute("insert into moves (a, b, amount) values (1, 2, 3) returning id > (select count(*) from moves)")
        assert q.fetchone() == (True,)
        for sql, code in (("insert into moves (a, b, amount) values (9999, 1, 1)", "23503"),
                          ("insert into accounts values (9999, 1, 'n1')", "23505")):
            try:
                q.execute(sql)
                raise AssertionError(sql)
            except psycopg2.Error as e:
                assert e.pgcode == code, e
    return backup


def busy(tool, heliosd, server, folder, seed):
    """While money goes round and tables come and go: the sum is right, and each move is whole."""
    stop, made = threading.Event(), [0]
    threads = [threading.Thread(target=writer, args=(server, seed + i, stop, made)) for i in range(WRITERS)]
    for t in threads:
        t.start()
    backups = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        backup = os.path.join(folder, "busy%d.backup" % len(backups))
        tool.must("backup", "postgresql://postgres@%s:%d/postgres" % (server.host, server.port), backup,
                  *(["--compress"] if len(backups) % 2 else []))
        backups.append(backup)
    stop.set()
    for t in threads:
        t.join()
    assert made[0] > 0
    for i, backup in enumerate((backups[0], backups[-1])):
        with restored(tool, heliosd, backup, folder, "busy%d" % i) as other:
            q = connect(other).cursor()
            q.execute("select s from sums")
            assert q.fetchone() == (100 * ACCOUNTS,), "money was made or lost"
            q.execute("select count(*) from accounts x where balance <> 100"
                      " - coalesce((select sum(amount) from moves where a = x.id), 0)"
                      " + coalesce((select sum(amount) from moves where b = x.id), 0)")
            assert q.fetchone() == (0,), "an account does not agree with its moves"
    print("%d transactions beside %d backups" % (made[0], len(backups)))


def blocks(data):
    """Where each begins, as docs/format/backup.md says."""
    out, at = [], 0
    while at < len(data):
        assert data[at:at + 4] == b"HBF1"
        out.append(at)
        at += 32 + int.from_bytes(data[at + 4:at + 8], "little")
    return out


def damage(tool, backup, folder, seed):
    r = random.Random(seed)
    with open(backup, "rb") as f:
        whole = f.read()
    starts = blocks(whole)
    broken, target = os.path.join(folder, "broken"), os.path.join(folder, "from-broken")

    def refused(data, what, words):
        with open(broken, "wb") as f:
            f.write(data)
        done = tool.run("restore", broken, target)
        place = re.search(r"offset (\d+)", done.stderr)
        assert done.returncode == 1 and words in done.stderr and place, (what, done)
        assert not os.path.exists(target) and not os.path.exists(target + ".part"), what
        return int(place.group(1))

    for _ in range(DAMAGES):
        at = r.randrange(len(whole))
        data = bytearray(whole)
        data[at] ^= 1 << r.randrange(8)
        found = refused(data, "a bit of byte %d" % at, "")
        begin = max(s for s in starts if s <= at)
        assert found in (begin, len(whole)), (at, begin, found)
        cut = r.randrange(len(whole))
        refused(whole[:cut], "cut at %d" % cut, "" if cut in starts else "cut off")
    k = r.randrange(1, len(starts) - 2)
    a, b, c = starts[k], starts[k + 1], starts[k + 2] if k + 2 < len(starts) else len(whole)
    refused(whole[:a] + whole[b:], "a block left out", "missing")
    refused(whole[:a] + whole[b:c] + whole[a:b] + whole[c:], "two blocks swapped", "missing")
    refused(whole + whole[starts[0]:starts[1]], "more behind the end", "more follows")
    refused(b"", "nothing", "cut off")


def refusals(tool, server, backup, folder):
    address = "host=%s port=%d user=%%s dbname=postgres" % (server.host, server.port)
    for arguments, words in ((("backup", address % "postgres", backup), "already exists"),
                             (("backup", address % "postgres", os.path.join(folder, "x"), "--pack"), "Usage"),
                             (("backup", address % "keeper", os.path.join(folder, "x")), "permission denied"),
                             (("backup", os.path.join(folder, "nowhere"), os.path.join(folder, "x")),
                              "is not a data directory"),
                             (("backup", address % "postgres", "/nowhere/at/all"), "No such file"),
                             (("restore", backup, folder), "already exists"),
                             (("restore", os.path.join(folder, "nix"), os.path.join(folder, "y")), "No such file")):
        done = tool.run(*arguments)
        assert done.returncode != 0 and words in done.stderr, (arguments, done)


def main(argv):
    heliosd = argv[0]
    tool = Tool(heliosd)
    seed = int(argv[1]) if len(argv) > 1 else random.randrange(1 << 30)
    print("seed %d" % seed)
    folder = tempfile.mkdtemp(prefix="helios-backup-")
    try:
        data = os.path.join(folder, "source")
        with Server(heliosd, settings=["memtable_bytes=256kB"], data=data) as server:
            connect(server).cursor().execute(SETUP)
            backup = quiet(tool, heliosd, server, folder)
            refusals(tool, server, backup, folder)
            busy(tool, heliosd, server, folder, seed)
            before = contents(server)
        offline = os.path.join(folder, "offline.backup")
        tool.must("backup", data, offline)
        with restored(tool, heliosd, offline, folder, "offline") as other:
            assert contents(other) == before
        damage(tool, backup, folder, seed)
        damage(tool, backup + ".packed", folder, seed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
