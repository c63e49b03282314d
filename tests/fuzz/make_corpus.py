#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets: OUT/seeds/TARGET/NAME and OUT/sql.dict.

    make_corpus.py OUT

SQL seeds are the statements of tests/sql/*.sql, each behind the CREATE TABLE and first INSERT of the
tables that it names. The others are small examples of each format. Inputs that once broke something
are kept in tests/fuzz/corpus, by hand.
"""
import glob
import os
import re
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SEED_BYTES_MAX = 1500


def write(out, target, name, data):
    folder = os.path.join(out, "seeds", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


# --- SQL -----------------------------------------------------------------------------------------

def statements(text):
    text = re.sub(r"^\\.*$", "", text, flags=re.M)  # psql's own
    text = re.sub(r"--[^\n]*", "", text)
    for part in re.findall(r"(?:'(?:[^']|'')*'|\$\$.*?\$\$|[^;'])+", text, flags=re.S):
        part = part.strip()
        if part:
            yield part


def sql(out):
    every = []
    for path in sorted(glob.glob(os.path.join(os.path.dirname(HERE), "sql", "*.sql"))):
        name = os.path.basename(path)[:-4]
        makes, fills, seen = {}, {}, set()
        for i, s in enumerate(statements(open(path).read())):
            made = re.match(r"create table (\w+)", s, re.I)
            filled = re.match(r"insert into (\w+)", s, re.I)
            words = set(re.findall(r"\w+", s))
            need = [t for t in makes if t in words and not (made and made.group(1) == t)]
            before = "".join(makes[t] + ";" + fills.get(t, "") for t in need)
            if made:
                makes.setdefault(made.group(1), s)
            if filled and filled.group(1) in makes:
                fills.setdefault(filled.group(1), s + ";")
            shape = re.sub(r"\d+|'[^']*'", "?", s)
            text = (before + s).encode()
            if shape in seen or len(text) > SEED_BYTES_MAX:
                continue
            seen.add(shape)
            write(out, "sql", "%s-%03d" % (name, i), text)
            every.append(text)
    return every


def dictionary(out):
    text = open(os.path.join(HERE, "words_sql.h")).read()
    words = re.findall(r'"((?:[^"\\]|\\.)*)"', text[text.index("fuzz_words[]"):])
    with open(os.path.join(out, "sql.dict"), "w") as f:
        for w in words:
            f.write('"%s"\n' % w.replace("\\n", "\\x0a").replace("\\0", "\\x5c0"))


# --- the wire ------------------------------------------------------------------------------------

def m(kind, body):
    return kind.encode() + struct.pack(">H", len(body)) + body


def parse(name, text, types=()):
    return m("P", name + b"\0" + text + b"\0" + struct.pack(">H", len(types)) +
             b"".join(struct.pack(">I", t) for t in types))


def bind(portal, name, values, formats=(), results=()):
    body = portal + b"\0" + name + b"\0" + struct.pack(">H", len(formats))
    body += b"".join(struct.pack(">H", f) for f in formats) + struct.pack(">H", len(values))
    for v in values:
        body += struct.pack(">i", -1) if v is None else struct.pack(">i", len(v)) + v
    body += struct.pack(">H", len(results)) + b"".join(struct.pack(">H", f) for f in results)
    return m("B", body)


def execute(portal=b"", rows=0):
    return m("E", portal + b"\0" + struct.pack(">I", rows))


SYNC, FLUSH, DONE = m("S", b""), m("H", b""), m("X", b"")


def query(text):
    return m("Q", text + b"\0")


def pg_session(out, texts):
    four = struct.pack(">i", 4)
    seeds = {
        "query": query(b"select * from t where id = 3") + query(b"select 1; select 2") + DONE,
        "extended": parse(b"", b"select $1::int, c from t where id < $2", (23, 23)) +
        m("D", b"S\0") + bind(b"", b"", (b"1", b"5")) + m("D", b"P\0") + execute() + SYNC,
        "binary": parse(b"a", b"select id, d, e, f, h, i, j, l from t where id > $1", (23,)) +
        bind(b"b", b"a", (four,), (1,), (1,)) + execute(b"b", 3) + FLUSH + execute(b"b") +
        m("C", b"Pb\0") + m("C", b"Sa\0") + SYNC,
        "types": parse(b"", b"select $1::numeric, $2::int[], $3::interval, $4::uuid", ()) +
        bind(b"", b"", (b"\0\1\0\0\0\0\0\0\0\1",
                        struct.pack(">iiIii", 1, 0, 23, 1, 1) + struct.pack(">ii", 4, 7),
                        struct.pack(">qii", 1, 2, 3), b"\1" * 16), (1,), (1,)) + execute() + SYNC,
        "error": parse(b"", b"select x") + bind(b"", b"", ()) + execute() + SYNC +
        query(b"select 1/0") + query(b"begin") + query(b"nonsense") + query(b"rollback"),
        "pipeline": (parse(b"", b"insert into u values ($1, $2, 3)") +
                     bind(b"", b"", (b"1", b"zz")) + execute()) * 3 + SYNC + SYNC,
        "copy_in": query(b"copy u from stdin") + m("d", b"1\ta\t5\n2\t") + m("d", b"b\t6\n") +
        m("c", b"") + query(b"select count(*) from u"),
        "copy_fail": query(b"copy u from stdin (format csv)") + m("d", b"1,a,5\n") +
        m("f", b"no more\0"),
        "copy_binary": query(b"copy u from stdin (format binary)") +
        m("d", b"PGCOPY\n\xff\r\n\0" + struct.pack(">iih", 0, 0, 3) + four + four + struct.pack(
            ">i", 1) + b"q" + struct.pack(">ih", 2, 9) + struct.pack(">h", -1)) + m("c", b""),
        "copy_extended": parse(b"", b"copy t to stdout") + bind(b"", b"", ()) + execute() + SYNC +
        parse(b"", b"copy u from stdin") + bind(b"", b"", ()) + execute() + m("d", b"1\tx\t1\n") +
        m("c", b"") + SYNC,
        "cursor": query(b"begin; declare c cursor for select * from t") + query(b"fetch 3 from c") +
        m("D", b"Pc\0") + execute(b"c", 2) + SYNC + query(b"commit"),
        "function": m("F", struct.pack(">IHHH", 1, 0, 0, 0)) + SYNC,
        "raw": m("\0", b"Q\0\0\0\x0dselect 1\0") + m("\0", b"Q\0\0\0\x03") + m("\0", b"Q\x7f\xff"),
        "unknown": m("z", b"") + SYNC,
    }
    for name, data in seeds.items():
        write(out, "pg_session", name, data)
    for i, text in enumerate(texts[::25]):
        write(out, "pg_session", "sql-%03d" % i, query(text) + SYNC)


def startup(*pairs, version=196608):
    body = struct.pack(">I", version) + b"".join(p.encode() + b"\0" for p in pairs) + b"\0"
    return struct.pack(">I", len(body) + 4) + body


def pg_start(out):
    def typed(kind, body):
        return kind + struct.pack(">I", len(body) + 4) + body
    plain = startup("user", "postgres", "database", "postgres")
    ssl, gss = struct.pack(">II", 8, 80877103), struct.pack(">II", 8, 80877104)
    who = startup("user", "someone")
    first = b"n,,n=someone,r=abcdefgh"
    sasl = typed(b"p", b"SCRAM-SHA-256\0" + struct.pack(">i", len(first)) + first)
    final = typed(b"p", b"c=biws,r=abcdefgh,p=" + b"A" * 43 + b"=")
    seeds = {
        "login": b"\0" + plain + typed(b"Q", b"select 1\0") + typed(b"X", b""),
        "settings": b"\0" + startup("user", "postgres", "options", "-c TimeZone=UTC --DateStyle=SQL",
                                    "client_encoding", "UTF8", "_pq_.x", "1", "replication", "off"),
        "version": b"\0" + startup("user", "postgres", version=196610),
        "old": b"\0" + startup("user", "postgres", version=131072),
        "ssl": b"\0" + ssl + plain, "gss": b"\0" + gss + ssl + plain, "ssl_twice": b"\0" + ssl + ssl,
        "cancel": b"\0" + struct.pack(">IIII", 16, 80877102, 1, 2),
        "scram": b"\1" + who + sasl + final, "scram_none": b"\1" + who + typed(b"p", b"x\0"),
        "scram_plus": b"\1" + who + sasl.replace(b"n,,", b"y,,") + final,
        "unknown_user": b"\1" + startup("user", "nobody") + sasl + final,
        "empty": b"\0", "short": b"\0\0\0\0\4", "huge": b"\0\x7f\xff\xff\xff",
    }
    for name, data in seeds.items():
        write(out, "pg_start", name, data)


# --- the others ----------------------------------------------------------------------------------

TYPES = ("bool bytea char1 name int8 int2 int4 text oid float4 float8 bpchar varchar date time "
         "timestamp timestamptz interval numeric uuid bool[] int4[] text[] numeric[] interval[] "
         "uuid[] float8[] timestamptz[] bytea[] date[] int2vector oidvector json jsonb jsonb[] "
         "bit varbit inet cidr macaddr macaddr8 timetz money xid8 pg_lsn int4range int8range "
         "numrange daterange tsrange tstzrange int4multirange nummultirange datemultirange "
         "tstzmultirange").split()
TEXTS = {
    "bool": "true f on 0", "bytea": "\\x0102ff a\\\\b\\001", "char1": "a \\101", "name": "abc",
    "int8": "-9223372036854775808 77", "int2": "-32768", "int4": "2147483647 -5", "text": "häß",
    "oid": "4294967295", "float4": "1.5e10 NaN", "float8": "1e308 -0 infinity 1e-320",
    "bpchar": "ab", "varchar": "xyz", "date": "2024-02-29 infinity epoch 4713-01-01|BC J2451187",
    "time": "04:05:06.789 24:00:00 11:59|PM", "timestamp": "2024-02-29|13:14:15.123456 -infinity",
    "timestamptz": "2024-02-29|13:14:15+05:30 2024-07-01|12:00|Europe/Berlin Jan|8|1999|04:05:06|PST",
    "interval": "1|year|2|mons|-3|days|04:05:06 P1Y2M3DT4H5M6S @|1|minute|ago 1-2",
    "numeric": "123.4500 -1e-20 NaN 99999999999999999999999999.5 Infinity 1e1000 .0000",
    "uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 {a0eebc999c0b4ef8bb6d6bb9bd380a11}",
    "int4[]": "{1,NULL,-3} [2:3]={1,2} {{1,2},{3,4}} {}", "text[]": "{a,\"b,c\",\"\\\"\"}",
    "numeric[]": "{1.50,NaN,1e100}", "interval[]": "{\"1|day\",1h}", "bool[]": "{t,f}",
    "int2vector": "1|2|3", "oidvector": "1|2", "date[]": "{2024-01-01,infinity}",
    "uuid[]": "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "float8[]": "{1.5,NaN}",
    "bit": "101 xA5 b", "varbit": "0000000001 x0123456789abcdef", "money": "-$1,234.565 (3)",
    "inet": "10.1.2.3/8 ::1/64 ::ffff:1.2.3.4 1:2:3:4:5:6:7:8", "cidr": "10 192.168 2001:db8::/32",
    "macaddr": "08:00:2b:01:02:03 0800.2b01.0203 8-0-2b-1-2-3",
    "macaddr8": "08:00:2b:01:02:03:04:05 08002b010203", "xid8": "18446744073709551615 0x1f",
    "timetz": "04:05:06.789-08 24:00+15:59 2003-04-12|04:05|America/New_York 10|PM|EST",
    "int4range": "[1,5) (,3] empty [2147483646,]", "int8range": "[1,5] (,)",
    "numrange": "[1.50,2.5) (-Infinity,NaN]", "daterange": "[2024-01-01,2024-02-01] (,infinity)",
    "tsrange": "[2024-01-01|10:00,) [\"2024-01-01\",2024-01-02]", "tstzrange": "[2024-01-01,)",
    "int4multirange": "{[1,5),[7,9)} {} {(,3),[5,)} {empty}", "nummultirange": "{[1.5,2],(3,)}",
    "datemultirange": "{[2024-01-01,2024-01-05)}", "tstzmultirange": "{[2024-01-01,2024-01-02]}",
    "pg_lsn": "16/B374D848 FFFFFFFF/0", "bytea[]": "{\"\\\\x00ff\"}", "timestamptz[]": "{\"2024-01-01|00:00+00\"}",
}


def types(out):
    n = 0
    for i, t in enumerate(TYPES):
        for text in TEXTS.get(t, "").split(" "):
            data = text.replace("|", " ").encode()
            for what in (0, 2, 7, 15):
                extra = b"\2\3" if what & 7 == 7 else b""
                write(out, "types", "%s-%02d-%d" % (t, n, what), bytes([what, i]) + extra + data)
            n += 1
    binary = {
        "int4": struct.pack(">i", -7), "float8": struct.pack(">d", 1.5), "bool": b"\1",
        "numeric": struct.pack(">hhHHhh", 2, 1, 0x4000, 2, 1234, 5600), "date": struct.pack(">i", 9),
        "numeric[]": struct.pack(">iiIiiihhHHh", 1, 0, 1700, 1, 1, 10, 1, 0, 0, 0, 7),
        "int4[]": struct.pack(">iiIiiiiii", 1, 1, 23, 2, 1, 4, 5, -1, 0)[:-4],
        "interval": struct.pack(">qii", 5, 6, 7), "uuid": b"\5" * 16, "text": b"abc",
        "timestamptz": struct.pack(">q", 1 << 50), "time": struct.pack(">q", 86400000000),
    }
    for t, data in binary.items():
        i = TYPES.index(t)
        write(out, "types", "%s-binary" % t, bytes([3, i]) + data)
        write(out, "types", "%s-key" % t, bytes([5, i, 2]) + data)
        write(out, "types", "%s-array" % t, bytes([6, i]) + struct.pack(
            "<iiIiii", 1, 0, 23, 1, 1, 4) + data)
    row = struct.pack("<HB", 3, 1) + b"\0" * 8 + struct.pack("<II", 20, 5) + b"hello"
    write(out, "types", "row", bytes([4, 0, 2, 6, 18, 7]) + row)


def segment(out):
    body = struct.pack("<II", 0, 0) + struct.pack("<II", 0, 16) + struct.pack("<H", 3) + b"keyvalue"
    head = struct.pack("<IHBBQIIIIQQIB", 0x31475348, 1, 1, 0, 42, 1, 0, len(body), len(body), 5, 5, 3, 0)
    write(out, "segment", "rows", b"\0\0" + head.ljust(128, b"\0") + body)
    write(out, "segment", "fences", b"\0\1" + head.ljust(128, b"\0") + b"\0" * 40)
    write(out, "segment", "filter", b"\0\2" + head.ljust(128, b"\0") + b"\xff" * 32)
    write(out, "segment", "run", b"\1")
    for i in range(24):
        write(out, "segment", "patched-%02d" % i, b"\1" + struct.pack(
            ">I", (i * 8 << 4) | (7 << 1) | (i & 1)) + bytes([i]))


def column(out):
    """docs/format/column.md: small blocks by hand, and patches to those that the target encodes."""
    def block(body, rows, encoding=1, nulls=0, null_count=0, null_bytes=b""):
        return struct.pack("<BBHHHII", encoding, nulls, rows, null_count, 0,
                           16 + len(null_bytes) + len(body), len(null_bytes)) + null_bytes + body

    def ints(encoding, width, rows, base, body=b""):
        return struct.pack("<BBHIq", encoding, width, rows, 16 + len(body), base) + body

    plain = struct.pack("<BxxxHxxIIIxxxx", 0, 4, 24 + 16 + 16, 12, 12) + ints(0, 0, 4, 3) + b"abcdefghijkl\0\0\0\0"
    whole = {
        "nulls": (2, block(b"", 9, 0, 0, 9)),
        "constant": (2, block(ints(0, 0, 2048, 7), 2048)),
        "packed": (3, block(ints(1, 3, 100, -5, bytes(range(192))), 100)),
        "delta": (3, block(ints(2, 2, 10, 5, struct.pack("<q", 1) + bytes(128)), 10)),
        "runs": (2, block(ints(3, 1, 10, 5, struct.pack("<IIHHHxx", 3, 0, 2, 5, 10) + b"\1\2\3" + bytes(5)), 10)),
        "null_runs": (3, block(ints(0, 0, 10, 7), 10, 1, 2, 3, struct.pack("<HHHH", 1, 3, 5, 6))),
        "null_bits": (3, block(ints(0, 0, 10, 7), 10, 1, 1, 2, struct.pack("<Q", 5))),
        "floats": (6, block(struct.pack("<BBBBHHII", 1, 8, 2, 0, 10, 1, 48, 0) + ints(0, 0, 10, 7) +
                            struct.pack("<Hxxxxxxd", 4, 1e300), 10, 2)),
        "numerics": (7, block(struct.pack("<HHI", 0, 0, 0) + ints(0, 0, 10, 7) + ints(0, 0, 10, 2), 10, 3)),
        "strings": (8, block(plain, 4, 4)),
        "uuids": (11, block(bytes(range(48)), 3, 6)),
    }
    for name, (kind, data) in whole.items():
        write(out, "column", name, bytes([kind, 0]) + data)
    write(out, "column", "dictionary", bytes([8, 1]) + struct.pack("<BxxxIIxxxx", 1, 4, 16 + 16 + len(plain)) +
          block(plain, 4, 4))
    write(out, "column", "symbols", bytes([8, 1]) + struct.pack("<BxxxIIxxxx", 2, 2, 24) + b"\2\1\3abcd\0")
    for kind in range(12):
        for shape in range(4):
            for k in range(3):
                write(out, "column", "patched-%02d-%d-%d" % (kind, shape, k), bytes([kind, 2 + shape]) + struct.pack(
                    ">IHHI", kind * 977 + k, 0, 255, shape * 31 + k * 7919))


def column_segment(out):
    write(out, "column_segment", "whole", b"")
    for i in range(60):
        where = (i * 7919 % 4096) << 4 | (i % 4) | 12 * (i % 3 > 0)
        write(out, "column_segment", "patched-%02d" % i, struct.pack(">IBBI", where, i * 37 % 256, i % 3, i * 104729))


def store(out):
    def piece(kind, data):
        return bytes([kind]) + struct.pack(">H", len(data)) + data

    def put(tree, key, row):
        return struct.pack("<BQII", 1, tree, len(key), len(row)) + key + row
    create = piece(1, struct.pack("<BQ", 1, 1)) + piece(1, struct.pack("<BQ", 1, 5))
    rows = put(1, b"k", b"v") + put(5, b"key2", b"row") + struct.pack("<BQII", 2, 5, 4, 0) + b"key2"
    runs = struct.pack("<BQQqQI", 3, 5, 0, 1, 9, 0) + struct.pack("<IQII", 1, 3, 0, 4) + b"meta"
    counters = piece(1, struct.pack("<BQQQ", 4, 100, 100, 100))
    write(out, "store", "empty", b"")
    write(out, "store", "create", create)
    write(out, "store", "redo", create + piece(4, rows) + piece(4, struct.pack("<BQ", 3, 9)) +
          piece(4, put(9, b"a", b"b")) + piece(4, struct.pack("<BQ", 4, 9)))
    write(out, "store", "resume", create + piece(4, rows) + piece(6 | 8 | 16, b"") + piece(4, rows))
    write(out, "store", "runs", create + piece(1, runs) + counters)
    write(out, "store", "batch", piece(0, b"\2\0\0\0" + struct.pack("<I", 9) +
                                       struct.pack("<BQ", 1, 7)))
    write(out, "store", "super", piece(3, struct.pack("<Q", 1)) + create)
    write(out, "store", "torn", create + piece(4, rows) + piece(7, b"garbage" * 20))


def copy(out):
    binary = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
    rows = {
        "text": (8, b"1\ta\n2\t\\N\n3\tx\\ty\\x41\\101\n\\.\n"),
        "csv": (9, b'1,a\n2,"b ""c"",\n d"\n3,\n'),
        "binary": (10, binary + struct.pack(">hii", 2, 4, 7) + struct.pack(">i", 1) + b"q" +
                   struct.pack(">h", -1)),
        "all": (0, b"1\t2\t3\tc\t1.5\t2024-01-01\t1.5\tt\t\\N\t{1,2}\t1 day\t2024-02-29\t\\\\x00ff\n"),
        "all_csv": (1, b'1,2,3,c,1.5,2024-01-01,1.5,t,,"{1,2}",1 day,2024-02-29,\\x00ff\n'),
        "key": (12, b"a\t1e100\nb\tNaN\n"), "u": (4, b"100\ty\t5\n"),
        "values": (24, b"1\t2024-01-01 00:00+01\t1e10\tt\ta0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\n"),
        "array": (16, b"1\t1.50\t{{1,2},{3,4}}\n"),
        "crlf": (9, b"1,a\r\n2,b\r\n"),
        "json": (11, b'{"id": 1, "c": "a\\"\\u00e9"}\n\n{"c": null}\n{"id": [1, {"a": 2}]}\n'),
        "json_array": (19, b'{"id": 1, "d": 1.5, "i": [[1, 2], [null, 4]]}\n'),
    }
    for name, (what, data) in rows.items():
        for piece, letters in ((0, b""), (3, b""), (1, b"h0"), (7, b"d|n-")):
            write(out, "copy", "%s-%d%s" % (name, piece, "o" if letters else ""),
                  bytes([what, piece]) + letters + b"\xff" + data)


def parquet(out):
    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "copy", "fixtures")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as f:
            data = f.read()
        if name.endswith(".parquet") and len(data) < 20000:
            write(out, "parquet", name.split(".")[0], b"\0" + data)
    for i in range(8):
        write(out, "parquet", "patch-%d" % i, bytes([1]) + b"".join(
            struct.pack(">HB", i * 997 + k * 131, k * 17 & 255) for k in range(i)))


def config(out):
    write(out, "config", "all", b"# a comment\ndata_dir = '/tmp/x'\npg_port = 5433\n"
          b"cache_bytes = 64MB\ncheckpoint_interval = 10min\ntls.mode = off\nauth.allow_insecure on\n")
    write(out, "config", "quotes", b"log.path = 'it''s'\nlisten='::1'\n\n  max_connections=10 # few\n")
    write(out, "config", "bad", b"nonsense = 1\n")
    for i, v in enumerate((b"on", b"12MB", b"-1", b"5min", b"99999999999999999999", b"")):
        write(out, "config", "value-%d" % i, v)


def pattern(out):
    pairs = [("abc", "a%_"), ("a\\b", "a\\\\%"), ("aaa bbb", "(a+)\\s(b{1,3})"), ("x1y2", "[[:digit:]]"),
             ("foobar", "(?i)FOO(?=bar)"), ("äöü", "ä.*"), ("aab", "(a|ab)(c|bcd)*\\1"),
             ("abc", "YYYY-MM-DD HH24:MI:SS.US TZ"), ("ab", "FMDay, FMDDth \"of\" FMMonth Q J RM"),
             ("abcd", "S9G999G990D99PR"), ("ab", "0.99EEEE"), ("abc", "9V99"), ("x", "L999MI"),
             ("a,b", ","), ("2024-02-29", "YYYY-MM-DD"), ("aXb", "***=X"), ("ab", "a(?#c)b|c"),
             ("ab", "\\mab\\M"), ("", ""), ("a", "(((((a*)*)*)*)*)b"), ("IV", "RN"), ("ab", "SP")]
    for i, (s, p) in enumerate(pairs):
        for what in (0, 1, 2, 6, 10, 14, 18, 22, 26):
            write(out, "pattern", "%02d-%02d" % (i, what), bytes([what]) + s.encode() + b"\xff" +
                  p.encode())


def backup(out):
    def changes(mode, *pairs):
        return bytes([mode]) + b"".join(struct.pack("<HB", at, x) for at, x in pairs)
    write(out, "backup", "none", b"\0")
    write(out, "backup", "segment", b"\1")
    for mode in range(4):
        for i, at in enumerate((40, 60, 100, 300, 900, 5000, 20000)):
            write(out, "backup", "changed-%d-%d" % (mode, i), changes(mode, (at, 1 << i), (7, 255)))
    for mode in (4, 5, 6, 7):
        write(out, "backup", "cut-%d" % mode, bytes([mode]) + struct.pack("<I", 3000 * mode))


def json(out):
    texts = ['{"a":1,"b":[1,2.50,null,true,"x"],"a":{"c":"\\u00e9\\ud83d\\ude04"}}', '[]', '{}', '"s"', '-1.5e3',
             '[[[[{"":{}}]]]]', ' { "k" : [ ] } ', '{"a":tru}', '[1,]', '"\\u0000"', '[' * 40 + ']' * 40]
    for i, s in enumerate(texts):
        write(out, "json", "text-%02d" % i, b"\1" + s.encode())
    paths = ['$', 'strict $.a[*].b', '$.a[0, 1 to last] ? (@ > 1 && @ <> 3 || !(@ == "x"))', '$.**{1 to 2} ? (exists(@.a))',
             '-$.c * 2 + (1 - $.a[0]) % 3 / 4', '$.b.keyvalue() ? (@.key starts with "a").value', '(($.c == 1) is unknown).type()',
             '$.d ? (@ like_regex "^A.*c$" flag "i")', '$.a.size() > $.a[last - 1].double().abs().floor().ceiling()', '$"v".x."y z"']
    for i, s in enumerate(paths):
        write(out, "json", "path-%02d" % i, b"\2" + s.encode())
    array = struct.pack("<IIII", 3, 1 << 28 | 1, 3 << 28 | 1, 2 << 28 | 6) + b"x" + b"\0\1\0\0\7"
    pair = struct.pack("<III", 1 << 28 | 1, 1 << 28 | 1, 5 << 28 | 1 + len(array)) + b"k" + array
    write(out, "json", "array", b"\0" + array)
    write(out, "json", "object", b"\0" + pair)
    write(out, "json", "scalar", b"\0" + struct.pack("<II", 2 << 28 | 1, 4 << 28))


def main():
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    texts = sql(out)
    dictionary(out)
    pg_session(out, texts)
    pg_start(out)
    for make in (types, json, segment, column, column_segment, store, copy, parquet, config, pattern, backup):
        make(out)
    open(os.path.join(out, "seeds.stamp"), "w").close()


main()
