"""Who signs in takes along what their browser had as a visitor: what the browser had, and nothing of anybody else's."""
import uuid

import pytest

from api import problem
from attackers import JWT_SECRET, VISITOR, Browser, bearer, token
from callers import known, server
from house import Site, in_parallel

USER = {"iss": "claim", "aud": "claim"}


def name(kind):
    return kind + uuid.uuid4().hex[:12]


@pytest.fixture(scope="module")
def site(scratch, upstream, store_uri):
    house = Site(scratch, upstream, {"C1D_STORE": store_uri, "C1D_AUTH": "jwt,visitor", "C1D_JWT_SECRET": JWT_SECRET, "C1D_JWT_ISSUER": "claim",
                                     "C1D_JWT_AUDIENCE": "claim"})
    yield house
    house.stop()


def signed_in(visitor, sub=None):
    """The same browser, whose page sends a token along from now on."""
    user = Browser(visitor.site, **bearer(token(sub or name("u"), **USER)))
    user.cookies = dict(visitor.cookies)
    return user


def claimed(user):
    answer = user.ask("POST", "/api/me/claim")
    assert answer.status == 200, answer
    return answer.json()["claimed"]


def test_the_browser_that_signs_in_has_what_it_had_and_the_visitor_is_nobody(site):
    visitor = Browser(site)
    thread = visitor.make(title="of before")["id"]
    live = site.stream({"thread_id": thread, "message": f"fault:endless;pace=50 {name('p')}"}, headers={"Cookie": f"{VISITOR}={visitor.visitor()}"})
    live.read_some()
    run, user = live.headers["X-Run-Id"], signed_in(visitor)
    assert user.titles() == []
    assert claimed(user) == 1 and user.titles() == ["of before"]
    problem(visitor.get(f"/api/threads/{thread}"), 403, "access_denied")
    assert visitor.titles() == []
    assert user.get(f"/api/runs/{run}").json()["status"] == "streaming"
    assert user.ask("POST", f"/api/runs/{run}/stop").status == 200
    live.close()
    # What was asked as a visitor its asker may follow to its end; of what comes later it sees nothing.
    later = user.post("/api/chat", {"thread_id": thread, "message": f"fault:pace=0 {name('p')}"})
    problem(visitor.get(f"/api/runs/{later.headers['X-Run-Id']}"), 403, "access_denied")
    assert claimed(signed_in(visitor)) == 0  # another user comes too late


def test_nothing_is_claimed_without_the_visitors_own_cookie(site):
    visitor, eve = Browser(site), Browser(site)
    owner = visitor.make(title="hers")["user_id"]
    good, theirs = visitor.visitor().split("."), eve.visitor().split(".")
    for value in ("", good[1], owner, ".".join([good[0], good[1], theirs[2], theirs[3]]), ".".join(good)[:-1], ".".join(good) + "A",
                  f"{'.'.join(good)}; {VISITOR}={'.'.join(theirs)}"):
        user = signed_in(eve)
        user.cookies = {VISITOR: value}
        assert claimed(user) == 0, value
    for query in (f"?user_id={owner}", f"?visitor={owner}", f"?visitor_id={owner}"):
        answer = signed_in(eve).ask("POST", "/api/me/claim" + query)
        assert answer.status in (403, 422), answer
    answer = signed_in(eve).post("/api/me/claim", {"visitor_id": owner, "user_id": owner})
    assert answer.status in (200, 403, 422) and (answer.status != 200 or answer.json()["claimed"] == 0)
    assert visitor.titles() == ["hers"]


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_f14_a_page_elsewhere_claims_nothing(site, headers):
    visitor = Browser(site)
    visitor.make(title="hers")
    user = signed_in(visitor)
    problem(user.ask("POST", "/api/me/claim", headers=headers), 403, "foreign_origin")
    by_cookie = Browser(site)
    by_cookie.cookies = {**visitor.cookies, "__session": token(name("u"), **USER)}
    problem(by_cookie.ask("POST", "/api/me/claim", headers=headers), 403, "foreign_origin")
    assert visitor.titles() == ["hers"]


def test_a_visitor_or_nobody_claims_nothing(site):
    visitor = Browser(site)
    visitor.make(title="hers")
    for browser in (visitor, Browser(site)):
        answer = browser.ask("POST", "/api/me/claim")
        assert answer.status in (401, 403) or answer.json()["claimed"] == 0, answer
    wrong = Browser(site, **bearer(token("eve", **USER)[:-2]))
    wrong.cookies = dict(visitor.cookies)
    problem(wrong.ask("POST", "/api/me/claim"), 401, "unauthorized")
    assert visitor.titles() == ["hers"]


def test_of_two_that_claim_at_once_each_thread_is_ones(site):
    visitor = Browser(site)
    for n in range(30):
        visitor.make(title=f"{n}")
    users = [signed_in(visitor) for _ in range(4)]
    counts = in_parallel(4, lambda n: claimed(users[n]))
    had = [user.titles() for user in users]
    assert sum(counts) == 30 and sorted(title for titles in had for title in titles) == sorted(str(n) for n in range(30))
    assert visitor.titles() == []


def test_what_a_user_had_stays_and_keys_of_servers_claim_no_more_than_users(site):
    visitor = Browser(site)
    visitor.make(title="the visitor's")
    user = signed_in(visitor)
    user.make(title="the user's")
    assert claimed(user) == 1 and sorted(user.titles()) == ["the user's", "the visitor's"]
    shop = known(server(site, scopes="read"))
    other = Browser(site)
    other.make(title="another's")
    shop.cookies = dict(other.cookies)
    assert shop.ask("POST", "/api/me/claim").status == 403 and other.titles() == ["another's"]
