"""Store how far a room is read as the seq of an entry instead of a number of messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Rename and convert the columns. The lobby needs no conversion: it has messages only."""
    op.add_column(
        "sessions", sa.Column("marks", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.execute("ALTER TABLE accounts RENAME COLUMN lobby_seen TO lobby_read")
    op.execute("ALTER TABLE members RENAME COLUMN spoken_seen TO read_seq")
    op.execute(
        "UPDATE members SET read_seq = coalesce((SELECT seq FROM entries"
        " WHERE entries.room_id = members.room_id AND spoken <= members.read_seq"
        " ORDER BY seq DESC LIMIT 1), 0)"
    )
