"""A statement that runs for long keeps the memtables it began with; writers go on beside it.

    long_statement.py HELIOSD
"""
import os
import sys
import threading

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from server import Server

LIMIT_BYTES = 16 << 20
ROWS, ROW_BYTES, ROUNDS = 20000, 500, 4  # 40 MB: more than twice the limit


def connect(server):
    c = psycopg2.connect(host=server.host, port=server.port, user="postgres", dbname="postgres")
    c.autocommit = True
    return c


def sleep(server, ended):
    try:
        connect(server).cursor().execute("select pg_sleep(600)")
    except psycopg2.errors.QueryCanceled:
        ended.append(True)


def main():
    with Server(sys.argv[1], ["memtable_total_bytes=%d" % LIMIT_BYTES,
                              "memtable_bytes=1MB"]) as server:
        q = connect(server).cursor()
        q.execute("create table t (i int primary key, s text)")
        ended = []
        sleeper = threading.Thread(target=sleep, args=(server, ended))
        sleeper.start()
        while True:
            q.execute("select pid from pg_stat_activity where query like '%pg_sleep(600)%'"
                      " and pid <> pg_backend_pid() and state = 'active'")
            row = q.fetchone()
            if row:
                break
        for k in range(ROUNDS):  # each smaller than half of the limit
            for part in range(4):
                first = (4 * k + part) * ROWS // 4
                q.execute("insert into t select i, repeat('x', %s) from generate_series(%s, %s) i",
                          (ROW_BYTES, first, first + ROWS // 4 - 1))
        assert not ended, "the long statement has ended too early to prove anything"
        q.execute("select pg_cancel_backend(%s)", row)
        sleeper.join()
        assert ended
        q.execute("select count(*), sum(length(s)) from t")
        assert q.fetchone() == (ROWS * ROUNDS, ROWS * ROUNDS * ROW_BYTES)
    print("writers went on beside a long statement: ok")


main()
