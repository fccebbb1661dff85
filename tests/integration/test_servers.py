"""tests/servers.py by hand: a server is there when it says so, and goes with whoever started it."""
import os
import signal
import socket
import subprocess

import pytest
from house import PYTHON, ROOT, wait_for


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("end", ["told", "parent killed"])
@pytest.mark.parametrize("kind", ["redis", "postgresql"])
def test_a_server_by_hand_is_ready_when_it_says_so_and_goes_with_its_parent(kind, end):
    # A shell between, so that the parent can die.
    started = subprocess.Popen(["sh", "-c", f"{PYTHON} {ROOT}/tests/servers.py {kind} & echo $!; wait"], stdout=subprocess.PIPE, text=True)
    pid = int(started.stdout.readline())
    line = started.stdout.readline()
    if not line:
        pytest.skip(f"no {kind} here")
    assert line.startswith("ready "), line
    port = int(line.split("127.0.0.1:")[1].split("/")[0])
    assert listens(port)
    if end == "told":
        os.kill(pid, signal.SIGTERM)
    else:
        started.kill()
    wait_for(lambda: not listens(port), f"{kind} has ended")
    started.stdout.close()
    started.wait(30)


def test_a_kind_that_is_none_is_refused():
    done = subprocess.run([PYTHON, "tests/servers.py", "oracle"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "postgresql" in done.stderr
