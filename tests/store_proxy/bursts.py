"""A connection whose protocol the proxy does not know. What a client sends before it is answered is a burst: in most protocols one
round trip, and what rules befall."""
import asyncio
from typing import Callable

from rules import Cut, Rule, Rules

CHUNK = 65536
QUIET_S = 0.1  # a store that has begun to answer has done what it was asked once no more comes


class Link:
    def __init__(self, rules: Rules, hangs: Callable[[], bool], client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
                 server: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        self.rules, self.hangs = rules, hangs
        self.client_reader, self.client = client
        self.server_reader, self.server = server
        self.answered = True
        self.tail = b""  # of the chunk before: what is looked for may lie across the two
        self.after: Rule | None = None
        self.passed = 0  # bytes of the reply that `after` is waiting for

    async def run(self) -> None:
        """Until one of the two sides ends. Raises Cut."""
        sides = [asyncio.ensure_future(self.up()), asyncio.ensure_future(self.down())]
        try:
            done, _ = await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
            for side in done:
                side.result()
        finally:
            for side in sides:
                side.cancel()
            await asyncio.gather(*sides, return_exceptions=True)

    async def stand_still(self) -> None:
        await self.rules.healed.wait()
        raise Cut

    async def up(self) -> None:
        while chunk := await self.client_reader.read(CHUNK):
            if self.hangs():
                await self.stand_still()
            begins, self.answered = self.answered, False
            met = await self.rules.of_burst(begins, self.tail + chunk)
            self.tail = chunk[-64:]
            for rule in met:
                await self.before(rule)
            if any(rule.action == "say" for rule in met):
                self.answered = True
                continue
            self.server.write(chunk)
            await self.server.drain()

    async def before(self, rule: Rule) -> None:
        if rule.action == "delay":
            await asyncio.sleep(rule.ms / 1000)
        elif rule.action == "hold":
            await self.rules.healed.wait()
        elif rule.action == "cut_before":
            raise Cut
        elif rule.action == "stall_before":
            await self.stand_still()
        elif rule.action == "say":
            self.client.write(rule.text.encode())
        else:
            self.after, self.passed = rule, 0

    async def down(self) -> None:
        while chunk := await self.server_reader.read(CHUNK):
            if self.hangs():
                await self.stand_still()
            self.answered = True
            if self.after:
                await self.reply(self.after, chunk)
            else:
                self.client.write(chunk)
                await self.client.drain()

    async def end_behind(self, rule: Rule, reply: bytes) -> None:
        until, more = rule.until.encode(), b"more"
        while until not in reply and more:
            more = await self.server_reader.read(CHUNK)
            reply += more
        if until in reply:
            self.client.write(reply[:reply.index(until) + len(until)] + rule.text.encode())
            await self.client.drain()
        raise Cut

    async def reply(self, rule: Rule, chunk: bytes) -> None:
        """What is left of an answer that shall not arrive whole."""
        if rule.action == "end_behind":
            await self.end_behind(rule, chunk)
        if rule.action == "half":
            left = max(rule.bytes - self.passed, 0) if rule.bytes else len(chunk) // 2
            self.client.write(chunk[:left])
            await self.client.drain()
            self.passed += len(chunk[:left])
            if self.passed < rule.bytes:
                return
        until, more = rule.until.encode(), b"more"
        while until not in chunk and more:
            more = await self.server_reader.read(CHUNK)
            chunk = chunk[-64:] + more
        try:
            while more:
                more = await asyncio.wait_for(self.server_reader.read(CHUNK), QUIET_S)
        except asyncio.TimeoutError:
            pass
        if rule.action == "stall_after":
            await self.stand_still()
        raise Cut

