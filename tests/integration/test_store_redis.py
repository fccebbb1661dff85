"""Redis as the store: what it keeps when it is killed, what is told when it is full, still loading, somebody else's replica or
empty, and what becomes of things that others put there or threw away. What every store does: tests/contract."""
import os
import re
import signal
import subprocess
import uuid

import pytest
from api import problem
from house import ROOT, Process, Site, environment_of, in_parallel, wait_for
from proxies import StoreProxy
from servers import SERVERS


@pytest.fixture(scope="module")
def redis(server_of):
    """The one that all tests share that leave it as it is."""
    return server_of("redis")


@pytest.fixture(scope="module")
def home(scratch, upstream, redis):
    site = Site(scratch, upstream, redis.settings("home"))
    yield site
    site.stop()


@pytest.fixture
def own(scratch):
    """Makes one that the test may hurt."""
    servers = []

    def make(**how):
        servers.append(SERVERS["redis"](scratch / f"redis-{uuid.uuid4().hex[:8]}", **how))
        return servers[-1]

    yield make
    for server in servers:
        server.stop(signal.SIGKILL)


NOBODY = "http://127.0.0.1:1/v1"  # no C1 API: a check that asked for the real one would wait for the network
QUICK = "fault:chunks=2;size=20;pace=0 "


def key(place, *parts):
    return f"{place}:{{store}}:{''.join(parts)}"


def name(kind):
    return f"{kind}-{uuid.uuid4().hex[:12]}"


def is_ready(site):
    return site.get("/readyz").status == 200


def said(site, event):
    return [line for line in site.log_lines() if line["event"] == event]


# --- it is killed ---
@pytest.mark.parametrize("durable", [True, False], ids=["always", "everysec"])
def test_a_redis_that_is_killed_in_the_middle_of_an_answer_loses_nothing_that_was_told(new_site, own, durable):
    server = own(durable=durable)
    site = new_site(server.settings("killed"))
    for i in range(5):
        assert site.chat(f"{QUICK}question {i}", "t1").status == 200
    gate = name("gate")
    prompt = f"fault:gate={gate}@30;pace=0 and one more"
    stream = site.stream({"thread_id": "t1", "message": prompt})
    stream.read_some()
    # While it syncs, `everysec` may answer before it has written: what the system does not have yet a kill may take.
    wait_for(lambda: "\naof_buffer_length:0\n" in server.ask("INFO", "persistence"), "what it was told is written")
    server.kill()
    problem(site.post("/api/threads", {"title": "x"}), 503, "storage_unavailable")
    site.upstream.open_gate(gate)
    stream.read_until(site.upstream.whole_answer(prompt)[-20:])  # it ends only when it is saved
    server.start()
    whole = stream.read_all()
    stream.close()
    wait_for(lambda: is_ready(site), "ready again")
    assert site.wait_status("t1", stream.headers["X-Response-Id"], "complete")["content"].encode() == whole
    assert [m["status"] for m in site.messages("t1")] == ["complete"] * 12
    assert site.chat(QUICK + "and it goes on", "t1").status == 200
    assert not said(site, "Redis was emptied: the conversations that were in it are lost")


def test_C4_redis_that_stands_still_is_given_up(new_site, own):
    server = own()
    site = new_site(server.settings("still"), workers=1)
    assert site.chat(QUICK + "hello", "t1").status == 200
    server.process.child.send_signal(signal.SIGSTOP)
    try:
        assert site.get("/api/threads/t1").status in (503, 504)
        assert site.get("/livez").status == 200
        assert site.get("/api/threads/t1").status == 503  # who comes next finds nobody there
        assert site.get("/readyz").status == 503
    finally:
        server.process.child.send_signal(signal.SIGCONT)
    wait_for(lambda: site.get("/api/threads/t1").status == 200, "works again")


# --- it says no ---
REFUSALS = {
    "LOADING": ("LOADING Redis is loading the dataset in memory", "storage_unavailable"),
    "MASTERDOWN": ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "storage_unavailable"),
    "NOAUTH": ("NOAUTH Authentication required.", "storage_unavailable"),
    "MISCONF": ("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", "storage_full"),
    "nonsense": ("ERR something that nobody knows", "storage_failed"),
}


@pytest.fixture(scope="module")
def between(scratch, upstream, redis):
    """A house with a proxy between it and Redis."""
    proxy = StoreProxy(scratch / "proxies", f"tcp://127.0.0.1:{redis.port}")
    site = Site(scratch, upstream, redis.settings("between", proxy.address), workers=1)
    yield site, proxy
    site.stop()
    proxy.stop()


def works_again(site):
    return is_ready(site) and site.post("/api/threads", {"title": "two"}).status == 201


@pytest.mark.parametrize("word", REFUSALS)
def test_what_redis_refuses_is_told_in_our_words_and_nothing_of_it_leaks(between, word):
    site, proxy = between
    text, code = REFUSALS[word]
    wait_for(lambda: works_again(site), "works")
    proxy.rule("say", text=f"-{text}\r\n", times=0)
    body = problem(site.post("/api/threads", {"title": "two"}), 500 if code == "storage_failed" else 503, code)
    assert word not in str(body) and "Redis" not in str(body)
    proxy.heal()
    wait_for(lambda: works_again(site), "works again")


NO_REPLIES = {"another protocol": "HTTP/1.1 200 OK\r\n\r\n", "no length": "$999999999999999999999\r\nabc", "another type": ":12\r\n",
              "too few": "*1\r\n$1\r\na\r\n", "nested": "*1\r\n" * 40}


@pytest.mark.parametrize("what", NO_REPLIES)
def test_what_is_no_reply_of_redis_ends_no_worker(between, what):
    site, proxy = between
    wait_for(lambda: works_again(site), "works")
    thread, pids = site.post("/api/threads", {"title": "one"}).json()["id"], site.worker_pids()
    proxy.rule("say", text=NO_REPLIES[what], times=0)
    for path in (f"/api/threads/{thread}", "/api/threads"):
        assert site.get(path).status in (404, 500, 503, 504)
    proxy.heal()
    wait_for(lambda: works_again(site), "works again")
    assert site.worker_pids() == pids and site.get(f"/api/threads/{thread}").status == 200


def test_C7_a_reply_that_ends_half_way_is_no_answer(between):
    site, proxy = between
    wait_for(lambda: works_again(site), "works")
    thread = site.post("/api/threads", {"title": "one"}).json()["id"]
    for _ in range(10):
        rule = proxy.rule("half", "HMGET", times=1)
        answer = site.get(f"/api/threads/{thread}")
        proxy.wait_rule(rule)
        if answer.status != 200:  # else it befell a duty that told Redis its script
            break
    assert answer.status == 503, answer
    wait_for(lambda: works_again(site), "works again")
    assert site.get(f"/api/threads/{thread}").json()["title"] == "one"


def test_a_redis_that_became_a_replica_is_away_until_it_is_a_primary_again(new_site, own):
    server = own()
    site = new_site(server.settings("replica"))
    assert site.chat(QUICK + "hello", "t1").status == 200
    server.ask("REPLICAOF", "127.0.0.1", "1")  # nobody is there, so it keeps what it has
    problem(site.post("/api/threads", {"title": "x"}), 503, "storage_unavailable")
    wait_for(lambda: site.get("/readyz").status == 503, "it is known")
    assert any("READONLY" in line["reason"] for line in said(site, "Redis refuses"))
    server.ask("REPLICAOF", "NO", "ONE")
    wait_for(lambda: is_ready(site), "ready again")
    assert len(site.messages("t1")) == 2


def test_C10_a_redis_that_is_full_is_read_and_what_ends_meanwhile_is_saved_later(new_site, own):
    server = own()
    site = new_site(server.settings("full"))
    assert site.chat(QUICK + "hello", "t0").status == site.chat(QUICK + "hello", "t1").status == 200
    gate = name("gate")
    stream = site.stream({"thread_id": "t1", "message": f"fault:gate={gate}@30 long"})
    stream.read_some()
    server.ask("CONFIG", "SET", "maxmemory", "1mb")
    problem(site.post("/api/threads", {"title": "x"}), 503, "storage_full")
    assert len(site.messages("t1")) == 4  # it is read
    site.upstream.open_gate(gate)
    stream.close()
    assert site.delete("/api/threads/t0").status == 200  # that makes room
    assert site.get("/api/threads/t0").status == 404
    server.ask("CONFIG", "SET", "maxmemory", "0")
    wait_for(lambda: is_ready(site), "ready again")
    site.wait_status("t1", stream.headers["X-Response-Id"], "complete", "stopped", "interrupted")
    assert site.chat(QUICK + "goes on", "t2").status == 200
    assert any("OOM" in line["reason"] for line in said(site, "Redis refuses"))


# --- it was emptied, or forgot ---
def test_a_redis_that_is_emptied_under_load_ends_no_worker_and_is_told_of(new_site, own):
    server = own()
    site = new_site(server.settings("flushed"))
    pids = site.worker_pids()

    def ask(i):
        return {site.chat(f"{QUICK}question {j}", f"t{i}").status for j in range(6)} | {site.get("/api/threads").status}

    def flush(_):
        for _ in range(4):
            server.ask("FLUSHALL")

    found = in_parallel(7, lambda i: ask(i) if i else flush(i) or set())
    assert set().union(*found) <= {200, 409, 500, 503}, found
    wait_for(lambda: said(site, "Redis was emptied: the conversations that were in it are lost"), "it is told")
    assert site.worker_pids() == pids
    assert site.chat(QUICK + "a new beginning", "fresh").status == 200
    assert len(site.messages("fresh")) == 2


def test_an_answer_that_vanished_is_not_asked_for_again_and_not_passed_over(home, redis):
    """Redis was told to throw keys away: what it threw is told as damaged, by whichever way it is asked for."""
    thread, idempotency = name("t"), {"Idempotency-Key": name("key")}
    first = home.chat(QUICK + "what was that", thread, headers=idempotency)
    answer = first.headers["X-Response-Id"]
    spent = home.upstream.stats()["requests"]
    wait_for(lambda: home.message(thread, answer)["status"] == "complete", "it is saved")
    assert redis.ask("DEL", key("home", f"m:{thread}/{answer}")) == "1"
    problem(home.get(f"/api/threads/{thread}/messages"), 500, "corrupt")
    problem(home.patch(f"/api/threads/{thread}/messages/{answer}", {"content": "x"}), 500, "corrupt")
    problem(home.post("/api/chat", {"thread_id": thread, "message": QUICK + "what was that"}, headers=idempotency), 500, "corrupt")
    problem(home.post("/api/chat", {"thread_id": thread, "message": "go on"}), 500, "corrupt")
    assert home.upstream.stats()["requests"] == spent
    assert home.delete(f"/api/threads/{thread}").status == 200


def test_a_thread_that_vanished_is_not_made_anew_over_what_was_said_in_it(home, redis):
    thread = name("t")
    assert home.chat(QUICK + "a secret of before", thread).status == 200
    assert redis.ask("DEL", key("home", f"t:{thread}")) == "1"
    assert home.get(f"/api/threads/{thread}").status == 404
    problem(home.post("/api/chat", {"thread_id": thread, "message": "who are you"}), 500, "corrupt")
    assert home.get("/api/threads").status == 200  # the lists pass it by


def test_redis_that_forgot_its_scripts_is_told_them_again(home, redis):
    thread = name("t")
    redis.ask("SCRIPT", "FLUSH")
    assert home.chat(QUICK + "hello", thread).status == 200
    redis.ask("SCRIPT", "FLUSH")
    assert len(home.messages(thread)) == 2


# --- others write there ---
DAMAGE = {
    "no number": ("HSET", "m", "seq", "first"),
    "a number that is none": ("HSET", "m", "created", "-12"),
    "an unknown status": ("HSET", "m", "status", "maybe"),
    "no UTF-8": ("HSET", "m", "content", b"\xff\xfe"),
    "a run that is a path": ("HSET", "m", "run", "../../etc/passwd"),
    "no title": ("HDEL", "t", "title"),
    "a claim that is no name": ("HSET", "t", "run", "a/b"),
    "half a claim": ("HSET", "t", "run", "r1"),
    "another type": ("SET", "m", "text"),
    "a list": ("RPUSH!", "s", "a"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_c12_what_others_put_there_is_damage_and_nothing_worse(home, redis, what):
    thread, whole = name("t"), name("t")
    answer = home.chat(QUICK + "hello", thread).headers["X-Response-Id"]
    assert home.chat(QUICK + "hello", whole).status == 200
    wait_for(lambda: home.message(thread, answer)["status"] == "complete", "it is saved")
    command, where, *words = DAMAGE[what]
    target = key("home", {"m": f"m:{thread}/{answer}", "t": f"t:{thread}", "s": f"s:{thread}"}[where])
    if command.endswith("!"):
        redis.ask("DEL", target)
    redis.ask(command.strip("!"), target, *words)
    answers = [home.get(f"/api/threads/{thread}"), home.get(f"/api/threads/{thread}/messages"),
               home.post("/api/chat", {"thread_id": thread, "message": "go on"})]
    assert all(a.status in (200, 409, 500) for a in answers), answers
    assert any(a.status == 500 and a.json()["code"] == "corrupt" for a in answers), answers
    assert home.get(f"/api/threads/{whole}/messages").status == 200
    redis.ask("DEL", target, key("home", f"t:{thread}"))


def test_members_that_are_no_threads_of_ours_are_passed_by(home, redis):
    thread = name("t")
    assert home.chat(QUICK + "hello", thread).status == 200
    for member in ("", "x", "9999999999999999", "9999999999999999../../x", "9999999999999998" + "y" * 200, "9999999999999997nobody"):
        redis.ask("ZADD", key("home", "a0"), "0", member)
    listed = home.get("/api/threads?limit=3")
    assert listed.status == 200 and thread in [t["id"] for t in listed.json()]


def test_what_was_put_back_is_not_swept_away(home, redis, scratch):
    thread = name("t")
    assert home.chat(QUICK + "hello", thread).status == 200
    purge = key("home", "purge")  # as a sweep knows it that looked before it was put back
    redis.ask("ZADD", purge, "0", thread)
    done = c1d({**redis.settings("home"), "C1D_STATE_DIR": f"{scratch}/swept"}, "users", "erase", name("nobody"), "--yes")
    assert done.returncode == 0 and not redis.ask("ZSCORE", purge, thread), done
    assert len(home.messages(thread)) == 2


def test_a_count_passes_by_what_is_no_thread_of_ours(scratch, redis):
    settings = redis.settings("counted")
    place = settings["C1D_STORE"].split("prefix=")[1].rstrip(":")
    for i in range(100):  # as many as are read at once
        redis.ask("ZADD", key(place, "ids"), "0", f"{i:02}" + "y" * 200)
    done = c1d({**settings, "C1D_STATE_DIR": f"{scratch}/counted"}, "export", "-")
    assert done.returncode == 0, done


# --- who may, and how it is set up ---
def c1d(settings, *words):
    program = os.environ.get("C1D_BIN", str(ROOT / "build/c1d"))
    return subprocess.run([program, *words], env=environment_of({"THESYS_API_KEY": "sk-th-x", "THESYS_BASE_URL": NOBODY, **settings}), capture_output=True,
                          text=True, check=False, timeout=60)


def check(settings):
    done = c1d(settings, "check")
    return done.returncode, [line for line in done.stdout.splitlines() if " store:" in line]


def test_check_and_the_log_say_what_this_redis_may_lose(new_site, own):
    server = own()
    settings = server.settings("told")
    assert check(settings)[1] == ["OK   store: Redis: a key was written and taken back"]
    server.ask("CONFIG", "SET", "appendonly", "no")
    server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    code, lines = check(settings)
    assert code == check(settings)[0] and lines[0].startswith("OK ") and lines[1].startswith("WARN store: Redis may lose what it is told:")
    assert "maxmemory-policy" in lines[1] and "appendonly is no" in lines[1]
    site = new_site(settings, workers=1)
    assert "appendonly is no" in site.told("Redis may lose what it is told")[0]["why"]


def test_a_wrong_password_is_told_in_words_and_not_shown(own):
    server = own()
    server.ask("CONFIG", "SET", "requirepass", "right-canary-1")
    uri = f"redis://:wrong-canary-2@127.0.0.1:{server.port}/0"
    code, lines = check({"C1D_STORE": uri})
    assert code == 78 and "WRONGPASS" in lines[0] and "canary" not in lines[0]
    assert check({"C1D_STORE": uri.replace("wrong-canary-2", "right-canary-1")})[1][0].startswith("OK ")
    assert "wants a password" in str(check({"C1D_STORE": f"redis://127.0.0.1:{server.port}"})[1])


@pytest.mark.parametrize("uri, words", [
    ("redis://host/0?prefix=", "?prefix="), ("redis://host/0?prefix=a%20b", "letters, digits"), ("redis://host/0?db=1", "?prefix="),
    ("redis+unix:x", "no path"), ("redis+unix:/x?db=no", "no number"), ("redis://host/no", "no number"), ("rediss://host/0", "stunnel"),
    ("redis:host", "redis://"), ("redis://user@host/0", "without a password"), ("redis://host/0?prefix=a&prefix=b", "?prefix="),
])
def test_an_address_that_is_none_says_what_is_wrong_with_it(uri, words):
    done = c1d({"C1D_STORE": uri}, "check", "-t")
    assert done.returncode == 78 and words in done.stderr + done.stdout, (done.stderr, done.stdout)


def test_a_socket_a_user_and_a_database_of_its_own_as_the_documentation_says(new_site, scratch):
    """The user's rights are those of docs/how-to/store-redis.md, word for word, and the fence around the workers stands."""
    rights = re.search(r"`ACL SETUSER c1d on >PASSWORD (.*?)`", (ROOT / "docs/how-to/store-redis.md").read_text()).group(1)
    folder = scratch / name("socket")
    folder.mkdir()
    path = folder / "redis.sock"
    process = Process(["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)], folder, "redis")
    try:
        wait_for(lambda: "ready to accept connections" in process.text().lower(), "it listens")
        ask = ["redis-cli", "-s", str(path)]
        subprocess.run([*ask, "ACL", "SETUSER", "c1d", "on", ">p@ss:w/rd", *rights.split()], check=True, capture_output=True)
        site = new_site({"C1D_STORE": f"redis+unix://c1d:p%40ss%3Aw%2Frd@{path}?db=3"}, workers=1)
        assert site.chat(QUICK + "hello", "t1").status == 200
        assert site.patch("/api/threads/t1", {"title": "renamed"}).status == 200
        assert site.get("/api/threads?q=NAMED").json()[0]["id"] == "t1"
        keys = subprocess.run([*ask, "-n", "3", "KEYS", "*"], check=True, capture_output=True, text=True).stdout.split()
        assert keys and all(k.startswith("c1d:{store}:") for k in keys)
        assert site.delete("/api/threads/t1").status == 200
        assert not said(site, "Redis refuses")
        site.stop()
    finally:
        process.stop()
