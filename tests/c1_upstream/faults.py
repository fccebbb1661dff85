"""The one table of what can be asked of the scripted C1 API, and its parser.

A prompt (or a model name, as fault/NAME=VALUE;NAME) says how its own answer fails: fault:NAME=VALUE;NAME;...
up to the next white space. README.md's table is printed from FAULTS by `python3 tests/c1_upstream --table`.
"""
import re
import urllib.parse
from typing import Any, Callable, NamedTuple

import hostile


class Unknown(ValueError):
    """A directive that is not in the table: answered 400, so that a misspelt test fails loudly."""


class Fault(NamedTuple):
    name: str
    argument: str  # how the table names it; "" for a flag, in brackets when it may be left out
    parse: Callable[[str], Any]
    default: Any  # without "=VALUE"; None: the value must be given
    rows: str  # of the list of faults that the project promises to survive
    words: str


MIDDLE = -1  # a point's default place: half of the answer's text


def flag(value: str) -> bool:
    if value:
        raise Unknown("a flag takes no value")
    return True


def text(value: str) -> str:
    return urllib.parse.unquote(value)


def one_of(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            raise Unknown(f"{value!r} is none of {', '.join(choices)}")
        return value
    return parse


def gate(value: str) -> tuple[str, int]:
    name, _, place = value.partition("@")
    return name, int(place) if place else MIDDLE


def frames(value: str) -> hostile.Spec:
    return hostile.parse(value, MIDDLE)


MALFORMED = ("no_colon", "cr_only", "crlf", "bom", "comments", "retry", "fields", "multi_line", "no_space",
             "empty_data", "no_blank_end", "nul", "bad_json", "bad_json_few", "bad_utf8", "surrogate",
             "escapes", "deep", "no_choices", "null_content", "wrong_types")

FAULTS = [
    Fault("status", "CODE", int, None, "B1 B2 B3", "an error of that status, its body in OpenAI's form"),
    Fault("retry_after", "S", text, None, "B1", "with `status`: this `Retry-After`, verbatim; `date+S`: as an HTTP date S seconds ahead"),
    Fault("times", "N", int, None, "B1 B2", "only the first N requests with this prompt fail, the next ones are answered"),
    Fault("stall_before", "", flag, True, "B7", "not a byte comes, not even the head"),
    Fault("stall_head", "", flag, True, "B7", "the head comes, then nothing"),
    Fault("head_delay", "MS", int, None, "B7", "the head comes late"),
    Fault("stall_at", "[N]", int, MIDDLE, "B8", "silence after N bytes of text"),
    Fault("slow", "MS", int, None, "B8 B9", "that long before each delta"),
    Fault("cut_before", "", flag, True, "B10", "the connection is closed without an answer"),
    Fault("rst_before", "", flag, True, "B10", "the same by a TCP reset"),
    Fault("cut", "[N]", int, MIDDLE, "B10", "closed (FIN; TLS says goodbye) after N bytes of text, whole events until there"),
    Fault("rst", "[N]", int, MIDDLE, "B10", "a TCP reset after N bytes of text"),
    Fault("cut_no_notify", "[N]", int, MIDDLE, "B10", "TLS: FIN without close_notify; plain: as `cut`"),
    Fault("cut_wire", "N", int, None, "B10", "closed after N bytes of the body, wherever in an event that is"),
    Fault("goaway", "[N]", int, MIDDLE, "B10", "HTTP/2: GOAWAY with an error, then closed; HTTP/1.1: as `rst`"),
    Fault("h2_rst", "[N]", int, MIDDLE, "B10", "HTTP/2: RST_STREAM, the connection lives on; HTTP/1.1: as `rst`"),
    Fault("h2_refused", "", flag, True, "B10", "HTTP/2: RST_STREAM REFUSED_STREAM before any answer; HTTP/1.1: as `rst_before`"),
    Fault("h2", "KIND[:N][,THEN][@PLACE]", frames, None, "B10", "HTTP/2: frames that are wrong, or right and rare; kinds below. THEN: `on`, `quiet`, `gone`, `cut`, `rst`, `no_notify`; PLACE: `head` or bytes of text. HTTP/1.1: as `rst`"),
    Fault("no_end", "", flag, True, "B11", "a clean end without finish_reason and without `[DONE]`"),
    Fault("no_done", "", flag, True, "B11", "finish_reason, but no `[DONE]`"),
    Fault("done_no_finish", "", flag, True, "B12", "`[DONE]`, but no finish_reason"),
    Fault("after_done", "", flag, True, "B12", "more deltas (LATE) after `[DONE]`"),
    Fault("malformed", "KIND", one_of(*MALFORMED), None, "B13 B14", "an answer in odd or broken SSE; kinds below"),
    Fault("split", "[N]", int, 1, "B14", "every N bytes of the body are a chunk and a TCP write of their own"),
    Fault("huge_line", "BYTES", int, None, "B15", "one delta of that many bytes in one line"),
    Fault("endless", "", flag, True, "B15", "deltas (of `size`, at `pace`) without end, as fast as the client reads"),
    Fault("empty_deltas", "N", int, None, "B15", "N deltas with no text before the answer"),
    Fault("gzip_bomb", "[MIB]", int, 1024, "B15", "`Content-Encoding: gzip`, unasked, unfolds to so many MiB"),
    Fault("error_object", "[N]", int, MIDDLE, "B16", "after N bytes of text an `{\"error\":...}` event, then the end"),
    Fault("html", "", flag, True, "B16", "200 with a page of HTML"),
    Fault("plain_type", "", flag, True, "B16", "a right answer as `text/plain`"),
    Fault("no_type", "", flag, True, "B16", "a right answer without `Content-Type`"),
    Fault("finish", "REASON", text, None, "B17", "that finish_reason; `tool_calls` comes with a tool call instead of text"),
    Fault("redirect", "URL", text, None, "B18", "302 (or `status`) to that place"),
    Fault("1xx", "", flag, True, "B19", "100 and 103 before the answer"),
    Fault("trailers", "", flag, True, "B19", "trailers after the body"),
    Fault("http10", "", flag, True, "B19", "HTTP/1.0, ended by closing (HTTP/2: no difference)"),
    Fault("wrong_length", "[DIFF]", int, 100, "B19", "a `Content-Length` that is DIFF too long (or, negative, too short), then closed"),
    Fault("bad_chunk", "[N]", int, MIDDLE, "B19", "HTTP/1.1: after N bytes of text a chunk size that is none, the connection stays; HTTP/2: as `h2_rst`"),
    Fault("garbage", "", flag, True, "B19", "bytes that are no HTTP at all"),
    Fault("echo_key", "", flag, True, "B20", "the `Authorization` in body and header of an error (`status`, else 401), or in `error_object`"),
    Fault("usage", "KIND", one_of("absent", "negative", "huge", "string", "float", "null"), None, "B21", "that kind of usage numbers"),
    Fault("text", "URLENCODED", text, None, "", "the answer is exactly this text"),
    Fault("plain", "", flag, True, "", "plain Markdown with every character that needs an escape, no C1"),
    Fault("custommarkdown", "", flag, True, "", "a `<custommarkdown>` element, which crashes the web client"),
    Fault("gate", "NAME[@N]", gate, None, "", "waits after N bytes of text until the gate is opened; may come several times"),
    Fault("gate_head", "NAME", text, None, "", "waits before the head until the gate is opened"),
    Fault("chunks", "N", int, None, "", "load: N deltas of `size` bytes, one each `pace` ms, on a timetable"),
    Fault("size", "BYTES", int, None, "", "with `chunks` and `endless`: bytes a delta (20)"),
    Fault("pace", "MS", float, None, "", "time between deltas of this answer"),
    Fault("delta", "BYTES", int, None, "", "the answer is cut into deltas of that size"),
    Fault("stamp", "", flag, True, "", "with `chunks`: each delta is `<CLOCK_MONOTONIC in ns>;`, padded to `size`"),
]
BY_NAME = {fault.name: fault for fault in FAULTS}


def parse(*sources: str) -> dict[str, Any]:
    """The directives in these texts; of the same one in two, the later text's holds. Gates add up."""
    plan: dict[str, Any] = {}
    for source in sources:
        for directives in re.findall(r"\bfault[:/](\S+)", source):
            for directive in filter(None, directives.split(";")):
                take(plan, directive)
    return plan


def take(plan: dict[str, Any], directive: str) -> None:
    name, given, value = directive.partition("=")
    fault = BY_NAME.get(name)
    if fault is None or (not given and fault.default is None):
        raise Unknown(f"no such fault: {directive[:80]}")
    try:
        parsed = fault.parse(value) if given else fault.default
    except ValueError as wrong:
        raise Unknown(f"fault {directive[:80]}: {wrong}") from wrong
    if name == "gate":
        plan.setdefault(name, []).append(parsed)
    else:
        plan[name] = parsed


def table() -> str:
    lines = ["| directive | rows | what happens |", "|---|---|---|"]
    for fault in FAULTS:
        argument = fault.argument
        if argument:
            argument = f"[={argument[1:]}" if argument[0] == "[" else f"={argument}"
        lines.append(f"| `{fault.name}{argument}` | {fault.rows} | {fault.words} |")
    return "\n".join(lines) + "\n"
