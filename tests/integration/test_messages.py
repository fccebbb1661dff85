"""A conversation's messages over HTTP, through nginx, on each store: listed, added, changed, and while they stream."""
import re
import uuid

import pytest

from api import UNKNOWN, make, problem, walk

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
MIB = 1 << 20


def add(site, thread, content, role="user", **fields):
    answer = site.post(f"/api/threads/{thread}/messages", {"role": role, "content": content, **fields})
    assert answer.status == 201, answer
    return answer.json()


def filled(site, count):
    thread = make(site)["id"]
    return thread, [add(site, thread, f"m{i}", ("user", "assistant")[i % 2])["id"] for i in range(count)]


def contents(messages):
    return [message["content"] for message in messages]


@pytest.fixture(scope="module")
def nine(site):
    return filled(site, 9)


# --- listed ---
def test_a_turn_leaves_a_question_and_an_answer(site):
    thread = make(site)["id"]
    question, answer = str(uuid.uuid4()), str(uuid.uuid4())
    wire = '<content thesys="true">a &lt; b</content>'
    body = {"prompt": {"id": question, "role": "user", "content": wire}, "threadId": thread, "responseId": answer}
    stream = site.stream(body)
    raw = stream.read_all().decode()
    asked, answered = site.messages(thread)
    assert (asked["id"], asked["role"], asked["content"], asked["status"]) == (question, "user", wire, "complete")
    assert (answered["id"], answered["role"], answered["status"]) == (answer, "assistant", "complete")
    assert answered["content"] == raw
    assert answered["run_id"] == stream.headers["X-Run-Id"]
    assert answered["finish_reason"] == "stop" and answered["usage"]["total_tokens"] > 0
    assert asked["finish_reason"] is None and asked["usage"] is None
    for message in (asked, answered):
        assert message["thread_id"] == thread
        assert message["metadata"] == {} and message["feedback"] is None
        assert TIME.fullmatch(message["created_at"]) and message["created_at"] == message["createdAt"]
        assert TIME.fullmatch(message["updated_at"]) and message["updated_at"] == message["updatedAt"]


def test_messages_come_oldest_first_in_a_plain_array(site, nine):
    answer = site.get(f"/api/threads/{nine[0]}/messages")
    assert (answer.status, answer.headers["Link"]) == (200, None)
    assert [message["id"] for message in answer.json()] == nine[1]
    assert site.messages(make(site)["id"]) == []


@pytest.mark.parametrize("limit", [1, 2, 4, 8, 9, 10, 1000])
def test_pages_go_back_from_the_newest_and_show_each_message_once(site, nine, limit):
    thread, made = nine
    pages = walk(site, f"/api/threads/{thread}/messages?limit={limit}")
    assert [message["id"] for page in pages[::-1] for message in page] == made
    assert len(pages[0]) == min(limit, 9) and all(pages)


@pytest.mark.parametrize("limit", [1, 3, 4, 5])
def test_pages_go_on_from_a_message(site, nine, limit):
    thread, made = nine
    pages = walk(site, f"/api/threads/{thread}/messages?limit={limit}&after={made[2]}")
    assert [message["id"] for page in pages for message in page] == made[3:]
    assert all(pages)


def test_a_page_ends_before_a_message(site, nine):
    thread, made = nine
    assert [m["id"] for m in site.messages(thread, f"?before={made[4]}&limit=2")] == made[2:4]
    assert site.messages(thread, f"?before={made[0]}") == []
    assert site.messages(thread, f"?after={made[8]}") == []


@pytest.mark.parametrize("query, status, field", [
    ("before=a&after=b", 422, "before"), ("before=nobody", 422, "before"), ("after=nobody", 422, "after"),
    ("limit=0", 422, "limit"), ("limit=1001", 422, "limit"), ("as=html", 422, "as"), ("before=%20", 400, "before")])
def test_a_wrong_parameter_is_named(site, nine, query, status, field):
    problem(site.get(f"/api/threads/{nine[0]}/messages?{query}"), status, {422: "validation", 400: "bad_id"}[status],
            field)


def test_the_c1_form_is_what_the_web_client_can_show(site):
    thread = make(site)["id"]
    wire = '<content thesys="true">known &amp; wrapped</content><context>[]</context>'
    card = '<content thesys="true">{&quot;component&quot;:{}}</content>'
    for role, content in (("user", "a<b && \"c\" 'd'"), ("tool", "{}"), ("user", wire), ("assistant", card)):
        add(site, thread, content, role)
    shown = site.messages(thread, "?as=c1")
    assert [message["role"] for message in shown] == ["user", "user", "assistant"]
    assert contents(shown) == ['<content thesys="true">a&lt;b &amp;&amp; &quot;c&quot; &#39;d&#39;</content>', wire, card]
    assert contents(site.messages(thread)) == ["a<b && \"c\" 'd'", "{}", wire, card]
    pages = walk(site, f"/api/threads/{thread}/messages?as=c1&limit=2")
    assert [contents(page) for page in pages] == [[wire, card], [contents(shown)[0]]]


# --- added ---
@pytest.mark.parametrize("role", ["user", "assistant", "tool"])
def test_a_message_is_added_as_it_is_given(site, role):
    thread = make(site)
    name = "my.own_id-1"
    made = add(site, thread["id"], "ä\u2028\U0001f600\\\"<&", role, id=name, metadata={"k": [1.5, None]})
    assert (made["id"], made["role"], made["status"]) == (name, role, "complete")
    assert made["thread_id"] == thread["id"]
    assert made["content"] == "ä\u2028\U0001f600\\\"<&" and made["metadata"] == {"k": [1.5, None]}
    assert site.messages(thread["id"]) == [made]
    assert site.get("/api/threads/" + thread["id"]).json()["updated_at"] >= thread["updated_at"]


def test_only_an_administrator_adds_system_messages(site):
    thread = make(site)["id"]
    answer = site.post(f"/api/threads/{thread}/messages", {"role": "system", "content": "obey"})
    problem(answer, 403, "access_denied", "role")
    assert site.messages(thread) == []


def test_an_id_is_taken_once_a_thread(site):
    first, second = make(site)["id"], make(site)["id"]
    add(site, first, "one", id="same")
    answer = site.post(f"/api/threads/{first}/messages", {"id": "same", "role": "user", "content": "two"})
    problem(answer, 409, "conflict", "id")
    add(site, second, "elsewhere", id="same")
    assert contents(site.messages(first)) == ["one"]


@pytest.mark.parametrize("fields, status, field", [
    ({"content": "x"}, 422, "role"), ({"role": "user"}, 422, "content"), ({"role": "king", "content": "x"}, 422, "role"),
    ({"role": "user", "content": 7}, 422, "content"), ({"role": "user", "content": "x", "id": "a b"}, 400, "id"),
    ({"role": "user", "content": "x", "id": "." * 3}, 400, "id"),
    ({"role": "user", "content": "x", "id": "x" * 129}, 400, "id"),
    ({"role": "user", "content": "x", "metadata": "y"}, 422, "metadata"),
    ({"role": "user", "content": "x", "message": "y"}, 422, "content")])
def test_a_wrong_field_is_named(site, nine, fields, status, field):
    answer = site.post(f"/api/threads/{nine[0]}/messages", fields)
    problem(answer, status, {422: "validation", 400: "bad_id"}[status], field)


# --- changed ---
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_message_is_replaced_whole_as_often_as_one_likes(site, method):
    thread = make(site)["id"]
    before = add(site, thread, "old", "assistant", metadata={"a": 1})
    path = f"/api/threads/{thread}/messages/{before['id']}"
    new = '<content thesys="true">x</content>\n<context>[{&quot;f&quot;:1}]</context>'
    for _ in range(4):
        answer = site.json(method, path, {"id": before["id"], "role": "assistant", "content": new})
        assert (answer.status, answer.json()["content"], answer.json()["metadata"]) == (200, new, {"a": 1})
    changed = site.json(method, path, {"metadata": {"b": 2}}).json()
    assert (changed["content"], changed["metadata"]) == (new, {"b": 2})
    assert site.messages(thread) == [changed]
    assert changed["updated_at"] >= before["updated_at"] and changed["created_at"] == before["created_at"]


def test_e4_what_is_typed_into_an_answer_that_is_drawn_in_part_stands_behind_all_of_it(site):
    thread = make(site)["id"]
    whole, passing = '<content thesys="true">' + "a &quot;b&quot; ä " * 9 + "</content>", '<thinkitem ephemeral="true">t</thinkitem>'
    path = f"/api/threads/{thread}/messages/{add(site, thread, whole, 'assistant')['id']}"
    for i, drawn in enumerate((whole[:40], whole[:20], whole[:-1], passing + whole[:60])):
        typed = f"<context>[{i}]</context>"
        assert site.put(path, {"content": drawn + typed}).json()["content"] == whole + typed
    other = '<content thesys="true">another'
    assert site.put(path, {"content": other}).json()["content"] == other
    assert site.put(path.replace(thread, make(site)["id"]), {"content": other}).status == 404


def test_a_change_needs_something_to_change(site, nine):
    path = f"/api/threads/{nine[0]}/messages/"
    problem(site.put(path + nine[1][0], {}), 422, "validation", "content")
    problem(site.put(path + "nobody", {"content": "x"}), 404, "not_found")
    problem(site.put(f"/api/threads/{UNKNOWN}/messages/{nine[1][0]}", {"content": "x"}), 404, "not_found")


def test_an_answer_in_flight_is_listed_with_what_it_has(site, upstream):
    """And cannot be changed before it is saved: the client is told to come back."""
    thread, gate = make(site)["id"], uuid.uuid4().hex
    stream = site.stream({"message": f"fault:gate={gate}@60 hi", "thread_id": thread})
    stream.read_until(b"component")
    upstream.ask("GET", f"/gate/{gate}/wait?waiting=1&timeout=10")
    while len(stream.body) < 60:
        stream.read_some()
    name = stream.headers["X-Response-Id"]
    asked, answered = site.messages(thread)
    assert (asked["status"], answered["id"], answered["status"]) == ("complete", name, "streaming")
    assert answered["content"].encode() == stream.body and len(stream.body) == 60
    path = f"/api/threads/{thread}/messages/"
    refused = site.put(path + name, {"content": "mine"})
    problem(refused, 409, "not_saved_yet")
    assert refused.headers["Retry-After"] == "1"
    assert site.put(path + asked["id"], {"metadata": {"seen": True}}).status == 200
    upstream.open_gate(gate)
    whole = stream.read_all()
    assert site.message(thread, name)["content"].encode() == whole
    assert site.put(path + name, {"content": "mine"}).status == 200
    assert contents(site.messages(thread)) == [asked["content"], "mine"]


# --- large ---
def test_a_message_of_8_mib_is_kept_and_a_longer_one_is_refused(site):
    thread = make(site)["id"]
    large = "\U0001f600" * (2 * MIB)
    made = add(site, thread, "small")
    path = f"/api/threads/{thread}/messages/{made['id']}"
    text = b'{"content":"' + large.encode() + b'"}'
    assert site.request("PUT", path, text).status == 200
    assert contents(site.messages(thread)) == [large]
    problem(site.request("PUT", path, text.replace(b'"}', b'x"}')), 422, "validation", "content")
    assert contents(site.messages(thread)) == [large]


def pieces(body):
    """As http.client sends chunks: without a Content-Length."""
    for at in range(0, len(body), 65536):
        yield body[at:at + 65536]


@pytest.mark.parametrize("way", ["counted", "chunked"])
@pytest.mark.parametrize("method, path, max_bytes, body, status", [
    ("POST", "/api/chat", 256 << 10, b'{"message":"fault:text=ok hi"}', 200),
    ("POST", "/api/threads", 64 << 10, b'{"title":"t"}', 201),
    ("PATCH", "/api/threads/{thread}", 64 << 10, b'{"title":"t"}', 200),
    ("PUT", "/api/threads/{thread}", 64 << 10, b'{"title":"t"}', 200),
    ("POST", "/api/threads/{thread}/messages", 12 * MIB, b'{"role":"user","content":"x"}', 201),
    ("PUT", "/api/threads/{thread}/messages/{message}", 12 * MIB, b'{"content":"x"}', 200),
    ("PATCH", "/api/threads/{thread}/messages/{message}", 12 * MIB, b'{"content":"x"}', 200)])
def test_each_route_takes_a_body_of_its_size_and_no_byte_more(site, limits, method, path, max_bytes, body, status, way):
    send = (lambda text: text) if way == "counted" else pieces
    path = path.format(**limits)
    headers = {"Content-Type": "application/json"}
    fits = site.request(method, path, send(body.ljust(max_bytes)), headers)
    assert fits.status == status, fits
    refused = site.request(method, path, send(body.ljust(max_bytes + 1)), headers)
    problem(refused, 413, "too_large")


@pytest.fixture(scope="module")
def limits(site):
    thread, messages = filled(site, 1)
    return {"thread": thread, "message": messages[0]}


def test_a_body_over_the_web_servers_limit_is_told_in_the_same_form(site, limits):
    body = b'{"content":"x"}'.ljust(14 * MIB)
    answer = site.request("PUT", "/api/threads/{thread}/messages/{message}".format(**limits), body)
    problem(answer, 413, "too_large")
