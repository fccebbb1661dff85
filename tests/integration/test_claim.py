"""Who signs in takes along what this browser had as a visitor: POST /api/me/claim."""
import json
import uuid

import fcgi
import pytest
from api import make, problem, wait_at_gate, walk
from attackers import JWT_SECRET, bearer, token
from browsers import PLAIN, SECURE, Browser, set_cookies
from callers import key
from house import Site, in_parallel, wait_for

SETTINGS = {"C1D_AUTH": "jwt,visitor", "C1D_JWT_SECRET": JWT_SECRET}
CLAIM = "/api/me/claim"


def name(kind):
    return kind + uuid.uuid4().hex[:12]


@pytest.fixture(scope="module")
def site(scratch, upstream, store_uri):
    house = Site(scratch, upstream, {**SETTINGS, "C1D_STORE": store_uri})
    yield house
    house.stop()


def visitor_with(site, count):
    """A browser with so many threads, newest first."""
    browser = Browser(site)
    threads = [browser.post("/api/threads", {"title": f"number {i}"}).json()["id"] for i in range(count)]
    return browser, threads[::-1]


def sign_in(browser, user=None):
    """The same browser, and who sits before it shows a token from now on."""
    browser.headers = bearer(token(user or name("user")))
    return browser


def copy_of(browser):
    """Another that has the same cookies, and no token."""
    copy = Browser(browser.site)
    copy.cookies = dict(browser.cookies)
    return copy


def claimed(answer):
    assert answer.status == 200 and set(answer.json()) == {"claimed"}, answer
    return answer.json()["claimed"]


def test_what_a_visitor_had_is_the_users(site):
    browser, threads = visitor_with(site, 3)
    browser.chat("fault:pace=0 hello", threads[0])
    before, etag = copy_of(browser), browser.get(f"/api/threads/{threads[1]}").headers["ETag"]
    order = browser.threads()
    user = name("user")
    sign_in(browser, user)
    assert browser.threads() == []  # until it is asked for
    answer = browser.post(CLAIM)
    assert claimed(answer) == 3
    (cookie, (value, attributes)), = set_cookies(answer.headers).items()
    assert (cookie, value, attributes) == (PLAIN, "", ["Path=/", "Max-Age=0", "HttpOnly", "SameSite=Lax"])
    assert browser.threads() == order and not browser.cookies
    thread = browser.get(f"/api/threads/{threads[1]}", {"If-None-Match": etag})
    assert (thread.status, thread.json()["user_id"]) == (200, user)
    messages = browser.get(f"/api/threads/{threads[0]}/messages").json()
    assert [message["role"] for message in messages] == ["user", "assistant"]
    assert browser.chat("fault:pace=0 and on", threads[0]).status == 200
    # Who still has the cookie is a visitor who has nothing.
    assert before.threads() == []
    problem(before.get(f"/api/threads/{threads[0]}"), 403, "access_denied")
    # Signed out, it is a new visitor.
    browser.headers = {}
    assert browser.threads() == [] and browser.visitor != before.visitor


def test_again_there_is_nothing_left(site):
    browser, _ = visitor_with(site, 2)
    kept = copy_of(browser)
    sign_in(browser)
    assert [claimed(browser.post(CLAIM)) for _ in range(3)] == [2, 0, 0]
    kept.headers = browser.headers  # the answer with the cookie's end was lost on the way
    assert claimed(kept.post(CLAIM)) == 0 and not kept.cookies
    assert len(browser.threads()) == 2


def test_more_than_a_step_takes(site):
    browser, _ = visitor_with(site, 1)
    in_parallel(8, lambda _: [make(Named(site, browser), title="x") for _ in range(16)])
    before = copy_of(browser)
    sign_in(browser)
    answer = browser.post(CLAIM)
    if answer.status != 200:  # a store that is slow: what is done is done
        assert answer.status in (503, 504) and browser.cookies, answer
        wait_for(lambda: browser.post(CLAIM).status == 200, "the rest")
    else:
        assert claimed(answer) == 129
    assert before.threads() == [] and claimed(browser.post(CLAIM)) == 0
    assert len({thread["id"] for page in walk(Named(site, browser), "/api/threads?limit=50") for thread in page}) == 129


class Named:
    """A site as `make` wants it, asked with a browser's cookies, which nothing changes."""

    def __init__(self, site, browser):
        self.site, self.headers = site, browser.sent(None)

    def get(self, path):
        return self.site.get(path, self.headers)

    def post(self, path, value):
        return self.site.post(path, value, self.headers)


def test_two_at_once_take_each_thread_once(site):
    browser, threads = visitor_with(site, 30)
    sign_in(browser)
    copies = [copy_of(browser) for _ in range(6)]
    for copy in copies:
        copy.headers = browser.headers
    assert sum(in_parallel(6, lambda i: claimed(copies[i].post(CLAIM)))) == 30
    assert browser.threads() == threads


@pytest.mark.parametrize("end", ["runs on", "is stopped"])
def test_an_answer_in_flight_goes_on_and_is_the_users(site, end):
    browser, (thread,) = visitor_with(site, 1)
    gate = name("g")
    stream = browser.stream(f"fault:gate={gate}@60 {thread}", thread, "?stream=sse")
    stream.read_until(b"delta")
    wait_at_gate(site, gate)
    run = stream.headers["X-Run-Id"]
    stranger = sign_in(Browser(site))
    sign_in(browser)
    assert claimed(browser.post(CLAIM)) == 1
    assert [entry["id"] for entry in browser.get(f"/api/threads/{thread}/runs?active=1").json()] == [run]
    problem(stranger.get(f"/api/runs/{run}"), 403, "access_denied")
    problem(stranger.post(f"/api/runs/{run}/stop"), 403, "access_denied")
    follower = browser.follow(run)
    assert follower.status == 200
    if end == "is stopped":
        stopped = browser.post(f"/api/runs/{run}/stop")
        assert (stopped.status, stopped.json()["status"]) == (200, "stopped"), stopped
        site.upstream.open_gate(gate)
    else:
        site.upstream.open_gate(gate)
        assert follower.read_all().endswith(b"</content>")
    assert b"event: done" in stream.read_all()  # the tab that asked reads on
    answer = browser.get(f"/api/threads/{thread}/messages").json()[-1]
    assert answer["status"] == {"runs on": "complete", "is stopped": "stopped"}[end]
    assert browser.get(f"/api/runs/{run}").json()["saved"]
    assert browser.chat("fault:pace=0 and on", thread).status == 200


def test_a_visitor_alone_is_told_to_sign_in(site):
    browser, threads = visitor_with(site, 1)
    answer = browser.post(CLAIM)
    assert "Sign in first" in problem(answer, 401, "unauthorized")["detail"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer") and browser.threads() == threads


def test_e1_a_token_that_is_no_good_takes_nothing(site):
    browser, threads = visitor_with(site, 1)
    for bad in (token(secret="another secret, which is long enough too"), token(exp=1), "x.y.z", ""):
        answer = browser.request("POST", CLAIM, headers={"Authorization": f"Bearer {bad}"})
        problem(answer, 401, "unauthorized")
        assert not set_cookies(answer.headers)
    assert browser.threads() == threads


def test_an_api_key_was_never_a_visitor(site):
    browser, threads = visitor_with(site, 1)
    server = bearer(key(site, name("srv")))
    answer = wait_for(lambda: (got := browser.request("POST", CLAIM, headers=server)).status != 401 and got, "the key is known")
    assert "never a visitor" in problem(answer, 403, "access_denied")["detail"]
    assert browser.threads() == threads


def test_f1_nobody_takes_another_visitors_along(site):
    ada, threads = visitor_with(site, 2)
    user = name("eve")
    eve = sign_in(Browser(site), user)
    version, visitor, made, mac = ada.cookies[PLAIN].split(".")
    other = visitor_with(site, 1)[0].cookies[PLAIN]
    forged = [f"{version}.{visitor}.{made}.{mac[:-1]}", f"{version}.{visitor}.{made}.{other.split('.')[3]}", visitor,
              f"{ada.cookies[PLAIN]}; {PLAIN}={other}"]
    for cookie in forged:
        eve.cookies = {PLAIN: cookie}
        assert claimed(eve.post(CLAIM)) == 0, cookie
    eve.cookies = {}
    assert claimed(eve.request("POST", f"{CLAIM}?user_id={user}")) == 0
    problem(eve.request("POST", f"{CLAIM}?user_id={ada.visitor}"), 403, "access_denied", "user_id")
    assert eve.threads() == [] and ada.threads() == threads


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_a_page_elsewhere_makes_nobody_take_anything(site, headers):
    browser, threads = visitor_with(site, 1)
    sign_in(browser)
    answer = browser.request("POST", CLAIM, headers=headers)
    problem(answer, 403, "foreign_origin")
    assert copy_of(browser).threads() == threads


def test_behind_tls_the_cookie_of_tls_is_taken_back(site):
    more = {"HTTPS": "on"}
    answer = fcgi.ask(site.settings["C1D_SOCKET"], "POST", "/api/threads", {"host": "x"}, b'{"title": "x"}', more)
    cookie = answer.headers["set-cookie"].split(";")[0]
    headers = {"host": "x", "cookie": cookie, "authorization": f"Bearer {token(name('user'))}"}
    answer = fcgi.ask(site.settings["C1D_SOCKET"], "POST", CLAIM, headers, b"", more)
    assert claimed(answer) == 1
    assert answer.headers["set-cookie"] == f"{SECURE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"


def test_whom_the_web_server_signs_in_takes_along_too(new_site):
    site = new_site({"C1D_AUTH": "header,visitor", "C1D_AUTH_HEADER": "SITE_USER"}, workers=1)
    browser, threads = visitor_with(site, 2)
    headers = {"host": site.host, "cookie": browser.sent(None)["Cookie"]}
    answer = fcgi.ask(site.settings["C1D_SOCKET"], "POST", CLAIM, headers, b"", {"SITE_USER": "ada@example.org"})
    assert claimed(answer) == 2
    mine = fcgi.ask(site.settings["C1D_SOCKET"], "GET", "/api/threads", {"host": site.host}, b"", {"SITE_USER": "ada@example.org"})
    assert [thread["id"] for thread in mine.json()] == threads and browser.threads() == []


@pytest.mark.parametrize("fault", ["error", "cut_after"])
def test_c6_a_store_that_fails_half_way_loses_nothing_and_the_next_try_goes_on(new_site, proxy, fault):
    """The first step is done, the second one's outcome is not known, or is no."""
    site = new_site({**SETTINGS, "C1D_STORE": proxy.uri + name("claim")}, workers=1)
    browser, _ = visitor_with(site, 1)
    in_parallel(4, lambda _: [make(Named(site, browser), title="x") for _ in range(60)])
    kept = copy_of(browser)
    sign_in(browser)
    try:
        proxy.rule(fault, "update", skip=1, **({"code": 13} if fault == "error" else {}))
        answer = browser.post(CLAIM)
    finally:
        proxy.heal()
    assert answer.status in (200, 500, 503, 504), answer  # the driver may try again by itself
    if answer.status != 200:
        assert browser.cookies == kept.cookies  # it can be asked again
        wait_for(lambda: browser.post(CLAIM).status == 200, "the rest")
    assert kept.threads() == []
    owned = site.get("/api/threads?limit=100", browser.headers)
    assert len(owned.json()) == 100 and "next" in owned.headers["Link"]


def test_it_is_told_in_the_log_without_a_name(site):
    before = len(site.log_lines("visitor's threads taken along"))
    browser, _ = visitor_with(site, 2)
    visitor, user = browser.visitor, name("user")
    sign_in(browser, user)
    assert claimed(browser.post(CLAIM)) == 2
    line = site.told("visitor's threads taken along", before + 1)[-1]
    assert line["threads"] == 2 and len(line["visitor"]) == len(line["user"]) == 16
    text = json.dumps(site.log_lines())
    assert visitor not in text and user not in text
