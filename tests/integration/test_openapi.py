"""The OpenAPI document against the program: what it names is there, what is there looks as it says, nothing else is."""
import json
import re
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
GET /api/openapi.json
GET /health
GET /api/health
GET /livez
GET /readyz
GET /metrics
"""
BODIES = {"ThreadDraft": {"title": "t"}, "ThreadPatch": {"title": "u"}, "MessageDraft": {"role": "user", "content": "x"},
          "MessagePatch": {"content": "y"}, "Chat": {"message": "fault:pace=0 hi"}}
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


def ask(site, method, path, body=None):
    """Past nginx, which keeps /metrics back."""
    text = json.dumps(body).encode() if body is not None else b""
    return fcgi.ask(site.folder / "c1d.sock", method, path, body=text)


def schema_of(content):
    return next(iter(content.values()))["schema"]


def check(value, schema, document, where="body"):
    """JSON Schema, as much of it as the document uses; no field may come that is not told of."""
    known = {"$ref", "type", "enum", "const", "pattern", "format", "properties", "required", "items"}
    assert set(schema) <= known, schema
    if "$ref" in schema:
        return check(value, resolve(schema["$ref"], document), document, where)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    assert not kinds or any(type(value) is TYPES[kind] for kind in kinds), (where, value, kinds)
    assert value in schema.get("enum", [value]) and value == schema.get("const", value), (where, value)
    if isinstance(value, str):
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
        assert ("requestBody" in operation) == (method in ("PUT", "PATCH", "POST") and not path.endswith("/stop"))


def test_every_operation_answers_as_it_says(site, document, operations):
    """Each of them, on things that exist: the documented status, the documented type, the documented fields."""
    chat = site.chat("fault:pace=0 hello", make(site)["id"])
    ids = {"threads": chat.headers["X-Thread-Id"], "messages": chat.headers["X-Response-Id"],
           "runs": chat.headers["X-Run-Id"]}
    for method, path, operation in operations:
        target = re.sub(r"(\w+)/{\w+}", lambda found: f"{found[1]}/{ids[found[1]]}", path)
        body = None
        if "requestBody" in operation:
            schema = schema_of(operation["requestBody"]["content"])["$ref"].rsplit("/", 1)[1]
            body = BODIES[schema]
            check(body, document["components"]["schemas"][schema], document)
        answer = ask(site, method, target, body)
        status, told = next((s, r) for s, r in operation["responses"].items() if s != "default")
        assert answer.status == int(status), (method, target, answer)
        kind, = told["content"]
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
