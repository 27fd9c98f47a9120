"""Changes of messages: reactions, pinned messages, earlier texts of edited messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gtchat.store.sql.columns import ID

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "reactions",
        sa.Column("room_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("emoji", sa.Text, nullable=False),
        sa.Column("present", sa.Boolean, nullable=False),
        sa.Column("entry_seq", sa.BigInteger, nullable=False),
        sa.Column("usr", sa.Text, nullable=False),
        sa.Column("changes", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "account_id", "seq", "emoji"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "reactions_order", "reactions", ["room_id", "seq", "emoji", "present", "entry_seq"]
    )
    op.create_table(
        "pins",
        sa.Column("room_id", ID, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "seq"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "versions",
        sa.Column("room_id", ID, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("version_seq", sa.BigInteger, nullable=False),
        sa.Column("msg", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "seq", "version_seq"),
        sqlite_with_rowid=False,
    )
