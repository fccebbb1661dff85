"""make install puts c1d on a machine, make uninstall takes away exactly that. With a program that is none: what is
looked at is where things go."""
import os
import re
import subprocess

import pytest

from house import ROOT

OURS = [
    "bin/c1d",
    "lib/systemd/system/c1d.service",
    "lib/systemd/system/c1d.socket",
    "lib/sysusers.d/c1d.conf",
    "lib/tmpfiles.d/c1d.conf",
    "share/c1d/c1d.conf",
    "share/c1d/c1d.ts",
    "share/c1d/firestore.indexes.json",
    "share/c1d/nginx/c1d-aliases.conf",
    "share/c1d/nginx/c1d-page.conf",
    "share/c1d/nginx/c1d-upstream.conf",
    "share/c1d/nginx/c1d.conf",
    "share/c1d/nginx/site.conf",
    "share/doc/c1d/LICENSE",
]
# All documents, in the folders that they have here, with what they have links to.
LEFT_THERE = ("node_modules", ".next", "c1d.ts")  # by npm and by other tests
OURS += ["share/doc/c1d/web/src/c1d.ts"]
OURS += [f"share/doc/c1d/{path.relative_to(ROOT)}" for path in (ROOT / "docs").rglob("*") if path.suffix in (".md", ".svg", ".png")]
OURS += [f"share/doc/c1d/{path.relative_to(ROOT)}" for path in (ROOT / "examples").rglob("*")
         if path.is_file() and not set(path.parts) & set(LEFT_THERE)]
FOREIGN = ["usr/bin/other", "usr/share/doc/other/README", "etc/other.conf", "usr/lib/systemd/system/other.service"]


class Machine:
    def __init__(self, folder, prefix):
        self.root, self.build, self.prefix = folder / "root", folder / "build", prefix
        self.build.mkdir()
        (self.build / "c1d").write_text("#!/bin/sh\n")
        for name in FOREIGN:
            path = self.root / name
            path.parent.mkdir(parents=True)
            path.write_text("not c1d's\n")

    def make(self, target, code=0):
        command = ["make", "-s", "-o", f"{self.build}/c1d", f"BUILD={self.build}", f"DESTDIR={self.root}",
                   f"PREFIX={self.prefix}", target]
        env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # not make test's own
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=env)
        assert (done.returncode == 0) == (code == 0), done.stderr
        return done.stdout + done.stderr

    def files(self):
        return {str(p.relative_to(self.root)): p.read_text(errors="replace") for p in self.root.rglob("*") if p.is_file()}

    @property
    def settings(self):
        return self.root / "etc/c1d/c1d.conf"

    def read(self, name):
        return (self.root / self.prefix.lstrip("/") / name).read_text()


@pytest.fixture(params=["/usr/local", "/usr", "/opt/c1d"])
def machine(request, tmp_path):
    return Machine(tmp_path, request.param)


def test_everything_lies_where_debian_looks_for_it(machine):
    before = machine.files()
    machine.make("install")
    new = set(machine.files()) - set(before) - {f"{machine.prefix.lstrip('/')}/share/doc/c1d/README.md"}
    assert new == {f"{machine.prefix.lstrip('/')}/{name}" for name in OURS} | {"etc/c1d/c1d.conf"}
    program = machine.root / machine.prefix.lstrip("/") / "bin/c1d"
    assert program.stat().st_mode & 0o777 == 0o755
    assert machine.settings.stat().st_mode & 0o777 == 0o640


def test_the_page_goes_along_when_it_was_built_and_leaves_nothing_of_an_older_one(machine):
    (machine.build / "web/assets").mkdir(parents=True)
    (machine.build / "web/index.html").write_text("a page\n")
    (machine.build / "web/assets/old.js").write_text("old\n")
    before = machine.files()
    machine.make("install")
    assert machine.read("share/c1d/web/assets/old.js") == "old\n"
    (machine.build / "web/assets/old.js").rename(machine.build / "web/assets/new.js")
    machine.make("install")
    assert {name.split("/web/")[1] for name in machine.files() if "/share/c1d/web/" in name} == {"index.html", "assets/new.js"}
    assert f"root  {machine.prefix}/share/c1d/web;" in machine.read("share/c1d/nginx/c1d-page.conf")
    machine.make("uninstall")
    assert machine.files() == before


def test_what_is_installed_names_the_prefix(machine):
    machine.make("install")
    assert f"\nExecStart={machine.prefix}/bin/c1d serve\n" in machine.read("lib/systemd/system/c1d.service")
    assert f"include {machine.prefix}/share/c1d/nginx/c1d.conf;" in machine.read("share/c1d/nginx/site.conf")
    if machine.prefix != "/usr/local":
        assert not [name for name, text in machine.files().items() if "/usr/local" in text]


def test_t5_no_link_of_an_installed_document_leads_nowhere(machine):
    machine.make("install")
    documents = machine.root / machine.prefix.lstrip("/") / "share/doc/c1d"
    links = [(page, link) for page in documents.rglob("*.md") for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())]
    assert len(links) > 100
    assert not [(str(page), link) for page, link in links if not (page.parent / link).exists()]


def test_uninstall_takes_away_exactly_what_install_put_there(machine):
    before = machine.files()
    machine.make("install")
    machine.make("install")
    machine.make("uninstall")
    assert machine.files() == before
    left = {str(p.relative_to(machine.root)) for p in machine.root.rglob("*c1d*") if p.is_dir()}
    assert left <= {machine.prefix.lstrip("/")}


def test_the_administrators_settings_are_neither_overwritten_nor_taken_away(machine):
    machine.make("install")
    machine.settings.write_text("THESYS_API_KEY=mine\n")
    machine.make("install")
    assert machine.settings.read_text() == "THESYS_API_KEY=mine\n"
    assert "stays" in machine.make("uninstall")
    assert machine.settings.read_text() == "THESYS_API_KEY=mine\n"


def test_t10_uninstall_says_what_stays(machine):
    machine.make("install")
    said = machine.make("uninstall")
    for word in ("/var/lib/c1d", "user c1d", "/etc/credstore", "includes", "docs/how-to/uninstall.md"):
        assert word in said, said


@pytest.mark.parametrize("link", ["multi-user.target.wants/c1d.service", "sockets.target.wants/c1d.socket"])
def test_t10_uninstall_takes_nothing_from_under_an_enabled_service(machine, link):
    machine.make("install")
    before = machine.files()
    wants = machine.root / "etc/systemd/system" / link
    wants.parent.mkdir(parents=True)
    wants.symlink_to(f"{machine.prefix}/lib/systemd/system/{wants.name}")
    assert "systemctl disable --now c1d.socket c1d.service" in machine.make("uninstall", code=1)
    assert machine.files() == before
    wants.unlink()
    machine.make("uninstall")


def test_uninstall_without_install_is_no_error(machine):
    before = machine.files()
    machine.make("uninstall")
    assert machine.files() == before
