"""The clients of kill_mix.py that make branches and merge them, and those that change a table's definition while another
client writes to it."""
import copy
from mix_clients import Client, rows

KEYS, CHILDREN, LINES, ROWS = 10, 6, 4, 60


class Brancher(Client):
    """Branches of branches over two tables of its own, rows with children, and columns that are added and dropped in
    any of them; merges as tests/unit/db/sim_lines.h has them."""

    def __init__(self, number, counts):
        super().__init__(number, counts)
        self.sure = self.unsure = {"main": {"shelf": {}, "box": {}, "shape": 0}}
        self.tree = {} # of each branch: its parent, and what they had in common when they parted or were merged
        self.doubt = None # what self.tree is if the statement in flight has been done
        self.here = "main"

    def setup(self, q):
        n = self.number
        q.execute(f"create table shelf{n} (id int primary key, v int not null, filler text);"
                  f"create index on shelf{n} (v);"
                  f"create table box{n} (id int primary key, shelf int not null references shelf{n}"
                  " on delete cascade); create index on box%d (shelf)" % n)

    def run(self, server, seed, stop):
        self.here = "main"
        super().run(server, seed, stop)

    def enter(self, q, name):
        if self.here != name:
            self.what = "use branch " + name
            q.execute(self.what)
            self.here = name

    def look_at(self, q, name):
        n = self.number
        q.execute("use branch " + name)
        shape = [r[0] for r in rows(q, f"select attname from pg_attribute where attrelid = 'shelf{n}'::regclass and"
                                       " attnum > 3 and not attisdropped")]
        assert len(shape) < 2, f"shelf{n} has {shape} in {name}"
        number = int(shape[0][1:]) if shape else 0
        if number:
            wrong = rows(q, f"select id from shelf{n} where x{number} is distinct from {number}")
            assert not wrong, f"x{number} is not itself in {name}: {wrong}"
        by_index = sorted(rows(q, f"select id, v from shelf{n} where v > 0 order by v"))
        found = {"shelf": dict(rows(q, f"select id, v from shelf{n}")), "box": dict(rows(q, f"select id, shelf from box{n}")),
                 "shape": number}
        assert dict(by_index) == found["shelf"], f"the index of shelf{n} in {name} has {by_index}, not {found['shelf']}"
        return found

    def look(self, q):
        names = [r[0] for r in rows(q, "select name from helios_branches where name like 'k%d\\_%%'" % self.number)]
        try:
            return {name: self.look_at(q, name) for name in ["main", *names]}
        finally:
            q.execute("use branch main")

    def settle(self, q, found):
        """A merge in flight that leaves no trace is made again: what it agreed on cannot be seen."""
        if self.doubt is None:
            return
        if found == self.unsure and found != self.sure:
            self.tree = self.doubt
        elif found == self.unsure and self.doubt != self.tree and self.what.startswith("merge"):
            q.execute(self.what)
            self.tree = self.doubt
        self.doubt = None

    def attempt_tree(self, q, state, tree, statement, refusals=()):
        self.doubt = tree
        if self.attempt(q, state, statement, refusals=refusals):
            self.tree = tree
            self.doubt = None
            return True
        self.doubt = None
        return False

    def fork(self, q, rng):
        if len(self.sure) > LINES:
            return
        parent, name = rng.choice(sorted(self.sure)), "k%d_%d" % (self.number, self.next())
        s = copy.deepcopy(self.sure)
        s[name] = copy.deepcopy(s[parent])
        tree = {**self.tree, name: (parent, copy.deepcopy(s[parent]))}
        if self.attempt_tree(q, s, tree, f"create branch {name} from {parent}"):
            self.count("branches")

    def leaf(self, rng):
        names = [b for b in self.tree if not any(p == b for p, _ in self.tree.values())]
        return rng.choice(sorted(names)) if names else None

    def drop(self, q, rng):
        name = self.leaf(rng)
        if not name:
            return
        self.enter(q, "main")
        s = {b: x for b, x in self.sure.items() if b != name}
        tree = {b: x for b, x in self.tree.items() if b != name}
        if self.attempt_tree(q, s, tree, f"drop branch {name}"):
            self.count("branches dropped")

    def merged(self, to, is_, was):
        """`to` with what has become of `was`; None: a foreign key forbids it."""
        out = copy.deepcopy(to)
        gone = set()
        for k in set(is_["shelf"]) | set(was["shelf"]):
            if is_["shelf"].get(k) == was["shelf"].get(k):
                continue
            if k in is_["shelf"]:
                out["shelf"][k] = is_["shelf"][k]
            elif out["shelf"].pop(k, None) is not None:
                gone.add(k)
        written = {b for b in set(is_["box"]) | set(was["box"]) if is_["box"].get(b) != was["box"].get(b)}
        for b in written:
            out["box"].pop(b, None)
            if b in is_["box"]:
                out["box"][b] = is_["box"][b]
        out["box"] = {b: k for b, k in out["box"].items() if b in written or k not in gone}
        if is_["shape"] != was["shape"]:
            out["shape"] = is_["shape"]
        return out if all(k in out["shelf"] for k in out["box"].values()) else None

    def merge(self, q, rng):
        if not self.tree:
            return
        name = rng.choice(sorted(self.tree))
        parent, agreed = self.tree[name]
        out = self.merged(self.sure[parent], self.sure[name], agreed)
        s = copy.deepcopy(self.sure)
        s[parent] = out if out else s[parent]
        tree = {**self.tree, name: (parent, copy.deepcopy(self.sure[name]) if out else agreed)}
        done = self.attempt_tree(q, s, tree, f"merge branch {name} into {parent} on conflict theirs",
                                 refusals=() if out else ("23503",))
        assert not done or out, f"a merge that breaks a foreign key went through: {self.what}"
        if done:
            self.count("merges")

    def alter(self, q, name, s):
        old, new, n = s[name]["shape"], self.next(), self.number
        drop = f"drop column x{old}, " if old else ""
        s[name]["shape"] = new
        if self.attempt(q, s, f"alter table shelf{n} {drop}add column x{new} int default {new} check (x{new} = {new})"):
            self.count("columns in branches" if name != "main" else "columns")

    def work(self, q, rng):
        what = rng.randrange(20)
        if what < 2:
            return self.fork(q, rng)
        if what == 2:
            return self.drop(q, rng)
        if what < 6:
            return self.merge(q, rng)
        s, name, n = copy.deepcopy(self.sure), rng.choice(sorted(self.sure)), self.number
        line = s[name]
        self.enter(q, name)
        if what == 6:
            return self.alter(q, name, s)
        if what < 10:
            box, k = rng.randrange(CHILDREN), rng.randrange(KEYS)
            if k not in line["shelf"]:
                line["box"].pop(box, None)
                return self.attempt(q, s, f"delete from box{n} where id = {box}")
            line["box"][box] = k
            return self.attempt(q, s, f"insert into box{n} values ({box}, {k}) on conflict (id)"
                                      " do update set shelf = excluded.shelf")
        keys = range(lo := rng.randrange(KEYS), min(KEYS, lo + 1 + rng.randrange(3)))
        if what < 12:
            for k in keys:
                line["shelf"].pop(k, None)
            line["box"] = {b: k for b, k in line["box"].items() if k not in keys}
            return self.attempt(q, s, f"delete from shelf{n} where id between {lo} and {keys[-1]}")
        v = self.next()
        line["shelf"].update({k: v for k in keys})
        return self.attempt(q, s, f"insert into shelf{n} select g, {v}, repeat('f', {rng.randrange(300)}) from"
                                  f" generate_series({lo}, {keys[-1]}) g on conflict (id) do update set v = excluded.v")


# --- definitions -------------------------------------------------------------------------------------

class Writer(Client):
    """Writes rows to the table whose definition the Definer of the same number changes."""

    def __init__(self, number, counts):
        super().__init__(number, counts)
        self.sure = self.unsure = {}

    def setup(self, q):
        q.execute(f"create table wide{self.number} (id int primary key, v bigint not null, w text)")

    def look(self, q):
        found = dict(rows(q, f"select id, v from wide{self.number}"))
        by_v = rows(q, f"select id, v from wide{self.number} where v > 0 order by v, w, id")
        assert dict(by_v) == found and len(by_v) == len(found), f"by v: {by_v}, not {found}"
        return found

    def work(self, q, rng):
        s, k, v = dict(self.sure), rng.randrange(ROWS), self.next()
        table = f"wide{self.number}"
        if k not in s:
            s[k] = v
            done = self.attempt(q, s, f"insert into {table} (id, v, w) values ({k}, {v}, repeat('w', {rng.randrange(99)}))")
        elif rng.randrange(3):
            s[k] = v
            done = self.attempt(q, s, f"update {table} set v = {v}, w = left('u' || w, 150) where id = {k}")
        else:
            del s[k]
            done = self.attempt(q, s, f"delete from {table} where id = {k}")
        if done:
            self.count("rows written beside DDL")


class Definer(Client):
    """Columns, types, constraints and indexes of a table that is written to."""

    def __init__(self, number, counts):
        super().__init__(number, counts)
        self.sure = self.unsure = {"columns": [], "indexes": [], "checks": [], "type": "bigint"}
        self.concurrent = set() # indexes that were made or dropped so

    def look(self, q):
        table = f"'wide{self.number}'::regclass"
        columns = rows(q, f"select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = {table}"
                          " and attnum > 0 and not attisdropped")
        for name in [c for c, _ in columns if c.startswith("x")]:
            wrong = rows(q, f"select id, {name} from wide{self.number} where {name} is distinct from {name[1:]}")
            assert not wrong, f"{name} is not itself: {wrong}"
        indexes = rows(q, "select relname, indisvalid from pg_index join pg_class c on c.oid = indexrelid where"
                          f" indrelid = {table} and not indisprimary")
        for name, valid in indexes:
            if not valid: # of a statement CONCURRENTLY that was in flight, or has failed
                assert name in self.concurrent, f"{name} is invalid after {self.what}"
                q.execute(f"drop index {name}")
                self.count("invalid indexes")
        return {"columns": sorted(c for c, _ in columns if c.startswith("x")),
                "indexes": sorted(name for name, valid in indexes if valid),
                "checks": [r[0] for r in rows(q, f"select conname from pg_constraint where conrelid = {table} and"
                                                 " contype = 'c' and convalidated order by 1")],
                "type": dict(columns)["v"]}

    def work(self, q, rng):
        s, n, new, what = copy.deepcopy(self.sure), self.number, self.next(), rng.randrange(10)
        table, concurrently = f"wide{n}", rng.choice(["", "concurrently "])
        more = ()
        if what < 2 and len(s["columns"]) < 5:
            s["columns"] = sorted([*s["columns"], f"x{new}"])
            kind, more = "columns", (f"alter table {table} add column x{new} int default {new}",)
        elif what < 4 and s["columns"]:
            s["columns"].remove(name := rng.choice(s["columns"]))
            kind, more = "columns dropped", (f"alter table {table} drop column {name}",)
        elif what < 6 and len(s["indexes"]) < 4:
            unique, on = rng.choice([("", "(v, w)"), ("unique ", "(v)"), ("unique ", "(id, v)"), ("", "(lower(w))"),
                                     ("", "(v) where v % 2 = 0")])
            s["indexes"] = sorted([*s["indexes"], f"wide{n}_i{new}"])
            kind = "indexes " + concurrently
            more = (f"create {unique}index {concurrently}wide{n}_i{new} on {table} {on}",)
            self.concurrent |= {f"wide{n}_i{new}"} if concurrently else set()
        elif what == 6 and s["indexes"]:
            s["indexes"].remove(name := rng.choice(s["indexes"]))
            kind, more = f"indexes dropped {concurrently}", (f"drop index {concurrently}{name}",)
            self.concurrent |= {name} if concurrently else set()
        elif what == 7:
            s["type"] = "integer" if s["type"] == "bigint" else "bigint"
            kind, more = "types", (f"alter table {table} alter column v type {s['type']}",)
        elif what == 8 and len(s["checks"]) < 3:
            return self.check_later(q, s, new)
        elif what == 9 and s["checks"]:
            s["checks"].remove(name := rng.choice(s["checks"]))
            kind, more = "constraints dropped", (f"alter table {table} drop constraint {name}",)
        else:
            kind, more = "vacuum full", (f"vacuum full {table}",)
        if self.attempt(q, s, *more):
            self.count(kind.strip())
        elif "drop index concurrently" in more[0]: # it may have become invalid already: it goes
            while not self.attempt(q, s, f"drop index if exists {name}"):
                self.unsure = s
        return None

    def check_later(self, q, s, new):
        """NOT VALID, then validated: two statements; what is there not validated is not looked at."""
        table = f"wide{self.number}"
        if not self.attempt(q, self.sure, f"alter table {table} add constraint c{new} check (v >= 0) not valid"):
            return
        s["checks"] = sorted([*s["checks"], f"c{new}"])
        if self.attempt(q, s, f"alter table {table} validate constraint c{new}"):
            self.count("constraints validated")
