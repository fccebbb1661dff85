"""What clients do in a trial, and what each of them has been told: the one side of the comparison. verdict.py is the other.

A user has a thread with a history and goes on with it: asks, leaves in mid answer, asks the same once more, goes on reading
elsewhere, stops, edits, imports, renames, deletes. Everything that is chosen follows from the trial's seed.
"""
import http.client
import json
import threading
import time

CLIENT_TIMEOUT_S = 40
recovery_s = 60  # what does not mend itself in so long after the last fault is broken
LONG = "chunks=1500;size=20;pace=60"  # longer than anybody waits: ends only by a stop, a deletion, or the thread's next question
OTHER_MODEL = "c1/other"


class Violation(AssertionError):
    """Something that was promised is not so. `whole` is what is kept of it, where the words would be too many to print."""

    def __init__(self, words, whole=None):
        super().__init__(words)
        self.whole = whole or words


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def is_ours(self):
        """By c1d, not by the web server in its place."""
        return "json" in self.headers.get("Content-Type", "") or self.status == 200

    def json(self):
        return json.loads(self.body)


GONE = Reply(0, {}, b"")  # no answer at all


class Turn:
    """One question: how it is named, and all that was heard of its answer."""

    def __init__(self, conversation, rng, number, is_long=False, named=None):
        self.conversation, self.is_long = conversation, is_long
        self.named = named or rng.choice(["ids", "ids", "key", "plain"])
        self.sse = rng.random() < 0.25
        self.question_id = f"q{number}-{conversation.name}" if self.named == "ids" else None
        self.answer_id = f"a{number}-{conversation.name}" if self.named == "ids" else None
        self.key = f"k{number}-{conversation.name}" if self.named == "key" else None
        shape = rng.choice([f"chunks={rng.randint(2, 12)};size={rng.randint(1, 400)};pace={rng.randint(0, 12)}",
                            f"delta={rng.randint(1, 9)};pace={rng.randint(0, 2)}"])
        self.prompt = f"fault:{LONG if is_long else shape} {number} ü🚀 {conversation.name}"
        self.run = None
        self.told = False      # a 200 was seen: the turn is accepted
        self.received = b""    # the longest that one reader got, from the first byte on
        self.ended = False     # ... and its body came to a clean end
        self.said = None       # the status that an SSE reader was told at the end
        self.may_stop = False  # a client asked for its end, or gave way to the next question
        self.statuses = []

    def body(self, thread):
        if self.named == "ids":
            return {"prompt": {"id": self.question_id, "role": "user", "content": self.prompt}, "threadId": thread,
                    "responseId": self.answer_id}
        return {"thread_id": thread, "message": self.prompt}

    def headers(self):
        return {"Idempotency-Key": f'"{self.key}"'} if self.key else {}


class Conversation:
    """A thread as its user knows it."""

    def __init__(self, name):
        self.name = self.thread = name
        self.turns = []
        self.edits = {}     # message id: the contents it may have, when an edit's outcome is not known several
        self.imported = {}  # message id: (content, was it acknowledged)
        self.deleted = "no"  # "maybe", "yes"


class User(threading.Thread):
    def __init__(self, house, rng, name, log, only=None):
        super().__init__(daemon=True)
        self.house, self.rng, self.log = house, rng, log
        self.conversation = Conversation(name)
        self.number = 0
        there = {action: weight for action, weight in ACTIONS if not only or action in only}
        self.actions = rng.choices(list(there), list(there.values()), k=rng.randint(2, 6))
        self.history = rng.randint(0, 2)
        self.failed = None

    # --- requests ---
    def send(self, method, path, value=None, headers=None, node=None):
        node = node or self.rng.choice(self.house.nodes)
        connection = http.client.HTTPConnection(node.host, node.port, timeout=CLIENT_TIMEOUT_S)
        reply = GONE
        try:
            connection.request(method, path, json.dumps(value) if value is not None else None,
                               {**({"Content-Type": "application/json"} if value is not None else {}), **(headers or {})})
            response = connection.getresponse()
            reply = Reply(response.status, response.headers, response.read())
        except TimeoutError:
            raise Violation(f"{method} {path} has no end")
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        self.log.add(self, f"{method} {path}", reply.status)
        return reply

    def read(self, turn, response, cut_at, before=b""):
        """Reads a stream that begins behind `before`, at most `cut_at` bytes of it."""
        received, ended, said = b"", False, None
        try:
            while cut_at is None or len(received) < cut_at:
                chunk = response.read1(4096)
                if not chunk:
                    ended = True
                    break
                received += chunk
        except TimeoutError:
            raise Violation(f"the answer to {turn.prompt} has no end")
        except (OSError, http.client.HTTPException):
            pass  # cut: what came counts
        if turn.sse and not before:
            received, said = read_events(received)
            ended = said is not None
        if len(before) + len(received) >= len(turn.received):
            turn.received, turn.ended = before + received, ended
        turn.said = turn.said or said

    def ask_once(self, turn, cut_at=None, before_leaving=None):
        for other in self.conversation.turns:  # one that has no answer yet takes the place of what nobody reads any more
            other.may_stop = other.may_stop or (other is not turn and not turn.ended and not other.ended)
        node = self.rng.choice(self.house.nodes)
        connection = http.client.HTTPConnection(node.host, node.port, timeout=CLIENT_TIMEOUT_S)
        status = 0
        try:
            connection.request("POST", "/api/chat" + ("?stream=sse" if turn.sse else ""),
                               json.dumps(turn.body(self.conversation.thread)), {"Content-Type": "application/json", **turn.headers()})
            response = connection.getresponse()
            status = response.status
            if status == 200:
                turn.told, turn.run = True, response.headers["X-Run-Id"]
                turn.answer_id = response.headers["X-Response-Id"]
                self.read(turn, response, cut_at)
                if before_leaving:
                    before_leaving()
            else:
                self.judge(turn, Reply(status, response.headers, response.read()))
        except TimeoutError:
            raise Violation(f"the answer to {turn.prompt} does not begin")
        except (OSError, http.client.HTTPException):
            if status == 0:
                self.house.judge("ask", GONE, self.conversation)
        finally:
            connection.close()
        turn.statuses.append(status)
        self.log.add(self, f"ask {turn.named} {turn.prompt[6:60]}", f"{status} {len(turn.received)}{' end' if turn.ended else ''}")
        return status

    def judge(self, turn, reply):
        self.house.judge("ask", reply, self.conversation)
        if reply.status == 502 and reply.is_ours:  # whether that is right, verdict.py knows
            turn.statuses.append("given up" if b"asked before" in reply.body else "failed")

    # --- what a user does ---
    def new_turn(self, is_long=False, named=None):
        self.number += 1
        turn = Turn(self.conversation, self.rng, self.number, is_long, named)
        self.conversation.turns.append(turn)
        return turn

    def ask(self):
        turn = self.new_turn()
        tries = 1 if turn.named == "plain" else self.rng.randint(1, 3)
        for _ in range(tries):
            self.ask_once(turn, self.rng.randint(0, 1500) if self.rng.random() < 0.3 else None)
            if turn.ended:
                return turn
            time.sleep(self.rng.random() * 0.05)  # a client's own pause, no waiting for anything
        return turn

    def ask_twice_at_once(self):
        """Two tabs, or a client that does not wait for its own first try."""
        turn = self.new_turn()
        if turn.named == "plain":
            return self.ask_once(turn)
        twin = threading.Thread(target=guarded, args=(self, self.ask_once, turn), daemon=True)
        twin.start()
        self.ask_once(turn)
        twin.join(CLIENT_TIMEOUT_S * 2)

    def ask_beside(self):
        """Another tab asks something else while the first is being read, and is told to wait; or the same, and reads along."""
        turn = self.new_turn()
        turn.prompt = f"fault:chunks=30;size=20;pace=20 {self.number} ü🚀 {self.conversation.name}"
        reading = threading.Thread(target=guarded, args=(self, self.ask_once, turn), daemon=True)
        reading.start()
        for _ in range(self.rng.randint(1, 3)):
            time.sleep(self.rng.random() * 0.1)
            if turn.named != "plain" and self.rng.random() < 0.6:
                self.ask_once(turn, cut_at=100)
                continue
            other = Turn(self.conversation, self.rng, f"{self.number}b{len(self.conversation.turns)}")
            self.conversation.turns.append(other)
            self.ask_once(other)
        reading.join(CLIENT_TIMEOUT_S * 2)

    def ask_again(self):
        """What was answered is answered the same, and costs nothing."""
        old = [turn for turn in self.conversation.turns if turn.named != "plain" and not turn.is_long]
        if old:
            self.ask_once(self.rng.choice(old))

    def misuse(self):
        """A key or an answer's id that is known, with another question, thread or model."""
        old = [turn for turn in self.conversation.turns if turn.told and turn.named != "plain"]
        if not old or self.conversation.deleted != "no":
            return
        turn = self.rng.choice(old)
        body, what = turn.body(self.conversation.thread), self.rng.choice(["question", "thread", "model"])
        if what == "question" or turn.named == "ids":  # ids name an answer within its thread, whatever the model
            other = f"fault:pace=0 not to be asked {turn.prompt[6:]}"
            body = {**body, "message": other} if turn.key else {**body, "prompt": {**body["prompt"], "content": other}}
        elif what == "thread":
            body["thread_id"] += "-other"
        else:
            body["model"] = OTHER_MODEL
        reply = self.send("POST", "/api/chat", body, turn.headers())
        self.house.judge("misuse", reply, self.conversation)

    def resume(self):
        """Goes on reading where the connection was lost, on any worker or node."""
        cut = [turn for turn in self.conversation.turns if turn.run and not turn.ended and not turn.sse and not turn.is_long]
        if not cut:
            return self.ask()
        turn = cut[-1]
        node, before = self.rng.choice(self.house.nodes), turn.received
        connection = http.client.HTTPConnection(node.host, node.port, timeout=CLIENT_TIMEOUT_S)
        status = 0
        try:
            connection.request("GET", f"/api/runs/{turn.run}/stream?offset={len(before)}")
            response = connection.getresponse()
            status = response.status
            if status == 200:
                self.read(turn, response, None, before)
            else:
                self.house.judge("resume", Reply(status, response.headers, response.read()), self.conversation)
        except TimeoutError:
            raise Violation(f"the rest of {turn.prompt} has no end")
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        self.log.add(self, f"resume {turn.run} at {len(before)}", f"{status} {len(turn.received)}")

    def stop(self):
        turn = self.new_turn(is_long=True)
        turn.may_stop = True
        self.ask_once(turn, cut_at=self.rng.randint(1, 300))
        if not turn.run:
            return
        reply = self.send("POST", f"/api/runs/{turn.run}/stop")
        self.house.judge("stop", reply, self.conversation)

    def edit(self):
        turns = [turn for turn in self.conversation.turns if turn.ended]
        if not turns or self.conversation.deleted != "no":
            return
        message, text = self.rng.choice(turns).answer_id, f"edited {self.number} {self.conversation.name}"
        self.number += 1
        reply = self.send("PUT", f"/api/threads/{self.conversation.thread}/messages/{message}", {"content": text})
        self.house.judge("edit", reply, self.conversation)
        if reply.status == 200:
            self.conversation.edits[message] = {text}
        elif reply.status not in (404, 409, 422):
            self.conversation.edits.setdefault(message, {None}).add(text)

    def bring_in(self, role=None):
        """A message from elsewhere."""
        self.number += 1
        message, text = f"m{self.number}-{self.conversation.name}", f"imported {self.number} {self.conversation.name}"
        value = {"id": message, "role": role or self.rng.choice(["user", "assistant"]), "content": text}
        for _ in range(2):
            reply = self.send("POST", f"/api/threads/{self.conversation.thread}/messages", value)
            self.house.judge("import", reply, self.conversation)
            known = reply.status == 201 or (reply.status == 409 and message in self.conversation.imported)
            if reply.status not in (404, 422, 409) or known:
                self.conversation.imported[message] = (text, known)
            if known or reply.status == 404:
                return

    def move_in(self):
        """A thread that is made, and that begins with what an assistant said elsewhere."""
        made = self.send("POST", "/api/threads", {"title": self.conversation.name})
        if made.status == 201:
            self.conversation.thread = made.json()["id"]
            self.bring_in("assistant")

    def rename(self):
        self.house.judge("rename", self.send("PATCH", f"/api/threads/{self.conversation.thread}", {"title": "new"}), self.conversation)

    def look(self):
        for path in ("/api/threads?limit=20", f"/api/threads/{self.conversation.thread}", f"/api/threads/{self.conversation.thread}/runs",
                     f"/api/threads/{self.conversation.thread}/messages"):
            self.house.judge("look", self.send("GET", path), self.conversation)

    def was_there(self):
        """Surely: one that was never told of may be made by the next question yet."""
        talk = self.conversation
        return talk.thread != talk.name or any(turn.told for turn in talk.turns)

    def delete(self):
        for _ in range(3):
            known = self.conversation.deleted
            self.conversation.deleted = "maybe" if known == "no" else known
            reply = self.send("DELETE", f"/api/threads/{self.conversation.thread}")
            self.house.judge("delete", reply, self.conversation)
            # 404 also to the first: its worker died behind the deletion, and nginx asked another one.
            if reply.status == 200 or (reply.status == 404 and self.was_there()):
                self.conversation.deleted = "yes"
            elif reply.status == 404:
                self.conversation.deleted = known  # there was none
            if reply.status in (200, 404):
                return

    def delete_while_it_starts(self):
        turn = self.new_turn(is_long=True)
        turn.may_stop = True
        asking = threading.Thread(target=guarded, args=(self, self.ask_once, turn, self.rng.randint(100, 600)), daemon=True)
        asking.start()
        time.sleep(self.rng.random() * 0.03)
        self.delete()
        asking.join(CLIENT_TIMEOUT_S * 2)

    # --- all of it ---
    def begin(self):
        """The history that the thread has before anything goes wrong: brought along, asked for, or none."""
        if self.rng.random() < 0.25:
            guarded(self, self.move_in)
        for _ in range(self.history):
            guarded(self, self.ask)

    def run(self):
        for action in self.actions:
            guarded(self, getattr(self, action))


ACTIONS = [("ask", 8), ("ask_twice_at_once", 2), ("ask_beside", 2), ("ask_again", 3), ("misuse", 2), ("resume", 2), ("stop", 2), ("edit", 2),
           ("bring_in", 1), ("rename", 1), ("look", 1), ("delete", 1), ("delete_while_it_starts", 1)]


def guarded(user, job, *args):
    """A violation in a thread of its own is told to whoever joins it."""
    try:
        if not user.failed:
            job(*args)
    except BaseException as error:  # noqa: BLE001
        user.failed = user.failed or error


def read_events(raw):
    """(text, final status or None) of an SSE body; the last event may be half there."""
    text, status = "", None
    for block in raw.decode("utf-8", "ignore").split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and line[0] != ":")
        if fields.get("event") == "delta":
            text += json.loads(fields["data"])
        elif fields.get("event") == "done":
            status = json.loads(fields["data"])["status"]
    return text.encode(), status
