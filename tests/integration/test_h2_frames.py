"""A server of HTTP/2 that sends what none should, or what is right and rare (tests/c1_upstream/hostile.py). Whoever asked is told
the truth, others on the same connection go on where the protocol lets them, nothing is asked twice that may have been taken, and
what was surely not taken is asked again. Row B10."""
import pytest
from house import Site, Upstream, in_parallel, wait_for
from questions import Bystander, Outcome, name, sockets, upstream_is_quiet

UNDERWAY_S = 120  # longer than any answer here takes: who waits for it has not understood what was sent


@pytest.fixture(scope="module")
def hostile(scratch):
    folder = scratch / name("hostile-")
    folder.mkdir()
    server = Upstream(folder, "--tls-self", str(folder), "--pace-ms", "2")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def site(scratch, hostile):
    """Its deadlines are far off: what ends here ends by what was sent."""
    house = Site(scratch, hostile, {"C1D_FIRST_BYTE_MS": str(UNDERWAY_S * 1000), "C1D_IDLE_MS": str(UNDERWAY_S * 1000)}, workers=1)
    house.pid = house.worker_pids()[0]
    yield house
    assert house.worker_pids() == [house.pid] and not house.log_lines("worker killed")
    assert house.get("/health").json()["status"] != "down"
    house.stop()


def answered(site):
    """The next question is: on this connection or on another."""
    Outcome(site, "").whole()


# --- one stream alone ---
STREAM = ["rst:0", "rst:1", "rst:2", "rst:3", "rst:5", "rst:7", "rst:8", "rst:11", "rst:12", "rst:13", "rst:57005", "two_heads"]
STREAM_HEAD = ["rst:1@head", "rst:2@head", "rst:8@head", "rst:57005@head", "no_status", "bad_status", "upper_case", "connection_field", "end_in_1xx",
               "many_1xx:5000"]


@pytest.mark.parametrize("frames", STREAM)
def test_B10_stream_that_breaks_in_mid_answer_breaks_alone(site, frames):
    bystander = Bystander(site)
    Outcome(site, f"h2={frames}").ended("interrupted")
    assert bystander.goes_on() == "complete"
    answered(site)


@pytest.mark.parametrize("frames", STREAM_HEAD)
def test_B10_stream_that_breaks_before_its_head_breaks_alone(site, frames):
    bystander = Bystander(site)
    Outcome(site, f"h2={frames}").failed_early(502, "upstream_failed")
    assert bystander.goes_on() == "complete"
    answered(site)


# --- what is right and rare ---
RIGHT = ["goaway", "goaway:2", "goaway_twice", "goaway_words", "settings_window:70000", "many_1xx:20", "unknown", "padding", "padding:0",
         "ping_flood:20", "settings_flood:20", "priority_flood:20", "empty_flood:20", "window_flood:20"]


@pytest.mark.parametrize("frames", RIGHT)
def test_B10_what_is_allowed_changes_nothing(site, frames):
    bystander = Bystander(site)
    Outcome(site, f"h2={frames}").whole()
    assert bystander.goes_on() == "complete"
    answered(site)
    log = site.log_path.read_text()
    assert "elsewhere.example" not in log and "shard-3" not in log


# --- the connection ---
BROKEN = ["goaway_error", "goaway_error:0", "window", "window_all", "window_over", "window_all_over", "settings_window:2147483648",
          "settings_size:1", "settings_length", "settings_stream", "ping_length", "data_zero", "data_idle", "data_even", "headers_idle",
          "data_behind_end", "push", "oversize", "bad_padding", "half_frame,cut", "half_frame,rst", "half_frame,no_notify", "half_length,cut",
          "rst_flood"]
BROKEN_HEAD = ["goaway_error@head", "goaway,cut@head", "goaway:2,rst@head", "headers_big", "continuations", "hpack_bomb", "bad_hpack",
               "status_101", "half_head,cut", "half_head,no_notify"]
FLOODS = ["ping_flood", "ack_flood", "settings_flood", "priority_flood", "empty_flood", "window_flood", "beyond_window", "goaway:-2"]


@pytest.mark.parametrize("frames", BROKEN)
def test_B10_broken_connection_keeps_what_came(site, frames):
    outcome = Outcome(site, f"h2={frames}").ended("interrupted")
    assert len(outcome.body) > 100
    answered(site)


@pytest.mark.parametrize("frames", BROKEN_HEAD)
def test_B10_connection_that_breaks_before_a_head_is_told(site, frames):
    Outcome(site, f"h2={frames}").failed_early(502, "upstream_failed")
    answered(site)


@pytest.mark.parametrize("frames", FLOODS)
def test_B10_floods_are_borne_or_ended(site, frames):
    """Whether a flood is worth a connection is the library's to judge; what came is kept either way, and it costs no memory."""
    outcome = Outcome(site, f"h2={frames}").ended("complete", "interrupted")
    if outcome.message["status"] == "complete":
        outcome.whole()
    answered(site)


def test_B10_connection_that_breaks_takes_none_but_its_own(site):
    """Its other streams keep what they have and say so."""
    bystanders = [Bystander(site) for _ in range(5)]
    Outcome(site, "h2=oversize").ended("interrupted")
    assert {bystander.goes_on() for bystander in bystanders} <= {"interrupted", "complete"}
    answered(site)


# --- what was not taken ---
NOT_TAKEN = ["rst:7@head", "goaway:-2,quiet@head", "goaway:-2,cut@head", "goaway:-2,rst@head", "goaway_shrink", "goaway_grow"]


@pytest.mark.parametrize("frames", NOT_TAKEN)
def test_B10_question_that_was_not_taken_is_asked_again(site, frames):
    Outcome(site, f"h2={frames};times=1", sent=(2,)).whole()
    answered(site)


def test_B10_question_that_is_never_taken_has_an_end(site):
    Outcome(site, "h2=rst:7@head", sent=range(2, 6)).failed_early(502, "upstream_failed")
    answered(site)


def test_B10_twenty_at_a_server_that_sends_everybody_away(site):
    """Each takes the connection of the others with it when it comes first: all are answered, or told that they were not; in the midst of
    an answer, too, which this server began to send and says to know nothing of."""
    outcomes = in_parallel(20, lambda i: Outcome(site, "h2=goaway:-2,quiet@head;times=1", sent=range(1, 6)))
    for outcome in outcomes:
        if outcome.message["status"] == "complete":
            outcome.whole()
        elif outcome.status == 200:
            outcome.ended("interrupted")
        else:
            outcome.failed_early(502, "upstream_failed")
    answered(site)


# --- what is left ---
def test_B10_nothing_is_left_of_all_that(site, hostile):
    """Streams that are reset, two hundred at a time, and sockets are what they were after the first of them."""
    def resets():
        jobs = in_parallel(20, lambda i: [Outcome(site, f"h2=rst:{code}").message["status"] for code in (0, 1, 2, 3, 5, 8, 9, 10, 11, 13)])
        assert {status for statuses in jobs for status in statuses} == {"interrupted"}
        answered(site)
        upstream_is_quiet(hostile)

    resets()
    before = sockets(site.pid)
    resets()
    assert wait_for(lambda: sockets(site.pid) <= before + 3, "sockets are closed")


# --- silence ---
def test_B8_server_that_is_gone_without_a_word_is_missed(site):
    """Long before an answer's silence is too long: it does not answer a PING. Nobody else waits for it."""
    Outcome(site, "h2=deaf", timeout=UNDERWAY_S / 2).ended("interrupted")
    answered(site)


@pytest.fixture(scope="module")
def hasty(scratch, hostile):
    house = Site(scratch, hostile, {"C1D_FIRST_BYTE_MS": "3000", "C1D_IDLE_MS": "3000"}, workers=1)
    yield house
    house.stop()


@pytest.mark.parametrize("frames", ["half_frame", "half_length"])
def test_B8_silence_in_the_midst_of_a_frame(hasty, frames):
    Outcome(hasty, f"h2={frames}").ended("interrupted")
    wait_for(lambda: hasty.chat("hello").status == 200, "the connection is given up")


def test_B8_question_is_not_asked_where_the_last_one_was_not_answered(hasty):
    Outcome(hasty, "h2=deaf").ended("interrupted")
    answered(hasty)


@pytest.mark.parametrize("frames", ["half_head", "deaf@head", "goaway,quiet@head"])
def test_B7_silence_before_the_head(hasty, frames):
    Outcome(hasty, f"h2={frames}").failed_early(504, "upstream_timeout")
    answered(hasty)
