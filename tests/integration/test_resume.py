"""A stream is taken up again from any byte, on any worker: nothing missing, nothing twice."""
import html
import json
import socket
import uuid
from urllib.parse import quote

import pytest
from house import DEADLINE_S, in_parallel
from workers import follow, follow_elsewhere, spool_file

TEXT = "aä€😀 <b> & \"q\" ü\n" * 3


def name(kind):
    return kind + uuid.uuid4().hex[:12]


def prompt(extra=""):
    return f"fault:text={quote(TEXT)}{extra} {name('p')}"


@pytest.fixture(scope="module")
def answered(site):
    """A finished answer of many multi-byte characters: (run, its bytes)."""
    answer = site.chat(prompt(), name("t"))
    assert answer.status == 200 and "😀" in answer.text
    return answer.headers["X-Run-Id"], answer.body


def said(stream):
    """What of the model's text has come, in bytes."""
    text = "".join(data for kind, data, _ in stream.events() if kind == "delta")
    return html.unescape(text.partition(">")[2]).encode()


def starts(body):
    """Offsets at which a character begins."""
    return {i for i in range(len(body)) if body[i] & 0xC0 != 0x80}


def test_cut_at_every_byte_and_resumed_the_bytes_are_the_same(site, answered):
    run, body = answered
    begins = starts(body)

    def resume(offset):
        return site.get(f"/api/runs/{run}/stream?offset={offset}")

    answers = in_parallel(8, lambda i: [(offset, resume(offset)) for offset in range(i, len(body), 8)])
    for offset, answer in (pair for part in answers for pair in part):
        if offset in begins:
            assert answer.status == 200 and body[:offset] + answer.body == body, (offset, answer)
        else:
            assert answer.status == 416 and answer.json()["code"] == "range_not_satisfiable", (offset, answer)


def test_all_of_it_has_nothing_missing(site, answered):
    run, body = answered
    answer = site.get(f"/api/runs/{run}/stream?offset={len(body)}")
    assert answer.status == 204 and answer.body == b""


def test_beyond_the_end_is_refused(site, answered):
    run, body = answered
    answer = site.get(f"/api/runs/{run}/stream?offset={len(body) + 1}")
    assert answer.status == 416 and answer.json()["errors"][0]["field"] == "offset"
    assert site.get(f"/api/runs/{run}/stream?offset=-1").status == 422
    assert site.get(f"/api/runs/{run}/stream?offset=many").status == 422


@pytest.mark.parametrize("by", ["header", "query"])
def test_events_go_on_behind_the_last_one_seen(site, by):
    gates = {place: name("g") for place in (15, 30, 45, 60)}  # what comes together may be one event
    held = "".join(f";gate={gate}@{place}" for place, gate in gates.items())
    stream = site.stream({"thread_id": name("t"), "message": prompt(held)}, "?stream=sse")
    for place, gate in gates.items():
        while len(said(stream)) < place - 3:  # a gate stands before a character
            assert stream.read_some()
        site.upstream.open_gate(gate)
    stream.read_all()
    events = stream.events()
    deltas = [(data, event_id) for kind, data, event_id in events if kind == "delta"]
    run, whole = stream.headers["X-Run-Id"], "".join(data for data, _ in deltas)
    assert len(deltas) > 3
    for n in (0, len(deltas) // 2, len(deltas) - 2):
        if by == "header":
            rest = follow(site, run, headers={"Last-Event-ID": deltas[n][1]})
        else:
            rest = follow(site, run, f"?stream=sse&last_event_id={deltas[n][1]}")
        rest.read_all()
        assert rest.headers["Content-Type"].startswith("text/event-stream")
        got = "".join(data for kind, data, _ in rest.events() if kind == "delta")
        assert "".join(data for data, _ in deltas[:n + 1]) + got == whole
        assert rest.events()[-1][0] == "done"
    last = follow(site, run, headers={"Last-Event-ID": deltas[-1][1]})
    assert last.status == 204  # an EventSource stops asking
    for bad in ("nonsense", f"{run}.", f"{run}.x", f"{run}.-1", f"{run}x.0", "other.5"):
        refused = site.get(f"/api/runs/{run}/stream?last_event_id={bad}")
        assert refused.status == 422 and refused.json()["errors"][0]["field"] == "last_event_id", bad


@pytest.mark.parametrize("query", ["", "?offset=7", "?stream=sse"])
def test_running_answer_is_followed_from_another_worker(site, query):
    gate = name("g")
    first = site.stream({"thread_id": name("t"), "message": prompt(f";delta=5;gate={gate}@60")})
    first.read_until(b"<content")
    tab = follow_elsewhere(site, first.headers["X-Run-Id"], query)
    site.upstream.open_gate(gate)
    body = first.read_all()
    tab.read_all()
    if "sse" in query:
        assert "".join(data for kind, data, _ in tab.events() if kind == "delta").encode() == body
        assert tab.events()[-1][0] == "done" and tab.events()[-1][1]["status"] == "complete"
    else:
        assert body[:7 if query else 0] + tab.body == body


def test_cut_and_resumed_again_and_again_while_it_runs(site):
    """A client that loses its connection at every few bytes of a live answer and goes on where it was, whole characters
    only, as decoders do."""
    first = site.stream({"thread_id": name("t"), "message": prompt(";delta=3;pace=4")})
    first.read_some()
    run, seen, turns = first.headers["X-Run-Id"], b"", 0
    while True:
        part = follow(site, run, f"?offset={len(seen)}")
        if part.status == 204:
            break
        assert part.status == 200, part.response.read()
        chunk = part.response.read(5)  # of whatever comes; the rest is lost with the connection
        part.close()
        if not chunk:
            break
        seen, turns = (seen + chunk).decode("utf-8", "ignore").encode(), turns + 1
    assert seen == first.read_all() and turns > 20


def test_r1_events_of_a_kept_answer_hold_whole_characters(site):
    """A second tab reads from the spool, in pieces of its own: no character is cut, and each id is a place to go on."""
    text = "aä€😀" * 600
    body = site.chat(f"fault:text={quote(text)} {name('p')}", name("t"))
    run = body.headers["X-Run-Id"]
    tab = follow(site, run, "?stream=sse")
    tab.read_all()
    deltas = [(data, event_id) for kind, data, event_id in tab.events() if kind == "delta"]
    assert len(deltas) > 3 and "".join(data for data, _ in deltas) == body.text
    for _, event_id in deltas[:-1]:
        assert site.get(f"/api/runs/{run}/stream?last_event_id={event_id}").status == 200, event_id


def test_r14_slow_readers_of_a_replay_hold_up_nobody(new_site):
    """As many of them as there are request threads ask for an answer that only the store has, and read nothing of it."""
    site = new_site({"C1D_THREADS": "3", "C1D_WRITE_MS": "600000"}, workers=1)
    body = {"thread_id": "t", "message": "fault:chunks=750;size=10000;pace=0", "responseId": "a"}
    first = site.stream(body)
    first.read_all()
    spool_file(site, first.headers["X-Run-Id"]).unlink()
    slow = [ask_and_read_the_head_only(site, body) for _ in range(4)]
    assert site.get("/livez").status == 200
    for reader in slow:
        reader.close()


def ask_and_read_the_head_only(site, body):
    reader = socket.socket()
    reader.settimeout(DEADLINE_S)
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect((site.host, site.port))
    text = json.dumps(body).encode()
    reader.sendall(b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                   % len(text) + text)
    head = b""
    while b"\r\n\r\n" not in head:
        head += reader.recv(64)
    assert head.startswith(b"HTTP/1.1 200") and b"Idempotency-Replayed: true" in head, head
    return reader


def test_r16_followers_of_a_run_are_bounded(site):
    """One page that opens streams without end is told so; other pages and chats notice nothing."""
    gate = name("g")
    first = site.stream({"thread_id": name("t"), "message": prompt(f";gate={gate}@60")})
    first.read_until(b"<content")
    run = first.headers["X-Run-Id"]
    tabs = [follow(site, run) for _ in range(140)]  # on two workers
    refused = [tab for tab in tabs if tab.status == 503]
    assert len(refused) >= 140 - 2 * 64, [tab.status for tab in tabs]
    assert refused[0].headers["Retry-After"] and b"overloaded" in refused[0].read_all()
    assert site.chat("hello", name("t")).status == 200
    site.upstream.open_gate(gate)
    body = first.read_all()
    assert all(tab.read_all() == body for tab in tabs if tab.status == 200)


def test_running_answer_is_found_by_a_fresh_tab_and_followed_from_any_byte(site):
    gate, thread = name("g"), name("t")
    first = site.stream({"thread_id": thread, "message": prompt(f";gate={gate}@60")})
    first.read_until(b"<content")
    active = site.get(f"/api/threads/{thread}/runs?active=1").json()
    run = first.headers["X-Run-Id"]
    while len(first.body) < 10:  # nobody goes on where nothing is yet
        first.read_some()
    assert [r["id"] for r in active] == [run]
    assert active[0]["status"] == "streaming" and active[0]["ended_at"] is None
    assert active[0]["message_id"] == first.headers["X-Response-Id"] and active[0]["bytes"] >= 1
    followers = [follow(site, run, f"?offset={n}") for n in (0, 5, 10)]
    followers += [follow(site, run, "?stream=sse")]
    for follower in followers:
        assert follower.read_some()
    site.upstream.open_gate(gate)
    body = first.read_all()
    for follower, offset in zip(followers, (0, 5, 10)):
        assert body[:offset] + follower.read_all() == body
    followers[3].read_all()
    assert "".join(data for kind, data, _ in followers[3].events() if kind == "delta").encode() == body
    assert site.get(f"/api/threads/{thread}/runs?active=1").json() == []
    ended = site.get(f"/api/threads/{thread}/runs").json()
    assert [(r["id"], r["status"], r["bytes"], r["saved"]) for r in ended] == [(run, "complete", len(body), True)]


def test_one_run(site, answered):
    run, body = answered
    found = site.get(f"/api/runs/{run}").json()
    assert found["id"] == run and found["status"] == "complete" and found["bytes"] == len(body)
    assert found["ended_at"] > found["created_at"] and found["usage"]["total_tokens"] > 0


def test_run_that_is_no_longer_kept_leads_to_its_message(site):
    thread = name("t")
    answer = site.chat("hello", thread)
    run = answer.headers["X-Run-Id"]
    spool_file(site, run).unlink()
    assert site.get(f"/api/runs/{run}").json()["status"] == "complete"  # as the store knows it
    for path in (f"/api/runs/{run}/stream", f"/api/runs/{run}/stream?stream=sse&last_event_id={run}.3"):
        gone = site.get(path)
        assert gone.status == 410 and gone.json()["code"] == "gone"
        assert f"</api/threads/{thread}/messages>" in gone.headers["Link"]
    assert [(r["id"], r["status"]) for r in site.get(f"/api/threads/{thread}/runs").json()] == [(run, "complete")]


def test_unknown_run_is_not_found(site):
    for path in ("/api/runs/nobody", "/api/runs/nobody/stream", "/api/runs/..%2f..%2fnode", "/api/runs/stop"):
        assert site.get(path).status == 404, path
    assert site.post("/api/runs/nobody/stop").status == 404
    assert site.get("/api/threads/nobody/runs").status == 404
