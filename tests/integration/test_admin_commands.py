"""What an administrator types: threads looked at, shown, deleted; users erased with a receipt; exports and imports."""
import fcntl
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import termios
import uuid

import pytest

import admin
from admin import AGAIN, CONFIG, FAILED, OK, UNAVAILABLE, USAGE, Desk, as_values, by_name, lines_of
from callers import run, unique
from house import DEADLINE_S, ROOT, wait_for
from processes import stand_in_sudo


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.fixture
def place(server_of, any_store_kind):
    """A fresh place in each store in turn, and the settings it needs."""
    server = server_of(any_store_kind)
    settings = server.settings("admin-" + uuid.uuid4().hex[:12])
    return settings.pop("C1D_STORE"), settings


@pytest.fixture
def full(desk, tmp_path):
    """A SQLite store with the odd threads."""
    uri = f"sqlite:{tmp_path}/full.db"
    desk.run("import", "-", store=uri, give=lines_of(admin.odd_records()), code=FAILED)  # without a last line
    return uri


# --- export, import ---
def test_i6_what_is_imported_is_exported_again(tmp_path, place):
    """Every field of threads and messages, on every store, through any text."""
    uri, settings = place
    desk, records = Desk(tmp_path, **settings), admin.odd_records()
    _, err = desk.run("import", "-", store=uri, give=lines_of(records), code=FAILED)
    assert "last line is missing" in err and f"{len(records) // 4} threads" in err
    threads, end = desk.export(uri)
    assert as_values(threads) == as_values(by_name(records))
    assert (end["threads"], end["messages"]) == (len(records) // 4, 3 * len(records) // 4)
    file = tmp_path / "all.ndjson"
    desk.run("export", file, store=uri)
    for _ in range(2):  # again: nothing changes
        out, _ = desk.run("import", file, "--json", store=uri)
        assert json.loads(out)["checksum"] == end["checksum"] and json.loads(out)["whole"] is True
    assert desk.export(uri) == (threads, end)
    other = f"sqlite:{tmp_path}/other.db"
    desk.run("import", file, store=other)
    assert desk.export(other)[1] == end


def test_i6_one_users_threads_alone(desk, full):
    records = admin.many_records(20, 2)
    desk.run("import", "-", store=full, give=lines_of(records), code=FAILED)
    threads, end = desk.export(full, "--user", "user-3")
    assert set(threads) == {r["id"] for r in records if r["type"] == "thread" and r["user_id"] == "user-3"} and end["threads"] == 3
    whole, _ = desk.run("export", "-", store=full)
    store = f"sqlite:{desk.folder}/one.db"
    out, _ = desk.run("import", "-", "--user", "user-3", "--json", store=store, give=whole.encode())
    said = json.loads(out)
    assert (said["threads"], said["messages"], said["refused"], said["whole"]) == (3, 6, 0, True)
    assert said["threads_of_others"] > 20 and desk.export(store)[0] == threads


def changed(record, **fields):
    return {**record, **fields}


T, M = admin.thread("t1"), admin.message("t1", "m1", 1)
WRONG = {
    "no JSON": ("{", "Not valid JSON"),
    "not an object": ("[]", "type has to be"),
    "bad UTF-8": (b'{"type":"thread","id":"\xff"}', "UTF-8"),
    "a key twice": ('{"type":"thread","type":"thread"}', "twice"),
    "a NUL": ('{"type":"thread","id":"a\\u0000"}', "u0000"),
    "no type": ({"id": "t1"}, "type has to be"),
    "no field": ({key: value for key, value in M.items() if key != "seq"}, "seq is missing"),
    "an id": (changed(T, id="a/b"), "id has to be an id"),
    "a role": (changed(M, role="owner"), "role has to be user"),
    "a status": (changed(M, status="streaming"), "status has to be"),
    "a number": (changed(M, seq=-1), "seq has to be a whole number"),
    "half a number": (changed(M, seq=1.5), "seq has to be a whole number"),
    "a text": (changed(M, content=None), "content has to be a string"),
    "a flag": (changed(T, archived="no"), "archived has to be true or false"),
    "metadata": (changed(T, metadata=7), "metadata has to be"),
    "another thread's": (changed(M, thread_id="t9"), "not in the lines before"),
    "a second header": ({"type": "c1d-export", "version": 1, "made_ms": 1, "by": "x", "user": None}, "second header"),
    "empty": ("", "Not valid JSON"),
}


def test_i6_a_wrong_line_is_told_and_the_others_are_taken(desk):
    store, good = f"sqlite:{desk.folder}/wrong.db", lines_of([T, M])
    told = []
    for number, (line, why) in enumerate(WRONG.values()):
        text = line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
        good += text + b"\n"
        told.append((number + 4, why))
    good += json.dumps(admin.message("t1", "m2", 2)).encode() + b"\n"
    out, err = desk.run("import", "-", "--json", store=store, give=good, code=FAILED)
    for number, why in told:
        assert re.search(rf"^-:{number}: .*{re.escape(why)}", err, re.M), (number, why, err)
    said = json.loads(out)
    assert (said["threads"], said["messages"], said["refused"], said["whole"]) == (1, 2, len(WRONG) + 1, False)
    assert set(desk.export(store)[0]["t1"][1]) == {"m1", "m2"}
    assert "a/b" not in err and "owner" not in err  # what stands in a line is nobody's business here


def test_i6_what_may_be_null_may_be_left_out(desk):
    """As in a file that somebody makes of another program's conversations."""
    few = {"thread": ("type", "id", "user_id", "title", "created_ms", "updated_ms", "rev"),
           "message": ("type", "thread_id", "id", "seq", "role", "status", "created_ms", "updated_ms", "content")}
    file = "".join(json.dumps({key: record[key] for key in few[record["type"]]}) + "\n" for record in (T, M))
    store = f"sqlite:{desk.folder}/few.db"
    out, _ = desk.run("import", "-", "--json", store=store,
                      give=b'{"type":"c1d-export","version":1}\n' + file.encode() + b'{"type":"end"}\n')
    assert (json.loads(out)["threads"], json.loads(out)["messages"], json.loads(out)["whole"]) == (1, 1, True)
    thread, messages = desk.export(store)[0]["t1"]
    assert thread["metadata"] is None and thread["archived"] is False
    assert {key: value for key, value in messages["m1"].items() if key not in few["message"]} == {
        **dict.fromkeys(("run_id", "parent_id", "key", "question", "model", "finish_reason", "input_tokens", "output_tokens",
                         "total_tokens", "feedback", "metadata")), "unasked": False}


def test_i6_however_many_lines_are_wrong_the_memory_is_the_same(desk):
    """Each is read up to what is wrong; what was read of it goes with it."""
    wrong = json.dumps(admin.message("t1", "m1", 1, metadata={str(i): "x" * 1_000_000 for i in range(8)}, content=None)).encode() + b"\n"
    child = desk.start("import", "-", "--json", store=f"sqlite:{desk.folder}/many.db", stdin=subprocess.PIPE)
    child.stdin.write(lines_of([T]))
    for _ in range(26):  # more than all that one batch may hold
        child.stdin.write(wrong)
    out, err = child.communicate(json.dumps(M).encode() + b"\n", timeout=4 * DEADLINE_S)
    assert child.returncode == FAILED and (json.loads(out)["refused"], json.loads(out)["messages"]) == (27, 1), err


def test_i6_what_is_no_export_is_refused_as_a_whole(desk, full):
    store = f"sqlite:{desk.folder}/none.db"
    whole, _ = desk.run("export", "-", store=full)
    lines = whole.splitlines(keepends=True)
    for text, why in (("", "it is empty"), ("hello\n", "no export"), (json.dumps(T) + "\n", "no export"),
                      (lines[0].replace('"version":1', '"version":2') + lines[1], "version 2")):
        _, err = desk.run("import", "-", store=store, give=text.encode(), code=FAILED)
        assert why in err
    for cut, why in ((whole[:-10], "last line is missing"), ("".join(lines[:-1]), "last line is missing"), ("".join(lines[:5] + lines[6:]), "damaged"),
                     (whole + whole, "behind the last one")):
        _, err = desk.run("import", "-", store=store, give=cut.encode(), code=FAILED)
        assert why in err
    assert desk.export(store) == desk.export(full)


def test_i6_a_message_of_eight_megabytes_comes_through(desk):
    store, other = f"sqlite:{desk.folder}/large.db", f"sqlite:{desk.folder}/large2.db"
    big = admin.message("t1", "big", 1, content="\x01ä\n" * 2_000_000)
    desk.run("import", "-", store=store, give=lines_of([T, big, admin.message("t1", "small", 2)]), code=FAILED)
    whole, _ = desk.run("export", "-", store=store)
    desk.run("import", "-", store=other, give=whole.encode())
    assert desk.export(other)[0]["t1"][1]["big"]["content"] == big["content"]
    assert desk.copy(store, f"sqlite:{desk.folder}/large3.db")["identical"] is True


def test_i6_an_export_writes_over_nothing_and_says_when_it_is_not_whole(desk, full):
    file = desk.folder / "there"
    file.write_text("mine")
    _, err = desk.run("export", file, store=full, code=FAILED)
    assert "File exists" in err and file.read_text() == "mine"
    if os.path.exists("/dev/full"):
        child = subprocess.run([admin.PROGRAM, "export", "-"], env={**os.environ, **desk.settings, "C1D_STORE": full}, stdout=open("/dev/full", "w"),
                               stderr=subprocess.PIPE, check=False, timeout=DEADLINE_S)
        assert child.returncode == FAILED and b"not whole" in child.stderr and b"No space left" in child.stderr
    _, err = desk.run("export", "-", store=f"sqlite:{desk.folder}/nowhere.db", code=FAILED)
    assert "There is no sqlite:" in err and not (desk.folder / "nowhere.db").exists()


# --- backup ---
def test_i6_a_backup_is_taken_while_the_service_writes_and_can_be_read(new_site, desk):
    site = new_site({"C1D_STORE": f"sqlite:{desk.folder}/served.db"}, workers=1)
    for _ in range(5):
        assert site.post("/api/chat", {"thread_id": unique("t"), "message": f"fault:pace=0 {unique('p')}"}).status == 200
    file = desk.folder / "backup.db"
    run(site, "backup", str(file))
    kept = desk.export(f"sqlite:{file}")
    assert len(kept[0]) == 5 and kept[1]["checksum"] == desk.export(site.settings["C1D_STORE"])[1]["checksum"]
    site.post("/api/chat", {"thread_id": unique("t"), "message": f"fault:pace=0 {unique('p')}"})
    assert run(site, "backup", str(file), exit_code=FAILED).stderr and desk.export(f"sqlite:{file}") == kept
    said = json.loads(run(site, "backup", str(file), "--force", "--json").stdout)
    assert said["file"] == str(file) and len(desk.export(f"sqlite:{file}")[0]) == 6
    assert sorted(path.name for path in desk.folder.glob("backup*")) == ["backup.db"]
    _, err = desk.run("backup", desk.folder / "no" / "folder.db", store=f"sqlite:{file}", code=FAILED)
    assert "No such file or directory" in err
    _, err = desk.run("backup", desk.folder / "x.db", store="mongodb://127.0.0.1:1/x", code=CONFIG)
    assert "own tools" in err


# --- threads ---
def test_i6_threads_are_listed_by_every_filter_and_in_pages(desk, full):
    desk.run("import", "-", store=full, give=lines_of(admin.many_records(250, 1)), code=FAILED)

    def ids(*words):
        out, _ = desk.run("threads", "list", "--json", *words, store=full)
        return [json.loads(line)["id"] for line in out.splitlines()]

    assert len(ids()) == 250 + len(admin.ODD) and len(set(ids())) == len(ids())
    assert ids("--user", "user-2") == [f"t-{i:05d}" for i in range(249, -1, -1) if i % 7 == 2]
    assert set(ids("--archived", "yes")) == {f"odd-{i:02d}" for i in range(0, len(admin.ODD), 2)}
    assert "t-00123" in ids("--q", "read 123") and not ids("--q", "nothing like it")
    seen, cursor = [], []
    while True:
        out, err = desk.run("threads", "list", "--json", "--limit", 100, *cursor, store=full)
        seen += [json.loads(line)["id"] for line in out.splitlines()]
        found = re.search(r"--cursor (\S+)", err)
        if not found:
            break
        cursor = ["--cursor", found[1]]
    assert seen == ids()
    for words in (["--archived", "maybe"], ["--limit", "0"], ["--limit", "x"], ["t1"]):
        desk.run("threads", "list", *words, store=full, code=USAGE)
    _, err = desk.run("threads", "list", "--cursor", "x", store=full, code=FAILED)
    assert "cursor" in err


def test_i6_what_users_wrote_cannot_move_a_terminal(desk, full):
    out, _ = desk.run("threads", "list", store=full)
    shown = "".join(desk.run("threads", "show", f"odd-{i:02d}", store=full)[0] for i in range(len(admin.ODD)))
    for text in (out, shown):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ufeff]", text)
    assert "\\u{1b}" in shown and "\\u{202e}" in shown and "a & b" in shown and "-- q  user  complete" in shown
    exact, _ = desk.run("threads", "show", "odd-06", "--json", store=full)
    assert [json.loads(line).get("content", admin.ODD[6]) for line in exact.splitlines()][1] == admin.ODD[6]


def test_i6_a_title_is_made_of_the_first_question_again(desk, full):
    records = [admin.thread("named", title="wrong"), admin.message("named", "s", 1, role="system", content="You are"),
               admin.message("named", "q", 2, content="<content thesys=\"true\">What  is &lt;this&gt;?\n</content>"), admin.message("named", "q2", 3)]
    desk.run("import", "-", store=full, give=lines_of(records), code=FAILED)
    out, _ = desk.run("threads", "restore-title", "named", store=full)
    assert "What is <this>?" in out
    threads, _ = desk.export(full)
    assert threads["named"][0]["title"] == "What is <this>?" and threads["named"][0]["rev"] == 4
    desk.run("threads", "restore-title", "nobody", store=full, code=FAILED)


@pytest.mark.parametrize("words", [[], ["show"], ["show", "a/b"], ["delete"], ["frobnicate", "x"], ["show", "x", "y"]])
def test_i6_what_is_not_understood_is_an_error_of_usage(desk, full, words):
    desk.run("threads", *words, store=full, code=USAGE)


def test_i6_nobody_is_asked_where_nobody_is(desk, full):
    _, err = desk.run("threads", "delete", "odd-00", store=full, code=USAGE)
    assert "--yes" in err and "odd-00" in desk.export(full)[0]
    desk.run("threads", "delete", "odd-00", "--yes", store=full)
    assert "odd-00" not in desk.export(full)[0]
    _, err = desk.run("threads", "delete", "odd-00", "--yes", store=full, code=FAILED)
    assert "no such thread" in err
    desk.run("threads", "show", "odd-00", store=full, code=FAILED)
    desk.run("users", "erase", "anna", store=full, code=USAGE)


@pytest.mark.parametrize("said", ["n", "y"])
def test_i6_at_a_terminal_it_is_asked_first(desk, full, said):
    master, slave = pty.openpty()
    child = desk.start("threads", "delete", "odd-01", store=full, stdin=slave)
    os.close(slave)
    os.write(master, said.encode() + b"\n")
    _, err = child.communicate(timeout=DEADLINE_S)
    os.close(master)
    assert b"[y/N]" in err and child.returncode == (OK if said == "y" else FAILED)
    assert ("odd-01" in desk.export(full)[0]) == (said == "n")


# --- beside a service ---
def test_i6_a_deletion_ends_the_answer_that_is_being_written(site):
    gate, name = unique("g"), unique("t")
    stream = site.stream({"thread_id": name, "message": f"fault:gate={gate}@60 {unique('p')}"})
    stream.read_until(b"<content")
    run(site, "threads", "delete", name, "--yes")
    stream.read_until_end = wait_for(lambda: not stream.read_some(), "the stream ends")
    assert site.get(f"/api/threads/{name}/messages").status == 404
    assert site.get(f"/api/runs/{stream.headers['X-Run-Id']}/stream").status in (404, 410)


def test_i6_what_is_damaged_is_named_and_can_be_deleted(desk, full):
    """Nothing else says which of a hundred thousand threads it is that ends an export, or the erasure of its user."""
    with sqlite3.connect(full.removeprefix("sqlite:")) as file:
        file.execute("UPDATE threads SET title = CAST(x'ff41' AS TEXT) WHERE id = 'odd-01'")
        file.execute("UPDATE messages SET role = 'owner' WHERE thread_id = 'odd-02' AND seq = 1")
    file.close()
    for thread in ("odd-01", "odd-02"):
        _, err = desk.run("export", "-", store=full, code=FAILED)
        assert "A row of the store is damaged" in err and f'"thread":"{thread}"' in err
        desk.run("threads", "delete", thread, "--yes", store=full)
    assert not {"odd-01", "odd-02"} & set(desk.export(full)[0])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_i6_a_receipt_that_was_not_printed_is_no_success(desk, full):
    with open("/dev/full", "w", encoding="ascii") as nowhere:
        child = subprocess.run([admin.PROGRAM, "users", "erase", "anna", "--yes"], env={**os.environ, **desk.settings, "C1D_STORE": full},
                               stdout=nowhere, stderr=subprocess.PIPE, check=False, timeout=DEADLINE_S)
    assert child.returncode == FAILED and b"could be printed" in child.stderr
    desk.run("users", "erase", "--yes", store=full, code=USAGE)  # nobody is called so


def test_i6_a_user_is_erased_with_a_receipt_while_others_are_served(site):
    anna, bert = unique("anna"), unique("bert")
    for user, count in ((anna, 5), (bert, 2)):
        for _ in range(count):
            assert site.post("/api/chat", {"thread_id": unique("t"), "message": f"fault:pace=0 {unique('p')}", "user_id": user}).status == 200
    kept = site.post("/api/chat", {"thread_id": unique("t"), "message": f"fault:pace=0 {unique('p')}", "user_id": anna})
    said = json.loads(run(site, "users", "erase", anna, "--yes", "--json", "--quiet").stdout)
    assert (said["threads"], said["messages"], said["threads_left"], said["user"]) == (6, 12, 0, anna)
    assert said["kept_answers"] == 6 and uuid.UUID(said["receipt"]) and said["began"] <= said["ended"]
    assert site.get(f"/api/threads?user_id={anna}").json() == [] and len(site.get(f"/api/threads?user_id={bert}").json()) == 2
    assert site.get(f"/api/runs/{kept.headers['X-Run-Id']}/stream").status in (404, 410)
    again = run(site, "users", "erase", anna, "--yes").stdout
    assert "0 threads, 0 messages" in again
    run(site, "users", "revoke", anna)
    assert "users restore" in run(site, "users", "erase", anna, "--yes").stdout


# --- who it is, and what is shown ---
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_i6_root_makes_no_file_that_the_service_cannot_open(tmp_path):
    folder = tmp_path / "state"
    for path in [tmp_path, *tmp_path.parents]:
        if path.stat().st_mode & 0o5 != 0o5 and str(path) != "/":
            path.chmod(0o755)
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    desk, file = Desk(folder), tmp_path / "root-alone"
    file.write_bytes(lines_of([T, M]))
    file.chmod(0o600)
    desk.run("import", file, code=FAILED)
    desk.run("threads", "list")
    desk.run("copy", "settings", f"sqlite:{folder}/copy.db")
    desk.run("export", tmp_path / "export.ndjson")
    assert {path.stat().st_uid for path in folder.iterdir()} == {65534} and (folder / "copy.db").exists()
    _, err = desk.run("copy", "settings", f"sqlite:{tmp_path}/root.db", code=UNAVAILABLE)
    assert "(as the user nobody)" in err


def test_i6_a_password_is_shown_nowhere(desk, full):
    uri = "mongodb://anna:s3cret-word@127.0.0.1:1/x?serverSelectionTimeoutMS=100"
    child = desk.start("copy", uri, full)
    seen = wait_for(lambda: child.poll() is not None or "xxxx" in (line := cmdline(child.pid)) and line, "the password is painted over")
    assert seen is True or "s3cret-word" not in seen
    out, err = child.communicate(timeout=2 * DEADLINE_S)
    assert child.returncode == UNAVAILABLE and b"s3cret" not in out + err
    (desk.folder / "address").write_text(uri + "\n")
    _, err = desk.run("copy", f"@{desk.folder}/address", full, code=UNAVAILABLE)
    assert "s3cret" not in err
    os.mkfifo(desk.folder / "later")  # what opens it waits for who writes
    child = desk.start("copy", "postgresql://127.0.0.1:1/x?password=s3cret-word", f"@{desk.folder}/later")
    wait_for(lambda: "password=s3cret" not in cmdline(child.pid) and "xxxx" in cmdline(child.pid), "it is painted over there, too")
    (desk.folder / "later").write_text(full + "\n")
    out, err = child.communicate(timeout=2 * DEADLINE_S)
    assert child.returncode == UNAVAILABLE and b"s3cret" not in out + err and b"postgresql://127.0.0.1:1/x: " in err
    for wrong in ("mongodb://anna:s3cret-word@", "what:s3cret-word", f"@{desk.folder}/missing"):
        _, err = desk.run("copy", wrong, full, code=USAGE if wrong[0] == "@" else CONFIG)
        assert "s3cret" not in err


def cmdline(pid):
    try:
        return open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace").read()
    except OSError:
        return ""


def test_i6_progress_is_one_line_on_a_terminal(desk):
    """Its width is the terminal's, there is no colour, and it is gone at the end."""
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    subprocess.run(["stty", "cols", "60"], stdin=slave, check=True)
    child = subprocess.Popen([admin.PROGRAM, "import", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=slave,
                             env={**os.environ, **desk.settings, "C1D_STORE": f"sqlite:{desk.folder}/slow.db"})
    child.stdin.write(lines_of([T]))
    seen = b""

    def shown():
        nonlocal seen
        child.stdin.write(json.dumps(admin.message("t1", unique("m"), 1)).encode() + b"\n")
        child.stdin.flush()
        try:
            seen += os.read(master, 65536)
        except BlockingIOError:
            pass
        return b"importing" in seen and b"messages" in seen

    wait_for(shown, "the line is there")
    child.stdin.close()
    assert child.wait(DEADLINE_S) == FAILED
    seen += os.read(master, 65536)
    text = seen.decode()
    assert "\x1b" not in text and all(len(line) < 60 for line in text.split("importing", 1)[1].split("\r")[:-3])
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_i6_a_signal_ends_an_import_and_the_same_one_goes_on(desk, number):
    store, records = f"sqlite:{desk.folder}/stopped.db", admin.many_records(50, 2)
    child = desk.start("import", "-", store=store, stdin=subprocess.PIPE)
    text = lines_of(records)
    child.stdin.write(text[:len(text) // 2])
    child.stdin.flush()
    wait_for(lambda: "stopped.db" in " ".join(os.listdir(desk.folder)), "it has begun")
    wait_for(lambda: handles(child.pid, number), "it listens to the signal")
    wait_for(lambda: unread(child.stdin) == 0 and is_waiting(child.pid), "it waits for more")
    child.send_signal(number)  # whoever writes into the pipe says nothing more, and does not close it
    assert child.wait(DEADLINE_S) == AGAIN
    err = child.stderr.read().decode()
    assert "stopped" in err, err
    desk.run("import", "-", store=store, give=text, code=FAILED)
    assert as_values(desk.export(store)[0]) == as_values(by_name(records))


def unread(pipe):
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def is_waiting(pid):
    return re.search(r"^State:\s*(\w)", open(f"/proc/{pid}/status", encoding="ascii").read(), re.M)[1] == "S"


def handles(pid, number):
    line = re.search(r"^SigCgt:\s*(\w+)", open(f"/proc/{pid}/status", encoding="ascii").read(), re.M)
    return int(line[1], 16) >> (number - 1) & 1


# --- what is written about it ---
PAGES = ("administration", "erase-a-user", "export", "move-store", "backup")


def test_t5_each_command_of_the_page_works_as_it_stands(desk, full, tmp_path):
    """The pages about conversations, on a store that has what they name."""
    page = "".join((ROOT / f"docs/how-to/{name}.md").read_text() for name in PAGES)
    lines = [line for block in re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S) for line in block.splitlines()]
    assert len(lines) >= 14
    example = re.search(r"^```json\n(.*?)^```$", page, re.M | re.S)[1]
    desk.run("import", "-", store=full, give=example.encode())
    stand_in_sudo(tmp_path)
    environment = {**os.environ, **desk.settings, "C1D_STORE": full, "PATH": f"{tmp_path}:{os.path.dirname(admin.PROGRAM)}:{os.environ['PATH']}"}
    for line in lines:
        done = subprocess.run(["sh", "-c", line.replace("/tmp/", f"{desk.folder}/")], cwd=desk.folder, env=environment, capture_output=True, text=True,
                              timeout=DEADLINE_S, check=False)
        assert done.returncode == OK, (line, done)
        if "erase" in line or "delete" in line:
            desk.run("import", "-", store=full, give=example.encode())


def test_t5_the_help_names_every_command_and_the_page_every_code(desk):
    out, _ = desk.run("help")
    page = (ROOT / "docs/reference/commands.md").read_text()
    for command in ("threads", "export", "import", "copy", "backup", "users"):
        assert re.search(rf"^  {command} ", out, re.M) and f"c1d {command}" in page
    for code in (OK, FAILED, USAGE, UNAVAILABLE, AGAIN, CONFIG):
        assert f"| {code} |" in page
