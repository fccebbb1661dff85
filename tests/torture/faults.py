"""What goes wrong in a trial. Each fault is a function of the house and a random source; it ends by itself and leaves the house
as it was, but for what the program has to mend. FAULTS says what a fault excuses."""
import os
import resource
import signal
import sqlite3
import time
from typing import NamedTuple

from houses import end_now, workers_of

POINTS = ["turn_unnamed", "turn_spooled", "turn_claimed", "turn_saved", "turn_prepared", "turn_ended", "thread_marked", "run_begun",
          "run_before_append", "tail_written", "run_appended", "run_sent", "run_before_end", "run_ended", "run_saved", "save_before",
          "save_stored", "save_marked"]
CROWD = 8


def pause(rng, longest_s):
    time.sleep(rng.random() * longest_s)  # the moment of a fault is random; nothing is awaited here


# --- processes ---
def crash(house, rng):
    """The next worker that comes to this point of the code dies there."""
    (rng.choice(house.nodes).crash_folder / rng.choice(POINTS)).write_text("")


def kill(house, rng):
    pause(rng, 0.15)
    pids = workers_of(rng.choice(house.nodes))
    if pids:
        end_now(rng.choice(pids))


def reload(house, rng):
    node = rng.choice(house.nodes)
    for _ in range(rng.randint(1, 3)):
        pause(rng, 0.1)
        node.c1d.child.send_signal(signal.SIGHUP)


def restart(house, rng):
    pause(rng, 0.1)
    house.restart(rng.choice(house.nodes), signal.SIGTERM)


def kill_all(house, rng):
    pause(rng, 0.15)
    house.restart(rng.choice(house.nodes), signal.SIGKILL)


def web_server(house, rng):
    pause(rng, 0.15)
    node = rng.choice(house.nodes)
    node.nginx.stop(rng.choice([signal.SIGTERM, signal.SIGKILL]))
    node.start_nginx()


# --- clients ---
def crowd(house, rng):
    """Visitors without a name who all leave at once, as when a web server ahead of ours goes."""
    house.crowd(rng, CROWD)


# --- the store ---
def outage(house, rng):
    pause(rng, 0.1)
    house.server.kill()
    pause(rng, 0.3)
    house.server.start()


def cut(house, rng):
    """Some connections end before or after some command."""
    for _ in range(rng.randint(1, 4)):
        house.proxy.rule(rng.choice(["cut_before", "cut_after", "half"]), skip=rng.randint(0, 25), times=rng.randint(1, 3))
    pause(rng, 1.0)


def late(house, rng):
    house.proxy.rule("delay", ms=rng.randint(1, 25), times=0)
    pause(rng, 1.0)


def hold(house, rng):
    house.proxy.rule(rng.choice(["stall_before", "stall_after"]), skip=rng.randint(0, 15), times=rng.randint(1, 4))
    pause(rng, 1.0)


def refuse(house, rng):
    pause(rng, 0.2)
    house.proxy.mode("refuse")
    pause(rng, 0.5)


def step_down(house, rng):
    """The server says, for some commands, that it is no primary or that it shuts down."""
    house.proxy.rule("error", skip=rng.randint(0, 15), times=rng.randint(1, 5), code=rng.choice([91, 10107, 11600]))
    pause(rng, 0.5)


def lock(house, rng):
    """Another program writes to the database's file."""
    pause(rng, 0.2)
    other = sqlite3.connect(house.server.folder / "torture.db", isolation_level=None, timeout=10)
    other.execute("BEGIN IMMEDIATE")
    pause(rng, 0.8)
    other.execute("ROLLBACK")
    other.close()


# --- the machine ---
def descriptors(house, rng):
    """Each worker of a node may open only a few more than it has."""
    pause(rng, 0.1)
    node, before = rng.choice(house.nodes), {}
    for pid in workers_of(node):
        try:
            limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            taken = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}
            if not taken:
                continue  # it is ending
            free = [fd for fd in range(max(taken) + 10) if fd not in taken]
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (free[rng.randint(0, 5)], limits[1]))
            before[pid] = limits
        except OSError:
            pass  # it has just ended
    pause(rng, 1.0)
    for pid, limits in before.items():
        try:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        except OSError:
            pass


def disk(house, rng):
    """The file system of state folder, spool and SQLite's file has no room left."""
    pause(rng, 0.2)
    ballast = house.disk / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            pass
    pause(rng, 0.5)
    ballast.unlink()


def nothing(house, rng):
    """Clients that leave and ask again are fault enough."""


class Fault(NamedTuple):
    run: object
    weight: int
    store: str = ""           # only on this one; "wire": on those that are asked over one, "keeps": and outlive their death
    ends_workers: bool = False  # then the web server may answer 502 by itself, and an answer may be `interrupted`
    interrupts: bool = False  # an answer may be `interrupted` though no worker ended
    fails_calls: bool = False  # the C1 API may be out of reach: 502 and status `error`
    breaks_off: bool = False  # connections of clients may end
    starts: bool = False      # a process, which is to live as long as the thread that starts it


FAULTS = [
    Fault(nothing, 2),
    Fault(crash, 4, ends_workers=True),
    Fault(kill, 2, ends_workers=True),
    Fault(reload, 2),
    Fault(restart, 1, ends_workers=True, starts=True),
    Fault(kill_all, 1, ends_workers=True, starts=True),
    Fault(web_server, 1, breaks_off=True, starts=True),
    Fault(crowd, 2),
    Fault(outage, 1, "keeps", starts=True),
    Fault(cut, 5, "wire"),
    Fault(late, 1, "wire"),
    Fault(hold, 1, "wire"),
    Fault(refuse, 1, "wire"),
    Fault(step_down, 1, "mongodb"),
    Fault(lock, 2, "sqlite"),
    Fault(descriptors, 2, fails_calls=True),
    Fault(disk, 2, interrupts=True),
]


def choose(rng, house, only=None):
    """One fault, now and then two at once."""
    kinds = {"", house.kind} | ({"wire"} if house.proxy else set()) | ({"keeps"} if house.proxy and house.server.keeps else set())
    there = [fault for fault in FAULTS if fault.store in kinds and (fault.run is not disk or house.disk)
             and (not only or fault.run.__name__ in only)]
    chosen = rng.choices(there, [fault.weight for fault in there], k=1 if rng.random() < 0.8 else 2)
    return chosen if len(set(chosen)) == len(chosen) else chosen[:1]
