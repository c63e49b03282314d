#!/usr/bin/env python3
"""Every example of the pages in docs/, run as it stands there: nothing may fail.

    examples.py HELIOSD HELIOS DOCS [PAGE ...]

An example is a block indented by four spaces, or a statement in the cell of a table. What a block is,
its first word tells: SQL goes through one psql a page, `psql` and `helios` lines to a shell, a
helios.conf to a server that starts with it. A block that is none of these must be listed in NOT_RUN.
Other tests run README.md, docs/shell.md and docs/library.md; the examples of ELSEWHERE are no commands.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402

ELSEWHERE = ("ARCHITECTURE", "benchmarks", "library", "shell")
SECONDS_MAX = 60
ARCHIVE = "/mnt/archive/helios"
EXPORT = "/srv/export"
SQL = re.compile(r"(select|insert|update|delete|create|alter|drop|begin|commit|rollback|prepare|"
                 r"execute|declare|copy|explain|analyze|vacuum|set|show|reset|with|values|grant|table|"
                 r"truncate|comment|listen|notify|unlisten|do|call|merge\s+into|refresh|discard)\b", re.I)
NOT_RUN = {  # by how they begin
    "[Service]": "a unit of systemd",
    "pg_dump ": "tests/driver/test_pg_dump.py does it",
    "systemctl": "wants systemd",
    "scrape_configs:": "another program's settings",
    "2024-05-01T12:00:00": "a line of the log",
    "helios restore monday.backup restored --archive": "a time of another day",
}
STDIN_ROWS = {"item (sku, price)": "sku,price\nvase,5\nlamp2,6.50\n\\.\n"}


def examples(text):
    """In the order of the page: indented blocks, and whole statements in tables."""
    out, lines, fenced = [], [], False
    for line in text.split("\n") + ["end"]:
        fenced ^= line.startswith("```")
        if line.startswith("    ") and not fenced:
            lines.append(line[4:])
            continue
        if lines and not line.strip():
            lines.append("")
            continue
        if lines:
            out.append("\n".join(lines).strip("\n"))
            lines = []
        if line.startswith("|"):
            out += [c.rstrip(";") + ";"
                    for c in re.findall(r"`((?:SELECT|VALUES)\s[^`]+|WITH\s[^`]*\bSELECT\b[^`]*)`", line)]
    return out


class Runner:
    def __init__(self, server, heliosd, helios, folder):
        self.server, self.heliosd, self.helios, self.folder = server, heliosd, helios, folder
        self.count = 0
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        self.env["PATH"] = os.path.dirname(helios) + ":" + self.env.get("PATH", "")
        self.env.update(PGHOST=server.host, PGPORT=str(server.port), PGUSER="postgres",
                        PGDATABASE="postgres", LC_ALL="C.UTF-8", PSQL_HISTORY="/dev/null")

    def run(self, command, where, **more):
        done = subprocess.run(command, cwd=self.folder, env=self.env, timeout=SECONDS_MAX, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
        bad = done.returncode != 0 or re.search(r"^(psql:.*)?(ERROR|FATAL|error):|PROBLEM", done.stdout,
                                                re.M)
        assert not bad, "%s: %s\n%s" % (where, command, done.stdout)
        return done.stdout

    def sql(self, text, where):
        for copied, rows in STDIN_ROWS.items():
            text = re.sub(r"(COPY %s FROM STDIN[^\n]*)\n" % re.escape(copied), lambda m: m[0] + rows,
                          text)
        text = text.replace(EXPORT, self.folder)
        self.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"], where, input=text)

    def shell(self, line, where):
        line = line.split("   #")[0].replace("port=5432", "port=%d" % self.server.port)
        line = line.replace(":5432/", ":%d/" % self.server.port).replace(ARCHIVE, "archive")
        into = re.search(r"\\copy (\w+) from|copy (\w+) from stdin", line)
        if into:  # the page means a table that is empty
            self.run(["psql", "-X", "-q", "-c", "truncate " + (into[1] or into[2])], where)
        if line.startswith("postgresql:"):
            line = "psql " + line
        self.run(line, where, shell=True, stdin=subprocess.DEVNULL)

    def start(self, line, where):
        """A server's command line, on a folder and a port of its own."""
        data = tempfile.mkdtemp(dir=self.folder)
        arguments = line.split()[1:]
        assert arguments[:2] == ["--data", "/var/lib/helios"] and "5432" in arguments, line
        arguments[1], arguments[arguments.index("5432")] = data, "0"
        self.until_ready([self.heliosd, *arguments], where, None)

    def configured(self, text, where):
        data = tempfile.mkdtemp(dir=self.folder)
        log = os.path.join(data, "log")
        text = text.replace("5433", "0").replace("/var/log/heliosd.log", log).replace(ARCHIVE, data)
        if "log.path" not in text:
            text += "\nlog.path = '%s'\n" % log
        with open(os.path.join(data, "helios.conf"), "w") as f:
            f.write(text)
        self.until_ready([self.heliosd, "--data", data], where, log)

    def until_ready(self, command, where, log):
        path = log or os.path.join(self.folder, "log")
        with open(path, "w") as out:
            p = subprocess.Popen(command, stdout=None if log else out,
                                 stderr=None if log else subprocess.STDOUT)
        try:
            for _ in range(SECONDS_MAX * 20):
                with open(path) as f:
                    text = f.read()
                if "ready: postgresql" in text or p.poll() is not None:
                    break
                time.sleep(0.05)
            assert "ready: postgresql" in text, "%s: %s\n%s" % (where, command, text)
        finally:
            p.terminate()
            assert p.wait(SECONDS_MAX) == 0, where


def one_block(r, block, where, stopped, later):
    """Runs the block if it is the time for it; True: it is SQL, for the page's psql."""
    first = block.split("\n")[0]
    if any(first.startswith(begin) for begin in NOT_RUN):
        return False
    offline = re.match(r"(\./build/src/bin/)?helios (inspect|verify)", first)
    if bool(offline) != stopped:
        if offline:
            later.append((block, where))
        return False
    r.count += 1
    if offline or first.startswith(("psql ", "postgresql:", "./build/src/bin/helios backup", "helios import")):
        for line in block.split("\n"):
            r.shell(line, where)
    elif re.match(r"\./build/src/bin/heliosd ", first):
        r.start(first, where)
    elif first.startswith("# helios.conf"):
        r.configured(block, where)
    else:
        assert SQL.match(first), "%s: how is this run?\n%s" % (where, block)
        return True
    return False


def run_page(r, page, text, later):
    sql = [block for i, block in enumerate(examples(text))
           if one_block(r, block, "%s, example %d" % (page, i + 1), False, later)]
    if sql:
        r.sql("\n".join(sql) + "\n", page)


def main():
    heliosd, helios, docs = (os.path.abspath(p) for p in sys.argv[1:4])
    pages = sorted(p[:-3] for p in os.listdir(docs) if p.endswith(".md") and p[:-3] not in ELSEWHERE)
    pages, later = sys.argv[4:] or pages, []
    with tempfile.TemporaryDirectory(prefix="helios-docs-") as folder:
        os.makedirs(os.path.join(folder, "build/src/bin"))
        os.symlink(helios, os.path.join(folder, "build/src/bin/helios"))
        with open(os.path.join(folder, "big.csv"), "w") as f:
            f.write("1,one\n2,two\n")
        with open(os.path.join(folder, "reading.csv"), "w") as f:
            f.write("sensor,value\n1,2.5\n")
        archive = os.path.join(folder, "archive")
        os.mkdir(archive)
        with Server(heliosd, prefix=["env"], settings=[
                "wal.archive_directory=" + archive, "copy.read_directories=" + folder,
                "copy.write_directories=" + folder]) as server:
            r = Runner(server, heliosd, helios, folder)
            r.sql("create table big (i int, v text); create table orders (id int primary key, v text);"
                  " insert into orders values (1, 'a'), (2, 'b'); create table t (v text);", "setup")
            for page in pages:
                with open(os.path.join(docs, page + ".md"), encoding="utf-8") as f:
                    run_page(r, page, f.read(), later)
                r.sql("drop schema if exists shop cascade; reset all;", page)
            r.sql("checkpoint;", "setup")
            copied = os.path.join(folder, "helios-data")
            server.process.send_signal(15)
            server.process.wait(SECONDS_MAX)
            shutil.copytree(server.data, copied)
            shutil.rmtree(server.data)
            server.process = None
            for block, where in later:
                one_block(r, block, where, True, [])
        print("%d examples work" % r.count)


main()
