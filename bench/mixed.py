#!/usr/bin/python3
"""Short statements beside long queries: the latency of pgbench -S alone, and while clients run TPC-H's 22
queries one after another, again and again, on the same server; ours and PostgreSQL 15 in turns.

The bar is a p99 under load of at most 3 times the p99 alone. Beside it stands what the queries pay: the
time of a loop of the 22 alone and with pgbench. Answers of the queries are compared with those of the
quiet loop; a failed transaction or query, or another answer, makes the run fail.

usage: mixed.py HELIOSD [--rounds 3] [--seconds 20] [--clients 8] [--mode prepared] [--analysts 1,2]
                [--scale 0.1] [--pgbench-scale 20] [--set NAME=VALUE] [--json FILE]"""
import argparse
import os
import re
import shutil
import statistics
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import peers  # noqa: E402
import tpch_data as tpch  # noqa: E402

SAMPLES_A_SECOND = 5000
QUERY_SECONDS_MAX = 300
LOOP_SECONDS_MAX = 30  # a slower loop is not repeated in each round
BAR = 3.0
COLUMNS = ["server", "analysts", "tps alone", "with load", "p50 µs alone", "with load ", "p50 ratio",
           "p99 µs alone", "with load  ", "p99 ratio", "22 queries alone s", "with pgbench", "ratio"]


def percentile(values, share):
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0


class Transactions:
    """One run of pgbench -S."""

    def __init__(self, server, o, seconds, directory, rate=0):
        prefix = os.path.join(directory, f"{server.name}-")
        sampling = min(1.0, SAMPLES_A_SECOND / rate) if rate else 0.1
        p = peers.run([f"{peers.PG_BIN}/pgbench", "-h", server.host, "-p", str(server.port), "-U", "postgres",
                       "-n", "-S", "-M", o.mode, "-c", str(o.clients), "-j", "1", "-T", str(seconds), "-l",
                       "--log-prefix", prefix, "--sampling-rate", f"{sampling:.4f}", "postgres"],
                      timeout=seconds + 120)
        failed = re.search(r"number of failed transactions: (\d+)", p.stdout)
        if p.returncode or "error" in p.stderr.lower() or (failed and failed[1] != "0"):
            raise peers.BenchError(f"{server.name}: pgbench: {p.stderr.strip()[-1000:]}")
        self.tps = float(re.search(r"tps = ([\d.]+)", p.stdout)[1])
        times = []
        for name in os.listdir(directory):
            with open(os.path.join(directory, name)) as f:
                times += [int(line.split(" ", 3)[2]) for line in f]
            os.remove(os.path.join(directory, name))
        times.sort()
        self.p50, self.p99 = percentile(times, 0.5), percentile(times, 0.99)


class Analyst(threading.Thread):
    """A client that asks the queries one after another until it is told to stop."""

    def __init__(self, subject, first):
        super().__init__(daemon=True)
        self.subject, self.numbers = subject, list(tpch.NUMBERS)
        self.numbers = self.numbers[first:] + self.numbers[:first]
        self.stopping, self.error, self.times = threading.Event(), None, {n: [] for n in self.numbers}
        self.db = subject.connect()

    def run(self):
        try:
            while not self.stopping.is_set():
                for n in self.numbers:
                    seconds, rows = tpch.ask(self.db, n)
                    if self.stopping.is_set():
                        return
                    self.times[n].append(seconds)
                    if not tpch.same(n, rows, self.subject.answers[n]):
                        raise peers.BenchError(f"q{n} has another answer than without load")
        except Exception as e:  # of the driver, too; the main thread reports it
            if not self.stopping.is_set():
                self.error = e

    def stop(self):
        """What it was at is cancelled."""
        self.stopping.set()
        if self.is_alive():
            self.db.cancel()
        self.join(QUERY_SECONDS_MAX)
        self.db.close()
        if self.error:
            raise peers.BenchError(f"{self.subject.server.name}: {self.error}")


class Subject:
    """A server with both sets of tables."""

    def __init__(self, server, o):
        self.server, self.o, self.answers = server, o, {}
        self.alone, self.loaded, self.quiet = [], {n: [] for n in o.analysts}, []
        self.paid = {n: {q: [] for q in tpch.NUMBERS} for n in o.analysts}

    def connect(self):
        db = tpch.connect(self.server.dsn())
        db.cursor().execute(f"set statement_timeout = '{QUERY_SECONDS_MAX}s'")
        return db

    def load(self, tables, directory):
        s, began = self.server, time.monotonic()
        p = peers.run([f"{peers.PG_BIN}/pgbench", "-h", s.host, "-p", str(s.port), "-U", "postgres", "-i", "-q",
                       "-s", str(self.o.pgbench_scale), "postgres"], timeout=1200)
        if p.returncode:
            raise peers.BenchError(f"{s.name}: pgbench -i: {p.stderr[-1000:]}")
        db = self.connect()
        tpch.load(db, tables, ["set statement_timeout = 0"])
        db.close()
        if s.name == "postgres":
            s.psql("vacuum analyze", timeout=1200)
            s.psql("checkpoint")
            s.warm("pgbench_accounts", *tpch.TABLES)
        self.rate = Transactions(s, self.o, 2, directory).tps
        self.first = self.loop()
        return time.monotonic() - began

    def loop(self):
        """Seconds that the 22 queries take one after another, with nothing else on the server."""
        db, took = self.connect(), 0.0
        for n in tpch.NUMBERS:
            seconds, rows = tpch.ask(db, n)
            took += seconds
            if not tpch.same(n, rows, self.answers.setdefault(n, rows)):
                raise peers.BenchError(f"{self.server.name}: q{n} has another answer than before")
        db.close()
        return took

    def round(self, directory):
        self.quiet.append(self.loop() if self.first < LOOP_SECONDS_MAX else self.first)
        self.alone.append(Transactions(self.server, self.o, self.o.seconds, directory, self.rate))
        for count in self.o.analysts:
            analysts = [Analyst(self, i * 11) for i in range(count)]
            for a in analysts:
                a.start()
            try:
                time.sleep(0.2)
                self.loaded[count].append(
                    Transactions(self.server, self.o, self.o.seconds, directory, self.rate))
            finally:
                for a in analysts:
                    a.stop()
            for a in analysts:
                for n, times in a.times.items():
                    self.paid[count][n] += times

    def row(self, count):
        def median(runs, field):
            return statistics.median(getattr(r, field) for r in runs)

        alone, loaded, quiet = self.alone, self.loaded[count], statistics.median(self.quiet)
        p50, p99 = median(alone, "p50"), median(alone, "p99")
        with50, with99 = median(loaded, "p50"), median(loaded, "p99")
        # Queries that did not end while it ran are not in the sum, which is then not shown.
        paid = self.paid[count].values()
        busy = sum(map(statistics.median, paid)) if all(paid) else None
        return [self.server.name, count, round(median(alone, "tps")), round(median(loaded, "tps")), p50, with50,
                round(with50 / p50, 2), p99, with99, round(with99 / p99, 2), round(quiet, 2),
                busy and round(busy, 2), busy and round(busy / quiet, 2)]


def show(row):
    print("  ".join(f"{c.strip()}: {'-' if v is None else v}" for c, v in zip(COLUMNS, row)), flush=True)


def measure(subjects, o, directory):
    """Rows; true when ours misses the bar with one analyst."""
    for n in range(o.rounds):
        for s in subjects if n % 2 == 0 else subjects[::-1]:
            s.round(directory)
            print(f"round {n + 1}, {s.server.name}: p99 {s.alone[-1].p99} µs, under load " +
                  ", ".join(f"{r[-1].p99} µs" for r in s.loaded.values()), flush=True)
    rows = [s.row(count) for count in o.analysts for s in subjects]
    return rows, rows[0][9] > BAR


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    a.add_argument("heliosd")
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--seconds", type=int, default=20)
    a.add_argument("--clients", type=int, default=8)
    a.add_argument("--mode", default="prepared", choices=["simple", "extended", "prepared"])
    a.add_argument("--analysts", default="1,2", help="clients that run TPC-H: one figure each")
    a.add_argument("--scale", type=float, default=0.1, help="of TPC-H")
    a.add_argument("--pgbench-scale", type=int, default=20)
    a.add_argument("--shared-buffers", default="6GB", help="of PostgreSQL")
    a.add_argument("--set", action="append", default=[], help="setting of ours")
    a.add_argument("--no-peer", action="store_true", help="without PostgreSQL")
    a.add_argument("--json")
    o = a.parse_args()
    o.analysts = [int(n) for n in o.analysts.split(",")]
    peers.install_postgres()
    subjects = [Subject(peers.Helios(o.heliosd, settings=o.set), o)]
    if not o.no_peer:
        subjects.append(Subject(peers.Postgres(shared_buffers=o.shared_buffers, settings=[
            "max_parallel_workers_per_gather=2", "max_parallel_workers=2", "jit=off"]), o))
    notes = [f"{o.rounds} rounds of {o.seconds} s each alone and with load, servers in turns: pgbench -S -M {o.mode}"
             f" -c {o.clients} -j 1, scale {o.pgbench_scale}; TPC-H scale {o.scale:g}. The client and the server share"
             " the machine. PostgreSQL 15: 2 parallel workers, no JIT, vacuumed, read into memory.",
             f"The bar is a p99 under load of at most {BAR:g} times the p99 alone."]
    tables, directory, started = tempfile.mkdtemp(prefix="bench-tpch-"), tempfile.mkdtemp(prefix="bench-log-"), []
    os.chmod(tables, 0o755)
    try:
        tpch.generate(f"{peers.build_of(o.heliosd)}/bench/tpch/tpch_generate", tables, o.scale)
        for s in subjects:
            s.server.start()
            started.append(s.server)
            print(f"{s.server.name} is loaded in {s.load(tables, directory):.1f} s", flush=True)
        rows, missed = measure(subjects, o, directory)
    finally:
        for s in started:
            s.stop()
        shutil.rmtree(tables, ignore_errors=True)
        shutil.rmtree(directory, ignore_errors=True)
    for row in rows:
        show(row)
    if missed:
        notes.append("The bar is missed.")
    print("\n".join(notes + subjects[0].server.errors[:10]))
    peers.write_json(o.json, "Short statements beside long queries", peers.command_line(), COLUMNS, rows, notes)
    sys.exit(missed or bool(subjects[0].server.errors))


if __name__ == "__main__":
    main()
