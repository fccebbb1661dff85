"""Tools from PyPI, each in a virtual environment of its own under .cache/, so that none meets another's libraries."""
import fcntl
import subprocess

import pytest

from house import PYTHON, ROOT

INSTALL_S = 300


def tool(package, version, program):
    """The path of its program. Installed once a machine; without the registry the test is skipped, and says so."""
    place = ROOT / ".cache" / "pip" / f"{package}-{version}"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        if not (place / "whole").exists():
            for command in ([PYTHON, "-m", "venv", "--clear", place / "venv"],
                            [place / "venv/bin/pip", "install", "-q", "--disable-pip-version-check", f"{package}=={version}"]):
                try:
                    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
                except subprocess.TimeoutExpired:
                    pytest.skip(f"{package} {version} was not installed within {INSTALL_S} s")
                if done.returncode != 0:
                    pytest.skip(f"{package} {version} could not be installed: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
            (place / "whole").touch()
    return str(place / "venv/bin" / program)
