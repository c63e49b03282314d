#!/usr/bin/python3
"""How far the planner's row estimates are from what there is, on TPC-H's filters and joins.

usage: qerror.py DSN [--verbose] [--largest N]
The database holds TPC-H's tables, analysed (bench/tpch/load.sh); any server that speaks PostgreSQL's
protocol can be measured. Each query's tables and conditions are taken apart: every table with its
conditions, and every connected set of up to N tables, and the whole, is asked for twice: EXPLAIN for the
estimate, count(*) for what there is. The q-error is the larger of estimate / count and count / estimate,
both at least 1. Exit status 0 when the median is below 2 and 90 % are within a factor of 4.
"""
import argparse
import itertools
import json
import re
import statistics
import sys

import psycopg2

TABLES = {"l": "lineitem", "o": "orders", "c": "customer", "p": "part", "ps": "partsupp", "s": "supplier",
          "n": "nation", "r": "region"}

# query: aliases (a prefix, or prefix + number), conditions
QUERIES = {
    "q1": ("l", ["l_shipdate <= date '1998-09-02'"]),
    "q2": ("p s ps n r", ["p_partkey = ps_partkey", "s_suppkey = ps_suppkey", "p_size = 15",
                          "p_type like '%BRASS'", "s_nationkey = n_nationkey",
                          "n_regionkey = r_regionkey", "r_name = 'EUROPE'"]),
    "q3": ("c o l", ["c_mktsegment = 'BUILDING'", "c_custkey = o_custkey", "l_orderkey = o_orderkey",
                     "o_orderdate < date '1995-03-15'", "l_shipdate > date '1995-03-15'"]),
    "q4": ("o", ["o_orderdate >= date '1993-07-01'", "o_orderdate < date '1993-10-01'",
                 "exists (select * from lineitem where l_orderkey = o.o_orderkey"
                 " and l_commitdate < l_receiptdate)"]),
    "q5": ("c o l s n r", ["c_custkey = o_custkey", "l_orderkey = o_orderkey", "l_suppkey = s_suppkey",
                           "c_nationkey = s_nationkey", "s_nationkey = n_nationkey",
                           "n_regionkey = r_regionkey", "r_name = 'ASIA'",
                           "o_orderdate >= date '1994-01-01'", "o_orderdate < date '1995-01-01'"]),
    "q6": ("l", ["l_shipdate >= date '1994-01-01'", "l_shipdate < date '1995-01-01'",
                 "l_discount between 0.05 and 0.07", "l_quantity < 24"]),
    "q7": ("s l o c n1 n2", ["s_suppkey = l_suppkey", "o_orderkey = l_orderkey", "c_custkey = o_custkey",
                             "s_nationkey = n1.n_nationkey", "c_nationkey = n2.n_nationkey",
                             "((n1.n_name = 'FRANCE' and n2.n_name = 'GERMANY') or"
                             " (n1.n_name = 'GERMANY' and n2.n_name = 'FRANCE'))",
                             "l_shipdate between date '1995-01-01' and date '1996-12-31'"]),
    "q8": ("p s l o c n1 n2 r", ["p_partkey = l_partkey", "s_suppkey = l_suppkey", "l_orderkey = o_orderkey",
                                 "o_custkey = c_custkey", "c_nationkey = n1.n_nationkey",
                                 "n1.n_regionkey = r_regionkey", "r_name = 'AMERICA'",
                                 "s_nationkey = n2.n_nationkey",
                                 "o_orderdate between date '1995-01-01' and date '1996-12-31'",
                                 "p_type = 'ECONOMY ANODIZED STEEL'"]),
    "q9": ("p s l ps o n", ["s_suppkey = l_suppkey", "ps_suppkey = l_suppkey", "ps_partkey = l_partkey",
                            "p_partkey = l_partkey", "o_orderkey = l_orderkey",
                            "s_nationkey = n_nationkey", "p_name like '%green%'"]),
    "q10": ("c o l n", ["c_custkey = o_custkey", "l_orderkey = o_orderkey",
                        "o_orderdate >= date '1993-10-01'", "o_orderdate < date '1994-01-01'",
                        "l_returnflag = 'R'", "c_nationkey = n_nationkey"]),
    "q11": ("ps s n", ["ps_suppkey = s_suppkey", "s_nationkey = n_nationkey", "n_name = 'GERMANY'"]),
    "q12": ("o l", ["o_orderkey = l_orderkey", "l_shipmode in ('MAIL', 'SHIP')",
                    "l_commitdate < l_receiptdate", "l_shipdate < l_commitdate",
                    "l_receiptdate >= date '1994-01-01'", "l_receiptdate < date '1995-01-01'"]),
    "q13": ("o", ["o_comment not like '%special%requests%'"]),
    "q14": ("l p", ["l_partkey = p_partkey", "l_shipdate >= date '1995-09-01'",
                    "l_shipdate < date '1995-10-01'"]),
    "q15": ("l", ["l_shipdate >= date '1996-01-01'", "l_shipdate < date '1996-04-01'"]),
    "q16": ("ps p", ["p_partkey = ps_partkey", "p_brand <> 'Brand#45'",
                     "p_type not like 'MEDIUM POLISHED%'", "p_size in (49, 14, 23, 45, 19, 3, 36, 9)",
                     "ps_suppkey not in (select s_suppkey from supplier"
                     " where s_comment like '%Customer%Complaints%')"]),
    "q17": ("l p", ["p_partkey = l_partkey", "p_brand = 'Brand#23'", "p_container = 'MED BOX'"]),
    "q18": ("c o l", ["c_custkey = o_custkey", "o_orderkey = l_orderkey"]),
    "q19": ("l p", ["p_partkey = l_partkey", "l_shipmode in ('AIR', 'AIR REG')",
                    "l_shipinstruct = 'DELIVER IN PERSON'",
                    "((p_brand = 'Brand#12' and p_container in ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG')"
                    " and l_quantity between 1 and 11 and p_size between 1 and 5) or (p_brand = 'Brand#23'"
                    " and p_container in ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK')"
                    " and l_quantity between 10 and 20 and p_size between 1 and 10) or"
                    " (p_brand = 'Brand#34' and p_container in ('LG CASE', 'LG BOX', 'LG PACK', 'LG PKG')"
                    " and l_quantity between 20 and 30 and p_size between 1 and 15))"]),
    "q20": ("s n ps", ["s_nationkey = n_nationkey", "n_name = 'CANADA'", "s_suppkey = ps_suppkey",
                       "ps_partkey in (select p_partkey from part where p_name like 'forest%')"]),
    "q21": ("s l1 o n", ["s_suppkey = l1.l_suppkey", "o_orderkey = l1.l_orderkey", "o_orderstatus = 'F'",
                         "l1.l_receiptdate > l1.l_commitdate", "s_nationkey = n_nationkey",
                         "n_name = 'SAUDI ARABIA'"]),
    "q22": ("c", ["substring(c_phone from 1 for 2) in ('13', '31', '23', '29', '30', '18', '17')",
                  "c_acctbal > 0.00"]),
}


def aliases_of(condition, names):
    """Tables of the FROM list that a condition reads; its subqueries' own do not count."""
    outside = re.sub(r"\(select.*\)", lambda m: " ".join(re.findall(r"\b\w+\.\w+", m.group())), condition)
    found = set()
    for qualifier, prefix in re.findall(r"(?:\b(\w+)\.)?\b(ps|[locpsnr])_\w+", outside):
        found.add(qualifier or prefix)
    return found & set(names)


def connected(chosen, edges):
    reached, grew = {chosen[0]}, True
    while grew:
        grew = False
        for e in edges:
            if e <= set(chosen) and e & reached and not e <= reached:
                reached |= e
                grew = True
    return len(reached) == len(chosen)


def parts(names, conditions, largest):
    """Sets of tables, with the conditions that read them alone."""
    reads = [(aliases_of(c, names), c) for c in conditions]
    edges = [a for a, c in reads if len(a) > 1]
    for size in range(1, len(names) + 1):
        if largest < size < len(names):
            continue
        for chosen in itertools.combinations(names, size):
            if connected(chosen, edges):
                yield chosen, [c for a, c in reads if a <= set(chosen)]


def measure(cursor, chosen, conditions):
    tail = " from " + ", ".join("%s %s" % (TABLES[a.rstrip("12")], a) for a in chosen)
    tail += " where " + " and ".join(conditions) if conditions else ""
    cursor.execute("explain (format json) select 1" + tail)
    plan = cursor.fetchone()[0]
    plan = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    cursor.execute("select count(*)" + tail)
    return max(float(plan["Plan Rows"]), 1.0), max(float(cursor.fetchone()[0]), 1.0), tail


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("dsn")
    p.add_argument("--verbose", action="store_true", help="every part that is off by more than 2")
    p.add_argument("--largest", type=int, default=4, help="tables of a part that is not the whole query")
    a = p.parse_args()
    connection = psycopg2.connect(a.dsn)
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("set statement_timeout = '60s'")
    every, seen = [], set()
    print("%-6s %6s %8s %8s %8s" % ("query", "parts", "median", "90 %", "worst"))
    for query, (names, conditions) in QUERIES.items():
        errors = []
        for chosen, read in parts(names.split(), conditions, a.largest):
            if not read and len(chosen) == 1:
                continue  # a bare table
            estimate, count, tail = measure(cursor, chosen, read)
            if tail in seen:
                continue
            seen.add(tail)
            errors.append(max(estimate / count, count / estimate))
            if a.verbose and errors[-1] > 2:
                print("    %.0f estimated, %.0f there:%s" % (estimate, count, tail[:240]))
        every += errors
        if errors:
            print("%-6s %6d %8.2f %8.2f %8.2f" % (query, len(errors), statistics.median(errors),
                                                  percentile(errors, 0.9), max(errors)))
    within = sum(e <= 4 for e in every) / len(every)
    median = statistics.median(every)
    print("all    %6d %8.2f %8.2f %8.2f; within a factor of 4: %.0f %%" % (
        len(every), median, percentile(every, 0.9), max(every), within * 100))
    return 0 if median < 2 and within >= 0.9 else 1


if __name__ == "__main__":
    sys.exit(main())
