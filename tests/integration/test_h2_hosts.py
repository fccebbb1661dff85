"""What is known of a host of HTTP/2 and for how long: its addresses, which of them has a good certificate, whether it speaks HTTP/2.
Driven from inside (tests/drivers/h2_hosts.c), since its ages are minutes and its names the resolver's. Rows B4, B5, B6."""
import os
import socket
import ssl
import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path

import pytest
from house import ROOT, Upstream, wait_for
from questions import name

sys.path.insert(0, str(ROOT / "tests/c1_upstream"))
import tls  # noqa: E402

NEVER_MS = 600_000
WELL = "200 nothing"  # failed
NO_TLS = "0 its certificate, or TLS with it, failed"


@pytest.fixture(scope="module")
def server(scratch):
    folder = scratch / name("hosts-")
    folder.mkdir()
    upstream = Upstream(folder, "--tls-self", str(folder), "--pace-ms", "1")
    yield upstream
    upstream.stop()


@pytest.fixture
def asks(server):
    """Starts the driver; what it does is asked for by calls, and it has to leave in peace."""
    driver = Path(os.environ.get("C1D_BIN", ROOT / "build/c1d")).with_name("tests") / "drivers/h2_hosts"
    if not driver.exists():
        pytest.skip("h2_hosts is built by make test")
    made = []

    def start(fresh_ms=NEVER_MS, http1_ms=NEVER_MS):
        url = server.base_url.replace("127.0.0.1", "localhost") + "/chat/completions"
        made.append(Asks([driver, server.settings["THESYS_CA_FILE"], url, str(fresh_ms), str(http1_ms)]))
        return made[-1]

    server.ask("POST", "/alpn/both")
    yield start
    server.ask("POST", "/alpn/both")
    for one in made:
        one.leaves()


class Asks:
    def __init__(self, command):
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def say(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()

    def addresses(self, *addresses):
        self.say(" ".join(("addresses", *addresses)))

    def ask(self):
        self.say("ask")
        return self.child.stdout.readline().strip()

    def leaves(self):
        self.child.stdin.close()
        assert self.child.wait(60) == 0
        self.child.stdout.close()


class BadServer:
    """On 127.0.0.2, at the same port: its certificate has expired."""

    def __init__(self, server, folder):
        port = urllib.parse.urlsplit(server.base_url).port
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*tls.make(folder, "expired"))
        self.listener = socket.create_server(("127.0.0.2", port))
        self.seen = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                taken, _ = self.listener.accept()
            except OSError:
                return
            self.seen += 1
            try:
                self.context.wrap_socket(taken, server_side=True).close()
            except OSError:
                taken.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def bad(server, tmp_path):
    made = BadServer(server, tmp_path)
    yield made
    made.close()


def test_B6_address_with_a_bad_certificate_is_passed_over(asks, server, bad):
    one = asks()
    one.addresses("127.0.0.2", "127.0.0.1")
    assert one.ask() == WELL and bad.seen == 1
    server.close_all()
    assert one.ask() == WELL and bad.seen == 1  # it is tried behind the good one from now on


def test_B6_certificate_is_told_when_no_address_is_good(asks, bad):
    one = asks()
    one.addresses("127.0.0.2")
    assert one.ask() == NO_TLS
    one.addresses("127.0.0.2", "127.0.0.3")  # where nobody listens
    assert one.ask() == NO_TLS
    one.addresses("127.0.0.3")
    assert one.ask() == "0 no connection"


def test_B5_old_addresses_serve_while_they_are_looked_up_and_when_that_fails(asks, server):
    one = asks(fresh_ms=0)
    one.addresses("127.0.0.1")
    assert one.ask() == WELL
    one.say("hang")
    for _ in range(2):
        server.close_all()
        assert one.ask() == WELL
    one.addresses()  # none: the look-up that hung fails, and so do those that follow
    for _ in range(2):
        server.close_all()
        assert one.ask() == WELL


def test_B5_addresses_that_are_no_good_any_more_are_not_used_again(asks, server):
    """The server has moved: whoever asks waits for the new ones."""
    one = asks()
    one.addresses("127.0.0.3")
    assert one.ask() == "0 no connection"
    one.addresses("127.0.0.1")
    assert one.ask() == WELL


def test_B6_server_of_http11_is_asked_for_http2_again(asks, server):
    server.ask("POST", "/alpn/h1")
    remembers, asks_again = asks(), asks(http1_ms=200)
    for one in (remembers, asks_again):
        one.addresses("127.0.0.1")
        assert one.ask() == "elsewhere"
    server.ask("POST", "/alpn/both")
    assert remembers.ask() == "elsewhere"  # or it would have found HTTP/2
    wait_for(lambda: asks_again.ask() == WELL, "HTTP/2 is found")
