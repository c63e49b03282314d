#!/usr/bin/python3
"""The README's five-minute tour, pasted into psql against the demo shop: one error is meant, the rest works.

usage: tour.py HELIOSD README"""
import re, subprocess, sys, tempfile, threading


def tour(readme):
    text = open(readme).read().split("## Five minutes")[1].split("\n## ")[0]
    return "\n".join(line[4:] for line in text.splitlines() if line.startswith("    ")) + "\n"


def main():
    binary, readme = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="helios-tour-") as data:
        server = subprocess.Popen([binary, "--data", data, "--pg-port", "0", "--demo"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        port = next(m[1] for m in (re.search(r"ready: postgresql on \S+:(\d+)", l)
                                   for l in server.stderr) if m)
        threading.Thread(target=server.stderr.read, daemon=True).start()
        try:
            p = subprocess.run(["psql", "-X", "-h", "127.0.0.1", "-p", port, "-U", "postgres"], input=tour(readme),
                               capture_output=True, text=True, timeout=60)
        finally:
            server.terminate()
            code = server.wait(30)
    errors = [l for l in p.stderr.splitlines() if "ERROR" in l]
    want = ['new row for relation "account" violates check constraint "account_balance_check"']
    assert [e.split("ERROR:  ")[1] for e in errors] == want, p.stderr
    for part in ("Amsterdam", "Index Scan using orders_customer", "INSERT 0 2", "bob   |   55.00", "2024-06-01", "COPY 2", "price_in_the_sale",
                 "eve,99.00", "\n     5\n"):
        assert part in p.stdout, f"{part!r} is not in\n{p.stdout}"
    assert code == 0, f"SIGTERM ended with {code}"
    print("the tour works")


main()
