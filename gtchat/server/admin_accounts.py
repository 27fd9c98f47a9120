"""Administrative commands for accounts and their sessions; the table is in `admin`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from gtchat.chat.admin_store import AccountQuery, ListedAccount
from gtchat.chat.audit import Actor
from gtchat.chat.chat import Chat
from gtchat.chat.session_records import ListedSession
from gtchat.server.admin_output import Output, details, listing, time_of

#: Most items of a page of a list.
PAGE_LIMIT = 200


@attrs.frozen
class Call:
    """One call of a command.

    Attributes:
        chat: the chat.
        actor: who calls it.
        arguments: its arguments by name.
        page: address of the chat's page as far as it is known, "" for not at all.
    """

    chat: Chat
    actor: Actor
    arguments: Mapping[str, Any]
    page: str = ""

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]


def _account(account: ListedAccount) -> dict[str, Any]:
    return {
        "name": account.name,
        "registered": account.registered,
        "operator": account.operator,
        "password": account.has_password,
        "created": time_of(account.created_at),
    }


async def list_accounts(call: Call) -> Output:
    """List accounts."""
    limit = call["limit"]
    query = AccountQuery(
        search=call["search"] or "",
        after=call["after"] or "",
        limit=limit + 1,
        guests=call["guests"],
        operators=call["operators"],
    )
    found = await call.chat.admin.accounts.listed(query)
    rows = [_account(one) for one in found[:limit]]
    return listing("accounts", rows, rows[-1]["name"] if len(found) > limit else None)


async def show_account(call: Call) -> Output:
    """Show an account."""
    chat = call.chat
    account = await chat.admin.accounts.show(call["name"])
    sessions = await chat.admin.sessions.listed(call["name"])
    return details(
        {
            **_account(account),
            "key": account.has_key,
            "online": chat.users.is_online(account.id),
            "rooms": account.rooms,
            "sessions": sum(one.record.token_hash is not None for one in sessions),
        }
    )


async def create_account(call: Call) -> Output:
    """Create an account."""
    name = await call.chat.admin.accounts.create(call["name"], call["password"], call.actor)
    return Output(f"created the account {name}", {"name": name})


async def rename_account(call: Call) -> Output:
    """Rename an account."""
    name = await call.chat.admin.accounts.rename(call["name"], call["new_name"], call.actor)
    return Output(f"the account is named {name} now", {"name": name})


async def set_password(call: Call) -> Output:
    """Set a password."""
    name = await call.chat.admin.accounts.set_password(call["name"], call["password"], call.actor)
    return Output(f"set the password of {name}, and ended the sessions", {"name": name})


async def login_link(call: Call) -> Output:
    """Make a login link."""
    link = await call.chat.admin.accounts.login_link(call["name"], call.actor)
    address, until = f"{call.page}#/login/{link.token}", time_of(link.expires_at)
    text = f"This link logs {link.name} in once, until {until}:\n{address}"
    if not call.page:
        text += "\nPut it behind the address of the chat's page."
    return Output(text, {"name": link.name, "link": address, "expires": until})


async def set_operator(call: Call) -> Output:
    """Give or take the operator mark."""
    on = call["on"] == "on"
    name = await call.chat.admin.accounts.set_operator(call["name"], on, call.actor)
    text = f"{name} is an operator now" if on else f"{name} is no operator any more"
    return Output(text, {"name": name, "operator": on})


def _session(listed: ListedSession) -> dict[str, Any]:
    record = listed.record
    return {
        "id": listed.id,
        "protocol": record.protocol,
        "address": record.address,
        "began": time_of(record.began_at),
        "last_seen": time_of(record.seen_at),
        "online": record.seen_at is None,
        "device": record.device_name or record.device or "",
        "remembered": record.remembered,
    }


async def list_sessions(call: Call) -> Output:
    """List the sessions of an account."""
    found = await call.chat.admin.sessions.listed(call["name"])
    rows = [_session(one) for one in found]
    limit = call["limit"]
    # The newest are last: those are shown.
    output = listing("sessions", rows[-limit:], None)
    return attrs.evolve(output, data={**output.data, "total": len(rows)})


async def end_sessions(call: Call) -> Output:
    """End a session of an account, or all."""
    session_id = call["id"] or ""
    name = await call.chat.admin.sessions.end(call["name"], session_id, call.actor)
    what = f"the session {session_id}" if session_id else "all sessions"
    return Output(f"ended {what} of {name}", {"name": name})
