"""A turn through nginx, on each store: what the model is asked, and what is saved when."""
import select
import sqlite3
import threading
import uuid

import pytest

from api import UNKNOWN, asked, make, problem, upstream_answer, wait_at_gate
from house import DEADLINE_S, in_parallel

QUICK = "fault:pace=0 "


def prompt(text):
    """One that no other test has."""
    return f"{QUICK}{text} {uuid.uuid4().hex}"


def sent(site, text):
    """The messages that the C1 API got with this question: (role, content)."""
    return [(m["role"], m["content"]) for m in asked(site, text)["body"]["messages"]]


# --- the thread ---
def test_an_unknown_thread_is_made_on_first_use(site):
    thread, text = "made-by.client_1" + uuid.uuid4().hex, prompt("<b> first words " + "ü" * 100)
    answer = site.chat(text, thread, user_id="grace")
    assert answer.status == 200 and answer.headers["X-Thread-Id"] == thread
    made = site.get("/api/threads/" + thread).json()
    assert (made["id"], made["user_id"], made["title"]) == (thread, "grace", text[:80])


def test_a_first_question_in_wire_form_gives_a_plain_title(site):
    text = prompt("x").split()[-1]
    answer = site.chat(f'<content thesys="true">{QUICK} a &lt;b&gt; {text}</content><context>[]</context>')
    assert site.get("/api/threads/" + answer.headers["X-Thread-Id"]).json()["title"] == f"{QUICK.strip()} a <b> {text}"


def test_a_thread_without_a_name_gets_one(site):
    first, second = site.chat(prompt("a")), site.chat(prompt("b"))
    assert first.headers["X-Thread-Id"] != second.headers["X-Thread-Id"]


def test_a_named_thread_keeps_its_title_and_its_owner(site):
    thread = make(site, title="mine", user_id="ada")["id"]
    site.chat(prompt("x"), thread, user_id="eve")
    made = site.get("/api/threads/" + thread).json()
    assert (made["title"], made["user_id"]) == ("mine", "ada")


def test_unknown_threads_are_refused_where_they_are_not_wanted(new_site):
    site = new_site({"C1D_CREATE_THREADS": "no"}, workers=1)
    text = prompt("x")
    problem(site.chat(text, UNKNOWN), 404, "not_found")
    assert asked(site, text) is None
    problem(site.get("/api/threads/" + UNKNOWN), 404, "not_found")
    assert site.chat(prompt("x"), make(site)["id"]).status == 200
    assert site.chat(prompt("x")).status == 200


def test_two_first_questions_at_once_make_one_thread(site):
    """One of them may be told that the other one is being answered."""
    for _ in range(3):
        thread = str(uuid.uuid4())
        answers = in_parallel(4, lambda i, thread=thread: site.chat(prompt(f"q{i}"), thread))
        assert {answer.status for answer in answers} <= {200, 409} and 200 in [a.status for a in answers]
        messages = site.messages(thread)
        assert len(messages) % 2 == 0 and len({m["id"] for m in messages}) == len(messages)
        assert [m["role"] for m in messages] == ["user", "assistant"] * (len(messages) // 2)


# --- what the model is asked ---
def test_the_model_gets_the_conversation_in_order_and_as_it_is(site):
    thread = make(site)["id"]
    first, second = prompt('<content thesys="true">a &amp; b</content><context>[]</context>'), prompt("ä\n\"second\"")
    one, two = site.chat(first, thread), site.chat(second, thread)
    third = prompt("third")
    site.chat(third, thread)
    assert sent(site, first) == [("user", first)]
    assert sent(site, third) == [("user", first), ("assistant", one.text), ("user", second), ("assistant", two.text),
                                 ("user", third)]
    body = asked(site, third)["body"]
    assert body["stream"] is True and set(body) <= {"model", "messages", "stream", "user"}


def replacing(text, thread, question, name=None):
    return {"prompt": {"id": name or uuid.uuid4().hex, "role": "user", "content": text}, "threadId": thread, "metadata": {"replaces": question}}


def asked_in_place(site, text, thread, question, name=None):
    answer = site.post("/api/chat", replacing(text, thread, question, name))
    assert answer.status == 200, answer
    return ("assistant", answer.body.decode())


def test_p2_a_question_asked_again_or_edited_takes_the_place_of_the_old_one(site):
    thread = make(site)["id"]
    first, second, edited, again, last = [prompt(word) for word in ("first", "second", "edited", "again", "last")]
    one = ("assistant", site.chat(first, thread).body.decode())
    site.chat(second, thread)
    question = site.messages(thread)[2]["id"]
    asked_in_place(site, edited, thread, question, "edited")
    assert sent(site, edited) == [("user", first), one, ("user", edited)]
    two = asked_in_place(site, again, thread, "edited")
    assert sent(site, again) == [("user", first), one, ("user", again)]
    site.chat(last, thread)
    assert sent(site, last) == [("user", first), one, ("user", again), two, ("user", last)]
    contents = [message["content"] for message in site.messages(thread) if message["role"] == "user"]
    assert contents == [first, second, edited, again, last]  # nothing is gone


def test_p2_what_is_refused_has_replaced_nothing(site):
    thread, first, last = make(site)["id"], prompt("first"), prompt("last")
    one = ("assistant", site.chat(first, thread).body.decode())
    question = site.messages(thread)[0]["id"]
    problem(site.post("/api/chat", {**replacing(prompt("x"), thread, question), "model": "nobody/offers-this"}), 422, "validation", "model")
    site.chat(last, thread)
    assert sent(site, last) == [("user", first), one, ("user", last)]


def test_p2_what_names_nothing_replaces_nothing_in_a_thread_that_is_not_read_whole(new_site):
    """A question that never arrived has an id, too, and is asked again under it; one that did is found however far back it is."""
    site = new_site({"C1D_HISTORY_MAX": "3k"}, workers=1)
    thread, first = make(site)["id"], prompt("first")
    site.chat(first, thread)
    question = site.messages(thread)[0]["id"]
    for n in range(3):
        site.chat(prompt("x" * 400), thread)
    again, last, anew = prompt("again"), prompt("last"), prompt("anew")
    asked_in_place(site, again, thread, uuid.uuid4().hex)
    site.chat(last, thread)
    told = sent(site, last)
    assert ("user", again) in told and len(sent(site, again)) > 1 and ("user", first) not in told, told
    asked_in_place(site, anew, thread, question)
    assert sent(site, anew) == [("user", anew)]


def test_p2_the_model_is_named_with_its_answer(site):
    """In the stream's first event, while it is written; then with the message. A replay names it, too."""
    thread, text = make(site)["id"], prompt("x")
    body = {"prompt": {"id": "q-" + uuid.uuid4().hex, "role": "user", "content": text}, "threadId": thread, "responseId": uuid.uuid4().hex}
    stream = site.stream(body, "?stream=sse")
    stream.read_all()
    stream.close()
    (name, run, _), *_ = stream.events()
    assert (name, run["model"]) == ("run", asked(site, text)["body"]["model"])
    question, answer = site.messages(thread)
    assert (question["model"], answer["model"]) == (None, run["model"])



def test_imported_and_edited_messages_are_part_of_the_conversation_and_failed_answers_are_not(site):
    thread, last = make(site)["id"], prompt("last")
    imported = [("user", "i1"), ("assistant", "i2"), ("tool", "i3")]
    for role, content in imported:
        assert site.post(f"/api/threads/{thread}/messages", {"role": role, "content": content}).status == 201
    failed = prompt("fault:status=500")
    site.chat(failed, thread)
    answer = site.chat(prompt("form"), thread)
    filled = answer.text + "\n<context>[{&quot;name&quot;:1}]</context>"
    assert site.put(f"/api/threads/{thread}/messages/{answer.headers['X-Response-Id']}", {"content": filled}).status == 200
    site.chat(last, thread)
    contents = [content for _, content in sent(site, last)]
    assert contents[:3] == ["i1", "i2", failed] and contents[4:] == [filled, last]


def test_another_thread_is_none_of_its_business(site):
    site.chat(prompt("elsewhere"), make(site)["id"])
    text = prompt("here")
    site.chat(text, make(site)["id"])
    assert len(sent(site, text)) == 1


@pytest.fixture
def set_up(new_site):
    """The oldest messages do not fit into the history."""
    return new_site({"C1D_SYSTEM_PROMPT": "Answer in \"Latin\".\\n ü", "C1D_HISTORY_MAX": "1k", "THESYS_MODEL": "c1/usual",
                     "C1D_MODELS": "c1/other, c1/third"}, workers=1)


def test_settings_choose_system_prompt_history_and_models(set_up):
    site, text = set_up, prompt("x")
    thread = make(site)["id"]
    for size in (900, 500, 300):
        assert site.post(f"/api/threads/{thread}/messages", {"role": "user", "content": "y" * size}).status == 201
    site.chat(text, thread)
    assert sent(site, text) == [("system", "Answer in \"Latin\".\\n ü"), ("user", "y" * 500), ("user", "y" * 300),
                                ("user", text)]
    assert asked(site, text)["body"]["model"] == "c1/usual"
    for model in ("c1/other", "c1/third", "c1/usual"):
        chosen = prompt(model)
        assert site.chat(chosen, model=model).status == 200
        assert asked(site, chosen)["body"]["model"] == model


@pytest.mark.parametrize("model", ["c1/none", "c1", "usual c1/other", 7])
def test_a_model_that_is_not_offered_is_refused_and_nothing_is_kept(site, model):
    thread, text = str(uuid.uuid4()), prompt("x")
    problem(site.chat(text, thread, model=model), 422, "validation", "model")
    assert asked(site, text) is None
    problem(site.get("/api/threads/" + thread), 404, "not_found")


# --- what is saved, and when ---
def test_metadata_stays_with_the_question(site):
    answer = site.chat(prompt("x"), metadata={"page": "/home", "n": [1, None]})
    question, reply = site.messages(answer.headers["X-Thread-Id"])
    assert question["metadata"] == {"page": "/home", "n": [1, None]} and reply["metadata"] == {}


def test_the_question_is_saved_before_the_model_is_asked(site, upstream):
    thread, gate = str(uuid.uuid4()), uuid.uuid4().hex
    text = prompt(f"fault:gate_head={gate}")
    answers = []
    job = threading.Thread(target=lambda: answers.append(site.chat(text, thread)))
    job.start()
    wait_at_gate(site, gate)
    question, answer = site.messages(thread)
    assert (question["content"], question["status"]) == (text, "complete")
    assert (answer["content"], answer["status"]) == ("", "streaming")
    upstream.open_gate(gate)
    job.join()
    assert answers[0].status == 200


def test_the_answer_is_saved_before_its_body_ends(site):
    """Whoever saw the end may change the message at once, as the web client does with forms."""
    def turn(i):
        answer = site.chat(prompt(f"turn {i}"))
        path = f"/api/threads/{answer.headers['X-Thread-Id']}/messages/{answer.headers['X-Response-Id']}"
        return site.put(path, {"content": "changed"}).status

    assert in_parallel(16, turn) == [200] * 16


@pytest.fixture
def locked_site(new_site, scratch):
    """A site whose store takes no write while the lock is held."""
    path = scratch / f"locked-{uuid.uuid4().hex}.db"
    site = new_site({"C1D_STORE": f"sqlite:{path}"}, workers=1)
    site.lock = sqlite3.connect(path, timeout=DEADLINE_S, isolation_level=None, check_same_thread=False)
    yield site
    site.lock.close()


def test_a_store_that_does_not_take_the_question_costs_no_token(locked_site):
    text = prompt("x")
    locked_site.lock.execute("BEGIN IMMEDIATE")
    answer = locked_site.chat(text)
    assert answer.status in (503, 504), answer
    assert asked(locked_site, text) is None
    locked_site.lock.execute("ROLLBACK")


def test_the_body_stays_open_until_the_store_has_the_answer(locked_site):
    site, gate = locked_site, uuid.uuid4().hex
    text = prompt(f"fault:gate={gate}@40")
    stream = site.stream({"message": text})
    whole = upstream_answer(site, text)
    wait_at_gate(site, gate)
    site.lock.execute("BEGIN IMMEDIATE")
    site.upstream.open_gate(gate)
    while len(stream.body) < len(whole):
        assert stream.read_some()
    assert not select.select([stream.connection.sock], [], [], 0.3)[0], "the body ended before the answer was saved"
    site.lock.execute("ROLLBACK")
    assert stream.read_all() == whole
    assert site.messages(stream.headers["X-Thread-Id"])[1]["status"] == "complete"


def test_the_same_question_again_costs_nothing(site):
    """With the client's ids, or with a key: the stored answer comes again."""
    text, key = prompt("x"), uuid.uuid4().hex
    body = {"prompt": {"id": str(uuid.uuid4()), "role": "user", "content": text}, "threadId": str(uuid.uuid4()),
            "responseId": str(uuid.uuid4())}
    first, again = site.stream(body), site.stream(body)
    assert first.read_all() == again.read_all() and first.status == 200
    keyed = [site.chat(prompt_text, body["threadId"], headers={"Idempotency-Key": key})
             for prompt_text in [text + " keyed"] * 2]
    assert keyed[0].body == keyed[1].body and keyed[1].headers["Idempotency-Replayed"] == "true"
    counts = site.upstream.stats()["prompts"]
    assert counts[text]["requests"] == 1 and counts[text + " keyed"]["requests"] == 1
    assert len(site.messages(body["threadId"])) == 4
    problem(site.chat("another", body["threadId"], headers={"Idempotency-Key": key}), 422, "idempotency_key_reused")
