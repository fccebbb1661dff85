"""What Firestore alone does: documents that other programs wrote are served and go on, long answers, deletions that were cut off."""
import http.client
import json
import subprocess
import time
import uuid

import pytest
from api import asked, owner
from house import Site, StoreProxy, in_parallel, wait_for

PLACE = "store-firestore"


class Documents:
    """Firestore without c1d, as another program has it."""

    def __init__(self, address, place):
        self.address, self.root = address, f"projects/{place}/databases/(default)/documents"

    def ask(self, verb, body):
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        connection.request("POST", f"/v1/{self.root}:{verb}", json.dumps(body), {"Authorization": "Bearer owner"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status == 200, text
        return json.loads(text)

    def put(self, *documents):
        """(collection, id, fields), all in one commit."""
        self.ask("commit", {"writes": [{"update": {"name": f"{self.root}/{where}/{name}", "fields": fields}}
                                       for where, name, fields in documents]})

    def of_thread(self, thread, collection="messages"):
        """{id: fields}"""
        query = {"from": [{"collectionId": collection}], "where": {"fieldFilter": {
            "field": {"fieldPath": "thread_id"}, "op": "EQUAL", "value": {"stringValue": thread}}}}
        found = [row["document"] for row in self.ask("runQuery", {"structuredQuery": query}) if "document" in row]
        return {row["name"].rsplit("/", 1)[1]: row["fields"] for row in found}

    def get(self, collection, name):
        """Its fields, or None."""
        found = self.ask("batchGet", {"documents": [f"{self.root}/{collection}/{name}"]})[0]
        return found["found"].get("fields", {}) if "found" in found else None


def text(value):
    return {"stringValue": value}


def at(second, nanoseconds=0):
    return {"timestampValue": f"2026-03-01T10:00:{second:02d}.{nanoseconds // 1000:06d}Z"}


def auto_id():
    return uuid.uuid4().hex[:20]


def foreign_thread(user, title="Theirs"):
    return "threads", auto_id(), {"user_id": text(user), "title": text(title), "created_at": at(0), "updated_at": at(1)}


def foreign_message(thread, content, time_of, role="user", **more):
    return "messages", auto_id(), {"thread_id": text(thread), "role": text(role), "content": text(content), "created_at": time_of, **more}


@pytest.fixture(scope="module")
def documents(server_of):
    return Documents(server_of("firestore").address(), PLACE)


@pytest.fixture(scope="module")
def between(scratch, upstream, server_of):
    """A proxy before the emulator, a site behind it with one worker, and the documents of its own place: no other node sweeps there."""
    server = server_of("firestore")
    proxy = StoreProxy(scratch / "firestore-proxies", "tcp://{}:{}".format(*server.address()))
    house = Site(scratch, upstream, server.settings(PLACE + "-cut", proxy.address), workers=1)
    yield proxy, house, Documents(server.address(), PLACE + "-cut")
    house.stop()
    proxy.stop()


@pytest.fixture(scope="module")
def site(scratch, upstream, server_of, documents):
    house = Site(scratch, upstream, server_of("firestore").settings(PLACE))
    yield house
    house.stop()


def theirs(documents, count=5, user=None):
    """A thread of another program: its id, its owner, what was said."""
    user = user or owner()
    thread = foreign_thread(user)
    said = [f"said {i}" for i in range(count)]
    rows = [foreign_message(thread[1], words, at(2, i * 1000), "assistant" if i % 2 else "user") for i, words in enumerate(said)]
    documents.put(thread, *rows[::-1])  # the order in which they were written means nothing
    return thread[1], user, said


def numbers(documents, thread):
    """{content: seq} as Firestore has them."""
    return {row["content"]["stringValue"]: int(row["seq"]["integerValue"]) for row in documents.of_thread(thread).values()}


def test_a_thread_of_another_program_is_listed_served_and_goes_on(site, documents):
    thread, user, said = theirs(documents)
    documents.put(("threads", thread, {**foreign_thread(user)[2], "metadata": {"mapValue": {"fields": {
        "n": {"integerValue": "9007199254740993"}, "of": {"arrayValue": {"values": [{"booleanValue": True}, {"nullValue": None}]}}}}}}))
    listed = site.get(f"/api/threads?user_id={user}").json()
    assert [(row["id"], row["title"], row["archived"]) for row in listed] == [(thread, "Theirs", False)]
    assert b'"metadata":{"n":9007199254740993,"of":[true,null]}' in site.get(f"/api/threads/{thread}").body
    shown = site.messages(thread)
    assert [row["content"] for row in shown] == said
    assert {row["status"] for row in shown} == {"complete"}
    assert numbers(documents, thread) == {words: i + 1 for i, words in enumerate(said)}
    assert site.message(thread, shown[2]["id"])["content"] == said[2]

    prompt = f"fault:pace=0 {auto_id()}"
    assert site.chat(prompt, thread).status == 200
    sent = [m["content"] for m in asked(site, prompt)["body"]["messages"] if m["role"] != "system"]
    assert sent == [*said, prompt]
    wait_for(lambda: site.messages(thread)[-1]["status"] == "complete", "the answer is stored")
    rows = documents.of_thread(thread)
    assert all({"thread_id", "role", "content", "created_at"} <= set(row) for row in rows.values())  # others can read ours
    assert sorted(int(row["seq"]["integerValue"]) for row in rows.values()) == list(range(1, len(said) + 3))


def test_what_others_add_later_stands_behind_what_was_there(site, documents):
    thread, _, said = theirs(documents)
    assert len(site.messages(thread)) == len(said)
    assert site.chat(f"fault:pace=0 {auto_id()}", thread).status == 200
    wait_for(lambda: site.messages(thread)[-1]["status"] == "complete", "the answer is stored")
    later = {"timestampValue": time.strftime("%Y-%m-%dT%H:%M:%S.5Z", time.gmtime(time.time() + 60))}
    documents.put(foreign_message(thread, "added later", later))  # and the thread is not touched
    shown = [row["content"] for row in site.messages(thread)]
    assert (shown[:len(said)], len(shown), shown[-1]) == (said, len(said) + 3, "added later")


def test_what_others_add_unseen_is_numbered_by_migrate(site, documents):
    thread = auto_id()
    assert site.chat(f"fault:pace=0 {auto_id()}", thread).status == 200
    wait_for(lambda: site.messages(thread)[-1]["status"] == "complete", "the answer is stored")
    documents.put(foreign_message(thread, "unseen", at(5)))
    assert len(site.messages(thread)) == 2
    for _ in range(2):
        done = subprocess.run([site.program, "store", "migrate"], env=site.environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
    assert [row["content"] for row in site.messages(thread)][2:] == ["unseen"]


def test_of_many_questions_at_once_on_a_thread_of_others_one_is_asked(site, documents):
    thread, _, said = theirs(documents, count=8)
    gate = auto_id()
    prompts = [f"fault:chunks=2;size=10;pace=0;gate={gate}@10 {auto_id()}" for _ in range(6)]

    def ask(i):
        stream = site.stream({"message": prompts[i], "thread_id": thread})
        if stream.status != 200:
            stream.close()
            return stream.status, None
        return stream.status, stream

    results = in_parallel(6, ask)
    assert sorted(status for status, _ in results) == [200] + [409] * 5
    site.upstream.open_gate(gate)
    for _, stream in results:
        if stream:
            stream.read_all()
            stream.close()
    wait_for(lambda: site.messages(thread)[-1]["status"] == "complete", "the answer is stored")
    assert [row["content"] for row in site.messages(thread)][:8] == said
    assert sorted(numbers(documents, thread).values()) == list(range(1, 11))


def test_c_an_answer_of_four_megabytes_lies_in_parts_and_goes_with_its_thread(site, documents):
    thread = auto_id()
    answer = site.chat("fault:chunks=64;size=65536;pace=0 long", thread)
    assert answer.status == 200
    row = wait_for(lambda: next((m for m in site.messages(thread) if m["role"] == "assistant" and m["status"] == "complete"), None),
                   "the answer is stored")
    assert len(row["content"]) > 4_000_000
    stored = next(fields for fields in documents.of_thread(thread).values() if fields["role"] == text("assistant"))
    parts = documents.of_thread(thread, "message_parts")
    in_order = sorted(parts.values(), key=lambda fields: int(fields["number"]["integerValue"]))
    assert int(stored["parts"]["integerValue"]) == len(parts) >= 4
    whole = stored["content"]["stringValue"] + "".join(part["content"]["stringValue"] for part in in_order)
    assert len(whole) == len(row["content"]) and int(stored["size"]["integerValue"]) == len(whole.encode())

    assert site.patch(f"/api/threads/{thread}/messages/{row['id']}", {"content": "short"}).status == 200
    assert site.message(thread, row["id"])["content"] == "short"
    assert documents.of_thread(thread, "message_parts") == {}
    assert site.delete(f"/api/threads/{thread}").status == 200
    wait_for(lambda: documents.of_thread(thread) == {}, "its messages are gone")


def test_c_a_deletion_that_was_cut_off_is_gone_on_with(between):
    proxy, site, documents = between
    thread, _, _ = theirs(documents, count=1)
    for start in (0, 225):
        documents.put(*[foreign_message(thread, f"more {i}", at(3, i * 1000)) for i in range(start, start + 225)])
    assert site.get(f"/api/threads/{thread}").status == 200
    # Behind the mark and, unless the node beats, some messages.
    cut = proxy.rule("cut_before", "documents:commit", skip=2, times=0)
    assert site.delete(f"/api/threads/{thread}").status == 200
    proxy.wait_rule(cut)
    assert site.get(f"/api/threads/{thread}").status in (404, 503)
    assert 0 < len(documents.of_thread(thread)) <= 451
    assert documents.get("threads", thread) is None
    assert documents.get("c1d_deleted", thread)["purge"] == {"booleanValue": True}
    proxy.heal()
    wait_for(lambda: documents.of_thread(thread) == {}, "the sweep has removed the rest", 90)
    wait_for(lambda: documents.get("c1d_deleted", thread)["purge"] == {"booleanValue": False}, "the mark says so")
    assert site.post("/api/threads", {"id": thread}).status in (409, 422)


def test_c_a_new_thread_that_met_others_is_made_all_the_same(between):
    """ABORTED is contention, and no word of an id that exists."""
    proxy, site, _ = between
    wait_for(lambda: site.get("/readyz").status == 200, "the store is up")
    said = json.dumps({"error": {"code": 409, "status": "ABORTED", "message": "Too much contention"}})
    rule = proxy.rule("say", "documents:commit", times=2, text=f"HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n{said}")
    answer = site.post("/api/threads", {})
    proxy.wait_rule(rule)
    proxy.heal()
    assert answer.status == 201, answer


def test_an_index_that_is_missing_is_named_in_the_log(between):
    proxy, site, _ = between
    wait_for(lambda: site.get("/readyz").status == 200, "the store is up")
    said = json.dumps([{"error": {"code": 400, "status": "FAILED_PRECONDITION", "message": "The query requires an index: create it here"}}])
    proxy.rule("say", "documents:runQuery", times=0, text=f"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n{said}")
    answer = site.get(f"/api/threads?user_id={owner()}")
    assert (answer.status, answer.json()["code"]) == (500, "storage_failed"), answer
    proxy.heal()
    told = wait_for(lambda: site.log_lines("Firestore lacks an index; deploy firestore.indexes.json"), "the log tells")
    assert "create it here" in told[0]["said"]
    assert site.get(f"/api/threads?user_id={owner()}").status == 200


def test_c12_what_is_damaged_hides_nothing_else(site, documents):
    thread, user, said = theirs(documents, count=3)
    broken = auto_id()
    documents.put(foreign_message(thread, "no role", at(2, 500), role="nobody"),
                  ("threads", broken, {"user_id": {"integerValue": "7"}, "title": text("x"), "created_at": at(0), "updated_at": at(1)}))
    documents.put(("threads", auto_id(), {"user_id": text(user), "title": {"booleanValue": True}, "created_at": at(0), "updated_at": at(2)}))
    assert [row["id"] for row in site.get(f"/api/threads?user_id={user}").json()] == [thread]
    assert [row["content"] for row in site.messages(thread)] == said
    answer = site.get(f"/api/threads/{broken}")
    assert (answer.status, answer.json()["code"]) == (500, "corrupt")
    wait_for(lambda: any(line.get("id") == broken for line in site.log_lines("A document of Firestore is damaged")), "the log names it")


def test_c12_a_part_that_is_gone_is_damage_and_hides_nothing_else(site, documents):
    """It is told at once, not looked for until the time is over; the rest of the thread goes on."""
    thread = auto_id()
    assert site.chat("fault:chunks=16;size=65536;pace=0 long", thread).status == 200
    row = wait_for(lambda: next((m for m in site.messages(thread) if m["role"] == "assistant" and m["status"] == "complete"), None),
                   "the answer is stored")
    part = next(iter(documents.of_thread(thread, "message_parts")))
    documents.ask("commit", {"writes": [{"delete": f"{documents.root}/message_parts/{part}"}]})
    answer = site.patch(f"/api/threads/{thread}/messages/{row['id']}", {"metadata": {}})
    assert (answer.status, answer.json()["code"]) == (500, "corrupt"), answer
    assert [message["role"] for message in site.messages(thread)] == ["user"]
    assert site.chat(f"fault:pace=0 {auto_id()}", thread).status == 200
    wait_for(lambda: len(site.messages(thread)) == 3, "it is asked on")


def test_c12_many_damaged_threads_hide_none_behind_them(site, documents):
    """More than a page of them: the list goes on behind each page."""
    user = owner()
    whole = foreign_thread(user, "behind them all")
    documents.put(whole, *[("threads", auto_id(), {"user_id": text(user), "title": {"booleanValue": True}, "created_at": at(0),
                                                   "updated_at": at(2, i * 1000)}) for i in range(320)],
                  *[("threads", auto_id(), {"user_id": text(user), "title": text("x"), "created_at": at(0),
                                            "updated_at": text("2026-03-01")}) for _ in range(100)])
    assert [row["title"] for row in site.get(f"/api/threads?user_id={user}").json()] == ["behind them all"]


def test_c12_numbers_of_another_type_hide_nothing(site, documents):
    """A whole number as a double is one; a text is damage, and stands before and behind all that is whole."""
    thread, _, said = theirs(documents, count=3)
    assert len(site.messages(thread)) == 3
    documents.put(foreign_message(thread, "a text", at(3), seq=text("9")), foreign_message(thread, "a double", at(4), seq={"doubleValue": 7.0}))
    wait_for(lambda: [row["content"] for row in site.messages(thread)] == [*said, "a double"], "all but the damaged one")
    found, after = [], ""
    for _ in range(5):
        page = site.get(f"/api/threads/{thread}/messages?limit=2{after}").json()
        found = [row["content"] for row in page] + found
        if len(page) < 2:
            break
        after = f"&before={page[0]['id']}"
    assert found == [*said, "a double"]
    assert site.chat(f"fault:pace=0 {auto_id()}", thread).status == 200
    wait_for(lambda: len(site.messages(thread)) == 6, "it goes on behind them")
    assert [row["content"] for row in site.messages(thread)][:4] == [*said, "a double"]


def test_c12_metadata_that_is_no_json_is_damage(site, documents):
    """A text that another program stored is sent on as it is, so it has to be JSON to the letter."""
    user = owner()
    good, bad = auto_id(), auto_id()
    for thread, metadata in ((good, '{"n": -1.5e3}'), (bad, '{"n": -x}')):
        documents.put(("threads", thread, {**foreign_thread(user)[2], "metadata": text(metadata)}))
    assert [(row["id"], row["metadata"]) for row in site.get(f"/api/threads?user_id={user}").json()] == [(good, {"n": -1500})]
    assert site.get(f"/api/threads/{bad}").json()["code"] == "corrupt"
