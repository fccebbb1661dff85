"""The two pages. The README's: its lines are taken from there and bundled as somebody would who pastes them. Ours: web/, as `make
web` builds it. One build of each for all tests."""
import fcntl
import hashlib
import os
import re
import shutil
import subprocess

import pytest

from house import ROOT

PLACE = ROOT / "tests/page"  # what visits them
STOCK = ROOT / "examples/c1chat/src/App.jsx"
WEB = ROOT / "web"
MODULES = WEB / "node_modules"
BUILT = ROOT / "build/page"
BUILD_S = 600
VISIT_S = 600  # a whole visit
WHOLE = {"C1D_SAVE_WAIT_MS": "60000"}  # what is shown to its end is in the store, however slow that is
SAMPLES = [path.stem for path in (ROOT / "tests/samples").glob("*.txt") if not path.stem.startswith("BAD-")]


def lines_of(language, first):
    """The README's block of this language that begins with `first`."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    found = [block for block in blocks if block.startswith(first)]
    assert len(found) == 1, f"the README has {len(found)} such blocks"
    return found[0]


def modules(folder):
    """What the lock file of this folder names; installed once, by one test process (`alone`)."""
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    mark = folder / "node_modules/.c1d"  # the Makefile's, too
    if mark.exists() and mark.read_text() == wanted:
        return
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--fetch-retries=5"], cwd=folder, capture_output=True, text=True, timeout=BUILD_S,
                          check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0 and re.search(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH", done.stderr):
        pytest.skip(f"npm's registry cannot be reached: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    mark.write_text(wanted)


def lay_out(folder, backend="http://127.0.0.1:8080"):
    """A project as `npm create vite` makes it, with the README's lines in it."""
    (folder / "src").mkdir(parents=True)
    (folder / "public").mkdir()
    (folder / "package.json").write_text('{"private":true,"type":"module"}\n')
    (folder / "public/favicon.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>\n')
    shutil.copy(PLACE / "index.html", folder)
    shutil.copy(PLACE / "main.jsx", folder / "src")
    shutil.copy(STOCK, folder / "src/stock.jsx")
    shutil.copy(WEB / "src/c1d.ts", folder / "src")
    (folder / "src/App.jsx").write_text(lines_of("jsx", "import { C1Chat"))
    config = lines_of("js", "import react")
    assert "http://127.0.0.1:8080" in config
    (folder / "vite.config.js").write_text(config.replace("http://127.0.0.1:8080", backend))
    (folder / "node_modules").symlink_to(MODULES)


def have_tools():
    """Node, npm and Chromium are there, and the modules are installed; whoever else does this at the time is waited for."""
    for tool in ("node", "npm", "chromium"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed: sh tests/deps test")
    with alone():
        modules(PLACE)
        modules(WEB)


class alone:
    """One of all test processes at a time."""

    def __enter__(self):
        BUILT.mkdir(parents=True, exist_ok=True)
        self.lock = open(BUILT / "lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self.lock.close()


def built():
    """The folder of the built page. Kept from one run to the next while nothing in it has changed."""
    parts = [lines_of("jsx", "import { C1Chat").encode(), lines_of("js", "import react").encode()]
    parts += [path.read_bytes() for path in (PLACE / "index.html", PLACE / "main.jsx", STOCK)]
    parts += [(WEB / name).read_bytes() for name in ("package-lock.json", "src/c1d.ts")]
    folder = BUILT / hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    with alone():
        if not (folder / "dist/index.html").exists():
            shutil.rmtree(folder, ignore_errors=True)
            lay_out(folder)
            done = subprocess.run(["node", "node_modules/vite/bin/vite.js", "build", "--minify", "false", "--logLevel", "warn"],
                                  cwd=folder, capture_output=True, text=True, timeout=BUILD_S, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist"


def ours():
    """The folder of our own page, as `make web` builds it; the same as in the demo."""
    with alone():
        done = subprocess.run(["make", "-s", "BUILD=build", "build/web/index.html"], cwd=ROOT, capture_output=True, text=True, timeout=BUILD_S,
                              check=False, env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")})
        assert done.returncode == 0, done.stdout + done.stderr
    return ROOT / "build/web"


def served_page(page, scratch):
    """nginx's lines for our own page, which lies where nginx may read."""
    folder = scratch / "our-page"
    if not folder.exists():
        shutil.copytree(page, folder)
    return (ROOT / "nginx/c1d-page.conf").read_text().replace("/usr/local/share/c1d/web", str(folder))
