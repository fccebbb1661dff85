"""What a question is named by, and how far the name reaches: the caller. An Idempotency-Key, or the id of an answer, belongs to one
question: same thread, message, model and metadata."""
import uuid

import pytest
from house import Site, in_parallel
from questions import with_room


def name(kind):
    return kind + uuid.uuid4().hex[:12]


def quick():
    return f"fault:pace=0 {name('p')}"


def calls(site, prompt):
    return site.upstream.stats()["prompts"].get(prompt, {}).get("requests", 0)


@pytest.fixture(scope="module")
def site(scratch, upstream, store_uri):
    house = Site(scratch, upstream, {"C1D_STORE": store_uri, "C1D_MODELS": "c1/other"})
    yield house
    house.stop()


CHANGES = {
    "thread": lambda body: {**body, "thread_id": name("t")},
    "no thread": lambda body: {key: value for key, value in body.items() if key != "thread_id"},
    "message": lambda body: {**body, "message": quick()},
    "model": lambda body: {**body, "model": "c1/other"},
    "metadata": lambda body: {**body, "metadata": {"page": "/elsewhere"}},
}


def question():
    return {"thread_id": name("t"), "message": quick(), "metadata": {"page": "/"}}


@pytest.mark.parametrize("change", CHANGES)
def test_r24_key_belongs_to_one_question(site, change):
    body, key = question(), {"Idempotency-Key": name("k")}
    first = site.post("/api/chat", body, key)
    before = site.upstream.stats()["requests"]
    other = site.post("/api/chat", CHANGES[change](body), key)
    assert first.status == 200
    assert other.status == 422 and other.json()["code"] == "idempotency_key_reused", other
    again = site.post("/api/chat", body, key)
    assert again.body == first.body and again.headers["Idempotency-Replayed"] == "true"
    assert site.upstream.stats()["requests"] == before


@pytest.mark.parametrize("change", CHANGES)
def test_r24_key_of_a_running_answer_belongs_to_one_question(site, change):
    gate, body, key = name("g"), question(), {"Idempotency-Key": name("k")}
    body["message"] = f"fault:gate={gate}@60 {name('p')}"
    stream = site.stream(body, headers=key)
    stream.read_until(b"<content")
    before = site.upstream.stats()["requests"]
    other = site.post("/api/chat", CHANGES[change](body), key)
    assert other.status == 422 and other.json()["code"] == "idempotency_key_reused", other
    assert site.upstream.stats()["requests"] == before
    site.upstream.open_gate(gate)
    assert stream.read_all().endswith(b"</content>")


@pytest.mark.parametrize("change", ["message", "model", "metadata"])
def test_r24_answer_id_belongs_to_one_question(site, change):
    body = {**question(), "responseId": name("a")}
    assert site.post("/api/chat", body).status == 200
    other = site.post("/api/chat", CHANGES[change](body))
    assert other.status == 422 and other.json()["code"] == "idempotency_key_reused", other
    assert len(site.messages(body["thread_id"])) == 2


def test_r24_answer_id_without_a_thread_names_one_thread_and_one_answer(site):
    body = {"message": quick(), "responseId": name("a")}
    first, again = site.post("/api/chat", body), site.post("/api/chat", body)
    assert first.status == again.status == 200 and first.body == again.body
    assert again.headers["X-Thread-Id"] == first.headers["X-Thread-Id"]
    assert again.headers["X-Run-Id"] == first.headers["X-Run-Id"]
    assert calls(site, body["message"]) == 1
    assert [m["role"] for m in site.messages(first.headers["X-Thread-Id"])] == ["user", "assistant"]


def test_r24_twenty_at_once_with_an_answer_id_and_no_thread_are_one(site):
    body = {"message": f"fault:chunks=10;size=30;pace=10 {name('p')}", "responseId": name("a")}
    answers = in_parallel(20, lambda i: with_room(lambda: site.post("/api/chat", body)))
    assert {answer.status for answer in answers} == {200}
    assert len({(a.headers["X-Run-Id"], a.headers["X-Thread-Id"], a.body) for a in answers}) == 1
    assert calls(site, body["message"]) == 1


def test_r24_twenty_threads_at_once_under_one_key_are_one_call(site):
    """One of them is answered, the others are told that the key is taken."""
    key, prompts = {"Idempotency-Key": name("k")}, [quick() for _ in range(20)]
    bodies = [{"thread_id": name("t"), "message": prompt} for prompt in prompts]
    answers = in_parallel(20, lambda i: site.post("/api/chat", bodies[i], key))
    assert {answer.status for answer in answers} <= {200, 422, 503}  # 503: the store has too many visitors at once
    assert sum(calls(site, prompt) for prompt in prompts) == [answer.status for answer in answers].count(200) == 1
    again = [site.post("/api/chat", body, key).status for body in bodies]
    assert sorted(again) == [200] + [422] * 19 and sum(calls(site, prompt) for prompt in prompts) == 1


def test_answer_id_in_another_thread_is_another_answer(site):
    """Clients choose these ids: they are unique within a thread only."""
    answer_id, prompts = name("a"), [quick(), quick()]
    answers = [site.post("/api/chat", {"thread_id": name("t"), "message": prompt, "responseId": answer_id}) for prompt in prompts]
    assert [answer.status for answer in answers] == [200, 200]
    assert [calls(site, prompt) for prompt in prompts] == [1, 1]
