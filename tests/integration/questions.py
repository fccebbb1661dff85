"""One question under a fault of the C1 API, with all that a user would notice of it."""
import os
import uuid

from house import wait_for

KEY = "sk-th-test-canary-0123456789"


def name(kind):
    return kind + uuid.uuid4().hex[:12]


def with_room(ask):
    """Its answer. A store of one machine need not have room for everybody at once: who is told to come again does, by the same names."""
    def asked():
        answer = ask()
        return answer if answer.status != 503 or b"The store is busy" not in answer.body else None

    return wait_for(asked, "the store has room")


def stream(site, body, **more):
    """As site.stream, once there is room."""
    def begun():
        one = site.stream(body, **more)
        if one.status == 503:
            one.read_all()
        return one

    return with_room(begun)


def soon_enough(ask, *but):
    """Its outcome, asked for until the machine was quick enough for the site's deadlines: the first byte was there in time, and the answer
    did not end as one of `but`."""
    def asked():
        outcome = ask()
        return outcome if outcome.status != 504 and outcome.message["status"] not in but else None

    return wait_for(asked, "an answer in time")


class Outcome:
    """Asked, read to its end, and compared with what is stored. It was sent once at most, or as often as `sent` says."""

    def __init__(self, site, fault, query="", sent=(0, 1), **more):
        self.thread, self.answer_id, self.site = name("t"), name("a"), site
        self.prompt = f"fault:{fault} {name('p')}" if fault else name("p")
        self.answer = with_room(lambda: site.chat(self.prompt, self.thread, query, responseId=self.answer_id, **more))
        self.status, self.body = self.answer.status, self.answer.body
        messages = {m["id"]: m for m in site.messages(self.thread)}
        self.message = messages[self.answer_id]
        assert [m["role"] for m in messages.values()] == ["user", "assistant"]
        assert self.stats().get("requests", 0) in sent, self.stats()
        assert KEY.encode() not in self.body and KEY not in site.log_path.read_text()

    def stats(self):
        return self.site.upstream.stats()["prompts"].get(self.prompt, {})

    def failed_early(self, status, code):
        assert (self.status, self.answer.json()["code"]) == (status, code), self.answer
        assert self.message["status"] == "error" and self.message["content"] == ""
        return self.answer

    def ended(self, *statuses):
        assert self.status == 200, self.answer
        assert self.message["status"] in statuses, (self.message["status"], self.body[-200:])
        assert self.message["content"].encode() == self.body
        return self

    def whole(self):
        self.ended("complete")
        assert self.body == self.site.upstream.whole_answer(self.prompt)
        return self


class Bystander:
    """An answer that stands still at a gate while something befalls others."""

    def __init__(self, site):
        self.site, self.thread, self.answer_id, self.gate = site, name("t"), name("a"), name("g")
        self.prompt = f"fault:gate={self.gate}@40 {name('p')}"
        self.stream = stream(site, {"thread_id": self.thread, "message": self.prompt, "responseId": self.answer_id})
        self.stream.read_until(b"<content")

    def goes_on(self):
        """Lets it, and returns how its message ended."""
        self.site.upstream.open_gate(self.gate)
        self.stream.read_all()
        self.stream.close()
        message = self.site.wait_status(self.thread, self.answer_id, "complete", "interrupted", "error", "stopped")
        assert message["content"].encode() == self.stream.body
        return message["status"]


def upstream_is_quiet(upstream):
    """Nothing is being answered: what was cancelled has been seen to be."""
    return wait_for(lambda: upstream.stats()["streaming"] == 0, "no answer is under way at the C1 API")


def sockets(pid):
    """How many it has open. Files of the store are more with each thread of the worker that has met one."""
    found = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found += os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")
        except OSError:
            pass  # closed in between
    return found
