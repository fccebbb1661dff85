"""What gets out: logs, figures, errors and what the system shows of a process, while somebody says things that are meant to
get into them; and that nothing of one user's request is left for another's."""
import json
import re
import uuid
from pathlib import Path

import pytest

import fcgi
from attackers import JWT_SECRET, Browser, bearer, raw, token
from house import Site, in_parallel, wait_for


def name(kind):
    return kind + uuid.uuid4().hex[:12]


@pytest.fixture(scope="module")
def site(scratch, upstream):
    house = Site(scratch, upstream, {"C1D_AUTH": "jwt,visitor", "C1D_JWT_SECRET": JWT_SECRET, "C1D_LOG_LEVEL": "debug",
                                     "C1D_JWT_ISSUER": "it", "C1D_JWT_AUDIENCE": "it"})
    yield house
    house.stop()


NASTY = {"line breaks": "x%0d%0a{\"event\":\"request\"}", "ANSI": "x%1b[31mred", "quotes": 'x%22,%22level%22:%22error', "bidi": "x%e2%80%ae",
         "C1 controls": "x%c2%9b31m", "NEL": "x%c2%85y", "broken UTF-8": "x%ff%fe%c0%af", "separators": "x%e2%80%a8y", "NUL": "x%00y"}


def requests_counted(site):
    """By all routes and statuses. Each look is counted, and told, behind its answer."""
    return sum(int(number) for number in re.findall(r"^c1d_requests_total\{.*\} (\d+)$", site.metrics(), re.M))


@pytest.mark.parametrize("what", NASTY)
def test_f10_an_address_makes_one_line_of_its_own_and_no_other(site, what):
    for path in (f"/api/threads/{NASTY[what]}", f"/api/threads?q={NASTY[what]}", f"/api/{NASTY[what]}?{NASTY[what]}"):
        raw(site, f"GET {path} HTTP/1.1\nHost: x\nConnection: close\nUser-Agent: {path}".encode())
    wait_for(lambda: len(site.log_lines("request")) == requests_counted(site), "each request is one line, and each line one request")
    text = site.log_path.read_bytes()
    text = text[:text.rindex(b"\n")]  # the last line may be half written
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]", text)
    text.decode("utf-8")
    assert not [entry for line in text.decode().splitlines() if "red" in (entry := json.loads(line)).get("event", "")]


@pytest.mark.parametrize("header", ["User-Agent", "Authorization", "Origin", "Host", "Cookie", "X-Request-Id", "Idempotency-Key", "If-Match",
                                    "Last-Event-ID", "Traceparent", "Tracestate", "Accept", "Referer", "Content-Type"])
def test_f10_f11_no_header_of_a_client_is_in_the_log_as_it_came(site, header):
    canary = name("canary")
    value = {"Authorization": f"Bearer {canary}", "Cookie": f"c1d_visitor={canary}; __session={canary}"}.get(header, canary)
    raw(site, f"GET /api/threads HTTP/1.1\nConnection: close\n{'' if header == 'Host' else 'Host: x'}\n{header}: {value}\x1b[2J"
        .replace("\n\n", "\n").encode())
    raw(site, f"GET /api/threads HTTP/1.1\nConnection: close\n{'' if header == 'Host' else 'Host: x'}\n{header}: {value}"
        .replace("\n\n", "\n").encode())
    site.requests_told()
    assert canary not in site.log_path.read_text() + site.metrics()


def test_f10_a_long_field_is_cut(site):
    raw(site, b"GET /api/threads/" + b"a" * 6000 + b" HTTP/1.1\nHost: x\nConnection: close\nUser-Agent: " + b"u" * 6000)
    site.requests_told()
    for line in site.log_path.read_text().split("\n")[:-1]:  # the last one may be half written
        assert len(line) < 4096
        assert not [value for value in json.loads(line).values() if isinstance(value, str) and len(value) > 512]


def test_f10_text_logs_are_one_line_a_request_too(new_site):
    site = new_site({"C1D_LOG_FORMAT": "text"}, workers=1, start=False)
    from house import Process
    site.c1d = Process([site.program, "serve"], site.folder, "c1d", env=site.environment())
    wait_for(lambda: "worker ready" in site.c1d.text(), "c1d is ready")
    for value in NASTY.values():
        site.get(f"/api/threads/{value}")
        site.get("/api/threads?q=" + value)
    site.get("/api/threads/last")
    wait_for(lambda: site.c1d.text().count("request ") >= 10, "they are told")
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]", site.log_path.read_bytes())


def test_f11_secrets_and_what_people_write_are_nowhere_but_where_they_belong(new_site):
    marks = {kind: name("canary") for kind in ("message", "title", "metadata", "query", "token", "cookie", "idempotency", "key", "user")}
    site = new_site({"C1D_AUTH": "jwt,visitor", "C1D_JWT_SECRET": JWT_SECRET, "C1D_LOG_LEVEL": "debug", "C1D_JWT_ISSUER": "it",
                     "C1D_JWT_AUDIENCE": "it", "THESYS_API_KEY": "sk-th-" + marks["key"],
                     "C1D_VISITOR_SECRET": "visitors-" + marks["cookie"] + "-of-32-bytes-or-more"})
    user = token(marks["user"], iss="it", aud="it")
    ada, bob = Browser(site, **bearer(user)), Browser(site)
    thread = ada.make(title=marks["title"], metadata={"m": marks["metadata"]})["id"]
    for browser in (ada, bob):
        for message in ("fault:pace=0 ", "fault:status=500 ", "fault:status=401 ", "fault:cut=40 ", "fault:status=429 "):
            browser.post("/api/chat", {"message": message + marks["message"]}, {"Idempotency-Key": marks["idempotency"] + message[6:9]})
        browser.get(f"/api/threads?q={marks['query']}")
        browser.get(f"/api/threads/{thread}/messages")
        browser.post("/api/threads", {"titel": marks["title"]})
        browser.ask("POST", "/api/threads", b'{"title":"' + marks["title"].encode() + b'\xff', {"Content-Type": "application/json"})
    Browser(site, **bearer(user[:-3] + "AAA")).get("/api/threads")
    site.requests_told()
    secrets = [*marks.values(), JWT_SECRET, user, user.split(".")[2], bob.visitor(), bob.visitor().split(".")[3]]
    places = {"log": site.log_path.read_text("utf-8", "replace"), "figures": site.metrics(), "health": site.get("/health").text,
              "readyz": site.get("/readyz").text, "openapi": site.get("/api/openapi.json").text,
              "nginx": (site.folder / "nginx.log").read_text("utf-8", "replace") if (site.folder / "nginx.log").exists() else ""}
    for pid in [site.c1d.pid, *site.worker_pids()]:
        for what in ("cmdline", "comm", "status"):
            places[f"{what} of {pid}"] = Path(f"/proc/{pid}/{what}").read_bytes().decode("utf-8", "replace")
    for place, text in places.items():
        found = [secret for secret in secrets if secret in text]
        assert not found, (place, found)


def test_f11_errors_tell_nothing_of_the_house(site):
    inside = re.compile(r"/tmp|/var|/usr|\.c:\d|sqlite|mongo|errno|127\.0\.0\.1:\d|curl|openssl|libjwt|stack|sk-th", re.I)
    bodies = [raw(site, line + b"\nHost: x\nConnection: close", rest) for line, rest in (
        (b"GET /api/nothing HTTP/1.1", b""), (b"GET /api/threads/nobody HTTP/1.1", b""), (b"BREW /api/threads HTTP/1.1", b""),
        (b"POST /api/threads HTTP/1.1\nContent-Type: application/json\nContent-Length: 1", b"{"),
        (b"GET /api/threads HTTP/1.1\nAuthorization: Bearer x", b""), (b"GET /api/threads?limit=x HTTP/1.1", b""),
        (b"POST /api/chat HTTP/1.1\nContent-Type: application/json\nContent-Length: 32", b'{"message":"fault:status=500 xx"}'[:32]))]
    for answer in bodies:
        assert answer.status >= 400 and not inside.search(answer.text), answer
        assert re.search('"request_id":"[0-9a-f]{32}"', answer.text), answer


def test_f12_figures_do_not_grow_with_paths_and_users(site):
    def series():
        return {line.rpartition(" ")[0] for line in site.metrics().splitlines() if line and line[0] != "#"}

    Browser(site).get("/api/threads")
    def ask(n):
        browser = Browser(site, **bearer(token(name("u"), iss="it", aud="it")))
        for _ in range(15):
            for path in (f"/api/{name('x')}", f"/api/threads/{name('t')}", f"/{name('y')}?{name('q')}=1", f"/api/runs/{name('r')}/{name('z')}"):
                browser.get(path)
                Browser(site).ask(name("M").upper()[:20], path)
    ask(0)
    # Asking for them is a request of its own, counted when it was answered.
    wait_for(lambda: any('route="/metrics"' in line for line in series()), "the figures tell of themselves")
    before = series()
    in_parallel(8, ask)
    assert series() - before == set()
    assert len(before) <= 2000


@pytest.mark.parametrize("path", ["/metrics", "/api/metrics", "/metrics/", "//metrics", "/METRICS", "/%6detrics", "/api/../metrics", "/api/..%2fmetrics",
                                  "/api/%2e%2e/metrics", "/metrics%00", "/metrics;x", "/metrics?x", "/api/runs/../../metrics", "/api/livez/../metrics",
                                  "/health/../metrics", "/metrics.json", "/api/metrics%2f", "/api/.%2e/metrics", "/./metrics"])
def test_a19_f12_no_way_round_leads_to_the_figures(site, path):
    for line in (path, f"http://x{path}"):
        for more in ("", "\nX-Original-URL: /metrics\nX-Rewrite-URL: /metrics\nX-Forwarded-Uri: /metrics\nX-Accel-Redirect: /metrics"):
            answer = raw(site, f"GET {line} HTTP/1.1\nHost: x\nConnection: close{more}".encode())
            assert answer.status in (400, 404) and b"c1d_" not in answer.body, (line, answer)


def test_f17_no_bytes_of_one_request_are_in_the_answer_to_another(new_site):
    """One worker, two people who write a mark of their own in every field, and ten thousand answers that are looked through."""
    site = new_site({"C1D_AUTH": "visitor", "C1D_THREADS": "2"}, workers=1)
    marks = ["A" * 8 + uuid.uuid4().hex, "B" * 8 + uuid.uuid4().hex]
    people = [Browser(site), Browser(site)]
    threads = [person.make(title=mark, metadata={"m": mark * 20})["id"] for person, mark in zip(people, marks)]
    socket = site.settings["C1D_SOCKET"]

    def life(n):
        mark, other = marks[n], marks[1 - n]
        head = {"cookie": f"c1d_visitor={people[n].visitor()}", "host": "127.0.0.1"}
        for turn in range(250):
            body = json.dumps({"role": "user", "content": mark * (turn % 40 + 1)}).encode()
            size = json.dumps({"title": mark + "x" * (turn % 30)}).encode()
            for method, path, what in (("POST", f"/api/threads/{threads[n]}/messages", body), ("PATCH", f"/api/threads/{threads[n]}", size),
                                       ("GET", "/api/threads", b""), ("GET", f"/api/threads/{threads[n]}/messages?limit=3", b""),
                                       ("POST", "/api/threads", b'{"title":"' + mark.encode()), ("GET", f"/api/threads/{threads[1 - n]}", b""),
                                       ("GET", f"/api/threads?q={mark}", b""), ("PUT", f"/api/threads/{threads[n]}/messages/none", body)):
                answer = fcgi.ask(socket, method, path, head, what)
                assert other.encode() not in answer.body and other[:16] not in str(answer.headers), (method, path, answer)
                assert b"\0" not in answer.body

    in_parallel(2, life)


def test_f15_nothing_is_taken_for_a_page(site):
    """What somebody wrote comes back as data: a browser that opens it runs nothing."""
    script = "<script>alert(1)</script>"
    ada = Browser(site)
    thread = ada.make(title=script)["id"]
    ada.post(f"/api/threads/{thread}/messages", {"role": "assistant", "content": script})
    chat = ada.post("/api/chat", {"message": "fault:pace=0 " + script})
    run = chat.headers["X-Run-Id"]
    for path in ("/api/threads", f"/api/threads/{thread}", f"/api/threads/{thread}/messages", "/api/threads/" + "a.html", f"/api/runs/{run}/stream",
                 f"/api/runs/{run}/stream?stream=sse", "/health", "/api/openapi.json", "/metrics", "/api/none.html", f"/api/threads?q={script}"):
        answer = ada.get(path, {"Accept": "text/html"})
        assert answer.headers["Content-Type"].split(";")[0] in ("application/json", "application/problem+json", "text/plain", "text/event-stream"), path
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert "default-src 'none'" in (answer.headers["Content-Security-Policy"] or ""), path
