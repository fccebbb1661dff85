"""The OpenAPI document against the program: what it names is there, what is there looks as it says, nothing else is."""
import json
import re
import urllib.parse
import uuid

import pytest

import fcgi
from api import make, problem

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# The routes of the interface, by hand: the document is made from the program's table and would not miss one.
ROUTES = """
POST /api/chat
GET POST /api/threads
GET PATCH PUT DELETE /api/threads/{id}
GET POST /api/threads/{id}/messages
PUT PATCH /api/threads/{id}/messages/{mid}
GET /api/threads/{id}/runs
GET /api/runs/{id}
GET /api/runs/{id}/stream
POST /api/runs/{id}/stop
POST /api/me/claim
GET /api/openapi.json
GET /health
GET /api/health
GET /livez
GET /readyz
GET /metrics
POST /api/thread
PUT DELETE /api/thread/{id}
GET /api/thread/{id}/messages
POST PUT /api/thread/{id}/message
POST /chat
GET POST /threads
PUT DELETE /threads/{id}
GET /threads/{id}/messages
PUT /threads/{id}/message
GET /api/openui/get
POST /api/openui/create
GET /api/openui/get/{id}
PATCH /api/openui/update/{id}
DELETE /api/openui/delete/{id}
POST /api/openui/chat
"""
BODIES = {"ThreadDraft": {"title": "t"}, "ThreadPatch": {"title": "u"}, "MessageDraft": {"role": "user", "content": "x"},
          "MessagePatch": {"content": "y"}, "Chat": {"message": "fault:pace=0 hi"}, "ThreadTitle": {"title": "v"},
          "MessageWhole": {"id": "whole", "content": "z"}, "OpenuiDraft": {"messages": [{"role": "user", "content": "first"}]},
          "OpenuiChat": {"messages": [{"role": "assistant", "content": "a"}, {"role": "user", "content": "fault:pace=0 hi"}]}}
TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list, "null": type(None)}


@pytest.fixture(scope="module")
def document(site):
    answer = site.get("/api/openapi.json")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    return answer.json()


@pytest.fixture(scope="module")
def operations(document):
    """[(method, path, operation)], deletions last."""
    found = [(method.upper(), path, operation) for path, item in document["paths"].items()
             for method, operation in item.items()]
    return sorted(found, key=lambda one: one[0] == "DELETE")


def ask(site, method, path, body=None, headers=None):
    """Past nginx, which keeps /metrics back."""
    text = json.dumps(body).encode() if body is not None else b""
    return fcgi.ask(site.folder / "c1d.sock", method, path, headers, text)


def schema_of(content):
    return next(iter(content.values()))["schema"]


def check(value, schema, document, where="body"):
    """JSON Schema, as much of it as the document uses; no field may come that is not told of."""
    known = {"$ref", "type", "enum", "const", "pattern", "format", "properties", "required", "items", "description",
             "minLength", "maxLength", "minimum", "maximum", "default", "oneOf", "additionalProperties", "allOf", "anyOf",
             "contains"}
    assert set(schema) <= known, schema
    if "$ref" in schema:
        return check(value, resolve(schema["$ref"], document), document, where)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    assert not kinds or any(type(value) is TYPES[kind] for kind in kinds), (where, value, kinds)
    assert value in schema.get("enum", [value]) and value == schema.get("const", value), (where, value)
    if isinstance(value, str):
        assert schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)), where
        assert re.search(schema.get("pattern", ""), value), (where, value)
        if schema.get("format") == "date-time":
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value), (where, value)
    if isinstance(value, list):
        for item in value:
            check(item, schema["items"], document, where + "[]")
    if isinstance(value, dict) and "properties" in schema:
        assert set(value) <= set(schema["properties"]), (where, set(value) - set(schema["properties"]))
        assert set(schema.get("required", [])) <= set(value), where
        for name in value:
            check(value[name], schema["properties"][name], document, f"{where}.{name}")


def resolve(ref, document):
    assert ref.startswith("#/"), ref
    at = document
    for part in ref[2:].split("/"):
        at = at[part]
    return at


def test_the_document_is_openapi_3_1(document):
    assert document["openapi"] == "3.1.0"
    assert set(document["info"]) >= {"title", "version"} and document["info"]["title"] == "c1d"
    for path, item in document["paths"].items():
        assert path.startswith("/") and set(item) <= {method.lower() for method in METHODS}


def test_every_reference_leads_somewhere_and_every_schema_is_used(document):
    refs = set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(document)))
    for ref in refs:
        assert isinstance(resolve(ref, document), dict)
    assert {ref.rsplit("/", 1)[1] for ref in refs} == set(document["components"]["schemas"])


def test_every_route_of_the_interface_is_in_it_and_no_other(operations):
    told = {(method, path) for method, path, _ in operations}
    wanted = {(method, line.split()[-1]) for line in ROUTES.split("\n") if line for method in line.split()[:-1]}
    assert told == wanted


def test_each_operation_has_what_a_reader_needs(operations):
    for method, path, operation in operations:
        assert operation["summary"] and "default" in operation["responses"], (method, path)
        in_path = [p["name"] for p in operation["parameters"] if p["in"] == "path"]
        assert in_path == re.findall(r"{(\w+)}", path)
        assert all(p["required"] for p in operation["parameters"] if p["in"] == "path")
        assert len({(p["in"], p["name"]) for p in operation["parameters"]}) == len(operation["parameters"])
        assert ("requestBody" in operation) == (method in ("PUT", "PATCH", "POST") and not path.endswith(("/stop", "/claim")))


OURS = re.compile("x-(run|thread|response)-id|etag|link|location|idempotency-.*")


def check_headers(answer, told, where):
    """What is ours is told of, and what always comes has come."""
    names = {name.lower() for name in told["headers"]}
    ours = {name for name in answer.headers if OURS.fullmatch(name)}
    assert ours <= names, (where, ours - names)
    assert {name.lower() for name, header in told["headers"].items() if header.get("required")} <= ours, where


@pytest.fixture(scope="module")
def ids(site):
    """A conversation with an answer, and its run."""
    chat = site.chat("fault:pace=0 hello", make(site)["id"])
    return {"threads": chat.headers["X-Thread-Id"], "messages": chat.headers["X-Response-Id"],
            "runs": chat.headers["X-Run-Id"]}


def target_of(path, ids):
    """An {id} is of what stands before it; of other clients' routes, of a conversation."""
    return re.sub(r"(\w+)/{\w+}", lambda found: f"{found[1]}/{ids.get(found[1], ids['threads'])}", path)


def parameters(operation, place):
    return [p for p in operation["parameters"] if p["in"] == place]


def refused(answer, name):
    return answer.status in (400, 422) and name in [e["field"] for e in answer.json().get("errors", [])]


def test_t6_every_word_of_a_query_takes_what_is_told_and_nothing_else(site, operations, ids):
    tried = 0
    for method, path, operation in operations:
        if "query" not in [p["in"] for p in operation["parameters"]] or method == "DELETE":
            continue
        body = {} if "requestBody" in operation else None  # refused later than a wrong query

        def send(name, value, method=method, path=path, body=body):
            query = urllib.parse.urlencode({name: value})
            return ask(site, method, f"{target_of(path, ids)}?{query}", body)

        for parameter in parameters(operation, "query"):
            name, schema = parameter["name"], parameter["schema"]
            good, bad = [], []
            if "enum" in schema:
                good, bad = schema["enum"], ["", "other", schema["enum"][0].upper() + "x"]
            elif schema["type"] == "integer":
                good = [schema["minimum"]] + [schema[key] for key in ("maximum", "default") if key in schema]
                bad = [schema["minimum"] - 1, "x", "", "1.5"] + ([schema["maximum"] + 1] if "maximum" in schema else [])
            elif "maxLength" in schema:
                bad = ["x" * (schema["maxLength"] + 1)]
            elif "pattern" in schema:
                bad = ["!", ""]
            for value in good:
                assert not refused(send(name, value), name), (method, path, name, value)
            for value in bad:
                assert refused(send(name, value), name), (method, path, name, value)
            tried += len(good) + len(bad)
    assert tried > 60


def texts_of(schema, document, path=()):
    """(names on the way, the longest it may be) of each text member that has a limit."""
    for name, member in schema.get("properties", {}).items():
        kinds = member.get("type", [])
        if "maxLength" in member:
            yield (*path, name), member["maxLength"]
        elif "object" in kinds:
            yield from texts_of(member, document, (*path, name))


def with_text(path, text):
    return {path[0]: with_text(path[1:], text)} if path else text


def test_a16_every_text_of_a_body_has_the_limit_that_is_told_and_is_named(site, document, operations, ids):
    tried = 0
    for method, path, operation in operations:
        if "requestBody" not in operation:
            continue
        name = schema_of(operation["requestBody"]["content"])["$ref"].rsplit("/", 1)[1]
        schema = document["components"]["schemas"][name]
        for where, longest in texts_of(schema, document):
            def send(text, method=method, path=path, where=where, name=name):
                rest = {} if where[0] in ("message", "prompt") else BODIES[name]
                return ask(site, method, target_of(path, ids), {**rest, **with_text(where, text)})

            field = ".".join(where)
            too_long = send("x" * (longest + 1))
            assert too_long.status == 413 or refused(too_long, field), (method, path, field, too_long)
            if longest < 4096:  # counted in characters, and not refused for its length
                answer = send("\U0001F600" * longest)
                assert "longer than" not in answer.text, (method, path, field, answer)
                assert f"longer than {longest} characters" in too_long.text, too_long
            tried += 1
    assert tried > 20


def test_a16_metadata_has_its_limit_and_is_named(site):
    assert make(site, metadata={"k": "x" * 16_000})["metadata"]
    answer = site.post("/api/threads", {"metadata": {"k": "x" * 17_000}})
    assert refused(answer, "metadata") and "16384 bytes" in answer.text


def test_a16_a_search_of_200_characters_of_any_size_is_taken(site):
    title = "\U0001F600" * 80
    make(site, title=title)
    assert len(site.get("/api/threads?" + urllib.parse.urlencode({"q": title, "limit": 1})).json()) == 1
    assert site.get("/api/threads?" + urllib.parse.urlencode({"q": title * 2 + title[:40]})).json() == []


def test_t6_a_version_that_is_known_and_an_answer_that_is_seen_are_told_of(site, document, ids):
    path = f"/api/threads/{ids['threads']}"
    told = document["paths"]["/api/threads/{id}"]["get"]
    assert [p["name"] for p in parameters(told, "header")] == ["If-None-Match"]
    answer = ask(site, "GET", path, headers={"if-none-match": ask(site, "GET", path).headers["etag"]})
    assert (answer.status, answer.body) == (304, b"")
    check_headers(answer, told["responses"]["304"], path)
    told = document["paths"]["/api/runs/{id}/stream"]["get"]
    length = ask(site, "GET", f"/api/runs/{ids['runs']}").json()["bytes"]
    answer = ask(site, "GET", f"/api/runs/{ids['runs']}/stream?offset={length}")
    assert (answer.status, answer.body) == (204, b"")
    check_headers(answer, told["responses"]["204"], path)


def test_t6_events_look_as_they_are_told(site, document):
    told = document["components"]["schemas"]["Events"]["x-events"]
    kinds = set()
    for text in ("fault:pace=0 hello", "fault:pace=0;cut=100 hello"):
        answer = site.chat(text, query="?stream=sse")
        for event, data, _ in answer.stream.events():
            check(data, told[event], document, event)
            kinds.add(event)
    assert kinds == set(told)


def test_t6_request_headers_are_told_of_where_they_are_read(document):
    found = {(method, path): {p["name"] for p in parameters(operation, "header")}
             for path, item in document["paths"].items() for method, operation in item.items()}
    assert found[("post", "/api/chat")] == {"Idempotency-Key"}
    assert found[("get", "/api/runs/{id}/stream")] == {"Last-Event-ID"}
    assert found[("patch", "/api/threads/{id}")] == found[("put", "/api/threads/{id}")] == {"If-Match"}
    aliases = [("put", "/api/thread/{id}"), ("put", "/threads/{id}"), ("patch", "/api/openui/update/{id}"), ("post", "/chat"),
               ("post", "/api/openui/chat")]
    assert all(len(found[alias]) == 1 for alias in aliases)
    assert sum(len(names) for names in found.values()) == 5 + len(aliases)


def test_every_operation_answers_as_it_says(site, document, operations, ids):
    """Each of them, on things that exist: the documented status, the documented type, the documented fields."""
    for method, path, operation in operations:
        target = target_of(path, ids if method != "DELETE" else {"threads": make(site)["id"]})
        body = None
        if "requestBody" in operation:
            schema = schema_of(operation["requestBody"]["content"])["$ref"].rsplit("/", 1)[1]
            body = {**BODIES[schema], **({"id": ids["messages"]} if schema == "MessageWhole" else {})}
            check(body, document["components"]["schemas"][schema], document)
        answer = ask(site, method, target, body)
        if path == "/api/me/claim":  # nobody signs in here; test_visitors.py has somebody who does
            check(problem(site.request(method, target), 409, "conflict"), document["components"]["schemas"]["Problem"], document)
            continue
        status, told = next((s, r) for s, r in operation["responses"].items() if s != "default")
        assert answer.status == int(status), (method, target, answer)
        check_headers(answer, told, (method, path))
        if status == "204":
            assert answer.body == b"", (method, target)
            continue
        kind = next(iter(told["content"]))
        assert answer.headers["content-type"].split(";")[0] == kind, (method, target)
        if kind == "application/json":
            check(answer.json(), schema_of(told["content"]), document, f"{method} {path}")


def test_a_problem_looks_as_it_says(site, document):
    schema = document["components"]["schemas"]["Problem"]
    check(site.get("/api/threads/nobody").json(), schema, document)
    check(site.post("/api/threads", {"title": 7}).json(), schema, document)
    check(site.get("/api/nothing").json(), schema, document)


def test_a_method_that_is_not_told_of_is_not_allowed(site, document):
    for path, item in document["paths"].items():
        target = re.sub(r"{\w+}", "x", path)
        allowed = [method for method in METHODS if method.lower() in item]
        for method in METHODS:
            if method in allowed:
                continue
            answer = ask(site, method, target)
            assert answer.status == 405, (method, target, answer)
            assert set(answer.headers["allow"].split(", ")) == set(allowed), (method, target)


@pytest.mark.parametrize("path", ["/", "/api", "/api/", "/api/threads/", "/api/Threads", "/api//threads", "/api/threads/a/b",
                                  "/api/threads/a/messages/", "/api/threads/../threads", "/api/threads/%2e%2e",
                                  "/api/threads/a%2fb", "/api/threads/a%00", "/api/chat/", "/api/openapi.json/x",
                                  "/api/threads/" + "a" * 129, "//api/threads"])
def test_what_is_no_route_is_not_found(site, path):
    answer = ask(site, "GET", path)
    assert answer.status in (400, 404), answer
    problem(site.get("/api/" + uuid.uuid4().hex), 404, "not_found")


@pytest.mark.parametrize("target", ["/api/threads?limit=5&limit=6", "/api/threads?q=%ff", "/api/threads?q=%zz"])
def test_a_query_that_can_be_read_two_ways_is_refused(site, target):
    assert ask(site, "GET", target).status in (400, 422)
