"""A house of trials: one or two nodes with a web server each, on one store, with the C1 API that fails on demand."""
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time

import life
from house import ROOT, Site, StoreProxy, Upstream, wait_for
from life import OTHER_MODEL, User, Violation, guarded
from servers import SERVERS

DISK_BYTES = 96 << 20
SANITIZERS = ("AddressSanitizer", "runtime error:", "LeakSanitizer", "ThreadSanitizer")

# What an operation may be answered besides what the other columns name. 503 and 504 come with every fault of the store and tell
# to try again; 409 is a thread that is busy with a followed answer, or an id that is there already; 404 a thread that is deleted
# or not made yet. 422 is right for a misused key alone, and 500 is never.
ALLOWED = {
    "ask": {200, 409, 503, 504},
    "misuse": {422, 409, 503, 504},
    "resume": {200, 204, 404, 409, 410, 503, 504},  # 410: no longer kept; 404: of a node that this one does not know of
    "stop": {200, 404, 409, 410, 503, 504},
    "edit": {200, 404, 409, 503, 504},
    "import": {201, 404, 409, 503, 504},
    "rename": {200, 404, 503, 504},
    "look": {200, 404, 503, 504},
    "delete": {200, 404, 503, 504},
}


class Log:
    """What happened in a trial, in order, for who has to understand a violation."""

    def __init__(self):
        self.began, self.lines = time.monotonic(), []

    def add(self, who, what, result=""):
        name = who.conversation.name if isinstance(who, User) else who
        self.lines.append(f"{(time.monotonic() - self.began) * 1000:7.0f} ms  {name}: {what} -> {result}")


class House:
    def __init__(self, scratch, kind, number):
        self.kind, self.folder = kind, scratch / f"{kind}-{number}"
        self.folder.mkdir()
        self.folder.chmod(0o755)
        self.disk = self.mount_disk()
        self.transport = "HTTP/1.1"
        self.upstream = Upstream(self.folder / "upstream")
        self.server = SERVERS[kind](((self.disk if kind == "sqlite" else None) or self.folder) / kind)
        self.proxy = StoreProxy(self.folder / "proxy", self.server.wire) if self.server.wire else None
        settings = self.server.settings("torture", self.proxy.address if self.proxy else None)
        self.nodes = [self.open_node(settings, n) for n in range(2 if self.proxy else 1)]
        self.excused, self.recovered, self.visitors, self.log = [], False, [], Log()

    def mount_disk(self):
        """A small file system for what the nodes keep; None without the right to mount one."""
        if os.geteuid() != 0:
            return None
        path = self.folder / "disk"
        path.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=755", "c1d-torture", str(path)],
                              stderr=subprocess.DEVNULL, check=False)
        return path if done.returncode == 0 else None

    def open_node(self, settings, number):
        state = (self.disk or self.folder) / f"state-{number}"
        node = Site(self.folder, self.upstream, {
            **settings, "C1D_STATE_DIR": str(state), "C1D_MODELS": OTHER_MODEL, "C1D_LOG_LEVEL": "info",
            # The search for leaks needs descriptors itself: where a fault takes them it fails, and that is no word of c1d's.
            "ASAN_OPTIONS": "detect_leaks=0:exitcode=99",
            "C1D_SAVE_WAIT_MS": "500", "C1D_DRAIN_SECONDS": "20", "C1D_STOP_SECONDS": "1", "C1D_SPOOL_RESERVE": "256k"},
            workers=2 if self.proxy else 3, start=False)
        node.crash_folder = state / "crash"
        node.crash_folder.mkdir(parents=True)
        node.start()
        return node

    def speak(self, transport):
        """From now on the C1 API is spoken with like this; the nodes begin anew when that is another way than before."""
        if transport == self.transport:
            return
        self.transport = transport
        self.upstream.stop()
        folder = self.folder / "upstream"
        self.upstream = Upstream(folder, *(["--tls-self", str(folder)] if transport == "HTTP/2" else []))
        for node in self.nodes:
            code = node.c1d.stop()
            if code != 0:
                raise Violation(f"the service ended with {code}")
            node.upstream = self.upstream
            node.settings.update(self.upstream.settings)
            node.start()

    def stop(self):
        try:
            for part in filter(None, [*self.nodes, self.proxy, self.server, self.upstream]):
                part.stop()
        finally:
            if self.disk:
                subprocess.run(["umount", "-l", str(self.disk)], check=False)

    # --- what faults do ---
    def restart(self, node, sig):
        if sig == signal.SIGKILL:
            for pid in [node.c1d.pid, *workers_of(node)]:
                end_now(pid)
            node.c1d.child.wait()
        else:
            code = node.c1d.stop(sig)
            if code != 0:
                raise Violation(f"the service ended with {code}")
        node.start()

    def crowd(self, rng, count):
        """Each asks on a thread of its own, reads a little, and all leave in the same moment."""
        all_read = threading.Barrier(count)
        visitors = [User(self, random.Random(rng.random()), f"{self.trial}-crowd{i}", self.log) for i in range(count)]

        def together():
            try:
                all_read.wait(5)
            except threading.BrokenBarrierError:
                pass  # some were refused: the others leave without them

        def visit(visitor):
            turn = visitor.new_turn()
            turn.prompt = f"fault:chunks=40;size=50;pace=20 ü🚀 {visitor.conversation.name}"
            visitor.ask_once(turn, cut_at=100, before_leaving=together)

        threads = [threading.Thread(target=guarded, args=(visitor, visit, visitor), daemon=True) for visitor in visitors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.visitors += visitors

    # --- judging as it goes ---
    def may(self, what):
        return any(getattr(fault, what) for fault in self.excused)

    def judge(self, operation, reply, conversation):
        """A status that no fault of this trial excuses."""
        status, died = reply.status, self.may("ends_workers") and not self.recovered
        if status == 0:
            fine = died or (self.may("breaks_off") and not self.recovered)
        elif status == 502 and not reply.is_ours:
            fine = died
        elif operation == "ask" and status == 502:
            fine = True  # verdict.py: only when the model was asked
        elif status == 404 and operation in ("ask", "misuse"):
            fine = conversation.deleted != "no"
        else:
            fine = status in ALLOWED[operation]
        if not fine:
            raise Violation(f"I5 {operation} of {conversation.name} is answered {status}: {reply.body[:300]!r}")
        if status == 503 and reply.is_ours and not reply.headers.get("Retry-After"):
            raise Violation(f"I5 503 without Retry-After: {operation} of {conversation.name}: {reply.body[:300]!r}")

    # --- between trials ---
    def begin(self, trial, chosen):
        self.trial, self.excused, self.recovered, self.visitors, self.log = trial, chosen, False, [], Log()
        self.upstream.ask("POST", "/stats/reset")

    def heal(self):
        """Nothing is wrong any more; whatever stays wrong is the program's."""
        if self.proxy:
            self.proxy.heal()
        for node in self.nodes:
            for wish in node.crash_folder.iterdir():
                wish.unlink()
            if not node.c1d.alive():
                raise Violation("the service has ended by itself")
        for node in self.nodes:
            wait_for(lambda node=node: is_ready(node), f"{node.folder.name} is ready again", life.recovery_s)
        self.recovered = True

    def settle_pool(self):
        """After deaths the pool is whole and its throttle begins anew: a reload forgets deaths."""
        for node in self.nodes:
            seen = len(node.log_lines("pool ready"))
            node.c1d.child.send_signal(signal.SIGHUP)
            wait_for(lambda node=node, seen=seen: len(node.log_lines("pool ready")) > seen, "the pool is ready again", life.recovery_s)

    def look_at_logs(self):
        for node in self.nodes:
            text = node.log_path.read_text("utf-8", "replace")
            for sign in SANITIZERS:
                if sign in text:
                    raise Violation(text[max(0, text.index(sign) - 200):][:4000])
            died = [line for line in node.log_lines("worker killed")]
            if died and not self.may("ends_workers"):
                raise Violation(f"a worker has died: {died}")

    def forget_logs(self):
        for node in self.nodes:
            node.log_path.write_text("")  # a long run would fill the disk

    def keep(self, words):
        """All that is known of a violation, in a folder that stays."""
        folder = ROOT / "build" / "torture" / f"{self.kind}-{self.trial}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "violation").write_text(words + "\n" + "\n".join(self.log.lines) + "\n")
        for number, node in enumerate(self.nodes):
            shutil.copy(node.log_path, folder / f"node-{number}.log")
        for name, ask in (("stats", self.upstream.stats), ("requests", self.upstream.requests)):
            try:
                (folder / f"upstream-{name}.json").write_text(json.dumps(ask(), indent=1))
            except OSError:
                pass  # it does not answer
        return folder

    def tail(self):
        """The end of each node's log, without the lines of requests that went well."""
        parts = []
        for node in self.nodes:
            lines = [line for line in node.log_path.read_text("utf-8", "replace").splitlines()
                     if '"event":"request"' not in line or '"status":5' in line]
            parts.append(f"--- {node.folder.name}\n" + "\n".join(line[:400] for line in lines[-25:]))
        return "\n".join(parts)


def workers_of(node):
    """None of a node that another fault of the trial has just ended, and begins anew."""
    try:
        return node.worker_pids()
    except (FileNotFoundError, ProcessLookupError):
        return []


def end_now(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has ended since it was listed


def is_ready(node):
    try:
        return node.get("/readyz").status == 200
    except OSError:
        return False
