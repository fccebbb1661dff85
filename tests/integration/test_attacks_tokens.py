"""Tokens by hand and by openssl, as an attacker makes them who has seen a good one and knows the public key. Each is 401 in the same
words, whatever is wrong with it; the good one beside it is taken, so that it is the flaw that is refused."""
import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import time
import uuid

import pytest

from attackers import JWT_SECRET, Browser, Canary, b64, bearer, claims, raw, token
from house import ALIASES, DEADLINE_S, ROOT, Site, in_parallel, wait_for

PINNED = {"iss": "https://id.example", "aud": "c1d"}
SETTINGS = {"C1D_AUTH": "jwt", "C1D_JWT_ISSUER": "https://id.example", "C1D_JWT_AUDIENCE": "c1d"}


def openssl(*words, stdin=b""):
    return subprocess.run(["openssl", *words], input=stdin, capture_output=True, check=True).stdout


def good(sub="ada", **more):
    return token(sub, **{**PINNED, **more})


class Signer:
    """A private key in a file, and tokens by it."""

    def __init__(self, folder, kind, *pkeyopts):
        self.private, self.public = folder / f"{uuid.uuid4().hex}.pem", folder / f"{uuid.uuid4().hex}.pub"
        options = [word for option in pkeyopts for word in ("-pkeyopt", option)]
        openssl("genpkey", "-algorithm", kind, *options, "-out", str(self.private))
        openssl("pkey", "-in", str(self.private), "-pubout", "-out", str(self.public))
        self.public.chmod(0o644)
        self.is_ec = kind == "EC"

    def token(self, head, sub="ada", digest="sha256", size=32, raw_signature=None, **more):
        signed = f"{b64(head)}.{b64(claims(sub, **{**PINNED, **more}))}"
        options = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"] if head.get("alg", "").startswith("PS") else []
        made = openssl("dgst", f"-{digest}", "-sign", str(self.private), *options, stdin=signed.encode())
        if self.is_ec and raw_signature is None:
            made = fixed(made, size)
        return f"{signed}.{b64(made if raw_signature is None else raw_signature)}"


def fixed(der, size):
    """r and s of a DER signature, as JWS has them (RFC 7518, 3.4)."""
    numbers, at = [], 2 + (der[1] > 127) * (der[1] & 127)
    for _ in range(2):
        length = der[at + 1]
        numbers.append(der[at + 2:at + 2 + length].lstrip(b"\0").rjust(size, b"\0"))
        at += 2 + length
    return b"".join(numbers)


@pytest.fixture(scope="module")
def hmac_site(scratch, upstream):
    house = Site(scratch, upstream, {**SETTINGS, "C1D_JWT_SECRET": JWT_SECRET, "C1D_JWT_ALGORITHMS": "HS256"}, workers=1, server=ALIASES)
    yield house
    house.stop()


@pytest.fixture(scope="module")
def rsa(scratch):
    return Signer(scratch, "RSA", "rsa_keygen_bits:2048")


@pytest.fixture(scope="module")
def rsa_site(scratch, upstream, rsa):
    house = Site(scratch, upstream, {**SETTINGS, "C1D_JWT_KEY_FILE": str(rsa.public), "C1D_JWT_ALGORITHMS": "RS256"}, workers=1)
    yield house
    house.stop()


@pytest.fixture(scope="module")
def ec(scratch):
    return Signer(scratch, "EC", "ec_paramgen_curve:P-256")


@pytest.fixture(scope="module")
def ec_site(scratch, upstream, ec):
    house = Site(scratch, upstream, {**SETTINGS, "C1D_JWT_KEY_FILE": str(ec.public), "C1D_JWT_ALGORITHMS": "ES256"}, workers=1)
    yield house
    house.stop()


WORDS = []


def refused(site, text, header="Authorization"):
    """401, a challenge, and the same words each time."""
    answer = site.get("/api/threads", {header: f"Bearer {text}"})
    assert answer.status == 401, (text[:300], answer)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    body = answer.json()
    body.pop("request_id")
    WORDS.append((body, answer.headers["WWW-Authenticate"]))
    assert WORDS[-1] == WORDS[0]
    assert answer.headers["Set-Cookie"] is None


def taken(site, text):
    answer = site.get("/api/threads", bearer(text))
    assert answer.status == 200, answer


def test_the_good_ones_are_taken(hmac_site, rsa_site, rsa, ec_site, ec):
    taken(hmac_site, good())
    taken(rsa_site, rsa.token({"alg": "RS256"}))
    taken(ec_site, ec.token({"alg": "ES256"}))


# --- E1 ---
@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", "null", None, 0, [], {}, ["HS256"], "HS256 ", " HS256", "hs256", "Hs256", "HS256\0",
                                 "HS1", "none\0HS256", "HS256,none"])
def test_e1_no_word_for_no_signature_is_taken(hmac_site, alg):
    head = {"alg": alg, "typ": "JWT"}
    for text in (good(head=head), unsigned(head), unsigned(head) + good().split(".")[2]):
        refused(hmac_site, text)


def unsigned(head, **more):
    return f"{b64(head)}.{b64(claims('ada', **{**PINNED, **more}))}."


def test_e1_without_an_algorithm_or_a_signature(hmac_site):
    first, second, _ = good().split(".")
    for text in (good(head={"typ": "JWT"}), f"{first}.{second}.", f"{first}.{second}", f"{first}.{second}.AA", f"{first}.{second}." + "A" * 43):
        refused(hmac_site, text)


# --- E2 ---
def test_e2_hmac_by_any_form_of_the_public_key(rsa_site, rsa, ec_site, ec):
    for site, signer in ((rsa_site, rsa), (ec_site, ec)):
        pem = signer.public.read_bytes()
        der = openssl("pkey", "-pubin", "-in", str(signer.public), "-outform", "DER")
        numbers = jwk_of(signer)
        forms = [pem, pem.strip(), pem.rstrip(b"\n") + b"\0", pem.replace(b"\n", b"\r\n"), b"".join(pem.splitlines()[1:-1]),
                 b"".join(line + b"\n" for line in pem.splitlines()[1:-1]), der, base64.b64encode(der), der.hex().encode(),
                 json.dumps(numbers).encode(), json.dumps(numbers, separators=(",", ":")).encode(), json.dumps(numbers, sort_keys=True, separators=(",", ":")).encode(),
                 str(signer.public).encode(), b"", b"\0" * 32]
        forms += [value.encode() for value in numbers.values()] + [base64.urlsafe_b64decode(v + "==") for k, v in numbers.items() if k in "nexy"]
        for key in forms:
            for alg, digest in (("HS256", hashlib.sha256), ("HS384", hashlib.sha384), ("HS512", hashlib.sha512)):
                refused(site, token("ada", {"alg": alg}, key, digest, **PINNED))
        for alg in ("RS256", "ES256", "PS256"):  # the word that is agreed on, over an HMAC
            refused(site, token("ada", {"alg": alg}, pem, **PINNED))


def jwk_of(signer):
    text = openssl("pkey", "-pubin", "-in", str(signer.public), "-text", "-noout").decode()
    if signer.is_ec:
        point = bytes.fromhex(re.sub(r"[\s:]", "", re.search(r"pub:\s+([0-9a-f:\s]+)", text)[1]))[1:]
        half = len(point) // 2
        return {"kty": "EC", "crv": "P-256", "x": b64(point[:half]), "y": b64(point[half:])}
    modulus = bytes.fromhex(re.sub(r"[\s:]", "", re.search(r"Modulus:\s+([0-9a-f:\s]+)", text)[1])).lstrip(b"\0")
    return {"kty": "RSA", "n": b64(modulus), "e": "AQAB"}


# --- E3 ---
def test_e3_other_algorithms_of_the_same_key(rsa_site, rsa, ec_site, ec):
    for alg, digest in (("RS384", "sha384"), ("RS512", "sha512"), ("RS1", "sha1"), ("PS256", "sha256"), ("PS512", "sha512")):
        refused(rsa_site, rsa.token({"alg": alg}, digest=digest))
    refused(rsa_site, rsa.token({"alg": "RS256"}, digest="sha1"))
    refused(rsa_site, rsa.token({"alg": "RS256"}, digest="sha512"))
    refused(ec_site, ec.token({"alg": "ES384"}, digest="sha384"))
    refused(ec_site, ec.token({"alg": "ES256K"}))
    refused(ec_site, ec.token({"alg": "ES256"}, digest="sha512"))


def test_e3_signatures_of_another_key_and_of_another_form(rsa_site, rsa, ec_site, ec, scratch):
    refused(rsa_site, Signer(scratch, "RSA", "rsa_keygen_bits:2048").token({"alg": "RS256"}))
    refused(ec_site, Signer(scratch, "EC", "ec_paramgen_curve:P-256").token({"alg": "ES256"}))
    refused(ec_site, Signer(scratch, "EC", "ec_paramgen_curve:P-384").token({"alg": "ES256"}, size=48))
    order = int("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551", 16)
    for r, s in ((0, 0), (0, 1), (1, 0), (order, order), (order, 1), (1, order), (order + 1, 1), (2 ** 256 - 1, 2 ** 256 - 1), (1, 1)):
        refused(ec_site, ec.token({"alg": "ES256"}, raw_signature=r.to_bytes(32, "big") + s.to_bytes(32, "big")))
    signed = f"{b64({'alg': 'ES256'})}.{b64(claims('ada', **PINNED))}"
    der = openssl("dgst", "-sha256", "-sign", str(ec.private), stdin=signed.encode())
    right = fixed(der, 32)
    taken(ec_site, f"{signed}.{b64(right)}")
    for wrong in (der, right + b"\0", b"\0" + right, right[:63], right[:32], right[32:] + right[:32], right[:32], b"", right + right):
        refused(ec_site, f"{signed}.{b64(wrong)}")
    signed = f"{b64({'alg': 'RS256'})}.{b64(claims('ada', **PINNED))}"
    right = openssl("dgst", "-sha256", "-sign", str(rsa.private), stdin=signed.encode())
    taken(rsa_site, f"{signed}.{b64(right)}")
    for wrong in (right[:-1], right + b"\0", b"\0" + right, b"\0" * 256, b"\0" * 255 + b"\1", b"\xff" * 256, right[::-1]):
        refused(rsa_site, f"{signed}.{b64(wrong)}")


def starts(settings, folder):
    """What `c1d serve` says when it does not start: (exit code, its log). It has to end by itself."""
    program = os.environ.get("C1D_BIN", str(ROOT / "build/c1d"))
    env = {**{k: v for k, v in os.environ.items() if not k.startswith(("C1D_", "THESYS_"))}, "C1D_STATE_DIR": str(folder / "state"),
           "C1D_SOCKET": str(folder / "sock"), "THESYS_API_KEY": "k", "C1D_LOG_FORMAT": "json", **settings}
    done = subprocess.run([program, "serve"], env=env, capture_output=True, text=True, timeout=DEADLINE_S * 2, check=False)
    return done.returncode, done.stderr


KEYS = {"RSA of 1024 bits": ("RSA", "rsa_keygen_bits:1024"), "another curve": ("EC", "ec_paramgen_curve:P-384"), "a curve of none": ("EC", "ec_paramgen_curve:secp256k1"),
        "no key of signatures": ("X25519",)}


@pytest.mark.parametrize("what", KEYS)
def test_e3_f19_a_key_that_does_not_serve_ends_the_start(tmp_path, what):
    kind, *options = KEYS[what]
    settings = {**SETTINGS, "C1D_JWT_KEY_FILE": str(Signer(tmp_path, kind, *options).public), "C1D_JWT_ALGORITHMS": "ES256" if kind == "EC" else "RS256"}
    code, said = starts(settings, tmp_path)
    assert code == 78 and "C1D_JWT_KEY_FILE" in said, (code, said)


DOORS = [{"C1D_JWT_SECRET": "short"}, {"C1D_JWT_SECRET": "x" * 31}, {}, {"C1D_JWT_SECRET": JWT_SECRET, "C1D_JWT_ALGORITHMS": "none"},
         {"C1D_JWT_SECRET": JWT_SECRET, "C1D_JWT_ALGORITHMS": "HS256 RS256"}, {"C1D_JWT_SECRET": JWT_SECRET, "C1D_JWT_ALGORITHMS": "RS256"},
         {"C1D_JWT_SECRET": JWT_SECRET, "C1D_JWT_ALGORITHMS": "HS255"}, {"C1D_JWT_KEY_FILE": "/dev/null"}, {"C1D_JWT_KEY_FILE": "/nonexistent"},
         {"C1D_JWT_JWKS_URL": "file:///etc/passwd"}, {"C1D_JWT_JWKS_URL": "http://id.example/jwks"}, {"C1D_AUTH": "none,visitor"}, {"C1D_AUTH": "yes"},
         {"C1D_AUTH": "visitor", "C1D_VISITOR_SECRET": "short"}, {"C1D_AUTH": "header"}, {"C1D_AUTH": "header", "C1D_AUTH_HEADER": "HTTP_X_USER"},
         {"C1D_AUTH": "header", "C1D_AUTH_HEADER": "http_x_user"}, {"C1D_AUTH": "header", "C1D_AUTH_HEADER": "QUERY_STRING"}, {"C1D_AUTH": "firebase"}]


@pytest.mark.parametrize("settings", DOORS, ids=lambda settings: " ".join(f"{k}={v[:20]}" for k, v in settings.items()) or "nothing")
def test_f19_a_door_that_would_stand_open_ends_the_start(tmp_path, settings):
    code, said = starts({**SETTINGS, **settings}, tmp_path)
    assert code == 78 and re.search("C1D_(AUTH|JWT|VISITOR)", said), (code, said)
    assert JWT_SECRET not in said and "x" * 31 not in said


# --- E4, E5 ---
KIDS = ["../../dev/null", "/dev/null", "' OR 1=1 --", "http://127.0.0.1:1/k", "a\0b", "x" * 5000, "", None, 7, ["a"], {"a": 1}, "%00", "$(id)", "\u202e", ".."]


@pytest.mark.parametrize("kid", KIDS, ids=range(len(KIDS)))
def test_e4_a_keys_name_is_looked_up_and_nothing_else(hmac_site, rsa_site, rsa, kid):
    for key in (b"", b"\0", JWT_SECRET[:-1].encode()):
        refused(hmac_site, token("ada", {"alg": "HS256", "kid": kid}, key, **PINNED))
    refused(rsa_site, token("ada", {"alg": "HS256", "kid": kid}, b"", **PINNED))


def test_e5_a_token_cannot_bring_its_key(rsa_site, scratch, tmp_path):
    canary, mine = Canary(), Signer(scratch, "RSA", "rsa_keygen_bits:2048")
    request = tmp_path / "cert.pem"
    openssl("req", "-x509", "-key", str(mine.private), "-subj", "/CN=evil", "-days", "2", "-out", str(request))
    cert = "".join(request.read_text().splitlines()[1:-1])
    for more in ({"jwk": jwk_of(mine)}, {"jku": canary.url}, {"x5u": canary.url}, {"x5c": [cert]}, {"x5t": "x"}, {"jwk": jwk_of(mine), "kid": "x"},
                 {"kid": canary.url}):
        refused(rsa_site, mine.token({"alg": "RS256", **more}))
    assert canary.calls == []
    canary.listener.close()


@pytest.mark.parametrize("more", [{"crit": ["exp"]}, {"crit": []}, {"crit": ["b64"], "b64": False}, {"crit": "x"}, {"crit": ["http://x"], "http://x": 1},
                                  {"b64": False}, {"zip": "DEF"}, {"enc": "A128GCM"}, {"crit": None}], ids=str)
def test_e5_what_changes_the_meaning_of_a_token_is_refused(hmac_site, more):
    refused(hmac_site, good(head={"alg": "HS256", **more}))


# --- E6, E7 ---
NOW = int(time.time())
TIMES = [{"exp": NOW - 120}, {"exp": ...}, {"exp": str(NOW + 10 ** 6)}, {"exp": 1e300}, {"exp": -1}, {"exp": None}, {"exp": [NOW + 10 ** 6]}, {"exp": True}, {"exp": 0},
         {"exp": NOW - 120.5}, {"nbf": NOW + 10 ** 6}, {"nbf": "soon"}, {"nbf": 1e300}, {"iat": NOW + 10 ** 6}, {"iat": "x"}, {"nbf": {}}, {"exp": 2 ** 64}, {"exp": 2 ** 63}]


@pytest.mark.parametrize("more", TIMES, ids=range(len(TIMES)))
def test_e6_times_that_are_over_not_yet_or_none(hmac_site, more):
    refused(hmac_site, good(**more))


def test_e6_the_minute_of_grace(hmac_site):
    now = time.time()
    taken(hmac_site, good(exp=int(now) - 30))
    taken(hmac_site, good(nbf=int(now) + 30))
    refused(hmac_site, good(exp=int(now) - 62))
    refused(hmac_site, good(nbf=int(now) + 120))


OTHERS = [{"aud": "other"}, {"aud": ...}, {"aud": []}, {"aud": ["other"]}, {"aud": "c1d "}, {"aud": "C1D"}, {"aud": "c1"}, {"aud": {"c1d": 1}}, {"aud": None}, {"aud": 7},
          {"aud": [["c1d"]]}, {"iss": "https://id.example/"}, {"iss": ...}, {"iss": ["https://id.example"]}, {"iss": "https://evil.example"}, {"iss": None},
          {"iss": "https://id.example\0"}, {"sub": ""}, {"sub": "x" * 129}, {"sub": ...}, {"sub": None}, {"sub": 7}, {"sub": ["ada"]}, {"sub": "a\nb"}, {"sub": "a\0b"},
          {"sub": {"$ne": None}}, {"sub": "visitor-AAAAAAAAAAAAAAAAAAAAAA"}, {"sub": "key-admin"}, {"sub": "visitor-"}, {"sub": "key-"}]


@pytest.mark.parametrize("more", OTHERS, ids=range(len(OTHERS)))
def test_e7_for_others_from_others_and_of_nobody(hmac_site, more):
    refused(hmac_site, good(**more))


def test_e7_one_of_several_audiences_and_any_letters_of_a_name(hmac_site):
    taken(hmac_site, good(aud=["other", "c1d"]))
    for sub in ("ä" * 128, "auth0|123", "a b", "Ada", "ada ", "e\u0301"):
        taken(hmac_site, good(sub))
    one, other = Browser(hmac_site, **bearer(good("Ada"))), Browser(hmac_site, **bearer(good("ada ")))
    one.make(title="one's")
    assert other.titles() == []


# --- E10, E11, E13 ---
def forms():
    head, body, signature = good().split(".")
    pads = [f"{head}=.{body}.{signature}", f"{head}.{body}=.{signature}", f"{head}.{body}.{signature}=", f"{head}.{body}.{signature}=="]
    spelled = [f"{head}.{body}.{signature[:-1]}{c}" for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c != signature[-1]]
    more = [f"{head}.{body}", f"{head}", "", ".", "..", "...", "....", f".{body}.{signature}", f"{head}..{signature}", f"{head}.{body}.{signature}.", f"{head}.{body}.{signature}.x",
            f"{head}.{body}.{signature}.a.b", f" {head}.{body}.{signature} x", f"{head} .{body}.{signature}", f"{head}.{body}.{signature}\t", f"{head}%2e{body}%2e{signature}",
            f"{head}.{body[:4]}+/{body[4:]}.{signature}", f"{{{head}}}", "null", "{}", "[]", f'"{head}.{body}.{signature}"', f"{head},{body},{signature}"]
    return pads + spelled + more


def test_e10_what_is_no_token(hmac_site):
    for text in forms():
        if text.strip() == good().strip():
            continue
        answer = hmac_site.get("/api/threads", {"Authorization": f"Bearer {text}"})
        assert answer.status in (400, 401) or text.rstrip() == text.strip("\t") and answer.status == 200, (text, answer)


def resigned(head, body):
    """Of the very bytes of head and body."""
    signed = f"{b64(head)}.{b64(body)}"
    return f"{signed}.{b64(hmac.new(JWT_SECRET.encode(), signed.encode(), hashlib.sha256).digest())}"


def test_e10_well_signed_but_not_what_a_token_says(hmac_site):
    now = int(time.time())
    body = b'{"sub":"ada","iss":"https://id.example","aud":"c1d","exp":%d}' % (now + 600)
    head = b'{"alg":"HS256"}'
    taken(hmac_site, resigned(head, body))
    heads = [b'{"alg":"HS256","alg":"none"}', b'{"alg":"none","alg":"HS256"}', b'{"alg":"HS256","\\u0061lg":"HS256"}', b'{"alg":"HS256"}x', b'[]', b'"HS256"', b'{', b'', b'\xff',
             b'\xef\xbb\xbf{"alg":"HS256"}', b'{"alg":"HS256"' + b' ' * 20000 + b'}', b'{"alg":"HS256","x":' + b'[' * 200 + b']' * 200 + b'}', b'{"alg":"HS256","typ":"JWE"}'[:27] + b'"}',
             b"{'alg':'HS256'}", b'{"alg":"HS256",}', b'{"alg":"HS256","a":NaN}']
    for wrong in heads:
        answer = hmac_site.get("/api/threads", bearer(resigned(wrong, body)))
        assert answer.status in (400, 401), (wrong[:60], answer)
    bodies = [body[:-1] + b',"sub":"eve"}', b'{"sub":"eve",' + body[1:], body[:-1] + b',"exp":1}', b"{" + b'"aud":"x",' + body[1:], body + b"x", b"[" + body + b"]", body[:-1], b"",
              body[:-1] + b',"x":' + b"[" * 200 + b"]" * 200 + b"}", body.replace(b"ada", b"a\xffa"), body.replace(b"ada", b"a\\ud800"), b"\xef\xbb\xbf" + body,
              body.replace(b'"sub"', b'"\\u0073ub"')[:-1] + b',"sub":"eve"}']
    for wrong in bodies:
        refused(hmac_site, resigned(head, wrong))


def test_e11_tokens_of_any_size_cost_nothing(hmac_site):
    # nginx's own limit is 8 KiB a line.
    assert hmac_site.get("/api/threads", bearer("a" * 9000)).status == 400
    for size in (7000, 8000):
        answer = hmac_site.get("/api/threads", bearer("a" * size))
        assert answer.status in (400, 401)
        assert hmac_site.get("/api/threads", bearer(good(pad="x" * (size // 2)))).status in (200, 401)
    answers = in_parallel(8, lambda n: [hmac_site.get("/api/threads", bearer(good(jti=str(i)) + "x")).status for i in range(100)])
    assert {status for some in answers for status in some} <= {401, 429}


def ask_raw(site, *lines):
    return raw(site, "\n".join(["GET /api/threads HTTP/1.1", "Host: x", "Connection: close", *lines]).encode())


def test_e13_two_tokens_other_schemes_and_other_places(hmac_site):
    text = good("e13" + uuid.uuid4().hex)
    assert ask_raw(hmac_site, f"Authorization: Bearer {text}", f"Authorization: Bearer {good('eve')}").status == 400
    assert ask_raw(hmac_site, f"Authorization: Bearer {text}", "Authorization: Bearer x").status == 400
    for scheme in ("bearer", "BEARER", "BeArEr", "Bearer "):
        assert ask_raw(hmac_site, f"Authorization: {scheme} {text}").status == 200, scheme
    for line in (f"Authorization: Basic {text}", f"Authorization: {text}", f"Authorization: Bearer{text}", f"Authorization: JWT {text}", f"Authorization: Bearer\x0b{text}",
                 f"Authorization: Bearer {text}, Bearer x", f"Authorization: Token {text}", f"Proxy-Authorization: Bearer {text}", f"X-Authorization: Bearer {text}",
                 f"Cookie: token={text}", f"Cookie: authorization={text}"):
        assert ask_raw(hmac_site, line).status == 401, line
    for query in ("access_token", "token", "jwt", "authorization", "id_token"):
        answer = hmac_site.get(f"/api/threads?{query}={text}")
        assert answer.status in (401, 422)
    wait_for(lambda: len(hmac_site.log_lines("request")) > 15, "they are told")
    assert text.split(".")[1] not in hmac_site.log_path.read_text() and text.split(".")[2] not in hmac_site.log_path.read_text()


def test_e13_a_bad_token_never_falls_back_to_a_visitor(new_site):
    site = new_site({**SETTINGS, "C1D_AUTH": "jwt,visitor", "C1D_JWT_SECRET": JWT_SECRET}, workers=1)
    visitor = Browser(site)
    visitor.make(title="the visitor's")
    assert visitor.get("/api/threads", bearer("x")).status == 401
    assert visitor.get("/api/threads", bearer(good("eve") + "x")).status == 401
    assert visitor.get("/api/threads", bearer(good("eve"))).json() == []
    assert visitor.titles() == ["the visitor's"]


@pytest.mark.parametrize("cookie", ["__session"])
def test_e13_a_token_in_a_cookie_is_taken_of_our_own_pages_only(hmac_site, cookie):
    line = {"Cookie": f"{cookie}={good('ada')}"}
    assert hmac_site.get("/api/threads", {**line, "Sec-Fetch-Site": "same-origin"}).status == 200
    for foreign in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        for method in ("GET", "POST", "DELETE"):
            path = "/api/threads/x" if method == "DELETE" else "/api/threads"
            answer = hmac_site.request(method, path, b"{}" if method == "POST" else None, {**line, **foreign, "Content-Type": "application/json"})
            assert answer.status == 403, (method, foreign, answer)
    assert hmac_site.get("/api/threads", {"Cookie": f"{cookie}={good('ada')}x", "Sec-Fetch-Site": "same-origin"}).status == 401


def test_e_without_a_token_every_route_but_the_open_ones_is_401(hmac_site):
    spent = hmac_site.upstream.stats()["requests"]
    paths = hmac_site.get("/api/openapi.json").json()["paths"]
    open_ones = {"/api/openapi.json", "/api/health", "/health", "/livez", "/readyz", "/metrics"}
    for path, methods in paths.items():
        for method in methods:
            if path in open_ones:
                continue
            body = b'{"message":"fault:pace=0 x","title":"x","role":"user","content":"x"}' if method in ("post", "put", "patch") else None
            answer = hmac_site.request(method.upper(), path.replace("{id}", "x").replace("{mid}", "y"), body, {"Content-Type": "application/json"})
            assert answer.status == 401, (method, path, answer)
    assert hmac_site.upstream.stats()["requests"] == spent


def test_e_who_is_not_let_in_learns_nothing_of_what_is_there(hmac_site):
    thread = Browser(hmac_site, **bearer(good("ada"))).make()["id"]
    for path in (f"/api/threads/{thread}", "/api/threads/nobodys"):
        refused(hmac_site, "x")
        answer = hmac_site.get(path)
        assert answer.status == 401
    # Neither by what is said of a body, nor by its size: who asks comes first.
    assert hmac_site.post("/api/threads", {"titel": 1}).status == 401
    assert hmac_site.request("POST", "/api/threads", b"{", {"Content-Type": "application/json"}).status == 401
    assert hmac_site.request("POST", "/api/threads", b"x" * 100_000, {"Content-Type": "application/json"}).status == 401
