"""A statement as a tree of texts that knows how it may be made smaller while it still is a statement.

A node has a kind (its SQL type, or what part of a statement it is), parts (texts and nodes), and small
texts that may stand in its place. A node may also be replaced by a node of its kind below it."""


class Node:
    __slots__ = ("kind", "parts", "small")

    def __init__(self, kind, *parts, small=()):
        self.kind, self.parts, self.small = kind, list(parts), tuple(small)

    def __str__(self):
        out, stack = [], [self]
        while stack:
            at = stack.pop()
            if isinstance(at, Node):
                stack.extend(reversed(at.parts))
            else:
                out.append(at)
        return "".join(out)

    def copy(self):
        n = Node(self.kind, small=self.small)
        n.parts = [p.copy() if isinstance(p, Node) else p for p in self.parts]
        return n

    def nodes(self):
        """Every place where a node stands, the large ones first: (holder, index)."""
        level = [(self, i) for i, p in enumerate(self.parts) if isinstance(p, Node)]
        while level:
            yield from level
            level = [(h.parts[i], k) for h, i in level
                     for k, p in enumerate(h.parts[i].parts) if isinstance(p, Node)]

    def below(self):
        for holder, i in self.nodes():
            yield holder.parts[i]


def optional(*parts):
    """A clause that may be left out."""
    return Node("clause", *parts, small=("",))


def listed(nodes, separator=", "):
    """Nodes in a list of which each but the first may be dropped with its separator."""
    out = []
    for i, n in enumerate(nodes):
        out.append(n if i == 0 else Node("item", separator, n, small=("",)))
    return Node("list", *out)


def shrink(root, still, tries=400):
    """The smallest tree found of which still(text) is true, by replacing nodes, large ones first."""
    changed = True
    while changed and tries > 0:
        changed = False
        for holder, i in list(root.nodes()):
            node = holder.parts[i] if i < len(holder.parts) else None
            if not isinstance(node, Node):
                continue
            size = len(str(node))
            choices = [Node(node.kind, s) for s in node.small if len(s) < size]
            choices += [n for n in node.below() if n.kind == node.kind and len(str(n)) < size][:6]
            for c in choices:
                if tries <= 0:
                    break
                tries -= 1
                holder.parts[i] = c
                if still(str(root)):
                    changed = True
                    break
                holder.parts[i] = node
    return root
