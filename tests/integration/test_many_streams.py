"""A thousand streams on one worker of sixteen request threads; readers that crawl; an answer without end."""
import asyncio
import json
import resource
import socket
from pathlib import Path

import pytest
from house import DEADLINE_S, in_parallel, wait_for

STREAMS = 1000
TOGETHER_S = 60  # from the first that stands at the gate to the last


@pytest.fixture(autouse=True)
def descriptors():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))


def question(n):
    """Ten deltas; after two of them the answer waits until all the others are there too."""
    return f"fault:chunks=10;size=40;pace=100;gate=thousand@80 {n}"


class Together:
    """How many have got their head, and the event that all have."""

    def __init__(self):
        self.count, self.all = 0, asyncio.Event()

    def one_more(self):
        self.count += 1
        if self.count == STREAMS:
            self.all.set()


async def one_stream(site, n, together):
    body = json.dumps({"thread_id": f"t{n}", "message": question(n)}).encode()
    reader, writer = await asyncio.open_connection(site.host, site.port)
    try:
        writer.write(b"POST /api/chat HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n" % len(body) + body)
        head = await reader.readuntil(b"\r\n\r\n")
        together.one_more()
        return head.split(b" ")[1], await reader.read(-1)
    finally:
        writer.close()


async def open_when_all_wait(site, together):
    await together.all.wait()
    waiting = await asyncio.to_thread(site.upstream.ask, "GET", f"/gate/thousand/wait?waiting={STREAMS}&timeout={TOGETHER_S}", 2 * TOGETHER_S)
    await asyncio.to_thread(site.upstream.open_gate, "thousand")
    return waiting["waiting"]


def unchunk(body):
    out = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        out += body[:int(size, 16)]
        body = body[int(size, 16) + 2:]
    return out


def test_thousand_streams_on_one_worker(new_site):
    patience = {"C1D_FIRST_BYTE_MS": "300000", "C1D_IDLE_MS": "300000"}  # the first of them waits for the last
    site = new_site({"C1D_THREADS": "16", "C1D_WORKERS": "1", **patience}, workers=1)

    async def all_of_them():
        together = Together()
        return await asyncio.gather(open_when_all_wait(site, together),
                                    *(one_stream(site, n, together) for n in range(STREAMS)))

    waited, *results = asyncio.run(asyncio.wait_for(all_of_them(), 4 * TOGETHER_S))
    assert waited == STREAMS  # all of them at once, each with its head at the client
    assert {status for status, _ in results} == {b"200"}
    bodies = {unchunk(body) for _, body in results}
    assert bodies == {site.upstream.whole_answer(question(0))}
    assert bodies.pop().endswith(b"</content>")
    wait_for(lambda: len(site.log_lines("run ended")) == STREAMS, "all ended")
    assert {line["status"] for line in site.log_lines("run ended")} == {"complete"}
    said = [line["event"] for line in site.log_lines() if line["level"] in ("error", "warn")]
    assert all(event.startswith(("everybody is let in", "started as root")) for event in said), said


def test_readers_of_a_long_list_that_crawl_hold_no_request_thread(new_site):
    site = new_site({"C1D_THREADS": "4"}, workers=1)
    thread = site.post("/api/threads", {"title": "long"}).json()["id"]
    for _ in range(4):
        assert site.post(f"/api/threads/{thread}/messages", {"role": "user", "content": "x" * (1 << 20)}).status == 201
    readers = []
    for _ in range(32):
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect((site.host, site.port))
        reader.sendall(f"GET /api/threads/{thread}/messages HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        reader.settimeout(DEADLINE_S)
        assert reader.recv(100).startswith(b"HTTP/1.1 200")
        readers.append(reader)
    assert in_parallel(16, lambda i: site.get("/api/threads").status) == [200] * 16

    def lists_answered():
        return [line for line in site.log_lines("request") if line["route"].endswith("/messages") and line["method"] == "GET"]

    lists = wait_for(lambda: lists_answered()[31:] and lists_answered(), "all lists are with nginx")
    assert len(lists) == 32 and {line["outcome"] for line in lists} == {"ok"}  # all handed to nginx, none waits
    for reader in readers:
        reader.close()


def rss_kib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def test_answer_without_end_is_cut_at_the_cap_in_little_memory(new_site):
    site = new_site({"C1D_ANSWER_MAX": "4m"}, workers=1)
    site.chat("warm up", "t0")
    pid = site.worker_pids()[0]
    before = rss_kib(pid)
    reader = socket.socket()  # takes nothing: what it has not read lies in the spool, not in memory
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect((site.host, site.port))
    body = b'{"thread_id":"t1","message":"fault:endless;size=20000;pace=0"}'
    reader.sendall(b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                   % (len(body), body))
    assert site.told("run ended", 2)[1]["status"] == "length"
    # Before a list is read: sanitizers keep what is freed, and a list of this is 20 MiB each time.
    assert rss_kib(pid) - before < 64 * 1024
    wait_for(lambda: [m["status"] for m in site.messages("t1")] == ["complete", "length"], "saved")
    content = site.messages("t1")[1]["content"]
    assert 4 << 20 >= len(content) > (4 << 20) - 65536
    reader.close()
