#!/usr/bin/env python3
"""Starts a server, runs a command against it, stops the server.

    with_server.py HELIOSD COMMAND ...      {host} and {port} in the command become the server's

Ends with 0 when both ended well; else it prints the server's last words.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.dont_write_bytecode = True
from server import Server, ServerError  # noqa: E402

SECONDS_MAX = 150


def main(argv):
    if len(argv) < 2:
        print(__doc__)
        return 2
    try:
        with Server(argv[0]) as server:
            words = {"{host}": server.host, "{port}": str(server.port)}
            command = argv[1:]
            for key, value in words.items():
                command = [part.replace(key, value) for part in command]
            env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
            status = subprocess.run(command, timeout=SECONDS_MAX, env=env).returncode
            if status:
                print("status %d; the server's last words:\n%s" % (status, server.log_tail(10)))
            return 1 if status else 0
    except (ServerError, subprocess.TimeoutExpired) as e:
        print(e)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
