"""The servers that the benchmarks over the wire compare: ours, PostgreSQL 15 at its best, and the null
server (the floor). Each has a name, start(), stop(), host, port and dsn(); each keeps its data in a
directory of its own and removes it. PostgreSQL has an initdb of its own here, with the settings that
a dedicated machine would have, and never shares a server that runs already."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

PG_BIN = "/usr/lib/postgresql/15/bin"
PG_PACKAGE = "postgresql-15"
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 120
# Clients ask for TLS where a server has it: ours always has, a new PostgreSQL cluster has not.
os.environ["PGSSLMODE"] = "disable"
READY = re.compile(r"ready: postgresql on (?:([0-9.]+)|(/\S*)):(\d+)")


class BenchError(Exception):
    pass


def run(command, **kw):
    return subprocess.run(command, capture_output=True, text=True, **kw)


def install_postgres():
    """The peer and pgbench are wanted by benchmarks alone, so they are no dependency of the build."""
    if os.path.exists(f"{PG_BIN}/initdb") and os.path.exists(f"{PG_BIN}/pgbench"):
        return
    if os.getuid() != 0:
        raise BenchError(f"{PG_PACKAGE} is missing: apt-get install {PG_PACKAGE}")
    print(f"Installing {PG_PACKAGE}", file=sys.stderr)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"])
    p = run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", PG_PACKAGE], env=env)
    if p.returncode:
        raise BenchError(f"cannot install {PG_PACKAGE}: {p.stderr[-500:]}")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def memory(pid):
    """Resident bytes now and at the peak."""
    with open(f"/proc/{pid}/status") as f:
        found = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+) kB", f.read()))
    return int(found["VmRSS"]) * 1024, int(found["VmHWM"]) * 1024


def cpu_seconds(pid):
    """What the process has computed so far, of all its threads."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
        except OSError:
            pass  # it has ended
    return total / 1e9


class Server:
    """What the three have in common. `unix` serves a Unix socket in place of TCP."""

    process = None

    def __init__(self, directory=None, unix=False):
        self.directory, self.unix = directory, unix
        self.host, self.port, self.data = "127.0.0.1", 0, None

    def make_data(self):
        self.data = tempfile.mkdtemp(prefix=f"bench-{self.name}-", dir=self.directory)
        os.chmod(self.data, 0o755)
        if self.unix:
            self.host = self.data

    def dsn(self, database="postgres"):
        return f"host={self.host} port={self.port} user=postgres dbname={database}"

    def psql(self, sql, timeout=600):
        p = run(["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.dsn(), "-c", sql],
                timeout=timeout)
        if p.returncode:
            raise BenchError(f"{self.name}: {p.stderr.strip()}")
        return p.stdout.strip()

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                status = self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                status = self.process.wait()
            self.process = None
            if status:
                print(f"{self.name} ended with status {status}", file=sys.stderr)
        shutil.rmtree(self.data, ignore_errors=True)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        self.stop()


class Helios(Server):
    name = "heliosd"

    def __init__(self, binary, settings=(), soft_files=None, **kw):
        super().__init__(**kw)
        self.binary, self.settings = os.path.abspath(binary), list(settings)
        self.soft_files = soft_files  # the soft limit of open files that it is started with
        self.errors, self.log, self.ready = [], [], threading.Event()

    def start(self):
        self.make_data()
        command = [self.binary, "--data", f"{self.data}/db", "--pg-port", "0"]
        if self.unix:
            self.port = 5432
            command += ["--listen", f"{self.data}/.s.PGSQL.5432"]
        for s in self.settings:
            command += ["--set", s]
        if self.soft_files:
            command = ["sh", "-c", f'ulimit -Sn {self.soft_files}; exec "$@"', "sh"] + command
        env = {k: v for k, v in os.environ.items() if not k.startswith("HELIOS")}
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=env, text=True,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        threading.Thread(target=self.read_log, args=(self.process.stderr,), daemon=True).start()
        if not self.ready.wait(START_SECONDS_MAX) or not self.port:
            self.stop()
            raise BenchError("heliosd did not become ready:\n" + "\n".join(self.log[-20:]))

    # Read to the end: a full pipe would stop the server.
    def read_log(self, stream):
        for line in stream:
            self.log = self.log[-200:] + [line.rstrip()]
            if " error " in line or " fatal " in line:
                self.errors.append(line.rstrip())
            found = READY.search(line)
            if found:
                self.port = self.port or int(found[3])
                self.ready.set()
        self.ready.set()

    def memory(self):
        return memory(self.process.pid)


class Postgres(Server):
    """PostgreSQL 15 with memory, log and planner settings of a dedicated machine; fsync stays on."""

    name = "postgres"

    def __init__(self, shared_buffers="6GB", settings=(), max_connections=200, **kw):
        super().__init__(**kw)
        self.user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        self.settings = [f"shared_buffers={shared_buffers}", f"max_connections={max_connections}",
                         "max_wal_size=8GB", "checkpoint_timeout=30min", "wal_buffers=64MB",
                         "random_page_cost=1.1", "effective_cache_size=12GB",
                         "maintenance_work_mem=1GB", "work_mem=256MB", *settings]

    def start(self):
        install_postgres()
        self.make_data()
        if self.user:
            shutil.chown(self.data, "postgres")
        self.port = free_port()
        p = run(self.user + [f"{PG_BIN}/initdb", "-D", f"{self.data}/db", "-A", "trust", "-U",
                             "postgres", "--locale=C.UTF-8", "-E", "UTF8"], cwd=self.data)
        if p.returncode:
            raise BenchError("initdb: " + p.stderr)
        options = f"-p {self.port} -k {self.data} " + " ".join(f"-c {s}" for s in self.settings)
        p = subprocess.run(self.user + [f"{PG_BIN}/pg_ctl", "-D", f"{self.data}/db", "-w", "-s",
                                        "-l", f"{self.data}/log", "-o", options, "start"],
                           cwd=self.data)
        if p.returncode:
            with open(f"{self.data}/log") as f:
                raise BenchError("postgres: " + f.read()[-1000:])

    def warm(self, *tables):
        """Reads tables and their indexes into the shared buffers."""
        self.psql("create extension if not exists pg_prewarm")
        names = ",".join(f"'{t}'" for t in tables)
        self.psql("select pg_prewarm(c.oid) from pg_class c where c.relname in (" + names + ") or "
                  "c.oid in (select indexrelid from pg_index i join pg_class t on t.oid = i.indrelid"
                  " where t.relname in (" + names + "))")

    def stop(self):
        run(self.user + [f"{PG_BIN}/pg_ctl", "-D", f"{self.data}/db", "-m", "immediate", "-w", "stop"],
            cwd="/")
        shutil.rmtree(self.data, ignore_errors=True)


class Null(Server):
    name = "null"

    def __init__(self, binary, **kw):
        super().__init__(**kw)
        self.binary = os.path.abspath(binary)

    def start(self):
        if not os.path.exists(self.binary):
            raise BenchError(f"{self.binary} is missing: meson configure -Dbench=true, then ninja")
        self.make_data()
        self.process = subprocess.Popen([self.binary, "--socket", f"{self.data}/.s.PGSQL.5432"],
                                        stdout=subprocess.PIPE, text=True)
        found = self.process.stdout.readline().split()
        if found[:1] != ["ready"]:
            self.stop()
            raise BenchError("the null server did not start")
        self.port = 5432 if self.unix else int(found[1])


class DuckDB:
    """DuckDB in a process of node's, its package from npm in `packages` (kept between runs)."""

    name = "duckdb"

    def __init__(self, packages, threads=2):
        self.packages, self.threads, self.process, self.data = packages, threads, None, None

    def install(self):
        if os.path.exists(f"{self.packages}/node_modules/@duckdb/node-api"):
            return
        if not shutil.which("npm"):
            raise BenchError("DuckDB needs npm and node 18")
        os.makedirs(self.packages, exist_ok=True)
        p = run(["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", self.packages,
                 "@duckdb/node-api"], timeout=600)
        if p.returncode:
            raise BenchError(f"npm cannot install @duckdb/node-api: {p.stderr[-500:]}")

    def start(self):
        self.install()
        self.data = tempfile.mkdtemp(prefix="bench-duckdb-")
        # node looks for packages beside the script.
        source = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tpch")
        script = f"{self.packages}/duckdb.mjs"
        shutil.copyfile(f"{source}/duckdb.mjs", script)
        self.process = subprocess.Popen(["node", script, f"{self.data}/db", str(self.threads)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, sql):
        """(seconds, rows)"""
        self.process.stdin.write(json.dumps({"sql": sql}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "it ended"}')
        if "error" in answer:
            raise BenchError("duckdb: " + answer["error"])
        return answer["seconds"], answer["rows"]

    def stop(self):
        if self.process:
            self.process.stdin.close()
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
            self.process = None
        if self.data:
            shutil.rmtree(self.data, ignore_errors=True)


def build_of(heliosd):
    """The build folder of .../src/bin/heliosd; the programs of bench/ are in it, too."""
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(heliosd))))


def version_of(server):
    return server.psql("show server_version")


def write_json(path, title, command, columns, rows, notes):
    """The form that bench/report.py renders; bench/README.md tells of it."""
    if not path:
        return
    with open(path, "w") as f:
        json.dump({"title": title, "command": command, "columns": columns, "rows": rows,
                   "notes": notes, "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime())}, f, indent=1)
        f.write("\n")


def command_line():
    """The command that was run, as a reader would type it at the top of the tree."""
    return " ".join(["bench/" + os.path.basename(sys.argv[0])] + sys.argv[1:])
