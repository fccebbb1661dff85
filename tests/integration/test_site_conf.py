"""The shipped site.conf whole, with c1d behind it: TLS, HTTP/2, gzip and all, as a browser would meet it (by curl)."""
import html
import json
import os
import re
import shutil
import subprocess

import pytest
from house import NGINX, ROOT, Process, Site, held_port, wait_for

HOST = "chat.example.org"


class Whole:
    """nginx with site.conf; only places, ports and the certificate are this machine's."""

    def __init__(self, scratch, upstream):
        self.c1d = Site(scratch, upstream, {}, workers=2, nginx=False)
        self.folder, self.plain, self.tls = self.c1d.folder, held_port(), held_port()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={HOST}",
                        "-addext", f"subjectAltName=DNS:{HOST}", "-days", "2", "-keyout", self.folder / "privkey.pem",
                        "-out", self.folder / "fullchain.pem"], check=True, capture_output=True)
        for name in ("c1d.conf", "c1d-upstream.conf"):
            shutil.copy(ROOT / "nginx" / name, self.folder)
        (self.folder / "index.html").write_text("<title>a page</title>")
        upstream_conf = self.folder / "c1d-upstream.conf"
        upstream_conf.write_text(upstream_conf.read_text().replace("unix:/run/c1d-socket/c1d.sock", f"unix:{self.folder}/c1d.sock")
                                 .replace("127.0.0.1:9181", f"127.0.0.1:{held_port()} reuseport"))
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
        return (text.replace("listen 80;", f"listen 127.0.0.1:{self.plain} reuseport;")
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
