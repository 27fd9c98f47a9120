"""Several nodes on one database of PostgreSQL: where sessions are, and a log for all nodes."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"

_STATEMENTS = (
    # Servers of the revision before never expired. None of them runs now.
    "DELETE FROM nodes",
    "ALTER TABLE nodes ADD COLUMN host text COLLATE \"C\" NOT NULL DEFAULT '',"
    " ADD COLUMN began timestamptz NOT NULL DEFAULT clock_timestamp(),"
    " ADD COLUMN loaded boolean NOT NULL DEFAULT false",
    "ALTER TABLE sessions ADD COLUMN node_id bigint REFERENCES nodes ON DELETE SET NULL",
    "CREATE INDEX sessions_node ON sessions (node_id) WHERE node_id IS NOT NULL",
    "CREATE TABLE online (node_id bigint NOT NULL REFERENCES nodes ON DELETE CASCADE,"
    " account_id bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,"
    " PRIMARY KEY (node_id, account_id))",
    "CREATE INDEX online_account ON online (account_id)",
    "CREATE TABLE system_log (seq bigint PRIMARY KEY, node_id bigint NOT NULL, at bigint NOT NULL,"
    ' kind text COLLATE "C" NOT NULL, body text COLLATE "C" NOT NULL)',
    "CREATE INDEX rooms_creator ON rooms (creator_id)",
    'CREATE TABLE login_failures (key text COLLATE "C" NOT NULL,'
    ' address text COLLATE "C" NOT NULL, failures int NOT NULL, until bigint NOT NULL,'
    " at bigint NOT NULL, PRIMARY KEY (key, address))",
    # A row to lock for each log, and one for the index.
    "INSERT INTO heads (room_id, seq, messages, first) SELECT id, 0, 0, 1 FROM rooms"
    " ON CONFLICT DO NOTHING",
    "INSERT INTO heads (room_id, seq, messages, first) VALUES (9223372036854775807, 0, 0, 1)",
    "INSERT INTO index_state (id, row, version, erased) VALUES (1, 0, '', 0)"
    " ON CONFLICT DO NOTHING",
)


def upgrade() -> None:
    """Create the tables and the rows that nodes share; not on SQLite."""
    if op.get_bind().dialect.name == "postgresql":
        for statement in _STATEMENTS:
            op.execute(statement)
