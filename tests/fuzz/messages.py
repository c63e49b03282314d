#!/usr/bin/env python3
"""Mutated protocol messages against a running server, before and after login.

    messages.py HELIOSD [MESSAGES] [SEED]

Starts HELIOSD (best one built with sanitizers) on a free port and sends it MESSAGES messages (default
20,000; a campaign is a million), over many connections. After every batch of connections a plain client
must get its answer; at the end the server must stop cleanly. An answer of class XX is printed and
fails the run. Round R of seed S sends the same bytes each time.
"""
import glob
import os
import random
import selectors
import socket
import struct
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402

CONNECTIONS = 16        # at once, a round
MESSAGES_A_CONNECTION = 60
ROUND_SECONDS_MAX = 60
LENGTHS = (0, 1, 3, 4, 5, 0x7f, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff)
KINDS = b"QPBDECSHFdcfXpz\0"
OPTIONS = b"options\0-c statement_timeout=300 -c lock_timeout=100\0"


def load(folder):
    return [open(p, "rb").read() for p in sorted(glob.glob(os.path.join(folder, "*")))]


def frames(seed):
    """A seed of fuzz_pg_session: kind, two bytes of length, body."""
    at = 0
    while at + 3 <= len(seed):
        n = seed[at + 1] << 8 | seed[at + 2]
        yield seed[at:at + 1], seed[at + 3:at + 3 + n]
        at += 3 + n


def typed(kind, body):
    return body if kind == b"\0" else kind + struct.pack(">I", len(body) + 4) + body


def mutate_bytes(r, body, pool):
    body = bytearray(body)
    for _ in range(r.randint(1, 4)):
        at = r.randint(0, len(body))
        what = r.randrange(6)
        if what == 0 and at < len(body):
            body[at] ^= 1 << r.randrange(8)
        elif what == 1 and at + 4 <= len(body):
            body[at:at + 4] = struct.pack(">I", r.choice(LENGTHS))
        elif what == 2:
            del body[at:at + r.randint(1, 8)]
        elif what == 3:
            body[at:at] = bytes(r.randrange(256) for _ in range(r.randint(1, 8)))
        elif what == 4:
            other = r.choice(pool)[1]
            cut = r.randint(0, len(other))
            body[at:at] = other[cut:cut + r.randint(1, 60)]
        elif at + 2 <= len(body):
            body[at:at + 2] = struct.pack(">H", r.choice((0, 1, 0x7fff, 0x8000, 0xffff)))
    return bytes(body)


def message(r, pool):
    kind, body = r.choice(pool)
    dice = r.random()
    if dice < 0.55:
        body = mutate_bytes(r, body, pool)
    elif dice < 0.65:
        kind = bytes([r.choice(KINDS)])
    out = typed(kind, body)
    if dice > 0.985:  # a frame that lies ends the connection soon: rare
        out = out[:1] + struct.pack(">I", r.choice(LENGTHS)) + out[5:]
    return out


def session(r, pool):
    body = struct.pack(">I", 196608) + b"user\0postgres\0database\0postgres\0" + OPTIONS + b"\0"
    out = [struct.pack(">I", len(body) + 4) + body]
    for _ in range(MESSAGES_A_CONNECTION):
        out.append(message(r, pool))
    return b"".join(out), MESSAGES_A_CONNECTION


def before_login(r, starts):
    seed = r.choice(starts)[1:]
    pool = [(b"", s[1:]) for s in starts]
    return mutate_bytes(r, seed, pool), 1 + seed.count(b"p")


def internal_errors(answer):
    at = 0
    while True:
        at = answer.find(b"\0CXX", at)
        if at < 0:
            return
        yield answer[at + 2:at + 200].split(b"\0\0")[0].replace(b"\0", b" ")
        at += 1


class Talk:
    def __init__(self, address, data):
        self.data, self.answer = data, b""
        self.socket = socket.create_connection(address, timeout=20)
        self.socket.setblocking(False)


def pump(talks, end):
    """Sends and reads until every server side has closed."""
    with selectors.DefaultSelector() as sel:
        for t in talks:
            sel.register(t.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, t)
        open_talks = len(talks)
        while open_talks:
            if time.time() > end:
                raise SystemExit("a connection does not end: %r" % [k.data.data[:200] for k in
                                                                  sel.get_map().values()])
            for key, events in sel.select(1):
                t = key.data
                try:
                    if events & selectors.EVENT_WRITE:
                        t.data = t.data[t.socket.send(t.data):]
                        if not t.data:
                            t.socket.shutdown(socket.SHUT_WR)
                            sel.modify(t.socket, selectors.EVENT_READ, t)
                    if events & selectors.EVENT_READ:
                        piece = t.socket.recv(65536)
                        t.answer = t.answer[-300:] + piece if piece else t.answer
                        t.found = getattr(t, "found", []) + list(internal_errors(t.answer))
                        if piece:
                            continue
                        raise ConnectionError
                except (BlockingIOError, InterruptedError):
                    continue
                except OSError:
                    sel.unregister(t.socket)
                    t.socket.close()
                    open_talks -= 1


def check_alive(address):
    body = struct.pack(">I", 196608) + b"user\0postgres\0\0"
    with socket.create_connection(address, timeout=20) as s:
        s.sendall(struct.pack(">I", len(body) + 4) + body + typed(b"Q", b"select 42\0"))
        answer = b""
        while answer.count(b"Z\0\0\0\5") < 2:
            piece = s.recv(65536)
            if not piece:
                raise SystemExit("the server does not answer: %r" % answer[-300:])
            answer += piece
        if b"\0\x0242" not in answer:
            raise SystemExit("a wrong answer: %r" % answer[-300:])
        s.sendall(typed(b"X", b""))


def seeds(folder):
    make = os.path.join(HERE, "make_corpus.py")
    if os.spawnl(os.P_WAIT, sys.executable, sys.executable, make, folder) != 0:
        raise SystemExit("no seeds")
    return (load(os.path.join(folder, "seeds", "pg_session")),
            load(os.path.join(folder, "seeds", "pg_start")))


def main():
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 20000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else int(time.time())
    sent, round_, bad = 0, 0, []
    print("seed %d" % seed, flush=True)
    with Server(sys.argv[1], settings=("query.memory_limit=64MB",)) as s:
        with tempfile.TemporaryDirectory() as folder:
            sessions, starts = seeds(folder)
        pool = [f for one in sessions for f in frames(one)]
        address = (s.host, s.port)
        while sent < wanted:
            r = random.Random("%d/%d" % (seed, round_))
            talks = []
            for i in range(CONNECTIONS):
                data, n = before_login(r, starts) if i % 4 == 0 else session(r, pool)
                talks.append(Talk(address, data))
                sent += n
            pump(talks, time.time() + ROUND_SECONDS_MAX)
            bad += [(round_, e) for t in talks for e in getattr(t, "found", [])]
            if not s.alive():
                raise SystemExit("the server died in round %d\n%s" % (round_, s.log_tail(80)))
            check_alive(address)
            round_ += 1
            if round_ % 100 == 0:
                print("%d messages, %d rounds" % (sent, round_), flush=True)
    print("%d messages in %d rounds, %d internal errors" % (sent, round_, len(bad)))
    for where, e in bad[:20]:
        print("round %d: %s" % (where, e.decode("utf-8", "replace")))
    sys.exit(1 if bad else 0)


main()
