"""An index of missed messages by their numbers, in place of that by room alone.

Programs of the revision before can go on: they name no index.
"""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Replace the index."""
    op.create_index("missed_message", "missed", ["room_id", "seq"])
    op.drop_index("missed_room", "missed")
