"""A stop has an end: its parts have deadlines that add up below systemd's patience, and nobody waits for an answer that
will not come."""
import re
import signal
import socket
import uuid
from pathlib import Path

import fcgi
from house import DEADLINE_S, ROOT, wait_for


def held_stream(site, thread="t1"):
    gate = "g" + uuid.uuid4().hex[:8]
    stream = site.stream({"thread_id": thread, "message": f"fault:gate={gate}@40"})
    stream.read_until(b"<content")
    return stream, gate


def constants():
    """Name: milliseconds, of src/server/deadlines.h, with the sums worked out."""
    text = (ROOT / "src/server/deadlines.h").read_text()
    found = {name: int(ms) for name, ms in re.findall(r"#define (\w+)\s+(\d+)$", text, re.MULTILINE)}
    for name, parts in re.findall(r"#define (\w+) \(([\w +]+)\)", text):
        found[name] = sum(found[part] for part in parts.split(" + "))
    return found


def test_r28_deadlines_of_a_stop_add_up_below_systemds():
    ms = constants()
    settings = (ROOT / "include/config/settings.h").read_text()
    streams_ms = 1000 * int(re.search(r'"C1D_STOP_SECONDS", COUNT, "(\d+)"', settings).group(1))
    unit = (ROOT / "systemd/c1d.service").read_text()
    patience_ms = 1000 * int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE).group(1))
    worker_ms = ms["STOP_REQUESTS_MS"] + streams_ms + ms["STOP_SAVE_MS"] + ms["STOP_CLOSE_MS"]
    killed_ms = streams_ms + ms["STOP_KILL_MS"]
    assert worker_ms < killed_ms < patience_ms


def test_r28_systemd_is_told_when_the_stop_may_take_longer(new_site, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(20)
        site = new_site({"NOTIFY_SOCKET": path, "C1D_STOP_SECONDS": "100"}, workers=1)
        assert site.c1d.stop() == 0
        site.c1d = None
        said = ""
        while "STOPPING=1" not in said:
            said = notify.recv(4096).decode()
    assert int(re.search(r"EXTEND_TIMEOUT_USEC=(\d+)", said).group(1)) > 100 * 10**6


def test_r28_request_that_hangs_does_not_hold_up_a_stop(new_site):
    site = new_site({"C1D_READ_MS": "60000", "C1D_STOP_SECONDS": "1"}, workers=1)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(site.settings["C1D_SOCKET"])
        peer.sendall(fcgi.record(fcgi.BEGIN, fcgi.RESPONDER))  # and nothing more
        wait_for(lambda: busy_threads(site) == 1, "a thread has it")
        assert site.get("/livez").status == 200
        assert site.c1d.stop() == 0
    assert site.log_lines("requests are cut off: they did not end in time")
    assert not site.log_lines("workers killed: they did not end in time")
    site.c1d = None


def test_r28_connections_are_refused_at_once_while_streams_end(new_site):
    site = new_site({"C1D_STOP_SECONDS": "60"}, workers=1)
    stream, gate = held_stream(site)
    site.c1d.child.send_signal(signal.SIGTERM)
    wait_for(lambda: site.log_lines("worker stops"), "the worker is told")
    answer = site.get("/livez")
    assert answer.status == 503 and answer.headers["Retry-After"]
    assert not site.log_lines("worker ended")  # it was not waited for
    site.upstream.open_gate(gate)
    assert stream.read_all().endswith(b"</content>")
    assert site.c1d.child.wait(2 * DEADLINE_S) == 0
    site.c1d = None


def test_r28_connections_that_wait_are_let_go_at_once(new_site):
    """The only thread is busy with a peer that says nothing, for far longer than anybody wants to wait."""
    site = new_site({"C1D_THREADS": "1", "C1D_READ_MS": "60000", "C1D_STOP_SECONDS": "1"}, workers=1)
    with socket.socket(socket.AF_UNIX) as silent, socket.socket(socket.AF_UNIX) as waiting:
        silent.connect(site.settings["C1D_SOCKET"])
        silent.sendall(fcgi.record(fcgi.BEGIN, fcgi.RESPONDER))
        wait_for(lambda: busy_threads(site) == 1, "the thread has it")
        waiting.settimeout(DEADLINE_S)
        waiting.connect(site.settings["C1D_SOCKET"])
        site.c1d.child.send_signal(signal.SIGTERM)
        try:
            assert waiting.recv(1) == b""
        except ConnectionResetError:
            pass
        assert not site.log_lines("requests are cut off: they did not end in time")
    assert site.c1d.child.wait(2 * DEADLINE_S) == 0
    site.c1d = None


def busy_threads(site):
    """Request threads that wait for the rest of a request: the others wait in epoll."""
    found = 0
    for call in Path(f"/proc/{site.worker_pids()[0]}/task").glob("*/syscall"):
        try:
            found += call.read_text().startswith("7 ")  # poll, x86_64
        except OSError:
            pass  # it has ended since it was listed
    return found
