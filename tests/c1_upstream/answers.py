"""Which text answers a prompt, how it is cut into deltas, and the OpenAI frames around them."""
import html
import itertools
import json
import pathlib
import re
import time
from typing import Any, Iterator

SAMPLES = pathlib.Path(__file__).resolve().parent.parent / "samples"
PLAIN = "# Plain\n\nNo C1 here: a < b && c > \"d\" isn't 'e' – ünïcödé 🚀\n\n- one\n- two\n"
SHOWN = re.compile(r"\b(table|chart|form|buttons)\b", re.IGNORECASE)  # what a visitor of the demo may ask for
DELTA_SIZES = (7, 13, 4, 19, 11)  # characters; uneven, so that tags and entities are cut in each place


def plain_text(content: str) -> str:
    """What a person typed: the unescaped text of the first <content>, else the text itself."""
    found = re.search(r"<content[^>]*>(.*?)</content>", content, re.DOTALL)
    return html.unescape(found[1]) if found else content


def escape(text: str) -> str:
    return html.escape(text, quote=True).replace("&#x27;", "&#39;")


def card(*children: dict[str, Any]) -> str:
    tree = {"component": {"component": "Card", "props": {"children": list(children)}}, "error": None}
    return f'<content thesys="true">{escape(json.dumps(tree, ensure_ascii=False, separators=(",", ":")))}</content>'


def component(name: str, **props: Any) -> dict[str, Any]:
    return {"component": name, "props": props}


def echo(prompt: str) -> str:
    return card(
        component("Header", title="A scripted answer", subtitle="no model was asked"),
        component("TextContent", textMarkdown=f"You asked: **{prompt}**\n\nTry *table*, *chart*, *form* or *buttons*."),
        component("FollowUpBlock", followUpText=["Show a table", "Show a chart"]))


def sample(name: str) -> str | None:
    path = SAMPLES / f"{name}.txt"
    if not re.fullmatch(r"[\w-]+", name) or not path.is_file():
        return None
    return path.read_text(encoding="utf-8")


def answer(prompt: str, plan: dict[str, Any]) -> str:
    """The whole text that a prompt is answered with, load and endless answers aside."""
    if "text" in plan:
        return plan["text"]
    if "plain" in plan:
        return PLAIN
    if "custommarkdown" in plan:
        return f"<custommarkdown>{escape(PLAIN)}</custommarkdown>"
    named = re.search(r"\bsample:([\w-]+)", prompt)
    shown = None if plan else SHOWN.search(prompt)
    found = sample(named[1]) if named else sample(shown[1].lower()) if shown else None
    return echo(prompt) if found is None else found


def pieces(text: str, size: int | None) -> Iterator[bytes]:
    sizes = itertools.repeat(size) if size else itertools.cycle(DELTA_SIZES)
    at = 0
    while at < len(text):
        step = next(sizes)
        yield text[at:at + step].encode()
        at += step


def load(plan: dict[str, Any]) -> Iterator[bytes]:
    """A card whose text is `chunks` equal pieces (without `chunks`: endless)."""
    start, _, end = card(component("TextContent", textMarkdown="@")).partition("@")
    size = plan.get("size", 20)
    if "stamp" in plan:
        count = range(plan["chunks"]) if "chunks" in plan else itertools.count()
        filler: Iterator[bytes] = ((b"%d;" % time.monotonic_ns()).ljust(size, b".") for _ in count)
    else:
        filler = itertools.repeat(b"x" * size, *([plan["chunks"]] if "chunks" in plan else []))
    return itertools.chain([start.encode()], filler, [end.encode()])


class Frames:
    """The SSE events of one answer, as OpenAI frames them."""

    def __init__(self, number: int, model: str) -> None:
        self.envelope = {"id": f"chatcmpl-{number}", "object": "chat.completion.chunk",
                         "created": int(time.time()), "model": model}
        start, _, end = self.choice({"content": "@"}, None).partition(b'"@"')
        self.before, self.after = start, end
        self.last: tuple[bytes, bytes] = (b"", b"")

    def event(self, value: dict[str, Any]) -> bytes:
        return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"

    def choice(self, delta: dict[str, Any], finish: str | None) -> bytes:
        return self.event({**self.envelope, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    def role(self) -> bytes:
        return self.choice({"role": "assistant", "content": ""}, None)

    def text(self, piece: bytes) -> bytes:
        """A delta; equal pieces in a row, as under load, are serialised once."""
        if piece is not self.last[0]:
            quoted = json.dumps(piece.decode(), ensure_ascii=False).encode()
            self.last = (piece, self.before + quoted + self.after)
        return self.last[1]

    def usage(self, usage: Any) -> bytes:
        return self.event({**self.envelope, "choices": [], "usage": usage})

    DONE = b"data: [DONE]\n\n"


def usage_numbers(kind: str | None, prompt_bytes: int, answer_bytes: int) -> Any:
    asked, answered = prompt_bytes // 4 + 1, answer_bytes // 4 + 1
    numbers: tuple[Any, Any] = {None: (asked, answered), "negative": (-asked, -answered), "huge": (2**63, 2**64),
                                "string": (str(asked), "many"), "float": (asked + 0.5, 1e300),
                                "null": (None, None)}[kind]
    total = numbers[0] + numbers[1] if kind in (None, "negative", "huge", "float") else numbers[1]
    return {"prompt_tokens": numbers[0], "completion_tokens": numbers[1], "total_tokens": total}
