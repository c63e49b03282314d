"""A session of a server, for the tests of COPY in this folder."""
import io
import os
import sys

import psycopg2

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from server import Server  # noqa: E402,F401


class Session:
    def __init__(self, server, user="postgres"):
        self.db = psycopg2.connect(host="127.0.0.1", port=server.port, user=user, dbname="postgres")
        self.db.autocommit = True
        self.cursor = self.db.cursor()

    def ask(self, sql):
        self.cursor.execute(sql)
        return self.cursor.fetchall() if self.cursor.description else None

    def error(self, sql, data=None):
        """(SQLSTATE, message, detail, context) of a statement that must fail."""
        try:
            if data is None:
                self.cursor.execute(sql)
            else:
                self.take(sql, data)
        except psycopg2.Error as e:
            d = e.diag
            return d.sqlstate, d.message_primary, d.message_detail, d.context
        raise AssertionError("no error: " + sql)

    def take(self, sql, data):
        """COPY … FROM STDIN."""
        data = data.encode() if isinstance(data, str) else data
        self.cursor.copy_expert(sql, io.BytesIO(data))
        return self.cursor.rowcount

    def give(self, sql):
        """COPY … TO STDOUT."""
        out = io.BytesIO()
        self.cursor.copy_expert(sql, out)
        return out.getvalue()


def same(got, want, what):
    assert got == want, "%s:\n got  %r\n want %r" % (what, got, want)
