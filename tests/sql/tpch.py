#!/usr/bin/python3
"""TPC-H's 22 queries over a small generated database: the generator keeps its rules, the answers of some
queries are those that Python computes from the files, and no answer depends on memory limit or workers.

usage: tpch.py HELIOSD TPCH_GENERATE"""
import collections
import hashlib
import os
import sys
import tempfile
from decimal import Decimal

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "..", "bench", "lib")]
from server import Server  # noqa: E402
import tpch_data as tpch  # noqa: E402

SCALE = 0.005
SERVERS = [["front_workers=1"], ["front_workers=2", "query.memory_limit=64MB"]]
SESSIONS = ["set max_parallel_workers_per_gather = 0", "set max_parallel_workers_per_gather = 2",
            "set query.memory_limit = '4MB'"]


def read(directory, table):
    with open(f"{directory}/{table}.tbl") as f:
        return [line.rstrip("\n").split("|") for line in f]


def digest(directory):
    h = hashlib.sha256()
    for table in tpch.TABLES:
        with open(f"{directory}/{table}.tbl", "rb") as f:
            h.update(f.read())
    return h.hexdigest()


def check_generator(program, directory):
    """Keys, ranges and the sums that bind orders to their lines."""
    with tempfile.TemporaryDirectory() as again:
        tpch.generate(program, again, SCALE)
        assert digest(again) == digest(directory), "the same seed gives other rows"
        tpch.generate(program, again, SCALE, seed=2)
        assert digest(again) != digest(directory), "another seed gives the same rows"
    parts, suppliers = int(SCALE * 200000), int(SCALE * 10000)
    customers = int(SCALE * 150000)
    pairs = [(int(r[0]), int(r[1])) for r in read(directory, "partsupp")]
    known = set(pairs)
    assert len(known) == len(pairs) == 4 * parts
    assert {p for p, s in pairs} == set(range(1, parts + 1))
    assert {s for p, s in pairs} == set(range(1, suppliers + 1))
    comments = [r[6] for r in read(directory, "supplier")]
    assert sum("Customer" in c and "Complaints" in c for c in comments) == 1
    lines = collections.defaultdict(list)
    for r in read(directory, "lineitem"):
        assert (int(r[1]), int(r[2])) in known, r
        lines[r[0]].append(r)
    orders = read(directory, "orders")
    assert len(orders) == 10 * customers and all(int(o[0]) % 32 < 9 for o in orders)
    assert all(int(o[1]) % 3 for o in orders)
    for o in orders:
        states = {r[9] for r in lines[o[0]]}
        assert 1 <= len(lines[o[0]]) <= 7 and o[2] == ("P" if len(states) > 1 else states.pop())
        total = sum(int(int(Decimal(r[5]) * 100) * (100 - int(Decimal(r[6]) * 100)) // 100)
                    * (100 + int(Decimal(r[7]) * 100)) // 100 for r in lines[o[0]])
        assert total == int(Decimal(o[3]) * 100), o
    assert sum(len(v) for v in lines.values()) == len(read(directory, "lineitem"))
    assert max(r[12] for r in read(directory, "lineitem")) <= "1998-12-31"


# --- some of the queries, by loops ------------------------------------------------------------------


def q4(d):
    late = {r[0] for r in read(d, "lineitem") if r[11] < r[12]}
    found = collections.Counter(o[5].ljust(15) for o in read(d, "orders")
                                if "1993-07-01" <= o[4] < "1993-10-01" and o[0] in late)
    return [f"{name}|{n}" for name, n in sorted(found.items())]


def q6(d):
    total = sum(Decimal(r[5]) * Decimal(r[6]) for r in read(d, "lineitem")
                if "1994-01-01" <= r[10] < "1995-01-01" and Decimal("0.05") <= Decimal(r[6]) <= Decimal("0.07")
                and int(r[4]) < 24)
    return [str(total)]


def q12(d):
    priority = {o[0]: o[5] for o in read(d, "orders")}
    high, low = collections.Counter(), collections.Counter()
    for r in read(d, "lineitem"):
        if r[14] in ("MAIL", "SHIP") and r[10] < r[11] < r[12] and "1994-01-01" <= r[12] < "1995-01-01":
            (high if priority[r[0]] in ("1-URGENT", "2-HIGH") else low)[r[14]] += 1
    return [f"{m.ljust(10)}|{high[m]}|{low[m]}" for m in ("MAIL", "SHIP") if high[m] + low[m]]


def q13(d):
    def plain(text):
        at = text.find("special")
        return at < 0 or text.find("requests", at + 7) < 0

    count = collections.Counter(o[1] for o in read(d, "orders") if plain(o[8]))
    spread = collections.Counter(count[c[0]] for c in read(d, "customer"))
    return [f"{n}|{k}" for n, k in sorted(spread.items(), key=lambda i: (-i[1], -i[0]))]


def q16(d):
    bad = {s[0] for s in read(d, "supplier") if "Customer" in s[6] and
           "Complaints" in s[6][s[6].find("Customer") + 8:]}
    sizes = {"49", "14", "23", "45", "19", "3", "36", "9"}
    part = {p[0]: (p[3].ljust(10), p[4], int(p[5])) for p in read(d, "part")
            if p[3] != "Brand#45" and not p[4].startswith("MEDIUM POLISHED") and p[5] in sizes}
    found = collections.defaultdict(set)
    for r in read(d, "partsupp"):
        if r[0] in part and r[1] not in bad:
            found[part[r[0]]].add(r[1])
    rows = sorted((-len(s), *key) for key, s in found.items())
    return [f"{r[1]}|{r[2]}|{r[3]}|{-r[0]}" for r in rows]


def q22(d):
    codes = {"13", "31", "23", "29", "30", "18", "17"}
    ordering = {o[1] for o in read(d, "orders")}
    customers = [(c[4][:2], Decimal(c[5]), c[0]) for c in read(d, "customer") if c[4][:2] in codes]
    positive = [b for _, b, _ in customers if b > 0]
    mean = sum(positive) / len(positive)
    rich = collections.defaultdict(list)
    for code, balance, key in customers:
        if balance > mean and key not in ordering:
            rich[code].append(balance)
    return [f"{code}|{len(b)}|{sum(b)}" for code, b in sorted(rich.items())]


COMPUTED = {4: q4, 6: q6, 12: q12, 13: q13, 16: q16, 22: q22}


def main():
    heliosd, program = sys.argv[1:3]
    with tempfile.TemporaryDirectory(prefix="helios-tpch-") as directory:
        tpch.generate(program, directory, SCALE)
        check_generator(program, directory)
        wanted = {n: f(directory) for n, f in COMPUTED.items()}
        for settings in SERVERS:
            with Server(heliosd, settings=settings) as server:
                dsn = f"host=127.0.0.1 port={server.port} user=postgres dbname=postgres"
                tpch.load(tpch.connect(dsn), directory)
                for session in SESSIONS:
                    db = tpch.connect(dsn)
                    db.cursor().execute(session)
                    for n in tpch.NUMBERS:
                        rows = tpch.ask(db, n)[1]
                        assert tpch.same(n, rows, wanted.setdefault(n, rows)), \
                            f"q{n} under {settings} {session}:\n{rows}\nnot\n{wanted[n]}"
                    db.close()
        print("rows: " + " ".join(f"q{n}:{len(rows)}" for n, rows in sorted(wanted.items())))


if __name__ == "__main__":
    main()
