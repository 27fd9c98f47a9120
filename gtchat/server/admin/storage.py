"""Administrative commands for what messages take, and quotas; the table is in `commands`."""

from __future__ import annotations

import re
from typing import Any

from gtchat.chat.errors import BadRequest
from gtchat.chat.storage_store import CountedBy, StorageQuery, StoredTexts
from gtchat.server.admin.arguments import Argument
from gtchat.server.admin.command import ACCOUNT, AT_SERVER, LIMIT, AdminCommand, Call
from gtchat.server.admin.output import Output, listing

#: Units of sizes.
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}
_SIZE = re.compile(r"([0-9]{1,12})([kmg]?)")
#: Words in place of a size: that of the setting, and any number.
_DEFAULT, _NONE = "default", "none"


def use_of(call: Call, by: CountedBy, texts: StoredTexts) -> dict[str, Any]:
    """Return what a room or account takes, for a result: a quota of None is none."""
    return {
        "messages": texts.messages,
        "bytes": texts.bytes,
        "quota": call.chat.admin.quotas.quota_of(by, texts) or None,
    }


async def show_storage(call: Call) -> Output:
    """Show what the texts of messages take, and the size of the database."""
    by = call["by"]
    use, sizes = await call.chat.admin.storage(StorageQuery(by, call["limit"]))
    rows = listing(by, [{"name": one.name, **use_of(call, by, one)} for one in use.texts], None)
    lines = [f"{part}: {size} bytes" for part, size in sizes.items()]
    if not use.complete:
        lines.append("not all messages are counted yet")
    return rows.with_data(*lines, sizes=dict(sizes), complete=use.complete)


async def list_quotas(call: Call) -> Output:
    """List the rooms or accounts that have a quota of their own."""
    by = call["by"]
    use, _ = await call.chat.admin.storage(StorageQuery(by, call["limit"], exceptions=True))
    rows = listing(by, [{"name": one.name, **use_of(call, by, one)} for one in use.texts], None)
    limits = call.chat.limits
    general = limits.quota_room_bytes if by == "rooms" else limits.quota_account_bytes
    said = f"{general} bytes" if general else "no quota"
    return rows.with_data(f"all others: {said}", others=general or None)


def _size(text: str) -> int | None:
    """Return bytes, 0 for any number, None to have those of the setting. Raises BadRequest."""
    if text in (_DEFAULT, _NONE):
        return None if text == _DEFAULT else 0
    found = _SIZE.fullmatch(text.lower())
    size = int(found[1]) * _UNITS[found[2]] if found is not None else 0
    if not 0 < size <= 2**53:
        raise BadRequest("bytes: must be a number as 500000, 500k, 20M or 2G; none, or default.")
    return size


def _changed(call: Call, by: CountedBy, texts: StoredTexts) -> Output:
    use = use_of(call, by, texts)
    quota = "none" if use["quota"] is None else f"{use['quota']} bytes"
    text = f"the quota of {texts.name} is {quota} now; {texts.bytes} bytes are stored"
    return Output(text, {"name": texts.name, **use})


async def set_account_quota(call: Call) -> Output:
    """Set the quota of an account."""
    quotas, size = call.chat.admin.quotas, _size(call["bytes"])
    return _changed(call, "accounts", await quotas.set_of_account(call["name"], size, call.actor))


async def set_room_quota(call: Call) -> Output:
    """Set the quota of a room."""
    quotas, size = call.chat.admin.quotas, _size(call["bytes"])
    return _changed(call, "rooms", await quotas.set_of_room(call["name"], size, call.actor))


async def give_back(call: Call) -> Output:
    """Give back the space of what was removed."""
    given = await call.chat.admin.give_back_space(call.actor, call.progress)
    lines = [
        f"{part}: {size} bytes, before: {given.before.get(part, 0)}"
        for part, size in given.after.items()
    ]
    data = {"before": dict(given.before), "after": dict(given.after), "notes": list(given.notes)}
    return Output("\n".join([*lines, *given.notes]), data)


_BY = Argument("by", "rooms or accounts", "choice", choices=("rooms", "accounts"))
_QUOTA = Argument("bytes", "bytes as 500k or 20M; none, or default for that of the setting")
#: Rows of the table.
ROWS = (
    AdminCommand(
        "storage",
        show_storage,
        "show which rooms or accounts have the most bytes of messages, and the database's size",
        (_BY, LIMIT),
    ),
    AdminCommand(
        "vacuum",
        give_back,
        "give the space of removed messages back to the system, between other writes",
        (),
        AT_SERVER,
        audit="space_given_back",
    ),
    AdminCommand(
        "quotas list",
        list_quotas,
        "list the rooms or accounts that have a quota of their own",
        (_BY, LIMIT),
    ),
    AdminCommand(
        "quotas account",
        set_account_quota,
        "set how many bytes the messages of a registered account can take",
        (ACCOUNT, _QUOTA),
        audit="account_quota",
    ),
    AdminCommand(
        "quotas room",
        set_room_quota,
        "set how many bytes the messages of a room can take",
        (Argument("name", "the name of the room"), _QUOTA),
        audit="admin_room_quota",
    ),
)
