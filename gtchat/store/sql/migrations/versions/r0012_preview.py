"""Previews of public rooms: off for the rooms that exist.

Since when a room has been public follows from the entries that set it: what was said before, while
it was private, is not for users who are not members.
"""

from __future__ import annotations

import json
from itertools import groupby

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

#: The entries with the settings of the rooms that are public now, in the order of their logs.
_SETTINGS = """
SELECT entries.room_id, entries.seq, entries.extra FROM entries
JOIN rooms ON rooms.id = entries.room_id AND rooms.public
WHERE entries.kind IN ('room_changed', 'room_created') AND entries.kind <> 'speak'
ORDER BY entries.room_id, entries.seq
"""


def upgrade() -> None:
    """Add the columns to `rooms`."""
    off = sa.Column("preview", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("rooms", off)
    since = sa.Column("public_since", sa.BigInteger, nullable=False, server_default="0")
    op.add_column("rooms", since)
    rows = op.get_bind().execute(sa.text(_SETTINGS))
    found = [
        {"room": room_id, "since": _public_since([(seq, extra) for _, seq, extra in settings])}
        for room_id, settings in groupby(rows, key=lambda row: row[0])
    ]
    if found:
        update = sa.text("UPDATE rooms SET public_since = :since WHERE id = :room")
        op.get_bind().execute(update, found)


def _public_since(settings: list[tuple[int, str]]) -> int:
    """Return which entry made a room public that is public now, 0 if it always was.

    Args:
        settings: seq and fields, in JSON, of the entries that set it, oldest first.
    """
    since, was_public = 0, True
    for seq, extra in settings:
        is_public = bool(json.loads(extra or "{}").get("public", True))
        if is_public and not was_public:
            since = seq
        was_public = is_public
    return since
