"""The administrative command for what messages take; the table is in `commands`."""

from __future__ import annotations

import attrs

from gtchat.chat.admin_store import COUNTED_ENTRIES, StorageQuery
from gtchat.server.admin.arguments import Argument
from gtchat.server.admin.command import LIMIT, AdminCommand, Call
from gtchat.server.admin.output import Output, listing


async def show_storage(call: Call) -> Output:
    """Show what the texts of messages take, and the size of the database."""
    by = call["by"]
    use, sizes = await call.chat.admin.storage(StorageQuery(by, call["limit"]))
    rows = listing(by, [attrs.asdict(one) for one in use.texts], None)
    lines = [rows.text, *(f"{part}: {size} bytes" for part, size in sizes.items())]
    if not use.complete:
        lines.append(f"counted: the newest {COUNTED_ENTRIES} entries of all rooms")
    return Output("\n".join(lines), {**rows.data, "sizes": dict(sizes), "complete": use.complete})


#: Rows of the table.
ROWS = (
    AdminCommand(
        "storage",
        show_storage,
        "show which rooms or accounts have the most bytes of messages, and the database's size",
        (
            Argument("by", "rooms or accounts", "choice", choices=("rooms", "accounts")),
            LIMIT,
        ),
    ),
)
