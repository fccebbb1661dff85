"""Clients that crawl, 200 at a time, by slowhttptest: while they do, everybody else is served. Row A8, and A7 for short answers."""
import re
import shutil
import socket
import subprocess

import pytest

from house import in_parallel, wait_for

CLIENTS, SECONDS = 200, 8
FENCE = "client_header_timeout 10s; client_body_timeout 10s; send_timeout 30s;"  # as site.conf has it
WAYS = {"heads": ["-H", "-i", "2", "-u", "{url}/api/threads"],
        "bodies": ["-B", "-i", "2", "-s", "8192", "-f", "application/json", "-u", "{url}/api/chat"],
        "reading": ["-X", "-w", "256", "-y", "512", "-n", "2", "-z", "16", "-u", "{url}/api/threads/long/messages"]}


@pytest.mark.skipif(not shutil.which("slowhttptest"), reason="slowhttptest is not installed")
@pytest.mark.parametrize("way", WAYS)
def test_a8_two_hundred_slow_clients_hold_up_nobody(new_site, way):
    site = new_site({"C1D_THREADS": "4"}, workers=1, server=FENCE)
    site.chat("fault:pace=0 x", "long")
    for _ in range(8):
        assert site.post("/api/threads/long/messages", {"role": "user", "content": "x" * 100_000}).status == 201
    command = ["slowhttptest", "-c", str(CLIENTS), "-r", str(CLIENTS), "-l", str(SECONDS), "-p", str(SECONDS),
               *(word.format(url=site.url) for word in WAYS[way])]
    crawl = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    served = 0
    while crawl.poll() is None:
        assert in_parallel(4, lambda i: site.get("/api/threads?limit=5").status) == [200] * 4
        assert site.chat("fault:pace=0 hello").status == 200
        served += 5
    said = re.sub(r"\x1b\[[0-9;]*m", "", crawl.stdout.read())
    assert served > 0 and crawl.returncode == 0, said[-2000:]
    connected = [int(n) for n in re.findall(r"^connected: +(\d+)", said, re.M)] + [int(n) for n in re.findall(r"^closed: +(\d+)", said, re.M)]
    assert max(connected) >= CLIENTS // 2, said[-2000:]  # they were there
    assert not site.log_lines("worker killed")


def test_a8_who_sends_no_more_of_a_body_is_let_go_and_no_worker_heard_of_it(new_site):
    """By the timeout that c1d.conf has."""
    site = new_site(workers=1)
    head = b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    slow = []
    for _ in range(CLIENTS):
        slow.append(socket.create_connection((site.host, site.port)))
        slow[-1].sendall(head)
    assert site.get("/api/threads").status == 200
    for client in slow:
        client.settimeout(60)
        client.recv(4096)  # an end, or a 408 before it
        client.close()
    wait_for(lambda: len(site.log_lines("request")) == 1, "nothing but the one request is in the log")
