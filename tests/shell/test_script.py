"""`helios sql` in scripts: the examples of docs/shell.md, options, exit codes, files, pipes."""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from server import Server

DOC = os.path.join(HERE, "..", "..", "docs", "shell.md")


class Shell:
    def __init__(self, helios, server):
        self.command = [helios, "sql", "-h", server.host, "-p", str(server.port), "-U", "postgres",
                        "-d", "postgres"]

    def run(self, *args, stdin="", merge=False):
        r = subprocess.run(self.command + list(args), input=stdin.encode(), timeout=60,
                           stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT if merge else subprocess.PIPE)
        return r.returncode, r.stdout.decode(), "" if merge else r.stderr.decode()


def same(got, expected, what):
    if got != expected:
        raise AssertionError("%s\n--- got:\n%s\n--- expected:\n%s" % (what, got, expected))


def documentation(shell):
    text = open(DOC, encoding="utf-8").read()
    pairs = re.findall(r"```helios\n(.*?)```\n```text\n(.*?)```", text, re.S)
    assert len(pairs) >= 5
    for script, expected in pairs:
        _, out, _ = shell.run(stdin=script, merge=True)
        # A script's errors name the place; at the terminal, as the guide shows them, they do not.
        same(re.sub(r"(?m)^<stdin>:\d+: ", "", out), expected, script)


def options(shell):
    same(shell.run("-A", "-t", "-c", "select 1, null, 'x'"), (0, "1||x\n", ""), "-A -t")
    same(shell.run("--csv", "-c", "select 1 as a, 'x,y' as b"), (0, 'a,b\n1,"x,y"\n', ""), "--csv")
    same(shell.run("--tsv", "-tc", r"select E'a\tb', 'c\d'"), (0, "a\\tb\tc\\\\d\n", ""), "--tsv")
    same(shell.run("--jsonlines", "-c", "select true as t, 1.50 as n, 'NaN'::float8 as f"),
         (0, '{"t":true,"n":1.50,"f":"NaN"}\n', ""), "--jsonlines")
    same(shell.run("--html", "-c", "select '<b>&' as x"),
         (0, "<table>\n  <tr><th>x</th></tr>\n  <tr><td>&lt;b&gt;&amp;</td></tr>\n</table>\n", ""),
         "--html")
    same(shell.run("-At", "-v", "n=5", "-c", "select :n, :'n', ':n'"), (0, "5|5|:n\n", ""), "-v")
    same(shell.run("-At", "-c", "select 1", "-c", "select 2"), (0, "1\n2\n", ""), "two -c")
    same(shell.run("-At", "-c", "select 1; select 2"), (0, "1\n2\n", ""), "two in a -c")
    same(shell.run("-At", stdin="select 1;;\n\\echo done\nselect 2"), (0, "1\ndone\n2\n", ""), "a pipe")
    assert shell.run("--help")[1].startswith("helios sql: the SQL shell")


def exit_codes(shell):
    assert shell.run("-c", "select 1")[0] == 0
    assert shell.run("-c", "selec")[0] == 1
    code, out, _ = shell.run("-At", "-c", "select 1; selec; select 2")
    assert (code, out) == (1, "1\n"), (code, out)
    assert shell.run("--nonsense")[0] == 1
    assert shell.run(stdin="selec;\nselect 1;")[0] == 0
    code, out, err = shell.run("-At", "-v", "ON_ERROR_STOP=1", stdin="selec;\nselect 1;")
    assert code == 3 and out == "" and err.startswith("<stdin>:1: ERROR: syntax error"), (code, out, err)
    assert shell.run("-f", "/nonexistent/file")[0] == 1
    lost = Shell.__new__(Shell)
    lost.command = shell.command[:2] + ["-h", "127.0.0.1", "-p", "1"]
    assert lost.run("-c", "select 1")[0] == 2


def single_transaction(shell):
    shell.run("-c", "create table one_tx (a int)")
    code, _, _ = shell.run("-1", "-v", "ON_ERROR_STOP=1", "-c", "insert into one_tx values (1)", "-c",
                           "selec")
    assert code == 1
    same(shell.run("-Atc", "select count(*) from one_tx")[1], "0\n", "rolled back")


def files(shell, folder):
    data, script = os.path.join(folder, "data's.csv"), os.path.join(folder, "script.sql")
    with open(script, "w") as f:
        f.write("create table copied (a int, b text);\ncopy copied from stdin;\n1\tone\n2\t\\N\n\\.\n"
                "select count(*) from copied;\n")
    same(shell.run("-qAt", "-f", script), (0, "2\n", ""), "copy from stdin in a script")
    quoted = data.replace("'", "''")
    same(shell.run("-q", "-c", "\\copy copied to '%s' csv" % quoted)[0], 0, "\\copy to")
    same(open(data).read(), "1,one\n2,\n", "the file")
    same(shell.run("-qAt", "-c", "\\copy copied from '%s' csv" % quoted, "-c",
                   "select count(*), sum(a) from copied"), (0, "4|6\n", ""), "\\copy from")
    out = os.path.join(folder, "out.txt")
    shell.run("-At", stdin="\\o %s\nselect 1;\n\\o\nselect 2 \\g %s.2\n" % (out, out))
    same(open(out).read() + open(out + ".2").read(), "1\n2\n", "\\o and \\g")
    # Bytes that would act on a terminal reach files as they are.
    shell.run("-At", "-o", out, "-c", "select chr(27) || 'x'")
    same(open(out).read(), "\x1bx\n", "bytes")


def streaming(shell):
    code, out, _ = shell.run("-At", "-c", "select g from generate_series(1, 200000) g")
    assert code == 0 and out.count("\n") == 200000
    code, out, _ = shell.run("-c", "select g from generate_series(1, 5000) g")
    assert "(5000 rows)" in out and out.count("\n") == 5005  # a pipe gets all


def library(helios, folder):
    """The same shell over a database in this process."""
    memory, place = Shell.__new__(Shell), Shell.__new__(Shell)
    memory.command = [helios, "sql"]
    place.command = [helios, "sql", os.path.join(folder, "db")]
    same(memory.run("-At", stdin="create table t (a int);\ninsert into t values (1), (2);\n"
                    "begin;\ndelete from t;\nrollback;\nselect sum(a) from t;\n", merge=True),
         (0, "CREATE TABLE\nINSERT 0 2\nBEGIN\nDELETE 2\nROLLBACK\n3\n", ""), "in memory")
    code, _, err = memory.run("-c", "select nothing")
    same((code, err), (1, 'ERROR: column "nothing" does not exist (42703)\nLINE 1: select nothing\n'
                          "               ^\n"), "an error")
    data = os.path.join(folder, "library.csv")
    same(place.run("-qAt", "-c", "create table t (a int, b text)", "-c",
                   "insert into t values (1, 'x'), (2, null)", "-c", "\\copy t to '%s' csv" % data)[0], 0,
         "a directory")
    same(open(data).read(), "1,x\n2,\n", "\\copy to")
    same(place.run("-qAt", "-c", "\\copy t from '%s' csv" % data, "-c", "select count(*) from t"),
         (0, "4\n", ""), "what was written is there again")
    same(place.run("--json", "-c", "select true as t, 1.5 as n, 'x' as s from t limit 1")[1],
         '[{"t": true, "n": 1.5, "s": "x"}]\n', "types")


def main():
    heliosd, helios = sys.argv[1:3]
    with Server(heliosd) as server, tempfile.TemporaryDirectory(prefix="helios-shell-") as folder:
        shell = Shell(helios, server)
        documentation(shell)
        options(shell)
        exit_codes(shell)
        single_transaction(shell)
        files(shell, folder)
        streaming(shell)
        library(helios, folder)
        print("ok")


main()
