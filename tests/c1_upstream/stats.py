"""What the scripted C1 API has seen, gates, and waiting for either: tests await events instead of sleeping."""
import asyncio
import collections
import time
from typing import Any, Callable

OUTCOMES = ("completed", "cut", "early_closes")
KEPT = 200  # requests
PROMPTS_MAX = 10_000


class Waiters:
    """Futures that wait for a condition; looked at whenever something they may depend on has changed."""

    def __init__(self) -> None:
        self.open: dict[asyncio.Future[bool], Callable[[], bool]] = {}

    def wait(self, condition: Callable[[], bool], timeout: float) -> asyncio.Future[bool]:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        timer = loop.call_later(0 if condition() else timeout, self.resolve, future)
        self.open[future] = condition
        future.add_done_callback(lambda done: (timer.cancel(), self.open.pop(done, None)))
        return future

    def resolve(self, future: asyncio.Future[bool]) -> None:
        if not future.done():
            future.set_result(self.open[future]())

    def look(self) -> None:
        for future, condition in list(self.open.items()):
            if condition():
                self.resolve(future)


class Gate:
    def __init__(self) -> None:
        self.is_open = False
        self.waiting: set[asyncio.Future[None]] = set()


class Gates:
    def __init__(self) -> None:
        self.gates: dict[str, Gate] = collections.defaultdict(Gate)
        self.waiters = Waiters()

    def pass_through(self, name: str) -> asyncio.Future[None]:
        gate = self.gates[name]
        future = asyncio.get_running_loop().create_future()
        if gate.is_open:
            future.set_result(None)
            return future
        gate.waiting.add(future)
        future.add_done_callback(gate.waiting.discard)
        self.waiters.look()
        return future

    def set(self, name: str, is_open: bool) -> None:
        gate = self.gates[name]
        gate.is_open = is_open
        if is_open:
            for future in list(gate.waiting):
                if not future.done():
                    future.set_result(None)

    def show(self, name: str) -> dict[str, Any]:
        gate = self.gates[name]
        return {"open": gate.is_open, "waiting": len(gate.waiting)}

    def reset(self) -> None:
        for name in list(self.gates):
            self.set(name, True)  # nobody waits for ever at a forgotten gate
        self.gates.clear()


class Stats:
    def __init__(self) -> None:
        self.waiters = Waiters()
        self.connections_open = 0
        self.streaming = 0
        self.connection_number = 0
        self.links: set[Any] = set()  # the open connections
        self.reset()

    def reset(self) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.prompts: dict[str, collections.Counter[str]] = {}
        self.last: dict[str, float] = {}
        self.requests: collections.deque[dict[str, Any]] = collections.deque(maxlen=KEPT)

    def count(self, what: str, prompt: str | None = None, by: int = 1) -> None:
        self.counts[what] += by
        self.last[what] = time.monotonic()
        if prompt is not None:
            prompt = prompt[:500]
            if prompt not in self.prompts and len(self.prompts) >= PROMPTS_MAX:
                prompt = "(others)"
            self.prompts.setdefault(prompt, collections.Counter())[what] += by
        self.waiters.look()

    def connection(self, version: str) -> int:
        """A new one's number, unique for this server's life."""
        self.connections_open += 1
        self.connection_number += 1
        self.count("connections")
        self.count(f"connections_h{version[0]}")
        return self.connection_number

    def connection_closed(self) -> None:
        self.connections_open -= 1
        self.waiters.look()

    def value(self, key: str, prompt: str | None) -> int:
        if prompt is not None:
            return self.prompts.get(prompt[:500], {}).get(key, 0)
        gauges = {"streaming": self.streaming, "connections_open": self.connections_open}
        return gauges[key] if key in gauges else self.counts[key]

    def show(self) -> dict[str, Any]:
        now = time.monotonic()
        zero = {name: 0 for name in ("requests", *OUTCOMES, "refused", "strays", "connections",
                                       "connections_h1", "connections_h2", "connections_resumed",
                                       "cancels", "resets", "turned_away", "pings", "bytes")}
        return {**zero, **self.counts, "streaming": self.streaming, "connections_open": self.connections_open,
                "seconds_since": {what: round(now - then, 3) for what, then in self.last.items()},
                "prompts": self.prompts}

    def wait(self, wanted: dict[str, int], prompt: str | None, timeout: float) -> asyncio.Future[bool]:
        """NAME=N: at least N; NAME_most=N: at most N."""
        def reached() -> bool:
            return all(self.value(key[:-5], prompt) <= number if key.endswith("_most") else self.value(key, prompt) >= number
                       for key, number in wanted.items())
        return self.waiters.wait(reached, timeout)
