"""What a request may say, through nginx: both spellings, what clients send back, and a word for what is meant by none."""
import uuid

import pytest

from api import UNKNOWN, make, problem, wait_at_gate

C1_THREAD = {"threadId": "t", "title": "new", "createdAt": "2026-11-24T10:00:00.000Z", "isRunning": False}


@pytest.fixture(scope="module")
def thread(site):
    return make(site)["id"]


def unknown(answer, name, hint):
    """A 422 that names the member and what it may have been."""
    detail = problem(answer, 422, "validation", name)["detail"]
    assert detail == f"{name} is unknown here; {hint}" if hint[0] == "d" else detail.endswith(hint), detail


@pytest.mark.parametrize("method, path, body, name, meant", [
    ("POST", "/api/threads", {"titel": "x"}, "titel", "title"),
    ("POST", "/api/threads", {"Title": "x"}, "Title", "title"),
    ("POST", "/api/threads", {"metdata": {}}, "metdata", "metadata"),
    ("POST", "/api/threads", {"firstmessage": "x"}, "firstmessage", "firstMessage"),
    ("POST", "/api/threads", {"userid": "x"}, "userid", "userId"),
    ("POST", "/api/threads", {"firstMessage": {"mesage": "x"}}, "firstMessage.mesage", "message"),
    ("PATCH", "/api/threads/{thread}", {"archive": True}, "archive", "archived"),
    ("PUT", "/api/threads/{thread}", {"titel": "x"}, "titel", "title"),
    ("POST", "/api/threads/{thread}/messages", {"role": "user", "contents": "x", "content": "x"}, "contents", "content"),
    ("PUT", "/api/threads/{thread}/messages/m", {"contnet": "x"}, "contnet", "content"),
    ("POST", "/api/chat", {"message": "fault:pace=0 hi", "thread": "t"}, "thread", "threadId"),
    ("POST", "/api/chat", {"message": "fault:pace=0 hi", "on_disconect": "cancel"}, "on_disconect", "on_disconnect"),
    ("POST", "/api/chat", {"message": "fault:pace=0 hi", "responseID": "r"}, "responseID", "responseId"),
    ("POST", "/api/chat", {"prompt": {"content": "fault:pace=0 hi", "rôle": "user"}}, "prompt.r??le", "role")])
def test_t11_an_unknown_member_is_told_with_the_nearest_name(site, upstream, thread, method, path, body, name, meant):
    before = upstream.stats()["requests"]
    answer = site.json(method, path.format(thread=thread), body)
    unknown(answer, name, f"did you mean {meant}?")
    assert upstream.stats()["requests"] == before


@pytest.mark.parametrize("method, target, name, hint", [
    ("POST", "/api/chat?strem=sse", "strem", "did you mean stream?"),
    ("POST", "/api/chat?on_disconect=cancel", "on_disconect", "did you mean on_disconnect?"),
    ("GET", "/api/threads?lmit=5", "lmit", "did you mean limit?"),
    ("GET", "/api/threads?limit=5&userid=x", "userid", "did you mean userId?"),
    ("GET", "/api/threads/{thread}/messages?befor=x", "befor", "did you mean before?"),
    ("GET", "/api/threads/{thread}?limit=5", "limit", "There is: user_id."),
    ("GET", "/health?x=1", "x", "There is: nothing."),
    ("GET", "/api/threads?%6cimit=5", "%6cimit", "did you mean limit?")])
def test_t11_an_unknown_word_of_a_query_is_told_too(site, thread, method, target, name, hint):
    body = b'{"message":"fault:pace=0 hi"}' if method == "POST" else None
    unknown(site.request(method, target.format(thread=thread), body), name, hint)


def test_t11_what_is_near_nothing_is_told_what_there_is(site):
    detail = problem(site.post("/api/threads", {"colour": "red"}), 422, "validation", "colour")["detail"]
    assert detail == "colour is unknown here. There is: title, firstMessage, metadata, user_id."


@pytest.mark.parametrize("name", ["x" * 1000, "\x7f\x01\"\\", "\u202e\U0001f600", "a\nb", "%s%n"])
def test_t11_a_name_that_cannot_be_shown_harms_nothing(site, name):
    body = problem(site.post("/api/threads", {name: 1}), 422, "validation")
    shown = body["errors"][0]["field"]
    assert len(shown) < 64 and shown.isascii() and shown.isprintable() and body["detail"].startswith(shown)


@pytest.mark.parametrize("spelling", ["threadId", "thread_id", "responseId", "response_id"])
def test_t11_an_error_names_the_spelling_that_came(site, spelling):
    body = problem(site.post("/api/chat", {"message": "x", spelling: "a b"}), 400, "bad_id", spelling)
    assert body["detail"].startswith(f"{spelling} is no id")
    problem(site.post("/api/chat", {"message": "x", spelling: 7}), 422, "validation", spelling)


@pytest.mark.parametrize("ask", [lambda s, run: s.get(f"/api/runs/{run}"), lambda s, run: s.get(f"/api/runs/{run}/stream"),
                                 lambda s, run: s.request("POST", f"/api/runs/{run}/stop")])
def test_t11_a_run_that_is_none_is_called_a_run(site, ask):
    assert problem(ask(site, UNKNOWN), 404, "not_found")["detail"] == "There is no such run."


# --- what clients send ---
def test_what_the_web_clients_callbacks_send_is_taken(site):
    made = site.post("/api/threads", {"firstMessage": {"type": "prompt", "role": "user", "message": "hi", "context": []}})
    assert (made.status, made.json()["title"]) == (201, "hi")
    thread = made.json()["id"]
    assert site.patch("/api/threads/" + thread, {**C1_THREAD, "threadId": thread}).json()["title"] == "new"
    assert site.put("/api/threads/" + thread, {**made.json(), "name": "hi", "isRunning": True}).json()["title"] == "hi"
    answer = site.stream({"prompt": {"id": str(uuid.uuid4()), "role": "user", "content": "fault:pace=0 hi"},
                          "responseId": str(uuid.uuid4()), "threadId": thread})
    assert answer.status == 200 and answer.read_all()


def test_a_message_as_it_was_read_is_taken_back(site):
    thread = site.chat("fault:pace=0 hi").headers["X-Thread-Id"]
    for message in site.messages(thread):
        answer = site.put(f"/api/threads/{thread}/messages/{message['id']}", message)
        assert answer.status == 200 and answer.json()["content"] == message["content"], answer
        copy = {**message, "id": str(uuid.uuid4())}
        answer = site.post(f"/api/threads/{make(site)['id']}/messages", copy)
        assert answer.status == 201 and answer.json()["id"] == copy["id"], answer


def test_null_is_as_good_as_nothing_everywhere(site):
    body = {"message": "fault:pace=0 hi", "threadId": None, "responseId": None, "prompt": None, "model": None,
            "on_disconnect": None, "metadata": None, "user_id": None}
    assert site.chat(body.pop("message"), **body).status == 200
    problem(site.post("/api/chat", {"message": None}), 422, "validation", "message")
    problem(site.post("/api/chat", {"prompt": {"content": None}}), 422, "validation", "prompt.content")


# --- on_disconnect in the address ---
def leave(site, upstream, query, **body):
    """A stream whose reader leaves in the middle: what its run was told then."""
    gate = uuid.uuid4().hex
    stream = site.stream({"message": f"fault:pace=0;gate={gate}@40 {uuid.uuid4().hex}", **body}, query)
    wait_at_gate(site, gate)
    while len(stream.body) < 40:
        assert stream.read_some()
    thread, answer = stream.headers["X-Thread-Id"], stream.headers["X-Response-Id"]
    stream.close()
    return gate, thread, answer


@pytest.mark.parametrize("query, body", [("?on_disconnect=cancel", {}), ("?onDisconnect=cancel", {}),
                                         ("?on_disconnect=grace:0", {}), ("?on_disconnect=continue", {"on_disconnect": "cancel"})])
def test_t3_the_address_can_say_that_leaving_is_stopping(site, upstream, query, body):
    _, thread, answer = leave(site, upstream, query, **body)
    assert site.wait_status(thread, answer, "stopped", "complete", "interrupted")["status"] == "stopped"


@pytest.mark.parametrize("query, body", [("?on_disconnect=continue", {}), ("?on_disconnect=grace:3600", {}),
                                         ("?on_disconnect=cancel", {"onDisconnect": "continue"})])
def test_t3_the_bodys_word_wins_over_the_address(site, upstream, query, body):
    gate, thread, answer = leave(site, upstream, query, **body)
    upstream.open_gate(gate)
    assert site.wait_status(thread, answer, "stopped", "complete", "interrupted")["status"] == "complete"


@pytest.mark.parametrize("word", ["", "stop", "grace", "grace:", "grace:-1", "grace:3601", "grace:1x", "grace:99999999999999999999"])
def test_t3_a_wrong_word_in_the_address_is_told_and_costs_nothing(site, upstream, word):
    before = upstream.stats()["requests"]
    problem(site.post("/api/chat?on_disconnect=" + word, {"message": "x"}), 422, "validation", "on_disconnect")
    assert upstream.stats()["requests"] == before
