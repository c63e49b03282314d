#!/usr/bin/python3
"""10,000 connected sessions of which 64 work: are all served, what do the 64 reach with and without
the idle ones beside them, and how much memory does the server hold?

The server is started with a soft limit of 1,024 open files, as a login gives it; it has to raise
that by itself. Rounds with and without the crowd alternate on one server. Every idle session runs a
statement before and after the 64 worked; one that is refused, closed or not answered is a failure.

usage: connections.py HELIOSD [--idle 9936] [--working 64] [--rounds 5] [--seconds 10] [--json FILE]"""
import argparse
import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import peers  # noqa: E402

SCALE = 10
KEYS = 100000 * SCALE
SOFT_FILES = 1024
TPS_BAR, RSS_BAR = 0.9, 1.5e9
PHASES = ["connected", "touched", "prepared", "worked", "touched"]


def crowd(server, client, idle, working, seconds):
    """One round: {phase: its figures}, and the server's memory while all sessions stand."""
    command = [client, str(server.port), str(idle), str(working), str(seconds), str(KEYS)]
    p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True)
    found = {}
    for phase in PHASES:
        fields = p.stdout.readline().split()
        if fields[:1] != [phase]:
            p.stdin.close()
            p.wait(60)
            raise peers.BenchError(f"{phase}: {p.stderr.read().strip()}")
        found[phase] = fields[1:]
    if int(found["connected"][0]) != idle + working or int(found["touched"][0]) != idle:
        raise peers.BenchError("not all sessions were served")
    found["memory"] = server.memory()[0]
    p.stdin.close()
    if p.wait(60):
        raise peers.BenchError(p.stderr.read().strip())
    return found


def fill(server):
    p = peers.run([f"{peers.PG_BIN}/pgbench", "-i", "-q", "-s", str(SCALE), "-h", server.host, "-p",
                   str(server.port), "-U", "postgres", "postgres"], timeout=300)
    if p.returncode:
        raise peers.BenchError(p.stderr.strip())


def measure(server, client, o):
    without, beside = [], []
    for n in range(o.rounds):
        pair = [(without, 0), (beside, o.idle)]
        for results, idle in pair if n % 2 == 0 else pair[::-1]:
            results.append(crowd(server, client, idle, o.working, o.seconds))
            r = results[-1]
            print(f"{idle:>6} idle: {r['worked'][0]:>8} tps, p50 {r['worked'][1]} us, p99"
                  f" {r['worked'][2]} us, connected in {r['connected'][1]} s,"
                  f" server {r['memory'] / 1e6:,.0f} MB", flush=True)
    return without, beside


def row_of(label, results, base, base_memory, idle):
    tps = [float(r["worked"][0]) for r in results]
    median = statistics.median(tps)
    rss = max(r["memory"] for r in results)
    return [label, f"{max(tps):,.0f}", f"{median:,.0f}", f"{median / base:.2f}",
            f"{statistics.median(float(r['worked'][1]) for r in results):,.0f}",
            f"{statistics.median(float(r['worked'][2]) for r in results):,.0f}",
            f"{statistics.median(float(r['connected'][1]) for r in results):.2f}",
            f"{rss / 1e6:,.0f}", f"{(rss - base_memory) / 1e3 / idle:,.1f}" if idle else "-"]


COLUMNS = ["sessions", "best tps", "median tps", "of the tps without idle ones", "p50 µs", "p99 µs",
           "seconds to connect all", "server's memory MB", "kB an idle session"]


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    a.add_argument("heliosd")
    a.add_argument("--idle", type=int, default=9936)
    a.add_argument("--working", type=int, default=64)
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--seconds", type=int, default=10)
    a.add_argument("--json")
    o = a.parse_args()
    peers.install_postgres()
    client = f"{peers.build_of(o.heliosd)}/bench/connections"
    settings = [f"max_connections={o.idle + o.working + 16}"]
    with peers.Helios(o.heliosd, settings=settings, soft_files=SOFT_FILES) as server:
        fill(server)
        crowd(server, client, 0, o.working, 1)
        base_memory = server.memory()[0]
        without, beside = measure(server, client, o)
        errors = server.errors[:10]
    base = statistics.median(float(r["worked"][0]) for r in without)
    rows = [row_of(f"{o.working} working", without, base, base_memory, 0),
            row_of(f"{o.working} working, {o.idle:,} idle", beside, base, base_memory, o.idle)]
    share = statistics.median(float(r["worked"][0]) for r in beside) / base
    rss = max(r["memory"] for r in beside)
    met = share >= TPS_BAR and rss < RSS_BAR and not errors
    notes = [f"{o.rounds} rounds of {o.seconds} s, prepared point reads, one client thread; the server is"
             f" started with a soft limit of {SOFT_FILES:,} open files.",
             f"Every idle session answered before and after: {o.idle:,} of {o.idle:,}.",
             f"Bars: {TPS_BAR:.0%} of the tps, {RSS_BAR / 1e9} GB: {'met' if met else 'MISSED'}.",
             f"Memory before the crowd came: {base_memory / 1e6:,.0f} MB."]
    print("\n".join(notes + errors))
    peers.write_json(o.json, "10,000 connections" if o.idle + o.working == 10000 else
                     f"{o.idle + o.working:,} connections", peers.command_line(), COLUMNS, rows, notes)
    sys.exit(not met)


if __name__ == "__main__":
    main()
