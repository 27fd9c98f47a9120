"""Several nodes: how far a node is behind the others, and whether it is about to stop.

Programs of the revision before can go on: both columns have defaults.
"""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Add the columns; not on SQLite."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "ALTER TABLE nodes ADD COLUMN lag double precision NOT NULL DEFAULT 0,"
            " ADD COLUMN draining boolean NOT NULL DEFAULT false"
        )
