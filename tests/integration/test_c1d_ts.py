"""c1d.ts, the file for other people's pages: what it says of the API is what /api/openapi.json says, and its types hold."""
import re
import subprocess

import pytest

from pages import MODULES, WEB

TEXT = (WEB / "src/c1d.ts").read_text()
SCHEMAS = {"Thread": "Thread", "Message": "Message", "Run": "Run", "Usage": "EventUsage"}
KINDS = {"string": {"string"}, "Date": {"string"}, "boolean": {"boolean"}, "number": {"integer"}, "Usage": {"object"}, "Status": {"string"},
         "Record<string, unknown>": {"object"}, "null": {"null"}}


def union(text):
    """The words of "a" | "b"."""
    return set(re.findall(r'"(\w+)"', text))


def members(interface):
    body = re.search(rf"^export interface {interface} {{\n(.*?)^}}", TEXT, re.M | re.S)[1]
    return re.findall(r"^  (\w+)(\??): (.*);$", body, re.M)


@pytest.fixture(scope="module")
def openapi(scratch, upstream):
    from house import Site

    site = Site(scratch, upstream, {}, workers=1)
    yield site.get("/api/openapi.json").json()
    site.stop()


@pytest.mark.parametrize("interface, schema", SCHEMAS.items())
def test_each_member_is_one_of_the_api_and_of_its_type(openapi, interface, schema):
    properties = openapi["components"]["schemas"][schema]["properties"]
    found = members(interface)
    assert len(found) >= 3
    for name, _, kind in found:
        there = properties[name]
        if "enum" in there:
            words = union(kind) or union(re.search(rf"^export type {kind} = (.*);$", TEXT, re.M)[1])
            assert words == set(there["enum"]), name
        else:
            types = there["type"] if isinstance(there["type"], list) else [there["type"]]
            assert set().union(*(KINDS[part] for part in kind.split(" | "))) == set(types), name


def test_each_address_is_one_of_the_api(openapi):
    used = {re.sub(r"\$\{[^}]*\}+", "{}", path) for path in re.findall(r'[`"](/api/[^`"?]*)', TEXT)} - {"/api/openapi.json"}
    used |= {"/api/threads/{}" + re.sub(r"\$\{encode[^}]*\}", "{}", path).split("$")[0]
             for path in re.findall(r"`\$\{at\(thread\)\}(/[^`?]*)", TEXT)}
    known = {re.sub(r"\{\w+\}", "{}", path) for path in openapi["paths"]}
    assert len(used) >= 7 and used <= known, used - known


def test_what_is_asked_with_is_what_the_api_takes(openapi):
    sent = re.search(r"const body = \{ (prompt: .*?) \};", TEXT)[1]
    names = {re.match(r"\w+", part)[0] for part in re.sub(r"\{.*?\}", "{}", sent).split(", ")}
    assert names == {"prompt", "threadId", "responseId", "model", "metadata"}
    assert names <= set(openapi["components"]["schemas"]["Chat"]["properties"])


def test_the_types_hold(tools):
    done = subprocess.run(["node", str(MODULES / "typescript/bin/tsc"), "--noEmit", "-p", str(WEB)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
