"""Conversations over HTTP, through nginx, on each store: made, listed, read, changed, deleted."""
import datetime
import json
import re
import urllib.parse
import uuid

import pytest

from api import UNKNOWN, listed, make, owner, problem, title_of, wait_at_gate
from workers import spool_file

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


# --- made ---
def test_a_made_thread_has_both_spellings_of_every_field(site):
    user = owner()
    answer = site.post("/api/threads", {"title": "Sales", "metadata": {"a": [1, {"b": None}]}, "user_id": user})
    assert answer.status == 201 and answer.headers["Content-Type"].startswith("application/json")
    thread = answer.json()
    assert set(thread) == {"id", "threadId", "title", "user_id", "created_at", "createdAt", "updated_at", "updatedAt",
                           "archived", "metadata"}
    assert UUID7.fullmatch(thread["id"]) and thread["id"] == thread["threadId"]
    assert TIME.fullmatch(thread["created_at"]) and thread["created_at"] == thread["createdAt"]
    assert TIME.fullmatch(thread["updated_at"]) and thread["updated_at"] == thread["updatedAt"]
    assert (thread["title"], thread["user_id"], thread["archived"]) == ("Sales", user, False)
    assert thread["metadata"] == {"a": [1, {"b": None}]}
    made = datetime.datetime.fromisoformat(thread["createdAt"])
    assert abs((datetime.datetime.now(datetime.timezone.utc) - made).total_seconds()) < 60
    assert answer.headers["Location"] == "/api/threads/" + thread["id"]
    read = site.get(answer.headers["Location"])
    assert read.json() == thread
    assert read.headers["ETag"] == answer.headers["ETag"]


def test_a_thread_needs_nothing(site):
    thread = make(site)
    assert (thread["title"], thread["user_id"], thread["metadata"]) == ("New chat", "anonymous", {})


def test_a_null_is_as_good_as_nothing(site):
    thread = make(site, title=None, metadata=None, user_id=None, firstMessage=None)
    assert (thread["title"], thread["user_id"], thread["metadata"]) == ("New chat", "anonymous", {})


@pytest.mark.parametrize("spelling", ["user_id", "userId"])
def test_the_owner_is_taken_in_either_spelling(site, spelling):
    user = owner()
    assert make(site, **{spelling: user})["user_id"] == user


def test_the_title_comes_from_the_first_message(site):
    first = {"type": "prompt", "role": "user", "message": "Show sales\n\tof Q1 "}
    assert title_of(site, firstMessage=first) == "Show sales of Q1"


@pytest.mark.parametrize("field", ["title", "firstMessage"])
def test_a_title_in_wire_form_is_unescaped(site, field):
    wire = ('<content thesys="true">a &lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;</content>'
            '<context>[{&quot;x&quot;:1}]</context>')
    value = wire if field == "title" else {"message": wire}
    assert title_of(site, **{field: value}) == "a <b> & \"c\" 'd'"


@pytest.mark.parametrize("letter", ["x", "é", "日", "😀"])
def test_a_made_title_is_cut_at_80_code_points(site, letter):
    assert title_of(site, firstMessage={"message": letter * 81}) == letter * 80
    assert title_of(site, firstMessage={"message": letter * 80}) == letter * 80


def test_an_escaped_character_counts_as_one(site):
    assert title_of(site, title='<content thesys="true">' + "&amp;" * 90 + "</content>") == "&" * 80


# --- read ---
def test_a_known_version_is_not_sent_again(site):
    thread = make(site, title="v")
    path = "/api/threads/" + thread["id"]
    tag = site.get(path).headers["ETag"]
    answer = site.get(path, {"If-None-Match": tag})
    assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag)
    site.patch(path, {"title": "w"})
    answer = site.get(path, {"If-None-Match": tag})
    assert (answer.status, answer.json()["title"]) == (200, "w")
    assert answer.headers["ETag"] != tag


@pytest.mark.parametrize("form", ["W/{}", '"0-other", {}', "*"])
def test_if_none_match_takes_what_caches_send(site, form):
    path = "/api/threads/" + make(site)["id"]
    tag = site.get(path).headers["ETag"]
    assert site.get(path, {"If-None-Match": form.format(tag)}).status == 304


def test_an_unknown_thread_is_not_found(site):
    problem(site.get("/api/threads/" + UNKNOWN), 404, "not_found")
    problem(site.patch("/api/threads/" + UNKNOWN, {"title": "x"}), 404, "not_found")
    problem(site.delete("/api/threads/" + UNKNOWN), 404, "not_found")
    problem(site.get(f"/api/threads/{UNKNOWN}/messages"), 404, "not_found")


# --- changed ---
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_thread_is_changed_field_by_field(site, method):
    thread = make(site, title="before", metadata={"a": 1})
    path = "/api/threads/" + thread["id"]
    changed = site.json(method, path, {"title": "after"})
    assert changed.status == 200
    assert changed.json() | {"updated_at": 0, "updatedAt": 0} == \
        thread | {"title": "after", "updated_at": 0, "updatedAt": 0}
    assert changed.json()["updated_at"] >= thread["updated_at"]
    assert site.json(method, path, {"archived": True}).json()["archived"] is True
    assert site.json(method, path, {"metadata": {"b": 2}}).json()["metadata"] == {"b": 2}
    last = site.get(path).json()
    assert (last["title"], last["archived"], last["metadata"]) == ("after", True, {"b": 2})


def test_the_clients_own_thread_object_may_be_sent_back(site):
    """updateThread sends all that it has."""
    thread = make(site, title="before")
    answer = site.put("/api/threads/" + thread["id"], {**thread, "title": "after", "isRunning": False})
    assert (answer.status, answer.json()["title"]) == (200, "after")


def test_a_version_that_is_gone_is_not_overwritten(site):
    path = "/api/threads/" + make(site)["id"]
    tag = site.get(path).headers["ETag"]
    first = site.patch(path, {"title": "first"}, {"If-Match": tag})
    assert first.status == 200 and first.headers["ETag"] != tag
    problem(site.patch(path, {"title": "late"}, {"If-Match": tag}), 412, "precondition_failed")
    problem(site.put(path, {"title": "odd"}, {"If-Match": '"nonsense"'}), 412, "precondition_failed")
    assert site.put(path, {"title": "second"}, {"If-Match": first.headers["ETag"]}).status == 200
    assert site.patch(path, {"title": "any"}, {"If-Match": "*"}).status == 200
    assert site.get(path).json()["title"] == "any"


@pytest.mark.parametrize("form", ["W/{}", '"0-other", {}', '{}, "7777"', '"7777",W/{}', "\t{} ,"])
def test_r23_if_match_takes_what_browsers_and_proxies_send(site, form):
    path = "/api/threads/" + make(site, title="before")["id"]
    first = site.get(path).headers["ETag"]
    answer = site.patch(path, {"title": "after"}, {"If-Match": form.format(first)})
    assert (answer.status, answer.json()["title"]) == (200, "after")
    problem(site.patch(path, {"title": "late"}, {"If-Match": form.format(first)}), 412, "precondition_failed")


@pytest.mark.parametrize("tag", ['"-1"', '"+0"', '"00"', '" 0"', "0", '"0', "-1", '""', '"1e0"', "W/0", '"7777", "8888"'])
def test_r23_what_is_no_version_of_ours_overwrites_nothing(site, tag):
    path = "/api/threads/" + make(site, title="kept")["id"]
    for method in ("PATCH", "PUT"):
        answer = site.json(method, path, {"title": "lost"}, {"If-Match": tag})
        problem(answer, 412, "precondition_failed")
    assert site.get(path).json()["title"] == "kept"
    assert site.get(path, {"If-None-Match": tag}).status == 200


def test_r23_a_compressed_answers_own_tag_is_taken_back(scratch, upstream, new_site):
    """gzip makes our tag weak, and that is what the browser has."""
    site = new_site(workers=1, start=False, nginx=False)
    import house
    conf, house.NGINX_CONF = house.NGINX_CONF, house.NGINX_CONF.replace(
        "access_log off;", "access_log off; gzip on; gzip_min_length 0; gzip_types application/json;")
    try:
        site.start_nginx()
    finally:
        house.NGINX_CONF = conf
    site.start()
    path = "/api/threads/" + make(site, title="before" * 40)["id"]
    answer = site.get(path, {"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip" and answer.headers["ETag"].startswith("W/")
    assert site.get(path, {"If-None-Match": answer.headers["ETag"]}).status == 304
    assert site.patch(path, {"title": "after"}, {"If-Match": answer.headers["ETag"]}).status == 200
    problem(site.patch(path, {"title": "late"}, {"If-Match": answer.headers["ETag"]}), 412, "precondition_failed")


@pytest.mark.parametrize("fields, field", [
    ({"title": 7}, "title"), ({"title": ""}, "title"), ({"title": "x" * 1001}, "title"), ({"archived": "yes"}, "archived"),
    ({"metadata": [1]}, "metadata"), ({"metadata": {"x": "y" * 17000}}, "metadata")])
def test_a_wrong_field_is_named(site, fields, field):
    path = "/api/threads/" + make(site, title="kept")["id"]
    problem(site.patch(path, fields), 422, "validation", field)
    assert site.get(path).json()["title"] == "kept"


@pytest.mark.parametrize("fields", [{"user_id": "a", "userId": "b"}, {"title": "a", "name": "b"}])
def test_one_field_in_two_spellings_with_two_values_is_refused(site, fields):
    problem(site.post("/api/threads", fields), 422, "validation", next(iter(fields)))


def test_one_field_in_two_spellings_with_one_value_is_taken(site):
    user = owner()
    assert make(site, user_id=user, userId=user)["user_id"] == user


def test_one_key_twice_is_no_json_of_ours(site):
    answer = site.request("POST", "/api/threads", b'{"title":"a","title":"b"}', {"Content-Type": "application/json"})
    problem(answer, 400, "duplicate_key")


# --- deleted ---
def test_a_deleted_thread_is_gone_with_all_that_was_in_it(site):
    user = owner()
    thread = make(site, user_id=user)["id"]
    answer = site.chat("hello", thread)
    assert answer.status == 200 and len(site.messages(thread)) == 2
    gone = site.delete("/api/threads/" + thread)
    assert (gone.status, gone.json()) == (200, {"deleted": True, "id": thread})
    problem(site.delete("/api/threads/" + thread), 404, "not_found")
    assert listed(site, user_id=user) == []
    message = f"/api/threads/{thread}/messages/{answer.headers['X-Response-Id']}"
    for method, path in (("GET", ""), ("PATCH", ""), ("PUT", ""), ("GET", "/messages"), ("GET", "/runs")):
        body = json.dumps({"title": "x"}).encode() if method[0] == "P" else None
        problem(site.request(method, f"/api/threads/{thread}{path}", body), 404, "not_found")
    problem(site.put(message, {"content": "x"}), 404, "not_found")
    problem(site.post(f"/api/threads/{thread}/messages", {"role": "user", "content": "x"}), 404, "not_found")
    problem(site.chat("again", thread), 404, "not_found")
    problem(site.get("/api/runs/" + answer.headers["X-Run-Id"]), 404, "not_found")


def test_an_answer_in_flight_is_stopped_when_its_thread_is_deleted(site, upstream):
    """Its reader sees the end, the model's connection is closed, and no file of it stays."""
    thread, gate = make(site)["id"], uuid.uuid4().hex
    text = f"fault:pace=0;gate={gate}@60 hi"
    stream = site.stream({"message": text, "thread_id": thread})
    wait_at_gate(site, gate)
    while len(stream.body) < 60:
        assert stream.read_some()
    run = stream.headers["X-Run-Id"]
    assert site.get("/api/runs/" + run).json()["status"] == "streaming"
    assert site.delete("/api/threads/" + thread).status == 200
    assert len(stream.read_all()) == 60
    upstream.ask("GET", "/stats/wait?" + urllib.parse.urlencode({"early_closes": 1, "prompt": text, "timeout": 20}))
    assert upstream.stats()["prompts"][text]["early_closes"] == 1
    problem(site.get("/api/runs/" + run), 404, "not_found")
    problem(site.get(f"/api/runs/{run}/stream"), 404, "not_found")
    assert not spool_file(site, run).exists()
    assert list((site.folder / "state/spool/stop").iterdir()) == []
