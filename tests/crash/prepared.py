#!/usr/bin/python3
"""kill -9 with prepared transactions: what a client was told is prepared is there after each restart, with its
rows locked and unseen, until somebody ends it; then it is wholly there or wholly gone, for good.

usage: prepared.py HELIOSD [CYCLES]"""
import os, random, shutil, signal, sys, tempfile, threading, time
import psycopg2

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from kill import Server

CLIENTS, ACCOUNTS = 6, 60


def setup(server):
    c = server.connect()
    c.autocommit = True
    q = c.cursor()
    q.execute("create table ledger (gid text, part int, client int, filler text, primary key (gid, part))")
    q.execute("create index ledger_client on ledger (client)")
    q.execute("create table accounts (id int primary key, balance bigint not null)")
    q.execute(f"insert into accounts select i, 1000 from generate_series(1, {ACCOUNTS}) i")
    c.close()


# What a client knows of each of its transactions: 'preparing', 'prepared', 'committing', 'committed',
# 'rolling back', 'gone'.
def client(server, number, known, stop, serial):
    rng = random.Random(number * 7919 + serial)
    try:
        c = server.connect()
        c.autocommit = True
        q = c.cursor()
        q.execute("set lock_timeout = 20") # on what is still prepared
        mine = list(range(number * 10 + 1, number * 10 + 11)) # accounts of its own: it never waits
        n = 0
        while not stop.is_set():
            gid = f"{serial}-{number}-{n}"
            n += 1
            q.execute("begin")
            for part in range(3):
                q.execute("insert into ledger values (%s, %s, %s, repeat('x', %s))",
                          (gid, part, number, rng.randrange(600)))
            a, b = rng.sample(mine, 2)
            try:
                q.execute("update accounts set balance = balance - 7 where id = %s", (a,))
                q.execute("update accounts set balance = balance + 7 where id = %s", (b,))
            except psycopg2.errors.LockNotAvailable:
                q.execute("rollback")
                continue
            known[gid] = "preparing"
            q.execute("prepare transaction %s", (gid,))
            known[gid] = "prepared"
            if rng.randrange(12) == 0:
                time.sleep(0.02)
            if rng.randrange(25) == 0:
                stop.wait(0.3) # it stays prepared over a checkpoint, or the kill
            commit = rng.randrange(3) > 0
            known[gid] = "committing" if commit else "rolling back"
            q.execute("%s prepared %%s" % ("commit" if commit else "rollback"), (gid,))
            known[gid] = "committed" if commit else "gone"
    except psycopg2.Error as e:
        server.note(e)


def load(server, stop):
    """Fills memtables, so that they are flushed, and the log is recycled, beside what is prepared."""
    try:
        c = server.connect()
        c.autocommit = True
        q = c.cursor()
        q.execute("create table if not exists load (id serial primary key, t text)")
        while not stop.is_set():
            q.execute("insert into load (t) select repeat(md5(i::text), 8) from generate_series(1, 400) i")
            q.execute("checkpoint")
    except psycopg2.Error as e:
        server.note(e)


def rows_of(q, gid):
    q.execute("select count(*) from ledger where gid = %s", (gid,))
    return q.fetchone()[0]


def check(server, known, rng):
    assert not server.errors, f"clients under load: {server.errors}"
    c = server.connect()
    c.autocommit = True
    q = c.cursor()
    q.execute("select gid from pg_prepared_xacts")
    there = {row[0] for row in q.fetchall()}
    assert there <= set(known), f"nobody has prepared {sorted(there - set(known))[:3]}"
    for gid, state in known.items():
        if state == "prepared":
            assert gid in there, f"{gid} was prepared and is gone"
        if state in ("committed", "gone"):
            assert gid not in there, f"{gid} has ended and is back"
    for gid in sorted(there):
        assert rows_of(q, gid) == 0, f"{gid} is seen before its commit"
        try:
            q.execute("set lock_timeout = 20")
            q.execute("insert into ledger values (%s, 1, 0, null)", (gid,))
            raise AssertionError(f"{gid} holds no lock")
        except psycopg2.errors.LockNotAvailable:
            pass
        # Some stay for the next time.
        state = known[gid]
        if rng.randrange(4) == 0:
            known[gid] = "prepared"
            continue
        commit = rng.randrange(2) == 0
        q.execute("%s prepared %%s" % ("commit" if commit else "rollback"), (gid,))
        known[gid] = "committed" if commit else "gone"
    for gid, state in sorted(known.items()):
        rows = rows_of(q, gid)
        if state in ("preparing", "committing", "rolling back") and gid not in there:
            assert not (rows and state == "preparing"), f"{gid} is there, though nobody committed it"
            known[gid] = state = "committed" if rows else "gone"
        want = 3 if state == "committed" else 0
        assert rows == want, f"{gid}, {state}: {rows} rows"
    q.execute("select sum(balance), count(*) from accounts")
    assert q.fetchone() == (1000 * ACCOUNTS, ACCOUNTS), "money was made or lost"
    q.execute("select object, kind, problem from helios_verify() where problem is not null")
    assert not (problems := q.fetchall()), f"helios_verify: {problems}"
    c.close()
    return len(there)


def main():
    binary, cycles = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 4
    data = tempfile.mkdtemp(prefix="helios-prepared-")
    server = Server(binary, data)
    seed = int(os.environ.get("SEED", str(random.randrange(1 << 30))))
    print(f"seed {seed}", flush=True)
    rng = random.Random(seed)
    known = {}
    server.start()
    setup(server)
    for cycle in range(1, cycles + 1):
        stop = threading.Event()
        threads = [threading.Thread(target=client, args=(server, n, known, stop, cycle))
                   for n in range(CLIENTS)]
        threads.append(threading.Thread(target=load, args=(server, stop)))
        for t in threads:
            t.start()
        time.sleep(rng.uniform(0.3, 1.2))
        orderly = rng.randrange(4) == 0
        if orderly:
            stop.set()
            for t in threads:
                t.join()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(30) == 0
        else:
            server.kill()
            stop.set()
            for t in threads:
                t.join()
        server.start()
        found = check(server, known, rng)
        ended = sum(s in ("committed", "gone") for s in known.values())
        print(f"cycle {cycle}: {found} were prepared, {ended} have ended", flush=True)
    server.process.terminate()
    server.process.wait()
    shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
