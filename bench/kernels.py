#!/usr/bin/python3
"""The loops that queries spend their time in, one thread: expressions over batches, the tables of joins
and groups, the sorter, the encodings of columns, each beside the memory bandwidth that the same run
measures. What is counted stands at the head of bench/micro/kernels*.c.

usage: kernels.py BENCH_KERNELS [--rounds 3] [--rows 4000000] [--ms 300]
                  [--part all|expressions|tables|sorter|columns] [--dir DIR] [--json FILE]"""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import peers  # noqa: E402

COLUMNS = ["kernel", "rows/s, best", "median", "bytes a row", "GB/s", "of memory bandwidth"]
LINE = re.compile(r"^(.+?) +(\d+) rows/s +([\d.]+) bytes/row +([\d.]+) %$")
SECONDS_MAX = 1800


def one_round(o, directory):
    """(GB/s of memory, {name: (rows/s, bytes a row)})"""
    where = tempfile.mkdtemp(prefix="data-", dir=directory)
    p = subprocess.run([o.program, "--rows", str(o.rows), "--ms", str(o.ms), "--part", o.part, "--dir", where],
                       capture_output=True, text=True, timeout=SECONDS_MAX)
    shutil.rmtree(where, ignore_errors=True)
    memory = re.search(r"by one core: ([\d.]+) GB/s", p.stdout)
    found = {m[1]: (int(m[2]), float(m[3])) for m in map(LINE.match, p.stdout.splitlines()) if m}
    if p.returncode or not memory or not found:
        sys.exit(f"{o.program} ended with {p.returncode}\n{p.stdout[-1000:]}{p.stderr[-1000:]}")
    return float(memory[1]), found


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    a.add_argument("program")
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--rows", type=int, default=4000000, help="of large tables, and that are sorted")
    a.add_argument("--ms", type=int, default=300, help="that a figure takes at least")
    a.add_argument("--part", default="all", choices=["all", "expressions", "tables", "sorter", "columns"])
    a.add_argument("--dir", help="for a small database of its own")
    a.add_argument("--json")
    o = a.parse_args()
    directory = tempfile.mkdtemp(prefix="bench-kernels-", dir=o.dir)
    try:
        rounds = [one_round(o, directory) for _ in range(o.rounds)]
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    memory = statistics.median(m for m, _ in rounds)
    rows = []
    for name, (_, width) in rounds[0][1].items():
        rates = [found[name][0] for _, found in rounds]
        rate = statistics.median(rates)
        used = rate * width / 1e9
        rows.append([name, max(rates), round(rate), width, round(used, 2), f"{used / memory:.1%}"])
        print(f"{name:34} {max(rates):14,} {rate:14,.0f} rows/s {width:6.1f} bytes {used:7.2f} GB/s"
              f" {used / memory:7.1%}", flush=True)
    notes = [f"{o.rounds} rounds; one thread; {o.rows:,} rows in large tables and in sorts. One core reads"
             f" memory in order at {memory:.1f} GB/s.",
             "Bytes a row are the least that must be read and written: inputs, results, a table's entries."
             " Columns of expressions lie in the core's cache, as a scan leaves them, so that above 100 %"
             " memory would be the limit."]
    print("\n".join(notes))
    peers.write_json(o.json, "Kernels", peers.command_line(), COLUMNS, rows, notes)


if __name__ == "__main__":
    main()
