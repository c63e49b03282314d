#!/usr/bin/python3
"""kill -9 under load: clients keep a record of what was acknowledged; after each restart nothing of it
may be missing, nothing unacknowledged may be half there, and every index must equal its table, entry by
entry: helios_verify() is asked each time, and now and then `helios verify` before the restart.

usage: kill.py HELIOSD [CYCLES]"""
import os, random, shutil, signal, subprocess, sys, tempfile, threading, time
import psycopg2

CLIENTS, ACCOUNTS = 8, 100


class Server:
    settings = ["memtable_bytes=256kB", "wal.file_bytes=1MB"]

    def __init__(self, binary, data):
        self.binary, self.data = binary, data
        self.errors = [] # that clients were told

    def command(self):
        return [self.binary, "--data", self.data, "--pg-port", "0",
                *(word for s in self.settings for word in ("--set", s))]

    def start(self):
        self.process = subprocess.Popen(self.command(), stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "ready: postgresql on" in line:
                self.port = int(line.strip().rsplit(":", 1)[1])
                threading.Thread(target=self.drain, daemon=True).start()
                return
        raise SystemExit("heliosd did not become ready")

    def drain(self):
        for line in self.process.stderr:
            if "error" in line.split()[1:2]:
                print("   server:", line.rstrip())

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def note(self, e):
        """A client's error. Of a server that is killed none has a code."""
        if e.pgcode:
            self.errors.append(f"{e.pgcode}: {e}")

    def connect(self):
        return psycopg2.connect(host="127.0.0.1", port=self.port, user="postgres", dbname="postgres")


def setup(server):
    c = server.connect()
    c.autocommit = True
    q = c.cursor()
    q.execute("create table ledger (id bigint primary key, client int not null, txn int not null,"
              " part int not null, filler text)")
    q.execute("create index ledger_client on ledger (client, txn)")
    q.execute("create unique index ledger_part on ledger (client desc, txn, part)")
    q.execute("create table accounts (id int primary key, balance bigint not null)")
    q.execute(f"insert into accounts select i, 1000 from generate_series(1, {ACCOUNTS}) i")
    c.close()


def client(server, number, acked, unsure, stop):
    """Transactions of three ledger rows and one transfer; `acked` is the last one whose commit came back."""
    rng = random.Random(number * 7919 + acked[number])
    try:
        c = server.connect()
        q = c.cursor()
        while not stop.is_set():
            txn = acked[number] + 1
            unsure[number] = txn
            for part in range(3):
                q.execute("insert into ledger values (%s, %s, %s, %s, repeat('x', %s))",
                          (number * 10**9 + txn * 3 + part, number, txn, part, rng.randrange(400)))
            a, b = sorted(rng.sample(range(1, ACCOUNTS + 1), 2))
            amount = rng.randrange(100)
            q.execute("update accounts set balance = balance - %s where id = %s", (amount, a))
            q.execute("update accounts set balance = balance + %s where id = %s", (amount, b))
            c.commit()
            acked[number] = txn
    except psycopg2.Error as e:
        server.note(e)


def watch(server, stop, problems):
    """Verification beside the load must find nothing either."""
    try:
        c = server.connect()
        q = c.cursor()
        while not stop.is_set():
            q.execute("select object, kind, problem from helios_verify() where problem is not null")
            problems += q.fetchall()
            c.rollback()
    except psycopg2.Error as e:
        server.note(e)


def check(server, acked, unsure):
    assert not server.errors, f"clients under load: {server.errors}"
    c = server.connect()
    q = c.cursor()
    q.execute("select client, txn, count(*) from ledger group by 1, 2 order by 1, 2")
    seen = {}
    for number, txn, parts in q.fetchall():
        assert parts == 3, f"transaction {txn} of client {number} is half there: {parts} rows"
        seen.setdefault(number, set()).add(txn)
    for number in range(CLIENTS):
        have, want = seen.get(number, set()), set(range(1, acked[number] + 1))
        assert want <= have, f"client {number} lost {sorted(want - have)[:5]}"
        assert have <= want | {unsure[number]}, f"client {number} has {sorted(have - want)[:5]}"
        acked[number] = max(have, default=0)
        q.execute("select count(*) from ledger where client = %s", (number,))
        by_index = q.fetchone()[0]
        assert by_index == 3 * len(have), f"index of client {number}: {by_index}, not {3 * len(have)}"
    q.execute("select sum(balance), count(*) from accounts")
    assert q.fetchone() == (1000 * ACCOUNTS, ACCOUNTS), "money was made or lost"
    q.execute("select count(*) from ledger")
    total = q.fetchone()[0]
    q.execute("select object, kind, problem from helios_verify() where problem is not null")
    problems = q.fetchall()
    assert not problems, f"helios_verify: {problems}"
    c.close()
    return total


def verify_offline(server):
    """Recovers the log as the next start would, and looks at everything."""
    tool = os.path.join(os.path.dirname(server.binary), "helios")
    r = subprocess.run([tool, "verify", server.data], capture_output=True, text=True, timeout=300)
    assert r.returncode == 0, f"helios verify: {r.returncode}\n{r.stdout}{r.stderr}"


def main():
    binary, cycles = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    data = tempfile.mkdtemp(prefix="helios-kill-")
    server = Server(binary, data)
    acked, unsure = [0] * CLIENTS, [0] * CLIENTS
    rng = random.Random(int(os.environ.get("SEED", "1")))
    server.start()
    setup(server)
    for cycle in range(1, cycles + 1):
        stop = threading.Event()
        clients = [threading.Thread(target=client, args=(server, n, acked, unsure, stop))
                   for n in range(CLIENTS)]
        problems = []
        clients.append(threading.Thread(target=watch, args=(server, stop, problems)))
        for t in clients:
            t.start()
        time.sleep(rng.uniform(0.2, 1.2))
        server.kill()
        stop.set()
        for t in clients:
            t.join()
        assert not problems, f"helios_verify under load: {problems}"
        if rng.randrange(4) == 0:
            verify_offline(server)
        server.start()
        total = check(server, acked, unsure)
        print(f"cycle {cycle}: {total} ledger rows, all there", flush=True)
    server.process.terminate()
    code = server.process.wait(30)
    assert code == 0, f"SIGTERM ended with {code}"
    verify_offline(server)
    shutil.rmtree(data)
    print(f"{cycles} kills, nothing lost")


if __name__ == "__main__":
    main()
