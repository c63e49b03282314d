#!/usr/bin/python3
"""COPY in Parquet format: files that DuckDB wrote (fixtures/make_fixtures.mjs), files of our own, and files that
are cut off, flipped or made to explode.

usage: parquet.py HELIOSD [SEED]"""
import os
import random
import struct
import sys

import psycopg2

from session import Server, Session, same

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
ALL_TYPES = """create table all_types (id int, b bool, i8 int2, i16 int2, i32 int, i64 bigint, u8 int2, u16 int,
    u32 bigint, u64 numeric, f32 real, f64 float8, d4 numeric(4,1), d9 numeric(9,2), d18 numeric(18,3),
    d38 numeric(38,10), d date, t time, ts timestamp, ts_s timestamp, ts_ms timestamp, ts_ns timestamp,
    tstz timestamptz, v text, blob bytea, u uuid, j text, iv interval, e text)"""
ALL_VALUES = [
    ["1", "true", "-5", "-300", "-70000", "-5000000000", "200", "60000", "4000000000", "18000000000000000000", "1.5",
     "2.25", "-12.3", "1234567.89", "-123456789012345.678", "-1234567890123456789012345678.0123456789", "2024-02-29",
     "23:59:59.123456", "1969-12-31 23:59:59.999999", "2001-02-03 04:05:06", "2001-02-03 04:05:06.789",
     "1960-01-01 00:00:00.123456", "2024-07-01 10:00:00+00", 'Größe, "π"', "\\x6100ff62",
     "01234567-89ab-cdef-8123-456789abcdef", '{"a": [1, 2]}', "1 year 2 mons 3 days 00:00:04.005", "red"],
    ["2", "false", "127", "32767", "2147483647", "9223372036854775807", "255", "65535", "4294967295",
     "18446744073709551615", "NaN", "-Infinity", "999.9", "-0.01", "0.000",
     "9999999999999999999999999999.9999999999", "0001-01-01", "00:00:00", "9999-12-31 23:59:59", "1900-01-01 00:00:00",
     "1969-12-31 23:59:59.999", "2200-01-01 00:00:00", "1900-01-01 00:00:00+00", "", "\\x",
     "ffffffff-ffff-ffff-ffff-ffffffffffff", "[]", "00:00:00", "green"],
    ["3"] + [None] * 28,
]


def fixture(name):
    with open(os.path.join(FIXTURES, name + ".parquet"), "rb") as f:
        return f.read()


def rows(n):
    """What make_fixtures.mjs has written."""
    return [(i, i * i * 1000003, None if i % 5 == 0 else "word %d" % (i % 7),
             None if i % 11 == 3 else "text %d" % i, i / 8.0, i % 3 == 0) for i in range(n)]


def duckdb_files(s):
    s.ask(ALL_TYPES)
    texts = ", ".join("%s::text" % c for (c,) in s.ask(
        "select attname from pg_attribute where attrelid = 'all_types'::regclass and attnum > 0 order by attnum"))
    for name in ("all_types", "all_types_v2"):
        same(s.take("copy all_types from stdin (format parquet)", fixture(name)), 3, name)
        for got, want in zip(s.ask("select %s from all_types order by id" % texts), ALL_VALUES):
            same(list(got), want, name)
        s.ask("truncate all_types")
    s.ask("create table r (id int, n bigint, w text, s text, f float8, b bool)")
    for name, count in [(codec, 500) for codec in ("uncompressed", "snappy", "gzip", "zstd", "lz4_raw")] + [
            ("v2", 3000), ("groups", 3000)]:
        same(s.take("copy r from stdin (format parquet)", fixture(name)), count, name)
        same(s.ask("select * from r order by id"), rows(count), name)
        s.ask("truncate r")
    s.ask("create table one (id int)")
    same(s.take("copy one from stdin (format parquet)", fixture("empty")), 0, "no rows")
    same(s.take("copy one (id) from stdin (format parquet)", fixture("nested")), 1, "beside nested columns")
    s.ask("create table nested (id int, list text, struct text, map text)")
    for column, what in (("list", "a list"), ("struct", "a struct"), ("map", "a map")):
        got = s.error("copy nested (id, %s) from stdin (format parquet)" % column, fixture("nested"))
        same(got[:2], ("0A000", 'column "%s" of the Parquet file is %s, which cannot be read' % (column, what)), column)


def columns(s):
    """By name, converted to the table's types, in any order; errors name the row."""
    s.ask("create table other (w varchar(20), id numeric, f text, n text, extra int default 5)")
    s.take("copy other (n, id, f, w) from stdin (format parquet)", fixture("zstd"))
    want = sorted((w, str(i), ("%g" % f), str(n), 5) for i, n, w, _, f, _ in rows(500) if w)
    got = sorted((w, str(i), f, n, x) for w, i, f, n, x in s.ask("select w, id::text, f, n, extra from other where w is not null"))
    same(got, want, "converted")
    same(s.error("copy other from stdin (format parquet)", fixture("zstd"))[:2],
         ("22P04", 'the Parquet file has no column "extra"'), "missing")
    same(s.error("copy one from stdin (format parquet)", fixture("zstd"))[:2],
         ("22P04", 'column "n" of the Parquet file is no column of "one"'), "too many")
    s.ask("create table tight (id int, w varchar(3), n int2)")
    got = s.error("copy tight (id, w) from stdin (format parquet)", fixture("zstd"))
    same((got[0], got[3][:30]), ("22001", "COPY tight, line 2, column w: "), "too long")
    got = s.error("copy tight (id, n) from stdin (format parquet)", fixture("zstd"))
    same((got[0], got[3]), ("22003", 'COPY tight, line 2, column n: "1000003"'), "too large")
    s.ask("create table keyed (id int primary key, \"W\" text)")
    same(s.take('copy keyed (id, "W") from stdin (format parquet)', fixture("snappy")), 500, "case")
    same(s.error('copy keyed (id, "W") from stdin (format parquet)', fixture("snappy"))[0], "23505", "twice")
    for option in ("delimiter ','", "null ''", "header", "quote '\"'"):
        assert s.error("copy one from stdin (format parquet, %s)" % option)[0] in ("0A000", "42601"), option


def our_files(s, seed):
    rng = random.Random(seed)
    s.ask(ALL_TYPES.replace("all_types", "ours"))
    s.take("copy ours from stdin (format parquet)", fixture("all_types"))
    s.ask("alter table ours drop column u64, drop column iv")
    s.ask("create table back as table ours with no data")
    same(s.take("copy back from stdin (format parquet)", s.give("copy ours to stdout (format parquet)")), 3, "all types")
    same(s.ask("(table ours except table back) union all (table back except table ours)"), [], "all types")
    s.ask("create table big (id int, few text, many text, n numeric(12,2), v numeric, h numeric(30,5), b bool, d date,"
          " a int[], small int2, r real)")
    s.ask("insert into big select i, case when i %% 3 = 0 then null else 'few ' || i %% 10 end, repeat('x', i %% 20) || i,"
          " i / 7.0, i / 7.0, -i * 1000000000000000.12345, i %% 2 = 0, date '2000-01-01' + i, array[i, null],"
          " i %% 100, i / 4.0 from generate_series(1, %d) i" % (130000 + rng.randrange(1000)))
    data = s.give("copy big to stdout (format parquet)")
    s.ask("create table big2 as table big with no data")
    s.take("copy big2 from stdin (format parquet)", data)
    same(s.ask("(table big except table big2) union all (table big2 except table big) limit 3"), [], "two row groups")
    same(s.ask("select count(*) from big2"), s.ask("select count(*) from big"), "as many")
    same(s.take("copy one from stdin (format parquet)", s.give("copy (select 1 as id where false) to stdout (format parquet)")),
         0, "no rows")
    for value, words in (("'infinity'::date", "an infinite date in column"), ("'NaN'::numeric(5,2)", "NaN or infinity in")):
        try:
            s.give("copy (select %s as v) to stdout (format parquet)" % value)
        except psycopg2.Error as e:
            assert words in str(e), e
        else:
            raise AssertionError(value)
    s.ask("truncate r")


def damaged(s, seed):
    """Each ends with an error that has words, or with rows: never with anything else."""
    rng = random.Random(seed)
    outcomes = {}
    for name in ("all_types", "all_types_v2", "snappy", "gzip", "v2", "nested"):
        whole = fixture(name)
        table = "all_types" if "all" in name else "nested" if name == "nested" else "r"
        listed = "(id)" if name == "nested" else ""
        for i in range(60):
            data = bytearray(whole)
            if i % 3 == 0:
                data = data[:rng.randrange(len(data))]
            elif i % 3 == 1:
                for _ in range(rng.randrange(1, 4)):
                    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            else:  # in the footer
                size = struct.unpack("<i", whole[-8:-4])[0]
                data[len(data) - 8 - 1 - rng.randrange(size)] = rng.randrange(256)
            try:
                s.take("copy %s %s from stdin (format parquet)" % (table, listed), bytes(data))
                state = "00000"
            except psycopg2.Error as e:
                state = e.diag.sqlstate
                assert state and e.diag.message_primary, (name, i)
            assert state[:2] not in ("XX", "08", "57"), (name, i, state)
            outcomes[state] = outcomes.get(state, 0) + 1
    print("damaged:", " ".join("%s %d" % o for o in sorted(outcomes.items())))
    same(s.error("copy one from stdin (format parquet)", b"id\n1\n2\n3\n4\n5\n6\n")[:2],
         ("22P04", "the file is no Parquet file, or is cut off"), "CSV")
    same(s.error("copy one from stdin (format parquet)", b"")[0], "22P04", "nothing")


def varint(n):
    out = b""
    while n >= 128:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def number(n):
    return varint(n << 1 if n >= 0 else -n * 2 - 1)


def bomb(codec, page, uncompressed, values, encoding=0):
    """A file of one column of integers, with one page as it is told."""
    header = b"\x15\x00\x15" + number(uncompressed) + b"\x15" + number(len(page)) + \
        b"\x2c\x15" + number(values) + b"\x15" + number(encoding) + b"\x15\x06\x15\x06\x00\x00"
    body = b"PAR1" + header + page
    root = b"\x48\x01s\x15\x02\x00"
    leaf = b"\x15\x02\x25\x00\x18\x02id\x00"
    meta = b"\x15\x02\x19\x15\x00\x19\x18\x02id\x15" + number(codec) + b"\x16" + number(values) + b"\x16" + \
        number(uncompressed) + b"\x16" + number(len(header) + len(page)) + b"\x26" + number(4) + b"\x00"
    group = b"\x19\x1c\x3c" + meta + b"\x00\x16" + number(1) + b"\x16" + number(values) + b"\x00"
    footer = b"\x15\x02\x19\x2c" + root + leaf + b"\x16" + number(values) + b"\x19\x1c" + group + b"\x00"
    return body + footer + struct.pack("<i", len(footer)) + b"PAR1"


def bombs(s, server):
    peak_before = memory(server)
    plain = struct.pack("<4i", 1, 2, 3, 4)
    same(s.take("copy one from stdin (format parquet)", bomb(0, plain, 16, 4)), 4, "the maker of bombs makes files")
    same(s.error("copy one from stdin (format parquet)", bomb(1, b"\x00", (1 << 31) - 1, 4))[0], "54000", "2 GiB a page")
    same(s.error("copy one from stdin (format parquet)", bomb(1, varint(200 << 20) + b"\x00", 200 << 20, 4))[0], "54000", "200 MiB")
    same(s.error("copy one from stdin (format parquet)", bomb(1, b"\x80\x80\x04\x00", 1 << 16, 4))[0], "22P04", "less than said")
    same(s.error("copy one from stdin (format parquet)", bomb(0, plain, 16, 1 << 30))[0], "22P04", "more values than bytes")
    assert memory(server) - peak_before < 200 << 20, "memory: %d, was %d" % (memory(server), peak_before)


def memory(server):
    with open("/proc/%d/status" % server.process.pid) as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM"))


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    with Server(sys.argv[1], ["query.memory_limit=64MB"]) as server:
        s = Session(server)
        s.ask("set timezone = 'UTC'")
        duckdb_files(s)
        columns(s)
        our_files(s, seed)
        damaged(s, seed)
        bombs(s, server)
        same(os.listdir(os.path.join(server.data, "tmp")), [], "temporary files")
    print("Parquet comes in and goes out")


main()
