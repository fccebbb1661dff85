"""C1D_AUTH=visitor: each browser is its own user by a signed cookie. What one has no other sees, by any route; what is no cookie
of ours gives access to nothing; and nothing that happens to the service makes anybody somebody else."""
import json
import os
import re
import signal
import subprocess
import uuid

import fcgi
import pytest
from api import UNKNOWN, problem, wait_at_gate
from browsers import PLAIN, SECURE, Browser, ask_https, set_cookies
from house import Site, in_parallel, wait_for

VISITORS = {"C1D_AUTH": "visitor"}
VALUE = re.compile(r"v1\.[A-Za-z0-9_-]{22}\.[1-9]\d{9}\.[A-Za-z0-9_-]{43}")


def name(kind):
    return kind + uuid.uuid4().hex[:12]


@pytest.fixture(scope="module")
def site(scratch, upstream, store_uri):
    house = Site(scratch, upstream, {**VISITORS, "C1D_STORE": store_uri})
    yield house
    house.stop()


def c1d(site, *args, **settings):
    return subprocess.run([site.program, *args], env={**site.environment(), **settings}, text=True, capture_output=True,
                          timeout=60, check=False)


def with_thread(site):
    """A browser with an answered question: (browser, thread, run, its messages)."""
    browser, thread = Browser(site), name("t")
    run = browser.chat(f"hello {thread}", thread).headers["X-Run-Id"]
    messages = browser.get(f"/api/threads/{thread}/messages").json()
    assert [message["role"] for message in messages] == ["user", "assistant"]
    return browser, thread, run, messages


# --- the cookie ---
def test_the_first_answer_sets_the_cookie_and_no_other_does(site):
    browser = Browser(site)
    answer = browser.get("/api/threads")
    (set_name, (value, attributes)), = set_cookies(answer.headers).items()
    assert set_name == PLAIN and VALUE.fullmatch(value)
    assert attributes == ["Path=/", "Max-Age=34560000", "HttpOnly", "SameSite=Lax"]
    for _ in range(3):
        assert not set_cookies(browser.get("/api/threads").headers)
    assert browser.chat("hello", name("t")).status == 200 and browser.cookies == {PLAIN: value}


@pytest.mark.parametrize("query", ["", "?stream=sse", "?errors=card"])
def test_a_streamed_answer_sets_it_too(site, query):
    browser, thread = Browser(site), name("t")
    gate = name("g")
    stream = browser.stream(f"fault:gate={gate}@60 {thread}", thread, query)
    assert VALUE.fullmatch(set_cookies(stream.headers)[PLAIN][0])  # with its head, long before its end
    wait_at_gate(site, gate)
    assert browser.threads() == [thread]
    site.upstream.open_gate(gate)
    stream.read_all()
    assert not set_cookies(browser.chat("and on", thread, query).headers)


@pytest.mark.parametrize("method, path, value, status", [
    ("POST", "/api/threads", {"title": "x"}, 201),
    ("GET", f"/api/threads/{UNKNOWN}", None, 404),
    ("HEAD", "/api/threads", None, 200),
    ("DELETE", f"/api/threads/{UNKNOWN}", None, 404),
    ("POST", "/api/threads", {"titel": "x"}, 422),
    ("POST", "/api/threads", {"title": "x", "user_id": "bob"}, 403),
    ("GET", f"/api/runs/{UNKNOWN}/stream", None, 404),
    ("POST", "/api/chat", {"message": "x", "model": "no-such-model"}, 422),
    ("POST", "/api/chat?errors=card", {"message": "fault:status=500"}, 200),
    ("POST", "/api/chat", {"message": "fault:status=500 " + "x" * 20}, 502),
])
def test_an_error_sets_it_too(site, method, path, value, status):
    browser = Browser(site)
    answer = browser.request(method, path, value)
    assert answer.status == status and VALUE.fullmatch(browser.cookies[PLAIN]), (answer, browser.cookies)
    assert not set_cookies(browser.request(method, path, value).headers)


def test_a_body_that_is_no_json_sets_it_too(site):
    answer = site.request("POST", "/api/threads", b"{", {"Content-Type": "application/json"})
    problem(answer, 400, "bad_json")
    assert VALUE.fullmatch(set_cookies(answer.headers)[PLAIN][0])


def test_nobody_is_asked_by_what_is_for_machines(site):
    for path in ("/health", "/api/health", "/livez", "/readyz", "/api/openapi.json"):
        answer = site.get(path)
        assert answer.status == 200 and not set_cookies(answer.headers), path
    for method, path in (("GET", "/api/nothing"), ("OPTIONS", "/api/threads"), ("PATCH", "/api/chat")):
        assert not set_cookies(site.request(method, path).headers)


def test_behind_tls_the_cookie_can_come_from_this_host_only(site):
    answer, cookie, attributes = ask_https(site, "POST", "/api/threads", value={"title": "mine"})
    assert answer.status == 201 and cookie.startswith(f"{SECURE}=")
    assert attributes == ["Path=/", "Max-Age=34560000", "HttpOnly", "SameSite=Lax", "Secure"]
    thread = answer.json()["id"]
    again, new, _ = ask_https(site, "GET", "/api/threads", cookie)
    assert [entry["id"] for entry in again.json()] == [thread] and new is None
    # The plain name, which a host beside this one can set, is not taken.
    plain, new, _ = ask_https(site, "GET", "/api/threads", cookie.replace(SECURE, PLAIN))
    assert plain.json() == [] and new.startswith(f"{SECURE}=")


# --- one does not see the other ---
def test_two_browsers_have_two_lists(site):
    (ada, thread, _, _), (bob, other, _, _) = with_thread(site), with_thread(site)
    assert ada.visitor != bob.visitor
    assert (ada.threads(), bob.threads()) == ([thread], [other])
    assert ada.get(f"/api/threads/{thread}").json()["user_id"] == ada.visitor


def routes_of(thread, run, message):
    return [
        ("GET", f"/api/threads/{thread}", None),
        ("PATCH", f"/api/threads/{thread}", {"title": "stolen"}),
        ("PUT", f"/api/threads/{thread}", {"title": "stolen"}),
        ("GET", f"/api/threads/{thread}/messages", None),
        ("GET", f"/api/threads/{thread}/messages?as=c1", None),
        ("POST", f"/api/threads/{thread}/messages", {"role": "user", "content": "stolen"}),
        ("PUT", f"/api/threads/{thread}/messages/{message}", {"content": "stolen"}),
        ("PATCH", f"/api/threads/{thread}/messages/{message}", {"content": "stolen"}),
        ("GET", f"/api/threads/{thread}/runs", None),
        ("GET", f"/api/runs/{run}", None),
        ("GET", f"/api/runs/{run}/stream", None),
        ("GET", f"/api/runs/{run}/stream?stream=sse", None),
        ("POST", f"/api/runs/{run}/stop", None),
        ("POST", "/api/chat", {"thread_id": thread, "message": "stolen"}),
        ("POST", "/api/chat", {"threadId": thread, "prompt": {"role": "user", "content": "stolen"}, "responseId": message}),
        ("DELETE", f"/api/threads/{thread}", None),
    ]


def test_f1_another_browser_reaches_nothing_by_any_route(site):
    ada, thread, run, messages = with_thread(site)
    bob, _, _, _ = with_thread(site)
    for method, path, value in routes_of(thread, run, messages[1]["id"]):
        answer = bob.request(method, path, value)
        body = problem(answer, 403, "access_denied")
        assert thread not in body["detail"] and ada.visitor not in answer.text, (method, path)
    assert ada.get(f"/api/threads/{thread}/messages").json() == messages
    assert ada.threads() == [thread]


def test_f1_an_answer_in_flight_is_its_browsers_alone(site):
    ada, bob, thread, gate = Browser(site), Browser(site), name("t"), name("g")
    bob.threads()
    stream = ada.stream(f"fault:gate={gate}@60 {thread}", thread, "?stream=sse")
    stream.read_until(b"delta")
    run = stream.headers["X-Run-Id"]
    for method, path, value in routes_of(thread, run, stream.headers["X-Response-Id"]):
        if path.startswith("/api/runs/") or "chat" in path or method == "DELETE":
            problem(bob.request(method, path, value), 403, "access_denied")
    assert bob.get(f"/api/threads/{thread}/runs?active=1").text.count(run) == 0
    assert [entry["id"] for entry in ada.get(f"/api/threads/{thread}/runs?active=1").json()] == [run]
    follower = ada.follow(run)
    site.upstream.open_gate(gate)
    assert b"event: done" in stream.read_all() and follower.read_all().endswith(b"</content>")
    assert ada.get(f"/api/runs/{run}").json()["status"] == "complete"


def test_a_key_is_its_browsers_own(site):
    key, ada, bob = {"Idempotency-Key": name("k")}, Browser(site), Browser(site)
    one, two = ada.chat("hello", name("t"), headers=key), bob.chat("hello", name("t"), headers=key)
    assert one.headers["X-Run-Id"] != two.headers["X-Run-Id"] and "Idempotency-Replayed" not in two.headers


def test_f2_nobody_says_that_he_is_another(site):
    ada, thread, _, _ = with_thread(site)
    bob = Browser(site)
    bob.threads()
    problem(bob.get(f"/api/threads?user_id={ada.visitor}"), 403, "access_denied", "user_id")
    problem(bob.post("/api/threads", {"user_id": ada.visitor}), 403, "access_denied", "user_id")
    problem(bob.post("/api/chat", {"message": "x", "user_id": ada.visitor}), 403, "access_denied", "user_id")
    problem(bob.get("/api/threads?user_id=anonymous"), 403, "access_denied", "user_id")
    assert bob.get(f"/api/threads?user_id={bob.visitor}").json() == []
    assert ada.post("/api/threads", {"user_id": ada.visitor}).status == 201
    assert thread in ada.threads()


# --- what is no cookie of ours ---
def variants(value, other):
    version, visitor, made, mac = value.split(".")
    _, theirs, _, their_mac = other.split(".")
    other_letter = "B" if mac[0] == "A" else "A"
    return {
        "cut": value[:-1],
        "longer": value + "A",
        "padded": value + "=",
        "quoted": f'"{value}"',
        "another letter": f"{version}.{visitor}.{made}.{other_letter}{mac[1:]}",
        "another's name": f"{version}.{theirs}.{made}.{mac}",
        "another's signature": f"{version}.{visitor}.{made}.{their_mac}",
        "another time": f"{version}.{visitor}.{int(made) + 1}.{mac}",
        "a zero before": f"{version}.{visitor}.0{made}.{mac}",
        "another version": f"v2.{visitor}.{made}.{mac}",
        "no signature": f"{version}.{visitor}.{made}.",
        "no name": f"{version}..{made}.{mac}",
        "standard base64": value.replace("-", "+").replace("_", "/") + ("=" if "-" not in value and "_" not in value else ""),
        "escaped": value.replace(".", "%2e"),
        "other bytes": "\xff\xfe" + value[2:],
        "7 KiB": value[:-1] + "A" * 7000,
    }


def test_e10_what_is_not_just_our_cookie_is_nobodys(site):
    ada, thread, _, _ = with_thread(site)
    other = Browser(site)
    other.threads()
    for what, forged in variants(ada.cookies[PLAIN], other.cookies[PLAIN]).items():
        thief = Browser(site)
        thief.cookies = {PLAIN: forged}
        assert thief.threads() == [], what
        assert thief.visitor not in (ada.visitor, other.visitor) and thief.cookies[PLAIN] != forged, what
        problem(thief.get(f"/api/threads/{thread}"), 403, "access_denied")


def test_e11_a_cookie_that_is_too_long_or_holds_a_nul_ends_at_the_web_server(site):
    ada, _, _, _ = with_thread(site)
    answer = site.get("/api/threads", {"Cookie": f"{PLAIN}={ada.cookies[PLAIN]}{'A' * 8192}"})
    assert answer.status == 400 and not set_cookies(answer.headers)
    # Past nginx, which takes neither.
    good = f"{PLAIN}={ada.cookies[PLAIN]}"
    assert len(fcgi.ask(site.settings["C1D_SOCKET"], "GET", "/api/threads", {"host": site.host, "cookie": good}).json()) == 1
    answer = fcgi.ask(site.settings["C1D_SOCKET"], "GET", "/api/threads", {"host": site.host, "cookie": good + "A" * 40000})
    assert answer.status == 200 and answer.json() == []
    for hostile in (f"{good}\0", f"{PLAIN}=\0", f"\0{good}"):
        with pytest.raises(AssertionError, match="closed before the end"):
            fcgi.ask(site.settings["C1D_SOCKET"], "GET", "/api/threads", {"host": site.host, "cookie": hostile})


def test_of_two_that_differ_neither_counts(site):
    (ada, thread, _, _), (bob, other, _, _) = with_thread(site), with_thread(site)
    for first, second in ((ada, bob), (bob, ada)):
        answer = site.get("/api/threads", {"Cookie": f"{PLAIN}={first.cookies[PLAIN]}; {PLAIN}={second.cookies[PLAIN]}"})
        assert answer.json() == [] and not set_cookies(answer.headers)  # one's own stays where it is
    answer = site.get("/api/threads", {"Cookie": f"{PLAIN}=rubbish; a=b; {PLAIN}={ada.cookies[PLAIN]}"})
    assert [entry["id"] for entry in answer.json()] == [thread] and not set_cookies(answer.headers)


def test_another_hosts_cookie_is_none_of_ours(site):
    ada, thread, _, _ = with_thread(site)
    assert ada.threads() == [thread]
    assert ada.get("/api/threads", {"Host": "other.example.org"}).json() == []


@pytest.mark.parametrize("headers", [
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"},
])
def test_a_page_elsewhere_gets_nothing_with_our_cookie(site, headers):
    ada, thread, _, _ = with_thread(site)
    for method, path, value in (("GET", "/api/threads", None), ("GET", f"/api/threads/{thread}/messages", None),
                                ("POST", "/api/chat", {"thread_id": thread, "message": "from elsewhere"}),
                                ("DELETE", f"/api/threads/{thread}", None)):
        answer = ada.request(method, path, value, headers)
        problem(answer, 403, "foreign_origin")
        assert not set_cookies(answer.headers) and "Access-Control-Allow-Origin" not in answer.headers
    assert ada.threads() == [thread]


def test_a_listed_page_of_the_same_site_is_a_visitor_and_one_of_another_site_is_told(new_site):
    site = new_site({**VISITORS, "C1D_ORIGINS": "https://www.example.org"}, workers=1)
    listed = Browser(site, {"Origin": "https://www.example.org", "Sec-Fetch-Site": "same-site"})
    thread = listed.post("/api/threads", {"title": "x"}).json()["id"]
    assert listed.threads() == [thread]
    elsewhere = Browser(site, {"Origin": "https://www.example.org", "Sec-Fetch-Site": "cross-site"})
    for method, value in (("GET", None), ("POST", {"title": "x"})):
        answer = elsewhere.request(method, "/api/threads", value)
        assert "sign in" in problem(answer, 403, "foreign_origin")["detail"]
        assert answer.headers["Access-Control-Allow-Origin"] == "https://www.example.org" and not elsewhere.cookies


# --- the secret ---
def secret_lines(site):
    return (site.folder / "state/secret").read_text().splitlines()


def test_a_rotation_signs_nobody_out_and_is_noticed_by_all(new_site):
    site = new_site(VISITORS, workers=4)
    before = [with_thread(site)[:2] for _ in range(3)]
    done = c1d(site, "secret", "rotate")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert len(secret_lines(site)) == 2

    def come_back(i):
        browser, thread = before[i % 3]
        copy = Browser(site)
        copy.cookies = dict(browser.cookies)
        return copy.threads() == [thread] and copy.visitor == browser.visitor

    assert all(in_parallel(24, come_back))
    for browser, thread in before:
        # Not modified, and nothing missing: these have no body, and carry the new cookie all the same.
        copies = [Browser(site), Browser(site)]
        for copy in copies:
            copy.cookies = dict(browser.cookies)
        etag = browser.get(f"/api/threads/{thread}").headers["ETag"]
        old = copies[0].get(f"/api/threads/{thread}", {"If-None-Match": etag})
        run = copies[1].get(f"/api/threads/{thread}/runs").json()[0]["id"]
        assert old.status == 304 and copies[0].threads() == [thread] and copies[0].visitor == browser.visitor
        assert run and copies[1].visitor == browser.visitor
    fresh = Browser(site)
    fresh.threads()
    visitor = fresh.visitor

    def is_settled():  # a worker may not have looked yet when it signed this one; then another one renews it
        fresh.threads()
        return all(in_parallel(16, lambda _: not set_cookies(site.get("/api/threads", fresh.sent(None)).headers)))

    wait_for(is_settled, "all workers sign with the new secret")
    assert fresh.visitor == visitor


def test_an_answer_without_a_body_carries_the_new_cookie(new_site):
    site = new_site(VISITORS, workers=1)
    browser, thread, run, _ = with_thread(site)
    etag = browser.get(f"/api/threads/{thread}").headers["ETag"]
    size = browser.get(f"/api/runs/{run}").json()["bytes"]
    assert c1d(site, "secret", "rotate").returncode == 0
    wait_for(lambda: set_cookies(site.get("/api/threads", browser.sent(None)).headers), "the worker has noticed")
    for path, headers, status in ((f"/api/threads/{thread}", {"If-None-Match": etag}, 304),
                                  (f"/api/runs/{run}/stream?offset={size}", {}, 204)):
        answer = site.get(path, {**browser.sent(None), **headers})
        assert answer.status == status and answer.body == b""
        renewed, = [value for value, _ in set_cookies(answer.headers).values()]
        assert renewed.split(".")[1] == browser.visitor[len("visitor-"):]


def test_a_secret_of_90_days_is_followed_by_a_new_one_while_it_runs(new_site):
    """By the workers themselves, fenced in as they are."""
    site = new_site(VISITORS, workers=2)
    browser, thread, _, _ = with_thread(site)
    old, = secret_lines(site)
    secret = site.folder / "state/secret"
    secret.write_text(f"{old.split()[0]} {int(old.split()[1]) - 91 * 86400}\n")
    wait_for(lambda: site.get("/api/threads", browser.sent(None)).status == 200 and len(secret_lines(site)) == 2, "a second one")
    assert [line.split()[0] for line in secret_lines(site)][1] == old.split()[0]
    assert secret.stat().st_mode & 0o777 == 0o600 and not (site.folder / "state/secret.new").exists()
    assert len(site.told("secret rotated: the newest was 90 days old")) == 1
    assert all(in_parallel(12, lambda _: site.get(f"/api/threads/{thread}", browser.sent(None)).status == 200))
    wait_for(lambda: set_cookies(browser.get("/api/threads").headers), "the new one signs")
    assert browser.threads() == [thread]


def test_20_workers_that_start_at_once_make_one_secret(new_site):
    site = new_site(VISITORS, workers=20)
    assert len(secret_lines(site)) == 1
    assert (site.folder / "state/secret").stat().st_mode & 0o777 == 0o600
    browser, thread, _, _ = with_thread(site)
    assert all(in_parallel(60, lambda _: site.get(f"/api/threads/{thread}", browser.sent(None)).status == 200))


def test_a_killed_worker_and_a_restart_keep_visitors(new_site):
    site = new_site(VISITORS)
    browser, thread, _, _ = with_thread(site)
    kept = secret_lines(site)
    for pid in site.worker_pids():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: site.get(f"/api/threads/{thread}", browser.sent(None)).status == 200, "new workers")
    assert not set_cookies(browser.get("/api/threads").headers) and browser.threads() == [thread]
    for sig in (signal.SIGTERM, signal.SIGKILL):
        site.c1d.child.send_signal(sig)
        site.c1d.child.wait(30)
        site.start()
        assert browser.threads() == [thread]
    assert secret_lines(site) == kept


def test_two_nodes_with_one_secret_have_the_same_visitors(scratch, upstream, mongod):
    settings = {**VISITORS, "C1D_STORE": mongod.uri(name("visitors")), "C1D_VISITOR_SECRET": "the one secret of both nodes".replace(" ", "-") + "-1234"}
    nodes = [Site(scratch, upstream, settings, workers=1) for _ in range(2)]
    try:
        browser, thread, _, _ = with_thread(nodes[0])
        copy = Browser(nodes[1])
        copy.cookies = dict(browser.cookies)
        assert copy.threads() == [thread] and copy.cookies == browser.cookies
        assert not (nodes[0].folder / "state/secret").exists()
        done = c1d(nodes[0], "secret", "rotate")
        assert done.returncode == 78 and "C1D_VISITOR_SECRET" in done.stderr
    finally:
        for node in nodes:
            node.stop()


def damaged(secret):
    secret.write_text("damaged\n")


def cut(secret):
    secret.write_text(secret.read_text()[:40])


def empty(secret):
    secret.write_text("")


def readable_by_others(secret):
    secret.chmod(0o644)


def folder(secret):
    secret.unlink()
    secret.mkdir()


@pytest.mark.parametrize("harm, word", [(damaged, "damaged"), (cut, "damaged"), (empty, "damaged"),
                                        (readable_by_others, "chmod 0600"), (folder, "no file")])
def test_f19_a_secret_that_is_no_good_refuses_the_start_and_is_not_replaced(new_site, harm, word):
    site = new_site(VISITORS, workers=1)
    site.c1d.stop()
    secret = site.folder / "state/secret"
    harm(secret)
    before = secret.read_bytes() if secret.is_file() else None
    done = c1d(site, "serve")
    assert done.returncode == 78 and word in done.stderr, done
    assert (secret.read_bytes() if secret.is_file() else None) == before
    if secret.is_dir():
        secret.rmdir()
    else:
        secret.unlink()
    site.start()


def test_f19_a_secret_that_is_lost_while_it_runs_signs_nobody_out(new_site):
    site = new_site(VISITORS, workers=1)
    browser, thread, _, _ = with_thread(site)
    secret = site.folder / "state/secret"
    text = secret.read_text()
    secret.write_text("damaged\n")
    stranger = Browser(site)
    stranger.cookies = {PLAIN: "v1." + "A" * 22 + ".1790000000." + "A" * 43}
    assert stranger.threads() == []  # who brings an unknown one makes it look
    lines = wait_for(lambda: site.log_lines("secret not taken anew: what was known stays in use"), "it is told")
    assert "damaged" in lines[0]["reason"] and browser.threads() == [thread]
    secret.write_text(text)
    assert browser.threads() == [thread]


# --- signing in ---
def test_who_signs_in_nowhere_takes_nothing_along(site, new_site):
    browser, thread, _, _ = with_thread(site)
    for claimer in (browser, new_site({}, workers=1)):
        answer = claimer.request("POST", "/api/me/claim")
        assert "Nobody signs in here" in problem(answer, 409, "conflict")["detail"]
    assert browser.threads() == [thread]


# --- what is told ---
def figure(site, series):
    found = re.search(rf"^{re.escape(series)} (\d+)$", site.metrics(), re.M)
    return int(found[1]) if found else 0


def test_visitors_and_what_was_refused_are_counted(new_site):
    site = new_site(VISITORS, workers=1)
    one, two = Browser(site), Browser(site)
    one.threads(), two.threads(), one.threads()
    assert figure(site, "c1d_visitors_total") == 2
    mine, theirs = one.cookies[PLAIN], two.cookies[PLAIN]
    for cookie, reason in ((f"{PLAIN}=x", "form"), (f"{PLAIN}={mine[:-43]}{theirs[-43:]}", "signature"),
                           (f"{PLAIN}={mine}; {PLAIN}={theirs}", "twice")):
        site.get("/api/threads", {"Cookie": cookie})
        assert figure(site, f'c1d_visitor_cookies_refused_total{{reason="{reason}"}}') == 1, reason
    assert figure(site, "c1d_visitors_total") == 5


def test_f11_no_cookie_and_no_secret_is_in_the_log(site):
    browser, _, _, _ = with_thread(site)
    text = site.log_path.read_text("utf-8", "replace") + site.metrics()
    assert browser.cookies[PLAIN] not in text and browser.cookies[PLAIN].split(".")[3] not in text
    for line in secret_lines(site):
        assert line.split()[0] not in text
    assert browser.visitor not in text


def test_the_document_names_the_cookie(site):
    schemes = json.loads(site.get("/api/openapi.json").text)["components"]["securitySchemes"]
    assert {"type": "apiKey", "in": "cookie", "name": PLAIN}.items() <= schemes["visitor"].items()
