"""tests/deps: silent when all is there, one apt line when not, and never a surprise."""
import os
import pty
import subprocess

import pytest

from house import ROOT

STUBS = {
    # cppcheck is missing, the rest is there.
    "dpkg-query": '#!/bin/sh\nfor last; do :; done\n[ "$last" != "$MISSING" ] || exit 1\nprintf installed\n',
    "apt-get": '#!/bin/sh\necho "apt-get $*" >>"$RECORD"\n[ "${APT_FAILS:-}" != 1 ]\n',
    "sudo": '#!/bin/sh\necho "sudo" >>"$RECORD"\nexec "$@"\n',
    "sleep": "#!/bin/sh\n",
    "id": '#!/bin/sh\necho "$FAKE_UID"\n',
}


def read_all(terminal):
    """What was written to a terminal whose other side is closed: in pieces, then EIO."""
    pieces = []
    with os.fdopen(terminal, "rb", buffering=0) as file:
        try:
            while piece := file.read(4096):
                pieces.append(piece)
        except OSError:
            pass
    return b"".join(pieces).decode()


@pytest.fixture
def deps(tmp_path):
    """Runs tests/deps on a machine that lacks `missing`; returns exit code, stderr and what apt-get was told."""
    for name, text in STUBS.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    record = tmp_path / "record"

    def run(target, missing="", uid=0, answer=None, **env):
        record.write_text("")
        env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "RECORD": str(record), "MISSING": missing,
               "FAKE_UID": str(uid), "YES": "", **env}
        stdin = said = subprocess.DEVNULL
        if answer is not None:
            terminal, said = pty.openpty()
            stdin = said
            os.write(terminal, answer.encode())
        done = subprocess.run(["sh", "tests/deps", target], cwd=ROOT, env=env, stdin=stdin, check=False,
                              stdout=subprocess.PIPE, stderr=said if answer is not None else subprocess.PIPE)
        if answer is not None:
            os.close(said)
            text = read_all(terminal)
        else:
            text = done.stderr.decode()
        return done.returncode, text, record.read_text().splitlines()

    return run


@pytest.mark.parametrize("target", ["build", "demo", "test", "check"])
def test_it_is_silent_when_all_is_there(deps, target):
    assert deps(target) == (0, "", [])


def test_each_target_asks_for_its_own_packages_only(deps):
    assert deps("test", missing="cppcheck") == (0, "", [])
    assert deps("check", missing="cppcheck")[2] != []


def test_root_without_a_terminal_goes_ahead_and_updates_first(deps):
    code, said, apt = deps("demo", missing="libfcgi-dev")
    assert code == 0
    assert "apt-get install --no-install-recommends libfcgi-dev" in said
    update, install = apt
    assert update.endswith(" update")
    assert install.endswith(" install --no-install-recommends libfcgi-dev")


def test_others_without_a_terminal_are_told_the_line_and_stopped(deps):
    code, said, apt = deps("demo", missing="libfcgi-dev", uid=1000)
    assert (code, apt) == (69, [])
    assert "sudo apt-get install --no-install-recommends libfcgi-dev" in said


def test_YES_goes_ahead_by_sudo(deps):
    code, _, apt = deps("demo", missing="libfcgi-dev", uid=1000, YES="1")
    assert code == 0
    assert apt[0] == "sudo" and len(apt) == 4


@pytest.mark.parametrize("answer, goes", [("\n", True), ("y\n", True), ("n\n", False), ("what?\n", False)])
def test_on_a_terminal_it_asks(deps, answer, goes):
    code, said, apt = deps("demo", missing="libfcgi-dev", answer=answer)
    assert "[Y/n]" in said
    assert (code, bool(apt)) == ((0, True) if goes else (69, False))


def test_a_mirror_that_stumbles_is_tried_four_times(deps):
    code, said, apt = deps("build", missing="gcc", APT_FAILS="1")
    assert code == 69 and len(apt) == 4
    assert "apt-get update failed" in said


def test_a_target_that_does_not_exist_is_refused(deps):
    assert deps("everything")[0] == 2
