"""c1d check: what would keep the service from working is said before it is started, and nothing is changed. Tried as root
that becomes a user, and as that user; `nobody` is the service's user here."""
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import pytest

from house import DEADLINE_S, ROOT, Site, Upstream, held_port, wait_for

PROGRAM = os.environ.get("C1D_BIN", str(ROOT / "build/c1d"))
OURS = ("C1D_", "THESYS_", "MONGODB_", "DATABASE_", "FIREBASE_", "FIRESTORE_", "GOOGLE_")
OK, FAILED, USAGE, UNAVAILABLE, CONFIG = 0, 1, 2, 69, 78
NOBODY = 65534
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
KEY = "sk-th-canary-of-check"


@pytest.fixture(scope="module")
def model(scratch):
    """A C1 API with a list of models, which takes one key only."""
    server = Upstream(scratch / "model", "--key", KEY, "--models")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def documented(scratch):
    """The C1 API as its documents have it: no list of models."""
    server = Upstream(scratch / "documented", "--key", KEY)
    yield server
    server.stop()


def tree(folder):
    """Everything in it: kind and mode, owner, content, and when a file was changed last."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        is_file = path.is_file()
        about = path.lstat()
        found[str(path)] = (about.st_mode, about.st_uid, about.st_gid, path.read_bytes() if is_file else None,
                            about.st_mtime_ns if is_file else None)
    return found


class Machine:
    """A folder of nobody's with a socket's folder in it, and a program that nobody may run."""

    def __init__(self, scratch, base_url):
        self.folder = Path(tempfile.mkdtemp(prefix="check-", dir=scratch))
        self.folder.chmod(0o755)
        self.state = self.folder / "state"
        self.program = self.folder / "c1d"
        shutil.copy2(PROGRAM, self.program)
        self.settings = {"C1D_STATE_DIR": str(self.state), "C1D_SOCKET": f"{self.folder}/c1d.sock",
                         "C1D_SPOOL_RESERVE": "1m", "THESYS_BASE_URL": base_url, "THESYS_API_KEY": KEY, "C1D_AUTH": "visitor"}
        self.give_away()

    def give_away(self):
        """Everything to the service's user."""
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                os.lchown(path, NOBODY, NOBODY)

    def check(self, *args, user=None, **settings):
        """As root that becomes nobody; as the user named; else as whoever runs the tests."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        if os.geteuid() == 0 and user is None and "--user" not in args:
            args = (*args, "--user", "nobody")
        # Who has changed its user may not be looked into, so leaks cannot be looked for; as that user from the start they are.
        kept["ASAN_OPTIONS"] = f"detect_leaks={int(user is not None)}:exitcode=99"
        done = subprocess.run([self.program, "check", *args], env={**kept, **self.settings, **settings}, text=True,
                              capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL, cwd="/",
                              user=user, group=user, extra_groups=[] if user else None)
        assert "Sanitizer" not in done.stderr and KEY not in done.stdout + done.stderr, done
        return done


@pytest.fixture
def machine(scratch, model):
    return Machine(scratch, model.base_url)


@pytest.fixture(params=[pytest.param(None, id="becoming"), pytest.param(NOBODY, id="being", marks=ROOT_ONLY)])
def user(request):
    return request.param


def lines(done, verdict):
    """{what: words} of the lines with this verdict."""
    found = [line[5:].split(": ", 1) for line in done.stdout.splitlines() if line[:5].strip() == verdict]
    return {what: words for what, words in found}


def failed(done, code, what, *words):
    assert done.returncode == code, done
    assert list(lines(done, "FAIL")) == [what], done.stdout
    for word in words:
        assert word in lines(done, "FAIL")[what], done.stdout


# --- what is good ---
WHOLE = {"settings", "who", "secret", "state folder", "spool", "store", "C1 API"}


def test_r29_on_a_new_machine_all_is_good_and_nothing_is_made(machine, user):
    before = tree(machine.folder)
    done = machine.check(user=user)
    assert done.returncode == OK and not lines(done, "FAIL"), done
    assert WHOLE <= set(lines(done, "OK"))
    assert tree(machine.folder) == before and not machine.state.exists()


def test_r29_on_a_used_machine_nothing_is_changed(machine, user, upstream, scratch):
    """A store with threads in it, a spool, a socket that was left. One worker: of two that end at once each may leave SQLite's log for
    the other to take in, and whoever opens the file next writes the log's index anew."""
    house = Site(scratch, upstream, {"C1D_STATE_DIR": str(machine.state)}, nginx=False, workers=1)
    house.stop()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(machine.settings["C1D_SOCKET"])
    machine.give_away()
    before = tree(machine.folder)
    assert any(path.endswith("/c1d.db") for path in before)
    done = machine.check(user=user)
    assert done.returncode == OK and WHOLE <= set(lines(done, "OK")), done
    assert "taken back" in lines(done, "OK")["store"]
    assert "sound" in lines(done, "OK")["stored"]
    assert tree(machine.folder) == before


def test_r29_behind_a_service_that_was_killed_its_log_stays(machine, user, upstream, scratch):
    """Only the log's index is written anew, as by whoever opens that store next."""
    house = Site(scratch, upstream, {"C1D_STATE_DIR": str(machine.state)}, nginx=False)
    pids = house.worker_pids()
    house.c1d.child.send_signal(signal.SIGSTOP)  # so that nobody takes the place of who is killed
    for pid in [*pids, house.c1d.pid]:
        os.kill(pid, signal.SIGKILL)
    house.c1d.child.wait(DEADLINE_S)
    wait_for(lambda: not [pid for pid in pids if Path(f"/proc/{pid}/exe").exists()], "they are gone")
    house.c1d = None
    machine.give_away()
    before = tree(machine.folder)
    log, = [path for path in before if path.endswith("/c1d.db-wal")]
    assert before[log][3]
    done = machine.check(user=user)
    assert done.returncode == OK and "taken back" in lines(done, "OK")["store"], done
    after = tree(machine.folder)
    assert [path for path in {*before, *after} if before.get(path) != after.get(path) and not path.endswith("-shm")] == []


def test_r29_while_the_service_runs_nothing_is_changed(new_site):
    site = new_site({}, nginx=False)
    site.settings["THESYS_API_KEY"] = KEY
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    me = ["--user", "root"] if os.geteuid() == 0 else []
    before = {path: about[:3] for path, about in tree(site.folder / "state").items()}
    done = subprocess.run([site.program, "check", *me], env={**kept, **site.settings}, text=True, capture_output=True,
                          timeout=60, check=False)
    assert done.returncode == OK and "taken back" in lines(done, "OK")["store"], done
    assert {path: about[:3] for path, about in tree(site.folder / "state").items()} == before


def test_r29_on_mongodb_a_document_is_written_and_taken_back(machine, mongod):
    for _ in range(2):
        done = machine.check(C1D_STORE=mongod.uri("check"))
        assert done.returncode == OK and "taken back" in lines(done, "OK")["store"], done
    assert mongod.root not in done.stdout  # an address may hold a password


@ROOT_ONLY
def test_r29_root_becomes_the_services_user_first(machine):
    """A state folder that root made is a good one to root, and to nobody else."""
    machine.state.mkdir(mode=0o700)
    failed_as_user = machine.check()
    assert set(lines(failed_as_user, "FAIL")) >= {"state folder", "store"}, failed_as_user
    assert "nobody" in lines(failed_as_user, "OK")["user"]
    assert machine.check("--user", "root").returncode == OK
    assert list(machine.state.iterdir()) == []


@ROOT_ONLY
def test_r29_settings_that_the_service_may_not_read_are_told(machine):
    file = machine.folder / "c1d.conf"
    file.write_text(f"THESYS_API_KEY={KEY}\n")
    file.chmod(0o600)
    failed(machine.check("--config", str(file)), CONFIG, "settings", str(file), "0640")


@ROOT_ONLY
def test_r29_a_user_that_is_not_there_is_told(machine):
    done = machine.check("--user", "no-such-user")
    assert done.returncode == USAGE and "no user no-such-user" in done.stderr
    if subprocess.run(["getent", "passwd", "c1d"], capture_output=True, check=False).returncode != 0:
        done = machine.check(user=0)
        assert done.returncode == OK and "no user c1d" in lines(done, "WARN")["user"], done


@ROOT_ONLY
def test_r29_only_root_can_become_another_user(machine):
    done = machine.check("--user", "daemon", user=NOBODY)
    assert done.returncode == USAGE and "only root" in done.stderr
    assert machine.check("--user", "nobody", user=NOBODY).returncode == OK


# --- what is wrong ---
def test_r29_a_wrong_key_is_told(machine, documented):
    failed(machine.check(THESYS_API_KEY="wrong"), CONFIG, "key", "refuses THESYS_API_KEY")
    failed(machine.check(THESYS_API_KEY="wrong", THESYS_BASE_URL=documented.base_url), CONFIG, "key", "refuses")


def test_r29_a_wrong_path_is_told(machine, model):
    failed(machine.check(THESYS_BASE_URL=model.base_url.replace("embed", "embedd")), CONFIG, "C1 API", "THESYS_BASE_URL")


def test_r29_a_key_that_cannot_be_proved_is_a_warning(machine, documented):
    done = machine.check(THESYS_BASE_URL=documented.base_url)
    assert done.returncode == OK and "not proved" in lines(done, "WARN")["key"], done


def test_r29_no_model_is_asked(machine, documented):
    documented.ask("POST", "/stats/reset")
    machine.check(THESYS_BASE_URL=documented.base_url)
    assert [request["body"] for request in documented.requests()] == [None, {}]
    stats = documented.stats()
    assert (stats["requests"], stats["refused"]) == (1, 1)  # nothing that could be answered


def test_r29_an_api_that_does_not_answer_is_told(machine):
    failed(machine.check(THESYS_BASE_URL=f"http://127.0.0.1:{held_port()}/v1"), UNAVAILABLE, "C1 API", "does not answer")


def test_r29_a_ca_file_that_is_missing_or_holds_nothing_is_told(machine):
    failed(machine.check(THESYS_CA_FILE="/nonexistent/ca.pem", THESYS_BASE_URL=machine.settings["THESYS_BASE_URL"]),
           CONFIG, "CA file", "/nonexistent/ca.pem", "No such file")
    empty = machine.folder / "ca.pem"
    empty.write_text("no certificate\n")
    failed(machine.check(THESYS_CA_FILE=str(empty)), CONFIG, "CA file", "holds no certificate")


def test_r29_a_good_ca_file_is_counted_and_used(machine, scratch):
    tls = Upstream(scratch / "check-tls", "--key", KEY, "--models", "--tls-self", str(scratch / "check-ca"))
    try:
        ca = scratch / "check-ca/ca.pem"
        done = machine.check(THESYS_BASE_URL=tls.base_url, THESYS_CA_FILE=str(ca))
        assert done.returncode == OK and "1 certificate" in lines(done, "OK")["CA file"], done
        failed(machine.check(THESYS_BASE_URL=tls.base_url), UNAVAILABLE, "C1 API", "does not answer")
    finally:
        tls.stop()


def test_r29_a_group_that_is_missing_is_told(machine):
    failed(machine.check(C1D_SOCKET_GROUP="no-such-group"), CONFIG, "socket", "no group no-such-group")


@ROOT_ONLY
def test_r29_a_group_that_the_service_is_not_in_is_told(machine):
    failed(machine.check(C1D_SOCKET_GROUP="daemon"), CONFIG, "socket", "not in the group daemon")


def test_r29_a_web_server_that_may_not_connect_is_told(machine):
    """The group is the service's own: no web server is in it."""
    words = lines(machine.check(), "WARN")["socket"]
    assert "is not in it" in words or "cannot be told" in words


@ROOT_ONLY
def test_r29_a_web_server_that_may_connect_is_told(machine):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(machine.settings["C1D_SOCKET"])
    shutil.chown(machine.settings["C1D_SOCKET"], NOBODY, "www-data")
    assert "www-data is in it" in lines(machine.check(), "OK")["socket"]


def test_r29_a_socket_that_cannot_be_made_is_told(machine):
    failed(machine.check(C1D_SOCKET="/nonexistent/c1d.sock"), CONFIG, "socket", "no folder /nonexistent")
    failed(machine.check(C1D_SOCKET="/tmp/" + "x" * 200), CONFIG, "socket", "107 bytes")
    Path(machine.settings["C1D_SOCKET"]).write_text("not a socket")
    failed(machine.check(), CONFIG, "socket", "in the way")


def test_r29_a_spool_that_cannot_be_used_is_told(machine):
    failed(machine.check(C1D_SPOOL_DIR="/proc/spool"), CONFIG, "spool", "C1D_SPOOL_DIR")
    file = machine.folder / "file"
    file.write_text("")
    failed(machine.check(C1D_SPOOL_DIR=str(file)), CONFIG, "spool", "no folder")


@ROOT_ONLY
def test_r29_a_spool_of_somebody_else_is_told(machine):
    spool = machine.folder / "spool"
    spool.mkdir(mode=0o755)
    failed(machine.check(C1D_SPOOL_DIR=str(spool)), CONFIG, "spool", "cannot be written: Permission denied")


def test_r29_a_full_disk_is_told(machine):
    machine.state.mkdir()
    (machine.state / "spool").mkdir()
    machine.give_away()
    failed(machine.check(C1D_SPOOL_RESERVE="1000000g"), FAILED, "spool", "C1D_SPOOL_RESERVE", "503")


def test_r29_a_spool_in_memory_is_a_warning(machine):
    if not os.path.ismount("/dev/shm"):
        pytest.skip("/dev/shm is no file system of its own here")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as spool:
        os.chmod(spool, 0o777)
        done = machine.check(C1D_SPOOL_DIR=spool)
    assert done.returncode == OK and "tmpfs" in lines(done, "WARN")["spool"], done


@pytest.mark.parametrize("content, word", [("no database at all, whatever it is called\n" * 9, "not a database"), ("", "")])
def test_r29_a_store_file_that_is_none_is_told(machine, content, word):
    file = machine.folder / "own.db"
    file.write_text(content)
    machine.give_away()
    before = tree(machine.folder)
    done = machine.check(C1D_STORE=f"sqlite:{file}")
    assert tree(machine.folder) == before
    if word:
        failed(done, CONFIG, "store", word)
    else:
        assert done.returncode == OK, done


def test_r29_a_store_file_that_is_damaged_is_told(machine):
    """Where it can be written still, and nobody has read the damage yet."""
    file = machine.folder / "own.db"
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE some (text)")
        db.executemany("INSERT INTO some VALUES (?)", [("x" * 3000,) for _ in range(100)])
    db.close()
    with file.open("r+b") as damaged:
        damaged.seek(20 * 4096)
        damaged.write(b"\1\2\3" * 8192)
    machine.give_away()
    before = tree(machine.folder)
    done = machine.check(C1D_STORE=f"sqlite:{file}")
    assert tree(machine.folder) == before
    failed(done, FAILED, "stored", "SQLite", "last backup")


def test_r29_a_store_that_is_away_is_told(machine):
    away = machine.check(MONGODB_URI=f"mongodb://u:s3cret@127.0.0.1:{held_port()}/c1d")
    failed(away, UNAVAILABLE, "store", "MongoDB", "No suitable servers found")
    assert "s3cret" not in away.stdout + away.stderr
    failed(machine.check(C1D_STORE="sqlite:/proc/none/c1d.db"), UNAVAILABLE, "store", "/proc/none")


# --- who is let in ---
def test_who_is_let_in_is_told(machine, user):
    assert lines(machine.check(user=user), "OK")["who"] == "C1D_AUTH=visitor"
    for args in ((), ("-t",)):
        done = machine.check(*args, C1D_AUTH="none")
        assert done.returncode == OK and "C1D_AUTH=visitor" in lines(done, "WARN")["who"], done


def test_f19_a_secret_that_would_refuse_the_start_is_told(machine, user):
    assert "will be made" in lines(machine.check(user=user), "OK")["secret"]
    machine.state.mkdir(mode=0o700)
    secret = machine.state / "secret"
    secret.write_text(f"{'a' * 64} 1790000000\n")
    secret.chmod(0o600)
    machine.give_away()
    done = machine.check(user=user)
    assert "has 1, the newest of 2026-09-21T" in lines(done, "OK")["secret"], done
    secret.chmod(0o640)
    failed(machine.check(user=user), CONFIG, "secret", "mode 0640", "chmod 0600")
    secret.write_text("x\n")
    secret.chmod(0o600)
    failed(machine.check(user=user), CONFIG, "secret", "damaged in line 1")
    done = machine.check(user=user, C1D_VISITOR_SECRET="one secret of thirty-two letters!".replace(" ", "-"))
    assert done.returncode == OK and lines(done, "OK")["secret"] == "C1D_VISITOR_SECRET has 1", done


# --- no key ---
def test_t14_no_key_is_a_warning(machine, user):
    done = machine.check(user=user, THESYS_API_KEY="")
    assert done.returncode == OK and "502" in lines(done, "WARN")["key"], done
    assert "C1 API" in lines(done, "OK")


def test_t14_no_key_is_a_warning_of_the_settings_alone_too(machine):
    done = machine.check("-t", THESYS_API_KEY="")
    assert done.returncode == OK and "THESYS_API_KEY" in lines(done, "WARN")["key"], done
    assert not lines(machine.check("-t"), "WARN")


def test_t15_at_a_reload_no_credential_is_missed(machine):
    """systemd shows none of them to ExecReload=, so that it would be said in the journal at each reload of a sound service."""
    for settings in ({}, {"C1D_AUTH": "jwt"}):
        done = machine.check("-t", THESYS_API_KEY="", MAINPID="1", **settings)
        assert done.returncode == OK and not lines(done, "WARN"), done
        assert "what systemd handed over" in lines(done, "OK")["key"], done
    assert lines(machine.check("-t", C1D_AUTH="jwt"), "WARN")["sign-in"]


def test_t15_credentials_are_tried_by_hand(machine):
    """What is said to do about a missing key does it."""
    assert "CREDENTIALS_DIRECTORY=/etc/credstore c1d check" in lines(machine.check("-t", THESYS_API_KEY=""), "WARN")["key"]
    credentials = machine.folder / "credstore"
    credentials.mkdir()
    (credentials / "thesys-api-key").write_text(KEY + "\n")
    done = machine.check(THESYS_API_KEY="", CREDENTIALS_DIRECTORY=str(credentials))
    assert "takes the key" in lines(done, "OK")["C1 API"], done


# --- the settings alone ---
def test_r29_the_settings_alone_open_nothing_and_call_nobody(machine, model):
    model.ask("POST", "/stats/reset")
    done = machine.check("-t", THESYS_CA_FILE="/nonexistent/ca.pem", C1D_SPOOL_DIR="/nonexistent/spool",
                         C1D_SOCKET_GROUP="no-such-group")
    assert done.returncode == OK and list(lines(done, "OK")) == ["settings", "who"], done
    assert model.requests() == [] and not machine.state.exists()
