"""The shipped units, user, folder and settings file, as systemd's own tools see them. No booted systemd is needed."""
import os
import re
import subprocess
from pathlib import Path

import pytest

from house import ROOT

UNITS = ROOT / "systemd"
# Said about sets of system calls that this machine's kernel or libseccomp does not know; not about our files.
NOISE = re.compile(r".*Failed to parse system call.*")


def systemd(tool, *args):
    done = subprocess.run([tool, *map(str, args)], capture_output=True, text=True, check=False)
    done.said = [line for line in done.stderr.splitlines() if not NOISE.match(line)]
    return done


@pytest.fixture
def installed(tmp_path):
    """The units with a program that exists, as `make install` writes them."""
    program = tmp_path / "c1d"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name in ("c1d.service", "c1d.socket"):
        text = (UNITS / name).read_text()
        (tmp_path / name).write_text(text.replace("/usr/local/bin/c1d", str(program)))
    return tmp_path


@pytest.fixture
def root(tmp_path):
    """An empty system for systemd-sysusers and systemd-tmpfiles."""
    fake = tmp_path / "root"
    (fake / "etc").mkdir(parents=True)
    (fake / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (fake / "etc/group").write_text("root:x:0:\n")
    (fake / "etc/shadow").write_text("root:*:19000:0:99999:7:::\n")
    (fake / "etc/gshadow").write_text("root:*::\n")
    return fake


def directives(name):
    """{key: [values]} of a unit."""
    found = {}
    for line in (UNITS / name).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def test_systemd_has_nothing_to_say_about_the_units(installed):
    done = systemd("systemd-analyze", "verify", installed / "c1d.service", installed / "c1d.socket")
    assert (done.returncode, done.said) == (0, [])


def test_systemd_would_name_a_key_that_it_does_not_know(installed):
    """The check above is worth something: verify exits with 0 even then."""
    unit = installed / "c1d.service"
    unit.write_text(unit.read_text().replace("[Service]", "[Service]\nWachdogSec=30"))
    assert "Wachdog" in "\n".join(systemd("systemd-analyze", "verify", unit).said)


def test_the_service_is_exposed_by_1_0_at_most(installed):
    done = systemd("systemd-analyze", "security", "--offline=true", "--threshold=10", installed / "c1d.service")
    assert done.returncode == 0, done.stdout


def test_the_user_that_the_service_names_is_made(root):
    done = systemd("systemd-sysusers", f"--root={root}", UNITS / "c1d.sysusers")
    assert done.returncode == 0, done.stderr
    user, = directives("c1d.service")["User"]
    passwd = dict(line.split(":", 1) for line in (root / "etc/passwd").read_text().splitlines())
    assert passwd[user].endswith("/var/lib/c1d:/usr/sbin/nologin")


def test_the_folder_of_the_socket_is_made_outside_of_runtime_directories(root):
    assert systemd("systemd-sysusers", f"--root={root}", UNITS / "c1d.sysusers").returncode == 0
    done = systemd("systemd-tmpfiles", "--create", f"--root={root}", UNITS / "c1d.tmpfiles")
    assert done.returncode == 0, done.stderr
    socket = Path(directives("c1d.socket")["ListenStream"][0])
    folder = root / socket.parent.relative_to("/")
    assert folder.is_dir() and folder.stat().st_mode & 0o777 == 0o755
    assert "RuntimeDirectory" not in directives("c1d.service")
    assert not str(socket).startswith("/tmp/")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to another group")
def test_the_service_may_read_its_settings_and_others_may_not(root):
    settings = root / "etc/c1d/c1d.conf"
    settings.parent.mkdir()
    settings.write_text("THESYS_API_KEY=k\n")
    assert systemd("systemd-sysusers", f"--root={root}", UNITS / "c1d.sysusers").returncode == 0
    assert systemd("systemd-tmpfiles", "--create", f"--root={root}", UNITS / "c1d.tmpfiles").returncode == 0
    groups = dict(line.split(":")[:3:2] for line in (root / "etc/group").read_text().splitlines())
    found = settings.stat()
    assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o640, 0, int(groups["c1d"]))


def test_what_the_program_and_systemd_agreed_on():
    """Ready by sd_notify, a drain that ends before systemd loses patience, no second try with a wrong setting."""
    service = directives("c1d.service")
    assert service["Type"] == ["notify"] and service["WatchdogSec"] == ["30"]
    assert service["TimeoutStopSec"] == ["20"] and service["KillMode"] == ["mixed"]
    assert service["RestartPreventExitStatus"] == ["78"]
    assert service["ExecReload"] == ["/usr/local/bin/c1d check -t", "/bin/kill -HUP $MAINPID"]
    assert "ExecStartPre" not in service


def test_A21_only_the_web_server_may_reach_the_socket():
    socket = directives("c1d.socket")
    assert socket["SocketMode"] == ["0660"]
    assert socket["SocketGroup"] == ["www-data"]


def test_nginx_looks_where_systemd_listens():
    listens, = directives("c1d.socket")["ListenStream"]
    assert f"unix:{listens};" in (ROOT / "nginx/c1d-upstream.conf").read_text()


def test_every_example_setting_is_commented_out_and_known():
    """But for those that a site on the open net is better off with from the first day on."""
    lines = (UNITS / "c1d.conf").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [
        "C1D_AUTH=visitor", "C1D_LIMIT_READ=600/minute", "C1D_LIMIT_WRITE=120/minute"]
    examples = [line[1:] for line in lines if re.match(r"#[A-Z]", line)]
    assert len(examples) >= 8
    table = (ROOT / "include/config/settings.h").read_text()
    for example in examples:
        assert f'"{example.split("=")[0]}"' in table, example

