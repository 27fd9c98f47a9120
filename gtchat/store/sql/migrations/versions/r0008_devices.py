"""Devices of accounts; what users see of their sessions.

Columns are added without a rebuild of the table. Sessions of before are on no device, and can be
resumed over the JSON API only.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gtchat.store.sql.columns import ID

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add columns and a table."""
    for column in (
        sa.Column("device", sa.Text),
        sa.Column("protocol", sa.Text, nullable=False, server_default="gtchat"),
        sa.Column("address", sa.Text, nullable=False, server_default=""),
        sa.Column("created_at", sa.BigInteger, nullable=False, server_default="0"),
    ):
        op.add_column("sessions", column)
    op.execute("UPDATE sessions SET created_at = began_at")
    op.create_table(
        "devices",
        sa.Column(
            "account_id",
            ID,
            sa.ForeignKey("accounts.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("token_hash", sa.LargeBinary, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_seen", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "device"),
        sqlite_with_rowid=False,
    )
    op.create_index("devices_last_seen", "devices", ["last_seen"])
    op.create_index(
        "devices_without_token",
        "devices",
        ["last_seen"],
        sqlite_where=sa.text("token_hash IS NULL"),
        postgresql_where=sa.text("token_hash IS NULL"),
    )
