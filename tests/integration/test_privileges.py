"""What the program may do, and who may look at it: root that goes away, workers without rights, keys and passwords that
lie in no place where others find them."""
import os
import pwd
import re
import signal
import subprocess
import uuid
from pathlib import Path

import pytest

from house import ROOT, Upstream, wait_for

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else, or look into a closed process")
SETTINGS_ARE_WRONG = 78
NOBODY = pwd.getpwnam("nobody")


def canary():
    return "sk-th-canary-" + uuid.uuid4().hex


def quick():
    return "fault:pace=0 " + uuid.uuid4().hex


def status(pid):
    """/proc/PID/status as a dict."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, value in (line.split(":", 1) for line in lines)}


def threads_of(pid):
    """The same of each thread, as text."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            yield (task / "status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            pass  # ended in between


def family(site):
    return [site.c1d.pid, *site.worker_pids()]


def reload(site):
    """The next generation takes requests, and the one before is gone."""
    before = set(site.worker_pids())
    os.kill(site.c1d.pid, signal.SIGHUP)
    wait_for(lambda: len(set(site.worker_pids()) - before) == len(before) and not before & set(site.worker_pids()),
             f"new workers alone\n{site.c1d.text()[-2000:]}")


def refused(site, *words):
    """The start ends at once, and says why."""
    done = subprocess.run([site.program, "serve"], env=site.environment(), stderr=subprocess.PIPE, timeout=60, check=False)
    said = done.stderr.decode()
    assert done.returncode == SETTINGS_ARE_WRONG, said
    for word in words:
        assert word in said
    return said


# --- workers ---

def test_f18_workers_have_no_rights_and_can_get_none(new_site):
    site = new_site(workers=2, nginx=False)
    for pid in site.worker_pids():
        found = status(pid)
        assert {found[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
        assert found["CapBnd"] == "0" * 16 or os.geteuid() != 0
        assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")
        threads = list(threads_of(pid))
        assert threads and all(re.search(r"^Seccomp:\s2$", text, re.M) for text in threads), "the fence is around every thread"


def test_f18_the_sandbox_can_be_switched_off_and_says_so(new_site):
    site = new_site({"C1D_SANDBOX": "no"}, workers=1)
    assert status(site.worker_pids()[0])["Seccomp"] == "0"
    assert site.log_lines("C1D_SANDBOX=no: nothing holds a worker that was taken over")
    assert any("C1D_SANDBOX=no" in line for line in site.get("/readyz").json()["warnings"])
    assert 'c1d_sandbox{layer="calls"} 0' in site.metrics()
    assert site.chat(quick()).status == 200


def test_f18_a_whole_sandbox_is_in_the_figures_and_no_warning(new_site):
    site = new_site(workers=1)
    figures = site.metrics()
    for layer in ("rights", "calls", "files"):
        assert f'c1d_sandbox{{layer="{layer}"}} 1' in figures
    assert not any("sandbox" in line for line in site.get("/readyz").json().get("warnings", []))


def test_f18_a_layer_that_is_missing_is_told(new_site):
    """As on a kernel without it: the start goes on."""
    site = new_site(workers=1, start=False)
    (site.folder / "state" / "crash").mkdir(parents=True)
    (site.folder / "state" / "crash" / "without-files").touch()
    site.start()
    assert "files" in site.log_lines("sandbox is not whole: the kernel or the container does not offer all of it")[0]["missing"]
    assert any("files" in line for line in site.get("/readyz").json()["warnings"])
    assert 'c1d_sandbox{layer="files"} 0' in site.metrics()
    assert site.chat(quick()).status == 200


def test_f19_nothing_that_tests_use_is_in_a_build_for_users(tmp_path):
    """Crash points and probes are compiled in by tests alone."""
    for source in ("src/base/crashpoint.c", "src/server/sandbox_probes.c"):
        made = tmp_path / (Path(source).stem + ".o")
        subprocess.run(["gcc", "-Iinclude", "-D_GNU_SOURCE", "-c", source, "-o", made], cwd=ROOT, check=True)
        names = subprocess.run(["nm", made], stdout=subprocess.PIPE, check=True).stdout
        assert names == b"", source
    assert "CRASHPOINTS" not in re.search(r"^CPPFLAGS.*$", (ROOT / "Makefile").read_text(), re.M)[0]


# --- keys and passwords ---

@AS_ROOT
def test_f11_what_the_environment_said_is_not_in_proc(new_site):
    key, password = canary(), "pw" + uuid.uuid4().hex
    site = new_site({"THESYS_API_KEY": key, "MONGODB_URI": f"mongodb://ada:{password}@127.0.0.1:1/c1d"}, workers=2,
                    nginx=False, start=False)
    site.settings["C1D_STORE"] = f"sqlite:{site.folder}/c1d.db"
    site.start()
    for _ in range(2):
        for pid in family(site):
            for name in ("environ", "cmdline"):
                found = Path(f"/proc/{pid}/{name}").read_bytes()
                assert key.encode() not in found and password.encode() not in found, name
            assert re.search(r"Max core file size +0 +0 ", Path(f"/proc/{pid}/limits").read_text())
        reload(site)
    assert key not in site.log_path.read_text() and password not in site.log_path.read_text()


@pytest.fixture
def picky(scratch):
    """A C1 API that takes one key only, and that key."""
    key = canary()
    upstream = Upstream(scratch / f"upstream-{uuid.uuid4().hex}", "--key", key)
    yield upstream, key
    upstream.stop()


def test_f11_a_key_of_the_environment_outlives_reloads(new_site, picky):
    upstream, key = picky
    site = new_site({"THESYS_API_KEY": key}, workers=1, upstream=upstream)
    for _ in range(3):
        assert site.chat(quick()).status == 200
        reload(site)
    assert site.chat(quick()).status == 200


def test_f11_a_credential_wins_over_a_file_and_this_over_the_environment_and_a_reload_takes_a_changed_one(new_site, picky,
                                                                                                    scratch):
    upstream, key = picky
    file = scratch / f"key-{uuid.uuid4().hex}"
    credential = scratch / f"credentials-{uuid.uuid4().hex}" / "thesys-api-key"
    credential.parent.mkdir()
    file.write_text(canary())
    file.chmod(0o600)
    site = new_site({"THESYS_API_KEY": key, "THESYS_API_KEY_FILE": str(file), "CREDENTIALS_DIRECTORY": str(credential.parent)},
                    workers=1, upstream=upstream)
    assert site.chat(quick()).status == 502
    file.write_text(key + "\n")
    reload(site)
    assert site.chat(quick()).status == 200
    credential.write_text(canary())
    reload(site)
    assert site.chat(quick()).status == 502
    credential.write_text(key)
    reload(site)
    assert site.chat(quick()).status == 200


def test_f11_a_file_of_a_key_that_cannot_be_read_is_told(new_site, tmp_path):
    site = new_site({"THESYS_API_KEY_FILE": str(tmp_path / "none")}, nginx=False, start=False)
    refused(site, "THESYS_API_KEY_FILE", "none", "No such file")
    site.settings["THESYS_API_KEY_FILE"] = str(tmp_path)
    refused(site, "THESYS_API_KEY_FILE", "cannot be read")
    (tmp_path / "empty").touch()
    site.settings["THESYS_API_KEY_FILE"] = str(tmp_path / "empty")
    refused(site, "THESYS_API_KEY_FILE", "empty")


def test_f11_a_file_of_a_key_that_everybody_may_read_is_told(new_site, tmp_path):
    file = tmp_path / "key"
    file.write_text(canary())
    file.chmod(0o644)
    site = new_site({"THESYS_API_KEY_FILE": str(file)}, workers=1, nginx=False)
    assert site.log_lines("everybody on this machine may read a secret: chmod o-rwx")[0]["path"] == str(file)
    done = subprocess.run([site.program, "check"], env=site.environment(), stdout=subprocess.PIPE, check=False)
    assert re.search(rf"WARN +secrets: .*{re.escape(str(file))}", done.stdout.decode())


# --- root that goes away ---

@AS_ROOT
def test_f18_root_becomes_the_user_that_is_named_for_good(new_site):
    site = new_site({"C1D_USER": "nobody"}, workers=2, start=False)
    os.chown(site.folder, NOBODY.pw_uid, NOBODY.pw_gid)
    site.start()
    for _ in range(2):
        for pid in family(site):
            found = status(pid)
            assert set(found["Uid"].split()) == {str(NOBODY.pw_uid)} and set(found["Gid"].split()) == {str(NOBODY.pw_gid)}
            assert {int(group) for group in found["Groups"].split()} <= set(os.getgrouplist("nobody", NOBODY.pw_gid))
            assert found["CapEff"] == found["CapPrm"] == "0" * 16 and found["NoNewPrivs"] == "1"
        answer = site.chat(quick())
        assert answer.status == 200
        reload(site)
    made = [site.folder / "state", *(site.folder / "state").rglob("*")]
    assert {path.lstat().st_uid for path in made} == {NOBODY.pw_uid}, "nothing was made before root was gone"


@AS_ROOT
def test_f18_root_that_stays_is_told(new_site):
    site = new_site(workers=1, nginx=False)
    assert any(line["event"].startswith("started as root") for line in site.log_lines())


@AS_ROOT
def test_f18_a_folder_that_the_user_may_not_write_is_told(new_site):
    site = new_site({"C1D_USER": "nobody"}, nginx=False, start=False)
    (site.folder / "state").mkdir(mode=0o750)
    refused(site, "C1D_USER", "C1D_STATE_DIR", "belongs to root", "chown")


@AS_ROOT
@pytest.mark.parametrize("user, because", [("nobody-at-all", "no user"), ("root", "is root")])
def test_f18_a_user_that_is_none_is_refused(new_site, user, because):
    refused(new_site({"C1D_USER": user}, nginx=False, start=False), "C1D_USER", because)


@AS_ROOT
def test_f18_a_reload_cannot_make_another_user(new_site):
    """Nobody is left who could."""
    site = new_site(workers=1, start=False)
    os.chown(site.folder, NOBODY.pw_uid, NOBODY.pw_gid)
    settings = site.folder / "c1d.conf"
    settings.write_text("C1D_USER=nobody\n")
    site.settings["C1D_CONFIG"] = str(settings)
    site.start()
    before = site.worker_pids()
    settings.write_text("C1D_USER=daemon\n")
    os.kill(site.c1d.pid, signal.SIGHUP)
    wait_for(lambda: site.log_lines("reload failed: what ran before it stays"), "the reload was refused")
    assert "only root" in site.log_lines("reload failed: what ran before it stays")[0]["reason"]
    assert site.worker_pids() == before
