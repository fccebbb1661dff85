"""A proxy before a store: it counts what is asked, and it delays, cuts, halves and holds that when told. See README.md."""
import argparse
import asyncio
import json
import os
import signal
import sys
import urllib.parse
from typing import Any

sys.dont_write_bytecode = True

import wire  # noqa: E402
from bursts import Link  # noqa: E402
from rules import Cut, Rule, Rules  # noqa: E402

PARENT_POLL_S = 0.2
WAIT_MAX_S = 60.0


class Proxy:
    def __init__(self, scheme: str, host: str, port: int) -> None:
        self.scheme, self.host, self.port = scheme, host, port
        self.rules = Rules()
        self.clients: set[asyncio.StreamWriter] = set()
        self.mode = "open"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "refuse":
            return writer.transport.abort()
        self.clients.add(writer)
        server = None
        try:
            if self.mode == "hang":
                await self.rules.healed.wait()
                raise Cut
            server_reader, server = await asyncio.open_connection(self.host, self.port)
            if self.scheme == "tcp":
                await Link(self.rules, lambda: self.mode == "hang", (reader, writer), (server_reader, server)).run()
            while self.scheme == "mongodb":
                await self.exchange(await wire.read_message(reader), writer, server_reader, server)
        except (Cut, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.clients.discard(writer)
            for side in (writer, server):
                if side:
                    side.transport.abort()

    async def exchange(self, request: bytes, client: asyncio.StreamWriter, reader: asyncio.StreamReader,
                       server: asyncio.StreamWriter) -> None:
        """One request and its reply: a driver waits for the one before it sends the next."""
        met = await self.rules.of(wire.command_of(request))
        if self.mode == "hang":
            await self.rules.healed.wait()
            raise Cut
        for rule in met:
            if await self.before(rule, request, client):
                return
        server.write(request)
        if wire.more_follows(request):
            return
        while True:
            reply = await wire.read_message(reader)
            for rule in met:
                await self.after(rule, reply, client)
            client.write(reply)
            await client.drain()
            if not wire.more_follows(reply):
                return

    async def before(self, rule: Rule, request: bytes, client: asyncio.StreamWriter) -> bool:
        """True: it is answered already."""
        if rule.action == "delay":
            await asyncio.sleep(rule.ms / 1000)
        elif rule.action == "hold":
            await self.rules.healed.wait()
        elif rule.action == "cut_before":
            raise Cut
        elif rule.action == "stall_before":
            await self.rules.healed.wait()
            raise Cut
        elif rule.action == "error":
            client.write(wire.error_reply(request, rule.code))
            await client.drain()
            return True
        return False

    async def after(self, rule: Rule, reply: bytes, client: asyncio.StreamWriter) -> None:
        if rule.action == "half":
            client.write(reply[:len(reply) // 2])
            await client.drain()
        if rule.action == "stall_after":
            await self.rules.healed.wait()
        if rule.action in ("cut_after", "half", "stall_after"):
            raise Cut

    def set_mode(self, mode: str) -> None:
        if mode not in ("open", "refuse", "hang"):
            raise ValueError(f"no such mode: {mode}; there are open, refuse, hang")
        self.mode = mode
        if mode == "refuse":
            for client in self.clients:
                client.transport.abort()
        elif mode == "open":
            self.rules.heal()

    # --- control ---
    async def answer(self, method: str, path: str, query: dict[str, str], body: bytes) -> Any:
        rules = self.rules
        if (method, path) == ("POST", "/rule"):
            return {"id": rules.add(**json.loads(body))}
        if (method, path) == ("POST", "/heal"):
            return self.set_mode("open")
        if (method, path) == ("POST", "/mode"):
            return self.set_mode(query["mode"])
        if (method, path) == ("GET", "/counts"):
            return rules.counts()
        if (method, path) == ("POST", "/counts/reset"):
            counts, rules.commands = rules.counts(), []
            return counts
        if (method, path) == ("GET", "/wait"):
            return {"reached": await rules.wait(lambda: self.has_come(query), min(float(query["timeout"]), WAIT_MAX_S))}
        raise KeyError(path)

    def has_come(self, query: dict[str, str]) -> bool:
        """rule=ID&fired=N, or command=NAME&count=N."""
        if "rule" in query:
            rule = self.rules.rules.get(int(query["rule"]))
            return rule is not None and rule.fired >= int(query.get("fired", 1))
        return self.rules.commands.count(query["command"]) >= int(query.get("count", 1))

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            lengths = [line.split(":")[1] for line in head if line.lower().startswith("content-length:")]
            body = await reader.readexactly(int(lengths[0]) if lengths else 0)
            url = urllib.parse.urlsplit(target)
            try:
                said = json.dumps(await self.answer(method, url.path, dict(urllib.parse.parse_qsl(url.query)), body))
                status = "200 OK"
            except (KeyError, ValueError, TypeError) as error:
                status, said = "400 Bad Request", json.dumps({"error": str(error)})
            writer.write(f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len(said)}\r\n\r\n{said}".encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.close()


async def serve(options: argparse.Namespace, parent: int) -> None:
    target = urllib.parse.urlsplit(options.target)
    proxy = Proxy(target.scheme, target.hostname or "127.0.0.1", target.port or 27017)
    main = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, backlog=1024, limit=1 << 20)
    control = await asyncio.start_server(proxy.control, "127.0.0.1", 0)
    print(f"ready {target.scheme}://127.0.0.1:{main.sockets[0].getsockname()[1]}/")
    print(f"control http://127.0.0.1:{control.sockets[0].getsockname()[1]}", flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    while not stop.is_set() and os.getppid() == parent:
        try:
            await asyncio.wait_for(stop.wait(), PARENT_POLL_S)
        except asyncio.TimeoutError:
            pass
    os._exit(0)  # what is held is nobody's any more


def main() -> None:
    parent = os.getppid()
    parser = argparse.ArgumentParser(prog="tests/store_proxy", description=__doc__)
    parser.add_argument("--target", required=True, help="mongodb://HOST:PORT/ or tcp://HOST:PORT, the store itself")
    asyncio.run(serve(parser.parse_args(), parent))


main()
