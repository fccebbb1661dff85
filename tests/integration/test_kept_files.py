"""A spool that keeps the saved answers of the last quarter of an hour, twenty thousand of them: no request looks at them or reads a
folder. No figure proves that, the system calls do."""
import os
import re
import signal
import subprocess
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest
from house import wait_for

KEPT = 20_000


def keep_many(site):
    """One saved answer's file under twenty thousand other names, which differ in their first digits."""
    run = site.chat("fault:pace=0 hello", "t0").headers["X-Run-Id"]
    spool = Path(site.settings["C1D_STATE_DIR"]) / "spool"
    saved = wait_for(lambda: next((path for path in spool.rglob(run) if path.parent != spool), None), "the saved file is put away")
    for number in range(KEPT):
        os.link(saved, saved.with_name(f"{number:08x}{run[8:]}"))
    return saved.parent


@contextmanager
def traced(pid, path):
    """Every open and every reading of a folder by the process meanwhile, with the paths of descriptors."""
    tracer = subprocess.Popen(["strace", "-f", "-y", "-e", "trace=open,openat,getdents64,newfstatat,statx", "-o", str(path), "-p", str(pid)],
                              stderr=subprocess.PIPE, text=True)
    said = tracer.stderr.readline()
    if "attached" not in said:
        tracer.wait()
        pytest.skip(f"strace may not attach here: {said.strip()}")
    yield
    tracer.send_signal(signal.SIGINT)
    tracer.communicate(timeout=30)


def test_c3_no_request_looks_at_kept_files(new_site):
    site = new_site(workers=1)
    folder = keep_many(site)
    assert site.chat("fault:pace=0 before", "t1").status == 200
    leaving = site.stream({"thread_id": "t2", "message": f"fault:gate={uuid.uuid4().hex}@20"})
    leaving.read_some()
    trace = site.folder / "trace"
    with traced(site.worker_pids()[0], trace):
        assert site.chat("fault:pace=0 again", "t1").status == 200  # a turn
        assert site.get("/api/threads/t1/runs").status == 200
        assert site.get("/api/threads/t2/runs?active=1").json()[0]["status"] == "streaming"
        leaving.close()  # a departure
        wait_for(lambda: any(line["outcome"] == "client_gone" for line in site.log_lines("request")), "the leaving is noticed")
        assert site.chat("fault:pace=0 instead", "t2").status == 200  # it supersedes what nobody reads
        assert site.delete("/api/threads/t1").status == 200
    calls = trace.read_text().splitlines()
    looked = [line for line in calls if "getdents64" in line and f"<{folder}" in line]
    assert not looked, looked[:5]
    kept = {name for line in calls for name in re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}-[0-9a-f]{8}", line)}
    strangers = [name for name in kept if (folder / name).exists() and int(name[:8], 16) < KEPT]
    assert not strangers, strangers[:5]
