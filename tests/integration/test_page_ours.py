"""Our own page (web/), built, behind the shipped nginx files: one visit with Chromium a store; each test looks at one thing that was
seen. Pictures lie in build/page/ours."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

import jwt
import pytest

from house import DEADLINE_S, Site
from pages import BUILT, PLACE, SAMPLES, VISIT_S, WHOLE, served_page
from processes import with_parent

pytestmark = pytest.mark.xdist_group("our page")  # one visit a store


@pytest.fixture(scope="module")
def served(our_page, scratch):
    return served_page(our_page, scratch)


@pytest.fixture(scope="module")
def house(served, scratch, upstream, store_uri):
    site = Site(scratch, upstream, {**WHOLE, "C1D_STORE": store_uri, "C1D_FIRST_BYTE_MS": "15000"}, server=served)
    yield site
    site.stop()


def befall(house, what):
    """What happens to the house in the middle of a visit."""
    if what == "kill workers":
        for pid in house.worker_pids():
            os.kill(pid, signal.SIGKILL)
    elif what == "reload nginx":
        os.kill(house.nginx.pid, signal.SIGHUP)
    elif what == "stop nginx":
        house.nginx.stop()
    else:
        assert what == "start nginx"
        house.start_nginx()


@pytest.fixture(scope="module")
def visit(house, upstream, store_kind):
    """What a person saw."""
    folder = BUILT / "ours" / store_kind
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    node = subprocess.Popen(["node", str(PLACE / "ours.mjs"), house.url + "/", upstream.control, store_kind, str(folder)], cwd=PLACE, text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(folder / "errors.log", "wb"), preexec_fn=with_parent,
                            env={**os.environ, "CHROMIUM": shutil.which("chromium")})
    for line in node.stdout:
        told = json.loads(line)
        if "want" not in told:
            break
        befall(house, told["want"])
        node.stdin.write("done\n")
        node.stdin.flush()
    else:
        raise AssertionError((folder / "errors.log").read_text()[-4000:])
    node.wait(DEADLINE_S)
    return told


def seen(visit, name):
    assert name in visit["stations"], (visit["failed"], visit["errors"])
    return visit["stations"][name]


TOLD = ("status of 502", "status of 503", "status of 504", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_", "ERR_EMPTY_RESPONSE",
        "ERR_SOCKET_NOT_CONNECTED")  # what browsers write themselves when a request fails: those that the visit made fail


def test_t1_no_error_and_no_request_to_others(visit):
    left = [error for error in visit["errors"] if not any(word in error for word in TOLD)]
    assert left == [] and visit["failed"] == {}, (left, visit["failed"])


def test_t1_the_first_load_is_small_and_what_draws_answers_comes_when_it_is_wanted(visit):
    first = seen(visit, "opened")
    assert first["focused"]
    assert seen(visit, "a card with a table")["loaded"] < 1.4e6
    assert sum(size for name, size in first["first"] if "/assets/" in name) < 200e3, first


def test_t1_an_answer_says_what_it_took(visit):
    """innerText has no words of the style sheet, such as the dots between."""
    assert re.fullmatch(r"claude-sonnet-4\s*\d+ tokens\s*[\d.]+ m?s\s*first text after .*", seen(visit, "a card with a table")["status"])


def test_t4_a_form_is_kept_and_sent(visit, house):
    kept = seen(visit, "a form that is kept")
    assert (kept["status"], kept["value"]) == (200, "Ada Lovelace")
    if "a form that is sent" in visit["stations"]:
        sent = [message["content"] for message in house.messages(kept["thread"]) if message["role"] == "user"][-1]
        assert sent.startswith('<content thesys="true">Submit</content><context>') and "Ada Lovelace" in sent


def test_t4_what_is_typed_into_a_form_early_is_kept_with_the_whole_answer(visit, house, upstream):
    told = seen(visit, "a form that is filled in while it is written")
    assert (told["status"], told["values"]) == (200, ["Grace Hopper"] * 2)
    kept = house.messages(told["thread"])[1]["content"]
    answer, _, typed = kept.partition("<context>")
    assert answer.strip().encode() == upstream.whole_answer("sample:form") and "Grace Hopper" in typed


@pytest.mark.parametrize("name", ["reloaded in mid-stream", "another thread meanwhile", "two tabs on one answer", "nginx reloaded",
                                  "the connection lost and found"])
def test_t3_an_answer_goes_on_and_is_whole(visit, house, upstream, name):
    told = seen(visit, name)
    question, answer, *_ = house.messages(told["thread"] if isinstance(told, dict) else told)
    assert answer["status"] == "complete"
    assert answer["content"].encode() == upstream.whole_answer("sample:text")
    assert "fault:gate" in question["content"]


def test_t3_who_looks_at_another_thread_closes_nothing(visit):
    assert seen(visit, "another thread meanwhile")["closed"] == 0


def test_t3_stop_stops_the_model_within_a_second_and_keeps_what_came(visit, house):
    told = seen(visit, "stopped")
    assert (told["status"], told["upstream_closed"]) == ("stopped", True)
    answer = house.messages(told["thread"])[-1]
    assert answer["status"] == "stopped" and len(answer["content"].encode()) == told["bytes"] > 40


def test_t3_what_has_no_word_yet_is_stopped_too(visit):
    assert seen(visit, "stopped before its first word")


@pytest.mark.parametrize("name", ["failed, edited and asked again", "cut off", "silent", "a worker killed"])
def test_t2_a_failure_is_told_and_one_can_go_on(visit, name):
    assert seen(visit, name)


def test_t4_think_items_actions_and_follow_ups(visit, house):
    told = seen(visit, "what the model does besides")
    assert told["acted"] == {"type": "my_action", "params": {"a": 1}, "thread": told["thread"]}
    assert told["content"] == ('<content thesys="true">Compare regions</content>'
                               "<context>[&quot;User clicked on FollowUpItem: Compare regions&quot;,{}]</context>")
    think = house.messages(told["thread"])[1]["content"]
    assert "Kept item" in think and "ephemeral" not in think


def test_t1_every_sample_is_drawn(visit):
    shown = seen(visit, "every sample")
    assert set(shown) == set(SAMPLES)
    assert not [name for name, text in shown.items() if "Error while" in text or not text.strip()]


def test_t1_threads_are_renamed_found_archived_and_deleted(visit):
    assert seen(visit, "renamed, searched, archived, deleted") == 1


@pytest.mark.parametrize("where", ["welcome", "answers", "dark", "narrow"])
def test_axe_finds_nothing_serious(visit, where):
    if where in ("dark", "narrow", "answers"):
        seen(visit, "narrow")
    assert visit["axe"][where] == []


def test_360_px_are_enough(visit):
    assert max(seen(visit, "narrow")) <= 0


def test_t1_where_a_token_is_wanted_the_page_asks_for_it(served, new_site):
    secret = "0123456789abcdef0123456789abcdef"
    site = new_site({"C1D_AUTH": "jwt", "C1D_JWT_SECRET": secret}, server=served)
    token = jwt.encode({"sub": "ada", "exp": int(time.time()) + 3600}, secret, "HS256")
    done = subprocess.run(["node", str(PLACE / "sign_in.mjs"), site.url + "/", token, str(BUILT / "sign-in.png")], cwd=PLACE, text=True,
                          capture_output=True, timeout=VISIT_S, check=False, env={**os.environ, "CHROMIUM": shutil.which("chromium")})
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["left"] == 0
    assert not [error for error in told["errors"] if "status of 401" not in error]


def test_r12_the_page_says_what_may_run_in_it_and_is_kept_by_its_names(house):
    page = house.get("/", {"Accept-Encoding": "gzip"})
    assert page.status == 200 and page.headers["Cache-Control"] == "no-cache"
    assert "default-src 'none'; script-src 'self';" in page.headers["Content-Security-Policy"]
    asset = re.search(rb"/(assets/index-[\w-]+\.js)", page.body)[1].decode()
    script = house.get(f"/{asset}", {"Accept-Encoding": "gzip"})
    assert (script.headers["Content-Encoding"], script.headers["Cache-Control"]) == ("gzip", "public, max-age=31536000, immutable")
    assert house.get("/nothing.js").status == 404
