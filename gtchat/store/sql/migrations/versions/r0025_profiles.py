"""Profiles of accounts.

It only adds: programs of the revision before can go on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gtchat.store.sql.columns import ID

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Add the table."""
    account = sa.ForeignKey("accounts.id", ondelete="CASCADE")
    op.create_table(
        "profiles",
        sa.Column("account_id", ID, account, nullable=False, autoincrement=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("colour", sa.Integer, nullable=False),
        sa.Column("hides_seen", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("account_id"),
        sqlite_with_rowid=False,
    )
