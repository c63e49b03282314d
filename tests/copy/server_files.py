#!/usr/bin/python3
"""COPY from and to files of the server: only in the directories that the settings name, and never out of
them by a link or by "..".

usage: server_files.py HELIOSD"""
import os
import sys
import tempfile

from session import Server, Session, same


def refused(s, sql, state, words):
    got = s.error(sql)
    same(got[0], state, sql)
    assert words in got[1] or words in (got[2] or ""), (sql, got)


def inside(s, place):
    s.ask("copy t to '%s/out/t.csv' (format csv)" % place)
    with open(place + "/out/t.csv") as f:
        same(f.read(), "1,one\n2,two\n", "what was written")
    s.ask("copy (select 1) to '%s/out/t.csv'" % place)
    with open(place + "/out/t.csv") as f:
        same(f.read(), "1\n", "written anew, shorter")
    s.ask("create table u as table t with no data")
    s.ask("copy u from '%s/in/./sub//u.csv' (format csv)" % place)
    same(s.ask("select * from u"), [(7, "seven")], "what was read")
    refused(s, "copy u from '%s/in/none.csv'" % place, "58P01",
            'could not open file "%s/in/none.csv" for reading: No such file or directory' % place)
    refused(s, "copy u from '%s/in/sub'" % place, "42809", '"%s/in/sub" is a directory' % place)
    refused(s, "copy u from '%s/in/fifo'" % place, "42809", "is not a regular file")
    refused(s, "copy t to '%s/out/none/t.csv'" % place, "58P01", "for writing: No such file or directory")


def outside(s, place):
    secret = place + "/secret.csv"
    for path in (secret, place + "/inside.csv", "/etc/passwd", place + "/in", place + "/in.csv"):
        refused(s, "copy u from '%s'" % path, "42501", 'the server may not read file "%s"' % path)
    refused(s, "copy t to '%s/in/t.csv'" % place, "42501", 'It is in none of the directories of "copy.write_directories"')
    refused(s, "copy u from '%s/out/t.csv'" % place, "42501", "may not read")
    for path in ("in/../secret.csv", "in/sub/../../secret.csv", "in/.."):
        refused(s, "copy u from '%s/%s'" % (place, path), "42602", 'must not contain ".."')
    for path in ("in/link.csv", "in/up/secret.csv", "in/sub/loop", "in/absolute.csv"):
        got = s.error("copy u from '%s/%s'" % (place, path))
        assert got[0] == "58030" and "Symbolic links" in got[2], (path, got)
    got = s.error("copy t to '%s/out/link.csv'" % place)
    assert got[0] == "58030" and "Symbolic links" in got[2], got
    with open(secret) as f:
        same(f.read(), "1,secret\n", "untouched")
    refused(s, "copy u from 'in/sub/u.csv'", "42602", "relative path not allowed for COPY from file")
    refused(s, "copy t to program 'cat'", "0A000", "PROGRAM is not supported")
    same(s.ask("select count(*) from u"), [(1,)], "nothing came in")


def endless_line(server, s, place):
    """4 GiB without a line end: refused at the limit, before memory is gone."""
    with open(place + "/in/sub/endless", "wb") as f:
        f.write(b"{x")
        f.truncate(4 << 30)  # takes no disk
    for options in ("format text", "format csv", "format json, on_error ignore"):
        got = s.error("copy u from '%s/in/sub/endless' (%s)" % (place, options))
        same((got[0], got[1], got[3]), ("54000", "a row of COPY data exceeds 268435456 bytes", "COPY u, line 1"), options)
    got = s.error("copy u from '%s/in/sub/endless' (format parquet)" % place)
    same(got[0], "22P04", "no Parquet")
    with open("/proc/%d/status" % server.process.pid) as f:
        peak = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
    assert peak < 900 << 10, "%d kB" % peak


def others(server, s, place):
    s.ask("create role plain login; grant all on t to plain")
    plain = Session(server, "plain")
    refused(plain, "copy t from '%s/in/sub/u.csv'" % place, "42501",
            "must be superuser or have privileges of the pg_read_server_files role to COPY from a file")
    refused(plain, "copy t to '%s/out/t.csv'" % place, "42501",
            "must be superuser or have privileges of the pg_write_server_files role to COPY to a file")
    s.ask("create role readers in role pg_read_server_files; create role reader login in role readers;"
          " create role writer login in role pg_write_server_files; grant all on t, u to reader, writer")
    reader, writer = Session(server, "reader"), Session(server, "writer")
    reader.ask("copy u from '%s/in/sub/u.csv' (format csv)" % place)
    refused(reader, "copy u from '%s/secret.csv'" % place, "42501", "may not read")
    refused(reader, "copy t to '%s/out/t.csv'" % place, "42501", "pg_write_server_files")
    writer.ask("copy t to '%s/out/t.csv'" % place)
    refused(writer, "copy u from '%s/in/sub/u.csv'" % place, "42501", "pg_read_server_files")
    refused(s, "drop role pg_read_server_files", "2BP01",
            "cannot drop role pg_read_server_files because it is required by the database system")
    refused(s, "alter role pg_read_server_files login", "42939", "Cannot alter reserved roles.")
    refused(s, "alter role pg_read_server_files rename to x", "42939", "Cannot alter reserved roles.")
    same(s.ask("select rolname, oid::int, rolcanlogin, rolsuper from pg_roles where rolname like 'pg\\_%' order by 1"),
         [("pg_database_owner", 6171, False, False), ("pg_read_server_files", 4569, False, False),
          ("pg_write_server_files", 4570, False, False)], "predefined roles")


def make(place):
    for d in ("in/sub", "out", "inside"):
        os.makedirs(os.path.join(place, d))
    for name, text in (("secret.csv", "1,secret\n"), ("in/sub/u.csv", "7,seven\n"), ("inside.csv", "2,x\n")):
        with open(os.path.join(place, name), "w") as f:
            f.write(text)
    os.symlink("../secret.csv", place + "/in/link.csv")
    os.symlink(place + "/secret.csv", place + "/in/absolute.csv")
    os.symlink("..", place + "/in/up")
    os.symlink("loop", place + "/in/sub/loop")
    os.symlink("../secret.csv", place + "/out/link.csv")
    os.mkfifo(place + "/in/fifo")
    os.symlink(place + "/in", place + "/here")


def main():
    with tempfile.TemporaryDirectory(prefix="helios-files-") as place:
        make(place)
        settings = ["copy.read_directories= /nonexistent , %s/in/ ,%s/here" % (place, place),
                    "copy.write_directories=%s/out" % place]
        with Server(sys.argv[1], settings) as server:
            s = Session(server)
            s.ask("create table t (id int, v text); insert into t values (1, 'one'), (2, 'two')")
            inside(s, place)
            outside(s, place)
            s.ask("copy u from '%s/here/sub/u.csv' (format csv)" % place)  # the directory itself may be a link
            others(server, s, place)
            endless_line(server, s, place)
        with Server(sys.argv[1]) as server:
            s = Session(server)
            s.ask("create table t (id int, v text)")
            refused(s, "copy t from '%s/in/sub/u.csv'" % place, "42501", '"copy.read_directories" names no directory')
            refused(s, "copy t to '%s/out/x'" % place, "42501", '"copy.write_directories" names no directory')
    print("files of the server: inside, and not outside")


main()
