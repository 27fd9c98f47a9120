"""What is wrong with a malformed request, for the developer of its client."""

from __future__ import annotations

import re

import msgspec

from gtchat.chat.errors import BadRequest, ChatError, NotLoggedIn, UnknownCommand
from gtchat.protocols.gtchat_json import strict_json
from gtchat.protocols.gtchat_json.commands import BY_CMD, COMMANDS
from gtchat.protocols.gtchat_json.requests import Request

#: Characters of an unknown command that are sent back.
CMD_CHARS = 64


def explain(payload: bytes, logged_in: bool) -> tuple[ChatError, str, str]:
    """Return what is wrong with a request, and its command and tracker as far as they can be read.

    Args:
        payload: the request as it came.
        logged_in: whether the connection has a user.
    """
    cmd, tracker = strict_json.read(payload, "cmd", "tracker")
    last_cmd = cmd[:CMD_CHARS] if isinstance(cmd, str) else ""
    return _find_fault(payload, logged_in), last_cmd, "0" if tracker is None else str(tracker)


def _find_fault(payload: bytes, logged_in: bool) -> ChatError:
    """Return what is wrong with a request; the arguments are those of `explain`."""
    try:
        cmd = strict_json.parse(payload).get("cmd")
    except ChatError as error:
        return error
    if not isinstance(cmd, str):
        return BadRequest("cmd: this field is missing.")
    kind = BY_CMD.get(cmd)
    if kind is None:
        return UnknownCommand()
    if not logged_in and not COMMANDS[kind].before_login:
        return NotLoggedIn()
    return BadRequest(_explain_field(payload, kind))


def _explain_field(payload: bytes, kind: type[Request]) -> str:
    """Return which field of a request is wrong, in the words of msgspec."""
    try:
        msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        text = str(error)
        if missing := re.fullmatch(r"Object missing required field `(\w+)`", text):
            return f"{missing[1]}: this field is missing."
        if wrong := re.fullmatch(r"(.*) - at .*`\$\.(\w+).*`", text):
            return f"{wrong[2]}: {wrong[1]}."
        return text
    return BadRequest.default
