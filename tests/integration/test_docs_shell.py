"""Each shell block of README.md and docs/ is run, as it stands, page by page and in the order of the page: on a machine that is a
folder, with the real c1d, nginx, curl, openssl and a scripted C1 API, and with what tests/docs/machine stands for. Blocks of other kinds
are read by whom they are for: nginx, c1d, JSON."""
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from house import DEADLINE_S, NGINX, ROOT, Site, environment_of, free_port, wait_for

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FIRST, LAST = ROOT / "docs/tutorial.md", ROOT / "docs/how-to/uninstall.md"  # a fresh machine, and what takes c1d from it
STANDS = ("sudo", "systemctl", "journalctl", "nginx", "make", "apt-get", "systemd-sysusers", "systemd-tmpfiles", "sudoedit", "npm", "docker")
# Pages that need another store or other settings for each block: each is run by the test that has these.
ELSEWHERE = {"how-to/sign-in.md": "test_docs_security.py",
             **dict.fromkeys([f"how-to/{name}.md" for name in ("administration", "erase-a-user", "export", "move-store", "backup")],
                             "test_admin_commands.py")}
NGINX_CONF = """\
pid {machine}/nginx.pid; error_log {machine}/var/log/nginx/error.log;
{user}
events {{ }}
http {{
    client_body_temp_path {machine}/body; proxy_temp_path {machine}/proxy; fastcgi_temp_path {machine}/fcgi;
    uwsgi_temp_path {machine}/uwsgi; scgi_temp_path {machine}/scgi;
    include /etc/nginx/sites-enabled/*;
}}
"""


def blocks(page, language):
    """(why it is not run or "", text) of each."""
    return re.findall(rf'^ *```{language}(?: skip="([^"]+)")?\n(.*?)^ *```$', page.read_text(), re.M | re.S)


def name_of(page):
    return str(page.relative_to(ROOT / "docs")) if page.is_relative_to(ROOT / "docs") else page.name


class Machine:
    """A folder that plays a machine's root, and a site of make demo's beside it."""

    def __init__(self, folder, upstream, demo):
        self.folder, self.demo, self.home = folder, demo, folder / "home"
        self.ports = {name: str(free_port()) for name in ("HTTP_PORT", "HTTPS_PORT", "METRICS_PORT")}
        for name in ("etc/nginx/sites-available", "etc/nginx/sites-enabled", "var/log/nginx", "var/lib/c1d", "run/c1d-socket", "build", "bin", "home"):
            (folder / name).mkdir(parents=True)
        (folder / "etc/nginx/nginx.conf").write_text(NGINX_CONF.format(machine=folder, user="user root;" if os.geteuid() == 0 else ""))
        shutil.copytree(ROOT / "packaging", self.home / "packaging")
        (self.home / ".curlrc").write_text("silent\nshow-error\nfail-with-body\n")
        os.symlink(Path(demo.program).resolve(), folder / "build/c1d")
        for name in STANDS:
            os.symlink(ROOT / "tests/docs/machine", folder / "bin" / name)
        settings = {"C1D_CONFIG": f"{folder}/etc/c1d/c1d.conf", "C1D_SOCKET": f"{folder}/run/c1d-socket/c1d.sock", "C1D_STATE_DIR": f"{folder}/var/lib/c1d",
                    "C1D_WORKERS": "1", "C1D_SPOOL_RESERVE": "1m", "C1D_LOG_FORMAT": "json", **upstream.settings}
        self.environment = {**environment_of(settings), **self.ports, "MACHINE": str(folder), "HOME": str(self.home), "CURL_HOME": str(self.home),
                            "PATH": f"{folder}/bin:{folder}/usr/local/bin:{os.environ['PATH']}"}

    def here(self, text):
        """A block's text with this machine's paths, ports and names; nothing else of it is changed."""
        text = re.sub(r"(?<![\w.$/-])/(etc|usr/local/share|var|run)/", rf"{self.folder}/\1/", text)
        text = text.replace("chat.example.org:443:", f"chat.example.org:{self.ports['HTTPS_PORT']}:")
        text = text.replace("https://chat.example.org/", f"https://chat.example.org:{self.ports['HTTPS_PORT']}/")
        text = text.replace("http://127.0.0.1:9181/", f"http://127.0.0.1:{self.ports['METRICS_PORT']}/")
        return text.replace("http://127.0.0.1:8080", self.demo.url)

    def run(self, page):
        """All of its blocks, one behind the other in one shell that ends at the first failure; what they printed."""
        script = "set -eu\n" + "".join(f"echo '--- block {number}'\n{self.here(text)}\n"
                                       for number, (skip, text) in enumerate(blocks(page, "sh"), 1) if not skip)
        done = subprocess.run(["bash", "-c", script], cwd=self.home, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=DEADLINE_S * 6, check=False)
        log = self.folder / "var/log/c1d.log"
        assert done.returncode == 0, f"{name_of(page)}\n{done.stdout[-3000:]}\n{log.read_text()[-2000:] if log.exists() else ''}"
        return done.stdout

    @staticmethod
    def is_over(pid):
        try:
            return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
        except OSError:
            return True

    def stop(self):
        for name in ("c1d", "nginx"):
            pid = self.folder / f"{name}.pid"
            if pid.exists():
                number = int(pid.read_text())
                os.kill(number, 15)
                wait_for(lambda: self.is_over(number), f"{name} ends")


@pytest.fixture
def machine(scratch, upstream):
    demo = Site(scratch, upstream, {"C1D_MODELS": "c1/other"}, workers=1)
    folder = scratch / "machine"
    folder.mkdir(mode=0o755)
    made = Machine(folder, upstream, demo)
    yield made
    made.stop()
    demo.stop()


def test_d7_every_shell_block_does_what_its_page_says(machine):
    shown = machine.run(FIRST)
    assert "OK   settings" in shown and "test is successful" in shown and '"status":"healthy"' in shown
    assert "<!doctype html>" in shown and "<content" in shown
    mine, others = re.search(r'(\[\{"id":"first".*?\}\])(\[\])', shown).groups()
    assert json.loads(mine)[0]["id"] == "first" and others == "[]"
    assert '"event":' in shown and "request_id=" in shown and re.search(r"^chat_requests_total\{.*complete.*\} 1$", shown, re.M)
    assert "event: done" in shown and '"status":"complete"' in shown[shown.index("event: done"):]
    for page in PAGES:
        if page not in (FIRST, LAST) and name_of(page) not in ELSEWHERE and blocks(page, "sh"):
            machine.run(page)
    assert (machine.folder / "nginx.pid").exists() and (machine.folder / "body").is_dir()  # and nowhere else: it ends with the machine
    machine.run(LAST)
    assert not (machine.folder / "usr/local/bin/c1d").exists() and not (machine.folder / "c1d.pid").exists()
    asked = (machine.folder / "asked").read_text()
    for words in ("make install", "make web", "make demo", "systemctl reload c1d", "docker compose up -d --wait", "npm install @thesysai/genui-sdk"):
        assert words in asked, words
    log = (machine.folder / "var/log/c1d.log").read_text()
    assert '"event":"reload"' in log and "Sanitizer" not in log


def test_d7_few_blocks_are_left_out_and_each_says_why(capsys):
    left_out = [(name_of(page), why) for page in PAGES for why, _ in blocks(page, "sh") if why]
    run = sum(not why for page in PAGES for why, _ in blocks(page, "sh"))
    with capsys.disabled():
        print(f"\n{run} shell blocks are run, {len(left_out)} are not: {left_out}")
    assert run >= 30 and len(left_out) <= 2
    for page, test in ELSEWHERE.items():
        assert (ROOT / "docs" / page).exists() and Path(page).stem in (ROOT / "tests/integration" / test).read_text()
    # No fence is of a kind that nobody here knows.
    kinds = {kind for page in PAGES for kind in re.findall(r"^ *```(\S+)", page.read_text(), re.M)}
    assert kinds <= {"sh", "ini", "nginx", "json", "js", "jsx", "text"}, kinds


def test_d7_settings_and_json_of_every_page_are_good(tmp_path):
    program = os.environ.get("C1D_BIN", str(ROOT / "build/c1d"))
    seen = 0
    for page in PAGES:
        for _, text in blocks(page, "ini"):
            (tmp_path / "c1d.conf").write_text("THESYS_API_KEY=sk-th-test\n" + re.sub(r"^ +", "", text, flags=re.M))
            done = subprocess.run([program, "check", "-t", "--config", tmp_path / "c1d.conf"], env=environment_of({}), capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{name_of(page)}\n{text}\n{done.stdout}{done.stderr}"
            seen += 1
        for _, text in blocks(page, "json"):
            for line in text.splitlines():
                json.loads(line)
            seen += 1
    assert seen >= 6


def test_d7_lines_of_nginx_are_lines_that_nginx_takes(tmp_path):
    """In a server that has c1d's locations; a line that says `in http` there."""
    seen = 0
    for path in (ROOT / "nginx").glob("*.conf"):
        text = path.read_text()
        (tmp_path / path.name).write_text(text.replace("127.0.0.1:9181", f"127.0.0.1:{free_port()}"))
    for page in PAGES:
        for _, text in blocks(page, "nginx"):
            text = text.replace("/usr/local/share/c1d/nginx/", f"{tmp_path}/").replace("/var/log/nginx/", f"{tmp_path}/")
            http = "".join(line + "\n" for line in text.splitlines() if "# in http" in line)
            server = "".join(line + "\n" for line in text.splitlines() if "# in http" not in line)
            zones = "" if "c1d-upstream" in http else f"include {tmp_path}/c1d-upstream.conf;"
            if "/c1d.conf" not in server:
                server = f"include {tmp_path}/c1d.conf;\n{server}"
            conf = tmp_path / "nginx.conf"
            conf.write_text(f"pid {tmp_path}/pid; error_log stderr; events {{}}\nhttp {{ access_log off; {zones}\n{http}"
                            f"server {{ listen 127.0.0.1:{free_port()};\n{server} location /x {{ return 404; }} }} }}\n")
            done = subprocess.run([NGINX, "-t", "-e", "stderr", "-c", conf], capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{name_of(page)}\n{text}\n{done.stderr}"
            seen += 1
    assert seen >= 4
