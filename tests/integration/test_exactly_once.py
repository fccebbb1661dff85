"""One question costs one call of the C1 API and is answered once, however often it is sent. Row A24 of the faults."""
import uuid

import pytest
from house import in_parallel, wait_for
from workers import frozen, owner_of, readers_of, spool_file


def name(kind):
    return kind + uuid.uuid4().hex[:12]


def calls(site, prompt):
    return site.upstream.ask("GET", "/stats")["prompts"].get(prompt, {}).get("requests", 0)


def ask(site, prompt, thread, answer_id=None, key=None, query="", **more):
    body = {"thread_id": thread, **more} if thread else dict(more)
    if answer_id:
        body["responseId"] = answer_id
    return site.chat(prompt, query=query, headers={"Idempotency-Key": key} if key else {}, **body)


def test_finished_answer_is_replayed_by_its_id(site):
    prompt, thread, answer_id = name("fault:pace=0 p"), name("t"), name("a")
    first = ask(site, prompt, thread, answer_id)
    again = ask(site, prompt, thread, answer_id)
    assert first.status == again.status == 200
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.body == first.body
    assert again.headers["X-Run-Id"] == first.headers["X-Run-Id"]
    assert calls(site, prompt) == 1
    assert len(site.messages(thread)) == 2


def test_finished_answer_is_replayed_by_its_key(site):
    prompt, thread, key = name("fault:pace=0 p"), name("t"), name("key")
    first = ask(site, prompt, thread, key=f'"{key}"')
    again = ask(site, prompt, thread, key=key)  # bare, as many clients send it
    assert again.body == first.body and again.headers["Idempotency-Replayed"] == "true"
    assert calls(site, prompt) == 1


def test_key_without_a_thread_finds_the_thread_it_made(site):
    prompt, key = name("fault:pace=0 p"), name("key")
    first = ask(site, prompt, None, key=key, user_id=name("u"))
    assert first.status == 200
    user = site.get(f"/api/threads/{first.headers['X-Thread-Id']}").json()["user_id"]
    again = ask(site, prompt, None, key=key, user_id=user)
    assert again.headers["X-Thread-Id"] == first.headers["X-Thread-Id"]
    assert calls(site, prompt) == 1


def test_key_with_another_answer_id_still_finds_the_first_answer(site):
    prompt, thread, key = name("fault:pace=0 p"), name("t"), name("key")
    first = ask(site, prompt, thread, name("a"), key)
    again = ask(site, prompt, thread, name("a"), key)
    assert again.body == first.body
    assert again.headers["X-Response-Id"] == first.headers["X-Response-Id"]
    assert calls(site, prompt) == 1 and len(site.messages(thread)) == 2


def test_keys_of_two_users_are_two_keys(site):
    key = name("key")
    first = ask(site, name("fault:pace=0 p"), None, key=key, user_id=name("u"))
    other = ask(site, name("fault:pace=0 p"), None, key=key, user_id=name("u"))
    assert first.status == other.status == 200
    assert first.headers["X-Thread-Id"] != other.headers["X-Thread-Id"]


@pytest.mark.parametrize("by", ["answer_id", "key"])
def test_another_question_under_the_same_name_is_refused(site, by):
    thread, again = name("t"), {by: name("n")}
    assert ask(site, name("fault:pace=0 p"), thread, **again).status == 200
    prompt = name("fault:pace=0 other")
    answer = ask(site, prompt, thread, **again)
    assert answer.status == 422 and answer.json()["code"] == "idempotency_key_reused"
    assert calls(site, prompt) == 0 and len(site.messages(thread)) == 2


@pytest.mark.parametrize("by", ["answer_id", "key"])
def test_running_answer_is_rejoined_from_its_first_byte(site, by):
    gate, thread, again = name("g"), name("t"), {by: name("n")}
    prompt = f"fault:gate={gate}@60 {name('p')}"
    body = {"thread_id": thread, "message": prompt}
    headers = {"Idempotency-Key": again["key"]} if by == "key" else {}
    if by == "answer_id":
        body["responseId"] = again["answer_id"]
    first, second = site.stream(body, headers=headers), None
    first.read_until(b"<content")
    second = site.stream(body, headers=headers)
    second.read_until(first.body[:20])
    assert second.headers["Idempotency-Replayed"] == "true"
    refused = ask(site, "another question", thread, **again)
    assert refused.status == 422, refused
    site.upstream.open_gate(gate)
    assert second.read_all() == first.read_all()
    assert first.body.endswith(b"</content>")
    assert calls(site, prompt) == 1


def test_running_answer_is_rejoined_through_another_worker(site):
    gate, thread, key = name("g"), name("t"), name("key")
    prompt = f"fault:gate={gate}@60 {name('p')}"
    body, headers = {"thread_id": thread, "message": prompt}, {"Idempotency-Key": key}
    first = site.stream(body, headers=headers)
    first.read_until(b"<content")
    owner = owner_of(site, first.headers["X-Run-Id"])
    with frozen(owner):
        second = site.stream(body, headers=headers)
        second.read_until(first.body[:20])
    assert readers_of(site, first.headers["X-Run-Id"]) - {owner}
    assert second.headers["Idempotency-Replayed"] == "true"
    site.upstream.open_gate(gate)
    assert second.read_all() == first.read_all()
    assert calls(site, prompt) == 1


FIFTY = {
    "answer_id": lambda: ({"threadId": name("t"), "responseId": name("a")}, {}),
    "key": lambda: ({"threadId": name("t")}, {"Idempotency-Key": name("key")}),
    "key_without_a_thread": lambda: ({}, {"Idempotency-Key": name("key")}),
    "both": lambda: ({"threadId": name("t"), "responseId": name("a")}, {"Idempotency-Key": name("key")}),
}


@pytest.mark.parametrize("by", FIFTY)
def test_fifty_at_once_over_all_workers_are_one(site, by):
    more, headers = FIFTY[by]()
    prompt = name("fault:chunks=20;size=30;pace=10 ")
    body = {**more, "prompt": {"id": name("q"), "role": "user", "content": prompt}}

    def asked(i):
        """The answer, or None: come again. A store of one machine need not have room for fifty at once."""
        stream = site.stream(body, query="?stream=sse" if i % 5 == 0 else "", headers=headers)
        stream.read_all()
        if stream.status == 503 and stream.headers["Retry-After"]:
            return None
        assert stream.status == 200, stream.body
        return stream

    def one(i):
        stream = wait_for(lambda: asked(i), f"{i} is answered")
        if i % 5 == 0:
            text = "".join(data for kind, data, _ in stream.events() if kind == "delta").encode()
            assert stream.events()[-1][1]["status"] == "complete"
        else:
            text = stream.body
        return stream.headers["X-Run-Id"], stream.headers["X-Thread-Id"], text

    results = in_parallel(50, one)
    assert len(set(results)) == 1
    _, thread, text = results[0]
    assert text.endswith(b"</content>")
    assert calls(site, prompt) == 1
    assert [m["role"] for m in site.messages(thread)] == ["user", "assistant"]


def test_replay_as_events(site):
    prompt, thread, answer_id = name("fault:pace=0 p"), name("t"), name("a")
    first = ask(site, prompt, thread, answer_id)
    again = ask(site, prompt, thread, answer_id, query="?stream=sse")
    events = again.stream.events()
    assert events[0][0] == "run" and events[-1] == ("done", {"status": "complete", "finish_reason": "stop",
                                                            "bytes": len(first.body)}, None)
    assert "".join(data for kind, data, _ in events if kind == "delta") == first.text


def test_replay_when_the_spool_has_long_forgotten_it(site):
    prompt, thread, answer_id = name("fault:pace=0 p"), name("t"), name("a")
    first = ask(site, prompt, thread, answer_id)
    spool_file(site, first.headers["X-Run-Id"]).unlink()
    again = ask(site, prompt, thread, answer_id)
    assert again.body == first.body and again.headers["Idempotency-Replayed"] == "true"
    events = ask(site, prompt, thread, answer_id, query="?stream=sse").stream.events()
    assert "".join(data for kind, data, _ in events if kind == "delta") == first.text
    assert calls(site, prompt) == 1


def test_key_that_is_none_is_refused(site):
    assert ask(site, "x", name("t"), key='""').status == 400
    assert ask(site, "x", name("t"), key="k" * 256).status == 400


def test_stopped_answer_is_replayed_as_it_is(site):
    gate, thread, key = name("g"), name("t"), name("key")
    prompt = f"fault:gate={gate}@60 {name('p')}"
    first = site.stream({"thread_id": thread, "message": prompt}, headers={"Idempotency-Key": key})
    first.read_until(b"<content")
    assert site.post(f"/api/runs/{first.headers['X-Run-Id']}/stop").status == 200
    whole = first.read_all()
    for is_kept in (True, False):
        if not is_kept:
            spool_file(site, first.headers["X-Run-Id"]).unlink()
        again = ask(site, prompt, thread, key=key, query="?stream=sse")
        events = again.stream.events()
        assert "".join(data for kind, data, _ in events if kind == "delta").encode() == whole
        assert events[-1][0] == "done" and events[-1][1]["status"] == "stopped"
    assert calls(site, prompt) == 1


def test_failed_question_is_not_asked_again_under_its_key(site):
    """A replay says what the first one was told; whoever wants another try takes another key."""
    thread, key = name("t"), name("key")
    prompt = f"fault:status=500 {name('p')}"
    first = ask(site, prompt, thread, key=key)
    again = ask(site, prompt, thread, key=key)
    assert first.status == again.status == 502
    assert first.json()["code"] == again.json()["code"]
    assert calls(site, prompt) == 1 and len(site.messages(thread)) == 2
    assert ask(site, prompt, thread, key=name("key")).status == 502
    assert calls(site, prompt) == 2
