"""Starts that must fail: each with its own exit code and with words that say what to do.

    start.py HELIOSD
"""
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from server import Server

OTHER, USAGE, SETTINGS, DATA_DIR, LOCKED, PORT, DAMAGED = range(1, 8)


def expect(binary, code, words, *args, env=None):
    """Runs it to its end; the words must stand on standard error."""
    full = {k: v for k, v in os.environ.items() if not k.startswith("HELIOS")}
    full.update(env or {})
    r = subprocess.run([binary, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                       timeout=30, env=full)
    assert r.returncode == code, (args, r.returncode, r.stderr)
    for w in words:
        assert w in r.stderr, (args, w, r.stderr)


def test_flags(binary, data):
    expect(binary, USAGE, ["unknown option: --nonsense"], "--nonsense", "x")
    expect(binary, USAGE, ["--pg-port"], "--pg-port")
    expect(binary, USAGE, ["unrecognized configuration parameter \"max_conections\"",
                           "Perhaps you meant \"max_connections\"."],
           "--data", data, "--set", "max_conections=5")


def test_config(binary, folder, data):
    path = os.path.join(folder, "helios.conf")

    def write(text):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    base = ("--data", data, "--config", path)
    write("# ours\n\npg_prot = 5433\n")
    expect(binary, SETTINGS, ['"pg_prot", in file "%s" line 3' % path,
                              'Perhaps you meant "pg_port".'], *base)
    write("commit_mode = sync\n")
    expect(binary, SETTINGS, ["line 1", 'Perhaps you meant "wal.commit_mode".'], *base)
    write("quite_another_thing = 1\n")
    expect(binary, SETTINGS, ["line 1", "docs/settings.md"], *base)
    write("max_connections = many\n")
    expect(binary, SETTINGS, ['invalid value for parameter "max_connections": "many"', "line 1",
                              "a whole number"], *base)
    write("max_connections = 0\n")
    expect(binary, SETTINGS, ["outside the valid range", "(1 .. 100000)", "line 1"], *base)
    write("listen = 'unterminated\n")
    expect(binary, SETTINGS, ["syntax error in file", "line 1"], *base)
    write("max_connections = 5\nsuperuser_reserved_connections = 5\n")
    expect(binary, SETTINGS, ["superuser_reserved_connections (5) must be less than "
                              "max_connections (5)"], *base)
    expect(binary, SETTINGS, ["could not open configuration file", "No such file"],
           "--data", data, "--config", path + ".none")
    expect(binary, SETTINGS, ["invalid value"], "--data", data,
           env={"HELIOS_MAX_CONNECTIONS": "x"})
    expect(binary, SETTINGS, ["will not listen on \"0.0.0.0\"", "hint:"],
           "--data", data, "--pg-port", "0", "--listen", "0.0.0.0")
    expect(binary, SETTINGS, ["will not listen on \"0.0.0.0\" for HTTP", "http_listen"],
           "--data", data, "--pg-port", "0", "--http-port", "0", "--set", "http_listen=0.0.0.0")


def test_data_dir(binary, folder):
    file = os.path.join(folder, "file")
    open(file, "w").close()
    expect(binary, DATA_DIR, ["is not a directory"], "--data", file)
    expect(binary, DATA_DIR, ["could not create data directory", "hint:"],
           "--data", os.path.join(folder, "none", "deeper"))
    expect(binary, DATA_DIR, ["could not create data directory"], "--data", "/proc/helios")
    open_to_all = os.path.join(folder, "open")
    os.mkdir(open_to_all)
    os.chmod(open_to_all, 0o777)
    expect(binary, DATA_DIR, ["has invalid permissions", "chmod 700"], "--data", open_to_all)
    assert os.listdir(open_to_all) == []
    if os.geteuid() == 0:
        foreign = os.path.join(folder, "foreign")
        os.mkdir(foreign, 0o700)
        os.chown(foreign, 65534, 65534)
        expect(binary, DATA_DIR, ["has wrong ownership", "user that owns"], "--data", foreign)
    else:
        locked = os.path.join(folder, "readonly")
        os.mkdir(locked, 0o500)
        expect(binary, DATA_DIR, ["could not write to data directory"], "--data", locked)
        os.chmod(locked, stat.S_IRWXU)


def test_taken(binary, folder):
    with Server(binary) as server:
        expect(binary, LOCKED, ["helios.lock", "(PID %d)" % server.process.pid],
               "--data", server.data, "--pg-port", "0")
        fresh = os.path.join(folder, "fresh")
        expect(binary, PORT, ["could not bind address \"127.0.0.1\", port %d" % server.port,
                              "--pg-port"], "--data", fresh, "--pg-port", str(server.port))
        expect(binary, PORT, ["could not bind"], "--data", fresh, "--pg-port", "0",
               "--http-port", str(server.port))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        expect(binary, PORT, ["could not bind"], "--data", fresh,
               "--pg-port", str(s.getsockname()[1]))


def test_damaged(binary, folder):
    """A manifest whose bytes were changed is damage, not another error."""
    data = os.path.join(folder, "damaged")
    fresh = os.path.join(folder, "fresh")
    shutil.copytree(fresh, data)
    for name in os.listdir(data):
        if name.endswith(".hmf"):
            with open(os.path.join(data, name), "r+b") as f:
                size = f.seek(0, 2)
                for at in range(0, min(size, 4096), 16):
                    f.seek(at)
                    f.write(b"\xa5" * 4)
    expect(binary, DAMAGED, [".hmf"], "--data", data, "--pg-port", "0")


def main():
    binary = os.path.abspath(sys.argv[1])
    folder = tempfile.mkdtemp(prefix="helios-start-")
    try:
        data = os.path.join(folder, "data")
        test_flags(binary, data)
        test_config(binary, folder, data)
        test_data_dir(binary, folder)
        test_taken(binary, folder)
        test_damaged(binary, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("ok")


if __name__ == "__main__":
    main()
