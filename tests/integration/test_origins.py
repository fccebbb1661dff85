"""Pages elsewhere, through nginx: what a browser sends for them changes nothing unless C1D_ORIGINS names their origin."""
import json
import uuid

import pytest

from api import make, problem

JSON = {"Content-Type": "application/json"}
APP = "https://app.example"
CHANGES = [("POST", "/api/chat"), ("POST", "/api/threads"), ("PATCH", "/api/threads/{thread}"),
           ("PUT", "/api/threads/{thread}"), ("DELETE", "/api/threads/{thread}"),
           ("POST", "/api/threads/{thread}/messages"), ("PUT", "/api/threads/{thread}/messages/m"),
           ("PATCH", "/api/threads/{thread}/messages/m"), ("POST", "/api/runs/r/stop")]
FOREIGN = [{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"},
           {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}]


@pytest.fixture(scope="module")
def ours(scratch, upstream):
    from house import Site
    house = Site(scratch, upstream, {"C1D_ORIGINS": f"{APP} http://localhost:5173"}, workers=1)
    yield house
    house.stop()


def send(site, method, path, headers, body=b"{}"):
    return site.request(method, path, None if method == "DELETE" else body, headers)


@pytest.mark.parametrize("headers", FOREIGN)
def test_r12_a_page_elsewhere_changes_nothing_and_spends_nothing(ours, upstream, headers):
    thread, before = make(ours, title="kept"), upstream.stats()["requests"]
    body = json.dumps({"message": "fault:pace=0 hi", "role": "user", "content": "x", "title": "y"}).encode()
    for method, path in CHANGES:
        answer = send(ours, method, path.format(thread=thread["id"]), {**JSON, **headers}, body)
        problem(answer, 403, "foreign_origin")
        assert answer.headers["Access-Control-Allow-Origin"] is None
    assert upstream.stats()["requests"] == before
    assert ours.get("/api/threads/" + thread["id"]).json() == thread
    assert ours.messages(thread["id"]) == []


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin", "Origin": "http://elsewhere:5173"},
                                     {"Sec-Fetch-Site": "none"}, {"Origin": "{url}"}, {}])
def test_r12_our_own_page_and_programs_are_served(ours, headers):
    headers = {name: value.format(url=ours.url) for name, value in headers.items()}
    assert ours.post("/api/threads", {}, headers).status == 201
    assert ours.chat("fault:pace=0 hi", headers=headers).status == 200


def test_r12_what_is_read_is_kept_from_pages_elsewhere_by_their_browser(ours):
    answer = ours.get("/api/threads", {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"})
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"], answer.headers["Vary"]) == (200, None, "Authorization, Cookie, Origin")


def listed(answer):
    assert answer.headers["Access-Control-Allow-Origin"] == APP, answer.headers
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["Vary"] == "Authorization, Cookie, Origin"
    return answer


def test_r12_a_listed_page_may_do_what_ours_may(ours):
    page = {"Origin": APP, "Sec-Fetch-Site": "cross-site"}
    made = listed(ours.post("/api/threads", {}, page))
    assert made.status == 201 and "Location" in made.headers["Access-Control-Expose-Headers"]
    chat = listed(ours.chat("fault:pace=0 hi", made.json()["id"], headers=page))
    assert chat.status == 200 and "X-Run-Id" in chat.headers["Access-Control-Expose-Headers"]
    listed(ours.get("/api/threads", page))
    assert listed(ours.get("/api/threads/nobody", page)).status == 404
    assert listed(ours.get("/api/nothing", page)).status == 404
    assert listed(ours.put("/api/threads", {}, page)).status == 405


def test_r12_a_listed_page_may_read_why_the_model_failed(ours):
    """The status of a stream is known late, on another thread of the program."""
    failed = ours.chat("fault:status=500 " + uuid.uuid4().hex, headers={"Origin": APP})
    problem(listed(failed), 502, "upstream_failed")
    assert listed(ours.chat("fault:status=500 hi", query="?errors=card", headers={"Origin": APP})).status == 200


@pytest.mark.parametrize("path, methods", [("/api/chat", "POST"), ("/api/threads", "GET, POST"),
                                           ("/api/threads/x", "GET, PATCH, PUT, DELETE")])
def test_r12_a_preflight_of_a_listed_page_is_answered(ours, path, methods):
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    answer = listed(ours.request("OPTIONS", path, headers={"Origin": APP, "Sec-Fetch-Site": "cross-site", **ask}))
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Access-Control-Allow-Methods"] == answer.headers["Allow"] == methods
    assert {"Authorization", "Content-Type", "Idempotency-Key", "If-Match", "Last-Event-ID"} <= \
        set(answer.headers["Access-Control-Allow-Headers"].split(", "))
    refused = ours.request("OPTIONS", path, headers={"Origin": "https://evil.example", **ask})
    assert (refused.status, refused.headers["Allow"]) == (204, methods)
    assert not [name for name in refused.headers if name.startswith("Access-Control")]


def test_r12_without_a_list_no_page_elsewhere_is_let_in(new_site):
    site = new_site(workers=1)
    problem(site.post("/api/threads", {}, {"Origin": APP}), 403, "foreign_origin")
    answer = site.request("OPTIONS", "/api/threads", headers={"Origin": APP})
    assert answer.status == 204 and answer.headers["Access-Control-Allow-Origin"] is None


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                                  "application/jsonx", "text/json", ""])
@pytest.mark.parametrize("method, path", [entry for entry in CHANGES if entry[0] != "DELETE" and "stop" not in entry[1]])
def test_r12_a_body_has_to_say_that_it_is_json(ours, upstream, method, path, kind):
    before = upstream.stats()["requests"]
    headers = {} if kind is None else {"Content-Type": kind}
    answer = send(ours, method, path.format(thread="t"), headers, b'{"message":"fault:pace=0 hi"}')
    problem(answer, 415, "unsupported_media_type")
    assert upstream.stats()["requests"] == before


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON", "application/json;charset=utf-8",
                                  "application/json ; charset=UTF-8"])
def test_r12_json_is_known_however_it_is_written(ours, kind):
    assert send(ours, "POST", "/api/threads", {"Content-Type": kind}).status == 201


@pytest.mark.parametrize("value", ["*", "app.example", "https://app.example/", "HTTPS://app.example", "https://", "null",
                                   "https://app.example https://x/y", "https://u@h"])
def test_r12_an_origin_that_no_browser_would_send_is_a_wrong_setting(tmp_path, value):
    import os
    import subprocess
    from house import ROOT, environment_of
    program = os.environ.get("C1D_BIN", str(ROOT / "build/c1d"))
    env = environment_of({"C1D_ORIGINS": value, "C1D_STATE_DIR": str(tmp_path), "THESYS_API_KEY": "k"})
    done = subprocess.run([program, "check", "-t"], env=env, capture_output=True, text=True)
    assert done.returncode != 0 and "C1D_ORIGINS" in done.stderr + done.stdout and "fix:" in done.stderr + done.stdout
