"""A scripted C1 API: the real protocol over real HTTP and TLS, answers on demand, failures on demand. See README.md."""
import argparse
import asyncio
import gc
import os
import pathlib
import resource
import signal
import sys
import warnings
from typing import Any

sys.dont_write_bytecode = True

import faults  # noqa: E402
import hostile  # noqa: E402
import malformed  # noqa: E402
import tls  # noqa: E402
from app import ALPN, App  # noqa: E402
from http1 import Http1  # noqa: E402

PARENT_POLL_S = 0.2


class Chosen(asyncio.Protocol):
    """HTTP/2 or HTTP/1.1, as TLS has agreed."""

    def __init__(self, app: App, streams_max: int) -> None:
        self.app, self.streams_max = app, streams_max

    def connection_made(self, transport: Any) -> None:
        tls_object = transport.get_extra_info("ssl_object")
        protocol: Any
        if tls_object is not None and tls_object.session_reused:
            self.app.stats.count("connections_resumed")
        if tls_object is not None and tls_object.selected_alpn_protocol() == "h2":
            from http2 import Http2  # python3-h2 is needed for TLS only
            protocol = Http2(self.app.api, self.app.stats, self.streams_max, self.app.next_opening())
        else:
            protocol = Http1(self.app.api, self.app.stats)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)


class Uncounted:
    """The control port's connections are nobody's business."""

    def __init__(self) -> None:
        self.links: set[Any] = set()

    def connection(self, version: str) -> int:
        return 0

    def connection_closed(self) -> None:
        pass


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/c1_upstream", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"), type=pathlib.Path, help="HTTPS with these PEM files")
    parser.add_argument("--tls-self", metavar="DIR", type=pathlib.Path,
                        help="HTTPS; ca.pem, cert.pem, key.pem for localhost and 127.0.0.1 are made there")
    parser.add_argument("--tls-kind", choices=tls.KINDS, default="good", help="with --tls-self: one that a client must refuse")
    parser.add_argument("--alpn", choices=ALPN, default="both", help="with TLS: the HTTP versions offered")
    parser.add_argument("--h2-streams", type=int, default=128, help="HTTP/2: streams a connection")
    parser.add_argument("--port-file", metavar="F", type=pathlib.Path, help="the lines of stdout, written there too")
    parser.add_argument("--pace-ms", type=float, default=15, help="time between deltas")
    parser.add_argument("--key", help="the only key that is accepted; any but `bad` without it")
    parser.add_argument("--models", action="store_true", help="there is a list of models, GET /models")
    parser.add_argument("--body-max", type=int, default=16 * 2**20, help="longer requests: 413")
    parser.add_argument("--table", action="store_true", help="print README.md's tables and end")
    return parser.parse_args()


async def serve(options: argparse.Namespace, parent: int) -> None:
    loop = asyncio.get_running_loop()
    app = App(key=options.key, pace_ms=options.pace_ms, body_max=options.body_max, models=options.models)
    secure: dict[str, Any] = {}
    if options.tls or options.tls_self:
        files = options.tls or tls.make(options.tls_self, options.tls_kind)
        app.tls = tls.context(*files, options.tls_kind, ALPN[options.alpn])
        secure = {"ssl": app.tls, "ssl_shutdown_timeout": 2.0}
    main = await loop.create_server(lambda: Chosen(app, options.h2_streams), "127.0.0.1", options.port, backlog=4096, **secure)
    control = await loop.create_server(lambda: Http1(app.control, Uncounted()), "127.0.0.1", 0, backlog=128)
    announce(options.port_file, f"ready http{'s' if secure else ''}://127.0.0.1:{port_of(main)}/v1/embed",
             f"control http://127.0.0.1:{port_of(control)}")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    while not stop.is_set() and os.getppid() == parent:
        try:
            await asyncio.wait_for(stop.wait(), PARENT_POLL_S)
        except asyncio.TimeoutError:
            pass


def port_of(server: asyncio.Server) -> int:
    return server.sockets[0].getsockname()[1]


def announce(port_file: pathlib.Path | None, *lines: str) -> None:
    text = "".join(f"{line}\n" for line in lines)
    if port_file:
        port_file.with_suffix(".new").write_text(text)
        port_file.with_suffix(".new").rename(port_file)
    sys.stdout.write(text)
    sys.stdout.flush()


def main() -> None:
    parent = os.getppid()
    options = arguments()
    if options.table:
        sys.stdout.write(f"{faults.table()}\n`malformed=KIND`:\n\n| kind | what comes |\n|---|---|\n{malformed.table()}\n{hostile.table()}")
        return
    warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*TLSv1.*")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # thousands of streams live long: looking through them often finds nothing
    loop = asyncio.new_event_loop()
    loop.run_until_complete(serve(options, parent))
    os._exit(0)  # clients of ours may be in mid stream; there is nothing to put in order


main()
