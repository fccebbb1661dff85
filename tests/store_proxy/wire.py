"""The MongoDB protocol as far as a proxy has to know it: where a message ends, which command it is, what an error looks like."""
import asyncio
import struct

HEADER = struct.Struct("<iiii")  # length, request id, response to, opcode
OP_QUERY, OP_COMPRESSED, OP_MSG = 2004, 2012, 2013
MORE_TO_COME = 1 << 1
MESSAGE_MAX = 64 << 20


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """One whole message; IncompleteReadError when the peer has gone."""
    head = await reader.readexactly(HEADER.size)
    length = HEADER.unpack(head)[0]
    if not HEADER.size <= length <= MESSAGE_MAX:
        raise ValueError(f"a message of {length} bytes")
    return head + await reader.readexactly(length - HEADER.size)


def command_of(message: bytes) -> str:
    """`insert`, `find` ...: the first key of an OP_MSG's document. A driver's first hello may come as OP_QUERY."""
    opcode = HEADER.unpack_from(message)[3]
    if opcode == OP_QUERY:
        return "hello"
    if opcode != OP_MSG or len(message) < 28 or message[20] != 0:
        return "compressed" if opcode == OP_COMPRESSED else "unknown"
    return message[26:message.index(b"\0", 26)].decode("ascii", "replace")


def more_follows(message: bytes) -> bool:
    """Of a request: no reply is wanted. Of a reply: another one comes unasked."""
    return HEADER.unpack_from(message)[3] == OP_MSG and bool(struct.unpack_from("<I", message, 16)[0] & MORE_TO_COME)


def error_reply(request: bytes, code: int) -> bytes:
    """{ok: 0.0, code: CODE, errmsg: ...}: as a server says that it is no primary (10107) or shuts down (91), and quotes what it was asked."""
    said = b'by the proxy, of { find: "threads", filter: { title: "quoted" } }\0'
    elements = (b"\x01ok\0" + struct.pack("<d", 0.0) + b"\x10code\0" + struct.pack("<i", code)
                + b"\x02errmsg\0" + struct.pack("<i", len(said)) + said)
    document = struct.pack("<i", len(elements) + 5) + elements + b"\0"
    body = struct.pack("<IB", 0, 0) + document
    request_id = HEADER.unpack_from(request)[1]
    return HEADER.pack(HEADER.size + len(body), 0, request_id, OP_MSG) + body
