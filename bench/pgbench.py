#!/usr/bin/python3
"""pgbench against heliosd and PostgreSQL 15 on this machine, in turns: tps side by side, and after each
TPC-B run the invariant (the sums of the four balances are equal).

usage: pgbench.py HELIOSD [--scale 20] [--seconds 5] [--clients 1,8,32,64] [--modes simple,extended,prepared]"""
import argparse, os, re, shutil, subprocess, sys, tempfile, threading

PG_BIN = "/usr/lib/postgresql/15/bin"


def run(cmd, **kw):
    return subprocess.run(cmd, capture_output=True, text=True, **kw)


class Helios:
    name = "heliosd"

    def __init__(self, binary):
        self.data = tempfile.mkdtemp(prefix="helios-bench-")
        self.process = subprocess.Popen([binary, "--data", self.data, "--pg-port", "0"],
                                        stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "ready: postgresql on" in line:
                self.port = int(line.strip().rsplit(":", 1)[1])
                break
        else:
            sys.exit("heliosd did not become ready")
        threading.Thread(target=lambda: [print("  heliosd:", l, end="") for l in self.process.stderr
                                         if " error " in l], daemon=True).start()

    def stop(self):
        self.process.terminate()
        if self.process.wait(60) != 0:
            print("heliosd ended with", self.process.returncode)
        shutil.rmtree(self.data)


class Postgres:
    name = "postgres"

    def __init__(self, port=55439):
        self.data = tempfile.mkdtemp(prefix="pg-bench-")
        self.port = port
        self.user = []
        if os.getuid() == 0:
            shutil.chown(self.data, "postgres")
            self.user = ["runuser", "-u", "postgres", "--"]
        run(self.user + [f"{PG_BIN}/initdb", "-D", self.data, "-A", "trust", "-U", "postgres"], check=True)
        run(self.user + [f"{PG_BIN}/pg_ctl", "-D", self.data, "-w", "-l", f"{self.data}/log", "-o",
                         f"-p {port} -k {self.data} -c max_connections=200", "start"], check=True)

    def stop(self):
        run(self.user + [f"{PG_BIN}/pg_ctl", "-D", self.data, "-m", "fast", "stop"])
        shutil.rmtree(self.data)


def pgbench(server, *args):
    p = run([f"{PG_BIN}/pgbench", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", *args, "postgres"])
    m = re.search(r"tps = ([\d.]+)", p.stdout)
    failed = re.search(r"number of failed transactions: (\d+)", p.stdout)
    if p.returncode or "ERROR" in p.stderr or "aborted" in p.stderr or (failed and failed[1] != "0"):
        print(f"  {server.name} {' '.join(args)}: failed\n{p.stderr[-2000:]}")
        return 0.0
    return float(m[1]) if m else 0.0


def balanced(server):
    q = ("select (select sum(abalance) from pgbench_accounts), (select sum(bbalance) from pgbench_branches),"
         " (select sum(tbalance) from pgbench_tellers), (select coalesce(sum(delta), 0) from pgbench_history)")
    p = run(["psql", "-X", "-A", "-t", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "-c", q])
    sums = p.stdout.strip().split("|")
    return len(sums) == 4 and len(set(sums)) == 1


def main():
    a = argparse.ArgumentParser()
    a.add_argument("heliosd")
    a.add_argument("--scale", default="20")
    a.add_argument("--seconds", default="5")
    a.add_argument("--clients", default="1,8,32,64")
    a.add_argument("--modes", default="simple,extended,prepared")
    a.add_argument("--no-peer", action="store_true")
    o = a.parse_args()
    servers = [Helios(o.heliosd)] + ([] if o.no_peer else [Postgres()])
    bad = 0
    try:
        for s in servers:
            p = run([f"{PG_BIN}/pgbench", "-i", "-q", "-s", o.scale, "-h", "127.0.0.1", "-p", str(s.port),
                     "-U", "postgres", "postgres"])
            print(f"{s.name}: pgbench -i -s {o.scale}:", p.stderr.strip().splitlines()[-1])
            bad += p.returncode != 0
        print(f"{'run':>8} {'mode':>9} {'clients':>7} " + " ".join(f"{s.name:>12}" for s in servers) + "   ratio")
        for what, flag in (("select", ["-S"]), ("tpcb", [])):
            for mode in o.modes.split(","):
                for clients in o.clients.split(","):
                    jobs = "2" if int(clients) > 1 else "1"
                    tps = [pgbench(s, *flag, "-n", "-M", mode, "-c", clients, "-j", jobs, "-T", o.seconds)
                           for s in servers]
                    note = ""
                    if what == "tpcb" and not balanced(servers[0]):
                        note, bad = "  UNBALANCED", bad + 1
                    bad += tps[0] == 0
                    ratio = f"{tps[0] / tps[1]:.2f}" if len(tps) > 1 and tps[1] else "-"
                    print(f"{what:>8} {mode:>9} {clients:>7} " + " ".join(f"{t:12.0f}" for t in tps) +
                          f"   {ratio}{note}", flush=True)
    finally:
        for s in servers:
            s.stop()
    sys.exit(bad > 0)


main()
