"""Two nodes on one store: what runs on one is known on the other, stopped from there, and never called gone while it lives."""
import uuid

import pytest
from api import stopped
from house import Site, in_parallel, wait_for


def name(kind):
    return kind + uuid.uuid4().hex[:12]


@pytest.fixture(scope="module")
def nodes(scratch, upstream, mongod):
    settings = {"C1D_STORE": mongod.uri(name("nodes"))}
    houses = [Site(scratch, upstream, settings, workers=1) for _ in range(2)]
    yield houses
    for house in houses:
        house.stop()


@pytest.fixture
def held(nodes):
    """An answer of the first node that stands still: (thread, its stream, its gate)."""
    thread, gate = name("t"), name("g")
    stream = nodes[0].stream({"thread_id": thread, "message": f"fault:gate={gate}@60 {name('p')}"}, "?stream=sse")
    stream.read_until(b"delta")
    yield thread, stream, gate
    nodes[0].upstream.open_gate(gate)
    stream.close()


def link_of(answer):
    assert answer.headers["Link"] and answer.headers["Retry-After"] == "1", dict(answer.headers)
    return answer.headers["Link"].split(">")[0][1:]


def test_r27_run_of_another_node_is_told_as_the_store_knows_it(nodes, held):
    thread, stream, gate = held
    run = stream.headers["X-Run-Id"]
    answer = nodes[1].get(f"/api/runs/{run}")
    assert answer.status == 200, answer
    told = answer.json()
    assert (told["id"], told["thread_id"], told["message_id"]) == (run, thread, stream.headers["X-Response-Id"])
    assert told["status"] == "streaming" and told["ended_at"] is None
    assert [listed["id"] for listed in nodes[1].get(f"/api/threads/{thread}/runs").json()] == [run]
    nodes[0].upstream.open_gate(gate)
    stream.read_all()
    assert nodes[1].get(f"/api/runs/{run}").json()["status"] == "complete"


def test_r27_stream_of_another_node_is_not_called_gone_while_it_runs(nodes, held):
    thread, stream, gate = held
    path = f"/api/runs/{stream.headers['X-Run-Id']}/stream"
    answer = nodes[1].get(path)
    assert answer.status == 409 and answer.json()["code"] == "run_elsewhere", answer
    messages = nodes[1].get(link_of(answer))
    assert messages.status == 200 and messages.json()[-1]["id"] == stream.headers["X-Response-Id"]
    nodes[0].upstream.open_gate(gate)
    stream.read_all()
    assert nodes[1].get(path).status == 410


def test_r27_question_on_a_thread_that_another_node_answers_is_told_what_works(nodes, held):
    thread, stream, gate = held
    answer = nodes[1].post("/api/chat", {"thread_id": thread, "message": "and another"})
    assert answer.status == 409 and answer.json()["code"] == "run_active", answer
    assert nodes[1].get(link_of(answer)).status == 200
    nodes[0].upstream.open_gate(gate)
    stream.read_all()
    assert nodes[1].chat("and another", thread).status == 200


def test_r27_resend_to_another_node_never_asks_twice(nodes):
    gate, thread, answer_id = name("g"), name("t"), name("a")
    body = {"thread_id": thread, "message": f"fault:gate={gate}@60 {name('p')}", "responseId": answer_id}
    stream = nodes[0].stream(body)
    stream.read_until(b"<content")
    answer = nodes[1].post("/api/chat", body)
    assert answer.status == 409 and nodes[1].get(link_of(answer)).status == 200
    nodes[0].upstream.open_gate(gate)
    whole = stream.read_all()
    again = nodes[1].post("/api/chat", body)
    assert again.body == whole and again.headers["Idempotency-Replayed"] == "true"
    assert nodes[0].upstream.stats()["prompts"][body["message"]]["requests"] == 1


def test_r27_stop_from_another_node(nodes, held):
    thread, stream, _ = held
    answer = stopped(nodes[1], stream.headers["X-Run-Id"])
    assert answer.status == 200 and answer.json()["status"] == "stopped", answer
    message = nodes[1].message(thread, stream.headers["X-Response-Id"])
    assert message["status"] == "stopped"
    stream.read_all()
    assert stream.events()[-1][1]["status"] == "stopped"
    assert stopped(nodes[1], stream.headers["X-Run-Id"]).json() == answer.json()
    assert nodes[1].chat("and on", thread).status == 200


def test_r27_many_stops_from_both_nodes(nodes):
    def hold(i):
        stream = nodes[0].stream({"thread_id": name("t"), "message": f"fault:stall_at=60 {name('p')}"})
        stream.read_until(b"<content")
        return stream

    held = in_parallel(6, hold)
    answers = in_parallel(12, lambda i: stopped(nodes[i % 2], held[i // 2].headers["X-Run-Id"]))
    assert {(answer.status, answer.json()["status"]) for answer in answers} == {(200, "stopped")}


def test_r27_stop_of_a_run_that_never_was(nodes):
    for node in nodes:
        answer = node.post(f"/api/runs/{name('r')}-deadbeef/stop")
        assert answer.status == 404 and answer.json()["code"] == "not_found" and "run" in answer.json()["detail"]


def test_r27_recovery_that_fails_says_so_once_and_goes_on(new_site, proxy):
    site = new_site({"C1D_STORE": proxy.uri + name("nodes")}, workers=1)
    try:
        rule = proxy.rule("error", "findAndModify", times=0, code=13)
        proxy.wait_rule(rule, 2)
        lines = wait_for(lambda: site.log_lines("node duty failed; it is tried again"), "it is told")
        assert len(lines) == 1 and lines[0]["duty"] in ("beat", "recovery", "sweep")
        assert lines[0]["error"] == "storage_failed" and lines[0]["detail"]
    finally:
        proxy.heal()
    proxy.commands()
    proxy.wait_command("findAndModify")
    assert site.chat("hello", name("t")).status == 200


@pytest.mark.parametrize("fault,command", [("cut_after", "findAndModify"), ("cut_before", "update")])
def test_r27_run_ends_when_the_deletion_of_its_thread_was_cut(scratch, upstream, mongod, proxy, fault, command):
    """The mark is set and its node never hears of it, or cannot say that the run is to stop: which is on the other node."""
    place = name("cut")
    nodes = [Site(scratch, upstream, {"C1D_STORE": uri}, workers=1) for uri in (mongod.uri(place), proxy.uri + place)]
    try:
        answer = None
        while answer is None or (fault == "cut_after" and answer.status == 200):  # what was cut was a duty's
            thread = name("t")
            stream = nodes[0].stream({"thread_id": thread, "message": f"fault:gate={name('g')}@60 {name('p')}"}, "?stream=sse")
            stream.read_until(b"delta")
            proxy.rule(fault, command)
            answer = nodes[1].delete(f"/api/threads/{thread}")
            proxy.heal()
            stream.read_all()
            assert stream.events()[-1][1]["status"] == "stopped"
        assert answer.status == (503 if fault == "cut_after" else 200), answer
        wait_for(lambda: nodes[1].get("/readyz").status == 200, "its store is there again")
        assert nodes[1].delete(f"/api/threads/{thread}").status == 404
    finally:
        proxy.heal()
        for node in nodes:
            node.stop()
