"""A Dockerfile's steps, as far as ours goes: words of an instruction, lines that go on, stages."""
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "packaging/docker/Dockerfile"


def steps(text=None):
    """(instruction, what stands behind it), line by line; lists in brackets are parsed."""
    text = re.sub(r"^\s*#.*\n", "", text or FILE.read_text(), flags=re.M).replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        if line.strip():
            name, rest = line.split(None, 1)
            found.append((name.upper(), json.loads(rest) if rest.startswith("[") else " ".join(rest.split())))
    return found


def stages():
    """The steps of each stage, the FROM first."""
    found = []
    for step in steps():
        if step[0] == "FROM":
            found.append([])
        found[-1].append(step)
    return found


def packages(stage):
    """What its apt-get installs."""
    line = next(rest for name, rest in stage if name == "RUN" and "apt-get install" in rest)
    words = line.split("--no-install-recommends", 1)[1].split("&&", 1)[0]
    return words.split()


def last(stage, instruction):
    return [rest for name, rest in stage if name == instruction][-1]


def copied():
    """Paths that COPY . takes along, as .dockerignore says; tests/docker/run hands them to tar."""
    rules = [line for line in (FILE.parent / "Dockerfile.dockerignore").read_text().splitlines() if line and line[0] != "#"]
    return [rule for rule in rules if rule[0] != "!"], [rule[1:] for rule in rules if rule[0] == "!"]
