"""What fails half way is finished: a turn whose claim is held ends like any other, a question that never reached the model may be
asked again under its name, a deletion that was begun is carried through."""
import os
import resource
import signal
import socket
import threading
import uuid
from pathlib import Path

import pytest
from api import problem, wait_at_gate
from house import in_parallel, wait_for
from workers import frozen, owner_of


SPOOL_HEADER = 4096  # bytes of a spool file before its text


def name(kind):
    return kind + uuid.uuid4().hex[:12]


def quick(text=""):
    return f"fault:pace=0{text} {name('p')}"


def calls(site, prompt):
    return site.upstream.stats()["prompts"].get(prompt, {}).get("requests", 0)


def is_ready(site):
    return site.get("/readyz").status == 200


BY = {
    "key": lambda body: (body, {"Idempotency-Key": name("k")}),
    "answer_id": lambda body: ({**body, "responseId": name("a")}, {}),
    "answer_id and no thread": lambda body: ({"message": body["message"], "responseId": name("a")}, {}),
}


@pytest.fixture(params=BY)
def named(request):
    """Makes (body, headers) of a question that a resend names again."""
    return lambda prompt: BY[request.param]({"thread_id": name("t"), "message": prompt})


def post(site, question):
    return site.post("/api/chat", question[0], question[1])


# --- R8: a turn that fails behind its claim is ended by the savers ---
@pytest.fixture
def proxied(new_site, proxy):
    """Makes a site on a store of its own behind the proxy."""
    yield lambda uri=proxy.uri + name("half"), **more: new_site({"C1D_STORE": uri, "C1D_SAVE_WAIT_MS": "500"}, workers=2, **more)
    proxy.heal()


def lose_store_behind_the_pair(site, proxy, thread, answer_id):
    """The store has both messages, nobody hears of it, and it is away for a while."""
    rule = proxy.rule("cut_after", "insert", times=0)
    answer = site.post("/api/chat", {"prompt": {"id": name("q"), "role": "user", "content": quick()}, "threadId": thread,
                                     "responseId": answer_id})
    proxy.wait_rule(rule)
    assert answer.status in (503, 504) and answer.headers["Retry-After"], answer


def check_thread_is_free(site, thread, answer_id):
    message = site.wait_status(thread, answer_id, "error")
    assert message["content"] == ""
    path = f"/api/threads/{thread}/messages/{answer_id}"
    wait_for(lambda: site.put(path, {"content": "edited"}).status == 200, "it is saved and can be edited")
    assert site.chat(quick(), thread).status == 200
    assert [m["status"] for m in site.messages(thread)][-3:] == ["error", "complete", "complete"]


def on_a_thread(site):
    thread, answer_id = name("t"), name("a")
    assert site.chat(quick(), thread).status == 200
    return thread, answer_id


def test_r8_store_lost_behind_the_pair_leaves_an_answer_that_failed(proxied, proxy):
    site = proxied()
    thread, answer_id = on_a_thread(site)
    lose_store_behind_the_pair(site, proxy, thread, answer_id)
    proxy.heal()
    check_thread_is_free(site, thread, answer_id)


def test_r8_the_same_behind_a_restart(proxied, proxy):
    site = proxied()
    thread, answer_id = on_a_thread(site)
    lose_store_behind_the_pair(site, proxy, thread, answer_id)
    proxy.mode("refuse")
    for pid in [site.c1d.pid, *site.worker_pids()]:
        os.kill(pid, signal.SIGKILL)
    site.c1d.child.wait()
    site.start()
    proxy.heal()
    wait_for(lambda: is_ready(site), "the store is there again")
    check_thread_is_free(site, thread, answer_id)


def test_r8_the_same_on_two_nodes(proxied, proxy, mongod):
    database = name("half")
    site, other = proxied(proxy.uri + database), proxied(mongod.uri(database))
    thread, answer_id = on_a_thread(site)
    lose_store_behind_the_pair(site, proxy, thread, answer_id)
    proxy.heal()
    check_thread_is_free(other, thread, answer_id)


# --- R9: what never reached the model may be asked again under its name ---
def answered(site, question, prompt, made=1):
    """It is answered now, by so many calls, and by none more when it is sent once more."""
    def ask():
        answer = post(site, question)
        assert answer.status == 200 or (answer.status in (409, 503) and answer.headers["Retry-After"]), answer
        return answer if answer.status == 200 else None

    answer = wait_for(ask, "it is answered")
    assert answer.body == site.upstream.whole_answer(prompt)
    again = post(site, question)
    assert again.body == answer.body and again.headers["Idempotency-Replayed"] == "true"
    assert calls(site, prompt) == made
    messages = site.messages(answer.headers["X-Thread-Id"])
    assert [(m["role"], m["status"]) for m in messages] == [("user", "complete"), ("assistant", "complete")]


def test_r9_question_refused_for_want_of_room(new_site, named):
    site = new_site({"C1D_RUNS_MAX": "1"}, workers=1)
    gate, prompt = name("g"), quick()
    question = named(prompt)
    held = site.stream({"message": f"fault:gate={gate}@60 hold"})
    held.read_until(b"<content")
    problem(post(site, question), 503, "overloaded")
    site.upstream.open_gate(gate)
    held.read_all()
    answered(site, question, prompt)


@pytest.mark.parametrize("point", ["turn_unnamed", "turn_spooled", "turn_claimed", "turn_saved", "turn_prepared", "run_begun"])
def test_r9_question_whose_worker_died_before_the_model_was_asked(new_site, request, named, point):
    # SQLite has no moment between the claim and the messages.
    settings = {"C1D_STORE": request.getfixturevalue("mongod").uri(name("half"))} if point == "turn_claimed" else {}
    site = new_site(settings, workers=2, start=False)
    crash = Path(site.settings["C1D_STATE_DIR"]) / "crash"
    crash.mkdir(parents=True)
    site.start()
    (crash / point).write_text("")
    prompt = quick()
    question = named(prompt)
    assert post(site, question).status >= 500  # nginx: its worker is gone
    assert not (crash / point).exists(), f"nobody came by {point}; is it a build with crash points?"
    answered(site, question, prompt)


@pytest.mark.parametrize("fault", ["status=429", "status=401", "status=400", "status=429;retry_after=1"])
def test_r9_question_that_the_c1_api_refused(site, named, fault):
    prompt = quick(f";times=1;{fault}")
    question = named(prompt)
    first = post(site, question)
    assert first.status in (429, 502), first
    answered(site, question, prompt, made=2)


def test_r9_question_while_the_c1_api_could_not_be_reached(new_site, scratch, named):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        site = new_site({"THESYS_BASE_URL": f"http://127.0.0.1:{unused.getsockname()[1]}/v1/embed"}, workers=1)
        prompt = quick()
        question = named(prompt)
        assert post(site, question).status == 502
    site.c1d.stop()
    site.settings["THESYS_BASE_URL"] = site.upstream.base_url
    site.start()
    answered(site, question, prompt)


@pytest.mark.parametrize("fault", ["status=500", "cut=40", "stall_before"])
def test_r9_question_that_may_have_reached_the_model_is_not_asked_again(new_site, named, fault):
    site = new_site({"C1D_FIRST_BYTE_MS": "300"}, workers=1)
    prompt = quick(f";times=1;{fault}")
    question = named(prompt)
    first, again = post(site, question), post(site, question)
    assert again.status == first.status and again.body[:40] == first.body[:40], (first, again)
    assert calls(site, prompt) == 1


@pytest.mark.parametrize("room", [SPOOL_HEADER, SPOOL_HEADER // 64])  # none for text; not even for how it ended
def test_r9_question_whose_answer_found_no_room_is_not_to_be_asked_again_for_ever(new_site, named, room):
    """The model was asked, so its name is spent: who comes again, as 503 says, is told to ask anew."""
    site = new_site(workers=1, start=False)
    program, site.program = site.program, str(site.folder / "limited")
    Path(site.program).write_text(f'#!/bin/sh\ntrap "" XFSZ\nexec "{program}" "$@"\n')
    Path(site.program).chmod(0o755)
    site.start()
    gate = name("g")
    question, answers = named(quick(f";gate_head={gate}")), []
    asking = threading.Thread(target=lambda: answers.append(post(site, question)), daemon=True)
    asking.start()
    wait_at_gate(site, gate)
    worker = site.worker_pids()[0]
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    site.upstream.open_gate(gate)
    asking.join(60)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert answers[0].status == 503, answers
    wait_for(lambda: post(site, question).status != 503, "who comes again is told more than to come again")
    problem(post(site, question), 502, "upstream_failed")


def test_r9_store_that_goes_before_the_claim(proxied, proxy, named):
    site = proxied()
    prompt = quick()
    question = named(prompt)
    for action in ("cut_before", "cut_after"):
        for command in ("find", "findAndModify", "update", "insert"):
            proxy.rule(action, command, times=2)
            post(site, question)
            proxy.heal()
            wait_for(lambda: is_ready(site), "the store is there again")
            if calls(site, prompt):
                return answered(site, question, prompt)
    answered(site, question, prompt)


# --- R18: a deletion marks, stops, and then removes ---
def hold(site, thread):
    gate = name("g")
    prompt = f"fault:gate={gate}@60 {name('p')}"
    stream = site.stream({"thread_id": thread, "message": prompt})
    stream.read_until(b"<content")
    return stream, prompt, gate


def wait_closed(site, prompt):
    wait_for(lambda: site.upstream.stats()["prompts"][prompt]["early_closes"] == 1, "the upstream connection is closed")


def kept_files(site, run):
    return list((site.folder / "state" / "spool").rglob(run))


def check_gone(site, thread, stream, prompt):
    run = stream.headers["X-Run-Id"]
    stream.read_all()
    wait_closed(site, prompt)
    assert site.delete(f"/api/threads/{thread}").status == 404
    assert site.get(f"/api/runs/{run}").status == 404
    wait_for(lambda: kept_files(site, run) == [], "its file is gone")
    assert site.post("/api/chat", {"thread_id": thread, "message": "again"}).status == 404


@pytest.mark.parametrize("action", ["cut_before", "stall_before"])
def test_r18_deletion_whose_messages_cannot_be_removed_yet_is_one(proxied, proxy, mongod, action):
    site = proxied(proxy.uri + name("half") + "?socketTimeoutMS=2000")
    thread = name("t")
    stream, prompt, _ = hold(site, thread)
    rule = proxy.rule(action, "delete", times=0)
    assert site.delete(f"/api/threads/{thread}").status == 200
    proxy.wait_rule(rule)
    proxy.heal()
    wait_for(lambda: is_ready(site), "the store is there again")
    check_gone(site, thread, stream, prompt)


def test_r18_mark_that_nobody_heard_of_stops_what_runs_at_the_next_try(proxied, proxy):
    site = proxied()
    thread = name("t")
    stream, prompt, _ = hold(site, thread)
    proxy.commands()
    spare = name("t")
    assert site.chat(quick(), spare).status == 200
    proxy.commands()
    assert site.delete(f"/api/threads/{spare}").status == 200
    asked = proxy.commands()  # among them what a node says of itself now and then, which is an update
    proxy.rule("cut_after", next(command for command in ("findAndModify", "update") if command in asked), times=0)
    assert site.delete(f"/api/threads/{thread}").status in (503, 504)
    proxy.heal()
    wait_for(lambda: is_ready(site), "the store is there again")
    assert site.delete(f"/api/threads/{thread}").status in (200, 404)
    check_gone(site, thread, stream, prompt)


def test_r18_run_of_another_worker_is_stopped(site):
    """More often than chance would let one worker have it."""
    threads = [name("t") for _ in range(8)]
    held = in_parallel(8, lambda i: hold(site, threads[i]))
    owner = owner_of(site, held[0][0].headers["X-Run-Id"])
    mine = [i for i, one in enumerate(held) if owner_of(site, one[0].headers["X-Run-Id"]) == owner]
    with frozen(owner):
        assert site.delete(f"/api/threads/{threads[mine[0]]}").status == 200
    check_gone(site, threads[mine[0]], *held[mine[0]][:2])
    for i in set(range(8)) - {mine[0]}:
        site.upstream.open_gate(held[i][2])
        held[i][0].read_all()


def test_r18_run_of_another_node_is_stopped(new_site, mongod):
    settings = {"C1D_STORE": mongod.uri(name("half"))}
    site, other = new_site(settings, workers=1), new_site(settings, workers=1)
    thread = name("t")
    stream, prompt, _ = hold(site, thread)
    assert other.delete(f"/api/threads/{thread}").status == 200
    check_gone(site, thread, stream, prompt)
    assert other.delete(f"/api/threads/{thread}").status == 404
