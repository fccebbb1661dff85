"""Signed tokens: who is let in by them, and that nobody else is, through nginx. Each row of the list of attacks on signing in;
the readers themselves are tried by tests/unit/guard_token_test.c and guard_wycheproof_test.c."""
import base64
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import subprocess
import time

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import fcgi
from api import problem
from house import ROOT, Site, environment_of, in_parallel, wait_for
from issuer import AUDIENCE, NAME, Issuer, b64, bearer, claims, jwk_of, new_key, pem_of

PROGRAM = os.environ.get("C1D_BIN", str(ROOT / "build/c1d"))
SECRET = "a-secret-of-tests-that-is-long-enough-0123456789"


def jwt_settings(**more):
    return {"C1D_AUTH": "jwt", "C1D_JWT_ISSUER": NAME, "C1D_JWT_AUDIENCE": AUDIENCE, **more}


@pytest.fixture(scope="module")
def issuer():
    server = Issuer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def store_kind():
    return "sqlite"  # who asks is settled before any store is


@pytest.fixture(scope="module")
def signed(scratch, upstream, issuer):
    """A site whose users come with tokens of the issuer, whose keys it asks for."""
    house = Site(scratch, upstream, jwt_settings(C1D_JWT_JWKS_URL=issuer.url, C1D_LOG_LEVEL="debug"))
    wait_for(lambda: house.get("/api/threads", bearer(issuer.token())).status == 200, "the keys are there")
    yield house
    house.stop()


@pytest.fixture
def own_issuer():
    server = Issuer()
    yield server
    server.stop()


def refused(answer, with_token=True):
    body = problem(answer, 401, "unauthorized")
    wanted = 'Bearer error="invalid_token"' if with_token else "Bearer"
    assert answer.headers["WWW-Authenticate"] == wanted
    return body["detail"]


def all_refused(site, tokens):
    """Each of them, in one and the same words, and every worker is as it was."""
    before = site.worker_pids()
    words = {refused(site.get("/api/threads", bearer(token))) for token in tokens}
    assert len(words) <= 1, words
    assert site.worker_pids() == before


def raw_token(header, payload, sign):
    text = f"{b64(header)}.{b64(payload)}"
    return f"{text}.{b64(sign(text.encode()))}"


def hs256(secret, header, payload):
    return raw_token(header, payload, lambda text: hmac.new(secret, text, hashlib.sha256).digest())


# --- who is let in ---
def test_a_token_says_whose_things_are_seen(signed, issuer):
    ann, bob = bearer(issuer.token("ann-1")), bearer(issuer.token("bob-1"))
    thread = signed.post("/api/threads", {"title": "hers"}, ann).json()
    assert thread["user_id"] == "ann-1"
    assert signed.get(f"/api/threads/{thread['id']}", ann).status == 200
    problem(signed.get(f"/api/threads/{thread['id']}", bob), 403, "access_denied")
    assert thread["id"] not in [t["id"] for t in signed.get("/api/threads", bob).json()]
    problem(signed.get("/api/threads?user_id=bob-1", ann), 403, "access_denied")
    chat = signed.chat("hello", thread["id"], headers=ann)
    assert chat.status == 200, chat
    refused(signed.get("/api/threads"), with_token=False)


def test_e13_the_scheme_in_any_case_and_no_token_in_an_address(signed, issuer):
    token = issuer.token()
    for scheme in ("Bearer", "bearer", "BEARER", "bEaReR"):
        assert signed.get("/api/threads", {"Authorization": f"{scheme} {token}"}).status == 200
    for scheme in ("Basic", "Token", "JWT", "BearerX"):
        refused(signed.get("/api/threads", {"Authorization": f"{scheme} {token}"}), with_token=False)
    for word in ("access_token", "token", "id_token", "authorization"):
        assert signed.get(f"/api/threads?{word}={token}").status in (401, 422)
    assert token not in signed.log_path.read_text()


def test_e13_two_authorization_headers_are_400(signed, issuer):
    head = f"GET /api/threads HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + 2 * f"Authorization: Bearer {issuer.token()}\r\n"
    with socket.create_connection((signed.host, signed.port), 30) as peer:
        peer.sendall(head.encode() + b"\r\n")
        answer = peer.makefile("rb").read()
    assert answer.split()[1] == b"400", answer[:200]


def test_e13_a_worker_does_not_take_two_tokens_for_one(signed, issuer):
    """Other web servers join headers of one name."""
    token = issuer.token()
    all_refused(signed, [f"{token}, Bearer {token}", f"{token},{token}", f"{token} {token}"])


# --- what a token cannot do ---
def test_e1_none_is_no_algorithm(signed):
    payload = json.dumps(claims()).encode()
    headers = [json.dumps({"alg": alg, "kid": "k1"}).encode() for alg in ("none", "None", "nOnE", "NONE", "")]
    headers += [b'{"kid":"k1"}', b'{"alg":null,"kid":"k1"}']
    all_refused(signed, [f"{b64(h)}.{b64(payload)}{end}" for h in headers for end in (".", "", ".AAAA")])


def test_e2_a_published_key_is_no_secret(signed, issuer):
    key, payload = issuer.keys["k1"], json.dumps(claims()).encode()
    pem = pem_of(key).encode()
    der = base64.b64decode("".join(pem.decode().splitlines()[1:-1]))
    secrets = [pem, pem.strip(), der, json.dumps(jwk_of(key, "k1")).encode()]
    all_refused(signed, [hs256(secret, b'{"alg":"HS256","kid":"k1"}', payload) for secret in secrets])


def test_e3_other_algorithms_and_weak_keys(signed, issuer):
    key = issuer.keys["k1"]
    small, p384 = rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP384R1())
    tokens = [jwt.encode(claims(), k, alg, {"kid": "k1"})
              for k, alg in ((small, "RS256"), (small, "RS512"), (small, "PS256"), (p384, "ES384"), (new_key(), "ES256"))]
    good = issuer.token()
    text, zeros = good.rpartition(".")[0], b64(bytes(64))
    der = key.sign(text.encode(), ec.ECDSA(hashes.SHA256()))
    all_refused(signed, [*tokens, f"{text}.{zeros}", f"{text}.{b64(der)}", f"{text}.{b64(bytes(31) + b'1' + bytes(32))}"])


def test_e4_the_name_of_a_key_leads_nowhere(signed, issuer):
    names = ["", "k2", "K1", "../../dev/null", "/dev/null", "' OR 1=1 --", issuer.url, "k1\n", "k1 ", "k" * 300, "k" * 5000]
    before = issuer.paths[:]
    all_refused(signed, [issuer.token(kid=name, key=issuer.keys["k1"]) for name in names])
    all_refused(signed, [jwt.encode(claims(), issuer.keys["k1"], "ES256")])
    nul = raw_token(b'{"alg":"ES256","kid":"k1\\u0000"}', json.dumps(claims()).encode(), lambda text: b"x" * 64)
    all_refused(signed, [nul])
    assert set(issuer.paths[len(before):]) <= {"/keys"}


def test_e5_no_token_makes_us_call_anybody(signed, issuer):
    canary = Issuer()
    try:
        foreign = canary.keys["k1"]
        brought = [{"jku": canary.url}, {"x5u": canary.url}, {"jwk": jwk_of(foreign, "k1")}, {"x5c": [b64(b"x")]},
                   {"jku": canary.url, "kid": "k9"}]
        all_refused(signed, [canary.token(key=foreign, header=header) for header in brought])
        for header in brought[:4]:  # the issuer's own may have them, and they are passed over
            assert signed.get("/api/threads", bearer(issuer.token(header=header))).status == 200
        changing = [{"crit": ["exp"]}, {"crit": []}, {"b64": False, "crit": ["b64"]}, {"zip": "DEF"}]
        all_refused(signed, [issuer.token(header=header) for header in changing])
        assert canary.asked == 0
    finally:
        canary.stop()


def test_e6_times(signed, issuer):
    now = int(time.time())
    bad = [{"exp": now - 61}, {"exp": 0}, {"exp": None}, {"nbf": now + 3600}, {"iat": now + 3600}, {"exp": -1}, {"nbf": -1}]
    all_refused(signed, [issuer.token(**times) for times in bad])
    spelled = ['"%d"' % (now + 99), "1e300", "%de0" % (now + 99), "null", "[]", "true"]
    payload = json.dumps(claims(exp=0))
    odd = [payload.replace('"exp": 0', f'"exp": {value}') for value in spelled]
    key = issuer.keys["k1"]
    all_refused(signed, [jwt.api_jws.encode(text.encode(), key, "ES256", {"kid": "k1"}) for text in odd])
    for times in ({"exp": now - 30}, {"nbf": now + 30}, {"iat": now + 30}, {"exp": now + 99.5}):
        assert signed.get("/api/threads", bearer(issuer.token(**times))).status == 200, times


def test_e7_whom_it_is_from_and_for_and_of(signed, issuer):
    bad = [{"aud": "another"}, {"aud": ["another"]}, {"aud": []}, {"aud": None}, {"aud": [AUDIENCE, 1]}, {"aud": {AUDIENCE: 1}},
           {"iss": "https://id.example/"}, {"iss": "https://evil.example"}, {"iss": None}, {"iss": [NAME]},
           {"user": ""}, {"user": None}, {"user": 17}, {"user": "x" * 129}, {"user": "a\nb"}, {"user": ["ann"]},
           {"user": "visitor-AAAAAAAAAAAAAAAAAAAAAA"}, {"user": "key-site"}]
    key = issuer.keys["k1"]
    all_refused(signed, [jwt.api_jws.encode(json.dumps(claims(**more)).encode(), key, "ES256", {"kid": "k1"}) for more in bad])
    for more in ({"aud": ["another", AUDIENCE]}, {"user": "x" * 128}, {"user": "ä 😀"}):
        assert signed.get("/api/threads", bearer(issuer.token(**more))).status == 200, more


def test_e10_malformed_tokens(signed, issuer):
    good, key = issuer.token(), issuer.keys["k1"]
    head, body, signature = good.split(".")
    forms = [head, f"{head}.{body}", f"{good}.", f"{good}.{body}", f"{good}.a.b", f".{body}.{signature}", f"{head}..{signature}", "..",
             "a.b.c", f"{head}=.{body}.{signature}", f"{good}=", f"{head}.{body}+.{signature}", f"{good[:-1]}", good.replace(".", ",")]
    twice = [b'{"alg":"ES256","kid":"k1","alg":"ES256"}', b'{"alg":"ES256","kid":"k1","x":{"a":1,"a":2}}',
             b'{"alg":"ES256","kid":"k1","x":' + b"[" * 100 + b"]" * 100 + b"}"]

    def signed_by_key(text):
        return jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(text, key)

    payload = json.dumps(claims()).encode()
    forms += [raw_token(header, payload, signed_by_key) for header in twice]
    forms += [raw_token(b'{"alg":"ES256","kid":"k1"}', text, signed_by_key)
              for text in (payload[:-1] + b',"sub":"bob"}', b"[]", b"", b"\xff", payload + b"{}", b'"x"')]
    all_refused(signed, forms)
    jwe = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.AAAA.AAAA.AAAA.AAAA"
    all_refused(signed, [jwe])
    assert signed.get("/api/threads", bearer(raw_token(b'{"alg":"ES256","kid":"k1"}', payload, signed_by_key))).status == 200


def test_e11_long_tokens_and_many_bad_ones(signed, issuer):
    for size in (6000, 8100):
        assert signed.get("/api/threads", bearer(issuer.token(x="x" * size))).status in (200, 400, 401)
    assert signed.get("/api/threads", bearer("x" * 9000)).status == 400  # nginx's own, above its header buffer
    assert signed.get("/api/threads", bearer("x" * 1000000)).status in (400, 414)
    bad = issuer.token(key=new_key())

    def one(i):
        for n in range(60):
            token = bad if n % 2 else f"{bad[:-4]}{i:02d}{n:02d}"
            assert signed.get("/api/threads", bearer(token)).status == 401

    in_parallel(8, one)
    assert 'c1d_auth_refused_total{reason="signature"}' in signed.metrics()


def test_e11_who_tries_too_often_is_not_looked_at_any_more(new_site):
    """By his address, a good token too; one that has only expired is no attempt, and others are let in."""
    site = new_site(jwt_settings(C1D_JWT_SECRET=SECRET, C1D_LIMIT_FAILED="5/hour"))
    good = jwt.encode(claims(), SECRET, "HS256")

    def ask(token, address):
        return fcgi.ask(site.settings["C1D_SOCKET"], "GET", "/api/threads", {"authorization": f"Bearer {token}"}, b"", {"REMOTE_ADDR": address})

    expired = jwt.encode(claims(exp=int(time.time()) - 1000), SECRET, "HS256")
    assert [ask(expired, "203.0.113.7").status for _ in range(10)] == [401] * 10
    bad = [f"{good[:-5]}{n:05d}" for n in range(5)]
    assert [ask(token, "203.0.113.7").status for token in bad] == [401] * 5
    for token in (good, bad[0], "c1d_x"):
        answer = ask(token, "203.0.113.7")
        assert answer.status == 429 and int(answer.headers["retry-after"]) > 0, answer
    assert ask(good, "203.0.113.8").status == 200


def test_what_is_told_of_a_refusal_and_what_is_not(signed, issuer):
    token = issuer.token("secret-person", aud="elsewhere")
    before = len(signed.log_lines("token refused"))
    answer = signed.get("/api/threads", bearer(token))
    words = refused(answer)
    assert "audience" not in words
    told = wait_for(lambda: signed.log_lines("token refused")[before:], "the log says why")
    assert told[-1]["reason"] == "audience" and told[-1]["level"] == "notice", told
    assert told[-1]["request"] == answer.json()["request_id"]
    text = signed.log_path.read_text()
    assert token not in text and token.split(".")[2] not in text and "secret-person" not in text
    found = re.search(r'c1d_auth_refused_total\{reason="audience"\} (\d+)', signed.metrics())
    assert int(found[1]) >= 1


# --- the issuer's keys ---
def jwks_site(new_site, issuer, **more):
    return new_site(jwt_settings(C1D_JWT_JWKS_URL=issuer.url, **more))


def let_in(site, token):
    return site.get("/api/threads", bearer(token)).status


def wait_let_in(site, token):
    wait_for(lambda: let_in(site, token) == 200, "the keys are there")


def test_e8_a_new_key_counts_at_once(new_site, own_issuer):
    issuer = own_issuer
    site = jwks_site(new_site, issuer)
    wait_let_in(site, issuer.token())
    asked = issuer.asked
    issuer.keys["k2"] = new_key()
    statuses = in_parallel(6, lambda _: let_in(site, issuer.token(kid="k2")))
    assert set(statuses) <= {200, 503}, statuses  # 503: it was not known within the time that a request waits
    wait_let_in(site, issuer.token(kid="k2"))
    assert issuer.asked == asked + 1
    assert let_in(site, issuer.token()) == 200


def test_e8_ten_thousand_unknown_names_are_one_question(new_site, own_issuer):
    issuer = own_issuer
    site = jwks_site(new_site, issuer)
    wait_let_in(site, issuer.token())
    asked, began = issuer.asked, time.monotonic()
    key = new_key()

    def one(i):
        token = issuer.token(kid=f"u{i}", key=key)
        head, rest = token.split(".", 1)
        for n in range(1250):
            name = base64.urlsafe_b64encode(json.dumps({"alg": "ES256", "kid": f"u{i}-{n}"}).encode()).rstrip(b"=").decode()
            status = let_in(site, f"{name}.{rest}")
            assert status in (401, 503), status

    in_parallel(8, one)
    assert issuer.asked - asked <= 1 + (time.monotonic() - began) // 30
    assert let_in(site, issuer.token()) == 200


BAD_ANSWERS = ["failed", "moved", "html", "large", "empty", "no_keys", "no_use", "secrets", "twice", "cut"]


def kept_files(site):
    return list((site.folder / "state").glob("token-keys-*"))


def make_older(site, seconds):
    """As if what is kept had come so long ago."""
    for path in kept_files(site):
        head, _, rest = path.read_bytes().partition(b"\n")
        words = head.split()
        words[1] = str(int(words[1]) - seconds).encode()
        new = path.with_name("new")
        new.write_bytes(b" ".join(words) + b"\n" + rest)
        new.rename(path)


@pytest.mark.parametrize("behave", BAD_ANSWERS)
def test_e9_a_bad_answer_changes_nothing(new_site, own_issuer, behave):
    issuer = own_issuer
    site = jwks_site(new_site, issuer, C1D_WORKERS="1")
    wait_let_in(site, issuer.token())
    issuer.behave, asked = behave, issuer.asked
    assert let_in(site, issuer.token(kid="k9", key=issuer.keys["k1"])) in (401, 503)  # makes it ask; 503 when that is slow
    issuer.wait_asked(asked + 1)
    wait_for(lambda: site.log_lines("token keys were not to be had"), "the log says so")
    assert let_in(site, issuer.token()) == 200
    assert set(issuer.paths) == {"/keys"}  # nobody is followed elsewhere


@pytest.mark.parametrize("behave", ["failed", "html", "cut"])
def test_e9_without_any_keys_nobody_can_tell(new_site, own_issuer, behave):
    """Neither in nor out: 503, not 401, and the site starts all the same."""
    issuer = own_issuer
    issuer.behave = behave
    site = jwks_site(new_site, issuer)
    issuer.wait_asked(1)
    answer = site.get("/api/threads", bearer(issuer.token()))
    problem(answer, 503, "keys_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    refused(site.get("/api/threads"), with_token=False)
    assert site.get("/livez").status == 200 or site.get("/api/health").status in (200, 503)


def test_e9_a_slow_issuer_holds_few_requests(new_site, own_issuer):
    issuer = own_issuer
    issuer.behave = "hung"
    site = jwks_site(new_site, issuer)
    issuer.wait_asked(1)
    statuses = in_parallel(24, lambda _: let_in(site, issuer.token()))
    assert set(statuses) == {503}
    assert site.get("/api/health").status in (200, 503)
    issuer.go_on.set()


def test_e9_the_last_good_keys_count_for_a_day(new_site, own_issuer):
    issuer = own_issuer
    site = jwks_site(new_site, issuer)
    wait_let_in(site, issuer.token())
    issuer.behave = "failed"
    make_older(site, 86400 - 600)
    assert in_parallel(8, lambda _: let_in(site, issuer.token())) == [200] * 8
    make_older(site, 1200)
    wait_for(lambda: let_in(site, issuer.token()) == 503, "a day has passed")
    # Each worker looks at the file once a second.
    wait_for(lambda: set(in_parallel(8, lambda _: let_in(site, issuer.token()))) == {503}, "for all of the pool")


def test_e9_a_key_that_was_taken_back_is_none(new_site, own_issuer):
    issuer = own_issuer
    issuer.max_age = 60
    site = jwks_site(new_site, issuer)
    old = issuer.token()
    wait_let_in(site, old)
    site.c1d.stop()
    issuer.keys = {"k2": new_key()}
    make_older(site, 61)
    site.start()
    wait_for(lambda: let_in(site, old) == 401, "the old key is gone")
    assert let_in(site, issuer.token(kid="k2")) == 200


def test_e9_keys_outlive_a_restart_without_the_issuer(new_site, own_issuer):
    issuer = own_issuer
    site = jwks_site(new_site, issuer)
    wait_let_in(site, issuer.token())
    issuer.behave = "failed"
    site.c1d.stop()
    site.start()
    assert let_in(site, issuer.token()) == 200
    for path in kept_files(site):
        assert path.stat().st_mode & 0o777 == 0o600
    issuer.behave = "well"


def test_e9_a_kept_file_that_was_spoilt_is_passed_over(new_site, own_issuer):
    issuer = own_issuer
    site = jwks_site(new_site, issuer)
    wait_let_in(site, issuer.token())
    for spoilt in (b"", b"\n", b"keys", b"keys 1 1 " + issuer.url.encode() + b"\n{", b"x" * 300000, b"keys 99999999999999999999 1 x\n{}"):
        for path in kept_files(site):
            path.write_bytes(spoilt)
        assert let_in(site, issuer.token()) == 200


# --- from a cookie ---
def test_a_cookie_may_hold_the_token_of_a_page_of_ours(signed, issuer):
    cookie = {"Cookie": f"a=b; __session={issuer.token('cook')}; c=d"}
    assert signed.get("/api/threads", cookie).status == 200
    thread = signed.post("/api/threads", {"title": "x"}, cookie)
    assert thread.status == 201 and thread.json()["user_id"] == "cook"
    here = {"Origin": signed.url, "Sec-Fetch-Site": "same-origin"}
    assert signed.post("/api/threads", {}, {**cookie, **here}).status == 201
    for where in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
                  {"Origin": "null"}, {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}):
        for method, body in (("GET", None), ("POST", {})):
            answer = signed.json(method, "/api/threads", body, {**cookie, **where})
            problem(answer, 403, "foreign_origin")
    # A header is sent on purpose, so it counts; and it wins.
    both = {"Cookie": f"__session={issuer.token('cook')}", **bearer(issuer.token("head"))}
    assert signed.post("/api/threads", {}, both).json()["user_id"] == "head"
    refused(signed.get("/api/threads", {"Cookie": f"__session={issuer.token()}", **bearer("x.y.z")}))
    refused(signed.get("/api/threads", {"Cookie": "__session=x.y.z"}))
    planted = f"__session={issuer.token('mallory')}; __session={issuer.token('cook')}"
    refused(signed.get("/api/threads", {"Cookie": planted}))
    refused(signed.get("/api/threads", {"Cookie": f"__Session={issuer.token()}"}), with_token=False)


def test_the_cookie_has_the_name_that_is_set_or_none(new_site):
    token = jwt.encode(claims(), SECRET, "HS256")
    site = new_site(jwt_settings(C1D_JWT_SECRET=SECRET, C1D_AUTH_COOKIE="id"))
    assert site.get("/api/threads", {"Cookie": f"id={token}"}).status == 200
    refused(site.get("/api/threads", {"Cookie": f"__session={token}"}), with_token=False)
    site = new_site(jwt_settings(C1D_JWT_SECRET=SECRET, C1D_AUTH_COOKIE=""))
    refused(site.get("/api/threads", {"Cookie": f"__session={token}; ={token}"}), with_token=False)
    assert site.get("/api/threads", bearer(token)).status == 200


def test_e_four_thousand_tokens_are_taken_as_by_another_reader():
    """tests/differential/run tells of it; a million were asked before this was landed."""
    done = subprocess.run(["/usr/bin/python3", ROOT / "tests/differential/run", "4000", "--program",
                           os.path.join(os.path.dirname(PROGRAM), "tests/differential/token_says")],
                          text=True, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0 and "4000 tokens, 0 disagreements" in done.stdout, done.stdout[-4000:] + done.stderr[-2000:]


# --- other keys, other modes ---
def test_a_listed_page_elsewhere_has_to_show_its_token(new_site):
    """Its browser would send a cookie by itself."""
    site = new_site(jwt_settings(C1D_JWT_SECRET=SECRET, C1D_ORIGINS="https://app.example"))
    token, elsewhere = jwt.encode(claims(), SECRET, "HS256"), {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}
    assert site.post("/api/threads", {}, {**elsewhere, **bearer(token)}).status == 201
    problem(site.post("/api/threads", {}, {**elsewhere, "Cookie": f"__session={token}"}), 403, "foreign_origin")
    answer = site.get("/api/threads", {**elsewhere, **bearer("x.y.z")})
    refused(answer)
    assert "WWW-Authenticate" in answer.headers["Access-Control-Expose-Headers"]


def test_a_secret_and_a_visitor_beside_it(new_site):
    site = new_site(jwt_settings(C1D_JWT_SECRET=SECRET, C1D_AUTH="jwt,visitor"))
    assert site.get("/api/threads", bearer(jwt.encode(claims(), SECRET, "HS256"))).status == 200
    refused(site.get("/api/threads", bearer(jwt.encode(claims(), SECRET + "x", "HS256"))))
    answer = site.get("/api/threads")
    assert answer.status == 200 and "c1d_visitor" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("kind", ["pem", "jwks"])
def test_keys_of_a_file(new_site, scratch, kind):
    key, other = rsa.generate_private_key(65537, 2048), new_key()
    path = scratch / f"keys-{kind}"
    path.write_text(f"what we trust\n{pem_of(key)}\n{pem_of(other)}" if kind == "pem" else
                    json.dumps({"keys": [jwk_of(key, "a"), jwk_of(other, "b")]}))
    site = new_site(jwt_settings(C1D_JWT_KEY_FILE=str(path)))
    for signer, kid, algorithm in ((key, "a", "RS256"), (other, "b", "ES256")):
        assert let_in(site, jwt.encode(claims(), signer, algorithm, {"kid": kid})) == 200
    assert let_in(site, jwt.encode(claims(), key, "RS512", {"kid": "a"})) == 401  # not pinned
    assert let_in(site, jwt.encode(claims(), new_key(), "ES256", {"kid": "b"})) == 401


def test_an_administrator_is_named_by_a_claim(new_site):
    site = new_site(jwt_settings(C1D_JWT_SECRET=SECRET, C1D_ADMIN_CLAIM="role=admin"))
    ann = bearer(jwt.encode(claims("ann"), SECRET, "HS256"))
    boss = bearer(jwt.encode(claims("boss", role=["x", "admin"]), SECRET, "HS256"))
    thread = site.post("/api/threads", {"title": "hers"}, ann).json()["id"]
    assert site.get(f"/api/threads/{thread}", boss).status == 200
    assert site.get("/api/threads?user_id=ann", boss).status == 200
    problem(site.get(f"/api/threads/{thread}", bearer(jwt.encode(claims("bob", role="x"), SECRET, "HS256"))), 403, "access_denied")


PROJECT = "demo-project-1"


def firebase_token(issuer, **more):
    now = int(time.time())
    fields = {"iss": f"https://securetoken.google.com/{PROJECT}", "aud": PROJECT, "auth_time": now - 100, "user_id": "uid-7", **more}
    key = issuer.keys["k1"]
    return jwt.encode(claims("uid-7", **fields), key, "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256", {"kid": "k1"})


@pytest.mark.parametrize("form", ["certificates", "well"])
def test_e7_firebase(new_site, own_issuer, form):
    issuer, now = own_issuer, int(time.time())
    issuer.keys, issuer.behave = {"k1": rsa.generate_private_key(65537, 2048)}, form
    site = new_site({"C1D_AUTH": "firebase", "C1D_FIREBASE_PROJECT": PROJECT, "C1D_FIREBASE_KEYS_URL": issuer.url})
    wait_let_in(site, firebase_token(issuer))
    assert site.post("/api/threads", {}, bearer(firebase_token(issuer))).json()["user_id"] == "uid-7"
    bad = [{"iss": "https://securetoken.google.com/other-project"}, {"aud": "other-project"}, {"auth_time": None},
           {"auth_time": now + 3600}, {"auth_time": "1"}, {"iat": None}, {"user": ""}, {"exp": None}, {"iss": PROJECT}]
    all_refused(site, [firebase_token(issuer, **more) for more in bad if "user" not in more])
    all_refused(site, [jwt.encode(claims("", iss=f"https://securetoken.google.com/{PROJECT}", aud=PROJECT, auth_time=now),
                                  issuer.keys["k1"], "RS256", {"kid": "k1"})])
    # What the emulator signs: nothing.
    all_refused(site, [jwt.encode(claims("uid-7", iss=f"https://securetoken.google.com/{PROJECT}", aud=PROJECT, auth_time=now),
                                  "", "none", {"kid": "k1"})])
    all_refused(site, [jwt.encode(jwt.decode(firebase_token(issuer), options={"verify_signature": False}),
                                  pem_of(issuer.keys["k1"])[27:200], "HS256", {"kid": "k1"})])


# --- a token's end in mid stream ---
def soon_over():
    """A token that counts for a few seconds more, which is enough to ask."""
    return jwt.encode(claims(exp=int(time.time()) - 44), SECRET, "HS256")


def gate_name():
    return f"t{time.monotonic_ns()}"


@pytest.fixture(scope="module")
def ending(scratch, upstream):
    """A site where a stream does not outlive its token."""
    house = Site(scratch, upstream, jwt_settings(C1D_JWT_SECRET=SECRET, C1D_END_EXPIRED="yes"))
    yield house
    house.stop()


def test_e14_a_stream_ends_with_its_token_and_its_answer_goes_on(ending):
    token, gate = soon_over(), gate_name()
    thread = make_by(ending, token)
    stream = ending.stream({"message": f"fault:gate={gate}@20 {gate}", "thread_id": thread}, "?stream=sse", bearer(token))
    assert stream.status == 200
    stream.read_all()
    events = stream.events()
    assert [kind for kind, _, _ in events][:2] == ["run", "delta"]
    kind, problem_said, _ = events[-1]
    assert (kind, problem_said["status"], problem_said["code"]) == ("error", 401, "unauthorized"), events[-1]
    assert let_in(ending, token) == 401
    ending.upstream.open_gate(gate)
    fresh = bearer(jwt.encode(claims(), SECRET, "HS256"))

    def answers():
        messages = ending.get(f"/api/threads/{thread}/messages", fresh).json()
        return messages if messages[-1]["status"] == "complete" else None

    wait_for(answers, "the answer is whole")
    wait_for(lambda: "expired" in {line.get("outcome") for line in ending.log_lines()}, "its end is told")


def make_by(site, token):
    answer = site.post("/api/threads", {}, bearer(token))
    assert answer.status == 201, answer
    return answer.json()["id"]


def test_e14_a_raw_stream_ends_too(ending):
    token, gate = soon_over(), gate_name()
    stream = ending.stream({"message": f"fault:gate={gate}@20 {gate}", "thread_id": make_by(ending, token)}, "?errors=card", bearer(token))
    assert stream.status == 200
    stream.read_all()
    assert b"expired" in stream.body  # the card
    assert let_in(ending, token) == 401
    ending.upstream.open_gate(gate)


def test_e14_before_the_first_byte_it_is_a_plain_401(ending):
    token, gate = soon_over(), gate_name()
    answer = ending.chat(f"fault:gate_head={gate} {gate}", make_by(ending, token), headers=bearer(token))
    problem(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    ending.upstream.open_gate(gate)


def test_e14_unless_it_is_told_a_stream_may_finish(new_site):
    site, token, gate = new_site(jwt_settings(C1D_JWT_SECRET=SECRET)), soon_over(), gate_name()
    stream = site.stream({"message": f"fault:gate={gate}@20 {gate}", "thread_id": make_by(site, token)}, "?stream=sse", bearer(token))
    wait_for(lambda: let_in(site, token) == 401, "the token has expired")
    site.upstream.open_gate(gate)
    stream.read_all()
    assert stream.events()[-1][0] == "done" and stream.events()[-1][1]["status"] == "complete"


# --- whom the web server has signed in ---
def test_whom_the_web_server_names(new_site):
    site = new_site({"C1D_AUTH": "header", "C1D_AUTH_HEADER": "C1D_USER"})
    path = site.settings["C1D_SOCKET"]

    def ask(method, target, headers=None, body=b"", **extra):
        return fcgi.ask(path, method, target, headers, body, extra)

    assert ask("GET", "/api/threads", C1D_USER="ann").status == 200
    thread = ask("POST", "/api/threads", body=b"{}", C1D_USER="ann").json()
    assert thread["user_id"] == "ann"
    assert ask("GET", f"/api/threads/{thread['id']}", C1D_USER="bob").status == 403
    for headers in ({}, {"c1d-user": "ann"}, {"remote-user": "ann"}, {"authorization": "Bearer ann"}):
        answer = ask("GET", "/api/threads", headers)
        assert answer.status == 401 and answer.headers["www-authenticate"] == "Bearer", answer
    for name in ("visitor-AAAAAAAAAAAAAAAAAAAAAA", "key-x", "a\tb", "x" * 129, "\x85"):
        assert ask("GET", "/api/threads", C1D_USER=name).status == 401, name
    foreign = {"origin": "https://evil.example", "host": "localhost", "sec-fetch-site": "cross-site"}
    for method in ("GET", "POST"):
        assert ask(method, "/api/threads", foreign, b"{}" if method == "POST" else b"", C1D_USER="ann").status == 403
    # Through nginx no client gets there.
    for headers in ({"C1D_USER": "ann"}, {"C1D-User": "ann"}, {"Remote-User": "ann"}):
        refused(site.get("/api/threads", headers), with_token=False)


# --- settings ---
def run_check(settings, *args):
    done = subprocess.run([PROGRAM, "check", *args], env=environment_of({**settings, "ASAN_OPTIONS": "detect_leaks=0"}), text=True,
                          capture_output=True, timeout=60, check=False)
    assert SECRET not in done.stdout + done.stderr
    return done


WRONG = [
    ({"C1D_JWT_SECRET": "0123456789012345678901234567890"}, "31 bytes"),
    ({"C1D_JWT_SECRET": SECRET, "C1D_JWT_ALGORITHMS": "HS512"}, "64"),
    ({"C1D_JWT_SECRET": SECRET, "C1D_JWT_ALGORITHMS": "HS256 RS256"}, "mixes"),
    ({"C1D_JWT_SECRET": SECRET, "C1D_JWT_ALGORITHMS": "RS256"}, "C1D_JWT_SECRET"),
    ({"C1D_JWT_SECRET": SECRET, "C1D_JWT_JWKS_URL": "https://id.example/keys"}, "More than one"),
    ({"C1D_JWT_SECRET": SECRET, "C1D_JWT_KEY_FILE": "/etc/hostname"}, "More than one"),
    ({"C1D_JWT_JWKS_URL": "http://id.example/keys"}, "https://"),
    ({"C1D_JWT_JWKS_URL": "http://127.0.0.1.evil.example/keys"}, "https://"),
    ({"C1D_JWT_JWKS_URL": "http://127.0.0.1@evil.example/keys"}, "no address"),
    ({"C1D_JWT_JWKS_URL": "file:///etc/passwd"}, "https://"),
    ({"C1D_JWT_JWKS_URL": "https://id.example/keys", "C1D_JWT_ALGORITHMS": "HS256"}, "C1D_JWT_SECRET"),
    ({"C1D_JWT_JWKS_URL": "https://id.example/keys", "C1D_JWT_ALGORITHMS": "none"}, "none"),
    ({"C1D_JWT_SECRET": SECRET, "C1D_JWT_ALGORITHMS": " , "}, "names none"),
    ({"C1D_JWT_SECRET": SECRET, "C1D_JWT_USER_CLAIM": ""}, "C1D_JWT_USER_CLAIM"),
    ({"C1D_JWT_SECRET": SECRET, "C1D_ADMIN_CLAIM": "admin"}, "name=value"),
    ({"C1D_AUTH": "firebase"}, "C1D_FIREBASE_PROJECT"),
    ({"C1D_AUTH": "firebase", "C1D_FIREBASE_PROJECT": "My Project"}, "C1D_FIREBASE_PROJECT"),
    ({"C1D_AUTH": "firebase", "C1D_FIREBASE_PROJECT": PROJECT, "C1D_FIREBASE_KEYS_URL": ""}, "C1D_FIREBASE_KEYS_URL"),
    ({"C1D_AUTH": "jwt firebase", "C1D_JWT_SECRET": SECRET, "C1D_FIREBASE_PROJECT": PROJECT}, "one issuer"),
    ({"C1D_AUTH": "header"}, "C1D_AUTH_HEADER"),
    ({"C1D_AUTH": "header", "C1D_AUTH_HEADER": "HTTP_X_USER"}, "client"),
    ({"C1D_AUTH": "header", "C1D_AUTH_HEADER": "QUERY_STRING"}, "client"),
    ({"C1D_AUTH": "header", "C1D_AUTH_HEADER": "remote-user"}, "capital"),
]


@pytest.mark.parametrize("settings, word", WRONG)
def test_f19_what_would_let_anybody_in_does_not_start(scratch, settings, word):
    whole = {"C1D_AUTH": "jwt", "C1D_STATE_DIR": f"{scratch}/f19", "C1D_SOCKET": f"{scratch}/f19.sock", **settings}
    checked = run_check(whole, "-t")
    assert checked.returncode == 78 and word in checked.stdout, checked
    done = subprocess.run([PROGRAM, "serve"], env=environment_of(whole), text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 78 and word in done.stderr, done
    assert SECRET not in done.stderr


def test_f19_firebase_needs_nothing_but_its_project(scratch):
    """The keys' own address has an '@' in its path; of a user before a host it would be refused."""
    done = run_check({"C1D_AUTH": "firebase", "C1D_FIREBASE_PROJECT": PROJECT, "C1D_STATE_DIR": f"{scratch}/f19"}, "-t")
    assert done.returncode == 0 and "FAIL" not in done.stdout, done


def test_f19_no_key_is_only_a_warning_where_credentials_are_not_seen(scratch):
    done = run_check({"C1D_AUTH": "jwt", "C1D_STATE_DIR": f"{scratch}/f19"}, "-t")
    assert done.returncode == 0 and "c1d-jwt-secret" in done.stdout, done
    settings = {"C1D_AUTH": "jwt", "C1D_STATE_DIR": f"{scratch}/f19", "C1D_SOCKET": f"{scratch}/f19.sock"}
    served = subprocess.run([PROGRAM, "serve"], env=environment_of(settings), text=True, capture_output=True, timeout=60, check=False)
    assert served.returncode == 78 and "C1D_JWT_KEY_FILE" in served.stderr, served


@pytest.mark.parametrize("content", [None, "", "no keys", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", '{"keys":[]}'])
def test_f19_a_file_without_keys_does_not_start(scratch, content):
    path = scratch / "f19-keys"
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_text(content)
    settings = {"C1D_AUTH": "jwt", "C1D_JWT_KEY_FILE": str(path), "C1D_STATE_DIR": f"{scratch}/f19", "C1D_SOCKET": f"{scratch}/f19.sock"}
    done = subprocess.run([PROGRAM, "serve"], env=environment_of(settings), text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 78 and "C1D_JWT_KEY_FILE" in done.stderr, done
    assert "FAIL token keys: C1D_JWT_KEY_FILE" in run_check(settings).stdout


def test_check_tells_of_keys_and_of_what_is_loose(scratch, issuer):
    settings = {"C1D_AUTH": "jwt", "C1D_STATE_DIR": f"{scratch}/check", "C1D_SOCKET": f"{scratch}/check.sock"}
    done = run_check({**settings, "C1D_JWT_JWKS_URL": issuer.url})
    assert f"OK   token keys: 1 key (ES256) of {issuer.url}" in done.stdout, done
    assert "WARN tokens: C1D_JWT_ISSUER is not set" in done.stdout and "C1D_JWT_AUDIENCE is not set" in done.stdout
    done = run_check(jwt_settings(**settings, C1D_JWT_SECRET=SECRET))
    assert "OK   token keys: 1 key (HS256) of C1D_JWT_SECRET" in done.stdout and "WARN tokens" not in done.stdout
    done = run_check(jwt_settings(**settings, C1D_JWT_JWKS_URL=issuer.url.replace("keys", "keys") + "x", C1D_JWT_ALGORITHMS="RS256"))
    assert "FAIL token keys" in done.stdout and "no key of use" in done.stdout, done


def test_a_reload_takes_a_new_key_file(new_site, scratch):
    first, second, path = new_key(), new_key(), scratch / "rolling.pem"
    path.write_text(pem_of(first))
    site = new_site(jwt_settings(C1D_JWT_KEY_FILE=str(path)))
    assert let_in(site, jwt.encode(claims(), first, "ES256")) == 200
    path.write_text(pem_of(second))
    os.kill(site.c1d.pid, signal.SIGHUP)
    wait_for(lambda: let_in(site, jwt.encode(claims(), second, "ES256")) == 200, "the new key counts")
    wait_for(lambda: set(in_parallel(8, lambda _: let_in(site, jwt.encode(claims(), first, "ES256")))) == {401}, "the old one does not")
    path.write_text("nothing")
    os.kill(site.c1d.pid, signal.SIGHUP)
    wait_for(lambda: "c1d_reload_failed 1" in site.metrics(), "it is not taken")
    assert let_in(site, jwt.encode(claims(), second, "ES256")) == 200
