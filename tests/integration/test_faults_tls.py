"""TLS to the C1 API: certificates are always checked; HTTP/2 streams share a connection and fail alone. Rows B6, B10."""
import uuid
from pathlib import Path

import pytest
from house import Upstream, in_parallel, wait_for


def name(kind):
    return kind + uuid.uuid4().hex[:12]


@pytest.fixture(scope="module")
def tls(scratch):
    folder = scratch / name("tls-")
    folder.mkdir()
    server = Upstream(folder, "--tls-self", str(folder))
    yield server
    server.stop()


def test_private_ca_http2_and_one_connection_for_many(new_site, tls):
    site = new_site({}, upstream=tls, workers=1)
    assert tls.base_url.startswith("https://")
    wait_for(lambda: 'c1d_upstream_http2_total{event="opened"} 1\n' in site.metrics(), "a connection to the server")
    before = tls.stats()["connections"]
    answers = in_parallel(20, lambda i: site.chat("fault:chunks=20;size=20;pace=10", name("t")))
    assert all(a.status == 200 and a.body.endswith(b"</content>") for a in answers)
    stats = tls.stats()
    assert stats["connections_h2"] >= 1
    assert stats["connections"] - before <= 3, stats  # multiplexed; the pool's own look takes one
    assert 'c1d_upstream_http2_total{event="opened"} 1\n' in site.metrics()


@pytest.mark.parametrize("kind, why", [("expired", "its certificate has expired"), ("wronghost", "its certificate is of another"),
                                       ("selfsigned", "its certificate is signed by itself"), ("unknownca", "its authority is unknown"),
                                       ("tls10", "in the handshake"), ("tls11", "in the handshake")])
def test_B6_certificate_that_is_not_good_is_refused(new_site, scratch, kind, why):
    folder = scratch / name("bad-")
    folder.mkdir()
    bad = Upstream(folder, "--tls-self", str(folder), "--tls-kind", kind)
    try:
        site = new_site({}, upstream=bad, workers=1)
        answer = site.post("/api/chat", {"thread_id": "t1", "message": "hello"})
        assert answer.status == 502 and answer.json()["code"] == "upstream_failed", answer
        assert bad.stats()["requests"] == 0
        assert "127.0.0.1" not in answer.text and "localhost" not in answer.text
        reasons = [line["error"] for line in site.told("no TLS with the upstream")]
        assert reasons and all(why in reason for reason in reasons), reasons
        assert 'c1d_upstream_http2_total{event="failed"}' in site.metrics()
    finally:
        bad.stop()


def test_B6_without_the_ca_it_is_refused(new_site, tls):
    site = new_site({"THESYS_CA_FILE": None}, upstream=tls, workers=1)
    assert site.post("/api/chat", {"thread_id": "t1", "message": "hello"}).status == 502


def test_B6_certificates_that_were_mended_are_believed_without_a_restart(new_site, tls, scratch):
    folder = scratch / name("other-")
    folder.mkdir()
    Upstream(folder, "--tls-self", str(folder)).stop()  # another authority
    believed = folder / "believed.pem"
    believed.write_bytes((folder / "ca.pem").read_bytes())
    site = new_site({"THESYS_CA_FILE": str(believed)}, upstream=tls, workers=1)
    assert site.chat("hello", name("t")).status == 502
    believed.write_bytes((Path(tls.settings["THESYS_CA_FILE"])).read_bytes())
    wait_for(lambda: site.chat("hello", name("t")).status == 200, "the new certificates are believed")


@pytest.mark.parametrize("fault, early", [("goaway=90", False), ("h2_rst=90", False), ("cut_no_notify=90", False), ("h2_refused", True)])
def test_B10_http2_and_tls_cuts(new_site, tls, fault, early):
    site = new_site({}, upstream=tls, workers=1)
    thread, answer_id = name("t"), name("a")
    answer = site.chat(f"fault:{fault} {name('p')}", thread, responseId=answer_id)
    message = site.message(thread, answer_id)
    if early:
        assert answer.status == 502 and message["status"] == "error"
    else:
        assert answer.status == 200 and message["status"] == "interrupted"
        assert message["content"].encode() == answer.body
    assert site.chat("hello", name("t")).status == 200


def test_B10_reset_stream_harms_no_other_on_its_connection(new_site, tls):
    site = new_site({}, upstream=tls, workers=1)
    prompts = ["fault:h2_rst=90;chunks=20;size=20;pace=5"] + ["fault:chunks=20;size=20;pace=10"] * 5
    answers = in_parallel(6, lambda i: site.chat(f"{prompts[i]} {i}", name("t")))
    assert [a.body.endswith(b"</content>") for a in answers] == [False] + [True] * 5
