"""`helios sql` at a terminal: prompts, several lines, tab, Ctrl-C, history, pager, progress."""
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Server
from terminal import Terminal

PROMPT = r"postgres=> "


def start(helios, server, home, **env):
    t = Terminal([helios, "sql", "postgresql://postgres@%s:%s/postgres" % (server.host, server.port)],
                 env=dict(HOME=home, HELIOS_HISTORY=os.path.join(home, "history"), EDITOR="true",
                          PAGER="cat", **env))
    t.expect(r"connected to database")
    t.expect(PROMPT)
    return t


def prompts(t):
    t.line("select 1 as one,")
    t.expect(r"postgres-> ")
    t.line("(2")
    t.expect(r"postgres\(> ")
    t.line("), 'a")
    t.expect(r"postgres'> ")
    t.line("b';")
    t.expect(r"│ a   *↵│\n.*│ b ")
    t.expect(PROMPT)
    t.line("begin;")
    t.expect(r"BEGIN\npostgres=\*> ")
    t.line("select nothing;")
    t.expect(r'ERROR: column "nothing" does not exist \(42703\)\nLINE 1: select nothing\n {15}\^')
    t.expect(r"postgres=!> ")
    t.line("rollback;")
    t.expect(r"ROLLBACK\npostgres=> ")


def completion(t):
    t.line("create table customers (customer_number int, full_name text);")
    t.expect(r"CREATE TABLE\npostgres=> ")
    t.keys("select customer_n\t")
    t.expect(r"customer_number ")
    t.keys("from custo\t")
    t.expect(r"customers ")
    t.keys("wher\t")
    t.expect(r"where ")
    t.keys("full_\t")
    t.expect(r"full_name ")
    t.line("= 'x';")
    t.expect(r"\(0 rows\)\npostgres=> ")
    t.keys("\\tim\t")
    t.expect(r"\\timing ")
    t.line("on")
    t.expect(r"Timing is on")
    t.expect(PROMPT)
    t.line("select 1;")
    t.expect(r"Time: [0-9.]+ ms")
    t.expect(PROMPT)
    t.line("\\timing off")
    t.expect(PROMPT)


def interrupts(t):
    t.line("select 'dropped',")
    t.expect(r"postgres-> ")
    t.keys("\x03")
    t.expect(r"\^C\n.*postgres=> ")
    t.line("select pg_sleep(60);")
    t.expect(r"[0-9.]+ s, 0 rows  \(Ctrl-C cancels\)")
    t.keys("\x03")
    t.expect(r"ERROR: canceling statement due to user request \(57014\)")
    t.expect(PROMPT)
    t.line("select 'still ' || 'here' as answer;")
    t.expect(r"│ still here │")
    t.expect(PROMPT)


def history(t):
    t.line("select 40 +")
    t.expect(r"postgres-> ")
    t.line("2 as answer;")
    t.expect(r"│ +42 │")
    t.expect(PROMPT)
    t.keys("\x1b[A")
    t.expect(r"select 40 \+ 2 as answer;")
    t.keys("\r")
    t.expect(r"│ +42 │")
    t.expect(PROMPT)


def injection(t):
    """Data with escape sequences reaches the screen as text, in every mode."""
    before = len(t.raw)
    for mode in ("table", "line", "csv", "tsv", "json", "jsonlines", "markdown", "html", "insert x",
                 "unaligned"):
        t.line("\\mode " + mode)
        t.expect(PROMPT)
        t.line("select chr(27) || ']0;owned' || chr(7) || chr(155) || '2J' as evil;")
        t.expect(r"\]0;owned")
        t.expect(PROMPT)
    t.line("select chr(27) || ']0;owned' as evil \\gset")
    t.expect(PROMPT)
    t.line("\\set")
    t.expect(r"evil = '\\x1B\]0;owned'")
    t.expect(PROMPT)
    t.line("\\echo :evil")
    t.expect(r"\\x1B\]0;owned\n")
    t.expect(PROMPT)
    assert b"\x1b]0;owned" not in t.raw[before:]
    assert b"\x07" not in t.raw[before:].replace(b"\x07\r", b"")
    assert "\x9b2J".encode() not in t.raw[before:]
    t.line("\\mode table")
    t.expect(PROMPT)
    t.line("do_not_exist\u202e;")  # nor may an error's text
    t.expect(r"ERROR: syntax error at or near \"do_not_exist\\u202E")
    t.expect(PROMPT)


def wide_and_long(t):
    t.line("select repeat('x', 300) as wide, 7 as n;")
    t.expect(r"x…│ 7 │\n")
    assert max(len(l) for l in t.text().splitlines() if l.startswith("│ x")) <= 80
    t.expect(PROMPT)
    t.line("select g from generate_series(1, 5000) g;")
    t.expect(r"\(1000 of 5000 rows shown; \\pset maxrows 0 shows all\)")
    t.expect(PROMPT)


def commands(t):
    t.line("select 'tick' as t \\watch 1 2")
    t.expect(r"tick.*tick")
    t.expect(PROMPT)
    t.line("\\e")  # the editor leaves the statement as it is; it runs again
    t.expect(r"│ tick │")
    t.expect(PROMPT)
    t.line("\\x on")
    t.expect(PROMPT)
    t.line("select 1 as a;")
    t.expect(r"─\[ record 1 \]─*\na *│ 1")
    t.expect(PROMPT)
    t.line("\\x off")
    t.expect(PROMPT)


def describe(t):
    t.line("\\d customers")
    t.expect(r'Table "public.customers"\n.*customer_number │ integer')
    t.expect(PROMPT)
    t.line(".tables")
    t.expect(r"public │ customers │ table")
    t.expect(PROMPT)
    t.line("\\nosuch")
    t.expect(r"unknown command \\nosuch")
    t.expect(PROMPT)
    t.line("\\?")
    t.expect(r"Tab completes")
    t.expect(PROMPT)


def library(helios, home):
    """Ctrl-C, prompts and completion over a database in this process."""
    t = Terminal([helios, "sql"], env=dict(HOME=home, HELIOS_HISTORY=os.path.join(home, "other")))
    t.expect(r"in memory")
    t.expect(r"helios=> ")
    t.line("begin;")
    t.expect(r"helios=\*> ")
    t.line("create table wide_thing (a int);")
    t.expect(r"CREATE TABLE\nhelios=\*> ")
    t.keys("select * from wide_\t")
    t.expect(r"wide_thing ")
    t.line(";")
    t.expect(r"\(0 rows\)\nhelios=\*> ")
    t.line("commit;")
    t.expect(r"helios=> ")
    t.line("select count(*) from generate_series(1, 1000000000) a;")
    t.expect(r"\(Ctrl-C cancels\)")
    t.keys("\x03")
    t.expect(r"ERROR: canceling statement due to user request \(57014\)")
    t.expect(r"helios=> ")
    t.line("\\q")
    assert t.close() == 0


def main():
    heliosd, helios = sys.argv[1:3]
    home = tempfile.mkdtemp(prefix="helios-shell-")
    try:
        with Server(heliosd) as server:
            t = start(helios, server, home)
            for part in (prompts, completion, interrupts, history, injection, wide_and_long, commands,
                         describe):
                part(t)
                print("ok", part.__name__)
            t.line("\\q")
            assert t.close() == 0
            t = start(helios, server, home)
            t.keys("\x1b[A")  # the history came back
            t.expect(r"\\q")
            t.keys("\x15\x04")
            assert t.close() == 0
            mode = os.stat(os.path.join(home, "history")).st_mode & 0o777
            assert mode == 0o600, oct(mode)
            print("ok leaving and coming back")
        library(helios, home)
        print("ok library")
    finally:
        shutil.rmtree(home, ignore_errors=True)


main()
