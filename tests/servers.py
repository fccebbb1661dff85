#!/usr/bin/python3
"""The servers that stores are tested on. Adding a store is a class here and its name in STORES.

    python3 tests/servers.py KIND [--dir DIR] [--durable]

starts one, prints `ready URI` and, line by line, the settings that it needs besides, and stays until it is told to end or who started
it is gone. Each runs on free ports of 127.0.0.1, keeps its data below DIR, and what is lost with the power is not its concern unless
--durable says so. Exit code 77: it cannot be had here; the reason is on stderr.
"""
import argparse
import glob
import http.client
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

from processes import DEADLINE_S, Process, free_port, wait_for


class Missing(Exception):
    """Why there is no such server here."""


class Server:
    """What all have. `uri(name)` is a place of that name for a store, which nobody has used yet; `settings(name)` is all that c1d
    needs to find it. `stop` ends it in order, `kill` as a crash does; `start` brings it back where it was."""

    kind = ""
    keeps = True     # what it was given outlives a stop
    stops = True     # it is ours to stop
    start_s = 6 * DEADLINE_S  # beside four others that start, and the tests

    def __init__(self, folder, durable=False):
        self.folder, self.durable, self.process, self.port = Path(folder), durable, None, None
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        self.start()

    def prepare(self):
        """Before the first start. Raises Missing."""

    def start(self):
        raise NotImplementedError

    def launch(self, command, says, **how):
        """A program that logs `says` once it listens on self.port. A port that somebody else was faster with is changed for
        another while nobody knows it yet."""
        known = self.port is not None
        while True:
            self.port = self.port or free_port()
            log = self.folder / f"{self.kind}.log"
            begins = len(log.read_text("utf-8", "replace")) if log.exists() else 0
            self.process = Process([str(word).format(port=self.port) for word in command], self.folder, self.kind, **how)
            try:
                wait_for(lambda: says in self.process.text()[begins:] or not self.process.alive(), f"{self.kind} is ready", self.start_s)
            except AssertionError:
                self.process.stop(signal.SIGKILL)
                raise
            text = self.process.text()[begins:]
            if self.process.alive():
                return
            if known or "in use" not in text:
                raise Missing(f"{self.kind} did not start: {text.strip().splitlines()[-1:]}")
            self.port = None

    def stop(self, sig=signal.SIGTERM):
        if self.process:
            self.process.stop(sig)
            self.process = None

    def kill(self):
        self.stop(signal.SIGKILL)

    def address(self):
        return "127.0.0.1", self.port

    @property
    def wire(self):
        """What tests/store_proxy takes for its target; None: there is no wire."""
        return "tcp://{}:{}".format(*self.address())

    def uri(self, name, address=None):
        """`address`: of a proxy that stands before it."""
        raise NotImplementedError

    def settings(self, name, address=None):
        return {"C1D_STORE": self.uri(name, address)}


class Sqlite(Server):
    """Files; nothing runs."""

    kind, stops, wire = "sqlite", False, None

    def start(self):
        pass

    def uri(self, name, address=None):
        return f"sqlite:{self.folder}/{name}.db"


class Mongodb(Server):
    """MONGODB_TEST_URI's, mongod's or the one that is built here."""

    kind = "mongodb"
    stops = "MONGODB_TEST_URI" not in os.environ
    script = "tests/mongod/start"

    def start(self):
        command = ["sh", self.script, *(["--dir", str(self.folder)] if self.keeps else []), "--port"]
        while True:  # as in launch
            try:
                self.process = Process([*command, str(self.port or free_port())], self.folder.parent, self.folder.name, ready="ready ")
                break
            except AssertionError as error:
                if self.port is not None or "in use" not in str(error):
                    raise Missing(str(error).strip().splitlines()[-1]) from error
        self.root = self.process.ready_line.split()[1]
        self.port = urllib.parse.urlsplit(self.root).port or 27017

    def address(self):
        return urllib.parse.urlsplit(self.root).hostname, self.port

    @property
    def wire(self):
        return self.root

    def uri(self, name, address=None):
        root = urllib.parse.urlsplit(self.root)
        if address:
            root = root._replace(netloc=root.netloc.rpartition("@")[0] + "{}:{}".format(*address))
        return root._replace(path=f"/{name}").geturl()


class MongodbJava(Mongodb):
    """A second program of that protocol. It forgets what it had when it ends."""

    kind, script, keeps, stops = "mongodb-java", "tests/mongod_java/start", False, True
    wire = None  # the proxy stands before the other one


class Postgresql(Server):
    """A cluster of its own, by the newest programs that are here. It does not run as root, so it has its package's user then. Texts
    are sorted as people do, not by bytes: a store that forgets to say what it wants is found out."""

    kind, user = "postgresql", "c1d"

    def prepare(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda path: float(path.split("/")[4]))
        if not found:
            raise Missing("no PostgreSQL (Debian: postgresql)")
        self.programs = Path(found[-1]).parent
        self.owner = None
        self.data = self.folder / "data"
        if os.geteuid() == 0:
            names = {entry.pw_name for entry in pwd.getpwall()}
            self.owner = "postgres" if "postgres" in names else "nobody"
            shutil.chown(self.folder, self.owner)
        if self.data.exists():
            return
        self.run(self.programs / "initdb", "-D", self.data, "-U", self.user, "-A", "trust", "-E", "UTF8", "--no-instructions", "-N",
                 "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")

    def start(self):
        quick = [] if self.durable else ["-c", "fsync=off", "-c", "full_page_writes=off"]
        command = [self.programs / "postgres", "-D", self.data, "-p", "{port}", "-h", "127.0.0.1", "-k", self.folder,
                   "-c", "max_connections=300", "-c", "shared_buffers=32MB", *quick]
        self.launch(command, "ready to accept connections", user=self.owner, dies_by=signal.SIGQUIT)

    def run(self, *command):
        """A program of PostgreSQL's, as the user of the cluster."""
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd="/", check=False, timeout=self.start_s,
                              user=self.owner, group=self.owner, extra_groups=[] if self.owner else None)
        if done.returncode != 0:
            raise AssertionError(f"{command[0]}: {done.stderr}")
        return done.stdout

    def sql(self, name, text):
        """What psql prints for it in the place of that name: rows by line, columns by tab."""
        return self.run(self.programs / "psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", self.uri(name), "-c", text)

    def stop(self, sig=signal.SIGINT):
        super().stop(sig)

    def kill(self):
        self.stop(signal.SIGQUIT)  # it looks like a crash from both sides, but the processes of its connections go, too

    def uri(self, name, address=None):
        host, port = address or self.address()
        place = f"postgresql://{self.user}@{host}:{port}/{name}"
        if not self.process:
            return place
        root = f"postgresql://{self.user}@127.0.0.1:{self.port}/postgres"
        there = self.run(self.programs / "psql", "-X", "-A", "-t", root, "-c", f"SELECT 1 FROM pg_database WHERE datname = '{name}'")
        if not there.strip():
            self.run(self.programs / "psql", "-X", "-q", root, "-c", f'CREATE DATABASE "{name}"')
        return place


class Redis(Server):
    """With its log of what was written, as a store needs it."""

    kind = "redis"

    def prepare(self):
        self.program = shutil.which("redis-server")
        if not self.program:
            raise Missing("no Redis (Debian: redis-server)")

    def start(self):
        self.launch([self.program, "--bind", "127.0.0.1", "--port", "{port}", "--dir", self.folder, "--save", "", "--appendonly", "yes",
                     "--appendfsync", "always" if self.durable else "everysec"], "Ready to accept connections")

    def ask(self, *words):
        """A command's answer as redis-cli prints it."""
        done = subprocess.run(["redis-cli", "-p", str(self.port), *words], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        return done.stdout.strip()

    def uri(self, name, address=None):
        host, port = address or self.address()
        return f"redis://{host}:{port}/0?prefix={name}:"


class Firestore(Server):
    """Google's emulator. It forgets what it had when it ends."""

    kind, keeps = "firestore", False
    jars = "/usr/lib/google-cloud-sdk/platform/cloud-firestore-emulator/*.jar"

    def prepare(self):
        self.jar = os.environ.get("C1D_FIRESTORE_JAR") or next(iter(glob.glob(self.jars)), None)
        if not self.jar or not Path(self.jar).exists():
            raise Missing("no Firestore emulator (cloud-firestore-emulator.jar of the Google Cloud CLI; C1D_FIRESTORE_JAR names another)")
        if not shutil.which("java"):
            raise Missing("no Java for the Firestore emulator (Debian: default-jre-headless)")

    def start(self):
        self.launch(["java", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", self.jar,
                     "com.google.cloud.datastore.emulator.firestore.CloudFirestore", "start", "--host=127.0.0.1", "--port={port}"],
                    "Dev App Server is now running")
        self.warm()

    def warm(self):
        """What it is asked for the first time takes it seconds."""
        root = "projects/warm/databases/(default)/documents"
        asked = {"batchGet": {"documents": [f"{root}/threads/x"]}, "commit": {"writes": []},
                 "runQuery": {"structuredQuery": {"from": [{"collectionId": "threads"}]}}}
        connection = http.client.HTTPConnection(*self.address(), timeout=self.start_s)
        for verb, body in asked.items():
            connection.request("POST", f"/v1/{root}:{verb}", json.dumps(body), {"Authorization": "Bearer owner"})
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            answer.read()
        connection.close()

    def uri(self, name, address=None):
        return f"firestore:{name}"

    def settings(self, name, address=None):
        return {**super().settings(name), "FIRESTORE_EMULATOR_HOST": "{}:{}".format(*(address or self.address()))}


class SqliteCached(Sqlite):
    """SQLite with the cache in front of it."""

    kind = "sqlite-cached"

    def prepare(self):
        self.redis = Redis(self.folder / "redis")

    def stop(self, sig=signal.SIGTERM):
        self.redis.stop(sig)

    def settings(self, name, address=None):
        return {**super().settings(name), "REDIS_URL": "redis://{}:{}".format(*self.redis.address())}


SERVERS = {row.kind: row for row in (Sqlite, Mongodb, MongodbJava, Postgresql, Firestore, Redis, SqliteCached)}
STORES = ["mongodb", "firestore", "postgresql", "redis", "mongodb-java", "sqlite"]  # what the contract is asked of, the slowest first


def main():
    parser = argparse.ArgumentParser(prog="tests/servers.py")
    parser.add_argument("kind", choices=sorted(SERVERS))
    parser.add_argument("--dir", help="a new one that goes away with the server unless told")
    parser.add_argument("--durable", action="store_true")
    options = parser.parse_args()
    parent = os.getppid()
    told = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.append(True))
    with tempfile.TemporaryDirectory(prefix="c1d-server-", ignore_cleanup_errors=True) as scratch:
        os.chmod(scratch, 0o755)  # a server may be another user
        try:
            server = SERVERS[options.kind](Path(options.dir or scratch).absolute() / options.kind, options.durable)
        except Missing as reason:
            print(reason, file=sys.stderr)
            return 77
        settings = server.settings("c1d")
        print("ready", settings.pop("C1D_STORE"))
        for name, value in settings.items():
            print(f"{name}={value}")
        sys.stdout.flush()
        while not told and os.getppid() == parent and (not server.process or server.process.alive()):
            time.sleep(0.2)
        died = server.process is not None and not server.process.alive()
        server.stop()
        return 1 if died else 0


if __name__ == "__main__":
    sys.exit(main())
