"""Runs a statement on a server, and tells whether two answers are the same."""
import os
import struct
import sys
from decimal import Decimal, InvalidOperation

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
sys.dont_write_bytecode = True
from wire import Gone, Wire  # noqa: E402

TIMEOUT_MS = 4000
TOO_LONG = ("57014",)
TOO_MUCH = ("53200", "53100", "54001")
NOT_HERE = ("0A000",)
# Whether these come depends on which row or which side is looked at first.
DEPENDS = ("22003", "22012", "21000", "22P02", "22008", "22007", "2201B", "22015", "22001", "22023", "22011",
           "2200H", "22014", "22016", "2202E", "22021", "54000")


class Answer:
    def __init__(self, rows=None, types=(), tag="", code=None, message=""):
        self.rows, self.types, self.tag, self.code, self.message = rows, types, tag, code, message

    def __str__(self):
        if self.code:
            return "%s %s" % (self.code, self.message)
        shown = ["  " + " | ".join("NULL" if v is None else v for v in r) for r in self.rows[:12]]
        return "%d rows (%s) %s\n%s" % (len(self.rows), ",".join(map(str, self.types)), self.tag, "\n".join(shown))


class Connection:
    """Simple queries, every value as the text that the server sent."""

    def __init__(self, server, settings=()):
        self.server, self.settings = server, list(settings)
        self.open()

    def open(self):
        self.wire = Wire(self.server)
        self.wire.socket.settimeout(90)
        for text in ["set statement_timeout = %d" % TIMEOUT_MS, "set timezone = 'UTC'",
                     "set client_min_messages = error", *self.settings]:
            got = self.run(text)
            if got.code:
                raise RuntimeError("%s: %s" % (text, got))

    def run(self, text):
        self.wire.query(text)
        answer = Answer(rows=[])
        for kind, body in self.wire.until(b"Z"):
            if kind == b"T":
                answer.types = self.description(body)
                answer.rows = []
            elif kind == b"D":
                answer.rows.append(self.row(body))
            elif kind == b"C":
                answer.tag = body[:-1].decode()
            elif kind == b"E" and answer.code is None:
                f = self.wire.fields(body)
                answer.code, answer.message = f["C"], f["M"]
        return answer

    @staticmethod
    def description(body):
        out, at = [], 2
        for _ in range(struct.unpack("!h", body[:2])[0]):
            at = body.index(b"\0", at) + 1
            out.append(struct.unpack("!i", body[at + 6:at + 10])[0])
            at += 18
        return tuple(out)

    @staticmethod
    def row(body):
        out, at = [], 2
        for _ in range(struct.unpack("!h", body[:2])[0]):
            n = struct.unpack("!i", body[at:at + 4])[0]
            at += 4
            if n < 0:
                out.append(None)
            else:
                out.append(body[at:at + n].decode())
                at += n
        return tuple(out)

    def close(self):
        self.wire.close()


def sort_key(row):
    return tuple((v is not None, v or "") for v in row)


def loosened(value):
    """Equal numbers of another scale alike: which of two equal values a group shows is left open."""
    if value is None:
        return None
    try:
        d = Decimal(value)
        return format(d.normalize(), "f") if d.is_finite() else value
    except InvalidOperation:
        return value.rstrip()


def difference(ours, theirs, ordered):
    """Why the answers differ, None when they do not, or a word in brackets when it says nothing."""
    for code in (ours.code, theirs.code):
        if code in TOO_LONG + TOO_MUCH:
            return "(limit)"
    if ours.code in NOT_HERE and ours.code != theirs.code:
        return "(refused)"
    if ours.code or theirs.code:
        if ours.code == theirs.code:
            return None
        if (ours.code or theirs.code) in DEPENDS and (theirs.code or ours.code) in DEPENDS:
            return "(depends)"
        return "error %s, not %s" % (ours.code, theirs.code)
    if ours.types != theirs.types:
        return "types"
    a, b = ours.rows, theirs.rows
    if not ordered:
        a, b = sorted(a, key=sort_key), sorted(b, key=sort_key)
    if a == b:
        return None if ours.tag == theirs.tag else "tag"
    if len(a) != len(b):
        return "rows"
    a, b = [[tuple(map(loosened, r)) for r in x] for x in (ours.rows, theirs.rows)]
    if not ordered:
        a, b = sorted(a, key=sort_key), sorted(b, key=sort_key)
    return "scale" if a == b else "rows"


__all__ = ["Answer", "Connection", "Gone", "difference"]
