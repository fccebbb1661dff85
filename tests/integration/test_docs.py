"""The documents say what the program does, and what the program has is in them. Their examples are run by test_docs_shell.py."""
import json
import re
import subprocess

import pytest

from api import next_page
from house import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
API = (ROOT / "docs/reference/api.md").read_text()
ALL_ROUTES = API + (ROOT / "docs/how-to/other-clients.md").read_text()
PROMISES = (ROOT / "docs/explanation/promises.md").read_text()
OF_A_PAGE = ("src/App.jsx", "src/main.jsx")


@pytest.fixture(scope="module")
def site(scratch, upstream):
    from house import Site
    house = Site(scratch, upstream, {"C1D_MODELS": "c1/other"})
    house.chat("hello", "t1")
    house.chat("hello", "t2")
    yield house
    house.stop()


def operations(site):
    paths = site.get("/api/openapi.json").json()["paths"]
    return [(path, method, operation) for path, methods in paths.items() for method, operation in methods.items()]


def test_t5_every_route_and_every_query_word_is_there(site):
    missing = []
    for path, _, operation in operations(site):
        path = re.sub(r"\{(\w+)\}", r":\1", path)
        if path not in ALL_ROUTES:
            missing.append(path)
        missing += [p["name"] for p in operation["parameters"] if p["in"] == "query" and f"`{p['name']}" not in ALL_ROUTES]
    assert missing == []


def test_t5_every_header_of_openapi_is_there(site):
    named = set()
    for _, _, operation in operations(site):
        named |= {p["name"] for p in operation["parameters"] if p["in"] == "header"}
        named |= {name for response in operation["responses"].values() for name in response.get("headers", {})}
    assert named and [name for name in sorted(named) if f"`{name}" not in API] == []


def test_t5_what_is_not_known_is_told(site):
    answer = site.post("/api/threads", {"titel": "x"})
    assert answer.status == 422 and "title" in answer.text
    assert "422 and told with the nearest name" in API


def test_t5_every_event_and_its_members_are_there(site):
    answer = site.chat("hello", "t-events", "?stream=sse")
    events = answer.stream.events()
    assert {"run", "delta", "done"} <= {name for name, _, _ in events}
    for name, data, event_id in events:
        row = re.search(rf"^\| `{name}` \| (.*) \|$", API, re.M)
        assert row, f"no event {name}"
        if isinstance(data, dict) and name in ("run", "done"):
            assert re.findall(r'"(\w+)"', row[1]) == list(data), name
        if event_id:
            assert re.fullmatch(rf"{answer.headers['X-Run-Id']}\.\d+", event_id)
    failed = site.chat("fault:cut=40", "t-events-2", "?stream=sse").stream.events()
    assert [name for name, _, _ in failed][-2:] == ["error", "done"] and "| `error` |" in API


def test_t5_every_header_of_a_stream_is_there(site):
    first = site.chat("hello", "t-headers", headers={"Idempotency-Key": "k-docs"})
    again = site.chat("hello", "t-headers", headers={"Idempotency-Key": "k-docs"})
    own = {name for name in {*first.headers, *again.headers} if name.startswith(("X-", "Idempotency"))}
    own -= {"X-Accel-Buffering", "X-Content-Type-Options"}  # for proxies and browsers
    assert own == set(re.findall(r"^\| `(X-[\w-]+|Idempotency[\w-]+)` \|", API, re.M))


def test_t5_a_run_is_found_by_its_thread(site):
    run = site.chat("hello", "t-run").headers["X-Run-Id"]
    assert run in [entry["id"] for entry in site.get("/api/threads/t-run/runs").json()]
    shown = site.get(f"/api/runs/{run}").json()
    assert {"status", "bytes", "saved"} <= set(shown)
    stopped = site.post(f"/api/runs/{run}/stop").json()
    assert re.search(rf'POST /api/runs/:id/stop` \| `{{{", ".join(f".{name}." for name in stopped)}}}`', API)


def test_t5_pages_are_walked_by_their_link(site):
    for number in range(3):
        site.post("/api/threads", {"title": f"page {number}", "user_id": "pages"})
    first = site.get("/api/threads?limit=2&user_id=pages")
    second = site.get(next_page(first))
    assert [len(first.json()), len(second.json())] == [2, 1] and second.headers["Link"] is None


def test_t4_the_end_of_a_raw_stream_does_not_tell_a_cut_and_that_is_said(site):
    cut = site.chat("fault:cut=40", "t-cut")
    assert cut.status == 200
    assert site.messages("t-cut")[-1]["status"] == "interrupted"
    for document in (API, (ROOT / "README.md").read_text()):
        assert re.search(r"its end does not tell a finished\s+answer from (one that was|a) cut", document)


def test_t2_the_readme_shows_failures_in_the_chat(site):
    readme = (ROOT / "README.md").read_text()
    addresses = set(re.findall(r"/api/chat\?[\w=&:]+", readme)) - {"/api/chat?stream=sse"}
    assert addresses == {"/api/chat?errors=card&keepalive=15&on_disconnect=grace:20"}
    plain, card = (site.chat("fault:status=500", f"t-fail{query[1:6]}", query) for query in ("", "?errors=card"))
    assert plain.status == 502 and card.status == 200 and b"<content" in card.body


def test_t7_the_readme_names_no_setting_that_is_not_there():
    text = (ROOT / "include/config/settings.h").read_text()
    table = set(re.findall(r'"([A-Z][A-Z_0-9]+)"', text)) | {f"{name}_FILE" for name in re.findall(r'"([A-Z_0-9]+)", SECRET', text)}
    others = {"C1D_CONFIG", "MONGODB_TEST_URI", "CREDENTIALS_DIRECTORY"}
    for document in DOCUMENTS:
        named = set(re.findall(r"`((?:C1D|THESYS|MONGODB|DATABASE|REDIS|FIREBASE)_[A-Z_]+)", document.read_text()))
        assert named - table - others == set(), document


def test_t8_it_is_said_which_servers_were_tried():
    assert "FerretDB" in PROMISES and "MONGODB_TEST_URI" in PROMISES
    for document in [*DOCUMENTS, ROOT / "src/README.md", ROOT / "CONTRIBUTING.md"]:
        assert not re.search(r"real\s+stores|MongoDB killed", document.read_text()), document


def test_each_promise_names_its_end_and_a_test_that_exists():
    promises = re.split(r"^\d\. ", PROMISES.split("\n\n")[1], flags=re.M)[1:]
    assert len(promises) == 8
    for promise in promises:
        assert "*Ends:*" in promise and "*Tests:*" in promise, promise
        tests = re.findall(r"`(test_\w+\.py)`", promise)
        assert tests and all((ROOT / "tests/integration" / test).exists() for test in tests), promise


def anchors(document):
    """Those that a heading makes, as GitHub names them."""
    outside = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.M | re.S)
    titles = [re.sub(r"[`*]|\]\([^)]*\)|\[", "", title) for title in re.findall(r"^#+ (.*)$", outside, re.M)]
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_points_at_is_there(document):
    text = document.read_text()
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)):
        if target.startswith("https://"):
            continue
        there = document.parent / target if target else document
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), f"{target}#{anchor}"
    for path in re.findall(r"`((?:src|tests|docs|nginx|systemd)/[\w./-]+)`", text):
        assert (ROOT / path).exists() or path in OF_A_PAGE, path


def test_d7_each_page_is_in_the_index():
    index = (ROOT / "docs/README.md").read_text()
    for document in DOCUMENTS[1:]:
        assert f"({document.relative_to(ROOT / 'docs')})" in index or document.name == "README.md", document


def test_t5_bodies_of_examples_are_json():
    for example in re.findall(r"-d '(\{.*?\})'", API):
        json.loads(example)


def test_every_attack_of_the_table_has_its_test():
    done = subprocess.run(["/usr/bin/python3", ROOT / "tests/fault_rows"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
