"""What is true of every answer, whatever it answers: one line in the log and one in the figures (I8), the same headers (F15), and
nothing for a page elsewhere (F14)."""
import re
import socket
import uuid

import pytest

import fcgi
from api import make, problem, shielded, wait_at_gate
from house import wait_for
from test_faults_client import HELLO, PARAMS, STDIN, pair, record

JSON = {"Content-Type": "application/json"}
APP = "https://app.example"


def requests_counted(site):
    return sum(int(n) for n in re.findall(r"^c1d_requests_total\{.*\} (\d+)$", site.metrics(), re.M))


def half_a_body(site, name):
    """Announces more than it sends, and waits for what it is told."""
    params = [(b"REQUEST_METHOD", b"POST"), (b"REQUEST_URI", b"/api/threads"), (b"CONTENT_TYPE", b"application/json"), (b"CONTENT_LENGTH", b"100"),
              (b"HTTP_X_REQUEST_ID", name.encode())]
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(30)
        peer.connect(site.settings["C1D_SOCKET"])
        peer.sendall(HELLO + record(PARAMS, b"".join(pair(*one) for one in params)) + record(PARAMS) + record(STDIN, b'{"title":'))
        while peer.recv(65536):
            pass


def gone_in_mid_stream(site, name):
    gate = uuid.uuid4().hex
    params = {b"REQUEST_METHOD": b"POST", b"REQUEST_URI": b"/api/chat?on_disconnect=cancel", b"CONTENT_TYPE": b"application/json",
              b"HTTP_X_REQUEST_ID": name.encode()}
    body = b'{"message":"fault:gate=%s@60 x"}' % gate.encode()
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(30)
        peer.connect(site.settings["C1D_SOCKET"])
        peer.sendall(fcgi.record(fcgi.BEGIN, fcgi.RESPONDER) + fcgi.record(fcgi.PARAMS, fcgi.pairs(params)) + fcgi.record(fcgi.PARAMS)
                     + fcgi.record(fcgi.STDIN, body) + fcgi.record(fcgi.STDIN))
        assert b"Status: 200" in peer.recv(65536)
        wait_at_gate(site, gate)


def ask(site, name, method, path, body=b"", **headers):
    return fcgi.ask(site.settings["C1D_SOCKET"], method, path, {"x-request-id": name, **headers}, body)


KINDS = {
    "200": lambda site, name: ask(site, name, "GET", "/api/threads"),
    "201": lambda site, name: ask(site, name, "POST", "/api/threads", b"{}"),
    "204": lambda site, name: ask(site, name, "OPTIONS", "/api/threads"),
    "head": lambda site, name: ask(site, name, "HEAD", "/api/threads"),
    "400": lambda site, name: ask(site, name, "POST", "/api/threads", b"{"),
    "404": lambda site, name: ask(site, name, "GET", "/nowhere"),
    "405": lambda site, name: ask(site, name, "BREW", "/api/threads"),
    "413": lambda site, name: ask(site, name, "POST", "/api/threads", b'{"title":"' + b"x" * 100000 + b'"}'),
    "422": lambda site, name: ask(site, name, "POST", "/api/chat", b'{"message":7}'),
    "half a body": half_a_body,
    "chat": lambda site, name: ask(site, name, "POST", "/api/chat", b'{"message":"fault:pace=0 x"}'),
    "chat that failed": lambda site, name: ask(site, name, "POST", "/api/chat", b'{"message":"fault:status=500 x"}'),
    "chat that was cut": lambda site, name: ask(site, name, "POST", "/api/chat", b'{"message":"fault:pace=0;cut=90 x"}'),
    "card": lambda site, name: ask(site, name, "POST", "/api/chat?errors=card", b'{"message":"fault:status=500 x"}'),
    "events": lambda site, name: ask(site, name, "POST", "/api/chat?stream=sse", b'{"message":"fault:pace=0 x"}'),
    "gone": gone_in_mid_stream,
    "monitor": lambda site, name: ask(site, name, "GET", "/livez"),
}


def test_i8_each_request_is_one_line_and_is_counted_once(new_site):
    site = new_site({"C1D_LOG_LEVEL": "debug", "C1D_READ_MS": "2000"}, workers=1)
    before = requests_counted(site)
    names = {kind: uuid.uuid4().hex for kind in KINDS}
    for kind, run in KINDS.items():
        run(site, names[kind])
    wait_for(lambda: {line["id"] for line in site.log_lines("request")} >= set(names.values()), "each is told")
    lines = {kind: [line for line in site.log_lines("request") if line["id"] == name] for kind, name in names.items()}
    assert {kind: len(found) for kind, found in lines.items()} == dict.fromkeys(KINDS, 1)
    counted = requests_counted(site)
    assert counted - before == len(KINDS) + 1  # the first question of how many there were is counted by the second
    for kind, (line,) in lines.items():
        assert set(line) - {"run"} == {"time", "level", "process", "pid", "event", "id", "method", "route", "status", "user", "first_byte_ms", "ms",
                                       "bytes", "outcome"}, kind
        assert -1 <= line["first_byte_ms"] <= line["ms"] and line["bytes"] >= 0
    assert lines["gone"][0]["outcome"] == "client_gone" and lines["chat"][0]["outcome"] == "complete"
    assert lines["half a body"][0]["status"] == 400 and lines["404"][0]["route"] == "(none)"


def test_i8_what_is_no_request_is_one_line_and_one_rejected_peer(new_site):
    site = new_site({"C1D_READ_MS": "300"}, workers=1)
    before = requests_counted(site)
    for data in (b"", HELLO, record(77), HELLO + record(STDIN)):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(30)
            peer.connect(site.settings["C1D_SOCKET"])
            try:
                peer.sendall(data)
                assert peer.recv(4096) == b""
            except (BrokenPipeError, ConnectionResetError):
                pass
    wait_for(lambda: "c1d_fastcgi_rejected_total 4" in site.metrics(), "each is counted")
    assert len(site.told("connection without a usable request", 4)) == 4
    assert not [line for line in site.log_lines("request") if line["route"] != "/metrics"] and before >= 0


def test_a_users_lines_bear_one_name_and_it_is_not_the_users(new_site):
    site = new_site(workers=2)
    for user in ("ada-l", "ada-l", "eve-o"):
        assert site.post("/api/threads", {"user_id": user}).status == 201
        site.chat("fault:pace=0 x", user_id=user)
    site.get("/api/threads")
    wait_for(lambda: len(site.log_lines("request")) == 7, "all are told")
    users = [line["user"] for line in site.log_lines("request")]
    assert sorted(users.count(user) for user in set(users)) == [1, 2, 4] and users.count("") == 1
    assert all(re.fullmatch("[0-9a-f]{16}|", user) for user in users)
    assert not re.search("ada-l|eve-o", site.log_path.read_text())


# --- headers ---
def answers(site):
    """One of each sort."""
    thread = make(site, title="<script>alert(1)</script>", metadata={"x": "<img src=x onerror=alert(1)>"})["id"]
    chat = site.chat("fault:pace=0 <script>alert(1)</script>", thread)
    path = f"/api/threads/{thread}"
    yield chat
    yield site.chat("fault:pace=0 x", thread, query="?stream=sse")
    yield site.chat("fault:status=500 x", query="?errors=card")
    yield site.chat("fault:status=500 x")
    yield site.get(f"/api/runs/{chat.headers['X-Run-Id']}/stream?offset=0")
    yield site.get(path)
    yield site.get(path, {"If-None-Match": site.get(path).headers["ETag"]})
    yield site.get(path + "/messages?as=c1")
    yield site.get("/api/threads")
    yield site.get("/api/openapi.json")
    yield site.get("/health")
    yield site.get("/livez")
    yield site.request("HEAD", path)
    yield site.request("OPTIONS", path)
    yield site.request("PUT", "/api/chat")
    yield site.get("/api/nothing")
    yield site.get("/metrics")  # of nginx
    yield site.request("POST", "/api/chat", None, {"Content-Length": str(14 << 20)})  # of nginx
    yield site.delete(path)


def test_f15_nothing_that_is_answered_can_be_run_sniffed_framed_or_kept(site):
    kinds = set()
    for answer in answers(site):
        shielded(answer.headers)
        assert answer.headers["Cache-Control"] in (None, "no-store", "no-store, no-transform"), answer
        assert answer.headers["Cache-Control"] or not answer.body, answer
        assert answer.headers["Vary"] is None or answer.headers["Vary"].startswith("Authorization, Cookie"), answer
        kind = (answer.headers["Content-Type"] or "").split(";")[0]
        kinds.add(kind)
        assert kind in ("", "application/json", "application/problem+json", "text/plain", "text/event-stream"), answer
    assert len(kinds) == 5


def test_f15_figures_too_and_they_differ_by_what_is_asked_for(site):
    for accept, kind in (("", "text/plain"), ("application/openmetrics-text", "application/openmetrics-text")):
        told = fcgi.ask(site.settings["C1D_SOCKET"], "GET", "/metrics", {"accept": accept}).headers
        assert told["content-type"].startswith(kind) and told["cache-control"] == "no-store" and "Accept" in told["vary"]
        assert told["x-content-type-options"] == "nosniff"


NOT_LISTED = ["null", "https://app.example.evil.example", "https://evilapp.example", "https://app.example:444", "http://app.example", "https://app.example/",
              "https://sub.app.example", "https://app.example, https://app.example", "https://APP.EXAMPLE", "https://app.example@evil.example",
              "https://app.exampl", "https://app.examplex", "app.example", "*", "https://app.example%00.evil.example", "//app.example", "https://[::1]"]


@pytest.fixture(scope="module")
def listed(scratch, upstream):
    from house import Site
    house = Site(scratch, upstream, {"C1D_ORIGINS": APP}, workers=1)
    yield house
    house.stop()


@pytest.mark.parametrize("origin", NOT_LISTED)
def test_f14_an_origin_that_only_looks_like_a_listed_one_is_foreign(listed, origin):
    for browser in ({}, {"Sec-Fetch-Site": "cross-site"}):
        head = {"Origin": origin, **browser}
        problem(listed.post("/api/threads", {"title": "x"}, head), 403, "foreign_origin")
        for answer in (listed.get("/api/threads", head), listed.get("/api/nothing", head), listed.request("OPTIONS", "/api/threads", headers={
                **head, "Access-Control-Request-Method": "POST"})):
            assert [name for name in answer.headers if name.lower().startswith("access-control")] == [], answer.headers.items()
            assert answer.headers["Vary"] == "Authorization, Cookie, Origin"


def test_f14_the_listed_one_is_named_and_never_a_star(listed):
    for answer in (listed.get("/api/threads", {"Origin": APP}), listed.get("/api/nothing", {"Origin": APP}), listed.post("/api/threads", {}, {"Origin": APP})):
        assert answer.headers.get_all("Access-Control-Allow-Origin") == [APP]
        assert answer.headers.get_all("Access-Control-Allow-Credentials") == ["true"]
