"""Administrative commands about the server itself."""

from __future__ import annotations

from gtchat.server.admin.command import AT_RUNNING_SERVER, AdminCommand, Call
from gtchat.server.admin.output import Output


async def _reload(call: Call) -> Output:
    """Have settings and certificates read again."""
    done = call.reload(call.actor)
    names = {"changed": done.changed, "restart": done.restart, "overridden": done.overridden}
    return Output(done.text, {what: list(keys) for what, keys in names.items()})


ROWS = (
    AdminCommand(
        "reload",
        _reload,
        "read the settings and the certificates again",
        channels=AT_RUNNING_SERVER,
        audit="reloaded",
    ),
)
