#!/usr/bin/python3
"""kill -9 with everything at once: foreign keys and triggers, savepoints, transactions at each level, branches of branches and
merges, online DDL and concurrent indexes beside writers, prepared transactions, reads of the past against a log, garbage
collection, checkpoints. Each kill is followed by `helios verify` of the directory, sometimes by a kill of the recovery, and
by a look at all that was acknowledged.

usage: kill_mix.py HELIOSD [CYCLES] [SEED]"""
import os, random, shutil, signal, subprocess, sys, tempfile, threading, time
import psycopg2

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import kill
from mix_clients import Historian, Pledger, Shopper, PLEDGES, SHOP
from mix_definitions import Brancher, Definer, Writer

RETENTION = 15 # seconds


class Server(kill.Server):
    settings = [*kill.Server.settings, f"helios.version_retention={RETENTION}s"]

    def kill_recovery(self, seconds):
        """Starts it, and kills it before it is ready, or soon after."""
        process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()


def setup(server, clients):
    c = server.connect()
    c.autocommit = True
    q = c.cursor()
    q.execute(SHOP)
    q.execute(PLEDGES)
    q.execute("create table clock (id int primary key, v int not null)")
    for client in clients:
        if hasattr(client, "setup"):
            client.setup(q)
    c.close()


def watch(server, stop, counts):
    """Verification and checkpoints beside the load."""
    try:
        c = server.connect()
        c.autocommit = True
        q = c.cursor()
        while not stop.is_set():
            q.execute("checkpoint")
            counts["checkpoints"] = counts.get("checkpoints", 0) + 1
            stop.wait(0.2)
            if counts["checkpoints"] % 3:
                continue
            q.execute("select object, kind, problem from helios_verify() where problem is not null")
            found = q.fetchall()
            if found:
                server.errors.append(f"helios_verify: {found}")
    except psycopg2.Error as e:
        server.note(e)


def check(server, clients):
    assert not server.errors, "under load: " + "\n  ".join(server.errors)
    c = server.connect()
    c.autocommit = True
    q = c.cursor()
    q.execute("set lock_timeout = '20s'")
    for client in clients:
        client.check(q)
    q.execute("select object, kind, problem from helios_verify() where problem is not null")
    problems = q.fetchall()
    assert not problems, f"helios_verify: {problems}"
    c.close()


def cycle(server, clients, rng, counts):
    stop = threading.Event()
    threads = [threading.Thread(target=c.run, args=(server, rng.randrange(1 << 30), stop)) for c in clients]
    threads.append(threading.Thread(target=watch, args=(server, stop, counts)))
    for t in threads:
        t.start()
    time.sleep(rng.uniform(0.3, 1.5))
    server.kill()
    stop.set()
    for t in threads:
        t.join()
    if rng.randrange(4) == 0:
        server.kill_recovery(rng.uniform(0, 0.15))
        counts["kills of a recovery"] = counts.get("kills of a recovery", 0) + 1
    kill.verify_offline(server)
    server.start()
    check(server, clients)


def main():
    binary, cycles = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 20)
    print(f"seed {seed}", flush=True)
    rng, counts = random.Random(seed), {}
    clients = [*(Shopper(n, counts) for n in range(1, 4)), *(Pledger(n, counts) for n in (1, 2)),
               *(Brancher(n, counts) for n in (1, 2)), Writer(1, counts), Definer(1, counts), Writer(2, counts),
               Definer(2, counts), Historian(1, counts, RETENTION)]
    data = tempfile.mkdtemp(prefix="helios-kill-mix-")
    server = Server(binary, data)
    server.start()
    try:
        setup(server, clients)
        for i in range(1, cycles + 1):
            cycle(server, clients, rng, counts)
            print(f"cycle {i}: all there", flush=True)
        server.process.terminate()
        code = server.process.wait(30)
        assert code == 0, f"SIGTERM ended with {code}"
        kill.verify_offline(server)
    except BaseException:
        server.kill()
        print(f"the directory is left as {data}")
        raise
    shutil.rmtree(data)
    print(f"{cycles} kills, nothing lost: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))


if __name__ == "__main__":
    main()
