"""Random tables: every type, NULLs, duplicates, few distinct values, empty tables, keys and indexes.

Values stay small, and floats are multiples of a quarter, so that sums are exact in any order."""
from collections import namedtuple

Column = namedtuple("Column", "name type")
Table = namedtuple("Table", "name columns unique rows")  # unique: its column without duplicates

WORDS = ["", "a", "b", "ab", "abc", "B", "x y", "zz", "a%b", "_", "cat", "dog", "10", "-3", "é", "Öl"]

# what a literal of each type is, without quotes and cast
VALUES = {
    "smallint": lambda r: str(r.randint(-9, 9)),
    "int": lambda r: str(r.choice([0, 1, 2, 3, r.randint(-20, 20), r.randint(-1000, 1000)])),
    "bigint": lambda r: str(r.choice([0, 1, r.randint(-10, 10), r.randint(-10**6, 10**6)])),
    "numeric": lambda r: r.choice(["0.00", "1.00", "%.2f" % r.uniform(-10, 10), "%.2f" % r.uniform(-999, 999)]),
    "real": lambda r: str(r.randint(-40, 40) / 4),
    "float": lambda r: str(r.randint(-400, 400) / 4),
    "text": lambda r: r.choice(WORDS),
    "varchar(10)": lambda r: r.choice(WORDS),
    "char(4)": lambda r: r.choice([w for w in WORDS if len(w) <= 4]),
    "bool": lambda r: r.choice(["true", "false"]),
    "date": lambda r: "20%02d-%02d-%02d" % (r.choice([0, 1, 24]), r.randint(1, 12), r.randint(1, 28)),
    "time": lambda r: "%02d:%02d:%02d" % (r.randint(0, 23), r.randint(0, 59), r.choice([0, 30])),
    "timestamp": lambda r: "20%02d-%02d-%02d %02d:00:00" % (r.choice([0, 24]), r.randint(1, 12),
                                                         r.randint(1, 28), r.randint(0, 23)),
    "timestamptz": lambda r: "20%02d-%02d-%02d %02d:00:00+00" % (r.choice([0, 24]), r.randint(1, 12),
                                                              r.randint(1, 28), r.randint(0, 23)),
    "interval": lambda r: r.choice(["1 day", "2 days", "03:00:00", "-1 day", "1 day 02:00:00", "00:00:01"]),
    "uuid": lambda r: "0000000%d-0000-4000-8000-00000000000%d" % (r.randint(0, 3), r.randint(0, 9)),
    "bytea": lambda r: r.choice(["\\x", "\\x00", "\\x01ff", "\\xff", "\\x616263"]),
    "int[]": lambda r: r.choice(["{}", "{1}", "{1,2}", "{2,1}", "{NULL,3}", "{1,1,2}"]),
}
TYPES = list(VALUES)
COMMON = ["int", "int", "int", "bigint", "numeric", "float", "text", "text", "bool", "date", "timestamp"]
INDEXED = [t for t in TYPES if t not in ("int[]",)]


def literal(r, kind):
    return "'%s'::%s" % (VALUES[kind](r), kind)


def make_table(r, number):
    name = "t%d" % number
    columns = [Column("id", "int"), Column("k", "int"), Column("g", r.choice(["int", "bigint", "smallint"])),
               Column("s", r.choice(["text", "varchar(10)", "text", "char(4)"]))]
    for i in range(r.randint(2, 6)):
        columns.append(Column("c%d" % i, r.choice(COMMON) if r.random() < .6 else r.choice(TYPES)))
    rows = []
    nulls = r.choice([0, .1, .1, .4])
    count = r.choice([0, 1, 2, 7, 15, 25, 25, 40, 60])
    pools = {c.name: [VALUES[c.type](r) for _ in range(r.choice([2, 5, 30]))] for c in columns}
    for n in range(count):
        row = [str(n)]
        for c in columns[1:]:
            if r.random() < nulls:
                row.append(None)
            elif c.name in ("k", "g"):
                row.append(str(r.randint(0, 9)))
            else:
                row.append(r.choice(pools[c.name]))
        rows.append(row)
    r.shuffle(rows)
    return Table(name, columns, r.random() < .6, rows)


def quoted(value):
    return "NULL" if value is None else "'%s'" % value.replace("'", "''")


def create(r, table, indexes=True):
    """The statements that make a table and its rows; without indexes, the same rows and no key."""
    lines = []
    for c in table.columns:
        key = " primary key" if indexes and table.unique and c.name == "id" else ""
        lines.append("%s %s%s" % (c.name, c.type, key))
    out = ["create table %s (%s)" % (table.name, ", ".join(lines))]
    for at in range(0, len(table.rows), 20):
        some = table.rows[at:at + 20]
        out.append("insert into %s values %s" % (
            table.name, ", ".join("(%s)" % ", ".join(quoted(v) for v in row) for row in some)))
    can = [c.name for c in table.columns if c.type in INDEXED]
    for _ in range(r.choice([0, 1, 2])):
        some = r.sample(can, r.randint(1, min(3, len(can))))
        order = [n + r.choice(["", "", " desc", " nulls first"]) for n in some]
        if indexes:
            out.append("create index on %s (%s)" % (table.name, ", ".join(order)))
    if r.random() < .3:
        out.append("analyze %s" % table.name)
    return out


def make_schema(r):
    return [make_table(r, n) for n in range(r.randint(3, 5))]
