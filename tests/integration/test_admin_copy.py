"""One store copied into another: stopped, killed, cut off and gone on with; beside a service that writes; across every store."""
import json
import os
import random
import re
import signal
import subprocess
import uuid

import pytest

import admin
from admin import AGAIN, CONFIG, FAILED, OK, UNAVAILABLE, USAGE, Desk, as_values, by_name, lines_of
from callers import unique
from house import DEADLINE_S, Site, wait_for
from servers import STORES

POINTS = ("copy_announced", "copy_batch", "copy_put", "copy_round")


@pytest.fixture(scope="module")
def site(scratch, upstream):
    """On SQLite: what is copied is as good as what the store says, and each has its contract."""
    house = Site(scratch, upstream, {"C1D_STORE": f"sqlite:{scratch}/admin-copy-{uuid.uuid4().hex[:8]}.db"})
    yield house
    house.stop()


@pytest.fixture
def desk(tmp_path):
    (tmp_path / "crash").mkdir()
    return Desk(tmp_path)


def made(desk, name, records):
    """A SQLite store with these in it."""
    uri = f"sqlite:{desk.folder}/{name}.db"
    desk.run("import", "-", "--quiet", store=uri, give=lines_of(records), code=FAILED)
    return uri


def journal(desk):
    return next(desk.folder.glob("copy-*"))


def equal(desk, one, other):
    a, b = desk.export(one), desk.export(other)
    assert a[1]["checksum"] == b[1]["checksum"] and as_values(a[0]) == as_values(b[0])
    return a


# --- every store ---
def test_i6_through_every_store_and_back_the_checksum_is_the_same(desk, server_of):
    """What each of them does with metadata, numbers and odd texts changes nothing of what is said."""
    records = admin.odd_records() + admin.many_records(12)
    first = made(desk, "first", records)
    places, said = [first], []
    for kind in sorted(set(STORES) - {"sqlite", "mongodb-java"}) + ["sqlite"]:
        server = server_of(kind)
        settings = server.settings("copy-" + uuid.uuid4().hex[:12])
        places.append(settings.pop("C1D_STORE"))
        desk.settings.update(settings)
        said.append(desk.copy(places[-2], places[-1]))
    assert all(step["identical"] and step["settled"] and step["differing"] == 0 for step in said)
    assert len({step["checksum_to"] for step in said}) == 1 and len({step["copy"] for step in said}) == len(said)
    threads, _ = equal(desk, first, places[-1])
    assert as_values(threads) == as_values(by_name(records))


# --- interrupted ---
@pytest.mark.parametrize("point", POINTS)
def test_i6_a_copy_that_was_killed_goes_on(desk, point):
    """At every place where something is written down, the first time and once more after."""
    source, target = made(desk, "source", admin.many_records(900, 2)), f"sqlite:{desk.folder}/target.db"
    for _ in range(2):
        if point == "copy_round":
            desk.copy(source, target)
            desk.run("import", "-", store=source, give=lines_of([admin.thread(f"new-{i}-{unique('x')}") for i in range(3)]), code=FAILED)
        (desk.folder / "crash" / point).write_text("")
        child = desk.start("copy", source, target)
        child.communicate(timeout=2 * DEADLINE_S)
        assert child.returncode == -signal.SIGKILL
    said = desk.copy(source, target)
    assert said["identical"] and said["settled"]
    equal(desk, source, target)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_i6_a_copy_that_is_stopped_at_any_moment_goes_on(desk, number):
    """Whatever a try came to, the next one starts from there."""
    chance = random.Random()
    source, target = made(desk, "source", admin.many_records(1500, 2)), f"sqlite:{desk.folder}/target.db"
    ends = []
    for _ in range(6):
        child = desk.start("copy", source, target)
        try:
            ends.append(child.wait(chance.random() * 0.8))
        except subprocess.TimeoutExpired:
            child.send_signal(number)
            err = child.communicate(timeout=2 * DEADLINE_S)[1].decode()
            ends.append(child.returncode)
            if child.returncode == AGAIN:
                assert "stopped" in err and "goes on" in err
    assert set(ends) <= {OK, AGAIN, -number}
    said = desk.copy(source, target)
    assert said["identical"] and said["settled"] and said["others_at_target"] == 0
    equal(desk, source, target)


def test_i6_the_journal_belongs_to_one_copy_at_a_time(desk):
    source, target = made(desk, "source", admin.many_records(10)), f"sqlite:{desk.folder}/target.db"
    desk.copy(source, target)
    with open(journal(desk), "ab") as torn:
        torn.write(b"+ t-0")  # the machine stopped while a line was being written
    assert desk.copy(source, target)["identical"] and b"+ t-0+" not in journal(desk).read_bytes()
    other = f"sqlite:{desk.folder}/other.db"
    _, err = desk.run("copy", source, other, "--state", journal(desk), code=CONFIG)
    assert "no journal of this copy" in err
    (desk.folder / "mine").write_text("my notes\n")
    _, err = desk.run("copy", source, other, "--state", desk.folder / "mine", code=CONFIG)
    assert "no journal" in err and (desk.folder / "mine").read_text() == "my notes\n"
    (desk.folder / "mine").write_text("my notes")  # which end no line
    _, err = desk.run("copy", source, other, "--state", desk.folder / "mine", code=CONFIG)
    assert "no journal" in err and (desk.folder / "mine").read_text() == "my notes"
    (desk.folder / "mine").write_text("c1d-co")  # the machine stopped when it was begun
    desk.run("copy", source, other, "--state", desk.folder / "mine")
    _, err = desk.run("copy", source, source, code=USAGE)
    assert "same store" in err
    _, err = desk.run("copy", f"sqlite:{desk.folder}/mistyped.db", target, code=FAILED)
    assert "There is no" in err and not (desk.folder / "mistyped.db").exists()


def test_i6_two_copies_do_not_run_into_each_other(desk, proxy, mongod):
    source = made(desk, "source", admin.many_records(5))
    target = mongod.uri("copy-" + uuid.uuid4().hex[:12], proxy.address)
    rule = proxy.rule("hold", "update")
    first = desk.start("copy", source, target)
    proxy.wait_rule(rule)
    _, err = desk.run("copy", source, target, code=CONFIG)
    assert "runs already" in err
    proxy.heal()
    first.communicate(timeout=2 * DEADLINE_S)
    assert desk.copy(source, target)["identical"]


# --- a store that fails meanwhile ---
def test_c1_a_target_that_is_cut_off_again_and_again_is_waited_for(desk, proxy, mongod):
    source = made(desk, "source", admin.many_records(60, 2))
    name = "copy-" + uuid.uuid4().hex[:12]
    for action, command in (("cut_before", "update"), ("cut_after", "insert"), ("cut_after", "update"), ("cut_before", "find")):
        proxy.rule(action, command, skip=1, every=2, times=2)
    said = desk.copy(source, mongod.uri(name, proxy.address))
    proxy.heal()
    assert said["identical"] and said["threads"] == 60
    equal(desk, source, mongod.uri(name))


def test_c1_a_store_that_is_not_there_is_told(desk):
    source = made(desk, "source", admin.many_records(2))
    _, err = desk.run("copy", source, "mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=200", code=UNAVAILABLE)
    assert "unavailable" in err
    _, err = desk.run("copy", source, "sqlite:", code=CONFIG)
    _, err = desk.run("copy", source, "gopher://x", code=CONFIG)
    assert "not built in" in err


# --- beside others ---
def test_i6_what_changes_and_goes_meanwhile_does_so_at_the_target(desk):
    """And nothing else of the target is touched."""
    source = made(desk, "source", admin.many_records(40))
    target = made(desk, "target", [admin.thread("theirs"), admin.message("theirs", "m", 1)])
    said = desk.copy(source, target)
    assert (said["threads"], said["others_at_target"], said["copied"]) == (40, 1, 40)
    for name in ("t-00003", "t-00039"):
        desk.run("threads", "delete", name, "--yes", store=source)
    desk.run("threads", "restore-title", "t-00004", store=source)
    desk.run("import", "-", store=source, code=FAILED, give=lines_of([
        admin.thread("a-new"), admin.message("a-new", "m", 1), admin.thread("t-00005", rev=9), admin.message("t-00005", "m5", 5, content="more")]))
    desk.run("import", "-", store=target, code=FAILED, give=lines_of([  # somebody's own at the target, and what he did to a copied one
        admin.thread("also-theirs"), admin.thread("t-00006", rev=3), admin.message("t-00006", "extra", 9), admin.message("t-00006", "m2", 2)]))
    said = desk.copy(source, target)
    assert said["identical"] and (said["threads"], said["removed"], said["others_at_target"]) == (39, 2, 2)
    kept, _ = desk.export(target)
    assert {"theirs", "also-theirs", "a-new"} <= set(kept) and not {"t-00003", "t-00039"} & set(kept)
    assert set(kept["t-00006"][1]) == {"m1", "m2", "m3", "m4"} and kept["t-00005"][1]["m5"]["content"] == "more"
    mine = {name: value for name, value in kept.items() if name not in ("theirs", "also-theirs")}
    assert as_values(mine) == as_values(desk.export(source)[0])


def test_i6_what_was_written_at_the_target_since_is_not_lost(desk):
    """Somebody moved his service there, and copies once more."""
    source, target = made(desk, "source", admin.many_records(5)), f"sqlite:{desk.folder}/target.db"
    desk.copy(source, target)
    desk.run("threads", "restore-title", "t-00002", store=target)
    desk.run("import", "-", store=target, code=FAILED, give=lines_of([
        admin.thread("t-00003", rev=99), admin.message("t-00003", "new", 9, content="asked there")]))
    before = desk.export(target)[0]["t-00003"]
    _, err = desk.run("copy", source, target, code=FAILED)
    assert "in service already" in err and desk.export(target)[0]["t-00003"] == before


def test_i6_a_source_that_became_empty_empties_no_target(desk):
    source, target = made(desk, "source", admin.many_records(3)), f"sqlite:{desk.folder}/target.db"
    desk.copy(source, target)
    before = desk.export(target)
    for name in before[0]:
        desk.run("threads", "delete", name, "--yes", store=source)
    _, err = desk.run("copy", source, target, code=FAILED)
    assert "is it the right one" in err and desk.export(target) == before


def test_i6_a_copy_beside_a_service_that_writes(desk, site):
    """Chats, edits and deletions go on; when they have ended the same command makes both equal."""
    source, target = site.settings["C1D_STORE"], f"sqlite:{desk.folder}/target.db"
    users, names = [unique("u") for _ in range(3)], [unique("t") for _ in range(12)]

    def ask(name, user):
        return site.post("/api/chat", {"thread_id": name, "message": f"fault:pace=0 {unique('p')}", "user_id": user}).status

    assert {ask(name, users[i % 3]) for i, name in enumerate(names)} == {200}
    for turn in range(4):
        child = desk.start("copy", source, target, "--json")
        while child.poll() is None:
            ask(names[turn], users[turn % 3])
            site.patch(f"/api/threads/{names[turn + 4]}", {"title": unique("title")})
            ask(unique("t"), users[0])
        out, err = child.communicate(timeout=DEADLINE_S)
        assert child.returncode in (OK, FAILED), err  # FAILED: one changed each time that it was looked at
        site.delete(f"/api/threads/{names[turn + 8]}")
    said = desk.copy(source, target)
    assert said["identical"] and said["settled"] and said["removed"] >= 1
    equal(desk, source, target)


def test_i6_an_answer_that_is_being_written_is_copied_when_it_is_saved(desk, site):
    gate, name = unique("g"), unique("t")
    source, target = site.settings["C1D_STORE"], f"sqlite:{desk.folder}/target.db"
    stream = site.stream({"thread_id": name, "message": f"fault:gate={gate}@60 {unique('p')}"})
    stream.read_until(b"<content")
    assert desk.copy(source, target)["identical"]
    there = desk.export(target)[0][name][1].values()
    assert [m["status"] for m in there] == ["complete", "interrupted"] and [m["status"] for m in desk.export(source)[0][name][1].values()] == \
        ["complete", "interrupted"]
    site.upstream.open_gate(gate)
    whole = stream.read_all()
    assert desk.copy(source, target)["identical"]
    last = list(desk.export(target)[0][name][1].values())[-1]
    assert last["status"] == "complete" and last["content"].encode() == whole


def test_i6_an_answer_that_outlives_the_move_is_put_in_by_its_service(desk, new_site):
    """The run goes on across the change of the store: its text is in its spool, and its message has its run's name at the target."""
    site = new_site({"C1D_STORE": f"sqlite:{desk.folder}/source.db"}, workers=1)
    gate, name = unique("g"), unique("t")
    source, target = site.settings["C1D_STORE"], f"sqlite:{desk.folder}/target.db"
    stream = site.stream({"thread_id": name, "message": f"fault:gate={gate}@60 {unique('p')}"})
    stream.read_until(b"<content")
    assert desk.copy(source, target)["identical"]
    site.settings["C1D_STORE"] = target
    pids = site.worker_pids()
    site.c1d.child.send_signal(signal.SIGSTOP)  # nobody saves it, and nobody makes a worker that would
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    site.c1d.child.send_signal(signal.SIGKILL)
    site.c1d.child.wait(DEADLINE_S)
    site.c1d = None
    site.start()
    answer = wait_for(lambda: next((m for m in site.messages(name) if m["role"] == "assistant" and m["content"]), None), "it is in the new store")
    assert answer["status"] == "interrupted" and answer["content"].startswith("<content")


# --- what is said ---
def test_i6_the_end_says_counts_and_checksum_for_people_and_for_programs(desk):
    source, target = made(desk, "source", admin.many_records(5)), f"sqlite:{desk.folder}/target.db"
    out, err = desk.run("copy", source, target)
    checksum = desk.export(source)[1]["checksum"]
    assert f"5 threads, 20 messages on both sides; checksum {checksum}" in out and re.search(r"^copy [0-9a-f]{16}: sqlite:.* journal ", err, re.M)
    out, err = desk.run("copy", source, target, "--quiet", "--json")
    assert err == "" and json.loads(out)["checksum_from"] == json.loads(out)["checksum_to"] == checksum
    for words in ([source], [source, target, "more"], [source, target, "--frob"]):
        desk.run("copy", *words, code=USAGE)
    assert oct(os.stat(journal(desk)).st_mode & 0o777) == "0o600"
