"""Starts and stops heliosd for tests that speak to it over the wire.

The port is the server's own choice (--pg-port 0), read from its log, so that suites may run side
by side. A server that does not end with status 0 after SIGTERM is itself a failed test.
"""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading

READY = re.compile(r"ready: postgresql on ([0-9.]+):(\d+)")
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 30


def keeps_freed_memory(binary):
    """Whether the binary holds back what it frees (AddressSanitizer's quarantine), so that its resident memory
    says nothing."""
    with open(binary, "rb") as f:
        return b"__asan_init" in f.read()


class ServerError(Exception):
    pass


class Server:
    """with Server(path) as s: ... s.host, s.port ..."""

    def __init__(self, binary, settings=(), prefix=(), data=None):
        self.kept = data  # a directory that outlives it; None: one of its own
        self.prefix = list(prefix)  # a command that runs it, as prlimit
        self.binary = os.path.abspath(binary)
        self.settings = ["log.level=notice", "front_workers=2", *settings]
        self.host = self.port = self.process = None
        self.data = None
        self.log = []
        self.ready = threading.Event()

    def start(self):
        self.data = self.kept or tempfile.mkdtemp(prefix="helios-test-")
        command = [*self.prefix, self.binary, "--data", self.data, "--pg-port", "0"]
        for setting in self.settings:
            command += ["--set", setting]
        env = {k: v for k, v in os.environ.items() if not k.startswith("HELIOS")}
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=env,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        # The log is read to its end by a thread: a full pipe would stop the server.
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()
        if not self.ready.wait(START_SECONDS_MAX) or self.port is None:
            self.process.kill()
            self.process.wait()
            shutil.rmtree(self.data, ignore_errors=True)
            raise ServerError("the server did not come up:\n" + self.log_tail())
        return self

    def _read_log(self):
        for raw in self.process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            self.log.append(line)
            found = READY.search(line)
            if found and self.port is None:
                self.host, self.port = found.group(1), int(found.group(2))
                self.ready.set()
        self.ready.set()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def log_tail(self, count=40):
        return "\n".join(self.log[-count:])

    def kill(self):
        """As a crash of the machine, but for what the system still writes."""
        self.process.kill()
        self.process.wait()
        self.reader.join(5)
        self.process = None

    def stop(self):
        """Ends the server; returns None, or the reason why its end was not a clean one."""
        if self.process is None:
            return None
        reason = None
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        else:
            reason = "the server was already gone, status %s" % self.process.returncode
        try:
            status = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            reason = "the server did not end within %d s of SIGTERM" % STOP_SECONDS_MAX
        else:
            if status != 0 and reason is None:
                reason = "the server ended with status %d after SIGTERM" % status
        self.reader.join(5)
        self.process = None
        if not self.kept:
            shutil.rmtree(self.data, ignore_errors=True)
        return reason

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        reason = self.stop()
        if reason:
            message = reason + "\n" + self.log_tail()
            if kind is None:
                raise ServerError(message)
            print(message)
        return False
