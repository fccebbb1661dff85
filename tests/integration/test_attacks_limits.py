"""Who wants more than the others: new cookies, forged addresses, a new IPv6 address each time, all workers at once, replays, questions
that are given up. What counts is what reaches the C1 API: that is what costs. Limits are of a day, so that no test is too slow for one."""
import json
import re
import uuid

import pytest

from api import problem
from attackers import JWT_SECRET, Browser, bearer, fastcgi, token
from house import Site, in_parallel, wait_for

VISITORS = {"C1D_AUTH": "visitor", "C1D_LIMIT_CHAT": "10/day"}
USERS = {"C1D_AUTH": "jwt", "C1D_JWT_SECRET": JWT_SECRET, "C1D_JWT_ISSUER": "it", "C1D_JWT_AUDIENCE": "it"}


def name(kind):
    return kind + uuid.uuid4().hex[:12]


def quick():
    return {"message": f"fault:pace=0 {name('p')}"}


def user(site, sub=None):
    return Browser(site, **bearer(token(sub or name("u"), iss="it", aud="it")))


def spent(site, since=0):
    return site.upstream.stats()["requests"] - since


def limited(answer):
    """A 429 that says when to come again, in all the ways that there are."""
    body = problem(answer, 429, "rate_limited")
    wait = int(answer.headers["Retry-After"])
    assert 1 <= wait <= 86400 and body["retry_after"] == wait
    assert re.search(r"r=0\b", answer.headers["RateLimit"]), answer.headers
    assert answer.headers["RateLimit-Policy"]
    return body


def test_f8_ten_are_ten_whatever_the_workers(new_site):
    site = new_site({**VISITORS, "C1D_RUNS_PER_USER": "100"}, workers=4)
    ada, before = Browser(site), spent(site)
    ada.visitor()
    answers = in_parallel(60, lambda n: Browser.ask(copy_of(ada), "POST", "/api/chat", quick()))
    good = [answer for answer in answers if answer.status == 200]
    assert len(good) == 10 == spent(site, before)
    for answer in answers:
        if answer.status != 200:
            limited(answer)


def copy_of(browser):
    other = Browser(browser.site, **browser.carries)
    other.cookies = dict(browser.cookies)
    return other


def test_f6_a_thrown_away_cookie_buys_nothing(new_site):
    site = new_site(VISITORS, workers=2)
    before = spent(site)
    answers = [Browser(site).post("/api/chat", quick()) for _ in range(40)]
    good = [answer for answer in answers if answer.status == 200]
    assert len(good) == spent(site, before) < 40  # by its address, too
    limited(answers[-1])


FORGED = ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "X-Originating-IP", "Client-IP",
          "X-Remote-Addr", "REMOTE_ADDR", "X-Cluster-Client-IP", "Via"]


def test_f6_no_header_makes_another_address(new_site):
    site = new_site(VISITORS, workers=1)
    limit = exhausted(site)
    for header in FORGED:
        for value in ("203.0.113.7", "for=203.0.113.7", "203.0.113.7, 127.0.0.1", "::ffff:203.0.113.7"):
            answer = Browser(site).post("/api/chat", quick(), {header: value, "Content-Type": "application/json"})
            assert answer.status == 429, (header, value, answer)
    assert limit


def exhausted(site, most=200):
    """Asks with a new cookie each time until it is enough."""
    for n in range(most):
        if Browser(site).post("/api/chat", quick()).status == 429:
            return n
    raise AssertionError(f"{most} questions of one address were all answered")


def test_f6_behind_a_proxy_the_rightmost_hop_that_is_not_ours_counts(new_site):
    """Whoever talks through our proxy may write what he likes to the left of what the proxy adds."""
    site = new_site({**VISITORS, "C1D_TRUSTED_PROXIES": "127.0.0.0/8 10.0.0.0/8"}, workers=1)

    def chat(forwarded, peer="127.0.0.1"):
        return from_address(site, peer, {"x-forwarded-for": forwarded} if forwarded else {})

    for n in range(200):
        if chat(f"198.51.100.{n}, 203.0.113.7, 10.0.0.{n % 250}").status == 429:
            break
    else:
        raise AssertionError("one client was never limited")
    assert chat("203.0.113.8, 10.0.0.3").status == 200  # somebody else
    assert chat("1.2.3.4, 203.0.113.7").status == 429
    assert chat("203.0.113.9", peer="203.0.113.7").status == 429  # not through our proxy: what it says counts for nothing
    for junk in ("", ",,,", "unknown", "203.0.113.7:443", "[2001:db8::1]:80", "a" * 4000, "203.0.113.7, ", "\x7f"):
        assert chat(junk).status in (200, 429)


def from_address(site, address, headers=None, body=None):
    """As nginx would tell of a client there: no machine has so many addresses to call from."""
    data = json.dumps(body or quick()).encode()
    return fastcgi(site, [("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/api/chat"), ("REMOTE_ADDR", address), ("CONTENT_TYPE", "application/json"),
                          ("CONTENT_LENGTH", str(len(data))), ("HTTP_HOST", "127.0.0.1"),
                          *(("HTTP_" + key.upper().replace("-", "_"), value) for key, value in (headers or {}).items())], data)


def test_f7_addresses_of_one_ipv6_network_are_one(new_site):
    site = new_site(VISITORS, workers=2)
    before = spent(site)
    answers = [from_address(site, f"2001:db8:1:2:{n:x}:{n * 7:x}::{n:x}") for n in range(1, 60)]
    good = [answer for answer in answers if answer.status == 200]
    assert len(good) == spent(site, before) < 59 and answers[-1].status == 429
    assert from_address(site, "2001:db8:1:3::1").status == 200
    for same in ("2001:0db8:0001:0002::1", "2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2:0:0:192.0.2.1"):
        assert from_address(site, same).status == 429, same


def test_f7_an_ipv4_address_in_ipv6s_clothes_is_the_same(new_site):
    site = new_site(VISITORS, workers=1)
    for n in range(200):
        if from_address(site, ("192.0.2.9", "::ffff:192.0.2.9", "::ffff:c000:209")[n % 3]).status == 429:
            break
    else:
        raise AssertionError("never limited")
    assert [from_address(site, a).status for a in ("192.0.2.9", "::ffff:192.0.2.9", "::ffff:c000:209")] == [429] * 3


def test_f9_what_is_given_up_is_counted_too(new_site):
    site = new_site({**USERS, "C1D_LIMIT_CHAT": "10/day"}, workers=2)
    ada = user(site)
    for n in range(10):
        stream = site.stream({"message": f"fault:pace=50;chunks=1000 {name('p')}", "on_disconnect": "cancel"}, headers=ada.carries)
        assert stream.status == 200
        stream.read_some()
        stream.close()
        wait_for(lambda: len(site.log_lines("run ended")) > n, "the run is given up")
    limited(ada.post("/api/chat", quick()))
    assert user(site).post("/api/chat", quick()).status == 200  # others are not meant


def test_a24_f9_what_was_asked_before_is_answered_for_nothing(new_site):
    site = new_site({**USERS, "C1D_LIMIT_CHAT": "10/day"}, workers=2)
    ada, before = user(site), spent(site)
    question, key = {"thread_id": name("t"), **quick()}, {"Idempotency-Key": name("k")}
    first = ada.post("/api/chat", question, key)
    assert first.status == 200
    for _ in range(30):
        again = ada.post("/api/chat", question, key)
        assert (again.status, again.headers["Idempotency-Replayed"], again.body) == (200, "true", first.body)
    for n in range(9):
        assert ada.post("/api/chat", quick()).status == 200, n
    limited(ada.post("/api/chat", quick()))
    assert ada.post("/api/chat", question, key).status == 200  # also when nothing is left
    other = ada.post("/api/chat", {**question, "message": "another"}, key)
    assert other.status == 422
    assert spent(site, before) == 10


def test_f9_what_is_wrong_with_a_question_is_told_before_it_is_counted(new_site):
    site = new_site({**USERS, "C1D_LIMIT_CHAT": "10/day"}, workers=1)
    ada = user(site)
    for _ in range(15):
        assert ada.post("/api/chat", {"message": 1}).status == 422
        assert ada.post("/api/chat", {"thread_id": "a/b", "message": "x"}).status == 400
    for _ in range(10):
        assert ada.post("/api/chat", quick()).status == 200


@pytest.mark.parametrize("workers", [1, 4])
def test_f9_five_answers_at_once_a_user_and_no_more(new_site, workers):
    site = new_site({**USERS, "C1D_LIMIT_CHAT": "off", "C1D_RUNS_PER_USER": "5"}, workers=workers)
    ada, gate = user(site), name("g")
    before = spent(site)

    def start(_):
        return site.stream({"message": f"fault:chunks=3;size=40;pace=0;gate={gate}@40 {name('p')}"}, headers=ada.carries)

    streams = in_parallel(20, start)
    good = [stream for stream in streams if stream.status == 200]
    assert len(good) == 5, [stream.status for stream in streams]
    for stream in streams:
        if stream.status != 200:
            stream.read_all()
            assert stream.status == 429 and stream.headers["Retry-After"], stream.body
    assert spent(site, before) == 5
    assert user(site).post("/api/chat", quick()).status == 200
    site.upstream.open_gate(gate)
    for stream in good:
        stream.read_all()
        stream.close()
    wait_for(lambda: ada.post("/api/chat", quick()).status == 200, "there is room again")


def test_f8_a_reload_and_a_dead_worker_forget_nothing(new_site):
    import os
    import signal
    site = new_site({**USERS, "C1D_LIMIT_CHAT": "10/day"}, workers=2)
    ada = user(site)
    for _ in range(10):
        assert ada.post("/api/chat", quick()).status == 200
    limited_for_long(ada)
    for pid in site.worker_pids():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(site.log_lines("worker ready")) >= 4, "both are replaced")
    limited_for_long(ada)
    os.kill(site.c1d.pid, signal.SIGHUP)
    wait_for(lambda: len(site.log_lines("worker ready")) >= 6, "there is a new generation")
    limited_for_long(ada)


def limited_for_long(browser):
    answer = browser.post("/api/chat", quick())
    problem(answer, 429, "rate_limited")
    assert int(answer.headers["Retry-After"]) > 600


def test_f8_the_sites_own_ceiling_holds_for_all_together(new_site):
    site = new_site({**USERS, "C1D_LIMIT_CHAT": "off", "C1D_LIMIT_SITE": "20/day"}, workers=4)
    before = spent(site)
    answers = in_parallel(60, lambda n: user(site).post("/api/chat", quick()))
    good = [answer for answer in answers if answer.status == 200]
    assert len(good) == 20 == spent(site, before)
    assert {answer.status for answer in answers} == {200, 429}


def test_f8_reading_and_writing_have_limits_of_their_own(new_site):
    site = new_site({**USERS, "C1D_LIMIT_READ": "30/day", "C1D_LIMIT_WRITE": "5/day"}, workers=2)
    ada = user(site)
    assert [ada.post("/api/threads", {}).status for _ in range(8)].count(201) == 5
    reads = [ada.get("/api/threads").status for _ in range(40)]
    assert reads.count(200) == 30 and set(reads) == {200, 429}
    assert ada.post("/api/chat", quick()).status == 200  # the third kind
    for path in ("/livez", "/readyz", "/health", "/api/openapi.json"):
        assert {site.get(path).status for _ in range(50)} == {200}


def test_e11_who_tries_one_token_after_the_other_is_not_listened_to(new_site):
    """Whoever comes from that address, with a good one too; nobody else, and nobody without a token."""
    site = new_site({**USERS, "C1D_AUTH": "jwt,visitor", "C1D_LIMIT_FAILED": "20/day"}, workers=2)
    tried = in_parallel(8, lambda n: [site.get("/api/threads", bearer(token(name("u"), iss="it", aud="it") + "A")).status for _ in range(10)])
    statuses = [status for some in tried for status in some]
    assert (statuses.count(401), statuses.count(429)) == (20, 60)
    answer = user(site).get("/api/threads")
    problem(answer, 429, "rate_limited")
    assert int(answer.headers["Retry-After"]) > 600
    assert Browser(site).get("/api/threads").status == 200
    good = bearer(token(name("u"), iss="it", aud="it"))["Authorization"]
    assert from_address(site, "203.0.113.7", {"authorization": good}).status == 200
    assert from_address(site, "127.0.0.1", {"authorization": good}).status == 429


@pytest.mark.parametrize("value", ["0/minute", "10", "10/fortnight", "-1/minute", "ten/minute", "10/minute/day", "1e9/second", "", "10 per minute",
                                   "99999999999999999999/minute"])
def test_f19_a_limit_that_is_none_is_a_wrong_setting(tmp_path, value):
    import os
    import subprocess
    from house import ROOT, environment_of
    program = os.environ.get("C1D_BIN", str(ROOT / "build/c1d"))
    env = environment_of({"C1D_LIMIT_CHAT": value, "C1D_STATE_DIR": str(tmp_path), "THESYS_API_KEY": "k"})
    done = subprocess.run([program, "check", "-t"], env=env, capture_output=True, text=True)
    assert value == "" or done.returncode == 78, done.stdout + done.stderr
    if value:
        assert "C1D_LIMIT_CHAT" in done.stderr + done.stdout and "fix:" in done.stderr + done.stdout
