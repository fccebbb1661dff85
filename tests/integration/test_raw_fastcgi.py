"""What a peer in the socket's group may say, without a web server in between: no worker ends of it."""
import socket

import pytest

import fcgi
from house import wait_for


def say(site, *records):
    """All of it, then what comes back until the connection is closed."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(site.settings["C1D_SOCKET"])
        peer.sendall(b"".join(records))
        peer.shutdown(socket.SHUT_WR)
        try:
            return peer.recv(4096)
        except ConnectionResetError:
            return b""


def test_r37_parameter_lengths_near_2_31_cost_a_connection_and_no_worker(new_site):
    site = new_site(workers=1)
    before = site.worker_pids()
    begin = fcgi.record(fcgi.BEGIN, fcgi.RESPONDER)
    name, value = b"\xff\xff\xff\xff", b"\xff\xff\xff\xff"
    for lengths in (name + value, b"\xff\xff\xff\xf0" + b"\x00", b"\x00" + b"\xff\xff\xff\xfe"):
        assert say(site, begin, fcgi.record(fcgi.PARAMS, lengths + b"x"), fcgi.record(fcgi.PARAMS)) == b""
    # Where a web server asks what c1d can do: the same pairs, in front of a request and within its body.
    ask = b"\x01\x09\x00\x00\x00\x09\x00\x00" + name + value + b"x"
    params = fcgi.pairs({"REQUEST_METHOD": "GET", "REQUEST_URI": "/livez"})
    answer = say(site, ask, begin, fcgi.record(fcgi.PARAMS, params), fcgi.record(fcgi.PARAMS), ask,
                 fcgi.record(fcgi.STDIN))
    assert b"FCGI_MPXS_CONNS" in answer
    wait_for(lambda: len(site.log_lines("connection without a usable request")) == 3, "three were dropped")
    assert site.get("/livez").status == 200
    assert site.worker_pids() == before and not site.log_lines("worker killed")


@pytest.mark.parametrize("said, status", [("", 201), ("-1", 400), ("1x", 400), ("99999999999999999999", 413), ("3", 400), ("13", 400)])
def test_a10_a20_a_length_that_is_none_is_unknown_and_one_that_lies_is_refused(new_site, said, status):
    """Of twelve bytes; nothing is what nginx says of a chunked body."""
    site = new_site(workers=1)
    answer = fcgi.ask(site.settings["C1D_SOCKET"], "POST", "/api/threads", body=b'{"title":1 }'.replace(b"1 ", b'""'), more={"CONTENT_LENGTH": said})
    assert answer.status == status, answer
    assert site.get("/livez").status == 200


def test_body_in_records_of_one_byte_is_read(new_site):
    site = new_site(workers=1)
    body = b'{"title":"' + b"x" * 100 + b'"}'
    params = fcgi.pairs({"REQUEST_METHOD": "POST", "REQUEST_URI": "/api/threads", "CONTENT_TYPE": "application/json",
                         "CONTENT_LENGTH": str(len(body))})
    pieces = [fcgi.record(fcgi.BEGIN, fcgi.RESPONDER), fcgi.record(fcgi.PARAMS, params), fcgi.record(fcgi.PARAMS),
              *(fcgi.record(fcgi.STDIN, body[at:at + 1]) for at in range(len(body))), fcgi.record(fcgi.STDIN)]
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(site.settings["C1D_SOCKET"])
        for piece in pieces:
            peer.sendall(piece)
        assert b"Status: 201" in peer.recv(4096)
