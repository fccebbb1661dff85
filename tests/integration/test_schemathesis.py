"""/api/openapi.json against the program, by schemathesis: what the document allows is taken, what it does not is refused, and every
answer looks as the document says. Through nginx, in each way to say who asks."""
import re
import shutil
import subprocess

import pytest

from house import ROOT
from pip_tools import tool

VERSION = "4.32.5"
WAYS = {"none": {}}


@pytest.mark.parametrize("way", WAYS)
def test_schemathesis_finds_nothing(new_site, way):
    program = tool("schemathesis", VERSION, "schemathesis")
    site = new_site(WAYS[way])
    place = shutil.copytree(ROOT / "tests/schemathesis", site.folder / "schemathesis")  # it leaves a memory of its own there
    command = [program, "run", f"{site.url}/api/openapi.json", "--seed", "1", "--max-examples", "10", "--suppress-health-check", "all",
               "--no-color"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert re.search(r"Tested: +\d\d", done.stdout) and int(re.search(r"(\d+) generated", done.stdout)[1]) > 300, done.stdout[-2000:]
