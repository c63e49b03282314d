#!/usr/bin/python3
"""Advisory locks, locks on tables, and prepared transactions between sessions: scripts of steps as in
row_locks.py, held against what PostgreSQL 15 said.

usage: locks.py HELIOSD                      starts a server, runs the cases
       locks.py --update HOST PORT DATABASE  writes locks.json from a PostgreSQL server, which needs
                                             max_prepared_transactions"""
import json
import os
import sys
import time

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
import row_locks  # noqa: E402
from row_locks import END_SECONDS, SETUP, Session, run_case, run_circle  # noqa: E402
from server import Server  # noqa: E402

EXPECTED = os.path.join(HERE, "locks.json")
LOCKS = ("select locktype, classid, objid, objsubid, mode, granted from pg_locks"
         " where locktype = 'advisory' order by 2, 3, 4, 5, 6")

CASES = {
    "exclusive waits for exclusive": [
        "1: select pg_advisory_lock(1)", "2: select pg_advisory_lock(1)",
        "1: select pg_advisory_unlock(1)", "2?", "1: select pg_try_advisory_lock(1)", "3: " + LOCKS],
    "shared goes with shared": [
        "1: select pg_advisory_lock_shared(1)", "2: select pg_advisory_lock_shared(1)",
        "3: select pg_try_advisory_lock(1)", "3: select pg_try_advisory_lock_shared(1)", "2: " + LOCKS],
    "the two forms are two spaces": [
        "1: select pg_advisory_lock(0, 7)", "2: select pg_try_advisory_lock(7)",
        "2: select pg_try_advisory_lock(0, 7)", "3: " + LOCKS],
    "large and negative keys": [
        "1: select pg_advisory_lock(-1), pg_advisory_lock(5000000000), pg_advisory_lock(-3, 4)",
        "2: select pg_try_advisory_lock(-1), pg_try_advisory_lock(5000000000),"
        " pg_try_advisory_lock(-3, 4), pg_try_advisory_lock(-3, -4)", "3: " + LOCKS],
    "counted": [
        "1: select pg_advisory_lock(1)", "1: select pg_advisory_lock(1)", "1: select pg_advisory_unlock(1)",
        "2: select pg_try_advisory_lock(1)", "1: select pg_advisory_unlock(1)",
        "2: select pg_try_advisory_lock(1)", "1: select pg_advisory_unlock(1)"],
    "both modes by one": [
        "1: select pg_advisory_lock_shared(1), pg_advisory_lock(1)", "1: select pg_advisory_unlock(1)",
        "2: select pg_try_advisory_lock_shared(1)", "1: select pg_advisory_unlock(1)",
        "1: select pg_advisory_unlock_shared(1)", "2: " + LOCKS],
    "unlock all": [
        "1: select pg_advisory_lock(i) from generate_series(1, 3) i",
        "1: select pg_advisory_lock(2)", "1: select pg_advisory_unlock_all()",
        "2: select pg_try_advisory_lock(2)", "3: " + LOCKS],
    "of the transaction": [
        "1: begin", "1: select pg_advisory_xact_lock(1)", "1: select pg_advisory_unlock(1)",
        "1: select pg_advisory_unlock_all()", "2: select pg_advisory_xact_lock(1)", "1: commit", "2?",
        "3: " + LOCKS],
    "of the transaction, autocommit": [
        "1: select pg_advisory_xact_lock(1)", "2: select pg_try_advisory_xact_lock(1)", "3: " + LOCKS],
    "both levels": [
        "1: begin", "1: select pg_advisory_xact_lock(1), pg_advisory_lock(1)",
        "1: select pg_advisory_unlock(1)", "2: select pg_try_advisory_lock(1)", "1: rollback",
        "2: select pg_try_advisory_lock(1)"],
    "a session's lock outlives a rollback": [
        "1: begin", "1: select pg_advisory_lock(1)", "1: rollback", "2: select pg_try_advisory_lock(1)",
        "1: select pg_advisory_unlock(1)", "2: select pg_try_advisory_lock(1)"],
    "an error frees those of the transaction": [
        "1: begin", "1: select pg_advisory_xact_lock(1)", "1: select pg_advisory_lock(2)",
        "1: select 1/0", "2: select pg_try_advisory_lock(1), pg_try_advisory_lock(2)", "1: rollback"],
    "rollback to a savepoint": [
        "1: begin", "1: select pg_advisory_xact_lock(1)", "1: savepoint a",
        "1: select pg_advisory_xact_lock(2), pg_advisory_xact_lock(1), pg_advisory_lock(3)",
        "1: rollback to a", "2: select pg_try_advisory_lock(1), pg_try_advisory_lock(2),"
        " pg_try_advisory_lock(3)", "1: commit"],
    "an error behind a savepoint": [
        "1: begin", "1: select pg_advisory_xact_lock(1)", "1: savepoint a",
        "1: select pg_advisory_xact_lock(2)", "1: select 1/0",
        "2: select pg_try_advisory_lock(1), pg_try_advisory_lock(2)", "1: rollback to a", "1: commit",
        "2: select pg_try_advisory_lock(1)"],
    "a released savepoint keeps its locks": [
        "1: begin", "1: savepoint a", "1: select pg_advisory_xact_lock(1)", "1: release a",
        "1: savepoint b", "1: rollback to b", "2: select pg_try_advisory_lock(1)", "1: commit"],
    "first come, first served": [
        "1: select pg_advisory_lock_shared(1)", "2: select pg_advisory_lock(1)",
        "3: select pg_advisory_lock_shared(1)", "4: select pg_try_advisory_lock_shared(1)",
        "1: select pg_advisory_unlock_shared(1)", "2?", "2: select pg_advisory_unlock(1)", "3?"],
    "who holds it goes past the queue": [
        "1: select pg_advisory_lock_shared(1)", "2: select pg_advisory_lock(1)",
        "1: select pg_advisory_lock_shared(1)", "1: select pg_advisory_lock(1)",
        "1: select pg_advisory_unlock_all()", "2?"],
    "lock timeout": [
        "1: select pg_advisory_lock(1)", "2: set lock_timeout = 50", "2: select pg_advisory_lock(1)",
        "2?", "3: " + LOCKS, "1: select pg_advisory_unlock(1)", "2: select pg_advisory_lock(1)"],
    "statement timeout": [
        "1: select pg_advisory_lock(1)", "2: set statement_timeout = 50",
        "2: select pg_advisory_lock_shared(1)", "2?", "3: " + LOCKS],
    "below a limit no more than are wanted": [
        "1: select id from p where pg_try_advisory_lock(id) order by id limit 1",
        "2: select id from p where pg_try_advisory_lock(id) limit 1",
        "3: select id from p where pg_try_advisory_lock(id) limit 1", "3: " + LOCKS],
    "in a subquery": [
        "1: select id from (select id from p where id > 1 limit 1) q where pg_try_advisory_lock(id)",
        "2: " + LOCKS],
    "a table's lock goes with the savepoint": [
        "1: begin", "1: savepoint a", "1: lock table p in access exclusive mode",
        "2: select count(*) from p", "1: rollback to a", "2?", "1: commit"],
    "a table's lock goes with an error": [
        "1: begin", "1: lock table p in access exclusive mode", "2: select count(*) from p",
        "1: select 1/0", "2?", "1: rollback"],
    "a stronger lock goes, the weaker stays": [
        "1: begin", "1: select count(*) from p", "1: savepoint a",
        "1: lock table p in access exclusive mode", "1: rollback to a", "2: select count(*) from p",
        "2: begin", "2: set local lock_timeout = 50", "2: lock table p in access exclusive mode", "2?",
        "2: rollback", "1: commit", "2: lock table p nowait"],
    "a prepared transaction keeps its locks": [
        "1: begin", "1: update p set n = 9 where id = 1", "1: select id from p where id = 2 for update",
        "1: select pg_advisory_xact_lock(1)", "1: prepare transaction 'a'",
        "2: select id from p order by id for update skip locked", "2: select pg_try_advisory_lock(1)",
        "2: select id from p where id = 1 for update", "3: commit prepared 'a'", "2?",
        "2: select n from p order by id", "2: select pg_try_advisory_lock(1)"],
    "a prepared transaction is rolled back": [
        "1: begin", "1: delete from u", "1: insert into p values (7, 7, 7)",
        "1: prepare transaction 'a'", "2: insert into p values (7, 7, 8)", "1: rollback prepared 'a'", "2?",
        "2: select n from p where id = 7", "2: select count(*) from u"],
    "a prepared transaction is not seen": [
        "1: begin", "1: insert into p values (7, 7, 7)", "1: prepare transaction 'a'",
        "1: select count(*) from p", "2: select count(*) from p", "1: commit prepared 'a'",
        "1: select count(*) from p", "2: select count(*) from p"],
    "a table of a prepared transaction stays": [
        "1: begin", "1: insert into u values (7, 2)", "1: prepare transaction 'a'",
        "2: begin", "2: set local lock_timeout = 50", "2: drop table u", "2?", "2: rollback",
        "1: rollback prepared 'a'", "2: drop table u"],
    "names of prepared transactions": [
        "1: begin", "1: insert into p values (7, 7, 7)", "1: prepare transaction 'a'",
        "2: begin", "2: insert into p values (8, 8, 8)", "2: prepare transaction 'a'",
        "2: select count(*) from p", "2: begin", "2: prepare transaction '%s'" % ("x" * 200),
        "2: select gid, owner, database = current_database() from pg_prepared_xacts",
        "2: commit prepared 'b'", "2: rollback prepared 'b'", "2: begin", "2: commit prepared 'a'",
        "2: rollback", "2: commit prepared 'a'", "2: commit prepared 'a'",
        "2: select gid from pg_prepared_xacts"],
    "what cannot be prepared": [
        "1: begin", "1: listen x", "1: prepare transaction 'a'", "1: begin", "1: notify x",
        "1: prepare transaction 'a'", "1: begin",
        "1: declare c cursor with hold for select 1", "1: prepare transaction 'a'",
        "1: begin", "1: select pg_advisory_lock(1), pg_advisory_xact_lock(1)",
        "1: prepare transaction 'a'", "1: begin", "1: select pg_advisory_lock_shared(2)",
        "1: select pg_advisory_xact_lock(2)", "1: prepare transaction 'a'",
        "2: select pg_try_advisory_lock(1), pg_try_advisory_lock(2)",
        "1: select count(*) from pg_prepared_xacts"],
    "prepared without a block, or failed": [
        "1: prepare transaction 'a'", "1: begin", "1: select 1/0", "1: prepare transaction 'a'",
        "1: commit prepared 'a'", "1: begin", "1: prepare transaction 'a'", "1: commit prepared 'a'"],
    "deferred checks come before": [
        "1: alter table u add constraint d foreign key (k) references p (k) deferrable initially deferred",
        "1: alter table u drop constraint u_k_fkey", "1: begin", "1: insert into u values (9, 99)",
        "1: prepare transaction 'a'", "1: select count(*) from u"],
    "a snapshot from before the commit": [
        "1: begin", "1: update p set n = 5 where id = 1", "1: prepare transaction 'a'",
        "2: begin isolation level repeatable read", "2: select n from p where id = 1",
        "1: commit prepared 'a'", "2: select n from p where id = 1",
        "2: update p set n = 6 where id = 1", "2: rollback"],
}

CIRCLES = {
    "two advisory locks": [
        "1: begin", "2: begin", "1: select pg_advisory_lock(1)", "2: select pg_advisory_xact_lock(2)",
        "1: select pg_advisory_xact_lock(2)", "2: select pg_advisory_lock(1)"],
    "a session's lock and a row": [
        "1: select pg_advisory_lock(1)", "2: begin", "1: begin", "2: update p set n = 1 where id = 1",
        "1: update p set n = 2 where id = 1", "2: select pg_advisory_lock_shared(1)"],
    "an advisory lock and a table": [
        "1: begin", "2: begin", "1: lock table p", "2: select pg_advisory_xact_lock(1)",
        "2: select count(*) from p", "1: select pg_advisory_xact_lock(1)"],
    "both want more": [
        "1: begin", "2: begin", "1: select pg_advisory_xact_lock_shared(1)",
        "2: select pg_advisory_xact_lock_shared(1)", "1: select pg_advisory_xact_lock(1)",
        "2: select pg_advisory_xact_lock(1)"],
}

# A circle that is there only because one stands behind another in a queue: nobody is the victim.
SOFT = {
    "advisory": ["1: select pg_advisory_lock_shared(1)", "2: select pg_advisory_lock(1)",
                 "3: select pg_advisory_lock(2)", "3: select pg_advisory_lock_shared(1)",
                 "1: select pg_advisory_lock(2)"],
    "a table": ["1: select count(*) from p", "2: lock table p",
                "3: select pg_advisory_xact_lock(2)", "3: select count(*) from p",
                "1: select pg_advisory_xact_lock(2)"],
}


def run_soft(dsn, steps):
    sessions = {who: Session(dsn) for who in "123"}
    setup = psycopg2.connect(dsn)
    setup.autocommit = True
    setup.cursor().execute(SETUP)
    setup.close()
    for s in sessions.values():
        s.run("begin")
    said = [sessions[step[0]].run(step[3:]) for step in steps]
    third = sessions["3"].result(END_SECONDS) if sessions["3"].waiting else said[-2]
    # 3 goes past 2, and once it has ended 1 goes, too.
    sessions["3"].run("commit")
    sessions["3"].run("select pg_advisory_unlock_all()")
    first = sessions["1"].result(END_SECONDS) if sessions["1"].waiting else said[-1]
    for s in sessions.values():
        s.connection.close()
    ok = not any(isinstance(x, list) and x and x[0] == "40P01" for x in [third, first])
    return ok and third != "waits" and first != "waits", (said, third, first)


def run_words(dsn):
    """The words of a deadlock: who waits for what, by whom it is held."""
    one, two = Session(dsn), Session(dsn)
    pids = [one.run("select pg_backend_pid()")[0][0], two.run("select pg_backend_pid()")[0][0]]
    database = one.run("select oid from pg_database where datname = current_database()")[0][0]
    for s, key in ((one, 1), (two, 2)):
        s.run("begin")
        s.run("select pg_advisory_xact_lock(%d)" % key)
    one.run("select pg_advisory_xact_lock(2)")
    two.cursor = two.connection.cursor()
    two.cursor.execute("select pg_advisory_xact_lock(1)")
    said = None
    for s in (one, two):
        try:
            s.wait(END_SECONDS if said is None else 0.01)
        except psycopg2.Error as e:
            said = (s is two, e.pgcode, e.diag.message_primary, e.diag.message_detail, e.diag.message_hint)
            s.run("rollback")
        if s is one and said is None:
            one.result(0.01)
    second, code, words, detail, hint = said
    waits = [(pids[i], "Process %d waits for ExclusiveLock on advisory lock [%d,0,%d,1]; blocked by"
              " process %d." % (pids[i], database, 2 - i, pids[1 - i])) for i in (0, 1)]
    if second:
        waits.reverse()
    want = ("40P01", "deadlock detected", "\n".join(w for _, w in waits),
            "See server log for query details.")
    one.connection.close()
    two.connection.close()
    return (code, words, detail, hint) == want, (said, want)


def run_ends(dsn):
    """What a session held is free once it has gone, and a wait is ended by a cancel."""
    one, two, three = Session(dsn), Session(dsn), Session(dsn)
    one.run("select pg_advisory_lock(1), pg_advisory_lock_shared(2)")
    pid = two.run("select pg_backend_pid()")[0][0]
    waits = two.run("select pg_advisory_lock(1)")
    blocked = three.run("select pg_blocking_pids(%d) = array[(select pid from pg_locks"
                        " where locktype = 'advisory' and objid = 2)]" % pid)
    three.run("select pg_cancel_backend(%d)" % pid)
    canceled = two.result(END_SECONDS)
    one.connection.close()
    end = time.monotonic() + END_SECONDS
    while three.run("select pg_try_advisory_lock(1)") != [[True]] and time.monotonic() < end:
        time.sleep(0.01)
    left = three.run(LOCKS)
    two.connection.close()
    three.connection.close()
    said = (waits, blocked, canceled[:2], left)
    return said == ("waits", [[True]], ["57014", "canceling statement due to user request"],
                    [["advisory", 0, 1, 1, "ExclusiveLock", True]]), said


def done(session, sql):
    """What has nothing to wait for ends."""
    got = session.run(sql)
    return session.result(END_SECONDS) if got == "waits" else got


def run_snapshots(dsn):
    """An exported snapshot is read by others as long as its transaction is open, whatever has changed since."""
    one, two, three = Session(dsn), Session(dsn), Session(dsn)
    setup = psycopg2.connect(dsn)
    setup.autocommit = True
    setup.cursor().execute(SETUP)
    setup.close()
    read, begin = "select id, n from p order by id", "begin isolation level repeatable read"
    done(one, "begin")
    done(one, "update p set n = 1 where id = 2")
    name = done(one, "select pg_export_snapshot()")[0][0]
    take = "set transaction snapshot '%s'" % name
    done(three, "update p set n = 77 where id = 1")
    done(three, "delete from p where id = 3")
    done(three, "vacuum p")
    done(three, "checkpoint")
    said = []
    for step in (begin, take, read, "select pg_export_snapshot() is not null"):
        said.append(done(two, step))
    said.append(done(one, "prepare transaction 'x'")[:2])
    said += [done(two, read), done(two, "update p set n = 5 where id = 1")[0], done(two, "rollback")]
    said += [done(two, begin), done(two, take)[:2], done(two, "rollback"), done(two, read)]
    for s in (one, two, three):
        s.connection.close()
    old = [[1, 0], [2, 0], [3, 0]]
    want = ["BEGIN", "SET", old, [[True]],
            ["0A000", "cannot PREPARE a transaction that has exported snapshots"], old, "40001", "ROLLBACK",
            "BEGIN", ["22023", 'invalid snapshot identifier: "%s"' % name], "ROLLBACK", [[1, 77], [2, 0]]]
    return said == want, (said, want)


def run_serializable(dsn):
    """A SERIALIZABLE transaction that is prepared cannot fail any more: the other one does."""
    one, two = Session(dsn), Session(dsn)
    done(one, SETUP)
    for s in (one, two):
        done(s, "begin isolation level serializable")
        done(s, "select sum(n) from p")
    done(one, "update p set n = 1 where id = 1")
    said = [done(one, "prepare transaction 's'"), done(two, "update p set n = 1 where id = 2")[0], done(two, "rollback"),
            done(one, "commit prepared 's'"), done(one, "select n from p where id < 3 order by id")]
    one.connection.close()
    two.connection.close()
    return said == ["PREPARE TRANSACTION", "40001", "ROLLBACK", "COMMIT PREPARED", [[1], [0]]], said


def run_full(binary):
    """The table of locks is bounded."""
    server = Server(binary, settings=["max_locks_per_transaction=10", "max_connections=10"])
    server.start()
    try:
        one = Session("host=%s port=%s user=postgres dbname=postgres" % (server.host, server.port))
        got = one.run("select count(pg_advisory_lock(i)) from generate_series(1, 1000) i")
        held = one.run("select count(*) from pg_locks where locktype = 'advisory'")
        one.run("select pg_advisory_unlock_all()")
        again = one.run("select count(pg_advisory_lock(i)) from generate_series(1, 100) i")
        one.connection.close()
    finally:
        server.stop()
    said = (got[:2], held, again)
    return said == (["53200", "out of shared memory"], [[100]], [[100]]), said


def clean(dsn):
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("select gid from pg_prepared_xacts")
    for (gid,) in cursor.fetchall():
        cursor.execute("rollback prepared %s", (gid,))
    # Sessions that were closed end when they come to it.
    end = time.monotonic() + END_SECONDS
    cursor.execute("select count(*) from pg_locks where locktype = 'advisory'")
    while cursor.fetchone() != (0,) and time.monotonic() < end:
        time.sleep(0.005)
        cursor.execute("select count(*) from pg_locks where locktype = 'advisory'")
    cursor.execute("drop table if exists c, u, p cascade")
    connection.close()


def main(argv):
    if len(argv) == 4 and argv[0] == "--update":
        dsn = "host=%s port=%s user=postgres dbname=%s" % (argv[1], argv[2], argv[3])
        out = {}
        row_locks.WAIT_SECONDS = 0.5 # a busy machine must not look like a lock
        for name, steps in CASES.items():
            out[name] = run_case(dsn, steps)
            clean(dsn)
        for check in [lambda n=n: (n, run_circle(dsn, CIRCLES[n])) for n in CIRCLES] + \
                [lambda n=n: (n, run_soft(dsn, SOFT[n])) for n in SOFT] + \
                [lambda: ("words", run_words(dsn)), lambda: ("ends", run_ends(dsn)),
                 lambda: ("snapshots", run_snapshots(dsn))]:
            name, (ok, said) = check()
            clean(dsn)
            if not ok:
                print("the reference differs: %s: %s" % (name, said))
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
            clean(dsn)
            if got == expected[name]:
                continue
            failed += 1
            print("FAIL %s" % name)
            for step, a, b in zip(steps, expected[name], got):
                print("   %s %s\n       %s%s" % (" " if a == b else "!", step, b,
                                               "" if a == b else "\n       not  %s" % a))
        checks = [("circle: " + n, lambda n=n: run_circle(dsn, CIRCLES[n])) for n in CIRCLES]
        checks += [("queue: " + n, lambda n=n: run_soft(dsn, SOFT[n])) for n in SOFT]
        checks += [("words", lambda: run_words(dsn)), ("ends", lambda: run_ends(dsn)),
                   ("snapshots", lambda: run_snapshots(dsn)),
                   ("serializable", lambda: run_serializable(dsn)),
                   ("full", lambda: run_full(argv[0]))]
        for name, check in checks:
            ok, said = check()
            clean(dsn)
            if not ok:
                failed += 1
                print("FAIL %s: %s" % (name, said))
    finally:
        reason = server.stop()
    if reason:
        print("%s\n%s" % (reason, server.log_tail()))
    total = len(CASES) + len(checks)
    print("%d of %d cases passed" % (total - failed, total))
    return 1 if failed or reason else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
