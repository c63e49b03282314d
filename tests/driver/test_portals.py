#!/usr/bin/env python3
"""Portals with a row limit, and cursors: they stop between two rows, and take memory for none.

    test_portals.py HELIOSD [SEED]

Many portals of one transaction are stepped in random order between other statements, beside a model
that knows what each must give. Results far too large to be kept are begun, read in part, and left.
"""
import os
import random
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.dont_write_bytecode = True
from server import Server, keeps_freed_memory  # noqa: E402
from wire import Wire  # noqa: E402

MEMORY_LIMIT_MB = 16
HUGE = 4 * 10 ** 9  # rows that nobody could wait for


class Client(Wire):
    """The extended protocol, one step at a time; every step ends with Flush or Sync."""

    def bind(self, portal, sql):
        name = portal.encode() + b"\0"
        self.send(b"P", b"\0" + sql.encode() + b"\0" + struct.pack("!h", 0))
        self.send(b"B", name + b"\0" + struct.pack("!hhh", 0, 0, 0))
        self.send(b"H", b"")
        self.expect(b"1")
        self.expect(b"2")

    def expect(self, kind):
        got, body = self.next()
        assert got == kind, (got, self.fields(body) if got == b"E" else body)
        return body

    def step(self, portal, rows):
        """The rows, and how it ended: 's'uspended, 'C'omplete or the fields of an error."""
        self.send(b"E", portal.encode() + b"\0" + struct.pack("!i", rows))
        self.send(b"H", b"")
        out = []
        while True:
            kind, body = self.next()
            if kind == b"D":
                out.append(self.values(body))
            elif kind == b"E":
                self.sync()
                return out, self.fields(body)
            else:
                return out, kind.decode()

    @staticmethod
    def values(body):
        count, at, row = struct.unpack("!h", body[:2])[0], 2, []
        for _ in range(count):
            n = struct.unpack("!i", body[at:at + 4])[0]
            at += 4
            row.append(body[at:at + n].decode())
            at += n
        return tuple(row)

    def close_portal(self, portal):
        self.send(b"C", b"P" + portal.encode() + b"\0")
        self.send(b"H", b"")
        self.expect(b"3")

    def sync(self):
        self.send(b"S", b"")
        self.until(b"Z")

    def run(self, sql):
        """Rows of a simple query; an error is an AssertionError."""
        self.query(sql)
        messages = self.until(b"Z")
        bad = [self.fields(b) for k, b in messages if k == b"E"]
        assert not bad, (sql, bad)
        return [self.values(b) for k, b in messages if k == b"D"]


def resident_kb(server):
    with open("/proc/%d/status" % server.process.pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def test_huge_results(server):
    """A part of a result that would take days costs as much as the part."""
    c = Client(server)
    c.run("create table n as select g as id, 'row ' || g as v from generate_series(1, 70000) g")
    queries = ["select * from generate_series(1, %d) g" % HUGE,
               "select a.id, b.v from n a, n b",
               "select a.id from n a, n b where a.id + b.id > 2 limit %d" % HUGE]
    c.run("begin")
    for i, sql in enumerate(queries):
        c.bind("p%d" % i, sql)
        c.run("declare c%d no scroll cursor for %s" % (i, sql))
    before = resident_kb(server)
    for _ in range(20):
        for i in range(len(queries)):
            rows, end = c.step("p%d" % i, 3000)
            assert len(rows) == 3000 and end == "s", (len(rows), end)
            assert len(c.run("fetch 2000 from c%d" % i)) == 2000
    grown = resident_kb(server) - before
    assert keeps_freed_memory(sys.argv[1]) or grown < 2 * MEMORY_LIMIT_MB * 1024, "%d kB for rows that were given away" % grown
    c.run("commit")
    rows, end = c.step("p0", 1)
    assert end["C"] == "34000", end
    c.run("drop table n")


def test_model(server, seed):
    """Each portal sees what was there at its first step, whatever comes between."""
    dice = random.Random(seed)
    c = Client(server)
    c.run("create table m (id int primary key, v int)")
    c.run("insert into m select g, g from generate_series(1, 5000) g")
    table = {i: i for i in range(1, 5001)}
    c.run("begin")
    portals = {}  # name -> [sql, order, rows left or None before the first step]
    made = 0

    def shape(order):
        rows = sorted(table.items())
        if order == "desc":
            rows.reverse()
        if order == "sorted":
            rows.sort(key=lambda r: (r[1], r[0]))
        return [(str(a), str(b)) for a, b in rows]

    orders = {"asc": "select id, v from m order by id", "desc": "select id, v from m order by id desc",
              "sorted": "select id, v from m order by v, id"}
    for _ in range(700):
        what = dice.random()
        if what < 0.15 and len(portals) < 90:
            name, order = "p%d" % made, dice.choice(list(orders))
            made += 1
            c.bind(name, orders[order])
            portals[name] = [order, None]
        elif what < 0.75 and portals:
            name = dice.choice(list(portals))
            p, n = portals[name], dice.choice((1, 2, 100, 2047, 2048, 2049, 4000))
            if p[1] is None:
                p[1] = shape(p[0])
            rows, end = c.step(name, n)
            want, p[1] = p[1][:n], p[1][n:]
            assert rows == want, (name, p[0], len(rows), len(want), rows[:3], want[:3])
            assert end == ("s" if len(want) == n else "C"), end
            if end == "C" or dice.random() < 0.05:
                c.close_portal(name)
                del portals[name]
        else:
            key = dice.randrange(1, 5500)
            if key in table and dice.random() < 0.5:
                del table[key]
                c.run("delete from m where id = %d" % key)
            else:
                table[key] = dice.randrange(10000)
                c.run("insert into m values (%d, %d) on conflict (id) do update set v = excluded.v"
                      % (key, table[key]))
    c.run("commit")
    assert c.run("select count(*) from m") == [(str(len(table)),)]
    c.run("drop table m")


def test_without_block(server):
    """Until Sync the transaction is the portal's; it ends with it."""
    c = Client(server)
    c.bind("", "select g from generate_series(1, 10) g")
    assert c.step("", 4) == ([("1",), ("2",), ("3",), ("4",)], "s")
    assert c.step("", 6) == ([(str(i),) for i in range(5, 11)], "s")
    assert c.step("", 6) == ([], "C")
    assert c.step("", 0) == ([], "C")
    c.bind("", "select g from generate_series(1, 10) g")
    assert c.step("", 4)[1] == "s"
    assert c.step("", 0) == ([(str(i),) for i in range(5, 11)], "C")
    c.bind("kept", "select g from generate_series(1, 10) g")
    assert c.step("kept", 4)[1] == "s"
    c.sync()
    assert c.step("kept", 4)[1]["C"] == "34000"
    c.bind("", "select 10 / (5000 - g) from generate_series(1, 10000) g")
    assert c.step("", 10)[1] == "s"
    assert c.step("", 6000)[1]["C"] == "22012"
    assert c.step("", 1)[1]["C"] == "34000"
    assert c.run("select 1") == [("1",)]


def test_cancel(server):
    """A step that takes long can be canceled; what stands still does not mind."""
    c = Client(server)
    c.run("begin")
    c.bind("long", "select g from generate_series(1, %d) g where g %% 3000000000 = 1" % HUGE)
    assert c.step("long", 1) == ([("1",)], "s")
    c.send(b"E", b"long\0" + struct.pack("!i", 1))
    c.send(b"H", b"")
    time.sleep(0.2)
    killer = Wire(server, startup=False)
    killer.socket.sendall(struct.pack("!iiii", 16, 80877102, c.pid, c.key))
    kind, body = c.next()
    assert kind == b"E" and c.fields(body)["C"] == "57014", (kind, body)
    c.sync()
    c.run("rollback")
    assert c.run("select 1") == [("1",)]


def test_left_open(server):
    """Connections that go away with portals in the middle leave nothing behind."""
    crowd = []
    for _ in range(30):
        c = Client(server)
        c.run("begin")
        for i in range(3):
            c.bind("p%d" % i, "select a, b from generate_series(1, 100000) a, generate_series(1, 9) b")
            assert len(c.step("p%d" % i, 5)[0]) == 5
        crowd.append(c)
    for c in crowd:
        c.socket.close()
    asker = Client(server)
    for _ in range(200):
        left = asker.run("select count(*) from pg_stat_activity where state like 'idle in%'")
        if left == [("0",)]:
            return
        time.sleep(0.05)
    raise AssertionError("%s sessions are left" % left)


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10 ** 9)
    print("seed %d" % seed)
    with Server(sys.argv[1], ["query.memory_limit=%dMB" % MEMORY_LIMIT_MB]) as server:
        test_huge_results(server)
        test_model(server, seed)
        test_without_block(server)
        test_cancel(server)
        test_left_open(server)
    print("ok")


main()
