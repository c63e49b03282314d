"""Random queries whose answer is one: what SQL leaves open (order, ties, which of equal rows) is closed
by ordering by everything in scope wherever it could show."""
from expression import Expressions, Scope
from node import Node, listed, optional
from schema import COMMON, literal

FRAME_ENDS = ["unbounded preceding", "2 preceding", "1 preceding", "current row", "1 following", "3 following",
              "unbounded following"]


class Queries(Expressions):
    def __init__(self, r, tables):
        self.r, self.tables = r, tables
        self.names = 0
        self.query_depth = 2
        self.ctes = []

    def name(self, stem):
        self.names += 1
        return "%s%d" % (stem, self.names)

    # the FROM clause

    def table_item(self, outer, lateral=None):
        """One item: its node and its columns."""
        r = self.r
        dice = r.random()
        alias = self.name("a")
        if self.ctes and dice < .25:
            name, kinds = r.choice(self.ctes)
            return Node("from", "%s %s" % (name, alias)), [("%s.%s" % (alias, c), k) for c, k in kinds]
        if dice < .78 or self.query_depth <= 0:
            t = r.choice(self.tables)
            return Node("from", "%s %s" % (t.name, alias)), [("%s.%s" % (alias, c.name), c.type) for c in t.columns]
        if dice < .84:
            kinds = [r.choice(COMMON) for _ in range(r.randint(1, 3))]
            rows = ["(%s)" % ", ".join(literal(r, k) if r.random() < .9 else "null::%s" % k for k in kinds)
                    for _ in range(r.randint(1, 5))]
            names = ["v%d" % i for i in range(len(kinds))]
            return (Node("from", "(values ", listed([Node("row", x) for x in rows]), ") %s(%s)" % (
                alias, ", ".join(names))), [("%s.%s" % (alias, n), k) for n, k in zip(names, kinds)])
        if dice < .9:
            inner = Scope(lateral, outer) if lateral and r.random() < .5 else Scope([], outer)
            low, high = self.leaf("int", inner), self.leaf("int", Scope([]))
            return (Node("from", "generate_series(", Node("int", "(", low, " % 9)", small=("1",)), ", ",
                         Node("int", "(", high, " % 12)", small=("3",)), ") %s(n)" % alias), [("%s.n" % alias, "int")])
        kinds = [r.choice(COMMON) for _ in range(r.randint(1, 4))]
        around = outer
        word = ""
        if lateral and r.random() < .45:
            around, word = Scope(lateral, outer), "lateral "
        node, _ = self.query(kinds, around, lower=True)
        names = ["x%d" % i for i in range(len(kinds))]
        return (Node("from", word, "(", node, ") %s(%s)" % (alias, ", ".join(names))),
                [("%s.%s" % (alias, n), k) for n, k in zip(names, kinds)])

    def join_condition(self, left, right, outer, plain=False):
        r = self.r
        parts = []
        for _ in range(r.choice([1, 1, 1, 2])):
            kind = r.choice(["int", "int", "int", "text", "bigint", "date", "numeric"])
            a, b = self.column(left, kind), self.column(right, kind)
            if not a or not b:
                kind = "int"
                a, b = self.column(left, kind), self.column(right, kind)
            if a and b:
                parts.append(Node("bool", "(%s = %s)" % (a, b), small=("true",)))
        if not parts:
            return Node("bool", "true") if plain else self.condition(Scope(left + right, outer), 1)
        if not plain and r.random() < .35:
            parts.append(self.condition(Scope(left + right, outer), 1))
        return Node("bool", listed(parts, " and "))

    def column(self, columns, kind):
        found = [t for t, k in columns if k == kind]
        return self.r.choice(found) if found else None

    def from_clause(self, outer, seen=None):
        """The node after FROM and the columns that it makes. `seen`: this is a part of a FROM, and may read these
        columns beside it."""
        r = self.r
        node, columns = self.table_item(outer, seen)
        counts = [0, 0, 1, 1, 1, 2, 2, 3] if seen is None else [1, 1, 2]
        for _ in range(r.choice(counts)):
            word = r.choice(["join", "join", "left join", "left join", "right join", "full join", "cross join", ","])
            if word == "," and seen is not None:
                word = "left join"
            can_see = list(seen or [])
            if word in ("join", "left join", "cross join", ","):
                can_see += columns
            if seen is None and len(columns) < 20 and r.random() < .1:
                item, more = self.from_clause(outer, can_see)
                item = Node("from", "(", item, ")")
            else:
                item, more = self.table_item(outer, can_see)
            if word in ("cross join", ","):
                if r.random() < .6:
                    word = "join"
            small = [s for s in (str(node),) if len(s) < 100]
            if word == ",":
                node = Node("from", node, " cross join " if r.random() < .5 else ", ", item)
                columns = columns + more
                if node.parts[1] == ", ":
                    return self.comma(node, columns, outer)
                continue
            if word == "cross join":
                node = Node("from", node, " cross join ", item)
            else:
                on = self.join_condition(columns, more, outer, plain=word == "full join")
                node = Node("from", node, " %s " % word, item, " on ", on, small=small)
            columns = columns + more
        return node, columns

    def comma(self, node, columns, outer):
        """A list ends the chain of joins: what follows would bind closer than the comma."""
        if self.r.random() < .5:
            make = self.table_item if self.r.random() < .5 else self.from_clause
            item, more = make(outer, columns)
            return Node("from", node, ", ", item), columns + more
        return node, columns

    # one SELECT

    def aggregate(self, kind, scope, depth):
        """A call that gives `kind` over the rows of scope, or None."""
        r = self.r
        self.query_depth, kept = 0, self.query_depth
        if r.random() < .95:  # else perhaps an aggregate of an enclosing query
            scope = Scope(scope.columns)
        e = lambda k: self.expr(k, scope, min(depth - 1, 1))  # noqa: E731
        distinct = r.choice(["", "", "", "distinct "])
        choice = {
            "bigint": [("count(*)",), ("count(", distinct, e(r.choice(COMMON)), ")"), ("sum(", distinct, e("int"), ")"),
                       ("count(*)",)],
            "int": [("max(", e("int"), ")"), ("min(", e("int"), ")"), ("bit_or(", e("int"), ")"),
                    ("percentile_disc(0.5) within group (order by ", e("int"), ")"),
                    ("mode() within group (order by ", e("int"), ")")],
            "numeric": [("sum(", distinct, e("numeric"), ")"), ("avg(", distinct, e("int"), ")"),
                        ("max(", e("numeric"), ")"), ("sum(", e("bigint"), ")"), ("avg(", e("numeric"), ")"),
                        ("round(stddev(", e("int"), "), 6)"), ("round(var_pop(", e("numeric"), "), 6)")],
            "float": [("sum(", distinct, self.leaf("float", scope), ")"), ("max(", e("float"), ")"),
                      ("avg(", self.leaf("float", scope), ")"),
                      ("percentile_cont(0.25) within group (order by ", self.leaf("float", scope), ")")],
            "text": [("max(", e("text"), ")"), ("min(", e("text"), ")"), self.string_agg(scope, distinct)],
            "bool": [("bool_and(", e("bool"), ")"), ("bool_or(", e("bool"), ")"), ("every(", e("bool"), ")")],
            "int[]": [self.array_agg(scope)],
        }.get(kind)
        self.query_depth = kept
        if not choice:
            choice = [(r.choice(["max(", "min("]), self.leaf(kind, scope), ")")]
            if kind in ("uuid", "bytea"):
                return None
        parts = r.choice(choice)
        if r.random() < .2 and not parts[0].startswith("round"):
            self.query_depth = 0
            parts = (*parts, optional(" filter (where ", self.condition(scope, 1), ")"))
            self.query_depth = kept
        return Node(kind, *parts)

    def string_agg(self, scope, distinct):
        text = self.leaf("text", scope)
        word = "%s::text" % text
        return ("string_agg(%s%s, ',' order by %s)" % (distinct, word, word),)

    def array_agg(self, scope):
        text = str(self.leaf("int", scope))
        return ("array_agg(%s order by %s%s)" % (text, text, self.r.choice(["", " desc", " nulls first"])),)

    def window(self, kind, scope, depth):
        r = self.r
        kept, self.query_depth = self.query_depth, 0
        inner = Scope(scope.columns, scope.outer)
        part, keys = self.window_part(inner)
        total = r.sample(scope.columns, len(scope.columns))
        order = ", ".join(c + r.choice(["", "", " desc", " nulls first"]) for c, _ in total)
        frame = optional(self.frame(keys)) if r.random() < .6 else ""
        if kind == "bigint":
            f = r.choice([("row_number()",), ("rank()",), ("dense_rank()",), ("count(*)",), ("sum(", self.leaf("int", inner), ")"),
                          ("count(", self.leaf(r.choice(COMMON), inner), ")")])
        elif kind == "float":
            f = r.choice([("percent_rank()",), ("cume_dist()",), ("sum(", self.leaf("float", inner), ")"),
                          ("avg(", self.leaf("float", inner), ")")])
        elif kind == "numeric":
            f = r.choice([("avg(", self.leaf("int", inner), ")"), ("sum(", self.leaf("numeric", inner), ")")])
        else:
            e = self.expr(kind, inner, 1)
            f = r.choice([("first_value(", e, ")"), ("last_value(", e, ")"), ("lag(", e, ")"), ("lead(", e, ", 2)"),
                          ("nth_value(", e, ", 2)"), ("max(", e, ")") if kind in ("int", "text", "date", "timestamp")
                          else ("lag(", e, ", 1)")])
            if kind == "int" and r.random() < .2:
                f = ("ntile(3)",)
        if any(w in str(f[0]) for w in ("count", "sum", "avg", "max")) and r.random() < .2:
            f = (*f, optional(" filter (where ", self.condition(inner, 0), ")"))
        by = order
        if keys and ("rank" in f[0] or "cume" in f[0] or r.random() < .4 and any(
                w in f[0] for w in ("count", "sum", "avg", "max"))):
            by = keys  # peers: such functions look at all of them
            if "rows" in str(frame):
                frame = ""
        elif "range" in str(frame) or "groups" in str(frame):
            frame = "" if "range" in str(frame) else frame
        self.query_depth = kept
        return Node(kind, *f, " over (", part, " order by %s" % by, frame, ")")

    def one_window(self, scope):
        """One call a SELECT: which of two equal rows comes first is open, and two could tell them apart."""
        made = []

        def calls(kind, depth):
            if made:
                return None
            made.append(True)
            return self.window(kind, scope, depth)
        return calls

    def window_part(self, scope):
        """PARTITION BY or nothing, and one key for frames that look at peers."""
        r = self.r
        part = ""
        if scope.columns and r.random() < .6:
            part = optional("partition by ", Node("any", r.choice(scope.columns)[0]))
        found = [t for t, k in scope.columns if k in ("int", "bigint", "numeric")]
        key = r.choice(found) + r.choice(["", " desc"]) if found else None
        return part, key

    def frame(self, key):
        r = self.r
        mode = r.choice(["rows", "rows", "range", "groups"])
        a, b = sorted(r.sample(range(len(FRAME_ENDS)), 2))
        if a == len(FRAME_ENDS) - 1:
            a = 0
        if r.random() < .3 and a < 4:
            text = " %s %s" % (mode, FRAME_ENDS[a] if a <= 3 else FRAME_ENDS[3])
        else:
            if b == 0:
                b = 3
            if a == 6:
                a = 3
            text = " %s between %s and %s" % (mode, FRAME_ENDS[a], FRAME_ENDS[b])
        return text + r.choice(["", "", "", " exclude current row", " exclude group", " exclude ties"])

    def plain_select(self, kinds, outer):
        r = self.r
        node, columns = self.from_clause(outer)
        scope = Scope(columns, outer)
        calls = None
        if len(columns) <= 14 and r.random() < .12:
            calls = self.one_window(scope)
        out = Scope(columns, outer, calls)
        items = [self.expr(k, out, 2) for k in kinds]
        where = optional(" where ", self.condition(scope, 2)) if r.random() < .65 else ""
        distinct = optional("distinct ") if r.random() < .12 else ""
        return Node("select", "select ", distinct, self.targets(items), " from ", node, where)

    def targets(self, items):
        parts = []
        for i, n in enumerate(items):
            parts += [", " if i else "", n]
        return Node("targets", *parts)

    def grouped_select(self, kinds, outer):
        r = self.r
        node, columns = self.from_clause(outer)
        scope = Scope(columns, outer)
        where = optional(" where ", self.condition(scope, 2)) if r.random() < .5 else ""
        keys = []
        pool = [(t, k) for t, k in columns if k not in ("char(4)",)]
        for _ in range(r.choice([0, 1, 1, 2, 2, 3])):
            if pool and r.random() < .8:
                keys.append(r.choice(pool))
            else:
                kept, self.query_depth = self.query_depth, 0
                kind = r.choice(COMMON)
                key = str(self.call_or_case(kind, scope))
                # PostgreSQL 15 forgets to set constant keys to NULL in grouping sets.
                if any(t in key for t, _ in columns):
                    keys.append((key, kind))
                self.query_depth = kept
        over = Scope(keys, outer)
        over.calls = lambda k, d: self.aggregate(k, scope, d)
        items = [self.expr(k, over, 2) for k in kinds]
        group = ""
        if keys:
            texts = ["(%s)" % t for t, _ in keys]
            dice = r.random()
            if dice < .75:
                group = " group by " + ", ".join(texts)
            elif dice < .83:
                group = " group by rollup (%s)" % ", ".join(texts)
            elif dice < .9:
                group = " group by cube (%s)" % ", ".join(texts)
            else:
                sets = ["()"] + ["(%s)" % ", ".join(r.sample(texts, r.randint(1, len(texts)))) for _ in range(2)]
                sets.append("(%s)" % ", ".join(texts))
                group = " group by grouping sets (%s)" % ", ".join(r.sample(sets, len(sets)))
        having = ""
        if r.random() < .25:
            having = optional(" having ", self.condition(over, 1))
        elif not keys and not any("(" in str(i) for i in items):
            having = " having count(*) >= 0"
        if not keys:
            having = having or " having true"
        return Node("select", "select ", self.targets(items), " from ", node, where, group, having)

    def plain_aggregate(self, kind, scope):
        """An aggregate of a column: such as can be worked out before a join as well as after it."""
        r = self.r
        leaf = lambda k: self.leaf(k, scope)  # noqa: E731
        distinct = r.choice(["", "", "", "", "distinct "])
        choice = {
            "bigint": [("count(*)",), ("count(*)",), ("count(", distinct, leaf(r.choice(COMMON)), ")"),
                       ("sum(", distinct, leaf("int"), ")")],
            "numeric": [("sum(", leaf("numeric"), ")"), ("avg(", leaf("int"), ")"), ("avg(", leaf("numeric"), ")"),
                        ("sum(", leaf("bigint"), ")"), ("avg(", leaf("bigint"), ")"),
                        ("sum(", leaf("numeric"), " * (1 - ", leaf("numeric"), "))")],
            "bool": [("bool_and(", leaf("bool"), ")"), ("bool_or(", leaf("bool"), ")")],
            "int": [("bit_and(", leaf("int"), ")"), ("max(", leaf("int"), ")"), ("min(", leaf("int"), ")")],
        }.get(kind) or [(r.choice(["min(", "max("]), leaf(kind), ")")]
        parts = r.choice(choice)
        if r.random() < .2:
            parts = (*parts, optional(" filter (where ", self.condition(scope, 0), ")"))
        return Node(kind, *parts)

    def star_select(self, kinds, outer):
        """Tables joined by equal columns, grouped by columns, with plain aggregates."""
        r = self.r
        kept, self.query_depth = self.query_depth, 0
        node, columns = self.table_item(outer)
        for _ in range(r.choice([1, 1, 1, 2])):
            item, more = self.table_item(outer)
            word = r.choice(["join", "join", "join", "left join", "left join", "right join", "full join"])
            on = self.join_condition(columns, more, outer, plain=True)
            node, columns = Node("from", node, " %s " % word, item, " on ", on), columns + more
        scope = Scope(columns)
        where = optional(" where ", self.condition(scope, 1)) if r.random() < .4 else ""
        pool = [(t, k) for t, k in columns if k in COMMON]
        keys = r.sample(pool, min(len(pool), r.choice([0, 1, 1, 2, 3])))
        over = Scope(keys)
        over.calls = lambda k, d: self.plain_aggregate(k, scope)
        items = []
        for k in kinds:
            found = [t for t, t_kind in keys if t_kind == k]
            if found and r.random() < .5:
                items.append(Node(k, r.choice(found)))
            else:
                items.append(self.plain_aggregate(k, scope) if r.random() < .8 else self.expr(k, over, 1))
        group = " group by " + ", ".join(t for t, _ in keys) if keys else ""
        having = optional(" having ", self.condition(over, 1)) if r.random() < .2 else ""
        if not keys:
            having = having or " having true"
        self.query_depth = kept
        return Node("select", "select ", self.targets(items), " from ", node, where, group, having)

    def call_or_case(self, kind, scope):
        from expression import BY_RESULT
        if self.r.random() < .3 or kind not in BY_RESULT:
            return self.case(kind, scope, 1)
        return self.call(self.r.choice(BY_RESULT[kind]), scope, 1)

    def distinct_on(self, kinds, outer):
        node, columns = self.from_clause(outer)
        scope = Scope(columns, outer)
        items = [self.leaf(k, scope) for k in kinds]
        n = self.r.randint(1, len(kinds))
        first = ", ".join(str(i + 1) for i in range(n))
        where = optional(" where ", self.condition(scope, 2)) if self.r.random() < .5 else ""
        every = ", ".join(str(i + 1) + self.r.choice(["", " desc", " nulls first"]) for i in range(len(kinds)))
        on = ", ".join("(%s)" % items[i] for i in range(n))
        del first
        inner = Node("select", "select distinct on (%s) " % on, self.targets(items), " from ", node, where,
                     " order by ", every)
        return Node("select", "(", inner, ")")

    # whole queries

    def select(self, kinds, outer, lower):
        r = self.r
        dice = r.random()
        if dice < .14:
            return self.set_operation(kinds, outer, lower)
        if dice < .22:
            return self.star_select(kinds, outer)
        if dice < .45:
            return self.grouped_select(kinds, outer)
        if dice < .48:
            return self.distinct_on(kinds, outer)
        return self.plain_select(kinds, outer)

    def set_operation(self, kinds, outer, lower):
        r = self.r
        arms = [self.select(kinds, outer, True) for _ in range(r.choice([2, 2, 3]))]
        node = arms[0]
        for arm in arms[1:]:
            word = r.choice(["union", "union all", "union all", "intersect", "except", "intersect all", "except all"])
            node = Node("select", "(", node, " %s " % word, arm, ")")
        return node

    def query(self, kinds, outer, lower=False):
        """A query of these types. Returns its node, and whether its order is complete."""
        r = self.r
        self.query_depth -= 1
        kept = list(self.ctes)
        clause = ""
        if outer is None and r.random() < .22:
            clause = self.with_clause()
        node = self.select(kinds, outer, lower)
        self.ctes = kept
        self.query_depth += 1
        ordered = not lower and r.random() < .5 or lower and r.random() < .15
        tail = ""
        if ordered:
            by = ", ".join(str(i + 1) + r.choice(["", " desc", " nulls first", " desc nulls last"])
                           for i in range(len(kinds)))
            limit = ""
            if r.random() < (.35 if not lower else .8):
                limit = optional(r.choice([" limit %d", " limit %d offset 2", " fetch first %d rows with ties"])
                                 % r.choice([0, 1, 3, 10]))
            inner = Node("select", clause, "select * from (", node, ") z", " order by ", by, limit)
            return inner, True
        return Node("select", clause, node, tail), False

    def with_clause(self):
        r = self.r
        items = []
        recursive = ""
        for _ in range(r.choice([1, 1, 2])):
            name = self.name("w")
            if r.random() < .12:
                recursive = "recursive "
                t, word = r.choice(self.tables).name, r.choice(["join", "join", "left join"])
                items.append(Node("cte", "%s(n, m) as (select 0, k from %s union %s select n + 1, %s.k from %s %s %s"
                                  " on %s.id = m where n < %d)" % (name, t, r.choice(["all", ""]), t, name, word, t, t,
                                                                r.randint(1, 4))))
                self.ctes.append((name, [("n", "int"), ("m", "int")]))
                continue
            if r.random() < .25:
                recursive = "recursive "
                items.append(Node("cte", "%s(n, m) as (select 1, 0 union %s select n + 1, (m * 3 + n) %% 7 from %s"
                                  " where n < %d)" % (name, r.choice(["all", ""]), name, r.randint(1, 9))))
                self.ctes.append((name, [("n", "int"), ("m", "int")]))
                continue
            kinds = [r.choice(COMMON) for _ in range(r.randint(1, 4))]
            node, _ = self.query(kinds, Scope([]), lower=True)
            names = ["q%d" % i for i in range(len(kinds))]
            how = r.choice(["", "", "materialized ", "not materialized "])
            items.append(Node("cte", "%s(%s) as %s(" % (name, ", ".join(names), how), node, ")"))
            self.ctes.append((name, list(zip(names, kinds))))
        return Node("with", "with ", recursive, listed(items), " ")

    def subquery(self, scope, kinds):
        """A query for IN, ANY or EXISTS."""
        if kinds is None:
            kinds = ["int"]
        node, _ = self.query(kinds, scope, lower=True)
        return node

    def scalar_subquery(self, kind, scope):
        """One row at most: an aggregate without GROUP BY, or the first of an order."""
        self.query_depth -= 1
        node, columns = self.from_clause(scope)
        inner = Scope(columns, scope)
        where = optional(" where ", self.condition(inner, 1)) if self.r.random() < .8 else ""
        call = self.aggregate(kind, inner, 2) if self.r.random() < .7 else None
        if call is not None:
            out = Node("select", "select ", call, " from ", node, where)
        else:
            out = Node("select", "select ", self.expr(kind, inner, 1), " from ", node, where,
                       " order by 1 limit 1")
        self.query_depth += 1
        return Node(kind, "(", out, ")", small=("null::%s" % kind,))

    def top(self):
        """A statement: its node and whether its rows come in an order that is complete."""
        self.names, self.ctes = 0, []
        self.query_depth = self.r.choice([0, 1, 2, 2, 3])
        kinds = [self.r.choice(COMMON) for _ in range(self.r.randint(1, 5))]
        return self.query(kinds, None)
