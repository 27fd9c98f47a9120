"""Bans from the server.

It only adds: programs of the revision before can go on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gtchat.store.sql.columns import ID

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add the table."""
    account = sa.ForeignKey("accounts.id", ondelete="CASCADE")
    op.create_table(
        "bans",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("account_id", ID, account),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("bans_account", "bans", ["account_id"])
