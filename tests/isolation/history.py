"""Checks a history of transactions that append to lists and read them (the idea is Elle's: Kingsbury, Alvaro, VLDB
2020). Every element is appended once, so a list shows in which order its writers came, and a read which of
them it saw. That gives arrows between transactions:

    ww  B appended next after A          wr  B read what A appended last
    rw  A read the list without what B appended next

Which cycles of them a level forbids (Adya 1999): READ COMMITTED those of ww and wr (G0, G1c), and reads of what was rolled
back (G1a) or not the last (G1b); REPEATABLE READ, being snapshot isolation, all but those with two rw in a row
(Cerone, Gotsman 2016: ww or wr, then at most one rw, has no cycle); SERIALIZABLE all."""
import collections

COMMITTED, ABORTED, UNKNOWN = "committed", "aborted", "unknown"


class Txn:
    __slots__ = ("number", "status", "ops")

    def __init__(self, number):
        self.number = number
        self.status = UNKNOWN
        self.ops = []  # ("append", key, element) and ("read", key, [elements])


def cycle_of(graph):
    """Some cycle of {node: nodes}, or None: depth first, without recursion."""
    color = {}
    for root in list(graph):
        if root in color:
            continue
        path, stack = [root], [iter(graph.get(root, ()))]
        color[root] = 1
        while stack:
            for n in stack[-1]:
                if color.get(n) == 1:
                    return path[path.index(n):]
                if n not in color:
                    color[n] = 1
                    path.append(n)
                    stack.append(iter(graph.get(n, ())))
                    break
            else:
                stack.pop()
                color[path.pop()] = 2
    return None


class History:
    """`final` has the lists at the end, read when nobody writes any more."""

    def __init__(self, txns, final):
        self.final = final
        self.problems = []
        self.writer = {}
        for t in txns:
            for kind, key, x in t.ops:
                if kind == "append":
                    self.writer[x] = t
        there = {x for elements in final.values() for x in elements}
        for t in txns:  # of those whose commit was cut off: what is there tells
            if t.status == UNKNOWN and any(op[0] == "append" and op[2] in there for op in t.ops):
                t.status = COMMITTED
        self.txns = [t for t in txns if t.status == COMMITTED]
        self.there = there
        self.ww, self.wr, self.rw = (collections.defaultdict(set) for _ in range(3))

    def fail(self, *words):
        self.problems.append(" ".join(str(w) for w in words))

    def check_lists(self):
        """All that was committed is there, whole and once, and nothing else."""
        self.place = {}
        for key, elements in self.final.items():
            for i, x in enumerate(elements):
                if x in self.place:
                    self.fail("element", x, "is there twice")
                self.place[x] = (key, i)
                if x not in self.writer or self.writer[x].status != COMMITTED:
                    self.fail("G1a: element", x, "of a transaction that rolled back stays in list", key)
        for t in self.txns:
            for kind, key, x in t.ops:
                if kind == "append" and x not in self.there:
                    self.fail("lost: element", x, "of list", key, "by transaction", t.number)

    def last_of(self, t, key):
        return [x for kind, k, x in t.ops if kind == "append" and k == key][-1]

    def look_at_read(self, t, key, elements, own):
        order = self.final.get(key, [])
        theirs = [x for x in elements if x not in own]
        if order[:len(elements)] != elements:
            self.fail("transaction", t.number, "read", elements, "of list", key, "which is", order)
            return
        if [x for x in elements if x in own] != [x for x in own if x in order[:len(elements)]] or \
                any(x not in elements for x in own):
            self.fail("transaction", t.number, "did not read its own", own, "in list", key)
        for x in theirs:
            if self.writer[x].status != COMMITTED:
                self.fail("G1a: transaction", t.number, "read", x)
        if theirs:
            w = self.writer[theirs[-1]]
            if self.last_of(w, key) != theirs[-1]:
                self.fail("G1b: transaction", t.number, "read", theirs[-1], "of", w.number)
            self.wr[w].add(t)
        if len(order) > len(elements):
            self.rw[t].add(self.writer[order[len(elements)]])

    def arrows(self):
        for key, elements in self.final.items():
            for a, b in zip(elements, elements[1:]):
                self.ww[self.writer[a]].add(self.writer[b])
        for t in self.txns:
            own = collections.defaultdict(list)
            for kind, key, x in t.ops:
                if kind == "append":
                    own[key].append(x)
                else:
                    self.look_at_read(t, key, x, own[key])
        for g in (self.ww, self.wr, self.rw):
            for t in g:
                g[t].discard(t)

    def union(self, *graphs):
        out = {}
        for t in self.txns:
            out[t] = set().union(*(g.get(t, ()) for g in graphs))
        return out

    def report(self, name, graph):
        cycle = cycle_of(graph)
        if cycle:
            self.fail("%s:" % name, " -> ".join(str(t.number) for t in cycle[:12]),
                      *("\n      %d: %s" % (t.number, t.ops) for t in cycle[:6]))

    def check(self, level):
        """Problems, as texts."""
        self.check_lists()
        self.arrows()
        if self.problems:
            return self.problems
        seen = self.union(self.ww, self.wr)
        self.report("G0", self.union(self.ww))
        self.report("G1c", seen)
        if level == "repeatable read":
            self.report("G-single", {t: out.union(*(self.rw.get(b, ()) for b in out))
                                     for t, out in seen.items()})
        if level == "serializable":
            self.report("G2", self.union(self.ww, self.wr, self.rw))
        return self.problems

    def has_cycle(self):
        return cycle_of(self.union(self.ww, self.wr, self.rw)) is not None


def example(*txns):
    """A history from (status, op, …) each; the final lists are those of the last one, which only reads."""
    out = []
    for i, (status, *ops) in enumerate(txns):
        t = Txn(i)
        t.status, t.ops = status, ops
        out.append(t)
    return History(out[:-1], {key: x for _, key, x in out[-1].ops})


def test():
    """The checker itself: what it must see, and what it must let pass."""
    def a(key, x):
        return ("append", key, x)

    def r(key, *xs):
        return ("read", key, list(xs))

    skew = [(COMMITTED, r("x"), a("y", 1)), (COMMITTED, r("y"), a("x", 2)),
            (COMMITTED, r("x", 2), r("y", 1))]
    single = [(COMMITTED, r("x"), r("y", 2)), (COMMITTED, a("x", 1), a("y", 2)),
              (COMMITTED, r("x", 1), r("y", 2))]
    ring = [(COMMITTED, a("x", 1), r("y", 2)), (COMMITTED, a("y", 2), r("x", 1)),
            (COMMITTED, r("x", 1), r("y", 2))]
    for history, level, word in (
            (skew, "serializable", "G2"), (skew, "repeatable read", None),
            (single, "repeatable read", "G-single"), (single, "read committed", None),
            (ring, "read committed", "G1c"),
            ([(COMMITTED, a("x", 1), a("y", 2)), (COMMITTED, a("x", 3), a("y", 4)),
              (COMMITTED, r("x", 1, 3), r("y", 4, 2))], "read committed", "G0"),
            ([(ABORTED, a("x", 1)), (COMMITTED, r("x", 1)), (COMMITTED, r("x"))],
             "read committed", "read [1]"),
            ([(ABORTED, a("x", 1)), (COMMITTED, r("x", 1))], "read committed", "G1a"),
            ([(COMMITTED, a("x", 1), a("x", 2)), (COMMITTED, r("x", 1)), (COMMITTED, r("x", 1, 2))],
             "read committed", "G1b"),
            ([(COMMITTED, a("x", 1)), (COMMITTED, r("x"))], "read committed", "lost"),
            ([(UNKNOWN, a("x", 1)), (COMMITTED, r("x"))], "serializable", None),
            ([(UNKNOWN, a("x", 1)), (UNKNOWN, a("x", 2)), (COMMITTED, r("x", 1), a("x", 3), r("x", 1, 3)),
              (COMMITTED, r("x", 1, 3))], "serializable", None)):
        problems = example(*history).check(level)
        assert bool(problems) == bool(word) and (not word or word in problems[0]), (word, problems)
