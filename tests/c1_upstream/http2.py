"""HTTP/2 by python3-h2, with a shorter way for the DATA frames of running streams."""
import asyncio
import struct
from typing import Any, Callable

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

import hostile
from http1 import BODY_MAX, Answer, Request, cut
from player import Player

FRAME_MAX = 16384


class Http2Reply:
    version = "2"

    def __init__(self, connection: "Http2", stream_id: int, request: Request) -> None:
        self.connection, self.stream_id = connection, stream_id
        self.h2 = connection.h2
        self.secret = request.headers.get("authorization", "")
        self.was_cut = self.ended = False
        self.on_writable: Callable[[], None] | None = None
        self.held = b""  # waits for the client's flow control

    @property
    def writable(self) -> bool:
        return not self.held and not self.connection.paused

    def informational(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.send_headers(status, headers)

    def head(self, status: int, headers: list[tuple[str, str]], *, length: int | None = None, http10: bool = False) -> None:
        self.send_headers(status, headers + ([("content-length", str(length))] if length is not None else []))

    def send_headers(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.h2.send_headers(self.stream_id, [(":status", str(status)), *headers])
        self.connection.flush()

    def write(self, data: bytes) -> None:
        """What h2's send_data does, minus its state machines: they cost more than all the rest of a delta."""
        connection, stream = self.h2, self.connection.stream(self.stream_id)
        if self.held or stream is None:
            self.held += data
            return
        while data:
            room = min(connection.outbound_flow_control_window, stream.outbound_flow_control_window, FRAME_MAX)
            if room <= 0:
                self.held = data
                return
            part, data = data[:room], data[room:]
            size = len(part)
            connection.outbound_flow_control_window -= size
            stream.outbound_flow_control_window -= size
            self.connection.transport.write(struct.pack(">HBBBI", size >> 8, size & 255, 0, 0, self.stream_id) + part)

    def raw(self, frames: bytes) -> None:
        """Behind h2's back, and behind what it has to say: its ACK of SETTINGS within half a head would be another fault."""
        self.connection.flush()
        self.connection.transport.write(frames)

    def window_opened(self) -> None:
        held, self.held = self.held, b""
        if held:
            self.write(held)
        if self.writable and self.on_writable:
            self.on_writable()

    def end(self, trailers: list[tuple[str, str]] | None = None) -> None:
        if self.ended:
            return
        self.ended = True
        if trailers:
            self.h2.send_headers(self.stream_id, trailers, end_stream=True)
        else:
            self.h2.end_stream(self.stream_id)
        self.connection.flush()

    def cut(self, how: str) -> None:
        self.was_cut = True
        if how == "gone":
            return
        if how in ("h2_rst", "bad_chunk", "refused"):
            code = h2.errors.ErrorCodes.REFUSED_STREAM if how == "refused" else h2.errors.ErrorCodes.INTERNAL_ERROR
            self.h2.reset_stream(self.stream_id, code)
            return self.connection.flush()
        if how == "goaway":
            self.h2.close_connection(h2.errors.ErrorCodes.INTERNAL_ERROR, last_stream_id=self.stream_id)
            self.connection.flush()
        elif how == "garbage":
            self.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.connection.cut(how)


class Http2(asyncio.Protocol):
    """A connection. How it begins, `opening` says (hostile.OPENINGS, and its number)."""

    def __init__(self, answer: Answer, stats: Any, streams_max: int, opening: tuple[str, int] = ("good", 0)) -> None:
        self.answer, self.stats, self.opening = answer, stats, opening
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.streams_max = streams_max
        self.heads: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytearray] = {}
        self.players: dict[int, Player] = {}
        self.paused = self.was_cut = self.deaf = False
        self.gives_window, self.window_given = True, 0
        self.streams_taken = streams_max * 1000  # more at once are refused

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.id = self.stats.connection("2")
        self.stats.links.add(self)
        name, number = self.opening
        hostile.OPENINGS[name].open(self, number)

    def begin(self, settings: dict[int, int] = {}) -> None:
        """h2 tells of what is in force, first; of what is to be, in SETTINGS of their own."""
        self.h2.initiate_connection()
        self.h2.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: self.streams_max,
                                 **{h2.settings.SettingCodes(code): value for code, value in settings.items()}})
        self.flush()

    def go_away(self) -> None:
        """What is under way is answered; nothing more is taken."""
        self.transport.write(hostile.goaway(self.h2.highest_inbound_stream_id))

    def cut(self, how: str) -> None:
        self.was_cut = True
        cut(self.transport, how)

    def connection_lost(self, exc: Exception | None) -> None:
        self.stats.links.discard(self)
        self.stats.connection_closed()
        for player in list(self.players.values()):
            player.finish("cut" if self.was_cut else "early_closes")

    def flush(self) -> None:
        if not self.deaf:
            self.transport.write(self.h2.data_to_send())

    def stream(self, stream_id: int) -> Any:
        return self.h2.streams.get(stream_id)

    def is_gone(self, stream_id: int) -> bool:
        """The read that brings it may bring its reset, too."""
        stream = self.stream(stream_id)
        return stream is None or stream.closed

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self.windows_opened(0)

    def windows_opened(self, stream_id: int) -> None:
        """0: the connection's window, for all streams."""
        for key, player in list(self.players.items()):
            if stream_id in (0, key):
                player.reply.window_opened()

    def data_received(self, data: bytes) -> None:
        if self.deaf:
            return
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError:
            self.flush()
            return self.transport.close()
        for event in events:
            self.take(event)
        if not self.transport.is_closing():
            self.flush()

    def take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self.heads[event.stream_id] = dict(event.headers)
            self.bodies[event.stream_id] = bytearray()
            if self.window_given and not self.is_gone(event.stream_id):
                self.h2.increment_flow_control_window(self.window_given, event.stream_id)
        elif isinstance(event, h2.events.DataReceived):
            if self.gives_window:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            body = self.bodies.get(event.stream_id)
            if body is not None and len(body) <= BODY_MAX:
                body += event.data
        elif isinstance(event, h2.events.StreamEnded):
            self.request(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.heads.pop(event.stream_id, None)
            self.bodies.pop(event.stream_id, None)
            self.stats.count("cancels" if event.error_code == h2.errors.ErrorCodes.CANCEL else "resets")
            if event.stream_id in self.players:
                self.players[event.stream_id].finish("early_closes")
        elif isinstance(event, h2.events.WindowUpdated):
            self.windows_opened(event.stream_id)
        elif isinstance(event, h2.events.PingReceived):
            self.stats.count("pings")
        elif isinstance(event, h2.events.RemoteSettingsChanged):
            self.windows_opened(0)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.transport.close()

    def request(self, stream_id: int) -> None:
        headers = self.heads.pop(stream_id)
        if len(self.players) >= self.streams_taken:
            self.stats.count("turned_away")
            return self.h2.reset_stream(stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
        request = Request(headers.get(":method", ""), headers.get(":path", ""), "HTTP/2",
                          {name: value for name, value in headers.items() if name[0] != ":"},
                          bytes(self.bodies.pop(stream_id)), self.id)
        reply = Http2Reply(self, stream_id, request)
        steps, ended = self.answer(request, reply)

        def after(outcome: str, written: int) -> None:
            self.players.pop(stream_id, None)
            ended(outcome, written)
        self.players[stream_id] = Player(steps, reply, after)
        if not self.is_gone(stream_id):
            self.players[stream_id].step()
