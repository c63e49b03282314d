#!/usr/bin/env python3
"""What works of PostgreSQL 15: runs each feature of features.txt and holds docs/compatibility.md against what came of it.

    compat.py HELIOSD PAGE              every feature works as in PostgreSQL or is refused by name; the page says which
    compat.py HELIOSD PAGE --write      writes the page
    compat.py --update HOST PORT        writes answers.json, PostgreSQL's own answers to the last statements

A feature works when all its statements run and the last one's answer is PostgreSQL's. It is refused when a statement
fails with 0A000, whose message names what is missing and which has a hint. All else is a bug.
"""
import io
import json
import os
import re
import sys

import psycopg2
import psycopg2.extensions

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.dont_write_bytecode = True
from server import Server  # noqa: E402

FEATURES = os.path.join(HERE, "features.txt")
ANSWERS = os.path.join(HERE, "answers.json")
# Binary values as text, too: a memoryview prints its address.
psycopg2.extensions.register_type(psycopg2.extensions.new_type((17,), "BYTES", lambda value, cursor: value))
SCRATCH = "compat_scratch"
REFUSED = "0A000"
HEAD = """# Compatibility with PostgreSQL 15

What of PostgreSQL 15 works, as tests see it: `tests/compat/compat.py` runs an example of each feature, compares the answer with
PostgreSQL's and writes this page. What does not work is refused with SQLSTATE `0A000` and the message that stands here.
[SQL](sql.md) describes the statements, [types](types.md) the types, and [functions](functions.md) lists the functions.

"""


def features():
    """[(chapter, feature, [statement])] of features.txt: '# chapter', a line a feature, its statements indented."""
    chapter, out = None, []
    with open(FEATURES, encoding="utf-8") as f:
        for line in f.read().split("\n"):
            if line.startswith("# "):
                chapter = line[2:]
            elif line.startswith("    "):
                out[-1][2].append(line.strip())
            elif line:
                out.append((chapter, line, []))
    return out


def connect(host, port, database):
    c = psycopg2.connect(host=host, port=port, user="postgres", dbname=database, connect_timeout=10)
    c.autocommit = True
    return c


def answer_of(cursor):
    """The rows as text, as PostgreSQL writes them: psycopg2 is kept from making values of its own of them."""
    return [[None if v is None else str(v) for v in row] for row in cursor.fetchall()] \
        if cursor.description else None


def run_feature(host, port, number, statements):
    """(answer of the last statement, None) or (None, the error), in a database of its own."""
    with connect(host, port, "postgres").cursor() as admin:
        admin.execute("drop database if exists " + SCRATCH)
        admin.execute("create database " + SCRATCH)
    session = connect(host, port, SCRATCH)
    try:
        cursor, answer = session.cursor(), None
        for statement in statements:
            statement = re.sub("compat_role", "compat_role_%d" % number, statement)
            if statement.startswith("copy "):
                out = io.StringIO()
                cursor.copy_expert(statement, out)
                answer = [[out.getvalue()]]
            else:
                cursor.execute(statement)
                answer = answer_of(cursor)
        return answer, None
    except psycopg2.Error as e:
        return None, e
    finally:
        session.close()


def update(host, port):
    answers, failed = {}, 0
    for number, (_, feature, statements) in enumerate(features()):
        answer, error = run_feature(host, port, number, statements)
        if error is not None:
            print("%s: %s" % (feature, error))
            failed += 1
        answers[feature] = answer
    with open(ANSWERS, "w", encoding="utf-8") as f:
        json.dump(answers, f, ensure_ascii=False, indent=0)
        f.write("\n")
    print("%d answers, %d features that the reference lacks" % (len(answers), failed))
    return 0


def judge(feature, answer, error, wanted):
    """(a cell of the page, what is wrong or None)"""
    if error is None:
        right = answer == wanted
        return "works", None if right else "answers %s, PostgreSQL %s" % (answer, wanted)
    message = (error.diag.message_primary or str(error)).strip()
    if error.pgcode != REFUSED:
        return "", "fails with %s: %s" % (error.pgcode, message)
    if not error.diag.message_hint:
        return "", "is refused without a hint: " + message
    return "no: `%s`" % message.replace("|", "\\|"), None


def page_of(results):
    text, chapter = [HEAD.rstrip("\n"), ""], None
    for (group, feature, _), cell in results:
        if group != chapter:
            chapter = group
            text += ["## " + group, "", "| feature | |", "| --- | --- |"]
        text.append("| %s | %s |" % (feature.replace("|", "\\|"), cell))
    out, last = [], None
    for line in text:
        if line.startswith("## ") and last is not None:
            out.append("")
        out.append(line)
        last = line
    return "\n".join(out) + "\n"


def not_absent():
    """Names of absent.def that are there by now."""
    src = os.path.join(os.path.dirname(os.path.dirname(HERE)), "src")
    with open(os.path.join(src, "catalog/absent.def"), encoding="utf-8") as f:
        absent = re.findall(r'^([TF])\("([^"]+)"\)', f.read(), re.M)
    with open(os.path.join(src, "catalog/procs.def"), encoding="utf-8") as f:
        functions = set(re.findall(r'^X\(\d+, "([^"]+)"', f.read(), re.M))
    with open(os.path.join(src, "types/type.c"), encoding="utf-8") as f:
        types = set(re.findall(r'X\(\d+, "([^"]+)"', f.read()))
    out = ["%s is there: it has no place in absent.def" % name for kind, name in absent
           if name in (types if kind == "T" else functions)]
    for kind in "TF":
        names = [name for k, name in absent if k == kind]
        if names != sorted(names):
            out.append("absent.def is not sorted")
    return out


def check(heliosd, page, write):
    with open(ANSWERS, encoding="utf-8") as f:
        answers = json.load(f)
    wrong, results = not_absent(), []
    with Server(heliosd) as server:
        for number, one in enumerate(features()):
            answer, error = run_feature(server.host, server.port, number, one[2])
            cell, problem = judge(one[1], answer, error, answers[one[1]])
            if problem:
                wrong.append("%s: %s" % (one[1], problem))
            results.append((one, cell))
    text = page_of(results)
    if write:
        with open(page, "w", encoding="utf-8") as f:
            f.write(text)
    elif open(page, encoding="utf-8").read() != text:
        wrong.append("%s is out of date: run %s HELIOSD PAGE --write" % (page, __file__))
    print("\n".join(wrong))
    print("%d features: %d work, %d are refused; %d things are wrong" %
          (len(results), sum(c == "works" for _, c in results), sum(c.startswith("no") for _, c in results),
           len(wrong)))
    return 1 if wrong else 0


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "--update":
        return update(sys.argv[2], sys.argv[3])
    if len(sys.argv) not in (3, 4) or sys.argv[3:] not in ([], ["--write"]):
        sys.exit(__doc__)
    return check(sys.argv[1], sys.argv[2], bool(sys.argv[3:]))


if __name__ == "__main__":
    sys.exit(main())
