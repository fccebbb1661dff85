"""Health and figures, on each store: what monitors and Prometheus see of the whole pool."""
import collections
import datetime
import os
import re
import signal
import socket
import subprocess
import time
import uuid

import pytest

import fcgi
from api import UNKNOWN, make, problem, wait_at_gate
from house import in_parallel, wait_for

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SAMPLE = re.compile(r'([a-z_0-9]+)(\{[a-z_]+="[^"\\]*"(?:,[a-z_]+="[^"\\]*")*\})? (-?[0-9.]+)')


def quick(text=""):
    return f"fault:pace=0 {text} {uuid.uuid4().hex}"


# --- health ---
@pytest.mark.parametrize("path", ["/health", "/api/health"])
def test_health_tells_the_service_and_what_it_needs(site, store_kind, path):
    site.chat(quick())
    answer = site.get(path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    body = answer.json()
    assert set(body) == {"status", "timestamp", "services"} and body["status"] == "healthy"
    assert TIME.fullmatch(body["timestamp"])
    told = datetime.datetime.fromisoformat(body["timestamp"])
    assert abs((datetime.datetime.now(datetime.timezone.utc) - told).total_seconds()) < 10
    assert set(body["services"]) == {"database", "llm_api"}
    database, llm = body["services"]["database"], body["services"]["llm_api"]
    assert database == {"status": "up", "kind": store_kind, "down_since": None}
    assert llm["status"] == "up" and TIME.fullmatch(llm["last_ok"]) and set(llm) == {"status", "last_ok", "last_error"}


def test_a_model_that_fails_makes_the_service_degraded_not_down(new_site):
    site = new_site(workers=2)
    for _ in range(3):
        site.chat(quick("fault:status=500"))
    answer = site.get("/health")
    assert (answer.status, answer.json()["status"]) == (200, "degraded")
    llm = answer.json()["services"]["llm_api"]
    assert llm["status"] == "down" and TIME.fullmatch(llm["last_error"])
    assert site.get("/readyz").status == 200
    site.chat(quick())
    assert site.get("/health").json()["status"] == "healthy"


def test_r34_one_failure_or_a_clients_own_is_no_outage(new_site):
    site = new_site(workers=2)
    site.chat(quick())
    for fault in ("status=500", "status=400", "finish=content_filter", "status=422", "status=400", "status=503"):
        site.chat(quick(f"fault:{fault}"))
        answer = site.get("/health").json()
        assert (answer["status"], answer["services"]["llm_api"]["status"]) == ("healthy", "up"), fault


def test_a_turn_counts_its_tokens(site):
    before = figures(site)
    answer = site.chat(quick("fault:text=counted"))
    usage = next(m["usage"] for m in site.messages(answer.headers["X-Thread-Id"]) if m["role"] == "assistant")
    assert usage["input_tokens"] > 0 and usage["output_tokens"] > 0
    for kind in ("input", "output"):
        grown(site, before, f'c1d_tokens_total{{kind="{kind}"}}', usage[f"{kind}_tokens"])


def test_monitors_get_one_word(site):
    answer = site.get("/livez")
    assert (answer.status, answer.json()) == (200, {"status": "alive"})


def test_who_lets_everybody_in_is_ready_and_told_so(site, new_site):
    answer = site.get("/readyz")
    assert (answer.status, answer.json()["status"], answer.json()["auth"]) == (200, "ready", "none")
    assert answer.json()["warnings"] == ["C1D_AUTH=none: everybody is let in and sees everything."]
    said = [line for line in site.log_lines() if line["event"].startswith("everybody is let in")]
    assert [line["level"] for line in said] == ["warn"] and "C1D_AUTH=visitor" in said[0]["fix"]
    private = new_site({"C1D_AUTH": "visitor"}, workers=1)
    assert private.get("/readyz").json() == {"status": "ready", "auth": "visitor"}
    assert not [line for line in private.log_lines() if line["event"].startswith("everybody is let in")]


@pytest.mark.parametrize("path", ["/health", "/api/health", "/livez", "/readyz"])
def test_health_is_asked_by_get_and_head_and_not_kept(site, path):
    head = site.request("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Cache-Control"] == "no-store"
    refused = site.post(path, {})
    problem(refused, 405, "method_not_allowed")
    assert refused.headers["Allow"] == "GET"


def test_health_costs_nothing(site):
    before = site.upstream.stats()["requests"]
    for path in ("/health", "/readyz", "/livez"):
        site.get(path)
    assert site.upstream.stats()["requests"] == before


# --- figures ---
def scrape(site, accept="text/plain"):
    answer = fcgi.ask(site.folder / "c1d.sock", "GET", "/metrics", {"accept": accept})
    assert answer.status == 200, answer
    return answer


def read(text):
    """{series: value}; refuses what Prometheus would."""
    values, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, line
            types[name] = kind
        elif line.startswith("#"):
            assert line.startswith("# HELP ") or line == "# EOF", line
        else:
            found = SAMPLE.fullmatch(line)
            assert found, line
            series = found[1] + (found[2] or "")
            assert series not in values, f"{series} twice"
            family = re.sub("_(bucket|sum|count)$", "", found[1]) if found[1] not in types else found[1]
            assert family in types or family.removesuffix("_total") in types, f"{series} before its type"
            values[series] = float(found[3])
    return values


def figures(site):
    return collections.defaultdict(float, read(scrape(site).text))


def settled(site):
    """The figures once everything asked so far is counted: what is counted last of an answer is that it has no reader any more."""
    return wait_for(lambda: (found := figures(site))["c1d_runs_in_flight"] == 0 == found["c1d_followers"] and found, "nothing is under way")


def grown(site, before, series, by):
    """Waits until it has grown by so much: what counts a run's end may come behind the last byte."""
    wait_for(lambda: figures(site)[series] - before[series] >= by, f"{series} grows by {by}")
    assert figures(site)[series] - before[series] == by


COMPLETE = 'chat_requests_total{outcome="complete",route="/api/chat"}'


def test_visitors_do_not_see_figures(site):
    problem(site.get("/metrics"), 404, "not_found")
    problem(site.get("/api/metrics"), 404, "not_found")


def chat_workers(site):
    return {entry["pid"] for entry in site.log_lines() if entry.get("route") == "/api/chat"}


def test_the_figures_of_both_workers_are_in_one_scrape(site):
    """Every scrape, whichever worker it reaches, tells the turns of both."""
    before, turns = settled(site), 0
    idle = []
    try:
        while len(chat_workers(site)) < 2:
            assert turns < 64, "one worker gets all the work"
            in_parallel(8, lambda i: site.chat(quick(str(i))))
            turns += 8
            # Connections that say nothing hold request threads of one worker; the other one has to take the next turns.
            idle += [connected(site) for _ in range(8)]
    finally:
        for peer in idle:
            peer.close()
    grown(site, before, COMPLETE, turns)
    assert {figures(site)[COMPLETE] - before[COMPLETE] for _ in range(20)} == {turns}
    assert figures(site)["c1d_workers"] == 2


def connected(site):
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(str(site.folder / "c1d.sock"))
    return peer


def test_a_turn_is_counted_and_timed_once(site):
    before = settled(site)
    answer = site.chat(quick())
    for series in (COMPLETE, 'chat_duration_seconds_count{route="/api/chat"}', "c1d_chat_first_byte_seconds_count"):
        grown(site, before, series, 1)
    grown(site, before, "c1d_stream_bytes_total", len(answer.body))
    after = figures(site)
    assert after["c1d_upstream_deltas_total"] > before["c1d_upstream_deltas_total"]
    total = 'chat_duration_seconds_sum{route="/api/chat"}'
    assert 0 <= after[total] - before[total] < 30


@pytest.mark.parametrize("directive, outcome", [("fault:status=500", "error"), ("fault:cut=50", "interrupted"),
                                                ("fault:finish=length", "length")])
def test_turns_are_counted_by_how_they_ended(site, directive, outcome):
    before = settled(site)
    site.chat(quick(directive))
    grown(site, before, f'chat_requests_total{{outcome="{outcome}",route="/api/chat"}}', 1)
    assert figures(site)[COMPLETE] == before[COMPLETE]


@pytest.mark.parametrize("name", ["chat_duration_seconds", "c1d_chat_first_byte_seconds",
                                  "http_server_request_duration_seconds"])
def test_histograms_add_up(site, name):
    before = figures(site)
    site.chat(quick())
    # What counts an answer comes behind its last byte; the run's end is counted last but one.
    wait_for(lambda: all(sum(v for k, v in figures(site).items() if k.startswith(series)) >
                         sum(v for k, v in before.items() if k.startswith(series))
                         for series in (COMPLETE, name + "_count")), "the turn is counted")
    values = figures(site)
    buckets = [(float(re.search('le="(.*?)"', series)[1].replace("+Inf", "inf")), value)
               for series, value in values.items() if series.startswith(name + "_bucket")]
    assert [le for le, _ in buckets] == sorted(le for le, _ in buckets) and buckets[-1][0] == float("inf")
    counts = [count for _, count in buckets]
    total, seconds = (next(value for series, value in values.items() if series.partition("{")[0] == name + suffix)
                      for suffix in ("_count", "_sum"))
    assert counts == sorted(counts) and counts[-1] == total > 0 and seconds >= 0


def test_answers_in_flight_are_shown_while_they_are(site, upstream):
    gate = uuid.uuid4().hex
    settled(site)
    streams = [site.stream({"message": quick(f"fault:gate={gate}@40")}) for _ in range(3)]
    for stream in streams:
        stream.read_until(b"thesys")
    wait_at_gate(site, gate, 3)
    assert figures(site)["c1d_runs_in_flight"] == 3 and figures(site)["c1d_followers"] == 3
    upstream.open_gate(gate)
    for stream in streams:
        stream.read_all()
    settled(site)


def test_requests_are_counted_by_route_and_status(site):
    thread = make(site)["id"]
    before = settled(site)
    site.get("/api/threads/" + thread)
    for method in ("GET", "DELETE"):
        assert site.request(method, "/api/threads/" + UNKNOWN).status == 404
    assert site.get("/api/nothing/" + UNKNOWN).status == 404
    for route, status, count in (("/api/threads/:id", 200, 1), ("/api/threads/:id", 404, 2), ("(none)", 404, 1)):
        grown(site, before, f'c1d_requests_total{{route="{route}",status="{status}"}}', count)
    assert UNKNOWN not in scrape(site).text and thread not in scrape(site).text


def test_t13_the_build_and_the_processes_are_in_the_figures(site):
    version = subprocess.run([site.program, "version"], stdout=subprocess.PIPE, check=True).stdout.split()[1].decode()
    found = figures(site)
    assert found[f'c1d_build_info{{version="{version}"}}'] == 1
    assert found["process_cpu_seconds_total"] > 0 and found["process_threads"] > 3
    assert found["process_resident_memory_bytes"] > 1 << 20
    pids = [site.c1d.pid, *site.worker_pids()]

    def open_fds():
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)
    # Each process counts its own now and then; a worker opens some behind its first turn.
    wait_for(lambda: abs(figures(site)["process_open_fds"] - open_fds()) < 16, "what is open is counted")
    assert found["process_max_fds"] > open_fds()
    assert 0 <= time.time() - found["process_start_time_seconds"] < 3600


def test_t13_the_time_of_workers_that_ended_stays(new_site):
    site = new_site(workers=2)
    for _ in range(20):
        site.chat(quick())
    before = figures(site)["process_cpu_seconds_total"]
    for pid in site.worker_pids():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: figures_or_none(site) is not None, "workers again")
    assert figures(site)["process_cpu_seconds_total"] >= before


def figures_or_none(site):
    try:
        found = figures(site)
        return found if found["c1d_workers"] == 2 and found["c1d_worker_respawns"] == 2 else None
    except (OSError, ValueError):
        return None


def test_figures_only_grow(site):
    first = figures(site)
    site.chat(quick())
    second = figures(site)
    counters = [series for series in first if re.search(r"_total|_bucket|_count|_sum", series)]
    assert len(counters) > 50
    assert [series for series in counters if second[series] < first[series]] == []


def test_openmetrics_comes_when_it_is_asked_for(site):
    plain, open_ = scrape(site), scrape(site, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert open_.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert open_.text.endswith("# EOF\n") and "EOF" not in plain.text
    assert "# TYPE chat_requests counter\n" in open_.text and "# TYPE chat_requests_total counter\n" in plain.text
    assert COMPLETE in read(open_.text)
