"""Administrative commands for limits; the table is in `commands`."""

from __future__ import annotations

import attrs

from gtchat.chat.limits import Limits
from gtchat.server.admin.arguments import Argument
from gtchat.server.admin.command import AdminCommand, Call
from gtchat.server.admin.output import Output, listing


async def show_limits(call: Call) -> Output:
    """Show the limits that count now; settings change them, and `reload` reads those again."""
    search = call["search"] or ""
    rows = [
        {
            "name": field.name,
            "value": getattr(call.chat.limits, field.name),
            "help": field.metadata["help"],
        }
        for field in attrs.fields(Limits)
        if "help" in field.metadata and search in f"{field.name} {field.metadata['help']}"
    ]
    return listing("limits", rows, None)


#: Rows of the table.
ROWS = (
    AdminCommand(
        "limits show",
        show_limits,
        "show the limits that count now",
        (Argument("search", "part of the name or of the help", option=True),),
    ),
)
