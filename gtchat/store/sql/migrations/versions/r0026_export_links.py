"""Links to exports of accounts, which are good at all servers; an index of moderated rooms.

It only adds: programs of the revision before can go on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gtchat.store.sql.columns import ID

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Add the table and the index."""
    account = sa.ForeignKey("accounts.id", ondelete="CASCADE")
    op.create_table(
        "export_links",
        sa.Column("account_id", ID, account, nullable=False, autoincrement=False),
        sa.Column("token_hash", sa.LargeBinary, unique=True),
        sa.Column("session", sa.LargeBinary, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("begun_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id"),
        sqlite_with_rowid=False,
    )
    is_moderated = sa.text("moderation IS NOT NULL")
    op.create_index(
        "rooms_moderated",
        "rooms",
        ["id"],
        sqlite_where=is_moderated,
        postgresql_where=is_moderated,
    )
