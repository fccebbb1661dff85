"""What stands between a program and its store, and hurts what passes when told."""
import http.client
import json
import os
import urllib.parse

from processes import DEADLINE_S, PYTHON, Process


class StoreProxy:
    """A proxy before a server (tests/store_proxy): faults between any two commands, and counts. `target` is mongodb://…, or
    tcp://… for one whose protocol it does not know."""

    def __init__(self, folder, target):
        self.process = Process([PYTHON, "tests/store_proxy", "--target", target], folder, f"proxy-{os.urandom(4).hex()}", ready="ready ")
        self.uri = self.process.ready_line.split()[1]
        self.control = self.process.child.stdout.readline().decode().split()[1]

    @property
    def address(self):
        """As servers.py takes it: server.settings(name, proxy.address)."""
        return "127.0.0.1", urllib.parse.urlsplit(self.uri).port

    def ask(self, method, path, value=None):
        url = urllib.parse.urlsplit(self.control)
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=DEADLINE_S * 2)
        try:
            connection.request(method, path, json.dumps(value) if value is not None else None)
            answer = connection.getresponse()
            body = json.loads(answer.read())
        finally:
            connection.close()
        assert answer.status == 200, body
        return body

    def rule(self, action, command="*", **more):
        """The number of a new rule: `action` befalls the next command of that name; see the proxy's README for the rest."""
        return self.ask("POST", "/rule", {"action": action, "command": command, **more})["id"]

    def wait_rule(self, number, fired=1):
        assert self.ask("GET", f"/wait?rule={number}&fired={fired}&timeout={DEADLINE_S}")["reached"], "the rule met no command"

    def wait_command(self, command, count=1):
        assert self.ask("GET", f"/wait?command={command}&count={count}&timeout={DEADLINE_S}")["reached"], f"no {command} came"

    def mode(self, mode):
        self.ask("POST", f"/mode?mode={mode}")

    def heal(self):
        self.ask("POST", "/heal")

    def commands(self):
        """The names of the commands since this was asked last, in order."""
        return self.ask("POST", "/counts/reset")["order"]

    def stop(self):
        self.process.stop()
