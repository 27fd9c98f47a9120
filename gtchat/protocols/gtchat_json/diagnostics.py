"""What is wrong with a malformed request, for the developer of its client."""

from __future__ import annotations

import re

import msgspec

from gtchat.chat.errors import BadRequest, ChatError, NotLoggedIn, UnknownCommand
from gtchat.protocols.gtchat_json import strict_json
from gtchat.protocols.gtchat_json.commands import BY_CMD, COMMANDS
from gtchat.protocols.gtchat_json.requests import Request

#: Characters of an unknown command, or of the name of a field, that are sent back.
NAME_CHARS = 64
#: Characters of a text of msgspec that are sent back: some quote the value.
TEXT_CHARS = 200

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def explain(payload: bytes, logged_in: bool, strict: bool) -> tuple[ChatError, str, str]:
    """Return what is wrong with a request, and its command and tracker as far as they can be read.

    Args:
        payload: the request as it came.
        logged_in: whether the connection has a user.
        strict: whether an unknown field is wrong.
    """
    cmd, tracker = strict_json.read(payload, "cmd", "tracker")
    last_cmd = cmd[:NAME_CHARS] if isinstance(cmd, str) else ""
    return _find_fault(payload, logged_in, strict), last_cmd, _echoed(tracker)


def check_fields(payload: bytes, kind: type[Request]) -> None:
    """Check that a request has no field that its command does not have.

    Args:
        payload: a request that can be decoded.
        kind: the class of the request.

    Raises:
        BadRequest: it names the field.
    """
    for name in _decode_fields(payload):
        if name != "cmd" and name not in kind.__struct_fields__:
            cmd = kind.__struct_config__.tag
            raise BadRequest(f"{name[:NAME_CHARS]}: {cmd} has no such field.")


def _echoed(tracker: str | int | None) -> str:
    return "0" if tracker is None else str(tracker)


def _find_fault(payload: bytes, logged_in: bool, strict: bool) -> ChatError:
    """Return what is wrong with a request; the arguments are those of `explain`."""
    try:
        cmd = strict_json.parse(payload).get("cmd")
        if not isinstance(cmd, str):
            return BadRequest("cmd: this field is missing.")
        kind = BY_CMD.get(cmd)
        if kind is None:
            return UnknownCommand()
        if not logged_in and not COMMANDS[kind].before_login:
            return NotLoggedIn()
        _check_types(payload, kind)
        if strict:
            check_fields(payload, kind)
    except ChatError as error:
        return error
    return BadRequest()


def _check_types(payload: bytes, kind: type[Request]) -> None:
    """Check that a request has all fields that it needs, with values of their types.

    Raises:
        BadRequest: it names the field, and what is wrong with it in the words of msgspec.
    """
    try:
        msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        text = str(error)
        if missing := re.fullmatch(r"Object missing required field `(\w+)`", text):
            text = f"{missing[1]}: this field is missing."
        elif wrong := re.fullmatch(r"(.*) - at .*`\$\.(\w+).*`", text):
            text = f"{wrong[2]}: {wrong[1]}."
        raise BadRequest(text[:TEXT_CHARS]) from error
