r"""Administrative commands over the Unix socket of the admin console: one request a connection.

    client  `\0/admin`
    server  `\0admin`
    client  a JSON object {"name", "args", "progress"}
    server  while a long command runs, if the client has asked for progress: {"progress": [how much
            is done, of how much]}, at least every ten seconds while it goes on
    server  a JSON object {"status": "ok", "text", "data", "question", "narrow"}, the last two where
            something has to be confirmed, and where there is a text for narrow terminals; or
            {"status": "error", "code", "text"}; then it closes the connection

Each is one line; earlier servers send no progress. The server greets first, as it greets a console.
A server of before these commands takes the first line for a command that it does not know, and says
so: it is sent no request, which it would take for a message to the lobby.
"""

from __future__ import annotations

import json
import socket
from io import BufferedReader
from pathlib import Path
from typing import Any

import msgspec

from gtchat.chat.background import Progress, no_progress
from gtchat.chat.errors import CODES, BadRequest, ChatError
from gtchat.server.admin.output import Output

#: The first lines of a client and of the server; how an older server refuses the former.
ADMIN_LINE, READY, UNKNOWN = b"\0/admin", b"\0admin", b"not sent"
#: Longest reply, in bytes, and seconds to wait for it.
MAX_REPLY, TIMEOUT_S = 4_194_304, 60.0


class AdminRequest(msgspec.Struct):
    """A request: a command, its arguments, and whether the client reads progress."""

    name: str
    args: dict[str, str | int | bool | None] = {}
    progress: bool = False


def decode_request(line: bytes) -> AdminRequest:
    """Return the request in a line. Raises BadRequest."""
    try:
        return msgspec.json.decode(line, type=AdminRequest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest("This is no request.") from error


def encode_reply(result: Output | ChatError) -> bytes:
    """Return the line of a reply."""
    if isinstance(result, Output):
        reply: dict[str, Any] = {"status": "ok", "text": result.text, "data": result.data}
        if result.question:
            reply["question"] = result.question
        if result.narrow:
            reply["narrow"] = result.narrow
    else:
        reply = {"status": "error", "code": result.code, "text": result.text}
    return msgspec.json.encode(reply) + b"\n"


class ServerTooOld(Exception):
    """The server that runs has no administrative commands."""


def encode_progress(done: int, total: int) -> bytes:
    """Return the line that says how far a command is."""
    return msgspec.json.encode({"progress": [done, total]}) + b"\n"


def request(
    path: Path, name: str, arguments: dict[str, object], progress: Progress = no_progress
) -> Output:
    """Have a running server run a command. Blocks.

    Args:
        path: the socket.
        name: the command.
        arguments: its arguments by name.
        progress: shows how far it is.

    Raises:
        OSError: no server answers.
        ServerTooOld: it was not sent.
        ChatError: the command has failed.
    """
    with socket.socket(socket.AF_UNIX) as server, server.makefile("rb") as lines:
        server.settimeout(TIMEOUT_S)
        server.connect(str(path))
        server.sendall(ADMIN_LINE + b"\n")
        while (line := _next(lines)) != READY:
            if line.startswith(UNKNOWN):
                raise ServerTooOld()
        asked = {"name": name, "args": arguments, "progress": True}
        server.sendall(json.dumps(asked).encode() + b"\n")
        while "progress" in (reply := json.loads(_next(lines))):
            progress(*reply["progress"])
        return _result(reply)


def _next(lines: BufferedReader) -> bytes:
    """Return the next line that the server sends. Raises OSError: there is none."""
    line = lines.readline(MAX_REPLY)
    if not line.endswith(b"\n"):
        raise OSError("the server closed the connection without an answer")
    return line.rstrip()


def _result(reply: dict[str, Any]) -> Output:
    """Return the result in a reply, or raise the error."""
    if reply["status"] == "ok":
        return Output(
            reply["text"], reply["data"], reply.get("question", ""), reply.get("narrow", "")
        )
    raise CODES.get(reply["code"], ChatError)(reply["text"])
