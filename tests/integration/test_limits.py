"""How often, and how much at once. Rates are by the day here, so that nothing is paid off while a test runs; "10/minute" only
where it is the default that is looked at."""
import os
import re
import signal
import socket
import subprocess
import time
import uuid

import pytest
from api import problem, wait_at_gate
from house import in_parallel, wait_for
from workers import frozen

QUOTA = "https://iana.org/assignments/http-problem-types#quota-exceeded"
CAPACITY = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"


def name(kind):
    return kind + uuid.uuid4().hex[:12]


def limited(answer, policy):
    body = problem(answer, 429, "rate_limited")
    assert (body["type"], body["violated-policies"]) == (QUOTA, [policy]), body
    assert int(answer.headers["Retry-After"]) == body["retry_after"] > 0
    return body


def figure(site, series):
    found = re.search(rf"^{re.escape(series)} (\d+)$", site.metrics(), re.M)
    return int(found[1]) if found else 0


def statuses(answers):
    return sorted(answer.status for answer in answers)


def get(site, address=None, path="/api/threads", **headers):
    """As nginx would be asked by a proxy on this machine for somebody at that address."""
    return site.get(path, {"X-Forwarded-For": address, **headers} if address else headers)


def held(site, **more):
    """A stream that stands at a gate, and the gate."""
    gate = name("g")
    stream = site.stream({"message": f"fault:gate={gate}@60 {name('p')}", **more})
    return stream, gate


# --- how often ---
def test_ten_questions_a_minute_unless_configured(new_site):
    site = new_site()
    del site.settings["C1D_LIMIT_CHAT"]
    site.c1d.stop()
    site.start()
    began = time.monotonic()
    answers = in_parallel(20, lambda i: site.chat(name("p")))
    passed = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status != 200]
    assert 10 <= len(passed) <= 10 + (time.monotonic() - began) / 6, statuses(answers)
    assert all(answer.headers["RateLimit-Policy"].startswith('"chat";q=10;w=60') for answer in answers)
    assert any(re.fullmatch(r'"chat";r=9;t=[1-6]', answer.headers["RateLimit"]) for answer in passed)
    for answer in refused:
        body = limited(answer, "chat")
        assert re.fullmatch(r"There may be 10 questions a minute. Try again in [1-6] seconds?.", body["detail"])
        assert answer.headers["RateLimit"] == f'"chat";r=0;t={body["retry_after"]}'
    assert figure(site, 'c1d_limited_total{limit="chat"}') == len(refused)


def test_streams_of_events_tell_it_in_their_head(new_site):
    site = new_site({"C1D_LIMIT_CHAT": "5/day", "C1D_RUNS_PER_USER": "7"})
    answer = site.chat("hello", query="?stream=sse", user_id="ada")
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["RateLimit-Policy"] == '"chat";q=5;w=86400, "runs";q=7;qu="concurrent-requests"'
    assert re.fullmatch(r'"chat";r=4;t=\d+', answer.headers["RateLimit"])


def test_a_question_that_nobody_answered_says_what_is_left_too(new_site):
    site = new_site({"C1D_LIMIT_CHAT": "5/day"})
    answer = site.chat(f"fault:status=500 {name('p')}")
    problem(answer, 502, "upstream_failed")
    assert answer.headers["RateLimit"].startswith('"chat";r=4;')


def test_a_card_says_it_kindly(new_site):
    site = new_site({"C1D_LIMIT_CHAT": "1/day"})
    assert site.chat("hello").status == 200
    answer = site.chat("hello", query="?errors=card")
    assert answer.status == 200 and "There may be 1 questions a day" in answer.text.replace("&quot;", '"')
    assert int(answer.headers["Retry-After"]) > 80000 and '"chat";r=0' in answer.headers["RateLimit"]


def test_reading_and_changing_have_limits_of_their_own_and_monitoring_none(new_site):
    site = new_site({"C1D_LIMIT_READ": "4/day", "C1D_LIMIT_WRITE": "2/day"})
    assert [site.get("/api/threads").status for _ in range(5)] == [200] * 4 + [429]
    assert [site.post("/api/threads", {}).status for _ in range(3)] == [201] * 2 + [429]
    limited(site.get("/api/threads"), "read")
    limited(site.delete(f"/api/threads/{uuid.uuid4()}"), "write")
    assert site.get("/api/threads").headers["RateLimit-Policy"] == '"read";q=4;w=86400'
    assert site.chat("hello").status == 200
    for path in ("/api/openapi.json", "/health", "/livez", "/readyz"):
        answer = site.get(path)
        assert answer.status == 200 and "RateLimit" not in answer.headers, path


def test_a_page_elsewhere_may_read_what_is_left(new_site):
    site = new_site({"C1D_LIMIT_READ": "4/day", "C1D_ORIGINS": "https://app.example"})
    answer = site.get("/api/threads", {"Origin": "https://app.example"})
    assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(answer.headers["Access-Control-Expose-Headers"].split(", "))
    preflight = site.request("OPTIONS", "/api/threads", headers={"Origin": "https://app.example", "Access-Control-Request-Method": "GET"})
    assert "RateLimit" not in preflight.headers


def test_what_was_asked_before_costs_nothing(new_site):
    site = new_site({"C1D_LIMIT_CHAT": "2/day"})
    keyed = {"Idempotency-Key": name("k")}
    first = site.chat("hello", headers=keyed)
    again = [site.chat("hello", headers=keyed) for _ in range(5)]
    assert [answer.body for answer in again] == [first.body] * 5
    stream, gate = held(site, responseId=name("r"), threadId=name("t"))
    stream.read_until(b"<content")
    limited(site.chat("one more"), "chat")
    assert all(site.chat("hello", headers=keyed).status == 200 for _ in range(3))
    site.upstream.open_gate(gate)
    stream.read_all()


def test_f9_what_is_taken_back_stays_counted_and_what_fails_here_does_not(new_site):
    site = new_site({"C1D_LIMIT_CHAT": "3/day", "C1D_RUNS_MAX": "1"}, workers=1)
    stream, gate = held(site, on_disconnect="cancel")
    stream.read_until(b"<content")
    for _ in range(20):  # a few more than C1D_RUNS_MAX are taken while others have room; here nobody has
        answer = site.chat("no room")
        assert problem(answer, 503, "overloaded")["type"] == CAPACITY
    stream.close()
    run = stream.headers["X-Run-Id"]
    wait_for(lambda: site.get(f"/api/runs/{run}").json()["status"] == "stopped", "the run is stopped")
    wait_for(lambda: "c1d_runs_in_flight 0" in site.metrics(), "its place is free")
    # One was asked and taken back; none of the twenty counts.
    for status in (200, 200, 429):
        assert site.chat(name("p")).status == status
        wait_for(lambda: "c1d_runs_in_flight 0" in site.metrics(), "its place is free again")


def test_a_ceiling_for_the_whole_site(new_site):
    site = new_site({"C1D_LIMIT_SITE": "3/day", "C1D_LIMIT_CHAT": "2/day", "C1D_TRUSTED_PROXIES": "127.0.0.1"})
    asked = [site.chat("hello", headers={"X-Forwarded-For": f"192.0.2.{i}"}) for i in (1, 1, 1, 2, 2, 3)]
    assert [answer.status for answer in asked] == [200, 200, 429, 200, 429, 429]
    limited(asked[2], "chat")
    body = limited(asked[4], "site")
    assert "3 questions to this site a day" in body["detail"]
    assert "site" not in asked[0].headers["RateLimit-Policy"]  # what the site can bear is nobody's business


# --- F8: exact, over all workers, whatever becomes of them ---
def test_f8_a_burst_over_workers_is_let_in_to_the_last_one(new_site):
    site = new_site({"C1D_LIMIT_READ": "150/day"}, workers=3)
    answers = [answer for batch in in_parallel(16, lambda i: [site.get("/api/threads") for _ in range(25)]) for answer in batch]
    assert statuses(answers) == [200] * 150 + [429] * 250
    assert figure(site, 'c1d_limited_total{limit="read"}') == 250


def test_f8_a_reload_and_a_death_forget_nothing(new_site):
    site = new_site({"C1D_LIMIT_READ": "6/day"}, workers=2)
    assert [site.get("/api/threads").status for _ in range(4)] == [200] * 4
    victim = site.worker_pids()[0]
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: len(site.log_lines("worker ready")) == 3, "another worker")
    assert site.get("/api/threads").status == 200
    site.c1d.child.send_signal(signal.SIGHUP)
    wait_for(lambda: len(site.log_lines("worker ready")) == 5, "a new generation")
    assert [site.get("/api/threads").status for _ in range(3)] == [200, 429, 429]


def test_f8_a_worker_that_stands_still_holds_up_no_count(new_site):
    site = new_site({"C1D_LIMIT_READ": "1000/day"}, workers=2)
    before = [site.get("/api/threads") for _ in range(3)]
    with frozen(site.worker_pids()[0]):
        after = in_parallel(8, lambda i: site.get("/api/threads"))
    assert statuses(before + after) == [200] * 11


# --- F6, F7: whose request it is ---
def test_f6_a_header_is_believed_of_nobody_unless_configured(new_site):
    site = new_site({"C1D_LIMIT_READ": "3/day"})
    spoofs = [{"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "192.0.2.2"}, {"Forwarded": "for=192.0.2.3"},
              {"X-Real-IP": "192.0.2.4"}, {"X-Forwarded-For": "127.0.0.2, 192.0.2.5"}, {"Client-IP": "192.0.2.6"}]
    assert [site.get("/api/threads", spoof).status for spoof in spoofs] == [200] * 3 + [429] * 3


def test_f6_behind_proxies_the_last_address_that_is_none_counts(new_site):
    site = new_site({"C1D_LIMIT_READ": "2/day", "C1D_TRUSTED_PROXIES": "127.0.0.0/8, 10.0.0.0/8"})
    assert [get(site, "192.0.2.1").status for _ in range(3)] == [200, 200, 429]
    assert [get(site, f"203.0.113.{i}, 192.0.2.2, 10.1.1.1").status for i in range(3)] == [200, 200, 429]  # the first is a spoof
    assert get(site, "192.0.2.1, 192.0.2.3").status == 200
    assert [get(site, f"unknown{i}").status for i in range(3)] == [200, 200, 429]  # of a proxy that tells nothing
    # Twice in one request: nginx hands on both, in order.
    raw = socket.create_connection((site.host, site.port), timeout=30)
    raw.sendall(b"GET /api/threads HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                b"X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
    answer = b"".join(iter(lambda: raw.recv(65536), b""))
    raw.close()
    assert b" 429 " in answer.split(b"\r\n", 1)[0], answer


def test_f7_ipv6_is_counted_by_its_64_and_the_48_around_it(new_site):
    site = new_site({"C1D_LIMIT_READ": "2/day", "C1D_TRUSTED_PROXIES": "127.0.0.1"})
    assert [get(site, f"2001:db8:1:1::{i}").status for i in range(3)] == [200, 200, 429]
    each = [get(site, f"2001:db8:2:{i:x}::1").status for i in range(30)]
    assert each == [200] * 20 + [429] * 10
    assert get(site, "2001:db8:3::1").status == 200


def test_f7_a_visitor_that_throws_its_cookie_away_gains_nothing(new_site):
    site = new_site({"C1D_AUTH": "visitor", "C1D_LIMIT_CHAT": "4/day", "C1D_TRUSTED_PROXIES": "127.0.0.1"})
    thrown = [site.chat("hello", headers={"X-Forwarded-For": "192.0.2.1"}) for _ in range(6)]
    assert statuses(thrown) == [200] * 4 + [429] * 2
    # And one that keeps it gains nothing by moving.
    cookie = {"Cookie": thrown[0].headers["Set-Cookie"].split(";")[0]}
    moved = [site.chat("hello", headers={**cookie, "X-Forwarded-For": f"192.0.2.{i}"}) for i in range(10, 16)]
    assert statuses(moved) == [200] * 3 + [429] * 3


# --- F9, A23: how much at once ---
def test_f9_so_many_answers_at_once_for_one_user(new_site):
    site = new_site({"C1D_RUNS_PER_USER": "2", "C1D_LIMIT_CHAT": "5/day"})
    first, second = held(site, user_id="ada"), held(site, user_id="ada")
    for stream, _ in (first, second):
        stream.read_until(b"<content")
    refused = [site.chat("hello", user_id="ada") for _ in range(10)]
    assert statuses(refused) == [429] * 10
    body = limited(refused[0], "runs")
    assert body["detail"].startswith("2 answers are being written for you")
    assert figure(site, 'c1d_limited_total{limit="runs"}') == 10
    for stream, gate in (first, second):
        site.upstream.open_gate(gate)
        stream.read_all()
    # None of the ten was counted as a question.
    assert [site.chat("hello", user_id="ada").status for _ in range(4)] == [200, 200, 200, 429]


def test_f9_a_user_named_like_an_address_takes_nothing_of_it(new_site):
    site = new_site({"C1D_RUNS_PER_USER": "1", "C1D_TRUSTED_PROXIES": "127.0.0.1"})
    stream, gate = held(site, user_id="anonymous@192.0.2.9")
    stream.read_until(b"<content")
    assert site.chat("hello", headers={"X-Forwarded-For": "192.0.2.9"}).status == 200
    site.upstream.open_gate(gate)
    stream.read_all()


def test_f9_a_burst_gets_as_many_answers_as_there_may_be(new_site):
    site = new_site({"C1D_RUNS_PER_USER": "5", "C1D_AUTH": "visitor"}, workers=3)
    gate = name("g")

    def ask(_):
        return site.stream({"message": f"fault:gate={gate}@60 {name('p')}"})  # each a new visitor, all from one address

    streams = in_parallel(24, ask)
    assert sorted(stream.status for stream in streams) == [200] * 5 + [429] * 19
    wait_at_gate(site, gate, 5)
    site.upstream.open_gate(gate)
    for stream in streams:
        if stream.status == 200:
            assert stream.read_all().endswith(b"</content>")


def test_f9_where_nobody_is_asked_a_server_asks_for_many_from_one_address(new_site):
    site = new_site({"C1D_RUNS_PER_USER": "1"})
    streams = [held(site), held(site), held(site, user_id="ada"), held(site, user_id="bob")]
    assert [stream.status for stream, _ in streams] == [200] * 4
    assert site.chat("hello", user_id="ada").status == 429
    for stream, gate in streams:
        site.upstream.open_gate(gate)
        assert stream.read_all().endswith(b"</content>")


def test_f9_the_next_question_of_a_thread_takes_the_place_of_a_deserted_one(new_site):
    site = new_site({"C1D_RUNS_PER_USER": "1"})
    thread = name("t")
    stream, _ = held(site, thread_id=thread, user_id="ada")
    stream.read_until(b"<content")
    run = stream.headers["X-Run-Id"]
    stream.close()
    wait_for(lambda: any(line.get("run") == run and line["outcome"] == "client_gone" for line in site.log_lines("request")),
             "the leaving is noticed")
    assert site.chat("another", thread=thread, user_id="ada").status == 200


def test_a23_a_crowd_is_answered_at_once_and_harms_no_stream(new_site):
    site = new_site({"C1D_RUNS_PER_USER": "1", "C1D_RUNS_MAX": "2", "C1D_LIMIT_CHAT": "100000/day"}, workers=2)
    stream, gate = held(site, user_id="ada")
    stream.read_until(b"<content")
    answers = [a for batch in in_parallel(20, lambda i: [site.chat("hello", user_id="ada") for _ in range(15)]) for a in batch]
    assert {answer.status for answer in answers} <= {429, 503}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
    site.upstream.open_gate(gate)
    assert stream.read_all().endswith(b"</content>")


# --- what is told ---
def test_a_refusal_is_logged_now_and_then_and_without_names(new_site):
    site = new_site({"C1D_LIMIT_READ": "1/day", "C1D_TRUSTED_PROXIES": "127.0.0.1"})
    answers = [get(site, "192.0.2.77", path="/api/threads?user_id=ada-lovelace") for _ in range(20)]
    assert statuses(answers) == [200] + [429] * 19
    lines = site.told("a limit is reached")
    assert 1 <= len(lines) <= 19 and lines[0]["policy"] == "read" and re.fullmatch("[0-9a-f]{16}", lines[0]["user"])
    text = site.log_path.read_text()
    assert "192.0.2.77" not in text and "ada-lovelace" not in text


# --- settings ---
@pytest.mark.parametrize("value", ["10", "10/min", "0/minute", "-1/minute", "10/minute ", "1.5/second", "/minute", "10/", "many", "",
                                   "1000001/second", "99999999999999999999/day"])
def test_a_rate_that_is_none_is_refused(new_site, value):
    site = new_site({"C1D_LIMIT_CHAT": value}, nginx=False, start=False)
    done = subprocess.run([site.program, "check", "-t"], env=site.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 78 and "C1D_LIMIT_CHAT" in done.stderr and "10/minute" in done.stderr
