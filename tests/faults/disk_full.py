#!/usr/bin/python3
"""A real server on a small file system that fills up: writes fail with 53100 in PostgreSQL's words,
reads go on, and when there is room again writes go on without a restart. Needs root for the file system
(a tmpfs); without it the test is skipped.

usage: disk_full.py HELIOSD [data]
  data: fill the data files as well, which takes a minute"""
import os, subprocess, sys, tempfile, threading, time
import psycopg2

SIZE_MB, BALLAST_MB, SKIPPED = 280, 8, 77


class Server:
    def __init__(self, binary, data):
        self.process = subprocess.Popen(
            [binary, "--data", data, "--pg-port", "0", "--set", "memtable_bytes=4MB", "--set",
             "memtable_total_bytes=16MB", "--set", "wal.file_bytes=1MB", "--set",
             "checkpoint_interval=1s"], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "ready: postgresql on" in line:
                self.port = int(line.strip().rsplit(":", 1)[1])
                threading.Thread(target=lambda: list(self.process.stderr), daemon=True).start()
                return
        raise SystemExit("heliosd did not become ready")

    def stop(self):
        self.process.terminate()
        code = self.process.wait(60)
        assert code == 0, f"SIGTERM ended with {code}"


def insert(q, rows):
    q.execute("insert into big (b) select (select string_agg(md5((i * 1000 + k)::text || random()::text), '')"
              f" from generate_series(1, 60) k where i > 0) from generate_series(1, {rows}) i")


def count(q):
    q.execute("select count(*) from big")
    return q.fetchone()[0]


def fill(q, rows):
    """Until it fails. Returns the rows that were acknowledged."""
    for n in range(2000):
        try:
            insert(q, rows)
        except psycopg2.Error as e:
            assert e.pgcode == "53100", f"{e.pgcode}: {e}"
            assert "No space left on device" in str(e), str(e)
            print(f"full after {n * rows} rows: {str(e).splitlines()[0]}")
            return n * rows
    raise AssertionError("the disk did not fill up")


def run(binary, mount, fill_data):
    ballast, data = os.path.join(mount, "ballast"), os.path.join(mount, "data")
    server = Server(binary, data)
    c = psycopg2.connect(host="127.0.0.1", port=server.port, user="postgres", dbname="postgres")
    c.autocommit = True
    q = c.cursor()
    q.execute("create table big (n serial primary key, b text)")
    q.execute("create table small (i int primary key)")
    if not fill_data:
        free = os.statvfs(mount)
        with open(ballast, "wb") as f:
            os.posix_fallocate(f.fileno(), 0, free.f_bavail * free.f_frsize - (6 << 20))
    else:
        with open(ballast, "wb") as f:
            os.posix_fallocate(f.fileno(), 0, BALLAST_MB << 20)
    rows = fill(q, 1000 if fill_data else 100)
    assert count(q) == rows, f"{count(q)} rows, {rows} acknowledged"
    os.remove(ballast)
    if fill_data:
        # No second data file fits; what can be had is the space of the rows.
        q.execute("truncate big")
        rows = 0
    deadline = time.time() + 60
    while True:
        try:
            q.execute("insert into small values (1)")
            insert(q, 10)
            break
        except psycopg2.Error as e:
            assert e.pgcode == "53100" and time.time() < deadline, str(e)
            q.execute("delete from small")
            time.sleep(0.2)
    print("room again: writes go on")
    assert count(q) == rows + 10
    q.execute("select * from helios_verify() where problem is not null")
    assert q.fetchall() == []
    c.close()
    server.stop()
    tool = os.path.join(os.path.dirname(binary), "helios")
    assert subprocess.run([tool, "verify", data], stdout=subprocess.DEVNULL).returncode == 0


def main():
    binary = os.path.abspath(sys.argv[1])
    mount = tempfile.mkdtemp(prefix="helios-full-")
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", mount],
                                          stderr=subprocess.DEVNULL).returncode != 0:
        os.rmdir(mount)
        print("no small file system can be made: skipped")
        sys.exit(SKIPPED)
    try:
        run(binary, mount, "data" in sys.argv[2:])
    finally:
        subprocess.run(["umount", "-l", mount])
        os.rmdir(mount)


main()
