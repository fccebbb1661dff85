"""A client that goes away: its answer goes on, is stopped, or waits a while, as it said. Rows A2 to A6 of the faults."""
import socket
import time
import uuid

import pytest
from house import wait_for
from workers import follow, follow_elsewhere


def name(kind):
    return kind + uuid.uuid4().hex[:12]


def hold(site, thread, **more):
    prompt = f"fault:gate={name('g')}@60 {name('p')}"
    stream = site.stream({"thread_id": thread, "message": prompt, **more})
    stream.read_until(b"<content")
    return stream, prompt, prompt.split("=")[1].split("@")[0]


def gone(site, stream):
    """Awaits the line that says the client has left."""
    run = stream.headers["X-Run-Id"]
    wait_for(lambda: any(line.get("run") == run and line["outcome"] == "client_gone" for line in site.log_lines("request")),
             "the leaving is noticed")


def test_A4_answer_goes_on_without_its_reader(site):
    thread = name("t")
    stream, _, gate = hold(site, thread)
    stream.close()
    gone(site, stream)
    assert site.message(thread, stream.headers["X-Response-Id"])["status"] == "streaming"
    site.upstream.open_gate(gate)
    message = site.wait_status(thread, stream.headers["X-Response-Id"], "complete")
    assert message["content"].endswith("</content>")


def test_A4_leaving_is_noticed_while_the_model_is_silent(site):
    stream, prompt, _ = hold(site, name("t"), on_disconnect="cancel")
    stream.close()
    site.upstream.ask("GET", "/stats/wait?early_closes=1&timeout=20&prompt=" + prompt.replace(" ", "%20").replace("@", "%40"))


def test_A4_cancel_keeps_what_was_seen_as_stopped(site):
    thread = name("t")
    stream, _, _ = hold(site, thread, on_disconnect="cancel")
    stream.close()
    message = site.wait_status(thread, stream.headers["X-Response-Id"], "stopped")
    assert message["content"].encode().startswith(stream.body)


def test_grace_lets_a_reader_come_back(site):
    thread = name("t")
    stream, _, gate = hold(site, thread, on_disconnect="grace:30")
    stream.close()
    gone(site, stream)
    back = follow(site, stream.headers["X-Run-Id"])
    back.read_some()
    site.upstream.open_gate(gate)
    assert back.read_all().endswith(b"</content>")
    assert site.message(thread, stream.headers["X-Response-Id"])["status"] == "complete"


@pytest.mark.parametrize("seconds", [0, 1])
def test_grace_ends(site, seconds):
    thread = name("t")
    stream, _, _ = hold(site, thread, on_disconnect=f"grace:{seconds}")
    begun = time.monotonic()
    stream.close()
    site.wait_status(thread, stream.headers["X-Response-Id"], "stopped")
    assert time.monotonic() - begun > seconds - 0.2


@pytest.mark.parametrize("policy", ["cancel", "grace:0", "grace:1"])
def test_reader_on_another_worker_is_a_reader(site, policy):
    """The first one leaves, a second tab still reads: its answer is not taken from it. When it leaves too, it is."""
    thread = name("t")
    stream, _, _ = hold(site, thread, on_disconnect=policy)
    tab = follow_elsewhere(site, stream.headers["X-Run-Id"])
    stream.close()
    gone(site, stream)
    busy = site.post("/api/chat", {"thread_id": thread, "message": "and another"})
    assert busy.status == 409, busy
    # Its reader left later and nobody else reads it: when its grace is over, so is that of the first.
    other, _, _ = hold(site, name("t"), on_disconnect=policy)
    other.close()
    site.wait_status(other.headers["X-Thread-Id"], other.headers["X-Response-Id"], "stopped")
    assert site.message(thread, stream.headers["X-Response-Id"])["status"] == "streaming"
    tab.close()
    site.wait_status(thread, stream.headers["X-Response-Id"], "stopped")


def test_reader_on_another_worker_gets_all_of_it(site):
    thread = name("t")
    stream, _, gate = hold(site, thread, on_disconnect="cancel")
    tab = follow_elsewhere(site, stream.headers["X-Run-Id"])
    stream.close()
    gone(site, stream)
    site.upstream.open_gate(gate)
    assert tab.read_all().endswith(b"</content>")
    assert site.message(thread, stream.headers["X-Response-Id"])["status"] == "complete"


@pytest.mark.parametrize("policy", ["never", "grace:", "grace:x", "grace:-1", "grace:99999", "CANCEL"])
def test_policy_that_is_none_is_refused(site, policy):
    answer = site.post("/api/chat", {"thread_id": name("t"), "message": "x", "on_disconnect": policy})
    assert answer.status == 422 and answer.json()["errors"][0]["field"] == "on_disconnect"


def test_A3_leaving_before_the_first_byte(site):
    thread, answer_id = name("t"), name("a")
    prompt = f"fault:gate_head={name('g')} {name('p')}"
    body = f'{{"thread_id":"{thread}","responseId":"{answer_id}","message":"{prompt}","on_disconnect":"cancel"}}'
    with socket.create_connection((site.host, site.port)) as client:
        client.sendall(f"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                       f"\r\n{body}".encode())
        site.upstream.ask("GET", "/stats/wait?requests=1&timeout=20&prompt=" + prompt.replace(" ", "%20"))
    message = site.wait_status(thread, answer_id, "stopped")
    assert message["content"] == ""
    assert site.messages(thread)[0]["content"] == prompt


def test_A6_half_close_is_leaving(site):
    thread = name("t")
    stream, _, _ = hold(site, thread, on_disconnect="cancel")
    stream.connection.sock.shutdown(socket.SHUT_WR)
    site.wait_status(thread, stream.headers["X-Response-Id"], "stopped")


def test_A5_leaving_behind_the_last_byte_changes_nothing(site):
    thread = name("t")
    stream = site.stream({"thread_id": thread, "message": "hello", "on_disconnect": "cancel"})
    stream.read_until(b"</content>")
    stream.close()
    # Its last word may still have been under way; the text is whole in any case.
    message = site.wait_status(thread, stream.headers["X-Response-Id"], "complete", "stopped")
    assert message["content"].encode() == stream.body


def test_runs_that_nobody_follows_are_capped_a_user(new_site):
    site = new_site({"C1D_UNATTENDED_MAX": "3", "C1D_UNATTENDED_MS": "0"}, workers=2)
    user = name("u")
    held = [(thread, *hold(site, thread, user_id=user)) for thread in (name("t") for _ in range(5))]
    other_thread = name("t")
    other, _, other_gate = hold(site, other_thread, user_id=name("u"))
    for stream in (other, *(entry[1] for entry in held)):
        stream.close()
        gone(site, stream)
    for thread, stream, _, _ in held[:2]:  # the oldest
        site.wait_status(thread, stream.headers["X-Response-Id"], "stopped")
    for thread, stream, _, gate in held[2:]:
        assert site.message(thread, stream.headers["X-Response-Id"])["status"] == "streaming"
        site.upstream.open_gate(gate)
        site.wait_status(thread, stream.headers["X-Response-Id"], "complete")
    site.upstream.open_gate(other_gate)  # another user's is not counted
    site.wait_status(other_thread, other.headers["X-Response-Id"], "complete")


def test_r6_a_run_is_counted_only_when_nobody_has_come_back_for_a_while(new_site):
    """Nobody may leave a run alone, but a page that is loaded again does not."""
    site = new_site({"C1D_UNATTENDED_MAX": "0", "C1D_UNATTENDED_MS": "5000"}, workers=2)
    back_thread, gone_thread = name("t"), name("t")
    reader, _, gate = hold(site, back_thread)
    reader.close()
    gone(site, reader)
    back = follow(site, reader.headers["X-Run-Id"])
    back.read_some()
    leaver, _, _ = hold(site, gone_thread)
    leaver.close()
    site.wait_status(gone_thread, leaver.headers["X-Response-Id"], "stopped")  # the same while later than the first one
    site.upstream.open_gate(gate)
    assert back.read_all().endswith(b"</content>")
    assert site.message(back_thread, reader.headers["X-Response-Id"])["status"] == "complete"


def test_followed_runs_are_not_counted(new_site):
    site = new_site({"C1D_UNATTENDED_MAX": "1", "C1D_UNATTENDED_MS": "0"}, workers=2)
    user = name("u")
    held = [(thread, *hold(site, thread, user_id=user)) for thread in (name("t") for _ in range(4))]
    for _, stream, _, _ in held[2:]:
        stream.close()
        gone(site, stream)
    site.wait_status(held[2][0], held[2][1].headers["X-Response-Id"], "stopped")
    for thread, stream, _, gate in (held[0], held[1], held[3]):
        site.upstream.open_gate(gate)
        site.wait_status(thread, stream.headers["X-Response-Id"], "complete")
    assert all(stream.read_all().endswith(b"</content>") for _, stream, _, _ in held[:2])
