"""Random INSERT, UPDATE and DELETE … RETURNING, each with one meaning."""
from expression import Scope
from node import Node, optional


class Writes:
    def __init__(self, queries):
        self.q, self.r = queries, queries.r

    def columns(self, table, name):
        return [("%s.%s" % (name, c.name), c.type) for c in table.columns]

    def returning(self, table, name):
        q, r = self.q, self.r
        scope = Scope(self.columns(table, name))
        items = [q.expr(r.choice(["int", "text", "numeric", "bool"]), scope, 2) for _ in range(r.randint(1, 3))]
        return optional(" returning %s.*, " % name, q.targets(items))

    def statement(self):
        q, r = self.q, self.r
        q.names, q.ctes, q.query_depth = 0, [], r.choice([0, 1, 1, 2])
        table = r.choice(q.tables)
        return r.choice([self.insert, self.update, self.update, self.delete, self.delete])(table), table.name

    def insert(self, table):
        q, r = self.q, self.r
        kinds = [c.type for c in table.columns]
        source = r.choice([t for t in q.tables])
        scope = Scope(self.columns(source, "src"))
        items = [Node("int", "src.id + %d" % r.choice([0, 5, 1000]))]
        items += [Node(k, "(", q.expr(k, scope, 1), ")::%s" % k) for k in kinds[1:]]
        where = optional(" where ", q.condition(scope, 2)) if r.random() < .6 else ""
        conflict = ""
        if table.unique and r.random() < .7:
            old = Scope(self.columns(table, table.name) + self.columns(table, "excluded"))
            conflict = r.choice([" on conflict do nothing", " on conflict (id) do nothing", Node(
                "clause", " on conflict (id) do update set k = ", q.expr("int", old, 1),
                optional(" where ", q.condition(old, 1)))])
        return Node("statement", "insert into %s select " % table.name, q.targets(items),
                    " from %s src" % source.name, where, conflict, self.returning(table, table.name))

    def update(self, table):
        q, r = self.q, self.r
        scope = Scope(self.columns(table, "u"))
        changed = r.sample(table.columns[1:], r.randint(1, 2))
        parts = []
        for i, c in enumerate(changed):
            parts += [", " if i else "", "%s = (" % c.name, q.expr(c.type, scope, 2), ")::%s" % c.type]
        source = ""
        wide = scope
        join = ""
        unique = [t for t in q.tables if t.unique]
        if unique and r.random() < .35:
            t = r.choice(unique)
            source = " from %s f" % t.name
            join = "f.id = u.k and "
            wide = Scope(scope.columns + self.columns(t, "f"))
        return Node("statement", "update %s u set " % table.name, *parts, source, " where ", join,
                    q.condition(wide, 2), self.returning(table, "u"))

    def delete(self, table):
        q, r = self.q, self.r
        scope = Scope(self.columns(table, "u"))
        using = join = ""
        unique = [t for t in q.tables if t.unique]
        if unique and r.random() < .35:
            t = r.choice(unique)
            using, join = " using %s f" % t.name, "f.id = u.k and "
            scope = Scope(scope.columns + self.columns(t, "f"))
        return Node("statement", "delete from %s u" % table.name, using, " where ", join, q.condition(scope, 2),
                    self.returning(table, "u"))
