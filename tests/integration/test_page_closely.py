"""Our own page (web/) looked at more closely, on one store: by keyboard, as two visitors, what can be done with an answer, what may
befall it, and what Lighthouse says. One visit; each test looks at one thing that was seen. Pictures lie in build/page/closely."""
import json
import os
import re
import shutil
import subprocess

import pytest

from house import Site
from pages import BUILT, PLACE, VISIT_S, WHOLE, served_page

pytestmark = pytest.mark.xdist_group("our page closely")  # one visit


def node(script, *args):
    """What a script of tests/page tells, of its last line."""
    done = subprocess.run(["node", str(PLACE / script), *args], cwd=PLACE, text=True, capture_output=True, timeout=VISIT_S, check=False,
                          env={**os.environ, "CHROMIUM": shutil.which("chromium")})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def house(our_page, scratch, upstream):
    site = Site(scratch, upstream, {**WHOLE, "C1D_AUTH": "visitor", "C1D_RUNS_PER_USER": "2"}, workers=1, server=served_page(our_page, scratch))
    yield site
    site.stop()


@pytest.fixture(scope="module")
def visit(house):
    folder = BUILT / "closely"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return node("closely.mjs", house.url + "/", str(folder))


def seen(visit, name):
    assert name in visit["stations"], (visit["failed"], visit["errors"])
    return visit["stations"][name]


EXPECTED = ("status of 429", "status of 403", "ERR_INTERNET_DISCONNECTED")  # written by the browser: what the visit made fail


def test_p3_no_error_and_no_request_to_others(visit):
    left = [error for error in visit["errors"] if not any(word in error for word in EXPECTED)]
    assert left == [] and visit["failed"] == {}, (left, visit["failed"])


# --- by keyboard ---
def test_p2_the_keyboard_reaches_everything_and_one_sees_where_it_is(visit):
    told = seen(visit, "the keyboard reaches everything")
    assert told["hidden"] == []
    for name in ("Skip to the question", "Hide the list of chats", "New chat", "Search chats", "Show me a form", "More of Show me a form",
                 "Show the archive", "Dark colours", "Sign in with a token", "Conversation", "Edit the question", "Ada", "Submit",
                 "Copy the answer", "Try again", "Your question"):
        assert name in told["names"], name
    assert told["names"][0] == "Skip to the question" and told["names"][-1] == "Your question"


def test_p2_menus_and_dialogs_close_by_escape_and_give_the_focus_back(visit):
    assert set(seen(visit, "menus and dialogs by keyboard")) <= {"DIALOG", None}  # None: the browser's own bar, behind the last button


def test_p2_one_asks_stops_edits_and_asks_again_by_keyboard(visit):
    assert seen(visit, "asked, stopped, edited and asked again by keyboard")


def test_p2_a_drawer_keeps_the_focus_until_it_is_closed(visit):
    assert set(seen(visit, "the list hidden and shown by keyboard")) <= {"NAV", None}


# --- what can be done with an answer ---
def test_p3_an_answer_is_copied_as_it_is_read(visit):
    text = seen(visit, "copied")["text"]
    assert 'Hello from MongoDB, 2 < 3 & "quotes" – ünïcödé 🚀' in text and "<content" not in text


def test_p3_arabic_is_written_from_right_to_left(visit):
    assert seen(visit, "copied")["written"] == "rtl"


def test_p3_a_link_opens_without_a_way_back(visit):
    assert seen(visit, "a link of an answer") == ["http://127.0.0.1:9/none", "_blank", "noopener,noreferrer"]


def test_p3_an_artifact_is_shown_and_opened(visit):
    assert "Sales report" in seen(visit, "an artifact")["preview"]


# --- what befalls an answer ---
def test_p3_who_waits_for_a_silent_model_is_told_and_may_stop_it(visit):
    assert seen(visit, "silent in the middle")


def test_p3_no_network_for_a_while_takes_nothing_away(visit):
    told = seen(visit, "no network when the window is looked at again")
    assert told["drawn"] and told["notices"] == 0 and told["send"]


def test_p5_what_is_asked_again_in_vain_costs_nothing(visit):
    assert seen(visit, "asked again in vain")["versions"] == 0


def test_p5_the_model_is_told_of_the_last_version_alone(visit, upstream):
    seen(visit, "what the model is told")

    def told(words):
        request = next(r for r in upstream.requests()[::-1] if r["body"] and words in r["body"]["messages"][-1]["content"])
        return [re.sub(r"<[^>]*>", "", message["content"]) for message in request["body"]["messages"] if message["role"] == "user"]

    assert told("sample:v2 second") == ["sample:v2 first", "sample:v2 second"]  # asked again: it stands there once
    assert told("sample:v2 third") == ["sample:v2 first", "sample:v2 third"]


# --- whose it is ---
def test_p3_two_visitors_see_nothing_of_each_other(visit):
    told = seen(visit, "two visitors")
    assert told["his"] == ["Show me a table"] and "Draw a chart" in told["hers"]
    assert told["drawn"] == 0 and "Compare" not in told["refused"]


# --- Lighthouse ---
@pytest.fixture(scope="module")
def judged(house):
    told = node("lighthouse.mjs", house.url + "/", "loaded")
    assert not told.get("error"), told
    return told


@pytest.mark.parametrize("what", ["accessibility", "best-practices"])
def test_p1_lighthouse_finds_little(judged, what):
    assert judged["scores"][what] >= 95, judged["failed"]


def test_p1_the_first_load_keeps_its_budgets(judged, house):
    """Performance by what does not depend on the clock; `make lighthouse` has the scores."""
    requests = judged["requests"]
    assert all(request["url"].startswith(house.url) and request["statusCode"] == 200 for request in requests), requests
    assert sum(request["transferSize"] for request in requests) < 200e3 and len(requests) <= 10, requests
    for request in requests:
        if request["resourceType"] in ("Script", "Stylesheet"):
            assert request["transferSize"] < 0.5 * request["resourceSize"], request  # packed
    assert len(judged["blocking"]) <= 1 and all(url.endswith(".css") for url in judged["blocking"])
    assert judged["uncached"] == [] and judged["shift"] < 0.05
