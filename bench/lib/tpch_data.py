"""TPC-H for benchmark and test: the queries, the tables' files, loading, answers as text.

An answer is a list of rows, a row the values as psql -At -F'|' prints them, so that numeric scale and
the padding of char(n) count."""
import os
import subprocess
import time

HERE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tpch")
TABLES = ("region", "nation", "part", "supplier", "partsupp", "customer", "orders", "lineitem")
NUMBERS = range(1, 23)
# Where the query's order leaves ties: the columns that it orders by. The others order all their rows.
PARTLY_ORDERED = {3: (1, 2), 5: (1,), 10: (2,), 18: (4, 3)}


def query(number):
    with open(f"{HERE}/queries/q{number}.sql") as f:
        return f.read()


def schema():
    """The statements."""
    with open(f"{HERE}/schema.sql") as f:
        return [s for s in f.read().split(";") if s.strip()]


def generate(program, directory, scale, seed=1):
    """Writes TABLE.tbl for every table."""
    os.makedirs(directory, exist_ok=True)
    subprocess.run([program, "--scale", str(scale), "--seed", str(seed), "--out", directory], check=True)


def connect(dsn):
    """A connection whose values are the server's own text."""
    import psycopg2
    from psycopg2 import extensions
    db = psycopg2.connect(dsn)
    db.autocommit = True
    builtin = tuple(range(16, 4000))
    extensions.register_type(extensions.new_type(builtin, "TEXT", lambda value, cursor: value), db)
    return db


def load(db, directory, commands=()):
    """Creates and fills the tables from TABLE.tbl or TABLE.tbl.zst (dbgen's, with `|` at a line's end)
    and analyses them; seconds a table."""
    cursor, took = db.cursor(), {}
    for statement in [*commands, *schema()]:
        cursor.execute(statement)
    for table in TABLES:
        path = f"{directory}/{table}.tbl"
        command = ["cat", path]
        if not os.path.exists(path):
            command = ["sh", "-c", 'set -e; zstd -dc "$1" | sed "s/|$//"', "sh", path + ".zst"]
        began = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE) as p:
            cursor.copy_expert(f"copy {table} from stdin with (delimiter '|')", p.stdout, 1 << 18)
        took[table] = time.monotonic() - began
        if p.returncode:
            raise OSError(f"cannot read {path}")
    cursor.execute("analyze")
    return took


def ask(db, number):
    """(seconds, rows)"""
    cursor = db.cursor()
    began = time.monotonic()
    cursor.execute(query(number))
    rows = cursor.fetchall()
    return time.monotonic() - began, ["|".join(v or "" for v in r) for r in rows]


def same(number, one, other):
    """Are the answers equal, but for rows among which the query's order does not decide?"""
    keys = PARTLY_ORDERED.get(number)
    if not keys:
        return one == other

    def order(rows):
        return [[r.split("|")[k] for k in keys] for r in rows]

    return sorted(one) == sorted(other) and order(one) == order(other)
