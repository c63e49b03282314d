#!/usr/bin/env python3
"""Write docs/functions.md from the catalog's tables; with --check, say whether it is up to date.

A function is listed when some code stands for its symbol: the executor and the session bind code to
functions by that string. What stands for operators alone is left to the list of operators."""
import pathlib, re, sys
ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC, OUT = ROOT / "src", ROOT / "docs/functions.md"
# Bindings that macros put together, so that no file holds the whole string.
STAMPED = {f"int{n}{what}": "arithmetic" for n in (2, 4, 8) for what in ("abs", "mod")}
UNBOUND = {"text @@ text"}  # operators whose function has no code
TITLES = {  # file of the binding, without extension: heading
    "math": "Mathematics", "arithmetic": "Mathematics", "numeric": "Mathematics",
    "text": "Text", "text_case": "Text", "text_edit": "Text", "text_quote": "Text",
    "like_functions": "Patterns", "regexp": "Patterns", "bytea": "Text",
    "datetime": "Dates and times", "datetime_make": "Dates and times",
    "datetime_overlaps": "Dates and times", "datetime_zone": "Dates and times",
    "to_char": "Formatting", "to_date": "Formatting", "array": "Arrays", "array_search": "Arrays",
    "json": "JSON", "jsonpath": "JSON", "json_aggregate": "Aggregates",
    "bits": "Strings of bits", "net": "Addresses", "money": "Money", "timetz": "Dates and times",
    "position": "Session and system", "range": "Ranges", "range_aggregate": "Aggregates",
    "srf": "Row sources", "aggregates": "Aggregates", "extremes": "Aggregates",
    "statistics": "Aggregates", "collect": "Aggregates", "hypothetical": "Aggregates",
    "compare": "Comparison", "session": "Session and system", "inspect": "Session and system"}
ORDER = ["Mathematics", "Text", "Patterns", "Dates and times", "Formatting", "Strings of bits", "Addresses", "Money", "Ranges", "Arrays",
         "JSON", "Row sources",
         "Aggregates", "Comparison", "Session and system", "Conversions"]
HEAD = """# Functions and operators

The built-in functions and operators, with names, types and results as in PostgreSQL 15. `tools/gen_functions_doc.py`
writes this page from `src/catalog/procs.def`, `src/catalog/operators.def` and the code that stands for them; a function of
PostgreSQL that is not listed is not there, or answers with `0A000`.

`[…]` is a variadic tail. *Aggregate* functions take `DISTINCT`, `ORDER BY` and `FILTER`; those of the ordered-set kind
`WITHIN GROUP (ORDER BY …)`.

## Forms with a syntax of their own

`CASE`, `COALESCE(a, b, …)`, `NULLIF(a, b)`, `GREATEST(a, …)`, `LEAST(a, …)`; `IS [NOT] NULL`, `IS [NOT] TRUE | FALSE |
UNKNOWN`, `IS [NOT] DISTINCT FROM`, `[NOT] BETWEEN [SYMMETRIC]`, `[NOT] IN (…)`, `op ANY (…)`, `op ALL (…)`, `EXISTS (…)`,
`ARRAY[…]`, `ARRAY(SELECT …)`, `ROW(…)`; `[NOT] LIKE`, `ILIKE`, `SIMILAR TO … [ESCAPE …]`; `EXTRACT(field FROM x)`,
`SUBSTRING(s FROM i FOR n)`, `POSITION(a IN s)`, `OVERLAY(s PLACING t FROM i FOR n)`, `TRIM(LEADING c FROM s)`, `x AT TIME ZONE z`,
`(a, b) OVERLAPS (c, d)`; `CURRENT_DATE`, `CURRENT_TIMESTAMP`, `LOCALTIME`, `LOCALTIMESTAMP`, `CURRENT_USER`, `SESSION_USER`.
"""


def types():
    text = (SRC / "types/type.c").read_text()
    return {int(o): n.replace("\\", "") for o, n in
            re.findall(r'X\((\d+), "[^"]+", "((?:\\.|[^"\\])+)"', text)} | {0: ""}


def bindings():
    """Each quoted word of a file that may bind functions -> the name of the file."""
    where = dict(STAMPED)
    for f in sorted((SRC / "exec/functions").glob("*.c")) + sorted((SRC / "db").glob("*.c")):
        for word in re.findall(r'"([A-Za-z_0-9]+)"', f.read_text()):
            where.setdefault(word, "db" if f.parent.name == "db" else f.stem)
    return where


def procs():
    row = re.compile(r"^X\((\d+), \"([^\"]+)\", \"([^\"]+)\", (\d+), (\d+), (\d+), (\d), (\d), '(.)', "
                     r"(\w+), (\d+), \{([^}]*)\}\)", re.M)
    return row.findall((SRC / "catalog/procs.def").read_text())


def operators():
    return re.findall(r'^X\(\d+, "([^"]+)", (\d+), (\d+), (\d+), (\d+)',
                      (SRC / "catalog/operators.def").read_text(), re.M)


def signature(p, names):
    oid, name, symbol, result, argc, defaults, strict, returns_set, kind, vol, variadic, args = p
    words = [names[int(a)] for a in args.split(",") if a.strip()][:int(argc)]
    if int(variadic) and words: words[-1] = f"[{words[-1]} …]"
    for i in range(len(words) - int(defaults), len(words)): words[i] += "?"
    if kind == "a" and not words: words = ["*"]
    return f"`{name}({', '.join(words)})` → {'set of ' if returns_set == '1' else ''}{names[int(result)]}"


def functions(names):
    where, groups = bindings(), {}
    by_operator = {o[4] for o in operators()}
    type_words = {"int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar", "bpchar", "char",
                  "name", "bool", "date", "time", "timestamp", "timestamptz", "interval", "oid", "regclass"}
    for p in procs():
        name, symbol, kind = p[1], p[2], p[8]
        if symbol not in where or kind == "w" or (p[0] in by_operator and name == symbol): continue
        title = "Conversions" if name in type_words else TITLES.get(where[symbol], "Session and system")
        groups.setdefault(title, set()).add((name, signature(p, names)))
    return groups


def operator_lines(names):
    found = {}
    for name, left, right, result, _ in operators():
        form = f"{names[int(left)]} {name} {names[int(right)]}".strip()
        if form not in UNBOUND: found.setdefault(name, []).append((form, names[int(result)]))
    for name in sorted(found):
        forms = found[name]
        if all(r == "boolean" for _, r in forms) and len(forms) > 12:
            kinds = sorted({f.split(f" {name} ")[0] for f, _ in forms})
            yield f"| `{name}` | boolean, of: {', '.join(kinds)} |"
        else:
            text = "; ".join(f"`{f}` → {r}" for f, r in sorted(forms))
            yield "| " + f"`{name}` | {text}".replace("|", "\\|").replace(" \\| ", " | ", 1) + " |"


def page():
    names = types()
    groups = functions(names)
    out = [HEAD]
    for title in ORDER + sorted(set(groups) - set(ORDER)):
        if title not in groups: continue
        out.append(f"## {title}\n")
        if title == "Conversions":
            out.append("A type's name as a function does what the cast does; so these are seldom written.\n")
        for name in sorted({n for n, _ in groups[title]}):
            out.append("- " + "; ".join(s for n, s in sorted(groups[title]) if n == name))
        out.append("")
    out += ["## Operators\n", "| operator | forms |", "| --- | --- |", *operator_lines(names)]
    return "\n".join(out) + "\n"


text = page()
if "--check" in sys.argv:
    if not OUT.exists() or OUT.read_text() != text:
        sys.exit("docs/functions.md is out of date: run tools/gen_functions_doc.py")
else:
    OUT.write_text(text)
