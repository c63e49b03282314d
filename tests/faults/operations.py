"""Health, metrics and the HTTP server's limits.

    operations.py HELIOSD
"""
import os
import re
import resource
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from server import Server
from wire import Wire

PORT = re.compile(r"http on 127\.0\.0\.1:(\d+)")


def port_of(server):
    for line in server.log:
        found = PORT.search(line)
        if found:
            return int(found.group(1))
    raise AssertionError("no line tells the port:\n" + server.log_tail())


def get(port, path):
    try:
        with urllib.request.urlopen("http://127.0.0.1:%d%s" % (port, path), timeout=10) as r:
            return r.status, r.read().decode(), dict(r.headers)
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode(), dict(e.headers)


def talk(port, data, parts=None):
    """Sends bytes and returns all that comes until the server closes or falls silent."""
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        for part in parts or [data]:
            s.sendall(part)
        s.shutdown(socket.SHUT_WR)
        s.settimeout(10)
        out = b""
        while True:
            try:
                piece = s.recv(65536)
            except ConnectionError:
                return out
            if not piece:
                return out
            out += piece


def statuses(answer):
    return [int(x) for x in re.findall(rb"^HTTP/1\.1 (\d+) ", answer, re.M)]


def check_text(text):
    """The rules of Prometheus's text format that promtool checks; returns the samples."""
    samples, families, current = {}, set(), None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split()[2]
            assert current not in families, "family twice: " + current
            assert len(line.split(None, 3)) == 4, line
            assert re.fullmatch(r"helios_[a-z0-9_]+", current), current
            families.add(current)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name == current, line
            assert kind in ("counter", "gauge", "histogram"), line
            assert (kind == "counter") == name.endswith("_total"), line
        else:
            found = re.fullmatch(r'([a-z0-9_]+)(\{[^}]*\})? (\S+)', line)
            assert found, line
            name = re.sub("_(bucket|sum|count)$", "", found.group(1))
            assert current in (found.group(1), name), line
            assert found.group(1) + (found.group(2) or "") not in samples, line
            samples[found.group(1) + (found.group(2) or "")] = float(found.group(3))
    return samples


def test_metrics(server, port):
    before = check_text(get(port, "/metrics")[1])
    c = psycopg2.connect(host=server.host, port=server.port, user="postgres", dbname="postgres")
    c.autocommit = True
    q = c.cursor()
    q.execute("create table t (id int primary key, v text)")
    for i in range(40):
        q.execute("insert into t values (%s, %s)", (i, "x"))
        q.execute("select v from t where id = %s", (i,))
    q.execute("update t set v = 'y'")
    q.execute("delete from t where id = 0")
    for i in range(3):
        try:
            q.execute("select 1 / 0")
        except psycopg2.Error as e:
            assert e.pgcode == "22012", e.pgcode
    q.execute("checkpoint")
    status, text, headers = get(port, "/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    after = check_text(text)

    def grown(name):
        return after[name] - before.get(name, 0)
    assert grown('helios_statements_total{kind="insert"}') == 40
    assert grown('helios_statements_total{kind="select"}') == 40
    assert grown('helios_statements_total{kind="update"}') == 1
    assert grown('helios_statements_total{kind="delete"}') == 1
    assert grown('helios_statements_total{kind="other"}') >= 2
    assert grown('helios_errors_total{class="22"}') == 3
    assert grown("helios_transactions_committed_total") >= 82
    assert grown("helios_transactions_rolled_back_total") >= 3
    assert grown("helios_wal_commits_total") >= 43
    assert grown("helios_wal_bytes_total") > 0 and grown("helios_wal_flushes_total") > 0
    assert grown("helios_statement_duration_seconds_count") >= 80 // 16
    assert after['helios_statement_duration_seconds_bucket{le="+Inf"}'] == \
        after["helios_statement_duration_seconds_count"]
    assert grown("helios_plan_cache_hits_total") > 0 and grown("helios_plan_cache_misses_total") > 0
    assert grown("helios_flushes_total") > 0 and grown("helios_flush_bytes_total") > 0
    assert after['helios_sessions{state="idle"}'] == 1 and after["helios_sessions_max"] == 1000
    assert after["helios_process_open_fds"] > 3 and after["helios_process_max_fds"] > 3
    assert after["helios_process_resident_memory_bytes"] > 1 << 20
    assert after['helios_memory_bytes{tag="session"}'] > 0
    assert any(k.startswith("helios_build_info{version=") for k in after)
    c.close()


def test_routes(port):
    for path in ("/healthz", "/readyz", "/livez"):
        status, body, headers = get(port, path)
        assert (status, body) == (200, "ok\n"), (path, status, body)
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", headers["Date"])
        told = time.strptime(headers["Date"], "%a, %d %b %Y %H:%M:%S GMT")
        assert abs(time.time() - __import__("calendar").timegm(told)) < 60
    assert get(port, "/healthz?verbose=1")[0] == 200
    assert get(port, "/nothing")[0] == 404
    assert get(port, "/healthz/")[0] == 404
    head = talk(port, b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert statuses(head) == [200] and b"Content-Length: 3\r\n" in head, head
    assert head.endswith(b"\r\n\r\n"), head
    post = talk(port, b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    assert statuses(post) == [405] and b"Allow: GET, HEAD\r\n" in post, post


def test_keep_alive(port):
    one = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    assert statuses(talk(port, one * 50)) == [200] * 50
    assert statuses(talk(port, None, [one[i:i + 1] for i in range(len(one))])) == [200]
    # Nothing is answered behind a Connection: close, nor to HTTP/1.0 without keep-alive.
    closing = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert statuses(talk(port, closing + one)) == [200]
    assert statuses(talk(port, b"GET /livez HTTP/1.0\r\n\r\n" + one)) == [200]


def test_limits(port):
    line = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
    assert statuses(talk(port, line % (b"a" * 8000))) == [404]
    assert statuses(talk(port, line % (b"a" * 9000))) == [414]
    many = b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"".join(b"A%d: b\r\n" % i for i in range(200))
    assert statuses(talk(port, many + b"\r\n")) == [431]
    large = b"GET /livez HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 20000 + b"\r\n\r\n"
    assert statuses(talk(port, large)) == [431]
    body = b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    assert statuses(talk(port, body % 10 + b"x" * 10)) == [413]
    assert statuses(talk(port, body % (1 << 60))) == [413]
    chunked = b"GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    assert statuses(talk(port, chunked)) == [413]
    both = b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert statuses(talk(port, both + b"0\r\n\r\n")) == [400]
    assert statuses(talk(port, b"GET /livez HTTP/1.1\r\n\r\n")) == [400]
    assert statuses(talk(port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")) == [400]
    assert statuses(talk(port, b"GET /livez HTTP/2.0\r\nHost: x\r\n\r\n")) == [400]
    assert get(port, "/livez")[0] == 200


def test_idle_and_slow(port):
    """Connections that say nothing, or half of it, keep nobody else from an answer."""
    held = []
    for data in (b"", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nHost: x\r\n"):
        for _ in range(15):
            s = socket.create_connection(("127.0.0.1", port), 10)
            s.sendall(data)
            held.append(s)
    assert get(port, "/livez")[0] == 200
    more = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(40)]
    more[-1].settimeout(10)
    assert more[-1].recv(100).startswith(b"HTTP/1.1 503 "), "the 65th is turned away"
    for s in held + more:
        s.close()
    until = time.time() + 10
    while statuses(talk(port, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")) != [200]:
        assert time.time() < until
        time.sleep(0.02)


def test_stop(server, port):
    """While sessions end, health says so. What holds the stop up is a client that sends nothing."""
    assert get(port, "/readyz")[0] == 200
    slow = Wire(server, receive_bytes=4096)
    slow.query("begin; select repeat('x', 1000) from generate_series(1, 300000)")
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(20)
    assert server.process.returncode == 0, server.log_tail()
    slow.close()


def test_failed_log(binary):
    """A log that cannot be written: no commit is acknowledged, and health says so."""
    with Server(binary, ["http_port=0"]) as server:
        port = port_of(server)
        w = Wire(server)
        w.query("create table t (id int)")
        w.until(b"Z")
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        codes = []
        for _ in range(3):
            w.query("insert into t values (1)")
            codes += [w.fields(b)["C"] for k, b in w.until(b"Z") if k == b"E"]
        assert codes == ["58030"] * 3, codes
        for path in ("/healthz", "/readyz"):
            status, body, _ = get(port, path)
            assert (status, body) == (503, "the storage engine has stopped writing\n"), (status, body)
        assert get(port, "/livez")[0] == 200
        assert check_text(get(port, "/metrics")[1])["helios_wal_failed"] == 1
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE,
                         (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        w.close()


def test_full(binary):
    """Alive, but nobody else is let in."""
    with Server(binary, ["http_port=0", "max_connections=1"]) as server:
        port = port_of(server)
        one = Wire(server)
        assert get(port, "/healthz")[0] == 200 and get(port, "/livez")[0] == 200
        status, body, _ = get(port, "/readyz")
        assert (status, body) == (503, "all connections are taken\n"), (status, body)
        one.close()
        until = time.time() + 10
        while get(port, "/readyz")[0] != 200:
            assert time.time() < until
            time.sleep(0.02)


def main():
    with Server(sys.argv[1], ["http_port=0"]) as server:
        port = port_of(server)
        test_routes(port)
        test_keep_alive(port)
        test_limits(port)
        test_metrics(server, port)
        test_idle_and_slow(port)
    server = Server(sys.argv[1], ["http_port=0"]).start()
    test_stop(server, port_of(server))
    server.process = None
    shutil.rmtree(server.data, ignore_errors=True)
    test_full(sys.argv[1])
    test_failed_log(sys.argv[1])
    print("ok")


if __name__ == "__main__":
    main()
