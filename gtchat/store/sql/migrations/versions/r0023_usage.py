"""What messages take, by account and by room; and quotas.

It only adds: programs of the revision before can go on. What they change and delete meanwhile is
not taken off the sums.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gtchat.store.sql.columns import ID

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Add columns, and create the tables."""
    for table in ("accounts", "rooms"):
        op.add_column(table, sa.Column("quota", sa.BigInteger))
        op.execute(f"CREATE INDEX {table}_quota ON {table} (id) WHERE quota IS NOT NULL")
    counted = sa.Column("counted", sa.BigInteger, nullable=False, server_default="0")
    op.add_column("index_state", counted)
    for name, owner in (("account", "accounts"), ("room", "rooms")):
        key = sa.ForeignKey(f"{owner}.id", ondelete="CASCADE")
        op.create_table(
            f"{name}_usage",
            sa.Column(f"{name}_id", ID, key, primary_key=True, autoincrement=False),
            sa.Column("messages", sa.BigInteger, nullable=False),
            sa.Column("bytes", sa.BigInteger, nullable=False),
            sqlite_with_rowid=False,
        )
        op.create_index(f"{name}_usage_bytes", f"{name}_usage", ["bytes"])
