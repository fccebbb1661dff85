"""Processes of the tests: started, awaited and ended; none outlives who started it."""
import ctypes
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "/usr/bin/python3"
DEADLINE_S = 30  # for any single wait: under sanitizers and two cores things are slow, but not that slow


PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def with_parent(sig=signal.SIGTERM):
    """In a child, before exec: die with the test process, whatever happens to it."""
    LIBC.prctl(PR_SET_PDEATHSIG, sig)


HELD = []


def held_port():
    """A port that nobody else can get while this process lives: it is bound here, for `listen ... reuseport` of the same
    user, or for nobody: until somebody listens a connection is refused."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind(("127.0.0.1", 0))
    HELD.append(holder)
    return holder.getsockname()[1]


def free_port():
    """For a program that has to bind it alone. Else held_port. It lies below those that connections are given, and no other test
    process of this machine is given it while this one lives: so it is still there for a program that binds it much later, or for a
    server that was stopped and comes back."""
    while True:
        port, claim = random.SystemRandom().randrange(10240, 32768), socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0c1d-tests-port-{port}")  # a name that the kernel forgets with us
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        HELD.append(claim)
        return port


def wait_for(condition, what, deadline_s=DEADLINE_S):
    """Asks until it is true. For states that no event tells; the short pause only spares the processor."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s} s: {what}")
        time.sleep(0.01)


def stand_in_sudo(folder):
    """For words of a page that are run as they stand: a test has no password, and is root where that is needed."""
    sudo = Path(folder) / "sudo"
    sudo.write_text('#!/bin/sh\nexec "$@"\n')
    sudo.chmod(0o755)


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


class Process:
    """A child whose stderr goes to a file and whose first stdout line says that it is ready. `user` is who it runs as, `dies_by`
    what it is told when its parent is gone."""

    def __init__(self, command, folder, name, env=None, ready=None, user=None, dies_by=signal.SIGTERM):
        folder.mkdir(parents=True, exist_ok=True)
        self.log_path = folder / f"{name}.log"
        self.log = open(self.log_path, "ab")
        self.child = subprocess.Popen(command, env=env, stdout=subprocess.PIPE if ready else self.log,
                                      stderr=self.log, stdin=subprocess.DEVNULL, preexec_fn=lambda: with_parent(dies_by), cwd=ROOT,
                                      user=user, group=user, extra_groups=[] if user else None)
        self.ready_line = self.child.stdout.readline().decode().strip() if ready else ""
        if ready and not self.ready_line.startswith(ready):
            self.child.wait(DEADLINE_S)
            raise AssertionError(f"{name} did not start: {self.ready_line}\n{self.text()[-4000:]}")

    @property
    def pid(self):
        return self.child.pid

    def text(self):
        self.log.flush()
        return self.log_path.read_text("utf-8", "replace")

    def alive(self):
        return self.child.poll() is None

    def stop(self, sig=signal.SIGTERM, deadline_s=DEADLINE_S):
        if self.alive():
            self.child.send_signal(sig)
            try:
                self.child.wait(deadline_s)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
                raise AssertionError(f"{self.log_path.name} did not end\n{self.text()[-4000:]}")
        if self.child.stdout:
            self.child.stdout.close()
        self.log.close()
        return self.child.returncode
