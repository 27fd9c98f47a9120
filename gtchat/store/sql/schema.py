"""The tables as SQLAlchemy Core describes them. `migrations` creates them; a test compares the two.

A room's log is `entries`. The room's settings and members (`rooms`, `members`) follow from its log
and are changed in the transaction that appends the entry. How long a log is, and which part of it
is kept, stands in `heads`: a log whose rows were deleted goes on with the next number.

Columns named `at` or ending in `_at` and `expires_from` are milliseconds since 1970, UTC.
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
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    and_,
    false,
    literal_column,
    or_,
)

from gtchat.store.sql.account_tables import account_networks as account_networks
from gtchat.store.sql.account_tables import account_usage as account_usage
from gtchat.store.sql.account_tables import accounts as accounts
from gtchat.store.sql.account_tables import audit as audit
from gtchat.store.sql.account_tables import bans as bans
from gtchat.store.sql.account_tables import blocks as blocks
from gtchat.store.sql.account_tables import deletions as deletions
from gtchat.store.sql.account_tables import devices as devices
from gtchat.store.sql.account_tables import export_links as export_links
from gtchat.store.sql.account_tables import invite_links as invite_links
from gtchat.store.sql.account_tables import login_links as login_links
from gtchat.store.sql.account_tables import metadata as metadata
from gtchat.store.sql.account_tables import phones as phones
from gtchat.store.sql.account_tables import profiles as profiles
from gtchat.store.sql.account_tables import reports as reports
from gtchat.store.sql.account_tables import reserved_names as reserved_names
from gtchat.store.sql.account_tables import sessions as sessions
from gtchat.store.sql.account_tables import starts as starts
from gtchat.store.sql.columns import ID
from gtchat.store.sql.columns import account as _account
from gtchat.store.sql.columns import room as _room
from gtchat.store.sql.mail_tables import directs as directs
from gtchat.store.sql.mail_tables import invitations as invitations
from gtchat.store.sql.mail_tables import missed as missed

#: SQLite's `application_id` of a database of this program: "GTCh".
APPLICATION_ID = 0x47544368

#: Revisions of the schema, oldest first; a test compares them with `migrations`.
REVISIONS = tuple(f"{number:04}" for number in range(1, 30))
#: Those that change nothing in SQLite. A file of SQLite is of the newest of the others: it is not
#: copied for nothing, and the program before can still use it.
POSTGRES_ONLY = frozenset({"0013", "0014", "0029"})
SQLITE_REVISIONS = tuple(each for each in REVISIONS if each not in POSTGRES_ONLY)
#: Those that only add: programs of the revision before go on using the schema meanwhile. With 0019
#: and 0022 come entries that no earlier program can read.
ONLY_ADDING = frozenset(
    f"00{number}" for number in (15, 16, 17, 18, 20, 21, 23, 24, 25, 26, 27, 28, 29)
)
#: The oldest program that can use the newest schema, named by the newest revision that it knows.
MIN_PROGRAM = [each for each in REVISIONS if each not in ONLY_ADDING][-1]

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

#: `creator_id`: the account that created the room, also when that account has ended. `kind`:
#: "room", or "direct" for a conversation of `directs`, whose key has both accounts and is no name.
#: `public_since`: of a public room the entry that made it public, 0 if it always was. `moderation`:
#: JSON, see `store.sql.moderation`. `base_seq`: the last entry that was removed from the log, 0 for
#: none. `base_state`: JSON, what the room was behind it, see `store.sql.snapshots`.
#: `quota`: bytes of texts that the room can have, 0 for any number; NULL where the setting counts.
rooms = Table(
    "rooms",
    metadata,
    Column("id", ID, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("public", Boolean, nullable=False),
    Column("topic", Text, nullable=False),
    Column("max", Integer, nullable=False),
    Column("owner_id", ID, ForeignKey("accounts.id", ondelete="SET NULL")),
    Column("owner", Text, nullable=False),
    Column("skeleton", Text),
    Column("creator_id", ID),
    Column("kind", Text, nullable=False, server_default="room"),
    Column("preview", Boolean, nullable=False, server_default=false()),
    Column("public_since", BigInteger, nullable=False, server_default="0"),
    Column("moderation", Text),
    Column("keep_messages", Integer, nullable=False, server_default="0"),
    Column("keep_days", Integer, nullable=False, server_default="0"),
    Column("base_seq", BigInteger, nullable=False, server_default="0"),
    Column("base_state", Text),
    Column("quota", BigInteger),
    Index("rooms_owner", "owner_id"),
    Index("rooms_skeleton", "skeleton"),
    Index("rooms_creator", "creator_id"),
    sqlite_autoincrement=True,
)
_is_room = rooms.c.kind == literal_column("'room'")
_is_public = and_(rooms.c.public.is_(True), _is_room)
_limits_of_log = (rooms.c.keep_messages, rooms.c.keep_days)
_is_ownerless = and_(rooms.c.owner_id.is_(None), _is_room)

#: The list of public rooms, and their number: SQLite reads all columns of the condition.
Index(
    "rooms_public",
    rooms.c.key,
    rooms.c.public,
    rooms.c.kind,
    sqlite_where=_is_public,
    postgresql_where=_is_public,
)
#: The rooms of which the owner limits the log.
Index(
    "rooms_keep",
    rooms.c.id,
    sqlite_where=or_(*(column > literal_column("0") for column in _limits_of_log)),
    postgresql_where=or_(*(column > literal_column("0") for column in _limits_of_log)),
)
_is_moderated = rooms.c.moderation.is_not(None)
#: The rooms in which the name of an account may have to be changed.
Index("rooms_moderated", rooms.c.id, sqlite_where=_is_moderated, postgresql_where=_is_moderated)
#: The rooms of guests that have ended: a start finds owners for them.
Index("rooms_ownerless", rooms.c.id, sqlite_where=_is_ownerless, postgresql_where=_is_ownerless)
#: Rooms and accounts with a quota of their own.
_has_quota = rooms.c.quota.is_not(None)
Index("rooms_quota", rooms.c.id, sqlite_where=_has_quota, postgresql_where=_has_quota)

#: `joined_seq`: the entry with which the membership began. `read_seq`: the last entry that counts
#: as read; for the lobby, which has no rows here, that is `accounts.lobby_read_seq`.
members = Table(
    "members",
    metadata,
    _room(),
    _account("account_id"),
    Column("joined_seq", BigInteger, nullable=False),
    Column("read_seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("room_id", "account_id"),
    Index("members_account", "account_id"),
    sqlite_with_rowid=False,
)

#: When members last spoke in rooms with slow mode.
spoken = Table(
    "spoken",
    metadata,
    _room(),
    _account("account_id"),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("room_id", "account_id"),
    Index("spoken_account", "account_id"),
    sqlite_with_rowid=False,
)

#: Without a foreign key to `rooms`: a long log is deleted in slices after its room. `row` numbers
#: the rows in the order of appending and is never used again; a commit with messages to a hundred
#: rooms writes few pages, while a table clustered by room would write a page for each room.
#: `message_count`: number of messages in the log up to and including the entry. `subject_id`: the
#: account that the entry is about, NULL where it is not known (guests of before revision 0006).
#: `of`: the entry that this one changes; `root`: the first message of the thread; `changed`: the
#: last entry that changed this one. All three are seqs of the same room, or NULL.
entries = Table(
    "entries",
    metadata,
    Column("row", ID, primary_key=True),
    Column("room_id", ID, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("message_count", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("usr", Text, nullable=False),
    Column("subject_id", ID),
    Column("id", Text),
    Column("msg", Text),
    Column("of", BigInteger),
    Column("root", BigInteger),
    Column("changed", BigInteger),
    Column("extra", Text),
    UniqueConstraint("room_id", "seq"),
    sqlite_autoincrement=True,
)

#: Finds entries that are not messages. A partial index: a message costs it no write.
Index(
    "entries_rare",
    entries.c.room_id,
    entries.c.kind,
    entries.c.seq,
    sqlite_where=entries.c.kind != literal_column("'speak'"),
    postgresql_where=entries.c.kind != literal_column("'speak'"),
)

#: The logs that have begun. `seq`: the newest entry. `messages`: the number of messages so far.
#: `first`: the lowest seq that is kept, `seq` + 1 if none is. The rows are updated in place.
heads = Table(
    "heads",
    metadata,
    Column("room_id", ID, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    postgresql_with={"fillfactor": 50},
)

#: Which accounts react to which messages, and with what. Without foreign keys: the reactions of a
#: guest who ended stay, those in a room that is deleted are deleted in slices. `present`: false for
#: a reaction that was taken back. `entry_seq`: the entry that changed it last. `changes`: how often
#: that was done. What a page shows of them stands in `entries.extra` of the message.
reactions = Table(
    "reactions",
    metadata,
    Column("room_id", ID, nullable=False),
    Column("account_id", ID, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("emoji", Text, nullable=False),
    Column("present", Boolean, nullable=False),
    Column("entry_seq", BigInteger, nullable=False),
    Column("usr", Text, nullable=False),
    Column("changes", Integer, nullable=False),
    PrimaryKeyConstraint("room_id", "account_id", "seq", "emoji"),
    Index("reactions_order", "room_id", "seq", "emoji", "present", "entry_seq"),
    sqlite_with_rowid=False,
)

#: The pinned messages.
pins = Table(
    "pins",
    metadata,
    Column("room_id", ID, nullable=False),
    Column("seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("room_id", "seq"),
    sqlite_with_rowid=False,
)

#: Earlier texts of messages, where they are kept. `version_seq`: the entry that gave the message
#: this text.
versions = Table(
    "versions",
    metadata,
    Column("room_id", ID, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("version_seq", BigInteger, nullable=False),
    Column("msg", Text, nullable=False),
    PrimaryKeyConstraint("room_id", "seq", "version_seq"),
    sqlite_with_rowid=False,
)

#: What messages mention: an account, or all members (NULL). Deleted in slices after the room.
mentions = Table(
    "mentions",
    metadata,
    Column("row", ID, primary_key=True),
    _account("account_id", nullable=True),
    Column("room_id", ID, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Index("mentions_account", "account_id", "row"),
    Index("mentions_room", "room_id", "account_id", "seq"),
    Index("mentions_message", "room_id", "seq"),
    sqlite_autoincrement=True,
)

#: The rooms in which users are notified of not all messages; `level`: `mentions` or `none`.
notify_levels = Table(
    "notify_levels",
    metadata,
    _account("account_id"),
    _room(),
    Column("level", Text, nullable=False),
    PrimaryKeyConstraint("account_id", "room_id"),
    Index("notify_levels_room", "room_id"),
    sqlite_with_rowid=False,
)

#: How far the index of messages is; it has at most one row. `row`: the last row of `entries` that
#: was read. `version`: what made it. `erased`: number of texts that were taken out of the index and
#: are still in its files. `counted`: the last row that is in `account_usage` and `room_usage`. The
#: index itself is `message_index`, a table of SQLite's FTS5, with the
#: tables that FTS5 makes for it: Core does not know them.
index_state = Table(
    "index_state",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("row", BigInteger, nullable=False),
    Column("version", Text, nullable=False),
    Column("erased", BigInteger, nullable=False),
    Column("counted", BigInteger, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

#: What the messages of rooms take (`account_usage`: of accounts), up to the row
#: `index_state.counted` of `entries`.
room_usage = Table(
    "room_usage",
    metadata,
    Column(
        "room_id",
        ID,
        ForeignKey("rooms.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("messages", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Index("room_usage_bytes", "bytes"),
    sqlite_with_rowid=False,
)

#: Rooms that are deleted and whose logs still have to be.
pending_deletes = Table("pending_deletes", metadata, Column("room_id", ID, primary_key=True))

#: Keys of rooms that were deleted, and when that happened last.
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
    Column("account_id", ID, nullable=False),
    Column("txn", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("account_id", "txn"),
    Index("txns_at", "at"),
    sqlite_with_rowid=False,
)
