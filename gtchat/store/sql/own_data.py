"""What is stored of an account, for its export; `IAdminStore.own_facts` and `own_entries`."""

from __future__ import annotations

from sqlalchemy import and_, bindparam, func, literal_column, select

from gtchat.chat.admin_store import OwnEntries, OwnFacts, OwnRoom
from gtchat.chat.errors import NoSuchUser
from gtchat.store.sql import schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.entry_rows import COLUMNS, entry_of
from gtchat.store.sql.statements import Statement

#: Rows of `entries` that are looked at at a time, and entries of the account that are read: with
#: the longest texts these are 1.6 MB, of which a server may send ten exports.
SLICE, FOUND = 2000, 100

_accounts = schema.accounts
_blocks = schema.blocks
_levels = schema.notify_levels
_log = schema.entries
_members = schema.members
_networks = schema.account_networks
_phones = schema.phones
_reserved = schema.reserved_names
_rooms = schema.rooms

_READ_SEQ = Statement(
    select(_accounts.c.lobby_read_seq).where(_accounts.c.id == bindparam("account"))
)
_ROOMS = Statement(
    select(
        _rooms.c.name,
        _members.c.joined_seq,
        _members.c.read_seq,
        func.coalesce(_levels.c.level, literal_column("'all'")),
    )
    .join_from(_members, _rooms, _rooms.c.id == _members.c.room_id)
    .outerjoin(
        _levels,
        and_(
            _levels.c.room_id == _members.c.room_id, _levels.c.account_id == _members.c.account_id
        ),
    )
    .where(_members.c.account_id == bindparam("account"))
    .order_by(_rooms.c.key)
)
_BLOCKED = Statement(
    select(_accounts.c.name)
    .join_from(_blocks, _accounts, _accounts.c.id == _blocks.c.blocked_id)
    .where(_blocks.c.account_id == bindparam("account"))
    .order_by(_accounts.c.key)
)
_NETWORKS = Statement(
    select(_networks.c.network, _networks.c.seen_at)
    .where(_networks.c.account_id == bindparam("account"))
    .order_by(_networks.c.network)
)
_NUMBER = Statement(select(_phones.c.number).where(_phones.c.account_id == bindparam("account")))
_NAMES = Statement(
    select(_reserved.c.key)
    .where(_reserved.c.account_id == bindparam("account"))
    .order_by(_reserved.c.key)
)
_LAST = Statement(
    select(_log.c.row)
    .where(_log.c.row > bindparam("after"))
    .order_by(_log.c.row)
    .limit(1)
    .offset(bindparam("skipped"))
)
_NEWEST = Statement(select(func.coalesce(func.max(_log.c.row), 0)))
_FIND = Statement(
    select(_log.c.row, _rooms.c.name, *COLUMNS)
    .join_from(_log, _rooms, _rooms.c.id == _log.c.room_id)
    .where(
        _log.c.row > bindparam("after"),
        _log.c.row <= bindparam("last"),
        _log.c.subject_id == bindparam("account"),
        _rooms.c.kind == literal_column("'room'"),
    )
    .order_by(_log.c.row)
    .limit(bindparam("limit"))
)


def facts(db: Connection, account_id: int) -> OwnFacts:
    """Return what is stored of an account; see `IAdminStore.own_facts`."""
    of_account = {"account": account_id}
    read_seq = _READ_SEQ.scalar(db, **of_account)
    if read_seq is None:
        raise NoSuchUser()
    return OwnFacts(
        rooms=tuple(OwnRoom(*row) for row in _ROOMS(db, **of_account)),
        lobby_read_seq=read_seq,
        blocked=tuple(name for (name,) in _BLOCKED(db, **of_account)),
        networks=tuple((network, at) for network, at in _NETWORKS(db, **of_account)),
        number=_NUMBER.scalar(db, **of_account) or "",
        reserved=tuple(key for (key,) in _NAMES(db, **of_account)),
    )


def entries(db: Connection, account_id: int, after: int) -> OwnEntries:
    """Return a part of the entries about an account; see `IAdminStore.own_entries`."""
    last = _LAST.scalar(db, after=after, skipped=SLICE - 1)
    end = 2**62 if last is None else last
    found = _FIND(db, account=account_id, after=after, last=end, limit=FOUND).fetchall()
    if len(found) == FOUND:
        last = found[-1][0]
    own = tuple(entry_of(row[2:], row[1]) for row in found)
    return OwnEntries(own, last, _NEWEST.scalar(db))
