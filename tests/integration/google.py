"""Google, as a service account meets it: a token server and a Firestore on one TLS port over HTTP/2, which answer as they are told.

`script` is a list of answers for requests to Firestore in the order in which they come, `grants` one of those to the token server;
beyond them everything is well, and no document is there. An answer is Answer(...), or a function of the request that gives one."""
import asyncio
import base64
import json
import ssl
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import h2.config
import h2.connection
import h2.errors
import h2.events
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "c1_upstream"))
import tls  # noqa: E402

EMAIL = "c1d@a-project.iam.gserviceaccount.com"
AUDIENCE, SCOPE = "https://oauth2.googleapis.com/token", "https://www.googleapis.com/auth/datastore"
JSON = "application/json; charset=UTF-8"
TIME = "2026-11-28T12:00:00.000000Z"


@dataclass
class Answer:
    """`how`: whole; hang: not even a head; half: a head and half of the body, then silence; cut: the same, and the connection ends;
    goaway: the connection ends before the request is looked at."""
    status: int = 200
    body: object = field(default_factory=dict)
    headers: dict = field(default_factory=dict)
    content_type: str = JSON
    how: str = "whole"

    def bytes(self):
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Request:
    path: str
    headers: dict
    body: bytes
    connection: int


def failed(status, word, **more):
    return Answer(status, {"error": {"code": status, "message": f"scripted {word}", "status": word}}, **more)


class Connection(asyncio.Protocol):
    def __init__(self, google):
        self.google = google
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.requests = {}

    def connection_made(self, transport):
        self.transport = transport
        self.google.connections += 1
        self.number = self.google.connections
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        self.transport.write(self.h2.data_to_send())

    def data_received(self, data):
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                headers = dict(event.headers)
                self.requests[event.stream_id] = Request(headers[":path"], headers, b"", self.number)
            elif isinstance(event, h2.events.DataReceived):
                self.requests[event.stream_id].body += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.answer(event.stream_id, self.google.asked(self.requests.pop(event.stream_id)))
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.transport.close()
        self.flush()

    def answer(self, stream, answer):
        body = answer.bytes()
        if answer.how == "hang":
            return
        if answer.how == "goaway":
            self.h2.close_connection(h2.errors.ErrorCodes.NO_ERROR, last_stream_id=0)
            self.flush()
            self.transport.close()
            return
        self.h2.send_headers(stream, [(":status", str(answer.status)), ("content-type", answer.content_type),
                                      ("content-length", str(len(body))), *answer.headers.items()])
        if answer.how == "whole":
            for begin in range(0, len(body), 16384):  # what is sent here fits into the client's window
                self.h2.send_data(stream, body[begin:begin + 16384])
            self.h2.end_stream(stream)
        else:
            self.h2.send_data(stream, body[:len(body) // 2])
        self.flush()
        if answer.how == "cut":
            self.transport.close()


class Identity:
    """What takes time to make: the account's key, the server's certificate."""

    def __init__(self, folder):
        self.key = rsa.generate_private_key(65537, 2048)
        self.certificate, self.certificate_key = tls.make(Path(folder), "good")


class Google:
    def __init__(self, identity):
        self.key = identity.key
        self.script, self.grants = [], []
        self.requests, self.token_requests, self.connections = [], [], 0
        self.expires_in, self.issued, self.revoked = 3600, 0, set()
        self.changed = threading.Condition()
        self.ca_file = identity.certificate.with_name("ca.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.certificate, identity.certificate_key)
        context.set_alpn_protocols(["h2"])
        self.loop = asyncio.new_event_loop()
        self.server = self.loop.run_until_complete(self.loop.create_server(lambda: Connection(self), "127.0.0.1", 0, ssl=context))
        self.port = self.server.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    # --- what it is asked ---
    def asked(self, request):
        with self.changed:
            is_token = request.path == "/token"
            (self.token_requests if is_token else self.requests).append(request)
            script = self.grants if is_token else self.script
            answer = script.pop(0) if script else None
            answer = answer(request) if callable(answer) else answer
            self.changed.notify_all()
            return answer or (self.grant() if is_token else self.well(request))

    def grant(self):
        self.issued += 1
        return Answer(body={"access_token": f"ya29.token-{self.issued}", "expires_in": self.expires_in, "token_type": "Bearer"})

    def well(self, request):
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not token.startswith("ya29.token-") or token in self.revoked:
            return failed(401, "UNAUTHENTICATED")
        body = json.loads(request.body)
        if "documents" in body:
            return Answer(body=[{"missing": name, "readTime": TIME} for name in body["documents"]])
        if "writes" in body:
            return Answer(body={"writeResults": [{"updateTime": TIME} for _ in body["writes"]], "commitTime": TIME})
        return Answer(body={"token": token})

    def revoke(self):
        """What was issued so far is good no more."""
        self.revoked |= {f"ya29.token-{n + 1}" for n in range(self.issued)}

    def wait_for(self, condition, deadline_s=30):
        with self.changed:
            assert self.changed.wait_for(condition, deadline_s)

    # --- who asks it ---
    def pem(self, form=PrivateFormat.PKCS8):
        return self.key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()

    def account(self, **more):
        """The service account's file, as the console hands it out."""
        return {"type": "service_account", "project_id": "a-project", "private_key_id": "k1", "private_key": self.pem(),
                "client_email": EMAIL, "client_id": "123456789012345678901", "token_uri": f"https://127.0.0.1:{self.port}/token",
                "auth_uri": "https://accounts.google.com/o/oauth2/auth", **more}

    def settings(self, folder, **more):
        path = Path(folder) / "service-account.json"
        path.write_text(json.dumps(self.account(**more)))
        path.chmod(0o640)
        return {"C1D_STORE": f"firestore:a-project?endpoint=https://127.0.0.1:{self.port}&ca_file={self.ca_file}",
                "GOOGLE_APPLICATION_CREDENTIALS": str(path)}

    def assertion(self, request):
        """What the account said of itself, its signature checked; (header, claims)."""
        text = request.body.decode()
        grant, _, assertion = text.partition("&assertion=")
        assert grant == "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
        public = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return (json.loads(base64.urlsafe_b64decode(assertion.split(".")[0] + "==")),
                jwt.decode(assertion, public, algorithms=["RS256"], audience=AUDIENCE))
