"""Limits against misuse: each holds, says what PostgreSQL says, and leaves the others alone.

    limits.py HELIOSD
"""
import os
import re
import select
import socket
import struct
import sys
import threading
import time
import urllib.request

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from server import Server
from wire import Gone, Wire

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


def metrics(server):
    port = next(re.search(r"http on 127\.0\.0\.1:(\d+)", x).group(1)
                for x in server.log if "http on" in x)
    with urllib.request.urlopen("http://127.0.0.1:%s/metrics" % port, timeout=10) as r:
        lines = r.read().decode().splitlines()
    return {x.rsplit(" ", 1)[0]: float(x.rsplit(" ", 1)[1]) for x in lines if x[0] != "#"}


class Background(threading.Thread):
    """A statement on a connection of its own; `result` is its rows or its error."""

    def __init__(self, server, text):
        super().__init__(daemon=True)
        self.connection = connect(server)
        self.pid = self.connection.get_backend_pid()
        self.text, self.result = text, None
        self.start()

    def run(self):
        try:
            self.result = ask(self.connection, self.text)
        except psycopg2.Error as e:
            self.result = e

    def error(self):
        self.join(WAIT_SECONDS)
        assert isinstance(self.result, psycopg2.Error), self.result
        return self.result.pgcode


# --- connections ---------------------------------------------------------------------------------

def refused(server, user):
    """What a client that is one too many is told; None when it is let in."""
    try:
        w = Wire(server, user)
    except Gone as e:
        return (e.args[0]["C"], e.args[0]["M"])
    w.close()
    return None


def test_connections(server):
    root = connect(server)
    ask(root, "create role app login")
    assert ask(root, "select current_setting('max_connections'), "
               "current_setting('superuser_reserved_connections')") == [("8", "2")]
    held = [connect(server, "app") for _ in range(5)]
    assert refused(server, "app") == ("53300", "remaining connection slots are reserved for "
                                      "non-replication superuser connections")
    held += [connect(server), connect(server)]
    full = ("53300", "sorry, too many clients already")
    assert refused(server, "postgres") == full and refused(server, "app") == full
    held.pop(0).close()
    wait_until("room for superusers", lambda: refused(server, "postgres") is None)
    for c in held:
        c.close()
    wait_until("room for all", lambda: refused(server, "app") is None)
    ask(root, "drop role app")
    root.close()


def test_storm(server):
    """2,000 at once: each is served or turned away, none hangs, and the memory comes back."""
    wait_until("quiet", lambda: metrics(server)['helios_sessions{state="idle"}'] == 0)
    before = metrics(server)
    body = struct.pack("!i", 196608) + b"user\0postgres\0database\0postgres\0\0"
    packet = struct.pack("!i", len(body) + 4) + body
    served = turned_away = 0
    for _ in range(4):
        sockets = []
        for _ in range(500):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex((server.host, server.port))
            sockets.append(s)
        waiting, sent = set(sockets), set()
        until = time.time() + WAIT_SECONDS
        poll = select.poll()
        by_fd = {s.fileno(): s for s in sockets}
        for s in sockets:
            poll.register(s, select.POLLIN | select.POLLOUT)
        while waiting and time.time() < until:
            for fd, _ in poll.poll(100):
                s = by_fd[fd]
                if s not in waiting:
                    continue
                try:
                    if s not in sent:
                        s.send(packet)
                        sent.add(s)
                        poll.modify(s, select.POLLIN)
                        continue
                    answer = s.recv(65536)
                except ConnectionError:
                    answer = b""
                except BlockingIOError:
                    continue
                served += answer[:1] == b"R"
                turned_away += answer[:1] != b"R"
                waiting.discard(s)
                poll.unregister(s)
        assert not waiting, "%d hang" % len(waiting)
        for s in sockets:
            s.close()
    assert served + turned_away == 2000 and served >= 8, (served, turned_away)
    wait_until("the sockets to be closed", lambda: metrics(server)["helios_gateway_clients"] <= 1)
    after = metrics(server)
    for tag in ("net", "session"):
        name = 'helios_memory_bytes{tag="%s"}' % tag
        assert after[name] - before[name] < 1 << 20, (name, before[name], after[name])
    assert after["helios_process_open_fds"] <= before["helios_process_open_fds"] + 4
    connect(server).close()


def test_authentication_timeout(server):
    """auth.timeout is 1 s here: for silence, half a packet, and half a TLS handshake."""
    silent = Wire(server, startup=False)
    half = Wire(server, startup=False)
    half.socket.sendall(struct.pack("!ii", 100, 196608) + b"user\0")
    tls = Wire(server, startup=False)
    tls.socket.sendall(struct.pack("!ii", 8, 80877103))
    assert tls.read(1) == b"S"
    tls.socket.sendall(b"\x16\x03\x01\x02\x00\x01")
    quiet_tls = Wire(server, startup=False)
    quiet_tls.socket.sendall(struct.pack("!ii", 8, 80877103))
    assert quiet_tls.read(1) == b"S"
    for w in (silent, half):
        said = w.closed()
        assert said and said["C"] == "57014", said
        assert said["M"] == "canceling authentication due to timeout", said
    for w in (tls, quiet_tls):
        try:
            while w.socket.recv(4096):
                pass
        except ConnectionError:
            pass


# --- time limits ---------------------------------------------------------------------------------

def test_timeouts(server):
    c = connect(server)
    ask(c, "create table locked (id int primary key, v int)")
    ask(c, "insert into locked values (1, 1)")
    ask(c, "set statement_timeout = '200ms'")
    timeout = "canceling statement due to statement timeout"
    fails("57014", timeout, ask, c, "select pg_sleep(60)")
    fails("57014", timeout, ask, c, "select count(*) from generate_series(1, 2000000000)")
    ask(c, "reset statement_timeout")
    holder = connect(server)
    ask(holder, "begin")
    ask(holder, "update locked set v = 2")
    ask(c, "set lock_timeout = '200ms'")
    lock = "canceling statement due to lock timeout"
    fails("55P03", lock, ask, c, "update locked set v = 3 where id = 1")
    fails("55P03", lock, ask, c, "alter table locked add column w int")
    ask(c, "reset lock_timeout")
    ask(c, "set statement_timeout = '200ms'")
    fails("57014", timeout, ask, c, "update locked set v = 3 where id = 1")
    ask(holder, "rollback")
    ask(c, "reset statement_timeout")
    assert ask(c, "select v from locked") == [(1,)]

    w = Wire(server, options="-c idle_session_timeout=200ms")
    said = w.closed()
    assert (said["S"], said["C"]) == ("FATAL", "57P05"), said
    assert said["M"] == "terminating connection due to idle-session timeout", said
    w = Wire(server, options="-c idle_in_transaction_session_timeout=200ms")
    w.query("begin; update locked set v = 9")
    w.until(b"Z")
    said = w.closed()
    assert (said["S"], said["C"]) == ("FATAL", "25P03"), said
    assert said["M"] == "terminating connection due to idle-in-transaction timeout", said
    wait_until("its row lock to go", lambda: ask(
        c, "select v from locked for update skip locked") == [(1,)])
    ask(c, "drop table locked")
    c.close(), holder.close()


# --- clients that do not read --------------------------------------------------------------------

def waits_to_write(root, pid):
    return ask(root, "select wait_event from pg_stat_activity where pid = %d" % pid) == \
        [("ClientWrite",)]


def is_gone(root, pid):
    return ask(root, "select 1 from pg_stat_activity where pid = %d" % pid) == []


BIG = "select repeat('x', 1000) from generate_series(1, 300000)"


def held_bytes(server):
    m = metrics(server)
    return sum(v for k, v in m.items() if k.startswith("helios_memory_bytes"))


def test_slow_reader(server):
    root = connect(server)
    before = held_bytes(server)
    w = Wire(server, receive_bytes=4096)
    w.query(BIG)
    wait_until("a full socket", lambda: waits_to_write(root, w.pid))
    assert held_bytes(server) - before < 16 << 20, held_bytes(server) - before
    # A cancel is kept until there is room, as with PostgreSQL; then the statement ends.
    assert ask(root, "select pg_cancel_backend(%d)" % w.pid) == [(True,)]
    time.sleep(0.1)
    assert waits_to_write(root, w.pid)
    messages = w.until(b"Z")
    error = [w.fields(b) for k, b in messages if k == b"E"]
    assert len(error) == 1 and error[0]["C"] == "57014", error
    # A termination does not wait.
    w.query(BIG)
    wait_until("a full socket", lambda: waits_to_write(root, w.pid))
    assert ask(root, "select pg_terminate_backend(%d)" % w.pid) == [(True,)]
    wait_until("the end of it", lambda: is_gone(root, w.pid))
    w.close()
    root.close()


def test_pipeline_without_reading(server):
    """Queries without end, and nobody reads: the server stops reading, too."""
    root = connect(server)
    before = held_bytes(server)
    w = Wire(server, receive_bytes=4096)
    w.socket.settimeout(1)
    one = Wire.message(b"Q", b"select repeat('x', 10000)\0") * 200
    sent = 0
    try:
        while sent < 100 << 20:
            sent += w.socket.send(one)
    except TimeoutError:
        pass
    assert sent < 100 << 20, "it all went in"
    wait_until("a full socket", lambda: waits_to_write(root, w.pid))
    assert held_bytes(server) - before < 16 << 20, held_bytes(server) - before
    w.close()
    wait_until("the end of it", lambda: is_gone(root, w.pid))
    root.close()


def test_write_timeout(server):
    """client_write_timeout is 1 s in this server."""
    root = connect(server)
    w = Wire(server, receive_bytes=4096)
    w.query(BIG)
    wait_until("the end of it", lambda: is_gone(root, w.pid))
    w.close()
    root.close()


def test_gone_client(server):
    root = connect(server)
    ask(root, "create table busy (id int primary key)")
    ask(root, "insert into busy values (1)")
    ask(root, "begin")
    ask(root, "update busy set id = 1")
    texts = ["select pg_sleep(1000)", "select count(*) from generate_series(1, 100000000000)",
             "update busy set id = 2 where id = 1"]
    clients = []
    for text in texts:
        w = Wire(server, options="-c client_connection_check_interval=1s")
        w.query(text)
        clients.append(w)
    look = connect(server)
    for w in clients:
        wait_until("it to run", lambda: ask(
            look, "select state from pg_stat_activity where pid = %d" % w.pid) == [("active",)])
    for w in clients:
        w.close()
    for w in clients:
        wait_until("the end of it", lambda: is_gone(look, w.pid))
    ask(root, "rollback")
    ask(root, "drop table busy")
    root.close(), look.close()


def test_huge_message(server):
    """max_message_bytes is 1 MB here."""
    w = Wire(server)
    w.query("select length('%s')" % ("x" * 500000))
    assert any(k == b"D" and b"500000" in b for k, b in w.until(b"Z"))
    w.socket.sendall(b"Q" + struct.pack("!i", 2 << 20))
    said = w.closed()
    assert (said["S"], said["C"]) == ("FATAL", "08P01"), said
    assert said["M"] == "invalid message length", said
    w = Wire(server)
    w.socket.sendall(b"Q" + struct.pack("!i", -5))
    assert w.closed()["C"] == "08P01"
    w = Wire(server, startup=False)
    w.socket.sendall(struct.pack("!ii", 1 << 30, 196608))
    said = w.closed()
    assert said["M"] == "invalid length of startup packet", said


# --- admission -----------------------------------------------------------------------------------

def queued(root):
    return ask(root, "select pid from pg_stat_activity where wait_event = 'Admission'")


def test_admission(server):
    """Two may run and two may wait here."""
    root = connect(server)
    ask(root, "create table one (id int primary key, v int)")
    ask(root, "insert into one values (1, 1)")
    sleep = "select pg_sleep(1000) from one where v = 1"
    running = [Background(server, sleep) for _ in range(2)]
    for r in running:
        wait_until("it to sleep", lambda: ask(root, "select wait_event from pg_stat_activity "
                                              "where pid = %d" % r.pid) == [("PgSleep",)])
    first = Background(server, "select v from one where v = 1")
    wait_until("one to wait", lambda: len(queued(root)) == 1)
    second = Background(server, sleep)
    wait_until("two to wait", lambda: len(queued(root)) == 2)
    fails("53400", "too many statements are running", ask, root, "select count(*) from one")
    # Not held up: points, statements in a transaction block, and looking.
    assert ask(root, "select v from one where id = 1") == [(1,)]
    ask(root, "begin")
    assert ask(root, "select count(*) from one") == [(1,)]
    ask(root, "update one set v = 1 where v = 1")
    ask(root, "commit")
    assert len(ask(root, "select * from pg_stat_activity")) == 5
    m = metrics(server)
    assert m["helios_statements_admitted"] == 2 and m["helios_statements_queued"] == 2
    assert m["helios_admission_refusals_total"] >= 1
    # A waiting one can be canceled; then a place goes to the first of the queue.
    ask(root, "select pg_cancel_backend(%d)" % second.pid)
    assert second.error() == "57014" and queued(root) == [(first.pid,)]
    second = Background(server, sleep)
    wait_until("two to wait", lambda: len(queued(root)) == 2)
    ask(root, "select pg_cancel_backend(%d)" % running[0].pid)
    assert running[0].error() == "57014"
    first.join(WAIT_SECONDS)
    assert first.result == [(1,)], first.result
    wait_until("the other to run", lambda: queued(root) == [])
    for b in (running[1], second):
        ask(root, "select pg_terminate_backend(%d)" % b.pid)
        b.join(WAIT_SECONDS)
    wait_until("places", lambda: metrics(server)["helios_statements_admitted"] == 0)
    assert ask(root, "select count(*) from one") == [(1,)]
    ask(root, "drop table one")
    root.close()


def test_queue_wait(server):
    """max_queue_wait is 200 ms and one may run."""
    root = connect(server)
    ask(root, "create table one (id int primary key, v int)")
    ask(root, "insert into one values (1, 1)")
    b = Background(server, "select pg_sleep(1000) from one where v = 1")
    wait_until("it to sleep", lambda: ask(root, "select wait_event from pg_stat_activity "
                                          "where pid = %d" % b.pid) == [("PgSleep",)])
    fails("53400", "max_queue_wait", ask, root, "select count(*) from one")
    ask(root, "select pg_cancel_backend(%d)" % b.pid)
    assert b.error() == "57014"
    wait_until("the place", lambda: metrics(server)["helios_statements_admitted"] == 0)
    assert ask(root, "select count(*) from one") == [(1,)]
    root.close()


def main():
    binary = sys.argv[1]
    with Server(binary, ["http_port=0", "max_connections=8", "superuser_reserved_connections=2",
                         "auth.timeout=1s", "max_message_bytes=1MB"]) as server:
        test_connections(server)
        test_authentication_timeout(server)
        test_timeouts(server)
        test_slow_reader(server)
        test_pipeline_without_reading(server)
        test_gone_client(server)
        test_huge_message(server)
        test_storm(server)
    with Server(binary, ["http_port=0", "max_active_statements=2", "max_queued_statements=2",
                         "tcp_keepalives_idle=30s", "tcp_keepalives_interval=5s",
                         "tcp_keepalives_count=3", "tcp_user_timeout=20s"]) as server:
        test_admission(server)
    with Server(binary, ["http_port=0", "max_active_statements=1", "max_queue_wait=200ms",
                         "client_write_timeout=1s"]) as server:
        test_queue_wait(server)
        test_write_timeout(server)
    print("ok")


if __name__ == "__main__":
    main()
