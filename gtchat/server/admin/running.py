"""Administrative commands about the server itself."""

from __future__ import annotations

from gtchat.server.admin.command import AT_RUNNING_SERVER, AdminCommand, Call
from gtchat.server.admin.output import Output


async def _reload(call: Call) -> Output:
    """Have settings and certificates read again."""
    done = call.reload(call.actor)
    return Output(done.text, {"changed": [*done.changed], "restart": [*done.restart]})


ROWS = (
    AdminCommand(
        "reload",
        _reload,
        "read the settings and the certificates again",
        channels=AT_RUNNING_SERVER,
        audit="reloaded",
    ),
)
