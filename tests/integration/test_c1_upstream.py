"""The scripted C1 API itself: what the other tests rely on when they ask it to fail."""
import http.client
import json
import os
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import h2.connection
import h2.events
import pytest

import house

TESTS = house.ROOT / "tests"
sys.path.insert(0, str(TESTS / "c1_upstream"))
import faults  # noqa: E402
import hostile  # noqa: E402
import malformed  # noqa: E402


class Api(house.Upstream):
    """With what only these tests ask of it."""

    def answer(self, prompt):
        with urllib.request.urlopen(f"{self.control}/answer?{urllib.parse.urlencode({'prompt': prompt})}") as answer:
            return answer.read()

    def wait(self, **wanted):
        with urllib.request.urlopen(f"{self.control}/stats/wait?{urllib.parse.urlencode({'timeout': house.DEADLINE_S, **wanted})}") as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    yield from running(tmp_path_factory.mktemp("upstream"))


def running(folder, *arguments):
    server = Api(folder, "--pace-ms", "0", *arguments)
    yield server
    server.stop()


def post(api, prompt, *, key="k", stream=True, model="c1/test", timeout=house.DEADLINE_S):
    url = urllib.parse.urlsplit(api.base_url)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": prompt}]}
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    connection.request("POST", url.path + "/chat/completions", json.dumps(body), headers)
    return connection.getresponse()


def events(raw):
    return [json.loads(line[6:]) for line in raw.decode().splitlines() if line.startswith("data: {")]


def text_of(raw):
    return "".join(choice["delta"].get("content") or "" for event in events(raw) for choice in event.get("choices", []))


def curl_words(*arguments, prompt="hello"):
    body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": prompt}]})
    return ["curl", "-sS", "-H", "Authorization: Bearer k", "-H", "Content-Type: application/json", "-d", body, *arguments]


def curl(*arguments, prompt="hello"):
    return subprocess.run(curl_words(*arguments, prompt=prompt), capture_output=True, timeout=2 * house.DEADLINE_S)


def curl_that_waits_and_goes(api, *arguments, prompt):
    """Its answer has no end: it has been asked for, and a moment later nothing has told the client otherwise."""
    with subprocess.Popen(curl_words(*arguments, prompt=prompt), stdout=subprocess.DEVNULL) as child:
        try:
            api.wait(prompt=prompt, requests=1)
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(0.3)
        finally:
            child.kill()


def test_an_answer_is_openai_events_that_add_up_to_the_card(api):
    answer = post(api, '<content thesys="true">hello &lt;you&gt;</content>')
    raw = answer.read()
    assert answer.status == 200 and answer.getheader("content-type").startswith("text/event-stream")
    assert text_of(raw).encode() == api.answer("hello <you>")
    assert "hello &lt;you&gt;" in text_of(raw) and "&quot;Card&quot;" in text_of(raw)
    assert raw.endswith(b"data: [DONE]\n\n")
    finished = [c["finish_reason"] for e in events(raw) for c in e["choices"] if c["finish_reason"]]
    assert finished == ["stop"] and events(raw)[-1]["usage"]["total_tokens"] > 0
    assert len(events(raw)) > 20


def test_a_sample_is_chosen_by_name_and_by_word(api):
    for prompt, name in (("sample:v2table", "v2table"), ("Show me a table", "table"), ("a chart please", "chart")):
        assert text_of(post(api, prompt).read()) == (TESTS / "samples" / f"{name}.txt").read_text()
    assert "Please fill" not in text_of(post(api, "information").read())


def test_an_answer_that_is_not_streamed_comes_whole(api):
    answer = json.load(post(api, "hello", stream=False))
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"].encode() == api.answer("hello")


def test_a_wrong_key_path_or_body_is_refused_as_the_real_one_does(api):
    assert post(api, "x", key=None).status == 403
    bad = post(api, "x", key="bad")
    assert bad.status == 403 and json.load(bad)["error"]["type"] == "permission_error"
    assert post(api, "x", model="").status == 400
    assert post(api, "fault:nonsense").status == 400
    url = urllib.parse.urlsplit(api.base_url)
    connection = http.client.HTTPConnection(url.hostname, url.port)
    connection.request("GET", "/v1/embed/models")
    assert connection.getresponse().status == 404


@pytest.mark.parametrize("fault", ["cut=30", "rst=30;pace=1", "cut_no_notify=30", "bad_chunk=30", "goaway=30;pace=1"])
def test_B10_an_answer_cut_at_a_byte_has_all_before_it_and_breaks(api, fault):
    raw = b""
    answer = post(api, f"fault:{fault}")
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        while byte := answer.read(1):
            raw += byte
    assert text_of(raw) == api.answer("fault:" + fault).decode()[:30]


@pytest.mark.parametrize("fault", ["cut_wire=300", "wrong_length", "cut_before", "rst_before", "garbage"])
def test_B10_B19_a_broken_answer_is_an_error_to_its_client(api, fault):
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        post(api, f"fault:{fault}").read()


def test_B1_a_status_comes_with_retry_after_as_often_as_asked(api):
    prompt = "fault:status=429;retry_after=2;times=1"
    first = post(api, prompt)
    assert first.status == 429 and first.getheader("retry-after") == "2" and "error" in json.load(first)
    assert post(api, prompt).status == 200
    assert "GMT" in post(api, "fault:status=503;retry_after=date+5").getheader("retry-after")


@pytest.mark.parametrize("prompt", ["fault:stall_before", "fault:stall_head", "fault:stall_at=10"])
def test_B7_B8_a_stall_is_silence_and_its_client_is_missed(api, prompt):
    api.ask("POST", "/stats/reset")
    with pytest.raises(TimeoutError):
        post(api, prompt, timeout=0.2).read()
    seen = api.wait(prompt=prompt, early_closes=1)
    assert seen["streaming"] == 0 and seen["completed"] == 0


@pytest.mark.parametrize("prompt, has, lacks", [
    ("fault:no_end", [], [b"[DONE]", b'"finish_reason":"stop"']), ("fault:no_done", [b'"finish_reason":"stop"'], [b"[DONE]"]),
    ("fault:done_no_finish", [b"[DONE]"], [b'"finish_reason":"stop"']), ("fault:after_done", [b"LATE"], []),
    ("fault:error_object=0", [b'{"error"'], [b"[DONE]", b"content thesys"]), ("fault:finish=length", [b'"length"'], []),
    ("fault:finish=tool_calls", [b"get_weather"], [b"thesys"]), ("fault:usage=absent", [b"[DONE]"], [b'"usage"']),
    ("fault:usage=huge", [b"9223372036854775808"], []), ("fault:empty_deltas=50", [b'"content":""'], []),
    ("fault:echo_key;status=500", [b"Bearer k"], []), ("fault:html", [b"<h1>"], []), ("fault:plain", ["ünïcödé".encode()], []),
    ("fault:custommarkdown", [b"<custommarkdown>"], []), ("fault:text=a%20b%3B", [b"a b;"], [])])
def test_B11_to_B21_the_end_the_errors_and_the_numbers_are_as_asked(api, prompt, has, lacks):
    raw = post(api, prompt).read()
    seen = raw + text_of(raw).encode()
    assert all(word in seen for word in has) and not any(word in seen for word in lacks)


@pytest.mark.parametrize("kind", [k for k, (words, _) in malformed.KINDS.items() if "same text" in words])
def test_B13_B14_odd_sse_says_the_same_to_a_reader_by_the_grammar(api, kind):
    raw = post(api, f"fault:malformed={kind};split=100" if kind == "crlf" else f"fault:malformed={kind}").read()
    text, data = "", []
    for line in raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            event, data = "\n".join(data), []
            try:
                text += "".join(c["delta"].get("content") or "" for c in json.loads(event).get("choices") or [])
            except ValueError:
                assert event in ("", "[DONE]") or kind.startswith("bad_json")
    assert text.encode() == api.answer(f"fault:malformed={kind}{';split=100' if kind == 'crlf' else ''}")


def test_B14_split_sends_each_byte_as_a_chunk_of_its_own(api):
    url = urllib.parse.urlsplit(api.base_url)
    body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "fault:split;text=%F0%9F%9A%80"}]})
    with socket.create_connection((url.hostname, url.port)) as sock:
        sock.sendall(f"POST {url.path}/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nConnection: close\r\n"
                     f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        raw = b"".join(iter(lambda: sock.recv(65536), b""))
    assert all(b"1\r\n%c\r\n" % byte in raw for byte in "🚀".encode())


def test_B15_a_huge_line_has_its_size_and_an_endless_answer_ends_with_its_reader(api):
    raw = post(api, "fault:huge_line=1000000").read()
    assert max(map(len, raw.split(b"\n"))) > 1_000_000 and len(text_of(raw)) == 1_000_000
    answer = post(api, "fault:endless;size=1000")
    assert len(answer.read(3_000_000)) == 3_000_000
    answer.close()
    assert api.wait(prompt="fault:endless;size=1000", early_closes=1)


def test_a_gate_holds_its_stream_until_it_is_opened(api):
    prompt, got = "fault:gate=door@30", []
    answer = post(api, prompt)
    reader = threading.Thread(target=lambda: got.append(answer.read()))
    reader.start()
    assert api.ask("GET", f"/gate/door/wait?timeout={house.DEADLINE_S}", 2 * house.DEADLINE_S)["waiting"] == 1
    assert api.stats()["streaming"] == 1 and not got
    api.open_gate("door")
    reader.join(house.DEADLINE_S)
    assert text_of(got[0]).encode() == api.answer(prompt)


def test_requests_are_kept_without_their_keys_and_waiting_has_an_end(api):
    post(api, "remember me", key="sk-th-secret").read()
    kept = api.requests()[-1]
    assert kept["body"]["messages"][-1]["content"] == "remember me" and kept["headers"]["authorization"] == "Bearer ***"
    assert "secret" not in json.dumps(api.requests())
    with pytest.raises(urllib.error.HTTPError, match="408"):
        api.wait(prompt="remember me", completed=9, timeout=0.05)


def test_load_keeps_its_timetable(api):
    begun = time.monotonic()
    raw = post(api, "fault:chunks=20;pace=10;size=5;stamp").read()
    assert time.monotonic() - begun > 0.19 and text_of(raw).count(";") >= 20


@pytest.mark.parametrize("flag, version", [("--http1.1", b"1.1"), ("--http2", b"2")])
def test_tls_speaks_both_versions_of_http(tmp_path, flag, version):
    for api in running(tmp_path, "--tls-self", str(tmp_path)):
        url, ca = api.base_url + "/chat/completions", ("--cacert", tmp_path / "ca.pem")
        done = curl(flag, *ca, "-w", "\n%{http_version}", url)
        assert done.returncode == 0 and done.stdout.endswith(b"\n" + version)
        assert text_of(done.stdout).encode() == api.answer("hello")
        for prompt, codes in (("fault:h2_rst=30", (92, 56)), ("fault:goaway=30", (92, 56, 18)), ("fault:cut=30", (92, 18, 56)),
                              ("fault:cut_no_notify=30", (92, 18, 56))):
            cut = curl(flag, *ca, url, prompt=prompt)
            assert cut.returncode in codes, (prompt, cut)
        assert curl(flag, *ca, url, prompt="fault:trailers;1xx").returncode == 0
        curl_that_waits_and_goes(api, flag, *ca, url, prompt="fault:stall_at=30")
        seen = api.wait(early_closes=1, connections_open_most=0)
        assert (seen["cut"], seen["streaming"], seen[f"connections_h{version[:1].decode()}"]) == (4, 0, 7)
        big = curl(flag, *ca, url, prompt="fault:chunks=3000;size=1000;pace=0")
        assert text_of(big.stdout).encode() == api.answer("fault:chunks=3000;size=1000;pace=0")


@pytest.mark.parametrize("kind", ["expired", "wronghost", "selfsigned", "unknownca", "tls10", "tls11"])
def test_B6_a_certificate_to_refuse_is_refused(tmp_path, kind):
    for api in running(tmp_path, "--tls-self", str(tmp_path), "--tls-kind", kind):
        assert curl("--cacert", tmp_path / "ca.pem", api.base_url + "/chat/completions").returncode in (35, 60)
        assert api.stats()["requests"] == 0


def test_B10_frames_by_hand_come_as_asked(tmp_path):
    """What is allowed changes nothing; all else is no whole answer, whatever curl calls it."""
    for api in running(tmp_path, "--tls-self", str(tmp_path)):
        url, ca = api.base_url + "/chat/completions", ("--cacert", tmp_path / "ca.pem")
        for frames, is_whole in (("goaway", True), ("padding", True), ("unknown", True), ("rst:1", False), ("goaway_error", False),
                                 ("oversize", False), ("bad_hpack", False), ("data_zero", False)):
            done = curl("--http2", *ca, url, prompt=f"fault:h2={frames}")
            assert (text_of(done.stdout).encode() == api.answer(f"fault:h2={frames}")) == is_whole, (frames, done)
        curl_that_waits_and_goes(api, "--http2", *ca, url, prompt="fault:h2=half_frame")
        api.ask("POST", "/openings/closed?times=1")
        assert curl("--http2", *ca, url).returncode != 0 and curl("--http2", *ca, url).returncode == 0
        api.ask("POST", "/alpn/h1")
        assert curl(*ca, "-w", "\n%{http_version}", url).stdout.endswith(b"\n1.1")


def test_B10_question_that_is_taken_back_at_once_harms_no_other(tmp_path):
    """It is reset in the same write; it counts as asked and left, and the next one on the connection is answered."""
    def ask(client, stream, prompt):
        body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": prompt}]}).encode()
        client.send_headers(stream, [(":method", "POST"), (":path", "/v1/embed/chat/completions"), (":scheme", "https"), (":authority", "x"),
                                     ("authorization", "Bearer k"), ("content-type", "application/json")])
        client.send_data(stream, body, end_stream=True)

    for api in running(tmp_path, "--tls-self", str(tmp_path)):
        context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        context.set_alpn_protocols(["h2"])
        url, client, ended = urllib.parse.urlsplit(api.base_url), h2.connection.H2Connection(), set()
        client.initiate_connection()
        ask(client, 1, "taken back")
        client.reset_stream(1, 8)
        ask(client, 3, "hello")
        with context.wrap_socket(socket.create_connection((url.hostname, url.port), timeout=20), server_hostname="localhost") as sock:
            sock.sendall(client.data_to_send())
            while 3 not in ended:
                data = sock.recv(65536)
                assert data, "the connection was ended"
                ended |= {event.stream_id for event in client.receive_data(data) if isinstance(event, h2.events.StreamEnded)}
        seen = api.wait(prompt="taken back", early_closes=1)
        assert (seen["requests"], seen["completed"], seen["cancels"], seen["streaming"]) == (2, 1, 1, 0)


def test_it_ends_with_its_parent(tmp_path):
    command = [sys.executable, "-c", "import subprocess, sys; p = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE);"
               "print(p.pid, p.stdout.readline().decode().split()[1])", sys.executable, TESTS / "c1_upstream"]
    pid = int(subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.split()[0])
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return  # already
    try:
        assert select.select([handle], [], [], house.DEADLINE_S)[0]
    finally:
        os.close(handle)


def test_sigterm_ends_it_at_once_with_streams_open(tmp_path):
    for api in running(tmp_path):
        post(api, "fault:stall_head")
        assert api.process.stop() == 0


def test_the_readme_tells_of_each_fault():
    readme = (TESTS / "c1_upstream" / "README.md").read_text()
    assert faults.table() in readme and malformed.table() in readme and hostile.table() in readme
    assert set(faults.MALFORMED) == set(malformed.KINDS)
