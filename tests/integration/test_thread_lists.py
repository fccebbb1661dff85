"""Lists of conversations over HTTP, through nginx, on each store: order, pages, search, filters."""
import time
import urllib.parse

import pytest

from api import listed, make, next_page, owner, problem, walk
from house import in_parallel


def titles(threads):
    return [thread["title"] for thread in threads]


def filled(site, count, **fields):
    user = owner()
    made = []
    for i in range(count):
        made.append(make(site, title=f"t{i}", user_id=user, **fields)["id"])
        moment = time.time_ns() // 1000000
        while time.time_ns() // 1000000 == moment:  # times are told in milliseconds, and the list is ordered by them
            pass
    return user, made


def test_the_last_changed_comes_first_and_the_list_is_a_plain_array(site):
    user, made = filled(site, 3)
    site.patch("/api/threads/" + made[0], {"title": "changed"})
    answer = site.get("/api/threads?user_id=" + user)
    assert (answer.status, answer.headers["Link"]) == (200, None)
    assert titles(answer.json()) == ["changed", "t2", "t1"]
    assert all(thread["id"] == thread["threadId"] and "createdAt" in thread for thread in answer.json())


def test_a_turn_brings_its_thread_to_the_front(site):
    user, made = filled(site, 2)
    assert titles(listed(site, user_id=user)) == ["t1", "t0"]
    site.chat("hello", made[0], user_id=user)
    assert titles(listed(site, user_id=user)) == ["t0", "t1"]


def test_nobody_has_no_threads(site):
    assert listed(site, user_id=owner()) == []


@pytest.mark.parametrize("limit", [1, 3, 4, 11, 12, 13, 100])
def test_pages_show_each_thread_once(site, twelve, limit):
    user, made = twelve
    pages = walk(site, f"/api/threads?user_id={user}&limit={limit}")
    assert all(len(page) == limit for page in pages[:-1])
    assert [thread["id"] for page in pages for thread in page] == made[::-1]
    assert pages[-1] or len(pages) == 1, "the last page is empty"


@pytest.fixture(scope="module")
def twelve(site):
    return filled(site, 12)


def test_threads_that_were_changed_in_the_same_millisecond_are_not_lost(site):
    """More of them than a page holds: time alone would not tell where the next page starts."""
    user, made = filled(site, 7)
    in_parallel(7, lambda i: site.patch("/api/threads/" + made[i], {"archived": True}))
    pages = walk(site, f"/api/threads?user_id={user}&limit=1&archived=true")
    assert sorted(thread["id"] for page in pages for thread in page) == sorted(made)


def test_a_thread_that_changes_while_pages_are_walked_hides_no_other(site):
    user, made = filled(site, 4)
    first = site.get(f"/api/threads?user_id={user}&limit=2")
    site.patch("/api/threads/" + made[0], {"title": "t0 now"})
    make(site, title="new", user_id=user)
    rest = walk(site, next_page(first))
    assert titles(first.json()) == ["t3", "t2"]
    assert titles(thread for page in rest for thread in page) == ["t1"]


def test_a_thread_that_is_deleted_may_stand_in_a_cursor(site):
    user, made = filled(site, 3)
    first = site.get(f"/api/threads?user_id={user}&limit=2")
    site.delete("/api/threads/" + made[1])
    assert titles(site.get(next_page(first)).json()) == ["t0"]


def test_the_next_page_keeps_the_filters(site):
    user = owner() + " & =ü"
    for i in range(3):
        make(site, title=f"50% & more {i}", user_id=user)
    make(site, title="other", user_id=user)
    query = urllib.parse.urlencode({"user_id": user, "q": "50% & MORE", "archived": "false", "limit": 1})
    pages = walk(site, "/api/threads?" + query)
    assert [titles(page) for page in pages] == [["50% & more 2"], ["50% & more 1"], ["50% & more 0"]]


@pytest.mark.parametrize("query", ["cursor=x", "cursor=1.", "cursor=.a", "cursor=-5.a", "cursor=1.a%00b", "limit=0",
                                   "limit=101", "limit=x", "limit=", "archived=maybe", "q=" + "x" * 201])
def test_a_wrong_parameter_is_named(site, query):
    answer = site.get("/api/threads?" + query)
    field = query.split("=")[0]
    if "%00" in query:
        problem(answer, 400, "bad_request")
    else:
        problem(answer, 422, "validation", field)


@pytest.mark.parametrize("limit, expected", [(None, 50), (100, 60)])
def test_fifty_are_shown_unless_asked(site, sixty, limit, expected):
    query = {"user_id": sixty} | ({"limit": limit} if limit else {})
    assert len(listed(site, **query)) == expected


@pytest.fixture(scope="module")
def sixty(site):
    return filled(site, 60)[0]


# --- search ---
@pytest.fixture(scope="module")
def library(site):
    user = owner()
    for title in ("100% Cotton", "100 Cotton", "snake_case", "snakeXcase", "a*b?c[d]", "aXbXcd", "back\\slash",
                  "$100 (net)", "Größe ÄÖÜ", "日本語の表", "it's \"quoted\""):
        make(site, title=title, user_id=user)
    return user


@pytest.mark.parametrize("q, found", [
    ("cotton", ["100 Cotton", "100% Cotton"]),
    ("COTTON", ["100 Cotton", "100% Cotton"]),
    ("100%", ["100% Cotton"]),
    ("%", ["100% Cotton"]),
    ("_", ["snake_case"]),
    ("e_c", ["snake_case"]),
    ("*", ["a*b?c[d]"]),
    (".*", []),
    ("[d]", ["a*b?c[d]"]),
    ("?", ["a*b?c[d]"]),
    ("\\", ["back\\slash"]),
    ("$100 (NET)", ["$100 (net)"]),
    ("^1", []),
    ("größe äöü", ["Größe ÄÖÜ"]),
    ("本語", ["日本語の表"]),
    ("it's \"q", ["it's \"quoted\""]),
    ("' OR 1=1 --", []),
    ("nothing like it", []),
])
def test_q_is_looked_for_as_it_stands_in_any_case(site, library, q, found):
    assert sorted(titles(listed(site, user_id=library, q=q))) == sorted(found)


def test_an_empty_q_finds_all(site, library):
    assert len(listed(site, user_id=library, q="")) == 11


# --- filters ---
def test_archived_threads_are_asked_for_or_left_out(site):
    user, made = filled(site, 3)
    site.patch("/api/threads/" + made[1], {"archived": True})
    assert titles(listed(site, user_id=user, archived="true")) == ["t1"]
    assert titles(listed(site, user_id=user, archived="1")) == ["t1"]
    assert titles(listed(site, user_id=user, archived="false")) == ["t2", "t0"]
    assert sorted(titles(listed(site, user_id=user))) == ["t0", "t1", "t2"]


def test_each_user_sees_their_own_and_everybody_all(site):
    first, second = owner(), owner()
    make(site, title="one", user_id=first)
    make(site, title="two", user_id=second)
    assert titles(listed(site, user_id=first)) == ["one"]
    assert titles(listed(site, user_id=second)) == ["two"]
    assert {"one", "two"} <= set(titles(listed(site, limit=100)))


def test_head_tells_what_get_would(site):
    answer = site.request("HEAD", "/api/threads")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Type"].startswith("application/json")
