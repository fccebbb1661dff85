"""Who calls: servers with API keys, as c1d's own commands make them, and the other commands that are typed beside a service."""
import subprocess
import uuid

from attackers import Browser, bearer
from house import DEADLINE_S, wait_for


def run(site, *words, exit_code=0, user=None):
    """A command of c1d's with the settings of this site."""
    done = subprocess.run([site.program, *words], env=site.environment(), text=True, capture_output=True, check=False,
                          timeout=DEADLINE_S * 2, stdin=subprocess.DEVNULL, cwd="/", user=user, group=user,
                          extra_groups=[] if user else None)
    assert done.returncode == exit_code, (words, done)
    return done


def unique(kind):
    return f"{kind}-{uuid.uuid4().hex[:12]}"


def key(site, name, scopes=None, *more):
    """The text of a new key."""
    words = ["--scopes", scopes] if scopes else []
    return run(site, "keys", "add", name, *words, *more).stdout.strip()


def server(site, name=None, scopes=None):
    """One that sends a new key along; `user_id` is whom it is without act."""
    name = name or unique("srv")
    caller = Browser(site, **bearer(key(site, name, scopes)))
    caller.name, caller.user_id = name, f"key-{name}"
    return caller


def known(caller):
    """The same, once its new key is taken."""
    wait_for(lambda: caller.get("/api/runs/x").status != 401, "the key is taken")
    return caller
