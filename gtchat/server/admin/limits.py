"""Administrative commands for limits; the table is in `commands`."""

from __future__ import annotations

from typing import Any

import attrs

from gtchat.chat.errors import BadRequest
from gtchat.chat.limit_admin import FOR_ACCOUNTS
from gtchat.chat.limits import Limits
from gtchat.server.admin.arguments import Argument
from gtchat.server.admin.command import AFTER, LIMIT, AdminCommand, Call
from gtchat.server.admin.output import Output, listing, time_of
from gtchat.server.config import convert, suggestion
from gtchat.server.settings import SettingsError

#: In place of a value: that of the setting.
_DEFAULT = "default"
#: Longest value, in characters.
_VALUE_CHARS = 32
#: Name of a limit -> its help.
_LIMITS = {field.name: field.metadata["help"] for field in attrs.fields(Limits)}


def _limit(call: Call, name: str) -> dict[str, Any]:
    """Return a limit, for a result."""
    limits = call.chat.admin.limits
    chosen = limits.chosen.get(name)
    return {
        "name": name,
        "value": getattr(call.chat.limits, name),
        "source": "operator" if chosen else limits.sources.get(name, "default"),
        "by": chosen.by if chosen else None,
        "since": time_of(chosen.at) if chosen else None,
        "setting": getattr(limits.settings, name),
        "accounts": name in FOR_ACCOUNTS,
        "help": _LIMITS[name],
    }


async def show_limits(call: Call) -> Output:
    """Show the limits that count now, and where each value is from."""
    search, names = call["search"] or "", list(_LIMITS)
    start = names.index(call["after"]) + 1 if call["after"] in names else 0
    found = [
        name
        for name in names[start:]
        if search in f"{name} {_LIMITS[name]}"
        and (name in call.chat.admin.limits.chosen or not call["chosen"])
    ]
    page, left = found[: call["limit"]], found[call["limit"] :]
    return listing("limits", [_limit(call, name) for name in page], page[-1] if left else None)


async def set_limit(call: Call) -> Output:
    """Set a limit, or have that of the setting count again."""
    name, text = call["name"], call["value"]
    if name not in _LIMITS:
        raise BadRequest(f"name: there is no limit {name[:40]!r}{suggestion(name[:40], _LIMITS)}")
    if len(text) > _VALUE_CHARS:
        raise BadRequest("value: must be a number, or default.")
    try:
        value = None if text == _DEFAULT else convert(name, text, "value", text=True)
    except SettingsError as error:
        raise BadRequest(f"{error}.") from None
    await call.chat.admin.limits.choose(name, value, call.actor)
    limit = _limit(call, name)
    reason = ", as the setting says" if value is None else ""
    return Output(f"{name} is {limit['value']} now{reason}", limit)


#: Rows of the table.
ROWS = (
    AdminCommand(
        "limits show",
        show_limits,
        "show the limits that count now, and where each value is from",
        (
            Argument("search", "part of the name or of the help", option=True),
            Argument("chosen", "those that operators have set", "flag", option=True, default=False),
            AFTER,
            LIMIT,
        ),
    ),
    AdminCommand(
        "limits set",
        set_limit,
        "set a limit, which goes before the setting, at all servers and after a restart",
        (
            Argument("name", "the name of the limit"),
            Argument("value", "a number, 0 for no limit; default for that of the setting"),
        ),
        audit="chosen",
    ),
)
