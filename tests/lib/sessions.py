"""Sessions whose statements may wait: each step of a script by one of them is given a short while, and what
it says (rows, a tag, an error) or that it waits is the outcome.

    "1: begin"   a step of session 1
    "1?"         how a step of it that waited has ended
"""
import select
import time

import psycopg2
import psycopg2.extensions as ext

WAIT_SECONDS = 0.15   # how long a step is given before it counts as waiting
END_SECONDS = 20      # and how long at most when it is to go on


class Session:
    def __init__(self, dsn):
        self.connection = psycopg2.connect(dsn, async_=1)
        self.waiting = False
        self.wait(END_SECONDS)
        self.cursor = self.connection.cursor()

    def wait(self, seconds):
        """True when the connection is idle."""
        end = time.monotonic() + seconds
        while True:
            state = self.connection.poll()
            if state == ext.POLL_OK:
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            fd = [self.connection.fileno()]
            select.select(fd if state == ext.POLL_READ else [], fd if state == ext.POLL_WRITE else [],
                          [], left)

    def result(self, seconds, error):
        try:
            self.waiting = not self.wait(seconds)
            if self.waiting:
                return "waits"
            if self.cursor.description:
                return [list(r) for r in self.cursor.fetchall()]
            return self.cursor.statusmessage
        except psycopg2.Error as e:
            self.waiting = False
            return error(e)

    def run(self, sql, error, seconds=WAIT_SECONDS):
        self.cursor = self.connection.cursor()
        self.cursor.execute(sql)
        return self.result(seconds, error)


def run_steps(dsn, steps, error, expected=None):
    """What each step said. A slow machine is no lock: what is expected to answer gets the time for it."""
    sessions, said = {}, []
    try:
        for i, step in enumerate(steps):
            s = sessions.setdefault(step[0], None) or Session(dsn)
            sessions[step[0]] = s
            if step[1] == "?":
                said.append(s.result(END_SECONDS, error) if s.waiting else "did not wait")
                continue
            if s.waiting and s.result(END_SECONDS, error) == "waits":
                raise RuntimeError("%s: still waits before step %d" % (steps, i))
            got = s.run(step[3:], error)
            if got == "waits" and expected and i < len(expected) and expected[i] != "waits":
                got = s.result(END_SECONDS, error)
            said.append(got)
    finally:
        for s in sessions.values():
            s.connection.close()
    return said
