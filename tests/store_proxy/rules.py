"""What is to befall which command, and what has passed so far."""
import asyncio
import collections
from typing import Any, Callable

ACTIONS = {
    "delay": "the command goes on `ms` milliseconds late",
    "hold": "the command is held until the proxy is healed, then it goes on",
    "cut_before": "the connection ends, the command never reaches the store",
    "cut_after": "the store carries the command out, then the connection ends without a reply",
    "half": "as cut_after, with half of the reply",
    "end_behind": "the reply ends with `until` in it, `text` comes behind that, and the connection ends",
    "stall_before": "the command is held until the proxy is healed, then dropped",
    "stall_after": "the store carries it out, the reply is held until the proxy is healed, then dropped",
    "error": "the store never sees it, the reply is the server error `code`",
    "say": "the store never sees it, the reply is `text`",
}


class Cut(Exception):
    """The client's connection ends here."""


# A driver's own talk: none of it comes from a call of the program, so `*` does not mean it.
OWN = {"hello", "ismaster", "isMaster", "endSessions", "buildInfo", "saslStart", "saslContinue"}


class Rule:
    """The first `skip` commands of that name (or bursts that have this text in them) pass, then it befalls each `every`th, `times`
    times in all (0: for ever)."""

    def __init__(self, action: str, command: str = "*", skip: int = 0, times: int = 1, every: int = 1, ms: float = 0,
                 code: int = 0, bytes: int = 0, until: str = "", text: str = "") -> None:  # noqa: A002
        if action not in ACTIONS:
            raise ValueError(f"no such action: {action}; there are {', '.join(ACTIONS)}")
        self.action, self.command, self.skip, self.times, self.every = action, command, skip, times, every
        self.ms, self.code, self.bytes, self.until, self.text = ms, code, bytes, until, text
        self.seen = self.fired = 0

    def takes(self, command: str) -> bool:
        if command != self.command and (self.command != "*" or command in OWN):
            return False
        return self.counted()

    def takes_burst(self, begins: bool, text: bytes) -> bool:
        meant = begins if self.command == "*" else self.command.encode() in text
        return meant and self.counted()

    def counted(self) -> bool:
        self.seen += 1
        if self.seen <= self.skip or (self.times and self.fired >= self.times) or (self.seen - self.skip - 1) % self.every:
            return False
        self.fired += 1
        return True


class Rules:
    def __init__(self) -> None:
        self.rules: dict[int, Rule] = {}
        self.last_id = 0
        self.commands: list[str] = []  # since the last reset, in order
        self.changed = asyncio.Condition()
        self.healed = asyncio.Event()

    def add(self, **words: Any) -> int:
        self.last_id += 1
        self.rules[self.last_id] = Rule(**words)
        return self.last_id

    def heal(self) -> None:
        """No rule is left, and what was held is let go."""
        self.rules.clear()
        self.healed.set()
        self.healed = asyncio.Event()

    async def of(self, command: str) -> list[Rule]:
        """The rules that this command meets, counted on each of them."""
        if command not in OWN:
            self.commands.append(command)
        return await self.told([rule for rule in self.rules.values() if rule.takes(command)])

    async def of_burst(self, begins: bool, text: bytes) -> list[Rule]:
        if begins:
            self.commands.append("burst")
        return await self.told([rule for rule in self.rules.values() if rule.takes_burst(begins, text)])

    async def told(self, met: list[Rule]) -> list[Rule]:
        async with self.changed:
            self.changed.notify_all()
        return met

    def counts(self) -> dict[str, Any]:
        return {"commands": collections.Counter(self.commands), "order": self.commands,
                "fired": {number: rule.fired for number, rule in self.rules.items()}}

    async def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        async with self.changed:
            if condition():
                return True
            try:
                await asyncio.wait_for(self.changed.wait_for(condition), timeout)
            except asyncio.TimeoutError:
                return False
        return True
