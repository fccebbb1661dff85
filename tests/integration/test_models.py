"""The model of a run's life (tests/models/run.pml): no violation, and each planted bug is found."""
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLAIMS = ["truthful", "freed", "kept", "once", "edits", "ends"]


def errors(tmp_path, claim, bug=0):
    subprocess.run(["spin", f"-DBUG={bug}", "-a", str(ROOT / "tests/models/run.pml")], cwd=tmp_path, check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run(["gcc", "-O2", "-w", "-DNFAIR=3", "-o", "pan", "pan.c"], cwd=tmp_path, check=True)
    options = ["-a", "-f"] if claim == "ends" else ["-a"]
    done = subprocess.run(["./pan", "-m1000000", *options, "-N", claim], cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=False)
    assert "max search depth too small" not in done.stdout
    return int(done.stdout.split("errors: ")[1].split()[0])


@pytest.mark.parametrize("claim", CLAIMS)
def test_model_of_a_run_has_no_violation(tmp_path, claim):
    assert shutil.which("spin"), "tests/deps installs it"
    assert errors(tmp_path, claim) == 0


@pytest.mark.parametrize("bug, claim", [(1, "kept"), (2, "kept"), (3, "kept"), (4, "edits"), (5, "once")])
def test_planted_bug_is_found(tmp_path, bug, claim):
    assert errors(tmp_path, claim, bug) > 0
