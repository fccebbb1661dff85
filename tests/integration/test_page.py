"""The README's page, as somebody pastes it: its lines are taken from the README, bundled, and visited in Chromium through
nginx and c1d. One build, one visit; each test looks at one thing that was seen."""
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from house import ROOT, Site
from pages import BUILT, PLACE, SAMPLES, VISIT_S, WEB, WHOLE

STOCK = "/api/chat?errors=card&keepalive=15&on_disconnect=grace:20"
pytestmark = pytest.mark.xdist_group("page")  # one visit


@pytest.fixture(scope="module")
def page(bundle, scratch, upstream):
    """nginx with the page and the shipped locations, c1d behind it."""
    served = scratch / "page"
    shutil.copytree(bundle, served)  # where nginx may read
    house = Site(scratch, upstream, WHOLE,
                 server=f"root {served}; index index.html; include /etc/nginx/mime.types;")
    yield house
    house.stop()


@pytest.fixture(scope="module")
def visit(page, upstream):
    """What a person saw. Pictures of each station lie in build/page/pictures."""
    pictures = BUILT / "pictures"
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir()
    done = subprocess.run(["node", str(PLACE / "visit.mjs"), page.url + "/", upstream.control, str(pictures)], cwd=PLACE, text=True,
                          capture_output=True, timeout=VISIT_S, check=False,
                          env={**os.environ, "CHROMIUM": shutil.which("chromium")})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def requests_of(visit, method, pattern):
    return [request for request in visit["requests"]
            if request["method"] == method and re.fullmatch(pattern, request["path"])]


def test_t1_nothing_goes_wrong_and_nothing_is_asked_of_others(visit):
    assert visit["errors"] == [], (visit["errors"], visit.get("text"))
    assert {request["status"] for request in visit["requests"]} <= {200, 201, 502}  # 502: the question that is to fail
    assert visit["stations"]["opened"] == {"width": 1280, "height": 800}  # the whole window


def test_t1_the_first_answer_shows_a_card_and_its_thread_in_the_list(visit):
    assert visit["stations"]["first answer"]
    assert visit["stations"]["second thread"]
    assert len(requests_of(visit, "POST", "/api/threads")) == 3  # and one more, below


def test_t1_what_was_typed_into_a_form_is_there_after_a_reload(visit):
    assert visit["stations"]["form filled in"] == 200
    assert visit["stations"]["reloaded"] == "Ada"


def test_t1_a_thread_is_deleted(visit, page):
    assert visit["stations"]["deleted"]
    titles = [thread["title"] for thread in page.get("/api/threads").json()]
    assert "Show me a form" in titles and "Show me a table" not in titles


def test_t2_a_failure_is_shown(visit):
    assert visit["stations"]["failed"]


def test_t3_the_stop_button_stops_the_model(visit, page, upstream):
    stopped = visit["stations"]["stopped"]
    assert (stopped["status"], stopped["upstream_closed"]) == ("stopped", True)
    assert upstream.wait_stats(early_closes=1)
    thread = next(thread["id"] for thread in page.get("/api/threads").json() if thread["title"] == "Show me a form")
    assert page.messages(thread)[-1]["status"] == "stopped"


def test_t3_who_only_goes_away_finds_the_answer_finished(visit):
    """The page's own button stops the model, so going away need not."""
    chats = {request["path"] for request in visit["requests"] if request["path"].startswith("/api/chat")}
    assert chats == {"/api/chat?stream=sse", STOCK}


def test_t3_who_comes_back_finds_the_answer_still_streaming(visit, page, upstream):
    assert visit["stations"]["back while it streams"]
    thread = next(thread["id"] for thread in page.get("/api/threads").json() if "gate=readme" in thread["title"])
    assert page.messages(thread)[-1]["content"].encode() == upstream.whole_answer("sample:text")


def test_t1_the_stock_client_with_nothing_but_an_address_draws_every_sample(visit):
    shown = visit["stations"]["stock"]
    assert set(shown) == set(SAMPLES)
    assert not [name for name, text in shown.items() if "Error while" in text or len(text) < 5]
    assert STOCK in (ROOT / "README.md").read_text()


def test_t1_the_readme_names_the_packages_that_were_tried():
    wanted = json.loads((WEB / "package.json").read_text())["dependencies"]
    install = re.search(r"^npm install .*(?:\\\n.*)*", (ROOT / "README.md").read_text(), re.M)[0]
    assert set(re.findall(r"(@\S+)@(\S+)", install)) == {(name, version) for name, version in wanted.items()
                                                        if name.startswith(("@thesysai/", "@crayonai/"))}


@pytest.mark.parametrize("folder", [WEB, PLACE, ROOT / "examples/nextjs"], ids=["web", "tests/page", "nextjs"])
def test_t1_the_lock_file_names_no_place(folder):
    assert '"resolved"' not in (folder / "package-lock.json").read_text()
    assert Path(folder / ".npmrc").read_text().splitlines()[0] == "omit-lockfile-registry-resolved=true"


# --- the demo's own page ---
def test_the_demos_input_bar_does_not_cover_the_newest_line(tools, scratch, new_site):
    served = scratch / "demo-page"
    served.mkdir()
    shutil.copy(ROOT / "tests/demo/index.html", served)
    house = new_site({}, server=f"location = / {{ root {served}; default_type text/html; try_files /index.html =404; }}")
    done = subprocess.run(["node", str(PLACE / "newest_line.mjs"), house.url + "/", str(BUILT / "demo.png")], cwd=PLACE,
                          capture_output=True, text=True, timeout=VISIT_S, check=False,
                          env={**os.environ, "CHROMIUM": shutil.which("chromium")})
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["newest"] <= seen["bar"] + 1 and seen["inputBottom"] <= seen["window"] + 1, seen
