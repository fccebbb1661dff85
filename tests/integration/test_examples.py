"""The examples, each as somebody runs who copied its folder: through the real nginx and c1d, answered by the scripted C1 API. One
house: those who bring a token are its users, all others visitors."""
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import uuid

import pytest

from attackers import token as signed
from house import DEADLINE_S, PYTHON, ROOT, Process, Site, Stream, free_port, wait_for
from pages import BUILT, MODULES, PLACE, VISIT_S, WHOLE, alone, lines_of, modules

EXAMPLES = ROOT / "examples"
JWT = {"C1D_JWT_SECRET": "use-openssl-rand-hex-32-to-make-one", "C1D_JWT_ISSUER": "https://example.org", "C1D_JWT_AUDIENCE": "chat"}
DELTA = rb"event: delta\ndata: .*\n\n"  # a whole one
pytestmark = pytest.mark.xdist_group("examples")  # one house


@pytest.fixture(scope="module")
def php(tmp_path_factory):
    """A PHP site: the example's files, and what stands for the site itself. (Its address, and how to start it.)"""
    if not shutil.which("php"):
        pytest.skip("php is not installed: sh tests/deps test")
    root, port = tmp_path_factory.mktemp("php"), free_port()
    for path in [*(EXAMPLES / "php").glob("*.php"), *(PLACE / "php").glob("*.php"), EXAMPLES / "wordpress/c1d-chat.php"]:
        shutil.copy(path, root)
    yield f"http://127.0.0.1:{port}", root


@pytest.fixture(scope="module")
def house(scratch, upstream, php, our_page):
    """nginx in front of c1d, of the PHP site, and of the example's page."""
    address, root = php
    served = scratch / "examples"
    shutil.copytree(our_page, served / "web")  # where nginx may read
    shutil.copy(EXAMPLES / "fetch/index.html", served / "chat.html")
    wordpress = (EXAMPLES / "wordpress/c1d-chat.nginx").read_text().replace("/usr/local/share/c1d/web/", f"{served}/web/")
    server = re.search(r"```nginx\n(.*?)```", (EXAMPLES / "fetch/README.md").read_text(), re.S)[1].replace("/var/www", str(served))
    server += f"location ~ \\.php$ {{ proxy_pass {address}; }}\n{wordpress}"
    site = Site(scratch, upstream, {**JWT, **WHOLE, "C1D_AUTH": "jwt,visitor"}, server="include /etc/nginx/mime.types;\n" + server)
    command = ["php", "-q", "-d", f"session.save_path={root}", "-S", address.removeprefix("http://"), "-t", str(root)]
    process = Process(command, scratch, "php", env={**os.environ, **JWT, "C1D": site.url})
    wait_for(lambda: "started" in process.text(), "php listens")
    yield site
    process.stop()
    site.stop()


def token(user):
    return signed(user, secret=JWT["C1D_JWT_SECRET"], iss=JWT["C1D_JWT_ISSUER"], aud=JWT["C1D_JWT_AUDIENCE"])


def name(kind):
    return f"{kind}-{uuid.uuid4().hex[:12]}"


def gated(gate):
    """A question whose answer stands still in the middle, until the gate is opened."""
    return f"sample:text fault:gate={gate}@100"


def endless():
    return f"fault:endless;pace=20 {name('e')}"


class Shell:
    """A command of an example, in its folder, whose output is read as it comes."""

    def __init__(self, folder, command, **env):
        self.child = subprocess.Popen(command, cwd=folder, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.out = b""

    def read_until(self, pattern):
        while not re.search(pattern, self.out):
            piece = self.child.stdout.read1(65536)
            assert piece, (self.out[-1000:], self.child.stderr.read())
            self.out += piece
        return self.out

    def end(self):
        """(code, all that it said, what it said to stderr)."""
        rest, errors = self.child.communicate(timeout=DEADLINE_S * 2)
        return self.child.returncode, self.out + rest, errors.decode()


def deltas(text):
    """The text of an answer's events, and the id of the last whole one."""
    blocks = [dict(line.split(": ", 1) for line in block.split("\n") if line[:1] != ":" and ": " in line)
              for block in text.decode().split("\n\n")[:-1]]
    return "".join(json.loads(block["data"]) for block in blocks if block.get("event") == "delta"), [block["id"] for block in blocks if "id" in block][-1]


def stopped(upstream, prompt):
    return upstream.wait_stats(prompt=prompt, early_closes=1)


def copied(folder, place, house):
    """The example in a folder of its own, where its README's commands have been run."""
    there = place / "examples" / folder
    shutil.copytree(EXAMPLES / folder, there, ignore=shutil.ignore_patterns("node_modules", ".next"))
    (place / "web/src").mkdir(parents=True)
    shutil.copy(ROOT / "web/src/c1d.ts", place / "web/src")
    lines = "".join(re.findall(r"^```sh\n(.*?)^```$", (there / "README.md").read_text(), re.M | re.S))
    done = subprocess.run(["sh", "-eu", "-c", lines], cwd=there, capture_output=True, text=True, check=False, timeout=DEADLINE_S * 2,
                          env={**os.environ, "PATH": f"{os.path.dirname(PYTHON)}:{os.environ['PATH']}", "C1D": house.url, "C1D_TOKEN": token(name("reader")),
                               "C1D_COOKIES": str(place / "jar")})
    assert done.returncode == 0, done
    return there


# --- all of them ---
FOLDERS = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())


def test_e6_each_example_is_in_the_table_and_short():
    table = re.findall(r"^\| \[`([\w-]+)`\]\(\1/README.md\) \|", (EXAMPLES / "README.md").read_text(), re.M)
    assert sorted(table) == FOLDERS and len(FOLDERS) == 8
    for folder in FOLDERS:
        assert len((EXAMPLES / folder / "README.md").read_text().splitlines()) <= 25


@pytest.mark.parametrize("folder", ["curl", "python-httpx"])
def test_e6_the_shell_blocks_of_the_readmes_run(house, folder, tmp_path):
    copied(folder, tmp_path, house)


def test_e6_no_other_readme_has_a_shell_block():
    assert [folder for folder in FOLDERS if "```sh\n" in (EXAMPLES / folder / "README.md").read_text()] == ["curl", "python-httpx", "vite"]


# --- curl ---
@pytest.fixture
def chat_sh(house, tmp_path):
    def run(*words):
        return Shell(EXAMPLES / "curl", ["sh", "chat.sh", *words], C1D=house.url, C1D_COOKIES=str(tmp_path / "jar"))
    return run


def test_e6_curl_is_left_in_the_middle_and_resumes(chat_sh, upstream):
    json.loads(chat_sh("list").end()[1])  # who we are is known from here on
    thread, gate = name("t"), name("g")
    prompt = gated(gate)
    first = chat_sh("ask", prompt, thread)
    first.read_until(DELTA)
    first.child.terminate()
    before, last = deltas(first.end()[1])
    upstream.open_gate(gate)
    code, rest, errors = chat_sh("resume", last).end()
    assert code == 0, errors
    assert before and (before + deltas(rest)[0]).encode() == upstream.whole_answer(prompt)
    assert json.loads(chat_sh("messages", thread).end()[1])[-1]["status"] == "complete"


def test_e6_curl_stops_lists_and_deletes(chat_sh, upstream):
    thread, prompt = name("t"), endless()
    assert chat_sh("list").end()[0] == 0
    asking = chat_sh("ask", prompt + ' "quoted\\ \n', thread)
    asking.read_until(DELTA)
    run = json.loads(chat_sh("runs", thread).end()[1])[0]["id"]
    told = json.loads(chat_sh("stop", run).end()[1])
    assert (told["status"], told["upstream_closed"]) == ("stopped", True)
    assert asking.end()[0] == 0
    assert json.loads(chat_sh("messages", thread).end()[1])[0]["content"] == prompt + ' "quoted\\  '
    assert [entry["id"] for entry in json.loads(chat_sh("list").end()[1])] == [thread]
    assert chat_sh("delete", thread).end()[0] == 0
    code, said, _ = chat_sh("messages", thread).end()
    assert code == 22 and json.loads(said)["status"] == 404
    assert chat_sh("ask").end()[0] == 2


# --- Python ---
@pytest.fixture
def chat_py(house):
    pytest.importorskip("httpx", reason="sh tests/deps test")

    def run(*words, user=""):
        return Shell(EXAMPLES / "python-httpx", [PYTHON, "chat.py", *words], C1D=house.url, C1D_TOKEN=token(user or name("p")))
    return run


def test_e6_httpx_goes_on_behind_a_lost_connection(chat_py, house, upstream):
    gate = name("g")
    prompt = gated(gate)
    asking = chat_py(prompt)
    asking.read_until(b"<content")
    house.nginx.stop(signal.SIGTERM)  # at once: every connection ends
    upstream.open_gate(gate)
    house.start_nginx()
    code, text, said = asking.end()
    assert code == 0 and text.rstrip(b"\n") == upstream.whole_answer(prompt).rstrip(b"\n"), (text, said)
    assert "once more" in said and re.search(r"^complete, \d+ bytes", said, re.M), said


def test_e6_httpx_stops_the_model_by_ctrl_c(chat_py, house, upstream):
    prompt, thread, user = endless(), name("t"), name("u")
    asking = chat_py(prompt, "--thread", thread, user=user)
    asking.read_until(b"<content")
    asking.child.send_signal(signal.SIGINT)
    code, _, said = asking.end()
    assert code == 0 and f"stopped, thread {thread}" in said
    stopped(upstream, prompt)
    mine = house.get(f"/api/threads/{thread}/messages", {"Authorization": f"Bearer {token(user)}"}).json()
    assert mine[-1]["status"] == "stopped"


def test_e6_httpx_says_what_was_refused(house):
    asking = Shell(EXAMPLES / "python-httpx", [PYTHON, "chat.py", "hello"], C1D=house.url, C1D_TOKEN="x.y.z")
    code, text, said = asking.end()
    assert code == 1 and text == b"" and said.startswith("401 ")


# --- PHP ---
def cookies_of(answer):
    return {line.split("=", 1)[0]: line for line in answer.headers.get_all("Set-Cookie", [])}


def signed_in(house, user):
    """The session's cookie of somebody whom the PHP site has signed in."""
    return cookies_of(house.get(f"/login.php?user={user}"))["PHPSESSID"].split(";")[0]


def test_e6_php_signs_its_users_in(house):
    user = name("php")
    refused = house.post("/sign-in.php", {})
    assert refused.status == 401 and "Max-Age=0" in cookies_of(refused)["__session"]  # who has signed out: the token is taken back
    answer = house.post("/sign-in.php", {}, {"Cookie": signed_in(house, user)})
    line = cookies_of(answer)["__session"]
    assert answer.status == 204 and {"path=/api/", "HttpOnly", "SameSite=Lax"} <= set(line.split("; ")) and "xpires" not in line, line
    mine = {"Cookie": line.split(";")[0]}
    made = house.post("/api/threads", {"title": "mine"}, {**mine, "Sec-Fetch-Site": "same-origin"}).json()
    assert made["user_id"] == user and [thread["id"] for thread in house.get("/api/threads", mine).json()] == [made["id"]]
    assert house.get(f"/api/threads/{made['id']}").status == 403
    other = house.post("/sign-in.php", {}, {"Cookie": signed_in(house, name("php"))})
    assert house.get("/api/threads", {"Cookie": cookies_of(other)["__session"].split(";")[0]}).json() == []


def test_e6_php_passes_an_answer_on_as_it_is_written(house, upstream):
    user, gate, thread = name("php"), name("g"), name("t")
    prompt = gated(gate)
    body = json.dumps({"message": prompt, "thread_id": thread}).encode()
    head = {"Content-Type": "application/json", "Cookie": signed_in(house, user)}
    stream = Stream(house.host, house.port, "POST", "/ask.php", body, head)
    stream.read_until(b"event: delta")  # nobody has opened the gate
    assert stream.headers["Content-Type"].startswith("text/event-stream") and stream.headers["X-Thread-Id"] == thread
    upstream.open_gate(gate)
    assert deltas(stream.read_all())[0].encode() == upstream.whole_answer(prompt)
    stream.close()
    kept = house.get(f"/api/threads/{thread}/messages", {"Authorization": f"Bearer {token(user)}"}).json()
    assert kept[-1]["status"] == "complete"


def test_e6_php_passes_errors_on_and_lets_nobody_else_ask(house):
    body, json_type = b'{"message": ""}', {"Content-Type": "application/json"}
    assert house.request("POST", "/ask.php", body, json_type).status == 401
    cookie = {"Cookie": signed_in(house, name("php"))}
    assert house.request("POST", "/ask.php", body, {**cookie, "Content-Type": "text/plain"}).status == 415
    wrong = house.request("POST", "/ask.php", body, {**cookie, **json_type})
    assert wrong.status == 422 and wrong.headers["Content-Type"] == "application/problem+json" and wrong.json()["errors"]


# --- WordPress: the snippet alone, in a page that has what it calls ---
def test_e6_wordpress_puts_the_chat_into_a_page(house):
    answer = house.get("/page.php")
    assert '<iframe src="/c1d-chat/"' in answer.text and "height:700px" in answer.text and "__session" not in cookies_of(answer)
    page = house.get("/c1d-chat/")
    assert page.status == 200 and '<div id="root">' in page.text
    assert "frame-ancestors 'self'" in page.headers["Content-Security-Policy"] and "style-src 'self' 'unsafe-inline'" in page.headers["Content-Security-Policy"]


def test_e6_wordpress_signs_its_users_in_and_out(house):
    line = cookies_of(house.get("/page.php?user=7"))["__session"]
    assert {"path=/api/", "HttpOnly", "SameSite=Lax"} <= set(line.split("; ")) and "xpires" not in line, line
    made = house.post("/api/threads", {"title": "mine"}, {"Cookie": line.split(";")[0], "Sec-Fetch-Site": "same-origin"}).json()
    assert made["user_id"] == "wp-7"
    out = cookies_of(house.get("/page.php?user=7&logout=1"))["__session"]
    assert "Max-Age=0" in out and "path=/api/" in out


def test_e6_wordpress_frames_the_page_as_it_is_shipped_but_for_who_may():
    def policy(path):
        return re.search(r'Content-Security-Policy +"(.*?)"', path.read_text())[1]
    assert policy(EXAMPLES / "wordpress/c1d-chat.nginx") == policy(ROOT / "nginx/c1d-page.conf").replace("frame-ancestors 'none'", "frame-ancestors 'self'")


# --- dev servers ---
def through(server, port, house, upstream):
    """A question through a dev server's proxy, as its page asks: it comes in pieces, is stopped, and is kept."""
    gate, user = name("g"), name("dev")
    prompt, origin = gated(gate), f"http://localhost:{port}"
    head = {"Content-Type": "application/json", "Origin": origin, "Sec-Fetch-Site": "same-origin", "Accept-Encoding": "gzip, br",
            "Authorization": f"Bearer {token(user)}"}
    for query in ("?stream=sse", "?keepalive=15"):
        gate = name("g")
        body = json.dumps({"message": gated(gate), "thread_id": name("t")}).encode()
        stream = Stream("127.0.0.1", port, "POST", "/api/chat" + query, body, head)
        assert stream.status == 200, (stream.read_all(), server.text())
        stream.read_until(b"content thesys")  # nobody has opened the gate
        assert "Content-Encoding" not in stream.headers
        upstream.open_gate(gate)
        text = stream.read_all()
        assert (deltas(text)[0].encode() if "sse" in query else text) == upstream.whole_answer(prompt)
        stream.close()
    prompt = endless()
    stream = Stream("127.0.0.1", port, "POST", "/api/chat?on_disconnect=cancel", json.dumps({"message": prompt}).encode(), head)
    stream.read_until(b"<content")
    stream.close()  # the proxy hangs up, too
    stopped(upstream, prompt)
    assert len(house.get("/api/threads", {"Authorization": f"Bearer {token(user)}"}).json()) == 3


def test_e6_vite_passes_the_api_on(tools, house, upstream, tmp_path):
    folder, port = copied("vite", tmp_path, house), free_port()
    config = folder / "vite.config.js"
    assert config.read_text() == lines_of("js", "import react") == (EXAMPLES / "c1chat/vite.config.js").read_text()
    config.write_text(config.read_text().replace("http://127.0.0.1:8080", house.url))
    (folder / "node_modules").symlink_to(MODULES)
    server = Process(["node", str(MODULES / "vite/bin/vite.js"), str(folder), "--host", "127.0.0.1", "--port", str(port), "--strictPort"],
                     tmp_path, "vite", env={**os.environ, "NO_COLOR": "1"})
    try:
        wait_for(lambda: "Local:" in server.text() or not server.alive(), "the dev server is ready", DEADLINE_S * 4)
        page = Stream("127.0.0.1", port, "GET", "/src/App.jsx", None, {})
        assert b"C1Chat" in page.read_all() and page.status == 200, server.text()
        through(server, port, house, upstream)
    finally:
        server.stop()


def test_e6_vites_page_is_the_readmes_and_its_packages_are_ours():
    """So test_page.py visits it in Chromium, and c1chat's page too, with every sample."""
    assert (EXAMPLES / "vite/src/App.jsx").read_text() == lines_of("jsx", "import { C1Chat")
    ours = json.loads((ROOT / "web/package.json").read_text())
    for folder in ("vite", "c1chat"):
        theirs = json.loads((EXAMPLES / folder / "package.json").read_text())
        for kind in ("dependencies", "devDependencies"):
            assert theirs[kind].items() <= ours[kind].items()


@pytest.fixture(scope="module")
def next_server(tools, house, scratch):
    """Next's dev server on the example's files, installed by its lock file; kept from one run to the next."""
    folder, port = BUILT / "next", free_port()
    with alone():
        shutil.copytree(EXAMPLES / "nextjs", folder, dirs_exist_ok=True)
        modules(folder)
    server = Process(["node", str(folder / "node_modules/next/dist/bin/next"), "dev", str(folder), "-H", "127.0.0.1", "-p", str(port)], scratch, "next",
                     env={**os.environ, "NEXT_TELEMETRY_DISABLED": "1", "C1D": house.url})
    wait_for(lambda: "Ready" in server.text() or not server.alive(), "the dev server is ready", DEADLINE_S * 4)
    wait_for(lambda: passes_on(port) or not server.alive(), "the dev server passes on", DEADLINE_S * 4)
    yield server, port
    server.stop()


def passes_on(port):
    """Next says that it is ready before it is: a first request may be hung up on."""
    try:
        answer = Stream("127.0.0.1", port, "GET", "/api/openapi.json", None, {})
    except (OSError, http.client.HTTPException):
        return False
    answer.close()
    return answer.status == 200


def test_e6_next_passes_the_api_on(next_server, house, upstream):
    server, port = next_server
    through(server, port, house, upstream)


# --- in Chromium ---
@pytest.fixture(scope="module")
def visit(tools, house, upstream, next_server):
    """What a person saw on the pages of fetch, WordPress and Next."""
    pictures = BUILT / "examples"
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    done = subprocess.run(["node", str(PLACE / "examples.mjs"), house.url, f"http://127.0.0.1:{next_server[1]}", upstream.control, str(pictures)],
                          cwd=PLACE, text=True, capture_output=True, timeout=VISIT_S, check=False, env={**os.environ, "CHROMIUM": shutil.which("chromium")})
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["errors"] == [], seen
    return seen["stations"]


def test_e6_fetch_shows_an_answer_that_grows_behind_a_reload_and_stops_the_model(visit, upstream):
    assert visit["fetch: grows"] and visit["fetch: reloaded"] and visit["fetch: refused"] and visit["fetch: cut at its end"]
    assert visit["fetch: stopped"] == "stopped"
    stopped(upstream, visit["fetch: endless"])


def test_e6_wordpress_shows_the_chat_in_its_page(visit, house):
    assert visit["wordpress"]
    mine = house.get("/api/threads", {"Authorization": f"Bearer {token('wp-8')}"}).json()
    assert [thread["title"] for thread in mine] == ["Show me a table"]


def test_e6_nexts_page_streams_and_stops(visit, upstream):
    assert visit["next"]
    stopped(upstream, visit["next: endless"])
