"""HTTP/2 frames that no library sends: written by hand, behind the back of the one that reads (http2.py).

KINDS is what `fault:h2=KIND` does to the connection of its own question; OPENINGS what `POST /openings/KIND` does to
connections from their first byte on. Frames by RFC 9113, header fields by RFC 7541, never compressed.
"""
import struct
from typing import Any, Callable, NamedTuple

from player import NEVER, Steps

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION, ALTSVC = range(11)
END_STREAM = ACK = 1
END_HEADERS, PADDED = 4, 8
ENABLE_PUSH, STREAMS, WINDOW, FRAME_SIZE = 2, 3, 4, 5  # settings
LAST_STREAM = 2**31 - 1
FRAME_MAX = 16384
COMMENT = b": nothing of the answer\n\n"
SECRET_WORDS = b"shard-3.internal.example is going away"


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"", size: int | None = None) -> bytes:
    """With another size than its payload's, if told."""
    size = len(payload) if size is None else size
    return struct.pack(">HBBBI", size >> 8, size & 255, kind, flags, stream) + payload


def u32(*numbers: int) -> bytes:
    return b"".join(struct.pack(">I", number & 0xFFFFFFFF) for number in numbers)


def setting(name: int, value: int) -> bytes:
    return frame(SETTINGS, payload=struct.pack(">HI", name, value))


def goaway(last: int, code: int = 0, words: bytes = b"") -> bytes:
    return frame(GOAWAY, payload=u32(max(last, 0), code) + words)


def number(value: int, bits: int, first: int = 0) -> bytes:
    """An integer of HPACK, in the low bits of its first byte and in those behind it."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = bytearray([first | most]), value - most
    while value >= 128:
        out.append(128 | value & 127)
        value >>= 7
    return bytes(out) + bytes([value])


def field(name: bytes, value: bytes, first: int = 0) -> bytes:
    """A literal field that is kept in no table (first 0x40: it is)."""
    return bytes([first]) + number(len(name), 7) + name + number(len(value), 7) + value


def fields(**more: bytes) -> bytes:
    return b"".join(field(name.replace("__", ":").replace("_", "-").encode(), value) for name, value in more.items())


HEAD = fields(__status=b"200", content_type=b"text/event-stream")


def head(stream: int, block: bytes = HEAD, flags: int = 0) -> bytes:
    """HEADERS, and as many CONTINUATIONs as it takes."""
    parts = [block[at:at + FRAME_MAX] for at in range(0, len(block), FRAME_MAX)] or [b""]
    out = []
    for at, part in enumerate(parts):
        last = END_HEADERS if at == len(parts) - 1 else 0
        out.append(frame(CONTINUATION, last, stream, part) if at else frame(HEADERS, last | flags, stream, part))
    return b"".join(out)


def table_bomb(stream: int, n: int, reply: Any) -> bytes:
    """One field of 4,000 bytes, kept in the table (in the library's, too), and n times its index: a byte each."""
    reply.h2.encoder.header_table.add(b"x-bomb", b"b" * 4000)
    return head(stream, HEAD + field(b"x-bomb", b"b" * 4000, 0x40) + b"\xbe" * n)


def without_end(stream: int, n: int) -> bytes:
    """A head of n CONTINUATIONs, each with one field, that never ends."""
    return frame(HEADERS, 0, stream, HEAD) + frame(CONTINUATION, 0, stream, field(b"x", b"y")) * n


def beyond_windows(reply: Any) -> bytes:
    """More DATA than the client has given leave for, all at once."""
    room = min(reply.h2.outbound_flow_control_window, reply.connection.stream(reply.stream_id).outbound_flow_control_window)
    block = COMMENT * (FRAME_MAX // len(COMMENT))
    return frame(DATA, 0, reply.stream_id, block) * (room // len(block) + 2)


def reset(reply: Any, code: int) -> bytes:
    """By the library, which counts open streams."""
    reply.h2.reset_stream(reply.stream_id, code)
    return reply.h2.data_to_send()


def deaf(reply: Any) -> bytes:
    reply.connection.deaf = True
    return b""


class Kind(NamedTuple):
    place: str  # "head": before it; "text": in the middle of the answer's text; unless the directive says where
    then: str  # "on": the answer goes on; "quiet": nothing more on its stream; "gone": it is over; else how the connection ends
    words: str
    frames: Callable[[int, int, Any], bytes]  # of the stream, the directive's number, the reply
    number: int = 0  # unless given


KINDS = {
    "rst": Kind("text", "gone", "RST_STREAM with error code N (8: CANCEL)", lambda s, n, reply: reset(reply, n), 8),
    "goaway": Kind("text", "on", "GOAWAY without an error; the last stream taken is ours + N (0: ours, -2: not ours)", lambda s, n, _: goaway(s + n)),
    "goaway_error": Kind("text", "cut", "GOAWAY with error code N (2: INTERNAL_ERROR), last stream ours", lambda s, n, _: goaway(s, n), 2),
    "goaway_twice": Kind("text", "on", "GOAWAY that takes all, then one that takes ours", lambda s, n, _: goaway(LAST_STREAM) + goaway(s)),
    "goaway_shrink": Kind("head", "quiet", "GOAWAY that takes ours, then one that does not", lambda s, n, _: goaway(s) + goaway(s - 2)),
    "goaway_grow": Kind("head", "quiet", "GOAWAY that does not take ours, then one that does", lambda s, n, _: goaway(s - 2) + goaway(s + 2)),
    "goaway_words": Kind("text", "on", "GOAWAY with N KiB of words", lambda s, n, _: goaway(s, 0, SECRET_WORDS.ljust(n << 10, b".")), 15),
    "half_frame": Kind("text", "quiet", "DATA of 100 bytes, of which N come", lambda s, n, _: frame(DATA, 0, s, COMMENT[:n], 100), 10),
    "half_head": Kind("head", "quiet", "HEADERS whose CONTINUATION does not come", lambda s, n, _: frame(HEADERS, 0, s, HEAD)),
    "half_length": Kind("text", "quiet", "five bytes of a frame's nine", lambda s, n, _: frame(DATA, 0, s, COMMENT)[:5]),
    "window": Kind("text", "quiet", "WINDOW_UPDATE of ours by N", lambda s, n, _: frame(WINDOW_UPDATE, 0, s, u32(n))),
    "window_all": Kind("text", "quiet", "WINDOW_UPDATE of the connection by N", lambda s, n, _: frame(WINDOW_UPDATE, 0, 0, u32(n))),
    "window_over": Kind("text", "quiet", "two of ours by 2^31 - 1", lambda s, n, _: frame(WINDOW_UPDATE, 0, s, u32(LAST_STREAM)) * 2),
    "window_all_over": Kind("text", "quiet", "two of the connection by 2^31 - 1", lambda s, n, _: frame(WINDOW_UPDATE, 0, 0, u32(LAST_STREAM)) * 2),
    "settings_window": Kind("text", "on", "SETTINGS_INITIAL_WINDOW_SIZE of N", lambda s, n, _: setting(WINDOW, n), 70000),
    "settings_size": Kind("text", "quiet", "SETTINGS_MAX_FRAME_SIZE of N", lambda s, n, _: setting(FRAME_SIZE, n)),
    "settings_length": Kind("text", "quiet", "SETTINGS of five bytes", lambda s, n, _: frame(SETTINGS, payload=b"12345")),
    "settings_stream": Kind("text", "quiet", "SETTINGS on our stream", lambda s, n, _: frame(SETTINGS, 0, s)),
    "ping_length": Kind("text", "quiet", "PING of seven bytes", lambda s, n, _: frame(PING, payload=b"1234567")),
    "beyond_window": Kind("text", "on", "DATA beyond what the client's windows allow, at once", lambda s, n, reply: beyond_windows(reply)),
    "headers_big": Kind("head", "quiet", "a head of N KiB", lambda s, n, _: head(s, HEAD + field(b"x-big", b"b" * 1000) * n), 1024),
    "continuations": Kind("head", "quiet", "N CONTINUATIONs without an end", lambda s, n, _: without_end(s, n), 10000),
    "hpack_bomb": Kind("head", "quiet", "a head that unfolds to N times 4,000 bytes", table_bomb, 16000),
    "bad_hpack": Kind("head", "quiet", "a head with an index that stands for nothing", lambda s, n, _: head(s, HEAD + b"\xff\xff\x03")),
    "no_status": Kind("head", "quiet", "a head without :status", lambda s, n, _: head(s, fields(content_type=b"text/event-stream"))),
    "bad_status": Kind("head", "quiet", "a :status that is no number", lambda s, n, _: head(s, fields(__status=b"2OO"))),
    "status_101": Kind("head", "quiet", ":status 101, which HTTP/2 has not", lambda s, n, _: head(s, fields(__status=b"101"))),
    "upper_case": Kind("head", "quiet", "a field's name in capitals", lambda s, n, _: head(s, HEAD + field(b"X-Big", b"1"))),
    "connection_field": Kind("head", "quiet", "a `connection` field", lambda s, n, _: head(s, HEAD + fields(connection=b"keep-alive"))),
    "two_heads": Kind("text", "quiet", "a second head in the midst of the body", lambda s, n, _: head(s)),
    "many_1xx": Kind("head", "on", "N interim heads", lambda s, n, _: head(s, fields(__status=b"103", link=b"</a>")) * n, 50),
    "end_in_1xx": Kind("head", "quiet", "an interim head that ends the stream", lambda s, n, _: head(s, fields(__status=b"103"), END_STREAM)),
    "ping_flood": Kind("text", "on", "N PINGs", lambda s, n, _: frame(PING, payload=b"8 bytes.") * n, 20000),
    "ack_flood": Kind("text", "on", "N answers to PINGs that nobody sent", lambda s, n, _: frame(PING, ACK, payload=b"8 bytes.") * n, 20000),
    "settings_flood": Kind("text", "on", "N empty SETTINGS", lambda s, n, _: frame(SETTINGS) * n, 20000),
    "priority_flood": Kind("text", "on", "N PRIORITYs", lambda s, n, _: frame(PRIORITY, 0, s, u32(0) + b"\x10") * n, 20000),
    "empty_flood": Kind("text", "on", "N DATA frames with nothing in them", lambda s, n, _: frame(DATA, 0, s) * n, 20000),
    "window_flood": Kind("text", "on", "N WINDOW_UPDATEs by one", lambda s, n, _: frame(WINDOW_UPDATE, 0, s, u32(1)) * n, 20000),
    "rst_flood": Kind("text", "quiet", "N RST_STREAMs of ours", lambda s, n, _: frame(RST_STREAM, 0, s, u32(8)) * n, 20000),
    "unknown": Kind("text", "on", "frames of types that we do not know, and ALTSVC for another host",
                    lambda s, n, _: frame(0xBB, 0xFF, s, b"odd") + frame(ALTSVC, 0, 0, b"\0\0" + b'h2="elsewhere.example:443"')),
    "data_zero": Kind("text", "quiet", "DATA on stream 0", lambda s, n, _: frame(DATA, 0, 0, COMMENT)),
    "data_idle": Kind("text", "quiet", "DATA on a stream that is not begun", lambda s, n, _: frame(DATA, 0, s + 1000, COMMENT)),
    "data_even": Kind("text", "quiet", "DATA on a stream of the server's", lambda s, n, _: frame(DATA, 0, 2, COMMENT)),
    "headers_idle": Kind("text", "quiet", "HEADERS on a stream that is not begun", lambda s, n, _: head(s + 1000)),
    "data_behind_end": Kind("text", "quiet", "DATA that ends the stream, and more behind it",
                            lambda s, n, _: frame(DATA, END_STREAM, s, COMMENT) + frame(DATA, 0, s, COMMENT) * 3),
    "push": Kind("text", "quiet", "PUSH_PROMISE, which we have not allowed",
                 lambda s, n, _: frame(PUSH_PROMISE, END_HEADERS, s, u32(2) + fields(__method=b"GET", __path=b"/", __scheme=b"https", __authority=b"x"))),
    "oversize": Kind("text", "quiet", "DATA of 16,385 bytes", lambda s, n, _: frame(DATA, 0, s, b":" * (FRAME_MAX + 1))),
    "padding": Kind("text", "on", "DATA with N bytes of padding", lambda s, n, _: frame(DATA, PADDED, s, bytes([n]) + COMMENT + bytes(n)), 255),
    "bad_padding": Kind("text", "quiet", "padding longer than its frame", lambda s, n, _: frame(DATA, PADDED, s, b"\xff" + COMMENT)),
    "deaf": Kind("text", "quiet", "the server hears and says nothing any more, PINGs included", lambda s, n, reply: deaf(reply)),
}


ENDS = {"gone": "gone", "cut": "fin", "rst": "rst", "no_notify": "cut_no_notify"}  # as a reply's cut() names them


class Spec(NamedTuple):
    kind: str
    number: int
    then: str
    place: int | None  # of the text; None: before the head


def parse(value: str, middle: int) -> Spec:
    """KIND[:N][,on|quiet|gone|cut|rst|no_notify][@head|@BYTES]"""
    value, _, place = value.partition("@")
    value, _, then = value.partition(",")
    name, _, given = value.partition(":")
    if name not in KINDS:
        raise ValueError(f"no such frames: {name}")
    kind = KINDS[name]
    if then not in ("", "on", "quiet", *ENDS):
        raise ValueError(f"then what: {then}")
    at = place or {"head": "head", "text": str(middle)}[kind.place]
    return Spec(name, int(given) if given else kind.number, then or kind.then, None if at == "head" else int(at))


def play(spec: Spec, reply: Any) -> Steps:
    if reply.version != "2":
        return reply.cut("rst")
    reply.raw(KINDS[spec.kind].frames(reply.stream_id, spec.number, reply))
    if spec.then == "quiet":
        yield NEVER
    elif spec.then != "on":
        reply.cut(ENDS[spec.then])


# --- connections ---
class Opening(NamedTuple):
    words: str
    open: Callable[[Any, int], None]  # what is done with the connection, an Http2, instead of a plain beginning
    number: int = 0


def few_streams(connection: Any, n: int) -> None:
    connection.streams_taken = n
    connection.begin({STREAMS: n})


def windowless(connection: Any, n: int) -> None:
    connection.gives_window, connection.window_given = False, n
    connection.begin({WINDOW: 0})


def says(connection: Any, raw: bytes, then: str = "") -> None:
    """This and no more, or the end."""
    connection.deaf = True
    connection.transport.write(raw)
    if then:
        connection.cut(ENDS[then])


def at_once_gone(connection: Any, n: int) -> None:
    connection.begin()
    connection.transport.write(goaway(0))


def begun_and_deaf(connection: Any, n: int) -> None:
    connection.begin()
    connection.deaf = True


OPENINGS = {
    "good": Opening("as it should be", lambda c, n: c.begin()),
    "streams": Opening("SETTINGS_MAX_CONCURRENT_STREAMS of N; more are refused, those ahead of the SETTINGS, too", few_streams, 1),
    "window": Opening("SETTINGS_INITIAL_WINDOW_SIZE of N", lambda c, n: c.begin({WINDOW: n}), 100),
    "window_late": Opening("SETTINGS_INITIAL_WINDOW_SIZE of 0; each question is given N behind its head", windowless, 60000),
    "window_never": Opening("the same, and nothing is given", windowless),
    "goaway_first": Opening("GOAWAY before SETTINGS, then closed", lambda c, n: says(c, goaway(0), "cut")),
    "goaway_at_once": Opening("GOAWAY behind SETTINGS: no stream is taken", at_once_gone),
    "silent": Opening("not a byte", lambda c, n: says(c, b"")),
    "deaf": Opening("SETTINGS, and not a byte more", begun_and_deaf),
    "closed": Opening("closed at once", lambda c, n: says(c, b"", "cut")),
    "reset": Opening("closed at once by a TCP reset", lambda c, n: says(c, b"", "rst")),
    "half_settings": Opening("half of a SETTINGS frame", lambda c, n: says(c, setting(STREAMS, 100)[:7])),
    "half_settings_closed": Opening("the same, then closed", lambda c, n: says(c, setting(STREAMS, 100)[:7], "cut")),
    "http1": Opening("HTTP/1.1, though HTTP/2 was agreed on", lambda c, n: says(c, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
    "settings_window": Opening("SETTINGS_INITIAL_WINDOW_SIZE of 2^31", lambda c, n: says(c, setting(WINDOW, 2**31))),
    "settings_push": Opening("SETTINGS_ENABLE_PUSH of 1", lambda c, n: says(c, setting(ENABLE_PUSH, 1))),
    "settings_size": Opening("SETTINGS_MAX_FRAME_SIZE of 1", lambda c, n: says(c, setting(FRAME_SIZE, 1))),
}


def table() -> str:
    lines = ["`h2=KIND`, with where it happens and what comes then unless told:", "", "| kind | where | then | what comes |", "|---|---|---|---|"]
    for name, kind in KINDS.items():
        given = f" (N: {kind.number})" if kind.number else ""
        lines.append(f"| `{name}` | {kind.place} | {kind.then} | {kind.words}{given} |")
    lines += ["", "`POST /openings/KIND`:", "", "| kind | the connection |", "|---|---|"]
    lines += [f"| `{name}` | {opening.words}{f' (N: {opening.number})' if opening.number else ''} |" for name, opening in OPENINGS.items()]
    return "\n".join(lines) + "\n"
