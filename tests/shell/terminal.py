"""A program at a pseudo-terminal: keys go in, and what the screen got is searched."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

WAIT_SECONDS_MAX = 20
SEQUENCES = re.compile(rb"\r\x1b\[[0-9]+G|(?<=.)\r(?=[^\n])|\x08|\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x1b\][^\x07]*\x07")


class Terminal:
    def __init__(self, command, env=None, rows=24, columns=80):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            full = dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8", **(env or {}))
            os.execvpe(command[0], command, full)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.raw = b""
        self.seen = 0

    def text(self):
        return SEQUENCES.sub(b"", self.raw).replace(b"\r\n", b"\n").decode("utf-8", "replace")

    def keys(self, text):
        os.write(self.fd, text.encode())

    def line(self, text):
        self.keys(text + "\r")

    def _more(self, seconds):
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.raw += data
        return bool(data)

    def expect(self, pattern):
        """Waits until the pattern appears in what came since the last expect; returns the match."""
        end = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            found = re.compile(pattern, re.S).search(self.text(), self.seen)
            if found:
                self.seen = found.end()
                return found
            if time.monotonic() > end or not self._more(0.2):
                raise AssertionError("%r did not appear; the screen since then:\n%s\nraw: %r"
                                     % (pattern, self.text()[self.seen:], self.raw[-400:]))

    def close(self):
        """The exit code, once the program ends."""
        end = time.monotonic() + WAIT_SECONDS_MAX
        status = None
        while time.monotonic() < end:
            alive = self._more(0.05)
            done, got = os.waitpid(self.pid, os.WNOHANG)
            if done:
                status = got
                break
            if not alive:
                time.sleep(0.02)
        if status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            raise AssertionError("the shell did not end:\n" + self.text()[-2000:])
        os.close(self.fd)
        code = os.waitstatus_to_exitcode(status)
        if code:
            print(self.text()[-4000:])
        return code
