"""The main job on each of the stores that store_kind leaves out, and what becomes of requests when their server is away, hangs, or
is cut off: rows C through nginx, one house a store behind a proxy. What each call does at each of its moments is the contract's
(store_wire_test); what a store alone can suffer is in its own module."""
import uuid
from pathlib import Path

import pytest
from browsers import Browser
from house import Site, StoreProxy, in_parallel, wait_for
from servers import STORES
from test_store_faults import AddMessage, Ask, again_until_done, commands_of

KINDS = [kind for kind in STORES if kind not in ("sqlite", "mongodb", "mongodb-java")]
pytestmark = pytest.mark.xdist_group("store_faults_each")  # each server is started once


def name(kind):
    return kind + uuid.uuid4().hex[:12]


@pytest.fixture(params=KINDS, scope="module")
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def proxy(kind, scratch, server_of):
    between = StoreProxy(scratch / "proxies", server_of(kind).wire)
    yield between
    between.stop()


@pytest.fixture(scope="module")
def behind(kind, proxy, scratch, upstream, server_of):
    """A house whose store can be hurt."""
    settings = server_of(kind).settings("behind", proxy.address)
    house = Site(scratch, upstream, {**settings, "C1D_SAVE_WAIT_MS": "500"}, workers=1)
    yield house
    house.stop()


@pytest.fixture
def site(behind, proxy):
    yield behind
    proxy.heal()
    wait_ready(behind)


def wait_ready(site):
    wait_for(lambda: site.get("/readyz").status == 200, "the store is there again", 60)


def unavailable(answer):
    assert answer.status == 503 and answer.json()["code"] == "storage_unavailable", answer
    assert answer.headers["Retry-After"]


# --- the main job ---
def test_f2_the_main_job_from_end_to_end_for_two_users(kind, scratch, upstream, server_of):
    """Made, asked, read again, stopped, edited, searched and deleted, each by whose it is alone."""
    house = Site(scratch, upstream, {**server_of(kind).settings("main"), "C1D_AUTH": "visitor"})
    try:
        ada, bob = Browser(house), Browser(house)
        thread = ada.post("/api/threads", {"title": "Ada's own"}).json()["id"]
        path = f"/api/threads/{thread}"
        whole = ada.chat("fault:pace=0 hello", thread)
        assert whole.status == 200 and whole.body.endswith(b"</content>")
        again = ada.get(f"/api/runs/{whole.headers['X-Run-Id']}/stream?offset=20")
        assert again.body == whole.body[20:]
        held = ada.stream(f"fault:gate={name('g')}@60 never", thread, "?stream=sse")
        held.read_until(b"delta")
        stopped = ada.post(f"/api/runs/{held.headers['X-Run-Id']}/stop")
        assert stopped.status == 200 and stopped.json()["status"] == "stopped", stopped
        held.read_all()
        edited = ada.request("PUT", f"{path}/messages/{whole.headers['X-Response-Id']}", {"content": "edited"})
        assert edited.status == 200, edited
        told = [(message["role"], message["status"]) for message in ada.get(f"{path}/messages").json()]
        assert told == [("user", "complete"), ("assistant", "complete"), ("user", "complete"), ("assistant", "stopped")]
        assert ada.get(f"{path}/messages").json()[1]["content"] == "edited"
        assert [found["id"] for found in ada.get("/api/threads?q=ADA%27S").json()] == [thread]
        assert bob.get(path).status == 403 and bob.get("/api/threads").json() == []
        assert bob.request("DELETE", path).status == 403
        assert ada.request("DELETE", path).status == 200
        assert ada.get(path).status == 404 and ada.get("/api/threads").json() == []
    finally:
        house.stop()


# --- away ---
def test_c1_store_that_is_down_at_the_start(kind, proxy, new_site, server_of):
    proxy.mode("refuse")
    site = new_site(server_of(kind).settings("c1", proxy.address), workers=1)
    unavailable(site.get("/api/threads"))
    assert site.get("/livez").status == 200 and site.get("/readyz").status == 503
    proxy.heal()
    wait_ready(site)
    assert site.chat("fault:pace=0 hello", name("t")).status == 200


def test_c2_store_that_went_costs_no_call(site, proxy):
    thread = name("t")
    assert site.chat("fault:pace=0 hello", thread).status == 200
    spent = site.upstream.stats()["requests"]
    proxy.mode("refuse")
    unavailable(site.post("/api/chat", {"thread_id": thread, "message": "again"}))
    assert set(in_parallel(8, lambda i: site.get("/api/threads").status)) == {503}
    assert site.get("/health").json()["services"]["database"]["status"] == "down"
    assert site.upstream.stats()["requests"] == spent
    proxy.heal()
    wait_ready(site)
    assert site.chat("fault:pace=0 and now", thread).status == 200
    assert len(site.messages(thread)) == 4  # the question that was refused left nothing


def test_c3_store_that_goes_in_mid_answer_has_it_when_it_is_back(site, proxy):
    thread, gate = name("t"), name("g")
    stream = site.stream({"thread_id": thread, "message": f"fault:gate={gate}@200 {thread}"})
    stream.read_until(b"<content")
    proxy.mode("refuse")
    site.upstream.open_gate(gate)
    assert stream.read_all().endswith(b"</content>")
    proxy.heal()
    message = site.wait_status(thread, stream.headers["X-Response-Id"], "complete")
    assert message["content"].encode() == stream.body


def test_c4_store_that_hangs_is_given_up(site, proxy):
    assert site.post("/api/threads", {"title": "one"}).status == 201
    proxy.mode("hang")
    assert set(in_parallel(4, lambda i: site.get("/api/threads").status)) <= {503, 504}
    assert site.get("/livez").status == 200  # while it still hangs
    proxy.heal()
    wait_for(lambda: site.get("/api/threads").status == 200, "works again", 60)


@pytest.mark.parametrize("operation", [Ask, AddMessage], ids=lambda operation: operation.__name__)
def test_c6_answer_of_the_store_that_is_lost_at_any_moment(site, proxy, operation):
    """Sent again until it is done, it is done once, and the model was asked once."""
    # All are prepared ahead: a duty that lost its answers may mark the store down a moment after it is ready.
    for at, one in enumerate([operation(site) for _ in range(commands_of(site, proxy, operation))]):
        proxy.rule("cut_after", skip=at, times=2)
        statuses = [one.act().status]
        proxy.heal()
        wait_ready(site)
        assert statuses[0] in (*one.done, 503, 504), (at, statuses)
        if statuses[0] not in one.done:
            again_until_done(site, one, statuses)
        one.check(statuses)


def test_c11_list_that_is_cut_is_never_a_short_one(site, proxy):
    thread = site.post("/api/threads", {"title": "long"}).json()["id"]
    for i in range(20):
        added = site.post(f"/api/threads/{thread}/messages", {"role": "user", "content": f"{i} " + "x" * 3000})
        assert added.status == 201, added
    whole = len(site.messages(thread))
    for cut in (100, 5000, 40000):
        proxy.rule("half", bytes=cut, times=2)
        answer = site.get(f"/api/threads/{thread}/messages")
        proxy.heal()
        wait_ready(site)
        assert answer.status in (503, 504) or (answer.status == 200 and len(answer.json()) == whole), (cut, answer)


def test_c13_hundreds_of_failed_requests_leave_nothing_behind(site, proxy):
    pid = site.worker_pids()[0]

    def descriptors():
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))

    in_parallel(16, lambda i: site.get("/api/threads"))
    before = descriptors()
    proxy.mode("refuse")
    statuses = in_parallel(8, lambda i: {site.get("/api/threads").status for _ in range(125)})
    assert set().union(*statuses) == {503}
    proxy.heal()
    wait_ready(site)
    in_parallel(16, lambda i: site.get("/api/threads"))
    assert site.worker_pids() == [pid]
    wait_for(lambda: descriptors() <= before + 20, f"descriptors are about {before} again, not {descriptors()}")
