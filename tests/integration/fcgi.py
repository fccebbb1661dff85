"""A FastCGI client of a few lines: asks c1d over its socket what no web server passes on."""
import socket
import struct

from house import DEADLINE_S, Answer

BEGIN, PARAMS, STDIN, STDOUT, STDERR, END = 1, 4, 5, 6, 7, 3
RESPONDER = struct.pack("!HB5x", 1, 0)


def record(kind, content=b""):
    return struct.pack("!BBHHBx", 1, kind, 1, len(content), 0) + content


def length(n):
    return struct.pack("!B", n) if n < 128 else struct.pack("!I", n | 1 << 31)


def pairs(params):
    def raw(text):
        return text if isinstance(text, bytes) else text.encode()
    return b"".join(length(len(k)) + length(len(v)) + k + v for k, v in ((raw(k), raw(v)) for k, v in params.items()))


def request(method, target, headers, body, more=None):
    """The bytes of a whole request; more: further parameters of the web server's."""
    params = {"REQUEST_METHOD": method, "REQUEST_URI": target, "QUERY_STRING": target.partition("?")[2],
              "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "CONTENT_LENGTH": str(len(body)), **(more or {}),
              **({"CONTENT_TYPE": "application/json"} if body else {}),
              **{"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()}}
    chunks = [body[at:at + 65535] for at in range(0, len(body), 65535)]
    return b"".join([record(BEGIN, RESPONDER), record(PARAMS, pairs(params)), record(PARAMS),
                     *(record(STDIN, chunk) for chunk in chunks), record(STDIN)])


def read_records(peer):
    """(kind, content) until the end of the request."""
    stream = peer.makefile("rb")
    while head := stream.read(8):
        _, kind, _, size, padding = struct.unpack("!BBHHBx", head)
        content = stream.read(size)
        stream.read(padding)
        yield kind, content
        if kind == END:
            return
    raise AssertionError("the connection was closed before the end of the request")


def ask(socket_path, method, target, headers=None, body=b"", more=None):
    """An Answer, as from house.Site; headers is a dict of lower-case names."""
    return exchange(socket_path, request(method, target, headers or {}, body, more))


def ask_params(socket_path, params):
    """The same, of parameters as they stand, in bytes, and no body."""
    content = pairs(params)
    chunks = [content[at:at + 65535] for at in range(0, len(content), 65535)]
    return exchange(socket_path, b"".join([record(BEGIN, RESPONDER), *(record(PARAMS, chunk) for chunk in chunks), record(PARAMS), record(STDIN)]))


def exchange(socket_path, data):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(DEADLINE_S)
        peer.connect(str(socket_path))
        peer.sendall(data)
        found = list(read_records(peer))
    assert not [content for kind, content in found if kind == STDERR and content]
    head, _, text = b"".join(content for kind, content in found if kind == STDOUT).partition(b"\r\n\r\n")
    lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    fields = {name.lower(): value for name, value in lines.items()}
    return Answer(int(fields.pop("status", "200").split()[0]), fields, text)
