"""Look-alike names, networks of accounts, starts of the server, correspondents.

Columns are added without a rebuild of their tables. An existing room counts as created by its
owner. Existing names get their skeletons, and stay valid where they look alike. Users who have
ended without leaving a room leave it. Invitations whose sender is not a member any more end.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gtchat.chat.look_alikes import skeleton
from gtchat.store.sql.columns import ID

revision = "0005"
down_revision = "0004"

#: Rows whose skeletons are computed at a time.
SLICE = 10_000
#: Appends `leave_room` for each name whose last entry in a room makes it a member, while no account
#: of that name is one: a temporary account could end while it was made a member. The members of
#: a room are then again the fold of its log. SQLite takes `kind` from the row of the maximum.
_END_MEMBERSHIPS = """
INSERT INTO entries (room_id, seq, message_count, kind, at, usr)
SELECT rooms.id, last.seq + row_number() OVER (PARTITION BY rooms.id ORDER BY changes.seq),
    last.message_count, 'leave_room', last.at, changes.usr
FROM (
    SELECT room_id, usr, kind, max(seq) AS seq FROM entries
    WHERE kind IN ('room_created', 'join_room', 'leave_room', 'kicked', 'removed')
        AND kind != 'speak'
    GROUP BY room_id, usr
) AS changes
JOIN rooms ON rooms.id = changes.room_id
JOIN entries AS last ON last.room_id = rooms.id
    AND last.seq = (SELECT max(seq) FROM entries WHERE room_id = rooms.id)
WHERE changes.kind IN ('room_created', 'join_room') AND NOT EXISTS (
    SELECT 1 FROM members JOIN accounts ON accounts.id = members.account_id
    WHERE members.room_id = changes.room_id AND accounts.name = changes.usr
)
"""


def _account(name: str) -> sa.Column[int]:
    return sa.Column(name, ID, sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False)


def upgrade() -> None:
    """Add columns and tables."""
    for table in ("accounts", "rooms"):
        op.add_column(table, sa.Column("skeleton", sa.Text))
        _set_skeletons(table)
        op.create_index(f"{table}_skeleton", table, ["skeleton"])
    op.add_column("rooms", sa.Column("creator_id", ID))
    op.execute("UPDATE rooms SET creator_id = owner_id")
    op.add_column("sessions", sa.Column("start_id", ID))
    op.add_column("whispers", sa.Column("sender_id", ID))
    op.add_column(
        "whispers",
        sa.Column("from_stranger", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_index("whispers_pair", "whispers", ["target_id", "sender_id"])
    op.create_index(
        "whispers_strangers",
        "whispers",
        ["target_id"],
        sqlite_where=sa.text("from_stranger"),
        postgresql_where=sa.text("from_stranger"),
    )
    op.create_table(
        "account_networks",
        _account("account_id"),
        sa.Column("network", sa.Text, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "network"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "starts",
        sa.Column("id", ID, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("entries_mark", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "correspondents",
        _account("account_id"),
        _account("target_id"),
        sa.PrimaryKeyConstraint("account_id", "target_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("correspondents_target", "correspondents", ["target_id"])
    _extend_invitations()


def _extend_invitations() -> None:
    """Add the account of the sender, and end the invitations of those who left the room."""
    op.add_column("invitations", sa.Column("inviter_id", ID))
    op.add_column(
        "invitations", sa.Column("postponed", sa.Boolean, nullable=False, server_default=sa.false())
    )
    # In this direction the search is among the members of one room, not among all accounts.
    op.execute(
        "UPDATE invitations SET inviter_id = (SELECT accounts.id FROM members"
        " JOIN accounts ON accounts.id = members.account_id"
        " WHERE members.room_id = invitations.room_id AND accounts.name = invitations.inviter)"
    )
    op.execute("DELETE FROM invitations WHERE inviter_id IS NULL")
    op.create_index("invitations_inviter", "invitations", ["inviter_id", "account_id"])
    _end_memberships_of_ended_accounts()


def _set_skeletons(name: str) -> None:
    """Compute the skeletons of all names in a table, in slices. Its index is created later."""
    table = sa.table(name, sa.column("id"), sa.column("name"), sa.column("skeleton"))
    following = (
        sa.select(table.c.id, table.c.name)
        .where(table.c.id > sa.bindparam("last"))
        .order_by(table.c.id)
        .limit(SLICE)
    )
    change = (
        sa.update(table)
        .where(table.c.id == sa.bindparam("row"))
        .values(skeleton=sa.bindparam("looks"))
    )
    bind, last = op.get_bind(), 0
    while rows := bind.execute(following, {"last": last}).fetchall():
        bind.execute(change, [{"row": row, "looks": skeleton(text)} for row, text in rows])
        last = rows[-1][0]


def _end_memberships_of_ended_accounts() -> None:
    """Delete what refers to accounts that do not exist, and let the logs say that they left."""
    ended = "NOT IN (SELECT id FROM accounts)"
    op.execute(f"DELETE FROM members WHERE account_id {ended}")
    op.execute(f"UPDATE rooms SET owner_id = NULL WHERE owner_id {ended}")
    op.execute(_END_MEMBERSHIPS)
