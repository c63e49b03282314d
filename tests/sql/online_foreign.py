#!/usr/bin/python3
"""ADD FOREIGN KEY and ADD of deferrable keys while others write to the tables: what they wrote is looked at, whichever
side it is on; who breaks the key makes the statement fail, and nothing else does; kill -9 in the middle.

usage: online_foreign.py HELIOSD [--seed N] [--seconds S]"""
import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time

import psycopg2

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from online_ddl import SECONDS_MAX, Server, connect, in_background, one, sound, wait_for  # noqa: E402

WRITERS, SHARE = 4, 100


class Writer(threading.Thread):
    """Parents and children of a share of the keys: after each transaction every child has its parent, and every q is
    another's, but in the middle of one that need not be."""

    def __init__(self, server, number, seed):
        super().__init__()
        self.cursor = connect(server).cursor()
        self.random = random.Random(seed * 1000 + number)
        self.low = number * SHARE
        self.parents = {i: i for i in range(self.low, self.low + SHARE, 2)}  # id: u
        self.children = {i: i for i in range(self.low, self.low + SHARE, 2)}  # id: parent
        self.commits, self.deadlocks, self.error, self.stopping = 0, 0, None, False

    def free(self, taken):
        return self.random.choice([v for v in range(self.low, self.low + SHARE) if v not in taken])

    def insert(self, child, parent, u):
        self.cursor.execute("insert into c values (%s, %s, %s, (select min(g) from generate_series(%s, %s) g where not exists "
                            "(select from c where q = g)))", (child, parent, u, self.low, self.low + SHARE - 1))

    def step(self, parents, children):
        r, run = self.random, self.cursor.execute
        what, p = r.random(), r.choice(list(parents))
        mine = [c for c, of in children.items() if of == p]
        if what < .25 and len(parents) < SHARE * 3 // 4:
            new = self.free(parents)
            u = self.free(set(parents.values()))
            run("insert into p values (%s, %s)", (new, u))
            parents[new] = u
            if len(children) < SHARE - 1:
                c = self.free(children)
                self.insert(c, new, u)
                children[c] = new
        elif what < .5 and len(parents) > 10:
            run("delete from c where p = %s", (p,))
            run("delete from p where id = %s", (p,))
            for c in mine:
                del children[c]
            del parents[p]
        elif what < .7 and children:
            c, to = r.choice(list(children)), r.choice(list(parents))
            run("update c set p = %s, u = %s where id = %s", (to, parents[to], c))
            children[c] = to
        elif what < .8 and len(children) >= 2:
            a, b = r.sample(list(children), 2)
            run("update c set q = case id when %s then (select q from c where id = %s) else (select q from c where id = %s)"
                " end where id in (%s, %s)", (a, b, a, a, b))
        elif what < .9 and len(children) < SHARE - 1:
            c = self.free(children)
            self.insert(c, p, parents[p])
            children[c] = p
        elif children:
            run("update c set pad = pad || 'x' where id = %s", (r.choice(list(children)),))

    def run(self):
        while not self.stopping and not self.error:
            parents, children = dict(self.parents), dict(self.children)
            try:
                self.cursor.execute("begin")
                for _ in range(self.random.randint(1, 4)):
                    self.step(parents, children)
                if self.random.random() < .2:
                    self.cursor.execute("rollback")
                    continue
                self.cursor.execute("commit")
                self.parents, self.children = parents, children
                self.commits += 1
            except psycopg2.errors.DeadlockDetected:
                self.deadlocks += 1
                self.cursor.execute("rollback")
            except psycopg2.Error as e:
                self.error = e


def despite_deadlocks(cursor, sql):
    """Whose transaction writes to both tables may have locked the one that is locked last."""
    while True:
        try:
            return cursor.execute(sql)
        except psycopg2.errors.DeadlockDetected:
            pass


def make(cursor, rows=WRITERS * SHARE):
    cursor.execute("drop table if exists c, p; create table p (id int primary key, u int unique);"
                   "create table c (id int primary key, p int, u int, q int, pad text default '')")
    cursor.execute("insert into p select g, g from generate_series(0, %s, 2) g", (rows - 1,))
    cursor.execute("insert into c select id, id, u, id from p")


STATEMENTS = ["add constraint k foreign key (p) references p", "add constraint k foreign key (u) references p (u) deferrable",
              "add constraint k unique (q) deferrable", "add constraint k foreign key (p, u) references p (id, u)",
              "add constraint k unique (q, p) include (u) deferrable initially deferred",
              "add constraint k foreign key (p) references p on delete cascade deferrable initially deferred"]


def under_writers(server, seed, seconds):
    cursor = connect(server).cursor()
    make(cursor)
    cursor.execute("create unique index p_both on p (id, u)")
    writers = [Writer(server, n, seed) for n in range(WRITERS)]
    for w in writers:
        w.start()
    end, ran = time.monotonic() + seconds, 0
    while time.monotonic() < end or ran < 2 * len(STATEMENTS):
        if ran % len(STATEMENTS) == 0:  # those that refer are found by an index or by going over all
            despite_deadlocks(cursor, "drop index c_p, c_u" if ran // len(STATEMENTS) % 2 else
                              "create index c_p on c (p); create index c_u on c (u)")
        despite_deadlocks(cursor, "alter table c " + STATEMENTS[ran % len(STATEMENTS)])
        assert one(cursor, "select convalidated from pg_constraint where conname = 'k'")
        if ran % 4 == 2:
            sound(cursor)
        assert one(cursor, "select count(*) from c where not exists (select from p where p.id = c.p and p.u = c.u)") == 0
        despite_deadlocks(cursor, "alter table c drop constraint k")
        ran += 1
    for w in writers:
        w.stopping = True
    for w in writers:
        w.join()
        assert not w.error, w.error
    sound(cursor)
    for table, column, kept in (("p", "u", "parents"), ("c", "p", "children")):
        want = {}
        for w in writers:
            want.update(getattr(w, kept))
        cursor.execute(f"select id, {column} from {table}")
        assert dict(cursor.fetchall()) == want, f"{table} is not what its writers made of it"
    print(f"{ran} statements beside {sum(w.commits for w in writers)} transactions, "
          f"{sum(w.deadlocks for w in writers)} deadlocks")


ORPHAN = 'insert or update on table "c" violates foreign key constraint "k"\nDETAIL:  Key (p)=(%s) is not present in table "p".\n'
ADD = "alter table c add constraint k foreign key (p) references p"
# What an old transaction has done that the statement waits for; what another does to c meanwhile; the parent missed.
MEANWHILE = [
    ("update p set u = u", "insert into c values (1001, 999)", 999),
    ("delete from p where id = 4", "select 1", 4),
    ("update p set id = 1003 where id = 4", "select 1", 4),
    ("delete from p where id = 4", "delete from c where p = 4", None),
    ("delete from p where id = 4", "update c set p = 6 where p = 4", None),
    ("delete from p where id = 4; insert into p values (4, 4)", "update c set pad = 'new'", None),
    ("insert into p values (999, 999)", "insert into c values (1001, null)", None),
    ("update p set u = -u", "update c set p = p + 2 where p < 20; insert into c values (1001, 17)", 17),
]


def outcome(cursor, result, missed, name):
    if missed is None:
        assert result == [None], (name, result)
        assert one(cursor, "select convalidated from pg_constraint where conname = 'k'")
        try:
            cursor.execute("insert into c values (2001, 777)")
            raise AssertionError("the key does not hold")
        except psycopg2.errors.ForeignKeyViolation:
            pass
        try:
            cursor.execute("delete from p where id = 20")
            raise AssertionError("the key does not hold")
        except psycopg2.errors.ForeignKeyViolation:
            pass
    else:
        assert result[0] and result[0].pgcode == "23503" and str(result[0]) == ORPHAN % missed, (name, result)
        assert one(cursor, "select count(*) from pg_constraint where conname = 'k'") == 0
    sound(cursor)


def at_the_end(server):
    """What those did who are waited for, and what others do meanwhile, counts."""
    cursor, old = connect(server).cursor(), connect(server, autocommit=False)
    for index in ("", "create index on c (p)"):
        for before, meanwhile, missed in MEANWHILE:
            make(cursor)
            if index:
                cursor.execute(index)
            old.cursor().execute(before)
            alter, result = in_background(server, ADD)
            wait_for(cursor, "select count(*) = 1 from pg_locks where relation = 'p'::regclass and not granted",
                     "it waits for the writer of the table that is referred to")
            cursor.execute(meanwhile)  # nobody waits
            old.commit()
            alter.join(SECONDS_MAX)
            outcome(cursor, result, missed, (index, before, meanwhile))
    # The same of the table itself, whose writer comes last.
    for change, missed in (("insert into c values (1001, 999)", 999), ("update c set p = 20 where id = 4", None),
                           ("delete from c where id = 4", None)):
        make(cursor)
        old.cursor().execute(change)
        alter, result = in_background(server, ADD)
        wait_for(cursor, "select count(*) = 1 from pg_locks where relation = 'c'::regclass and not granted",
                 "it waits for the writer")
        old.commit()
        alter.join(SECONDS_MAX)
        outcome(cursor, result, missed, change)


def itself(server):
    """A table that refers to itself, also by more columns, and MATCH FULL."""
    cursor, old = connect(server).cursor(), connect(server, autocommit=False)
    for bad in (False, True):
        cursor.execute("drop table if exists s; create table s (id int, of int, n int, primary key (id, n));"
                       "insert into s select g, nullif(g / 2, 0), 1 from generate_series(1, 500) g")
        old.cursor().execute("insert into s values (1000, 5, 1); delete from s where id = 500;"
                             "update s set id = 600 where id = 499")
        alter, result = in_background(server, "alter table s add foreign key (of, n) references s")
        wait_for(cursor, "select count(*) = 1 from pg_locks where relation = 's'::regclass and not granted", "it waits")
        if bad:
            old.cursor().execute("delete from s where id = 250")
            old.cursor().execute("update s set id = -1 where id = 2")
        old.commit()
        alter.join(SECONDS_MAX)
        if bad:
            assert result[0].pgcode == "23503" and 'Key (of, n)=(2, 1) is not present in table "s"' in str(result[0]), result
        else:
            assert result == [None], result
        sound(cursor)
    try:
        cursor.execute("alter table s add foreign key (of, n) references s match full")
        raise AssertionError("a row that is neither null nor refers")
    except psycopg2.errors.ForeignKeyViolation as e:
        assert "MATCH FULL does not allow" in str(e) or "is not present" in str(e), e
    cursor.execute("drop table s")


def deferrable_keys(server):
    """Two of one key, of which one comes while the index is built; and a NULL in what is to be the primary key."""
    cursor, old = connect(server).cursor(), connect(server, autocommit=False)
    for sql, change, code in (
            ("add constraint k unique (q) deferrable", "insert into c values (1001, 0, 0, 8)", "23505"),
            ("add constraint k unique (q) deferrable", "update c set q = 8 where id = 10", "23505"),
            ("add constraint k unique (q) deferrable", "update c set q = 18 - q where q in (8, 10)", None),
            ("add constraint k unique (q) deferrable", "insert into c values (1001), (1003)", None),
            ("add constraint k unique nulls not distinct (q) deferrable", "insert into c values (1001), (1003)", "23505"),
            ("add constraint k primary key (q) deferrable", "insert into c values (1001)", "23502"),
            ("add constraint k primary key (q) deferrable", "update c set q = q + 2", None),
            ("alter q type bigint", "update c set q = q + 2", None),
            ("alter q type bigint", "set constraints all deferred; update c set q = 8 where q = 10;"
             "update c set q = 10 where id = 8", None)):
        make(cursor)
        cursor.execute("alter table c drop constraint c_pkey")
        if sql.startswith("alter q"):
            cursor.execute("alter table c add constraint k unique (q) deferrable")
        old.cursor().execute(change)
        alter, result = in_background(server, "alter table c " + sql)
        wait_for(cursor, "select count(*) = 1 from pg_locks where relation = 'c'::regclass and not granted", "it waits")
        old.commit()
        alter.join(SECONDS_MAX)
        if code:
            assert result[0] and result[0].pgcode == code, (sql, change, result)
            sound(cursor)
            continue
        assert result == [None], (sql, change, result)
        cursor.execute("begin; set constraints k deferred; insert into c values (3000, 0, 0, 20)")
        try:
            cursor.execute("commit")
            raise AssertionError("the key does not hold")
        except psycopg2.errors.UniqueViolation:
            pass
        sound(cursor)


def goes_on(server):
    """Both tables are written to while the rows are looked at."""
    cursor = connect(server).cursor()
    make(cursor, 200000)
    for _ in range(10):
        alter, result = in_background(server, ADD)
        turns = 0
        while alter.is_alive() and one(cursor, "select count(*) from helios_progress where command = 'VALIDATE CONSTRAINT'"
                                       " and relid = 'c'::regclass") == 0:
            pass
        while alter.is_alive() and turns < 20:
            cursor.execute("insert into p values (-1, -1); insert into c values (-1, -1); update c set p = 0 where id = -1;"
                           "delete from p where id = -1; delete from c where id = -1")
            turns += alter.is_alive()
        alter.join(SECONDS_MAX)
        assert result == [None], result
        cursor.execute("alter table c drop constraint k")
        if turns:
            return
    raise AssertionError("nobody could write while it ran")


def refused(server):
    """Exclusion constraints: which operator there is none for, and what to do instead."""
    cursor = connect(server).cursor()
    for sql, operator, hint in (("exclude using gist (q with =)", "=", "Use UNIQUE"),
                                ("exclude using gist (q with =, p with &&)", "&&", "in a trigger"),
                                ("exclude (q with operator(pg_catalog.<>)) where (p > 0)", "<>", "in a trigger")):
        try:
            cursor.execute("alter table c add constraint x " + sql)
            raise AssertionError(sql)
        except psycopg2.errors.FeatureNotSupported as e:
            assert f"EXCLUDE with operator {operator} is not supported" in str(e) and hint in e.diag.message_hint, e


def killed(binary, seed):
    r = random.Random(seed)
    data = tempfile.mkdtemp(prefix="helios-test-")
    try:
        for n in range(3):
            server = Server(binary, data=data, settings=["load_bytes=256kB"]).start()
            cursor = connect(server).cursor()
            if n == 0:
                make(cursor, 60000)
            sound(cursor)
            cursor.execute("alter table c drop constraint if exists k; alter table c drop constraint if exists k2")
            alter, _ = in_background(server, "alter table c add constraint k2 unique (q) deferrable", ADD)
            writer, _ = in_background(server, "do $$ begin for i in 1..100000 loop insert into p values (-i, -i); "
                                      "insert into c values (-i, -i); delete from c where id = -i; delete from p where id = -i;"
                                      "end loop; end $$")
            time.sleep(r.random() * .5)
            server.kill()
            alter.join()
            writer.join()
    finally:
        shutil.rmtree(data, ignore_errors=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("heliosd")
    p.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    p.add_argument("--seconds", type=float, default=3)
    o = p.parse_args()
    print("seed", o.seed)
    with Server(o.heliosd, settings=["load_bytes=64kB"]) as server:
        at_the_end(server)
        itself(server)
        deferrable_keys(server)
        goes_on(server)
        refused(server)
        under_writers(server, o.seed, o.seconds)
    killed(o.heliosd, o.seed)


if __name__ == "__main__":
    main()
