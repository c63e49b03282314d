#!/usr/bin/python3
"""LISTEN and NOTIFY: what listeners are told, when, in which order, and what happens when one does not
listen to what it is told. psycopg2 waits on the socket; psql shows what it was told.

usage: notify.py HELIOSD              starts a server, runs the cases
       notify.py --reference HOST PORT  runs those that say what PostgreSQL does against it"""
import os
import random
import select
import subprocess
import sys
import threading
import time

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402

SECONDS = 20       # what comes, comes by then
QUIET = 0.15       # what has not come by then does not come
TELLERS, EACH = 6, 40


class Client:
    def __init__(self, dsn, autocommit=True):
        self.c = psycopg2.connect(dsn)
        self.c.autocommit = autocommit
        self.q = self.c.cursor()
        self.pid = self.c.get_backend_pid()

    def run(self, *statements):
        for sql in statements:
            self.q.execute(sql)
        return self.q.fetchall() if self.q.description else None

    def fails(self, sql):
        try:
            self.q.execute(sql)
        except psycopg2.Error as e:
            return [e.pgcode, e.diag.message_primary]
        return None

    def told(self, count=None):
        """Without a word to the server. count None: nothing is to come."""
        end = time.monotonic() + (SECONDS if count else QUIET)
        self.c.poll() # what came with the last answer
        while len(self.c.notifies) < (count or 1) and time.monotonic() < end:
            select.select([self.c.fileno()], [], [], max(0, end - time.monotonic()))
            self.c.poll()
        return self.take()

    def take(self):
        out = [(n.pid, n.channel, n.payload) for n in self.c.notifies]
        del self.c.notifies[:]
        return out


def check(name, got, want):
    if got != want:
        raise AssertionError("%s: %s, not %s" % (name, got, want))


def idle(dsn):
    a, b, c = Client(dsn), Client(dsn), Client(dsn)
    a.run("listen x")
    b.run("listen x", "listen \"Y z\"")
    c.run("notify x, 'hello'")
    check("a listener that is idle", a.told(1), [(c.pid, "x", "hello")])
    check("another", b.told(1), [(c.pid, "x", "hello")])
    c.run("notify \"Y z\"")
    check("no payload", b.told(1), [(c.pid, "Y z", "")])
    check("another channel", a.told(), [])
    check("one that does not listen", c.told(), [])
    c.run("select pg_notify('x', 'by function')")
    check("by function", a.told(1) + b.told(1), [(c.pid, "x", "by function")] * 2)
    check("channels", b.run("select pg_listening_channels()"), [("x",), ("Y z",)])
    b.run("unlisten x")
    check("channels left", b.run("select * from pg_listening_channels()"), [("Y z",)])
    c.run("notify x, '2'")
    check("who has left", [len(a.told(1)), b.told()], [1, []])
    b.run("unlisten *")
    check("no channels", b.run("select count(*) from pg_listening_channels()"), [(0,)])
    check("usage", c.run("select pg_notification_queue_usage()"), [(0.0,)])


def itself(dsn):
    a = Client(dsn, autocommit=False)
    a.run("listen x", "notify x, 'before'")
    check("before the commit", a.take(), [])
    a.c.commit()
    a.c.poll()
    check("with the commit", a.take(), [(a.pid, "x", "before")])
    a.run("notify x, 'one'", "select 1")
    a.c.rollback()
    check("rolled back", a.told(), [])
    a.run("listen y")
    a.c.rollback()
    check("LISTEN rolled back", a.run("select pg_listening_channels()"), [("x",)])
    a.run("unlisten x")
    a.c.rollback()
    check("UNLISTEN rolled back", a.run("select pg_listening_channels()"), [("x",)])


def transactions(dsn):
    a, b = Client(dsn), Client(dsn, autocommit=False)
    a.run("listen x", "listen y")
    b.run("notify x, '1'", "notify y, '1'", "notify x, '2'", "notify x, '1'", "notify y, '1'",
          "select pg_notify('x', '2')", "notify x")
    check("not committed", a.told(), [])
    b.c.commit()
    check("folded, in order", a.told(4), [(b.pid, "x", "1"), (b.pid, "y", "1"), (b.pid, "x", "2"),
                                        (b.pid, "x", "")])
    b.run("notify x, '1'", "savepoint s", "notify x, '2'", "notify x, '1'", "rollback to s",
          "notify x, '3'", "savepoint t", "notify x, '2'", "release t")
    b.c.commit()
    check("savepoints", [p for _, _, p in a.told(3)], ["1", "3", "2"])
    a.c.autocommit = False
    a.run("select 1")
    b.run("notify x, 'late'")
    b.c.commit()
    check("in a transaction", a.told(), [])
    a.run("select 2")
    a.c.poll()
    check("still in it", a.take(), [])
    a.c.commit()
    check("after it", a.told(1), [(b.pid, "x", "late")])


def errors(dsn):
    a = Client(dsn)
    check("payload", a.fails("select pg_notify('x', repeat('x', 8000))"),
          ["22023", "payload string too long"])
    check("statement", a.fails("notify x, '%s'" % ("x" * 8000)), ["22023", "payload string too long"])
    check("no channel", a.fails("select pg_notify('', 'x')"), ["22023", "channel name cannot be empty"])
    check("null", a.fails("select pg_notify(null, null)"), ["22023", "channel name cannot be empty"])
    check("channel", a.fails("select pg_notify(repeat('x', 64), '')"), ["22023", "channel name too long"])
    a.run("listen " + "x" * 63)
    a.run("select pg_notify(repeat('x', 63), repeat('y', 7999))")
    check("as long as may be", [(c, len(p)) for _, c, p in a.told(1)], [("x" * 63, 7999)])


def order(dsn, seed):
    """Commits from many sides: every listener is told the same, in the order of the commits."""
    setup = Client(dsn)
    setup.run("drop table if exists told",
              "create table told (teller int, n int, primary key (teller, n))")
    listeners = [Client(dsn) for _ in range(3)]
    for l in listeners:
        l.run("listen o")

    def tell(number):
        r = random.Random(seed + number)
        t = Client(dsn, autocommit=False)
        for n in range(EACH):
            if r.randrange(3):
                t.run("insert into told values (%d, %d)" % (number, n))
            t.run("notify o, '%d %d'" % (number, n))
            t.c.commit() if r.randrange(4) else t.c.rollback()
        t.c.close()
    threads = [threading.Thread(target=tell, args=(i,)) for i in range(TELLERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    setup.run("notify o, 'end'")
    heard = []
    for l in listeners:
        got = []
        while not got or got[-1] != "end":
            more = [p for _, _, p in l.told(1)]
            if not more:
                raise AssertionError("no end came: %s" % got)
            got += more
        heard.append(got)
    check("the same for all", heard[1:], heard[:1] * 2)
    for number in range(TELLERS):
        mine = [int(p.split()[1]) for p in heard[0][:-1] if p.split()[0] == str(number)]
        check("each teller's in order", mine, sorted(set(mine)))
    written = {"%d %d" % row for row in setup.run("select * from told")}
    check("what was committed was told", written <= set(heard[0]), True)


def by_psql(dsn, host, port):
    script = "listen x;\nselect 1;\nnotify x, 'a b';\nselect pg_notify('x', 'c');\n"
    env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    out = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-h", host, "-p", str(port), "-U", "postgres",
                          "-d", "postgres"], input=script, capture_output=True, text=True, timeout=SECONDS,
                         env=env).stdout
    lines = [l.split(" received from")[0] for l in out.split("\n") if "Asynchronous" in l]
    check("psql", lines, ['Asynchronous notification "x" with payload "a b"',
                          'Asynchronous notification "x" with payload "c"'])


def others(dsn):
    """Waiting for notifications disturbs neither statements, nor cancels, nor the end of a session."""
    a, b = Client(dsn), Client(dsn)
    a.run("listen x")
    stop = threading.Event()

    def tell():
        t = Client(dsn)
        while not stop.is_set():
            t.run("notify x, 'again'")
    teller = threading.Thread(target=tell)
    teller.start()
    try:
        for i in range(200):
            check("a statement", a.run("select %d" % i), [(i,)])
        check("a longer one", a.run("select count(*) from generate_series(1, 200000)"), [(200000,)])
        check("sleep", a.run("select pg_sleep(0.1) is not null"), [(True,)])
    finally:
        stop.set()
        teller.join()
    check("told meanwhile", len(a.take()) > 0, True)
    a.run("discard all")
    a.take()
    check("DISCARD ALL", a.run("select count(*) from pg_listening_channels()"), [(0,)])
    a.run("listen x")
    b.run("select pg_terminate_backend(%d)" % a.pid)
    end = time.monotonic() + SECONDS
    while b.run("select count(*) from pg_stat_activity where pid = %d" % a.pid) != [(0,)]:
        assert time.monotonic() < end, "the session did not end"
    b.run("notify x")


def full(binary):
    """One that stays in a transaction lets the queue fill: commits that tell fail, and go on after it."""
    server = Server(binary, settings=["notify_queue_bytes=64kB"])
    server.start()
    try:
        dsn = "host=%s port=%s user=postgres dbname=postgres" % (server.host, server.port)
        a, b, c = Client(dsn, autocommit=False), Client(dsn), Client(dsn)
        a.run("listen x")
        a.c.commit()
        a.run("select 1")
        told, error = 0, None
        while not error:
            error = b.fails("select pg_notify('x', repeat('y', 1000) || '%d')" % told)
            told += not error
            assert told < 1000, "the queue has no end"
        check("full", error, ["54000", "too many notifications in the NOTIFY queue"])
        usage = c.run("select pg_notification_queue_usage()")[0][0]
        check("usage", 0.9 < usage <= 1, True)
        check("one alone", c.fails("begin; select pg_notify('x', repeat('z', 7000) || i::text) from"
                                   " generate_series(1, 20) i; commit"),
              ["54000", "too many notifications in the NOTIFY queue"])
        c.run("rollback")
        c.run("notify other")
        a.c.commit()
        check("all that were accepted", len(a.told(told)), told)
        b.run("notify x, 'more'")
        check("again", a.told(1), [(b.pid, "x", "more")])
        check("empty", c.run("select pg_notification_queue_usage()"), [(0.0,)])
        a.c.close()
    finally:
        reason = server.stop()
    assert not reason, reason


def main(argv):
    if len(argv) == 3 and argv[0] == "--reference":
        dsn = "host=%s port=%s user=postgres dbname=postgres" % (argv[1], argv[2])
        for case in (idle, itself, transactions, errors, lambda d: order(d, 1), others):
            case(dsn)
        by_psql(dsn, argv[1], argv[2])
        return 0
    seed = int(argv[1]) if len(argv) > 1 else random.randrange(1 << 30)
    print("seed %d" % seed)
    server = Server(argv[0])
    server.start()
    try:
        dsn = "host=%s port=%s user=postgres dbname=postgres" % (server.host, server.port)
        for case in (idle, itself, transactions, errors, lambda d: order(d, seed), others):
            case(dsn)
        idle(dsn + " sslmode=require")
        by_psql(dsn, server.host, server.port)
    finally:
        reason = server.stop()
    if reason:
        print("%s\n%s" % (reason, server.log_tail()))
        return 1
    full(argv[0])
    print("all that was told was heard")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
