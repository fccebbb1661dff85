"""What the model is sent of a conversation that does not fit, or that something befell."""
import sqlite3
import uuid

import pytest
from api import asked, make
from house import Site

MIB = 1 << 20
LEFT_OUT = "(A message that is too long to repeat is left out here.)"


def prompt():
    return f"fault:pace=0 {uuid.uuid4().hex}"


def sent(site, text):
    return [(m["role"], m["content"]) for m in asked(site, text)["body"]["messages"]]


def add(site, thread, role, content):
    assert site.post(f"/api/threads/{thread}/messages", {"role": role, "content": content}).status == 201


@pytest.fixture(scope="module")
def site(scratch, upstream, store_uri):
    house = Site(scratch, upstream, {"C1D_STORE": store_uri, "C1D_HISTORY_MAX": "1k"}, workers=1)
    yield house
    house.stop()


def test_r26_history_never_begins_with_an_answer(site):
    """The first question does not fit any more; its answer alone would say nothing."""
    thread, text = make(site)["id"], prompt()
    add(site, thread, "user", "q" * 900)
    add(site, thread, "assistant", "a" * 300)
    add(site, thread, "user", "second")
    add(site, thread, "assistant", "b" * 300)
    site.chat(text, thread)
    assert sent(site, text) == [("user", "second"), ("assistant", "b" * 300), ("user", text)]


def test_r26_history_of_answers_alone_is_none(site):
    thread, text = make(site)["id"], prompt()
    add(site, thread, "assistant", "hello, what can I do for you?")
    site.chat(text, thread)
    assert sent(site, text) == [("user", text)]


def test_r26_one_big_answer_does_not_drop_what_is_older(site):
    thread, text = make(site)["id"], prompt()
    add(site, thread, "user", "first")
    add(site, thread, "assistant", "one")
    add(site, thread, "user", "write me a book")
    add(site, thread, "assistant", "b" * 5000)
    site.chat(text, thread)
    before = [("user", "first"), ("assistant", "one"), ("user", "write me a book"), ("assistant", LEFT_OUT)]
    assert sent(site, text) == [*before, ("user", text)]


def test_r26_answer_to_a_big_question_keeps_its_place(site):
    thread, text = make(site)["id"], prompt()
    add(site, thread, "user", "first")
    add(site, thread, "assistant", "one")
    add(site, thread, "user", "q" * 5000)
    add(site, thread, "assistant", "two")
    site.chat(text, thread)
    assert sent(site, text) == [("user", "first"), ("assistant", "one"), ("user", LEFT_OUT), ("assistant", "two"), ("user", text)]


def test_r26_question_is_sent_once_when_its_first_try_left_no_answer(new_site, scratch):
    """As behind a death between the two inserts, or a restored backup."""
    path = scratch / f"history-{uuid.uuid4().hex}.db"
    site, text = new_site({"C1D_STORE": f"sqlite:{path}"}, workers=1), prompt()
    body = {"prompt": {"id": "q1", "role": "user", "content": text}, "threadId": "t1", "responseId": "a1"}
    assert site.post("/api/chat", body).status == 200
    with sqlite3.connect(path, timeout=30) as db:
        db.execute("DELETE FROM messages WHERE id = 'a1'")
    db.close()
    again = site.post("/api/chat", body)
    assert again.status == 200 and "Idempotency-Replayed" not in again.headers
    assert sent(site, text) == [("user", text)]
    assert [(m["id"], m["status"]) for m in site.messages("t1")] == [("q1", "complete"), ("a1", "complete")]


def test_c12_damaged_row_in_the_middle_of_a_page_leaves_no_half_answer(new_site, scratch):
    """Rows become JSON while the store tells them; what was written by then is no part of the problem that is told."""
    path = scratch / f"damaged-{uuid.uuid4().hex}.db"
    site = new_site({"C1D_STORE": f"sqlite:{path}"}, workers=1)
    thread = make(site)["id"]
    for i in range(9):
        add(site, thread, "user", f"m{i}")
    with sqlite3.connect(path, timeout=30) as db:
        db.execute("UPDATE messages SET role = 'owner' WHERE thread_id = ? AND seq = 5", (thread,))
        db.execute("INSERT INTO threads (id, user_id, title, created_ms, updated_ms, rev, archived) "
                   "SELECT 'damaged', user_id, CAST(x'ff41' AS TEXT), 1, 1, 1, 0 FROM threads WHERE id = ?", (thread,))
    db.close()
    for target in (f"/api/threads/{thread}/messages", "/api/threads"):
        answer = site.get(target)
        assert answer.status == 500 and answer.headers["Content-Type"] == "application/problem+json", answer
        assert set(answer.json()) == {"type", "title", "status", "detail", "message", "code", "request_id"}, answer
    assert [m["content"] for m in site.messages(thread, "?limit=4")] == ["m5", "m6", "m7", "m8"]


def test_r10_thread_of_many_huge_messages_takes_questions(new_site):
    site = new_site(workers=1)
    thread, text = make(site)["id"], prompt()
    for i in range(16):
        add(site, thread, ("user", "assistant")[i % 2], "x" * (8 * MIB))
    answer = site.chat(text, thread)
    assert answer.status == 200, answer
    assert sent(site, text)[-1] == ("user", text)
    assert site.get(f"/api/threads/{thread}/messages").status == 200
