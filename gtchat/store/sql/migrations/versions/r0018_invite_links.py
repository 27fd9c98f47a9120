"""Invitations: links with which users register.

It only adds: programs of the revision before can go on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gtchat.store.sql.columns import ID

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Create the table."""
    maker = sa.ForeignKey("accounts.id", ondelete="CASCADE")
    op.create_table(
        "invite_links",
        sa.Column("id", ID, nullable=False),
        sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("maker_id", ID, maker, autoincrement=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("used", sa.Integer, nullable=False),
        sa.Column("rooms", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("invite_links_maker", "invite_links", ["maker_id"])
