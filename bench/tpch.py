#!/usr/bin/python3
"""TPC-H's 22 queries on ours, PostgreSQL 15 and DuckDB, one after the other, the best of the rounds.

The tables are those of bench/tpch/generate.c. Each server loads them with their primary keys and analyses
them; each query is asked of every server in turns. Our answers must be PostgreSQL's to the letter; DuckDB
divides decimals as floating point, so only its rows are counted. A ratio is the other's time by ours:
above 1 we are faster. Ours is asked a second time with queries kept on one thread: what two threads gain.

With --storage dual ours has columns, too, and each query is asked once more with every scan by rows: what columns
gain.

usage: tpch.py HELIOSD [--scale 1] [--storage dual] [--rounds 3] [--queries 1,6] [--set NAME=VALUE] [--json FILE]"""
import argparse
import os
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import peers  # noqa: E402
import subject  # noqa: E402
import tpch_data as tpch  # noqa: E402

COLUMNS = ["query", "rows", "heliosd ms", "PostgreSQL ms", "ratio", "DuckDB ms", "ratio to DuckDB",
           "on one thread ms", "ratio to one thread", "by rows ms", "ratio to rows"]


class Subject(subject.Subject):
    """One of the three: load(), ask(number)."""

    def load(self, directory):
        self.open()
        commands = ["set statement_timeout = 0"]
        if self.name == "heliosd":
            commands.append(f"set helios.default_storage = '{self.o.storage}'")
        took = sum(tpch.load(self.db, directory, commands).values())
        if self.name == "postgres":
            self.server.psql("vacuum analyze", timeout=3600)
            self.server.warm(*tpch.TABLES)
        self.db.cursor().execute(f"set statement_timeout = '{self.o.timeout}s'")
        return took

    def ask(self, number):
        try:
            return tpch.ask(self.db, number)
        finally:
            if self.db.closed:
                self.open()


class OneThread(Subject):
    """Another session of a subject that has the tables."""

    def __init__(self, server, o):
        super().__init__(server, o)
        self.name = "one thread"

    def open(self):
        super().open()
        self.db.cursor().execute("set max_parallel_workers_per_gather = 0")


class ByRows(Subject):
    """Another session yet, which reads no columns."""

    def __init__(self, server, o):
        super().__init__(server, o)
        self.name = "by rows"

    def open(self):
        super().open()
        self.db.cursor().execute("set helios.force_format = 'row'")


class DuckSubject(Subject):
    def load(self, directory):
        took = 0.0
        for statement in tpch.schema():
            self.server.ask(statement)
        for table in tpch.TABLES:
            took += self.server.ask(f"copy {table} from '{directory}/{table}.tbl' (delimiter '|',"
                                    " header false, quote '')")[0]
        self.server.ask("analyze")
        return took

    def ask(self, number):
        return self.server.ask(tpch.query(number))


def fault_of(number, rows, errors):
    """What makes the row FAILED: ours must answer, and with PostgreSQL's rows."""
    if "heliosd" in errors:
        return errors["heliosd"]
    if "postgres" in rows and not tpch.same(number, rows["heliosd"], rows["postgres"]):
        return "the answer is not PostgreSQL's"
    if "one thread" in rows and not tpch.same(number, rows["heliosd"], rows["one thread"]):
        return "the answer on one thread is another one"
    if "by rows" in rows and not tpch.same(number, rows["heliosd"], rows["by rows"]):
        return "the answer by rows is another one"
    if "duckdb" in rows and len(rows["duckdb"]) != len(rows["heliosd"]):
        return f"{len(rows['heliosd'])} rows, DuckDB has {len(rows['duckdb'])}"
    return None


def timed_out(errors):
    return [name for name, e in errors.items() if name != "heliosd" and "statement timeout" in e]


def ratio(best, name):
    return best[name] / best["heliosd"] if name in best and "heliosd" in best else None


def shown(seconds):
    return None if seconds is None else round(seconds * 1000, 1)


def show(row):
    print("  ".join(f"{c}: {'-' if v is None else round(v, 2) if isinstance(v, float) else v}"
                    for c, v in zip(COLUMNS, row)), flush=True)


def measure(subjects, o, notes):
    table, sums, counted, bad = [], {s.name: 0.0 for s in subjects}, {s.name: 0 for s in subjects}, False
    for number in o.chosen:
        best, rows, errors = subject.best_of(subjects, number, o)
        fault = fault_of(number, rows, errors)
        if fault:
            bad = True
            best.pop("heliosd", None)
            notes.append(f"q{number} FAILED: {fault}")
        for name, seconds in {**dict.fromkeys(timed_out(errors), o.timeout), **best}.items():
            sums[name] += seconds
            counted[name] += 1
        notes += [f"q{number} on {name} was stopped after {o.timeout} s, which its total counts: it is more."
                  for name in timed_out(errors)]
        notes += [f"q{number} on {name}: {e}" for name, e in errors.items()
                  if name != "heliosd" and name not in timed_out(errors)]
        table.append([f"q{number}", len(rows.get("heliosd", [])),
                      "FAILED" if fault else shown(best["heliosd"]), shown(best.get("postgres")),
                      ratio(best, "postgres"), shown(best.get("duckdb")), ratio(best, "duckdb"),
                      shown(best.get("one thread")), ratio(best, "one thread"),
                      shown(best.get("by rows")), ratio(best, "by rows")])
        show(table[-1])
    whole = {name: s for name, s in sums.items() if counted[name] == len(o.chosen)}
    table.append(["total", None, shown(whole.get("heliosd")) or "FAILED", shown(whole.get("postgres")),
                  ratio(whole, "postgres"), shown(whole.get("duckdb")), ratio(whole, "duckdb"),
                  shown(whole.get("one thread")), ratio(whole, "one thread"),
                  shown(whole.get("by rows")), ratio(whole, "by rows")])
    slower = [r[0] for r in table[:-1] if r[4] is not None and r[4] < 1]
    both = [r for r in table[:-1] if r[4] is not None]
    if both and len(both) < len(o.chosen):
        ours, theirs = sum(r[2] for r in both), sum(r[3] for r in both)
        notes.append(f"The {len(both)} queries that PostgreSQL ended: heliosd {ours:,.0f} ms, PostgreSQL {theirs:,.0f} ms,"
                     f" ratio {theirs / ours:.2f}.")
    notes.append("Slower than PostgreSQL: " + (", ".join(slower) or "none") + ".")
    show(table[-1])
    return table, bad


def make_subjects(o, notes):
    subjects = [Subject(peers.Helios(o.heliosd, settings=o.set), o)]
    if not o.no_postgres:
        subjects.append(Subject(peers.Postgres(shared_buffers=o.shared_buffers, settings=[
            "work_mem=512MB", "max_parallel_workers_per_gather=2", "max_parallel_workers=2", "jit=off"]), o))
        notes.append(f"PostgreSQL 15: {o.shared_buffers} of shared buffers, 512 MB of work_mem, 2 parallel"
                     " workers, no JIT (faster so), vacuumed, analysed and read into memory.")
    duck = peers.DuckDB(f"{peers.build_of(o.heliosd)}/peers", threads=2)
    try:
        if not o.no_duckdb:
            duck.install()
            subjects.append(DuckSubject(duck, o))
            notes.append("DuckDB: 2 threads, a database file; its answers are counted, not compared.")
    except peers.BenchError as e:
        notes.append(f"Without DuckDB: {e}")
    return subjects


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    a.add_argument("heliosd")
    a.add_argument("--scale", type=float, default=1.0)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--storage", choices=["row", "dual"], default="row", help="of our tables")
    a.add_argument("--queries", help="1,6: only these")
    a.add_argument("--timeout", type=int, default=300, help="seconds that a query may take")
    a.add_argument("--set", action="append", default=[], help="setting of ours")
    a.add_argument("--shared-buffers", default="6GB", help="of PostgreSQL")
    a.add_argument("--no-postgres", action="store_true")
    a.add_argument("--no-duckdb", action="store_true")
    a.add_argument("--json")
    o = a.parse_args()
    o.chosen = [int(n) for n in o.queries.split(",")] if o.queries else list(tpch.NUMBERS)
    notes = [f"Scale {o.scale:g}, {o.storage} storage with primary keys, best of {o.rounds} rounds."]
    subjects, directory = make_subjects(o, notes), tempfile.mkdtemp(prefix="bench-tpch-")
    os.chmod(directory, 0o755)
    started = []
    try:
        tpch.generate(f"{peers.build_of(o.heliosd)}/bench/tpch/tpch_generate", directory, o.scale, o.seed)
        for s in subjects:
            s.server.start()
            started.append(s)
            notes.append(f"{s.name} loaded the tables in {s.load(directory):.1f} s.")
            print(notes[-1], flush=True)
        shutil.rmtree(directory)
        subjects.append(OneThread(started[0].server, o))
        subjects[-1].open()
        if o.storage != "row":
            subjects.append(ByRows(started[0].server, o))
            subjects[-1].open()
        rows, bad = measure(subjects, o, notes)
    finally:
        for s in started:
            s.server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    print("\n".join(notes + subjects[0].server.errors[:10]))
    peers.write_json(o.json, "TPC-H", peers.command_line(), COLUMNS, rows, notes)
    sys.exit(bad or bool(subjects[0].server.errors))


if __name__ == "__main__":
    main()
