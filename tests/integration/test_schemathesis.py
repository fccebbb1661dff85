"""/api/openapi.json against the program, by schemathesis: what the document allows is taken, what it does not is refused, and every
answer looks as the document says. Through nginx, in each way to say who asks. `make schemathesis EXAMPLES=200` asks more."""
import os
import re
import shutil
import subprocess

import pytest

from attackers import JWT_SECRET, Browser, token
from house import ROOT
from pip_tools import tool

VERSION = "4.32.5"
EXAMPLES = os.environ.get("EXAMPLES")


def nobody(site):
    return []


def visitor(site):
    return ["--header", f"Cookie: c1d_visitor={Browser(site).visitor()}"]


def api_key(site):
    done = subprocess.run([site.program, "keys", "add", "tester"], env=site.environment(), capture_output=True, text=True, check=True)
    return ["--header", f"Authorization: Bearer {done.stdout.strip()}"]


def signed_token(site):
    return ["--header", f"Authorization: Bearer {token('ada')}"]


# All phases where nobody is asked; of the others those in which who asks matters.
WAYS = {"none": ("none", nobody, ["--max-examples", EXAMPLES or "10"]),
        "visitor": ("visitor", visitor, ["--phases", "fuzzing,stateful", "--max-examples", EXAMPLES or "4"]),
        "jwt": ("jwt", signed_token, ["--phases", "fuzzing,stateful", "--max-examples", EXAMPLES or "3"]),
        "api_key": ("visitor", api_key, ["--phases", "fuzzing,stateful", "--max-examples", EXAMPLES or "4"])}


@pytest.mark.parametrize("way", WAYS)
def test_schemathesis_finds_nothing(new_site, way):
    program = tool("schemathesis", VERSION, "schemathesis")
    mode, signs_in, much = WAYS[way]
    site = new_site({"C1D_AUTH": mode, **({"C1D_JWT_SECRET": JWT_SECRET} if mode == "jwt" else {})})
    place = shutil.copytree(ROOT / "tests/schemathesis", site.folder / "schemathesis")  # it leaves a memory of its own there
    command = [program, "run", f"{site.url}/api/openapi.json", "--seed", "1", "--suppress-health-check", "all", "--no-color", *much, *signs_in(site)]
    environment = {**os.environ, "SIGNED_IN": "" if mode == "none" else "1"}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=3000, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert re.search(r"Tested: +\d\d", done.stdout) and int(re.search(r"(\d+) generated", done.stdout)[1]) > 50, done.stdout[-2000:]
