"""Runs are shared out: no worker carries much more than another, and none refuses what another has room for."""
import os
import resource
import signal
import uuid
from collections import Counter

import pytest
from house import in_parallel, wait_for
from workers import frozen, is_stopped

RUNS = 200


@pytest.fixture(autouse=True)
def descriptors():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))


def one_by_one(count, job):
    return [job(n) for n in range(count)]


def held_runs(site, count, how):
    """Starts runs that stay until their gate is opened; (streams, gate). Where the store says that it has enough to do
    with the others, a client comes again."""
    gate = "g" + uuid.uuid4().hex[:8]

    def start(n):
        while True:
            stream = site.stream({"thread_id": f"t{n}", "message": f"fault:chunks=3;size=40;pace=0;gate={gate}@40 {n}"})
            if stream.status != 503 or b"The store is busy" not in stream.read_all():
                return stream

    return how(count, start), gate


def let_them_end(site, streams, gate):
    site.upstream.open_gate(gate)
    for stream in streams:
        assert stream.read_all().endswith(b"</content>")
        stream.close()


def runs_by_worker(site, count):
    """How many runs each worker had, as its log lines tell."""
    ended = wait_for(lambda: len(site.log_lines("run ended")) >= count and site.log_lines("run ended"), "all ended")
    return Counter(line["pid"] for line in ended)


@pytest.mark.parametrize("how", [one_by_one, in_parallel])
@pytest.mark.parametrize("workers", [2, 4])
def test_r5_no_worker_carries_more_than_1_3_times_the_mean(new_site, workers, how):
    site = new_site({"C1D_FIRST_BYTE_MS": "60000", "C1D_IDLE_MS": "120000"}, workers=workers)
    streams, gate = held_runs(site, RUNS, how)
    assert {stream.status for stream in streams} == {200}
    let_them_end(site, streams, gate)
    runs = runs_by_worker(site, RUNS)
    print(f"{workers} workers, {how.__name__}: {sorted(runs.values())}")
    assert len(runs) == workers and sum(runs.values()) == RUNS
    assert max(runs.values()) <= 1.3 * RUNS / workers


@pytest.mark.parametrize("how", [one_by_one, in_parallel])
def test_r5_worker_with_room_goes_before_a_503(new_site, how):
    site = new_site({"C1D_RUNS_MAX": "20", "C1D_FIRST_BYTE_MS": "60000", "C1D_IDLE_MS": "120000"}, workers=3)
    streams, gate = held_runs(site, 60, how)
    assert [stream.status for stream in streams] == [200] * 60, [s.body for s in streams if s.status != 200]
    more = []
    while not more or more[-1].status == 200:  # counts run a moment behind, so a few more may get in
        more += held_runs(site, 1, one_by_one)[0]
    assert more[-1].headers["Retry-After"] and len(more) <= 16
    let_them_end(site, streams, gate)
    assert max(runs_by_worker(site, 60).values()) < 20 + 16
    for stream in more:
        stream.close()


def test_r5_what_was_handed_to_a_worker_that_stands_still_is_served_by_another(new_site):
    """It has less and less to do, so it is handed connections, until its beat is seen to be late."""
    site = new_site({"C1D_FIRST_BYTE_MS": "60000", "C1D_IDLE_MS": "120000"}, workers=2)
    one, other = site.worker_pids()
    with frozen(one):
        streams, gate = held_runs(site, 12, in_parallel)
        assert {stream.status for stream in streams} == {200}
    let_them_end(site, streams, gate)
    assert runs_by_worker(site, 12) == {other: 12}


def test_r5_connection_that_woke_a_worker_that_stands_still_is_served_by_another(new_site):
    site = new_site(workers=2)
    one = site.worker_pids()[0]
    with frozen(one):
        for _ in range(6):
            assert site.get("/livez").status == 200
            assert one in site.worker_pids()  # not only when it was missed and replaced


def test_r5_connections_in_the_inbox_of_a_worker_that_dies_are_answered(new_site):
    site = new_site({"C1D_THREADS": "4"}, workers=2)
    streams, gate = held_runs(site, 20, one_by_one)
    victim = site.worker_pids()[0]
    os.kill(victim, signal.SIGSTOP)
    wait_for(lambda: is_stopped(victim), "the worker stands still")
    answers = []
    wait = in_parallel_later(40, lambda n: answers.append(site.get("/livez").status))
    os.kill(victim, signal.SIGKILL)
    wait()
    assert answers == [200] * 40
    wait_for(lambda: len(site.log_lines("worker ready")) == 3, "it is replaced")
    site.upstream.open_gate(gate)
    for stream in streams:
        stream.read_all()
        stream.close()


def in_parallel_later(count, job):
    """Starts the jobs and gives a function that waits for all of them."""
    import threading

    threads = [threading.Thread(target=job, args=(n,), daemon=True) for n in range(count)]
    for thread in threads:
        thread.start()

    def wait():
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
    return wait
