"""Whatever dies, what was seen is kept: workers, the whole service, the store, the power. Rows C3, D1, D2, D15, D16."""
import os
import signal
import time
import uuid

import pytest
from house import Mongod, MongodMissing, in_parallel, wait_for


def name(kind):
    return kind + uuid.uuid4().hex[:12]


@pytest.fixture
def own_mongod(scratch):
    """One that a test may stop."""
    if "MONGODB_TEST_URI" in os.environ:
        pytest.skip("MONGODB_TEST_URI names a server that is not ours to stop")
    try:
        server = Mongod(scratch / name("mongod-"))
    except MongodMissing as reason:
        pytest.skip(str(reason))
    yield server
    server.stop()


def hold(site, thread, at=200):
    gate = name("g")
    stream = site.stream({"thread_id": thread, "message": f"fault:gate={gate}@{at}"})
    stream.read_until(b"<content")
    return stream, gate


def owner_of(site, run):
    """The worker that holds the file's lock: /proc/locks does not tell for OFD locks, so whoever has it open for writing."""
    for pid in site.worker_pids():
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                if os.readlink(f"/proc/{pid}/fd/{fd}").endswith(run):
                    return pid
            except OSError:
                pass
    raise AssertionError(f"nobody has {run} open")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV], ids=["SIGKILL", "SIGSEGV"])
def test_D1_D2_answer_of_a_killed_worker_is_saved_by_another_within_5_s(new_site, how):
    site = new_site({"ASAN_OPTIONS": "handle_segv=0"}, workers=2)
    thread = name("t")
    stream, _ = hold(site, thread)
    os.kill(owner_of(site, stream.headers["X-Run-Id"]), how)
    begun = time.monotonic()
    message = site.wait_status(thread, stream.headers["X-Response-Id"], "interrupted")
    assert time.monotonic() - begun < 5
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


def test_follower_on_another_worker_is_told_when_the_owner_dies(new_site):
    from house import Stream
    site = new_site(workers=2)
    stream, _ = hold(site, "t1")
    run = stream.headers["X-Run-Id"]
    owner = owner_of(site, run)
    # Followers of both workers: those that the owner has die with it, the others see `done`.
    followers = [Stream(site.host, site.port, "GET", f"/api/runs/{run}/stream?stream=sse", None, {}) for _ in range(12)]
    for follower in followers:
        follower.read_until(b"event: delta")
    os.kill(owner, signal.SIGKILL)
    ends = []
    for follower in followers:
        follower.read_all()
        ends.append(follower.events()[-1])
    for kind, data, _ in ends:
        assert kind == "delta" or (kind == "done" and data["status"] == "interrupted")


def test_D1_service_that_was_killed_whole_recovers_at_its_start(new_site):
    site = new_site(workers=2)
    stream, _ = hold(site, "t1")
    pids = [site.c1d.pid, *site.worker_pids()]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    site.c1d.child.wait()
    stream.read_all()
    site.start()
    message = site.wait_status("t1", stream.headers["X-Response-Id"], "interrupted")
    assert message["content"].encode().startswith(stream.body) and stream.body


def test_C3_store_down_when_an_answer_ends(new_site, own_mongod):
    site = new_site({"C1D_STORE": own_mongod.uri + "c3"}, workers=2)
    stream, gate = hold(site, "t1")
    own_mongod.stop(signal.SIGKILL)
    begun = time.monotonic()
    site.upstream.open_gate(gate)
    assert stream.read_all().endswith(b"</content>")
    assert 1.5 < time.monotonic() - begun < 6  # C1D_SAVE_WAIT_MS, 2,000
    own_mongod.start()
    begun = time.monotonic()
    message = site.wait_status("t1", stream.headers["X-Response-Id"], "complete")
    assert time.monotonic() - begun < 3
    assert message["content"].encode() == stream.body


def test_C3_store_down_when_an_answer_ends_and_still_after_a_restart(new_site, own_mongod):
    site = new_site({"C1D_STORE": own_mongod.uri + "c3"}, workers=1)
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


def test_C3_edit_and_delete_in_between_are_not_undone(new_site, own_mongod):
    """The answers end while the store is away; when it is back, one is edited and one deleted before their saves come through:
    the saves are slow on purpose (a second outage), so this order is certain."""
    site = new_site({"C1D_STORE": own_mongod.uri + "c3"}, workers=1)
    held = {thread: hold(site, thread) for thread in ("edited", "deleted")}
    for stream, gate in held.values():
        site.upstream.open_gate(gate)
        stream.read_all()
    edit = f"/api/threads/edited/messages/{held['edited'][0].headers['X-Response-Id']}"
    assert site.put(edit, {"content": "the user's own"}).status == 200
    assert site.delete("/api/threads/deleted").status == 200
    # The same ends told once more, as a saver does that never heard the store's answer.
    spool = site.folder / "state" / "spool"
    assert site.c1d.stop() == 0
    for stream, _ in held.values():
        path = spool / stream.headers["X-Run-Id"]
        if path.exists():  # a deleted thread's is gone
            unsave(path)
    site.start()
    wait_for(lambda: site.log_lines("answer of a dead worker taken over"), "the file is taken over")
    wait_for(lambda: site.log_lines("answer not wanted any more"), "the late save came")
    assert site.message("edited", held["edited"][0].headers["X-Response-Id"])["content"] == "the user's own"
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


@pytest.mark.parametrize("tail", [b"\0" * 3000, "😀".encode()[:3], "ä".encode()[:1] + b"\0" * 10], ids=["holes", "half", "both"])
def test_D15_tail_that_never_reached_the_disk_is_cut(new_site, tail):
    site = new_site(workers=1)
    stream, _ = hold(site, "t1")
    run = stream.headers["X-Run-Id"]
    os.kill(site.c1d.pid, signal.SIGSTOP)  # nobody replaces the worker for now
    os.kill(site.worker_pids()[0], signal.SIGKILL)
    stream.read_all()
    path = site.folder / "state" / "spool" / run
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


def test_D16_frozen_owner_that_wakes_up_overwrites_nothing(new_site):
    """Its file is still locked, so nobody took it over; it ends its run itself, once."""
    site = new_site(workers=2)
    stream, gate = hold(site, "t1")
    owner = owner_of(site, stream.headers["X-Run-Id"])
    os.kill(owner, signal.SIGSTOP)
    try:
        time.sleep(3)  # longer than the pool's look for unowned files
        assert not site.log_lines("answer of a dead worker taken over")
    finally:
        os.kill(owner, signal.SIGCONT)
    site.upstream.open_gate(gate)
    assert stream.read_all().endswith(b"</content>")
    assert site.message("t1", stream.headers["X-Response-Id"])["status"] == "complete"
