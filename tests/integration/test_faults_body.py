"""Bodies, ids and addresses that are wrong: a clear problem, nothing stored, nothing echoed, nobody harmed. Rows A9 to A22."""
import json
import socket
import uuid
from pathlib import Path

import pytest
from house import in_parallel

CHAT, JSON = "/api/chat", {"Content-Type": "application/json"}


def post(site, body, path=CHAT, headers=None):
    return site.request("POST", path, body if isinstance(body, bytes) else body.encode(), {**JSON, **(headers or {})})


def problem(answer, status, code):
    assert (answer.status, answer.json()["code"]) == (status, code), answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.json()


# --- A9: too large ---

@pytest.mark.parametrize("path, limit", [(CHAT, 256 << 10), ("/api/threads", 64 << 10), ("/api/threads/t/messages", 12 << 20)])
@pytest.mark.parametrize("chunked", [False, True])
def test_A9_body_over_its_routes_limit(site, path, limit, chunked):
    body = b'{"message":"' + b"x" * limit + b'"}'
    data = (body[i:i + 65536] for i in range(0, len(body), 65536)) if chunked else body
    answer = site.request("POST", path, data, JSON)
    assert "KiB" in problem(answer, 413, "too_large")["detail"]


def test_A9_body_over_the_web_servers_limit_has_the_same_form(site):
    answer = site.request("POST", "/api/threads/t/messages", b"x" * (14 << 20), JSON)
    problem(answer, 413, "too_large")


def test_A10_length_that_lies_is_nginxs_to_refuse(site):
    with socket.create_connection((site.host, site.port)) as client:
        client.sendall(b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello")
        client.settimeout(20)
        assert b" 400 " in client.recv(4096)
    assert site.get("/livez").status == 200


# --- A11 to A16: JSON ---

@pytest.mark.parametrize("body, at", [
    ('{"message":"x"', 14), ('{"message":"x"} x', 16), ('\ufeff{"message":"x"}', 0), ('{"message":NaN}', 11),
    ('{"message":1e999}', 16), ('{"message":"\\ud800"}', 18), ("", 0), ("{'message':1}", 1), ('{"a":01}', 6), ('{"a":"\t"}', 6)],
    ids=["cut", "trailing", "BOM", "NaN", "1e999", "surrogate", "empty", "quotes", "zero", "control"])
def test_A11_what_is_no_json_is_told_by_its_offset(site, body, at):
    answer = problem(post(site, body), 400, "bad_json")
    assert f"byte {at}" in answer["detail"], answer["detail"]


def test_A11_the_problem_repeats_nothing_of_what_came(site):
    for body in ('{"message":"canary"x', '{"message":canary}', '{"canary":1,"canary":2}', '{"message":"canary\\q"}', '"canary" canary'):
        answer = post(site, body)
        assert answer.status == 400 and "canary" not in answer.text, answer


@pytest.mark.parametrize("raw", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"])
def test_A12_bad_utf8(site, raw):
    problem(post(site, b'{"message":"' + raw + b'"}'), 400, "bad_utf8")
    query = "".join(f"%{byte:02x}" for byte in raw)
    problem(site.get(f"/api/threads?q={query}"), 400, "bad_utf8")


def test_A13_nul(site):
    problem(post(site, '{"message":"a\\u0000b"}'), 400, "bad_json")
    problem(post(site, '{"thread_id":"a\\u0000","message":"b"}'), 400, "bad_json")
    assert site.get("/api/threads?q=%00").status == 400
    assert site.get("/api/threads/a%00b").status == 400  # by nginx itself


@pytest.mark.parametrize("body", ['{"a":' * 65 + "1" + "}" * 65, "[" * 100_000, "{" + ",".join(f'"{i}":1' for i in range(1025)) + "}",
                                  '{"a":' + "1" * 100_000 + "}"], ids=["deep", "deeper", "keys", "number"])
def test_A14_bodies_meant_to_hurt(site, body):
    problem(post(site, body), 400, "bad_json")


HEAVY = {"deep": "[" * 250_000, "keys": "{" + ",".join(f'"{i}":1' for i in range(20_000)) + "}", "values": "[" + "1," * 120_000 + "1]",
         "alike": "{" + ",".join('"' + "k" * 200 + f'{i}":1' for i in range(1020)) + "}", "number": '{"a":' + "1" * 11_000_000 + "}",
         "exponent": '{"a":1e' + "9" * 11_000_000 + "}", "key": '{"' + "k" * 11_000_000 + '":1}', "escaped_key": '{"' + "\\u006b" * 1_800_000 + '":1}',
         "metadata": '{"role":"user","metadata":{' + ",".join(f'"k{i}":1' for i in range(900_000)) + "}}"}


def cpu_ms(pid):
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e6


def test_A14_bodies_meant_to_hurt_cost_no_processor(new_site):
    """50 ms for each without sanitizers, which make all of it several times as dear, as a slow machine does; what is quadratic takes minutes."""
    site = new_site(workers=1)
    pid = site.worker_pids()[0]
    for name, body in HEAVY.items():
        before = cpu_ms(pid)
        answer = post(site, body, "/api/threads/t/messages")
        assert answer.status in (400, 422) and len(answer.body) < 1000, (name, answer)
        assert cpu_ms(pid) - before < 6000, name
    assert site.worker_pids() == [pid]


@pytest.mark.parametrize("body", ['{"message":"a","message":"b"}', '{"thread_id":"a","message":"x","thread_id":"b"}',
                                  '{"message":"x","metadata":{"k":1,"\\u006b":2}}'])
def test_A15_key_that_occurs_twice(site, body):
    problem(post(site, body), 400, "duplicate_key")


@pytest.mark.parametrize("body, field", [
    ({}, "message"), ({"message": ""}, "message"), ({"message": 1}, "message"), ({"message": ["a"]}, "message"),
    ({"message": None}, "message"), ({"message": "x", "thread_id": 7}, "thread_id"), ({"message": "x", "model": {}}, "model"),
    ({"message": "x", "metadata": []}, "metadata"), ({"prompt": "x"}, "prompt"), ({"prompt": {}}, "prompt.content"),
    ({"prompt": {"content": {"a": 1}}}, "prompt.content"), ({"prompt": {"role": "system", "content": "x"}}, "prompt.role"),
    ({"prompt": {"content": "x"}, "message": "y"}, "message"), ({"message": "x", "user_id": "a\nb"}, "user_id"),
    ({"message": "x", "user_id": "u" * 129}, "user_id"), ({"message": "x", "model": "c1/other"}, "model")])
def test_A16_wrong_types_and_missing_fields_are_named(site, body, field):
    answer = problem(site.post(CHAT, body), 422, "validation")
    assert answer["errors"][0]["field"] == field and answer["errors"][0]["reason"]


def test_A16_body_that_is_no_object(site):
    for body in ("[]", "1", '"x"', "null", "true"):
        problem(post(site, body), 422, "validation")


BAD_IDS = ["", ".", "..", ".hidden", "a/b", "a b", "a\r\nSet-Cookie: x=1", "$where", "ä", "x" * 129, "x" * 200_000, "{}", "a%2eb"]


@pytest.mark.parametrize("bad", BAD_IDS, ids=range(len(BAD_IDS)))
def test_A17_A18_ids_that_are_none(site, bad):
    for body in ({"thread_id": bad, "message": "x"}, {"responseId": bad, "message": "x"},
                 {"prompt": {"id": bad, "content": "x"}}):
        answer = site.post(CHAT, body)
        problem(answer, 400, "bad_id")
        assert "Set-Cookie" not in answer.headers
    assert "Set-Cookie: x=1" not in site.log_path.read_text()


@pytest.mark.parametrize("path", ["/api/threads/.", "/api/threads/..", "/api/threads/%2e%2e", "/api/threads/a%2fb", "/api/threads/a%0d%0a",
                                  "/api//threads", "/api/threads/", "/api/threads/" + "x" * 129, "/api/threads/$x", "/api/threads/a;b",
                                  "/API/threads", "/api/metrics", "/api/%2e%2e/metrics", "/api/threads/..%2f..%2fmetrics", "http://evil.example/metrics",
                                  "http://evil.example/api/nothing", "/api/../metrics", "/%61pi/threads", "/api/threads;x=1", "//api/threads", "/./metrics", "/metrics",
                                  "/metrics/", "/METRICS", "/api/chat/../../metrics", "/c1d-error/503"])
def test_A17_A19_addresses_that_lead_nowhere(site, path):
    with socket.create_connection((site.host, site.port)) as client:  # as it stands: no client may tidy it up
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        client.settimeout(20)
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
    assert answer.split(b" ")[1] in (b"404", b"400"), answer[:300]
    assert b"c1d_requests_total" not in answer


def test_A20_headers_of_the_client_reach_nothing_unasked(site):
    answer = site.get("/api/threads", {"Proxy": "http://127.0.0.1:1", "X_Real_Ip": "6.6.6.6", "X-Request-Id": "forged\tid"})
    assert answer.status == 200
    assert "forged" not in site.log_path.read_text()


def test_A20_no_proxy_of_the_environment_is_asked(new_site):
    """CVE-2016-5385: the C1 API is called as the settings say and by no other way."""
    with socket.create_server(("127.0.0.1", 0)) as canary:
        address = f"http://127.0.0.1:{canary.getsockname()[1]}"
        site = new_site({name: address for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")}, workers=1)
        assert site.chat("fault:pace=0 x", headers={"Proxy": address}).status == 200
        assert site.get("/health").status == 200
        canary.settimeout(0)
        with pytest.raises(BlockingIOError):
            canary.accept()


# --- A22: the protocol's words ---

@pytest.mark.parametrize("method, path, allow", [
    ("GET", CHAT, "POST"), ("DELETE", "/api/threads", "GET, POST"), ("POST", "/api/threads/t", "GET, PATCH, PUT, DELETE"),
    ("PUT", "/health", "GET"), ("TRACE", CHAT, None), ("BREW", "/api/threads", None)])
def test_A22_wrong_method(site, method, path, allow):
    answer = site.request(method, path)
    assert answer.status == 405, answer
    if allow:
        assert answer.headers["Allow"] == allow


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx"])
def test_A22_wrong_content_type(site, kind):
    answer = post(site, '{"message":"x"}', headers={"Content-Type": kind})
    assert "application/json" in problem(answer, 415, "unsupported_media_type")["detail"]


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8", "application/json;x=y"])
def test_A22_right_content_type(site, kind):
    assert post(site, '{"title":"x"}', "/api/threads", {"Content-Type": kind}).status == 201


def test_A22_accept_chooses_nothing_and_head_is_get_without_a_body(site):
    assert site.get("/api/threads", {"Accept": "image/png"}).status == 200
    answer = site.request("HEAD", "/health")
    assert answer.status == 200 and answer.body == b""


def test_nothing_of_all_this_was_stored_or_asked(new_site):
    site = new_site(workers=1)
    spent = site.upstream.stats()["requests"]
    bodies = ["{", '{"message":1}', '{"thread_id":"..","message":"x"}', '{"message":"a","message":"b"}', '{"message":"\\u0000"}']
    in_parallel(5, lambda i: post(site, bodies[i]))
    assert site.get("/api/threads").json() == []
    assert site.upstream.stats()["requests"] == spent
    assert list((site.folder / "state" / "spool").glob("0*")) == []


def test_values_are_cut_not_trusted_in_the_log(site):
    word = "w" + uuid.uuid4().hex
    site.request("GET", "/api/threads/" + word * 20)
    for line in site.log_lines():  # every line parses
        json.dumps(line)
