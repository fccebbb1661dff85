"""POST /api/chat through nginx, on each store: how an answer travels, byte by byte, raw and as events."""
import re
import uuid

import pytest

from api import asked, card_of, make, problem, upstream_answer, wait_at_gate
from house import ROOT

SAMPLES = sorted(path.stem for path in (ROOT / "tests/samples").glob("*.txt") if not path.stem.startswith("BAD-"))
QUICK = "fault:pace=0 "


def prompt(text):
    """One that no other test has."""
    return f"{QUICK}{text} {uuid.uuid4().hex}"


def c1_body(text, thread=None):
    return {"prompt": {"id": str(uuid.uuid4()), "role": "user", "content": text}, "threadId": thread or str(uuid.uuid4()),
            "responseId": str(uuid.uuid4())}


def sample(name):
    return (ROOT / f"tests/samples/{name}.txt").read_text("utf-8")


# --- both shapes ---
def test_the_documented_shape_is_answered(site):
    thread, text = make(site)["id"], prompt("hello")
    answer = site.chat(text, thread, user_id="ada")
    assert answer.status == 200 and text in str(card_of(answer.text))
    assert answer.headers["X-Thread-Id"] == thread
    assert asked(site, text)["headers"]["authorization"] == "Bearer ***"


def test_the_c1_clients_shape_is_answered_under_its_ids(site):
    text = prompt("hello")
    body = c1_body(f'<content thesys="true">{text}</content>')
    stream = site.stream(body)
    raw = stream.read_all().decode()
    assert text in str(card_of(raw))
    assert (stream.headers["X-Thread-Id"], stream.headers["X-Response-Id"]) == (body["threadId"], body["responseId"])
    question, answer = site.messages(body["threadId"])
    assert (question["id"], answer["id"]) == (body["prompt"]["id"], body["responseId"])


@pytest.mark.parametrize("thread, response", [("thread_id", "response_id"), ("threadId", "responseId"),
                                              ("thread_id", "responseId")])
@pytest.mark.parametrize("shape", ["message", "prompt"])
def test_ids_are_taken_in_either_spelling(site, shape, thread, response):
    text, ids = prompt("hi"), (str(uuid.uuid4()), str(uuid.uuid4()))
    question = {"message": text} if shape == "message" else {"prompt": {"role": "user", "content": text}}
    stream = site.stream({**question, thread: ids[0], response: ids[1]})
    stream.read_all()
    assert (stream.headers["X-Thread-Id"], stream.headers["X-Response-Id"]) == ids


def test_the_answers_head(site):
    answer = site.chat(prompt("hi"), headers={"Accept": "text/event-stream", "Accept-Encoding": "gzip, br"})
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8", "the query chooses, Accept does not"
    assert answer.headers["Cache-Control"] == "no-store, no-transform"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Encoding" not in answer.headers and "Content-Length" not in answer.headers
    thread, run, response = (answer.headers[f"X-{name}-Id"] for name in ("Thread", "Run", "Response"))
    assert len({thread, run, response}) == 3
    assert all(re.fullmatch(r"[\w-][\w.-]{0,127}", name) for name in (thread, run, response))
    assert [m["id"] for m in site.messages(thread)][1] == response
    assert site.get("/api/runs/" + run).json()["message_id"] == response


@pytest.mark.parametrize("body, status, field", [
    ({}, 422, "message"), ({"message": ""}, 422, "message"), ({"message": 5}, 422, "message"),
    ({"prompt": {"role": "user"}}, 422, "prompt.content"), ({"prompt": "text"}, 422, "prompt"),
    ({"prompt": {"role": "assistant", "content": "x"}}, 422, "prompt.role"),
    ({"message": "x", "prompt": {"content": "y"}}, 422, "message"),
    ({"message": "x", "thread_id": "a", "threadId": "b"}, 422, "thread_id"),
    ({"message": "x", "response_id": "a", "responseId": "b"}, 422, "response_id"),
    ({"message": "x", "threadId": "a/b"}, 400, "threadId"), ({"message": "x", "thread_id": "a/b"}, 400, "thread_id"),
    ({"message": "x", "on_disconnect": "fly"}, 422, "on_disconnect"),
    ({"message": "x", "metadata": []}, 422, "metadata"),
    ({"prompt": {"id": "same", "content": "x"}, "responseId": "same"}, 422, "responseId")])
def test_a_wrong_question_is_told_and_costs_nothing(site, body, status, field):
    before = site.upstream.stats()["requests"]
    problem(site.post("/api/chat", body), status, {422: "validation", 400: "bad_id"}[status], field)
    assert site.upstream.stats()["requests"] == before


@pytest.mark.parametrize("query", ["stream=xml", "keepalive=0", "keepalive=x", "errors=html"])
def test_a_wrong_parameter_is_named(site, query):
    problem(site.post("/api/chat?" + query, {"message": "x"}), 422, "validation", query.split("=")[0])


# --- raw ---
@pytest.mark.parametrize("name", SAMPLES)
def test_raw_bytes_are_what_the_model_sent(site, name):
    answer = site.chat(prompt("sample:" + name))
    assert answer.text == sample(name)
    stored = re.sub(r'<thinkitem ephemeral="true">.*?</thinkitem>|<!--k-->', "", sample(name), flags=re.S)
    message, = [m for m in site.messages(answer.headers["X-Thread-Id"]) if m["role"] == "assistant"]
    assert (message["content"], message["status"]) == (stored, "complete")


def test_each_delta_leaves_as_it_comes(site, upstream):
    """What the model holds back cannot have been waited for."""
    first, second = uuid.uuid4().hex, uuid.uuid4().hex
    text = prompt(f"fault:gate={first}@30;gate={second}@200")
    stream = site.stream({"message": text})
    whole = upstream_answer(site, text)
    for gate, size in ((first, 30), (second, 200)):
        wait_at_gate(site, gate)
        while len(stream.body) < size:
            assert stream.read_some()
        assert stream.body == whole[:size]
        upstream.open_gate(gate)
    assert stream.read_all() == whole


def test_a_silent_model_is_kept_alive_by_comments_that_nobody_keeps(site, upstream):
    head, middle = uuid.uuid4().hex, uuid.uuid4().hex
    text = prompt(f"fault:gate_head={head};gate={middle}@40")
    stream = site.stream({"message": text}, "?keepalive=1")
    assert stream.read_until(b"<!--k-->").replace(b"<!--k-->", b"") == b""
    upstream.open_gate(head)
    wait_at_gate(site, middle)
    while stream.body.count(b"<!--k-->") < 2:
        assert stream.read_some()
    upstream.open_gate(middle)
    whole = stream.read_all().replace(b"<!--k-->", b"")
    assert whole == upstream_answer(site, text)
    message = site.messages(stream.headers["X-Thread-Id"])[1]
    assert message["content"].encode() == whole
    assert site.get("/api/runs/" + stream.headers["X-Run-Id"]).json()["bytes"] == len(whole)


# --- events ---
def test_events_tell_the_run_the_text_the_usage_and_the_end(site):
    gate = uuid.uuid4().hex
    answer = site.stream({"message": prompt(f"sample:table fault:gate={gate}@200")}, "?stream=sse")
    answer.read_until(b"event: delta")
    site.upstream.open_gate(gate)
    answer.read_all()
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    events = answer.events()
    run = answer.headers["X-Run-Id"]
    assert events[0] == ("run", {"run_id": run, "thread_id": answer.headers["X-Thread-Id"],
                                 "message_id": answer.headers["X-Response-Id"], "model": "c1/anthropic/claude-sonnet-4/v-20251230"},
                         run + ".0")
    assert [event[0] for event in events[-2:]] == ["usage", "done"]
    deltas = events[1:-2]
    assert {event[0] for event in deltas} == {"delta"} and len(deltas) > 1
    seen = b""
    for _, piece, name in deltas:
        seen += piece.encode()
        assert name == f"{run}.{len(seen)}"
    assert seen.decode() == sample("table")
    message = site.messages(answer.headers["X-Thread-Id"])[1]
    assert events[-2][1] == message["usage"] and message["usage"]["total_tokens"] > 0
    assert events[-1][1] == {"status": "complete", "finish_reason": "stop", "bytes": len(seen)}


def test_events_keep_characters_whole(site):
    text = QUICK + "fault:delta=1 " + "日本語🚀ß" * 20 + uuid.uuid4().hex
    events = site.chat(text, query="?stream=sse").stream.events()
    assert "".join(data for event, data, _ in events if event == "delta") == upstream_answer(site, text).decode()


def test_a_silent_event_stream_beats(new_site, upstream):
    site, gate = new_site({"C1D_HEARTBEAT_MS": "100"}, workers=1), uuid.uuid4().hex
    stream = site.stream({"message": prompt(f"fault:gate={gate}@40")}, "?stream=sse")
    while stream.body.count(b": hb\n\n") < 3:
        assert stream.read_some()
    upstream.open_gate(gate)
    stream.read_all()
    assert stream.events()[-1][1]["status"] == "complete"
    assert b"hb" not in site.messages(stream.headers["X-Thread-Id"])[1]["content"].encode()


# --- failures ---
def test_a_failure_before_the_first_byte_is_a_status(site):
    for query in ("", "?stream=sse"):
        thread = str(uuid.uuid4())
        problem(site.chat(prompt("fault:status=500"), thread, query), 502, "upstream_failed")
        assert [m["status"] for m in site.messages(thread)] == ["complete", "error"]


def test_a_failure_before_the_first_byte_is_a_card_where_one_is_wanted(site):
    answer = site.chat(prompt("fault:status=500"), str(uuid.uuid4()), "?errors=card")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    callout, = card_of(answer.text)
    assert (callout["component"], callout["props"]["variant"]) == ("CalloutV2", "danger")
    message = site.messages(answer.headers["X-Thread-Id"])[1]
    assert (message["status"], message["content"]) == ("error", "")


def test_a_refused_question_is_a_card_where_one_is_wanted(site):
    answer = site.chat("", query="?errors=card")
    assert answer.status == 200 and card_of(answer.text)


def test_a_failure_in_mid_answer_ends_the_stream_and_the_status_tells(site):
    text = prompt("fault:cut=100")
    answer = site.chat(text)
    assert answer.body == upstream_answer(site, text)[:100]
    message = site.messages(answer.headers["X-Thread-Id"])[1]
    assert (message["status"], message["content"].encode()) == ("interrupted", answer.body)


def test_a_failure_in_mid_answer_is_an_event(site):
    events = site.chat(prompt("fault:cut=100"), query="?stream=sse").stream.events()
    error, done = [event for event in events if event[0] in ("error", "done")]
    assert (error[0], error[1]["status"], error[1]["code"]) == ("error", 502, "upstream_failed")
    assert done[1]["status"] == "interrupted"


def test_a_failure_in_mid_answer_is_a_card_that_replaces_it(site):
    text = prompt("fault:cut=100")
    answer = site.chat(text, query="?errors=card")
    shown = upstream_answer(site, text)[:100].decode()
    assert answer.text.startswith(shown)
    assert card_of(answer.text[len(shown):])
    assert site.messages(answer.headers["X-Thread-Id"])[1]["content"] == shown, "the card is not part of the answer"


# --- what is no C1 text ---
def test_plain_text_is_wrapped_as_a_card(site):
    text = prompt("fault:plain")
    answer = site.chat(text)
    child, = card_of(answer.text)
    assert (child["component"], child["props"]["textMarkdown"]) == ("TextContent", upstream_answer(site, text).decode())
    assert site.messages(answer.headers["X-Thread-Id"])[1]["content"] == answer.text


def test_custom_markdown_is_rewritten_as_a_card(site):
    answer = site.chat(prompt("fault:custommarkdown"))
    child, = card_of(answer.text)
    plain = upstream_answer(site, "fault:plain").decode()
    assert (child["component"], child["props"]["textMarkdown"]) == ("TextContent", plain)
    assert "custommarkdown" not in site.messages(answer.headers["X-Thread-Id"])[1]["content"]
