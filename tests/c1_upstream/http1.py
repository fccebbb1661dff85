"""HTTP/1.1 by hand, because the faults need what no server library lets one send."""
import asyncio
import socket
import struct
from http import HTTPStatus
from typing import Any, Callable, NamedTuple

from player import Player, Steps

HEAD_MAX = 65536
BODY_MAX = 64 * 2**20


class Request(NamedTuple):
    method: str
    target: str
    version: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    connection: int


Answer = Callable[[Request, Any], tuple[Steps, Callable[[str, int], None]]]  # what is to be played, and who hears how it ended


def reset(transport: asyncio.Transport) -> None:
    """Closes by a TCP reset."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def close_without_notify(transport: asyncio.Transport) -> None:
    """FIN at once, behind the back of TLS."""
    transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
    transport.abort()


def cut(transport: asyncio.Transport, how: str) -> None:
    """`rst`, `cut_no_notify`, or as anybody closes."""
    if how == "cut_no_notify":
        close_without_notify(transport)
    elif how == "rst":
        reset(transport)
    else:
        transport.close()


def reason(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Scripted"


class Http1Reply:
    version = "1.1"

    def __init__(self, connection: "Http1", request: Request) -> None:
        self.transport = connection.transport
        self.connection = connection
        self.secret = request.headers.get("authorization", "")
        self.was_cut = self.ended = False
        self.on_writable: Callable[[], None] | None = None
        self.keep = request.version == "HTTP/1.1" and request.headers.get("connection", "").lower() != "close"
        self.chunked = False

    @property
    def writable(self) -> bool:
        return not self.connection.paused

    def informational(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.send_head("HTTP/1.1", status, headers)

    def head(self, status: int, headers: list[tuple[str, str]], *, length: int | None = None, http10: bool = False) -> None:
        self.keep = self.keep and not http10
        self.chunked = length is None and not http10
        framing = [("transfer-encoding", "chunked")] if self.chunked else [("content-length", str(length))] if length is not None else []
        closing = [] if self.keep or http10 else [("connection", "close")]
        self.send_head("HTTP/1.0" if http10 else "HTTP/1.1", status, [*headers, *framing, *closing])

    def send_head(self, version: str, status: int, headers: list[tuple[str, str]]) -> None:
        lines = [f"{version} {status} {reason(status)}", *(f"{name}: {value}" for name, value in headers), "", ""]
        self.transport.write("\r\n".join(lines).encode("latin-1"))

    def write(self, data: bytes) -> None:
        if self.chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        self.transport.write(data)

    def end(self, trailers: list[tuple[str, str]] | None = None) -> None:
        if self.ended:
            return
        self.ended = True
        if self.chunked:
            lines = "".join(f"{name}: {value}\r\n" for name, value in trailers or [])
            self.transport.write(b"0\r\n" + lines.encode() + b"\r\n")

    def cut(self, how: str) -> None:
        self.keep = False
        if how == "bad_chunk":
            self.transport.write(b"this is no size\r\n")
            return  # and the connection stays as it is
        self.was_cut = True
        if how == "garbage":
            self.transport.write(b"\x16\x03 220 smtp.example ready\r\n\0\xff\r\n")
        cut(self.transport, how if how in ("fin", "garbage", "cut_no_notify") else "rst")


class Http1(asyncio.Protocol):
    """One connection: requests one after another, each answered before the next is looked at."""

    def __init__(self, answer: Answer, stats: Any) -> None:
        self.answer, self.stats = answer, stats
        self.buffer = bytearray()
        self.player: Player | None = None
        self.reply: Http1Reply | None = None
        self.paused = False
        self.continued = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.id = self.stats.connection("1.1")
        self.stats.links.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.stats.links.discard(self)
        self.stats.connection_closed()
        if self.player:
            self.player.finish("early_closes")

    def go_away(self) -> None:
        """Closed, unless it is being answered."""
        if not self.player:
            self.transport.close()

    def cut(self, how: str) -> None:
        cut(self.transport, how)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self.reply and self.reply.on_writable:
            self.reply.on_writable()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.player:
            self.next_request()

    def next_request(self) -> None:
        try:
            request = self.parse()
        except ValueError:
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            return self.transport.close()
        if request:
            self.continued = False
            self.reply = Http1Reply(self, request)
            steps, ended = self.answer(request, self.reply)

            def after(outcome: str, written: int) -> None:
                self.player = None
                ended(outcome, written)
                if outcome == "completed" and self.reply.keep:
                    self.next_request()
                elif outcome == "completed":
                    self.transport.close()
            self.player = Player(steps, self.reply, after)
            self.player.step()

    def parse(self) -> Request | None:
        """The next whole request, taken from the buffer; None: more bytes are needed."""
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buffer) > HEAD_MAX:
                raise ValueError("head too long")
            return None
        first, *lines = bytes(self.buffer[:end]).decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("expect", "").lower() == "100-continue" and not self.continued:
            self.continued = True
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        taken = self.body(end + 4, headers)
        if taken is None:
            return None
        body, rest = taken
        del self.buffer[:rest]
        return Request(method, target, version, headers, body, self.id)

    def body(self, at: int, headers: dict[str, str]) -> tuple[bytes, int] | None:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self.chunks(at)
        length = int(headers.get("content-length", 0))
        if not 0 <= length <= BODY_MAX:
            raise ValueError("body too long")
        return (bytes(self.buffer[at:at + length]), at + length) if len(self.buffer) >= at + length else None

    def chunks(self, at: int) -> tuple[bytes, int] | None:
        parts = []
        while (end := self.buffer.find(b"\r\n", at)) >= 0:
            size = int(self.buffer[at:end].split(b";")[0], 16)
            if len(self.buffer) < end + 2 + size + 2:
                return None
            parts.append(bytes(self.buffer[end + 2:end + 2 + size]))
            at = end + 2 + size + 2
            if size == 0:
                return b"".join(parts), at
        return None
