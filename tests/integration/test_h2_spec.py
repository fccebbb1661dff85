"""h2specd plays a server of HTTP/2 and judges its client by RFC 9113's rules. Row B10."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from house import ROOT, free_port

sys.path.insert(0, str(ROOT / "tests/c1_upstream"))
import tls  # noqa: E402

HOW = "h2specd is not installed: go install github.com/summerwind/h2spec/cmd/h2specd@v2.2.1"


def test_B10_h2specd_finds_nothing(tmp_path):
    program = shutil.which("h2specd", path=f"{os.environ['PATH']}:{Path.home() / 'go/bin'}")
    driver = Path(os.environ.get("C1D_BIN", ROOT / "build/c1d")).with_name("tests") / "drivers/h2_asks"
    if not program or not driver.exists():
        pytest.skip(HOW if not program else "h2_asks is built by make test")
    certificate, key = tls.make(tmp_path, "good")
    done = subprocess.run([program, "--tls", "--cert-file", certificate, "--cert-key-file", key, "--port", str(free_port()),
                           "--from-port", str(free_port()), "--exec", f"{driver} {tmp_path / 'ca.pem'}"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False)
    told = [line for line in done.stdout.decode("utf-8", "replace").splitlines() if "use of closed network" not in line]
    count = re.fullmatch(r"(\d+) tests, (\d+) passed, 0 skipped, 0 failed", told[-1] if told else "")
    assert count and int(count[1]) == int(count[2]) > 50, "\n".join(told[-60:])
