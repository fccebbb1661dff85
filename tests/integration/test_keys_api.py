"""API keys and revoked users: what `c1d keys` and `c1d users` change beside a running service, and who is let in then."""
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from api import problem
from attackers import Browser, bearer
from callers import key, run, server, unique
from house import ALIASES, Site, in_parallel, wait_for

NOBODY = 65534
OPENAPI = "/api/openapi.json"


@pytest.fixture(scope="module")
def site(scratch, upstream):
    house = Site(scratch, upstream, {"C1D_AUTH": "visitor"}, workers=1, server=ALIASES)  # what one has seen, all have
    yield house
    house.stop()


def get(site, text, path="/api/threads"):
    return site.get(path, bearer(text))


# --- made, listed, revoked ---
def test_e14_a_key_is_taken_and_refused_without_a_reload(site):
    name = unique("ci")
    text = key(site, name)
    wait_for(lambda: get(site, text).status == 200, "the key is taken")
    listed = run(site, "keys", "list").stdout
    line = next(line for line in listed.splitlines() if line.startswith(name))
    assert text[:13] in line and "read,write,chat" in line and "expires never" in line
    assert text not in listed and text[13:] not in listed
    run(site, "keys", "revoke", name)
    wait_for(lambda: get(site, text).status == 401, "the key is refused")
    again = key(site, name)  # the same user, by another key
    wait_for(lambda: get(site, again).status == 200, "the new key is taken")
    assert get(site, text).status == 401


def test_e14_every_worker_takes_what_changed(new_site):
    house = new_site({"C1D_AUTH": "visitor"}, workers=4)
    text = key(house, "ci")

    def statuses():
        return {answer.status for answer in in_parallel(32, lambda _: get(house, text))}

    assert statuses() == {200}
    more = key(house, "more")  # and those who have just looked take a new one at once
    assert {answer.status for answer in in_parallel(32, lambda _: get(house, more))} == {200}
    run(house, "keys", "revoke", "ci")
    wait_for(lambda: statuses() == {401}, "the key is refused everywhere")


def test_a_key_is_a_user_of_its_own(site):
    ada, bob = server(site), server(site)
    made = ada.make(title="of a server")
    assert made["user_id"] == ada.user_id
    assert ada.titles() == ["of a server"] and bob.titles() == []
    answer = ada.post("/api/chat", {"message": "fault:pace=0 hello", "thread_id": made["id"]})
    assert answer.status == 200, answer
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("change", [
    lambda text: text[:-1], lambda text: text + "0", lambda text: text[:20] + ("0" if text[20] != "0" else "1") + text[21:],
    lambda text: text[:4] + text[4:].swapcase(), lambda text: "c1d_", lambda text: "c1d_" + "0" * 58, lambda text: text + ", " + text,
    lambda text: text[:4] + text[4:].replace("_", "-"), lambda text: " ".join((text[:10], text[10:]))])
def test_e13_what_is_no_key_is_told_nothing(site, change):
    good, unknown = key(site, unique("ci")), "c1d_00000000_00000000000000000000000000000000000000000002C6JJZ"
    wait_for(lambda: get(site, good).status == 200, "the key is taken")
    refused = [problem(get(site, text), 401, "unauthorized") for text in (change(good), unknown)]
    told = [{name: value for name, value in body.items() if name != "request_id"} for body in refused]
    assert told[0] == told[1]


def test_e13_the_scheme_is_taken_in_any_case_and_a_key_in_the_address_never(site):
    text = key(site, unique("ci"))
    for scheme in ("bearer", "BEARER", "Bearer ", "bEaReR"):
        wait_for(lambda: site.get("/api/threads", {"Authorization": f"{scheme} {text}"}).status == 200, scheme)  # noqa: B023
    problem(site.get(f"/api/threads?access_token={text}"), 422, "validation")
    assert text not in site.log_path.read_text()


def test_a_key_wins_over_a_cookie(site):
    visitor = Browser(site)
    visitor.make(title="the visitor's")
    with_both = Browser(site, **bearer(key(site, unique("ci"))))
    with_both.cookies = dict(visitor.cookies)
    wait_for(lambda: with_both.get("/api/threads").status == 200, "the key is taken")
    assert with_both.titles() == []
    wrong = Browser(site, **bearer("c1d_" + "0" * 58))
    wrong.cookies = dict(visitor.cookies)
    problem(wrong.get("/api/threads"), 401, "unauthorized")


def test_in_mode_none_no_key_is_looked_at(new_site):
    house = new_site({})
    for text in (key(house, "ci"), "c1d_wrong"):
        assert get(house, text).status == 200


# --- what it may do ---
def operations(site):
    """Method, path with ids that are nobody's, and the scopes of which one is needed."""
    for path, methods in site.get(OPENAPI).json()["paths"].items():
        for method, operation in methods.items():
            needed = [scope for way in operation.get("security", []) for scope in way.get("bearer", [])]
            yield method.upper(), re.sub(r"\{\w+\}", unique("x"), path), needed


def ask(caller, method, path):
    return caller.ask(method, path, None if method in ("GET", "DELETE") else {})


def test_every_route_needs_its_scope_and_no_other(site):
    by_scope = {scope: server(site, scopes=scope) for scope in ("read", "write", "chat")}
    for scope, caller in by_scope.items():
        wait_for(lambda: caller.get("/api/runs/x").status != 401, f"{scope} is taken")  # noqa: B023
    seen = set()
    for method, path, needed in operations(site):
        if not needed:
            continue
        for scope, caller in by_scope.items():
            answer = ask(caller, method, path)
            if scope in needed:
                assert answer.status != 401 and "insufficient_scope" not in answer.headers.get("WWW-Authenticate", ""), answer
            else:
                body = problem(answer, 403, "access_denied")
                assert body["detail"].split(": ")[-1] in (f"{','.join(needed)}.",), body
                assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'
        seen.update(needed)
    assert seen == {"read", "write", "chat"}


def test_a_key_that_may_act_is_whom_it_names(site):
    backend, ada, bob = server(site, scopes="act"), unique("ada"), unique("bob")
    made = backend.make(title="ada's", user_id=ada)
    assert made["user_id"] == ada
    thread = f"/api/threads/{made['id']}"
    assert backend.get(f"{thread}?user_id={ada}").status == 200
    problem(backend.get(f"{thread}?user_id={bob}"), 403, "access_denied")
    problem(backend.get(thread), 403, "access_denied")  # without a name it is itself
    assert [t["title"] for t in backend.get(f"/api/threads?user_id={ada}").json()] == ["ada's"]
    assert backend.titles() == [] and backend.get(f"/api/threads?user_id={bob}").json() == []
    chat = backend.post("/api/chat", {"message": "fault:pace=0 hi", "thread_id": made["id"], "user_id": ada})
    assert chat.status == 200
    problem(backend.post("/api/chat", {"message": "fault:pace=0 hi", "thread_id": made["id"], "user_id": bob}), 403,
            "access_denied")
    run_path = f"/api/runs/{chat.headers['X-Run-Id']}"
    assert backend.get(f"{run_path}?user_id={ada}").status == 200
    problem(backend.get(f"{run_path}?user_id={bob}"), 403, "access_denied")


def test_f2_who_may_not_act_names_nobody_else(site):
    plain, visitor = server(site), Browser(site)
    for caller in (plain, visitor):
        problem(caller.get("/api/threads?user_id=somebody"), 403, "access_denied", "user_id")
        problem(caller.post("/api/threads", {"title": "x", "user_id": "somebody"}), 403, "access_denied", "user_id")
        problem(caller.post("/api/chat", {"message": "x", "userId": "somebody"}), 403, "access_denied", "user_id")
    assert plain.make(title="mine", user_id=plain.user_id)["user_id"] == plain.user_id


def test_an_administrator_sees_everybody_and_may_look_at_one(site):
    admin, ada, bob = server(site, scopes="admin"), server(site), server(site)
    titles = {caller: unique("title") for caller in (ada, bob)}
    threads = {caller: caller.make(title=title) for caller, title in titles.items()}
    everybodys = [thread["title"] for thread in admin.get("/api/threads?limit=100").json()]
    assert set(titles.values()) <= set(everybodys)
    assert [thread["title"] for thread in admin.get(f"/api/threads?user_id={ada.user_id}").json()] == [titles[ada]]
    path = f"/api/threads/{threads[ada]['id']}"
    assert admin.get(path).json()["user_id"] == ada.user_id
    assert admin.ask("PATCH", path, {"title": "renamed"}).json()["user_id"] == ada.user_id
    assert admin.post(f"{path}/messages", {"role": "system", "content": "Be brief."}).status == 201
    problem(ada.post(f"{path}/messages", {"role": "system", "content": "Be brief."}), 403, "access_denied", "role")
    # What an administrator asks on ada's thread is ada's.
    chat = admin.post("/api/chat", {"message": "fault:pace=0 hi", "thread_id": threads[ada]["id"]})
    run_path = f"/api/runs/{chat.headers['X-Run-Id']}"
    assert chat.status == 200 and ada.get(run_path).status == 200 and ada.get(f"{run_path}/stream").body == chat.body
    problem(bob.get(run_path), 403, "access_denied")
    problem(bob.get(f"{run_path}/stream"), 403, "access_denied")
    assert admin.make(title="the admin's")["user_id"] == admin.user_id


# --- files ---
def edit(site, name, change):
    path = Path(site.settings["C1D_STATE_DIR"]) / name
    path.write_text(change(path.read_text()))


def test_an_expired_key_is_refused(site):
    name = unique("old")
    text = key(site, name, None, "--expires", "30")
    wait_for(lambda: get(site, text).status == 200, "the key is taken")
    edit(site, "keys", lambda old: re.sub(rf"^({name} .*) \d+$", r"\1 1000000000", old, flags=re.M))
    wait_for(lambda: get(site, text).status == 401, "the key is refused")
    assert f"{name} " in run(site, "keys", "list").stdout and "expired 2001-09-09" in run(site, "keys", "list").stdout


def test_a_damaged_file_refuses_keys_and_nothing_else(new_site):
    house = new_site({"C1D_AUTH": "visitor"}, workers=1)
    text = key(house, "ci")
    wait_for(lambda: get(house, text).status == 200, "the key is taken")
    edit(house, "keys", lambda old: old + "no key\n")
    wait_for(lambda: get(house, text).status == 401, "the key is refused")
    assert Browser(house).get("/api/threads").status == 200
    told = house.told("API keys unusable; none is accepted")
    assert "Line 3" in told[0]["detail"], told
    for words in (("add", "more"), ("revoke", "ci"), ("list",)):
        assert "Line 3" in run(house, "keys", *words, exit_code=78).stderr
    house.stop()
    house.start_nginx()
    house.start()  # all the same
    problem(get(house, text), 401, "unauthorized")
    edit(house, "keys", lambda old: old.replace("no key\n", ""))
    wait_for(lambda: get(house, text).status == 200, "the key is taken again")


def test_f11_no_key_is_ever_written_down(site):
    caller, secret = server(site), None
    secret = caller.carries["Authorization"].split("_")[-1]
    wait_for(lambda: caller.get("/api/threads").status == 200, "the key is taken")
    caller.post("/api/chat", {"message": "fault:pace=0 x"})
    caller.post("/api/chat", {"nonsense": 1})
    written = site.log_path.read_text() + site.metrics()
    for path in Path(site.settings["C1D_STATE_DIR"]).rglob("*"):
        written += path.read_bytes().decode("latin-1") if path.is_file() else ""
    assert secret not in written


def test_a_refused_key_is_counted(site):
    def count():
        return int(re.search(r'c1d_auth_refused_total\{reason="api_key"\} (\d+)', site.metrics())[1])
    before = count()
    get(site, "c1d_wrong")
    assert count() == before + 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_what_root_changes_is_still_the_services(scratch):
    folder = Path(tempfile.mkdtemp(prefix="keys-", dir=scratch))
    program = shutil.copy2(os.environ.get("C1D_BIN", "build/c1d"), folder / "c1d")
    state = folder / "state"
    state.mkdir(mode=0o750)
    folder.chmod(0o755)
    os.chown(state, NOBODY, NOBODY)
    env = {**os.environ, "C1D_STATE_DIR": str(state)}
    for words in (("keys", "add", "ci"), ("keys", "add", "more"), ("users", "revoke", "ada")):
        subprocess.run([program, *words], env=env, check=True, capture_output=True)
    for name in ("keys", "revoked"):
        about = (state / name).stat()
        assert (about.st_uid, about.st_gid, about.st_mode & 0o7777) == (NOBODY, NOBODY, 0o600), name
    listed = subprocess.run([program, "keys", "list"], env=env, check=True, capture_output=True, text=True, user=NOBODY,
                            group=NOBODY, extra_groups=[])
    assert "ci" in listed.stdout
    assert sorted(path.name for path in state.iterdir()) == ["keys", "revoked"]


# --- revoked users ---
def test_e14_a_revoked_visitor_is_refused_until_restored(site):
    ada, bob = Browser(site), Browser(site)
    user_id = ada.make(title="ada's")["user_id"]
    bob.make(title="bob's")
    run(site, "users", "revoke", user_id)
    wait_for(lambda: ada.get("/api/threads").status == 401, "ada is refused")
    assert user_id in run(site, "users", "list").stdout
    refused = ada.get("/api/threads")
    problem(refused, 401, "unauthorized")
    assert "Set-Cookie" not in refused.headers  # or the door would be open again
    assert bob.titles() == ["bob's"]
    run(site, "users", "restore", user_id)
    wait_for(lambda: ada.get("/api/threads").status == 200, "ada is let in")
    assert ada.titles() == ["ada's"]


def test_a_key_of_a_revoked_user_is_refused_and_a_new_one_is_not(site):
    caller = server(site)
    wait_for(lambda: caller.get("/api/threads").status == 200, "the key is taken")
    run(site, "users", "revoke", caller.user_id)
    wait_for(lambda: caller.get("/api/threads").status == 401, "the key is refused")
    run(site, "users", "restore", caller.user_id)
    wait_for(lambda: caller.get("/api/threads").status == 200, "the key is taken again")


# --- what is typed wrong ---
@pytest.mark.parametrize("words, exit_code, says", [
    (["keys"], 2, "usage: c1d keys add NAME"),
    (["keys", "add"], 2, "add needs a name"),
    (["keys", "ad", "x"], 2, "there is no 'ad'"),
    (["keys", "add", "a/b"], 1, "letters, digits"),
    (["keys", "add", "x", "--scopes", "all"], 2, "chat, read, write, act and admin"),
    (["keys", "add", "x", "--expires", "0"], 2, "from 1 to 3650"),
    (["keys", "add", "x", "--expires", "1.5"], 2, "from 1 to 3650"),
    (["keys", "revoke", "nobody"], 1, "no key of this name"),
    (["keys", "list", "--json"], 2, "there is no '--json'"),
    (["users"], 2, "usage: c1d users revoke USER"),
    (["users", "revoke", ""], 1, "1 to 128 characters"),
    (["users", "restore", "nobody"], 1, "not revoked"),
])
def test_what_is_typed_wrong_is_said(site, words, exit_code, says):
    done = run(site, *words, exit_code=exit_code)
    assert says in done.stderr and done.stdout == ""


def test_a_state_folder_that_cannot_be_written_is_said(site, scratch):
    plain = scratch / "plain-file"
    plain.write_text("")
    for words in (("keys", "add", "x"), ("keys", "list"), ("users", "revoke", "x"), ("users", "list")):
        env = {**site.environment(), "C1D_STATE_DIR": str(plain)}
        done = subprocess.run([site.program, *words], env=env, text=True, capture_output=True, check=False)
        assert done.returncode == 78 and "Not a directory" in done.stderr, done
