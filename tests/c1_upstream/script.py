"""What happens to one chat completion: its checks, its faults, its stream. A generator for player.Player."""
import email.utils
import json
import time
import zlib
from typing import Any, NamedTuple

import answers
import faults
import hostile
import malformed
from player import NEVER, Reply, Steps

SSE = "text/event-stream; charset=utf-8"
WORDS = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
         413: "request_too_large", 429: "rate_limit_error"}
HTML = b"<!doctype html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1><p>proxy-7.internal.example</p>\n"
POINTS = ("stall_at", "cut", "rst", "cut_no_notify", "goaway", "h2_rst", "error_object", "bad_chunk")


class Chat(NamedTuple):
    number: int
    model: str
    prompt: str
    stream: bool
    plan: dict[str, Any]
    pace: float
    prompt_bytes: int


class Refused(Exception):
    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


def check(body: Any) -> tuple[str, str]:
    """The model and the last user message of a request, or what the real API would refuse in it."""
    if not isinstance(body, dict):
        raise Refused(400, "the body is no JSON object")
    model, messages = body.get("model"), body.get("messages")
    if not isinstance(model, str) or not model:
        raise Refused(400, "model: a name is required")
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "messages: at least one is required")
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in ("system", "user", "assistant", "tool", "developer"):
            raise Refused(400, "messages: each needs a role")
        if not isinstance(message.get("content"), str) and not message.get("tool_calls"):
            raise Refused(400, "messages: each needs its content, a string")
    if body.get("n", 1) != 1:
        raise Refused(400, "n: must be 1")
    if not isinstance(body.get("stream", False), bool):
        raise Refused(400, "stream: true or false")
    metadata = body.get("metadata") or {}
    if not isinstance(metadata, dict) or set(metadata) - {"thesys"} or not all(isinstance(v, str) for v in metadata.values()):
        raise Refused(400, "metadata: only the key thesys, whose value is a JSON string")
    asked = [message["content"] for message in messages if message["role"] == "user"]
    if not asked:
        raise Refused(400, "messages: no user message")
    return model, answers.plain_text(asked[-1])


def refusal(reply: Reply, status: int, words: str, headers: list[tuple[str, str]] = []) -> Steps:
    kind = WORDS.get(status, "api_error")
    body = json.dumps({"error": {"message": words, "type": kind, "param": None, "code": None}}).encode()
    reply.head(status, [("content-type", "application/json"), *headers], length=len(body))
    yield body


def play(chat: Chat, reply: Reply, gates: Any) -> Steps:
    """From the first byte to the last."""
    plan = chat.plan
    if "gate_head" in plan:
        yield gates.pass_through(plan["gate_head"])
    if "head_delay" in plan:
        yield plan["head_delay"] / 1000
    if "stall_before" in plan:
        yield NEVER
    if "h2" in plan and plan["h2"].place is None:
        yield from hostile.play(plan["h2"], reply)
        if reply.was_cut:
            return
    for name, how in (("cut_before", "fin"), ("rst_before", "rst"), ("h2_refused", "refused"), ("garbage", "garbage")):
        if name in plan:
            return reply.cut(how)
    if "1xx" in plan:
        reply.informational(100, [])
        reply.informational(103, [("link", "</style.css>; rel=preload")])
    if "redirect" in plan:
        reply.head(plan.get("status", 302), [("location", plan["redirect"])], length=0)
    elif "status" in plan or ("echo_key" in plan and "error_object" not in plan):
        yield from error_status(chat, reply)
    elif "html" in plan:
        reply.head(200, [("content-type", "text/html")], length=len(HTML))
        yield HTML
    elif "gzip_bomb" in plan:
        yield from gzip_bomb(reply, plan["gzip_bomb"])
    elif chat.stream:
        yield from stream(chat, reply, gates)
    else:
        yield from whole(chat, reply)


def error_status(chat: Chat, reply: Reply) -> Steps:
    headers, plan = [], chat.plan
    words = f"a scripted failure at shard-3.internal.example, asked: {chat.prompt}"  # some do say what was asked
    if "retry_after" in plan:
        value = plan["retry_after"]
        if value.startswith("date+"):
            value = email.utils.formatdate(time.time() + int(value[5:]), usegmt=True)
        headers.append(("retry-after", value))
    if "echo_key" in plan:
        headers.append(("x-echo", reply.secret))
        words = f"wrong key: {reply.secret}"
    return refusal(reply, plan.get("status", 401), words, headers)


def gzip_bomb(reply: Reply, mebibytes: int) -> Steps:
    reply.head(200, [("content-type", SSE), ("content-encoding", "gzip")])
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    yield squeeze.compress(b"data: ") + squeeze.flush(zlib.Z_FULL_FLUSH)
    block = squeeze.compress(b"x" * 2**20) + squeeze.flush(zlib.Z_FULL_FLUSH)
    for _ in range(mebibytes):  # after a full flush a block knows nothing of the ones before it: one serves for all
        yield block
        yield 0.0


def whole(chat: Chat, reply: Reply) -> Steps:
    text = answers.answer(chat.prompt, chat.plan)
    message = {"role": "assistant", "content": text}
    body = json.dumps({
        "id": f"chatcmpl-{chat.number}", "object": "chat.completion", "created": int(time.time()), "model": chat.model,
        "choices": [{"index": 0, "message": message, "finish_reason": chat.plan.get("finish", "stop")}],
        "usage": answers.usage_numbers(None, chat.prompt_bytes, len(text.encode()))}, ensure_ascii=False).encode()
    reply.head(200, [("content-type", "application/json")], length=len(body))
    yield body


def stream(chat: Chat, reply: Reply, gates: Any) -> Steps:
    plan = chat.plan
    body: Steps = events(chat, reply, gates)
    if "malformed" in plan:
        body = malformed.KINDS[plan["malformed"]][1](body)
    if "cut_wire" in plan:
        body = cut_wire(body, plan["cut_wire"], reply)
    if "split" in plan:
        body = split(body, max(1, plan["split"]))
    content_type = [] if "no_type" in plan else [("content-type", "text/plain" if "plain_type" in plan else SSE)]
    headers = [*content_type, ("cache-control", "no-cache"), ("x-request-id", f"req_{chat.number}")]
    if "wrong_length" in plan:
        whole_body = b"".join(item for item in body if isinstance(item, bytes))
        reply.head(200, headers, length=max(0, len(whole_body) + plan["wrong_length"]))
        yield whole_body
        return reply.cut("fin")
    reply.head(200, headers, http10="http10" in plan)
    if "stall_head" in plan:
        yield NEVER
    yield from body
    if "trailers" in plan and not reply.was_cut:
        reply.end([("x-trailer", "told at last")])


def split(body: Steps, size: int) -> Steps:
    for item in body:
        if isinstance(item, bytes):
            for at in range(0, len(item), size):
                yield item[at:at + size]
                yield 0.0
        else:
            yield item


def cut_wire(body: Steps, left: int, reply: Reply) -> Steps:
    for item in body:
        if isinstance(item, bytes):
            if len(item) >= left:
                yield item[:left]
                return reply.cut("fin")
            left -= len(item)
        yield item


def events(chat: Chat, reply: Reply, gates: Any) -> Steps:
    """The SSE events of the answer, and whatever befalls it on its way."""
    plan, frames = chat.plan, answers.Frames(chat.number, chat.model)
    yield frames.role()
    for _ in range(plan.get("empty_deltas", 0)):
        yield frames.choice({"content": ""}, None)
    if plan.get("finish") == "tool_calls":
        yield from tool_call(frames)
    elif "huge_line" in plan:
        yield from huge_line(frames, plan["huge_line"])
    else:
        yield from text(chat, frames, reply, gates)
    if reply.was_cut or "no_end" in plan or "error_object" in plan:
        return
    if "done_no_finish" not in plan:
        yield frames.choice({}, plan.get("finish", "stop"))
    if plan.get("usage") != "absent":
        size = len(answers.answer(chat.prompt, plan).encode())
        yield frames.usage(answers.usage_numbers(plan.get("usage"), chat.prompt_bytes, size))
    if "no_done" not in plan:
        yield frames.DONE
    if "after_done" in plan:
        yield frames.text(b"LATE")
        yield frames.text(b" AND LATER")


def tool_call(frames: answers.Frames) -> Steps:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": ""}}
    yield frames.choice({"tool_calls": [call]}, None)
    for part in ('{"city":', '"Paris"}'):
        yield frames.choice({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}, None)


def huge_line(frames: answers.Frames, size: int) -> Steps:
    block = b"x" * 65536
    yield frames.before + b'"'
    for _ in range(size // len(block)):
        yield block
    yield block[:size % len(block)] + b'"' + frames.after


def text(chat: Chat, frames: answers.Frames, reply: Reply, gates: Any) -> Steps:
    """The deltas, each at its time, stopping at each point that the plan names."""
    plan = chat.plan
    is_load = "chunks" in plan or "endless" in plan
    whole_text = "" if is_load else answers.answer(chat.prompt, plan)
    deltas = answers.load(plan) if is_load else answers.pieces(whole_text, plan.get("delta"))
    points = points_of(plan, 200 if is_load else len(whole_text.encode()) // 2)
    pace = plan["pace"] / 1000 if "pace" in plan else 0.0 if "endless" in plan else chat.pace
    slow = plan.get("slow", 0) / 1000
    at = 0
    for delta in deltas:
        if slow:
            yield slow
        while points and at + len(delta) >= points[0][0]:
            before, delta = halves(delta, points[0][0] - at)
            at += len(before)
            if before:
                yield frames.text(before)
            point = points.pop(0)
            yield from befall(point, chat, frames, reply, gates)
            if reply.was_cut or point[1] == "error_object":
                return
        if delta:
            yield frames.text(delta)
            at += len(delta)
        if pace:
            yield pace
    for point in points:
        if not reply.was_cut:
            yield from befall(point, chat, frames, reply, gates)


def points_of(plan: dict[str, Any], middle: int) -> list[tuple[int, str, str]]:
    points = [(plan[name], name, "") for name in POINTS if name in plan]
    points += [(place, "gate", name) for name, place in plan.get("gate", [])]
    if "h2" in plan and plan["h2"].place is not None:
        points.append((plan["h2"].place, "h2", ""))
    return sorted((middle if place == faults.MIDDLE else place, name, argument) for place, name, argument in points)


def halves(delta: bytes, at: int) -> tuple[bytes, bytes]:
    """Cut there, or before the character that stands there."""
    while 0 < at < len(delta) and delta[at] & 0xC0 == 0x80:
        at -= 1
    return delta[:at], delta[at:]


def befall(point: tuple[int, str, str], chat: Chat, frames: answers.Frames, reply: Reply, gates: Any) -> Steps:
    _, name, argument = point
    if name == "gate":
        yield gates.pass_through(argument)
    elif name == "stall_at":
        yield NEVER
    elif name == "h2":
        yield from hostile.play(chat.plan["h2"], reply)
    elif name == "error_object":
        words = f"overloaded: shard-3.internal.example {reply.secret if 'echo_key' in chat.plan else chat.prompt}"
        yield frames.event({"error": {"message": words, "type": "server_error", "param": None, "code": "overloaded"}})
    else:
        reply.cut({"cut": "fin"}.get(name, name))
        if name == "bad_chunk" and reply.version == "1.1":
            yield NEVER
