"""F1 as an attacker walks it: of two people one tries, route after route at random, whatever the table of routes has, with ids,
cursors, tags and names of the other among its own. Nothing of the other is ever seen or changed, and what the other has
under way goes on."""
import json
import os
import random
import urllib.parse
import uuid

import pytest

from api import UNKNOWN, next_page
from attackers import JWT_SECRET, Browser, bearer, token
from callers import known, server
from house import Site

STEPS = 100  # in one direction, for each pair and store: 2,000 in all
PAIRS = [("visitor", "visitor"), ("token", "visitor"), ("token", "token"), ("key", "visitor"), ("key", "token")]


def name(kind):
    return kind + uuid.uuid4().hex[:12]


@pytest.fixture(scope="module")
def site(scratch, upstream, store_uri):
    house = Site(scratch, upstream, {"C1D_STORE": store_uri, "C1D_AUTH": "jwt,visitor", "C1D_JWT_SECRET": JWT_SECRET,
                                     "C1D_JWT_ISSUER": "walk", "C1D_JWT_AUDIENCE": "walk"})
    yield house
    house.stop()


BROWSERS = {
    "visitor": Browser,
    "token": lambda site: Browser(site, **bearer(token(name("u"), iss="walk", aud="walk"))),
    "key": lambda site: known(server(site)),
}


class Person:
    """Somebody with threads, messages, an answer that runs and one that has ended; `canary` is in all that is theirs."""

    def __init__(self, site, kind):
        self.site, self.canary = site, name("canary")
        self.browser = BROWSERS[kind](site)
        self.threads, self.messages = [], {}
        for n in range(3):
            thread = self.browser.make(title=f"{self.canary} {n}", metadata={"c": self.canary})
            self.threads.append(thread["id"])
            for role in ("user", "assistant"):
                added = self.browser.post(f"/api/threads/{thread['id']}/messages", {"role": role, "content": f"{self.canary} {role}"})
                assert added.status == 201, added
                self.messages.setdefault(thread["id"], []).append(added.json()["id"])
        self.user_id = thread["user_id"]
        self.etag = self.browser.get(f"/api/threads/{self.threads[0]}").headers["ETag"]
        first = self.browser.get("/api/threads?limit=1")
        self.cursor = urllib.parse.parse_qs(urllib.parse.urlsplit(next_page(first)).query)["cursor"][0]
        self.key, self.question = name("k"), {"thread_id": self.threads[1], "message": f"fault:pace=0 {self.canary}"}
        ended = self.browser.post("/api/chat", self.question, {"Idempotency-Key": self.key})
        assert ended.status == 200, ended
        self.live = site.stream({"thread_id": self.threads[2], "message": f"fault:endless;pace=50 {self.canary}"}, "?stream=sse",
                                {**self.browser.carries, **self.cookie()})
        assert self.live.status == 200
        self.live.read_until(b"delta")
        self.runs = [self.live.headers["X-Run-Id"], ended.headers["X-Run-Id"]]
        self.messages[self.threads[1]].append(ended.headers["X-Response-Id"])
        self.messages[self.threads[2]].append(self.live.headers["X-Response-Id"])

    def cookie(self):
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.browser.cookies.items())} if self.browser.cookies else {}

    def everything(self):
        """What they have, but for the text that still comes."""
        found = []
        for thread in sorted(self.browser.get("/api/threads").json(), key=lambda thread: thread["id"]):
            messages = self.browser.get(f"/api/threads/{thread['id']}/messages").json()
            stable = [message for message in messages if message["status"] != "streaming"]
            found.append([thread, stable, len(messages)])
        return found

    def end(self):
        assert self.browser.get(f"/api/runs/{self.runs[0]}").json()["status"] == "streaming"
        assert self.browser.post(f"/api/runs/{self.runs[0]}/stop").status == 200
        self.live.close()


class Thief:
    """One of the two, for as long as it tries what is the other's."""

    def __init__(self, site, dice, me, victim):
        self.site, self.dice, self.me, self.victim = site, dice, me, victim
        paths = site.get("/api/openapi.json").json()["paths"]
        self.operations = [(method.upper(), path) for path, methods in paths.items() for method in methods
                           if path.startswith("/api/") and path not in ("/api/openapi.json", "/api/health")]
        assert len(self.operations) >= 15

    def step(self):
        method, path = self.dice.choice(self.operations)
        whose = self.dice.choice([self.me, self.victim, self.victim, None])
        target, foreign = self.fill(path, whose)
        headers = self.dice.choice([{}, {}, {"If-Match": self.victim.etag}, {"If-None-Match": self.victim.etag},
                                    {"Idempotency-Key": self.victim.key}, {"Last-Event-ID": f"{self.victim.runs[0]}.10"}])
        body = self.body(method, path)
        if whose is self.me and (method == "DELETE" or path.endswith("/stop")):
            return  # its own is needed yet
        target += self.query(path, whose) if method == "GET" else ""
        answer = self.me.browser.ask(method, target, body, headers)
        told = f"{method} {target} {json.dumps(body)} {headers}: {answer}"
        assert self.victim.canary not in answer.text, told
        assert self.victim.canary not in str(answer.headers), told
        assert answer.status < 500, told
        if path == "/api/me/claim":
            assert answer.status in (401, 403) or answer.json() == {"claimed": 0}, told
        elif "user_id" in (body or {}) or "user_id" in target:
            assert answer.status in (400, 403, 404), told
        elif foreign:
            # Never one that tells how it stands: 200, 304, 409, 412, 416. Only an event of another run is told before.
            assert answer.status in ((403, 404, 422) if "Last-Event-ID" in headers else (403, 404)), told
        elif whose is None and "{" in path:
            assert answer.status in (400, 404, 422), told

    def fill(self, path, whose):
        """The path with ids in it; does it name what is the victim's?"""
        if "{" not in path:
            return path, False
        thread = self.dice.choice(whose.threads) if whose else UNKNOWN
        run = self.dice.choice(whose.runs) if whose else UNKNOWN
        message = self.dice.choice(self.victim.messages[self.dice.choice(self.victim.threads)])  # also under one's own thread
        if path.startswith("/api/runs/"):
            return path.replace("{id}", run), whose is self.victim
        return path.replace("{id}", thread).replace("{mid}", message), whose is self.victim

    def query(self, path, whose):
        words = {"/api/threads": ["", f"?cursor={self.victim.cursor}", f"?user_id={self.victim.user_id}", f"?q={self.victim.canary}",
                                  f"?limit=100&cursor={self.victim.cursor}&user_id={self.victim.user_id}"],
                 "/api/threads/{id}/messages": ["", "?as=c1", f"?before={self.victim.messages[self.victim.threads[0]][0]}",
                                                f"?after={self.victim.messages[self.victim.threads[1]][0]}"],
                 "/api/runs/{id}/stream": ["?offset=0", "?stream=sse"] if whose is not self.me else ["?offset=999999999"]}
        return self.dice.choice(words.get(path, [""]))

    def body(self, method, path):
        if method in ("GET", "DELETE") or path.endswith("/stop"):
            return None
        victim = self.victim
        body = {
            "/api/chat": lambda: self.dice.choice([
                {"thread_id": self.dice.choice(victim.threads), "message": "fault:pace=0 planted"}, victim.question,
                {"thread_id": self.dice.choice(self.me.threads[:2]), "responseId": victim.messages[victim.threads[1]][-1],
                 "message": "fault:pace=0 mine"},
                {"threadId": self.dice.choice(victim.threads), "responseId": victim.messages[victim.threads[1]][-1],
                 "prompt": {"id": victim.messages[victim.threads[0]][0], "role": "user", "content": "fault:pace=0 planted"}}]),
            "/api/threads": lambda: {"title": "mine"},
            "/api/threads/{id}": lambda: self.dice.choice([{"title": "planted"}, {"archived": True}, {"metadata": {"p": 1}}]),
            "/api/threads/{id}/messages": lambda: {"role": "user", "content": "planted",
                                                   "id": self.dice.choice([name("m"), victim.messages[victim.threads[0]][0]])},
            "/api/threads/{id}/messages/{mid}": lambda: {"content": "planted"},
            "/api/thread": lambda: {"name": "mine"},
            "/api/thread/{id}": lambda: {"title": "planted"},
            "/api/thread/{id}/message": lambda: {"role": "user", "content": "planted",
                                                 "id": self.dice.choice([name("m"), victim.messages[victim.threads[0]][0]])},
            "/api/openui/create": lambda: {"messages": [{"role": "user", "content": "mine"}]},
            "/api/openui/update/{id}": lambda: {"title": "planted"},
            "/api/openui/chat": lambda: {"threadId": self.dice.choice(victim.threads), "runId": victim.messages[victim.threads[1]][-1],
                                         "messages": [{"role": "user", "content": "fault:pace=0 planted"}]},
        }.get(path, dict)()
        if self.dice.random() < 0.2:
            body["user_id"] = victim.user_id
        return body


@pytest.mark.parametrize("mine, theirs", PAIRS)
def test_f1_f3_whatever_is_tried_at_random_the_other_sees_and_keeps_what_is_theirs(site, upstream, mine, theirs):
    seed = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"SEED={seed}")
    dice = random.Random(seed)
    one, other = Person(site, mine), Person(site, theirs)
    for me, victim in ((one, other), (other, one)):
        thief, before = Thief(site, dice, me, victim), victim.everything()
        for _ in range(STEPS):
            thief.step()
        assert victim.everything() == before
    one.end()
    other.end()
    asked = upstream.stats()["prompts"]
    assert not [prompt for prompt in asked if "planted" in prompt], "a question was asked in the other's thread"
