"""The fence around a worker: what one that was taken over may not do, and that it can do what it has to. Test builds try
forbidden acts from inside a worker (src/server/sandbox_probes.c) and say how each went."""
import ctypes
import os
import pathlib
import socket
import uuid

import pytest

from house import ROOT, Upstream, wait_for

REFUSED = {"EPERM", "EACCES"}
# Which layers refuse each act, where every other is left out. Rights (no capability, closed memory) always stand.
CALLS, FILES, PORTS, SIGNALS, RIGHTS = "calls", "files", "ports", "signals", "rights"
ACTS = {
    "run_a_shell": {CALLS, FILES},
    "run_from_memory": {CALLS, FILES},
    "make_a_process": {CALLS},
    "trace_a_sibling": {CALLS, RIGHTS},
    "read_a_siblings_memory": {CALLS, RIGHTS},
    "open_a_siblings_memory": {FILES, RIGHTS},
    "open_a_siblings_environment": {FILES, RIGHTS},
    "signal_a_sibling": {CALLS, SIGNALS},
    "signal_the_supervisor": {CALLS, SIGNALS},
    "cut_the_shared_memory": {RIGHTS},
    "read_the_passwords": {FILES},
    "write_the_users": {FILES},
    "write_beside_the_program": {FILES},
    "write_in_tmp": {FILES},
    "follow_a_link_out": {FILES},
    "make_a_link_out": {CALLS, FILES},
    "list_the_root": {FILES},
    "change_root": {CALLS, RIGHTS},
    "mount_a_folder": {CALLS, RIGHTS},
    "connect_elsewhere": {PORTS},
    "take_a_port": {CALLS, PORTS},
    "listen_for_others": {CALLS},
    "open_a_raw_socket": {CALLS, RIGHTS},
    "open_a_packet_socket": {CALLS, RIGHTS},
    "open_netlink": {CALLS},
    "connect_to_an_abstract_name": {SIGNALS},
    "map_code": {CALLS},
    "turn_data_into_code": {CALLS},
    "become_root": {CALLS},
    "leave_the_namespaces": {CALLS},
    "load_bpf": {CALLS, RIGHTS},
    "watch_the_processor": {CALLS, RIGHTS},
    "ask_for_keys": {CALLS},
    "open_a_ring": {CALLS},
    "catch_page_faults": {CALLS},
    "load_a_module": {CALLS, RIGHTS},
    "set_the_clock": {CALLS, RIGHTS},
    "restart_the_machine": {CALLS, RIGHTS},
}
# These a kernel may refuse, or not know, by itself.
KERNEL = {"load_bpf", "watch_the_processor", "ask_for_keys", "open_a_ring", "catch_page_faults", "load_a_module"}
LANDLOCK = ctypes.CDLL(None).syscall(444, None, 0, 1)  # its version here; -1: none
OF_LANDLOCK = {FILES: 2, PORTS: 4, SIGNALS: 6}
HERE = {RIGHTS, CALLS} | {layer for layer, version in OF_LANDLOCK.items() if LANDLOCK >= version}
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="what an ordinary user may not do anyway proves nothing")


def probed(site, without=()):
    """{act: how it went}, in one of two workers, without some layers of the fence."""
    crash = site.folder / "state" / "crash"
    crash.mkdir(parents=True)
    secret = site.folder / "elsewhere"
    secret.write_text("not for workers")
    (crash / "link").symlink_to(secret)
    for layer in without:
        (crash / f"without-{layer}").touch()
    site.start()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0c1d-probe-{site.c1d.pid}")
        listener.listen()
        (crash / "probe").touch()
        wait_for(lambda: site.log_lines("probes done"), "all acts were tried")
    found = {line["act"]: line["result"] for line in site.log_lines("probe")}
    assert set(found) == set(ACTS)
    return found


@AS_ROOT
@pytest.mark.skipif(set(OF_LANDLOCK) - HERE, reason=f"landlock {LANDLOCK} does not offer every layer here")
def test_f18_forbidden_acts_are_refused_all_of_them(new_site):
    site = new_site(workers=2, start=False)
    found = probed(site)
    let = {act: result for act, result in found.items() if result not in REFUSED}
    assert len(found) >= 25 and not let
    assert site.chat("fault:pace=0 hello").status == 200, "and the worker that tried them works"
    assert site.worker_pids() and not site.log_lines("worker killed")


@AS_ROOT
@pytest.mark.parametrize("layer", [CALLS, FILES, PORTS, SIGNALS])
def test_f18_a_layer_that_is_taken_out_is_missed(new_site, layer):
    """Each layer is needed: without it the acts that it alone refuses are let. And what the table says is true: none that
    another layer refuses, too, is."""
    if layer not in HERE:
        pytest.skip(f"landlock {LANDLOCK} does not offer {layer}")
    found = probed(new_site(nginx=False, start=False), without=[layer])
    let = {act for act, result in found.items() if result not in REFUSED} - KERNEL
    assert let and let == {act for act, layers in ACTS.items() if layers & HERE <= {layer}} - KERNEL


def name(kind):
    return kind + uuid.uuid4().hex[:12]


def test_f18_names_are_found_inside_of_the_fence(new_site, upstream):
    """By the resolver's files, in a thread of libcurl's that did not exist when the fence was drawn."""
    port = upstream.base_url.split("//")[1].split("/")[0].split(":")[1]
    site = new_site({"THESYS_BASE_URL": upstream.base_url.replace("127.0.0.1", "localhost")}, workers=1)
    assert port and site.chat(f"fault:pace=0 {name('p')}").status == 200


@pytest.mark.xdist_group("dev_shm")  # what is left there by others says nothing
def test_f18_the_driver_of_mongodb_leaves_nothing_outside(new_site, mongod):
    """It would make a file when it is loaded, in the supervisor, which no worker could take away."""
    site = new_site({"C1D_STORE": mongod.uri(name("f"))}, workers=1)
    assert site.chat(f"fault:pace=0 {name('p')}").status == 200
    pids = [site.c1d.pid, *site.worker_pids()]
    assert not [pid for pid in pids if pathlib.Path(f"/dev/shm/mongoc-{pid}").exists()]


def test_f18_a_file_that_is_replaced_is_read_all_the_same(new_site, scratch):
    """The fence lets a file in and not its name: another certificate under the name makes new workers by itself."""
    folder = scratch / name("tls-")
    folder.mkdir()
    tls = Upstream(folder, "--tls-self", str(folder))
    try:
        ca = scratch / name("ca-")
        ca.write_text((ROOT / "tests/integration/test_sandbox.py").read_text())  # no certificate at all
        site = new_site({"THESYS_CA_FILE": str(ca)}, upstream=tls, workers=1)
        assert site.chat(f"fault:pace=0 {name('p')}").status == 502
        before = site.worker_pids()
        other = scratch / name("ca-")
        other.write_text((folder / "ca.pem").read_text())
        other.rename(ca)
        wait_for(lambda: not set(before) & set(site.worker_pids()) and len(site.worker_pids()) == 1, "another worker")
        told = site.log_lines("a file that workers read was replaced: as if a reload was asked for")
        assert [line["path"] for line in told] == [str(ca)]
        assert site.chat(f"fault:pace=0 {name('p')}").status == 200
    finally:
        site.stop()
        tls.stop()


def test_f18_a_folder_that_comes_later_is_written_all_the_same(new_site):
    """Its store lies on a disk that is mounted late."""
    site = new_site(workers=1, start=False)
    site.settings["C1D_STORE"] = f"sqlite:{site.folder}/later/on/c1d.db"
    site.start()
    assert site.get("/readyz").status == 503
    (site.folder / "later/on").mkdir(parents=True)
    wait_for(lambda: site.get("/readyz").status == 200, "the store is back")
    assert site.chat(f"fault:pace=0 {name('p')}").status == 200
