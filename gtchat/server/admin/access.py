"""Administrative commands for who may come in, and invitations; the table is in `commands`."""

from __future__ import annotations

from typing import Any

from gtchat.chat.access import DEFAULT, GUESTS, NAME, REGISTRATION
from gtchat.chat.audit import CONSOLE
from gtchat.chat.invite_links import MAX_DAYS, MAX_USES, Wanted
from gtchat.chat.modes import REGISTRATION_MODES
from gtchat.chat.panic import NEW_MS, PANIC, USUAL_MS
from gtchat.server.admin.arguments import Argument
from gtchat.server.admin.command import LIMIT, AdminCommand, Call
from gtchat.server.admin.output import Output, details, listing, shown, time_of


def _shown(call: Call) -> Output:
    """Return who may come in, and whether that was chosen with a command."""
    access, panic = call.chat.access, call.chat.access.panic
    values: dict[str, Any] = {
        NAME: access.name,
        REGISTRATION: access.registration,
        GUESTS: "on" if access.guests else "off",
    }
    chosen = [name for name in values if access.is_chosen(name)]
    until = time_of(panic.until) if panic.is_on else None
    switch = {PANIC: "on" if panic.is_on else "off", "panic_until": until}
    return details({**values, **switch, "chosen": ", ".join(chosen)})


async def show_access(call: Call) -> Output:
    """Show who may come in."""
    return _shown(call)


async def rename_chat(call: Call) -> Output:
    """Give the chat another name."""
    await call.chat.admin.access.rename(call["name"], call.actor)
    return _shown(call)


async def set_registration(call: Call) -> Output:
    """Choose who can register."""
    await call.chat.admin.access.choose(REGISTRATION, call["mode"], call.actor)
    return _shown(call)


async def set_guests(call: Call) -> Output:
    """Choose whether there are guests."""
    await call.chat.admin.access.choose(GUESTS, call["on"], call.actor)
    return _shown(call)


async def set_panic(call: Call) -> Output:
    """Turn the panic switch on or off, and tell all users."""
    admin, panic = call.chat.admin, call.chat.access.panic
    was_on = panic.is_on
    await admin.access.panic(call["for"] if call["on"] == "on" else None, call.actor, call["new"])
    if panic.is_on:
        slow = call.chat.limits.panic_slow_seconds
        others = f", all others can send a message every {slow:g} s" if slow else ""
        told = f"Until {time_of(panic.until)} guests and new accounts can only read{others}."
        admin.rooms.announce(told, call.actor)
    elif was_on:
        admin.rooms.announce("The slow mode of the chat has ended.", call.actor)
    return _shown(call)


async def create_invitation(call: Call) -> Output:
    """Make a link with which others register."""
    rooms = [one.strip() for one in (call["rooms"] or "").split(",") if one.strip()]
    wanted = Wanted(call["uses"], call["days"], rooms)
    made = await call.chat.invite_links.create_as_operator(wanted, call.actor)
    address, until = f"{call.page}#/invite/{made.secret}", time_of(made.expires_at)
    accounts = "1 account" if call["uses"] == 1 else f"{call['uses']} accounts"
    text = f"{accounts} can be registered with this link, until {shown(until)}:\n{address}"
    if not call.page:
        text += "\nPut it behind the address of the chat's page."
    data = {"id": made.id, "link": address, "invite": made.secret, "expires": until}
    return Output(text, data)


async def list_invitations(call: Call) -> Output:
    """List links with which others register."""
    limit = call["limit"]
    found = await call.chat.invite_links.listed(None, call["before"], limit + 1)
    rows = [
        {
            "id": one.link.id,
            "by": one.link.maker or CONSOLE,
            "uses": one.link.uses,
            "used": one.link.used,
            "created": time_of(one.link.created_at),
            "expires": time_of(one.link.expires_at),
            "rooms": ", ".join(one.rooms),
        }
        for one in found[:limit]
    ]
    return listing("invitations", rows, found[limit - 1].link.id if len(found) > limit else None)


async def revoke_invitation(call: Call) -> Output:
    """Revoke a link."""
    await call.chat.invite_links.revoke(call["id"], None, call.actor)
    return Output(f"revoked the invitation {call['id']}", {"id": call["id"]})


#: Rows of the table.
ROWS = (
    AdminCommand("access", show_access, "show who can register, and whether there are guests"),
    AdminCommand(
        "chat-name",
        rename_chat,
        "give the chat another name for people",
        (Argument("name", "the name; default is that of the setting", "text"),),
        audit="chosen",
    ),
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
    AdminCommand(
        "panic",
        set_panic,
        "against a raid: no registration, no guests, slow mode everywhere, for a time",
        (
            Argument("on", "whether it is on", "choice", choices=("on", "off")),
            Argument("for", "how long, as 90m; at most 7d", "span", option=True, default=USUAL_MS),
            Argument("new", "the age of new accounts, as 2h", "span", option=True, default=NEW_MS),
        ),
        audit="chosen",
    ),
    AdminCommand(
        "invitations create",
        create_invitation,
        "make a link with which others register",
        (
            Argument(
                "uses", "for how many accounts", "number", option=True, default=1, maximum=MAX_USES
            ),
            Argument(
                "days", "for how many days", "number", option=True, default=7, maximum=MAX_DAYS
            ),
            Argument("rooms", "names of rooms that these join, with commas between", option=True),
        ),
        audit="invite_link",
    ),
    AdminCommand(
        "invitations list",
        list_invitations,
        "list the links with which others register, newest first",
        (
            Argument("before", "the number that the page begins before", "number", option=True),
            LIMIT,
        ),
    ),
    AdminCommand(
        "invitations revoke",
        revoke_invitation,
        "revoke a link with which others register",
        (Argument("id", "its number", "number"),),
        audit="invite_link_revoked",
    ),
)
