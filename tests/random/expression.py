"""Random expressions of a wanted type over the columns in scope.

Expressions are written so that they seldom fail (divisors are never zero, numbers stay small): which of
two errors, or whether one, is met first is nobody's promise, and such statements say little."""
from node import Node
from schema import COMMON, TYPES, literal

# result, text, argument types
FUNCTIONS = [
    ("int", "abs({0})", ["int"]), ("int", "length({0})", ["text"]), ("int", "({0} % 7)", ["int"]),
    ("int", "({0} / nullif({1}, 0))", ["int", "int"]), ("int", "({0} + {1})", ["int", "int"]),
    ("int", "({0} - {1})", ["int", "int"]), ("int", "(-{0})", ["int"]),
    ("int", "(({0} % 100) * ({1} % 100))", ["int", "int"]),
    ("int", "coalesce({0}, {1})", ["int", "int"]), ("int", "greatest({0}, {1})", ["int", "int"]),
    ("int", "least({0}, {1})", ["int", "int"]), ("int", "({0} - {1})", ["date", "date"]),
    ("int", "extract(year from {0})::int", ["date"]), ("int", "extract(dow from {0})::int", ["timestamp"]),
    ("int", "position({0} in {1})", ["text", "text"]), ("int", "ascii({0})", ["text"]),
    ("int", "({0} & {1})", ["int", "int"]), ("int", "({0} | {1})", ["int", "int"]),
    ("int", "sign({0})::int", ["numeric"]), ("int", "coalesce(cardinality({0}), 0)", ["int[]"]),
    ("int", "(({0})[1])", ["int[]"]), ("int", "({0})::int", ["bool"]), ("int", "({0})::int", ["smallint"]),
    ("bigint", "({0})::bigint", ["int"]), ("bigint", "({0} + {1})", ["bigint", "int"]),
    ("bigint", "abs({0})", ["bigint"]), ("bigint", "({0} / nullif({1}, 0))", ["bigint", "bigint"]),
    ("bigint", "mod({0}, 11::bigint)", ["bigint"]), ("bigint", "coalesce({0}, {1})", ["bigint", "int"]),
    ("bigint", "nullif({0}, {1})", ["bigint", "bigint"]),
    ("numeric", "({0} + {1})", ["numeric", "numeric"]), ("numeric", "({0} - {1})", ["numeric", "int"]),
    ("numeric", "(({0} % 100) * {1})", ["numeric", "int"]), ("numeric", "round({0}, 1)", ["numeric"]),
    ("numeric", "({0} / nullif({1}, 0))", ["numeric", "numeric"]), ("numeric", "trunc({0})", ["numeric"]),
    ("numeric", "ceil({0})", ["numeric"]), ("numeric", "floor({0})", ["numeric"]),
    ("numeric", "({0})::numeric", ["int"]), ("numeric", "abs({0})", ["numeric"]),
    ("numeric", "({0})::numeric(12,3)", ["numeric"]), ("numeric", "extract(month from {0})", ["date"]),
    ("numeric", "greatest({0}, {1})", ["numeric", "numeric"]), ("numeric", "({0})::numeric", ["float"]),
    ("float", "({0} + {1})", ["float", "float"]), ("float", "({0} - {1})", ["float", "int"]),
    ("float", "abs({0})", ["float"]), ("float", "floor({0})", ["float"]), ("float", "({0})::float", ["int"]),
    ("float", "round({0})", ["float"]), ("float", "coalesce({0}, {1})", ["float", "float"]),
    ("float", "sqrt(abs({0}))", ["float"]), ("float", "({0})::float8", ["real"]),
    ("text", "({0} || {1})", ["text", "text"]), ("text", "upper({0})", ["text"]), ("text", "lower({0})", ["text"]),
    ("text", "substr({0}, 2)", ["text"]), ("text", "substring({0} from 1 for 2)", ["text"]),
    ("text", "coalesce({0}, {1})", ["text", "text"]), ("text", "trim({0})", ["text"]),
    ("text", "replace({0}, 'a', {1})", ["text", "text"]), ("text", "left({0}, {1} % 5)", ["text", "int"]),
    ("text", "right({0}, 2)", ["text"]), ("text", "reverse({0})", ["text"]), ("text", "md5({0})", ["text"]),
    ("text", "lpad({0}, 5, 'xy')", ["text"]), ("text", "repeat({0}, {1} % 4)", ["text", "int"]),
    ("text", "({0})::text", ["int"]), ("text", "({0})::text", ["bool"]), ("text", "({0})::text", ["date"]),
    ("text", "({0})::text", ["timestamp"]), ("text", "concat({0}, {1}, {2})", ["text", "int", "bool"]),
    ("text", "concat_ws('-', {0}, {1})", ["text", "text"]), ("text", "to_char({0}, 'YYYY-MM Dy')", ["date"]),
    ("text", "split_part({0}, 'b', 1)", ["text"]), ("text", "initcap({0})", ["text"]),
    ("text", "greatest({0}, {1})", ["text", "text"]), ("text", "nullif({0}, {1})", ["text", "text"]),
    ("text", "({0})::text", ["uuid"]), ("text", "encode({0}, 'hex')", ["bytea"]),
    ("text", "({0})::text", ["interval"]), ("text", "({0})::varchar(2)", ["text"]),
    ("text", "({0})::char(3)", ["text"]), ("text", "translate({0}, 'ab', 'b')", ["text"]),
    ("text", "array_to_string({0}, ',', '*')", ["int[]"]), ("text", "to_char({0}, '999D99')", ["numeric"]),
    ("date", "({0} + ({1} % 1000))", ["date", "int"]), ("date", "({0})::date", ["timestamp"]),
    ("date", "greatest({0}, {1})", ["date", "date"]), ("date", "coalesce({0}, {1})", ["date", "date"]),
    ("timestamp", "date_trunc('month', {0})", ["timestamp"]), ("timestamp", "({0})::timestamp", ["date"]),
    ("timestamp", "({0} + {1})", ["timestamp", "interval"]), ("timestamp", "({0} - {1})", ["date", "interval"]),
    ("timestamp", "({0} at time zone 'UTC')", ["timestamptz"]),
    ("interval", "({0} - {1})", ["timestamp", "timestamp"]), ("interval", "({0} * 2)", ["interval"]),
    ("interval", "age({0}, {1})", ["timestamp", "timestamp"]), ("interval", "justify_hours({0})", ["interval"]),
    ("timestamptz", "({0} at time zone 'Asia/Tokyo')", ["timestamp"]), ("time", "({0})::time", ["timestamp"]),
    ("smallint", "(({0} % 100)::smallint)", ["int"]), ("real", "({0})::real", ["int"]),
    ("int[]", "array[{0}, {1}]", ["int", "int"]), ("int[]", "({0} || {1})", ["int[]", "int"]),
    ("int[]", "array_remove({0}, {1})", ["int[]", "int"]), ("bytea", "({0} || {1})", ["bytea", "bytea"]),
    ("bool", "({0} like {1})", ["text", "text"]), ("bool", "({0} ilike '%b%')", ["text"]),
    ("bool", "({0} like 'a%')", ["text"]), ("bool", "({0} not like '_b%')", ["text"]),
    ("bool", "({0} ~ '^[a-c]')", ["text"]), ("bool", "starts_with({0}, {1})", ["text", "text"]),
    ("bool", "(({0}, {1}) < ({2}, {3}))", ["int", "text", "int", "text"]),
    ("bool", "(({0}, {1}) = ({2}, {3}))", ["int", "int", "int", "int"]),
    ("bool", "({0} = any ({1}))", ["int", "int[]"]), ("bool", "({0} <> all ({1}))", ["int", "int[]"]),
    ("bool", "({0} @> {1})", ["int[]", "int[]"]), ("bool", "({0} && {1})", ["int[]", "int[]"]),
    ("bool", "(({0}, {1}) overlaps ({2}, {3}))", ["timestamp", "timestamp", "timestamp", "timestamp"]),
]
BY_RESULT = {}
for f in FUNCTIONS:
    BY_RESULT.setdefault(f[0], []).append(f)

FITS = {  # what columns may stand for a wanted type
    "int": ("int", "smallint"), "bigint": ("bigint",), "numeric": ("numeric",), "float": ("float",),
    "text": ("text", "varchar(10)", "char(4)"),
}
SMALL = {"int": "1", "bigint": "1::bigint", "numeric": "1.00", "float": "1::float8", "text": "'a'", "bool": "true",
         "date": "'2000-01-01'::date"}


class Scope:
    """Columns as (text, type); `outer` is the query around; `calls` makes aggregates or windows."""

    def __init__(self, columns, outer=None, calls=None):
        self.columns, self.outer, self.calls = list(columns), outer, calls


def fits(kind):
    return FITS.get(kind, (kind,))


class Expressions:
    """Mixed into the generator, which has `r`, `query_depth` and subquery()."""

    def leaf(self, kind, scope):
        r = self.r
        found = [t for t, k in scope.columns if k in fits(kind)]
        if scope.outer and r.random() < (.15 if found else .3):
            far, at = [], scope.outer
            while at:
                far += [t for t, k in at.columns if k in fits(kind)]
                at = at.outer
            found = far or found
        if found and r.random() < .85:
            return Node(kind, r.choice(found))
        if r.random() < .06:
            return Node(kind, "null::%s" % kind)
        return Node(kind, literal(r, kind))

    def expr(self, kind, scope, depth):
        """A node of that type."""
        r = self.r
        if scope.calls and r.random() < .5:
            call = scope.calls(kind, depth)
            if call:
                return call
        if depth <= 0 or r.random() < .3:
            return self.leaf(kind, scope) if kind != "bool" or depth <= 0 else self.condition(scope, 0)
        if kind == "bool":
            return self.condition(scope, depth)
        dice = r.random()
        if dice < .12:
            return self.case(kind, scope, depth)
        if dice < .18 and self.query_depth > 0 and not scope.calls and kind in COMMON:
            return self.scalar_subquery(kind, scope)
        if kind not in BY_RESULT:
            return self.leaf(kind, scope)
        return self.call(r.choice(BY_RESULT[kind]), scope, depth)

    def call(self, function, scope, depth):
        result, text, args = function
        parts, at = [], 0
        for i, a in enumerate(args):
            mark = text.index("{%d}" % i)
            parts += [text[at:mark], self.expr(a, scope, depth - 1)]
            at = mark + 3
        return Node(result, *parts, text[at:], small=(SMALL.get(result, "null::%s" % result),))

    def case(self, kind, scope, depth):
        r, parts = self.r, ["case"]
        if r.random() < .3:
            on = r.choice(["int", "text"])
            parts += [" ", self.expr(on, scope, depth - 1)]
            tests = lambda: self.expr(on, scope, 0)  # noqa: E731
        else:
            tests = lambda: self.condition(scope, depth - 1)  # noqa: E731
        for _ in range(r.randint(1, 2)):
            parts += [" when ", tests(), " then ", self.expr(kind, scope, depth - 1)]
        if r.random() < .7:
            parts.append(Node("clause", " else ", self.expr(kind, scope, depth - 1), small=("",)))
        return Node(kind, "(", *parts, " end)", small=(SMALL.get(kind, "null::%s" % kind),))

    def condition(self, scope, depth):
        """A node of type bool."""
        r = self.r
        dice = r.random()
        small = ("true", "null::bool")
        if depth > 0 and dice < .3:
            word = r.choice([" and ", " or ", " and "])
            parts = [self.condition(scope, depth - 1)]
            for _ in range(r.randint(1, 2)):
                parts += [word, self.condition(scope, depth - 1)]
            return Node("bool", "(", *parts, ")", small=small)
        if depth > 0 and dice < .36:
            return Node("bool", "(not ", self.condition(scope, depth - 1), ")", small=small)
        if depth > 0 and dice < .5 and self.query_depth > 0 and not scope.calls:
            return self.subquery_condition(scope, depth)
        if dice < .56:
            kind = r.choice(COMMON)
            return Node("bool", "(", self.expr(kind, scope, depth - 1), r.choice([" is null)", " is not null)"]),
                        small=small)
        if dice < .62:
            return Node("bool", "(", self.expr("bool", scope, depth - 1),
                        r.choice([" is true)", " is not false)", " is unknown)", " is not true)"]), small=small)
        if dice < .7:
            kind = r.choice(["int", "text", "date", "numeric", "bigint"])
            items = [self.leaf(kind, Scope([])) for _ in range(r.randint(1, 4))]
            if r.random() < .15:
                items.append(Node(kind, "null"))
            parts = [items[0]]
            for i in items[1:]:
                parts += [", ", i]
            return Node("bool", "(", self.expr(kind, scope, depth - 1), r.choice([" in (", " not in (", " in ("]),
                        *parts, "))", small=small)
        if dice < .76:
            kind = r.choice(["int", "numeric", "date", "text", "timestamp", "float"])
            return Node("bool", "(", self.expr(kind, scope, depth - 1), r.choice([" between ", " not between "]),
                        self.expr(kind, scope, 0), " and ", self.expr(kind, scope, 0), ")", small=small)
        if dice < .82:
            return self.call(r.choice(BY_RESULT["bool"]), scope, max(depth, 1))
        if dice < .86:
            return self.leaf("bool", scope)
        kind = r.choice(COMMON if r.random() < .8 else [t for t in TYPES if t != "bool"])
        other = kind
        if kind in ("int", "bigint", "numeric", "float") and r.random() < .3:
            other = r.choice(["int", "bigint", "numeric", "float"])
        word = r.choice(["=", "=", "<>", "<", "<=", ">", ">=", "is distinct from", "is not distinct from"])
        return Node("bool", "(", self.expr(kind, scope, depth - 1), " %s " % word,
                    self.expr(other, scope, r.choice([0, depth - 1])), ")", small=small)

    def subquery_condition(self, scope, depth):
        r, dice = self.r, self.r.random()
        small = ("true",)
        if dice < .4:
            return self.exists(scope)
        kind = r.choice(["int", "int", "text", "bigint", "date", "numeric"])
        left = self.expr(kind, scope, min(depth - 1, 1))
        inner = self.subquery(scope, [kind])
        if dice < .75:
            if r.random() < .15:
                kinds = ["int", kind]
                return Node("bool", "((", self.expr("int", scope, 0), ", ", left, ")",
                            r.choice([" in (", " not in ("]), self.subquery(scope, kinds), "))", small=small)
            return Node("bool", "(", left, r.choice([" in (", " not in ("]), inner, "))", small=small)
        word = r.choice(["= any", "<> all", "< any", ">= all", "> some", "= all", "<> any"])
        return Node("bool", "(", left, " %s (" % word, inner, "))", small=small)

    def exists(self, scope):
        if self.r.random() < .5:
            return Node("bool", "exists (", self.subquery(scope, None), ")", small=("true",))
        return Node("bool", "(not exists (", self.subquery(scope, None), "))", small=("true",))
