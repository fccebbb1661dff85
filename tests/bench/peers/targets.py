"""Who is compared: how each is built, started behind its nginx and asked who its processes are."""
import base64
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
BUILD = Path(os.environ.get("BUILD", ROOT / "build")).resolve()
sys.path.insert(0, str(ROOT / "tests/integration"))

from house import NGINX, Process, Site, environment_of, held_port, wait_for  # noqa: E402

CORES = sorted(os.sched_getaffinity(0))
BACKEND, REST = CORES[:1], CORES[1:] or CORES
KEY = "sk-th-bench"
SECRET = "a secret of the bench, and of it alone"


@contextmanager
def on(cores):
    """What is started in here runs on these cores."""
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, REST)


def token():
    """As an issuer would give it to the user `bench`: HS256."""
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    text = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps({"sub": "bench", "exp": int(time.time()) + 86400}).encode())
    return (text + b"." + part(hmac.new(SECRET.encode(), text, hashlib.sha256).digest())).decode()


def tree(pid):
    """A process and all its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += tree(int(child))
    return found


class Missing(Exception):
    """It cannot be built here; the reason."""


class Target:
    """One backend with its nginx, started for each measurement anew. Its files stay as long as the bench's folder: an ext4 without a
    journal would pass by each inode that the last measurement left, wherever the next makes a file."""

    name = title = tool = ""
    made = None  # what building makes

    def __init__(self, scratch, upstream, store_uri, workers=1, cores=None):
        """cores: all that it may run on; one unless told."""
        self.folder = Path(tempfile.mkdtemp(prefix=self.name + "-", dir=scratch))
        self.folder.chmod(0o755)
        self.upstream, self.store_uri, self.workers = upstream, store_uri, workers
        with on(cores or BACKEND):
            self.start()

    # --- building ---
    @classmethod
    def build(cls):
        """Raises Missing."""
        if cls.tool and not shutil.which(cls.tool):
            raise Missing(f"there is no {cls.tool}")

    @classmethod
    def is_built(cls):
        return cls.made is None or cls.made.exists()

    @classmethod
    def run(cls, *command, cwd=None, **env):
        done = subprocess.run(command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Missing(f"{' '.join(map(str, command))}: {(done.stderr or done.stdout).strip()[-400:]}")
        return done.stdout

    @classmethod
    def version(cls):
        return ""

    # --- running ---
    def command(self):
        raise NotImplementedError

    def start(self):
        self.port, socket = held_port(), self.folder / "peer.sock"
        env = environment_of({"PEER_SOCKET": str(socket), "MONGODB_URI": self.store_uri, "THESYS_API_KEY": KEY, **self.upstream.settings})
        self.app = Process(self.command(), self.folder, self.name, env=env)
        wait_for(socket.exists, f"{self.name} listens")
        self.start_nginx(f"unix:{socket}", "")
        wait_for(self.answers, f"{self.name} answers: {self.app.text()[-2000:]}")

    def start_nginx(self, peer, chat):
        text = (HERE / "nginx/site.conf.in").read_text()
        for name, value in (("WORKERS", self.workers), ("FOLDER", self.folder), ("PORT", self.port), ("PEER", peer), ("CHAT", chat),
                            ("USER", "user root;" if os.geteuid() == 0 else "")):
            text = text.replace(f"@{name}@", str(value))
        conf = self.folder / "nginx.conf"
        conf.write_text(text)
        self.nginx = Process([NGINX, "-p", str(self.folder), "-e", "stderr", "-c", str(conf)], self.folder, "nginx")

    def answers(self):
        done = subprocess.run(["curl", "-sf", "-o", "/dev/null", f"http://127.0.0.1:{self.port}/api/health"], check=False)
        return done.returncode == 0

    def app_pids(self):
        return tree(self.app.pid)

    def nginx_pids(self):
        return tree(self.nginx.pid)

    def log(self):
        return self.app.text()[-2000:]

    def stop(self):
        for process in (self.nginx, self.app):
            if process:
                process.child.terminate()
                process.child.wait(30)


class C1d(Target):
    """With all that it does: tokens, limits, figures, the spool, a store."""

    name, title, made = "c1d", "c1d", BUILD / "c1d"
    settings = {"C1D_THREADS": "16", "C1D_LOG_LEVEL": "warn", "C1D_AUTH": "jwt", "C1D_JWT_SECRET": SECRET, "C1D_LIMIT_CHAT": "1000000/second",
                "C1D_LIMIT_READ": "1000000/second", "C1D_LIMIT_WRITE": "1000000/second", "C1D_LIMIT_SITE": "1000000/second",
                "C1D_UNATTENDED_MAX": "1000", "C1D_RUNS_PER_USER": "100000", "C1D_RUNS_MAX": "20000", "THESYS_API_KEY": KEY}

    @classmethod
    def build(cls):
        if not cls.is_built():
            raise Missing(f"there is no {cls.made}: make")

    @classmethod
    def version(cls):
        return hashlib.sha256(cls.made.read_bytes()).hexdigest()[:12]

    def start(self):
        store = self.store_uri if isinstance(self.store_uri, dict) else {"MONGODB_URI": self.store_uri + "/c1d"}
        self.site = Site(self.folder, self.upstream, {**self.settings, **store}, program=str(self.made), workers=self.workers,
                         nginx_workers=min(self.workers, 2), start=False)
        self.port, self.nginx = self.site.port, self.site.nginx
        # At this level nothing says that a worker is ready; being answered does.
        self.app = self.site.c1d = Process([self.site.program, "serve"], self.site.folder, "c1d", env=self.site.environment())
        wait_for(self.answers, f"c1d answers: {self.site.log_path.read_text()[-2000:]}")

    def log(self):
        return self.site.log_path.read_text()[-2000:]

    def stop(self):
        self.site.stop()


class Rust(Target):
    name, title, tool, made = "rust", "Rust (axum, reqwest)", "cargo", BUILD / "peers/rust/release/peer"

    @classmethod
    def build(cls):
        super().build()
        cls.run("cargo", "build", "--release", "--quiet", cwd=HERE / "rust", CARGO_TARGET_DIR=str(BUILD / "peers/rust"))

    @classmethod
    def version(cls):
        return cls.run("rustc", "--version").strip()

    def command(self):
        return [str(self.made)]


class Go(Target):
    name, title, tool, made = "go", "Go (net/http)", "go", BUILD / "peers/go/peer"

    @classmethod
    def build(cls):
        super().build()
        cls.run("go", "build", "-o", str(cls.made), ".", cwd=HERE / "go", GOFLAGS="-mod=readonly")

    @classmethod
    def version(cls):
        return cls.run("go", "version").strip().removeprefix("go version ")

    def command(self):
        return [str(self.made)]


class Node(Target):
    name, title, tool = "node", "Node (Fastify, openai)", "npm"
    place = BUILD / "peers/node"
    made = place / "node_modules"

    @classmethod
    def build(cls):
        super().build()
        cls.place.mkdir(parents=True, exist_ok=True)
        lock, there = HERE / "node/package-lock.json", cls.place / "package-lock.json"
        fresh = not cls.made.exists() or there.read_bytes() != lock.read_bytes()
        for name in ("package.json", "package-lock.json", ".npmrc", "server.js"):
            shutil.copy(HERE / "node" / name, cls.place / name)
        if fresh:
            cls.run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=cls.place)

    @classmethod
    def version(cls):
        return "node " + cls.run("node", "--version").strip()

    def command(self):
        return ["node", str(self.place / "server.js")]


class FastApi(Target):
    name, title = "fastapi", "FastAPI (uvicorn, openai)"
    place = BUILD / "peers/fastapi"
    made = place / "requirements.txt"

    @classmethod
    def build(cls):
        wanted = HERE / "fastapi/requirements.txt"
        if cls.made.exists() and cls.made.read_bytes() == wanted.read_bytes():
            return
        cls.run("/usr/bin/python3", "-m", "venv", str(cls.place))
        cls.run(str(cls.place / "bin/pip"), "install", "-q", "--disable-pip-version-check", "--no-deps", "-r", str(wanted))
        shutil.copy(wanted, cls.made)

    @classmethod
    def version(cls):
        return cls.run(str(cls.place / "bin/python"), "--version").strip()

    def command(self):
        return [str(self.place / "bin/python"), "-m", "uvicorn", "--app-dir", str(HERE / "fastapi"), "server:app", "--uds",
                str(self.folder / "peer.sock"), "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]


class Nginx(Target):
    """The floor: nginx hands the model's stream on as it is, and keeps nothing."""

    name, title = "nginx", "nginx alone"

    @classmethod
    def version(cls):
        return subprocess.run([NGINX, "-v"], capture_output=True, text=True, check=False).stderr.strip().removeprefix("nginx version: ")

    def start(self):
        self.port, self.app = held_port(), None
        address, _, path = self.upstream.base_url.partition("://")[2].partition("/")
        self.start_nginx(address, f"/{path}/chat/completions")
        wait_for(self.answers, "nginx answers")

    def app_pids(self):
        return []

    def log(self):
        return self.nginx.text()[-2000:]


TARGETS = {target.name: target for target in (Nginx, Rust, Go, Node, FastApi, C1d)}
