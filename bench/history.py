#!/usr/bin/python3
"""What the past costs, by bench_history (bench/micro/history.c), whose clock is told: a hot table under a day of updates, and a table
that was updated ten million times within the last hour, read as of before that.

The bars: the day's space at most 1.3 times the bytes that the retention needs; reads of the present at most 1.2 times those of a table
that was written once; a point read of the past at most 2 times, a full scan at most 3 times one of the present. All that is read is
held against a log.

The day is made smaller by --scale: so many times fewer rows, updates and bytes of a memtable, so that each row is updated
as often and each memtable is full as soon; hours stay hours. Whole, it writes 108 million versions, 11 GB of which stay on
disk until it ends.

usage: history.py BENCH_HISTORY [--scale 1] [--hours 24] [--keys 1000000] [--updates 10000000] [--dir DIR] [--json FILE]"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROWS, RATE, MEMTABLE_KB, SECONDS_MAX = 10000, 1000, 64 << 10, 3600
COLUMNS = ["what", "unit", "measured", "beside", "ratio", "at most"]


def figures(o, only, *more):
    where = tempfile.mkdtemp(prefix="history-bench-", dir=o.dir)
    try:
        p = subprocess.run([o.bench, "--dir", where, "--only", only, *map(str, more)], capture_output=True, text=True,
                           timeout=SECONDS_MAX)
    finally:
        shutil.rmtree(where, ignore_errors=True)
    if p.returncode:
        sys.exit(f"bench_history ended with {p.returncode}: {p.stdout[-1000:]}{p.stderr[-1000:]}")
    print(p.stdout, end="", flush=True)
    return {m[1]: float(m[2]) for m in re.finditer(r"^(\w+) +([\d.]+) \S+$", p.stdout, re.M)}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("bench")
    p.add_argument("--scale", type=int, default=1)
    p.add_argument("--hours", type=int, default=24)
    p.add_argument("--keys", type=int, default=1000000)
    p.add_argument("--updates", type=int, default=10000000)
    p.add_argument("--dir", default=".")
    p.add_argument("--json")
    o = p.parse_args()
    day = figures(o, "day", "--rows", ROWS // o.scale, "--rate", RATE // o.scale, "--hours", o.hours, "--warm", o.hours // 4,
                  "--memtable-kb", MEMTABLE_KB // o.scale)
    hour = figures(o, "hour", "--keys", o.keys, "--updates", o.updates)
    rows = [["space, at most while it ran", "×", day["day_space_worst"], None, day["day_space_worst"], 1.3],
            ["space, at rest", "×", day["day_space"], None, day["day_space"], 1.3]]

    def beside(what, unit, a, b, bar):
        rows.append([what, unit, a, b, a / b, bar])
    for rest, words in (("", ""), ("_at_rest", ", at rest")):
        beside("point read of the hot table" + words, "µs", day["day_get" + rest], day["fresh_get" + rest], 1.2)
        beside("scan of the hot table" + words, "ms", day["day_scan" + rest], day["fresh_scan" + rest], 1.2)
    rows.append(["scan of the hot table, as a memtable fills", "×", day["day_scan_filling"], None, day["day_scan_filling"], 1.2])
    beside("point read as of an hour ago", "µs", hour["hour_get_past"], hour["hour_get_now"], 2.0)
    beside("scan as of an hour ago", "ms", hour["hour_scan_past"], hour["hour_scan_now"], 3.0)
    missed = [r[0] for r in rows if r[4] > r[5]]
    for r in rows:
        print(f"{r[0]:42} {r[2]:10.3f} {r[3] or 0:10.3f} {r[1]:3} {r[4]:6.2f}  at most {r[5]}"
              f"{'  MISSED' if r[4] > r[5] else ''}")
    if o.json:
        notes = [f"{int(day['day_updates']):,} updates of a table of {ROWS // o.scale:,} rows at {RATE // o.scale:,} a second of a clock that "
                 f"is told, for {o.hours + o.hours // 4} hours with {o.hours} hours of history"
                 + (f": a {o.scale}th of 10,000 rows at 1,000 a second, with memtables of as much less."
                    if o.scale > 1 else "."),
                 "Space is that on disk beside the bytes of the keys and rows that the retention needs, which do not compress.",
                 "Beside the hot table: one that was written once. At rest: both lie in runs alone. As a memtable fills: the worst moment "
                 "while some newest rows are there and some in the run below, beside a table that is in memory.",
                 f"{o.updates:,} updates of a table of {o.keys:,} rows within an hour; beside reads of the past: of the present."]
        if missed:
            notes.append("Missed: " + ", ".join(missed) + ".")
        with open(o.json, "w", encoding="utf-8") as f:
            json.dump({"title": "The past", "command": "make bench-history", "columns": COLUMNS,
                       "rows": [[r[0], r[1], round(r[2], 3), round(r[3], 3) if r[3] else None, round(r[4], 2), r[5]]
                                for r in rows], "notes": notes}, f, indent=1)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
