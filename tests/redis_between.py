"""What stands between a program and its Redis, command by command: it can answer itself, wait, cut, or let all pass."""
import socket
import threading

from processes import DEADLINE_S


def read_command(stream):
    """Words of one command, as Redis gets them; None at the end."""
    line = stream.readline()
    if not line:
        return None
    words = []
    for _ in range(int(line[1:])):
        size = int(stream.readline()[1:])
        words.append(stream.read(size + 2)[:size])
    return words


def step_of(words):
    """What a command is for: a step of the cache's script, or the command's name."""
    name = words[0].decode().upper()
    return words[3 + int(words[2])].decode() if name in ("EVAL", "EVALSHA") and len(words) > 3 + int(words[2]) else name


class RedisBetween:
    """Listens on a port of its own. `rule(words)`: None lets a command pass; bytes are said instead, b"" ends the connection; an
    Event is waited for before it passes."""

    def __init__(self, target):
        self.target, self.rule, self.seen = target, None, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.pairs = []
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        return "redis://{}:{}".format(*self.address)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                server = socket.create_connection(self.target, DEADLINE_S)
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                server.settimeout(None)
            except OSError:
                if self.listener.fileno() < 0:
                    return
                client.close()
                continue
            self.pairs.append((client, server))
            threading.Thread(target=self.forth, args=(client, server), daemon=True).start()
            threading.Thread(target=self.back, args=(server, client), daemon=True).start()

    def forth(self, client, server):
        try:
            stream = client.makefile("rb")
            while (words := read_command(stream)) is not None:
                rule, step = self.rule, step_of(words)
                said = rule(words, step) if rule else None
                self.seen.append(step)
                if hasattr(said, "wait"):
                    said.wait(DEADLINE_S)
                    said = None
                if said is None:
                    server.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
                elif said:
                    client.sendall(said)
                else:
                    break
        except (OSError, ValueError):
            pass
        self.end(client, server)

    def back(self, server, client):
        try:
            while data := server.recv(65536):
                client.sendall(data)
        except OSError:
            pass
        self.end(client, server)

    @staticmethod
    def end(*ends):
        for peer in ends:
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """All that is connected; who connects anew is under the rule."""
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            self.end(*pair)

    def stop(self):
        self.listener.close()
        self.cut()
