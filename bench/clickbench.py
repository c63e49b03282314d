#!/usr/bin/python3
"""43 questions like ClickBench's to one table of 105 columns, on ours, DuckDB and PostgreSQL 15, one
after the other, the best of the rounds.

The table is that of bench/clickbench/generate.c, without a key on any server. Each question is asked of
every server in turns. Our answers must be DuckDB's (floating point to twelve digits) and, with --postgres,
PostgreSQL's to the letter. A ratio is our time by DuckDB's: below 1 we are faster.

With --clock cpu the time is what the processes of ours and of DuckDB computed, of both threads: for
machines that others use, too.

usage: clickbench.py HELIOSD [--rows 5000000] [--storage dual] [--rounds 3] [--queries 1,6] [--postgres]"""
import argparse
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "lib"))
import peers  # noqa: E402
import subject  # noqa: E402

COLUMNS = ["query", "rows", "heliosd ms", "DuckDB ms", "ratio", "PostgreSQL ms", "times PostgreSQL"]
ANY_ROWS = (18,)  # whose rows may be any
SUMS = ", ".join(["sum(resolution_width)"] + [f"sum(resolution_width + {n})" for n in range(1, 90)])


def queries(rows):
    with open(f"{HERE}/clickbench/queries.sql") as f:
        lines = [line for line in f if not line.startswith("--")]
    text = "".join(lines).replace("{many}", str(rows // 1000)).replace("{sums}", SUMS)
    return [q.strip() for q in text.split(";\n") if q.strip()]


class Generator:
    def __init__(self, program, rows, seed):
        self.command = [program, "--rows", str(rows), "--seed", str(seed)]
        if not os.path.exists(program):
            raise peers.BenchError(f"{program} is missing: meson configure -Dbench=true, then ninja")

    def schema(self):
        return subprocess.run(self.command + ["--schema"], check=True, capture_output=True, text=True).stdout

    def copy_into(self, cursor):
        with subprocess.Popen(self.command, stdout=subprocess.PIPE) as p:
            cursor.copy_expert("copy hits from stdin", p.stdout, 1 << 20)
        if p.returncode:
            raise peers.BenchError("the generator failed")

    def write(self, path):
        with open(path, "wb") as f:
            subprocess.run(self.command, stdout=f, check=True)


class Subject(subject.Subject):
    """A server that speaks our protocol: load(), ask()."""

    def load(self, generator):
        self.open()
        cursor = self.db.cursor()
        cursor.execute("set statement_timeout = 0")
        if self.name == "heliosd":
            cursor.execute(f"set helios.default_storage = '{self.o.storage}'")
        began = time.monotonic()
        cursor.execute(generator.schema())
        generator.copy_into(cursor)
        cursor.execute("analyze")
        took = time.monotonic() - began
        if self.name == "postgres":
            self.server.psql("vacuum analyze", timeout=3600)
            self.server.warm("hits")
        cursor.execute(f"set statement_timeout = '{self.o.timeout}s'")
        return took

    def ask(self, sql):
        cursor = self.db.cursor()
        try:
            before = self.clock()
            cursor.execute(sql)
            rows = cursor.fetchall()
            return self.clock() - before, [[v or "" for v in r] for r in rows]
        finally:
            if self.db.closed:
                self.open()

    def clock(self):
        if self.o.clock == "cpu" and self.name == "heliosd":
            return peers.cpu_seconds(self.server.process.pid)
        return time.monotonic()


class DuckSubject(Subject):
    def load(self, generator):
        directory = tempfile.mkdtemp(prefix="bench-clickbench-", dir=self.o.directory)
        try:
            generator.write(f"{directory}/hits.tsv")
            self.server.ask(generator.schema())
            return self.server.ask(f"copy hits from '{directory}/hits.tsv' (delimiter '\t', header false,"
                                   " quote '', escape '', nullstr '\\N', auto_detect false)")[0]
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def ask(self, sql):
        before = self.clock()
        seconds, rows = self.server.ask(sql)
        if self.o.clock == "cpu":
            seconds = self.clock() - before
        return seconds, [["" if v is None else str(v) for v in r] for r in rows]

    def clock(self):
        return peers.cpu_seconds(self.server.process.pid) if self.o.clock == "cpu" else 0


def same_value(one, other):
    if one == other:
        return True
    try:
        return math.isclose(float(one), float(other), rel_tol=1e-12)
    except ValueError:
        return False


def same_rows(one, other):
    return len(one) == len(other) and all(
        len(a) == len(b) and all(map(same_value, a, b)) for a, b in zip(one, other))


def fault_of(number, rows, errors):
    if "heliosd" in errors:
        return errors["heliosd"]
    for name, title in (("duckdb", "DuckDB"), ("postgres", "PostgreSQL")):
        if name not in rows:
            continue
        if number in ANY_ROWS:
            equal = len(rows[name]) == len(rows["heliosd"])
        elif name == "duckdb":
            equal = same_rows(rows["heliosd"], rows[name])
        else:
            equal = rows["heliosd"] == rows[name]
        if not equal:
            return f"the answer is not {title}'s: {first_difference(rows['heliosd'], rows[name])}"
    return None


def first_difference(one, other):
    for a, b in zip(one, other):
        for x, y in zip(a, b):
            if not same_value(x, y):
                return f"{x!r} against {y!r}"
    return f"{len(one)} rows against {len(other)}"


def show(row):
    print("  ".join(f"{c}: {'-' if v is None else round(v, 2) if isinstance(v, float) else v}"
                    for c, v in zip(COLUMNS, row)), flush=True)


def ratio(best, name, other):
    return best[name] / best[other] if best.get(other) and name in best else None


def shown(seconds):
    return None if seconds is None else round(seconds * 1000, 1)


def row_of(title, count, best, fault):
    return [title, count, "FAILED" if fault else shown(best.get("heliosd")), shown(best.get("duckdb")),
            ratio(best, "heliosd", "duckdb"), shown(best.get("postgres")),
            ratio(best, "postgres", "heliosd")]


def measure(subjects, o, notes):
    table, sums, counted, bad = [], {}, {}, False
    for number, sql in enumerate(queries(o.rows), 1):
        if o.chosen and number not in o.chosen:
            continue
        best, rows, errors = subject.best_of(subjects, sql, o)
        fault = fault_of(number, rows, errors)
        bad = bad or fault is not None
        if fault:
            notes.append(f"{number} FAILED: {fault}")
        notes += [f"{number} on {name}: {e}" for name, e in errors.items() if name != "heliosd"]
        for name, seconds in best.items():
            sums[name] = sums.get(name, 0) + seconds
            counted[name] = counted.get(name, 0) + 1
        table.append(row_of(f"{number}", len(rows.get("heliosd", [])), best, fault))
        show(table[-1])
    whole = {name: s for name, s in sums.items() if counted[name] == len(table)}
    ratios = [r[4] for r in table if r[4] and r[2] != "FAILED"]
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        notes.append(f"Geometric mean of the ratios: {mean:.2f}; above 1: {sum(r > 1 for r in ratios)}.")
    table.append(row_of("total", None, whole, bad and "heliosd" not in whole))
    show(table[-1])
    return table, bad


def make_subjects(o, notes):
    subjects = [Subject(peers.Helios(o.heliosd, settings=o.set, directory=o.directory), o)]
    duck = peers.DuckDB(f"{peers.build_of(o.heliosd)}/peers", threads=2)
    try:
        if not o.no_duckdb:
            duck.install()
            subjects.append(DuckSubject(duck, o))
            notes.append("DuckDB: 2 threads, a database file.")
    except peers.BenchError as e:
        notes.append(f"Without DuckDB: {e}")
    if o.postgres:
        subjects.append(Subject(peers.Postgres(directory=o.directory, shared_buffers=o.shared_buffers, settings=[
            "max_parallel_workers_per_gather=2", "max_parallel_workers=2", "jit=off"]), o))
        notes.append(f"PostgreSQL 15: {o.shared_buffers} of shared buffers, 2 parallel workers, no JIT.")
    return subjects


def arguments():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    a.add_argument("heliosd")
    a.add_argument("--rows", type=int, default=5000000)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--storage", choices=["row", "dual"], default="dual", help="of our table")
    a.add_argument("--queries", help="1,6: only these")
    a.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    a.add_argument("--timeout", type=int, default=300, help="seconds that a question may take")
    a.add_argument("--set", action="append", default=[], help="setting of ours")
    a.add_argument("--postgres", action="store_true", help="PostgreSQL, too")
    a.add_argument("--shared-buffers", default="6GB", help="of PostgreSQL")
    a.add_argument("--no-duckdb", action="store_true")
    a.add_argument("--directory", help="for the servers' data")
    a.add_argument("--json")
    o = a.parse_args()
    o.chosen = [int(n) for n in o.queries.split(",")] if o.queries else []
    return o


def main():
    o = arguments()
    notes = [f"{o.rows:,} rows, {o.storage} storage, no key, best of {o.rounds} rounds"
             + (", time of the processor." if o.clock == "cpu" else ".")]
    subjects, started = make_subjects(o, notes), []
    generator = Generator(f"{peers.build_of(o.heliosd)}/bench/clickbench/clickbench_generate", o.rows, o.seed)
    try:
        for s in subjects:
            s.server.start()
            started.append(s)
            notes.append(f"{s.name} loaded the table in {s.load(generator):.1f} s.")
            print(notes[-1], flush=True)
        rows, bad = measure(subjects, o, notes)
    finally:
        for s in started:
            s.server.stop()
    print("\n".join(notes + subjects[0].server.errors[:10]))
    peers.write_json(o.json, "A wide table", peers.command_line(), COLUMNS, rows, notes)
    sys.exit(bad or bool(subjects[0].server.errors))


if __name__ == "__main__":
    main()
