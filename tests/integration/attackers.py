"""What hostile tests share: browsers that keep a cookie, requests as raw bytes, tokens made by hand."""
import base64
import hashlib
import hmac
import http.client
import http.cookies
import json
import socket
import threading
import time

import fcgi
from house import DEADLINE_S, Answer

VISITOR = "c1d_visitor"
JWT_SECRET = "a secret of this test, of more than 32 bytes"


class Browser:
    """Keeps what Set-Cookie says, as a browser would, and sends it along. `carries` are further headers, as of a program."""

    def __init__(self, site, **carries):
        self.site, self.carries, self.cookies = site, carries, {}

    def ask(self, method, path, body=None, headers=None):
        head = {**self.carries, **(headers or {})}
        if self.cookies:
            head["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if isinstance(body, (dict, list)):
            head.setdefault("Content-Type", "application/json")
            body = json.dumps(body).encode()
        answer = self.site.request(method, path, body, head)
        for line in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in http.cookies.SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer

    def get(self, path, headers=None):
        return self.ask("GET", path, headers=headers)

    def post(self, path, body=None, headers=None):
        return self.ask("POST", path, {} if body is None else body, headers)

    def visitor(self):
        """The value of its cookie, once it has been somewhere."""
        if VISITOR not in self.cookies:
            self.get("/api/threads")
        return self.cookies[VISITOR]

    def titles(self):
        answer = self.get("/api/threads")
        assert answer.status == 200, answer
        return [thread["title"] for thread in answer.json()]

    def make(self, **fields):
        answer = self.post("/api/threads", fields)
        assert answer.status == 201, answer
        return answer.json()


def raw(site, head, body=b""):
    """One request, byte for byte: no client tidies it up. Status 0: the connection was closed without an answer."""
    with socket.create_connection((site.host, site.port), timeout=DEADLINE_S) as peer:
        peer.sendall(head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body)
        response = http.client.HTTPResponse(peer)
        try:
            response.begin()
            return Answer(response.status, response.headers, response.read())
        except http.client.HTTPException:
            return Answer(0, {}, b"")


def fastcgi(site, params, body=b""):
    """A request whose parameters, a list of pairs, are a web server's: what no client could make ours say."""
    said = b"".join(fcgi.length(len(text[0])) + fcgi.length(len(text[1])) + text[0] + text[1]
                    for text in ([word.encode("latin-1") for word in pair] for pair in params))
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(DEADLINE_S)
        peer.connect(site.settings["C1D_SOCKET"])
        peer.sendall(fcgi.record(fcgi.BEGIN, fcgi.RESPONDER) + fcgi.record(fcgi.PARAMS, said) + fcgi.record(fcgi.PARAMS) +
                     (fcgi.record(fcgi.STDIN, body) if body else b"") + fcgi.record(fcgi.STDIN))
        out = b"".join(content for kind, content in fcgi.read_records(peer) if kind == fcgi.STDOUT)
    head, _, text = out.partition(b"\r\n\r\n")
    fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in head.decode().split("\r\n"))}
    return Answer(int(fields.get("status", "200").split()[0]), fields, text)


class Canary:
    """A server that nobody may call; `calls` are those who did."""

    def __init__(self):
        self.listener, self.calls = socket.create_server(("127.0.0.1", 0)), []
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                peer, caller = self.listener.accept()
            except OSError:
                return
            self.calls.append(caller)
            peer.close()


# --- tokens ---
def b64(data):
    if not isinstance(data, bytes):
        data = json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(sub, **more):
    now = int(time.time())
    return {key: value for key, value in {"sub": sub, "iat": now, "exp": now + 3600, **more}.items() if value is not ...}


def token(sub="ada", head=None, secret=JWT_SECRET, digest=hashlib.sha256, **more):
    """A HS256 token; `...` takes a claim out."""
    signed = f"{b64(head or {'alg': 'HS256', 'typ': 'JWT'})}.{b64(claims(sub, **more))}"
    key = secret if isinstance(secret, bytes) else secret.encode()
    return f"{signed}.{b64(hmac.new(key, signed.encode(), digest).digest())}"


def bearer(text):
    return {"Authorization": f"Bearer {text}"}
