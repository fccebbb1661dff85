"""docs/reference is what the program's tables say: `make docs` writes it, and this finds when somebody has not."""
import importlib.machinery
import importlib.util
import os
from pathlib import Path

import pytest

from house import ROOT

BUILD = Path(os.environ.get("C1D_BIN", ROOT / "build/c1d")).parent


def reference():
    loader = importlib.machinery.SourceFileLoader("reference", str(ROOT / "tests/docs/reference"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("reference", loader))
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made():
    if not (BUILD / "tests/docs/tables").exists():
        pytest.skip("this build has no tests/docs/tables")  # an installed c1d
    return reference().pages(BUILD)


def test_d7_the_reference_is_what_the_tables_say(made):
    for path, text in made.items():
        assert path.read_text() == text, f"{path.relative_to(ROOT)} is not what the tables say: make docs"


def test_d7_no_row_of_a_table_is_without_words(made):
    for path, text in made.items():
        for line in text.splitlines() if path.name != "routes.md" else []:  # of bodies many a member's name says it
            cells = [cell.strip() for cell in line.strip("|").split(" | ")] if line.startswith("| `") else []
            assert len(cells) < 2 or any(cell and not cell.startswith("`") for cell in cells[1:]), f"{path.name}: {line}"
