#!/usr/bin/python3
"""The storage engine beside RocksDB's db_bench (package rocksdb-tools, installed when missing) on the
same file system, in turns A B A B: random fill, cached random read, forward scan, synced writes by
1, 16 and 64 writers. Prints best and median of each, the ratio of the medians, and the floor: what a
bare loop of write and fdatasync reaches.

Both get keys of 16 and values of 100 bytes, LZ4, Bloom filters of 10 bits a key, memtables of 64 MiB
and a cache that holds all; reads and scans are made after compaction has come to rest, and once
before they count. db_bench is what Debian ships: its CRC-32C and Bloom probes are scalar code, and it says itself that
its assertions are on, which makes it slower. Say so beside any ratio.

usage: engine.py BENCH_ENGINE [--keys 2000000] [--rounds 3] [--writers 1,16,64] [--sync-seconds 2]
                 [--dir DIR] [--json FILE]"""
import argparse, os, re, shutil, statistics, subprocess, sys, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import peers  # noqa: E402

COLUMNS = ["operation", "unit", "heliosd median", "best", "db_bench median", "best of it", "ratio of medians",
           "wanted"]
CACHE_MB = 2048
# What the project wants to reach: times db_bench, or an absolute figure.
BARS = {"fill": 1.5, "read": 1.5, "scan": 1.5, "sync_1": 1.2, "sync_16": 2.5, "sync_64": 4.0}
UNITS = {"fill": "ops/s", "read": "ops/s", "scan": "rows/s"}


def find_db_bench():
    path = shutil.which("db_bench")
    if path:
        return path
    print("db_bench is not installed; installing Debian's rocksdb-tools ...", flush=True)
    command = ["apt-get", "install", "-y", "--no-install-recommends", "rocksdb-tools"]
    if os.getuid():
        command.insert(0, "sudo")
    p = subprocess.run(command, capture_output=True, text=True)
    path = shutil.which("db_bench")
    if not path:
        sys.exit(f"cannot install it: {p.stderr.strip().splitlines()[-1:] or p.returncode}\n"
                 "Install the package rocksdb-tools by hand, then run this again.")
    return path


def run(command, seconds=600):
    p = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    if p.returncode:
        sys.exit(f"{' '.join(command)}\n{p.stdout[-2000:]}{p.stderr[-2000:]}\nended with {p.returncode}")
    return p.stdout


def ours(o):
    """One pass of bench_engine: {name: value}."""
    out = run([o.engine, "--dir", o.dir, "--keys", str(o.keys), "--writers", o.writers,
               "--sync-ms", str(o.sync_seconds * 1000), "--cache-mb", str(CACHE_MB)])
    return {m[1]: float(m[2]) for m in re.finditer(r"^(\w+) +([\d.]+) \S+$", out, re.M)}


def db_bench(o, *args):
    """{benchmark: (operations a second, p50 us, p99 us)} of a run in a directory of its own; of a
    benchmark named twice the second counts."""
    where = tempfile.mkdtemp(prefix="rocksdb-bench-", dir=o.dir)
    out = run([o.db_bench, f"--db={where}", "--key_size=16", "--value_size=100", "--bloom_bits=10",
               "--compression_type=lz4", f"--cache_size={CACHE_MB << 20}", "--histogram=1", *args])
    shutil.rmtree(where)
    found = {}
    for m in re.finditer(r"^(\w+) +: +[\d.]+ micros/op (\d+) ops/sec(.*?)(?=^\w+ +: |\Z)", out,
                         re.M | re.S):
        p = re.search(r"P50: ([\d.]+).*?P99: ([\d.]+) P99.9: ([\d.]+)", m[3])
        found[m[1]] = (float(m[2]), *(float(x) for x in p.groups())) if p else (float(m[2]), 0, 0, 0)
    return found


def theirs(o):
    r = {}
    for w in o.writers.split(","):
        rate, p50, p99, _ = db_bench(o, "--benchmarks=fillsync", f"--num={o.keys * 1000}", # it takes 1/1000
                                     f"--threads={w}", f"--duration={o.sync_seconds}")["fillsync"]
        r[f"sync_{w}"], r[f"sync_{w}_p50"], r[f"sync_{w}_p99"] = rate, p50, p99
    d = db_bench(o, "--benchmarks=fillrandom,waitforcompaction,readrandom,readrandom,readseq,readseq",
                 f"--num={o.keys}")
    r["fill"], r["fill_p50"], r["fill_p99"], r["fill_p999"] = d["fillrandom"]
    r["read"], r["scan"] = d["readrandom"][0], d["readseq"][0]
    return r


def row(name, unit, a, b, bar, low=False):
    best = min if low else max
    ma, mb = statistics.median(a), statistics.median(b) if b else 0
    ratio = ma / mb if mb else 0
    verdict = "" if not bar or not ratio else "ok" if ratio >= bar else "MISSED"
    print(f"{name:15} {ma:13,.1f} {best(a):13,.1f} {mb:13,.1f} {best(b) if b else 0:13,.1f}"
          f" {ratio:7.2f} {bar or '':>5} {unit:9} {verdict}")
    return [name, unit, round(ma, 1), round(best(a), 1), round(mb, 1) if b else None,
            round(best(b), 1) if b else None, round(ratio, 2) if b else None, bar]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("engine")
    p.add_argument("--keys", type=int, default=2000000)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--writers", default="1,16,64")
    p.add_argument("--sync-seconds", type=int, default=2)
    p.add_argument("--dir", default=".")
    p.add_argument("--json")
    o = p.parse_args()
    o.db_bench = find_db_bench()
    o.dir = tempfile.mkdtemp(prefix="engine-bench-", dir=o.dir)
    a, b = [], []
    try:
        for i in range(o.rounds):
            a.append(ours(o))
            b.append(theirs(o))
            print(f"round {i + 1} of {o.rounds} done, load {os.getloadavg()[0]:.1f}", flush=True)
    finally:
        shutil.rmtree(o.dir, ignore_errors=True)
    def col(rounds, name):
        return [r[name] for r in rounds if name in r]
    print(f"\n{'':15} {'ours, median':>13} {'best':>13} {'db_bench':>13} {'best':>13} {'ratio':>7} {'bar':>5}")
    figures = []
    names = ["fill", "read", "scan"] + [f"sync_{w}" for w in o.writers.split(",")]
    for n in names:
        figures.append(row(n, UNITS.get(n, "ops/s"), col(a, n), col(b, n), BARS.get(n)))
    for n in [n + q for n in names for q in ("_p50", "_p99", "_p999")]:
        if col(a, n):
            figures.append(row(n, "us", col(a, n), col(b, n), None, low=True))
    for n, unit in (("read_txn", "ops/s"), ("scan_back", "rows/s"), ("sync_floor", "flushes/s"),
                    ("sync_floor_p50", "us"), ("sync_floor_p99", "us"),
                    *((f"sync_{w}_flushes", "flushes/s") for w in o.writers.split(","))):
        figures.append(row(n, unit, col(a, n), [], None))
    notes = [f"{o.rounds} rounds in turns, {o.keys:,} keys of 16 bytes with values of 100, LZ4, 10 Bloom bits a"
             " key, all in the cache.",
             "db_bench is Debian's: its CRC-32C and Bloom probes are scalar code, its assertions are on.",
             "sync_floor is a bare loop of write and fdatasync."]
    peers.write_json(o.json, "The storage engine beside RocksDB", peers.command_line(), COLUMNS, figures, notes)


main()
