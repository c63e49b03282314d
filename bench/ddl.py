#!/usr/bin/python3
"""DDL on a large table that clients work on: changes of a column, which should be instant at any size, and work
in the background (an index, a constraint), which should not stop those who write.

pgbench reads and updates single rows of the table all the while. Of the instant changes we take the time of the
statement as a client sees it, which waits for the table's lock behind running transactions, and of the same statement in
a block that has the lock already, its COMMIT included. Of the others we take how long they run, and the longest
transaction of pgbench meanwhile.

The bar: ADD COLUMN with a constant default, DROP COLUMN, RENAME and SET DEFAULT under 20 ms (p50, waiting for the
lock included) on 10 million rows. At the end the indexes must give what the table gives.

usage: ddl.py HELIOSD [--rows 10000000] [--cycles 20] [--clients 4] [--seconds 5] [--no-postgres] [--json FILE]"""
import argparse
import glob
import os
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import peers  # noqa: E402

BAR_MS = 20.0
SCRIPT = """\\set id random(1, :rows)
\\set v random(0, 999)
SELECT a, b FROM narrow WHERE id = :id;
UPDATE narrow SET b = :v WHERE id = :id;
"""
INSTANT = [("ADD COLUMN … DEFAULT 7", "ALTER TABLE narrow ADD COLUMN c int DEFAULT 7"),
           ("SET DEFAULT", "ALTER TABLE narrow ALTER COLUMN c SET DEFAULT 8"),
           ("RENAME COLUMN", "ALTER TABLE narrow RENAME COLUMN c TO d"),
           ("DROP COLUMN", "ALTER TABLE narrow DROP COLUMN d")]
LONG = [("CREATE INDEX", ["CREATE INDEX narrow_plain ON narrow (b)"]),
        ("CREATE INDEX CONCURRENTLY", ["CREATE INDEX CONCURRENTLY narrow_b ON narrow (b)"]),
        ("REINDEX CONCURRENTLY", ["REINDEX INDEX CONCURRENTLY narrow_b"]),
        ("ADD CHECK NOT VALID, VALIDATE", ["ALTER TABLE narrow ADD CONSTRAINT narrow_check CHECK (b >= 0) NOT VALID",
                                           "ALTER TABLE narrow VALIDATE CONSTRAINT narrow_check"]),
        ("ALTER TYPE int TO bigint", ["ALTER TABLE narrow ALTER COLUMN b TYPE bigint"])]


def connect(server):
    import psycopg2
    c = psycopg2.connect(server.dsn())
    c.autocommit = True
    return c


def p(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))] if values else None


class Load:
    """pgbench in the background, each transaction logged: (when it ended, how long it took), in seconds."""

    def __init__(self, server, o):
        self.dir = tempfile.mkdtemp(prefix="bench-ddl-")
        with open(f"{self.dir}/script", "w", encoding="utf-8") as f:
            f.write(SCRIPT)
        command = [f"{peers.PG_BIN}/pgbench", "-n", "-f", f"{self.dir}/script", "-D", f"rows={o.rows}", "-c",
                   str(o.clients), "-j", "1", "-T", "100000", "-l", "--log-prefix", f"{self.dir}/log",
                   "-h", server.host, "-p", str(server.port), "-U", "postgres", "postgres"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def stop(self):
        """All that were logged. A client that was told of an error fails the run."""
        if self.process.poll() is not None:
            raise peers.BenchError("pgbench: " + self.process.stderr.read()[-500:])
        self.process.send_signal(2)
        self.process.communicate(timeout=60)
        found = []
        for path in glob.glob(f"{self.dir}/log*"):
            with open(path, encoding="utf-8") as f:
                for line in f:
                    x = line.split()
                    if len(x) >= 6 and x[2].isdigit():
                        found.append((int(x[4]) + int(x[5]) / 1e6, int(x[2]) / 1e6))
            os.remove(path)
        os.remove(f"{self.dir}/script")
        os.rmdir(self.dir)
        return found


def within(log, spans):
    """Latencies in ms of the transactions that ran, or began or ended, in one of the spans."""
    return [took * 1000 for end, took in log if any(b <= end and end - took <= e for b, e in spans)]


def instant(cursor, o):
    """Milliseconds by statement: as a client sees it, and with the lock held already. And when."""
    waits, bare, spans = {}, {}, []
    for _ in range(o.cycles):
        for name, sql in INSTANT:
            began = time.time()
            cursor.execute(sql)
            spans.append((began, time.time()))
            waits.setdefault(name, []).append((spans[-1][1] - began) * 1000)
            time.sleep(.02)
        for name, sql in INSTANT:
            began = time.time()
            cursor.execute("begin")
            cursor.execute("lock table narrow in access exclusive mode")
            locked = time.time()
            cursor.execute(sql)
            cursor.execute("commit")
            bare.setdefault(name, []).append((time.time() - locked) * 1000)
            spans.append((began, time.time()))
            time.sleep(.02)
    return waits, bare, spans


def long_ones(cursor, o):
    import psycopg2
    spans = {}
    for name, statements in LONG:
        began = time.time()
        try:
            for sql in statements:
                cursor.execute(sql)
        except psycopg2.errors.FeatureNotSupported as e:
            print(f"{name}: {str(e).strip()}", file=sys.stderr)
            continue
        spans[name] = (began, time.time())
        if name == "CREATE INDEX":
            cursor.execute("drop index narrow_plain")
        time.sleep(min(1.0, o.seconds))
    return spans


def indexes_agree(cursor):
    cursor.execute("select count(*), sum(b) from narrow")
    table = cursor.fetchone()
    cursor.execute("set enable_seqscan = off")
    cursor.execute("select count(*), sum(b) from narrow where b >= 0")
    return cursor.fetchone() == table


def measure(server, o):
    c = connect(server)
    cursor = c.cursor()
    cursor.execute("create table narrow (id int primary key, a int, b int)")
    cursor.execute("insert into narrow select g, g, g %% 1000 from generate_series(1, %s) g", (o.rows,))
    cursor.execute("vacuum analyze narrow")
    cursor.execute("checkpoint")
    load = Load(server, o)
    time.sleep(1)
    quiet = [(time.time(), time.time() + o.seconds)]
    time.sleep(o.seconds)
    waits, bare, spans = instant(cursor, o)
    longer = long_ones(cursor, o)
    log = load.stop()
    found = {"waits": waits, "bare": bare, "quiet": within(log, quiet), "during": within(log, spans),
             "whole": within(log, [(spans[0][0], spans[-1][1])]), "long": {}}
    found["tps"] = len(found["quiet"]) / o.seconds
    for name, (b, e) in longer.items():
        inside = within(log, [(b, e)])
        found["long"][name] = (e - b, max(inside), len(inside) / (e - b))
    if not indexes_agree(cursor):
        raise peers.BenchError(f"{server.name}: the index does not give what the table gives")
    c.close()
    return found


def show(value, unit=" ms"):
    return "-" if value is None else f"{value:,.1f}{unit}" if value < 100 else f"{value:,.0f}{unit}"


def rows_of(found):
    """One row a statement; both servers side by side."""
    rows, ok = [], True
    ours, theirs = found["heliosd"], found.get("postgres")

    def both(fn):
        return [fn(ours), fn(theirs) if theirs else "-"]

    for name, _ in INSTANT:
        held = p(ours["waits"][name], .5) < BAR_MS
        ok &= held
        rows.append([name + ("" if held else " FAILED")] +
                    both(lambda f: f"{show(p(f['waits'][name], .5))} / {show(max(f['waits'][name]))}") +
                    both(lambda f: f"{show(p(f['bare'][name], .5))} / {show(max(f['bare'][name]))}"))
    for name, _ in LONG:
        def took(f):
            x = f["long"].get(name)
            return show(x[0], " s") if x else "-"

        def stall(f):
            x = f["long"].get(name)
            return f"{show(x[1])}, {x[2]:,.0f} tps" if x else "-"
        rows.append([name] + both(took) + both(stall))
    return rows, ok


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("heliosd")
    a.add_argument("--rows", type=int, default=10000000)
    a.add_argument("--cycles", type=int, default=20)
    a.add_argument("--clients", type=int, default=4)
    a.add_argument("--seconds", type=float, default=5)
    a.add_argument("--shared-buffers", default="6GB")
    a.add_argument("--no-postgres", action="store_true")
    a.add_argument("--json")
    o = a.parse_args()
    peers.install_postgres()
    found = {}
    servers = [lambda: peers.Helios(o.heliosd)]
    if not o.no_postgres:
        servers.append(lambda: peers.Postgres(shared_buffers=o.shared_buffers))
    for make in servers:
        with make() as server:
            found[server.name] = measure(server, o)
    rows, ok = rows_of(found)
    notes = [f"{o.rows:,} rows of three int4; {o.clients} clients of pgbench, each transaction a point read and an update of "
             f"one row. The first columns of the instant changes: {o.cycles} times, p50 / longest, waiting for the lock "
             "included; the last ones: with the lock held already, COMMIT included. Of the rest: how long they ran; the "
             "longest transaction of pgbench meanwhile, and its rate.",
             f"The bar: each of the first four under {BAR_MS:.0f} ms (p50, lock wait included)."]
    for name, f in found.items():
        notes.append(f"{name}: pgbench p99 {show(p(f['quiet'], .99))} before ({f['tps']:,.0f} tps), {show(p(f['whole'], .99))} "
                     f"while the instant changes come one after another, {show(p(f['during'], .99))} of the transactions "
                     "that met one.")
    columns = ["statement", "ours", "PostgreSQL", "ours: lock held / stall", "PostgreSQL: lock held / stall"]
    for row in [columns] + rows:
        print(" | ".join(row))
    for n in notes:
        print(n)
    peers.write_json(o.json, "DDL while clients work", peers.command_line(), columns, rows, notes)
    return 0 if ok else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except peers.BenchError as e:
        sys.exit(f"ddl.py: {e}")
