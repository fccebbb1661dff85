"""Whose it is. Ada has a conversation with runs in every state; bob tries each route with each of her ids. What he is told is
always the same: 403, with words and headers that tell nothing of what is there. What nobody has is 404. Each route needs a row
here, so one that is new and has none fails."""
import json
import re
import shutil
import time
import urllib.parse
from pathlib import Path

import pytest

from api import next_page, problem, wait_at_gate
from attackers import JWT_SECRET, Browser, bearer, token
from callers import key, run, server, unique
from house import ALIASES, Site, Stream, in_parallel, wait_for

# --- two people ---


class Acting(Browser):
    """A user whom one server acts for: every request names him."""

    def __init__(self, site, text, user_id):
        super().__init__(site, Authorization=f"Bearer {text}")
        self.user_id = user_id

    def ask(self, method, path, body=None, headers=None):
        return super().ask(method, with_user(path, self.user_id), body, headers)


def with_user(path, user_id):
    return f"{path}{'&' if '?' in path else '?'}user_id={user_id}" if user_id else path


def visitors(site):
    pair = Browser(site), Browser(site)
    for caller in pair:
        caller.visitor()
    return pair


def servers(site):
    return server(site), server(site)


def acting(site):
    text = key(site, unique("backend"), "act")
    return tuple(Acting(site, text, unique("user")) for _ in range(2))


KINDS = {"visitors": visitors, "servers": servers, "acting": acting}

PATIENT = {"C1D_IDLE_MS": "600000"}  # an answer is held for as long as a test takes, which is hundreds of requests


@pytest.fixture(scope="module")
def site(scratch, upstream, store_uri):
    house = Site(scratch, upstream, {"C1D_AUTH": "visitor", "C1D_STORE": store_uri, **PATIENT}, server=ALIASES)
    yield house
    house.stop()


def heads(caller):
    cookies = "; ".join(f"{name}={value}" for name, value in caller.cookies.items())
    return {**caller.carries, **({"Cookie": cookies} if cookies else {})}


def stream(caller, body, query=""):
    path = with_user("/api/chat" + query, getattr(caller, "user_id", None) if isinstance(caller, Acting) else None)
    return Stream(caller.site.host, caller.site.port, "POST", path, json.dumps(body).encode(),
                  {"Content-Type": "application/json", **heads(caller)})


def chat(caller, **body):
    answer = caller.post("/api/chat", {"message": f"fault:pace=0 {unique('q')}", **body})
    assert answer.status == 200, answer
    return answer


# --- what ada has ---
class Things:
    """A conversation with one finished turn, whose run is kept; one whose file is gone; one that is written right now."""

    def __init__(self, owner):
        self.owner, self.secret = owner, unique("canary")
        self.thread = unique("t")
        kept = self.ask(chat, responseId=unique("a"))
        gone = self.ask(chat, responseId=unique("a"))
        self.gate = unique("g")
        self.key = unique("k")
        self.stream = stream(owner, {"message": f"fault:gate={self.gate}@60 {self.secret}", "thread_id": self.thread,
                                     "responseId": unique("a")})
        self.stream.read_until(b"<content")
        self.runs = {"kept": kept.headers["X-Run-Id"], "gone": gone.headers["X-Run-Id"],
                     "running": self.stream.headers["X-Run-Id"]}
        forget_file(owner.site, self.runs["gone"])
        owner.ask("PATCH", f"/api/threads/{self.thread}", {"title": self.secret})
        messages = owner.get(f"/api/threads/{self.thread}/messages").json()
        self.question, self.answer = messages[0]["id"], messages[1]["id"]
        self.answer_running = self.stream.headers["X-Response-Id"]

    def ask(self, how, **body):
        return how(self.owner, thread_id=self.thread, message=f"fault:pace=0 {self.secret} {unique('q')}", **body)

    def state(self):
        """All that could have been changed."""
        thread = self.owner.get(f"/api/threads/{self.thread}").json()
        messages = self.owner.get(f"/api/threads/{self.thread}/messages").json()
        for message in messages:
            message.pop("updated_at"), message.pop("content")
        return thread, messages

    def finish(self):
        self.owner.site.upstream.open_gate(self.gate)
        self.stream.read_all()
        self.stream.close()


def forget_file(site, run_id):
    """As a quarter of an hour later."""
    spool = Path(site.settings["C1D_STATE_DIR"]) / "spool"
    found = wait_for(lambda: list(spool.glob(f"done/*/{run_id}")), "the run is saved")
    found[0].unlink()


@pytest.fixture(params=KINDS)
def pair(request, site):
    return KINDS[request.param](site)


@pytest.fixture
def things(pair):
    has = Things(pair[0])
    yield has
    has.finish()


# --- the rows: a route, what bob sends for ada's things, and for what nobody has ---
DENIED, UNKNOWN = 403, 404


def of_thread(method, tail="", body=None, heads_=({},)):
    """The same for a thread of ada's and for one of nobody's."""
    def tries(has):
        for head in heads_:
            yield method, f"/api/threads/{has.thread}{tail}", body, head, DENIED
            yield method, f"/api/threads/{unique('none')}{tail}", body, head, UNKNOWN
    return tries


def of_lists(tail, *queries):
    def tries(has):
        for query in ("", *queries):
            filled = query.format(question=has.question, answer=has.answer, none=unique("none"))
            yield "GET", f"/api/threads/{has.thread}{tail}{filled}", None, {}, DENIED
            yield "GET", f"/api/threads/{unique('none')}{tail}{filled}", None, {}, UNKNOWN
    return tries


def of_message(method):
    def tries(has):
        body = {"content": "changed"}
        for mid in (has.question, has.answer, has.answer_running, unique("none")):
            yield method, f"/api/threads/{has.thread}/messages/{mid}", body, {}, DENIED
            yield method, f"/api/threads/{unique('none')}/messages/{mid}", body, {}, UNKNOWN
    return tries


def of_run(method, tail="", *queries):
    def tries(has):
        for query in ("", *queries):
            for run_id in has.runs.values():
                filled = query.format(run=run_id)
                yield method, f"/api/runs/{run_id}{tail}{filled}", None, {}, DENIED
            yield method, f"/api/runs/{unique('none')}{tail}{query.format(run=unique('x')) if 'event' not in query else ''}", \
                None, {}, UNKNOWN
    return tries


def of_chat(has):
    asked = {"message": "let me in", "thread_id": has.thread}
    for more in ({}, {"responseId": has.answer}, {"responseId": has.answer_running}, {"responseId": unique("a")},
                 {"metadata": {"a": 1}}, {"on_disconnect": "cancel"}):
        yield "POST", "/api/chat", {**asked, **more}, {}, DENIED
        yield "POST", "/api/chat?stream=sse", {**asked, **more}, {"Idempotency-Key": unique("k")}, DENIED
    for mid, answer in ((has.question, has.answer), (has.answer, has.answer_running), (unique("q"), has.answer)):
        yield "POST", "/api/chat", {"prompt": {"id": mid, "role": "user", "content": "x"}, "threadId": has.thread,
                                    "responseId": answer}, {}, DENIED


def of_alias(method, path, body=None, heads_=({},)):
    """Of another client's route: {thread} stands for a thread of ada's, then for one of nobody's."""
    def tries(has):
        for head in heads_:
            yield method, path.format(thread=has.thread), body, head, DENIED
            yield method, path.format(thread=unique("none")), body, head, UNKNOWN
    return tries


def of_alias_message(path):
    def tries(has):
        for mid in (has.question, has.answer, has.answer_running):
            yield "PUT", path.format(thread=has.thread), {"id": mid, "role": "assistant", "content": "changed"}, {}, DENIED
            yield "PUT", path.format(thread=unique("none")), {"id": mid, "content": "changed"}, {}, UNKNOWN
    return tries


def of_alias_chat(has):
    for answer in (has.answer, has.answer_running, unique("a")):
        yield "POST", "/chat", {"prompt": {"id": unique("q"), "role": "user", "content": "x"}, "threadId": has.thread,
                                "responseId": answer}, {}, DENIED


def of_openui_chat(has):
    for mid, answer in ((has.question, has.answer), (has.answer, has.answer_running), (unique("q"), unique("a"))):
        yield "POST", "/api/openui/chat", {"threadId": has.thread, "runId": answer, "tools": [], "context": [],
                                           "messages": [{"id": mid, "role": "user", "content": "x"}]}, {}, DENIED


def nobodys(_has):
    """No thing of anybody's is named in it, or told of by it (test_f1_lists_...)."""
    return ()


VERSIONS = ({}, {"If-Match": '"1"'}, {"If-Match": "*"}, {"If-Match": '"1", "2", "3"'})
SEEN = ({}, {"If-None-Match": '"1"'}, {"If-None-Match": "*"})
ROWS = {
    ("POST", "/api/chat"): of_chat,
    ("GET", "/api/threads"): nobodys,
    ("POST", "/api/threads"): nobodys,
    ("GET", "/api/threads/{id}"): of_thread("GET", heads_=SEEN),
    ("PATCH", "/api/threads/{id}"): of_thread("PATCH", "", {"title": "changed"}, VERSIONS),
    ("PUT", "/api/threads/{id}"): of_thread("PUT", "", {"archived": True}, VERSIONS),
    ("DELETE", "/api/threads/{id}"): of_thread("DELETE"),
    ("GET", "/api/threads/{id}/messages"): of_lists("/messages", "?limit=1", "?as=c1", "?before={answer}", "?after={question}",
                                                    "?before={none}"),
    ("POST", "/api/threads/{id}/messages"): of_thread("POST", "/messages", {"role": "user", "content": "added"}),
    ("PUT", "/api/threads/{id}/messages/{mid}"): of_message("PUT"),
    ("PATCH", "/api/threads/{id}/messages/{mid}"): of_message("PATCH"),
    ("GET", "/api/threads/{id}/runs"): of_lists("/runs", "?active=1", "?active=0"),
    ("GET", "/api/runs/{id}"): of_run("GET"),
    ("GET", "/api/runs/{id}/stream"): of_run("GET", "/stream", "?offset=1", "?offset=99999999", "?stream=sse",
                                             "?last_event_id={run}.5"),
    ("POST", "/api/runs/{id}/stop"): of_run("POST", "/stop"),
    ("POST", "/api/me/claim"): nobodys,  # what it takes along is named by the caller's own cookie: test_visitors.py
    ("GET", "/api/openapi.json"): nobodys,
    ("GET", "/health"): nobodys,
    ("GET", "/api/health"): nobodys,
    ("GET", "/livez"): nobodys,
    ("GET", "/readyz"): nobodys,
    ("GET", "/metrics"): nobodys,
    ("POST", "/api/thread"): nobodys,
    ("PUT", "/api/thread/{id}"): of_alias("PUT", "/api/thread/{thread}", {"title": "changed"}, VERSIONS),
    ("DELETE", "/api/thread/{id}"): of_alias("DELETE", "/api/thread/{thread}"),
    ("GET", "/api/thread/{id}/messages"): of_alias("GET", "/api/thread/{thread}/messages"),
    ("POST", "/api/thread/{id}/message"): of_alias("POST", "/api/thread/{thread}/message", {"role": "user", "content": "added"}),
    ("PUT", "/api/thread/{id}/message"): of_alias_message("/api/thread/{thread}/message"),
    ("POST", "/chat"): of_alias_chat,
    ("GET", "/threads"): nobodys,
    ("POST", "/threads"): nobodys,
    ("PUT", "/threads/{id}"): of_alias("PUT", "/threads/{thread}", {"title": "changed"}, VERSIONS),
    ("DELETE", "/threads/{id}"): of_alias("DELETE", "/threads/{thread}"),
    ("GET", "/threads/{id}/messages"): of_alias("GET", "/threads/{thread}/messages"),
    ("PUT", "/threads/{id}/message"): of_alias_message("/threads/{thread}/message"),
    ("GET", "/api/openui/get"): nobodys,
    ("POST", "/api/openui/create"): nobodys,
    ("GET", "/api/openui/get/{id}"): of_alias("GET", "/api/openui/get/{thread}"),
    ("PATCH", "/api/openui/update/{id}"): of_alias("PATCH", "/api/openui/update/{thread}", {"title": "changed"}, VERSIONS),
    ("DELETE", "/api/openui/delete/{id}"): of_alias("DELETE", "/api/openui/delete/{thread}"),
    ("POST", "/api/openui/chat"): of_openui_chat,
}


def test_f1_every_route_has_a_row(site):
    paths = site.get("/api/openapi.json").json()["paths"]
    routes = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    without = routes - set(ROWS)
    assert not without, f"whose things do these routes tell of? Give them a row: {sorted(without)}"


# --- what bob is told ---
SILENT = ("ETag", "Link", "Location", "Retry-After", "X-Run-Id", "X-Thread-Id", "X-Response-Id", "Idempotency-Replayed")
TOLD = {"type": "about:blank", "title": "Access denied", "status": 403, "detail": "This is somebody else's.",
        "message": "This is somebody else's.", "code": "access_denied"}


def check_denied(answer, what):
    assert answer.status == DENIED, (what, answer)
    body = answer.json()
    body.pop("request_id")
    assert body == TOLD, what
    assert not [name for name in SILENT if answer.headers[name] is not None], (what, dict(answer.headers))
    return len(answer.body)


def test_f1_another_is_told_nothing_on_any_route(pair, things):
    _, bob = pair
    before, lengths = things.state(), set()
    for route, tries in ROWS.items():
        for method, path, body, head, expected in tries(things):
            answer = bob.ask(method, path, body, head)
            if expected == DENIED:
                lengths.add(check_denied(answer, (method, path, body, head)))
            else:
                assert answer.status == UNKNOWN, (method, path, head, answer)
                problem(answer, UNKNOWN, "not_found")
        assert things.state() == before, route  # also: what runs is running
    assert len(lengths) == 1, lengths
    assert things.secret not in bob.get("/api/threads?limit=100").text
    live = things.owner.get(f"/api/threads/{things.thread}/runs?active=1").json()
    assert [entry["id"] for entry in live] == [things.runs["running"]]


def test_f1_what_is_for_everybody_tells_of_nobody(site, things):
    for method, path in (route for route, tries in ROWS.items() if tries is nobodys and "{" not in route[1]):
        if method == "GET" and path not in ("/api/threads", "/threads", "/api/openui/get"):
            text = site.get(path).text if path != "/metrics" else site.metrics()
            for name in (things.secret, things.thread, *things.runs.values()):
                assert name not in text, path


def test_f1_the_same_requests_of_the_owner_are_answered(site):
    """So that a row that is wrong in itself does not pass for a refusal."""
    ada, _ = servers(site)
    has = Things(ada)
    has.finish()  # a follower waits for the end
    for route, tries in ROWS.items():
        if route[0] not in ("GET", "PATCH", "PUT"):
            continue
        for method, path, body, head, expected in tries(has):
            answer = ada.ask(method, path, body, head)
            if expected == DENIED and "none-" not in path:
                assert answer.status in (200, 204, 304, 410, 412, 416), (method, path, head, answer)


def test_f1_lists_hold_ones_own_only_and_counts_tell_of_nobody(pair, things):
    ada, bob = pair
    mine = chat(bob).headers["X-Thread-Id"]
    assert [thread["id"] for thread in bob.get("/api/threads?limit=100").json()] == [mine]
    assert [thread["id"] for thread in bob.get("/threads").json()] == [mine]
    assert [thread["id"] for thread in bob.get("/api/openui/get").json()["threads"]] == [mine]
    assert bob.get(f"/api/threads?q={things.secret}").json() == []
    assert [thread["id"] for thread in ada.get(f"/api/threads?q={things.secret}").json()] == [things.thread]
    assert next_page(bob.get("/api/threads?limit=1")) is None


def test_f1_an_id_of_anothers_names_nothing_in_ones_own_thread(pair, things):
    _, bob = pair
    mine = chat(bob).headers["X-Thread-Id"]
    for mid in (things.question, things.answer, things.answer_running):
        problem(bob.ask("PUT", f"/api/threads/{mine}/messages/{mid}", {"content": "x"}), 404, "not_found")
        problem(bob.get(f"/api/threads/{mine}/messages?before={mid}"), 422, "validation", "before")
    # Messages' ids are a thread's own: the same one elsewhere is another message.
    again = chat(bob, thread_id=mine, responseId=things.answer)
    assert things.secret not in again.text
    assert bob.post(f"/api/threads/{mine}/messages", {"id": things.question, "role": "user", "content": "x"}).status == 201


def test_f1_an_idempotency_key_is_its_users(pair):
    ada, bob = pair
    head, body = {"Idempotency-Key": unique("k")}, {"message": f"fault:pace=0 {unique('q')}"}
    first, other = ada.post("/api/chat", body, head), bob.post("/api/chat", body, head)
    assert first.status == other.status == 200
    assert other.headers["Idempotency-Replayed"] is None and first.headers["X-Thread-Id"] != other.headers["X-Thread-Id"]
    again = ada.post("/api/chat", body, head)
    assert again.headers["Idempotency-Replayed"] == "true" and again.headers["X-Run-Id"] == first.headers["X-Run-Id"]


def test_f1_who_asks_on_anothers_thread_stands_in_nobodys_way(pair, things):
    """Bob names ada's thread and the id of her answer, many at once, while she sends hers again: he is refused, she is not."""
    ada, bob = pair
    mine = {"message": f"fault:pace=0 {unique('q')}", "thread_id": unique("t"), "responseId": unique("a")}
    assert ada.post("/api/chat", mine).status == 200
    answers = in_parallel(16, lambda i: (bob if i % 4 else ada).post("/api/chat", mine))
    for i, answer in enumerate(answers):
        if i % 4:
            check_denied(answer, i)
        else:
            assert answer.status == 200 and answer.headers["Idempotency-Replayed"] == "true", answer


def test_f1_another_node_tells_another_as_little(scratch, upstream, mongod):
    settings = {"C1D_AUTH": "visitor", "C1D_STORE": mongod.uri(unique("n").replace("-", "")), **PATIENT}
    here, there = [Site(scratch, upstream, settings, workers=1, server=ALIASES) for _ in range(2)]
    try:
        texts = [key(here, name) for name in ("ada", "bob")]
        wait_for(lambda: all(Acting(here, text, None).get("/api/threads").status == 200 for text in texts), "keys")
        for name in ("keys",):
            shutil.copy2(f"{here.settings['C1D_STATE_DIR']}/{name}", f"{there.settings['C1D_STATE_DIR']}/{name}")
        has = Things(Browser(here, Authorization=f"Bearer {texts[0]}"))
        ada, bob = (Browser(there, Authorization=f"Bearer {text}") for text in texts)
        for tries in (of_run("GET"), of_run("GET", "/stream"), of_run("POST", "/stop"), of_lists("/runs", "?active=1"), of_chat):
            for method, path, body, head, expected in tries(has):
                if expected == DENIED:
                    check_denied(bob.ask(method, path, body, head), (method, path))
        assert ada.get(f"/api/runs/{has.runs['running']}").json()["status"] == "streaming"
        has.finish()
        assert has.stream.body == upstream.whole_answer(f"fault:gate={has.gate}@60 {has.secret}")
    finally:
        here.stop()
        there.stop()


# --- F2: what is not the client's to set ---
OTHERS = {"owner": "bob", "_id": "x", "rev": 7, "deleted_at": None, "$set": {"user_id": "bob"}, "__proto__": {}, "enforced": False,
          "run": {"id": "x"}, "seq": 1, "key": "x", "is_admin": True}


@pytest.mark.parametrize("member", OTHERS)
def test_f2_a_member_that_is_none_is_named(site, member):
    ada, _ = servers(site)
    thread = ada.make(title="x")["id"]
    mid = ada.post(f"/api/threads/{thread}/messages", {"role": "user", "content": "x"}).json()["id"]
    for method, path, body in (("POST", "/api/chat", {"message": "x"}), ("POST", "/api/threads", {"title": "x"}),
                               ("PATCH", f"/api/threads/{thread}", {"title": "x"}),
                               ("POST", f"/api/threads/{thread}/messages", {"role": "user", "content": "x"}),
                               ("PUT", f"/api/threads/{thread}/messages/{mid}", {"content": "x"})):
        problem(ada.ask(method, path, {**body, member: OTHERS[member]}), 422, "validation", member)


def test_f2_what_clients_send_back_is_taken_and_changes_nothing(site):
    """The web client sends whole objects back: they may hold what is not the client's to set, and it is not set."""
    ada, _ = servers(site)
    thread = ada.make(title="before")
    path = f"/api/threads/{thread['id']}"
    sent = {"id": "another", "created_at": "2001-01-01T00:00:00.000Z", "title": "after"}
    changed = ada.ask("PATCH", path, sent).json()
    assert (changed["id"], changed["created_at"], changed["title"]) == (thread["id"], thread["created_at"], "after")
    sent = {"role": "assistant", "content": "x", "status": "streaming", "run_id": unique("r"), "thread_id": "another",
            "finish_reason": "stop", "usage": {"total_tokens": 1}, "feedback": {"rating": 1}}
    made = ada.post(f"{path}/messages", sent).json()
    assert (made["status"], made["thread_id"], made["finish_reason"], made["usage"]) == ("complete", thread["id"], None, None)
    problem(ada.get(f"/api/runs/{sent['run_id']}"), 404, "not_found")
    problem(ada.post(f"{path}/messages", {"role": "system", "content": "obey"}), 403, "access_denied", "role")
    problem(ada.ask("PATCH", path, {"title": "x", "user_id": "bob"}), 403, "access_denied", "user_id")
    assert ada.get(path).json()["user_id"] == ada.user_id


# --- F3: cursors ---
@pytest.fixture
def listed(pair):
    """Ada's list of five, a page of two at a time: (ada, bob, its first query, the cursor of its second page)."""
    ada, bob = pair
    for i in range(5):
        ada.make(title=f"plan {i}")
        bob.make(title=f"plan {i}")
    query = "limit=2&q=plan&archived=false"
    link = next_page(ada.get(f"/api/threads?{query}"))
    return ada, bob, query, urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)["cursor"][0]


def test_f3_a_cursor_goes_on_in_its_own_list_only(listed):
    ada, bob, query, cursor = listed
    tail = "&cursor=" + urllib.parse.quote(cursor)
    assert [thread["title"] for thread in ada.get(f"/api/threads?{query}{tail}").json()] == ["plan 2", "plan 1"]
    assert len(ada.get(f"/api/threads?{query.replace('limit=2', 'limit=3')}{tail}").json()) == 3
    problem(bob.get(f"/api/threads?{query}{tail}"), 422, "validation", "cursor")
    for other in ("limit=2", "limit=2&q=pla&archived=false", "limit=2&q=plan&archived=true", "limit=2&q=plan"):
        problem(ada.get(f"/api/threads?{other}{tail}"), 422, "validation", "cursor")


def test_f3_a_cursor_that_was_touched_is_none(listed):
    ada, _, query, cursor = listed
    place = cursor.split(".", 1)[1]
    made_up = [cursor[:-1], cursor + "0", cursor[1:], place, "." + place, "A" * 43 + "." + place,
               cursor.replace(place, "1." + unique("t")), cursor.swapcase(), "9999999999999.zzz", "'", "{}"]
    for wrong in made_up:
        problem(ada.get(f"/api/threads?{query}&cursor={urllib.parse.quote(wrong)}"), 422, "validation", "cursor")


def test_f3_a_cursor_outlives_a_new_secret(site, listed):
    ada, _, query, cursor = listed
    run(site, "secret", "rotate")
    answer = ada.get(f"/api/threads?{query}&cursor={urllib.parse.quote(cursor)}")
    assert [thread["title"] for thread in answer.json()] == ["plan 2", "plan 1"]
    newer = urllib.parse.parse_qs(urllib.parse.urlsplit(next_page(answer)).query)["cursor"][0]
    assert ada.get(f"/api/threads?{query}&cursor={urllib.parse.quote(newer)}").json()[0]["title"] == "plan 0"


def test_f3_the_longest_filters_have_a_next_page(site):
    backend, user_id, q = server(site, scopes="act"), "ü" * 128, "ä" * 100
    for i in range(2):
        made = backend.make(title="short", user_id=user_id)
        assert backend.ask("PATCH", f"/api/threads/{made['id']}", {"title": f"{q} {i}", "user_id": user_id}).status == 200
    path, found = "/api/threads?" + urllib.parse.urlencode({"limit": 1, "user_id": user_id, "q": q}), []
    while path:
        answer = backend.get(path)
        found += [thread["title"][-1] for thread in answer.json()]
        path = next_page(answer)
    assert found == ["1", "0"]


# --- F4: what changes in mid turn ---
def test_f4_a_thread_that_is_deleted_in_mid_turn_gets_no_answer_and_goes_to_nobody(pair):
    ada, bob = pair
    gate, thread, secret = unique("g"), unique("t"), unique("canary")
    running = stream(ada, {"message": f"fault:gate={gate}@60 {secret}", "thread_id": thread})
    running.read_until(b"<content")
    wait_at_gate(ada.site, gate)
    check_denied(bob.ask("DELETE", f"/api/threads/{thread}"), "delete")
    assert ada.ask("DELETE", f"/api/threads/{thread}").status == 200
    running.read_all()
    running.close()
    ada.site.upstream.open_gate(gate)
    for caller in (ada, bob):
        for path in (f"/api/threads/{thread}", f"/api/threads/{thread}/messages", f"/api/threads/{thread}/runs?active=1",
                     f"/api/runs/{running.headers['X-Run-Id']}"):
            problem(caller.get(path), 404, "not_found")
        # Its id is nobody's for a while: what was on its way to the store finds no new owner.
        problem(caller.post("/api/chat", {"message": "x", "thread_id": thread}), 404, "not_found")
        assert secret not in caller.get("/api/threads").text


# --- F5: operators where texts belong ---
OPERATORS = ({"$ne": None}, {"$gt": ""}, {"$where": "1"}, {"$regex": ".*"}, ["x"], [], 7, True, {"a.b": 1})


def text_members(site):
    """Each member of each body that has to be a text: (method, path, member)."""
    document = site.get("/api/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if not content:
                continue
            schema = document["components"]["schemas"][content["schema"]["$ref"].split("/")[-1]]
            for member, about in schema["properties"].items():
                kinds = about.get("type", [])
                if "string" in ([kinds] if isinstance(kinds, str) else kinds) and "object" not in kinds:
                    yield method.upper(), path, member


def test_f5_an_operator_is_no_text(site):
    ada, _ = servers(site)
    thread = ada.make(title="x")["id"]
    count = 0
    for method, path, member in text_members(site):
        for wrong in OPERATORS:
            answer = ada.ask(method, re.sub(r"\{id\}", thread, path).replace("{mid}", "x"), {member: wrong})
            problem(answer, 422, "validation", member)
            count += 1
    assert count > 100, count


def test_f5_keys_of_metadata_are_kept_and_mean_nothing(site):
    ada, _ = servers(site)
    metadata = {"$set": {"user_id": "bob"}, "a.b": {"$ne": None}, "__proto__": {"x": 1}, "": "", "$where": "sleep(1)"}
    made = ada.make(title="x", metadata=metadata)
    path = f"/api/threads/{made['id']}"
    assert ada.get(path).json()["metadata"] == metadata
    assert ada.ask("PATCH", path, {"metadata": {"$unset": {"title": 1}}}).json()["title"] == "x"
    assert ada.get(path).json()["user_id"] == ada.user_id


# --- when things change hands ---
@pytest.fixture(scope="module")
def signing_site(scratch, upstream, store_uri):
    house = Site(scratch, upstream, {"C1D_AUTH": "jwt,visitor", "C1D_STORE": store_uri, "C1D_JWT_SECRET": JWT_SECRET,
                                     "C1D_ADMIN_CLAIM": "role=admin", **PATIENT}, server=ALIASES)
    yield house
    house.stop()


def test_f4_what_was_taken_along_is_the_visitors_no_more(signing_site):
    browser = Browser(signing_site)
    browser.visitor()
    has, head = Things(browser), {"Idempotency-Key": unique("k")}
    asked = {"message": f"fault:pace=0 {unique('q')}", "thread_id": unique("t")}
    assert browser.post("/api/chat", asked, head).status == 200
    user = Browser(signing_site, **bearer(token(unique("ada"))))
    user.cookies = dict(browser.cookies)
    assert user.post("/api/me/claim").status == 200
    user.cookies = {}
    # The browser that keeps its cookie all the same has lost what it had; the user has all of it.
    for tries in ROWS.values():
        for method, path, body, sent, expected in tries(has):
            if expected == DENIED:
                check_denied(browser.ask(method, path, body, sent), (method, path, body))
    check_denied(browser.post("/api/chat", asked, head), "the key")
    check_denied(browser.post("/api/chat", {**asked, "thread_id": unique("t")}, head), "the key on another thread")
    for name, run_id in has.runs.items():
        assert user.get(f"/api/runs/{run_id}").status == 200, name
    live = user.get(f"/api/threads/{has.thread}/runs?active=1").json()
    assert [entry["id"] for entry in live] == [has.runs["running"]]
    assert user.post(f"/api/runs/{has.runs['running']}/stop").json()["status"] == "stopped"
    has.finish()


def test_f1_what_an_administrator_asks_in_anothers_name_is_the_threads_owners(signing_site):
    admin = Browser(signing_site, **bearer(token(unique("root"), role="admin")))
    names = unique("ada"), unique("bob")
    ada, bob = (Browser(signing_site, **bearer(token(name))) for name in names)
    thread = ada.make(title="ada's")["id"]
    answer = admin.post("/api/chat", {"message": "fault:pace=0 x", "thread_id": thread, "user_id": names[1]})
    path = f"/api/runs/{answer.headers['X-Run-Id']}"
    for tail in ("", "/stream"):
        assert ada.get(path + tail).status == 200
        check_denied(bob.get(path + tail), path + tail)
    made = admin.post("/api/threads", {"title": "bob's", "user_id": names[1]}).json()
    assert bob.get(f"/api/threads/{made['id']}").status == 200
    check_denied(ada.get(f"/api/threads/{made['id']}"), "made for bob")


def test_e14_a_revoked_user_signs_in_anew(signing_site):
    name = unique("ada")
    now = int(time.time())
    old, new = (Browser(signing_site, **bearer(token(name, iat=now + at))) for at in (-30, 30))
    other = Browser(signing_site, **bearer(token(unique("bob"), iat=now - 30)))
    old.make(title="x")
    run(signing_site, "users", "revoke", name)
    wait_for(lambda: {answer.status for answer in in_parallel(16, lambda _: old.get("/api/threads"))} == {401}, "refused")
    assert new.titles() == ["x"] and other.titles() == []
    run(signing_site, "users", "restore", name)
    wait_for(lambda: {answer.status for answer in in_parallel(16, lambda _: old.get("/api/threads"))} == {200}, "let in")
