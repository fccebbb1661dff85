"""docs/how-to/sign-in.md as somebody follows it: each way to run c1d is set up with the lines of its section, and its curls are run as
they stand. What stands behind # is what has to come: a status, and what is in the body ([] is all of it)."""
import functools
import http.server
import json
import os
import re
import subprocess
import threading
import time

import pytest

from attackers import b64
from house import DEADLINE_S, ROOT, Site
from processes import stand_in_sudo

DOCUMENT = (ROOT / "docs/how-to/sign-in.md").read_text()
SECURITY = (ROOT / "docs/explanation/security.md").read_text()
HERE = "http://127.0.0.1:8080"
WAYS = {"Visitors": "visitor", "Tokens": "jwt", "Firebase": "firebase", "Whom the web server has signed in": "header"}
# What was changed a moment ago (a key was revoked) is known within seconds: asked again until then.
EXPECT = """\
set -u
as_told() {
	got=$(curl -sS -o body -w '%{http_code}' "$@") || exit 1
	[ "$got" = "$status" ] || return 1
	case $text in
	'') ;;
	'[]') [ "$(cat body)" = '[]' ] ;;
	*) grep -q "$text" body ;;
	esac
}
expect() {
	status=${1%${1#???}} text=${1#???}; text=${text# }; shift
	for try in $(seq 100); do
		if as_told "$@"; then echo ran; return; fi
		sleep 0.1
	done
	echo "$*: $got, not $status $text: $(cat body)"
	exit 1
}
"""


def blocks(title, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", section(title), re.M | re.S)


def section(title, document=DOCUMENT):
    """A comment in a block begins with # too: headings are those outside of them."""
    start = re.search(rf"^#+ {re.escape(title)}$", document, re.M).end()
    inside, lines = False, []
    for line in document[start:].splitlines(keepends=True):
        inside ^= line.startswith("```")
        if not inside and line.startswith("#"):
            break
        lines.append(line)
    return "".join(lines)


def settings(title):
    lines = "".join(blocks(title, "ini")).splitlines()
    return dict(line.split("=", 1) for line in lines)


def run(site, title, folder, **words):
    """The section's curls; how many there were."""
    script, count = EXPECT, 0
    for line in "".join(blocks(title, "sh")).replace(HERE, site.url).splitlines():
        told = re.fullmatch(r"curl (.*?)\s+# (\d{3}.*)", line)
        assert told or not line.startswith("curl"), f"what has to come of it? {line}"
        count += bool(told)
        script += f"expect '{told[2]}' {told[1]}\n" if told else line + "\n"
    tools = folder / "bin"
    tools.mkdir()
    (tools / "c1d").write_text(f'#!/bin/sh\nexec {site.program} "$@"\n')
    (tools / "c1d").chmod(0o755)
    stand_in_sudo(tools)
    env = {**os.environ, **site.settings, **words, "PATH": f"{tools}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=env, capture_output=True, text=True, timeout=DEADLINE_S * 4, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == ["ran"] * count, done.stdout + done.stderr
    return count


def test_each_way_is_ten_lines_and_says_what_it_protects_and_what_not():
    for title, word in WAYS.items():
        text = section(title)
        lines = [line for language in ("ini", "nginx", "sh") for block in blocks(title, language) for line in block.splitlines()]
        assert 0 < len(lines) <= 10, title
        assert "*Protects:*" in text and "*Does not:*" in text, title
        assert settings(title)["C1D_AUTH"] == word
        assert re.search(rf"^\| `{word}` \|", DOCUMENT, re.M)


def test_visitors_as_told(new_site, tmp_path):
    assert run(new_site(settings("Visitors")), "Visitors", tmp_path) == 5


def test_tokens_as_told(new_site, tmp_path):
    assert run(new_site(settings("Tokens")), "Tokens", tmp_path) == 3


class Keys(http.server.BaseHTTPRequestHandler):
    """Where Google would publish its keys."""

    def __init__(self, keys, *args):
        self.keys = keys
        super().__init__(*args)

    def do_GET(self):
        self.send_response(200)
        self.send_header("Cache-Control", "public, max-age=20000")
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(self.keys)

    def log_message(self, *_):
        pass


@pytest.fixture
def google(tmp_path):
    """(address of the keys, a function that signs an id token)."""
    key, cert = tmp_path / "google.key", tmp_path / "google.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=securetoken", "-days", "2", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Keys, json.dumps({"k1": cert.read_text()}).encode()))
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def sign(project):
        now = int(time.time())
        text = b64({"alg": "RS256", "kid": "k1", "typ": "JWT"}) + "." + b64(
            {"iss": f"https://securetoken.google.com/{project}", "aud": project, "sub": "uid-of-ada", "auth_time": now - 5, "iat": now, "exp": now + 3600})
        made = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text.encode(), capture_output=True, check=True).stdout
        return f"{text}.{b64(made)}"

    yield f"http://127.0.0.1:{server.server_address[1]}/keys", sign
    server.shutdown()
    server.server_close()


def test_firebase_as_told(new_site, tmp_path, google):
    url, sign = google
    told = settings("Firebase")
    site = new_site({**told, "C1D_FIREBASE_KEYS_URL": url})
    assert run(site, "Firebase", tmp_path, ID_TOKEN=sign(told["C1D_FIREBASE_PROJECT"])) == 3


def uncommented(lines):
    """The shipped locations with these lines of theirs switched on."""
    text = (ROOT / "nginx/c1d.conf").read_text()
    for line in lines:
        pattern = r"^( +)# (" + r"\s+".join(re.escape(word) for word in line.split()) + ")"
        text, count = re.subn(pattern, r"\1\2", text, count=1, flags=re.M)
        assert count == 1, line
    return text


def test_whom_the_web_server_has_signed_in_as_told(new_site, tmp_path):
    title, users, locations = "Whom the web server has signed in", tmp_path / "users", tmp_path / "c1d.conf"
    users.write_text("ada:" + subprocess.run(["openssl", "passwd", "-apr1", "secret"], capture_output=True, text=True, check=True).stdout)
    locations.write_text(uncommented("".join(blocks(title, "nginx")).splitlines()).replace("/etc/nginx/c1d.htpasswd", str(users)))
    tmp_path.chmod(0o755)
    assert run(new_site(settings(title), locations=locations), title, tmp_path) == 3


def test_keys_for_servers_as_told(new_site, tmp_path):
    site = new_site({"C1D_AUTH": "visitor"})
    assert run(site, "Keys for servers", tmp_path) == 3


def test_the_limits_that_are_named_are_the_programs():
    program = os.environ.get("C1D_BIN", str(ROOT / "build/c1d"))
    table = subprocess.run([program, "help", "settings", "--markdown"], capture_output=True, text=True, check=True).stdout
    assert "`C1D_LIMIT_CHAT` (`10/minute`)" in section("How often", SECURITY) and "| `C1D_LIMIT_CHAT` | `10/minute` |" in table
    assert re.search(r"Five\s+answers", section("How often", SECURITY)) and "| `C1D_RUNS_PER_USER` | `5` |" in table


def test_what_is_said_of_the_shipped_settings_is_so():
    shipped = (ROOT / "systemd/c1d.conf").read_text()
    for line in ("C1D_AUTH=visitor", "C1D_LIMIT_READ=600/minute", "C1D_LIMIT_WRITE=120/minute"):
        assert re.search(rf"^{line}$", shipped, re.M), line
