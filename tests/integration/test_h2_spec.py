"""h2specd plays a server of HTTP/2 and judges its client by RFC 9113's rules. Row B10."""
import contextlib
import os
import random
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from house import ROOT

sys.path.insert(0, str(ROOT / "tests/c1_upstream"))
import tls  # noqa: E402


PORTS = 100  # one to report on, and one a rule


def free_ports():
    """The first of so many that lie side by side, below those of free_port and of the kernel (ip_local_port_range)."""
    for _ in range(100):
        first = random.randrange(2000, 10240 - PORTS)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + PORTS):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
    raise AssertionError("no free ports")


@pytest.fixture(scope="module")
def h2specd():
    built = subprocess.run(["sh", ROOT / "tests/go_build", ROOT / "tests/h2spec", "github.com/summerwind/h2spec/cmd/h2specd", "c1d-test-h2specd"],
                           stdout=subprocess.PIPE, timeout=600, check=False)
    if built.returncode == 77:
        pytest.skip("h2specd is built with Go >= 1.22, which is not here")
    assert built.returncode == 0
    return built.stdout.decode().strip()


def test_B10_h2specd_finds_nothing(h2specd, tmp_path):
    driver = Path(os.environ.get("C1D_BIN", ROOT / "build/c1d")).with_name("tests") / "drivers/h2_asks"
    if not driver.exists():
        pytest.skip("h2_asks is built by make test")
    certificate, key = tls.make(tmp_path, "good")
    for _ in range(3):  # a port that was free may be taken by the time that it is wanted
        first = free_ports()
        done = subprocess.run([h2specd, "--tls", "--cert-file", certificate, "--cert-key-file", key, "--port", str(first),
                               "--from-port", str(first + 1), "--timeout", "20", "--exec", f"{driver} {tmp_path / 'ca.pem'}"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False)
        if b"address already in use" not in done.stdout:
            break
    told = [line for line in done.stdout.decode("utf-8", "replace").splitlines() if "use of closed network" not in line]
    count = re.fullmatch(r"(\d+) tests, (\d+) passed, 0 skipped, 0 failed", told[-1] if told else "")
    assert count and int(count[1]) == int(count[2]) > 50, "\n".join(told[-60:])
