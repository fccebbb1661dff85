"""c1d.ts by itself, in node, against answers that are written down: what a real c1d gives seldom, or what something else gives. One
run; each test looks at one thing that was seen."""
import json
import subprocess

import pytest

from house import DEADLINE_S
from pages import MODULES, PLACE, WEB


@pytest.fixture(scope="module")
def seen(tools, tmp_path_factory):
    script = tmp_path_factory.mktemp("client") / "c1d.mjs"
    subprocess.run(["node", str(MODULES / "esbuild/bin/esbuild"), str(WEB / "src/c1d.ts"), "--format=esm", f"--outfile={script}", "--log-level=warning"],
                   check=True, timeout=DEADLINE_S * 4)
    done = subprocess.run(["node", str(PLACE / "client.mjs"), str(script)], text=True, capture_output=True, timeout=DEADLINE_S * 4, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert "missing" not in told, told
    return told


def test_e3_who_comes_back_goes_on_behind_the_byte_that_was_read_last(seen):
    assert seen["pieces"]["text"] == "abcdefghijklmnop" and seen["umlauts"]["text"] == "ööüüää" and seen["wordless"]["text"] == "ab"
    assert seen["pieces"]["asked"] == ["POST", "GET r1.10", "GET r1.10"] and seen["wordless"]["asked"] == ["POST", "GET r1.0"]


def test_e3_a_greeting_tells_that_the_connection_is_there_and_is_no_second_answer(seen):
    assert seen["pieces"]["events"] == ["run", "lost", "found", "lost", "found", "done"]


def test_e3_a_proxy_that_does_not_reach_c1d_is_asked_again(seen):
    assert (seen["proxy"]["text"], seen["proxy"]["events"]) == ("ab", ["lost", "found", "run", "done"])
    assert seen["proxyForGood"]["problem"] == "unknown" and len(seen["proxyForGood"]["asked"]) == 6


def test_e3_the_rest_of_an_answer_is_asked_for_until_it_comes(seen):
    assert (seen["rest"]["text"], seen["rest"]["events"], seen["rest"]["left"]) == ("abcd", ["run", "lost", "found", "done"], 0)


@pytest.mark.parametrize(("name", "code"), [("refused", "rate_limited"), ("ourError", "internal"), ("signInPage", "stranger")])
def test_e3_what_another_attempt_does_not_mend_is_told_at_once(seen, name, code):
    assert (seen[name]["problem"], seen[name]["asked"]) == (code, ["POST"])


def test_e4_what_was_typed_last_is_kept_last(seen):
    assert seen["typed"] == ["A", "Ada"]


def test_e4_what_is_typed_while_the_answer_is_written_is_kept_behind_it(seen):
    assert seen["typedEarly"] == 0


def test_e3_a_stop_that_came_too_late_is_none_of_the_next_answer(seen):
    assert (seen["first"], seen["second"], seen["stops"]) == ("ab", "cd", 0)


def test_e3_a_stop_is_of_the_thread_that_is_looked_at(seen):
    assert seen["stopped"] == ["/api/runs/r2/stop"]


def test_e3_a_thread_that_comes_late_is_not_followed(seen):
    assert seen["late"] == ["/api/threads/t2/messages", "/api/threads/t1/messages"]


def test_e3_who_lets_go_of_an_answer_hangs_up(seen):
    assert seen["hungUp"]
