"""The models (tests/models): of a run's life, of the table of counts, and of who is let in on the board. No violation, and each
planted bug is found."""
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


def asserted(tmp_path, model, options, *words):
    """Errors of a model that only asserts."""
    subprocess.run(["spin", *words, "-a", str(ROOT / "tests/models" / model)], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["gcc", "-O2", "-w", "-DSAFETY", "-DBITSTATE", "-o", "pan", "pan.c"], cwd=tmp_path, check=True)
    done = subprocess.run(["./pan", *options], cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=False)
    return int(done.stdout.split("errors: ")[1].split()[0])


def counts(tmp_path, bug, askers, others):
    """Three that ask have too many states to see all of them: it looks 400 steps deep."""
    return asserted(tmp_path, "counts.pml", ["-m400", "-w26"], f"-DBUG={bug}", f"-DASKERS={askers}", f"-DOTHERS={others}")


@pytest.mark.parametrize("askers, others", [(2, 0), (3, 0)])
def test_f8_a_key_has_one_count(tmp_path, askers, others):
    assert counts(tmp_path, 0, askers, others) == 0


@pytest.mark.parametrize("bug, askers, others", [(1, 3, 0), (2, 3, 0), (3, 3, 0), (4, 2, 1), (5, 3, 0)])
def test_planted_bug_of_counts_is_found(tmp_path, bug, askers, others):
    assert counts(tmp_path, bug, askers, others) > 0


@pytest.mark.parametrize("bug", range(4))
def test_f9_as_many_are_let_in_as_there_may_be(tmp_path, bug):
    assert (asserted(tmp_path, "admission.pml", ["-m10000", "-w26"], f"-DBUG={bug}") > 0) == (bug > 0)
