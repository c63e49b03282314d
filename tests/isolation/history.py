"""Checks a history of transactions that append to lists and read them (the idea is Elle's: Kingsbury, Alvaro, VLDB
2020). Every element is appended once, so a list shows in which order its writers came, and a read which of
them it saw. That gives arrows between transactions:

    ww  B appended next after A          wr  B read what A appended last
    rw  A read the list without what B appended next

What a level forbids of it (Adya 1999; for snapshot isolation Cerone, Gotsman 2016) is in FORBIDDEN; all else is permitted:

    G0             a cycle of ww                    G1a  a read of what was rolled back
    G1b            a read of what was not the last  G1c  a cycle of ww and wr
    G-single       a cycle with one rw
    G-nonadjacent  one with several, no two of them in a row
    G2             one with two rw in a row: write skew

That something is lost, or is there twice, or not what its own transaction wrote, no level permits. The tests of this are
planted.py."""
import collections

LEVELS = ["read committed", "repeatable read", "serializable"]
CYCLES = ["G0", "G1c", "G-single", "G-nonadjacent", "G2"]
FORBIDDEN = {
    "read committed": ["G0", "G1a", "G1b", "G1c"],
    "repeatable read": ["G0", "G1a", "G1b", "G1c", "G-single", "G-nonadjacent"],
    "serializable": ["G0", "G1a", "G1b", "G1c", "G-single", "G-nonadjacent", "G2"],
}
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


def within_cycles(graph):
    """The nodes that lie on cycles: what is left when those without a way in or without a way out are taken away."""
    ways_in, left = collections.Counter(b for out in graph.values() for b in out), set(graph)
    back = collections.defaultdict(list)
    for t, out in graph.items():
        for b in out:
            back[b].append(t)
    ways_out = {t: len(out) for t, out in graph.items()}
    ends = [t for t in graph if not ways_in[t] or not ways_out[t]]
    while ends:
        t = ends.pop()
        if t not in left:
            continue
        left.discard(t)
        for b in graph[t]:
            ways_in[b] -= 1
            if not ways_in[b]:
                ends.append(b)
        for b in back[t]:
            ways_out[b] -= 1
            if not ways_out[b]:
                ends.append(b)
    return left


def path_of(graph, within, start, end):
    """The shortest one, as nodes from start to end, or None."""
    came, todo = {start: None}, collections.deque([start])
    while todo:
        t = todo.popleft()
        if t is end:
            path = []
            while t is not None:
                path.append(t)
                t = came[t]
            return path[::-1]
        for b in graph.get(t, ()):
            if b in within and b not in came:
                came[b] = t
                todo.append(b)
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

    def cycle(self, name):
        """A cycle of that kind, or None. Of G-nonadjacent between two that stand side by side there may be another."""
        seen = self.union(self.ww, self.wr)
        if name == "G0":
            return cycle_of(self.union(self.ww))
        if name == "G1c":
            return cycle_of(seen)
        if name == "G2":
            return cycle_of(self.union(seen, self.rw))
        apart = {t: out.union(*(self.rw.get(b, ()) for b in out)) for t, out in seen.items()}
        cycle = cycle_of(apart)
        return self.back_by_one(seen, within_cycles(self.union(seen, self.rw))) if cycle and name == "G-single" else cycle

    def back_by_one(self, seen, inner):
        """A cycle with one rw: what the rw leads to leads back by ww and wr alone."""
        for t in inner:
            for b in self.rw.get(t, ()):
                path = path_of(seen, inner, b, t)
                if path:
                    return path
        return None

    def report(self, name):
        cycle = self.cycle(name)
        if cycle:
            self.fail("%s:" % name, " -> ".join(str(t.number) for t in cycle[:12]),
                      *("\n      %d: %s" % (t.number, t.ops) for t in cycle[:6]))
        return cycle is not None

    def check(self, level):
        """Problems, as texts. Of cycles the first kind alone is told: those with more kinds of arrows are in it."""
        self.check_lists()
        self.arrows()
        if not self.problems:
            any(self.report(name) for name in CYCLES if name in FORBIDDEN[level])
        return self.problems

    def permitted(self, level):
        """What was found of that which the level permits, after a check without problems: the first kind."""
        return [n for n in CYCLES if n not in FORBIDDEN[level] and self.cycle(n)][:1]
