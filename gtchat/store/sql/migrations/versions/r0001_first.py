"""Create accounts, sessions, rooms with their logs, whispers, invitations and blocks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gtchat.store.sql.columns import ID

revision = "0001"
down_revision = None


def _account(name: str) -> sa.Column[int]:
    return sa.Column(name, ID, sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False)


def _room() -> sa.Column[int]:
    return sa.Column("room_id", ID, sa.ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False)


def upgrade() -> None:
    """Create all tables."""
    _create_accounts()
    _create_rooms()
    _create_messages()
    _create_invitations_and_blocks()


def _create_accounts() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "accounts",
        sa.Column("id", ID, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("registered", sa.Boolean, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("uuid_hash", sa.LargeBinary, unique=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("lobby_seen", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        _account("account_id"),
        sa.Column("began", sa.BigInteger, nullable=False),
        sa.Column("lost", sa.BigInteger),
        sa.Column("aged", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("sessions_account", "sessions", ["account_id"])
    op.create_index("sessions_aged", "sessions", ["aged"])


def _create_rooms() -> None:
    op.create_table(
        "rooms",
        sa.Column("id", ID, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("public", sa.Boolean, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("max", sa.Integer, nullable=False),
        sa.Column("owner_id", ID, sa.ForeignKey("accounts.id", ondelete="SET NULL")),
        sa.Column("owner", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("rooms_owner", "rooms", ["owner_id"])
    op.create_table(
        "members",
        _room(),
        _account("account_id"),
        sa.Column("joined", sa.BigInteger, nullable=False),
        sa.Column("spoken_seen", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "account_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("members_account", "members", ["account_id"])
    op.create_table("doomed", sa.Column("room_id", ID, primary_key=True))
    op.create_table(
        "tombstones",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("deleted_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _create_messages() -> None:
    op.create_table(
        "entries",
        sa.Column("room_id", ID, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("spoken", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("usr", sa.Text, nullable=False),
        sa.Column("id", sa.Text),
        sa.Column("msg", sa.Text),
        sa.Column("extra", sa.Text),
        sa.PrimaryKeyConstraint("room_id", "seq"),
    )
    op.create_index(
        "entries_rare",
        "entries",
        ["room_id", "kind", "seq"],
        sqlite_where=sa.text("kind != 'speak'"),
        postgresql_where=sa.text("kind != 'speak'"),
    )
    op.create_table(
        "txns",
        sa.Column("account_id", ID, nullable=False),
        sa.Column("txn", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "txn"),
        sqlite_with_rowid=False,
    )
    op.create_index("txns_at", "txns", ["at"])
    op.create_table(
        "whispers",
        sa.Column("number", ID, primary_key=True),
        _account("target_id"),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("usr", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("msg", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("whispers_target", "whispers", ["target_id", "number"])


def _create_invitations_and_blocks() -> None:
    op.create_table(
        "invitations",
        _room(),
        _account("account_id"),
        sa.Column("inviter", sa.Text, nullable=False),
        sa.Column("told", sa.Boolean, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "account_id", "inviter"),
        sqlite_with_rowid=False,
    )
    op.create_index("invitations_account", "invitations", ["account_id"])
    op.create_table(
        "blocks",
        _account("account_id"),
        _account("blocked_id"),
        sa.PrimaryKeyConstraint("account_id", "blocked_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("blocks_blocked", "blocks", ["blocked_id"])
