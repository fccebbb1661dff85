"""Routes: the chat completions that the API has, and the control that tests need."""
import json
import urllib.parse
from typing import Any, Callable

import answers
import faults
import hostile
import script
from http1 import Request
from player import Steps
from stats import Gates, Stats

CHAT = "/v1/embed/chat/completions"
MODELS = "/v1/embed/models"  # the API's documents name none; other servers of its protocol have one
WAIT_MAX = 60.0
ALPN = {"both": ["h2", "http/1.1"], "h2": ["h2"], "h1": ["http/1.1"], "none": []}
Ended = Callable[[str, int], None]


def nothing(outcome: str, written: int) -> None:
    pass


def json_answer(reply: Any, value: Any, status: int = 200) -> Steps:
    body = json.dumps(value, ensure_ascii=False).encode() + b"\n"
    reply.head(status, [("content-type", "application/json")], length=len(body))
    yield body


class App:
    def __init__(self, *, key: str | None, pace_ms: float, body_max: int, models: bool = False) -> None:
        self.key, self.pace, self.body_max, self.models = key, pace_ms / 1000, body_max, models
        self.stats, self.gates = Stats(), Gates()
        self.number = 0
        self.opening, self.openings_left = ("good", 0), 0  # what befalls the next connections
        self.tls: Any = None

    def next_opening(self) -> tuple[str, int]:
        """Of an HTTP/2 connection that is being made."""
        if self.openings_left == 0:
            return "good", 0
        self.openings_left -= 1
        return self.opening

    def api(self, request: Request, reply: Any) -> tuple[Steps, Ended]:
        """Everything on the main port."""
        path = request.target.partition("?")[0]
        if path == CHAT and request.method == "POST":
            return self.chat(request, reply)
        if path == MODELS and request.method == "GET" and self.models:
            return self.list_models(request, reply), nothing
        if self.route(request):
            return self.control(request, reply)
        self.stats.count("strays")
        self.keep(request, None)
        status = 405 if path == CHAT else 404
        return script.refusal(reply, status, "POST only" if status == 405 else "no such path"), nothing

    def chat(self, request: Request, reply: Any) -> tuple[Steps, Ended]:
        self.number += 1
        try:
            chat = self.read(request)
        except script.Refused as refused:
            self.stats.count("requests")
            self.stats.count("refused")
            return script.refusal(reply, refused.status, str(refused)), nothing
        self.stats.streaming += 1
        self.stats.count("requests", chat.prompt)

        def ended(outcome: str, written: int) -> None:
            self.stats.streaming -= 1
            self.stats.count("bytes", chat.prompt, written)
            self.stats.count(outcome, chat.prompt)
        return script.play(chat, reply, self.gates), ended

    def takes_key(self, request: Request) -> bool:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        return scheme == "Bearer" and key not in ("", "bad") and self.key in (None, key)

    def list_models(self, request: Request, reply: Any) -> Steps:
        self.keep(request, None)
        if not self.takes_key(request):
            return script.refusal(reply, 403, "missing or invalid API key")
        return json_answer(reply, {"object": "list", "data": [{"id": "c1/test", "object": "model"}]})

    def read(self, request: Request) -> script.Chat:
        try:
            body = json.loads(request.body)
        except ValueError as wrong:
            self.keep(request, None)
            raise script.Refused(400, "the body is no JSON") from wrong
        self.keep(request, body)
        if not self.takes_key(request):
            raise script.Refused(403, "missing or invalid API key")
        if len(request.body) > self.body_max:
            raise script.Refused(413, "the request is too large")
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise script.Refused(400, "content-type: application/json")
        model, prompt = script.check(body)
        try:
            plan = faults.parse(model, prompt)
        except faults.Unknown as wrong:
            raise script.Refused(400, str(wrong)) from wrong
        if "times" in plan and self.stats.value("requests", prompt) >= plan["times"]:
            plan = {}
        return script.Chat(self.number, model, prompt, body.get("stream", False), plan, self.pace, len(request.body))

    def keep(self, request: Request, body: Any) -> None:
        headers = {name: value if name not in ("authorization", "cookie") else f"{value.partition(' ')[0]} ***"
                   for name, value in request.headers.items()}
        self.stats.requests.append({"number": self.number, "method": request.method, "target": request.target,
                                    "version": request.version, "connection": request.connection,
                                    "headers": headers, "body": body})

    def route(self, request: Request) -> Callable[..., Steps] | None:
        parts = request.target.partition("?")[0].strip("/").split("/")
        name = parts[0] if len(parts) < 3 else f"{parts[0]}_{parts[2]}"
        if parts == ["stats", "reset"] or parts == ["stats", "wait"]:
            name = "_".join(parts)
        return getattr(self, f"{request.method.lower()}_{name}", None) if name.isidentifier() else None

    def control(self, request: Request, reply: Any) -> tuple[Steps, Ended]:
        """Everything on the control port: /stats, /requests, /gate/NAME, /answer."""
        handler = self.route(request)
        if not handler:
            return json_answer(reply, {"error": "no such path"}, 404), nothing
        _, _, query = request.target.partition("?")
        parts = request.target.partition("?")[0].strip("/").split("/")
        fields = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        return handler(reply, fields, urllib.parse.unquote(parts[1]) if len(parts) > 1 else ""), nothing

    def get_stats(self, reply: Any, fields: dict[str, str], _: str) -> Steps:
        return json_answer(reply, self.stats.show())

    def post_stats_reset(self, reply: Any, fields: dict[str, str], _: str) -> Steps:
        self.stats.reset()
        self.gates.reset()
        return json_answer(reply, {})

    def get_stats_wait(self, reply: Any, fields: dict[str, str], _: str) -> Steps:
        timeout = min(float(fields.pop("timeout", 5)), WAIT_MAX)
        prompt = fields.pop("prompt", None)
        reached = self.stats.wait({name: int(value) for name, value in fields.items()}, prompt, timeout)
        yield reached
        yield from json_answer(reply, self.stats.show(), 200 if reached.result() else 408)

    def get_requests(self, reply: Any, fields: dict[str, str], _: str) -> Steps:
        return json_answer(reply, list(self.stats.requests)[-int(fields.get("last", 200)):])

    def get_answer(self, reply: Any, fields: dict[str, str], _: str) -> Steps:
        """The text that a prompt's whole answer has."""
        prompt = answers.plain_text(fields.get("prompt", ""))
        plan = faults.parse(prompt)
        if "chunks" in plan:
            body = b"".join(answers.load(plan))
        else:
            body = answers.answer(prompt, plan).encode()
        reply.head(200, [("content-type", "text/plain; charset=utf-8")], length=len(body))
        yield body

    def post_openings(self, reply: Any, fields: dict[str, str], kind: str) -> Steps:
        """The next `times` connections over HTTP/2 begin like this; without it: all."""
        name, _, given = kind.partition(":")
        if name not in hostile.OPENINGS:
            return json_answer(reply, {"error": "no such opening"}, 400)
        self.opening = name, int(given) if given else hostile.OPENINGS[name].number
        self.openings_left = int(fields.get("times", -1))
        return json_answer(reply, {})

    def post_alpn(self, reply: Any, fields: dict[str, str], versions: str) -> Steps:
        """What is offered from now on, as `--alpn`."""
        self.tls.set_alpn_protocols(ALPN[versions])
        return json_answer(reply, {})

    def post_goaway(self, reply: Any, fields: dict[str, str], _: str) -> Steps:
        """On every connection: HTTP/2 says so and answers what it has; HTTP/1.1 is closed where nothing is being answered."""
        for link in list(self.stats.links):
            link.go_away()
        return json_answer(reply, {})

    def post_cut(self, reply: Any, fields: dict[str, str], how: str) -> Steps:
        """Every connection ends: `fin`, `rst`, `cut_no_notify`."""
        for link in list(self.stats.links):
            link.cut(how)
        return json_answer(reply, {})

    def get_gate(self, reply: Any, fields: dict[str, str], name: str) -> Steps:
        return json_answer(reply, self.gates.show(name))

    def post_gate_open(self, reply: Any, fields: dict[str, str], name: str) -> Steps:
        self.gates.set(name, True)
        return json_answer(reply, self.gates.show(name))

    def post_gate_close(self, reply: Any, fields: dict[str, str], name: str) -> Steps:
        self.gates.set(name, False)
        return json_answer(reply, self.gates.show(name))

    def get_gate_wait(self, reply: Any, fields: dict[str, str], name: str) -> Steps:
        wanted, timeout = int(fields.get("waiting", 1)), min(float(fields.get("timeout", 5)), WAIT_MAX)
        reached = self.gates.waiters.wait(lambda: self.gates.show(name)["waiting"] >= wanted, timeout)
        yield reached
        yield from json_answer(reply, self.gates.show(name), 200 if reached.result() else 408)
