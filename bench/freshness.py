#!/usr/bin/python3
"""Aggregates over a dual table while its rows are updated at random, at a given rate; TPC-B on dual tables.

Each aggregate is asked by columns and then by rows at the same snapshot, in one REPEATABLE READ transaction: another
answer, or an update that failed, makes the run fail. The bar is a time under updates of at most 1.5 times that of
the quiet table, over all aggregates; and at least 0.9 times the transactions of TPC-B that row tables give.

usage: freshness.py HELIOSD [--minutes 10] [--rows 2000000] [--rate 100000] [--rounds 3] [--seconds 20]
                    [--pgbench-scale 20] [--set NAME=VALUE] [--json FILE]"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import peers  # noqa: E402
import tpch_data as tpch  # noqa: E402

BAR, BAR_TPCB = 1.5, 0.9
SHARE_OF_RATE = 0.97  # of the updates asked for that must have been made
QUIET_RUNS, QUERY_SECONDS_MAX, COMPARED_EVERY = 15, 60, 4
COLUMNS = ["case", "quiet ms", "busy ms", "ratio", "ratio of means", "busy p95 ms", "runs", "compared by row"]

TABLE = """create table sale (id bigint primary key, day date not null, shop int not null, item text not null,
    price numeric(12,2) not null, amount int not null) with (helios.storage = dual);
insert into sale select i, date '2024-01-01' + (i % 700)::int, (i * 7919 % 40)::int, 'item ' || i % 1000,
    (i * 31 % 99991) / 100.0, (i % 50)::int from generate_series(1::bigint, {rows}) i;
vacuum full sale; analyze sale; checkpoint"""
UPDATE = """\\set id random(1, {rows})
\\set amount random(0, 49)
\\set price random(1, 99999)
update sale set amount = :amount, price = :price / 100.0 where id = :id;
"""
QUERIES = {
    "groups": "select shop, count(*), sum(amount), sum(price), max(price) from sale group by shop order by shop",
    "filter": "select count(*), sum(price * amount) from sale where day between '2024-03-01' and '2025-02-28'"
              " and amount < 24",
    "strings": "select item, sum(amount) from sale where shop < 10 group by item order by 2 desc, 1 limit 20",
    "plain": "select count(*), sum(price), sum(amount), min(day) from sale where amount >= 0 and price > 0.5",
}


class Analyst:
    def __init__(self, server):
        self.db = tpch.connect(server.dsn())
        self.db.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=False)
        self.cursor = self.db.cursor()

    def ask(self, sql, compare):
        """Seconds by what the planner takes; with `compare`, the same answer is wanted by rows."""
        self.cursor.execute("select 1")  # the snapshot is taken before the clock runs
        began = time.monotonic()
        self.cursor.execute(sql)
        rows = self.cursor.fetchall()
        took = time.monotonic() - began
        if compare:
            self.cursor.execute("set local helios.force_format = row")
            self.cursor.execute(sql)
            again = self.cursor.fetchall()
            if rows != again:
                raise peers.BenchError(f"{sql}: columns say {rows[:3]}, rows say {again[:3]}")
        self.db.rollback()
        return took

    def wants_columns(self):
        for sql in QUERIES.values():
            self.cursor.execute("explain " + sql)
            plan = "\n".join(line for line, in self.cursor.fetchall())
            if not re.search(r"Format: column", plan, re.I):
                raise peers.BenchError(f"not by columns:\n{plan}")
        self.db.rollback()


class Updates:
    """pgbench, at a rate."""

    def __init__(self, server, o, seconds):
        self.script = tempfile.NamedTemporaryFile("w", suffix=".sql")
        self.script.write(UPDATE.format(rows=o.rows))
        self.script.flush()
        self.rate = o.rate / 60
        self.process = subprocess.Popen(
            [f"{peers.PG_BIN}/pgbench", "-h", server.host, "-p", str(server.port), "-U", "postgres", "-n",
             "-M", "prepared", "-c", "16", "-j", "1", "-R", f"{self.rate:.1f}", "-T", str(seconds), "-f",
             self.script.name, "postgres"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self):
        out, err = self.process.communicate(timeout=300)
        failed = re.search(r"number of failed transactions: (\d+)", out)
        found = re.search(r"tps = ([\d.]+)", out)
        if self.process.returncode or "error" in err.lower() or not found or (failed and failed[1] != "0"):
            raise peers.BenchError(f"updates: {err.strip()[-1000:]}")
        return float(found[1]) * 60


def measure(server, o, seconds):
    """Rows of the result, the ratio, updates a minute."""
    analyst = Analyst(server)
    analyst.wants_columns()
    quiet = {name: [] for name in QUERIES}
    busy = {name: [] for name in QUERIES}
    compared = {name: 0 for name in QUERIES}

    def ask_quietly():
        for n in range(QUIET_RUNS + 1):
            for name, sql in QUERIES.items():
                took = analyst.ask(sql, n == 0)
                if n:
                    quiet[name].append(took)

    ask_quietly()
    updates, began, n = Updates(server, o, seconds), time.monotonic(), 0
    try:
        while time.monotonic() - began < seconds - 1:
            for i, (name, sql) in enumerate(QUERIES.items()):
                compare = (n + i) % COMPARED_EVERY == 0
                busy[name].append(analyst.ask(sql, compare))
                compared[name] += compare
            n += 1
    except Exception:
        updates.process.kill()
        raise
    made = updates.end()
    server.psql("vacuum full sale", timeout=600)  # whatever else the machine does, it did before and after
    ask_quietly()
    rows, sums, means = [], [0.0, 0.0], [0.0, 0.0]
    for name in QUERIES:
        a, b = statistics.median(quiet[name]), statistics.median(busy[name])
        mean_a, mean_b = statistics.mean(quiet[name]), statistics.mean(busy[name])
        sums, means = [sums[0] + a, sums[1] + b], [means[0] + mean_a, means[1] + mean_b]
        late = sorted(busy[name])[int(len(busy[name]) * 0.95)]
        rows.append([name, round(a * 1000, 1), round(b * 1000, 1), round(b / a, 2), round(mean_b / mean_a, 2),
                     round(late * 1000, 1), len(busy[name]), compared[name]])
    rows.append(["all", round(sums[0] * 1000, 1), round(sums[1] * 1000, 1), round(sums[1] / sums[0], 2),
                 round(means[1] / means[0], 2), None, sum(map(len, busy.values())), sum(compared.values())])
    return rows, sums[1] / sums[0], made


def tpcb(server, o, storage):
    env = {**os.environ, "PGOPTIONS": f"-c helios.default_storage={storage}"}
    where = ["-h", server.host, "-p", str(server.port), "-U", "postgres"]
    made = peers.run([f"{peers.PG_BIN}/pgbench", *where, "-i", "-q", "-s", str(o.pgbench_scale), "postgres"],
                     env=env, timeout=1200)
    if made.returncode:
        raise peers.BenchError(f"pgbench -i: {made.stderr[-1000:]}")
    server.psql("checkpoint")
    p = peers.run([f"{peers.PG_BIN}/pgbench", *where, "-n", "-M", "prepared", "-c", "8", "-j", "1", "-T",
                   str(o.seconds), "postgres"], timeout=o.seconds + 120)
    found = re.search(r"tps = ([\d.]+)", p.stdout)
    if p.returncode or not found:
        raise peers.BenchError(f"pgbench: {p.stderr[-1000:]}")
    sums = {server.psql(f"select sum({c}) from {t}") for t, c in (
        ("pgbench_accounts", "abalance"), ("pgbench_tellers", "tbalance"), ("pgbench_branches", "bbalance"),
        ("pgbench_history", "delta"))}
    if len(sums) != 1:
        raise peers.BenchError(f"{storage}: balances do not add up: {sums}")
    return float(found[1])


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    a.add_argument("heliosd")
    a.add_argument("--minutes", type=float, default=10)
    a.add_argument("--rows", type=int, default=2000000)
    a.add_argument("--rate", type=int, default=100000, help="updates a minute")
    a.add_argument("--rounds", type=int, default=3, help="of TPC-B; 0: none")
    a.add_argument("--seconds", type=int, default=20, help="of each")
    a.add_argument("--pgbench-scale", type=int, default=20)
    a.add_argument("--set", action="append", default=[], help="setting of ours")
    a.add_argument("--json")
    o = a.parse_args()
    seconds = max(5, int(o.minutes * 60))
    with peers.Helios(o.heliosd, settings=o.set) as server:
        for statement in TABLE.format(rows=o.rows).split(";"):
            server.psql(statement, timeout=1200)
        rows, ratio, made = measure(server, o, seconds)
        print("\n".join("  ".join(f"{c}: {'-' if v is None else v}" for c, v in zip(COLUMNS, row)) for row in rows),
              flush=True)
        missed = ratio > BAR or made < SHARE_OF_RATE * o.rate
        notes = [f"{o.rows} rows; {made:.0f} updates a minute by pgbench for {seconds} s, one client that asks the"
                 f" aggregates in turns, every {COMPARED_EVERY}th compared by rows. Times are medians, quiet ones of"
                 f" {QUIET_RUNS} before and as many after it. The bar is {BAR:g} over all."]
        tps = {"row": [], "dual": []}
        server.psql("drop table sale")
        for n in range(o.rounds):
            for storage in ("row", "dual") if n % 2 == 0 else ("dual", "row"):
                tps[storage].append(tpcb(server, o, storage))
        if o.rounds:
            row, dual = statistics.median(tps["row"]), statistics.median(tps["dual"])
            notes.append(f"TPC-B, 8 clients, scale {o.pgbench_scale}, median of {o.rounds} rounds of {o.seconds} s: row"
                         f" tables {row:.0f} tps, dual ones {dual:.0f}: {dual / row:.2f}; the bar is {BAR_TPCB:g}.")
            missed |= dual < BAR_TPCB * row
    if missed:
        notes.append("A bar is missed.")
    print("\n".join(notes + server.errors[:10]))
    peers.write_json(o.json, "Aggregates over what changes", peers.command_line(), COLUMNS, rows, notes)
    sys.exit(missed or bool(server.errors))


if __name__ == "__main__":
    main()
