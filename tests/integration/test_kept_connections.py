"""Short requests share connections that the web server keeps: no request is lost by it, no thread waits for one, the load is
still shared out, and nothing of one request is left in the next."""
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from collections import Counter

import fcgi
import pytest
from house import DEADLINE_S, ROOT, Site, in_parallel, wait_for

KEEP = struct.pack("!HB5x", 1, 1)


def kept(method, target, headers=None, body=b"", more=None):
    """A whole request whose connection is to be kept."""
    return fcgi.request(method, target, headers or {}, body, more).replace(fcgi.record(fcgi.BEGIN, fcgi.RESPONDER),
                                                                       fcgi.record(fcgi.BEGIN, KEEP), 1)


class WebServer:
    """A web server's end of one connection."""

    def __init__(self, site):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE_S)
        self.socket.connect(site.settings["C1D_SOCKET"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def say(self, data):
        self.socket.sendall(data)

    def ask(self, method, target, headers=None, body=b"", more=None):
        """(status, headers in lower case, body)."""
        self.say(kept(method, target, headers, body, more))
        return self.answer()

    def answer(self):
        text = b"".join(content for kind, content in fcgi.read_records(self.socket) if kind == fcgi.STDOUT)
        head, _, body = text.partition(b"\r\n\r\n")
        lines = (line.split(": ", 1) for line in head.decode().split("\r\n"))
        fields = {name.lower(): value for name, value in lines}
        return int(fields.pop("status", "200").split()[0]), fields, body

    def is_closed(self):
        """Waits for it; what is still sent does not come."""
        try:
            return self.socket.recv(65536) == b""
        except ConnectionResetError:
            return True


@pytest.fixture(scope="module")
def site(scratch, upstream):
    house = Site(scratch, upstream, {"C1D_AUTH": "visitor", "C1D_THREADS": "4", "C1D_READ_MS": "1000"}, workers=1)
    yield house
    house.stop()


def requests_of(site, count, what=None):
    """The last log lines of so many requests; a line is written behind the answer."""
    found = wait_for(lambda: len(lines := [line for line in site.log_lines("request") if not what or what in line["id"]]) >= count and lines,
                     f"{count} requests are logged")
    return found[-count:]


# --- one connection ---

def test_requests_come_one_by_one_over_one_connection_and_nothing_of_one_is_left_in_the_next(site):
    """F17: cookie, user, id, body, address."""
    with WebServer(site) as server:
        status, first, body = server.ask("POST", "/api/threads", {"x-request-id": "kept-1"}, b'{"title":"of one"}', {"HTTPS": "on"})
        cookie = first["set-cookie"].split(";")[0]
        assert status == 201 and cookie.startswith("__Host-c1d_visitor=")
        thread = json.loads(body)["id"]
        # A second person on the same connection, who brings nothing.
        status, second, body = server.ask("GET", "/api/threads", {"x-request-id": "kept-2"})
        assert (status, json.loads(body)) == (200, []) and second["set-cookie"].split(";")[0] != cookie
        assert second["set-cookie"].startswith("c1d_visitor="), "that the one before came by TLS is over"
        status, third, body = server.ask("GET", f"/api/threads/{thread}", {"x-request-id": "kept-3"})
        assert status == 403 and json.loads(body)["request_id"] == "kept-3"
        # No id of its own: not that of the one before.
        status, _, body = server.ask("GET", "/api/nothing")
        assert status == 404 and not json.loads(body)["request_id"].startswith("kept-")
        # No body and no content type: not those of the one before.
        assert server.ask("POST", "/api/threads", {"x-request-id": "kept-4"})[0] == 415
    lines = {line["id"]: line for line in requests_of(site, 4, "kept-")}
    assert [lines[f"kept-{n}"]["status"] for n in (1, 2, 3)] == [201, 200, 403]
    assert len({lines[f"kept-{n}"]["user"] for n in (1, 2, 3)}) == 3, "each is a user of its own"
    assert [lines[f"kept-{n}"]["method"] for n in (1, 2)] == ["POST", "GET"]


def test_a_connection_is_closed_where_it_was_not_to_be_kept(site):
    with WebServer(site) as server:
        assert server.ask("GET", "/livez")[0] == 200
        server.say(fcgi.request("GET", "/livez", {}, b""))
        assert server.answer()[0] == 200 and server.is_closed()


@pytest.mark.parametrize("what", ["a second request", "an abort", "half a record", "another id"])
def test_a21_what_is_said_before_the_answer_ends_the_connection_behind_it(site, what):
    more = {"a second request": kept("GET", "/livez"), "an abort": fcgi.record(2), "half a record": b"\x01\x05\x00",
            "another id": b"\x01\x05\x00\x02\x00\x00\x00\x00"}[what]
    with WebServer(site) as server:
        server.say(kept("GET", "/livez") + more)
        assert server.answer()[0] == 200 and server.is_closed()


@pytest.mark.parametrize("what", [b"GET / HTTP/1.1\r\n\r\n", fcgi.record(2), fcgi.record(fcgi.STDIN), b"\x02" * 64])
def test_a21_garbage_on_a_kept_connection_ends_it_and_costs_no_worker(site, what):
    with WebServer(site) as server:
        assert server.ask("GET", "/livez")[0] == 200
        server.say(what)
        assert server.is_closed()
    assert site.get("/livez").status == 200 and not site.log_lines("worker killed")


def test_a_request_that_becomes_a_stream_ends_its_connection_with_it(site):
    with WebServer(site) as server:
        assert server.ask("GET", "/livez")[0] == 200
        body = json.dumps({"message": "fault:pace=0 hello"}).encode()
        status, headers, body = server.ask("POST", "/api/chat", body=body)
        assert status == 200 and headers["x-run-id"] and body.endswith(b"</content>")
        assert server.is_closed()


def test_half_a_request_on_a_kept_connection_holds_a_thread_no_longer_than_any_other(site):
    """As many of them as there are threads: for C1D_READ_MS nobody is served, then everybody."""
    servers = [WebServer(site) for _ in range(4)]
    for server in servers:
        assert server.ask("GET", "/livez")[0] == 200
    for server in servers:
        server.say(kept("GET", "/livez")[:20])
    assert site.get("/livez").status == 200
    for server in servers:
        with server:
            assert server.is_closed()


def test_a_thousand_connections_that_say_nothing_hold_no_thread_and_are_bounded(site):
    """Of who was never heard of, C1D_READ_MS is the end; those beyond the places there are go earlier."""
    worker, = site.worker_pids()
    before = len(os.listdir(f"/proc/{worker}/fd"))
    silent = [WebServer(site) for _ in range(1000)]
    begun = time.monotonic()
    with WebServer(site) as server:
        assert [server.ask("GET", "/livez")[0] for _ in range(20)] == [200] * 20
        assert in_parallel(8, lambda _: site.get("/api/threads").status) == [200] * 8
        assert len(os.listdir(f"/proc/{worker}/fd")) < before + 560
        for one in silent:
            with one:
                assert one.is_closed()
        assert time.monotonic() - begun < DEADLINE_S
        assert server.ask("GET", "/livez")[0] == 200, "one that had a request stays"
    wait_for(lambda: len(site.log_lines("connection without a usable request")) >= 1000, "each is told of")


def test_idle_connections_are_counted_and_so_are_requests_over_them(site):
    def figure(name):
        return int(re.search(rf"^{name} (\d+)", site.metrics(), re.M)[1])

    before = figure("c1d_requests_kept_total")
    servers = [WebServer(site) for _ in range(5)]
    for server in servers:
        assert [server.ask("GET", "/livez")[0] for _ in range(3)] == [200] * 3
    assert figure("c1d_requests_kept_total") == before + 10
    wait_for(lambda: figure("c1d_connections_kept") >= 5, "they are counted")
    for server in servers:
        server.socket.close()
    wait_for(lambda: figure("c1d_connections_kept") < 5, "and not any more")


def test_a_body_of_megabytes_over_a_kept_connection(site):
    """Both ways, in many records."""
    text = "x" * 900_000
    with WebServer(site) as server:
        _, head, body = server.ask("POST", "/api/threads", {}, b'{"title":"large"}')
        cookie = {"cookie": head["set-cookie"].split(";")[0]}
        thread = json.loads(body)["id"]
        for _ in range(3):
            assert server.ask("POST", f"/api/threads/{thread}/messages", cookie, json.dumps({"role": "user", "content": text}).encode())[0] == 201
        status, _, body = server.ask("GET", f"/api/threads/{thread}/messages", cookie)
        assert status == 200 and [message["content"] == text for message in json.loads(body)] == [True] * 3


# --- many workers ---

def loads(site, count):
    """How many requests each worker has logged."""
    lines = wait_for(lambda: len(found := [line for line in site.log_lines("request") if line["route"] == "/api/threads"]) >= count and found, "all are logged")
    return Counter(line["pid"] for line in lines)


def test_r5_kept_connections_pin_no_load_to_a_worker(new_site):
    """More at once than a worker has to itself: what comes over a connection goes on to a worker with less to do."""
    site = new_site(workers=4)
    # Opened one behind the other, when all are idle: the kernel gives nearly all of them to one worker.
    servers = [WebServer(site) for _ in range(48)]
    for server in servers:
        assert server.ask("GET", "/livez")[0] == 200
    answers = in_parallel(48, lambda n: [servers[n].ask("GET", "/api/threads")[0] for _ in range(40)])
    assert answers == [[200] * 40] * 48
    spread = loads(site, 48 * 40)
    print(sorted(spread.values()))
    assert len(spread) == 4 and sum(spread.values()) == 48 * 40
    for server in servers:
        server.socket.close()


def test_r5_what_waits_at_a_worker_whose_threads_are_stuck_is_served_by_another(new_site):
    site = new_site({"C1D_THREADS": "2", "C1D_READ_MS": "60000"}, workers=2)
    servers = {f"home-{n}": WebServer(site) for n in range(8)}
    for name, server in servers.items():
        assert server.ask("GET", "/api/threads", {"x-request-id": name})[0] == 200
    homes = {line["id"]: line["pid"] for line in requests_of(site, 8, "home-")}
    stuck, _ = Counter(homes.values()).most_common(1)[0]
    first, second, third, fourth, *_ = (servers[name] for name in homes if homes[name] == stuck)
    for half in (first, second):  # each has a thread of it until the rest comes
        half.say(kept("GET", "/livez")[:20])
    for server in (third, fourth):
        assert server.ask("GET", "/api/threads", {"x-request-id": "elsewhere"})[0] == 200
    assert {line["pid"] for line in requests_of(site, 2, "elsewhere")} == set(site.worker_pids()) - {stuck}
    for half in (first, second):
        half.say(kept("GET", "/livez")[20:])
        assert half.answer()[0] == 200
    for server in servers.values():
        server.socket.close()


# --- nobody is cut off ---

class Clients:
    """Each asks without a pause, over connections of its own, until told to stop; what went wrong is in `failures`."""

    def __init__(self, site, count=6):
        self.site, self.failures, self.done, self.over = site, [], 0, threading.Event()
        self.threads = [threading.Thread(target=self.ask, args=(n,), daemon=True) for n in range(count)]
        for thread in self.threads:
            thread.start()

    def ask(self, n):
        connection = http.client.HTTPConnection(self.site.host, self.site.port, timeout=DEADLINE_S)
        while not self.over.is_set():
            method, path, body = [("GET", "/livez", None), ("GET", "/api/threads?limit=1", None), ("POST", "/api/threads", b'{"title":"x"}')][n % 3]
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            answer.read()
            self.done += 1
            if answer.status not in (200, 201):
                self.failures.append((method, answer.status))
            n += 1
        connection.close()

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


def test_d10_no_request_fails_in_reloads_whatever_is_kept(new_site):
    site = new_site(workers=2)
    clients = Clients(site)
    for n in range(10):
        seen, asked = len(site.log_lines("pool ready")), clients.done
        site.c1d.child.send_signal(signal.SIGHUP)
        wait_for(lambda: clients.failures or len(site.log_lines("pool ready")) > seen, f"reload {n}")
        wait_for(lambda: clients.done > asked, "and requests came")
    clients.stop()
    assert clients.failures == [] and clients.done > 100


def test_d1_what_reads_is_asked_again_when_workers_are_killed(new_site):
    """Over a kept connection, that is: nginx does not ask again over a new one that dies with its first request, which is rare.
    What makes something may fail, if it was under way or sent in the moment of the death: never twice for nothing."""
    site = new_site(workers=2)
    clients = Clients(site)
    for n in range(4):
        ready, asked = len(site.log_lines("worker ready")), clients.done
        os.kill(site.worker_pids()[n % 2], signal.SIGKILL)
        wait_for(lambda: len(site.log_lines("worker ready")) > ready, f"worker {n} is replaced")
        wait_for(lambda: clients.done > asked + 20, "and requests came")
    clients.stop()
    assert {failure for failure in clients.failures} <= {("GET", 503), ("POST", 503)} and len(clients.failures) <= 4 * 6
    assert clients.failures.count(("GET", 503)) <= 4, "one a death"


def test_d9_no_request_fails_when_the_service_is_started_again_at_a_socket_that_is_passed_in(new_site):
    """As under systemd: who comes in between waits. Connections that are kept are nginx's to close."""
    site = new_site(workers=2, start=False)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(site.settings["C1D_SOCKET"])
    listener.listen(128)
    os.chmod(site.settings["C1D_SOCKET"], 0o666)

    def start():
        log = open(site.log_path, "ab")
        ready = len(site.log_lines("worker ready"))
        child = subprocess.Popen(["sh", "-c", 'LISTEN_PID=$$ exec "$0" serve', site.program], stderr=log, pass_fds=(3,),
                                 env={**site.environment(), "LISTEN_FDS": "1"}, preexec_fn=lambda: os.dup2(listener.fileno(), 3), cwd=ROOT)
        wait_for(lambda: len(site.log_lines("worker ready")) >= ready + 2, "it is ready")
        return child

    child = start()
    clients = Clients(site)
    for _ in range(2):
        asked = clients.done
        wait_for(lambda: clients.done > asked + 50, "requests come")
        child.terminate()
        assert child.wait(DEADLINE_S) == 0
        child = start()
    asked = clients.done
    wait_for(lambda: clients.done > asked, "requests come")
    clients.stop()
    child.terminate()
    assert child.wait(DEADLINE_S) == 0
    listener.close()
    assert clients.failures == []


def test_a_stop_does_not_wait_for_connections_of_a_socket_that_is_ours(new_site):
    site = new_site({"C1D_STOP_SECONDS": "0"}, workers=2)
    servers = [WebServer(site) for _ in range(8)]
    for server in servers:
        assert server.ask("GET", "/livez")[0] == 200
    site.c1d.child.send_signal(signal.SIGTERM)
    for server in servers:
        with server:
            assert server.is_closed()
    assert site.c1d.child.wait(DEADLINE_S) == 0
    site.c1d = None


def test_nginx_lets_go_of_connections_before_a_worker_does():
    upstream = (ROOT / "nginx/c1d-upstream.conf").read_text()
    seconds = sum(int(re.search(rf"keepalive_{name} +(\d+)s;", upstream)[1]) for name in ("time", "timeout"))
    limits = dict(re.findall(r"#define (STOP_\w+_MS) (\d+)", (ROOT / "src/server/deadlines.h").read_text()))
    assert seconds * 1000 < int(limits["STOP_LINGER_MS"]) < int(limits["STOP_REQUESTS_MS"])
