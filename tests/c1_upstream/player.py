"""Plays one answer: a generator that yields what is to happen, to a reply of either HTTP version.

The generator yields bytes (written), numbers (seconds to wait, on a timetable: a late step does not delay the next)
or futures (waited for). It calls the reply's head(), end() and cut() itself. No task and no coroutine a stream:
a thousand streams at ten deltas a second are one timer and one write each.
"""
import asyncio
from typing import Any, Callable, Iterator, Protocol

BURST = 64  # writes before others get their turn
NEVER = 10.0 ** 7  # seconds


class Reply(Protocol):
    version: str
    secret: str  # what the client sent as Authorization
    was_cut: bool
    writable: bool
    on_writable: Callable[[], None] | None

    def head(self, status: int, headers: list[tuple[str, str]], *, length: int | None = None, http10: bool = False) -> None: ...
    def informational(self, status: int, headers: list[tuple[str, str]]) -> None: ...
    def write(self, data: bytes) -> None: ...
    def end(self, trailers: list[tuple[str, str]] | None = None) -> None: ...
    def cut(self, how: str) -> None: ...


Steps = Iterator[bytes | float | asyncio.Future[Any]]


class Player:
    def __init__(self, steps: Steps, reply: Reply, ended: Callable[[str, int], None]) -> None:
        self.steps, self.reply, self.ended = steps, reply, ended
        self.loop = asyncio.get_running_loop()
        self.due = self.loop.time()
        self.waiting: asyncio.Future[Any] | None = None
        self.timer: asyncio.Handle | None = None
        self.blocked = False
        self.written = 0
        reply.on_writable = self.unblocked

    def step(self) -> None:
        self.timer = None
        reply = self.reply
        try:
            for _ in range(BURST):
                if reply.was_cut:
                    return self.finish("cut")
                if not reply.writable:
                    self.blocked = True
                    return  # unblocked() takes it up again
                item = next(self.steps)
                if item.__class__ is bytes:
                    reply.write(item)
                    self.written += len(item)
                elif isinstance(item, asyncio.Future):
                    self.waiting = item
                    item.add_done_callback(self.waited)
                    return
                else:
                    self.due = max(self.due + item, self.loop.time() - 1.0)
                    self.timer = self.loop.call_at(self.due, self.step)
                    return
            self.timer = self.loop.call_soon(self.step)
        except StopIteration:
            if not reply.was_cut:
                reply.end()
            self.finish("cut" if reply.was_cut else "completed")

    def waited(self, future: asyncio.Future[Any]) -> None:
        if self.ended and not future.cancelled():
            self.waiting = None
            self.take_up()

    def unblocked(self) -> None:
        if self.blocked:
            self.blocked = False
            self.take_up()

    def take_up(self) -> None:
        self.due = self.loop.time()
        self.timer = self.loop.call_soon(self.step)

    def finish(self, outcome: str) -> None:
        """completed, cut (by us), or early_closes (the client left before the end)."""
        if not self.ended:
            return
        ended, self.ended = self.ended, None
        self.reply.on_writable = None
        if self.timer:
            self.timer.cancel()
        if self.waiting:
            self.waiting.cancel()
        if outcome == "early_closes":
            self.steps.close()
        ended(outcome, self.written)
