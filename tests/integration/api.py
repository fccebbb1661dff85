"""What the tests of the API share: threads made, problems checked, pages walked."""
import html
import http.client
import json
import re
import urllib.parse
import uuid

from house import DEADLINE_S, wait_for

UNKNOWN = "0190a000-0000-7000-8000-000000000000"


def make(site, **fields):
    answer = site.post("/api/threads", fields)
    assert answer.status == 201, answer
    return answer.json()


def title_of(site, **fields):
    return make(site, **fields)["title"]


def owner():
    """A name that no other test has, to see one's own threads only."""
    return "u-" + uuid.uuid4().hex


def listed(site, **query):
    answer = site.get("/api/threads?" + urllib.parse.urlencode(query))
    assert answer.status == 200, answer
    return answer.json()


def problem(answer, status, code, field=None):
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"]) == (status, code), body
    assert re.fullmatch("[0-9a-f]{32}", body["request_id"])
    if field:
        assert field in [entry["field"] for entry in body["errors"]], body
    return body


SHIELD = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
          "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin"}


def shielded(headers):
    """What every answer says to browsers, once each."""
    for name, value in SHIELD.items():
        assert headers.get_all(name) == [value], (name, headers.items())


def next_page(answer):
    """The path that the Link header names, or None."""
    link = answer.headers["Link"]
    if not link:
        return None
    found = re.fullmatch(r'<(/api/[^>]*)>; rel="next"', link)
    assert found, link
    return found[1]


def walk(site, path, pages=50):
    """Every page from this one on."""
    found = []
    while path:
        answer = site.get(path)
        assert answer.status == 200, answer
        found.append(answer.json())
        path = next_page(answer)
        assert len(found) < pages, "the pages have no end"
    return found


def stopped(site, run):
    """The answer to a stop; it is asked for again while the run has not ended in time, as who asks is told to."""
    def ask():
        answer = site.post(f"/api/runs/{run}/stop")
        return None if answer.status in (409, 503) and answer.headers["Retry-After"] else answer

    return wait_for(ask, f"an answer to the stop of {run}")


# --- the scripted C1 API ---
def asked(site, prompt):
    """The upstream request of this prompt, as the C1 API got it; None when it never came."""
    def last_content(request):
        return request["body"]["messages"][-1]["content"]
    return next((r for r in site.upstream.requests()[::-1] if r["body"] and last_content(r) == prompt), None)


def wait_at_gate(site, gate, count=1):
    """Returns when so many answers of the C1 API stand at this gate."""
    shown = site.upstream.ask("GET", f"/gate/{gate}/wait?waiting={count}&timeout={DEADLINE_S}", DEADLINE_S + 5)
    assert shown["waiting"] >= count, shown


def card_of(text):
    """The children of a C1 card's text."""
    found = re.fullmatch(r'<content thesys="true">([^<>"\']*)</content>', text)
    assert found, text
    tree = json.loads(html.unescape(found[1]))
    assert tree["component"]["component"] == "Card", tree
    return tree["component"]["props"]["children"]


def upstream_answer(site, prompt):
    """The whole text that the C1 API answers this prompt with, as bytes."""
    url = urllib.parse.urlsplit(site.upstream.control)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=DEADLINE_S)
    connection.request("GET", "/answer?" + urllib.parse.urlencode({"prompt": prompt}))
    body = connection.getresponse().read()
    connection.close()
    return body
