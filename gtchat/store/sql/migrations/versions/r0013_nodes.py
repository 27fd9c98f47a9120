"""Nodes: a row for each server that uses a database of PostgreSQL, with its number of commits."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"

_STATEMENTS = (
    'CREATE TABLE nodes (id bigint PRIMARY KEY, name text COLLATE "C" NOT NULL,'
    ' url text COLLATE "C" NOT NULL, expires timestamptz NOT NULL)',
    # It had the number of one server, which is not running now.
    "DROP TABLE commits",
    "CREATE TABLE commits (node_id bigint PRIMARY KEY REFERENCES nodes ON DELETE CASCADE,"
    " n bigint NOT NULL) WITH (fillfactor = 50)",
    "ALTER TABLE heads SET (fillfactor = 50)",
)


def upgrade() -> None:
    """Create `nodes`, create `commits` anew, and leave free space in `heads`; not on SQLite."""
    if op.get_bind().dialect.name == "postgresql":
        for statement in _STATEMENTS:
            op.execute(statement)
