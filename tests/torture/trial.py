"""One trial: several turns at once, one fault, then a comparison of what clients were told with what the store holds.

I1  a question whose answer has begun is stored
I2  each such turn has exactly one answer, in a final status
I3  the stored text is a prefix of what the model said, all of it when `complete`, and never less than a client was given
I4  one question costs one call of the C1 API, however often it was sent
"""
import http.client
import json
import os
import random
import signal
import threading
import time
import urllib.parse
from pathlib import Path

FINAL = {"complete", "length", "stopped", "error", "interrupted"}
POINTS = ["turn_spooled", "turn_claimed", "turn_saved", "turn_prepared", "run_begun", "run_before_append", "run_appended",
          "run_sent", "run_before_end", "run_ended", "run_saved", "save_before", "save_stored", "save_marked"]
RECOVERY_S = 60


class Turn:
    """One client: asks, perhaps leaves in the middle, perhaps asks again with the same ids."""

    def __init__(self, site, rng, name):
        self.site, self.rng = site, rng
        self.thread, self.question_id, self.answer_id = f"t-{name}", f"q-{name}", f"a-{name}"
        shape = f"chunks={rng.randint(2, 12)};size={rng.randint(1, 400)};pace={rng.randint(0, 12)}"
        self.prompt = f"fault:{shape} {name}"
        self.cut_at = rng.randint(0, 2000) if rng.random() < 0.3 else None
        self.tries = rng.randint(1, 3)
        self.told = False      # a 200 was seen, so the turn is accepted
        self.received = b""    # the longest body of a single try
        self.ended = False     # ... and it came to a clean end
        self.statuses = []

    def ask(self):
        body = json.dumps({"prompt": {"id": self.question_id, "role": "user", "content": self.prompt},
                           "threadId": self.thread, "responseId": self.answer_id})
        connection = http.client.HTTPConnection(self.site.host, self.site.port, timeout=40)
        try:
            connection.request("POST", "/api/chat", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            self.statuses.append(response.status)
            if response.status == 200:
                self.told = True
                self.read(response)
        except (OSError, http.client.HTTPException) as error:
            self.statuses.append(type(error).__name__)
        finally:
            connection.close()

    def read(self, response):
        received, ended = b"", False
        try:
            while self.cut_at is None or len(received) < self.cut_at:
                chunk = response.read1(4096)
                if not chunk:
                    ended = True
                    break
                received += chunk
        except (OSError, http.client.HTTPException):
            pass  # cut: what came counts
        finally:
            if len(received) >= len(self.received):
                self.received, self.ended = received, ended

    def run(self):
        for _ in range(self.tries):
            self.ask()
            if self.ended:
                return
            time.sleep(self.rng.random() * 0.05)  # a client's own pause, no waiting for anything


class Violation(AssertionError):
    pass


def check(condition, turn, what, found):
    if not condition:
        raise Violation(f"{what}: {turn.thread} told={turn.told} {turn.statuses} received={len(turn.received)} found={found}")


def settled(site, turn):
    """The thread's messages once none of them is streaming; [] when there is no such thread."""
    until = time.monotonic() + RECOVERY_S
    while True:
        try:
            answer = site.get(f"/api/threads/{turn.thread}/messages")
            if answer.status == 404:
                return []
            if answer.status == 200:
                messages = answer.json()
                if all(message["status"] in FINAL for message in messages):
                    return messages
        except (OSError, http.client.HTTPException):
            pass
        if time.monotonic() > until:
            raise Violation(f"I2 not settled within {RECOVERY_S} s: {turn.thread} {turn.statuses}")
        time.sleep(0.02)


def compare(site, turn, worker_died):
    whole = site.upstream.whole_answer(turn.prompt)
    calls = site.upstream.ask("GET", "/stats/wait?" + urllib.parse.urlencode(
        {"requests": 0, "prompt": turn.prompt, "timeout": 1}))["prompts"].get(turn.prompt, {}).get("requests", 0)
    messages = settled(site, turn)
    questions = [m for m in messages if m["id"] == turn.question_id]
    answers = [m for m in messages if m["id"] == turn.answer_id]
    check(calls <= 1, turn, "I4 more than one call", calls)
    check(len(messages) == len(questions) + len(answers), turn, "I2 strange messages", messages)
    check(len(questions) <= 1 and len(answers) <= 1, turn, "I2 doubled", messages)
    if not turn.told:
        return
    check(len(questions) == 1 and questions[0]["content"] == turn.prompt, turn, "I1 question lost", messages)
    check(len(answers) == 1, turn, "I2 answer lost", messages)
    stored, status = answers[0]["content"].encode(), answers[0]["status"]
    check(whole.startswith(stored), turn, "I3 stored text is not what was said", stored[-80:])
    check(status != "complete" or stored == whole, turn, "I3 complete but short", (len(stored), len(whole)))
    check(stored.startswith(turn.received), turn, "I3 a client has more than the store", (status, len(stored)))
    # nginx ends a raw body cleanly when its worker dies: then only the status tells (SSE says `done`).
    check(worker_died or not (turn.ended and status == "complete") or turn.received == whole, turn, "I3 a clean end was short", status)


# --- faults ---

def crash(site, rng, _mongod):
    (Path(site.settings["C1D_STATE_DIR"]) / "crash" / rng.choice(POINTS)).write_text("")


def kill(site, rng, _mongod):
    time.sleep(rng.random() * 0.15)
    pids = site.worker_pids()
    if pids:
        os.kill(rng.choice(pids), signal.SIGKILL)


def reload(site, rng, _mongod):
    time.sleep(rng.random() * 0.1)
    site.c1d.child.send_signal(signal.SIGHUP)


def outage(_site, rng, mongod):
    time.sleep(rng.random() * 0.1)
    mongod.stop(signal.SIGKILL)
    time.sleep(rng.random() * 0.3)
    mongod.start()


def nothing(_site, _rng, _mongod):
    pass  # clients that leave and ask again are fault enough


def clean_up(site):
    """No wish to crash is left, the pool is whole, and its throttle starts anew (a reload forgets deaths)."""
    for wish in (Path(site.settings["C1D_STATE_DIR"]) / "crash").iterdir():
        wish.unlink()
    seen = len(site.log_lines("pool ready"))
    site.c1d.child.send_signal(signal.SIGHUP)
    until = time.monotonic() + RECOVERY_S
    while len(site.log_lines("pool ready")) <= seen:
        if time.monotonic() > until or not site.c1d.alive():
            raise Violation("the pool does not come back\n" + site.log_path.read_text()[-3000:])
        time.sleep(0.01)
    site.log_path.write_text("")  # a long run would fill the disk


def run(site, seed, mongod):
    """Raises Violation. Everything that is chosen follows from the seed; what races is the machine's."""
    rng = random.Random(seed)
    fault = rng.choice([crash, crash, crash, kill, reload, nothing] + ([outage] if mongod else []))
    turns = [Turn(site, random.Random(f"{seed}/{n}"), f"{seed}-{n}") for n in range(rng.randint(2, 5))]
    threads = [threading.Thread(target=turn.run, daemon=True) for turn in turns]
    for thread in threads:
        thread.start()
    fault(site, rng, mongod)
    for thread in threads:
        thread.join(RECOVERY_S * 3)
    for turn in turns:
        compare(site, turn, fault in (crash, kill))
    if fault in (crash, kill):
        clean_up(site)
    return fault.__name__
