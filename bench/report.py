#!/usr/bin/python3
"""Renders the JSON files of the benchmarks as one page. bench/README.md describes their form.

usage: report.py --out docs/benchmarks.md [--build DIR] FILE.json ...

A file that is missing or not of that form is an error, and the page is not written: a page that
leaves out what failed would lie."""
import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time

NEEDED = {"title": str, "command": str, "columns": list, "rows": list, "notes": list}


class FormError(Exception):
    pass


def read(path):
    try:
        with open(path) as f:
            d = json.load(f)
    except (OSError, ValueError) as e:
        raise FormError(f"{path}: {e}")
    if not isinstance(d, dict):
        raise FormError(f"{path}: not an object")
    for name, kind in NEEDED.items():
        if not isinstance(d.get(name), kind):
            raise FormError(f"{path}: \"{name}\" is missing or no {kind.__name__}")
    for row in d["rows"]:
        if not isinstance(row, list) or len(row) != len(d["columns"]):
            raise FormError(f"{path}: a row does not have {len(d['columns'])} values: {row}")
    return d


def cell(value):
    if value is None:
        return "-"
    if isinstance(value, float):
        value = f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    elif isinstance(value, int) and not isinstance(value, bool):
        value = f"{value:,}"
    return str(value).replace("|", "\\|").replace("\n", " ")


def is_number(text):
    return text == "-" or re.fullmatch(r"[-+]?[\d,]*\.?\d+ ?[%x×]?", text) is not None


def render_table(d):
    rows = [[cell(v) for v in row] for row in d["rows"]]
    right = [all(is_number(r[i]) for r in rows) for i in range(len(d["columns"]))]
    lines = ["| " + " | ".join(cell(c) for c in d["columns"]) + " |",
             "| " + " | ".join("---:" if r else "---" for r in right) + " |"]
    return lines + ["| " + " | ".join(r) + " |" for r in rows]


def render(d):
    lines = [f"## {d['title']}", ""]
    if d.get("date"):
        lines += [f"{d['date']} UTC:", ""]
    lines += ["    " + d["command"], ""]
    if d["rows"]:
        lines += render_table(d) + [""]
    lines += [f"- {cell(n)}" for n in d["notes"]]
    return "\n".join(lines).rstrip() + "\n"


# --- the machine -----------------------------------------------------------------------------------


def first(pattern, path, default="unknown"):
    try:
        with open(path) as f:
            found = re.search(pattern, f.read(), re.M)
        return found[1].strip() if found else default
    except OSError:
        return default


def output(*command):
    try:
        p = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return p.stdout.strip() if p.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired):
        return ""


def build_type(build):
    """Of meson's options: what was measured matters as much as where."""
    for option in json.loads(output("meson", "introspect", "--buildoptions", build) or "[]"):
        if option["name"] == "buildtype":
            return option["value"]
    return ""


def machine(build):
    memory = int(first(r"^MemTotal:\s+(\d+) kB", "/proc/meminfo", "0")) / 1048576
    facts = [("processor", first(r"^model name\s*:\s*(.+)$", "/proc/cpuinfo") +
              f", family {first(r'^cpu family[ 	]*: *([0-9]+)', '/proc/cpuinfo')}"
              f" model {first(r'^model[ 	]*: *([0-9]+)', '/proc/cpuinfo')}, {os.cpu_count()} cores"),
             ("memory", f"{memory:.0f} GB"),
             ("kernel", platform.release()),
             ("system", first(r'^PRETTY_NAME="?([^"\n]+)', "/etc/os-release")),
             ("disk", output("df", "--output=source,fstype", "/tmp").split("\n")[-1]),
             ("compiler", output("cc", "--version").split("\n")[0])]
    commit = output("git", "rev-parse", "--short", "HEAD")
    if commit:
        changed = output("git", "status", "--porcelain", "--untracked-files=no", "src", "include")
        facts.append(("commit", commit + (" with changes" if changed else "")))
    if build and build_type(build):
        facts.append(("build", build_type(build)))
    facts.append(("postgres", output("/usr/lib/postgresql/15/bin/postgres", "--version")))
    return [f"| {name} | {cell(' '.join(value.split()))} |" for name, value in facts if value]


INTRO = """# Benchmarks

Written by `bench/report.py`, at the end of `make bench`; what the scripts measure and how is in `bench/README.md`. Each
section's command is above it, with fewer rounds than by default perhaps. The servers take turns on one
machine with the client beside them. A ratio above 1 in throughput, or below 1 in latency, is in our favour.
Compare ratios, not absolute figures: those belong to this machine.
"""


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    a.add_argument("files", nargs="+")
    a.add_argument("--out", required=True)
    a.add_argument("--build", help="build folder that was measured")
    o = a.parse_args()
    try:
        parts = [render(read(path)) for path in o.files]
    except FormError as e:
        sys.exit(f"report.py: {e}")
    head = [INTRO, "| | |", "| --- | --- |",
            f"| date | {time.strftime('%Y-%m-%d', time.gmtime())} |", *machine(o.build), ""]
    with open(o.out + ".new", "w") as f:
        f.write("\n".join(head) + "\n" + "\n".join(parts))
    os.replace(o.out + ".new", o.out)


if __name__ == "__main__":
    main()
