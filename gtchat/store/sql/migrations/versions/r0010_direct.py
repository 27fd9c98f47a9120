"""Direct conversations are logs: undelivered whispers become entries, in their order.

A pair of accounts has a log if one has written to the other, as `correspondents` says, or has a
whisper waiting. The sender of a whisper of before revision 0005 is known where a registered account
has the name, and had it at that time; each other name gets, with each target, a log of its own with
the number of its first whisper, below zero, in place of an account.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gtchat.store.sql.columns import ID

revision = "0010"
down_revision = "0009"

#: Whispers with the account of the sender, which may have ended, or what stands for it.
_WAITING = """
CREATE TEMPORARY TABLE waiting AS
SELECT number, target_id, at, usr, id, msg, known_id,
    coalesce(known_id, -min(number) OVER (PARTITION BY target_id, known_id, usr)) AS sender_id
FROM (
    SELECT whispers.*, coalesce(sender_id, (
        SELECT accounts.id FROM accounts
        WHERE accounts.name = whispers.usr AND accounts.registered
            AND accounts.created_at <= whispers.at
    )) AS known_id FROM whispers
) AS found
"""
#: Both accounts of each pair, each with the other one; `wrote`: whether it has written to that.
_SIDES = """
CREATE TEMPORARY TABLE sides AS
SELECT account_id, other_id, max(wrote) AS wrote FROM (
    SELECT account_id, target_id AS other_id, 1 AS wrote FROM correspondents
    UNION ALL SELECT target_id, account_id, 0 FROM correspondents
    UNION ALL SELECT sender_id, target_id, 0 FROM waiting
    UNION ALL SELECT target_id, sender_id, 0 FROM waiting
) AS found GROUP BY account_id, other_id
"""
_ROOMS = """
INSERT INTO rooms (key, name, public, topic, max, owner, kind)
SELECT 'direct' || :newline || account_id || ' ' || other_id, '', false, '', 0, '', 'direct'
FROM sides WHERE account_id <= other_id ORDER BY account_id, other_id
"""
_PAIRS = """
CREATE TEMPORARY TABLE pairs AS
SELECT account_id, other_id, wrote, rooms.id AS room_id FROM sides JOIN rooms
ON rooms.key = 'direct' || :newline || CASE WHEN account_id <= other_id
    THEN account_id || ' ' || other_id ELSE other_id || ' ' || account_id END
"""
_ENTRIES = """
INSERT INTO entries (room_id, seq, message_count, kind, at, usr, subject_id, id, msg)
SELECT room_id, place, place, 'speak', at, usr, known_id, id, msg FROM (
    SELECT waiting.*, pairs.room_id,
        row_number() OVER (PARTITION BY pairs.room_id ORDER BY number) AS place
    FROM waiting JOIN pairs
    ON pairs.account_id = waiting.target_id AND pairs.other_id = waiting.sender_id
) AS found ORDER BY number
"""
_HEADS = """
INSERT INTO heads (room_id, seq, messages, first)
SELECT room_id, max(seq), max(seq), 1 FROM entries
WHERE room_id IN (SELECT room_id FROM pairs) GROUP BY room_id
"""
_DIRECTS = """
INSERT INTO directs (
    account_id, other_id, room_id, other, other_guest, wrote,
    read_seq, delivered_seq, pending, newest
)
SELECT pairs.account_id, pairs.other_id, pairs.room_id,
    coalesce(other.name, (
        SELECT usr FROM waiting WHERE sender_id = pairs.other_id
            AND target_id = pairs.account_id LIMIT 1
    ), ''),
    coalesce(NOT other.registered, true), pairs.wrote = 1, 0, 0,
    (SELECT count(*) FROM waiting WHERE target_id = pairs.account_id
        AND sender_id = pairs.other_id),
    coalesce((SELECT max(entries."row") FROM entries WHERE entries.room_id = pairs.room_id), 0)
FROM pairs JOIN accounts ON accounts.id = pairs.account_id
LEFT JOIN accounts AS other ON other.id = pairs.other_id
ORDER BY pairs.account_id, pairs.other_id
"""


def upgrade() -> None:
    """Create `directs` and `missed`, fill them, and drop `whispers` and `correspondents`."""
    op.add_column("rooms", sa.Column("kind", sa.Text, nullable=False, server_default="room"))
    op.create_table(
        "directs",
        _reference("account_id", "accounts.id"),
        sa.Column("other_id", ID, nullable=False),
        _reference("room_id", "rooms.id"),
        sa.Column("other", sa.Text, nullable=False),
        sa.Column("other_guest", sa.Boolean, nullable=False),
        sa.Column("wrote", sa.Boolean, nullable=False),
        sa.Column("read_seq", sa.BigInteger, nullable=False),
        sa.Column("delivered_seq", sa.BigInteger, nullable=False),
        sa.Column("pending", sa.Integer, nullable=False),
        sa.Column("newest", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "other_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("directs_newest", "directs", ["account_id", "newest"])
    op.create_index("directs_room", "directs", ["room_id", "account_id"], unique=True)
    op.create_index(
        "directs_pending",
        "directs",
        ["account_id", "pending", "wrote"],
        sqlite_where=sa.text("pending > 0"),
        postgresql_where=sa.text("pending > 0"),
    )
    op.create_table(
        "missed",
        _reference("account_id", "accounts.id"),
        _reference("room_id", "rooms.id"),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "room_id", "seq"),
        sa.Index("missed_room", "room_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("accounts_name", "accounts", ["name"])
    bind = op.get_bind()
    bind.execute(sa.text(_WAITING))
    op.drop_index("accounts_name", "accounts")
    bind.execute(sa.text(_SIDES))
    bind.execute(sa.text(_ROOMS), {"newline": "\n"})
    bind.execute(sa.text(_PAIRS), {"newline": "\n"})
    op.create_index("pairs_sides", "pairs", ["account_id", "other_id"])
    op.create_index("waiting_sides", "waiting", ["target_id", "sender_id"])
    for statement in (_ENTRIES, _HEADS, _DIRECTS):
        bind.execute(sa.text(statement))
    for table in ("waiting", "sides", "pairs", "whispers", "correspondents"):
        op.drop_table(table)


def _reference(name: str, target: str) -> sa.Column[int]:
    """Return a column that refers to a table; its row is deleted with the one of that."""
    return sa.Column(name, ID, sa.ForeignKey(target, ondelete="CASCADE"), nullable=False)
