#!/usr/bin/env python3
"""The limit of open files, as a shell or a service manager hands it to the server.

A low soft limit must not matter. Under a low hard limit the server says so, takes fewer sessions
than max_connections, refuses the next with 53300, and can still make files.

    test_limits.py HELIOSD
"""
import os
import sys

import psycopg2
import psycopg2.errors

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402

HARD_LOW = 200
WARNING = "max_connections is 100 in place of 500: only 200 files may be open"


def connect(server):
    conn = psycopg2.connect(host=server.host, port=server.port, user="postgres", dbname="postgres",
                            connect_timeout=10)
    conn.autocommit = True
    return conn


def ask(conn, sql):
    with conn.cursor() as q:
        q.execute(sql)
        return q.fetchone()[0]


def test_soft_limit_is_raised(binary):
    with Server(binary, ["max_connections=300"], ["prlimit", "--nofile=64:2048"]) as server:
        crowd = [connect(server) for _ in range(300)]
        assert [ask(c, "select %d" % i) for i, c in enumerate(crowd)] == list(range(300))
        assert not any("max_connections" in line for line in server.log), server.log_tail()
        for c in crowd:
            c.close()


def test_hard_limit_lowers_max_connections(binary):
    prefix = ["prlimit", "--nofile=64:%d" % HARD_LOW]
    with Server(binary, ["max_connections=500"], prefix) as server:
        assert any(WARNING in line for line in server.log), server.log_tail()
        crowd = [connect(server) for _ in range(HARD_LOW // 2)]
        try:
            connect(server)
        except psycopg2.OperationalError as e:
            assert "sorry, too many clients already" in str(e), e
        else:
            raise AssertionError("a session beyond the limit was taken")
        with crowd[0].cursor() as q:
            q.execute("create table t as select i, repeat('x', 1000) s from generate_series(1, 5000) i")
            q.execute("checkpoint")
        assert all(ask(c, "select count(*) from t") == 5000 for c in crowd[:8])
        for c in crowd:
            c.close()


def main():
    for test in (test_soft_limit_is_raised, test_hard_limit_lowers_max_connections):
        test(sys.argv[1])
        print("ok", test.__name__)


main()
