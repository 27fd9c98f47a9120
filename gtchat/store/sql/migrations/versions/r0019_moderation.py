"""Moderation of rooms: roles, mutes, bans, and slow mode."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gtchat.store.sql.columns import ID

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add the column to `rooms`, and create the table."""
    op.add_column("rooms", sa.Column("moderation", sa.Text))
    op.create_table(
        "spoken",
        sa.Column("room_id", ID, sa.ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
        sa.Column(
            "account_id", ID, sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "account_id"),
        sa.Index("spoken_account", "account_id"),
        sqlite_with_rowid=False,
    )
