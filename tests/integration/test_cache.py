"""Threads and their newest messages, kept in Redis: read from there, and never what was before. Two nodes on one store and one Redis,
each behind something that can hurt what it says to Redis. That a value comes from Redis is seen by a store that was changed behind
c1d's back."""
import functools
import os
import socket
import sqlite3
import subprocess
import threading
import uuid

import pytest
from api import make, problem
from attackers import Browser
from house import Site, wait_for
from redis_between import RedisBetween
from servers import Missing, Redis
from test_limits import figure


class KeptRedis(Redis):
    """One that begins anew with what it last saved."""

    def start(self):
        self.launch([self.program, "--bind", "127.0.0.1", "--port", "{port}", "--dir", self.folder, "--save", ""],
                    "Ready to accept connections")

    def command(self, *words):
        """One command with words of any bytes; the first 64 KiB of what comes back."""
        with socket.create_connection(self.address(), 30) as peer:
            words = [word if isinstance(word, bytes) else word.encode() for word in words]
            peer.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
            return peer.recv(65536)

    def value(self, key, field):
        """A hash's field; None when it is not there."""
        with socket.create_connection(self.address(), 30) as peer, peer.makefile("rb") as stream:
            peer.sendall(b"*3\r\n$4\r\nHGET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(key), key.encode(), len(field), field.encode()))
            size = int(stream.readline()[1:])
            return stream.read(size) if size >= 0 else None


class House:
    """Two nodes, one store, one Redis."""

    def __init__(self, scratch, upstream):
        self.folder = scratch / f"cache-{uuid.uuid4().hex[:8]}"
        self.redis = KeptRedis(self.folder)
        self.store = self.folder / "store.db"
        self.place = None
        self.betweens = [RedisBetween(self.redis.address()) for _ in range(2)]
        self.nodes = [Site(scratch, upstream, {"C1D_STORE": f"sqlite:{self.store}", "REDIS_URL": between.url}, workers=1)
                      for between in self.betweens]

    def stop(self):
        for node in self.nodes:
            node.stop()
        for between in self.betweens:
            between.stop()
        self.redis.stop()

    def key(self, thread):
        """Where Redis keeps what it knows of a thread."""
        return f"c1d:cache:{self.place}:thread:{thread}"

    def rule(self, rule):
        for between in self.betweens:
            between.rule = rule

    def behind(self, sql, *values):
        """The store is changed, and nobody is told."""
        with sqlite3.connect(self.store, timeout=30) as db:
            assert db.execute(sql, values).rowcount == 1
        db.close()


@pytest.fixture(scope="module")
def whole(scratch, upstream):
    try:
        house = House(scratch, upstream)
    except Missing as reason:
        pytest.skip(str(reason))
    yield house
    house.stop()


def heal(whole):
    whole.rule(None)
    for node in whole.nodes:
        wait_for(lambda node=node: "\nc1d_cache_up 1\n" in node.metrics(), "it reads from Redis", 90)


@pytest.fixture
def house(whole):
    """Healthy: both read from Redis."""
    heal(whole)
    if not whole.place:
        place, = whole.redis.ask("KEYS", "c1d:cache:*:era").split()  # both nodes' store is one
        whole.place = place.split(":")[2]
    return whole


def reads(site, result):
    return figure(site, f'c1d_cache_reads_total{{result="{result}"}}')


def no_use(site):
    return sum(reads(site, result) for result in ("failed", "away", "off"))


def debts(site):
    return figure(site, 'c1d_cache_changes_total{result="debt"}')


def unless_late(test):
    """A Redis that answers late (who reads waits for 5 ms) is as good as none, and after a change of which it did not hear the other node
    may read what was for as long as a lease: what fails then is tried again. What fails while it was in time has failed."""
    @functools.wraps(test)
    def tried(house):
        for last in (False, False, False, False, True):
            before = [(no_use(node), debts(node)) for node in house.nodes]
            try:
                return test(house)
            except AssertionError:
                if last or before == [(no_use(node), debts(node)) for node in house.nodes]:
                    raise
                heal(house)
    return tried


def path(thread):
    return f"/api/threads/{thread}"


def title(site, thread):
    answer = site.get(path(thread))
    assert answer.status == 200, answer
    return answer.json()["title"]


def hit(site, look):
    """Looks until what it sees came from Redis. A late answer of Redis is no answer, so it may take more than one."""
    def try_it():
        before = reads(site, "hit")
        look()
        return reads(site, "hit") > before
    wait_for(try_it, "it comes from Redis", 90)


def texts(site, thread):
    return [message["content"] for message in site.messages(thread)]


# --- what it is for ---
@unless_late
def test_threads_and_newest_pages_are_read_from_redis(house):
    one, other = house.nodes
    thread = make(one, title="as it was")["id"]
    one.post(path(thread) + "/messages", {"role": "user", "content": "said"})
    for node in house.nodes:
        hit(node, lambda node=node: title(node, thread))
        hit(node, lambda node=node: node.messages(thread))
    house.behind("UPDATE threads SET title = 'changed by nobody' WHERE id = ?", thread)
    house.behind("UPDATE messages SET content = 'changed by nobody' WHERE thread_id = ?", thread)
    assert (title(other, thread), texts(other, thread)) == ("as it was", ["said"])
    older = other.get(path(thread) + "/messages?limit=7").json()  # of another length: the store's
    assert [message["content"] for message in older] == ["changed by nobody"]
    assert int(house.redis.ask("PTTL", house.key(thread))) > 3000 * 1000


@unless_late
def test_every_change_is_seen_on_both_nodes_at_once(house):
    one, other = house.nodes
    thread = make(one, title="0")["id"]
    question = one.post(path(thread) + "/messages", {"role": "user", "content": "first"}).json()["id"]

    def warm():
        for node in house.nodes:
            for _ in range(2):
                title(node, thread)
                node.messages(thread)

    def both(look, expected):
        for node in house.nodes:
            assert look(node) == expected, " ".join(line[4:] for n in house.nodes for line in n.metrics().splitlines() if line.startswith("c1d_cache")) + str(house.betweens[1].seen) + str(node.get(path(thread)).json())

    changes = [
        (lambda: one.patch(path(thread), {"title": "1"}), lambda node: title(node, thread), "1"),
        (lambda: other.patch(path(thread), {"archived": True}), lambda node: node.get(path(thread)).json()["archived"], True),
        (lambda: other.post(path(thread) + "/messages", {"role": "user", "content": "second"}), lambda node: texts(node, thread),
         ["first", "second"]),
        (lambda: one.patch(f"{path(thread)}/messages/{question}", {"content": "edited"}), lambda node: texts(node, thread),
         ["edited", "second"]),
        (lambda: other.chat("and this?", thread), lambda node: [m["status"] for m in node.messages(thread)], ["complete"] * 4),
        (lambda: one.delete(path(thread)), lambda node: (node.get(path(thread)).status, node.get(path(thread) + "/messages").status),
         (404, 404)),
    ]
    for change, look, expected in changes:
        warm()
        answer = change()
        assert answer.status in (200, 201, 204), answer
        both(look, expected)
    for node in house.nodes:
        assert reads(node, "bad") == 0


@unless_late
def test_what_runs_is_seen_to_run_and_then_to_have_ended(house):
    one, other = house.nodes
    gate, thread = "g" + uuid.uuid4().hex, make(one)["id"]
    hit(other, lambda: title(other, thread))
    stream = one.stream({"thread_id": thread, "message": f"fault:gate={gate}@60 {uuid.uuid4().hex}"})
    stream.read_until(b"<content")
    for _ in range(3):
        assert [m["status"] for m in other.messages(thread)] == ["complete", "streaming"]
    assert other.chat("meanwhile", thread).status == 409  # the claim is the store's to tell
    one.upstream.open_gate(gate)
    stream.read_all()
    stream.close()
    assert [m["status"] for m in other.messages(thread)] == ["complete", "complete"]


def test_if_match_is_decided_by_the_store(house):
    one, other = house.nodes
    thread = make(one, title="a")["id"]
    tag = one.get(path(thread)).headers["ETag"]
    hit(other, lambda: title(other, thread))
    house.behind("UPDATE threads SET rev = rev + 1 WHERE id = ?", thread)  # what is kept is old, and nobody knows
    problem(other.patch(path(thread), {"title": "b"}, {"If-Match": tag}), 412, "precondition_failed")


def test_check_says_whether_threads_are_kept(house, new_site):
    def line(**settings):
        site = new_site({"REDIS_URL": house.betweens[0].url, **settings}, nginx=False, start=False)
        told = subprocess.run([site.program, "check", *(["--user", "root"] if os.geteuid() == 0 else [])], env=site.environment(),
                              capture_output=True, text=True, check=False).stdout
        return [found for found in told.splitlines() if "cache:" in found or found.split()[1:2] == ["cache"]]

    told = "keeps threads for 60 seconds; SQLite is as fast without"
    wait_for(lambda: told in line(C1D_CACHE_SECONDS="60")[0], "Redis answers in time")
    assert line(C1D_CACHE_SECONDS="0") == []
    assert "Redis cannot be reached. Until it does" in line(REDIS_URL=f"unix:{house.folder}/none.sock")[0]


# --- C14: what Redis may do ---
def refusal(text):
    return lambda words, step: None if step in ("INFO", "SCRIPT", "greet") else text


def slowly(words, step):
    threading.Event().wait(0.05)


SICK = {
    "loading": refusal(b"-LOADING Redis is loading the dataset in memory\r\n"),
    "readonly": refusal(b"-READONLY You can't write against a read only replica.\r\n"),
    "full": refusal(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"),
    "no rights": refusal(b"-NOPERM this user has no permissions\r\n"),
    "another type": refusal(b"+OK\r\n"),
    "a list of nothing": refusal(b"*0\r\n"),
    "a null": refusal(b"*-1\r\n"),
    "half": refusal(b"*3\r\n:3\r\n$36\r\nabc"),
    "not Redis": refusal(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "gone at once": refusal(b""),
    "dead": lambda words, step: b"",
    "slow": slowly,
}


def test_c14_redis_that_is_no_use_is_a_miss(house):
    """Whatever it says, the node behind it asks the store, and what it changes is seen on both when all is well again."""
    one, other = house.nodes
    threads = {}
    for fault, rule in SICK.items():
        house.betweens[0].rule = None
        thread = threads[fault] = make(one, title="before")["id"]
        wait_for(lambda thread=thread: title(one, thread) and house.redis.value(house.key(thread), "thread")
                 or no_use(one), "it is kept, or Redis is away since the last fault")
        house.betweens[0].rule = rule
        house.betweens[0].cut()
        missed = no_use(one)
        house.behind("UPDATE threads SET title = 'the truth' WHERE id = ?", thread)
        wait_for(lambda thread=thread: title(one, thread) == "the truth", f"{fault}: the store is asked")
        assert no_use(one) > missed, fault
        assert one.patch(path(thread), {"title": "after"}).status == 200, fault
        assert title(one, thread) == "after", fault
        assert one.chat("and now?", thread).status == 200, fault
        assert len(texts(one, thread)) == 2, fault
    assert debts(one) > 0
    assert one.get("/readyz").status == 200
    house.rule(None)
    for fault, thread in threads.items():
        wait_for(lambda thread=thread: title(other, thread) == "after", f"{fault}: the other node sees it", 90)
        assert title(one, thread) == "after", fault
    hit(one, lambda: title(one, threads["dead"]))
    assert title(one, threads["dead"]) == "after"


def test_c14_a_key_of_another_type_is_put_right(house):
    one = house.nodes[0]
    thread = make(one, title="right")["id"]
    house.redis.ask("SET", house.key(thread), "text")
    hit(one, lambda: title(one, thread))
    assert title(one, thread) == "right"


# --- C15 ---
def test_c15_flushed_redis_is_filled_again(house):
    one, other = house.nodes
    thread = make(one, title="here")["id"]
    hit(one, lambda: title(one, thread))
    house.redis.ask("FLUSHALL")
    house.behind("UPDATE threads SET title = 'there' WHERE id = ?", thread)
    for node in (one, other):
        assert title(node, thread) == "there"
        hit(node, lambda node=node: title(node, thread))


def test_c15_redis_that_comes_back_with_what_it_once_knew(house):
    one, other = house.nodes
    thread = make(one, title="once")["id"]
    hit(one, lambda: title(one, thread))
    assert house.redis.ask("SAVE") == "OK"
    assert one.patch(path(thread), {"title": "now"}).status == 200
    house.redis.kill()
    house.redis.start()
    assert house.redis.value(house.key(thread), "thread"), "it remembers"
    for node in (one, other):
        for _ in range(3):
            assert title(node, thread) == "now"
        hit(node, lambda node=node: title(node, thread))
        assert title(node, thread) == "now"


# --- C16 ---
def test_c16_poisoned_values_are_as_good_as_none(house):
    one = house.nodes[0]
    thread, another = make(one, title="mine")["id"], make(one, title="of another thread")["id"]
    key, other_key = house.key(thread), house.key(another)
    hit(one, lambda: title(one, thread))
    hit(one, lambda: title(one, another))
    good, foreign = house.redis.value(key, "thread"), house.redis.value(other_key, "thread")
    assert good[:4] == b"c1d1" and good.count(b"mine") == 1
    poisons = [b"", b"{}", b"c1d1", good[:-1], good + b"\0", good[:40], good.replace(b"mine", b"evil"), foreign, b"x" * 300000,
               good[:4] + b"\xff" * (len(good) - 4)]
    for poison in poisons:
        hit(one, lambda: title(one, thread))
        bad = reads(one, "bad")
        house.redis.command("HSET", key, "thread", poison)

        def met(bad=bad):
            assert title(one, thread) == "mine"
            return reads(one, "bad") > bad
        wait_for(met, f"{poison[:20]} is met")


def test_c16_owner_is_checked_again_on_each_hit(house, new_site):
    site = new_site({"C1D_STORE": f"sqlite:{house.folder}/visitors.db", "REDIS_URL": house.betweens[0].url, "C1D_AUTH": "visitor"}, workers=1)
    mine, theirs = Browser(site), Browser(site)
    thread = mine.make(title="mine alone")["id"]
    mine.post(path(thread) + "/messages", {"role": "user", "content": "said in trust"})
    looks = [path(thread), path(thread) + "/messages"]
    for look in looks:
        hit(site, lambda look=look: mine.get(look))
    for look in looks:
        for _ in range(2):
            problem(theirs.get(look), 403, "access_denied")
            assert mine.get(look).status == 200
    # What is kept says that it is another's: whose it is the store has to tell.
    owner = theirs.make()["user_id"]
    with sqlite3.connect(house.folder / "visitors.db", timeout=30) as db:
        whose, = db.execute("SELECT user_id FROM threads WHERE id = ?", (thread,)).fetchone()
        db.execute("UPDATE threads SET user_id = ? WHERE id = ?", (owner, thread))
        db.commit()
        house.redis.ask("DEL", house.key(thread))
        hit(site, lambda: theirs.get(looks[0]))
        db.execute("UPDATE threads SET user_id = ? WHERE id = ?", (whose, thread))
    db.close()
    assert mine.get(looks[0]).status == 200


# --- two stores behind one Redis ---
def test_a_copy_of_a_store_behind_the_same_redis_has_its_own(house, new_site):
    """The same threads in two stores: neither answers for the other, and a change of one leaves the other as it is."""
    one = house.nodes[0]
    thread = make(one, title="the original")["id"]
    copy = house.folder / "copy.db"
    with sqlite3.connect(house.store, timeout=30) as from_db, sqlite3.connect(copy) as to_db:
        from_db.backup(to_db)
        to_db.execute("UPDATE threads SET title = 'the copy' WHERE id = ?", (thread,))
    from_db.close()
    to_db.close()
    hit(one, lambda: title(one, thread))
    other = new_site({"C1D_STORE": f"sqlite:{copy}", "REDIS_URL": house.betweens[0].url}, workers=1)
    assert title(other, thread) == "the copy"
    hit(other, lambda: title(other, thread))
    assert (title(one, thread), title(other, thread)) == ("the original", "the copy")
    assert other.patch(path(thread), {"title": "another copy"}).status == 200
    hit(other, lambda: title(other, thread))
    assert (title(one, thread), title(other, thread)) == ("the original", "another copy")


# --- what was lost, and races ---
def step_once(name, thread, answer):
    """What befalls the first command of this step on that thread; and an event: it came."""
    came = threading.Event()

    def rule(words, step):
        if step == name and not came.is_set() and any(thread.encode() in word for word in words):
            came.set()
            return answer
        return None
    return rule, came


def test_what_was_read_before_a_change_is_not_kept_behind_it(house):
    one, other = house.nodes
    thread, gate = make(one, title="old")["id"], threading.Event()
    house.betweens[0].rule, came = step_once("keep", thread, gate)
    wait_for(lambda: title(one, thread) and came.is_set(), "it is about to be kept")
    assert other.patch(path(thread), {"title": "new"}).status == 200
    hit(other, lambda: title(other, thread))
    asked = len(house.betweens[0].seen)
    gate.set()  # now the old one arrives at Redis
    wait_for(lambda: title(one, thread) and len(house.betweens[0].seen) > asked, "others came behind it")
    house.rule(None)
    for _ in range(3):
        assert title(other, thread) == "new"
        assert title(one, thread) == "new"
    hit(one, lambda: title(one, thread))
    assert title(one, thread) == "new"


@pytest.mark.parametrize("step", ["hold", "let_go"])
def test_a_change_of_which_redis_did_not_hear_is_seen(house, step):
    one, other = house.nodes
    thread = make(one, title="old")["id"]
    for node in house.nodes:
        hit(node, lambda node=node: title(node, thread))
    house.betweens[0].rule, came = step_once(step, thread, b"")

    def change():
        """A node whose line to Redis was late a moment ago does not try: then it is no step that is lost."""
        assert one.patch(path(thread), {"title": "new"}).status == 200
        return came.is_set()
    wait_for(change, "the step came")
    assert title(one, thread) == "new"
    wait_for(lambda: title(one, thread) == "new" and title(other, thread) == "new", "both see it", 90)
    for node in house.nodes:
        wait_for(lambda node=node: "\nc1d_cache_up 1\n" in node.metrics(), "it reads from Redis", 90)
        assert title(node, thread) == "new"


@pytest.mark.parametrize("flushed", [False, True], ids=["", "flushed"])
def test_a_node_that_cannot_tell_of_its_changes_is_not_trusted_by_others(house, flushed):
    one, other = house.nodes
    thread = make(one, title="old")["id"]
    if flushed:  # its lease is gone; it reads nothing before it has a new one
        hit(one, lambda: title(one, thread))
        house.redis.ask("FLUSHALL")
    for node in (other, one):  # one that never had a lease is missed by nobody
        hit(node, lambda node=node: title(node, thread))
    house.betweens[0].rule = SICK["dead"]
    house.betweens[0].cut()
    off = reads(other, "off")
    assert one.patch(path(thread), {"title": "new"}).status == 200
    wait_for(lambda: title(other, thread) == "new" and reads(other, "off") > off, "its lease has run out", 90)
    assert one.told("Redis is away: all is asked of the store")
    house.rule(None)
    for node in house.nodes:
        hit(node, lambda node=node: title(node, thread))
        assert title(node, thread) == "new"
    assert one.told("Redis is back: threads are kept there again")


def test_hammered_by_both_nodes_nobody_reads_what_was(house):
    """Each reads what it has just written, and never less than what the other had written before."""
    one, other = house.nodes
    thread = make(one, title="0")["id"]
    written, wrong, ends = [0], [], threading.Event()

    def read(node):
        while not ends.is_set():
            before = written[0]
            seen = int(title(node, thread))
            if seen < before:
                wrong.append((node.port, before, seen))

    readers = [threading.Thread(target=read, args=(node,)) for node in house.nodes for _ in range(2)]
    for reader in readers:
        reader.start()
    before = [debts(node) for node in house.nodes]
    for number in range(1, 60):
        assert (one, other)[number % 2].patch(path(thread), {"title": str(number)}).status == 200
        written[0] = number
    ends.set()
    for reader in readers:
        reader.join()
    assert not wrong or before != [debts(node) for node in house.nodes], wrong  # a Redis that was late is what the lease is for
