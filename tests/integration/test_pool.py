"""The pool: workers that die are replaced, a stop and a reload lose nothing, the socket is nobody else's. Rows D of the faults."""
import os
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

import pytest
from house import DEADLINE_S, ROOT, Stream, in_parallel, is_gone, wait_for


def gate_name():
    return "g" + uuid.uuid4().hex[:8]


def generation(site):
    """The workers that have said they are ready, oldest first."""
    return [line["pid"] for line in site.log_lines("worker ready")]


def wait_ready(site, count):
    return wait_for(lambda: len(generation(site)) >= count and generation(site), f"{count} workers ready in all")


def start_held(site, thread):
    """A stream that has begun and waits at a gate: (stream, gate)."""
    gate = gate_name()
    stream = site.stream({"thread_id": thread, "message": f"fault:gate={gate}@40"})
    stream.read_until(b"<content")
    return stream, gate


# --- workers that die ---

def test_D1_killed_worker_is_replaced_and_the_next_request_works(new_site):
    site = new_site(workers=2)
    for pid in site.worker_pids():
        os.kill(pid, signal.SIGKILL)
    wait_ready(site, 4)
    assert site.get("/readyz").status == 200
    assert site.chat("hello", "t1").status == 200
    assert [line["signal"] for line in site.log_lines("worker killed")] == [9, 9]


def test_D2_segmentation_fault_is_survived(new_site):
    # A sanitizer build turns the signal into an exit of its own.
    site = new_site({"ASAN_OPTIONS": "handle_segv=0"}, workers=1)
    os.kill(site.worker_pids()[0], signal.SIGSEGV)
    wait_ready(site, 2)
    assert site.get("/readyz").status == 200


def test_D3_when_memory_runs_out_a_worker_goes_and_not_the_supervisor(new_site):
    site = new_site(workers=1)

    def score(pid):
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text())

    assert score(site.worker_pids()[0]) > score(site.c1d.pid)
    assert "OOMPolicy=continue" in (ROOT / "systemd/c1d.service").read_text()


def test_D7_worker_that_cannot_start_is_not_started_for_ever(new_site):
    site = new_site({"C1D_SPOOL_DIR": "/proc/spool"}, nginx=False, start=False)
    done = subprocess.run([site.program, "serve"], env=site.environment(), stderr=subprocess.PIPE, timeout=2 * DEADLINE_S, check=False)
    assert done.returncode == 78, done.stderr
    assert b"spool folder" in done.stderr
    assert done.stderr.count(b"worker not started") == 2  # once a place
    site.c1d = None


def delays(site):
    """How long each death was waited out, as the log says it."""
    return [line["after_ms"] for line in site.log_lines("worker is started again later")]


def test_D7_worker_that_dies_again_and_again_waits_longer_each_time(new_site):
    """While another one serves."""
    site = new_site(workers=2)
    killed = set()
    for n in range(1, 5):
        victim = next(pid for pid in generation(site)[1:] if pid not in killed)
        killed.add(victim)
        os.kill(victim, signal.SIGKILL)
        wait_ready(site, n + 2)
    assert delays(site) == [1000, 2000, 4000]


def test_r20_pool_whose_workers_die_again_and_again_is_never_long_without_one(new_site):
    """Delays double, a minute in the end; but while nobody serves one is tried each second. Until a place has a delay that
    would have been longer than the time of a single wait."""
    site = new_site(workers=2)
    for n in range(1, 41):
        for pid in site.worker_pids():
            os.kill(pid, signal.SIGKILL)
        before = len(generation(site))
        wait_for(lambda: len(generation(site)) > before, f"somebody serves again, {n}")
        assert site.get("/livez").status == 200
        if max(delays(site), default=0) > DEADLINE_S * 1000:
            return
    raise AssertionError(f"no long delay to be seen: {delays(site)}")


def test_D8_worker_that_hangs_is_killed_and_replaced(new_site):
    site = new_site(workers=1)
    hung = site.worker_pids()[0]
    os.kill(hung, signal.SIGSTOP)
    wait_ready(site, 2)
    assert is_gone(hung) and site.log_lines("worker hangs and is killed")
    assert site.get("/readyz").status == 200


def test_D12_workers_end_when_the_supervisor_is_killed(new_site):
    site = new_site(workers=2)
    pids = site.worker_pids()
    site.c1d.child.kill()
    site.c1d.child.wait()
    wait_for(lambda: all(is_gone(pid) for pid in pids), "no worker is left")
    site.c1d = None


# --- stopping ---

def test_D9_streams_end_by_themselves_within_the_stop_time(new_site):
    site = new_site({"C1D_STOP_SECONDS": "20"}, workers=1)
    stream, gate = start_held(site, "t1")
    site.c1d.child.send_signal(signal.SIGTERM)
    wait_for(lambda: site.log_lines("worker stops"), "the worker is told")
    site.upstream.open_gate(gate)
    assert stream.read_all().endswith(b"</content>")
    assert site.c1d.child.wait(2 * DEADLINE_S) == 0


def test_D9_the_rest_ends_as_interrupted_with_its_bytes_kept_and_its_readers_told(new_site):
    site = new_site({"C1D_STOP_SECONDS": "1"}, workers=1)
    gate = gate_name()
    raw, _ = start_held(site, "t1")
    while len(raw.body) < 40:
        assert raw.read_some()
    sse = site.stream({"thread_id": "t2", "message": f"fault:gate={gate}@40"}, "?stream=sse")
    sse.read_until(b"event: delta")
    answer_id = raw.headers["X-Response-Id"]
    assert site.c1d.stop() == 0
    body = raw.read_all()
    sse.read_all()
    assert sse.events()[-1][0] == "done" and sse.events()[-1][1]["status"] == "interrupted"
    site.start()
    message = site.message("t1", answer_id)
    assert message["status"] == "interrupted"
    assert message["content"].encode() == body and len(body) >= 40


def test_D9_new_connections_wait_at_a_socket_that_is_passed_in(new_site, tmp_path):
    """As under systemd: the socket outlives the process, so nobody is refused between two of them."""
    site = new_site(workers=1, start=False)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(site.settings["C1D_SOCKET"])
    listener.listen(128)
    os.chmod(site.settings["C1D_SOCKET"], 0o666)

    def start():
        def pass_it():
            os.dup2(listener.fileno(), 3)
            os.environ["LISTEN_PID"] = str(os.getpid())

        log = open(site.log_path, "ab")
        # LISTEN_PID is only known in the child, so a shell sets it.
        return subprocess.Popen(["sh", "-c", 'LISTEN_PID=$$ exec "$0" serve', site.program], stderr=log, pass_fds=(3,),
                                env={**site.environment(), "LISTEN_FDS": "1"}, preexec_fn=pass_it, cwd=ROOT)

    first = start()
    wait_ready(site, 1)
    assert site.get("/livez").status == 200
    first.terminate()
    assert first.wait(2 * DEADLINE_S) == 0
    results = []
    waiting = in_parallel_later(lambda: results.append(site.request("GET", "/livez", timeout=2 * DEADLINE_S).status))
    second = start()
    waiting.join(2 * DEADLINE_S)
    assert results == [200]
    second.terminate()
    assert second.wait(2 * DEADLINE_S) == 0
    listener.close()


def in_parallel_later(job):
    import threading

    thread = threading.Thread(target=job, daemon=True)
    thread.start()
    return thread


# --- reloading ---

def test_D10_reload_takes_new_settings_and_old_streams_go_on(new_site, tmp_path):
    conf = tmp_path / "c1d.conf"
    conf.write_text("C1D_CREATE_THREADS=yes\n")
    site = new_site({"C1D_CONFIG": str(conf)}, workers=2)
    old = site.worker_pids()
    stream, gate = start_held(site, "t1")
    conf.write_text("C1D_CREATE_THREADS=no\n")
    site.c1d.child.send_signal(signal.SIGHUP)
    wait_ready(site, 4)
    wait_for(lambda: len(site.log_lines("worker stops")) == 2, "the old generation is told")
    # What one of the old threads has accepted by then, it still serves.
    wait_for(lambda: site.post("/api/chat", {"thread_id": uuid.uuid4().hex, "message": "x"}).status == 404, "new settings")
    assert site.get("/api/threads").status == 200
    site.upstream.open_gate(gate)
    assert stream.read_all().endswith(b"</content>")
    wait_for(lambda: all(is_gone(pid) for pid in old), "the old generation is gone")
    assert site.message("t1", stream.headers["X-Response-Id"])["status"] == "complete"


def test_D10_socket_whose_setting_changed_stays_until_a_restart(new_site, tmp_path):
    conf = tmp_path / "c1d.conf"
    conf.write_text("\n")
    site = new_site({"C1D_CONFIG": str(conf)}, workers=1, start=False)
    path = site.settings.pop("C1D_SOCKET")
    conf.write_text(f"C1D_SOCKET={path}\n")
    site.start()
    other = tmp_path / "precious.sock"
    other.write_text("somebody else's")
    conf.write_text(f"C1D_SOCKET={other}\n")
    site.c1d.child.send_signal(signal.SIGHUP)
    wait_ready(site, 2)
    assert site.get("/readyz").status == 200
    assert any("takes a restart" in line["event"] for line in site.log_lines())
    assert site.c1d.stop() == 0
    assert other.read_text() == "somebody else's" and not os.path.exists(path)
    site.c1d = None


def test_D10_reload_with_broken_settings_changes_nothing(new_site, tmp_path):
    conf = tmp_path / "c1d.conf"
    conf.write_text("\n")
    site = new_site({"C1D_CONFIG": str(conf)}, workers=1)
    before = site.worker_pids()
    conf.write_text("C1D_WORKRES=2\n")
    site.c1d.child.send_signal(signal.SIGHUP)
    wait_for(lambda: site.log_lines("reload failed: what ran before it stays"), "it says so")
    assert "C1D_WORKERS" in site.log_path.read_text()  # the nearest name
    assert site.worker_pids() == before
    assert site.get("/readyz").status == 200


def test_D10_500_streams_across_20_reloads_are_all_complete_and_no_request_fails(new_site):
    site = new_site(workers=2)
    reloaded = []
    done = []
    failures = []

    def ask(i):
        n = 0
        while not (len(reloaded) == 20 and len(done) >= 500) and not failures:
            n += 1
            answer = site.chat(f"fault:chunks=10;size=20;pace=10 {i}-{n}", f"t{i}-{n}")
            if answer.status == 200 and answer.body.endswith(b"</content>"):
                done.append(answer.headers["X-Run-Id"])
            else:
                failures.append(answer)
            answer = site.get("/api/threads?limit=1")
            if answer.status != 200:
                failures.append(answer)

    def reload(_):
        for n in range(20):
            seen = len(site.log_lines("pool ready"))
            site.c1d.child.send_signal(signal.SIGHUP)
            wait_for(lambda: failures or len(site.log_lines("pool ready")) > seen, f"reload {n}")
            reloaded.append(n)

    in_parallel(11, lambda i: reload(i) if i == 10 else ask(i))
    assert failures == []
    assert len(done) >= 500
    ended = {line["run"]: line["status"] for line in site.told("run ended", len(done))}
    assert {ended[run] for run in done} == {"complete"}


def test_D10_old_worker_that_hangs_is_killed_and_holds_up_no_further_reload(new_site):
    site = new_site(workers=1)
    hung = site.worker_pids()[0]
    os.kill(hung, signal.SIGSTOP)
    site.c1d.child.send_signal(signal.SIGHUP)
    wait_ready(site, 2)
    site.c1d.child.send_signal(signal.SIGHUP)
    wait_ready(site, 3)
    wait_for(lambda: is_gone(hung), "the hung one is gone")
    assert site.log_lines("worker hangs and is killed")
    assert site.get("/readyz").status == 200


def test_D11_reload_runs_the_program_that_lies_there_now(new_site, tmp_path):
    program = tmp_path / "c1d"
    program.write_bytes(Path(os.environ.get("C1D_BIN", ROOT / "build/c1d")).read_bytes())
    program.chmod(0o755)
    site = new_site(program=str(program), workers=1)
    pid = site.c1d.pid
    newer = tmp_path / "newer"
    newer.write_bytes(program.read_bytes())
    newer.chmod(0o755)
    newer.rename(program)
    site.c1d.child.send_signal(signal.SIGHUP)
    wait_ready(site, 2)
    assert site.c1d.pid == pid and site.c1d.alive()
    assert os.path.samefile(f"/proc/{pid}/exe", program)
    assert site.get("/readyz").status == 200


# --- the socket ---

def test_second_instance_is_refused_and_the_first_goes_on(new_site):
    site = new_site(workers=1)
    done = subprocess.run([site.program, "serve"], env=site.environment(), stderr=subprocess.PIPE, timeout=2 * DEADLINE_S, check=False)
    assert done.returncode == 78
    assert b"Another instance answers" in done.stderr
    assert site.get("/readyz").status == 200


def test_stale_socket_is_replaced_and_has_its_mode(new_site):
    site = new_site(workers=1)
    pids = site.worker_pids()
    site.c1d.child.kill()
    site.c1d.child.wait()
    wait_for(lambda: all(is_gone(pid) for pid in pids), "nobody listens any more")
    assert os.path.exists(site.settings["C1D_SOCKET"])
    site.log_path.write_text("")
    site.start()
    assert site.get("/readyz").status == 200
    assert os.stat(site.settings["C1D_SOCKET"]).st_mode & 0o7777 == 0o660


def test_file_in_the_way_is_refused_not_removed(new_site):
    site = new_site(nginx=False, start=False)
    path = Path(site.settings["C1D_SOCKET"])
    path.write_text("precious")
    done = subprocess.run([site.program, "serve"], env=site.environment(), stderr=subprocess.PIPE, timeout=2 * DEADLINE_S, check=False)
    assert done.returncode == 78 and b"no socket" in done.stderr
    assert path.read_text() == "precious"


def test_silent_and_garbage_peers_hold_no_thread_for_long(new_site):
    site = new_site({"C1D_THREADS": "2", "C1D_READ_MS": "1000"}, workers=1)

    def bother(i):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(site.settings["C1D_SOCKET"])
            peer.settimeout(DEADLINE_S)
            try:
                if i % 2:
                    peer.sendall(b"GET / HTTP/1.0\r\n\r\n" * 100)
            except BrokenPipeError:
                pass  # we were silent for too long
            return peer.recv(100)

    assert in_parallel(8, bother) == [b""] * 8
    assert site.get("/livez").status == 200
    wait_for(lambda: len(site.log_lines("connection without a usable request")) == 8, "each is told of")


def test_request_that_drips_for_ever_is_ended(new_site):
    """Each byte comes in time, all of them never would."""
    site = new_site({"C1D_THREADS": "1", "C1D_READ_MS": "5000"}, workers=1)
    begun = time.monotonic()
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(site.settings["C1D_SOCKET"])
        peer.settimeout(0.2)
        peer.sendall(b"\1\1\0\1\0\x08\0\0\0\1\0\0\0\0\0\0" + b"\1\4\0\1\xff\xff\0\0")
        with pytest.raises(OSError):
            while time.monotonic() - begun < 3 * DEADLINE_S:
                peer.sendall(b"x")
                try:
                    if peer.recv(1) == b"":
                        raise ConnectionResetError
                except socket.timeout:
                    pass
    assert time.monotonic() - begun > 25
    assert site.get("/livez").status == 200 and not site.log_lines("worker killed")


# --- what systemd is told ---

def test_systemd_is_told_ready_reloading_watchdog_and_stopping(new_site, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(DEADLINE_S)
        site = new_site({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "300000"}, workers=1)
        seen = ""

        def until(word):
            nonlocal seen
            while word not in seen:
                seen += notify.recv(4096).decode() + "\n"

        until("READY=1")
        until("WATCHDOG=1")
        site.c1d.child.send_signal(signal.SIGHUP)
        until("RELOADING=1")
        seen = ""
        until("READY=1")
        site.c1d.child.send_signal(signal.SIGTERM)
        until("STOPPING=1")
        assert site.c1d.child.wait(2 * DEADLINE_S) == 0
        site.c1d = None


def test_stream_of_a_killed_worker_is_cut_and_never_called_complete(new_site):
    site = new_site(workers=1)
    stream = Stream(site.host, site.port, "POST", "/api/chat", b'{"thread_id":"t1","message":"fault:stall_at=40"}',
                    {"Content-Type": "application/json"})
    stream.read_until(b"<content")
    os.kill(site.worker_pids()[0], signal.SIGKILL)
    stream.read_all()
    message = site.wait_status("t1", stream.headers["X-Response-Id"], "interrupted")
    assert message["content"].encode().startswith(stream.body)
