"""Administrative commands for accounts and their sessions; the table is in `commands`."""

from __future__ import annotations

from typing import Any

from gtchat.chat.account_admin import LoginLink
from gtchat.chat.admin_store import AccountQuery, ListedAccount
from gtchat.chat.session_records import ListedSession
from gtchat.server.admin.arguments import Argument
from gtchat.server.admin.command import (
    ACCOUNT,
    AFTER,
    AT_SERVER,
    LIMIT,
    SEARCH,
    WITH_SECRETS,
    YES,
    AdminCommand,
    Call,
)
from gtchat.server.admin.output import Output, details, listing, shown, time_of
from gtchat.server.admin.storage import use_of


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
            **use_of(call, "accounts", await chat.admin.stored_texts("accounts", account.id)),
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


async def delete_account(call: Call) -> Output:
    """Delete an account."""
    wanted = call["messages"], call["directs"]
    name = await call.chat.admin.accounts.delete(call["name"], *wanted, call.actor)
    return Output(f"deleted the account {name}", {"name": name})


async def export_account(call: Call) -> Output:
    """Export an account."""
    chat = call.chat
    account = await chat.admin.accounts.find(call["name"])
    await chat.exports.write(account, call["file"], call.actor, call.progress)
    said = f"exported {account.name} to {call['file']}"
    return Output(said, {"name": account.name, "file": call["file"]})


async def set_password(call: Call) -> Output:
    """Set a password."""
    name = await call.chat.admin.accounts.set_password(call["name"], call["password"], call.actor)
    return Output(f"set the password of {name}, and ended the sessions", {"name": name})


async def login_link(call: Call) -> Output:
    """Make a login link."""
    link = await call.chat.admin.accounts.login_link(call["name"], call.actor)
    address, until = f"{call.page}#/login/{link.token}", time_of(link.expires_at)
    text = f"This link logs {link.name} in once, until {shown(until)}:\n{address}"
    if not call.page:
        text += "\nPut it behind the address of the chat's page."
    return Output(text, {"name": link.name, "link": address, "expires": until})


def first_address(page: str, link: LoginLink) -> str:
    """Return the address of a link with which the first operator registers."""
    return f"{page}#/first/{link.token}"


async def operator_link(call: Call) -> Output:
    """Make a link with which the first operator registers."""
    link = await call.chat.admin.accounts.operator_link(call.actor)
    address, until = first_address(call.page, link), time_of(link.expires_at)
    text = f"Who opens this link first registers as the operator, until {shown(until)}:\n{address}"
    if not call.page:
        text += "\nPut it behind the address of the chat's page."
    return Output(text, {"link": address, "expires": until})


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
    return listing("sessions", rows[-limit:], None).with_data(total=len(rows))


async def list_sessions_at(call: Call) -> Output:
    """List the sessions whose client has an address."""
    found = await call.chat.admin.sessions.at_address(call["address"])
    rows = [{"name": name, **_session(one)} for name, one in found[: call["limit"]]]
    return listing("sessions", rows, None).with_data(total=len(found))


async def end_sessions(call: Call) -> Output:
    """End a session of an account, or all."""
    session_id = call["id"] or ""
    name = await call.chat.admin.sessions.end(call["name"], session_id, call.actor)
    what = f"the session {session_id}" if session_id else "all sessions"
    return Output(f"ended {what} of {name}", {"name": name})


_PASSWORD = Argument("password", "the new password", "secret")
#: Rows of the table.
ROWS = (
    AdminCommand(
        "accounts list",
        list_accounts,
        "list accounts by name",
        (
            SEARCH,
            AFTER,
            LIMIT,
            Argument("guests", "temporary accounts, too", "flag", option=True, default=False),
            Argument("operators", "operators only", "flag", option=True, default=False),
        ),
    ),
    AdminCommand("accounts show", show_account, "show an account", (ACCOUNT,)),
    AdminCommand(
        "accounts create",
        create_account,
        "create an account with a password",
        (ACCOUNT, _PASSWORD),
        WITH_SECRETS,
        audit="account_created",
    ),
    AdminCommand(
        "accounts rename",
        rename_account,
        "rename an account; its old name is reserved for it for 30 days",
        (ACCOUNT, Argument("new_name", "the new name")),
        needs="the account is not logged in",
        audit="account_renamed",
    ),
    AdminCommand(
        "accounts delete",
        delete_account,
        "delete an account for good; its name stays reserved",
        (
            ACCOUNT,
            Argument(
                "messages",
                "what becomes of its messages in rooms; what the setting says, or keep",
                "choice",
                option=True,
                choices=("keep", "erase"),
            ),
            Argument(
                "directs",
                "what becomes of its direct messages; what the setting says, or keep",
                "choice",
                option=True,
                choices=("keep", "erase"),
            ),
            YES,
        ),
        needs="of operators: at the server",
        audit="account_deleted",
        question="Delete the account {name} for good?",
    ),
    AdminCommand(
        "export-account",
        export_account,
        "write all that is stored of an account to a zip, which only the server can read",
        (ACCOUNT, Argument("file", "path of the zip at the server, from the root")),
        AT_SERVER,
        needs="there is no such file",
        audit="account_exported",
    ),
    AdminCommand(
        "accounts set-password",
        set_password,
        "set the password of an account, and end its sessions",
        (ACCOUNT, _PASSWORD),
        WITH_SECRETS,
        needs="of operators: at the server",
        audit="password_set",
    ),
    AdminCommand(
        "accounts login-link",
        login_link,
        "make a link that logs an account in once, within a day",
        (ACCOUNT,),
        needs="of operators: at the server",
        audit="login_link",
    ),
    AdminCommand(
        "accounts operator",
        set_operator,
        "give an account the operator mark, or take it",
        (ACCOUNT, Argument("on", "whether it has the mark", "choice", choices=("on", "off"))),
        AT_SERVER,
        needs="the account has a password",
        audit="operator_on",
    ),
    AdminCommand(
        "operator-link",
        operator_link,
        "make a link with which the first operator registers on the page, once, within a day",
        (),
        AT_SERVER,
        needs="there is no operator",
        audit="operator_link",
    ),
    AdminCommand(
        "sessions list",
        list_sessions,
        "list where an account is logged in",
        (ACCOUNT, LIMIT),
    ),
    AdminCommand(
        "sessions at",
        list_sessions_at,
        "list who is logged in from an address, newest first",
        (Argument("address", "an IP address; of IPv6 its /64 counts"), LIMIT),
    ),
    AdminCommand(
        "sessions end",
        end_sessions,
        "end all sessions of an account, or one, and forget their devices",
        (ACCOUNT, Argument("id", "the session, as it is listed", option=True)),
        audit="admin_sessions_ended",
    ),
)
