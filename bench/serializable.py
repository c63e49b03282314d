#!/usr/bin/python3
"""TPC-B at SERIALIZABLE, ours and PostgreSQL 15 in turns: transactions that commit a second, and the share that
fails with 40001, which a client would try again. Two mixes: pgbench's own, whose transactions meet on branches,
and one that also reads sums over ranges, whose transactions meet through what they read.

Balances that do not add up, a history that does not hold exactly the transactions that were answered, or any other
error make the run fail.

usage: serializable.py HELIOSD [--rounds 5] [--seconds 20] [--scale 20] [--clients 16]
                               [--cases tpcb,tpcb-read] [--json FILE]"""
import argparse
import os
import re
import statistics
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import peers  # noqa: E402
from pgbench import check_tpcb, history_rows, initialise  # noqa: E402

WARM_SECONDS = 2
# Else it scans branches and tellers, which are small, and so watches them as a whole: nine in ten fail.
PG_SETTINGS = ["enable_seqscan=off"]
HEAD = r"""\set aid random(1, 100000 * :scale)
\set bid random(1, 1 * :scale)
\set tid random(1, 10 * :scale)
\set delta random(-5000, 5000)
BEGIN ISOLATION LEVEL SERIALIZABLE;
"""
TAIL = """UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime)
 VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
END;
"""
CASES = {
    "tpcb": HEAD + TAIL,
    "tpcb-read": HEAD + "SELECT sum(tbalance) FROM pgbench_tellers WHERE tid BETWEEN :tid AND :tid + 3;\n" + TAIL,
}


class Run:
    def __init__(self, server, script, clients, scale, seconds):
        before = history_rows(server)
        command = [f"{peers.PG_BIN}/pgbench", "-h", server.host, "-p", str(server.port), "-U", "postgres",
                   "-n", "-j", "1", "-M", "prepared", "-c", str(clients), "-T", str(seconds),
                   "-D", f"scale={scale}", "--failures-detailed", "-f", script, "postgres"]
        p = peers.run(command, timeout=seconds + 60)
        if p.returncode or "aborted" in p.stderr:
            raise peers.BenchError(f"{server.name}: {p.stderr.strip()[-1500:]}")
        self.count = int(re.search(r"actually processed: (\d+)", p.stdout)[1])
        self.tps = float(re.search(r"tps = ([\d.]+)", p.stdout)[1])
        failed = {kind: int(n) for kind, n in
                  re.findall(r"number of (\w+) failures: (\d+)", p.stdout)}
        if set(k for k, n in failed.items() if n) - {"serialization", "deadlock"}:
            raise peers.BenchError(f"{server.name}: failures {failed}")
        self.failed = sum(failed.values()) / max(1, self.count + sum(failed.values()))
        check_tpcb(server, before, self.count)


COLUMNS = ["case", "heliosd best", "median tps", "PostgreSQL best", "median tps", "ratio of medians",
           "heliosd failed", "PostgreSQL failed", "ratio"]
WIDTHS = [12, 14, 12, 16, 12, 18, 16, 18, 8]


def print_row(row):
    print(" ".join(f"{str(v):{'<' if i < 1 else '>'}{w}}" for i, (v, w) in enumerate(zip(row, WIDTHS))),
          flush=True)


def run_case(name, servers, o, directory):
    script = os.path.join(directory, name + ".sql")
    with open(script, "w") as f:
        f.write(CASES[name])
    results = {s.name: [] for s in servers}
    for s in servers:
        Run(s, script, o.clients, o.scale, WARM_SECONDS)
    for n in range(o.rounds):
        for s in servers if n % 2 == 0 else servers[::-1]:
            results[s.name].append(Run(s, script, o.clients, o.scale, o.seconds))
    row, tps, failed = [name], [], []
    for s in servers:
        tps.append(statistics.median(r.tps for r in results[s.name]))
        failed.append(statistics.median(r.failed for r in results[s.name]))
        row += [f"{max(r.tps for r in results[s.name]):,.0f}", f"{tps[-1]:,.0f}"]
    row += [f"{tps[0] / tps[1]:.2f}", *(f"{f:.2%}" for f in failed),
            f"{failed[0] / failed[1]:.2f}" if failed[1] else "-"]
    return row


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    a.add_argument("heliosd")
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--seconds", type=int, default=20)
    a.add_argument("--scale", type=int, default=20)
    a.add_argument("--clients", type=int, default=16)
    a.add_argument("--cases", default=",".join(CASES))
    a.add_argument("--shared-buffers", default="6GB", help="of PostgreSQL")
    a.add_argument("--json")
    o = a.parse_args()
    peers.install_postgres()
    rows, bad = [], False
    notes = [f"{o.rounds} rounds of {o.seconds} s, pgbench -j 1 -c {o.clients} -M prepared, scale {o.scale},"
             " BEGIN ISOLATION LEVEL SERIALIZABLE, fsync on, servers in turns. tps counts what committed;"
             " failed is the share that ended with 40001, and was not tried again. PostgreSQL has"
             " enable_seqscan = off: else it watches small tables as a whole, and nine in ten fail."]
    print_row(COLUMNS)
    with tempfile.TemporaryDirectory() as directory, peers.Helios(o.heliosd) as ours, \
            peers.Postgres(shared_buffers=o.shared_buffers, settings=PG_SETTINGS) as pg:
        notes.append(initialise([ours, pg], o))
        for name in o.cases.split(","):
            try:
                rows.append(run_case(name, [ours, pg], o, directory))
            except peers.BenchError as e:
                bad = True
                rows.append([name, "FAILED"] + ["-"] * (len(COLUMNS) - 2))
                print(f"{name}: {e}", file=sys.stderr)
            print_row(rows[-1])
        bad |= bool(ours.errors)
        for line in ours.errors[:10]:
            print("heliosd:", line, file=sys.stderr)
    peers.write_json(o.json, "Serializable transactions: TPC-B", peers.command_line(), COLUMNS, rows, notes)
    sys.exit(bad)


if __name__ == "__main__":
    main()
