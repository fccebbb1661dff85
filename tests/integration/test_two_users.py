"""F17: two users on one worker, turn about, each with a text that nobody else may ever see: what is reused between requests, and
uninitialised memory, would show it. Everything is looked at: streams, pages, headers, what the C1 API was asked."""
import json
import os
import uuid

import pytest

from attackers import Browser
from house import Site, in_parallel

TURNS = int(os.environ.get("C1D_CANARY_TURNS", "2000"))  # in all
TALKS = 2  # conversations at once of each user
ROUND = 25  # turns between two looks at everything


def text_of(answer):
    """What it says, with the pieces of events put together."""
    if not answer.headers["Content-Type"].startswith("text/event-stream"):
        return answer.text
    return answer.text + "".join(json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith('data: "'))


class User:
    def __init__(self, site):
        self.browser, self.canary = Browser(site), f"canary-{uuid.uuid4().hex}"
        self.user_id = self.browser.make(title=self.canary)["user_id"]

    def sees(self, answer, others):
        """An answer of any kind: what it says and how."""
        told = text_of(answer) + repr(sorted(answer.headers.items()))
        for other in others:
            assert other.canary not in told and other.user_id not in told, told[:2000]
        return answer


@pytest.fixture(scope="module")
def site(scratch, upstream):
    house = Site(scratch, upstream, {"C1D_AUTH": "visitor", "C1D_HISTORY_MAX": "4k"}, workers=1)
    yield house
    house.stop()


def talk(me, others, thread):
    for turn in range(ROUND):
        question = f"fault:pace=0 {me.canary} {turn} {'x' * (turn * 37 % 900)}"
        answer = me.sees(me.browser.post(f"/api/chat{'?stream=sse' if turn % 2 else ''}",
                                         {"message": question, "thread_id": thread}), others)
        assert answer.status == 200 and me.canary in text_of(answer), answer
    for path in (f"/api/threads/{thread}", f"/api/threads/{thread}/messages?as=c1", f"/api/threads/{thread}/runs",
                 f"/api/runs/{answer.headers['X-Run-Id']}/stream", "/api/threads?limit=100"):
        assert me.canary in me.sees(me.browser.get(path), others).text or path.endswith("/runs"), path
    for other in others:
        other.sees(other.browser.get(f"/api/threads/{thread}"), [me])  # 403, and nothing else


def test_f17_two_users_on_one_worker_never_see_each_others(site):
    users = [User(site) for _ in range(2)]
    threads = [f"t-{uuid.uuid4().hex}" for _ in range(len(users) * TALKS)]

    def one(i):
        me = users[i % len(users)]
        talk(me, [other for other in users if other is not me], threads[i])

    for _ in range(TURNS // (len(threads) * ROUND)):
        in_parallel(len(threads), one)
    for request in site.upstream.requests():
        text = json.dumps(request["body"])
        assert sum(user.canary in text for user in users) <= 1, text[:2000]
    written = site.log_path.read_text() + site.metrics()
    for user in users:
        assert user.canary not in written and user.user_id not in written
