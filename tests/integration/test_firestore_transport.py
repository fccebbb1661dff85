"""How Firestore is asked: its token, its refusals, and what befalls a request on the way, by a Google that does as it is told."""
import gzip
import json
import os
import re
import subprocess
import time
from collections import namedtuple
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import PrivateFormat

import fcgi
from google import EMAIL, SCOPE, Answer, Google, Identity, failed
from house import ROOT, Site, environment_of, held_port, wait_for

PROGRAM = os.environ.get("C1D_BIN", str(ROOT / "build/c1d"))
DRIVER = Path(PROGRAM).parent / "tests/drivers/firestore_asks"
LONG_MS = 30000  # where the test is not about time
Said = namedtuple("Said", "status took_ms reply")


@pytest.fixture(scope="module")
def identity(scratch):
    return Identity(scratch / "google")


@pytest.fixture
def google(identity):
    server = Google(identity)
    yield server
    server.stop()


class Asker:
    """The program that asks as the store does."""

    def __init__(self, settings):
        self.child = subprocess.Popen([DRIVER], env=environment_of(settings), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)
        if self.child.stdout.readline() != "ready\n":
            raise AssertionError(self.child.communicate()[1])

    def ask_all(self, count, verb=":commit", how="repeatable", ms=LONG_MS, body="{}"):
        self.child.stdin.write(f"{count} {verb} {how} {ms} {body}\n")
        self.child.stdin.flush()
        return [self.said() for _ in range(count)]

    def ask(self, *words, **named):
        return self.ask_all(1, *words, **named)[0]

    def said(self):
        line = self.child.stdout.readline().rstrip("\n")
        status, took_ms, reply = re.fullmatch(r"(\D+) (\d+) (.*)", line).groups()
        return Said(status, int(took_ms), reply)

    def end(self):
        """What it has logged. It ends in order, without a leak."""
        _, log = self.child.communicate(timeout=60)
        assert self.child.returncode == 0, log
        return log


@pytest.fixture
def asker(google, tmp_path):
    made = []

    def make(**settings):
        made.append(Asker({**google.settings(tmp_path), **settings}))
        return made[-1]

    yield make
    for one in made:
        if one.child.poll() is None:
            one.child.kill()
            one.child.communicate()


def token_of(said):
    assert said.status == "ok", said
    return json.loads(said.reply)["token"]


# --- the token ---
def test_the_token_is_asked_for_by_what_the_account_has_signed(google, asker):
    assert token_of(asker().ask()) == "ya29.token-1"
    header, claims = google.assertion(google.token_requests[0])
    assert header == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    assert (claims["iss"], claims["sub"], claims["scope"]) == (EMAIL, EMAIL, SCOPE)
    assert claims["exp"] - claims["iat"] == 3600 and abs(claims["iat"] - time.time()) < 60
    assert google.requests[0].path == "/v1/projects/a-project/databases/(default)/documents:commit"


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_the_account_may_stand_in_variables(google, asker, form):
    """The token server is Google's then, which nobody can ask here: what is signed is looked at by the unit test of the key."""
    key = google.pem(form).replace("\n", "\\n")
    one = asker(GOOGLE_APPLICATION_CREDENTIALS="", FIREBASE_CLIENT_EMAIL=EMAIL, FIREBASE_PRIVATE_KEY=f'"{key}"')
    assert one.ask(ms=1).status == "down"
    assert key not in one.end()


def test_one_token_and_one_connection_serve_all_who_ask_at_once(google, asker):
    one = asker()
    assert one.ask().status == "ok"
    assert {said.status for said in one.ask_all(16)} == {"ok"}
    assert len(google.token_requests) == 1 and len(google.requests) == 17
    assert {request.connection for request in google.requests} == {1} and google.connections == 1
    assert "Sanitizer" not in one.end()


def test_a_token_is_renewed_ahead_while_requests_go_on_with_the_old_one(google, asker):
    google.expires_in = 10  # renewed half way, as there are no five minutes left
    one = asker()
    google.grants.append(lambda request: google.grant())
    google.grants.append(Answer(how="hang"))  # nobody waits for it
    assert token_of(one.ask()) == "ya29.token-1"
    google.wait_for(lambda: len(google.token_requests) == 2)
    assert token_of(one.ask()) == "ya29.token-1"


def test_a_token_that_is_refused_is_renewed_once_and_the_request_repeated(google, asker):
    one = asker()
    assert token_of(one.ask()) == "ya29.token-1"
    google.revoke()
    assert {token_of(said) for said in one.ask_all(8, how="once")} == {"ya29.token-2"}
    google.script += [failed(401, "UNAUTHENTICATED")]
    assert one.ask(how="once").status == "denied"  # what came in its place is refused, too: it is not the token's fault
    assert len(google.token_requests) == 2
    assert token_of(one.ask()) == "ya29.token-2"


@pytest.mark.parametrize("says, word", [
    ({"error": "invalid_grant", "error_description": "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
      "timeframe. Check your iat and exp values in the JWT claim."}, "this machine's clock is wrong"),
    ({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, "revoked"),
    ({"error": "invalid_grant", "error_description": "Invalid grant: account not found"}, "no such service account"),
    ({"error": "invalid_grant", "error_description": "something new"}, "is it revoked, or this machine's clock wrong"),
    ({"error": "disabled_client"}, "disabled"), (b"<html>", "status 400")])
def test_a_refusal_of_the_account_is_told_in_words_and_at_once(google, asker, says, word):
    google.grants += [Answer(400, says)] * 5
    one = asker()
    said = one.ask()
    assert said.status == "denied" and said.took_ms < LONG_MS / 2 and google.requests == []
    log = one.end()
    assert word in log and "PRIVATE KEY" not in log


@pytest.mark.parametrize("answer", [
    Answer(503, {}), Answer(body={"access_token": "two words"}), Answer(body={"access_token": "x" * 5000}), Answer(body=b"{", status=200),
    Answer(body={"access_token": "line\r\nHost: evil"}), Answer(body={}), Answer(how="cut"), Answer(body=b"x" * 100000)],
    ids=["503", "blank", "long", "no json", "header", "none", "cut", "huge"])
def test_a_token_that_is_of_no_use_is_asked_for_again(google, asker, answer):
    google.grants.append(answer)
    one = asker()
    assert token_of(one.ask()) == "ya29.token-1"
    assert len(google.token_requests) == 2
    assert one.end().count("token was not to be had") == 1


# --- what is tried again ---
@pytest.mark.parametrize("answers", [
    [failed(503, "UNAVAILABLE")], [failed(429, "RESOURCE_EXHAUSTED")], [failed(409, "ABORTED")] * 3, [failed(504, "DEADLINE_EXCEEDED")],
    [failed(500, "INTERNAL")], [Answer(503, b"<html>", content_type="text/html")], [Answer(200, b"<html>", content_type="text/html")],
    [Answer(how="cut", body={"half": "of it"})], [Answer(how="goaway")],
    [Answer(502, b""), failed(503, "UNAVAILABLE"), failed(409, "ABORTED")]],
    ids=["503", "429", "aborted", "deadline", "internal", "html 503", "html 200", "cut", "goaway", "several"])
def test_c6_what_may_be_repeated_is_tried_again_until_it_is_done(google, asker, answers):
    google.script += answers
    one = asker()
    assert token_of(one.ask()) == "ya29.token-1"
    assert len(google.requests) == len(answers) + 1
    one.end()


@pytest.mark.parametrize("answer, status", [
    (failed(503, "UNAVAILABLE"), "down"), (failed(409, "ABORTED"), "aborted"), (failed(500, "INTERNAL"), "outcome unknown"),
    (Answer(how="cut", body={"half": "of it"}), "outcome unknown"), (failed(403, "PERMISSION_DENIED"), "denied"),
    (failed(400, "INVALID_ARGUMENT"), "invalid"), (failed(409, "ALREADY_EXISTS"), "exists"), (failed(404, "NOT_FOUND"), "not found"),
    (failed(400, "FAILED_PRECONDITION"), "a precondition failed")])
def test_c6_what_may_have_been_done_is_not_tried_again(google, asker, answer, status):
    google.script.append(answer)
    one = asker()
    assert one.ask(how="once").status == status
    assert len(google.requests) == 1
    log = one.end()
    assert ("Firestore failed a request" in log) == (status in ("down", "outcome unknown", "denied", "invalid")), log


def test_c6_a_quota_is_waited_for_as_long_as_it_says_also_where_nothing_may_be_repeated(google, asker):
    google.script.append(failed(429, "RESOURCE_EXHAUSTED", headers={"retry-after": "1"}))
    said = asker().ask(how="once")
    assert said.status == "ok" and said.took_ms >= 1000


def test_c6_a_wait_that_is_longer_than_the_call_may_take_is_not_begun(google, asker):
    google.script.append(failed(503, "UNAVAILABLE", headers={"retry-after": "3600"}))
    said = asker().ask()
    assert said.status == "down" and said.took_ms < LONG_MS / 2 and len(google.requests) == 1


def test_c6_pauses_grow(google, asker):
    """Each is half of its measure for sure: 25, 50, 100, 200, 400 ms."""
    google.script += [failed(503, "UNAVAILABLE")] * 5
    said = asker().ask()
    assert said.status == "ok" and said.took_ms >= 775


# --- deadlines ---
@pytest.mark.parametrize("how", ["hang", "half"])
def test_c4_whoever_falls_silent_is_left_at_the_deadline(google, asker, how):
    one = asker()
    assert one.ask().status == "ok"

    def left():
        """The others on the connection go on, if it is quick to say that it is alive: only a machine that stands still is not, at times."""
        before = google.connections
        google.script.append(Answer(how=how, body={"half": "of it"}))
        said = one.ask(ms=500)
        assert said.status == "outcome unknown" and said.took_ms >= 500
        assert one.ask().status == "ok"
        return google.connections == before

    wait_for(left, "the connection is used again")
    one.end()


def test_c4_a_token_server_that_is_silent_holds_nobody_longer_than_his_deadline(google, asker):
    google.grants.append(Answer(how="hang"))
    one = asker()
    said = one.ask(ms=300)
    assert said.status == "down" and said.took_ms >= 300
    one.end()  # nor the end of the program


def test_c1_nobody_there_is_told_and_was_not_sent(google, asker):
    one = asker(C1D_STORE=f"firestore:a-project?endpoint=https://127.0.0.1:{held_port()}&ca_file={google.ca_file}")
    said = one.ask(how="once", ms=1000)
    assert said.status == "down"
    assert "no connection" in one.end()


def test_c14_a_certificate_that_nobody_vouches_for_is_refused(google, asker, tmp_path):
    settings = google.settings(tmp_path)
    one = asker(C1D_STORE=settings["C1D_STORE"].partition("&ca_file")[0])
    assert one.ask(ms=3000).status == "down"
    assert google.requests == google.token_requests == []
    assert "its certificate" in one.end()


# --- what comes ---
def test_a_reply_may_come_compressed_and_its_cap_is_of_what_is_in_it(google, asker):
    text = json.dumps({"token": "t", "a": "x" * 100000}).encode()
    google.script.append(lambda request: Answer(body=gzip.compress(text), headers={"content-encoding": "gzip"}))
    google.script.append(Answer(body=gzip.compress(b"x" * (1 << 24)), headers={"content-encoding": "gzip"}))
    google.script.append(Answer(body=b"x" * (1 << 21)))
    one = asker()
    said = one.ask()
    assert said.status == "ok" and said.reply.encode() == text
    assert google.requests[0].headers["accept-encoding"] == "gzip"
    assert [one.ask().status for _ in range(3)] == ["too large", "too large", "ok"]
    one.end()


def test_a_large_request_goes_whole(google, asker):
    one = asker()
    assert one.ask(body=json.dumps({"a": "y" * 2_000_000})).status == "ok"
    assert len(google.requests[0].body) == 2_000_009 and json.loads(google.requests[0].body)


# --- the settings ---
@pytest.mark.parametrize("key, word", [
    ("hunter2canary", "-----BEGIN PRIVATE KEY-----"), ("-----BEGIN PRIVATE KEY-----\\nhunter2canary", "ends before"),
    ("-----BEGIN PRIVATE KEY-----\\nhunter2canary\\n-----END PRIVATE KEY-----\\n", "damaged")])
def test_f19_a_key_that_is_none_is_told_without_being_shown(google, key, word):
    done = subprocess.run([DRIVER], env=environment_of({"FIREBASE_PROJECT_ID": "p", "FIREBASE_CLIENT_EMAIL": EMAIL,
                                                        "FIREBASE_PRIVATE_KEY": key}),
                          text=True, capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and word in done.stderr and "hunter2canary" not in done.stderr


# --- through c1d ---
def test_a_worker_reaches_all_of_it_from_behind_its_fence(google, scratch, upstream, tmp_path):
    """Account, certificates, both ports: with the fence up, and nothing else open."""
    site = Site(scratch, upstream, google.settings(scratch), workers=1)
    try:
        assert site.get("/api/threads/t1").status == 404
        assert site.get("/readyz").status == 200
        assert len(google.token_requests) == 1 and google.connections == 1
        google.script += [failed(503, "UNAVAILABLE"), failed(429, "RESOURCE_EXHAUSTED")]
        assert site.get("/api/threads/t1").status == 404
        text = fcgi.ask(site.folder / "c1d.sock", "GET", "/metrics").text
        for line in ('c1d_firestore_retries_total{why="down"} 1', 'c1d_firestore_retries_total{why="busy"} 1',
                     'c1d_firestore_tokens_total{result="ok"} 1'):
            assert line in text, text
        google.revoke()
        google.grants += [Answer(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})] * 9
        answer = site.get("/api/threads/t1")
        assert answer.status == 503 and answer.json()["code"] == "storage_unavailable"
        assert "revoked" in site.told("Firestore's token was not to be had")[0]["reason"]
        google.grants.clear()
        wait_for(lambda: site.get("/api/threads/t1").status == 404, "it is up again when the key is")
        assert "PRIVATE KEY" not in site.log_path.read_text() and "ya29" not in site.log_path.read_text()
    finally:
        site.stop()


def checked(*words, **settings):
    return subprocess.run([PROGRAM, "check", *words], env=environment_of(settings), text=True, capture_output=True, timeout=60, check=False,
                          stdin=subprocess.DEVNULL)


def test_f19_check_says_what_is_wrong_with_the_account(google, tmp_path):
    settings = {"C1D_STATE_DIR": str(tmp_path), **google.settings(tmp_path)}
    assert checked("-t", **settings).returncode == 0
    path = Path(settings["GOOGLE_APPLICATION_CREDENTIALS"])
    good = json.loads(path.read_text())
    for change, word in [({"type": "authorized_user"}, "type service_account"), ({"private_key": "hunter2canary"}, "private_key that is none"),
                         ({"client_email": None}, "no client_email"), ({"token_uri": "http://example.com/"}, "token_uri")]:
        path.write_text(json.dumps({**good, **change}))
        done = checked("-t", **settings)
        assert done.returncode == 78 and word in done.stderr and "hunter2canary" not in done.stderr, done
    path.unlink()
    assert "No such file" in checked("-t", **settings).stderr
    done = checked("-t", **{**settings, "C1D_STORE": "firestore:a b"})
    assert done.returncode == 78 and "names no project" in done.stderr


def test_f19_check_writes_a_document_and_takes_it_back(google, scratch, tmp_path):
    settings = {"C1D_STATE_DIR": str(tmp_path), **google.settings(tmp_path)}
    done = checked(**settings)
    assert "OK   store: Firestore: a document was written and taken back" in done.stdout, done
    verbs = [json.loads(request.body)["writes"][0].keys() & {"update", "delete"} for request in google.requests]
    assert verbs == [{"update"}, {"delete"}]
    Path(settings["GOOGLE_APPLICATION_CREDENTIALS"]).chmod(0o644)
    assert "everybody on this machine may read" in checked(**settings).stdout
