"""What tests/run makes of pytest's reports: what failed as one is one, and is run once more, alone."""
import xml.etree.ElementTree as ET
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest
from house import ROOT


@pytest.fixture
def run():
    spec = spec_from_loader("run", SourceFileLoader("run", str(ROOT / "tests/run")))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def case(name, what=None, message="", module="tests.integration.test_x"):
    """A test of a report; `what` became of it."""
    made = ET.Element("testcase", {"classname": module, "name": name})
    if what:
        ET.SubElement(made, what, {"message": message})
    return made


@pytest.fixture
def counted(run, monkeypatch, tmp_path):
    """What is counted where these are the reports, one behind the other: (passed, failed, names of those that were run again)."""
    def of(*reports):
        left, again = list(reports), []

        def report(arguments, *_):
            again.append(arguments)
            cases = left.pop(0)
            return int(any(map(run.has_failed, cases))), cases

        monkeypatch.setattr(run, "pytest_run", report)
        count = run.Count()
        run.run_pytest(tmp_path, tmp_path, "", count, tmp_path)
        assert not left, "not all reports were asked for"
        return count.passed, count.failed, again[1] if len(again) > 1 else []

    return of


def test_what_passes_alone_passes_also_where_its_house_failed_behind_it(counted):
    twice = [case("test_a", "failure"), case("test_a", "error", "its house ended with 1"), case("test_b")]
    name = "tests/integration/test_x.py::test_a"
    assert counted(twice, [case("test_a")]) == (2, 0, [name])
    assert counted(twice, twice[:2]) == (1, 1, [name])
    assert counted(twice, [case("test_a", "skipped")]) == (1, 1, [name])


def test_the_tests_of_a_house_that_was_not_to_be_had_are_one(counted):
    names = [f"test_{i}[a@b]" for i in range(20)]
    fallen = [case(name, "error", "not within 30 s: c1d ready") for name in names]
    assert counted(fallen, [case(name) for name in names])[:2] == (20, 0)
    grouped = [case(f"{name}@one_visit", "failure", name) for name in names]
    passed, failed, again = counted(grouped, [case(name) for name in names])
    assert (passed, failed) == (20, 0) and again[0] == "tests/integration/test_x.py::test_0[a@b]"


def test_many_failures_are_not_taken_for_the_machines(counted):
    assert counted([case(f"test_{i}", "failure", "the same") for i in range(4)]) == (0, 4, [])
    assert counted([case(f"test_{i}", "error", f"{i}") for i in range(4)]) == (0, 4, [])
