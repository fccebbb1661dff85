"""The benchmark's parts work: each target that can be started here answers as the others do, and the documents say what was measured."""
import importlib.util
import json
import os
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

from house import ROOT

PEERS = ROOT / "tests/bench/peers"
sys.path.insert(0, str(PEERS))
sys.dont_write_bytecode = True

import measures  # noqa: E402
import report  # noqa: E402


def script(name):
    loader = SourceFileLoader(f"peers_{name}", str(PEERS / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def test_h6_performance_md_is_made_from_its_figures():
    """Whoever changes one of them by hand is found out."""
    docs = script("docs")
    for path, text in docs.documents(json.loads(docs.KEPT.read_text())).items():
        assert path.read_text() == text, f"{path.name} is not what `tests/bench/peers/docs --again` writes"


def test_h6_the_median_counts_and_what_was_not_measured_is_said_to_be():
    samples = [{"part": "busy", "row": report.BUSY, "transport": "tls", "target": target, "us": us}
               for target, values in (("rust", (10, 30, 20)), ("c1d", (9, 50, 15))) for us in values]
    figures = report.Figures({"medians": report.medians(samples)})
    assert figures.get(report.BUSY, "tls", "rust", "us") == 20 and figures.get(report.BUSY, "tls", "c1d", "us") == 15
    reached = {(what, row, aim): yes for what, row, aim, _, yes in report.aims(figures)}
    assert reached["µs a chunk, TLS", report.BUSY, "≤ 0.9 × Rust (20.0)"] is True
    assert reached["µs a chunk, TLS", report.BUSY, "≤ 0.65 × Go"] is None
    assert report.losses(figures) == "- In nothing that was measured."


def test_h6_what_the_store_had_of_a_turn_is_taken_off_it():
    """Only what came before the model was asked, and what two commands had at once is taken off once."""
    ms = 1000000
    turns = {"bench-0-1": [(0, 10 * ms, 15 * ms, 18 * ms)], "bench-1-2": [(0, 2 * ms, 3 * ms, 4 * ms)]}
    stored = {"bench-0-1": [(1 * ms, 4 * ms), (2 * ms, 3 * ms), (3 * ms, 5 * ms), (9 * ms, 12 * ms), (16 * ms, 17 * ms)]}
    assert measures.beyond(turns, stored) == ([13, 3], [8, 3])


def test_h6_the_runner_runs_and_each_target_that_is_there_loses_nothing(tmp_path):
    """The bench's own programs, built here; the peers only where they are built already."""
    build = tmp_path / "build"
    build.mkdir()
    (build / "c1d").symlink_to(Path(os.environ.get("C1D_BIN", ROOT / "build/c1d")).resolve())
    if (ROOT / "build/peers").exists():
        (build / "peers").symlink_to((ROOT / "build/peers").resolve())
    programs = [str(build / "tests/bench" / name) for name in ("load", "upstream", "store_stub")]
    subprocess.run(["make", "-s", f"BUILD={build}", *programs], cwd=ROOT, check=True, capture_output=True)
    done = subprocess.run([PEERS / "run", "--smoke"], env={**os.environ, "BUILD": str(build)}, capture_output=True, text=True, check=False,
                          timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    samples = json.loads((build / "bench-peers.json").read_text())["samples"]
    assert {("nginx", "plain"), ("c1d", "plain"), ("c1d", "tls")} <= {(sample["target"], sample["transport"]) for sample in samples}
    first = next(sample for sample in samples if (sample["row"], sample["target"]) == ("first byte", "c1d"))
    assert 0 < first["first_p50_ms"] < first["stored_p50_ms"], "the store told what it had of each turn"
    assert all(sample["failed"] == 0 and sample.get("lost", 0) == 0 for sample in samples), samples
