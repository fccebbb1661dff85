"""A store that goes away and comes back: who asks is told at once, nothing waits, nothing is spent, and nobody has to restart
anything. Rows C of the faults."""
import signal
import time
import uuid
from pathlib import Path

import pytest
from house import Mongod, MongodMissing, in_parallel, wait_for


@pytest.fixture
def own_mongod(scratch):
    """One that a test may stop."""
    try:
        server = Mongod(scratch / ("mongod-" + uuid.uuid4().hex[:8]))
    except MongodMissing as reason:
        pytest.skip(str(reason))
    if server.process is None or "MONGODB_TEST_URI" in __import__("os").environ:
        pytest.skip("MONGODB_TEST_URI names a server that is not ours to stop")
    yield server
    server.stop()


def timed(job):
    begun = time.monotonic()
    return job(), time.monotonic() - begun


def is_ready(site):
    return site.get("/readyz").status == 200


def test_C1_store_down_at_start(new_site, own_mongod):
    uri = own_mongod.uri
    own_mongod.stop()
    site = new_site({"C1D_STORE": uri + "c1"}, workers=2)
    answer, seconds = timed(lambda: site.get("/api/threads"))
    assert answer.status == 503 and seconds < 1
    assert answer.json()["code"] == "storage_unavailable" and answer.headers["Retry-After"] == "1"
    assert site.get("/livez").status == 200
    assert site.get("/readyz").status == 503
    own_mongod.start()
    _, seconds = timed(lambda: wait_for(lambda: is_ready(site), "ready again"))
    assert seconds < 2 + 1  # its start takes some of it
    assert site.chat("hello", "t1").status == 200


def test_C2_down_between_requests_first_told_in_3_s_others_at_once_and_no_token_spent(new_site, own_mongod):
    site = new_site({"C1D_STORE": own_mongod.uri + "c2"}, workers=2)
    assert site.chat("hello", "t1").status == 200
    spent = site.upstream.stats()["requests"]
    own_mongod.stop(signal.SIGKILL)
    answer, seconds = timed(lambda: site.post("/api/chat", {"thread_id": "t1", "message": "again"}))
    assert answer.status == 503 and seconds < 3, (answer, seconds)
    answers = in_parallel(16, lambda i: timed(lambda: site.get("/api/threads")))
    assert {answer.status for answer, _ in answers} == {503}
    assert max(seconds for _, seconds in answers) < 0.5
    health, seconds = timed(lambda: site.get("/health"))
    assert health.status == 503 and health.json()["status"] == "unhealthy" and seconds < 0.5
    assert health.json()["services"]["database"]["status"] == "down"
    assert site.upstream.stats()["requests"] == spent
    own_mongod.start()
    _, seconds = timed(lambda: wait_for(lambda: is_ready(site), "ready again"))
    assert seconds < 2
    assert site.chat("and now", "t1").status == 200
    assert len(site.messages("t1")) == 4  # the question that was refused left nothing


def test_C4_store_that_hangs_is_given_up(new_site, own_mongod):
    site = new_site({"C1D_STORE": own_mongod.uri + "c4?socketTimeoutMS=800"}, workers=1)
    assert site.post("/api/threads", {"title": "one"}).status == 201
    own_mongod.process.child.send_signal(signal.SIGSTOP)
    try:
        answer, seconds = timed(lambda: site.get("/api/threads"))
        assert answer.status in (503, 504) and seconds < 3, (answer, seconds)
        answer, seconds = timed(lambda: site.get("/livez"))
        assert answer.status == 200 and seconds < 0.5
    finally:
        own_mongod.process.child.send_signal(signal.SIGCONT)
    wait_for(lambda: site.get("/api/threads").status == 200, "works again")


def test_C13_thousand_refused_requests_leave_nothing_behind(new_site, own_mongod):
    site = new_site({"C1D_STORE": own_mongod.uri + "c13"}, workers=1)
    pid = site.worker_pids()[0]

    def descriptors():
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))

    in_parallel(16, lambda i: site.get("/api/threads"))
    before = descriptors()
    own_mongod.stop(signal.SIGKILL)
    statuses = in_parallel(10, lambda i: {site.get("/api/threads").status for _ in range(100)})
    assert set().union(*statuses) == {503}
    own_mongod.start()
    wait_for(lambda: is_ready(site), "ready again")
    in_parallel(16, lambda i: site.get("/api/threads"))
    assert site.worker_pids() == [pid]
    # The pool holds a connection for each thread that ever asked at once: at most 16 and two savers; a leak would be a thousand.
    wait_for(lambda: descriptors() <= before + 20, f"descriptors are about {before} again, not {descriptors()}")


def test_C9_spool_without_room_refuses_turns_and_nothing_else(new_site):
    site = new_site({"C1D_SPOOL_RESERVE": "1000000g"}, workers=1)
    spent = site.upstream.stats()["requests"]
    answer = site.post("/api/chat", {"thread_id": "t1", "message": "hello"})
    assert answer.status == 503 and answer.json()["code"] == "spool_unavailable"
    assert site.upstream.stats()["requests"] == spent
    assert site.post("/api/threads", {"title": "still"}).status == 201


def test_C9_full_spool_ends_a_run_as_interrupted_never_as_complete(new_site):
    # What a file may grow to is limited for this process alone: a write beyond it fails as on a full disk.
    site = new_site(workers=1, start=False)
    program, site.program = site.program, str(site.folder / "limited")
    Path(site.program).write_text(f'#!/bin/sh\ntrap "" XFSZ\nulimit -f 10240\nexec "{program}" "$@"\n')
    Path(site.program).chmod(0o755)
    site.start()
    stream = site.stream({"thread_id": "t1", "message": "fault:endless;size=60000;pace=1"}, "?stream=sse")
    stream.read_all()
    assert stream.events()[-1][1]["status"] == "interrupted"
    assert site.post("/api/threads", {"title": "still"}).status in (201, 500, 503)
