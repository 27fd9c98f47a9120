"""Indexes for lists of rooms, so that not all rooms have to be in memory."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Create the indexes; PostgreSQL has that of creators since revision 0014."""
    is_postgres = op.get_bind().dialect.name == "postgresql"
    true = "true" if is_postgres else "1"
    if not is_postgres:
        op.execute("CREATE INDEX rooms_creator ON rooms (creator_id)")
    op.execute(
        'CREATE INDEX rooms_public ON rooms ("key", public, kind)'
        f" WHERE public IS {true} AND kind = 'room'"
    )
    op.execute(
        "CREATE INDEX rooms_ownerless ON rooms (id) WHERE owner_id IS NULL AND kind = 'room'"
    )
