"""A reload proves itself before anything is given up: what cannot start leaves what runs as it is, and says why."""
import json
import os
import signal
import threading
import uuid

import pytest
from house import DEADLINE_S, wait_for


@pytest.fixture
def conf(tmp_path):
    path = tmp_path / "c1d.conf"
    path.write_text("\n")
    return path


@pytest.fixture
def site(new_site, conf):
    return new_site({"C1D_CONFIG": str(conf)}, workers=2)


def reload(site):
    site.c1d.child.send_signal(signal.SIGHUP)


def failures(site):
    return [line["reason"] for line in site.log_lines("reload failed: what ran before it stays")]


def wait_failed(site, count=1):
    return wait_for(lambda: len(failures(site)) >= count and failures(site), "the reload has failed")


def metric(site, name):
    text = site.metrics()
    return next(int(float(line.split()[1])) for line in text.splitlines() if line.startswith(name + " "))


def ready_lines(site):
    return len(site.log_lines("worker ready"))


def held_stream(site, thread="t1"):
    gate = "g" + uuid.uuid4().hex[:8]
    stream = site.stream({"thread_id": thread, "message": f"fault:gate={gate}@40"})
    stream.read_until(b"<content")
    return stream, gate


def assert_all_json(site):
    for line in site.log_path.read_text().split("\n")[:-1]:  # the last one may be half written
        if " mongoc: " not in line:  # of the driver's own, before it has a handler
            json.loads(line)


def spool_that_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    return f"C1D_SPOOL_DIR={tmp_path}/file/spool"


def spool_in_a_missing_place(tmp_path):
    return f"C1D_SPOOL_DIR={tmp_path}/not/there"


def state_in_a_missing_place(tmp_path):
    return f"C1D_STATE_DIR={tmp_path}/not/there"


def store_that_is_none(tmp_path):
    (tmp_path / "garbage.db").write_text("no database" * 100)
    return f"C1D_STORE=sqlite:{tmp_path}/garbage.db"


def unknown_setting(_):
    return "C1D_WORKRES=2"


@pytest.mark.parametrize("wrong", [spool_that_is_no_folder, spool_in_a_missing_place, state_in_a_missing_place,
                                   store_that_is_none, unknown_setting])
def test_r2_reload_that_cannot_start_keeps_the_old(new_site, conf, tmp_path, wrong):
    site = new_site({"C1D_CONFIG": str(conf)}, workers=2, start=False)
    state = site.settings.pop("C1D_STATE_DIR")
    conf.write_text(f"C1D_STATE_DIR={state}\n")
    site.start()
    before = sorted(site.worker_pids())
    stream, gate = held_stream(site)
    line = wrong(tmp_path)
    conf.write_text((f"C1D_STATE_DIR={state}\n" if "STATE_DIR" not in line else "") + line + "\n")
    reload(site)
    reason, = wait_failed(site)
    assert sorted(site.worker_pids()) == before and not site.log_lines("worker stops")
    answer = site.get("/readyz")
    assert answer.status == 200 and reason in answer.json()["warnings"]
    assert str(tmp_path) not in answer.text  # which anybody may read
    assert metric(site, "c1d_reload_failed") == 1 and metric(site, "c1d_reloads_failed_total") == 1
    assert site.chat("still there", "t2").status == 200
    site.upstream.open_gate(gate)
    assert stream.read_all().endswith(b"</content>")
    # The next SIGHUP may try again.
    conf.write_text(f"C1D_STATE_DIR={state}\n")
    reload(site)
    wait_for(lambda: ready_lines(site) == 4, "a new generation")
    wait_for(lambda: not set(before) & set(site.worker_pids()), "the old one is gone")
    assert site.get("/readyz").json()["status"] == "ready" and "reload" not in site.get("/readyz").text
    assert metric(site, "c1d_reload_failed") == 0
    assert_all_json(site)


def test_r35_every_problem_of_a_refused_reload_is_a_line_of_the_log(site, conf):
    conf.write_text("C1D_WORKRES=2\nC1D_TREADS=4\nC1D_RUNS_MAX=many\n")
    reload(site)
    wait_failed(site)
    problems = " | ".join(line["problem"] for line in site.log_lines("reload refused"))
    assert "C1D_WORKERS" in problems and "C1D_THREADS" in problems and "C1D_RUNS_MAX" in problems
    assert_all_json(site)


def test_r2_program_that_cannot_be_executed_keeps_the_old(new_site, tmp_path):
    program = tmp_path / "c1d"
    original = os.environ.get("C1D_BIN", "build/c1d")
    program.symlink_to(os.path.abspath(original))
    site = new_site(program=str(program), workers=1)
    before = site.worker_pids()
    program.unlink()
    reload(site)
    assert wait_failed(site) == ["The program cannot be executed."]
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    program.chmod(0o755)
    reload(site)
    wait_failed(site, 2)
    assert site.worker_pids() == before and site.get("/readyz").status == 200


def test_r2_settings_that_go_wrong_behind_the_trial_keep_the_old(new_site, conf, tmp_path):
    """The trial was good, and then somebody wrote: no workers are started, those that were there serve on."""
    program = tmp_path / "c1d"
    original = os.path.abspath(os.environ.get("C1D_BIN", "build/c1d"))
    # Runs the trial, then breaks the settings, and says that the trial was good.
    program.write_text(f"""#!/bin/bash
case "$*" in
*--trial*) "{original}" "$@" || exit; echo C1D_WORKRES=2 >>"{conf}"; exit 0;;
esac
exec -a "$0" "{original}" "$@"
""")
    program.chmod(0o755)
    site = new_site({"C1D_CONFIG": str(conf)}, program=str(program), workers=2)
    before = sorted(site.worker_pids())
    stream, gate = held_stream(site)
    reload(site)
    wait_failed(site)
    assert sorted(site.worker_pids()) == before
    assert site.get("/readyz").status == 200 and site.chat("on it goes", "t2").status == 200
    site.upstream.open_gate(gate)
    assert stream.read_all().endswith(b"</content>")
    conf.write_text("\n")
    program.unlink()
    program.symlink_to(original)
    reload(site)
    wait_for(lambda: ready_lines(site) == 4, "a new generation")
    wait_for(lambda: not set(before) & set(site.worker_pids()), "the old one is gone")


def test_r2_workers_that_fail_behind_the_trial_keep_the_old(new_site, conf, tmp_path):
    """The trial was good, the new generation cannot start all the same: the old one is never told to stop."""
    program = tmp_path / "c1d"
    original = os.path.abspath(os.environ.get("C1D_BIN", "build/c1d"))
    spool = tmp_path / "spool"
    program.write_text(f"""#!/bin/bash
case "$*" in
*--trial*) "{original}" "$@" || exit; rm -r "{spool}"; touch "{spool}"; exit 0;;
esac
exec -a "$0" "{original}" "$@"
""")
    program.chmod(0o755)
    site = new_site({"C1D_CONFIG": str(conf)}, program=str(program), workers=2)
    before = set(site.worker_pids())
    stream, gate = held_stream(site)
    conf.write_text(f"C1D_SPOOL_DIR={spool}\n")
    reload(site)
    assert wait_failed(site) == ["A worker of the new generation could not start."]
    wait_for(lambda: len(site.log_lines("worker not started")) >= 2, "both have tried")
    assert before <= set(site.worker_pids()) and not site.log_lines("worker stops")
    assert site.get("/readyz").status == 200 and site.chat("on it goes", "t2").status == 200
    site.upstream.open_gate(gate)
    assert stream.read_all().endswith(b"</content>")
    # Mended where it is wrong, without a further reload: each place is tried again.
    spool.unlink()
    wait_for(lambda: not before & set(site.worker_pids()), "the new generation has taken over", 4 * DEADLINE_S)  # a place may have waited long
    wait_for(lambda: metric(site, "c1d_reload_failed") == 0, "the reload is no longer told as failed")


def test_r2_next_reload_does_not_wait_for_streams_of_the_one_before(site):
    streams = []
    for n in range(2, 5):
        streams.append(held_stream(site, f"t{n}"))
        reload(site)
        wait_for(lambda: ready_lines(site) == 2 * n, f"generation {n}")
    for stream, gate in streams:
        site.upstream.open_gate(gate)
        assert stream.read_all().endswith(b"</content>")
    wait_for(lambda: len(site.worker_pids()) == 2, "only the newest is left")


def test_r2_one_place_that_cannot_be_filled_holds_up_no_reload(new_site, conf, tmp_path):
    """The first worker has opened the folder; then it is gone, and who comes later cannot."""
    spool = tmp_path / "spool"
    conf.write_text(f"C1D_SPOOL_DIR={spool}\n")
    site = new_site({"C1D_CONFIG": str(conf)}, workers=2)
    victim = site.worker_pids()[0]
    spool.rename(tmp_path / "moved")
    spool.write_text("")
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: site.log_lines("worker not started"), "its place is not filled")
    assert site.get("/readyz").status == 200
    conf.write_text(f"C1D_SPOOL_DIR={tmp_path}/moved\n")
    before = ready_lines(site)
    reload(site)
    wait_for(lambda: ready_lines(site) == before + 2, "a whole generation")
    assert site.chat("hello", "t1").status == 200


def test_d10_reload_that_comes_before_the_pool_is_a_reload(new_site, tmp_path):
    """Its settings are a pipe, in which it stands still while it is told."""
    path = tmp_path / "c1d.conf"
    os.mkfifo(path)
    site = new_site({"C1D_CONFIG": str(path)}, workers=1, start=False)

    def tell():
        with open(path, "w", encoding="utf-8"):  # opens once it is read
            wait_for(lambda: site.c1d, "the process is known")
            reload(site)
            path.unlink()  # the trial of the reload finds a file
            path.write_text("")

    telling = threading.Thread(target=tell)
    telling.start()
    site.start()
    telling.join()
    assert len(site.told("pool ready", 2)) == 2


def test_r19_reload_cuts_no_answer_off_by_default(new_site):
    """As long as an answer may take, and until it is saved."""
    site = new_site({"C1D_TOTAL_MS": "700000", "C1D_SAVE_WAIT_MS": "2500"}, workers=1)
    stream, gate = held_stream(site)
    reload(site)
    stops = wait_for(lambda: site.log_lines("worker stops"), "the old one is told")
    assert stops[0]["within_s"] == 703
    site.upstream.open_gate(gate)
    assert stream.read_all().endswith(b"</content>")


def test_t14_missing_key_is_told_at_the_start_and_in_readyz(new_site):
    site = new_site({"THESYS_API_KEY": ""}, workers=1)
    assert [line["level"] for line in site.log_lines("THESYS_API_KEY is not set: the C1 API will refuse every question")] \
        == ["warn"]
    answer = site.get("/readyz")
    assert answer.status == 200 and answer.json()["status"] == "ready"
    assert any("THESYS_API_KEY" in words for words in answer.json()["warnings"])
