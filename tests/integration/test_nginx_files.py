"""The shipped nginx files: nginx takes them as an ordinary user, and does with them what c1d counts on. Behind nginx
stands a FastCGI peer that only tells what it was told, so that what is seen here is nginx's doing alone."""
import base64
import http.client
import http.server
import itertools
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from api import shielded
from house import DEADLINE_S, NGINX, ROOT, Answer, Process, Site, Stream, held_port, shipped_upstreams, wait_for
from pip_tools import tool

FILES = ROOT / "nginx"


class Peer(threading.Thread):
    """Answers by path: what it was told as JSON, or something that hurts. Keeps connections that are to be kept."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        path.chmod(0o666)
        self.listener.listen(64)
        self.seen, self.gate, self.done = [], threading.Event(), threading.Event()
        self.connections = []  # of each request: (which one it came over, whether that is to be kept)
        self.open = {}  # connections, and who serves them
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.open[connection] = threading.Thread(target=self.serve, args=(connection,), daemon=True)
            self.open[connection].start()

    def stop(self):
        """nginx knows of no connection any more when this returns: what it kept it closes when we do."""
        self.gate.set()
        self.listener.close()
        for connection, thread in list(self.open.items()):
            try:
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it is closed
            thread.join(DEADLINE_S)
            assert not thread.is_alive()

    @staticmethod
    def receive(file):
        """(parameters, body, keep): FCGI_PARAMS is 4, FCGI_STDIN is 5; an empty record ends each. None: it was closed."""
        streams = {1: b"", 4: b"", 5: b""}
        while True:
            head = file.read(8)
            if not head:
                return None
            _, kind, _, length, padding, _ = struct.unpack(">BBHHBB", head)
            content = file.read(length)
            file.read(padding)
            streams[kind] += content
            if kind == 5 and not length:
                break
        told, left = {}, streams[4]
        while left:
            sizes = []
            for _ in range(2):
                wide = left[0] >> 7
                sizes.append(struct.unpack(">I", left[:4])[0] & 0x7FFFFFFF if wide else left[0])
                left = left[4 if wide else 1:]
            name = left[:sizes[0]].decode()
            assert name not in told, f"{name} came twice"
            told[name] = left[sizes[0]:sum(sizes)].decode()
            left = left[sum(sizes):]
        return told, streams[5], bool(streams[1][2] & 1)

    def serve(self, connection):
        with connection, connection.makefile("rb") as file:
            keep = True
            while keep and (request := self.receive(file)):
                keep = self.answer(connection, *request)

    def answer(self, connection, told, body, keep):
        self.seen.append((told, body))
        self.connections.append((connection, keep))

        def say(data):
            connection.sendall(struct.pack(">BBHHBB", 1, 6, 1, len(data), 0, 0) + data)

        path = told["REQUEST_URI"].split("?")[0]
        if "/die" in path:
            return False
        if path.endswith("/large"):
            say(b"Content-Type: text/plain\r\n\r\n")
            for _ in range(64):
                say(b"x" * 32768)
            self.done.set()
        elif "?pieces" in told["REQUEST_URI"]:
            say(b"Content-Type: text/plain\r\nX-Long: " + b"h" * 2048 + b"\r\n\r\n")
            for length in (1, 4095, 4096, 4097, 32768, 60000, 1):
                say(b"p" * length)
        elif path.endswith("/error"):
            say(b"Status: 422 Wrong\r\nContent-Type: application/problem+json\r\n\r\n{\"code\":\"mine\"}")
        else:
            say(b"Content-Type: application/json\r\nX-Accel-Buffering: no\r\n\r\n" if "stream" in body.decode()
                else b"Content-Type: application/json\r\n\r\n")
            say(json.dumps({"told": told, "body": body[:1000].decode()}).encode())
            if "?gate" in told["REQUEST_URI"]:
                self.gate.wait(DEADLINE_S)
                say(b" " * 100)
        connection.sendall(struct.pack(">BBHHBB", 1, 3, 1, 8, 0, 0) + bytes(8))
        return keep


@pytest.fixture(scope="module")
def site(scratch):
    """nginx with the shipped locations, nothing behind it."""
    house = Site(scratch, None, {}, start=False)
    yield house
    house.stop()


class Patient(Site):
    """The same, but nginx keeps a connection for as long as a busy machine may take from one request to the next."""

    def upstreams(self):
        text, count = re.subn(r"^( +keepalive_time(?:out)?) +[12]s;", r"\1 60s;", super().upstreams(), flags=re.M)
        assert count == 2
        return text


@pytest.fixture(scope="module")
def patient(scratch):
    house = Patient(scratch, None, {}, start=False)
    yield house
    house.stop()


def behind(house):
    path = house.folder / "c1d.sock"
    server = Peer(path)
    yield server
    server.stop()
    path.unlink()


@pytest.fixture
def peer(site):
    yield from behind(site)


@pytest.fixture
def patients_peer(patient):
    yield from behind(patient)


def told(answer):
    return answer.json()["told"]


# --- what nginx says about the files ---
def move_metrics(upstream, listen):
    """Gives /metrics another address."""
    text = upstream.read_text()
    assert "listen 127.0.0.1:9181;" in text
    upstream.write_text(text.replace("listen 127.0.0.1:9181;", f"listen {listen};"))


@pytest.fixture
def check(scratch):
    """`nginx -t` of a text that belongs into http, as an ordinary user; returns what nginx said. With copies of the
    files: the checkout may be closed to others. It binds what it is to listen on, so that is a path each, `run.place()`,
    which nobody else can have."""
    folder = Path(tempfile.mkdtemp(prefix="nginx-", dir=scratch))
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    for file in FILES.glob("*.conf"):
        shutil.copy(file, folder)
    move_metrics(folder / "c1d-upstream.conf", f"unix:{folder}/metrics")
    if nobody:
        os.chown(folder, 65534, 65534)

    def run(http):
        temps = " ".join(f"{kind}_temp_path {folder}/{kind};"
                         for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(f"pid {folder}/pid; error_log stderr; events {{ }}\n"
                                           f"http {{ access_log off; {temps}\n{http}\n}}\n")
        done = subprocess.run([*nobody, NGINX, "-t", "-p", str(folder), "-e", "stderr", "-c", f"{folder}/nginx.conf"],
                              capture_output=True, text=True, check=False)
        said = [line for line in done.stderr.splitlines() if not re.search(r"syntax is ok|test is successful", line)]
        return done.returncode, said

    numbers = itertools.count()
    run.folder = folder
    run.place = lambda: f"unix:{folder}/listen-{next(numbers)}"
    return run


def test_nginx_takes_the_locations_in_any_server(check):
    server = f"server {{ listen {check.place()}; include {check.folder}/c1d.conf; }}"
    assert check(f"include {check.folder}/c1d-upstream.conf; {server}") == (0, [])


def test_nginx_takes_them_beside_what_a_php_site_has(check):
    """A site's own regular expressions, caches and rewrites stand beside ours, in two servers of one nginx."""
    site = f"""server {{
        listen {check.place()};
        location / {{ try_files $uri $uri/ /index.php?$args; }}
        location ~ \\.php$ {{ include /etc/nginx/fastcgi_params; fastcgi_pass unix:/run/php.sock; }}
        location ~* \\.(js|css|png)$ {{ expires 30d; }}
        include {check.folder}/c1d.conf;
    }}"""
    other = f"server {{ listen {check.place()}; include {check.folder}/c1d.conf; }}"
    assert check(f"include {check.folder}/c1d-upstream.conf; {site} {other}") == (0, [])


def test_nginx_takes_the_whole_site(check):
    folder = check.folder
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", "/CN=chat.example.org", "-days", "2", "-keyout", folder / "privkey.pem",
                    "-out", folder / "fullchain.pem"], check=True, capture_output=True)
    (folder / "privkey.pem").chmod(0o644)
    text = (FILES / "site.conf").read_text()
    text = text.replace("/etc/letsencrypt/live/chat.example.org", str(folder))
    text = text.replace("/var/log/nginx", str(folder)).replace("/usr/local/share/c1d/nginx", str(folder))
    # An ordinary user has no port below 1024, and a container may have no IPv6.
    text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.M)
    text = re.sub(r"listen (80|443)\b", lambda _: f"listen {check.place()}", text)
    assert check(text) == (0, [])


def whole_nginx(folder):
    """A main file as Debian's, with the shipped site in it: what the analysers are to read."""
    for file in FILES.glob("*.conf"):
        (folder / file.name).write_text(file.read_text().replace("/usr/local/share/c1d/nginx", str(folder)))
    (folder / "nginx.conf").write_text("user www-data; worker_processes auto; worker_rlimit_nofile 4096; pid /run/nginx.pid;\n"
                                       f"events {{ worker_connections 1024; }}\nhttp {{ sendfile on; include {folder}/site.conf; }}\n")
    return folder / "nginx.conf"


@pytest.mark.parametrize("package, version", [("gixy", "0.1.21"), ("gixy-ng", "0.2.59")])
def test_gixy_finds_nothing(tmp_path, package, version):
    program = tool(package, version, "gixy")
    done = subprocess.run([program, "-f", "json", str(whole_nginx(tmp_path))], capture_output=True, text=True, timeout=120, check=False)
    assert json.loads(done.stdout) == [] and done.returncode == 0, done.stdout + done.stderr
    bad = whole_nginx(tmp_path)
    (tmp_path / "site.conf").write_text((tmp_path / "site.conf").read_text().replace("return 301 https://$host$request_uri;", "return 301 https://$host$uri;"))
    done = subprocess.run([program, "-f", "json", str(bad)], capture_output=True, text=True, timeout=120, check=False)
    assert "http_splitting" in done.stdout, "it would have found one"


def test_nginx_would_name_a_directive_that_it_does_not_know(check):
    """The checks above are worth something."""
    locations = (FILES / "c1d.conf").read_text().replace("fastcgi_buffering", "fastcgi_bufering")
    code, said = check(f"include {check.folder}/c1d-upstream.conf; server {{ {locations} }}")
    assert code != 0 and "fastcgi_bufering" in said[0]


# --- what c1d is told ---
def test_the_request_arrives_as_it_was_sent(site, peer):
    path = "/api/threads/a%2Fb%20c.php/../x?q=1%202&r"
    answer = site.request("POST", path, b'{"a":1}', {"Content-Type": "application/json"})
    assert told(answer)["REQUEST_URI"] == path
    assert told(answer)["CONTENT_LENGTH"] == "7"
    assert told(answer)["CONTENT_TYPE"] == "application/json"
    assert answer.json()["body"] == '{"a":1}'


def test_only_named_headers_arrive_and_none_can_be_forged(site, peer):
    headers = {"Proxy": "http://evil/", "X-Request-Id": "mine", "X-Forwarded-For": "1.2.3.4", "C1D-Internal": "1",
               "Authorization": "Bearer t", "Idempotency-Key": "k", "Last-Event-ID": "7", "If-None-Match": '"e"'}
    params = told(site.get("/api/threads", headers))
    assert params["HTTP_AUTHORIZATION"] == "Bearer t"
    assert (params["HTTP_IDEMPOTENCY_KEY"], params["HTTP_LAST_EVENT_ID"]) == ("k", "7")
    assert params["HTTP_IF_NONE_MATCH"] == '"e"'
    assert params["REMOTE_ADDR"] == "127.0.0.1"
    assert re.fullmatch("[0-9a-f]{32}", params["HTTP_X_REQUEST_ID"])
    assert params["HTTP_X_FORWARDED_FOR"] == "1.2.3.4"  # which c1d believes of nobody unless told
    assert not {"HTTP_PROXY", "HTTP_C1D_INTERNAL"} & set(params)


@pytest.mark.parametrize("path", ["/health", "/livez", "/readyz"])
def test_monitors_reach_health_and_c1d_sees_the_path_they_asked_for(site, peer, path):
    answer = site.get(path)
    assert answer.status == 200
    assert told(answer)["REQUEST_URI"] == path


def test_visitors_do_not_reach_metrics(site, peer):
    answer = site.get("/metrics")
    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "not_found"
    assert peer.seen == []


def test_c1d_reads_all_that_it_is_told():
    """What nobody reads costs both of them."""
    words = "".join((ROOT / name).read_text() for name in ("src/server/incoming.c", "include/http/request.h"))
    for file in ("c1d.conf", "c1d-upstream.conf"):
        named = re.findall(r"^ +fastcgi_param (\w+)", (FILES / file).read_text(), re.M)
        assert named and [name for name in named if f'"{name}"' not in words] == []


# --- how answers travel ---
def first_bytes_before_the_end(site, peer, path):
    """Whether bytes reach the client while the peer still holds the rest back."""
    stream = Stream(site.host, site.port, "POST", path + "?gate", b"stream", {"Accept-Encoding": "gzip"}, timeout=DEADLINE_S / 2)
    assert stream.status == 200 and "Content-Encoding" not in stream.headers
    try:
        assert stream.read_some().startswith(b"{")
        assert stream.headers["X-Accel-Buffering"] == "no"
        assert not peer.gate.is_set()
    finally:
        peer.gate.set()
    stream.read_all()
    stream.close()


@pytest.mark.parametrize("path", ["/api/chat", "/api/openui/chat", "/api/runs/run_1/stream"])
def test_streams_leave_as_they_come(site, peer, path):
    first_bytes_before_the_end(site, peer, path)


@pytest.mark.parametrize("path", ["/api/chat", "/api/openui/chat", "/api/runs/run_1/stream"])
def test_a_streams_small_buffer_takes_a_long_head_and_pieces_of_any_size(site, peer, path):
    answer = site.get(path + "?pieces")
    assert answer.status == 200
    assert answer.body == b"p" * (1 + 4095 + 4096 + 4097 + 32768 + 60000 + 1)


def test_short_answers_are_buffered(site, peer):
    """c1d is done with its answer before the client took more than its head."""
    stream = Stream(site.host, site.port, "GET", "/api/threads/large", None, {})
    assert peer.done.wait(DEADLINE_S)
    assert len(stream.read_all()) == 64 * 32768
    stream.close()


def test_short_requests_share_a_connection_and_each_stream_has_its_own(patient, patients_peer):
    for path in ("/api/threads", "/api/threads", "/health", "/api/chat", "/api/openui/chat", "/api/runs/run_1/stream", "/api/threads"):
        assert patient.get(path).status == 200
    connections = patients_peer.connections
    first, keeps = connections[0]
    assert keeps and [(connection is first, keep) for connection, keep in connections] == [
        (True, True), (True, True), (True, True), (False, False), (False, False), (False, False), (True, True)]
    assert len({connection for connection, _ in connections}) == 4


def test_a_connection_that_rests_is_nginxs_to_close(site, peer):
    """Within the time that c1d waits for that when it ends (deadlines.h, test_kept_connections.py)."""
    assert site.get("/api/threads").status == 200
    connection, _ = peer.connections[0]
    wait_for(lambda: connection.fileno() == -1, "nginx has closed it, and so has its peer")


def test_the_locations_turn_off_what_would_hold_a_stream_back():
    text = (FILES / "c1d.conf").read_text()
    streams = re.findall(r"location (?:= /api/chat|~ \^/api/runs/\[\^/\]\+/stream\$) \{(.*?)\}", text, re.S)
    assert len(streams) == 2 and "location = /api/openui/chat { rewrite ^ /api/chat last; }" in text
    for block in streams:
        assert "fastcgi_buffering off;" in block and "fastcgi_buffer_size 3k;" in block and "gzip off;" in block
    for line in ("fastcgi_next_upstream off;", "request_pool_size 2k;", "fastcgi_next_upstream_timeout 10s;", "fastcgi_read_timeout  330s;", "fastcgi_send_timeout  330s;"):
        assert line in text
    upstream = re.sub("#.*", "", (FILES / "c1d-upstream.conf").read_text())
    assert "keepalive" not in re.search(r"upstream c1d \{.*?\}", upstream, re.S)[0]


def test_c1ds_own_errors_pass_as_they_are(site, peer):
    answer = site.post("/api/threads/error", {})
    assert (answer.status, answer.body) == (422, b'{"code":"mine"}')


# --- nginx's own errors ---
def problem(answer: Answer, status):
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    shielded(answer.headers)
    body = answer.json()
    assert body["status"] == status
    assert re.fullmatch("[0-9a-f]{32}", body["request_id"])
    assert {"type", "title", "detail", "code"} <= set(body) and body["message"] == body["detail"]
    return body


@pytest.mark.parametrize("path", ["/api/chat", "/api/threads/a.html", "/api/runs/r/stream", "/health"])
def test_a_c1d_that_is_not_there_is_a_503_with_retry_after(site, path):
    answer = site.post(path, {}) if path == "/api/chat" else site.get(path)
    assert problem(answer, 503)["code"] == "unavailable"
    assert answer.headers["Retry-After"] == "2"


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("method, path", [("POST", "/api/threads/die"), ("PATCH", "/api/threads/die"), ("POST", "/api/chat/die"), ("GET", "/api/runs/die/stream")])
def test_a_request_that_killed_its_worker_is_not_sent_again(patient, patients_peer, kept, method, path):
    if kept:
        assert patient.get("/api/threads").status == 200
    answer = patient.json(method, path, {"a": 1})
    problem(answer, 503)
    assert len(patients_peer.seen) == 1 + kept


def test_what_changes_nothing_is_sent_again_when_a_kept_connection_turns_out_to_be_closed(patient, patients_peer):
    """Once, on a new connection; one that was new when it failed is not tried twice."""
    assert patient.get("/api/threads").status == 200
    problem(patient.get("/api/threads/die"), 503)
    assert [told["REQUEST_URI"] for told, _ in patients_peer.seen] == ["/api/threads"] + ["/api/threads/die"] * 2
    problem(patient.get("/api/threads/die"), 503)
    assert len(patients_peer.seen) == 4


def test_a_body_over_13_mib_is_refused_before_it_is_read(site, peer):
    answer = site.request("POST", "/api/chat", None, {"Content-Length": str(14 << 20)})
    assert problem(answer, 413)["code"] == "too_large"
    assert peer.seen == []


def test_a_body_of_12_mib_arrives_whole(site, peer):
    answer = site.request("PUT", "/api/threads/t/messages/m", b"x" * (12 << 20))
    assert answer.status == 200
    assert len(peer.seen[0][1]) == 12 << 20


@pytest.mark.parametrize("code", [400, 401, 403, 404, 413, 429, 503])
def test_the_errors_own_addresses_are_nobodys(site, code):
    assert site.get(f"/c1d-error/{code}").status == 404


# --- who nginx lets in ---
def uncommented(text, first, last):
    """The file with the commented lines from one to the other taken in."""
    before, rest = text[:text.index(first)], text[text.index(first):]
    end = rest.index(last) + len(last)
    block = re.sub(r"^ *# ?", "", rest[:end], flags=re.M)
    return before.rstrip("# ") + block + rest[end:]


class Signed:
    """nginx with c1d.conf as an administrator edits it, and the FastCGI peer behind it."""

    def __init__(self, scratch, edit, server="", c1d=None):
        self.folder = Path(tempfile.mkdtemp(prefix="signed-", dir=scratch))
        self.folder.chmod(0o755)
        (self.folder / "c1d.conf").write_text(edit((FILES / "c1d.conf").read_text().replace("/etc/nginx/c1d.htpasswd", f"{self.folder}/htpasswd")))
        made = subprocess.run(["openssl", "passwd", "-apr1", "secret"], capture_output=True, text=True, check=True).stdout
        (self.folder / "htpasswd").write_text(f"ada:{made}")
        self.port = held_port()
        conf = self.folder / "nginx.conf"
        conf.write_text(SIGNED.format(folder=self.folder, upstreams=shipped_upstreams(c1d.settings["C1D_SOCKET"] if c1d else f"{self.folder}/c1d.sock"), port=self.port, server=server, user="user root;" if os.geteuid() == 0 else ""))
        self.peer = Peer(self.folder / "c1d.sock")
        self.nginx = Process([NGINX, "-p", str(self.folder), "-e", "stderr", "-c", str(conf)], self.folder, "nginx")
        wait_for(self.listens, f"nginx listens\n{self.nginx.text()}")

    def listens(self):
        assert self.nginx.alive(), self.nginx.text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def get(self, headers, method="GET", body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        connection.request(method, "/api/threads", body, {**headers, **({"Content-Type": "application/json"} if body else {})})
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        return answer

    def stop(self):
        self.nginx.stop()
        self.peer.stop()


SIGNED = """\
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
{user}
events {{ }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi; access_log off;
    {upstreams}
    server {{ listen 127.0.0.1:{port} reuseport; {server} include {folder}/c1d.conf; }}
}}
"""


def basic(name):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:secret".encode()).decode()}


def test_with_the_block_for_auth_basic_each_name_has_threads_of_its_own(scratch, upstream):
    first, last = 'auth_basic           "chat";', "fastcgi_param REMOTE_USER $remote_user;"
    c1d = Site(scratch, upstream, {"C1D_AUTH": "header", "C1D_AUTH_HEADER": "REMOTE_USER"}, nginx=False)
    house = Signed(scratch, lambda text: uncommented(text, first, last), c1d=c1d)
    try:
        (house.folder / "htpasswd").write_text("".join((house.folder / "htpasswd").read_text().replace("ada:", f"{name}:") for name in ("ada", "eve")))
        assert house.get(basic("ada"), "POST", b'{"title":"of ada"}').status == 201
        assert [thread["title"] for thread in house.get(basic("ada")).json()] == ["of ada"]
        assert house.get({**basic("eve"), "Remote-User": "ada", "Remote_User": "ada"}).json() == []
        assert problem(house.get({}), 401) and problem(house.get({"Cookie": "REMOTE_USER=ada"}), 401)
    finally:
        house.stop()
        c1d.stop()


def test_the_block_for_auth_basic_lets_in_who_has_the_password_and_names_them(scratch):
    first, last = 'auth_basic           "chat";', "fastcgi_param REMOTE_USER $remote_user;"
    house = Signed(scratch, lambda text: uncommented(text, first, last))
    try:
        forged = {"REMOTE_USER": "root", "Remote-User": "root", "X-Remote-User": "root"}
        refused = house.get(forged)
        assert problem(refused, 401)["code"] == "unauthorized" and refused.headers["WWW-Authenticate"].startswith("Basic")
        assert house.peer.seen == []
        let_in = house.get({**basic("ada"), **forged})
        assert told(let_in)["REMOTE_USER"] == "ada"
    finally:
        house.stop()


def test_the_block_for_auth_request_takes_the_name_from_who_signs_in_and_from_nobody_else(scratch):
    first, last = "auth_request     /c1d-sign-in;", "fastcgi_param REMOTE_USER $c1d_user;"
    proxied = "location = /c1d-sign-in { internal; proxy_pass http://127.0.0.1:%d/; proxy_pass_request_body off; proxy_set_header Content-Length ''; }"
    assert "proxy_pass_request_body off;" in (FILES / "c1d.conf").read_text()
    signs_in = SignIn()
    house = Signed(scratch, lambda text: uncommented(text, first, last), proxied % signs_in.port)
    try:
        forged = {"X-Auth-Request-User": "root", "Remote-User": "root"}
        assert problem(house.get(forged), 401)["code"] == "unauthorized"
        assert house.peer.seen == []
        assert told(house.get({"Cookie": "s=1", **forged}))["REMOTE_USER"] == "eve"
    finally:
        house.stop()
        signs_in.stop()


class SignIn:
    """What auth_request asks: 202 with a name for who brings the cookie, 401 for anybody else."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802 (the library's name)
                known = self.headers["Cookie"] == "s=1"
                self.send_response(202 if known else 401)
                if known:
                    self.send_header("X-Auth-Request-User", "eve")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


# --- the two lines of the README ---
TWO_LINES = """\
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
{user}
events {{ }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/c1d-upstream.conf;
    server {{
        listen 127.0.0.1:{port} reuseport;
        access_log {folder}/access.log c1d;
        include {root}/nginx/c1d.conf;
    }}
}}
"""


class TwoLines:
    """nginx as the README has it: the two includes and the line for the log."""

    def __init__(self, scratch):
        self.folder = Path(tempfile.mkdtemp(prefix="two-lines-", dir=scratch))
        self.folder.chmod(0o755)
        upstream = self.folder / "c1d-upstream.conf"
        upstream.write_text((FILES / "c1d-upstream.conf").read_text()
                            .replace("unix:/run/c1d-socket/c1d.sock", f"unix:{self.folder}/c1d.sock"))
        self.port, self.metrics_port = held_port(), held_port()
        move_metrics(upstream, f"127.0.0.1:{self.metrics_port} reuseport")
        self.peer = Peer(self.folder / "c1d.sock")
        conf = self.folder / "nginx.conf"
        conf.write_text(TWO_LINES.format(folder=self.folder, port=self.port, root=ROOT,
                                         user="user root;" if os.geteuid() == 0 else ""))
        self.nginx = Process([NGINX, "-p", str(self.folder), "-e", "stderr", "-c", str(conf)], self.folder, "nginx")
        wait_for(self.listens, "nginx listens")

    def listens(self):
        for port in (self.metrics_port, self.port):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) != 0:
                    return False
        return True

    def get(self, port, path):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, body

    def log(self):
        return (self.folder / "access.log").read_text()

    def stop(self):
        self.nginx.stop()
        self.peer.stop()


@pytest.fixture(scope="module")
def two_lines(scratch):
    house = TwoLines(scratch)
    yield house
    house.stop()


def test_t9_the_request_id_is_in_nginxs_log_and_c1d_is_told_the_same(two_lines):
    _, body = two_lines.get(two_lines.port, "/api/threads")
    told_id = json.loads(body)["told"]["HTTP_X_REQUEST_ID"]
    assert wait_for(lambda: f"request_id={told_id} " in two_lines.log(), "the line is written")
    status, body = two_lines.get(two_lines.port, "/api/die")
    assert status == 503
    assert wait_for(lambda: f"request_id={json.loads(body)['request_id']} " in two_lines.log(), "the line is written")


def test_f11_nginxs_log_has_no_word_of_a_query(two_lines):
    for path in ("/api/threads?q=canary%20query", "/api/%0d%0acanary-forged?x", "/api/threads?cursor=canary&user_id=canary"):
        two_lines.get(two_lines.port, path)
    lines = wait_for(lambda: [line for line in two_lines.log().splitlines() if "GET /api/%0d%0acanary-forged HTTP/1.1" in line], "the line is written")
    assert len(lines) == 1
    assert '"GET /api/threads HTTP/1.1"' in two_lines.log()
    assert "query" not in two_lines.log() and "cursor" not in two_lines.log() and "?" not in two_lines.log()


def test_t9_metrics_are_for_this_machine_and_not_for_visitors(two_lines):
    status, body = two_lines.get(two_lines.metrics_port, "/metrics")
    assert (status, json.loads(body)["told"]["REQUEST_URI"]) == (200, "/metrics")
    assert two_lines.get(two_lines.port, "/metrics")[0] == 404
    for path in ("/", "/api/threads", "/health"):
        assert two_lines.get(two_lines.metrics_port, path)[0] == 404
    listens = re.findall(r"listen +(\S+);", (FILES / "c1d-upstream.conf").read_text())
    assert listens == ["127.0.0.1:9181"]
