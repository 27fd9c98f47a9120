"""The tables, as SQLAlchemy Core knows them; `migrations` makes them, a test compares the two.

A room's log is `entries`. What else is known of a room (its settings, its members) is the fold of
its log, kept beside it in the same transaction. `entries.spoken` is the number of messages in the
log up to and with this entry, so the newest entry tells how long and how talkative a room is, and
nothing but that entry has to be written for a message.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    false,
    literal_column,
)

#: Marks a file as ours (SQLite's `application_id`): "GTCh".
APPLICATION_ID = 0x47544368

#: Names of the schema's revisions, oldest first; a test compares them with `migrations`.
REVISIONS = ("0001", "0002", "0003")

metadata = MetaData()


def _account(name: str) -> Column[int]:
    """A column that names an account and goes with it."""
    return Column(name, Integer, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False)


def _room() -> Column[int]:
    """A column that names a room and goes with it."""
    return Column("room_id", Integer, ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False)


meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),
    Column("registered", Boolean, nullable=False),
    Column("password_hash", Text),
    Column("uuid_hash", LargeBinary, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("lobby_read", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

#: `lost`: when the connection was lost, NULL as long as nobody knows. `aged`: from when on the
#: session grows old, NULL while it is connected. `marks`: whether it says itself what was read.
sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    _account("account_id"),
    Column("began", BigInteger, nullable=False),
    Column("lost", BigInteger),
    Column("aged", BigInteger),
    Column("marks", Boolean, nullable=False, server_default=false()),
    Index("sessions_account", "account_id"),
    Index("sessions_aged", "aged"),
    sqlite_with_rowid=False,
)

rooms = Table(
    "rooms",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("public", Boolean, nullable=False),
    Column("topic", Text, nullable=False),
    Column("max", Integer, nullable=False),
    Column("owner_id", Integer, ForeignKey("accounts.id", ondelete="SET NULL")),
    Column("owner", Text, nullable=False),
    Index("rooms_owner", "owner_id"),
    sqlite_autoincrement=True,
)

#: `joined` is the seq of the entry by which the membership began, `read_seq` that of the last one
#: that counts as read. For the lobby, which has no members, `accounts.lobby_read` is the latter.
members = Table(
    "members",
    metadata,
    _room(),
    _account("account_id"),
    Column("joined", BigInteger, nullable=False),
    Column("read_seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("room_id", "account_id"),
    Index("members_account", "account_id"),
    sqlite_with_rowid=False,
)

#: Not bound to `rooms`: a long log is taken away in slices, after its room. Rows stand in the order
#: of their coming, and an index finds a room's: a commit with messages to a hundred rooms writes
#: few pages. Clustered by room, it would write a page for each room.
entries = Table(
    "entries",
    metadata,
    Column("room_id", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("spoken", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("usr", Text, nullable=False),
    Column("id", Text),
    Column("msg", Text),
    Column("extra", Text),
    PrimaryKeyConstraint("room_id", "seq"),
)

#: Finds the rare kinds; it costs a message nothing.
Index(
    "entries_rare",
    entries.c.room_id,
    entries.c.kind,
    entries.c.seq,
    sqlite_where=entries.c.kind != literal_column("'speak'"),
    postgresql_where=entries.c.kind != literal_column("'speak'"),
)

#: Logs that wait to be taken away.
doomed = Table("doomed", metadata, Column("room_id", Integer, primary_key=True))

#: Names whose last log was deleted, and when.
tombstones = Table(
    "tombstones",
    metadata,
    Column("key", Text, primary_key=True),
    Column("deleted_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

txns = Table(
    "txns",
    metadata,
    Column("account_id", Integer, nullable=False),
    Column("txn", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("account_id", "txn"),
    Index("txns_at", "at"),
    sqlite_with_rowid=False,
)

whispers = Table(
    "whispers",
    metadata,
    Column("number", Integer, primary_key=True),
    _account("target_id"),
    Column("at", BigInteger, nullable=False),
    Column("usr", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("msg", Text, nullable=False),
    Index("whispers_target", "target_id", "number"),
    sqlite_autoincrement=True,
)

invitations = Table(
    "invitations",
    metadata,
    _room(),
    _account("account_id"),
    Column("inviter", Text, nullable=False),
    Column("told", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("room_id", "account_id", "inviter"),
    Index("invitations_account", "account_id"),
    sqlite_with_rowid=False,
)

blocks = Table(
    "blocks",
    metadata,
    _account("account_id"),
    _account("blocked_id"),
    PrimaryKeyConstraint("account_id", "blocked_id"),
    Index("blocks_blocked", "blocked_id"),
    sqlite_with_rowid=False,
)

#: Accounts that come by a telephone number, and when they were last here.
phones = Table(
    "phones",
    metadata,
    Column(
        "account_id",
        Integer,
        ForeignKey("accounts.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("number", Text, nullable=False, unique=True),
    Column("left_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
