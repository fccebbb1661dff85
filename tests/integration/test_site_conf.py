"""The shipped site.conf whole, with c1d behind it: TLS, HTTP/2, gzip and all, as a browser would meet it (by curl)."""
import html
import json
import os
import re
import shutil
import socket
import ssl
import subprocess

import pytest
from api import SHIELD
from house import NGINX, ROOT, Process, Site, held_port, wait_for

HOST = "chat.example.org"


class Whole:
    """nginx with site.conf; only places, ports and the certificate are this machine's."""

    def __init__(self, scratch, upstream, rate="rate=1000r/s", burst="burst=1000 nodelay", settings=None):
        self.c1d = Site(scratch, upstream, settings or {}, workers=2, nginx=False)
        self.folder, self.plain, self.tls = self.c1d.folder, held_port(), held_port()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={HOST}",
                        "-addext", f"subjectAltName=DNS:{HOST}", "-days", "2", "-keyout", self.folder / "privkey.pem",
                        "-out", self.folder / "fullchain.pem"], check=True, capture_output=True)
        for name in ("c1d.conf", "c1d-upstream.conf"):
            shutil.copy(ROOT / "nginx" / name, self.folder)
        (self.folder / "index.html").write_text("<title>a page</title>")
        upstream_conf = self.folder / "c1d-upstream.conf"
        upstream_conf.write_text(upstream_conf.read_text().replace("unix:/run/c1d-socket/c1d.sock", f"unix:{self.folder}/c1d.sock")
                                 .replace("127.0.0.1:9181", f"127.0.0.1:{held_port()} reuseport").replace("rate=50r/s", rate))
        self.burst = burst
        temps = " ".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;" if os.geteuid() == 0 else ""
        conf = self.folder / "site-nginx.conf"
        conf.write_text(f"daemon off; worker_processes 1; pid {self.folder}/pid; {user} events {{ }} http {{ {temps}\n{self.site()}\n}}\n")
        self.nginx = Process([NGINX, "-p", str(self.folder), "-e", "stderr", "-c", str(conf)], self.folder, "site-nginx")
        wait_for(lambda: self.curl("/").returncode == 0, f"nginx listens\n{self.nginx.text()}")

    def site(self):
        text = (ROOT / "nginx/site.conf").read_text()
        for theirs in (f"/etc/letsencrypt/live/{HOST}", "/usr/local/share/c1d/nginx", "/var/log/nginx", f"/var/www/{HOST}"):
            text = text.replace(theirs, str(self.folder))
        text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.M)  # a container may have no IPv6
        assert "burst=500 nodelay;" in text
        return (text.replace("burst=500 nodelay", self.burst).replace("listen 80;", f"listen 127.0.0.1:{self.plain} reuseport;")
                .replace("listen 443 ssl", f"listen 127.0.0.1:{self.tls} reuseport ssl"))

    def curl(self, path, *more):
        """One request over HTTP/2 and TLS; stdout is head and body."""
        return subprocess.run(["curl", "-sSi", "--http2", "--max-time", "30", "--cacert", self.folder / "fullchain.pem", "--resolve",
                               f"{HOST}:{self.tls}:127.0.0.1", f"https://{HOST}:{self.tls}{path}", *more],
                              capture_output=True, text=True, check=False)

    def ask(self, path, *more, value=None):
        """(status, headers in lower case, body)."""
        if value is not None:
            more = (*more, "-H", "Content-Type: application/json", "-d", json.dumps(value))
        done = self.curl(path, *more)
        assert done.returncode == 0, done.stderr
        head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
        first, *lines = head.split("\n")
        assert first.startswith("HTTP/2 ")
        return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body

    def stop(self):
        self.nginx.stop()
        self.c1d.stop()


@pytest.fixture(scope="module")
def whole(scratch, upstream):
    made = Whole(scratch, upstream)
    yield made
    made.stop()


def test_plain_http_is_sent_to_tls(whole):
    done = subprocess.run(["curl", "-sSi", f"http://127.0.0.1:{whole.plain}/api/threads", "-H", f"Host: {HOST}"], capture_output=True,
                          text=True, check=True)
    assert done.stdout.startswith("HTTP/1.1 301") and f"Location: https://{HOST}/api/threads" in done.stdout


def test_the_page_and_the_api_are_one_site(whole):
    assert "a page" in whole.ask("/")[2]
    status, headers, body = whole.ask("/api/threads", value={"title": "ünïcödé"})
    assert status == 201 and json.loads(body)["title"] == "ünïcödé"
    assert headers["location"].endswith(json.loads(body)["id"])


def test_an_answer_streams_through_and_is_not_compressed(whole):
    gate = os.urandom(4).hex()
    # fault:gate holds the rest back: what is there before it came through while the model was still writing.
    asking = subprocess.Popen(["curl", "-sSN", "--http2", "--cacert", whole.folder / "fullchain.pem", "--compressed", "-D",
                               whole.folder / "head", "--resolve", f"{HOST}:{whole.tls}:127.0.0.1", f"https://{HOST}:{whole.tls}/api/chat",
                               "-H", "Content-Type: application/json", "-d",
                               json.dumps({"thread_id": "t1", "message": f"fault:gate={gate}@60 through"})], stdout=subprocess.PIPE)
    first = os.read(asking.stdout.fileno(), 65536)
    assert first.startswith(b"<content")
    whole.c1d.upstream.open_gate(gate)
    rest, _ = asking.communicate(timeout=30)
    assert "through" in html.unescape((first + rest).decode()) and (first + rest).endswith(b"</content>")
    head = (whole.folder / "head").read_text().lower()
    assert "content-encoding" not in head and "x-run-id" in head


def test_the_site_as_it_is_shipped_is_private_from_its_first_visitor_on(scratch, upstream):
    """site.conf with the settings beside it; two people, each with a cookie jar of curl's, as browsers keep one."""
    house = Whole(scratch, upstream, settings={"C1D_CONFIG": str(ROOT / "systemd/c1d.conf")})
    try:
        ada, bob = (["-b", house.folder / name, "-c", house.folder / name] for name in ("ada", "bob"))
        thread = json.loads(house.ask("/api/threads", *ada, value={"title": "ada's"})[2])["id"]
        answer = house.ask("/api/chat", *ada, value={"thread_id": thread, "message": "fault:pace=0 hello"})
        assert answer[0] == 200 and answer[2].endswith("</content>")
        assert [one["id"] for one in json.loads(house.ask("/api/threads", *ada)[2])] == [thread]
        jar = (house.folder / "ada").read_text()
        assert jar.count("c1d_visitor") == 1 and re.search(rf"^#HttpOnly_{HOST}\tFALSE\t/\tTRUE\t\d+\t__Host-c1d_visitor\tv1\.", jar, re.M), jar
        assert json.loads(house.ask("/api/threads", *bob)[2]) == []
        for path, more in ((f"/api/threads/{thread}", ()), (f"/api/threads/{thread}/messages", ()), (f"/api/threads/{thread}", ("-X", "DELETE"))):
            status, headers, body = house.ask(path, *bob, *more)
            assert (status, json.loads(body)["code"]) == (403, "access_denied") and "set-cookie" not in headers
        assert [one["id"] for one in json.loads(house.ask("/api/threads", *ada)[2])] == [thread]
        assert json.loads(house.ask("/readyz")[2])["auth"] == "visitor"
    finally:
        house.stop()


def test_r23_a_tag_that_gzip_made_weak_is_the_threads(whole):
    thread = json.loads(whole.ask("/api/threads", value={"title": "one " * 300})[2])["id"]
    done = whole.curl(f"/api/threads/{thread}", "--compressed")
    assert "content-encoding: gzip" in done.stdout.lower()
    tag = re.search(r"^etag: (.*?)\r?$", done.stdout, re.M | re.I)[1]
    assert tag.startswith("W/")
    change = ("-X", "PATCH", "-H", f"If-Match: {tag}")
    assert whole.ask(f"/api/threads/{thread}", *change, value={"title": "two"})[0] == 200
    assert whole.ask(f"/api/threads/{thread}", *change, value={"title": "three"})[0] == 412


def test_a_body_that_is_too_long_for_the_web_server_is_413(whole):
    (whole.folder / "long").write_bytes(b'{"content":"' + b"x" * (14 << 20) + b'"}')
    done = whole.curl("/api/threads/t1/messages", "-H", "Content-Type: application/json", "--data-binary", f"@{whole.folder}/long")
    assert re.search(r"^HTTP/2 413", done.stdout, re.M), done.stdout[:300]


HSTS = "max-age=31536000"


def test_f15_whatever_the_site_says_it_says_that_it_is_for_tls_only(whole):
    assert whole.ask("/")[1]["strict-transport-security"] == HSTS
    for path, status in (("/api/threads", 200), ("/api/nothing", 404), ("/metrics", 404), ("/health", 200)):
        answer = whole.ask(path)
        assert (answer[0], answer[1]["strict-transport-security"]) == (status, HSTS), path
        for name, value in SHIELD.items():
            assert answer[1][name.lower()] == value.lower(), (path, name)
        assert "server" not in answer[1] or answer[1]["server"] == "nginx"  # and not which one


def raw(whole, request):
    """What comes back of bytes that no client would send, over TLS."""
    context = ssl.create_default_context(cafile=str(whole.folder / "fullchain.pem"))
    with socket.create_connection(("127.0.0.1", whole.tls)) as plain, context.wrap_socket(plain, server_hostname=HOST) as client:
        client.settimeout(30)
        client.sendall(request)
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
    return answer


@pytest.mark.parametrize("request_bytes", [b"GET /api/threads HTTP/1.1\r\nHost: a b\r\n\r\n", b"GET api HTTP/1.1\r\nHost: x\r\n\r\n",
                                           b"GET /api/threads HTTP/1.1\r\nHost: chat.example.org\r\nAuthorization: Bearer " + b"x" * 9000 + b"\r\n\r\n",
                                           b"GET /api/threads HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"],
                         ids=["host", "path", "E11_long_token", "two_lengths"])
def test_f15_what_is_no_request_is_told_so_in_the_same_form(whole, request_bytes):
    head, _, body = raw(whole, request_bytes).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 "), head
    assert json.loads(body)["code"] == "bad_request" and b"xxxx" not in body
    assert HSTS.encode() in head and b"nosniff" in head


def test_a23_the_fence_is_429_at_once_and_others_are_not_behind_it(scratch, upstream):
    """With a fence so narrow that a test can lean on it."""
    house = Whole(scratch, upstream, rate="rate=1r/m", burst="burst=3 nodelay")
    try:
        answers = [house.ask("/api/threads") for _ in range(8)]
        statuses = [status for status, _, _ in answers]
        assert 200 in statuses and statuses[-1] == 429, statuses
        status, headers, body = answers[-1]
        assert json.loads(body)["code"] == "rate_limited" and headers["retry-after"] == "5" and headers["cache-control"] == "no-store"
        assert headers["strict-transport-security"] == HSTS and headers["x-content-type-options"] == "nosniff"
        assert len(house.c1d.log_lines("request")) <= statuses.count(200)  # c1d heard nothing of the others
        assert house.ask("/index.html")[0] == 429  # a page is no other matter
    finally:
        house.stop()


def test_f11_nginxs_logs_have_no_secret_and_no_word_of_a_query(whole):
    canary = "canary" + os.urandom(8).hex()
    for path, more in ((f"/api/threads?q={canary}", ()), (f"/api/threads?user_id={canary}&cursor={canary}", ()),
                       ("/api/threads", ("-H", f"Authorization: Bearer {canary}", "-H", f"Cookie: __session={canary}", "-A", canary)),
                       ("/api/chat", ("-H", "Content-Type: application/json", "-d", json.dumps({"message": canary, "x": canary})))):
        whole.curl(path, *more)
    whole.curl("/api/last-of-them")
    access = whole.folder / f"{HOST}.access.log"
    wait_for(lambda: "/api/last-of-them" in access.read_text(), "the line is written")
    assert canary not in access.read_text()
    assert canary not in (whole.folder / f"{HOST}.error.log").read_text()
