"""Entries know their account, have a stable number and can refer to others; heads of logs.

`entries` is built anew, since SQLite can add neither a primary key nor a unique constraint to
a table. Rows keep their number (`rowid` becomes `row`), so that `starts.entries_mark` stays right.
The subject of an entry is known where a registered account has the name, and had it at that time:
another user could have had the name before.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from gtchat.store.sql.columns import ID

revision = "0006"
down_revision = "0005"

#: Rows that are copied between two reports of progress.
SLICE = 10_000
#: The user that an entry is about is named by `usr`; a new owner is named by `owner`.
_COPY = sa.text(
    """
INSERT INTO entries (
    row, room_id, seq, message_count, kind, at, usr, subject_id, id, msg, extra
)
SELECT old.rowid, old.room_id, old.seq, old.message_count, old.kind, old.at, old.usr,
    (
        SELECT accounts.id FROM accounts
        WHERE accounts.name = CASE old.kind
            WHEN 'room_changed' THEN json_extract(old.extra, '$.owner') ELSE old.usr END
        AND accounts.registered AND accounts.created_at <= old.at
    ),
    old.id, old.msg, old.extra
FROM entries_old AS old
WHERE old.rowid > :after AND old.rowid <= :after + :slice
ORDER BY old.rowid
"""
)
_FILL_HEADS = """
INSERT INTO heads (room_id, seq, messages, first)
SELECT room_id, max(seq), max(message_count), min(seq) FROM entries
WHERE room_id IN (SELECT id FROM rooms)
GROUP BY room_id
"""
#: The highest row that ever was, as far as that is known: it must not be used again.
_SET_LAST_ROW = """
INSERT INTO sqlite_sequence (name, seq)
SELECT 'entries', max(
    coalesce((SELECT max(row) FROM entries), 0),
    coalesce((SELECT max(entries_mark) FROM starts), 0)
)
"""


def upgrade() -> None:
    """Build `entries` anew, and create `heads`."""
    op.drop_index("entries_rare", "entries")
    op.rename_table("entries", "entries_old")
    op.create_table(
        "entries",
        sa.Column("row", ID, primary_key=True),
        sa.Column("room_id", ID, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("message_count", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("usr", sa.Text, nullable=False),
        sa.Column("subject_id", ID),
        sa.Column("id", sa.Text),
        sa.Column("msg", sa.Text),
        sa.Column("of", sa.BigInteger),
        sa.Column("root", sa.BigInteger),
        sa.Column("changed", sa.BigInteger),
        sa.Column("extra", sa.Text),
        sa.UniqueConstraint("room_id", "seq"),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "sqlite":  # elsewhere no database is older than this revision
        _copy_rows()
    op.drop_table("entries_old")
    op.create_index(
        "entries_rare",
        "entries",
        ["room_id", "kind", "seq"],
        sqlite_where=sa.text("kind != 'speak'"),
        postgresql_where=sa.text("kind != 'speak'"),
    )
    op.create_table(
        "heads",
        sa.Column("room_id", ID, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("messages", sa.BigInteger, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        # SQLAlchemy 2.0, the last one for Python 3.10, has no storage parameters of tables.
        op.execute("ALTER TABLE heads SET (fillfactor = 50)")
    op.execute(_FILL_HEADS)


def _copy_rows() -> None:
    """Copy all rows in the order of their numbers, slice by slice, and report the progress."""
    config = op.get_context().config
    assert config is not None
    report: Callable[[int, int], None] = config.attributes.get("progress", lambda done, rows: None)
    bind = op.get_bind()
    rows, last = bind.execute(
        sa.text("SELECT count(*), coalesce(max(rowid), 0) FROM entries_old")
    ).one()
    op.create_index("accounts_name", "accounts", ["name"])
    done = 0
    for after in range(0, last, SLICE):
        done += bind.execute(_COPY, {"after": after, "slice": SLICE}).rowcount
        report(done, rows)
    op.drop_index("accounts_name", "accounts")
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'entries'")
    op.execute(_SET_LAST_ROW)
