"""What clients make large, through nginx: bodies and pages draw on one budget, leave it again, and are whole or refused."""
import html
import json
import re
import socket
import uuid

import pytest

import fcgi
from api import asked, make, problem, wait_at_gate, walk
from house import Stream, Upstream, in_parallel, wait_for

MIB = 1 << 20


def put_message(site, thread, content, role="user"):
    answer = site.post(f"/api/threads/{thread}/messages", {"role": role, "content": content})
    assert answer.status == 201, answer.status
    return answer


def figure(site, name):
    text = fcgi.ask(site.folder / "c1d.sock", "GET", "/metrics").text
    return int(re.search(rf"^{name} (\d+)$", text, re.M)[1])


@pytest.fixture(scope="module")
def small(scratch, upstream):
    """One worker that may spend 64 MiB, and waits for bodies for as long as a test may take that holds some back."""
    from house import Site
    house = Site(scratch, upstream, {"C1D_MEMORY_MAX": "64m", "C1D_READ_MS": "60000"}, workers=1)
    yield house
    house.stop()


@pytest.fixture(scope="module")
def large_thread(small):
    thread = make(small)["id"]
    for n in range(4):
        put_message(small, thread, str(n) * (8 * MIB))
    return thread


def test_r11_large_pages_are_whole_or_refused_and_leave_nothing_behind(small, large_thread):
    """Sixteen readers want many times what there is; who is refused is told to come back, and can."""
    path = f"/api/threads/{large_thread}/messages?limit=4"

    def read(_):
        answer = small.request("GET", path, timeout=120)
        if answer.status == 503:
            assert answer.headers["Retry-After"] == "1"
            return problem(answer, 503, "overloaded")["retry_after"]
        assert answer.status == 200, answer.status
        found = [(message["content"][0], len(message["content"])) for message in answer.json()]
        assert found and found == [(str(n), 8 * MIB) for n in range(4)][-len(found):]
        return 0

    before = figure(small, "c1d_memory_refused_total")
    waits = in_parallel(16, read)
    assert figure(small, "c1d_memory_refused_total") - before >= sum(waits)
    assert small.get("/livez").status == 200
    wait_for(lambda: figure(small, "c1d_memory_lent_bytes") == 0, "all is given back")
    assert read(0) == 0


def test_r10_a_thread_of_huge_messages_is_read_page_by_page(site, store_kind):
    """Messages of the largest size: the plain list is a page with a Link to the rest. (The test's own MongoDB puts all
    that is asked for into one batch, where the real one stops at 16 MiB; so it gets fewer.)"""
    thread, count = make(site)["id"], 16 if store_kind == "sqlite" else 3
    for n in range(count):
        put_message(site, thread, f"{n:02}" * (4 * MIB), ("user", "assistant")[n % 2])
    answer = site.get(f"/api/threads/{thread}/messages")
    assert answer.status == 200 and answer.headers["Link"]
    pages = walk(site, f"/api/threads/{thread}/messages")
    found = [message["content"][:2] for page in pages[::-1] for message in page]
    assert found == [f"{n:02}" for n in range(count)]
    onward = walk(site, f"/api/threads/{thread}/messages?as=c1&after={pages[-1][0]['id']}")
    assert sum(len(page) for page in onward) == count - 1


def test_r10_small_messages_share_a_page_up_to_its_bytes(site):
    thread = make(site)["id"]
    for n in range(6):
        put_message(site, thread, str(n) * (3 * MIB))
    for way in ("", "&as=c1"):
        pages = walk(site, f"/api/threads/{thread}/messages?limit=5{way}")
        assert [len(page) for page in pages] == [2, 2, 2]


def test_r11_large_bodies_are_taken_or_refused_and_leave_nothing_behind(small):
    thread = make(small)["id"]

    def send(n):
        body = json.dumps({"role": "user", "content": str(n % 10) * (8 * MIB), "id": f"m{n}"}).encode()
        answer = small.request("POST", f"/api/threads/{thread}/messages", body, timeout=120)
        assert answer.status in (201, 503), answer.status
        if answer.status == 503:
            assert answer.headers["Retry-After"] == "1"
        return answer.status

    taken = in_parallel(16, send).count(201)
    assert taken >= 1
    wait_for(lambda: figure(small, "c1d_memory_lent_bytes") == 0, "all is given back")
    assert send(16) == 201


class Holders:
    """Peers that hold nearly all of the budget: bodies that were announced and are not sent."""

    def __init__(self, site):
        wait_for(lambda: figure(site, "c1d_memory_lent_bytes") == 0, "what was answered has given back its room")
        self.peers, wanted = [], 0
        for size in (*[12 * MIB] * 5, 4 * MIB - 100000):
            peer = socket.socket(socket.AF_UNIX)
            peer.connect(str(site.folder / "c1d.sock"))
            peer.sendall(fcgi.request("PUT", "/api/threads/t/messages/m", {}, b"x" * size)[:100000])
            self.peers.append(peer)
            wanted += size
        wait_for(lambda: figure(site, "c1d_memory_lent_bytes") >= wanted, "the bodies hold their room")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for peer in self.peers:
            peer.close()


def test_r11_a_refusal_is_told_in_the_log_with_its_numbers(small):
    with Holders(small):
        answer = small.put("/api/threads/t/messages/m", {"content": "x" * MIB})
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        assert small.post("/api/threads", {"title": "small ones are served"}).status == 201
        assert small.chat("fault:pace=0 hi").status == 200
    line = wait_for(lambda: small.log_lines("memory budget is spent: large requests were refused"), "the log tells")[-1]
    assert line["max"] == 64 * MIB and line["count"] >= 1
    wait_for(lambda: figure(small, "c1d_memory_lent_bytes") == 0, "all is given back")


def test_r11_a_prompt_draws_until_it_is_sent(small):
    """One byte of this question takes six in the request to the model."""
    gate = uuid.uuid4().hex
    body = json.dumps({"message": f"fault:pace=0;gate={gate}@20 {'?' * 60000}"}).replace("?", "\x7f").encode()
    with Holders(small):
        refused = small.request("POST", "/api/chat", body)
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1"), refused
    wait_for(lambda: figure(small, "c1d_memory_lent_bytes") == 0, "all is given back")
    stream = Stream(small.host, small.port, "POST", "/api/chat", body, {"Content-Type": "application/json"})
    wait_at_gate(small, gate)
    wait_for(lambda: figure(small, "c1d_memory_lent_bytes") == 0, "the prompt was let go")
    small.upstream.open_gate(gate)
    assert stream.status == 200 and stream.read_all()


@pytest.mark.parametrize("body", [b'{"role":"user","content":"x","metadata":{"a":[' + b"0," * 100000 + b"0]}}",
                                  b'{"metadata":' + b"[[]," * 40 + b"0" + b"]" * 40 + b',"x":[' + b"{}," * 9000 + b"{}]}"],
                         ids=["numbers", "objects"])
def test_r11_a_body_of_many_small_values_makes_no_huge_tree(small, body):
    thread = make(small)["id"]
    answer = small.request("POST", f"/api/threads/{thread}/messages", body)
    assert "too many values" in problem(answer, 400, "bad_json")["detail"]


@pytest.mark.parametrize("size", [1, 16383, 16384, 16385, 65536, 300000])
@pytest.mark.parametrize("unit", ["a", "\"\\", "\x01\n", "ä", "日本", "\U0001f680", "<&'>\""])
def test_r11_a_page_written_in_pieces_is_what_was_stored(small, unit, size):
    """Whatever is cut where: escapes, characters of many bytes, the form for the web client."""
    thread = make(small)["id"]
    text = (unit * size)[:size]
    put_message(small, thread, text)
    put_message(small, thread, "{}", "tool")
    put_message(small, thread, text, "assistant")
    assert [m["content"] for m in small.messages(thread)] == [text, "{}", text]
    shown = small.messages(thread, "?as=c1")
    assert [m["role"] for m in shown] == ["user", "assistant"]
    assert html.unescape(shown[0]["content"]) == f'<content thesys="true">{text}</content>'
    assert "<" not in shown[0]["content"][len('<content thesys="true">'):-len("</content>")]
    assert shown[1]["content"] == text


def test_r11_a_page_of_nothing_that_is_shown_is_an_empty_one(small):
    thread = make(small)["id"]
    put_message(small, thread, "{}", "tool")
    assert small.messages(thread, "?as=c1") == []


@pytest.mark.parametrize("kind", ["plain", "tls"])
def test_r11_the_prompt_of_a_silent_run_is_let_go(new_site, upstream, scratch, kind):
    """The C1 API has the whole conversation and thinks; what was sent to it is held by nobody any more."""
    if kind == "tls":  # HTTP/2
        folder = scratch / ("tls-" + uuid.uuid4().hex[:12])
        folder.mkdir()
        upstream = Upstream(folder, "--tls-self", str(folder))
        site = new_site({"THESYS_CA_FILE": str(folder / "ca.pem")}, upstream=upstream, workers=1)
    else:
        site = new_site(workers=1)
    gate, thread = uuid.uuid4().hex, make(site)["id"]
    put_message(site, thread, "long " * 40000)
    prompt = f"fault:gate={gate}@40 {gate}"
    stream = site.stream({"thread_id": thread, "message": prompt})
    stream.read_until(b"thesys")
    wait_at_gate(site, gate)
    assert len(asked(site, prompt)["body"]["messages"][-2]["content"]) == 200000
    wait_for(lambda: figure(site, "c1d_memory_lent_bytes") == 0, "the prompt is given back")
    assert figure(site, "c1d_runs_in_flight") == 1
    upstream.open_gate(gate)
    assert stream.read_all().endswith(b"</content>")
    stream.close()
    if kind == "tls":
        upstream.stop()


# --- numbers of metadata ---
NUMBERS = ["9007199254740991", "9007199254740993", "-9007199254740993", "18446744073709551615", "1e300", "1E+2", "0.1", "-0",
           "1.0", "1.10", "123456789012345678901234567890", "3.14159265358979323846264338327950288"]


@pytest.mark.parametrize("store", ["sqlite", "mongodb"])
def test_r25_numbers_of_metadata_come_back_as_they_were_sent(new_site, store, request):
    uri = {} if store == "sqlite" else {"C1D_STORE": request.getfixturevalue("mongod").uri("numbers")}
    site = new_site(uri, workers=1)
    metadata = '{"n":[' + ",".join(NUMBERS) + '],"s":"1 -2 \\"3\\" \\\\4","o":{"5":6.50},"l":[7,{"8":[9]}]}'
    made = site.request("POST", "/api/threads", b'{ "metadata" : %b }' % metadata.replace(",", " , ").encode())
    assert made.status == 201, made
    for answer in (made, site.get("/api/threads/" + made.json()["id"])):
        assert re.search(r'"metadata":(\{.*\})\}', answer.text)[1] == metadata
    thread = made.json()["id"]
    name = uuid.uuid4().hex
    body = b'{"id":"%b","role":"user","content":"x","metadata":%b}' % (name.encode(), metadata.encode())
    site.request("POST", f"/api/threads/{thread}/messages", body)
    assert f'"metadata":{metadata},' in site.get(f"/api/threads/{thread}/messages").text
