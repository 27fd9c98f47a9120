"""Administrative commands for bans from the server; the table is in `commands`."""

from __future__ import annotations

from typing import Any

from gtchat.chat.ban_admin import BanTerms
from gtchat.chat.ban_records import Ban
from gtchat.chat.errors import BadRequest
from gtchat.server.admin.arguments import Argument
from gtchat.server.admin.command import LIMIT, YES, AdminCommand, Call
from gtchat.server.admin.output import Output, listing, shown, time_of

#: Options that name who is banned, of which one is given.
_TARGETS = ("account", "name", "address", "network")


def _ban(ban: Ban) -> dict[str, Any]:
    return {
        "id": ban.id,
        "kind": ban.kind,
        "target": ban.target,
        "reason": ban.reason,
        "by": ban.by,
        "since": time_of(ban.at),
        "until": time_of(ban.until),
    }


async def add_ban(call: Call) -> Output:
    """Ban an account, names, an address or a network."""
    given = [name for name in _TARGETS if call[name]]
    if len(given) != 1:
        raise BadRequest("Give one of --account, --name, --address and --network.")
    [kind] = given
    target, bans = call[kind], call.chat.admin.bans
    terms = BanTerms(call["reason"] or "", call["for"])
    if kind == "account":
        ban = await bans.ban_account(target, terms, call.actor)
    elif kind == "name":
        if not call["yes"]:
            return await _count(call, target)
        ban = await bans.ban_names(target, terms, call.actor)
    else:
        if kind == "address" and "/" in target:
            raise BadRequest("address: this is a network: use --network.")
        ban = await bans.ban_network(target, terms, call.actor)
    until = "for ever" if ban.until is None else f"until {shown(time_of(ban.until))}"
    text = f"banned the {ban.kind} {ban.target} {until}"
    if ban.reason:
        text += f": {ban.reason}"
    return Output(text, {**_ban(ban), "added": True})


async def _count(call: Call, pattern: str) -> Output:
    """Say how many accounts a pattern would ban; nothing is done."""
    count = await call.chat.admin.bans.count_names(pattern)
    accounts = "1 account" if count == 1 else f"{count} accounts"
    text = f"{pattern} matches {accounts}; nothing is banned yet: add --yes to ban them"
    question = f"{pattern} matches {accounts}. Ban these names?"
    return Output(text, {"name": pattern, "matches": count, "added": False}, question)


async def list_bans(call: Call) -> Output:
    """List bans, newest first."""
    before, limit, search = call["before"], call["limit"], (call["search"] or "").casefold()
    found = [
        ban
        for ban in call.chat.admin.bans.listed()
        if (before is None or ban.id < before)
        and (search in ban.target.casefold() or search in ban.reason.casefold())
    ]
    rows = [_ban(ban) for ban in found[:limit]]
    return listing("bans", rows, rows[-1]["id"] if len(found) > limit else None)


async def remove_ban(call: Call) -> Output:
    """Remove a ban."""
    ban = await call.chat.admin.bans.remove(call["id"], call.actor)
    return Output(f"the {ban.kind} {ban.target} is not banned any more", {"id": ban.id})


#: Rows of the table.
ROWS = (
    AdminCommand(
        "bans add",
        add_ban,
        "ban an account, names, an address or a network, and disconnect its users",
        (
            Argument("account", "a registered account", option=True),
            Argument("name", "a name, in which * stands for any characters", option=True),
            Argument("address", "an IP address; of IPv6 its /64", option=True),
            Argument("network", "a network, as 192.0.2.0/24", option=True),
            Argument("reason", "the reason, which the user is told", option=True),
            Argument("for", "how long, as 1h or 30d; without it for ever", "span", option=True),
            YES,
        ),
        needs="of operators: at the server; names: --yes, or an answer on a terminal",
        audit="ban_added",
    ),
    AdminCommand(
        "bans list",
        list_bans,
        "list bans, newest first",
        (
            Argument("search", "part of who is banned, or of the reason", option=True),
            Argument("before", "the number that the page begins before", "number", option=True),
            LIMIT,
        ),
    ),
    AdminCommand(
        "bans remove",
        remove_ban,
        "remove a ban",
        (Argument("id", "its number, as it is listed", "number"),),
        audit="ban_removed",
    ),
)
