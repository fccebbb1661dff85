"""The README's page on a site of visitors, behind TLS: two people with a Chromium each, and a page of another origin. One visit;
each test looks at one thing that was seen."""
import functools
import http.server
import json
import os
import re
import shutil
import ssl
import subprocess
import threading

import pytest

from house import ALIASES, DEADLINE_S, Site
from processes import with_parent
from pages import BUILT, PLACE, WHOLE

pytestmark = pytest.mark.xdist_group("two visitors")  # one visit
SPENT = "requests"


def certificate(folder):
    """For both names of this machine, so that one origin is of another site and one of the same."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return key, cert


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def elsewhere(scratch):
    """Another origin on this machine: its port."""
    folder = scratch / "elsewhere"
    folder.mkdir()
    shutil.copy(PLACE / "elsewhere.html", folder)
    key, cert = certificate(folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def house(bundle, scratch, upstream):
    served = scratch / "visitors-page"
    shutil.copytree(bundle, served)
    key, cert = certificate(served)
    site = Site(scratch, upstream, {**WHOLE, "C1D_AUTH": "visitor"}, listen="ssl http2",
                server=f"root {served}; index index.html; include /etc/nginx/mime.types; ssl_certificate {cert}; ssl_certificate_key {key}; {ALIASES}")
    yield site
    site.stop()


@pytest.fixture(scope="module")
def visit(house, elsewhere, upstream):
    """What was seen. Pictures lie in build/page/visitors."""
    folder = BUILT / "visitors"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    places = [f"https://{host}:{elsewhere}/elsewhere.html" for host in ("127.0.0.1", "localhost")]
    node = subprocess.Popen(["node", str(PLACE / "two_visitors.mjs"), f"https://127.0.0.1:{house.port}/", *places, str(folder)], cwd=PLACE,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(folder / "errors.log", "wb"), text=True,
                            preexec_fn=with_parent, env={**os.environ, "CHROMIUM": shutil.which("chromium")})
    spent = upstream.stats()[SPENT]
    for line in node.stdout:
        told = json.loads(line)
        if "want" not in told:
            break
        house.c1d.stop()
        house.start()
        node.stdin.write("done\n")
        node.stdin.flush()
    else:
        raise AssertionError((folder / "errors.log").read_text()[-4000:])
    node.wait(DEADLINE_S)
    told["spent"] = upstream.stats()[SPENT] - spent
    return told


def station(visit, name):
    assert name in visit["stations"], visit["errors"]
    return visit["stations"][name]


def test_each_sees_their_own_threads_alone(visit):
    assert visit["errors"] == []
    assert station(visit, "reloaded") == {"ada": ["Show me a form"], "bob": ["Show me a table"]}


def test_the_cookie_is_for_this_host_over_tls_and_for_no_script(visit):
    found = station(visit, "cookies")
    for who in ("ada", "bob"):
        assert len(found[who]) == 1
        cookie = found[who][0]
        assert cookie["name"] == "__Host-c1d_visitor"
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, True, "Lax", "/")
        assert cookie["expires"] > 0  # it outlives the browser
    assert found["ada"][0]["value"] != found["bob"][0]["value"]
    assert found["script"] == ["", ""]


def test_f1_the_second_gets_nothing_of_the_first_by_any_route(visit):
    found = station(visit, "bob on every route")
    assert len(found) >= 12
    for route, (status, text) in found.items():
        assert status in (403, 404), (route, status, text)
        assert json.loads(text)["status"] == status
        assert not re.search("form|xxxx|fault", text), (route, text)
    status, text = station(visit, "bob asks in her thread")
    assert (status, json.loads(text)["code"]) == (403, "access_denied")
    for text in station(visit, "bob lists"):
        assert visit["thread"] not in text and "Show me a form" not in text


def test_forged_cookies_are_nobodys(visit):
    found = station(visit, "forged")
    assert len(found) == 18
    _, his = found.pop("his")
    assert "Show me a table" in his
    for name, (status, text) in found.items():
        assert (status, json.loads(text)) == (200, []), name


def test_f14_a_page_of_another_origin_reads_nothing(visit):
    found = station(visit, "elsewhere")
    assert len(found) == 2
    for origin, tried in found.items():
        assert tried.pop("done")
        assert not [f"{origin}: {way}: {what}" for way, what in tried.items() if "read:" in what]


def test_r12_a_page_of_another_origin_changes_nothing_and_spends_nothing(visit):
    found = station(visit, "hers after all")
    assert found["status"] == "streaming" and found["stopped"] == "stopped"
    assert found["before"] == found["after"]
    assert found["count"][0] == found["count"][1]
    assert visit["spent"] == 3  # the questions that were asked in the page


def test_threads_are_there_after_a_restart_of_c1d_and_of_the_browser(visit):
    assert station(visit, "after a restart of c1d") == {"ada": ["fault:endless;pace=20", "Show me a form"], "bob": ["Show me a table"]}
    after = station(visit, "after a restart of the browser")
    assert after == {"ada": ["fault:endless;pace=20", "Show me a form"], "same": True}
