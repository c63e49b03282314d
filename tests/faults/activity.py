"""Looking at other sessions and ending them: pg_stat_activity, pg_cancel_backend and
pg_terminate_backend.

    activity.py HELIOSD
"""
import os
import sys
import threading
import time

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from server import Server
from wire import Wire

WAIT_SECONDS = 20


def connect(server, user="postgres", **more):
    c = psycopg2.connect(host=server.host, port=server.port, user=user, dbname="postgres", **more)
    c.autocommit = True
    return c


def ask(c, text):
    q = c.cursor()
    q.execute(text)
    return q.fetchall() if q.description else None


def fails(code, words, fn, *args):
    try:
        fn(*args)
    except psycopg2.Error as e:
        assert e.pgcode == code and words in str(e), (e.pgcode, str(e))
        return
    raise AssertionError("no error %s" % code)


def wait_until(what, fn):
    until = time.time() + WAIT_SECONDS
    while not fn():
        assert time.time() < until, "never came: " + what
        time.sleep(0.02)


def row(root, pid):
    rows = ask(root, "select state, wait_event_type, wait_event, query from pg_stat_activity "
                     "where pid = %d" % pid)
    return rows[0] if rows else None


class Background(threading.Thread):
    def __init__(self, connection, text):
        super().__init__(daemon=True)
        self.connection, self.text, self.result = connection, text, None
        self.start()

    def run(self):
        try:
            self.result = ask(self.connection, self.text)
        except psycopg2.Error as e:
            self.result = e

    def code(self):
        self.join(WAIT_SECONDS)
        assert isinstance(self.result, psycopg2.Error), self.result
        return self.result.pgcode


def test_states(root, server):
    c = connect(server, application_name="watched")
    pid = c.get_backend_pid()
    ask(c, "select 'the last one'")
    assert row(root, pid) == ("idle", "Client", "ClientRead", "select 'the last one'")
    ask(c, "begin")
    assert row(root, pid)[:3] == ("idle in transaction", "Client", "ClientRead")
    fails("22012", "division by zero", ask, c, "select 1 / 0")
    assert row(root, pid)[0] == "idle in transaction (aborted)"
    ask(c, "rollback")
    assert row(root, pid)[0] == "idle"
    b = Background(c, "select pg_sleep(1000)")
    wait_until("sleep", lambda: row(root, pid) == ("active", "Timeout", "PgSleep", b.text))
    told = ask(root, "select application_name, usename, datname, client_addr, client_port > 0, "
                     "backend_type, backend_start <= query_start, query_start <= now(), "
                     "xact_start is not null, state_change is not null, leader_pid "
                     "from pg_stat_activity where pid = %d" % pid)
    assert told == [("watched", "postgres", "postgres", "127.0.0.1", True, "client backend", True,
                     True, True, True, None)], told
    assert ask(root, "select pg_cancel_backend(%d)" % pid) == [(True,)]
    assert b.code() == "57014"
    assert "canceling statement due to user request" in str(b.result)
    wait_until("idle", lambda: row(root, pid)[0] == "idle")
    assert ask(root, "select xact_start from pg_stat_activity where pid = %d" % pid) == [(None,)]
    own = ask(root, "select state, wait_event from pg_stat_activity where pid = pg_backend_pid()")
    assert own == [("active", None)], own
    c.close()
    wait_until("its row to go", lambda: row(root, pid) is None)


def test_lock_waits(root, server):
    ask(root, "create table t (id int primary key, v int)")
    ask(root, "insert into t values (1, 1)")
    ask(root, "begin")
    ask(root, "update t set v = 2")
    c = connect(server)
    pid = c.get_backend_pid()
    look = connect(server)
    b = Background(c, "update t set v = 3 where id = 1")
    wait_until("a row lock", lambda: row(look, pid)[:3] == ("active", "Lock", "transactionid"))
    assert ask(look, "select pg_cancel_backend(%d)" % pid) == [(True,)]
    assert b.code() == "57014"
    b = Background(c, "truncate t")
    wait_until("a relation lock", lambda: row(look, pid)[:3] == ("active", "Lock", "relation"))
    assert ask(look, "select pg_cancel_backend(%d)" % pid) == [(True,)]
    assert b.code() == "57014"
    # The session lives on, and what was canceled left no lock behind.
    assert ask(c, "select v from t") == [(1,)]
    ask(root, "commit")
    ask(c, "update t set v = v + 1")
    assert ask(c, "select v from t") == [(3,)]
    ask(root, "drop table t")
    c.close(), look.close()


def test_computing(root, server):
    """A statement that never waits is canceled, too, and others run beside it."""
    c = connect(server)
    pid = c.get_backend_pid()
    b = Background(c, "select count(*) from generate_series(1, 100000000000)")
    wait_until("it to run", lambda: row(root, pid)[0] == "active")
    assert row(root, pid)[1:3] == (None, None)
    ask(root, "select pg_cancel_backend(%d)" % pid)
    assert b.code() == "57014"
    # A cancel that finds nothing to end ends nothing later.
    ask(root, "select pg_cancel_backend(%d)" % pid)
    time.sleep(0.05)
    assert ask(c, "select 1") == [(1,)]
    c.close()


def test_terminate(root, server):
    idle = Wire(server)
    block = connect(server)
    ask(root, "create table t (id int primary key)")
    ask(block, "begin")
    ask(block, "insert into t values (1)")
    busy = Wire(server)
    busy.query("select pg_sleep(1000)")
    pids = [idle.pid, block.get_backend_pid(), busy.pid]
    wait_until("sleep", lambda: row(root, pids[2])[2] == "PgSleep")
    for pid in pids:
        assert ask(root, "select pg_terminate_backend(%d)" % pid) == [(True,)]
    for w in (idle, busy):
        said = w.closed()
        assert (said["S"], said["C"]) == ("FATAL", "57P01"), said
        assert said["M"] == "terminating connection due to administrator command", said
    for pid in pids:
        wait_until("its end", lambda: row(root, pid) is None)
    assert ask(root, "select * from t") == []
    ask(root, "insert into t values (1)")
    ask(root, "drop table t")
    # With a wait for its end; and a process that there is none of.
    c = connect(server)
    assert ask(root, "select pg_terminate_backend(%d, 5000)" % c.get_backend_pid()) == [(True,)]
    assert row(root, c.get_backend_pid()) is None
    assert ask(root, "select pg_cancel_backend(999999), pg_terminate_backend(999999)") == \
        [(False, False)]
    fails("22003", "\"timeout\" must not be negative", ask, root,
          "select pg_terminate_backend(999999, -1)")


def test_privileges(root, server):
    ask(root, "create role alice login")
    ask(root, "create role bob login")
    alice, bob, again = connect(server, "alice"), connect(server, "bob"), connect(server, "alice")
    ask(alice, "select 'secret'")
    pid = alice.get_backend_pid()
    assert row(bob, pid) == (None, None, None, "<insufficient privilege>")
    assert row(again, pid)[3] == "select 'secret'"
    fails("42501", "must be a member of the role whose query is being canceled or member of "
          "pg_signal_backend", ask, bob, "select pg_cancel_backend(%d)" % pid)
    fails("42501", "must be a member of the role whose process is being terminated or member of "
          "pg_signal_backend", ask, bob, "select pg_terminate_backend(%d)" % pid)
    fails("42501", "must be a superuser to terminate superuser process", ask, bob,
          "select pg_terminate_backend(%d)" % root.get_backend_pid())
    fails("42501", "must be a superuser to cancel superuser query", ask, bob,
          "select pg_cancel_backend(%d)" % root.get_backend_pid())
    assert ask(again, "select pg_cancel_backend(%d)" % pid) == [(True,)]
    assert ask(again, "select pg_terminate_backend(%d)" % pid) == [(True,)]
    wait_until("its end", lambda: row(root, pid) is None)
    bob.close(), again.close()


def main():
    with Server(sys.argv[1]) as server:
        root = connect(server)
        test_states(root, server)
        test_lock_waits(root, server)
        test_computing(root, server)
        test_terminate(root, server)
        test_privileges(root, server)
        root.close()
    print("ok")


if __name__ == "__main__":
    main()
