"""What the fixtures are made of: processes that are started, awaited and ended, and an HTTP client that sees each
chunk as it comes."""
import http.client
import json
import os
import re
import socket
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from processes import DEADLINE_S, PYTHON, ROOT, Process, free_port, held_port, is_gone, wait_for  # noqa: E402, F401 (tests take them from here)
from proxies import StoreProxy  # noqa: E402, F401

NGINX = "/usr/sbin/nginx"
START_S, STOP_S = 90, 90  # longer than the program's own patience: what it does when that is over is seen by who wants to


def environment_of(settings):
    """What the tests run under (it tells sanitizers and the count of lines what to do), with these settings and no others."""
    ours = ("C1D_", "THESYS_", "MONGODB_", "DATABASE_", "FIREBASE_", "FIRESTORE_", "GOOGLE_", "REDIS_")
    return {**{name: value for name, value in os.environ.items() if not name.startswith(ours)}, **settings}


class Upstream:
    """The scripted C1 API (tests/c1_upstream)."""

    def __init__(self, folder, *args):
        self.process = Process([PYTHON, "tests/c1_upstream", "--port", "0", *args], folder, "upstream",
                               ready="ready ")
        self.base_url = self.process.ready_line.split()[1]
        self.settings = {"THESYS_BASE_URL": self.base_url}  # of who asks it
        if "--tls-self" in args:
            self.settings["THESYS_CA_FILE"] = str(Path(args[args.index("--tls-self") + 1]) / "ca.pem")
        self.control = self.base_url
        line = self.process.child.stdout.readline().decode().split()
        assert line[0] == "control", line
        self.control = line[1]

    def ask(self, method, path, timeout=DEADLINE_S):
        url = urllib.parse.urlsplit(self.control)
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)
        try:
            connection.request(method, path)
            body = connection.getresponse().read()
        finally:
            connection.close()
        return json.loads(body) if body else None

    def whole_answer(self, prompt):
        """What this prompt is answered with, all of it."""
        query = urllib.parse.urlencode({"prompt": prompt})
        with urllib.request.urlopen(f"{self.control}/answer?{query}", timeout=DEADLINE_S) as answer:
            return answer.read()

    def stats(self):
        return self.ask("GET", "/stats")

    def wait_stats(self, **at_least):
        """Returns once each named count is at least so high."""
        return self.ask("GET", "/stats/wait?" + urllib.parse.urlencode({**at_least, "timeout": DEADLINE_S}),
                        DEADLINE_S + 5)

    def close_all(self, how="fin"):
        """Every connection to it, one that was being made meanwhile, too; returns when their clients have seen it."""
        def closed():
            self.ask("POST", f"/cut/{how}")
            return self.ask("GET", "/stats/wait?connections_open_most=0&timeout=3")["connections_open"] == 0

        wait_for(closed, "no connection to it is open")

    def open_gate(self, name):
        return self.ask("POST", f"/gate/{name}/open")

    def requests(self):
        return self.ask("GET", "/requests")

    def stop(self):
        self.process.stop()


class Answer:
    """An HTTP response, read whole."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8")

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Stream:
    """A response that is read chunk by chunk, each with the time it came."""

    def __init__(self, host, port, method, path, body, headers, timeout=DEADLINE_S):
        self.connection = http.client.HTTPConnection(host, port, timeout=timeout)
        self.began = time.monotonic()
        self.connection.request(method, path, body, headers)
        self.response = self.connection.getresponse()
        self.status, self.headers = self.response.status, self.response.headers
        self.chunks, self.times = [], []

    def read_some(self):
        chunk = self.response.read1(65536)
        if chunk:
            self.chunks.append(chunk)
            self.times.append(time.monotonic() - self.began)
        return chunk

    def read_until(self, wanted):
        while wanted not in self.body:
            if not self.read_some():
                raise AssertionError(f"the stream ended without {wanted!r}: {self.body[-500:]!r}")
        return self.body

    def read_all(self):
        while self.read_some():
            pass
        return self.body

    @property
    def body(self):
        return b"".join(self.chunks)

    def events(self):
        """The SSE events so far that are whole: (event, data parsed, id)."""
        found = []
        for block in self.body.rpartition(b"\n\n")[0].decode("utf-8").split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and line[0] != ":")
            if "data" in fields:
                found.append((fields.get("event"), json.loads(fields["data"]), fields.get("id")))
        return found

    def close(self):
        """Leaves at once: the peer sees a reset or an end."""
        if self.connection.sock:
            self.connection.sock.close()
        self.response.close()
        self.connection.close()


NGINX_CONF = """\
daemon off; worker_processes {nginx_workers}; worker_rlimit_nofile 20000;
error_log {folder}/nginx.log info; pid {folder}/nginx.pid;
{user}
events {{ worker_connections 12000; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    access_log off; default_type application/octet-stream;
    {upstreams}
    server {{
        listen 127.0.0.1:{port} reuseport backlog=4096{listen};
        server_name localhost;
        {server}
        include {locations};
    }}
}}
"""


# For Site's `server`: routes of other clients outside /api/. Before c1d.conf or behind it, nginx asks it first.
ALIASES = f"include {ROOT}/nginx/c1d-aliases.conf;"


def shipped_upstreams(socket_path):
    """The upstream blocks of the shipped file, at another socket."""
    text = (ROOT / "nginx/c1d-upstream.conf").read_text()
    blocks = re.findall(r"^upstream \w+ \{.*?^\}", text, re.M | re.S)
    return "\n".join(blocks).replace("unix:/run/c1d-socket/c1d.sock", f"unix:{socket_path}")


class Site:
    """nginx with the shipped files, c1d behind it, and a client."""

    def __init__(self, scratch, upstream, settings, program=None, workers=2, nginx=True, start=True,
                 listen="", server="", locations=ROOT / "nginx/c1d.conf", nginx_workers=1):
        self.folder = Path(tempfile.mkdtemp(prefix="site-", dir=scratch))
        self.folder.chmod(0o755)
        self.upstream = upstream
        self.host, self.port = "127.0.0.1", held_port()
        self.program = program or os.environ.get("C1D_BIN", str(ROOT / "build/c1d"))
        self.settings = {
            "C1D_SOCKET": f"{self.folder}/c1d.sock",
            "C1D_STATE_DIR": f"{self.folder}/state",
            "C1D_WORKERS": str(workers),
            "C1D_SPOOL_RESERVE": "1m",
            "C1D_SAVE_WAIT_MS": "10000",  # what has been read to its end is saved, also where a machine stands still for a moment
            "C1D_LOG_FORMAT": "json",
            "C1D_LIMIT_CHAT": "off",  # tests ask more than people do
            "C1D_LIMIT_FAILED": "off",  # and more wrongly
            "C1D_RUNS_PER_USER": "100000",
            "THESYS_API_KEY": "sk-th-test-canary-0123456789",
        }
        if upstream:
            self.settings.update(upstream.settings)
        self.settings.update(settings)
        self.settings = {name: value for name, value in self.settings.items() if value is not None}
        self.listen = f" {listen}" if listen else ""  # more words for nginx's listen
        self.server = server  # more lines in nginx's server
        self.locations = locations  # the file that nginx includes
        self.nginx_workers = nginx_workers
        self.c1d = self.nginx = None
        if nginx:
            self.start_nginx()
        if start:
            self.start()

    # --- processes ---
    def environment(self):
        return environment_of(self.settings)

    def start(self):
        self.ready_before = len(self.log_lines("worker ready")) if self.log_path.exists() else 0
        self.c1d = Process([self.program, "serve"], self.folder, "c1d", env=self.environment())
        wait_for(self.is_ready, "c1d is ready", START_S)

    def is_ready(self):
        if not self.c1d.alive():
            raise AssertionError(f"c1d died\n{self.c1d.text()[-4000:]}")
        workers = self.log_lines("worker ready")
        return len(workers) - self.ready_before >= int(self.settings["C1D_WORKERS"])

    def start_nginx(self):
        user = "user root;" if os.geteuid() == 0 else ""
        conf = self.folder / "nginx.conf"
        conf.write_text(NGINX_CONF.format(folder=self.folder, port=self.port, locations=self.locations, user=user,
                                          upstreams=self.upstreams(),
                                          listen=self.listen, server=self.server, nginx_workers=self.nginx_workers))
        self.nginx = Process([NGINX, "-p", str(self.folder), "-e", "stderr", "-c", str(conf)], self.folder,
                             "nginx-stderr")
        wait_for(self.nginx_listens, "nginx listens", START_S)

    def upstreams(self):
        return shipped_upstreams(f"{self.folder}/c1d.sock")

    def nginx_listens(self):
        assert self.nginx.alive(), self.nginx.text()
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0

    def stop(self):
        problems = []
        for process in (self.c1d, self.nginx):
            try:
                code = process.stop(deadline_s=STOP_S) if process else 0
                if process is self.c1d and code != 0:
                    problems.append(f"c1d ended with {code}\n{self.log_path.read_text()[-4000:]}")
            except AssertionError as error:
                problems.append(str(error))
        text = self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""
        for sign in ("AddressSanitizer", "runtime error:", "ThreadSanitizer", "LeakSanitizer"):
            if sign in text:
                problems.append(text[max(0, text.index(sign) - 200):][:4000])
        self.c1d = self.nginx = None
        assert not problems, "\n".join(problems)

    @property
    def log_path(self):
        return self.folder / "c1d.log"

    def log_lines(self, event=None):
        """The program's log lines, parsed; those of one event when named."""
        found = []
        text = self.log_path.read_text("utf-8", "replace")
        for line in text[:text.rfind("\n") + 1].splitlines():  # the last one may be half written
            if not line.startswith("{"):
                continue
            entry = json.loads(line)
            if event is None or entry.get("event") == event:
                found.append(entry)
        return found

    def told(self, event, count=1):
        """As log_lines, once there are so many: what an answer has to do with may be written a moment behind it."""
        return wait_for(lambda: len(self.log_lines(event)) >= count and self.log_lines(event), f"{count} lines of {event!r} in the log")

    def requests_told(self):
        """How many requests the log tells of, with one more of ours, which ends what was asked so far: lines come behind answers."""
        import fcgi

        last = uuid.uuid4().hex
        fcgi.ask(self.settings["C1D_SOCKET"], "GET", "/api/threads", {"x-request-id": last})
        ids = wait_for(lambda: last in (ids := [line["id"] for line in self.log_lines("request")]) and ids, "the last request is told")
        return ids.index(last) + 1

    def worker_pids(self):
        path = f"/proc/{self.c1d.pid}/task/{self.c1d.pid}/children"
        return [int(pid) for pid in Path(path).read_text().split()]

    # --- requests ---
    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def request(self, method, path, body=None, headers=None, timeout=DEADLINE_S):
        """A body is JSON unless headers are given."""
        if headers is None and body is not None:
            headers = {"Content-Type": "application/json"}
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def json(self, method, path, value, headers=None):
        return self.request(method, path, json.dumps(value).encode(),
                            {"Content-Type": "application/json", **(headers or {})})

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def post(self, path, json=None, headers=None):  # noqa: A002 (named as in every client)
        return self.json("POST", path, json, headers)

    def put(self, path, json=None, headers=None):  # noqa: A002
        return self.json("PUT", path, json, headers)

    def patch(self, path, json=None, headers=None):  # noqa: A002
        return self.json("PATCH", path, json, headers)

    def delete(self, path, headers=None):
        return self.request("DELETE", path, headers=headers)

    def metrics(self):
        """The figures, asked for at the socket: the shipped web server files show them to nobody."""
        import fcgi

        return fcgi.ask(self.settings["C1D_SOCKET"], "GET", "/metrics").text

    # --- chat ---
    def stream(self, body, query="", headers=None, timeout=DEADLINE_S):
        return Stream(self.host, self.port, "POST", "/api/chat" + query, json.dumps(body).encode(),
                      {"Content-Type": "application/json", **(headers or {})}, timeout)

    def chat(self, message, thread="", query="", headers=None, timeout=DEADLINE_S, **more):
        """One turn, read to its end; the Answer's headers name run, thread and answer."""
        body = {"message": message, **more}
        if thread:
            body["thread_id"] = thread
        stream = self.stream(body, query, headers, timeout)
        stream.read_all()
        answer = Answer(stream.status, stream.headers, stream.body)
        answer.stream = stream
        stream.close()
        return answer

    def messages(self, thread, query=""):
        answer = self.get(f"/api/threads/{thread}/messages{query}")
        assert answer.status == 200, answer
        return answer.json()

    def message(self, thread, message_id):
        return next((m for m in self.messages(thread) if m["id"] == message_id), None)

    def wait_status(self, thread, message_id, *statuses):
        """The message once its status is one of these."""
        def look():
            answer = self.get(f"/api/threads/{thread}/messages")  # 503 while the store is away
            found = [m for m in answer.json() if m["id"] == message_id] if answer.status == 200 else []
            return found[0] if found and found[0]["status"] in statuses else None

        return wait_for(look, f"{message_id} is one of {statuses}")


def in_parallel(count, job):
    """Runs job(0..count-1), each in a thread; the results in order. Raises the first exception, and when a job does not end."""
    results, errors = [None] * count, []

    def one(i):
        try:
            results[i] = job(i)
        except BaseException as error:  # noqa: BLE001 (told to the test)
            errors.append(error)

    threads = [threading.Thread(target=one, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + DEADLINE_S * 4
    for thread in threads:
        thread.join(max(0, end - time.monotonic()))
    if errors:
        raise errors[0]
    hung = [i for i, thread in enumerate(threads) if thread.is_alive()]
    assert not hung, f"of {count} jobs these have not ended: {hung[:20]}"
    return results
