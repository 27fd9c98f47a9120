"""Columns, a table and an index get the terms that the code uses.

SQLite renames in the schema alone: the time does not depend on the number of rows, except for the
index, which is built anew since SQLite cannot rename one.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

#: (table, old name of a column, new name)
COLUMNS = (
    ("accounts", "lobby_read", "lobby_read_seq"),
    ("sessions", "began", "began_at"),
    ("sessions", "lost", "lost_at"),
    ("sessions", "aged", "expires_from"),
    ("sessions", "marks", "marks_read"),
    ("members", "joined", "joined_seq"),
    ("entries", "spoken", "message_count"),
    ("invitations", "told", "delivered"),
)


def upgrade() -> None:
    """Rename columns, table and index."""
    for table, old, new in COLUMNS:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    op.rename_table("doomed", "pending_deletes")
    op.drop_index("sessions_aged", "sessions")
    op.create_index("sessions_expires_from", "sessions", ["expires_from"])
