#!/usr/bin/python3
"""The checker of histories (history.py) itself: each anomaly, by hand and as a ring of several transactions planted among
thousands that ran one after another, is found at the levels that forbid it, under its name, and passes at the others.

usage: planted.py [SEED]"""
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from history import ABORTED, COMMITTED, FORBIDDEN, LEVELS, UNKNOWN, History, Txn  # noqa: E402

SERIAL, KEYS = 3000, 12


def a(key, x):
    return ("append", key, x)


def r(key, *xs):
    return ("read", key, list(xs))


def example(*txns):
    """A history from (status, op, …) each; the final lists are those of the last one, which only reads."""
    out = []
    for i, (status, *ops) in enumerate(txns):
        t = Txn(i)
        t.status, t.ops = status, ops
        out.append(t)
    return out[:-1], {key: x for _, key, x in out[-1].ops}


# --- by hand -----------------------------------------------------------------------------------------

BY_HAND = {
    "G0": [(COMMITTED, a("x", 1), a("y", 2)), (COMMITTED, a("x", 3), a("y", 4)), (COMMITTED, r("x", 1, 3), r("y", 4, 2))],
    "G1a": [(ABORTED, a("x", 1)), (COMMITTED, r("x", 1))],
    "G1b": [(COMMITTED, a("x", 1), a("x", 2)), (COMMITTED, r("x", 1)), (COMMITTED, r("x", 1, 2))],
    "G1c": [(COMMITTED, a("x", 1), r("y", 2)), (COMMITTED, a("y", 2), r("x", 1)), (COMMITTED, r("x", 1), r("y", 2))],
    # It reads x before and y after: a skewed read.
    "G-single": [(COMMITTED, r("x"), r("y", 2)), (COMMITTED, a("x", 1), a("y", 2)), (COMMITTED, r("x", 1), r("y", 2))],
    # Both append to what they read without the other's: a lost update.
    "G-single, lost": [(COMMITTED, r("x"), a("x", 1)), (COMMITTED, r("x"), a("x", 2)), (COMMITTED, r("x", 1, 2))],
    "G-nonadjacent": [(COMMITTED, r("x"), r("y", 2)), (COMMITTED, a("x", 1), a("z", 3)), (COMMITTED, r("z", 3), r("w")),
                      (COMMITTED, a("w", 4), a("y", 2)), (COMMITTED, r("x", 1), r("y", 2), r("z", 3), r("w", 4))],
    "G2": [(COMMITTED, r("x"), a("y", 1)), (COMMITTED, r("y"), a("x", 2)), (COMMITTED, r("x", 2), r("y", 1))],
    # The read-only anomaly: the third sees the second's, not the first's, which came before.
    "G2, read only": [(COMMITTED, r("x"), r("y"), a("x", 1)), (COMMITTED, a("y", 2)), (COMMITTED, r("x"), r("y", 2)),
                      (COMMITTED, r("x", 1), r("y", 2))],
}

# What no level permits, and what is none.
ALWAYS = {
    "lost": [(COMMITTED, a("x", 1)), (COMMITTED, r("x"))],
    "is there twice": [(COMMITTED, a("x", 1)), (COMMITTED, r("x", 1, 1))],
    "stays in list": [(ABORTED, a("x", 1)), (COMMITTED, r("x", 1))],
    "read [1]": [(ABORTED, a("x", 1)), (COMMITTED, r("x", 1)), (COMMITTED, r("x"))],
    "read [2, 1]": [(COMMITTED, a("x", 1)), (COMMITTED, a("x", 2)), (COMMITTED, r("x", 2, 1)), (COMMITTED, r("x", 1, 2))],
    "its own": [(COMMITTED, a("x", 1), r("x")), (COMMITTED, r("x", 1))],
}
NEVER = [
    [(UNKNOWN, a("x", 1)), (COMMITTED, r("x"))],
    [(UNKNOWN, a("x", 1)), (UNKNOWN, a("x", 2)), (COMMITTED, r("x", 1), a("x", 3), r("x", 1, 3)),
     (COMMITTED, r("x", 1, 3))],
    [(ABORTED, a("x", 1), r("x", 1)), (COMMITTED, r("x"))],
    [(COMMITTED, a("x", 1), a("x", 2)), (COMMITTED, r("x")), (COMMITTED, r("x", 1, 2))],
]


def hold(what, txns, final, level, expected):
    """`expected`: the word of the problem that is to be found; None: there is none."""
    problems = History(txns, final).check(level)
    assert bool(problems) == bool(expected), (what, level, expected, problems)
    assert not expected or any(expected in p for p in problems), (what, level, expected, problems)


def by_hand():
    for what, history in BY_HAND.items():
        name = what.split(",")[0]
        for level in LEVELS:
            hold(what, *example(*history), level, name if name in FORBIDDEN[level] else None)
    for word, history in ALWAYS.items():
        for level in LEVELS:
            hold(word, *example(*history), level, word)
    for i, history in enumerate(NEVER):
        for level in LEVELS:
            hold(f"sound {i}", *example(*history), level, None)


# --- among many --------------------------------------------------------------------------------------

def serial(rng, count):
    """Transactions one after another, and the lists that they leave."""
    lists, txns, x = {k: [] for k in range(KEYS)}, [], 0
    for i in range(count):
        t = Txn(i)
        t.status = ABORTED if rng.randrange(10) == 0 else COMMITTED
        now = {k: list(v) for k, v in lists.items()} if t.status == ABORTED else lists
        for _ in range(rng.randrange(1, 5)):
            k = i // 100 * KEYS + rng.randrange(KEYS)
            now.setdefault(k, [])
            if rng.randrange(2):
                x += 1
                now[k].append(x)
                t.ops.append(a(k, x))
            else:
                t.ops.append(r(k, *now[k]))
        txns.append(t)
    return txns, lists


def ring(name, n, x):
    """Transactions 0 to n - 1 with arrows from each to the next, and the lists at the end; elements from x on. The arrow
    from i to i + 1 is of list ("ring", i)."""
    rw = {"G0": [], "G1c": [], "G-single": [0], "G-nonadjacent": [0, 2], "G2": [0, 1]}[name]
    ops, lists = [[] for _ in range(n)], {}
    for i in range(n):
        key, j = ("ring", i), (i + 1) % n
        if i in rw:
            ops[i].append(r(key))
            ops[j].append(a(key, x + i))
            lists[key] = [x + i]
        elif name == "G0":
            ops[i].append(a(key, x + i))
            ops[j].append(a(key, x + n + i))
            lists[key] = [x + i, x + n + i]
        else:
            ops[i].append(a(key, x + i))
            ops[j].append(r(key, x + i))
            lists[key] = [x + i]
    return ops, lists


def planted(rng):
    for name in ("G0", "G1c", "G-single", "G-nonadjacent", "G2"):
        for n in (4, 5, 9):
            txns, lists = serial(rng, SERIAL)
            for level in LEVELS:
                hold("serial", txns, lists, level, None)
            ops, more = ring(name, n, 10**9)
            for o in ops:
                t = Txn(len(txns))
                t.status, t.ops = COMMITTED, o
                txns.insert(rng.randrange(len(txns)), t)
            for level in LEVELS:
                hold(f"{name} of {n}", txns, {**lists, **more}, level, name if name in FORBIDDEN[level] else None)
            found = History(txns, {**lists, **more})
            assert not found.check("read committed") or name in FORBIDDEN["read committed"]
            if name not in FORBIDDEN["read committed"]:
                assert name in found.permitted("read committed"), (name, found.permitted("read committed"))


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1 << 20)
    print("seed %d" % seed)
    by_hand()
    planted(random.Random(seed))
    print("ok")


if __name__ == "__main__":
    main()
