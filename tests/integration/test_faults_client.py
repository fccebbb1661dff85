"""Clients that come and go, crawl, or are no web server at all. Rows A1, A2, A7, A8, A18, A21."""
import os
import socket
import struct
import uuid

from house import in_parallel, wait_for


def name(kind):
    return kind + uuid.uuid4().hex[:12]


def connect(site):
    client = socket.create_connection((site.host, site.port))
    client.settimeout(20)
    return client


HEAD = b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def test_A1_leaving_while_the_request_arrives(site):
    spent, lines = site.upstream.stats()["requests"], site.requests_told()
    for part in (b"POST /api/cha", HEAD, HEAD + b"Content-Length: 60\r\n\r\n", HEAD + b'Content-Length: 60\r\n\r\n{"message":'):
        with connect(site) as client:
            client.sendall(part)
    assert site.requests_told() == lines + 1  # no worker heard of the others
    assert site.upstream.stats()["requests"] == spent


def test_A2_reset_right_behind_the_question(site):
    """Wherever that finds the turn, the question has one answer in a final status, or was never taken."""
    body = b'{"thread_id":"%s","message":"fault:chunks=5;size=5;pace=1 x","on_disconnect":"cancel"}'
    threads = [name("t") for _ in range(20)]

    def ask(i):
        question = body % threads[i].encode()
        with connect(site) as client:
            client.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(question) + question)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST, not FIN

    in_parallel(20, ask)

    def settled():
        pages = [site.get(f"/api/threads/{thread}/messages") for thread in threads]
        return all(page.status == 404 or page.status == 200 and [m["status"] != "streaming" for m in page.json()] in ([], [True, True])
                   for page in pages)

    wait_for(settled, "every turn is whole or was never taken")


def test_A7_readers_that_take_nothing_hold_no_request_thread(new_site):
    site = new_site({"C1D_THREADS": "2"}, workers=1)
    clients = []
    for n in range(32):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((site.host, site.port))
        body = b'{"thread_id":"t%d","message":"fault:chunks=40;size=5000;pace=0 x"}' % n
        client.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        clients.append(client)
    wait_for(lambda: len(site.log_lines("run ended")) == 32, "the model is never held up by its readers")
    assert in_parallel(8, lambda i: site.get("/api/threads").status) == [200] * 8  # while they still take nothing
    for client in clients:
        client.close()


def test_A8_slow_heads_and_bodies_reach_no_worker(site):
    slow = [connect(site) for _ in range(200)]
    for n, client in enumerate(slow):
        client.sendall(HEAD + b"Content-Length: 100\r\n\r\n{" if n % 2 else b"POST /api/chat HTTP/1.1\r\nHost:")
    assert site.get("/api/threads").status == 200
    for client in slow:
        client.close()


# --- A21: a peer that is no web server ---

def record(kind, content=b"", request_id=1, version=1, length=None):
    return struct.pack(">BBHHBB", version, kind, request_id, len(content) if length is None else length, 0, 0) + content


BEGIN, ABORT, PARAMS, STDIN = 1, 2, 4, 5
HELLO = record(BEGIN, b"\0\1\0\0\0\0\0\0")


def pair(key, value):
    return struct.pack(">BB", len(key), len(value)) + key + value


PEERS = {
    "version": record(BEGIN, b"\0\1\0\0\0\0\0\0", version=9),
    "type": record(77, b"x" * 100),
    "half_header": HELLO[:5],
    "four_gigabytes": HELLO + record(PARAMS, b"\xff\xff\xff\xff\xff\xff\xff\xff" + b"x" * 100),
    "two_begins": HELLO + HELLO + record(PARAMS, pair(b"REQUEST_METHOD", b"GET")),
    "abort": HELLO + record(ABORT),
    "wrong_id": HELLO + record(PARAMS, pair(b"REQUEST_METHOD", b"GET"), request_id=7) + record(PARAMS, b"", request_id=7),
    "silence": HELLO,
    "cut_params": HELLO + record(PARAMS, b"\x0eabc", length=60000),
    "no_method": HELLO + record(PARAMS, pair(b"REQUEST_URI", b"/livez")) + record(PARAMS) + record(STDIN),
    "nothing": b"",
    "noise": os.urandom(20000),
}


def test_A21_hostile_peers_end_no_worker_and_free_their_threads(new_site):
    site = new_site({"C1D_THREADS": "4", "C1D_READ_MS": "300"}, workers=1)
    pids = site.worker_pids()

    def attack(i):
        data = list(PEERS.values())[i % len(PEERS)]
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(site.settings["C1D_SOCKET"])
            peer.settimeout(20)
            try:
                peer.sendall(data)
                while peer.recv(65536):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass

    in_parallel(len(PEERS) * 3, attack)
    assert site.get("/livez").status == 200
    assert site.worker_pids() == pids
    assert len(os.listdir(f"/proc/{pids[0]}/fd")) < 80
