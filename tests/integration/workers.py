"""Which worker has a run, and how a test gets another one to answer: left alone, the kernel may give every connection
of a quiet pool to one worker, and a test of two workers would see only one."""
import os
import signal
from contextlib import contextmanager
from pathlib import Path

from house import Stream, wait_for

EDGES, EXCLUSIVE = 1 << 31, 1 << 28  # EPOLLET, EPOLLEXCLUSIVE


def open_files_of(site, run):
    """(worker, open for writing) for each descriptor of the run's file."""
    for pid in site.worker_pids():
        folder = Path(f"/proc/{pid}/fd")
        try:
            descriptors = os.listdir(folder)
        except FileNotFoundError:
            continue  # ended in between
        for fd in descriptors:
            try:
                if os.readlink(folder / fd).endswith(f"/{run}"):
                    info = Path(f"/proc/{pid}/fdinfo/{fd}").read_text()
                    flags = int(next(line for line in info.splitlines() if line.startswith("flags:")).split()[1], 8)
                    yield pid, flags & os.O_ACCMODE == os.O_RDWR
            except OSError:
                pass  # closed in between


def owner_of(site, run):
    """The worker that writes the run's file."""
    owners = [pid for pid, writes in open_files_of(site, run) if writes]
    assert owners, f"nobody writes {run}"
    return owners[0]


def readers_of(site, run):
    """The workers that read it only: some client of theirs follows a run of another worker."""
    return {pid for pid, writes in open_files_of(site, run) if not writes}


def spool_file(site, run):
    """Where the run's file lies: kept, once its answer is saved, or live."""
    spool = site.folder / "state" / "spool"
    return next(spool.glob(f"done/*/{run}"), spool / run)


def kept_connections(pid):
    """The descriptors of nginx's kept connections at this worker: what the epoll of its request threads watches for edges, but for the
    listener."""
    found = []
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            lines = [line.split() for line in info.read_text().splitlines() if line.startswith("tfd:")]
        except OSError:
            continue  # closed in between
        found += [int(line[1]) for line in lines if int(line[3], 16) & (EDGES | EXCLUSIVE) == EDGES]
    return found


@contextmanager
def frozen(pid, short_requests=True):
    """The worker does nothing meanwhile, so others have to. Not in the middle of a write to SQLite: that would hold up
    every other writer too. Nor while nginx keeps connections to it, if short requests are to come: nginx would send them
    there, where nobody reads them."""
    try:
        if short_requests:
            wait_for(lambda: not kept_connections(pid), "nginx has let go of its connections to the worker")
        wait_for(lambda: stands_still_without_a_lock(pid), "the worker stands still")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def stands_still_without_a_lock(pid):
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: is_stopped(pid), "every thread of it stands still")
    if not holds_sqlite_writers(pid):
        return True
    os.kill(pid, signal.SIGCONT)
    return False


def holds_sqlite_writers(pid):
    """The one byte of the -shm file that whoever writes has locked (https://sqlite.org/walformat.html#wal_locks)."""
    locks = (line.split() for line in Path("/proc/locks").read_text().splitlines())
    return any(lock[1:5] == ["POSIX", "ADVISORY", "WRITE", str(pid)] and lock[6] == "120" for lock in locks)


def is_stopped(pid):
    """Every thread of it: one that still runs could take a connection with it into the standstill."""
    try:
        states = [stat.read_text().rpartition(")")[2].split()[0] for stat in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:
        return False  # one that ran ended in between
    return set(states) == {"T"}


def follow(site, run, query="", headers=None):
    return Stream(site.host, site.port, "GET", f"/api/runs/{run}/stream{query}", None, headers or {})


def follow_elsewhere(site, run, query="", headers=None):
    """A follower on a worker that is not the owner. The run has bytes already, so its head comes at once."""
    owner = owner_of(site, run)
    with frozen(owner, short_requests=False):
        follower = follow(site, run, query, headers)
        follower.read_some()
    assert readers_of(site, run) - {owner}, "it is on the owner"
    return follower
