"""Somebody who signs tokens: keys by name, what he publishes of them over HTTP, and every way in which that goes wrong."""
import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NAME = "https://id.example"
AUDIENCE = "c1d-site"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value):
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def jwk_of(key, kid, **more):
    """A public key as RFC 7517 has it."""
    public = key.public_key()
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "kid": kid, "use": "sig", "n": number(numbers.n), "e": number(numbers.e), **more}
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64(public.public_bytes(Encoding.Raw, PublicFormat.Raw)), **more}
    numbers, size = public.public_numbers(), (key.curve.key_size + 7) // 8
    return {"kty": "EC", "crv": f"P-{key.curve.key_size}", "kid": kid, "use": "sig", "x": b64(numbers.x.to_bytes(size, "big")),
            "y": b64(numbers.y.to_bytes(size, "big")), **more}


def pem_of(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def algorithm_of(key):
    return {rsa.RSAPrivateKey: "RS256", ed25519.Ed25519PrivateKey: "EdDSA"}.get(
        next(kind for kind in (rsa.RSAPrivateKey, ed25519.Ed25519PrivateKey, object) if isinstance(key, kind)), "ES256")


def claims(user="ann", **more):
    """Good ones; None takes a claim away."""
    now = int(time.time())
    all_of_them = {"sub": user, "iss": NAME, "aud": AUDIENCE, "iat": now, "exp": now + 3600, **more}
    return {name: value for name, value in all_of_them.items() if value is not None}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


class Issuer:
    """Publishes his keys at `url`. `behave` says how: see the table in do_GET."""

    def __init__(self):
        self.keys = {"k1": new_key()}
        self.behave, self.max_age, self.asked, self.paths = "well", 3600, 0, []
        self.changed = threading.Condition()
        self.go_on = threading.Event()  # what is slow waits for it
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/keys"

    def answer(self, request):
        with self.changed:
            self.asked += 1
            self.paths.append(request.path)
            self.changed.notify_all()
        status, body = {
            "well": lambda: (200, json.dumps({"keys": [jwk_of(key, kid) for kid, key in self.keys.items()]})),
            "certificates": lambda: (200, json.dumps({kid: self.certificate(key) for kid, key in self.keys.items()})),
            "failed": lambda: (500, "oops"),
            "moved": lambda: (302, ""),
            "html": lambda: (200, "<!doctype html><html><body>Sign in to this hotel's Wi-Fi</body></html>"),
            "large": lambda: (200, json.dumps({"keys": [], "x": "x" * (10 << 20)})),
            "empty": lambda: (200, ""),
            "no_keys": lambda: (200, '{"keys":[]}'),
            "no_use": lambda: (200, json.dumps({"keys": [{**jwk_of(new_key(), "k1"), "use": "enc"}]})),
            "secrets": lambda: (200, json.dumps({"keys": [{"kty": "oct", "kid": "k1", "k": b64(b"x" * 32)}]})),
            "twice": lambda: (200, json.dumps({"keys": [jwk_of(new_key(), "k1"), jwk_of(new_key(), "k1")]})),
            "hung": lambda: (self.go_on.wait(60) and 0 or 200, "{}"),
            "cut": lambda: (0, ""),
        }[self.behave]()
        try:
            if not status:
                request.connection.close()
                return
            request.send_response(status)
            if status == 302:
                request.send_header("Location", self.url + "/elsewhere")
            if self.max_age is not None:
                request.send_header("Cache-Control", f"public, max-age={self.max_age}, must-revalidate")
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body.encode())
        except OSError:
            pass  # it had enough

    @staticmethod
    def certificate(key):
        import datetime

        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "securetoken")])
        now = datetime.datetime.utcnow()
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        made = made.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=7)).sign(key, hashes.SHA256())
        return made.public_bytes(Encoding.PEM).decode()

    def wait_asked(self, count, timeout=30):
        with self.changed:
            assert self.changed.wait_for(lambda: self.asked >= count, timeout), f"asked {self.asked} times, not {count}"

    def token(self, user="ann", kid="k1", key=None, header=None, **more):
        key = key or self.keys[kid]
        return jwt.encode(claims(user, **more), key, algorithm_of(key), {"kid": kid, **(header or {})})

    def stop(self):
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)
