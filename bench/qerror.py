#!/usr/bin/python3
"""How far the planner's row estimates are from what came: EXPLAIN ANALYZE of the TPC-H queries.

usage: qerror.py DSN [--queries DIR] [--verbose]
The database holds TPC-H's tables, analysed (bench/tpch/load.sh). The q-error of a node is the larger of
estimate / actual and actual / estimate, both at least 1, per loop. Exit status 0 when the median over all
scans and joins is below --median.
"""
import argparse
import glob
import json
import os
import re
import statistics
import sys
import time

import psycopg2


def nodes(plan, depth=0):
    yield plan, depth
    for child in plan.get("Plans", []):
        yield from nodes(child, depth + 1)


def q_error(node):
    estimate = max(float(node["Plan Rows"]), 1.0)
    actual = max(float(node["Actual Rows"]), 1.0)
    return max(estimate / actual, actual / estimate)


def is_measured(node):
    kind = node["Node Type"]
    return "Scan" in kind or "Join" in kind or kind == "Nested Loop"


def limited(plan, below=False):
    """Nodes that a LIMIT may stop early: their counts say nothing."""
    found = set()
    kind = plan["Node Type"]
    if below:
        found.add(id(plan))
    reads_all = "Sort" in kind or "Aggregate" in kind
    for child in plan.get("Plans", []):
        found |= limited(child, not reads_all and (below or kind == "Limit"))
    return found


def explain(cursor, text):
    for statement in (s.strip() for s in text.split(";")):
        if re.match(r"(?is)\s*(--[^\n]*\n\s*)*(select|with)\b", statement):
            cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) " + statement)
            rows = cursor.fetchone()[0]
            return (json.loads(rows) if isinstance(rows, str) else rows)[0]["Plan"]
    raise SystemExit("no SELECT in the file")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("dsn")
    p.add_argument("--queries", default=os.path.join(here, "tpch", "queries"))
    p.add_argument("--median", type=float, default=2.0)
    p.add_argument("--verbose", action="store_true", help="every node")
    a = p.parse_args()
    connection = psycopg2.connect(a.dsn)
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("SET statement_timeout = '60s'")
    every, failed = [], []
    files = sorted(glob.glob(os.path.join(a.queries, "q*.sql")),
                   key=lambda f: int(re.findall(r"\d+", os.path.basename(f))[0]))
    print("%-6s %6s %8s %8s %9s" % ("query", "nodes", "median", "worst", "seconds"))
    for path in files:
        name = os.path.basename(path)[:-4]
        began = time.monotonic()
        try:
            plan = explain(cursor, open(path).read())
        except psycopg2.Error as error:
            failed.append(name)
            print("%-6s %s" % (name, str(error).splitlines()[0]))
            continue
        seconds = time.monotonic() - began
        stopped = limited(plan)
        errors = []
        for node, depth in nodes(plan):
            if a.verbose:
                print("  " + "  " * depth + "%s %s: %.0f estimated, %.0f came, %.2f" % (
                    node["Node Type"], node.get("Alias", ""), node["Plan Rows"],
                    node["Actual Rows"], q_error(node)))
            if is_measured(node) and id(node) not in stopped and node.get("Actual Loops", 1) > 0:
                errors.append(q_error(node))
        every += errors
        if errors:
            print("%-6s %6d %8.2f %8.2f %9.2f" % (
                name, len(errors), statistics.median(errors), max(errors), seconds))
    if not every:
        return 1
    within = sum(e <= 4 for e in every)
    median = statistics.median(every)
    print("all    %6d %8.2f %8.2f; within a factor of 4: %d of %d" % (
        len(every), median, max(every), within, len(every)))
    return 0 if median < a.median and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
