"""A browser as far as cookies go: it keeps what answers set, and sends it back."""
import json
import re

import fcgi
from house import Stream

PLAIN, SECURE = "c1d_visitor", "__Host-c1d_visitor"


def set_cookies(headers):
    """{name: (value, [attributes])} of an answer."""
    found = {}
    for line in headers.get_all("Set-Cookie") or []:
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        found[name] = (value, attributes)
    return found


class Browser:
    def __init__(self, site, headers=None):
        self.site = site
        self.headers = headers or {}  # with each request
        self.cookies = {}

    def take(self, answer):
        for name, (value, attributes) in set_cookies(answer.headers).items():
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def sent(self, headers):
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {**self.headers, **({"Cookie": cookie} if cookie else {}), **(headers or {})}

    def request(self, method, path, value=None, headers=None):
        if value is None:
            return self.take(self.site.request(method, path, headers=self.sent(headers)))
        return self.take(self.site.json(method, path, value, self.sent(headers)))

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def post(self, path, value=None, headers=None):
        return self.request("POST", path, value, headers)

    def stream(self, message, thread, query="", headers=None, **more):
        stream = self.site.stream({"message": message, "thread_id": thread, **more}, query, self.sent(headers))
        return self.take(stream)

    def chat(self, message, thread, query="", headers=None, **more):
        stream = self.stream(message, thread, query, headers, **more)
        stream.read_all()
        stream.close()
        return stream

    def follow(self, run, query=""):
        return self.take(Stream(self.site.host, self.site.port, "GET", f"/api/runs/{run}/stream{query}", None, self.sent(None)))

    def threads(self):
        answer = self.get("/api/threads")
        assert answer.status == 200, answer
        return [thread["id"] for thread in answer.json()]

    @property
    def visitor(self):
        """The user that our cookie names."""
        value, = [value for name, value in self.cookies.items() if name in (PLAIN, SECURE)]
        return "visitor-" + value.split(".")[1]


def ask_https(site, method, target, cookie=None, value=None):
    """Past the web server, as if TLS had ended there. (An Answer, its cookie as "name=value" or None, attributes)"""
    headers = {"host": "chat.example.org", **({"cookie": cookie} if cookie else {})}
    body = json.dumps(value).encode() if value is not None else b""
    answer = fcgi.ask(site.settings["C1D_SOCKET"], method, target, headers, body, {"HTTPS": "on"})
    given = re.fullmatch(r"([^;]+)((?:; [^;]+)*)", answer.headers.get("set-cookie", ""))
    return answer, given and given[1], given[2].split("; ")[1:] if given else None
