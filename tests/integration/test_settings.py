"""Settings and sub-commands, as an operator meets them: what is wrong is said, with what to do, and with exit code 78."""
import os
import re
import signal
import subprocess

import pytest

from house import ROOT, wait_for

PROGRAM = os.environ.get("C1D_BIN", str(ROOT / "build/c1d"))
OURS = ("C1D_", "THESYS_", "MONGODB_", "DATABASE_", "FIREBASE_", "FIRESTORE_", "GOOGLE_", "REDIS_")
OK, USAGE, CONFIG = 0, 2, 78


@pytest.fixture
def c1d(tmp_path):
    """Runs the program with settings in the environment and, when told, in a file."""
    def run(*args, file=None, **settings):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        if file is not None:
            (tmp_path / "c1d.conf").write_text(file)
            args = (*args, "--config", str(tmp_path / "c1d.conf"))
        return subprocess.run([PROGRAM, *args], env={**kept, "C1D_STATE_DIR": str(tmp_path), **settings}, text=True,
                              capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL)

    return run


def refused(done, *words):
    assert done.returncode == CONFIG, done
    assert done.stdout == "" and "Sanitizer" not in done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    return done.stderr


# --- what there is ---
def listed(c1d):
    """{name: (default, help)} of `c1d help settings`."""
    done = c1d("help", "settings")
    assert (done.returncode, done.stderr) == (OK, "")
    lines = done.stdout.splitlines()
    assert len(lines) % 2 == 0 and all(line.startswith("    ") for line in lines[1::2])
    return {line.partition("=")[0]: (line.partition("=")[2], more.strip()) for line, more in zip(lines[::2], lines[1::2])}


def test_help_lists_every_setting_with_its_default(c1d):
    settings = listed(c1d)
    table = (ROOT / "include/config/settings.h").read_text()
    assert list(settings) == re.findall(r'X\(\w+, "([A-Z_0-9]+)"', table)
    assert settings["THESYS_BASE_URL"][0] == "https://api.thesys.dev/v1/embed"
    assert settings["THESYS_MODEL"][0] == "c1/anthropic/claude-sonnet-4/v-20251230"
    assert {"THESYS_API_KEY", "MONGODB_URI"} <= set(settings)
    assert all(name.startswith("C1D_") for name in settings if not name.startswith(OURS))
    assert all(help_text for _, help_text in settings.values())


def test_every_default_is_a_value_that_is_taken(c1d):
    file = "".join(f"{name}={default}\n" for name, (default, _) in listed(c1d).items() if default)
    assert c1d("check", "-t", file=file).returncode == OK


def test_the_markdown_says_the_same(c1d):
    rows = c1d("help", "settings", "--markdown").stdout.splitlines()
    assert rows[:2] == ["| setting | default | what it is |", "|---|---|---|"]
    cells = [[cell.strip().strip("`") for cell in row.strip("|").split(" | ")] for row in rows[2:]]
    assert {name: (default, more) for name, default, more in cells} == listed(c1d)


def test_the_documents_table_is_the_programs(c1d):
    page = ROOT / "docs/reference/settings.md"
    if page.exists():
        assert c1d("help", "settings", "--markdown").stdout in page.read_text()


# --- where they come from ---
def test_good_settings_are_good(c1d):
    done = c1d("check", "-t", file="# a comment\n; another\n\n C1D_WORKERS = 2 \nC1D_SYSTEM_PROMPT=\"a # \\\"b\\\"\"\n"
                                   "C1D_MODELS='x y'\nC1D_SPOOL_MAX=2G\nC1D_CREATE_THREADS=off\n")
    assert (done.returncode, done.stderr) == (OK, ""), done


def test_the_environment_wins_over_the_file(c1d):
    file = "C1D_WORKERS=65\nC1D_LOG_LEVEL=loud\n"
    refused(c1d("check", "-t", file=file), "C1D_WORKERS=65", "C1D_LOG_LEVEL=loud")
    refused(c1d("check", "-t", file="C1D_LOG_LEVEL=info\n", C1D_LOG_LEVEL="loud"), "C1D_LOG_LEVEL=loud")
    assert c1d("check", "-t", file="C1D_LOG_LEVEL=loud\n", C1D_LOG_LEVEL="info").returncode == OK


def test_the_file_may_be_named_in_the_environment(c1d, tmp_path):
    (tmp_path / "other.conf").write_text("C1D_WROKERS=1\n")
    refused(c1d("check", "-t", C1D_CONFIG=str(tmp_path / "other.conf")), "C1D_WROKERS", "other.conf:1")


def test_secrets_may_come_as_credentials(c1d, tmp_path):
    (tmp_path / "mongodb-uri").write_text("mongodb://u:s3cret@host:x/\n")
    report = refused(c1d("check", "-t", CREDENTIALS_DIRECTORY=str(tmp_path)))
    assert "s3cret" not in report


# --- what is wrong ---
@pytest.mark.parametrize("words, said", [("visitors", "did you mean visitor?"), ("non", "did you mean none?"), ("kerberos", "one of: none"),
                                         ("none,visitor", "none beside others"), ("visitor none", "none beside others"),
                                         ("visitor,jwt", "put visitor last"), ("header visitor jwt", "put visitor last"),
                                         (" , ", "C1D_AUTH is empty"), ("", "C1D_AUTH is empty")])
def test_who_is_let_in_is_a_word_that_we_know(c1d, words, said):
    refused(c1d("check", "-t", C1D_AUTH=words), "C1D_AUTH", said)
    refused(c1d("serve", C1D_AUTH=words), "C1D_AUTH", said)


def test_a_word_may_come_twice(c1d):
    assert c1d("check", "-t", C1D_AUTH=" visitor,visitor ").returncode == OK


def test_f19_a_secret_that_can_be_guessed_is_refused(c1d):
    short, good = "s3cret-of-31-bytes-is-too-short", "a-secret-of-just-thirty-two-byte"
    assert (len(short), len(good)) == (31, 32)
    for value in (short, f"{good} {short}", "x"):
        report = refused(c1d("serve", C1D_VISITOR_SECRET=value), "C1D_VISITOR_SECRET", "31 bytes" if "31" in value else "1 byte", "32")
        assert short not in report and good not in report
    refused(c1d("check", "-t", C1D_VISITOR_SECRET=" ".join(f"{good}{i}" for i in range(9))), "more than 8")
    assert c1d("check", "-t", C1D_VISITOR_SECRET=f"{good} {good}2").returncode == OK


@pytest.mark.parametrize("name, nearest", [("C1D_WROKERS", "C1D_WORKERS"), ("C1D_WORKER", "C1D_WORKERS"),
                                           ("c1d_workers", "C1D_WORKERS"), ("C1D_LOGLEVEL", "C1D_LOG_LEVEL"),
                                           ("THESYS_API_KEYS", "THESYS_API_KEY"), ("MONGO_URI", "MONGODB_URI")])
def test_an_unknown_key_is_told_with_the_nearest_name(c1d, name, nearest):
    refused(c1d("check", "-t", file=f"# first line\n{name}=1\n"), name, f"did you mean {nearest}?", "c1d.conf:2")
    if name.startswith("C1D_"):
        refused(c1d("check", "-t", **{name: "1"}), name, f"did you mean {nearest}?", "environment")


def test_a_key_that_is_like_no_other_is_told_too(c1d):
    refused(c1d("check", "-t", C1D_SOMETHING_ELSE_ENTIRELY="1"), "C1D_SOMETHING_ELSE_ENTIRELY", "c1d help settings")
    refused(c1d("check", "-t", file="X" * 5000 + "=1\n"), "c1d help settings")


@pytest.mark.parametrize("setting", [
    "C1D_WORKERS=65", "C1D_WORKERS=-1", "C1D_WORKERS=two", "C1D_WORKERS=1k", "C1D_THREADS=0", "C1D_WORKERS=1.5",
    "C1D_ANSWER_MAX=9m", "C1D_ANSWER_MAX=1x", "C1D_SPOOL_MAX=99999999999999999g", "C1D_IDLE_MS=0", "C1D_IDLE_MS=",
    "C1D_CREATE_THREADS=perhaps", "C1D_LOG_LEVEL=loud", "C1D_LOG_LEVEL=inf", "C1D_LOG_FORMAT=xml", "THESYS_MODEL=",
    "THESYS_BASE_URL=api.thesys.dev", "THESYS_BASE_URL=https://key@api.thesys.dev/v1", "THESYS_BASE_URL=https://a/?k=v",
    "C1D_SOCKET=", "C1D_SYSTEM_PROMPT='open", "no equals sign", "C1D_MODELS=a\x01b"])
def test_a_wrong_value_is_told_with_what_to_do(c1d, setting):
    report = refused(c1d("check", "-t", file=setting + "\n"))
    assert "fix: " in report and (setting.split("=")[0] in report or "=" not in setting)


def test_all_problems_are_told_at_once(c1d):
    report = refused(c1d("check", "-t", file="C1D_WORKERS=x\nNOPE=1\nC1D_IDLE_MS=0\n", C1D_THREADS="0"))
    assert report.count("fix: ") == 4


def test_a_file_that_is_not_there_is_told(c1d):
    refused(c1d("check", "-t", "--config", "/nonexistent/c1d.conf"), "/nonexistent/c1d.conf", "No such file")


def test_serve_does_not_start_with_a_wrong_setting(c1d):
    refused(c1d("serve", C1D_WROKERS="1"), "did you mean C1D_WORKERS?")


# --- the store ---
GOOD_MONGO, GOOD_SQLITE, ELSEWHERE = "mongodb://localhost/c1d", "sqlite:/tmp/x.db", "couchdb://localhost/c1d"
GOOD_POSTGRES = "postgres://localhost/c1d?schema=public&connection_limit=5"


@pytest.mark.parametrize("settings, code", [
    ({}, OK),
    ({"C1D_STORE": GOOD_MONGO}, OK), ({"C1D_STORE": GOOD_SQLITE}, OK), ({"MONGODB_URI": GOOD_MONGO}, OK),
    ({"C1D_STORE": GOOD_POSTGRES}, OK), ({"DATABASE_URL": GOOD_POSTGRES}, OK),
    ({"MONGODB_URI": ELSEWHERE}, CONFIG), ({"C1D_STORE": ELSEWHERE}, CONFIG),
    ({"C1D_STORE": GOOD_SQLITE, "MONGODB_URI": "bad"}, OK),
    ({"C1D_STORE": ELSEWHERE, "MONGODB_URI": GOOD_MONGO}, CONFIG),
    ({"C1D_STORE": "", "MONGODB_URI": GOOD_MONGO}, OK)])
def test_the_store_is_chosen_in_the_documented_order(c1d, settings, code):
    done = c1d("check", "-t", **settings)
    assert done.returncode == code, done
    if code != OK:
        assert "not built in" in done.stderr, done.stderr


PROJECT, EMULATOR = {"FIREBASE_PROJECT_ID": "my-project"}, {"FIRESTORE_EMULATOR_HOST": "127.0.0.1:8080"}
EMAIL, KEY = {"FIREBASE_CLIENT_EMAIL": "c1d@my-project.iam.gserviceaccount.com"}, {"FIREBASE_PRIVATE_KEY": "hunter2canary"}


@pytest.mark.parametrize("settings, words", [
    ({"MONGODB_URI": GOOD_MONGO, "DATABASE_URL": GOOD_POSTGRES}, ["MONGODB_URI and DATABASE_URL name a store each", "C1D_STORE"]),
    ({"DATABASE_URL": GOOD_POSTGRES, **PROJECT, **EMULATOR}, ["DATABASE_URL and FIREBASE_PROJECT_ID name a store each"]),
    (PROJECT, ["no key", "GOOGLE_APPLICATION_CREDENTIALS"]),
    ({**PROJECT, **EMAIL}, ["FIREBASE_CLIENT_EMAIL is set and FIREBASE_PRIVATE_KEY is not"]),
    (KEY, ["FIREBASE_PRIVATE_KEY is set and FIREBASE_CLIENT_EMAIL is not"]),
    ({**EMAIL, **KEY}, ["FIREBASE_PRIVATE_KEY is set and FIREBASE_PROJECT_ID is not"]),
    (EMULATOR, ["FIRESTORE_EMULATOR_HOST is set and FIREBASE_PROJECT_ID is not"])])
def test_f19_which_store_is_meant_is_asked_for_where_two_or_half_of_one_are_named(c1d, settings, words):
    report = refused(c1d("check", "-t", **settings), "fix: ", *words)
    assert "hunter2canary" not in report and report.count("fix: ") == 1


def test_f19_c1d_store_wins_over_all_that_name_one_and_over_half_of_one(c1d):
    for others in ({"MONGODB_URI": GOOD_MONGO, "DATABASE_URL": GOOD_POSTGRES}, {**PROJECT, **EMAIL}, EMULATOR):
        assert c1d("check", "-t", C1D_STORE=GOOD_SQLITE, **others).returncode == OK


def test_t7_every_setting_is_read_by_something(c1d):
    """A field of struct config that no room reads is a promise that nobody keeps."""
    fields = dict(re.findall(r'X\((\w+), "([A-Z_0-9]+)"', (ROOT / "include/config/settings.h").read_text()))
    code = "".join(path.read_text() for path in (ROOT / "src").rglob("*.c") if path.parent.name != "config")
    code += "".join((ROOT / "src/config" / name).read_text() for name in ("config.c", "config_auth.c", "config_limits.c", "config_store.c"))
    assert len(fields) == len(listed(c1d))
    assert [name for field, name in fields.items() if not re.search(rf"(->|\.){field}\b", code)] == []


def test_t7_what_a_host_has_for_others_is_none_of_ours(c1d):
    done = c1d("check", "-t", REDIS_URL="redis://localhost", POSTGRES_URL=GOOD_POSTGRES, GOOGLE_APPLICATION_CREDENTIALS="/of/another")
    assert done.returncode == OK, done
    refused(c1d("check", "-t", file="POSTGRES_URL=x\n"), "there is no setting POSTGRES_URL")


@pytest.mark.parametrize("uri", ["mongodb://user:p@ss@host/db", "mongodb://user:pa:ss@host/db",
                                 "mongodb://user:pass@host/?nonsense=1"])
def test_a_store_address_that_is_wrong_is_told_without_its_password(c1d, uri):
    report = refused(c1d("check", "-t", MONGODB_URI=uri), "store's address")
    assert "pass" not in report.replace("password", "") and "p@ss" not in report and "pa:ss" not in report


# --- the other commands (check: test_check.py) ---
@pytest.mark.parametrize("command", ["version", "--version"])
def test_version_names_each_library_as_built_and_as_running(c1d, command):
    done = c1d(command)
    assert done.returncode == OK
    first, *rest = done.stdout.splitlines()
    assert re.fullmatch(r"c1d \d+\.\d+\.\d+\S*", first)
    assert {line.split()[0] for line in rest} >= {"libcurl", "cJSON", "libmongoc", "SQLite", "libpq", "hiredis", "OpenSSL"}
    assert all(re.fullmatch(r"  \S+ +built with \S+ +running with \S.*", line) for line in rest)


@pytest.mark.parametrize("args", [[], ["help"], ["--help"], ["-h"]])
def test_help_lists_every_command(c1d, args):
    done = c1d(*args)
    assert done.returncode == OK
    assert all(re.search(rf"^  {name} ", done.stdout, re.M) for name in ("serve", "check", "version", "help"))


@pytest.mark.parametrize("command", ["sevre", "", "SERVE", "-t"])
def test_an_unknown_command_is_an_error_of_usage(c1d, command):
    done = c1d(command)
    assert (done.returncode, done.stdout) == (USAGE, "") and "c1d help" in done.stderr


# --- credentials ---
def test_t15_a_reload_says_of_when_its_credentials_are(new_site, tmp_path):
    """systemd copies them at the start only; who has changed one and reloads has to learn that it was not taken."""
    (tmp_path / "thesys-api-key").write_text("sk-th-of-a-credential\n")
    os.utime(tmp_path / "thesys-api-key", (1795000000, 1795000000))
    site = new_site({"CREDENTIALS_DIRECTORY": str(tmp_path), "THESYS_API_KEY": ""}, workers=1)
    assert not [line for line in site.log_lines() if "handed_over" in line]
    site.c1d.child.send_signal(signal.SIGHUP)
    said = wait_for(lambda: [line for line in site.log_lines() if "handed_over" in line], "it says so")
    assert said[0]["handed_over"] == "2026-11-18T11:06:40.000Z" and "restart" in said[0]["event"]
    wait_for(lambda: len(site.log_lines("worker ready")) == 2, "the new worker is ready")
