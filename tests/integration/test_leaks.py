"""What leaves the program and is no answer to whoever asked: the log, the figures, the errors, /proc. Rows F10, F11, F12, I5."""
import json
import os
import re
import uuid
from pathlib import Path

import pytest

import fcgi
from api import problem
from attackers import token
from house import wait_for

JSON = {"Content-Type": "application/json"}


def canary(what):
    return f"canary-{what}-{uuid.uuid4().hex}"


class Secret:
    """One of each kind, which nobody may ever read again."""

    def __init__(self):
        self.key, self.visitor, self.jwt = "sk-th-" + canary("upstream"), canary("visitors"), canary("tokens")
        self.password = canary("password")
        self.said, self.cookie, self.token, self.agent = (canary(what) for what in ("said", "cookie", "token", "agent"))
        self.subject = canary("subject")
        self.good = token(self.subject, secret=self.jwt)
        self.expired = token(self.subject, secret=self.jwt, exp=1)
        self.all = list(vars(self).values())


def found(text, secrets):
    return [one for one in secrets.all if one in text]


def process_texts(site):
    """What anybody on the machine may read of each process, and what its user may."""
    for pid in [site.c1d.pid, *site.worker_pids()]:
        for name in ("cmdline", "environ", "status", "comm"):
            yield f"{pid}/{name}", Path(f"/proc/{pid}/{name}").read_bytes().decode("utf-8", "replace")


@pytest.fixture(params=["json", "text", "journal"])
def house(request, new_site, tmp_path):
    """A site of visitors that says all it ever says; its secrets are credentials, as the unit hands them over."""
    secrets = Secret()
    credentials = tmp_path / "credentials"
    credentials.mkdir(mode=0o700)
    (credentials / "thesys-api-key").write_text(secrets.key)
    (credentials / "c1d-visitor-secret").write_text(secrets.visitor)
    (credentials / "c1d-jwt-secret").write_text(secrets.jwt)
    (credentials / "mongodb-uri").write_text(f"mongodb://c1d:{secrets.password}@127.0.0.1:1/c1d")
    site = new_site({"C1D_AUTH": "jwt visitor", "C1D_LOG_LEVEL": "debug", "CREDENTIALS_DIRECTORY": str(credentials), "C1D_FIRST_BYTE_MS": "2000",
                     "C1D_STORE": f"sqlite:{tmp_path}/c1d.db"}, start=False)
    del site.settings["THESYS_API_KEY"]
    site.form = request.param
    site.start()  # in JSON, by which the house sees that it is ready
    if request.param != "json":
        site.c1d.stop()
        site.settings["C1D_LOG_FORMAT"] = request.param
        site.is_ready = lambda: site.get("/readyz").status == 200
        site.start()
    return site, secrets


def session(site, secrets):
    """All that a user may do, right and wrong, with a canary wherever a word of his goes. The errors' bodies."""
    said, errors = secrets.said, []
    head = {"Cookie": f"other={secrets.cookie}", "Authorization": f"Bearer {secrets.good}", "User-Agent": secrets.agent, "X-Other": secrets.agent}

    def ask(method, path, body=None, **headers):
        if not isinstance(body, (bytes, type(None))):
            body = json.dumps(body).encode()
        answer = site.request(method, path, body, {**head, **(JSON if body is not None else {}), **headers})
        if answer.status >= 400:
            errors.append(answer.body.decode())
        for line in answer.headers.get_all("Set-Cookie", []):
            head["Cookie"] += "; " + line.split(";")[0]
        return answer

    thread = ask("POST", "/api/threads", {"title": said, "metadata": {"k": said}}).json()["id"]
    path = f"/api/threads/{thread}"
    ask("PATCH", path, {"title": said + " two"}, **{"If-Match": '"999"'})
    ask("GET", f"/api/threads?q={said}&limit=7")
    ask("GET", f"/api/threads?q={said}&q={said}")
    ask("GET", f"/api/threads?cursor={said}")
    ask("GET", f"/api/runs/x/stream?last_event_id={said}", **{"Last-Event-ID": said})
    ask("GET", "/api/" + said)
    for fault in ("fault:pace=0", "fault:status=500", "fault:status=401", "fault:status=429", "fault:cut=50", "fault:pace=0;error=1", "fault:stall=0"):
        for query in ("", "?stream=sse", "?errors=card"):
            ask("POST", "/api/chat" + query, {"thread_id": thread, "message": f"{fault} {said}", "metadata": {"k": said}},
                **{"Idempotency-Key": f"{secrets.agent}{fault}{query}"[:200]})
    ask("POST", "/api/chat", {"message": said, "model": said})
    ask("POST", "/api/chat", {"message": [said], "thread_id": said + "!"})
    ask("POST", "/api/chat", b'{"message":"' + said.encode() + b'",}')
    ask("POST", "/api/chat", b'{"message":"' + said.encode() + b'\xff"}')
    ask("POST", "/api/chat", said.encode(), **{"Content-Type": "text/plain"})
    ask("POST", path + "/messages", {"role": "user", "content": said, "id": "m1"})
    ask("POST", path + "/messages", {"role": "user", "content": said, "id": "m1"})
    ask("POST", path + "/messages", {"role": "system", "content": said})
    ask("PUT", path + "/messages/m1", {"content": said + " again"})
    ask("GET", path + "/messages")
    for value in (f"Bearer {secrets.good}", f"Bearer {secrets.expired}", f"Bearer {secrets.token}", f"Bearer c1d_{secrets.token}", f"Basic {secrets.token}", secrets.token):
        ask("GET", "/api/threads", Authorization=value)
    ask("GET", "/api/threads", Authorization="", Cookie=f"__session={secrets.cookie}")
    ask("GET", "/api/threads", Authorization="", Cookie=f"other={secrets.cookie}")  # a new visitor
    ask("POST", "/api/me/claim", {}, Cookie=f"c1d_visitor={secrets.cookie}")
    ask("POST", "/api/threads", {}, Origin="https://" + secrets.agent)
    ask("DELETE", path)
    ask("GET", path)
    return errors


def test_f11_no_secret_and_no_word_of_anybody_leaves_but_to_whom_it_belongs(house):
    site, secrets = house
    errors = session(site, secrets)
    assert len(errors) > 20
    wait_for(lambda: "run ended" in site.log_path.read_text(), "the runs are told of")
    ready, old = site.log_path.read_text().count("worker ready"), set(site.worker_pids())
    site.c1d.child.send_signal(1)  # a reload tells much, too
    wait_for(lambda: site.log_path.read_text().count("worker ready") >= ready + 2, "a new generation is ready")
    wait_for(lambda: not old & set(site.worker_pids()), "the old one is gone")
    assert found(site.log_path.read_text("utf-8", "replace"), secrets) == []
    assert found(site.metrics(), secrets) == []
    assert found("".join(errors), secrets) == []
    for where, text in process_texts(site):
        assert found(text, secrets) == [], where


def test_i5_an_error_says_what_it_may_and_nothing_else(new_site, tmp_path):
    """No address, folder, library or line of ours is in any error's body, and the store's and the model's words are not either."""
    site = new_site({"C1D_STORE": f"sqlite:{tmp_path}/c1d.db"}, workers=1)
    answers = [site.get("/api/nothing"), site.get("/api/threads/none"), site.request("PUT", "/api/chat"),
               site.post("/api/threads", {"title": 1}), site.request("POST", "/api/chat", b"{", JSON),
               *(site.post("/api/chat", {"message": f"fault:{fault} x"}) for fault in ("status=500", "status=401", "status=429", "error=1"))]
    ours = [str(site.folder), str(tmp_path), "sqlite", "libc", ".c:", "127.0.0.1", "errno", "curl", "/api/chat HTTP", site.upstream.base_url]
    for answer in answers:
        body = problem(answer, answer.status, answer.json()["code"])
        assert answer.status >= 400 and set(body) <= {"type", "title", "status", "detail", "message", "code", "request_id", "retry_after", "link", "errors"}
        assert [word for word in ours if word in answer.text] == [], answer


def test_f11_what_the_store_quotes_of_a_command_stays_out_of_the_log(new_site, proxy):
    """MongoDB tells all of a command that it refuses, with what somebody searched for."""
    site = new_site({"MONGODB_URI": proxy.uri + "leaks"}, workers=1)
    site.post("/api/threads", {"title": "x"})
    proxy.rule("error", "find", times=0, code=13)  # a duty may be faster
    problem(site.get("/api/threads?q=quoted"), 500, "storage_failed")
    proxy.heal()
    line = wait_for(lambda: site.log_lines("MongoDB failed"), "the failure is told")[0]
    assert line["reason"] == "by the proxy, of " and line["code"] == 13
    assert "quoted" not in site.log_path.read_text()


HOSTILE = {"crlf": "a\r\n{\"event\":\"forged\"}", "ansi": "\x1b[2J\x1b]0;owned\x07", "quote": '","event":"forged","x":"', "bidi": "\u202enimda\u2066",
           "lines": "a\u2028b\u0085c", "long": "u" * 30000, "bytes": "\udcff\udc80", "backslash": "\\"}


@pytest.mark.parametrize("what", HOSTILE)
def test_f10_no_client_writes_a_line_of_the_log(new_site, what):
    """Past the web server, which would refuse most of it: each parameter that a client has a say in."""
    site = new_site({"C1D_LOG_LEVEL": "debug"}, workers=1)
    value = HOSTILE[what].encode("utf-8", "surrogateescape")
    before = len(site.log_path.read_bytes().splitlines())
    params = {b"REQUEST_METHOD": b"GET", b"REQUEST_URI": b"/api/threads", b"HTTP_USER_AGENT": value}
    for name in (b"REQUEST_METHOD", b"REQUEST_URI", b"HTTP_X_REQUEST_ID", b"REMOTE_ADDR", b"HTTP_COOKIE", b"HTTP_ORIGIN", b"HTTP_HOST", b"HTTP_IF_MATCH",
                 b"HTTP_AUTHORIZATION", b"CONTENT_TYPE", b"HTTP_LAST_EVENT_ID", b"HTTP_IDEMPOTENCY_KEY"):
        fcgi.ask_params(site.settings["C1D_SOCKET"], {**params, name: value})
    fcgi.ask(site.settings["C1D_SOCKET"], "GET", "/api/threads", {"x-request-id": "last"})
    wait_for(lambda: len(site.log_lines("request")) >= 13, "all are told")
    log = site.log_path.read_bytes()
    lines = log.splitlines()[before:]
    assert len([line for line in lines if b'"event":"request"' in line]) == 13
    for line in lines:
        entry = json.loads(line)  # each is one, whole, and UTF-8
        assert entry["event"] != "forged" and len(line) < 4096
        assert all(len(field.encode()) <= 515 for field in entry.values() if isinstance(field, str))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\x80-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]", log.decode())


def series(site):
    return {re.sub(r" \S+$", "", line) for line in site.metrics().splitlines() if line and line[0] != "#"}


def test_f12_no_client_makes_a_series(new_site):
    site = new_site(workers=1)

    def all_of_it(word):
        for path in (f"/api/{word}", f"/api/threads/{word}", f"/api/threads/{word}/messages", f"/api/runs/{word}", f"/{word}"):
            for method in ("GET", "POST", word.upper()):
                fcgi.ask(site.settings["C1D_SOCKET"], method, path, {"user-agent": word, "host": word, "cookie": f"c1d_visitor={word}"})
        site.post("/api/threads", {"user_id": word, "title": word})
        site.chat(f"fault:pace=0 {word}", word, model="", metadata={word: word})

    all_of_it("earlier")
    wait_for(lambda: len([one for one in series(site) if 'route="/metrics"' in one or 'route="/api/chat",status="200"' in one]) == 2,
             "what came last is counted, too, and what asks for them")
    before = series(site)
    for _ in range(10):
        all_of_it("w" + os.urandom(6).hex())
    assert series(site) == before
    assert len(before) < 2000 and not [one for one in before if "earlier" in one]


def test_f12_all_series_that_there_can_be_are_fewer_than_2000():
    table = (Path(__file__).resolve().parents[2] / "include/base/metrics_table.h").read_text()
    routes = int(re.search(r"METRIC_ROUTES_MAX (\d+)", table)[1])
    statuses = len(re.findall(r"X\((\d{3})\)", table)) + 1
    assert routes * statuses + 600 < 2000  # the one family with two labels of many values; see the test above for the rest
