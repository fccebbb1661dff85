"""Who has no account tries to be somebody else: cookies forged, cut, doubled, from another host, in another place, and pages of
other sites. Through nginx, as anybody could. What is no good cookie is nobody's: its bearer is a new visitor, and nothing more."""
import json
import random
import re
import uuid

import pytest

import fcgi
from api import problem
from attackers import VISITOR, Browser, fastcgi, raw
from house import ROOT, Site, in_parallel, wait_for

HOST = "Host: 127.0.0.1"


@pytest.fixture(scope="module")
def site(scratch, upstream):
    house = Site(scratch, upstream, {"C1D_AUTH": "visitor"})
    yield house
    house.stop()


@pytest.fixture
def ada(site):
    """A visitor with one thread."""
    browser = Browser(site)
    browser.make(title="ada's " + uuid.uuid4().hex)
    return browser


def titles_with(site, *lines, path="/api/threads"):
    """What is listed for a request with these header lines."""
    answer = raw(site, "\n".join([f"GET {path} HTTP/1.1", "Connection: close", *lines]).encode())
    assert answer.status == 200, answer
    return [thread["title"] for thread in answer.json()]


def cookie(value, name=VISITOR):
    return f"Cookie: {name}={value}"


def test_a_cookie_is_its_bearers_threads_and_has_no_rights_in_a_script(site, ada):
    first = Browser(site).get("/api/threads")
    assert first.json() == []
    line = first.headers["Set-Cookie"]
    name, _, attributes = line.partition(";")
    assert re.fullmatch(rf"{VISITOR}=v1\.[\w-]{{22}}\.\d+\.[\w-]{{43}}", name), line
    words = {word.strip().lower() for word in attributes.split(";")}
    assert {"httponly", "samesite=lax", "path=/", "max-age=34560000"} <= words
    assert not [word for word in words if word.startswith("domain")]
    assert len(titles_with(site, HOST, cookie(ada.visitor()))) == 1


def test_every_cut_and_every_changed_character_is_nobodys(site, ada):
    good, wrong = ada.visitor(), []
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    dice = random.Random(5)
    for at in range(len(good)):
        wrong += [good[:at], good[:at] + good[at + 1:]]
        other = dice.choice([c for c in alphabet if c != good[at]])
        wrong.append(good[:at] + other + good[at + 1:])
    wrong.remove("")  # Cookie: c1d_visitor= is tried elsewhere
    wrong += [good + c for c in "A.=~%"] + [good.upper(), good.lower(), good.swapcase(), good[::-1], good + good, good + "." + good]
    # The last character of the signature holds two bits that mean nothing: only the spelling that was given counts.
    wrong += [good[:-1] + c for c in alphabet[:-1] if c != good[-1]]
    seen = in_parallel(4, lambda n: [value for value in wrong[n::4] if value and titles_with(site, HOST, cookie(value))])
    assert seen == [[], [], [], []]
    assert len(titles_with(site, HOST, cookie(good))) == 1


def test_cookies_of_two_visitors_do_not_add_up(site, ada):
    eve = Browser(site)
    eve.make(title="eve's")
    one, other = ada.visitor().split("."), eve.visitor().split(".")
    for mask in range(1, 15):  # every mixture of the two but each whole
        mixed = ".".join((one, other)[mask >> n & 1][n] for n in range(4))
        if mixed not in (ada.visitor(), eve.visitor()):
            assert titles_with(site, HOST, cookie(mixed)) == [], mixed


@pytest.mark.parametrize("lines", [["Cookie: c1d_visitor=x; c1d_visitor={good}"], ["Cookie: c1d_visitor={good}; c1d_visitor=x"],
                                   ["Cookie: c1d_visitor=x", "Cookie: c1d_visitor={good}"],
                                   ["Cookie: c1d_visitor={good}; c1d_visitor={eve}"], ["Cookie: c1d_visitor={eve}; c1d_visitor={good}"],
                                   ["Cookie: c1d_visitor={good}", "Cookie: c1d_visitor={eve}"],
                                   ["Cookie: a=b; c1d_visitor={good}; c=d"], ["Cookie: a=\"; c1d_visitor={good}; b=\""]])
def test_doubled_cookies_are_never_two_people(site, ada, lines):
    """A site beside this one can plant a cookie in a browser (not a __Host- one): no order of them may mix people up."""
    eve = Browser(site)
    eve.make(title="eve's")
    lines = [line.format(good=ada.visitor(), eve=eve.visitor()) for line in lines]
    assert titles_with(site, HOST, *lines) in ([], ada.titles(), eve.titles())


def test_a_planted_cookie_does_not_take_the_place_of_ones_own(site, ada):
    """Who has both is nobody for as long, and is back when the planted one is gone."""
    eve, before = Browser(site), ada.visitor()
    line = f"c1d_visitor={ada.visitor()}; c1d_visitor={eve.visitor()}"
    answer = raw(site, f"GET /api/threads HTTP/1.1\n{HOST}\nConnection: close\nCookie: {line}".encode())
    assert (answer.status, answer.json(), answer.headers["Set-Cookie"]) == (200, [], None)
    assert len(ada.titles()) == 1 and ada.visitor() == before


@pytest.mark.parametrize("name", ["C1D_VISITOR", "c1d visitor", "c1d_visitor[]", "xc1d_visitor", "__Host-c1d_visitor",
                                  "__Secure-c1d_visitor", "$Version=1; c1d_visitor_", "c1d_visito", "%63%31d_visitor"])
def test_only_the_cookie_of_that_very_name_counts(site, ada, name):
    assert titles_with(site, HOST, f"Cookie: {name}={ada.visitor()}") == []


@pytest.mark.parametrize("host", ["localhost", "evil.example", "127.0.0.1.evil.example", "[::1]", "xn--e1afmkfd.example"])
def test_a_cookie_of_this_host_is_nothing_at_another(site, ada, host):
    assert titles_with(site, f"Host: {host}", cookie(ada.visitor())) == []
    for header in ("X-Forwarded-Host", "Forwarded", "X-Host", "X-Original-Host"):
        value = "host=127.0.0.1" if header == "Forwarded" else "127.0.0.1"
        assert titles_with(site, f"Host: {host}", f"{header}: {value}", cookie(ada.visitor())) == []


def test_the_port_and_the_case_of_the_host_are_the_same_host(site, ada):
    theirs = raw(site, b"GET /api/threads HTTP/1.1\nHost: LocalHost:99\nConnection: close")
    value = re.search(rf"{VISITOR}=([^;]+)", theirs.headers["Set-Cookie"])[1]
    again = raw(site, f"GET /api/threads HTTP/1.1\nHost: localhost\nConnection: close\n{cookie(value)}".encode())
    assert again.status == 200 and "Set-Cookie" not in again.headers


def test_over_tls_a_cookie_that_a_neighbour_could_plant_is_not_looked_at(site, ada):
    """Only `__Host-` is safe from a neighbour of the same domain, and from whoever reads along without TLS."""
    socket = site.settings["C1D_SOCKET"]
    params = {"host": "127.0.0.1", "cookie": f"{VISITOR}={ada.visitor()}"}
    plain = fcgi.ask(socket, "GET", "/api/threads", params)
    assert len(plain.json()) == 1
    answer = https(site, params)
    assert answer.json() == [] and answer.headers["set-cookie"].startswith("__Host-c1d_visitor=")
    assert "; Secure" in answer.headers["set-cookie"]
    own = re.search(r"__Host-c1d_visitor=([^;]+)", answer.headers["set-cookie"])[1]
    both = https(site, {"host": "127.0.0.1", "cookie": f"{VISITOR}={ada.visitor()}; __Host-c1d_visitor={own}"})
    assert both.json() == [] and "set-cookie" not in both.headers


def https(site, headers):
    """A request as nginx tells it where TLS ends there."""
    return fastcgi(site, [("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/api/threads"), ("HTTPS", "on"), ("REMOTE_ADDR", "127.0.0.1"),
                          *(("HTTP_" + name.upper(), value) for name, value in headers.items())])


@pytest.mark.parametrize("header", ["C1D-User", "X-C1D-User", "Remote-User", "X-Remote-User", "X-User", "X-Forwarded-User",
                                    "Auth-User", "X-Auth-Request-User", "HTTP-REMOTE-USER", "C1D-Auth-User", "User-Id", "X-User-Id"])
def test_a20_no_header_makes_a_visitor_somebody(site, ada, header):
    owner = ada.get("/api/threads").json()[0]["user_id"]
    for value in (owner, owner.removeprefix("visitor-"), "admin"):
        for name in (header, header.replace("-", "_"), header.upper()):
            assert titles_with(site, HOST, f"{name}: {value}") == []


HEADERS = ["Remote-User", "REMOTE_USER", "Remote_User", "HTTP_REMOTE_USER", "Http-Remote-User", "remote-user", "X-Remote-User", "REMOTE-USER",
           "Remote-User:", "FCGI_REMOTE_USER", "Redirect-Remote-User", "FastCGI-Param", "X-Forwarded-User", "Auth-User", "Proxy-Authorization"]


@pytest.fixture(scope="module")
def signed_in(scratch, upstream):
    """A site that is told by nginx who asks; here nginx says that everybody is eve."""
    locations = scratch / "all-eve.conf"
    text = (ROOT / "nginx/c1d.conf").read_text()
    locations.write_text(text.replace("    # fastcgi_param REMOTE_USER $remote_user;", "    fastcgi_param REMOTE_USER eve;"))
    house = Site(scratch, upstream, {"C1D_AUTH": "header", "C1D_AUTH_HEADER": "REMOTE_USER"}, locations=locations)
    yield house
    house.stop()


@pytest.mark.parametrize("header", HEADERS)
def test_a20_whom_nginx_has_let_in_cannot_say_to_be_another(signed_in, header):
    for value in ("ada", "ada, eve", "", "eve\tada"):
        answer = raw(signed_in, f"POST /api/threads HTTP/1.1\nHost: x\nConnection: close\nContent-Type: application/json\nContent-Length: 2\n{header}: {value}".encode(), b"{}")
        assert answer.status in (201, 400), answer
        assert answer.status == 400 or answer.json()["user_id"] == "eve"
    assert signed_in.post("/api/threads", {"user_id": "ada"}).status == 403


@pytest.mark.parametrize("names", [[], [""], ["ada", "eve"], ["a\nb"], ["x" * 129], ["visitor-" + "A" * 22], ["key-shop"], [b"\xff".decode("latin-1")]], ids=range(8))
def test_a20_a_name_that_is_none_or_two_names_nobody(signed_in, names):
    params = [("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/api/threads"), ("REMOTE_ADDR", "127.0.0.1"), *(("REMOTE_USER", name) for name in names)]
    answer = fastcgi(signed_in, params)
    assert answer.status in (400, 401), answer


@pytest.mark.parametrize("path", ["/api/threads?user_id={owner}", "/api/threads?c1d_visitor={cookie}", "/api/threads?cookie={cookie}"])
def test_f2_a_name_in_the_address_makes_a_visitor_nobody_else(site, ada, path):
    owner = ada.get("/api/threads").json()[0]["user_id"]
    answer = Browser(site).get(path.format(owner=owner, cookie=ada.visitor()))
    assert answer.status in (403, 422) and "ada's" not in answer.text
    assert ada.visitor() not in site.log_path.read_text()


def test_f2_another_ones_user_id_in_a_body_is_403_and_ones_own_is_fine(site, ada):
    owner, eve = ada.get("/api/threads").json()[0]["user_id"], Browser(site)
    eve.visitor()
    own = eve.make()["user_id"]
    spent = site.upstream.stats()["requests"]
    for method, path, body in (("POST", "/api/threads", {"title": "x"}), ("POST", "/api/chat", {"message": "fault:pace=0 x"})):
        for name in ("user_id", "userId"):
            problem(eve.ask(method, path, {**body, name: owner}), 403, "access_denied")
    assert site.upstream.stats()["requests"] == spent and len(ada.titles()) == 1
    assert eve.post("/api/threads", {"title": "mine", "user_id": own}).status == 201


@pytest.mark.parametrize("field", ["owner", "role", "_id", "status", "user", "enforced", "scopes", "admin", "is_admin", "created_by"])
def test_f2_no_other_field_makes_an_owner(site, field):
    eve = Browser(site)
    answer = eve.post("/api/threads", {"title": "x", field: "visitor-" + "A" * 22})
    assert answer.status == 422 or answer.json()["user_id"] != "visitor-" + "A" * 22


FOREIGN = [{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"},
           {"Origin": "http://127.0.0.1:1"}, {"Origin": "http://127.0.0.1.evil.example"}, {"Origin": "http://evil127.0.0.1"}]


@pytest.mark.parametrize("headers", FOREIGN, ids=range(len(FOREIGN)))
def test_f14_a_cookie_that_a_page_elsewhere_sends_along_is_refused_for_reading_too(site, ada, headers):
    thread = ada.get("/api/threads").json()[0]["id"]
    for method, path in (("GET", "/api/threads"), ("GET", f"/api/threads/{thread}"), ("GET", f"/api/threads/{thread}/messages"),
                         ("DELETE", f"/api/threads/{thread}"), ("POST", "/api/threads"), ("HEAD", "/api/threads")):
        answer = ada.ask(method, path, {} if method == "POST" else None, headers)
        assert answer.status == 403, (method, path, answer)
        assert "ada's" not in answer.text and answer.headers["Access-Control-Allow-Origin"] is None
        assert answer.headers["Set-Cookie"] is None
    assert len(ada.titles()) == 1


def test_a_page_elsewhere_gets_no_cookie_made_for_its_victim(site):
    """Else it could sign its victim out of their own threads."""
    for headers in FOREIGN:
        for method in ("GET", "POST"):
            answer = Browser(site).ask(method, "/api/threads", {} if method == "POST" else None, headers)
            assert answer.headers["Set-Cookie"] is None, (method, headers, answer)


def test_workers_agree_on_every_visitor(new_site):
    site = new_site({"C1D_AUTH": "visitor"}, workers=4)
    people = in_parallel(40, lambda n: Browser(site))
    in_parallel(40, lambda n: people[n].make(title=f"of {n}"))
    assert in_parallel(40, lambda n: people[n].titles()) == [[f"of {n}"] for n in range(40)]
    assert len({person.visitor() for person in people}) == 40


def test_a_restart_and_a_reload_sign_nobody_out(new_site):
    site = new_site({"C1D_AUTH": "visitor"})
    ada = Browser(site)
    ada.make(title="kept")
    before = ada.visitor()
    site.c1d.stop()
    site.start()
    assert ada.titles() == ["kept"] and ada.visitor() == before


def test_the_secret_is_nobody_elses_to_read(site):
    secret = site.folder / "state" / "secret"
    Browser(site).visitor()
    assert secret.stat().st_mode & 0o777 == 0o600
    lines = secret.read_text().split()
    said = site.log_path.read_text() + site.metrics()
    assert not [word for word in lines if len(word) == 64 and word in said]


def test_what_is_counted_of_bad_cookies_tells_nothing_of_them(site, ada):
    titles_with(site, HOST, cookie("v1.canarycanarycanaryxyz.1.canary"))
    wait_for(lambda: site.log_lines("request"), "it is logged")
    assert "canarycanary" not in site.metrics() and "canarycanary" not in site.log_path.read_text()


def test_cookie_lines_of_any_size_and_shape_harm_nobody(site, ada):
    junk = ["; " * 3000, "=" * 7000, "c1d_visitor=" * 500, ";".join(f"a{n}=b" for n in range(900)), "c1d_visitor", "\x7f" * 100, "ä" * 100,
            "c1d_visitor=v1." + "A" * 7000, "c1d_visitor=....", "c1d_visitor=v1.." + "9" * 4000 + ".", "c1d_visitor=\"" + ada.visitor() + "\""]
    for value in junk:
        answer = raw(site, f"GET /api/threads HTTP/1.1\n{HOST}\nConnection: close\nCookie: {value}".encode("latin-1"))
        assert (answer.status, json.loads(answer.body)) == (200, []) or answer.status == 400, value[:40]
    assert len(ada.titles()) == 1 and not site.log_lines("worker killed")
