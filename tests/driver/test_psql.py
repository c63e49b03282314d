#!/usr/bin/env python3
"""psql against the server: its own commands, COPY, variables, fetches in portions, Ctrl-C.

    test_psql.py HOST PORT

with_server.py starts a server and runs it. Any PostgreSQL 15 will do as well, which proves the test
right. What SQL means is tested by tests/sql, through psql too.
"""
import os
import signal
import subprocess
import sys
import tempfile
import time

SECONDS_MAX = 60


def start(host, port, *args):
    env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    env.update(PAGER="", LC_ALL="C.UTF-8", PSQL_HISTORY="/dev/null", PGCONNECT_TIMEOUT="10")
    return subprocess.Popen(["psql", "-X", "-A", "-t", "-h", host, "-p", str(port), "-U", "postgres",
                             "-d", "postgres", *args], env=env, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def psql(script, *args):
    """What it prints, and its status."""
    p = start(HOST, PORT, "-q", *args)
    out, _ = p.communicate(script, timeout=SECONDS_MAX)
    return out, p.returncode


def same(got, want):
    assert got == want, "\n--- got\n%s\n--- wanted\n%s" % (got, want)


def test_scripts():
    same(psql("select 1;\n\\echo :SERVER_VERSION_NUM\n")[0][:4], "1\n15")
    same(psql("select 1/0;\nselect 2;\n")[0], "ERROR:  division by zero\n2\n")
    same(psql("select 1/0;\nselect 2;\n", "-v", "ON_ERROR_STOP=1"), ("ERROR:  division by zero\n", 3))
    same(psql("", "-c", "select 1", "-c", "select 2")[0], "1\n2\n")
    out, status = psql("create table one (i int);\ninsert into one values (1);\nselect nosuch;\n", "-1",
                       "-v", "ON_ERROR_STOP=1")
    assert status == 3 and 'LINE 1: select nosuch' in out, out
    same(psql("select to_regclass('one') is null;")[0], "t\n")
    same(psql("select nosuch;\n\\echo :SQLSTATE :ERROR :LAST_ERROR_MESSAGE\n")[0].split("\n")[-2],
         "42703 true column \"nosuch\" does not exist")
    same(psql("select 1 as a, 'x y' as b \\gset p_\n\\echo :p_a :'p_b' :\"p_b\"\n")[0],
         "1 'x y' \"x y\"\n")
    same(psql("select 'select ' || g from generate_series(1, 3) g \\gexec\n")[0], "1\n2\n3\n")
    same(psql("select $$a;b$$; select 'c''d' /* ; */ -- ;\n;\n")[0], "a;b\nc'd\n")
    same(psql("\\set AUTOCOMMIT off\nselect 1;\n\\echo :AUTOCOMMIT\nrollback;\n")[0], "1\noff\n")
    same(psql("\\set ON_ERROR_ROLLBACK on\nbegin;\nselect 1/0;\nselect 'goes on';\ncommit;\n")[0],
         "ERROR:  division by zero\ngoes on\n")
    same(psql("\\set VERBOSITY sqlstate\nselect 1/0;\n")[0], "ERROR:  22012\n")
    same(psql("\\timing off\n\\conninfo\n")[0][:40], 'You are connected to database "postgres"')
    same(psql("\\encoding\n\\password_is_not_a_command\n")[0],
         "UTF8\ninvalid command \\password_is_not_a_command\n")


def test_copy():
    psql("drop table if exists cp; create table cp (id int primary key, name text);")
    rows = "".join("%d\tname %d\n" % (i, i) for i in range(20000))
    with tempfile.TemporaryDirectory() as folder:
        there, back = os.path.join(folder, "there"), os.path.join(folder, "back")
        with open(there, "w") as f:
            f.write(rows)
        same(psql("\\copy cp from '%s'\n\\copy (select * from cp order by id) to '%s'\n"
                  % (there, back))[0], "")
        with open(back) as f:
            assert f.read() == rows
    same(psql("copy cp from stdin;\n90000\tx\n\\.\nselect name from cp where id = 90000;\n")[0], "x\n")
    out = psql("copy cp from stdin;\n90001\tx\n1\ty\n\\.\nselect count(*) from cp;\n")[0]
    assert "cp_pkey" in out and "COPY cp, line 2" in out and out.endswith("\n20001\n"), out
    same(psql("copy (values (1, 'a'), (2, null)) to stdout with (format csv);")[0], "1,a\n2,\n")
    psql("drop table cp;")


def test_fetch_count():
    """A result without end, read in portions: psql is stopped by its reader."""
    out = psql("\\set FETCH_COUNT 100\nselect g from generate_series(1, 1050) g;\n")[0]
    same(out, "".join("%d\n" % i for i in range(1, 1051)))
    p = start(HOST, PORT, "-q", "-v", "FETCH_COUNT=500", "-c", "select generate_series(1, 4000000000)")
    for i in range(1, 20001):
        same(p.stdout.readline(), "%d\n" % i)
    p.stdout.close()
    p.stdin.close()
    p.wait(SECONDS_MAX)


def test_interrupt():
    p = start(HOST, PORT, "-c", "select 'begun'", "-c", "select pg_sleep(60)")
    same(p.stdout.readline(), "begun\n")
    time.sleep(0.3)
    p.send_signal(signal.SIGINT)
    out, _ = p.communicate(timeout=SECONDS_MAX)
    assert "canceling statement due to user request" in out, out


def test_describe():
    psql("drop table if exists shown; create table shown (id int primary key, v varchar(5) default 'x');"
         " create index shown_v on shown (v); comment on table shown is 'a table';")
    same(psql("\\d shown\n")[0],
         "id|integer||not null|\nv|character varying(5)|||'x'::character varying\n")
    same(psql("\\dt shown\n\\di shown*\n")[0],
         "public|shown|table|postgres\npublic|shown_pkey|index|postgres|shown\n"
         "public|shown_v|index|postgres|shown\n")
    for command in ("\\l", "\\du", "\\dn+", "\\df upper", "\\dT integer", "\\dx", "\\dp shown", "\\db",
                    "\\d+ shown", "\\dv", "\\ds", "\\dm", "\\sv nosuch", "\\dt+ shown", "\\drds", "\\do"):
        out = psql(command + "\n")[0]
        assert "ERROR" not in out or command.startswith("\\sv"), command + "\n" + out
    psql("drop table shown;")


HOST, PORT = sys.argv[1], sys.argv[2]
for test in (test_scripts, test_copy, test_fetch_count, test_interrupt, test_describe):
    test()
    print("ok  ", test.__name__, flush=True)
