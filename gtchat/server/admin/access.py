"""Administrative commands for who may come in; the table is in `commands`."""

from __future__ import annotations

from typing import Any

from gtchat.chat.access import DEFAULT, GUESTS, REGISTRATION, REGISTRATION_MODES
from gtchat.server.admin.arguments import Argument
from gtchat.server.admin.command import AdminCommand, Call
from gtchat.server.admin.output import Output, details


def _shown(call: Call) -> Output:
    """Return who may come in, and whether that was chosen with a command."""
    access = call.chat.access
    values: dict[str, Any] = {
        REGISTRATION: access.registration,
        GUESTS: "on" if access.guests else "off",
    }
    chosen = [name for name in values if access.is_chosen(name)]
    return details({**values, "chosen": ", ".join(chosen)})


async def show_access(call: Call) -> Output:
    """Show who may come in."""
    return _shown(call)


async def set_registration(call: Call) -> Output:
    """Choose who can register."""
    await call.chat.admin.access.choose(REGISTRATION, call["mode"], call.actor)
    return _shown(call)


async def set_guests(call: Call) -> Output:
    """Choose whether there are guests."""
    await call.chat.admin.access.choose(GUESTS, call["on"], call.actor)
    return _shown(call)


#: Rows of the table.
ROWS = (
    AdminCommand("access", show_access, "show who can register, and whether there are guests"),
    AdminCommand(
        "registration",
        set_registration,
        "choose who can register an account",
        (
            Argument(
                "mode",
                "who; default is what the setting says",
                "choice",
                choices=(*REGISTRATION_MODES, DEFAULT),
            ),
        ),
        audit="chosen",
    ),
    AdminCommand(
        "guests",
        set_guests,
        "choose whether users can log in without an account",
        (
            Argument(
                "on",
                "whether they can; default is what the setting says",
                "choice",
                choices=("on", "off", DEFAULT),
            ),
        ),
        audit="chosen",
    ),
)
