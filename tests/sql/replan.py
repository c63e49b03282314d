#!/usr/bin/python3
"""Prepared statements run on while ANALYZE and ALTER TABLE make their plans stale: no error reaches a client.

usage: replan.py HELIOSD"""
import os
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402
from wire import Wire  # noqa: E402

CLIENTS, ROUNDS, CHANGES = 6, 300, 150
STATEMENTS = {"u": "update r set n = n + $1 where id = $2", "s": "select n + $1 from r where id = $2",
              "a": "select count(*) + $1 from r where n > $2"}


def errors(messages, wire):
    return [wire.fields(body) for kind, body in messages if kind == b"E"]


def query(wire, text):
    wire.query(text)
    return errors(wire.until(b"Z"), wire)


def param(value):
    text = str(value).encode()
    return struct.pack("!i", len(text)) + text


class Client(threading.Thread):
    def __init__(self, server, number):
        super().__init__()
        self.wire, self.number, self.errors = Wire(server), number, []
        self.wire.socket.settimeout(60)

    def run(self):
        w, m = self.wire, self.wire.message
        parses = b"".join(m(b"P", name.encode() + b"\0" + text.encode() + b"\0\0\0")
                          for name, text in STATEMENTS.items())
        w.socket.sendall(parses + m(b"S", b""))
        self.errors += errors(w.until(b"Z"), w)
        for i in range(ROUNDS):
            self.errors += query(w, "begin")
            for name in STATEMENTS:
                limit = struct.pack("!i", i % 2)  # by turns to the end, and as a portal that may stand
                w.socket.sendall(m(b"B", b"\0" + name.encode() + b"\0\0\0\0\2" + param(1) + param(self.number)
                                   + b"\0\0") + m(b"E", b"\0" + limit) + m(b"S", b""))
                self.errors += errors(w.until(b"Z"), w)
            self.errors += query(w, "commit")
        w.close()


def errors_after_wait(a, change, b, statement):
    """Those of a statement by b that waits while a makes the change and commits."""
    assert not query(a, "begin; " + change)
    b.query(statement)
    waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    a.query(waits)
    while not any(body.endswith(b"1") for kind, body in a.until(b"Z") if kind == b"D"):
        a.query(waits)
    assert not query(a, "commit")
    return errors(b.until(b"Z"), b)


def check_new_foreign_key(a, b):
    """What waited for the lock of ADD FOREIGN KEY knows the key."""
    assert not query(a, "create table p (id int primary key); create table c (pid int);"
                        "insert into p values (1), (2); insert into c values (1)")
    found = errors_after_wait(a, "alter table c add foreign key (pid) references p", b,
                              "delete from p where id = 1")
    assert [e["C"] for e in found] == ["23503"], found


def check_new_statistics(a, b):
    """They make no plan wrong, not even one that cannot be made anew."""
    for statement in ("begin; declare x cursor for select * from p; fetch all from x; commit",
                      "copy (select * from p) to stdout", "create table q as select * from p"):
        assert not query(a, "insert into p select g from generate_series(1, 1000) g on conflict do nothing")
        found = errors_after_wait(a, "lock table p; analyze p", b, statement)
        assert not found, (statement, found)


def main():
    with Server(sys.argv[1]) as server:
        wire = Wire(server)
        wire.socket.settimeout(60)
        assert not query(wire, "create table r (id int primary key, n int);"
                               "insert into r select g, 0 from generate_series(1, 100) g")
        clients = [Client(server, n + 1) for n in range(CLIENTS)]
        for c in clients:
            c.start()
        for i in range(CHANGES):
            change = "alter table r add column c%d int" % i if i % 10 == 0 else "analyze r"
            found = query(wire, change)
            assert not found, found
        for c in clients:
            c.join()
            assert not c.errors, (len(c.errors), c.errors[0])
        wire.query("select count(*) from r where n = %d" % ROUNDS)
        rows = [body for kind, body in wire.until(b"Z") if kind == b"D"]
        assert rows[0].endswith(b"%d" % CLIENTS), rows
        wire.close()
        a, b = Wire(server), Wire(server)
        check_new_foreign_key(a, b)
        check_new_statistics(a, b)
    print("%d transactions beside %d changes" % (CLIENTS * ROUNDS, CHANGES))


main()
