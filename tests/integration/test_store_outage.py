"""A store that goes away and comes back: who asks is told at once, nothing waits, nothing is spent, and nobody has to restart
anything. Rows C of the faults."""
import contextlib
import resource
import signal
import subprocess
from pathlib import Path

import pytest
from house import in_parallel, wait_for


@pytest.fixture
def own_mongod(own_server):
    return own_server("mongodb")


def stands_still(pid):
    try:
        return all("\nState:\tT" in task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/status"))
    except OSError:
        return False  # a thread that still ran ended in between


def is_ready(site):
    return site.get("/readyz").status == 200


def test_C1_store_down_at_start(new_site, own_mongod):
    own_mongod.stop()
    site = new_site({"C1D_STORE": own_mongod.uri("c1")}, workers=2)
    answer = site.get("/api/threads")
    assert answer.status == 503
    assert answer.json()["code"] == "storage_unavailable" and answer.headers["Retry-After"] == "1"
    assert site.get("/livez").status == 200
    assert site.get("/readyz").status == 503
    own_mongod.start()
    wait_for(lambda: is_ready(site), "ready again")
    assert site.chat("hello", "t1").status == 200


def test_C2_down_between_requests_no_token_spent(new_site, own_mongod):
    site = new_site({"C1D_STORE": own_mongod.uri("c2")}, workers=2)
    assert site.chat("hello", "t1").status == 200
    spent = site.upstream.stats()["requests"]
    own_mongod.stop(signal.SIGKILL)
    answer = site.post("/api/chat", {"thread_id": "t1", "message": "again"})
    assert answer.status == 503, answer
    assert set(in_parallel(16, lambda i: site.get("/api/threads").status)) == {503}
    health = site.get("/health")
    assert health.status == 503 and health.json()["status"] == "unhealthy"
    assert health.json()["services"]["database"]["status"] == "down"
    assert site.upstream.stats()["requests"] == spent
    own_mongod.start()
    wait_for(lambda: is_ready(site), "ready again")
    assert site.chat("and now", "t1").status == 200
    assert len(site.messages("t1")) == 4  # the question that was refused left nothing


def test_C2_who_comes_while_it_is_known_to_be_away_never_asks_it(new_site, proxy):
    """The first one finds it out; from then on only the pool's own look speaks to the store until it is back."""
    site = new_site({"C1D_STORE": proxy.uri + "c2"}, workers=2)
    assert site.chat("hello", "t1").status == 200
    proxy.mode("hang")
    assert site.get("/api/threads").status in (503, 504)
    wait_for(lambda: site.get("/readyz").status == 503, "it is known")
    proxy.commands()
    assert set(in_parallel(16, lambda i: site.get("/api/threads/t1/messages").status)) == {503}
    assert set(proxy.commands()) <= {"ping"}
    proxy.heal()
    wait_for(lambda: is_ready(site), "ready again")
    assert len(site.messages("t1")) == 2


def test_C4_store_that_hangs_is_given_up(new_site, own_mongod):
    site = new_site({"C1D_STORE": own_mongod.uri("c4?socketTimeoutMS=800")}, workers=1)
    # A server that is new, on a busy machine, may not have that answered in so short a time.
    wait_for(lambda: site.post("/api/threads", {"title": "one"}).status == 201, "a thread is made")
    own_mongod.process.child.send_signal(signal.SIGSTOP)
    wait_for(lambda: stands_still(own_mongod.process.pid), "all its threads stand still")
    try:
        assert site.get("/api/threads").status in (503, 504)
        assert site.get("/livez").status == 200  # while it still hangs
    finally:
        own_mongod.process.child.send_signal(signal.SIGCONT)
    wait_for(lambda: site.get("/api/threads").status == 200, "works again")


def test_C13_thousand_refused_requests_leave_nothing_behind(new_site, own_mongod):
    site = new_site({"C1D_STORE": own_mongod.uri("c13")}, workers=1)
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
    # What a file of the worker may grow to is limited: a write beyond it fails as on a full disk.
    site = new_site({"C1D_SAVE_WAIT_MS": "2000"}, workers=1, start=False)  # nothing saves it
    program, site.program = site.program, str(site.folder / "limited")
    Path(site.program).write_text(f'#!/bin/sh\ntrap "" XFSZ\nexec "{program}" "$@"\n')
    Path(site.program).chmod(0o755)
    site.start()
    resource.prlimit(site.worker_pids()[0], resource.RLIMIT_FSIZE, (5 << 20, resource.RLIM_INFINITY))
    stream = site.stream({"thread_id": "t1", "message": "fault:endless;size=60000;pace=1"}, "?stream=sse")
    stream.read_all()
    assert stream.events()[-1][1]["status"] == "interrupted"
    assert site.post("/api/threads", {"title": "still"}).status in (201, 500, 503)


def test_r36_full_disk_is_told_reading_goes_on_and_health_says_so(new_site, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=777", "c1d-test", str(disk)], check=False).returncode:
        pytest.skip("no right to mount a small file system")
    try:
        site = new_site({"C1D_STORE": f"sqlite:{disk}/c1d.db"}, workers=1)
        assert site.post("/api/threads", {"title": "before"}).status == 201
        with open(disk / "ballast", "wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while ballast.write(bytes(4096)):
                pass
        answer = None

        def is_full():  # what lies in the file already still takes a few
            nonlocal answer
            answer = site.post("/api/threads", {"title": "while"})
            return answer.status != 201

        wait_for(is_full, "the disk is full")
        assert answer.status == 503 and answer.json()["code"] == "storage_full" and answer.headers["Retry-After"]
        assert [thread["title"] for thread in site.get("/api/threads").json()][-1] == "before"
        health = site.get("/health")
        assert health.status == 503 and health.json()["services"]["database"]["status"] == "full"
        (disk / "ballast").unlink()
        wait_for(lambda: site.get("/health").status == 200, "there is room again")
        assert site.post("/api/threads", {"title": "after"}).status == 201
        site.stop()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)
