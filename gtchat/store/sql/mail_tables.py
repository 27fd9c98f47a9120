"""The tables of what waits for users: direct conversations, what was missed, invitations.

`schema` names all tables; it is what other modules import.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    false,
    literal_column,
)

from gtchat.store.sql.account_tables import metadata
from gtchat.store.sql.columns import ID
from gtchat.store.sql.columns import account as _account
from gtchat.store.sql.columns import room as _room

#: Direct conversations, once for each of its accounts that has not ended; the log is that of the
#: room. Without a foreign key for `other_id`: a conversation stays when the other account ends.
#: `other`: name of the other account when the conversation began. `wrote`: whether the account has
#: written to the other one, which is no stranger then. `delivered_seq`: up to here the account has
#: received the log, but for `missed`; `pending`: messages of the other account that it has not
#: received. `newest`: the row of `entries` with the newest message, 0 for none.
directs = Table(
    "directs",
    metadata,
    _account("account_id"),
    Column("other_id", ID, nullable=False),
    _room(),
    Column("other", Text, nullable=False),
    Column("other_guest", Boolean, nullable=False),
    Column("wrote", Boolean, nullable=False),
    Column("read_seq", BigInteger, nullable=False),
    Column("delivered_seq", BigInteger, nullable=False),
    Column("pending", Integer, nullable=False),
    Column("newest", BigInteger, nullable=False),
    PrimaryKeyConstraint("account_id", "other_id"),
    Index("directs_newest", "account_id", "newest"),
    Index("directs_room", "room_id", "account_id", unique=True),
    sqlite_with_rowid=False,
)

#: Finds what was not delivered. A partial index: other conversations cost it no write.
Index(
    "directs_pending",
    directs.c.account_id,
    directs.c.pending,
    directs.c.wrote,
    sqlite_where=directs.c.pending > literal_column("0"),
    postgresql_where=directs.c.pending > literal_column("0"),
)

#: Messages that did not reach an account: direct ones before `delivered_seq`, and those of rooms.
missed = Table(
    "missed",
    metadata,
    _account("account_id"),
    _room(),
    Column("seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("account_id", "room_id", "seq"),
    Index("missed_message", "room_id", "seq"),
    sqlite_with_rowid=False,
)

#: `delivered`: whether the invited user got it. `postponed`: whether the user answered "later".
invitations = Table(
    "invitations",
    metadata,
    _room(),
    _account("account_id"),
    Column("inviter", Text, nullable=False),
    Column("delivered", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("inviter_id", ID),
    Column("postponed", Boolean, nullable=False, server_default=false()),
    PrimaryKeyConstraint("room_id", "account_id", "inviter"),
    Index("invitations_account", "account_id"),
    Index("invitations_inviter", "inviter_id", "account_id"),
    sqlite_with_rowid=False,
)
