"""The tables of accounts, devices and sessions, and of what operators and moderators do.

`schema` names all tables; it is what other modules import.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
    literal_column,
)

from gtchat.store.sql.columns import ID
from gtchat.store.sql.columns import account as _account

metadata = MetaData()

#: `skeleton`: what the name looks like (UTS 39, section 4); names that look alike share it.
#: `quota`: as of `schema.rooms`. `invite_id`: the row of `invite_links` whose rooms it has still to
#: join, NULL for none.
accounts = Table(
    "accounts",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),
    Column("registered", Boolean, nullable=False),
    Column("password_hash", Text),
    Column("uuid_hash", LargeBinary, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("lobby_read_seq", BigInteger, nullable=False),
    Column("skeleton", Text),
    Column("operator", Boolean, nullable=False, server_default=false()),
    Column("quota", BigInteger),
    Column("invite_id", BigInteger),
    Index("accounts_skeleton", "skeleton"),
    sqlite_autoincrement=True,
)
_has_quota = accounts.c.quota.is_not(None)
Index("accounts_quota", accounts.c.id, sqlite_where=_has_quota, postgresql_where=_has_quota)

#: As `schema.room_usage`.
account_usage = Table(
    "account_usage",
    metadata,
    _account("account_id", is_key=True),
    Column("messages", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Index("account_usage_bytes", "bytes"),
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

#: Telephone numbers of accounts, and when each user was last connected.
phones = Table(
    "phones",
    metadata,
    _account("account_id", is_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("left_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: Networks that an account registered or logged in from, and when it last did.
account_networks = Table(
    "account_networks",
    metadata,
    _account("account_id"),
    Column("network", Text, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("account_id", "network"),
    sqlite_with_rowid=False,
)

#: Starts of the server. `entries_mark`: the highest row of `entries` at that moment.
starts = Table(
    "starts",
    metadata,
    Column("id", ID, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("entries_mark", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

#: `created_at`: when the session began. `began_at`: when it was connected last, by its login or by
#: a resume. `lost_at`: when the connection was lost, NULL while that is not known. `expires_from`:
#: the start of the time after which the session expires, NULL while it is connected; it differs
#: from `lost_at` after a restart. `marks_read`: whether the session has sent a read marker.
#: `start_id`: the start of the server (`starts`) in which the session was last connected.
#: `device`: its row in `devices`, NULL for a session without one. `protocol`, `address`: of its
#: client.
sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    _account("account_id"),
    Column("began_at", BigInteger, nullable=False),
    Column("lost_at", BigInteger),
    Column("expires_from", BigInteger),
    Column("marks_read", Boolean, nullable=False, server_default=false()),
    Column("start_id", ID),
    Column("device", Text),
    Column("protocol", Text, nullable=False, server_default="gtchat"),
    Column("address", Text, nullable=False, server_default=""),
    Column("created_at", BigInteger, nullable=False, server_default="0"),
    Index("sessions_account", "account_id"),
    Index("sessions_expires_from", "expires_from"),
    sqlite_with_rowid=False,
)

#: Devices of accounts. One without a token is deleted when it has no session any more.
#: `token_hash`: of the secret that begins sessions on it, NULL for none. `last_seen`: when one of
#: its sessions began or was lost last; a device with a connected session is seen now.
devices = Table(
    "devices",
    metadata,
    _account("account_id"),
    Column("device", Text, nullable=False),
    Column("token_hash", LargeBinary, unique=True),
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    PrimaryKeyConstraint("account_id", "device"),
    Index("devices_last_seen", "last_seen"),
    sqlite_with_rowid=False,
)

#: Links that log an account in once. `token_hash`: of the secret in the link.
login_links = Table(
    "login_links",
    metadata,
    _account("account_id", is_key=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("expires_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: Links to exports of accounts, and when the next one can begin. `token_hash`: of the secret in the
#: link, NULL once it was used. `session`: token hash of the session that has asked. `until`: when
#: the link ends. `begun_at`: when the last export began that was sent whole; of one that was not,
#: so much earlier that another one can follow soon; 0 for none.
export_links = Table(
    "export_links",
    metadata,
    _account("account_id", is_key=True),
    Column("token_hash", LargeBinary, unique=True),
    Column("session", LargeBinary, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: Former names, which only their account may have before `until`. Without a foreign key: those of
#: an account that was deleted stay for ever.
reserved_names = Table(
    "reserved_names",
    metadata,
    Column("key", Text, primary_key=True),
    Column("account_id", ID, nullable=False),
    Column("skeleton", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
    Index("reserved_names_account", "account_id"),
    Index("reserved_names_skeleton", "skeleton"),
    sqlite_with_rowid=False,
)

#: What users say of themselves; see `Profile`. Accounts that say nothing need no row.
profiles = Table(
    "profiles",
    metadata,
    _account("account_id", is_key=True),
    Column("about", Text, nullable=False),
    Column("colour", Integer, nullable=False),
    Column("hides_seen", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

#: Accounts that are being deleted, and then what they have said (`deletions`). `name`: of the
#: account. `erase`, `erase_directs`: whether messages in rooms, and direct ones, lose their text.
#: `row`: up to which row of `entries` that is done; `until`: the last row when the account ended,
#: NULL while it is there. Without a foreign key: it is there until all is done.
deletions = Table(
    "deletions",
    metadata,
    Column("account_id", ID, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("erase", Boolean, nullable=False),
    Column("erase_directs", Boolean, nullable=False),
    Column("row", BigInteger, nullable=False),
    Column("until", BigInteger),
    sqlite_with_rowid=False,
)

#: Bans from the server. `key`: names what is banned (`Ban.key`). `account_id`: of a ban of an
#: account; which, NULL otherwise. `until`: when it ends, NULL for never.
bans = Table(
    "bans",
    metadata,
    Column("id", ID, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("target", Text, nullable=False),
    _account("account_id", nullable=True),
    Column("reason", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("until", BigInteger),
    Index("bans_account", "account_id"),
    sqlite_autoincrement=True,
)

#: The audit log. `who`, `subject`: names of accounts, "" for none. `what`: the fields of the line
#: in the log, as JSON. `counted`: whether only a number of them is kept; see `AuditLimits`. Without
#: foreign keys: records stay when their account ends.
audit = Table(
    "audit",
    metadata,
    Column("id", ID, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("code", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("counted", Boolean, nullable=False),
    Index("audit_at", "at"),
    Index("audit_who", "who", "id"),
    sqlite_autoincrement=True,
)

#: Most records are about the account that did it: those cost the index no write.
Index(
    "audit_subject",
    audit.c.subject,
    audit.c.id,
    sqlite_where=audit.c.subject != literal_column("''"),
    postgresql_where=audit.c.subject != literal_column("''"),
)

#: Finds devices to delete without reading those that are remembered.
Index(
    "devices_without_token",
    devices.c.last_seen,
    sqlite_where=devices.c.token_hash.is_(None),
    postgresql_where=devices.c.token_hash.is_(None),
)

#: Links with which users register. `token_hash`: of the secret in the link. `maker_id`: NULL for an
#: operator at the server. `rooms`: ids of rooms that the new accounts join, with spaces between.
invite_links = Table(
    "invite_links",
    metadata,
    Column("id", ID, primary_key=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    _account("maker_id", nullable=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("uses", Integer, nullable=False),
    Column("used", Integer, nullable=False),
    Column("rooms", Text, nullable=False),
    Index("invite_links_maker", "maker_id"),
    sqlite_autoincrement=True,
)

#: Reports of messages; see `Report`. Without foreign keys: they stay when the room or an account is
#: gone, whose ids are not given again. Those of the word filter have no `reporter_id`.
reports = Table(
    "reports",
    metadata,
    Column("id", ID, primary_key=True),
    Column("log_id", ID, nullable=False),
    Column("room", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("author_id", ID),
    Column("author", Text, nullable=False),
    Column("msg", Text, nullable=False),
    Column("sent_at", BigInteger, nullable=False),
    Column("reporter_id", ID),
    Column("reporter", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("answered_by", Text, nullable=False),
    Column("answered_at", BigInteger, nullable=False),
    Column("rule", Text, nullable=False, server_default=""),
    UniqueConstraint("reporter_id", "log_id", "seq"),
    Index("reports_log", "log_id", "id"),
    sqlite_autoincrement=True,
)
