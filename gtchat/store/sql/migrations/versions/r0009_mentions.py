"""Mentions, and for which rooms users are notified of what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gtchat.store.sql.columns import ID

revision = "0009"
down_revision = "0008"


def _reference(name: str, table: str, nullable: bool = False) -> sa.Column[int]:
    """Return a column that refers to a table; its row is deleted with the row there."""
    key = sa.ForeignKey(f"{table}.id", ondelete="CASCADE")
    return sa.Column(name, ID, key, nullable=nullable)


def upgrade() -> None:
    """Create the two tables. Messages of before mention no account."""
    op.create_table(
        "mentions",
        sa.Column("row", ID, primary_key=True),
        _reference("account_id", "accounts", nullable=True),
        sa.Column("room_id", ID, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("mentions_account", "mentions", ["account_id", "row"])
    op.create_index("mentions_room", "mentions", ["room_id", "account_id", "seq"])
    op.create_index("mentions_message", "mentions", ["room_id", "seq"])
    op.create_table(
        "notify_levels",
        _reference("account_id", "accounts"),
        _reference("room_id", "rooms"),
        sa.Column("level", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "room_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("notify_levels_room", "notify_levels", ["room_id"])
