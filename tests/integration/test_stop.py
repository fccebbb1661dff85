"""Stop stops the model, from any worker, and says so when the text is saved; a question on a busy thread is told or goes first."""
import threading
import uuid

from api import stopped
from house import in_parallel, wait_for
from workers import follow_elsewhere, frozen, owner_of


def name(kind):
    return kind + uuid.uuid4().hex[:12]


def hold(site, thread, query="", **more):
    """A stream that stands still after its first bytes: (stream, its prompt)."""
    prompt = f"fault:stall_at=60 {name('p')}"
    stream = site.stream({"thread_id": thread, "message": prompt, **more}, query)
    stream.read_until(b"<content")
    return stream, prompt


def closed_early(site, prompt):
    return site.upstream.ask("GET", "/stats")["prompts"].get(prompt, {}).get("early_closes", 0)


def test_stop_keeps_what_there_is_and_closes_the_upstream(site):
    thread = name("t")
    stream, prompt = hold(site, thread, "?stream=sse")
    run, answer_id = stream.headers["X-Run-Id"], stream.headers["X-Response-Id"]
    told = stopped(site, run)
    assert told.status == 200
    body = told.json()
    assert body["status"] == "stopped" and body["upstream_closed"] is True
    message = site.message(thread, answer_id)  # saved by then, not later
    assert message["status"] == "stopped" and len(message["content"].encode()) == body["bytes"] >= 10
    stream.read_all()
    events = stream.events()
    assert events[-1][0] == "done" and events[-1][1]["status"] == "stopped"
    assert "".join(data for kind, data, _ in events if kind == "delta") == message["content"]
    wait_for(lambda: closed_early(site, prompt) == 1, "the upstream saw it")
    again = site.post(f"/api/runs/{run}/stop")
    assert again.status == 200 and again.json() == body


def test_stop_asked_of_another_worker(site):
    """Its owner stands still while the other worker takes the request, and obeys as soon as it can."""
    thread = name("t")
    stream, prompt = hold(site, thread)
    run = stream.headers["X-Run-Id"]
    asked = []
    with frozen(owner_of(site, run)):
        asker = threading.Thread(target=lambda: asked.append(stopped(site, run)))
        asker.start()
        wish = site.folder / "state" / "spool" / "stop" / run
        wait_for(wish.exists, "the wish is there")
        assert not asked  # not answered before it is true
    asker.join()
    assert asked[0].status == 200 and asked[0].json()["status"] == "stopped"
    assert site.message(thread, stream.headers["X-Response-Id"])["content"].encode() == stream.read_all()
    wait_for(lambda: closed_early(site, prompt) == 1, "the upstream saw it")
    assert not wish.exists()


def test_reader_on_another_worker_is_told_of_the_stop(site):
    stream, _ = hold(site, name("t"))
    run = stream.headers["X-Run-Id"]
    tab = follow_elsewhere(site, run, "?stream=sse")
    assert stopped(site, run).status == 200
    tab.read_all()
    assert tab.events()[-1][0] == "done" and tab.events()[-1][1]["status"] == "stopped"


def test_many_stops_at_once(site):
    """Twenty streams, each stopped by two clients at the same time: the same word for both."""
    threads = [name("t") for _ in range(20)]
    held = in_parallel(20, lambda i: hold(site, threads[i]))
    results = in_parallel(40, lambda i: stopped(site, held[i % 20][0].headers["X-Run-Id"]))
    assert {r.status for r in results} == {200} and {r.json()["status"] for r in results} == {"stopped"}
    for i, (stream, prompt) in enumerate(held):
        assert results[i].json() == results[i + 20].json()
        message = site.message(threads[i], stream.headers["X-Response-Id"])
        assert message["status"] == "stopped" and message["content"].encode() == stream.read_all()
        wait_for(lambda p=prompt: closed_early(site, p) == 1, "the upstream saw it")


def test_stop_of_a_finished_answer_says_how_it_ended(site):
    answer = site.chat("hello", name("t"))
    told = stopped(site, answer.headers["X-Run-Id"])
    assert told.status == 200 and told.json()["status"] == "complete"


def test_deleting_a_thread_stops_its_answer(site):
    thread = name("t")
    stream, prompt = hold(site, thread)
    assert site.delete(f"/api/threads/{thread}").status == 200
    stream.read_all()
    wait_for(lambda: closed_early(site, prompt) == 1, "the upstream saw it")
    assert site.get(f"/api/threads/{thread}/messages").status == 404
    assert site.post("/api/chat", {"thread_id": thread, "message": "again"}).status == 404


def test_question_on_a_thread_whose_answer_is_followed_is_told_where(site):
    thread = name("t")
    stream, _ = hold(site, thread)
    answer = site.post("/api/chat", {"thread_id": thread, "message": "and another"})
    run = stream.headers["X-Run-Id"]
    assert answer.status == 409 and answer.json()["code"] == "run_active"
    assert f"</api/runs/{run}/stream>" in answer.headers["Link"]
    assert stopped(site, run).status == 200
    assert site.chat("and another", thread).status == 200
    stream.close()


def test_reader_on_another_worker_keeps_the_thread_busy(site):
    thread = name("t")
    stream, _ = hold(site, thread)
    run = stream.headers["X-Run-Id"]
    tab = follow_elsewhere(site, run)
    stream.close()
    wait_for(lambda: any(line.get("run") == run for line in site.log_lines("request")), "the leaving is noticed")
    assert site.post("/api/chat", {"thread_id": thread, "message": "and another"}).json()["code"] == "run_active"
    tab.close()
    assert stopped(site, run).status == 200


def test_question_on_a_thread_whose_answer_nobody_follows_goes_first(site):
    """The stock client's stop button only goes away."""
    thread = name("t")
    stream, prompt = hold(site, thread)
    stream.close()

    def ask():
        answer = site.chat("the next", thread)
        return answer if answer.status == 200 else None

    answer = wait_for(ask, "the next question is taken")  # 409 until the leaving was noticed
    assert answer.body.endswith(b"</content>")
    messages = site.messages(thread)
    assert [(m["role"], m["status"]) for m in messages] == [("user", "complete"), ("assistant", "stopped"),
                                                          ("user", "complete"), ("assistant", "complete")]
    wait_for(lambda: closed_early(site, prompt) == 1, "the upstream saw it")
