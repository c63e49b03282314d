#!/usr/bin/python3
"""pgbench against ours, PostgreSQL 15 and the null server, in turns on this machine.

The same client binary with one thread, the same kind of socket, fsync on, warm caches; each round
runs every server once, so that whatever else the machine does falls on all of them alike. Failed
transactions, a TPC-B run whose balances do not add up, or one whose history does not hold exactly
the transactions that were answered, make the whole run fail.

usage: pgbench.py HELIOSD [--rounds 5] [--seconds 20] [--scale 20] [--socket tcp,unix]
                          [--cases all|select-prepared-c8,...] [--json FILE]"""
import argparse
import glob
import os
import re
import shutil
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import peers  # noqa: E402

# name: what pgbench is told, and whether it writes
CASES = {
    f"{kind}-{mode}-c{clients}": ([*(["-S"] if kind == "select" else []), "-M", mode, "-c", str(clients)],
                                  kind == "tpcb")
    for kind in ("select", "tpcb") for mode in ("simple", "extended", "prepared") for clients in (1, 8, 32, 64)
}
# those that have bars
MAIN_CASES = ["select-prepared-c8", "select-prepared-c1", "select-simple-c8", "select-prepared-c64",
              "tpcb-prepared-c32", "tpcb-prepared-c1"]
TABLES = ("pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history")
SAMPLES_A_SECOND = 5000  # of the latency log: enough for a p99, and no load
WARM_SECONDS = 1


def pgbench(server, args, timeout):
    command = [f"{peers.PG_BIN}/pgbench", "-h", server.host, "-p", str(server.port), "-U", "postgres",
               *args, "postgres"]
    p = peers.run(command, timeout=timeout)
    if p.returncode or "ERROR" in p.stderr or "aborted" in p.stderr or "error:" in p.stderr:
        raise peers.BenchError(f"{server.name} {' '.join(args)}: {p.stderr.strip()[-1500:]}")
    return p


def percentile(values, share):
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0


def read_latencies(prefix):
    """The third column of pgbench's log is a transaction's time in microseconds."""
    values = []
    for name in glob.glob(prefix + ".*"):
        with open(name) as f:
            times = (line.split(" ", 3)[2] for line in f)
            values += [int(t) for t in times if t.isdigit()]  # else it failed, or was skipped
        os.remove(name)
    return sorted(values)


class Run:
    """One run of one case on one server."""

    def __init__(self, server, args, seconds, scale, directory, rate):
        sampling = min(1.0, SAMPLES_A_SECOND / rate) if rate else 0.1
        prefix = os.path.join(directory, "log")
        args = [*args, "-n", "-j", "1", "-T", str(seconds), "-l", "--log-prefix", prefix,
                "--sampling-rate", f"{sampling:.4f}"]
        if server.name == "null":
            args += ["-D", f"scale={scale}"]
        args += ["--failures-detailed", "--verbose-errors"]
        p = pgbench(server, args, seconds + 60)
        latencies = read_latencies(prefix)
        failed = re.search(r"number of failed transactions: (\d+)", p.stdout)
        if failed and failed[1] != "0":
            kinds = re.findall(r"number of (\w+) failures: (\d+)", p.stdout)
            raise peers.BenchError(f"{server.name}: {failed[1]} failed transactions: {dict(kinds)}")
        self.tps = float(re.search(r"tps = ([\d.]+)", p.stdout)[1])
        self.count = int(re.search(r"actually processed: (\d+)", p.stdout)[1])
        self.p50, self.p99 = percentile(latencies, 0.5), percentile(latencies, 0.99)


def check_tpcb(server, history_before, answered):
    """The four sums are equal, and no answered transaction is missing or twice there."""
    sums = server.psql(
        "select (select sum(abalance) from pgbench_accounts), (select sum(bbalance) from"
        " pgbench_branches), (select sum(tbalance) from pgbench_tellers),"
        " (select coalesce(sum(delta), 0) from pgbench_history)").split("|")
    if len(sums) != 4 or len(set(sums)) != 1:
        raise peers.BenchError(f"{server.name}: the balances do not add up: {sums}")
    grown = history_rows(server) - history_before
    if grown != answered:
        raise peers.BenchError(f"{server.name}: {answered} transactions answered, history holds {grown}")


def history_rows(server):
    return int(server.psql("select count(*) from pgbench_history"))


def measure(server, args, writes, o, seconds, directory, rate):
    before = history_rows(server) if writes else 0
    r = Run(server, args, seconds, o.scale, directory, rate)
    if writes:
        check_tpcb(server, before, r.count)
    return r


def run_case(name, servers, o, directory):
    """{server name: [Run, ...]}"""
    args, writes = CASES[name]
    takes_part = [s for s in servers if s.name != "null" or not writes]
    rates = {s.name: measure(s, args, writes, o, WARM_SECONDS, directory, 0).tps for s in takes_part}
    results = {s.name: [] for s in takes_part}
    for n in range(o.rounds):
        order = takes_part if n % 2 == 0 else takes_part[::-1]
        for s in order:
            results[s.name].append(measure(s, args, writes, o, o.seconds, directory, rates[s.name]))
    return results


class Column:
    """Best and median of a server's rounds."""

    def __init__(self, runs):
        self.there = bool(runs)
        if runs:
            self.best = max(r.tps for r in runs)
            self.median = statistics.median(r.tps for r in runs)
            self.p50 = statistics.median(r.p50 for r in runs)
            self.p99 = statistics.median(r.p99 for r in runs)

    def tps(self):
        return [f"{self.best:,.0f}", f"{self.median:,.0f}"] if self.there else ["-", "-"]

    def latency(self):
        return [f"{self.p50:,.0f}", f"{self.p99:,.0f}"] if self.there else ["-", "-"]


def share(a, b, field, form):
    if not a.there or not b.there or not getattr(b, field):
        return "-"
    return form.format(getattr(a, field) / getattr(b, field))


COLUMNS = ["case", "socket", "heliosd best", "median tps", "PostgreSQL best", "median tps",
           "ratio of medians", "of bests", "null server", "of the null server",
           "p50 µs", "p99 µs", "PostgreSQL p50", "p99", "p99 ratio"]


def row_of(name, socket, results):
    ours, pg, null = (Column(results.get(n)) for n in ("heliosd", "postgres", "null"))
    return [name, socket, *ours.tps(), *pg.tps(), share(ours, pg, "median", "{:.2f}"),
            share(ours, pg, "best", "{:.2f}"), null.tps()[1], share(ours, null, "median", "{:.0%}"),
            *ours.latency(), *pg.latency(), share(ours, pg, "p99", "{:.2f}")]


def initialise(servers, o):
    """Fills the tables; returns a note with the times."""
    took = []
    for s in servers:
        if s.name == "null":
            continue
        began = time.monotonic()
        pgbench(s, ["-i", "-q", "-s", str(o.scale)], 600)
        took.append(f"{s.name} {time.monotonic() - began:.1f} s")
        if s.name == "postgres":
            s.psql("vacuum analyze")
            s.psql("checkpoint")
            s.warm(*TABLES)
        else:
            s.psql("select count(*), sum(abalance) from pgbench_accounts")
    return f"pgbench -i -s {o.scale}: " + ", ".join(took) + "."


def run_socket(socket, o, rows, notes):
    """All cases over one kind of socket. True when a case failed."""
    unix, bad = socket == "unix", False
    servers = [peers.Helios(o.heliosd, unix=unix)]
    if not o.no_peer:
        servers.append(peers.Postgres(shared_buffers=o.shared_buffers, unix=unix))
    servers.append(peers.Null(f"{peers.build_of(o.heliosd)}/bench/null_server", unix=unix))
    directory = tempfile.mkdtemp(prefix="bench-log-")
    started = []
    try:
        for s in servers:
            s.start()
            started.append(s)
        notes.append(f"{socket}: " + initialise(servers, o))
        print(notes[-1], flush=True)
        for name in o.cases:
            try:
                rows.append(row_of(name, socket, run_case(name, servers, o, directory)))
            except peers.BenchError as e:
                bad = True
                rows.append([name, socket, "FAILED"] + ["-"] * (len(COLUMNS) - 3))
                print(f"{name}: {e}", file=sys.stderr)
            print_row(rows[-1])
    finally:
        for s in started:
            s.stop()
        shutil.rmtree(directory)
    for line in servers[0].errors[:10]:
        bad = True
        print("heliosd:", line, file=sys.stderr)
    return bad


WIDTHS = [22, 6, 12, 10, 15, 10, 7, 7, 9, 7, 8, 8, 8, 8, 6]
HEADS = ["case", "socket", "heliosd best", "median", "PostgreSQL best", "median", "ratio", "best",
         "null", "of null", "p50 us", "p99 us", "PG p50", "PG p99", "p99 x"]


def print_row(row):
    print(" ".join(f"{str(v):{'<' if i < 2 else '>'}{w}}" for i, (v, w) in enumerate(zip(row, WIDTHS))),
          flush=True)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    a.add_argument("heliosd")
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--seconds", type=int, default=20)
    a.add_argument("--scale", type=int, default=20)
    a.add_argument("--socket", default="tcp", help="tcp, unix or tcp,unix")
    a.add_argument("--cases", default=",".join(MAIN_CASES), help="all, or some of: " + " ".join(CASES))
    a.add_argument("--shared-buffers", default="6GB", help="of PostgreSQL")
    a.add_argument("--no-peer", action="store_true", help="without PostgreSQL")
    a.add_argument("--json")
    o = a.parse_args()
    o.cases = list(CASES) if o.cases == "all" else o.cases.split(",")
    unknown = [c for c in o.cases if c not in CASES] + \
              [s for s in o.socket.split(",") if s not in ("tcp", "unix")]
    if unknown:
        a.error(f"unknown: {' '.join(unknown)}; the cases are {' '.join(CASES)}")
    peers.install_postgres()
    rows, bad = [], False
    notes = [f"{o.rounds} rounds of {o.seconds} s, pgbench -j 1, scale {o.scale}, fsync on, servers in"
             " turns. PostgreSQL 15 with " + o.shared_buffers + " of shared buffers, warmed.",
             "The null server answers canned bytes from one loop: what is left is the client and the kernel.",
             "Latencies are medians of the rounds' percentiles, from pgbench's log."]
    print_row(HEADS)
    for socket in o.socket.split(","):
        bad |= run_socket(socket, o, rows, notes)
    peers.write_json(o.json, "OLTP over the wire: pgbench", peers.command_line(), COLUMNS, rows, notes)
    sys.exit(bad)


if __name__ == "__main__":
    main()
