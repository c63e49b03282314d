"""A server that a benchmark asks queries of: what the scripts' own classes have in common."""
import tpch_data


class Subject:
    """A session of a server that speaks our protocol, with the time-out of the script's options."""

    def __init__(self, server, o):
        self.server, self.name, self.o = server, server.name, o

    def open(self):
        self.db = tpch_data.connect(self.server.dsn())
        self.db.cursor().execute(f"set statement_timeout = '{self.o.timeout}s'")


def best_of(subjects, question, o):
    """({name: best seconds}, {name: rows}, {name: error}) of o.rounds, each server in turn."""
    best, rows, errors = {}, {}, {}
    for n in range(o.rounds):
        for s in subjects if n % 2 == 0 else subjects[::-1]:
            if s.name in errors:
                continue
            try:
                seconds, rows[s.name] = s.ask(question)
            except Exception as e:  # of any driver: the row shows it, the others go on
                errors[s.name] = " ".join(str(e).split())
                continue
            best[s.name] = min(best.get(s.name, seconds), seconds)
    for name in errors:
        best.pop(name, None)
    return best, rows, errors
