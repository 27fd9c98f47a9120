"""Create the table of accounts with telephone numbers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gtchat.store.sql.columns import ID

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "phones",
        sa.Column(
            "account_id",
            ID,
            sa.ForeignKey("accounts.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("number", sa.Text, nullable=False, unique=True),
        sa.Column("left_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
