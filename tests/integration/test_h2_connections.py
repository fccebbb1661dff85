"""Connections over HTTP/2 that begin wrongly, say little, or go: what is asked meanwhile is told the truth or goes on elsewhere; how
HTTP is agreed on, addresses, limits of the server, and that a stop is heard. Rows B4 to B7, B10."""
import socket
import urllib.parse

import pytest
from api import stopped
from house import Site, Upstream, held_port, in_parallel, wait_for
from questions import Bystander, Outcome, name, sockets, stream, upstream_is_quiet


@pytest.fixture(scope="module")
def server(scratch):
    folder = scratch / name("h2-")
    folder.mkdir()
    upstream = Upstream(folder, "--tls-self", str(folder), "--pace-ms", "2")
    yield upstream
    upstream.stop()


@pytest.fixture(scope="module")
def house(scratch, server):
    made = settled_site(scratch, server, {"C1D_CONNECT_MS": "6000"})
    made.pid = made.worker_pids()[0]
    yield made
    assert made.worker_pids() == [made.pid] and not made.log_lines("worker killed")
    made.stop()


@pytest.fixture
def site(house, server):
    """Without a connection, so that what the test says of the next ones holds for its questions."""
    fresh(server)
    yield house
    fresh(server)


def settled_site(scratch, server, settings):
    """Its worker has made the connection that it makes ahead: how the next ones begin is the test's."""
    fresh(server)
    made = Site(scratch, server, settings, workers=1)
    wait_for(lambda: 'c1d_upstream_http2_total{event="opened"} 1\n' in made.metrics(), "a connection to the server")
    return made


def fresh(server):
    server.ask("POST", "/openings/good")
    server.ask("POST", "/alpn/both")
    server.close_all()


def begin(server, kind, times=None):
    server.ask("POST", f"/openings/{kind}" + (f"?times={times}" if times else ""))


def answered(site):
    return Outcome(site, "").whole()


# --- how a connection begins ---
BAD = ["goaway_first", "goaway_at_once", "closed", "reset", "half_settings_closed", "http1", "settings_window", "settings_push", "settings_size",
       "streams:0"]
NOT_TAKEN = ["goaway_at_once", "streams:0"]  # so it may be asked again, a few times


@pytest.mark.parametrize("kind", BAD)
def test_B10_connection_that_never_begins_well_is_told(site, server, kind):
    """However many are tried; and the next question is answered as soon as the server is well again."""
    begin(server, kind)
    Outcome(site, "", sent=range(5 if kind in NOT_TAKEN else 2)).failed_early(502, "upstream_failed")
    begin(server, "good")
    wait_for(lambda: site.chat("hello").status == 200, "asked again, it is answered")


def test_B7_connections_that_say_nothing_are_told_in_time(scratch, server):
    site = settled_site(scratch, server, {"C1D_FIRST_BYTE_MS": "3000"})
    try:
        for kind in ("silent", "half_settings", "deaf"):
            fresh(server)
            begin(server, kind)
            Outcome(site, "").failed_early(504, "upstream_timeout")
        begin(server, "good")
        answered(site)
    finally:
        site.stop()
        fresh(server)


@pytest.mark.parametrize("kind", ["streams:1", "streams:3", "window:100", "window_late"])
def test_B10_twenty_at_once_get_through_a_narrow_server(site, server, kind):
    begin(server, kind)
    outcomes = in_parallel(20, lambda i: Outcome(site, "delta=50;pace=1", sent=range(1, 30)))
    for outcome in outcomes:
        outcome.whole()
        wait_for(lambda outcome=outcome: outcome.stats().get("completed"), "the server has seen its end")
        assert outcome.stats()["completed"] == 1


def test_B7_question_that_the_server_takes_no_more_of_has_an_end(scratch, server):
    """It is larger than the window, which is never opened; others on the connection go on."""
    fresh(server)
    begin(server, "window_never")
    site = Site(scratch, server, {"C1D_FIRST_BYTE_MS": "3000"}, workers=1)
    try:
        big = site.chat("b" * 100_000)
        assert (big.status, big.json()["code"]) == (504, "upstream_timeout")
        begin(server, "good")
        server.close_all()
        answered(site)
    finally:
        site.stop()


# --- connections that go ---
def test_B10_connection_that_was_closed_while_nobody_asked_is_not_used(site, server):
    for how in ("fin", "cut_no_notify", "rst"):
        answered(site)
        server.close_all(how)
        answered(site)


def test_B10_server_that_restarts_finishes_what_it_has_and_loses_nothing(site, server):
    """GOAWAY on each connection while answers are under way and new questions come."""
    bystanders = [Bystander(site) for _ in range(3)]
    server.ask("POST", "/goaway")
    for outcome in in_parallel(10, lambda i: Outcome(site, "delta=50;pace=1", sent=range(1, 4))):
        outcome.whole()
    assert [bystander.goes_on() for bystander in bystanders] == ["complete"] * 3


# --- a stop ---
def test_stop_is_a_reset_that_the_server_hears(site, server):
    """Alone on its connection or not, and what else is on it goes on."""
    answered(site)
    for companions in (0, 2):
        bystanders = [Bystander(site) for _ in range(companions)]
        before = server.stats()
        stream = site.stream({"thread_id": name("t"), "message": f"fault:stall_at=60 {name('p')}"})
        stream.read_until(b"<content")
        told = site.post(f"/api/runs/{stream.headers['X-Run-Id']}/stop").json()
        assert (told["status"], told["upstream_closed"]) == ("stopped", True)
        seen = server.wait_stats(cancels=before["cancels"] + 1, early_closes=before["early_closes"] + 1)
        assert seen["cancels"] > before["cancels"] and seen["early_closes"] > before["early_closes"]
        assert [bystander.goes_on() for bystander in bystanders] == ["complete"] * companions
        answered(site)


def test_fifty_stops_at_once(site, server):
    before = server.stats()
    streams = in_parallel(50, lambda i: stream(site, {"thread_id": name("t"), "message": f"fault:stall_at=60 {name('p')}"}))
    in_parallel(50, lambda i: streams[i].read_until(b"<content"))
    answers = in_parallel(50, lambda i: stopped(site, streams[i].headers["X-Run-Id"]))
    assert [answer.json()["status"] for answer in answers] == ["stopped"] * 50
    assert server.wait_stats(cancels=before["cancels"] + 50)["cancels"] >= before["cancels"] + 50
    upstream_is_quiet(server)
    answered(site)


# --- many ---
def test_B10_two_hundred_streams_share_few_connections(site, server):
    before = server.stats()["connections_h2"]
    gate = name("g")
    streams = in_parallel(200, lambda i: stream(site, {"thread_id": name("t"), "message": f"fault:gate={gate}@40 {i}"}, timeout=60))
    assert server.ask("GET", f"/gate/{gate}/wait?waiting=200&timeout=40", 60)["waiting"] == 200
    made = server.stats()["connections_h2"] - before
    assert 2 <= made <= 8, made
    held = sockets(site.pid)
    server.open_gate(gate)
    assert all(body.endswith(b"</content>") for body in in_parallel(200, lambda i: streams[i].read_all()))
    wait_for(lambda: sockets(site.pid) <= held - 150, "clients' connections are closed")


def test_A7_reader_that_stands_still_holds_no_other_stream(site, server):
    """Of ten thousand times the window: it is kept in the spool, and the connection's window stays open for others."""
    standing = site.stream({"thread_id": name("t"), "message": f"fault:chunks=1500;size=4000;pace=0 {name('p')}"})
    standing.read_some()
    for outcome in in_parallel(5, lambda i: Outcome(site, "delta=50;pace=1")):
        outcome.whole()
    assert standing.read_all().endswith(b"</content>") and len(standing.body) > 1500 * 4000


# --- the first one ---
def test_B4_a_connection_is_there_before_the_first_question(new_site, server):
    fresh(server)
    before = server.stats()["requests"]
    site = new_site({}, upstream=server, workers=2)
    wait_for(lambda: 'c1d_upstream_http2_total{event="opened"} 2\n' in site.metrics(), "one a worker")
    assert server.stats()["requests"] == before
    answered(site)
    assert 'c1d_upstream_http2_total{event="opened"} 2\n' in site.metrics()


def test_B4_a_connection_that_is_not_to_be_had_ahead_is_a_line_in_the_log(new_site, server):
    port = held_port()  # where nobody listens
    site = new_site({"THESYS_BASE_URL": f"https://127.0.0.1:{port}/v1"}, upstream=server, workers=2)
    wait_for(lambda: len(site.log_lines("no connection to the upstream")) == 2, "a line a worker")
    assert site.get("/health").json()["status"] == "healthy"
    assert Outcome(site, "").status == 502


def test_B6_server_of_http11_is_known_as_such_before_the_first_question(new_site, server):
    fresh(server)
    server.ask("POST", "/alpn/h1")
    site = new_site({}, upstream=server, workers=1)
    wait_for(lambda: 'c1d_upstream_http2_total{event="http1"} 1\n' in site.metrics(), "it has said so")
    answered(site)
    assert 'c1d_upstream_http2_total{event="http1"} 1\n' in site.metrics()  # it is not asked anew


# --- TLS and what it agrees on ---
def versions(server, before):
    seen = server.stats()
    return seen["connections_h1"] - before["connections_h1"], seen["connections_h2"] - before["connections_h2"]


@pytest.mark.parametrize("alpn", ["h1", "none"])
def test_B6_server_of_http11_over_tls_is_spoken_to_as_such(new_site, server, alpn):
    fresh(server)
    server.ask("POST", f"/alpn/{alpn}")
    site = new_site({}, upstream=server, workers=1)
    before = server.stats()
    for outcome in in_parallel(5, lambda i: Outcome(site, "delta=50;pace=1")):
        outcome.whole()
    Outcome(site, "cut=90").ended("interrupted")
    stream = site.stream({"thread_id": name("t"), "message": f"fault:stall_at=60 {name('p')}"})
    stream.read_until(b"<content")
    closed = server.stats()["early_closes"]
    assert site.post(f"/api/runs/{stream.headers['X-Run-Id']}/stop").json()["upstream_closed"] is True
    server.wait_stats(early_closes=closed + 1)
    h1, h2 = versions(server, before)
    assert h1 >= 1 and h2 == 0


def test_B6_sessions_of_tls_go_on_over_http11(new_site, server):
    """Whoever asks next has what the last one was given, on connections of their own, too."""
    fresh(server)
    server.ask("POST", "/alpn/h1")
    site = new_site({}, upstream=server, workers=1)
    answered(site)
    before = server.stats()["connections_resumed"]
    bystanders = [Bystander(site) for _ in range(3)]
    assert server.stats()["connections_resumed"] >= before + 2
    assert [bystander.goes_on() for bystander in bystanders] == ["complete"] * 3


@pytest.mark.parametrize("how", ["fin", "cut_no_notify"])
def test_B6_kept_connection_of_http11_that_its_server_closed_is_not_used(new_site, server, how):
    """Though it was closed a moment ago, and TLS has said so: those bytes are no sign of life."""
    fresh(server)
    server.ask("POST", "/alpn/h1")
    site = new_site({}, upstream=server, workers=1)
    for _ in range(3):
        answered(site)
        server.ask("POST", f"/cut/{how}")
    before = server.stats()["connections_h1"]
    answered(site)
    answered(site)
    assert server.stats()["connections_h1"] == before + 1


def test_B6_server_that_falls_back_to_http11_loses_no_question(site, server):
    answered(site)
    server.ask("POST", "/alpn/h1")
    server.close_all()
    for _ in range(3):
        answered(site)
    server.ask("POST", "/alpn/both")


# --- addresses ---
def port_of(server):
    return urllib.parse.urlsplit(server.base_url).port


def by_name(server):
    return {"THESYS_BASE_URL": server.base_url.replace("127.0.0.1", "localhost")}


def test_B4_address_that_refuses_is_passed_over(new_site, server):
    """localhost is ::1, too, where nobody listens."""
    fresh(server)
    site = new_site(by_name(server), upstream=server, workers=1)
    answered(site)


def test_B4_address_that_never_answers_is_passed_over(new_site, server):
    """Somebody listens there, and takes nobody in."""
    fresh(server)
    with socket.socket(socket.AF_INET6) as dead:
        try:
            dead.bind(("::1", port_of(server)))
        except OSError as reason:
            pytest.skip(f"no ::1 here: {reason}")
        dead.listen(0)
        fillers = [socket.socket(socket.AF_INET6) for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(dead.getsockname())
        site = new_site(by_name(server), upstream=server, workers=1)
        answered(site)
        for filler in fillers:
            filler.close()


def test_B6_handshake_that_stalls_is_told_in_time(new_site, server):
    """Taken in and never spoken to; and the next question does not wait for it."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(50)
        url = f"https://127.0.0.1:{mute.getsockname()[1]}/v1/embed"
        site = new_site({"THESYS_BASE_URL": url, "C1D_CONNECT_MS": "700"}, upstream=server, workers=1)
        for outcome in in_parallel(4, lambda i: Outcome(site, "")):
            assert outcome.status in (502, 504) and outcome.message["status"] == "error"
        assert site.get("/livez").status == 200
