"""Whatever dies, what was seen is kept: workers, the whole service, the store, the power. Rows C3, D1, D2, D15, D16."""
import os
import shutil
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from api import wait_at_gate
from house import in_parallel, is_gone, wait_for
from workers import follow, follow_elsewhere, frozen, owner_of, spool_file


def name(kind):
    return kind + uuid.uuid4().hex[:12]


@pytest.fixture
def own_mongod(own_server):
    return own_server("mongodb")


def hold(site, thread, at=200):
    gate = name("g")
    stream = site.stream({"thread_id": thread, "message": f"fault:gate={gate}@{at}"})
    stream.read_until(b"<content")
    return stream, gate


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV], ids=["SIGKILL", "SIGSEGV"])
def test_D1_D2_answer_of_a_killed_worker_is_saved_by_another(new_site, how):
    site = new_site({"ASAN_OPTIONS": "handle_segv=0"}, workers=2)
    thread = name("t")
    stream, _ = hold(site, thread)
    os.kill(owner_of(site, stream.headers["X-Run-Id"]), how)
    message = site.wait_status(thread, stream.headers["X-Response-Id"], "interrupted")
    stream.read_all()
    assert message["content"].encode().startswith(stream.body) and stream.body
    assert site.chat("and on", thread).status == 200  # the thread is free again
    assert site.get(f"/api/runs/{stream.headers['X-Run-Id']}").json()["status"] == "interrupted"


def test_D1_other_streams_are_unharmed(new_site):
    site = new_site(workers=2)
    held = []
    while len({owner_of(site, stream.headers["X-Run-Id"]) for stream, _ in held}) < 2:  # until both workers have one
        assert len(held) < 200, "one worker takes all"
        first = len(held)
        held += in_parallel(20, lambda i: hold(site, f"t{first + i}"))
    victim = owner_of(site, held[0][0].headers["X-Run-Id"])
    mine = [owner_of(site, stream.headers["X-Run-Id"]) == victim for stream, _ in held]
    os.kill(victim, signal.SIGKILL)
    for (stream, gate), is_dead in zip(held, mine):
        site.upstream.open_gate(gate)
        if not is_dead:
            assert stream.read_all().endswith(b"</content>")


def test_D1_follower_on_another_worker_is_told_when_the_owner_dies(new_site):
    site = new_site(workers=2)
    stream, _ = hold(site, "t1")
    run = stream.headers["X-Run-Id"]
    raw, sse = follow_elsewhere(site, run), follow_elsewhere(site, run, "?stream=sse")
    os.kill(owner_of(site, run), signal.SIGKILL)
    sse.read_all()
    assert [(kind, data["status"]) for kind, data, _ in sse.events()[-1:]] == [("done", "interrupted")]
    message = site.message("t1", stream.headers["X-Response-Id"])
    assert message["status"] == "interrupted"  # saved before any body ended
    assert "".join(data for kind, data, _ in sse.events() if kind == "delta") == message["content"]
    assert raw.read_all().decode() == message["content"]


def test_D1_service_that_was_killed_whole_recovers_at_its_start(new_site):
    site = new_site(workers=2)
    stream, _ = hold(site, "t1")
    pids = [site.c1d.pid, *site.worker_pids()]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    site.c1d.child.wait()
    stream.read_all()
    wait_for(lambda: all(is_gone(pid) for pid in pids), "nobody listens any more")
    site.start()
    message = site.wait_status("t1", stream.headers["X-Response-Id"], "interrupted")
    assert message["content"].encode().startswith(stream.body) and stream.body
    assert follow(site, stream.headers["X-Run-Id"]).read_all() == message["content"].encode()
    assert site.chat("and on", "t1").status == 200


def test_r9_question_whose_worker_died_behind_the_call_is_not_told_to_ask_again_for_ever(new_site):
    """The model has it, and nobody knows what it would have said: that is an end, and the client is told to ask anew."""
    site = new_site(workers=1)
    gate, question = name("g"), {"threadId": "t1", "responseId": "a1"}
    question["prompt"] = {"id": "q1", "role": "user", "content": f"fault:gate_head={gate} {gate}"}
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(site.post, "/api/chat", question)
        wait_at_gate(site, gate)
        os.kill(site.worker_pids()[0], signal.SIGKILL)
        asking.exception()  # whatever the web server makes of it
    wait_for(lambda: b"ask anew" in site.post("/api/chat", question).body, "it is told that this question has failed")
    assert site.post("/api/chat", question).status == 502
    assert site.chat("and on", "t1").status == 200


def test_C3_store_down_when_an_answer_ends(new_site, own_mongod):
    site = new_site({"C1D_STORE": own_mongod.uri("c3"), "C1D_SAVE_WAIT_MS": "2000"}, workers=2)
    stream, gate = hold(site, "t1")
    own_mongod.stop(signal.SIGKILL)
    begun = time.monotonic()
    site.upstream.open_gate(gate)
    assert stream.read_all().endswith(b"</content>")
    assert time.monotonic() - begun > 1.5  # C1D_SAVE_WAIT_MS
    own_mongod.start()
    message = site.wait_status("t1", stream.headers["X-Response-Id"], "complete")
    assert message["content"].encode() == stream.body


def test_r22_readers_on_another_worker_wait_no_longer_for_a_store_that_is_away(new_site, own_mongod):
    """One who reads along, and one who comes when the answer has ended and is not saved yet."""
    site = new_site({"C1D_STORE": own_mongod.uri("c3"), "C1D_SAVE_WAIT_MS": "2000"}, workers=2)
    stream, gate = hold(site, "t1")
    tab = follow_elsewhere(site, stream.headers["X-Run-Id"])
    own_mongod.stop(signal.SIGKILL)
    site.upstream.open_gate(gate)
    assert stream.read_all() == tab.read_all()
    late = follow_elsewhere(site, stream.headers["X-Run-Id"])
    assert late.read_all() == stream.body
    own_mongod.start()
    site.wait_status("t1", stream.headers["X-Response-Id"], "complete")


def test_C3_store_down_when_an_answer_ends_and_still_after_a_restart(new_site, own_mongod):
    site = new_site({"C1D_STORE": own_mongod.uri("c3"), "C1D_SAVE_WAIT_MS": "2000"}, workers=1)
    stream, gate = hold(site, "t1")
    own_mongod.stop(signal.SIGKILL)
    site.upstream.open_gate(gate)
    assert stream.read_all().endswith(b"</content>")
    assert site.c1d.stop() == 0
    site.start()
    assert site.get("/readyz").status == 503
    own_mongod.start()
    message = site.wait_status("t1", stream.headers["X-Response-Id"], "complete")
    assert message["content"].encode() == stream.body


def test_C3_stop_while_the_store_is_away_stops_and_says_what_is_missing(new_site, own_mongod):
    site = new_site({"C1D_STORE": own_mongod.uri("c3"), "C1D_SAVE_WAIT_MS": "2000"}, workers=2)
    stream, _ = hold(site, "t1")
    own_mongod.stop(signal.SIGKILL)
    wait_for(lambda: site.get("/api/threads/t1").status == 503, "the pool knows that the store is away")
    stopped = site.post(f"/api/runs/{stream.headers['X-Run-Id']}/stop")
    assert stopped.status == 503 and stopped.json()["code"] == "storage_unavailable", stopped
    run = site.get(f"/api/runs/{stream.headers['X-Run-Id']}").json()
    assert run["status"] == "stopped" and run["saved"] is False
    own_mongod.start()
    site.wait_status("t1", stream.headers["X-Response-Id"], "stopped")
    wait_for(lambda: site.post(f"/api/runs/{stream.headers['X-Run-Id']}/stop").json()["status"] == "stopped", "its file says so, too")


def test_C3_delete_and_edit_before_the_late_save(new_site, own_mongod):
    """The answers end while the store is away. When it is back, their node stands still, and a user of another node is
    first: the delete is not undone; the edit is refused for now, taken behind the save, and stays."""
    settings = {"C1D_STORE": own_mongod.uri("c3"), "C1D_SAVE_WAIT_MS": "2000"}
    site, other = new_site(settings, workers=1), new_site(settings, workers=1)
    held = {thread: hold(site, thread) for thread in ("edited", "deleted")}
    own_mongod.stop(signal.SIGKILL)
    for stream, gate in held.values():
        site.upstream.open_gate(gate)
        assert stream.read_all().endswith(b"</content>")
    edit = f"/api/threads/edited/messages/{held['edited'][0].headers['X-Response-Id']}"
    with frozen(site.c1d.pid), frozen(site.worker_pids()[0]):
        own_mongod.start()
        wait_for(lambda: other.get("/api/threads/edited").status == 200, "the other node has the store again")
        refused = other.put(edit, {"content": "the user's own"})
        assert refused.status == 409 and refused.headers["Retry-After"] == "1"
        assert other.delete("/api/threads/deleted").status == 200
    wait_for(lambda: site.log_lines("answer not wanted any more"), "the late save came")
    assert site.get("/api/threads/deleted/messages").status == 404
    message = other.wait_status("edited", held["edited"][0].headers["X-Response-Id"], "complete")
    assert message["content"].encode() == held["edited"][0].body
    assert other.put(edit, {"content": "the user's own"}).status == 200


def test_C3_save_that_is_told_twice_undoes_nothing(new_site):
    """As by a saver that never heard the store's answer: in between one answer was edited, one deleted."""
    site = new_site(workers=1)
    spool, kept = site.folder / "state" / "spool", site.folder
    done = {thread: site.chat("hello", thread).headers for thread in ("edited", "deleted")}
    for headers in done.values():
        shutil.copy(spool_file(site, headers["X-Run-Id"]), kept)  # a deleted thread's file goes with it
    edit = f"/api/threads/edited/messages/{done['edited']['X-Response-Id']}"
    assert site.put(edit, {"content": "the user's own"}).status == 200
    assert site.delete("/api/threads/deleted").status == 200
    assert site.c1d.stop() == 0
    for headers in done.values():
        shutil.copy(kept / headers["X-Run-Id"], spool)
        unsave(spool / headers["X-Run-Id"])
    site.start()
    wait_for(lambda: len(site.log_lines("answer of a dead worker taken over")) == 2, "both are taken over")
    wait_for(lambda: len(site.log_lines("answer not wanted any more")) == 2, "both late saves came")
    assert site.message("edited", done["edited"]["X-Response-Id"])["content"] == "the user's own"
    assert site.get("/api/threads/deleted/messages").status == 404


# Where the header's words lie (src/stream/spool_file.h): magic, version, sum, state, saved.
STATE, SAVED, HEADER = 16, 24, 4096


def unsave(path):
    with open(path, "r+b") as file:
        file.seek(SAVED)
        file.write(bytes(8))


def write_state(path, status, length):
    with open(path, "r+b") as file:
        file.seek(STATE)
        file.write((status << 56 | length).to_bytes(8, "little"))
        file.write(bytes(8))


def lose_tails(site):
    """What gathers for the files of the spool (src/stream/spool_tails.h), in place: it is mapped."""
    tails = site.folder / "state" / "spool" / "tails"
    if tails.exists():
        with open(tails, "r+b") as file:
            file.write(bytes(tails.stat().st_size))


@pytest.mark.parametrize("tail", [b"\0" * 3000, "😀".encode()[:3], "ä".encode()[:1] + b"\0" * 10], ids=["holes", "half", "both"])
def test_D15_tail_that_never_reached_the_disk_is_cut(new_site, tail):
    site = new_site(workers=1)
    stream, _ = hold(site, "t1")
    run = stream.headers["X-Run-Id"]
    os.kill(site.c1d.pid, signal.SIGSTOP)  # nobody replaces the worker for now
    os.kill(site.worker_pids()[0], signal.SIGKILL)
    stream.read_all()
    path = site.folder / "state" / "spool" / run
    lose_tails(site)
    whole = path.read_bytes()[HEADER:]
    with open(path, "ab") as file:
        file.write(tail)
    write_state(path, 0, len(whole) + len(tail))
    os.kill(site.c1d.pid, signal.SIGCONT)
    message = site.wait_status("t1", stream.headers["X-Response-Id"], "interrupted")
    assert message["content"].encode() == whole


def test_D15_file_with_a_torn_header_harms_nobody(new_site):
    site = new_site(workers=1)
    spool = site.folder / "state" / "spool"
    (spool / "torn").write_bytes(b"C1DSPOOL" + bytes(100))
    (spool / "empty").write_bytes(b"")
    (spool / "noise").write_bytes(os.urandom(9000))
    assert site.chat("hello", "t1").status == 200
    assert site.get("/api/threads/t1/runs").status == 200
    assert site.get("/api/runs/torn").status in (404, 500)


def test_D16_frozen_owner_keeps_its_run_and_ends_it_itself(new_site, mongod):
    # SQLite's file lock would stand still with it; and a third worker looks sooner than a new one could.
    site = new_site({"C1D_STORE": mongod.uri(name("d16"))}, workers=3)
    stream, gate = hold(site, "t1")
    with frozen(owner_of(site, stream.headers["X-Run-Id"])):
        other, _ = hold(site, "t0")
        orphan = other.headers["X-Run-Id"]
        os.kill(owner_of(site, orphan), signal.SIGKILL)  # a file to be taken over: then the pool has looked at all
        wait_for(lambda: site.log_lines("answer of a dead worker taken over"), "the pool has looked")
    assert [line["run"] for line in site.log_lines("answer of a dead worker taken over")] == [orphan]
    site.upstream.open_gate(gate)
    assert stream.read_all().endswith(b"</content>")
    assert site.message("t1", stream.headers["X-Response-Id"])["status"] == "complete"


def test_D16_owner_that_wakes_up_overwrites_nothing(new_site, mongod):
    """While it stood still its thread was deleted: what it saves afterwards is dropped."""
    site = new_site({"C1D_STORE": mongod.uri(name("d16"))}, workers=2)  # SQLite's file lock would stand still with it
    stream, gate = hold(site, "t1")
    with frozen(owner_of(site, stream.headers["X-Run-Id"])):
        site.upstream.open_gate(gate)
        assert site.delete("/api/threads/t1").status == 200
    stream.read_all()
    wait_for(lambda: site.log_lines("answer not wanted any more"), "its save came late")
    assert site.get("/api/threads/t1/messages").status == 404
    assert site.get(f"/api/runs/{stream.headers['X-Run-Id']}").status == 404
