"""Answers in odd or broken SSE, kind by kind: each takes the right events and gives the ones to send.

Where the words say "same text", a client that keeps to the SSE grammar reads the very same answer.
"""
import json
import re
from typing import Callable, Iterator

Events = Iterator[bytes | float]
DEPTH = 100_000


def rewrite(change: Callable[[bytes], bytes]) -> Callable[[Events], Events]:
    def kind(events: Events) -> Events:
        for item in events:
            yield change(item) if isinstance(item, bytes) else item
    return kind


def first(*extra: bytes) -> Callable[[Events], Events]:
    """Something odd before the answer, and again in its middle where it is not the very start that matters."""
    def kind(events: Events) -> Events:
        yield from extra
        for at, item in enumerate(events):
            yield item
            if at == 4:
                yield from extra
    return kind


def bom(events: Events) -> Events:
    yield b"\xef\xbb\xbf"
    yield from events


def no_blank_end(events: Events) -> Events:
    held = b""
    for item in events:
        if not isinstance(item, bytes):
            yield item
            continue
        if held:
            yield held
        held = item
    yield held.rstrip(b"\n")


def multi_line(event: bytes) -> bytes:
    """One data line a JSON member: the client joins them by line feeds, which JSON takes for white space."""
    return event if b"[DONE]" in event else re.sub(rb',"(object|created|model|choices)"', rb',\ndata: "\1"', event)


def escapes(event: bytes) -> bytes:
    if b"[DONE]" in event:
        return event
    return b"data: " + json.dumps(json.loads(event[6:])).encode() + b"\n\n"


def in_text(data: bytes) -> Callable[[Events], Events]:
    """One more delta, right after the first with text, whose text is these bytes of JSON."""
    def kind(events: Events) -> Events:
        seen = 0
        for item in events:
            yield item
            if isinstance(item, bytes) and b'"content":"' in item:
                seen += 1
                if seen == 2:
                    yield b'data: {"choices":[{"index":0,"delta":{"content":' + data + b'}}]}\n\n'
    return kind


COMMENTS = b": a comment that says nothing\n" * 1000
FIELDS = b"event: chunk\nid: 7\nretry: 10\nunknown: field\ncolonless\n"

KINDS: dict[str, tuple[str, Callable[[Events], Events]]] = {
    "no_colon": ("lines without a colon, `data` alone among them (same text)", first(b"colonless\n\n", b"data\n\n")),
    "cr_only": ("lines end in CR (same text)", rewrite(lambda event: event.replace(b"\n", b"\r"))),
    "crlf": ("lines end in CR LF (same text)", rewrite(lambda event: event.replace(b"\n", b"\r\n"))),
    "bom": ("a byte order mark first (same text)", bom),
    "comments": ("10,000 comment lines (same text)", first(*[COMMENTS] * 5)),
    "retry": ("`retry:` alone and with nonsense (same text)", first(b"retry: 5\n\n", b"retry: soon\n\n")),
    "fields": ("`event:`, `id:`, `retry:`, unknown ones beside the data (same text)",
               rewrite(lambda event: FIELDS + event)),
    "multi_line": ("the JSON over several `data:` lines (same text)", rewrite(multi_line)),
    "no_space": ("`data:` without the space (same text)", rewrite(lambda event: event.replace(b"data: ", b"data:"))),
    "empty_data": ("events with empty data (same text)", first(b"data:\n\n", b"data: \n\n")),
    "no_blank_end": ("no line end after the last event (`[DONE]`)", no_blank_end),
    "nul": ("NUL bytes on a line of their own and in a comment (same text)", first(b"\0\0\n\n", b":\0\n\n")),
    "bad_json": ("101 and more events that are no JSON", first(*[b"data: {not json\n\n"] * 101)),
    "bad_json_few": ("10 of them (same text)", first(*[b'data: {"choices":[{"delta"\n\n'] * 5)),
    "bad_utf8": ("a delta with bytes that are no UTF-8: FF, overlong, a cut character", in_text(b'"\xff\xc0\xaf\xe2\x82"')),
    "surrogate": ("a delta with a lone surrogate", in_text(b'"\\ud83d"')),
    "escapes": ("all but ASCII as \\u escapes, surrogate pairs among them (same text)", rewrite(escapes)),
    "deep": ("an event nested 100,000 deep", first(b"data: " + b"[" * DEPTH + b"]" * DEPTH + b"\n\n")),
    "no_choices": ("events without choices, with none, with null (same text)",
                   first(b'data: {"id":"x"}\n\n', b'data: {"choices":[]}\n\n', b'data: {"choices":null}\n\n')),
    "null_content": ("deltas whose content is null, or that are empty (same text)",
                     first(b'data: {"choices":[{"delta":{"content":null}}]}\n\n', b'data: {"choices":[{"delta":{}}]}\n\n')),
    "wrong_types": ("numbers, lists, objects where text belongs",
                    first(b'data: {"choices":[{"delta":{"content":5}}]}\n\n', b'data: {"choices":{"delta":[]}}\n\n',
                          b'data: 5\n\n', b'data: [null]\n\n', b'data: {"choices":[[]]}\n\n')),
}


def table() -> str:
    return "".join(f"| `{name}` | {words} |\n" for name, (words, _) in KINDS.items())
