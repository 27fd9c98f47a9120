"""Logs of which the oldest entries are removed: limits of rooms, and what was before the log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add the columns to `rooms`, and the index."""
    for name, kind in (
        ("keep_messages", sa.Integer),
        ("keep_days", sa.Integer),
        ("base_seq", sa.BigInteger),
    ):
        op.add_column("rooms", sa.Column(name, kind, nullable=False, server_default="0"))
    op.add_column("rooms", sa.Column("base_state", sa.Text))
    op.execute("CREATE INDEX rooms_keep ON rooms (id) WHERE keep_messages > 0 OR keep_days > 0")
    # Of logs that were shortened by hand it is not known what the rooms were before.
    op.execute(
        "UPDATE rooms SET base_seq = (SELECT first - 1 FROM heads WHERE room_id = rooms.id)"
        " WHERE id IN (SELECT room_id FROM heads WHERE first > 1)"
    )
