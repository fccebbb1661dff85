"""A hundred of make torture's trials: random faults at random moments, then what clients saw against what the store holds."""
import os
import subprocess

import pytest
from house import PYTHON, ROOT


@pytest.mark.parametrize("store", ["sqlite", "mongodb"])
def test_nothing_is_lost_doubled_or_untrue(store):
    done = subprocess.run([PYTHON, "tests/torture/run", "--trials", "50", "--houses", "1", "--stores", store], cwd=ROOT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ, timeout=600, check=False)
    if f"no trials on {store}" in done.stdout:
        pytest.skip(next(line for line in done.stdout.splitlines() if line.startswith("no trials")))
    assert done.returncode == 0, done.stdout[-6000:]
    assert "50 trials, 0 violations" in done.stdout
