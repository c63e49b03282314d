#!/usr/bin/python3
"""COPY of TPC-H's lineitem, with its primary key, into ours and PostgreSQL 15 in turns.

The rows are those of DATA/lineitem.tbl.zst (scale factor 0.1), repeated with other order keys for a
greater --scale; sorted by the key as dbgen makes them, and shuffled. `wire` is psql's \\copy, `file`
a COPY that the server reads itself. Each round loads a new table, counts it and compares the sums of
both servers; the time is that of the COPY alone, commit and fsync included.

usage: copy.py HELIOSD [--data DIR] [--scale 1] [--rounds 5] [--how wire,file]
                       [--order sorted,shuffled] [--json FILE]"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import peers  # noqa: E402

DATA = "/work/shared/data/tpch-sf0.1"
KEYS_A_COPY = 600000  # order keys of scale factor 0.1
SCALE_OF_DATA = 0.1
CHECK = ("select count(*), count(distinct l_orderkey), sum(l_quantity), sum(l_extendedprice),"
         " min(l_shipdate), max(l_receiptdate), sum(length(l_comment)) from lineitem")
SECONDS_MAX = 1800


def make_file(source, path, copies, shuffled):
    """Returns the number of rows. The `|` at the end of dbgen's lines is taken off."""
    rows = 0
    with open(path, "wb") as out:
        text = subprocess.run(["zstd", "-dc", source], stdout=subprocess.PIPE, check=True).stdout
        lines = [line.rstrip(b"|").split(b"|", 1) for line in text.splitlines()]
        for n in range(copies):
            offset = n * KEYS_A_COPY
            out.writelines(b"%d|%s\n" % (int(key) + offset, rest) for key, rest in lines)
            rows += len(lines)
    if shuffled:
        subprocess.run(["shuf", "--random-source", source, "-o", path, path], check=True)
    return rows


def schema_of(data):
    with open(f"{data}/schema.sql") as f:
        return next(line for line in f if line.lower().startswith("create table lineitem"))


def reset_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as f:
        f.write("5")


def load(server, path, how):
    """Seconds."""
    options = "with (delimiter '|')"
    command = f"\\copy lineitem from '{path}' {options}" if how == "wire" else \
        f"copy lineitem from '{path}' {options}"
    began = time.monotonic()
    server.psql(command, timeout=SECONDS_MAX)
    return time.monotonic() - began


def one_round(server, path, how, schema):
    """(seconds, check, (peak of memory, by how much it was above that before))"""
    if server.name == "null":
        return load(server, path, how), None, (0, 0)
    server.psql("drop table if exists lineitem")
    if server.name == "postgres":
        server.psql("checkpoint")
    server.psql(schema)
    before = peak = 0
    if server.name == "heliosd":
        reset_peak(server.process.pid)
        before = server.memory()[0]
    seconds = load(server, path, how)
    if server.name == "heliosd":
        peak = server.memory()[1]
    return seconds, server.psql(CHECK, timeout=SECONDS_MAX), (peak, peak - before)


def run_case(servers, path, how, schema, o):
    """{server name: [seconds, ...]}, what one_round says of our server's memory at the most"""
    took, peak = {s.name: [] for s in servers}, (0, 0)
    for n in range(o.rounds):
        checks = set()
        for s in servers if n % 2 == 0 else servers[::-1]:
            seconds, check, memory = one_round(s, path, how, schema)
            took[s.name].append(seconds)
            peak = tuple(map(max, peak, memory))
            if check:
                checks.add(check)
        if len(checks) > 1:
            raise peers.BenchError(f"the servers hold different rows: {checks}")
    return took, peak


COLUMNS = ["order", "from", "rows", "MB", "heliosd best rows/s", "median", "MB/s",
           "PostgreSQL best rows/s", "median", "ratio of medians", "of bests",
           "null server", "of the null server", "peak memory MB", "of it for the COPY"]


def row_of(order, how, rows, size, took, peak):
    def rate(name, pick):
        return rows / pick(took[name]) if took.get(name) else 0

    def shown(value, form="{:,.0f}"):
        return form.format(value) if value else "-"

    ours, pg = rate("heliosd", statistics.median), rate("postgres", statistics.median)
    ours_best, pg_best = rate("heliosd", min), rate("postgres", min)
    null = rate("null", statistics.median)
    return [order, how, f"{rows:,}", f"{size / 1e6:,.0f}", shown(ours_best), shown(ours),
            shown(ours / rows * size / 1e6), shown(pg_best), shown(pg),
            shown(ours / pg if pg else 0, "{:.2f}"), shown(ours_best / pg_best if pg else 0, "{:.2f}"),
            shown(null), shown(ours / null if null else 0, "{:.0%}"), *(f"{m / 1e6:,.0f}" for m in peak)]


def run_all(o, directory, servers, notes):
    schema, rows, bad = schema_of(o.data), [], False
    path = f"{directory}/lineitem.tbl"
    for order in o.order.split(","):
        count = make_file(f"{o.data}/lineitem.tbl.zst", path, max(1, round(o.scale / SCALE_OF_DATA)),
                          order == "shuffled")
        os.chmod(path, 0o644)
        for how in o.how.split(","):
            taking_part = [s for s in servers if how == "wire" or s.name != "null"]
            try:
                took, peak = run_case(taking_part, path, how, schema, o)
            except peers.BenchError as e:
                bad = True
                print(f"{order} {how}: {e}", file=sys.stderr)
                rows.append([order, how, f"{count:,}", "FAILED"] + ["-"] * (len(COLUMNS) - 4))
                continue
            rows.append(row_of(order, how, count, os.path.getsize(path), took, peak))
            print("  ".join(f"{c}: {v}" for c, v in zip(COLUMNS, rows[-1])), flush=True)
    memory = servers[0].memory()[0]
    notes.append(f"Memory of the server at the end: {memory / 1e6:,.0f} MB.")
    return rows, bad


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    a.add_argument("heliosd")
    a.add_argument("--data", default=DATA, help="directory with schema.sql and lineitem.tbl.zst")
    a.add_argument("--scale", type=float, default=1.0)
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--how", default="wire,file")
    a.add_argument("--order", default="sorted,shuffled")
    a.add_argument("--shared-buffers", default="6GB", help="of PostgreSQL")
    a.add_argument("--no-peer", action="store_true", help="without PostgreSQL")
    a.add_argument("--json")
    o = a.parse_args()
    peers.install_postgres()
    notes = [f"lineitem at scale {o.scale:g} with primary key (l_orderkey, l_linenumber), {o.rounds} rounds,"
             " servers in turns, commit and fsync included.",
             f"PostgreSQL 15 with {o.shared_buffers} of shared buffers, wal_level replica."]
    servers = [peers.Helios(o.heliosd, settings=["copy.read_directories=/"])]
    if not o.no_peer:
        servers.append(peers.Postgres(shared_buffers=o.shared_buffers))
    servers.append(peers.Null(f"{peers.build_of(o.heliosd)}/bench/null_server"))
    directory, started = tempfile.mkdtemp(prefix="bench-copy-"), []
    os.chmod(directory, 0o755)
    try:
        for s in servers:
            s.start()
            started.append(s)
        rows, bad = run_all(o, directory, servers, notes)
    finally:
        for s in started:
            s.stop()
        shutil.rmtree(directory)
    print("\n".join(notes + servers[0].errors[:10]))
    peers.write_json(o.json, "Bulk load: COPY of lineitem", peers.command_line(), COLUMNS, rows, notes)
    sys.exit(bad or bool(servers[0].errors))


if __name__ == "__main__":
    main()
