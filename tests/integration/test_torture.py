"""Forty of make torture's trials: the lives of users, random faults at random moments, then what clients saw against what the
store holds."""
import os
import subprocess
from pathlib import Path

import pytest
from house import PYTHON, ROOT


@pytest.mark.parametrize("store", ["sqlite", "mongodb"])
def test_nothing_is_lost_doubled_or_untrue(store):
    done = subprocess.run([PYTHON, "tests/torture/run", "--trials", "20", "--houses", "2", "--stores", store], cwd=ROOT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ, timeout=900, check=False)
    if f"no trials on {store}" in done.stdout:
        pytest.skip(next(line for line in done.stdout.splitlines() if line.startswith("no trials")))
    assert done.returncode == 0, done.stdout[-12000:]
    assert "20 trials, 0 violations" in done.stdout


def test_d4_an_allocation_that_fails_is_a_clean_503():
    """Each twelfth of make torture-alloc's: the way of each route, without the memory for one thing."""
    program = Path(os.environ.get("C1D_BIN", ROOT / "build/c1d")).with_name("c1d-scarce")
    if not program.exists():
        pytest.skip("c1d-scarce is built by make test")
    done = subprocess.run([PYTHON, "tests/torture/allocations", "--program", str(program), "--every", "12", "--stores", "sqlite"],
                          cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-12000:]
    assert ", 0 violations" in done.stdout
