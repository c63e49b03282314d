#!/usr/bin/python3
"""Row locks and foreign keys between sessions: each case is a script of steps by two or three of them,
and what each step says (rows, an error's SQLSTATE and words, or that it waits) is held against what
PostgreSQL 15 said.

usage: row_locks.py HELIOSD [SEED]      starts a server, runs the cases
       row_locks.py --update HOST PORT DATABASE  writes row_locks.json from a PostgreSQL server"""
import json
import os
import random
import sys
import threading
import time

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.dont_write_bytecode = True
import sessions  # noqa: E402
from server import Server  # noqa: E402
from sessions import END_SECONDS, WAIT_SECONDS  # noqa: E402

EXPECTED = os.path.join(HERE, "row_locks.json")
RANDOM_SECONDS = 4
MANY = 210000         # more rows than a statement locks one by one

SETUP = """
drop table if exists c, u, p cascade;
create table p (id int primary key, k int unique, n int);
create table c (id int primary key, p int references p on delete cascade on update cascade);
create table u (id int primary key, k int references p (k));
insert into p values (1, 1, 0), (2, 2, 0), (3, 3, 0);
insert into c values (1, 1);
insert into u values (1, 1);
"""

MODES = ["update", "no key update", "share", "key share"]

# "1: begin" is a step of session 1; "1?" asks how a step of it that waited has ended.
CASES = {
    "child waits for parent's delete, which commits": [
        "1: begin", "1: delete from p where id = 2", "2: insert into c values (2, 2)", "1: commit",
        "2?", "2: select count(*) from c where p = 2"],
    "child waits for parent's delete, which rolls back": [
        "1: begin", "1: delete from p where id = 2", "2: insert into c values (2, 2)", "1: rollback",
        "2?", "2: select count(*) from c where p = 2"],
    "parent's delete waits for child": [
        "1: begin", "1: insert into u values (2, 2)", "2: delete from p where id = 2", "1: commit",
        "2?", "2: select count(*) from p"],
    "parent's delete waits for child that rolls back": [
        "1: begin", "1: insert into u values (2, 2)", "2: delete from p where id = 2", "1: rollback",
        "2?", "2: select count(*) from p"],
    "parent's delete takes the child that it waited for": [
        "1: begin", "1: insert into c values (2, 2)", "2: delete from p where id = 2", "1: commit",
        "2?", "2: select count(*) from c"],
    "child goes along with parent's update of other columns": [
        "1: begin", "1: update p set n = 5 where id = 2", "2: insert into c values (2, 2)",
        "2: insert into u values (2, 2)", "1: commit", "2: select * from c order by 1"],
    "children go along": [
        "1: begin", "1: insert into c values (2, 2)", "2: begin", "2: insert into c values (3, 2)",
        "3: update p set n = 7 where id = 2", "1: commit", "2: commit",
        "3: select count(*) from c where p = 2"],
    "child waits for parent's new key": [
        "1: begin", "1: update p set id = 9 where id = 2", "2: insert into c values (2, 2)",
        "1: commit", "2?", "2: insert into c values (2, 9)"],
    "parent's new key waits for child": [
        "1: begin", "1: insert into c values (2, 2)", "2: update p set id = 9 where id = 2",
        "1: commit", "2?", "2: select * from c order by 1"],
    "other unique key": [
        "1: begin", "1: insert into u values (2, 2)", "2: update p set k = 9 where id = 2",
        "1: rollback", "2?", "1: insert into u values (3, 2)", "1: rollback"],
    "no waiting for a parent that is not there yet": [
        "1: begin", "1: insert into p values (5, 5, 5)", "2: insert into c values (5, 5)",
        "2: insert into u values (5, 5)", "1: commit", "2: insert into c values (5, 5)"],
    "child that is being deleted": [
        "1: begin", "1: delete from u where id = 1", "2: delete from p where id = 1", "1: commit",
        "2?", "2: select count(*) from u"],
    "child that moves away": [
        "1: begin", "1: update u set k = 2 where id = 1", "2: delete from p where id = 1",
        "1: commit", "2: select count(*) from p"],
    "repeatable read: parent committed later": [
        "1: begin isolation level repeatable read", "1: select count(*) from p",
        "2: insert into p values (5, 5, 5)", "1: insert into c values (5, 5)", "1: rollback"],
    "repeatable read: parent deleted later": [
        "1: begin isolation level repeatable read", "1: select count(*) from p",
        "2: delete from p where id = 2", "1: insert into c values (5, 2)", "1: rollback"],
    "repeatable read: parent changed later": [
        "1: begin isolation level repeatable read", "1: select count(*) from p",
        "2: update p set n = 9 where id = 2", "1: insert into c values (5, 2)", "1: commit"],
    "repeatable read: child committed later forbids": [
        "1: begin isolation level repeatable read", "1: select count(*) from p",
        "2: insert into u values (5, 2)", "1: delete from p where id = 2", "1: rollback"],
    "repeatable read: child committed later would go": [
        "1: begin isolation level repeatable read", "1: select count(*) from p",
        "2: insert into c values (5, 2)", "1: delete from p where id = 2", "1: rollback"],
    "deferred": [
        "1: alter table u add constraint d foreign key (k) references p (k) deferrable initially deferred",
        "1: alter table u drop constraint u_k_fkey", "1: begin", "1: insert into u values (2, 2)",
        "2: delete from p where id = 2", "1: commit"],
    "lock timeout": [
        "1: begin", "1: delete from p where id = 2", "2: set lock_timeout = 50",
        "2?", "2: insert into c values (2, 2)", "2?", "2: select * from p where id = 2 for update",
        "2?", "2: set lock_timeout = 0", "1: rollback"],
    "lock timeout within a transaction": [
        "1: begin", "1: delete from p where id = 2", "2: begin", "2: select count(*) from p",
        "2: set local lock_timeout = 50", "2?", "2: select * from p where id = 2 for update", "2?",
        "2: rollback", "2: select * from p where id = 2 for update", "1: rollback", "2?"],
    "a savepoint gives the lock back": [
        "1: begin", "1: savepoint s", "1: select id from p where id = 2 for key share",
        "2: delete from p where id = 2", "1: rollback to s", "2?", "1: commit"],
    "a stronger lock waits for who shares": [
        "1: begin", "1: select id from p where id = 2 for share", "2: begin",
        "2: select id from p where id = 2 for share", "1: update p set n = 1 where id = 2",
        "2: commit", "1?", "1: commit", "2: select n from p where id = 2"],
    "many share": [
        "1: begin", "1: select id from p for share", "2: begin", "2: select id from p for share",
        "3: select id from p for key share", "3: select id from p for update nowait",
        "3: select id from p for no key update skip locked", "1: commit",
        "3: select id from p for no key update nowait", "2: commit",
        "3: select id from p order by id for update nowait"],
    "insert on conflict beside a key share lock": [
        "1: begin", "1: select id from p where id = 2 for key share",
        "2: insert into p values (2, 2, 2) on conflict (id) do update set n = 8",
        "2: insert into p values (2, 2, 2) on conflict do nothing", "1: commit"],
    "deferrable unique: both add one key": [
        "1: alter table c add constraint w unique (p) deferrable initially deferred",
        "1: begin", "2: begin", "1: insert into c values (5, 2)", "2: insert into c values (6, 2)",
        "1: commit", "2: commit", "2: select count(*) from c where p = 2"],
    "deferrable unique: looks while another has looked": [
        "1: alter table c add constraint w unique (p) deferrable",
        "1: begin", "1: insert into c values (5, 2)", "2: insert into c values (6, 2)",
        "1: commit", "2?", "2: select count(*) from c where p = 2"],
    "deferrable unique: the other rolls back": [
        "1: alter table c add constraint w unique (p) deferrable",
        "1: begin", "1: insert into c values (5, 2)", "2: insert into c values (6, 2)",
        "1: rollback", "2?", "2: select count(*) from c where p = 2"],
    "deferrable unique: the other is being deleted": [
        "1: alter table c add constraint w unique (p) deferrable",
        "1: begin", "1: delete from c where id = 1", "2: insert into c values (6, 1)",
        "1: commit", "2?", "2: select count(*) from c where p = 1"],
    "partial unique: outside and inside": [
        "1: create unique index on c (p) where id > 10",
        "1: begin", "1: insert into c values (5, 2)", "2: insert into c values (12, 2)",
        "1: update c set id = 15 where id = 5", "1: rollback", "2: insert into c values (13, 2)"],
    "unique expression waits": [
        "1: create unique index on c ((id % 10))",
        "1: begin", "1: insert into c values (5, 2)", "2: insert into c values (15, 2)",
        "1: commit", "2?", "2: insert into c values (16, 2)"],
    "a queue of jobs": [
        "1: begin", "2: begin", "3: begin",
        "1: select id from p order by n desc, id limit 1 for update skip locked",
        "2: select id from p order by n desc, id limit 1 for update skip locked",
        "3: select id from p order by n desc, id offset 1 for no key update skip locked",
        "3: select id from p order by n desc, id for no key update skip locked",
        "1: rollback", "2: rollback",
        "3: select id from p order by id for update skip locked", "3: commit"],
    "only rows that come out are locked": [
        "1: begin",
        "1: select p.id from p join u on u.k = p.k for update of p",
        "2: select id from p order by id for update skip locked",
        "2: select id from u for update nowait", "1: commit"],
    "a join looks again: it drops out": [
        "1: begin", "1: update p set k = 9 where id = 1",
        "2: select p.id, u.id from p join c on c.p = p.id join u on u.k = p.k for update of p",
        "1: rollback", "2?"],
    "a join looks again: new values": [
        "1: begin", "1: update p set n = 9 where id = 1",
        "2: select p.id, p.n, p.n + c.id as s from p join c on c.p = p.id order by p.n for update of p",
        "1: commit", "2?"],
    "a join looks again: where": [
        "1: begin", "1: update p set n = 9 where id = 1",
        "2: select p.id, p.n from p join c on c.p = p.id where p.n < 5 for update of p",
        "1: commit", "2?"],
    "an outer join looks again": [
        "1: begin", "1: update p set n = 9 where id = 1",
        "2: select p.id, p.n, c.id from p left join c on c.p = p.id and p.n < 5 where p.id < 3"
        " order by p.id for update of p", "1: commit", "2?"],
    "sorted before it looks again": [
        "1: begin", "1: update p set n = 10 - id", "2: select id, n from p order by n, id for update",
        "1: commit", "2?"],
    "deleted while it waits": [
        "1: begin", "1: delete from p where id = 3", "2: select id from p order by id for share",
        "1: commit", "2?"],
    "repeatable read: deleted since": [
        "1: begin isolation level repeatable read", "1: select count(*) from p",
        "2: delete from p where id = 3", "1: select * from p where id = 3 for update", "1: rollback"],
    "repeatable read: changed since": [
        "1: begin isolation level repeatable read", "1: select count(*) from p",
        "2: update p set n = 3 where id = 3", "1: select * from p where id = 3 for key share",
        "1: select * from p where id = 3 for share", "1: rollback"],
    "repeatable read: key changed since": [
        "1: begin isolation level repeatable read", "1: select count(*) from p",
        "2: update p set k = 33 where id = 3", "1: select * from p where id = 3 for key share",
        "1: rollback"],
    "repeatable read: deleted since, for key share": [
        "1: begin isolation level repeatable read", "1: select count(*) from p",
        "2: delete from p where id = 3", "1: select * from p where id = 3 for key share",
        "1: rollback"],
    "update beside key share, then more": [
        "1: begin", "1: select id from p where id = 2 for key share",
        "2: begin", "2: update p set n = 4 where id = 2", "1: select n from p where id = 2",
        "1: select n from p where id = 2 for update", "2: commit", "1?", "1: commit"],
    "merge looks again at a row that changed": [
        "1: begin", "1: update p set n = 10 where id = 2",
        "2: merge into p using (values (2)) v (i) on p.id = v.i when matched and n = 0 then update set n = n + 1 when matched then update set n = n + 100",
        "1: commit", "2?", "2: select * from p order by 1"],
    "merge of a row that was deleted": [
        "1: begin", "1: delete from p where id = 3",
        "2: merge into p using (values (3)) v (i) on p.id = v.i when matched then update set n = 5 when not matched then insert values (v.i, 33, 7)",
        "1: commit", "2?", "2: select * from p order by 1"],
    "merge of a row that matches no more": [
        "1: begin", "1: update p set k = 30 where id = 3",
        "2: merge into p using (values (3)) v (i) on p.k = v.i when matched then delete when not matched then insert values (4, v.i, 7)",
        "1: commit", "2?", "2: select * from p order by 1"],
    "merge does nothing to a row that is locked": [
        "1: begin", "1: update p set n = 10 where id = 2",
        "2: merge into p using (values (2)) v (i) on p.id = v.i when matched then do nothing",
        "1: commit", "2: select * from p order by 1"],
    "merge under repeatable read": [
        "2: begin isolation level repeatable read", "2: select count(*) from p", "1: update p set n = 10 where id = 2",
        "2: merge into p using (values (2)) v (i) on p.id = v.i when matched then update set n = 1", "2: rollback"],
    "two merges insert the same key": [
        "1: begin", "1: merge into p using (values (9)) v (i) on p.id = v.i when not matched then insert values (v.i, 9, 0)",
        "2: merge into p using (values (9)) v (i) on p.id = v.i when not matched then insert values (v.i, 9, 0)",
        "1: commit", "2?"],
    "parts of one statement and a row that changed": [
        "1: begin", "1: update p set n = 10 where id = 2",
        "2: with a as (update p set n = n + 1 where id = 2 returning n) insert into p select 5, 5, n from a returning n",
        "1: commit", "2?", "2: select * from p order by 1"],
}
for held in MODES:
    for wanted in MODES:
        CASES["%s, then %s" % (held, wanted)] = [
            "1: begin", "1: select id from p where id = 2 for %s" % held,
            "2: select id from p where id = 2 for %s nowait" % wanted,
            "2: select id from p order by id for %s skip locked" % wanted,
            "1: commit", "2: select id from p where id = 2 for %s nowait" % wanted]
    CASES["%s, then writes" % held] = [
        "1: begin", "1: select id from p where id = 2 for %s" % held, "2: begin",
        "2: set lock_timeout = 50", "2?", "2: update p set n = 1 where id = 2", "2?", "2: rollback",
        "2: set lock_timeout = 50", "2: update p set k = 7 where id = 2", "2?",
        "2: delete from p where id = 2", "2?", "1: commit"]


# Two sessions that wait for each other: who is the victim is for the server to say.
CIRCLES = {
    "two parents": [
        "1: begin", "2: begin", "1: insert into c values (2, 2)", "2: insert into c values (3, 3)",
        "1: delete from p where id = 3", "2: delete from p where id = 2"],
    "both want more": [
        "1: begin", "2: begin", "1: select id from p where id = 2 for share",
        "2: select id from p where id = 2 for share", "1: update p set n = 1 where id = 2",
        "2: update p set n = 2 where id = 2"],
    "rows and keys": [
        "1: begin", "2: begin", "1: select id from p where id = 1 for update",
        "2: select id from p where id = 2 for key share", "2: insert into c values (2, 1)",
        "1: delete from p where id = 2"],
}


def describe(e):
    d = e.diag
    detail = "" if d.sqlstate == "40P01" else d.message_detail or ""
    return [d.sqlstate, d.message_primary, detail, d.schema_name, d.table_name, d.constraint_name]


class Session(sessions.Session):
    def result(self, seconds, error=describe):
        return super().result(seconds, error)

    def run_after(self, victim):
        """The victim gives back what it holds."""
        if not victim.waiting:
            victim.run("rollback")

    def run(self, sql, error=describe, seconds=WAIT_SECONDS):
        return super().run(sql, error, seconds)


def run_case(dsn, steps, expected=None):
    sessions = {}
    said = []
    setup = psycopg2.connect(dsn)
    setup.autocommit = True
    setup.cursor().execute(SETUP)
    setup.close()
    for i, step in enumerate(steps):
        who = step[0]
        if who not in sessions:
            sessions[who] = Session(dsn)
        s = sessions[who]
        if step[1] == "?":
            said.append(s.result(END_SECONDS) if s.waiting else said_last(said, steps, i, who))
            continue
        if s.waiting and s.result(END_SECONDS) == "waits":
            raise SystemExit("%s: still waits before step %d" % (steps, i))
        got = s.run(step[3:])
        # A slow machine is no lock: what is to answer gets the time for it.
        if got == "waits" and expected and expected[i] != "waits":
            got = s.result(END_SECONDS)
        said.append(got)
    for s in sessions.values():
        s.connection.close()
    return said


def run_circle(dsn, steps):
    """One of the two last steps ends with 40P01, and the other goes on."""
    sessions = {who: Session(dsn) for who in "12"}
    setup = psycopg2.connect(dsn)
    setup.autocommit = True
    setup.cursor().execute(SETUP)
    setup.close()
    said = [sessions[step[0]].run(step[3:]) for step in steps][-2:]
    for i, step in enumerate(steps[-2:]):
        s = sessions[step[0]]
        if s.waiting and said[1 - i] != "waits":
            s.run_after(sessions[steps[-1 - i][0]])
            said[i] = s.result(END_SECONDS)
    for s in sessions.values():
        s.connection.close()
    victims = [x for x in said if isinstance(x, list) and x[0] == "40P01"]
    return len(victims) == 1 and "waits" not in said, said


def run_many(dsn):
    """A statement that refers to very many keys locks the table instead, and finds every key."""
    one, two = Session(dsn), Session(dsn)
    setup = psycopg2.connect(dsn)
    setup.autocommit = True
    cursor = setup.cursor()
    cursor.execute(SETUP + "insert into p select i, i, 0 from generate_series(4, %d) i" % MANY)
    one.run("begin")
    said = []
    for sql in ("insert into c select i, i from generate_series(2, %d) i" % MANY,
                "select count(*) from c"):
        got = one.run(sql)
        said.append(one.result(END_SECONDS) if got == "waits" else got)
    said.append(two.run("update p set n = 1 where id = %d" % MANY))
    one.run("rollback")
    if two.waiting:
        two.result(END_SECONDS)
    for s in one, two:
        s.connection.close()
    try:
        cursor.execute("insert into c select i, i + 1 from generate_series(2, %d) i" % MANY)
        said.append("no error")
    except psycopg2.Error as e:
        said.append(e.diag.message_detail)
    cursor.execute("drop table c, u, p")
    setup.close()
    want = ["INSERT 0 %d" % (MANY - 1), [[MANY]], "waits",
            'Key (p)=(%d) is not present in table "p".' % (MANY + 1)]
    return said == want, said


ORPHANS = """
select 'c', count(*) from c where p is not null and not exists (select from p where id = c.p) union all
select 'u', count(*) from u where k is not null and not exists (select from p where k = u.k) union all
select 's', count(*) from s where up is not null and not exists (select from s x where x.id = s.up)
"""


def random_statement(r):
    a, b = r.randrange(12), r.randrange(12)
    return r.choice([
        "insert into p values (%d, %d, 0) on conflict do nothing" % (a, a),
        "delete from p where id = %d" % a,
        "update p set k = %d where id = %d" % (100 + r.randrange(10), a),
        "update p set id = %d where id = %d" % (b, a),
        "update p set n = n + 1 where id = %d" % a,
        "insert into c values (%d, %d)" % (r.randrange(10000), a),
        "insert into c select %d + i, i %% 12 from generate_series(1, 8) i" % r.randrange(10000),
        "update c set p = %d where p = %d" % (a, b),
        "insert into u values (%d, %d)" % (r.randrange(10000), a),
        "update u set k = null where k = %d" % a,
        "delete from u where k = %d" % a,
        "insert into s values (%d, %d)" % (a, b),
        "delete from s where id = %d" % a,
        "update s set up = %d where id = %d" % (a, b)])


def writer(dsn, seed, until, count):
    r = random.Random(seed)
    connection = psycopg2.connect(dsn)
    while time.monotonic() < until:
        connection.set_session(isolation_level=r.choice(["READ COMMITTED", "REPEATABLE READ"]))
        try:
            with connection.cursor() as cursor:
                for _ in range(r.randrange(1, 5)):
                    cursor.execute(random_statement(r))
            connection.commit() if r.randrange(6) else connection.rollback()
            count[0] += 1
        except psycopg2.Error as e:
            connection.rollback()
            if e.pgcode not in ("23503", "23505", "40001", "40P01"):
                count[1] = str(e)
                return
    connection.close()


def run_random(dsn, seed, seconds):
    """Whatever sessions do at a time, no row refers to nothing."""
    setup = psycopg2.connect(dsn)
    setup.autocommit = True
    cursor = setup.cursor()
    cursor.execute(SETUP)
    cursor.execute("drop table if exists s; create table s (id int primary key, up int references s"
                   " on delete set null); alter table u drop constraint u_k_fkey,"
                   " add foreign key (k) references p (k) on update cascade deferrable initially"
                   " deferred; create index on u (k)")
    until = time.monotonic() + seconds
    counts = [[0, None] for _ in range(6)]
    threads = [threading.Thread(target=writer, args=(dsn, seed + i, until, counts[i]))
               for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    cursor.execute(ORPHANS)
    orphans = [row for row in cursor.fetchall() if row[1]]
    setup.close()
    problems = [c[1] for c in counts if c[1]]
    ok = not orphans and not problems and all(c[0] for c in counts)
    return ok, "orphans %s, errors %s, committed %s" % (orphans, problems, [c[0] for c in counts])


def said_last(said, steps, i, who):
    """What the session's last step said: it did not wait (any more)."""
    for k in range(i - 1, -1, -1):
        if steps[k][0] == who:
            return said[k]
    return None


def main(argv):
    if len(argv) == 4 and argv[0] == "--update":
        dsn = "host=%s port=%s user=postgres dbname=%s" % (argv[1], argv[2], argv[3])
        out = {name: run_case(dsn, steps) for name, steps in CASES.items()}
        clean = psycopg2.connect(dsn)
        clean.autocommit = True
        clean.cursor().execute("drop table if exists c, u, p cascade")
        with open(EXPECTED, "w", encoding="utf-8") as f:
            f.write("{\n" + ",\n".join("%s:\n  %s" % (json.dumps(k), json.dumps(v))
                                       for k, v in out.items()) + "\n}\n")
        return 0
    with open(EXPECTED, encoding="utf-8") as f:
        expected = json.load(f)
    server = Server(argv[0])
    server.start()
    failed = 0
    try:
        dsn = "host=%s port=%s user=postgres dbname=postgres" % (server.host, server.port)
        for name, steps in CASES.items():
            got = json.loads(json.dumps(run_case(dsn, steps, expected[name])))
            if got == expected[name]:
                continue
            failed += 1
            print("FAIL %s" % name)
            for step, a, b in zip(steps, expected[name], got):
                print("   %s %s\n       %s%s" % (" " if a == b else "!", step, b,
                                               "" if a == b else "\n       not  %s" % a))
        for name, steps in CIRCLES.items():
            ok, said = run_circle(dsn, steps)
            if not ok:
                failed += 1
                print("FAIL a circle: %s: %s" % (name, said))
        ok, said = run_many(dsn)
        if not ok:
            failed += 1
            print("FAIL many keys: %s" % said)
        seed = int(argv[1]) if len(argv) > 1 else random.randrange(1 << 30)
        print("seed %d" % seed)
        ok, said = run_random(dsn, seed, RANDOM_SECONDS)
        if not ok:
            failed += 1
            print("FAIL at random: %s" % said)
    finally:
        reason = server.stop()
    if reason:
        print("%s\n%s" % (reason, server.log_tail()))
    total = len(CASES) + len(CIRCLES) + 2
    print("%d of %d cases passed" % (total - failed, total))
    return 1 if failed or reason else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
