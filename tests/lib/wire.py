"""A PostgreSQL connection of bare bytes, for tests that misbehave where a driver would not."""
import socket
import struct


class Gone(Exception):
    pass


class Wire:
    def __init__(self, server, user="postgres", options=None, startup=True, receive_bytes=None):
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(20)
        self.socket.connect((server.host, server.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        if startup:
            self.startup(user, options)

    def startup(self, user, options):
        words = ["user", user, "database", "postgres"]
        if options:
            words += ["options", options]
        body = struct.pack("!i", 196608) + b"".join(w.encode() + b"\0" for w in words) + b"\0"
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
        for kind, data in self.until(b"Z"):
            if kind == b"K":
                self.pid, self.key = struct.unpack("!ii", data)

    def send(self, kind, body):
        self.socket.sendall(self.message(kind, body))

    @staticmethod
    def message(kind, body):
        return kind + struct.pack("!i", len(body) + 4) + body

    def query(self, text):
        self.send(b"Q", text.encode() + b"\0")

    def read(self, n):
        while len(self.buffer) < n:
            piece = self.socket.recv(65536)
            if not piece:
                raise Gone()
            self.buffer += piece
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def next(self):
        head = self.read(5)
        return head[:1], self.read(struct.unpack("!i", head[1:])[0] - 4)

    def until(self, last):
        """All messages up to the first of that kind; an error before it is raised as Gone."""
        out = []
        while True:
            message = self.next()
            out.append(message)
            if message[0] == last:
                return out
            if message[0] == b"E" and last != b"E" and self.fields(message[1])["S"] == "FATAL":
                raise Gone(self.fields(message[1]))

    @staticmethod
    def fields(body):
        return {f[:1].decode(): f[1:].decode() for f in body.split(b"\0") if f}

    def closed(self):
        """Waits for the server to close; what it said last as fields, or None."""
        last = None
        try:
            while True:
                kind, body = self.next()
                if kind == b"E":
                    last = self.fields(body)
        except (Gone, ConnectionError):
            return last

    def close(self):
        self.socket.close()
