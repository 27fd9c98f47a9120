"""Rooms as they are stored: all of them, some of them with their members, and lists of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, literal_column, or_, select, union

from gtchat.chat.events import MessageSent
from gtchat.chat.interfaces import FoundRoom, ListedRoom, RoomRecord
from gtchat.chat.retention import KEEP_ALL, Keep
from gtchat.chat.room_records import RecentMessages
from gtchat.chat.rooms import LOBBY
from gtchat.store.sql import moderation, schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.statements import Lookup, Statement

_rooms = schema.rooms
_members = schema.members
_accounts = schema.accounts
_heads = schema.heads
_log = schema.entries
_sessions = schema.sessions
_is_room = _rooms.c.kind == literal_column("'room'")
_zero: ColumnElement[int] = literal_column("0")
_is_lobby = _rooms.c.key == literal_column(f"'{LOBBY}'")

_records = select(
    _rooms.c.id,
    _rooms.c.name,
    _rooms.c.key,
    _rooms.c.public,
    _rooms.c.topic,
    _rooms.c.max,
    _rooms.c.owner_id,
    _rooms.c.owner,
    _rooms.c.creator_id,
    _rooms.c.preview,
    _rooms.c.moderation,
    _rooms.c.keep_messages,
    _rooms.c.keep_days,
    func.coalesce(_heads.c.seq, _zero),
    func.coalesce(_heads.c.messages, _zero),
).outerjoin_from(_rooms, _heads, _heads.c.room_id == _rooms.c.id)
_members_of = select(
    _members.c.room_id, _accounts.c.id, _accounts.c.name, _accounts.c.registered
).join_from(_members, _accounts, _accounts.c.id == _members.c.account_id)
_in_order = (_members.c.room_id, _members.c.joined_seq)

#: The highest id of both databases.
_HIGHEST_ID = 2**63 - 1


def _between(id_: ColumnElement[int]) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that say which rooms are read."""
    return id_ > bindparam("after"), id_ <= bindparam("upto")


_ALL = Statement(_records.where(_is_room, *_between(_rooms.c.id)).order_by(_rooms.c.id))
_ALL_MEMBERS = Statement(_members_of.where(*_between(_members.c.room_id)).order_by(*_in_order))
_SOME = Lookup(_records.where(_is_room).order_by(_rooms.c.id), _rooms.c.id)
_MEMBERS_OF_SOME = Lookup(_members_of.order_by(*_in_order), _members.c.room_id)
_ID = Statement(select(_rooms.c.id).where(_rooms.c.key == bindparam("key"), _is_room))
_FOUND = Lookup(
    select(
        _rooms.c.key,
        _rooms.c.id,
        _rooms.c.public,
        _rooms.c.preview,
        _rooms.c.owner_id,
        _rooms.c.moderation,
    ).where(_is_room),
    _rooms.c.key,
)

#: The condition of the index `rooms_public`, term by term.
_is_public = (_rooms.c.public.is_(True), _is_room)
_LISTED = Statement(
    select(
        _rooms.c.id,
        _rooms.c.name,
        _rooms.c.key,
        _rooms.c.topic,
        _rooms.c.owner,
        func.coalesce(_heads.c.seq, _zero),
        _rooms.c.preview,
        select(func.count()).where(_members.c.room_id == _rooms.c.id).scalar_subquery(),
    )
    .outerjoin_from(_rooms, _heads, _heads.c.room_id == _rooms.c.id)
    .where(*_is_public, ~_is_lobby, _rooms.c.key > bindparam("after"))
    .order_by(_rooms.c.key)
    .limit(bindparam("limit"))
)
_PUBLIC_TOTAL = Statement(select(func.count()).select_from(_rooms).where(*_is_public, ~_is_lobby))
#: The condition of the index `rooms_ownerless`.
_OWNERLESS = Statement(
    select(_rooms.c.id)
    # SQLite would look at all direct conversations, which have no owner either.
    .with_hint(_rooms, "INDEXED BY rooms_ownerless", "sqlite")
    .where(_rooms.c.owner_id.is_(None), _is_room, ~_is_lobby)
    .order_by(_rooms.c.id)
)
_of_account = union(
    select(_members.c.room_id).where(_members.c.account_id == bindparam("account")),
    select(_rooms.c.id).where(_rooms.c.owner_id == bindparam("account"), _is_room),
).subquery()
_OF_ACCOUNT = Statement(
    select(_rooms.c.id, _rooms.c.name, _rooms.c.key)
    .where(_rooms.c.id.in_(select(_of_account.c.room_id)))
    .order_by(_rooms.c.id)
)
_ACCOUNT = Statement(
    select(_sessions.c.account_id).where(_sessions.c.token_hash == bindparam("token"))
)
_has_search = or_(
    bindparam("search") == literal_column("''"),
    func.replace(_rooms.c.key, bindparam("search"), literal_column("''")) != _rooms.c.key,
)
_SEARCH = Statement(
    select(_rooms.c.id)
    .where(_is_room, _rooms.c.key > bindparam("after"), _has_search)
    .order_by(_rooms.c.key)
    .limit(bindparam("limit"))
)
_RECEIVED = Lookup(
    select(_rooms.c.owner_id, func.count())
    .where(_rooms.c.creator_id.is_distinct_from(_rooms.c.owner_id))
    .group_by(_rooms.c.owner_id),
    _rooms.c.owner_id,
)
_NAMES = Statement(
    select(_accounts.c.name)
    .join_from(_members, _accounts, _accounts.c.id == _members.c.account_id)
    .where(_members.c.room_id == bindparam("room"), _accounts.c.name > bindparam("after"))
    .order_by(_accounts.c.name)
    .limit(bindparam("limit"))
)
_RECENT = Statement(
    select(_log.c.seq)
    .where(
        _log.c.room_id == bindparam("room"),
        _log.c.seq > bindparam("after"),
        _log.c.kind == literal_column(f"'{MessageSent.kind}'"),
        _log.c.at >= bindparam("since"),
        or_(_log.c.subject_id == bindparam("account"), _log.c.usr == bindparam("usr")),
        _log.c.msg != literal_column("''"),
    )
    .order_by(_log.c.seq.desc())
    .limit(bindparam("limit"))
)
_MEMBER_COUNT = Statement(select(func.count()).where(_members.c.room_id == bindparam("room")))


def records(db: Connection, after: int = 0, upto: int = _HIGHEST_ID) -> Iterator[RoomRecord]:
    """Yield the rooms with the ids above `after`, up to `upto`, in the order of their ids."""
    between = {"after": after, "upto": upto}
    return _with_members(_ALL(db, **between), _ALL_MEMBERS(db, **between))


def some(db: Connection, ids: Sequence[int]) -> tuple[RoomRecord, ...]:
    """Return the rooms with some ids that there are.

    Args:
        db: a connection; of the writer only after the ends of logs were written to `heads`.
        ids: the ids, each once.
    """
    return tuple(_with_members(_SOME(db, ids), _MEMBERS_OF_SOME(db, ids)))


def _with_members(rooms: Iterable[Any], members: Iterable[Any]) -> Iterator[RoomRecord]:
    """Yield the records of rooms.

    Args:
        rooms: rows of `_records`.
        members: rows of `_members_of`, those of a room in the order of joining.
    """
    found: defaultdict[int, list[tuple[int, str, bool]]] = defaultdict(list)
    known: dict[int, tuple[int, str, bool]] = {}  # one object for all rooms of an account
    for room_id, account_id, name, registered in members:
        member = known.setdefault(account_id, (account_id, name, bool(registered)))
        found[room_id].append(member)
    for row in rooms:
        yield _record(row, found.pop(row[0], ()))


def _record(row: Any, members: Iterable[tuple[int, str, bool]]) -> RoomRecord:
    id_, name, key, public, topic, max_, owner_id, owner, creator_id, *rest = row
    preview, stored, keep_messages, keep_days, last_seq, message_count = rest
    return RoomRecord(
        id=id_,
        name=name,
        key=key,
        public=bool(public),
        topic=topic,
        max=max_,
        owner_id=owner_id,
        owner=owner,
        creator_id=creator_id,
        last_seq=last_seq,
        message_count=message_count,
        members=tuple(members),
        preview=bool(preview),
        moderation=moderation.decode(stored),
        keep=Keep(keep_messages, keep_days) if keep_messages or keep_days else KEEP_ALL,
    )


def load(
    db: Connection, log_writer: LogWriter, ids: Collection[int], key: str | None
) -> tuple[RoomRecord, ...]:
    """Return rooms as they are at this place in the queue; see `IRoomStore.load_rooms`."""
    log_writer.write_heads(db)
    wanted = dict.fromkeys(ids)
    room_id = None if key is None else find_id(db, key)
    if room_id is not None:
        wanted[room_id] = None
    return some(db, list(wanted))


def find_id(db: Connection, key: str) -> int | None:
    """Return the id of the room with a key, None if there is none."""
    room_id: int | None = _ID.scalar(db, key=key)
    return room_id


def missing(db: Connection, account_id: int, known: Collection[int]) -> tuple[RoomRecord, ...]:
    """Return the rooms of an account that are not in memory; see `AccountState.rooms`.

    Args:
        db: the writer's connection, after the ends of logs were written to `heads`.
        account_id: the account.
        known: the ids of those that are.
    """
    return some(db, [id_ for id_ in of_account(db, account_id, None) if id_ not in known])


def lobby(db: Connection) -> tuple[RoomRecord, ...]:
    """Return the lobby."""
    lobby_id = find_id(db, LOBBY)
    assert lobby_id is not None
    return some(db, [lobby_id])


def listed(
    db: Connection, log_writer: LogWriter | None, after: str | None, limit: int
) -> tuple[ListedRoom, ...]:
    """Return public rooms; see `IRoomStore.public_rooms`.

    Args:
        db: a connection.
        log_writer: knows the ends of logs; None where `heads` has them.
        after, limit: those of `IRoomStore.public_rooms`.
    """
    if log_writer is not None:
        log_writer.write_heads(db)
    return tuple(
        ListedRoom(id_, name, key, topic, owner, last_seq, bool(preview), member_count)
        for id_, name, key, topic, owner, last_seq, preview, member_count in _LISTED(
            db, after=after or "", limit=limit
        )
    )


def public_total(db: Connection) -> int:
    """Return how many public rooms there are, without the lobby."""
    total: int = _PUBLIC_TOTAL.scalar(db)
    return total


def ownerless(db: Connection) -> tuple[int, ...]:
    """Return the ids of the rooms without an owner, without the lobby."""
    return tuple(row[0] for row in _OWNERLESS(db))


def of_account(
    db: Connection, account_id: int | None, token_hash: bytes | None
) -> dict[int, tuple[str, str]]:
    """Return the rooms that an account is in or owns; see `IRoomStore.rooms_of`."""
    if account_id is None:
        account_id = _ACCOUNT.scalar(db, token=token_hash)
    return {id_: (name, key) for id_, name, key in _OF_ACCOUNT(db, account=account_id)}


def find(db: Connection, keys: Collection[str]) -> dict[str, FoundRoom]:
    """Return what is told of rooms; see `IRoomStore.find_rooms`."""
    return {
        key: FoundRoom(id_, bool(public), bool(preview), owner_id, moderation.decode(stored))
        for key, id_, public, preview, owner_id, stored in _FOUND(db, list(keys))
    }


def search(db: Connection, search: str, after: str, limit: int) -> list[int]:
    """Return ids of rooms; see `IRoomStore.search_rooms`."""
    return [row[0] for row in _SEARCH(db, search=search, after=after, limit=limit)]


def count_received(db: Connection, account_ids: Collection[int]) -> dict[int, int]:
    """Return how many rooms accounts have received; see `IRoomStore.count_received`."""
    return dict(_RECEIVED(db, list(account_ids)))


def member_names(
    db: Connection, room_id: int, after: str | None, limit: int
) -> tuple[list[str], int]:
    """Return names of members of a room; see `IRoomStore.member_names`."""
    names = _NAMES(db, room=room_id, after=after or "", limit=limit)
    return [row[0] for row in names], _MEMBER_COUNT.scalar(db, room=room_id)


def recent_messages(db: Connection, room_id: int, wanted: RecentMessages) -> list[int]:
    """Return seqs of messages of a user; see `IRoomStore.recent_messages`."""
    found = _RECENT(
        db,
        room=room_id,
        after=wanted.after,
        since=wanted.since,
        account=wanted.account_id,
        usr=wanted.usr,
        limit=wanted.limit,
    )
    return [row[0] for row in found]
