"""Descriptors: all that may be had are, what fits is said, and who comes when they are used up is told so."""
import http.client
import json
import os
import resource
import subprocess
import uuid
from pathlib import Path

import pytest
from house import DEADLINE_S, wait_for
from workers import follow


@pytest.fixture
def limited(tmp_path):
    """A program that runs c1d with so many descriptors at most."""
    def make(soft, hard):
        program = tmp_path / "limited"
        original = os.path.abspath(os.environ.get("C1D_BIN", "build/c1d"))
        program.write_text(f'#!/bin/sh\nulimit -Sn {soft} && ulimit -Hn {hard} && exec "{original}" "$@"\n')
        program.chmod(0o755)
        return str(program)
    return make


def limits_of(pid):
    line = next(line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if line.startswith("Max open files"))
    return line.split()[3:5]


def test_r17_descriptors_are_raised_to_the_hard_limit(new_site, limited):
    site = new_site({"C1D_RUNS_MAX": "100", "C1D_AUTH": "visitor"}, program=limited(256, 4096), workers=1)
    for pid in [site.c1d.pid, *site.worker_pids()]:
        assert limits_of(pid) == ["4096", "4096"]
    line, = site.log_lines("descriptors")
    assert line["a_process"] == 4096 and line["answers_a_worker"] == 100
    assert not [line for line in site.log_lines() if line["level"] == "warn" and "descriptor" in line["event"]]


def test_r17_what_does_not_fit_is_said_and_refused_as_too_much(new_site, limited):
    """Not as an API that cannot be reached; and what fits is served to its end."""
    settings = {"C1D_THREADS": "4", "C1D_FIRST_BYTE_MS": "60000", "C1D_IDLE_MS": "120000"}
    site = new_site(settings, program=limited(400, 400), workers=1)
    fits = site.log_lines("descriptors")[0]["answers_a_worker"]
    assert 20 < fits < 100
    warning, = [line for line in site.log_lines() if "do not suffice" in line["event"]]
    assert warning["asked"] == 5000 and warning["answers_a_worker"] == fits
    gate = "g" + uuid.uuid4().hex[:8]

    def ask(n):
        return site.stream({"thread_id": f"t{n}", "message": f"fault:chunks=3;size=40;pace=0;gate={gate}@40 {n}"})

    streams = [ask(n) for n in range(fits)]
    assert {stream.status for stream in streams} == {200}
    # Every other one has a second one who follows it.
    followers = [follow(site, stream.headers["X-Run-Id"]) for stream in streams[::2]]
    assert {follower.status for follower in followers} == {200}
    for n in range(5):
        refused = ask(f"more{n}")
        assert refused.status == 503 and refused.headers["Retry-After"]
        assert b'"overloaded"' in refused.read_all()
    assert site.get("/readyz").status == 200
    site.upstream.open_gate(gate)
    for stream in streams + followers:
        assert stream.read_all().endswith(b"</content>")
    wait_for(lambda: len(site.log_lines("run ended")) == fits, "all ended")
    assert {line["status"] for line in site.log_lines("run ended")} == {"complete"}
    assert not site.log_lines("connections wait: no descriptors or memory left")


def test_r17_who_came_while_there_was_no_descriptor_is_served_when_there_is_one(new_site):
    """Nobody else comes: what told the worker of the connection has told of it already. It asks for nothing that takes a descriptor
    of its own: the store, who found none either, may be thought away a moment longer."""
    site = new_site(workers=1)
    worker, = site.worker_pids()
    soft, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (0, hard))
    waits = http.client.HTTPConnection(site.host, site.port, timeout=DEADLINE_S)
    waits.request("POST", "/api/chat", json.dumps({"message": ""}), {"Content-Type": "application/json"})
    wait_for(lambda: site.log_lines("connections wait: no descriptors or memory left"), "the log tells")
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (soft, hard))
    answer = waits.getresponse()
    assert answer.status == 422 and json.loads(answer.read())["code"] == "validation"
    waits.close()


def test_r17_two_workers_carry_ten_thousand_answers_where_a_process_may_open_20000(new_site, limited):
    site = new_site(program=limited(1024, 20000), workers=2)
    assert {line["answers_a_worker"] for line in site.log_lines("descriptors")} == {5000}
    assert not [line for line in site.log_lines() if "do not suffice" in line["event"]]


def test_r17_check_says_what_fits(new_site, limited):
    site = new_site(nginx=False, start=False)
    for hard, words in ((4096, "OK   descriptors: 4096 here"), (400, "WARN descriptors: 400 here")):
        done = subprocess.run([limited(256, hard), "check"], env={**site.environment(), "C1D_RUNS_MAX": "500"},
                              capture_output=True, text=True, check=False, timeout=60)
        assert words in done.stdout, done
