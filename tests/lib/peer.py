"""The database that the test of a client works in: one of a server that it starts, or, to prove the test
itself right, one of another server, named by HELIOS_TEST_AT="HOST PORT".
"""
import os
import subprocess
import sys
import time
import traceback

from server import Server, ServerError

NAME = "helios_peer"
SECONDS_MAX = 60


class Peer:
    """with Peer(path of heliosd) as p: ... p.host, p.port, p.database ..."""

    def __init__(self, binary):
        at = os.environ.get("HELIOS_TEST_AT", "").split()
        self.server = None if at else Server(binary)
        self.host, self.port = (at[0], int(at[1])) if at else (None, None)
        self.user, self.database = "postgres", NAME

    def psql(self, *args, database=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        done = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", self.host, "-p",
                               str(self.port), "-U", self.user, "-d", database or self.database, *args],
                              env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=SECONDS_MAX, text=True)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def __enter__(self):
        if self.server:
            self.server.start()
            self.host, self.port = self.server.host, self.server.port
        self.psql("-c", "set client_min_messages = warning", "-c", "drop database if exists " + NAME,
                  database="postgres")
        self.psql("-c", "create database " + NAME, database="postgres")
        return self

    def __exit__(self, kind, value, trace):
        if self.server:
            return self.server.__exit__(kind, value, trace)
        self.psql("-c", "drop database " + NAME + " with (force)", database="postgres")
        return False


def run_tests(tests, names=()):
    """Calls the tests in their order; the number of those that failed."""
    failed = 0
    for t in tests:
        if names and t.__name__ not in names:
            continue
        begun = time.monotonic()
        try:
            t()
        except Exception:
            failed += 1
            print("FAIL", t.__name__)
            traceback.print_exc(file=sys.stdout)
        else:
            print("ok   %s (%.1f s)" % (t.__name__, time.monotonic() - begun))
        sys.stdout.flush()
    return failed


__all__ = ["Peer", "ServerError", "run_tests"]
