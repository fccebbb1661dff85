"""When all is well again: what clients were told against what the store, the C1 API and the other nodes say.

I1  a question whose answer has begun is stored, once
I2  each such turn has one answer, in a final status that something explains; nothing stays `streaming`; nothing strange is there
I3  the stored text is a prefix of what the model said, all of it when `complete`, and never less than a client was given
I4  one question costs one call of the C1 API, however often, under whatever name and wherever it is sent
I5  only those statuses are answered that the trial's faults excuse (houses.py)
I6  a question that never reached the model may be asked again and is then answered; every thread takes another question
I7  a prompt begins with the user and holds no question twice; an edit is in it and is never undone
I8  a deleted thread stays away, and no run of it goes on
"""
import copy
import time

import life
from life import Violation

FINAL = {"complete", "length", "stopped", "error", "interrupted"}
PAUSE_S = 0.02


def fail(what, conversation, found):
    words = f"{what}: {conversation.name} found={found!r}"
    raise Violation(words[:1500], words)


def calls(house, prompt):
    return house.upstream.stats()["prompts"].get(prompt, {}).get("requests", 0)


def again(user, what, job):
    """Asks until job says something; in between only what tells to try again is fine."""
    until, last = time.monotonic() + life.recovery_s, None
    while time.monotonic() < until:
        done, last = job()
        if done:
            return last
        time.sleep(PAUSE_S)
    fail(f"{what} within {life.recovery_s} s", user.conversation, last)


def settled(house, user, node):
    """The thread's messages once none of them is streaming; [] when there is no such thread."""
    def look():
        reply = user.send("GET", f"/api/threads/{user.conversation.thread}/messages?limit=1000", node=node)
        if reply.status == 404:
            return True, []
        if reply.status != 200:
            return False, reply.status
        streaming = [m["id"] for m in reply.json() if m["status"] not in FINAL]
        return (False, f"streaming: {streaming}") if streaming else (True, reply.json())
    return again(user, "I2 not settled", look)


# --- one turn ---
def compare_turn(house, conversation, turn, messages):
    number = calls(house, turn.prompt)
    questions = [m for m in messages if m["role"] == "user" and m["content"] == turn.prompt]
    answers = [m for m in messages if m["id"] == turn.answer_id]
    if number > 1:
        fail("I4 more than one call", conversation, (turn.prompt, number))
    if len(questions) > 1:
        fail("I1 question doubled", conversation, questions)
    if "given up" in turn.statuses and any(m["status"] == "complete" for m in answers):
        fail("I2 given up while it was being answered", conversation, (turn.prompt, turn.statuses))
    # A worker that dies on its way to the model leaves a question of which nobody knows whether it was asked: it is given up.
    excused = house.may("fails_calls") or house.may("ends_workers")
    if {"failed", "given up"} & set(turn.statuses) and number == 0 and not excused:
        fail("I6 said to have failed, and the model was never asked", conversation, turn.statuses)
    if not turn.told:
        return
    if len(questions) != 1:
        fail("I1 question lost", conversation, (turn.prompt, messages))
    if len(answers) != 1:
        fail("I2 answer lost", conversation, (turn.answer_id, messages))
    check_status(house, conversation, turn, answers[0]["status"], number)
    allowed = conversation.edits.get(turn.answer_id)
    if allowed and answers[0]["content"] in allowed:
        return
    if allowed and None not in allowed:
        fail("I7 edit undone", conversation, (allowed, answers[0]["content"][:200]))
    check_text(house, conversation, turn, answers[0])


def check_status(house, conversation, turn, status, number):
    if status == "stopped" and not turn.may_stop:
        fail("I2 stopped, and nobody asked for it", conversation, turn.prompt)
    if status == "interrupted" and number > 0 and not (house.may("ends_workers") or house.may("interrupts")):
        fail("I2 interrupted by nothing", conversation, (turn.prompt, turn.statuses))
    if status == "error" and number > 0 and not house.may("fails_calls"):
        fail("I2 error of a model that does not fail", conversation, turn.prompt)
    if turn.said and turn.said != status:
        fail("I2 a client was told another end", conversation, (turn.prompt, turn.said, status))


def check_text(house, conversation, turn, answer):
    whole, stored, status = house.upstream.whole_answer(turn.prompt), answer["content"].encode(), answer["status"]
    if not whole.startswith(stored):
        fail("I3 stored text is not what was said", conversation, (turn.prompt, stored[-80:], stored, whole))
    if status == "complete" and stored != whole:
        fail("I3 complete but short", conversation, (turn.prompt, len(stored), len(whole), stored, whole))
    if not stored.startswith(turn.received):
        fail("I3 a client has more than the store", conversation, (turn.prompt, status, len(stored), len(turn.received), stored, turn.received))
    # nginx ends a raw body cleanly when its worker dies: then only the status tells (SSE says `done`).
    if turn.ended and status == "complete" and turn.received != whole and not house.may("ends_workers"):
        fail("I3 a clean end was short", conversation, (turn.prompt, len(turn.received), len(whole), turn.received, whole))


# --- one thread ---
def compare(house, conversation, messages):
    for turn in conversation.turns:
        compare_turn(house, conversation, turn, messages)
    for message_id, (text, known) in conversation.imported.items():
        found = [m for m in messages if m["id"] == message_id]
        if len(found) > 1 or (known and not found) or any(m["content"] != text for m in found):
            fail("I1 imported message", conversation, (message_id, known, found))
    prompts = {turn.prompt for turn in conversation.turns}
    strange = [m for m in messages if m["role"] == "user" and m["content"] not in prompts and m["id"] not in conversation.imported]
    answers = [m for m in messages if m["role"] == "assistant" and m["id"] not in conversation.imported]
    if strange or len(answers) > len(messages) - len(answers) or len({m["id"] for m in messages}) != len(messages):
        fail("I2 strange messages", conversation, messages)


def stop_long_ones(house, user):
    """What would go on for half a minute is ended as a user would: each node lists what it runs."""
    turns = user.conversation.turns
    short = {turn.run for turn in turns if not turn.is_long}
    if not any(turn.is_long and not turn.ended for turn in turns):
        return
    for node in house.nodes:
        def stop(node=node):
            listed = user.send("GET", f"/api/threads/{user.conversation.thread}/runs?active=1", node=node)
            long = [run["id"] for run in listed.json() if run["id"] not in short] if listed.status == 200 else []
            for run in long:
                house.judge("stop", user.send("POST", f"/api/runs/{run}/stop", node=node), user.conversation)
            return listed.status == 404 or (listed.status == 200 and not long), (listed.status, long)
        again(user, "I2 a run is not stopped", stop)


def ask_until_answered(house, user, turn):
    """200, or 502 for a question that did reach the model."""
    def ask():
        status = user.ask_once(turn)
        failed = status == 502 and (calls(house, turn.prompt) > 0 or (house.may("ends_workers") and "given up" in turn.statuses))
        return status == 200 or failed, (turn.prompt, turn.statuses[-3:])
    return again(user, "I6 not answered", ask)


def ask_again(house, user, rng):
    """Everything that has a name is asked once more: what was never asked is answered now, the rest is replayed."""
    replays = []
    for turn in user.conversation.turns:
        if turn.named == "plain" or turn.is_long or (turn.told and turn.ended and rng.random() < 0.7):
            continue
        replay = copy.copy(turn)
        replay.received, replay.ended, replay.said, replay.statuses = b"", False, None, []
        was_asked = calls(house, turn.prompt) > 0
        ask_until_answered(house, user, replay)
        turn.statuses += replay.statuses
        if replay.told and not turn.told:
            turn.told, turn.answer_id, turn.run = True, replay.answer_id, replay.run
        replays.append((replay, was_asked))
    return replays


def check_replays(conversation, replays, messages):
    by_id = {m["id"]: m for m in messages}
    for replay, was_asked in replays:
        answer = by_id.get(replay.answer_id)
        if not was_asked and "given up" not in replay.statuses and (not answer or answer["status"] != "complete"):
            fail("I6 asked again, but not answered", conversation, (replay.prompt, replay.statuses, answer))
        if answer and replay.ended and answer["id"] not in conversation.edits and replay.received != answer["content"].encode():
            fail("I3 replayed otherwise", conversation,
                 (replay.prompt, len(replay.received), len(answer["content"]), replay.received, answer["content"]))


def check_living(house, user, rng):
    conversation = user.conversation
    stop_long_ones(house, user)
    compare(house, conversation, settled(house, user, rng.choice(house.nodes)))
    replays = ask_again(house, user, rng)
    another = user.new_turn(named="ids")
    ask_until_answered(house, user, another)
    for node in house.nodes:
        messages = settled(house, user, node)
        compare(house, conversation, messages)
        check_replays(conversation, replays, messages)
    last = next(m for m in messages if m["id"] == another.answer_id)
    if last["status"] != "complete":
        fail("I6 the thread takes no other question", conversation, (another.statuses, last))


def check_deleted(house, user):
    conversation = user.conversation

    def delete():
        reply = user.send("DELETE", f"/api/threads/{conversation.thread}")
        return reply.status in (200, 404), reply.status
    if conversation.deleted == "maybe":
        again(user, "I8 not deleted", delete)
    for node in house.nodes:
        for path in ("", "/messages"):
            status = user.send("GET", f"/api/threads/{conversation.thread}{path}", node=node).status
            if status != 404:
                fail("I8 a deleted thread is there", conversation, (path, status))

    def ended():
        stats = house.upstream.stats()
        seen = stats["prompts"]
        going_on = [turn.prompt for turn in conversation.turns
                    if seen.get(turn.prompt, {}).get("requests", 0)
                    > sum(seen.get(turn.prompt, {}).get(how, 0) for how in ("completed", "cut", "early_closes"))]
        return not going_on, (going_on, stats["streaming"], stats["connections_open"])
    again(user, "I8 a deleted thread's run goes on", ended)
    for turn in conversation.turns:
        if calls(house, turn.prompt) > 1:
            fail("I4 more than one call", conversation, turn.prompt)


def check_prompts(house):
    """Every request that the C1 API got."""
    for request in house.upstream.requests():
        messages = [m for m in (request["body"] or {}).get("messages", []) if m["role"] != "system"]
        asked = [m["content"] for m in messages if m["role"] == "user"]
        if messages and messages[0]["role"] != "user":
            raise Violation(f"I7 a prompt begins with the {messages[0]['role']}: {[(m['role'], m['content'][:60]) for m in messages]}")
        if len(set(asked)) != len(asked):
            raise Violation(f"I7 a prompt holds a question twice: {[text[:80] for text in asked]}")
        if any("not to be asked" in text for text in asked):
            raise Violation(f"I4 a key that was used is a call for something else: {asked[-1]}")


def verdict(house, users, rng):
    for user in users:
        if user.conversation.deleted == "no":
            check_living(house, user, rng)
        else:
            check_deleted(house, user)
    check_prompts(house)
