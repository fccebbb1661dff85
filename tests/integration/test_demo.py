"""make demo, from the ready line to the last process: what a visitor sees first."""
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import pytest

from house import DEADLINE_S, PYTHON, ROOT, Upstream, free_port, wait_for
from processes import with_parent
from servers import SERVERS, STORES

PROGRAM = os.environ.get("C1D_BIN", str(ROOT / "build/c1d"))
OURS = ("C1D_", "THESYS_", "MONGODB_", "DATABASE_", "FIREBASE_", "FIRESTORE_", "GOOGLE_", "STORE", "MAKE")


def descendants(pid):
    """Process ids below this one."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(child) for child in children] + [found for child in children for found in descendants(child)]


class Demo:
    def __init__(self, folder, command=None, user=None, **env):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        self.folder = folder / "demo"
        self.child = subprocess.Popen(command or [PYTHON, "tests/demo/run", PROGRAM], cwd=ROOT, text=True, user=user,
                                      group=user, extra_groups=[] if user else None, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=with_parent,
                                      start_new_session=True,
                                      env={**kept, "DIR": str(self.folder), "PORT": str(free_port()), **env})
        self.said = []
        for line in self.child.stdout:
            self.said.append(line.rstrip("\n"))
            if line.startswith("ready "):
                break
        self.url = re.fullmatch(r"ready (http://127\.0\.0\.1:(\d+)/)", self.said[-1]) if self.said else None
        assert self.url, (self.said, self.child.communicate()[1])
        self.port = int(self.url[2])
        self.family = {pid: os.pidfd_open(pid) for pid in descendants(self.child.pid)}  # a number alone may be somebody else's soon

    def line(self, name):
        return next(line for line in self.said if line.strip().startswith(name + " "))

    def request(self, method, path, value=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        connection.request(method, path, json.dumps(value) if value else None, {"Content-Type": "application/json"})
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, body

    def chat(self, message):
        return self.request("POST", "/api/chat", {"thread_id": "t1", "message": message})

    def left(self):
        return [pid for pid, handle in self.family.items() if not select.select([handle], [], [], 0)[0]]

    def end(self, number=signal.SIGTERM, to=None):
        """Sends the signal; returns the exit code once nothing is left."""
        os.kill(to or self.child.pid, number)
        self.rest = self.child.communicate(timeout=DEADLINE_S)
        wait_for(lambda: not self.left(), "nothing is left running")
        return self.child.returncode


@pytest.fixture
def demo(tmp_path):
    """A factory; what it made is gone after the test, whatever happened."""
    made = []

    def make(*args, folder=tmp_path, **env):
        made.append(Demo(folder, *args, **env))
        return made[-1]

    yield make
    for one in made:
        if one.child.poll() is None:
            one.child.send_signal(signal.SIGTERM)
            one.child.communicate(timeout=DEADLINE_S)
        for handle in one.family.values():
            os.close(handle)


def test_it_is_ready_shows_a_page_answers_and_leaves_nothing_behind(demo):
    running = demo()
    status, page = running.request("GET", "/")
    assert status == 200 and "<!doctype html>" in page
    assert running.request("GET", "/run")[0] == 404
    status, answer = running.chat("Show me a table")
    assert status == 200 and "Quarterly sales" in answer
    assert running.request("GET", "/health")[0] == 200
    assert running.request("GET", "/metrics")[0] == 404
    assert re.search(r"first event after \d+ ms, \d+ events over [\d.]+ s", running.line("Check"))
    assert len(running.family) >= 5  # the C1 API, c1d and its worker, nginx and its worker
    assert running.end() == 0
    assert "stopped" in running.rest[0]


def test_its_own_first_question_is_not_kept(demo):
    running = demo()
    assert json.loads(running.request("GET", "/api/threads")[1]) == []


def test_it_says_that_it_asks_nobody_or_who_is_asked(demo, tmp_path):
    running = demo()
    assert "C1D_AUTH=none" in running.line("Users") and "sees everything" in running.line("Users")
    assert "everybody is let in" in (running.folder / "c1d.log").read_text()
    running.end()
    private = demo(C1D_AUTH="visitor")
    assert private.line("Users").strip() == "Users   as C1D_AUTH=visitor says"
    assert re.search(r"first event after \d+ ms", private.line("Check"))
    private.end()
    # Its own first question is gone here, too, though it is a visitor's.
    with sqlite3.connect(tmp_path / "demo/c1d.db") as store:
        assert store.execute("SELECT count(*) FROM threads WHERE deleted_ms IS NULL").fetchone() == (0,)


def test_what_was_said_is_there_when_it_is_started_again(demo):
    first = demo()
    first.chat("hello")
    first.end()
    second = demo()
    messages = json.loads(second.request("GET", "/api/threads/t1/messages")[1])
    assert [message["role"] for message in messages] == ["user", "assistant"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_the_terminals_signals_end_it_too(demo, number):
    assert demo().end(number) == 0


def test_it_ends_in_mid_stream_within_5_s(demo):
    running = demo()
    with socket.create_connection(("127.0.0.1", running.port)) as client:
        body = json.dumps({"thread_id": "t2", "message": "fault:endless;pace=50"}).encode()
        client.sendall(b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                       b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
        assert running.end() == 0


def test_a_kill_leaves_nothing_either(demo):
    running = demo()
    assert running.end(signal.SIGKILL) == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_reaches_make_alone_ends_all(demo, tmp_path, number):
    """make does not pass SIGINT on: at a terminal everyone gets it, from a script only make does."""
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"demo:\n\t@exec {PYTHON} tests/demo/run {PROGRAM}\n")
    running = demo(["make", "-f", str(makefile), "demo"])
    running.end(number)


def test_a_taken_port_is_stepped_over_and_that_is_said(demo):
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port()))  # the next one is no connection's
        other.listen()
        taken = other.getsockname()[1]
        running = demo(PORT=str(taken))
        assert running.port > taken
        assert f"port {taken} is taken" in running.line("Chat")


def test_a_crash_of_one_shows_its_last_lines_and_ends_all(demo):
    running = demo()
    c1d = next(pid for pid in running.family if b"serve" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
    assert running.end(signal.SIGKILL, to=c1d) == 1
    assert "c1d ended with -9" in running.rest[1]


def test_a_wrong_setting_is_told_and_nothing_is_left(demo):
    with pytest.raises(AssertionError, match="C1D_WORKERS"):
        demo(C1D_WORKERS="many")


def test_where_people_sign_in_the_demo_starts_too(demo):
    running = demo(C1D_AUTH="jwt", C1D_JWT_SECRET="0123456789abcdef0123456789abcdef")
    assert "signs in" in running.line("Check")
    assert running.request("GET", "/api/threads")[0] == 401


def test_STORE_names_the_store(demo, tmp_path):
    running = demo(STORE=f"sqlite:{tmp_path}/mine.db")
    running.chat("hello")
    assert (tmp_path / "mine.db").stat().st_size > 0
    assert "mine.db" in running.line("Store")


@pytest.mark.parametrize("kind", [kind for kind in STORES if kind not in ("sqlite", "mongodb-java")])
def test_STORE_starts_a_server_of_its_kind_and_finds_its_data_again(demo, scratch, server_of, kind):
    server_of(kind)  # or it is said why there is none
    folder = scratch / f"d-{kind}"  # where PostgreSQL's user gets to, too; its socket lies below and has a short name
    folder.mkdir()
    running = demo(folder=folder, STORE=kind)
    assert running.chat("hello")[0] == 200
    assert kind in running.line("Store") and running.end() == 0
    if SERVERS[kind].keeps:
        again = demo(folder=folder, STORE=kind)
        assert [message["role"] for message in json.loads(again.request("GET", "/api/threads/t1/messages")[1])] == ["user", "assistant"]
        assert again.end() == 0


@pytest.mark.parametrize("env, word", [
    ({"STORE": "postgres"}, "none of sqlite, mongodb, postgresql"),
    ({"STORE": "firestore", "C1D_FIRESTORE_JAR": "/nonexistent/emulator.jar"}, "STORE=firestore: no Firestore emulator")])
def test_a_STORE_that_cannot_be_had_is_told_with_what_to_do(demo, env, word):
    with pytest.raises(AssertionError, match=word):
        demo(**env)


def test_MONGODB_URI_names_the_store_and_its_password_is_not_shown(demo, mongod):
    running = demo(MONGODB_URI=mongod.uri("demo"))
    assert running.chat("hello")[0] == 200
    assert running.line("Store").split()[1:] == ["what", "MONGODB_URI", "names"]
    assert not (running.folder / "c1d.db").exists()


def test_THESYS_BASE_URL_names_another_upstream(demo, tmp_path):
    upstream = Upstream(tmp_path / "upstream")
    try:
        running = demo(THESYS_BASE_URL=upstream.base_url)
        running.chat("hello there")
        asked = json.dumps(upstream.requests())
        assert "hello there" in asked
        assert not (running.folder / "upstream.log").exists()
    finally:
        upstream.stop()


def test_an_upstream_that_refuses_is_told_and_the_demo_goes_on(demo, tmp_path):
    upstream = Upstream(tmp_path / "upstream", "--key", "right")
    try:
        running = demo(THESYS_BASE_URL=upstream.base_url, THESYS_API_KEY="wrong")
        assert "502" in running.line("Check")
    finally:
        upstream.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_may_run_it(demo, scratch):
    """From a copy: the checkout of this test may be closed to others."""
    place = Path(tempfile.mkdtemp(prefix="demo-", dir=scratch))
    place.chmod(0o755)
    for folder in ("tests/demo", "tests/c1_upstream", "tests/samples", "nginx"):
        shutil.copytree(ROOT / folder, place / folder)
    shutil.copy2(PROGRAM, place / "c1d")
    folder = place / "build"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    running = demo([PYTHON, str(place / "tests/demo/run"), str(place / "c1d")], 65534, DIR=str(folder))
    assert running.chat("hello")[0] == 200
    assert running.end() == 0


def test_a_folder_with_a_long_name_holds_no_socket_but_works(demo, tmp_path):
    running = demo(DIR=str(tmp_path / ("long " * 20) / "demo"))
    assert running.chat("hello")[0] == 200
