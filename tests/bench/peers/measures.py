"""What is measured of a target: its processes' time and memory from /proc, and what its clients see."""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from targets import BUILD, KEY, Process, token  # noqa: F401 (KEY: as the peers have it)

TICK = os.sysconf("SC_CLK_TCK")
SETTLE_S = 0.6  # between the last chat's beginning and the first look
CLEAN_P50_MS, CLEAN_P99_MS = 5, 50


class Upstream:
    """The C1 API of the bench, in the clear or over TLS. One serves every shape: a question says its own."""

    def __init__(self, scratch, kind):
        tls = ["--tls", str(scratch)] if kind == "tls" else []
        self.process = Process([str(BUILD / "tests/bench/upstream"), "1", "20", "1", *tls], scratch, f"upstream-{kind}", ready="ready ")
        words = self.process.ready_line.split()
        self.base_url, ca_file = words[1], words[2] if tls else None
        # The address, and whom to believe: of c1d and most peers, and of Node.
        self.settings = {"THESYS_BASE_URL": self.base_url, **({"THESYS_CA_FILE": ca_file, "NODE_EXTRA_CA_CERTS": ca_file} if tls else {})}

    def stop(self):
        self.process.stop()


class Stub:
    """The store of the bench; turns: the file in which it tells how long it had each command of a chat."""

    def __init__(self, scratch, turns=None):
        self.turns = turns
        self.process = Process([str(BUILD / "tests/bench/store_stub"), *([str(turns)] if turns else [])], scratch, "stub", ready="ready ")
        self.uri = self.process.ready_line.split()[1]

    def stop(self):
        self.process.stop()


# --- /proc ---
def cpu_s(pids):
    """User and system time, of all threads: in nanoseconds where the kernel counts them, else in its ticks."""
    total = 0
    for pid in pids:
        try:
            total += sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9
        except FileNotFoundError:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / TICK
    return total


def pss_kib(pids):
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total


class Look:
    """Time and memory of a target at one moment."""

    def __init__(self, target, chunks=0, memory=False):
        app, nginx = target.app_pids(), target.nginx_pids()
        self.at_s, self.chunks = time.monotonic(), chunks
        self.app_s, self.nginx_s = cpu_s(app), cpu_s(nginx)
        self.app_kib, self.nginx_kib = (pss_kib(app), pss_kib(nginx)) if memory else (0, 0)


def cost(before, after, count):
    """CPU microseconds each of so many things: the app's, and with nginx's."""
    app, nginx = (after.app_s - before.app_s) / count * 1e6, (after.nginx_s - before.nginx_s) / count * 1e6
    return {"app_us": round(app, 2), "us": round(app + nginx, 2)}


# --- the load ---
def load(target, *words, timeout=200):
    """Starts it; its lines come as they are printed."""
    command = [str(BUILD / "tests/bench/load"), words[0], str(target.port), *map(str, words[1:])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "BENCH_TOKEN": token()})


def result_of(process):
    """The last line."""
    lines = process.stdout.read().splitlines()
    process.wait()
    if not lines:
        raise SystemExit("the load generator said nothing")
    return json.loads(lines[-1])


def streams(target, count, rate, seconds, ramp_s):
    """`count` chats at once, `rate` deltas a second among them. What a delta costs is measured in mid stream, so that beginnings
    and ends of turns are not in it."""
    result_of(load(target, "streams", 10, "shape=10,60,20"))  # warm
    idle = Look(target, memory=True)
    pace_ms = count * 1000 / rate
    chunks = max(2, round((ramp_s + SETTLE_S + seconds + 1) * 1000 / pace_ms))
    process = load(target, "streams", count, f"shape={chunks},60,{pace_ms:.3f}", f"ramp={ramp_s * 1000:.0f}")
    steady_s = first = last = final = None
    for line in process.stdout:
        if line.startswith("{"):
            final = json.loads(line)
            continue
        _, sent, state = line.split()
        now = time.monotonic()
        steady_s = steady_s or (now if state == "steady" else None)
        if state == "steady" and not first and now - steady_s >= SETTLE_S:
            first = Look(target, int(sent))
        elif state == "steady" and first and not last and now - first.at_s >= seconds:
            last = Look(target, int(sent), memory=True)
    process.wait()
    row = {"failed": final["failed"], "lost": count * chunks - final["chunks"], "first_p50_ms": final["first_p50_ms"],
           "first_p99_ms": final["first_p99_ms"]}
    if not last:
        print(f"    {target.name}: never {count} at once in steady flow: {final}\n{target.log()}", file=sys.stderr)
        return row
    row |= cost(first, last, last.chunks - first.chunks)
    row |= {"per_s": round((last.chunks - first.chunks) / (last.at_s - first.at_s)), "p50_ms": final["p50_ms"], "p99_ms": final["p99_ms"],
            "mib": round((last.app_kib + last.nginx_kib) / 1024, 1)}
    if count >= 1000:  # of fewer it tells what allocators do
        row |= {"app_kib": round((last.app_kib - idle.app_kib) / count, 1),
                "kib": round((last.app_kib + last.nginx_kib - idle.app_kib - idle.nginx_kib) / count, 1)}
    return row


def covered(spans):
    """How long at least one of them was under way."""
    total, end = 0, 0
    for begun, ended in sorted(spans):
        total += max(0, ended - max(begun, end))
        end = max(end, ended)
    return total


def numbers(path):
    """{thread: [numbers of a line...]}"""
    found = {}
    for line in path.read_text().splitlines():
        thread, *rest = line.split()
        found.setdefault(thread, []).append(tuple(map(int, rest)))
    return found


def beyond(turns, stored):
    """Of each chat, in milliseconds: from its question to the first text, less the model's own time; the same less what the store
    had of it: its commands that came before the model was asked, from their arrival to their answer."""
    whole, rest = [], []
    for thread, [(sent, asked, answered, seen)] in turns.items():
        spent = covered([(begun, min(ended, asked)) for begun, ended in stored.get(thread, []) if begun < asked])
        whole.append((seen - sent - (answered - asked)) / 1e6)
        rest.append(whole[-1] - spent / 1e6)
    return whole, rest


def quantile(values, q):
    return round(sorted(values)[int(q * (len(values) - 1))], 3)


def first_byte(target, count, each_s, seconds, stub):
    """`count` chats at once for a while: each lasts so long and is followed by another. The time to the first byte is what is
    looked at, without the model's own and the store's."""
    stub.turns.write_text("")
    turns = target.folder / "turns"
    result_of(load(target, "streams", 10, "shape=10,60,20"))
    final = result_of(load(target, "streams", count, f"shape={each_s * 10:.0f},60,100", f"ramp={each_s * 1000:.0f}", f"seconds={seconds + each_s}",
                           f"turns={turns}"))
    whole, rest = beyond(numbers(turns), numbers(stub.turns))
    return {"failed": final["failed"], "first_p50_ms": quantile(rest, 0.5), "first_p99_ms": quantile(rest, 0.99),
            "stored_p50_ms": quantile(whole, 0.5), "stored_p99_ms": quantile(whole, 0.99), "chats": len(rest)}


REQUESTS = {
    "create": ("POST", "/api/threads", '{"title":"How did sales go in the north?"}', 1),
    "list 50": ("GET", "/api/threads?limit=50&user_id=bench", "", 1),
    "200 messages": ("GET", "/api/threads/full/messages?limit=200", "", 1),
    "delete": ("DELETE", "/api/threads/t{n}", "", 9_999_999),
    "health": ("GET", "/api/health", "", 1),
}


def request(target, name, seconds, connections=16, warm_s=1):
    words = (*REQUESTS[name][:3], REQUESTS[name][3])
    result_of(load(target, "requests", connections, warm_s, *words))  # also what compiles as it runs
    before = Look(target)
    final = result_of(load(target, "requests", connections, seconds, *words))
    after = Look(target)
    return {"failed": final["failed"], "per_s": round(final["samples"] / final["seconds"]), "p50_ms": final["p50_ms"], "p99_ms": final["p99_ms"],
            **cost(before, after, max(1, final["samples"]))}


def is_clean(row, rate):
    return not row["failed"] and not row["lost"] and row.get("per_s", 0) >= 0.97 * rate and row["p50_ms"] < CLEAN_P50_MS and \
        row["p99_ms"] < CLEAN_P99_MS


def clean_rate(start, rates, count, seconds):
    """The highest of the rates at which `count` streams come through clean, by halving; start() gives a fresh target."""
    low, high, best = 0, len(rates) - 1, 0
    while low <= high:
        middle = (low + high) // 2
        target = start()
        try:
            row = streams(target, count, rates[middle], seconds, 2)
        finally:
            target.stop()
        if is_clean(row, rates[middle]):
            best, low = rates[middle], middle + 1
        else:
            high = middle - 1
    return {"rate": best}
