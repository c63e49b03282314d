#!/usr/bin/python3
"""Indexes and changes of a type while rows come and go by bulk loads, and while memtables are written out and runs merged
all the time: what is found of the changes between two snapshots must be all of them.

usage: follow_loads.py HELIOSD [--seed N] [--seconds S]"""
import argparse
import io
import os
import random
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from online_ddl import Server, connect, one, sound  # noqa: E402

PIECE, PIECES = 2000, 4
STATEMENTS = ["create index t_a on t (a)", "alter table t alter a type bigint", "create unique index t_u on t (u, b)",
              "reindex index t_u", "alter table t alter id type bigint", "alter table t add check (a >= 0)",
              "drop index t_a", "alter table t alter b set not null", "alter table t add constraint two unique (u)",
              "alter table t alter b type varchar(100)", "alter table t drop constraint two", "drop index t_u",
              "alter table t alter id type int, alter a type int, alter b drop not null, drop constraint t_a_check",
              "alter table t alter b type text"]


class Loader(threading.Thread):
    """Pieces of the table come by COPY, are changed by one statement each, and go by one."""

    def __init__(self, server, number, seed):
        super().__init__()
        self.cursor = connect(server).cursor()
        self.random = random.Random(seed * 100 + number)
        self.pieces = [number * PIECES + i for i in range(PIECES)]
        self.there, self.turns, self.error, self.stopping = {}, 0, None, False

    def turn(self):
        piece = self.random.choice(self.pieces)
        low, high = piece * PIECE, piece * PIECE + PIECE - 1
        if piece not in self.there:
            lines = "".join(f"{i}\t{i % 97}\t{i + 1000000}\tb{i}\n" for i in range(low, high + 1))
            self.cursor.copy_expert("copy t from stdin", io.StringIO(lines))
            self.there[piece] = 0
        elif self.random.random() < .4:
            self.cursor.execute(f"delete from t where id between {low} and {high}")
            del self.there[piece]
        else:
            self.cursor.execute(f"update t set a = a + 1, u = u + 1000000 where id between {low} and {high}")
            self.there[piece] += 1
        self.turns += 1

    def run(self):
        try:
            while not self.stopping:
                self.turn()
        except Exception as e:  # whatever it is, the test tells it
            self.error = e


def agree(cursor, loaders):
    rows = sum(len(x.there) for x in loaders) * PIECE
    total = sum(PIECE * (p * PIECE * 2 + PIECE - 1) // 2 + PIECE * 1000000 * (n + 1) for x in loaders for p, n in x.there.items())
    for seqscan in ("on", "off"):
        cursor.execute(f"set enable_seqscan = {seqscan}")
        assert one(cursor, "select count(*) from t") == rows
        assert one(cursor, "select coalesce(sum(u), 0) from t where u > 0") == total
        assert one(cursor, "select count(*) from t where a >= 0") == rows
    cursor.execute("reset enable_seqscan")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("heliosd")
    p.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    p.add_argument("--seconds", type=float, default=3)
    o = p.parse_args()
    print("seed", o.seed)
    with Server(o.heliosd, settings=["load_bytes=64kB", "memtable_bytes=256kB", "memtable_total_bytes=256MB"]) as server:
        cursor = connect(server).cursor()
        cursor.execute("create table t (id int primary key, a int, u bigint, b text)")
        loaders = [Loader(server, n, o.seed) for n in range(2)]
        for x in loaders:
            x.start()
        end, ran = time.monotonic() + o.seconds, 0
        while (time.monotonic() < end or ran < len(STATEMENTS)) and not any(x.error for x in loaders):
            cursor.execute(STATEMENTS[ran % len(STATEMENTS)])
            ran += 1
        for x in loaders:
            x.stopping = True
        for x in loaders:
            x.join()
            assert not x.error, x.error
        cursor.execute("drop index if exists t_a, t_u; create index t_a on t (a)")
        agree(cursor, loaders)
        sound(cursor)
        print(f"{ran} statements beside {sum(x.turns for x in loaders)} loads and the like")


if __name__ == "__main__":
    main()
