"""Several machines that count together in Redis, and what becomes of it when Redis dies, stands still, or does not let them in.
The server is real, on a socket of its own."""
import contextlib
import hashlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from api import problem
from house import DEADLINE_S, ROOT, Process, in_parallel, wait_for
from test_limits import figure, held, limited, statuses

SERVER, CLIENT = "/usr/bin/redis-server", "/usr/bin/redis-cli"
AWAY = "Redis is away: each machine counts for itself"


class Redis:
    def __init__(self, folder, *words):
        self.folder, self.words = Path(folder), words
        self.socket = self.folder / "redis.sock"
        self.process = None
        self.start()

    def start(self):
        self.process = Process([SERVER, "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir", str(self.folder),
                                *self.words], self.folder, "redis")
        wait_for(lambda: self.ask("PING") in ("PONG", "NOAUTH Authentication required."), "redis answers")

    def ask(self, *words):
        done = subprocess.run([CLIENT, "-s", str(self.socket), *words], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        return done.stdout.strip()

    def stop(self, sig=signal.SIGKILL):
        self.process.stop(sig)


@pytest.fixture
def redis(tmp_path):
    servers = []

    def make(*words):
        folder = tmp_path / f"redis-{len(servers)}"
        folder.mkdir()
        servers.append(Redis(folder, *words))
        return servers[-1]

    yield make
    for server in servers:
        if server.process.alive():
            server.process.child.send_signal(signal.SIGCONT)
            server.stop()


@pytest.fixture
def two(new_site):
    """Two machines with two workers each."""
    def make(url, **settings):
        return [new_site({"REDIS_URL": url, **settings}) for _ in range(2)]

    return make


def up(site):
    return "c1d_limits_redis_up 1" in site.metrics()


def redis_calls(site, *results):
    return sum(figure(site, f'c1d_limits_redis_total{{result="{result}"}}') for result in results)


def undisturbed(server, sites, ask):
    """What ask() gives, from an empty Redis on; anew, when a call of Redis was late meanwhile: then each machine counts for itself, and a
    tenth of a second is soon gone where others are at work."""
    def once():
        wait_for(lambda: all(up(site) for site in sites), "Redis counts")
        server.ask("FLUSHALL")
        before = [redis_calls(site, "failed", "away") for site in sites]
        found = ask()
        return found if [redis_calls(site, "failed", "away") for site in sites] == before else None

    return wait_for(once, "Redis was never late")


def why_away(site):
    """Why it is, by its own words: it is told once, and a Redis that is slow to say so only does not answer."""
    for start in range(1, 20):
        why = site.told(AWAY, start)[-1]["why"]
        if why != "Redis does not answer.":
            return why
        site.c1d.stop()
        site.start()
    raise AssertionError("Redis never answered")


def read(site):
    return site.get("/api/threads").status


def relay(path):
    """A TCP port of this process in front of the socket."""
    listener = socket.create_server(("127.0.0.1", 0))

    def copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def serve():
        while True:
            client, _ = listener.accept()
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(path))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def test_f8_two_machines_let_in_to_the_last_one(redis, two):
    server = redis()
    sites = two(f"unix:{server.socket}", C1D_LIMIT_READ="120/day")

    def refused():
        return sum(figure(site, 'c1d_limited_total{limit="read"}') for site in sites)

    def crowd():
        before = refused()
        answers = in_parallel(16, lambda i: [sites[i % 2].get("/api/threads") for _ in range(20)])
        return statuses(answer for batch in answers for answer in batch), refused() - before

    assert undisturbed(server, sites, crowd) == ([200] * 120 + [429] * 200, 200)
    keys = server.ask("KEYS", "c1d:{*").split()
    assert len(keys) == 1 and keys[0].startswith("c1d:{limits}:") and "127.0.0.1" not in keys[0]
    assert 0 < int(server.ask("PTTL", keys[0])) <= 86400000


def test_f8_what_one_machine_counted_the_other_tells(redis, two):
    server = redis()
    one, other = sites = two(f"redis://127.0.0.1:{relay(server.socket)}/3", C1D_LIMIT_CHAT="3/day")
    *answered, refused = undisturbed(server, sites, lambda: [site.chat("hello") for site in (one, one, other, other)])
    assert statuses(answered) == [200] * 3
    assert [answer.headers["RateLimit"].split(";t")[0] for answer in answered] == ['"chat";r=2', '"chat";r=1', '"chat";r=0']
    assert 28000 < limited(refused, "chat")["retry_after"] <= 28800


def test_what_redis_refuses_is_not_counted_here(redis, two):
    server = redis()
    one, other = sites = two(f"unix:{server.socket}", C1D_LIMIT_READ="4/day")

    def ask():
        asked = [read(one) for _ in range(4)], [read(other) for _ in range(10)]
        server.ask("FLUSHALL")
        return *asked, [read(other) for _ in range(5)]

    assert undisturbed(server, sites, ask) == ([200] * 4, [429] * 10, [200] * 4 + [429])


def test_f9_what_fails_on_one_machine_is_paid_back_on_all(redis, new_site):
    server = redis()
    settings = {"REDIS_URL": f"unix:{server.socket}", "C1D_LIMIT_CHAT": "3/day", "C1D_RUNS_MAX": "1"}
    one, other = sites = [new_site(settings, workers=1) for _ in range(2)]

    def ask():
        wait_for(lambda: all("c1d_runs_in_flight 0" in site.metrics() for site in sites), "their places are free")
        stream, gate = held(one)
        stream.read_until(b"<content")
        refused = [one.chat("no room") for _ in range(5)]  # its only place is taken
        answer = other.chat("hello")
        one.upstream.open_gate(gate)
        stream.read_all()
        return refused, answer

    refused, answer = undisturbed(server, sites, ask)
    for one in refused:
        problem(one, 503, "overloaded")
    assert answer.headers["RateLimit"].startswith('"chat";r=1;')


def test_a_script_that_redis_has_forgotten_is_sent_again(redis, two):
    server = redis()
    one, _ = two(f"unix:{server.socket}", C1D_LIMIT_READ="1000/day")

    def ask():
        before = redis_calls(one, "ok")
        for _ in range(5):
            server.ask("SCRIPT", "FLUSH")
            assert read(one) == 200
        return redis_calls(one, "ok") - before

    assert undisturbed(server, [one], ask) == 5


def test_a_dead_redis_leaves_each_machine_its_own_count(redis, two):
    server = redis()
    one, other = sites = two(f"unix:{server.socket}", C1D_LIMIT_READ="5/day")
    assert undisturbed(server, sites, lambda: [read(one) for _ in range(2)]) == [200] * 2
    lines = [len(site.log_lines(AWAY)) for site in sites]
    server.stop()
    # What was counted here before counts on; neither open nor shut.
    assert [read(one) for _ in range(5)] == [200] * 3 + [429] * 2
    assert [read(other) for _ in range(6)] == [200] * 5 + [429]
    for site, earlier in zip(sites, lines):
        assert "c1d_limits_redis_up 0" in site.metrics()
        assert redis_calls(site, "failed", "away") >= 3
        assert len(site.told(AWAY, earlier + 1)) == earlier + 1
    server.start()
    for site in sites:
        wait_for(lambda site=site: up(site) and site.log_lines("Redis is back"), "Redis is back")


def test_a_redis_that_stands_still_is_not_waited_for(redis, two):
    server = redis()
    one, _ = two(f"unix:{server.socket}", C1D_LIMIT_READ="100000/day")
    assert undisturbed(server, [one], lambda: read(one)) == 200
    server.process.child.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    assert statuses(in_parallel(8, lambda i: one.get("/api/threads"))) == [200] * 8
    assert redis_calls(one, "failed") >= 1
    # Nobody asks any more: a tenth of a second each would be half a minute.
    assert [read(one) for _ in range(300)] == [200] * 300
    asked = redis_calls(one, "failed")
    assert asked <= 8 * 2 + (time.monotonic() - began) * 2, "it was asked again and again"
    server.process.child.send_signal(signal.SIGCONT)
    wait_for(lambda: up(one), "Redis is back")
    before = redis_calls(one, "ok")
    wait_for(lambda: read(one) == 200 and redis_calls(one, "ok") > before, "it counts again")


def test_a_listener_that_never_answers_holds_up_nobody(tmp_path, new_site):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "mute.sock"))
    listener.listen(64)
    site = new_site({"REDIS_URL": f"unix:{tmp_path}/mute.sock", "C1D_LIMIT_READ": "2/day"})
    assert [read(site) for _ in range(3)] == [200, 200, 429]
    assert "Redis does not answer." in site.told(AWAY)[0]["why"]
    listener.close()


def test_redis_that_speaks_nonsense_is_away(tmp_path, new_site):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "odd.sock"))
    listener.listen(64)

    def serve():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError, IndexError):  # it had enough
                script = peer.recv(65536).split(b"\r\n", 6)[6].removesuffix(b"\r\n")
                peer.sendall(b"$40\r\n" + hashlib.sha1(script).hexdigest().encode() + b"\r\n")
                if peer.recv(4096):
                    peer.sendall(replies[serve.next % len(replies)])
                    serve.next += 1

    replies = [b"*2\r\n:7\r\n:1\r\n", b"*-1\r\n", b":1\r\n", b"+OK\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*3\r\n:0\r\n:1\r\n$1\r\nx\r\n",
               b"-BUSY a script runs\r\n", b"*1000000000\r\n", b""]
    serve.next = 0
    threading.Thread(target=serve, daemon=True).start()
    site = new_site({"REDIS_URL": f"unix:{tmp_path}/odd.sock", "C1D_CACHE_SECONDS": "0", "C1D_LIMIT_READ": "100000/day"}, workers=1)
    patience_s = DEADLINE_S * 4  # a second lies between two, and hiredis walks through all of the places that are claimed
    wait_for(lambda: site.request("GET", "/api/threads", timeout=patience_s).status == 200 and serve.next >= 9, "all of it was said", patience_s)
    assert len(site.worker_pids()) == 1 and len(site.log_lines("worker ready")) == 1
    listener.close()


def test_passwords_are_asked_for_and_never_told(redis, new_site):
    server = redis("--requirepass", "c4nary-Pass/word")
    good = new_site({"REDIS_URL": f"unix://:c4nary-Pass%2Fword@{server.socket}", "C1D_LIMIT_READ": "1000/day"})
    wait_for(lambda: read(good) == 200 and up(good), "Redis counts")
    bad = new_site({"REDIS_URL": f"unix://:c4nary-Wrong@{server.socket}", "C1D_LIMIT_READ": "2/day"})
    none = new_site({"REDIS_URL": f"unix:{server.socket}", "C1D_LIMIT_READ": "2/day"})
    for site, word in ((bad, "WRONGPASS"), (none, "NOAUTH")):
        assert word in why_away(site)
        assert [read(site) for _ in range(3)] == [200, 200, 429]
        assert "c4nary" not in site.log_path.read_text()
    for site in (good, bad):
        for pid in site.worker_pids() + [site.c1d.pid]:
            assert b"c4nary" not in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_the_documented_rights_are_enough(redis, new_site):
    server = redis()
    documented = re.search(r"its user needs `([^`]*)`", (ROOT / "docs/how-to/limits.md").read_text().replace("\n", " "))[1]
    assert server.ask("ACL", "SETUSER", "c1d", "on", ">secret", *documented.split()) == "OK"
    site = new_site({"REDIS_URL": f"unix://c1d:secret@{server.socket}?db=2", "C1D_LIMIT_CHAT": "2/day", "C1D_RUNS_MAX": "1"})
    assert undisturbed(server, [site], lambda: [site.chat("hello").status for _ in range(3)]) == [200, 200, 429]
    wait_for(lambda: "\nc1d_cache_up 1\n" in site.metrics(), "threads are kept")


def test_check_says_whether_redis_counts(redis, new_site):
    server = redis()

    def check(url):
        site = new_site({"REDIS_URL": url}, nginx=False, start=False)
        return subprocess.run([site.program, "check", "--user", "root"] if os.geteuid() == 0 else [site.program, "check"],
                              env=site.environment(), capture_output=True, text=True, check=False).stdout

    def line(text):
        return next(found for found in text.splitlines() if "redis" in found.split(":")[0])

    wait_for(lambda: "it counts for all machines" in line(check(f"unix:{server.socket}")), "Redis says so in time")
    server.stop()
    found = line(check(f"unix:{server.socket}"))
    assert found.startswith("FAIL") and "cannot be reached" in found and "REDIS_URL" in found


@pytest.mark.parametrize("url, said", [("http://x", "begins neither"), ("rediss://x", "stunnel"), ("redis://", "no host"), ("redis://:6379", "no host"),
                                       ("redis://s3cret@h", "without a password"), ("redis://h:0", "port"), ("redis://h:70000", "port"),
                                       ("redis://h/x", "database"), ("redis://:%zz@h", "%XX"), ("redis://:%00s3cret@h", "%XX"),
                                       ("unix:relative", "no path"), ("unix:/s?db=x", "database"), ("redis://[::1", "no host")])
def test_an_address_that_is_none_is_refused_without_being_told(new_site, url, said):
    site = new_site({"REDIS_URL": url}, nginx=False, start=False)
    done = subprocess.run([site.program, "check", "-t"], env=site.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 78 and "REDIS_URL" in done.stderr and said in done.stderr and "s3cret" not in done.stderr
