"""The log: nothing waits for whoever reads it, no secret is in it, and monitors do not fill it."""
import contextlib
import fcntl
import os
import pathlib
import re
import signal
import subprocess
import uuid

import pytest

import fcgi
from house import ROOT, in_parallel, wait_for
from processes import with_parent

PIPE_SIZE = 4096
PROGRAM = os.environ.get("C1D_BIN", str(ROOT / "build/c1d"))


def quick(text=""):
    return f"fault:pace=0 {text} {uuid.uuid4().hex}"


def full_pipe():
    """Both ends of a pipe that takes nothing more."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b"#" * (PIPE_SIZE - 1) + b"\n")
    os.set_blocking(writer, True)
    return reader, writer


class Muted:
    """A c1d whose stderr is such a pipe."""

    def __init__(self, site):
        self.site = site
        self.reader, writer = full_pipe()
        site.settings["C1D_LOG_LEVEL"] = "debug"
        self.child = subprocess.Popen([site.program, "serve"], env=site.environment(), stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=writer, preexec_fn=with_parent, cwd=ROOT)
        os.close(writer)
        wait_for(lambda: self.ask("/readyz") == 200, "ready, though nobody reads what it says")

    def ask(self, path):
        try:
            return fcgi.ask(self.site.folder / "c1d.sock", "GET", path).status
        except OSError:
            return 0

    def dropped(self):
        text = fcgi.ask(self.site.folder / "c1d.sock", "GET", "/metrics").text
        return int(re.search(r"^c1d_log_lines_dropped_total (\d+)$", text, re.M)[1])

    def read_until(self, wanted):
        """What comes when somebody reads again; each request offers what is still kept."""
        seen = b""
        while wanted not in seen:
            assert self.ask("/livez") == 200
            piece = os.read(self.reader, 65536)
            assert piece, seen[-2000:]
            seen += piece
        return seen.decode()

    def end(self):
        self.child.send_signal(signal.SIGTERM)
        code = self.child.wait(60)
        os.close(self.reader)
        return code


def test_r4_a_reader_of_the_log_that_stalls_holds_nobody_up(new_site):
    muted = Muted(new_site(start=False, workers=1))
    site = muted.site
    turns = 0
    while muted.dropped() < 50:  # the pipe is full, and so is the worker's ring
        in_parallel(8, lambda i: [muted.ask("/livez") for _ in range(100)])
        answer = site.chat(quick())
        assert answer.status == 200 and site.messages(answer.headers["X-Thread-Id"])[-1]["status"] == "complete"
        turns += 1
        assert turns < 200
    assert muted.ask("/livez") == 200
    seen = muted.read_until(b"log lines dropped")
    assert '"event":"request"' in seen
    assert muted.end() == 0


def test_r4_a_stop_waits_for_no_reader(new_site):
    muted = Muted(new_site(start=False, workers=2))
    assert muted.site.chat(quick()).status == 200
    assert muted.end() == 0


@pytest.mark.xdist_group("dev_shm")
def test_r4_what_a_killed_process_left_in_dev_shm_is_not_told_to_a_reader_who_stalls():
    """By the driver, when it is loaded, about a file that bears our number: a whole start waited for that."""
    made, (reader, writer) = [], full_pipe()
    try:
        before = subprocess.run([PROGRAM, "version"], capture_output=True, check=True)
        last = int(pathlib.Path("/proc/loadavg").read_text().split()[4])
        for pid in range(last, last + 200):
            with contextlib.suppress(FileExistsError):
                with open(f"/dev/shm/mongoc-{pid}", "x"):
                    made.append(f"/dev/shm/mongoc-{pid}")
        for _ in range(20):
            done = subprocess.run([PROGRAM, "version"], stdout=subprocess.PIPE, stderr=writer, timeout=60, check=True)
            assert done.stdout == before.stdout
    finally:
        for path in made:  # those that it bears the number of it has taken away
            pathlib.Path(path).unlink(missing_ok=True)
        os.close(reader)
        os.close(writer)


def test_t12_monitors_do_not_fill_the_log(new_site):
    site = new_site(workers=1)
    for path in ("/livez", "/readyz", "/health", "/api/health", "/metrics"):
        fcgi.ask(site.folder / "c1d.sock", "GET", path)
    site.get("/api/threads")
    wait_for(lambda: any(e["route"] == "/api/threads" for e in site.log_lines("request")), "a user's request is told")
    assert [e["route"] for e in site.log_lines("request")] == ["/api/threads"]


def test_r35_passwords_of_addresses_are_in_no_log(new_site):
    """Whoever says it: here a client, which is logged by the id that it gives its request."""
    password = "canary" + uuid.uuid4().hex
    uri = f"mongodb://somebody:{password}@127.0.0.1:1/c1d?serverSelectionTimeoutMS=100"
    site = new_site({"MONGODB_URI": uri, "C1D_LOG_LEVEL": "debug"}, workers=1)
    fcgi.ask(site.folder / "c1d.sock", "GET", "/api/threads", {"x-request-id": password})
    site.chat(quick())
    site.told("request", 2)
    log = site.log_path.read_text()
    assert uri not in log and password not in log and '"id":"***"' in log
