"""What the texts of messages take, by room and by registered account; and their quotas.

The sums are in tables of their own. `search_index` adds messages to them in idle time, and takes
off what is changed or deleted in the transaction that does it. So a message costs nothing more when
it is stored, and the sums follow some seconds later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    LargeBinary,
    Table,
    Update,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
    true,
    update,
)

from gtchat.chat.errors import NoSuchRoom, NoSuchUser
from gtchat.chat.rooms import LOBBY
from gtchat.chat.storage_store import (
    DIRECT_MESSAGES,
    AtQuota,
    CountedBy,
    StorageLimits,
    StorageQuery,
    StorageUse,
    StoredTexts,
)
from gtchat.store.sql import schema
from gtchat.store.sql.database import Connection, PostgresSQL
from gtchat.store.sql.statements import Statement, insert

#: Rows of `entries` that are counted in one transaction. With 1,000 a message cost twice as much.
SLICE = 4_000
#: Most accounts, and most rooms, that are told to be over their quota; those with most bytes.
OVER_LIMIT = 10_000

_log = schema.entries
_rooms = schema.rooms
_accounts = schema.accounts

#: Before 3.43 SQLite has no `octet_length`; PostgreSQL reads a text that it casts to bytes as
#: escapes.
_BYTES: dict[bool, ColumnElement[Any]] = {
    True: func.octet_length(_log.c.msg),
    False: func.length(cast(_log.c.msg, LargeBinary)),
}
_is_room = _rooms.c.kind == literal_column("'room'")
_zero: ColumnElement[int] = literal_column("0")


@attrs.frozen(eq=False)
class _Sums:
    """The statements for the sums of rooms, or of accounts.

    Args:
        table: the sums.
        key: of them: the id of the owner of the texts.
        owner: the rooms or accounts.
        of: of entries: the id of the owner. An expression: by the column itself SQLite would read
            the logs one by one, with all entries.
        counted: which owners are counted, of those that are there.
        name: of an owner, under which those with the same name are one sum.
        limited: which owners have a quota.
        by_setting: which of these have that of the setting.
    """

    table: Table
    key: Column[int]
    owner: Table
    of: ColumnElement[Any]
    counted: ColumnElement[bool]
    name: ColumnElement[Any]
    limited: ColumnElement[bool]
    by_setting: ColumnElement[bool]

    @property
    def _quota(self) -> Column[int]:
        return self.owner.c.quota

    def add(self, postgres: bool) -> Statement:
        """Return the statement that adds a slice of entries."""
        size = func.coalesce(func.sum(_BYTES[postgres]), _zero)
        of = self.of.label("owner_id")
        sums = (
            select(of, func.count().label("messages"), size.label("size"))
            .where(
                _log.c.row > bindparam("after"),
                _log.c.row <= bindparam("last"),
                _log.c.kind == literal_column("'speak'"),
            )
            .group_by(self.of)
            .subquery("sums")
        )
        counted = (
            select(sums.c.owner_id, sums.c.messages, sums.c.size)
            .select_from(sums.join(self.owner, self.owner.c.id == sums.c.owner_id))
            .where(self.counted)
            # An owner that another node deletes meanwhile is left out, after it is waited for.
            .with_for_update(read=True, key_share=True, of=self.owner)
        )
        added = insert(self.table).from_select([self.key.name, "messages", "bytes"], counted)
        return Statement(
            added.on_conflict_do_update(
                index_elements=[self.key.name],
                set_={
                    "messages": self.table.c.messages + added.excluded.messages,
                    "bytes": self.table.c.bytes + added.excluded.bytes,
                },
            )
        )

    def change(self) -> Statement:
        """Return the statement that changes a sum."""
        return Statement(
            update(self.table)
            .where(self.key == bindparam("owner"))
            .values(
                messages=self.table.c.messages + bindparam("more_messages"),
                bytes=self.table.c.bytes + bindparam("more_bytes"),
            )
        )

    def listed(self) -> Statement:
        """Return the statement that lists sums, the largest first."""
        named = (
            select(
                self.name.label("name"),
                func.coalesce(self.table.c.messages, _zero).label("messages"),
                func.coalesce(self.table.c.bytes, _zero).label("size"),
                self._quota.label("quota"),
            )
            .select_from(self.owner.outerjoin(self.table, self.key == self.owner.c.id))
            .where(
                case(
                    (bindparam("exceptions", type_=BigInteger) > _zero, self._quota.is_not(None)),
                    else_=self.table.c.messages > _zero,
                )
            )
            .subquery("named")
        )
        total = cast(func.sum(named.c.size), BigInteger)
        count = cast(func.sum(named.c.messages), BigInteger)
        return Statement(
            select(named.c.name, count, total, func.max(named.c.quota))
            .group_by(named.c.name)
            .order_by(total.desc(), named.c.name)
            .limit(bindparam("limit"))
        )

    def one(self) -> Statement:
        """Return the statement that reads one sum."""
        joined = self.owner.outerjoin(self.table, self.key == self.owner.c.id)
        return Statement(
            select(
                self.owner.c.name,
                func.coalesce(self.table.c.messages, _zero),
                func.coalesce(self.table.c.bytes, _zero),
                self._quota,
            )
            .select_from(joined)
            .where(self.owner.c.id == bindparam("owner"))
        )

    def over(self) -> tuple[Statement, Statement]:
        """Return the statements that find what is over its own quota, and over the setting."""
        found = (
            select(self.key, self.table.c.bytes, self._quota)
            .select_from(self.table.join(self.owner, self.owner.c.id == self.key))
            .where(self.limited)
            .limit(OVER_LIMIT)
        )
        size = self.table.c.bytes
        # An expression: else SQLite would read all sums in their order to find the few.
        own = found.where(self._quota > _zero, size >= self._quota).order_by((size + _zero).desc())
        general = found.where(
            self._quota.is_(None), self.by_setting, size >= bindparam("allowed")
        ).order_by(size.desc())
        return Statement(own), Statement(general)

    def set_quota(self) -> Statement:
        """Return the statement that gives an owner a quota."""
        changed: Update = update(self.owner).where(
            self.owner.c.id == bindparam("owner"), self.limited
        )
        return Statement(changed.values(quota=bindparam("bytes")).returning(self.owner.c.id))


_SUMS: dict[CountedBy, _Sums] = {
    "rooms": _Sums(
        table=schema.room_usage,
        key=schema.room_usage.c.room_id,
        owner=_rooms,
        of=_log.c.room_id + _zero,
        counted=true(),
        name=case((_is_room, _rooms.c.name), else_=literal_column(f"'{DIRECT_MESSAGES}'")),
        limited=_is_room,
        by_setting=_rooms.c.key != literal_column(f"'{LOBBY}'"),
    ),
    "accounts": _Sums(
        table=schema.account_usage,
        key=schema.account_usage.c.account_id,
        owner=_accounts,
        of=_log.c.subject_id + _zero,
        counted=_accounts.c.registered.is_(True),
        name=_accounts.c.name,
        limited=_accounts.c.registered.is_(True),
        by_setting=true(),
    ),
}
_ADD = {
    postgres: tuple(sums.add(postgres) for sums in _SUMS.values()) for postgres in (False, True)
}
_CHANGE = {by: sums.change() for by, sums in _SUMS.items()}
_LIST = {by: sums.listed() for by, sums in _SUMS.items()}
_ONE = {by: sums.one() for by, sums in _SUMS.items()}
_OVER = {by: sums.over() for by, sums in _SUMS.items()}
_SET_QUOTA = {by: sums.set_quota() for by, sums in _SUMS.items()}

_next = (
    select(_log.c.row)
    .where(_log.c.row > bindparam("after"), _log.c.row <= bindparam("last"))
    .order_by(_log.c.row)
    .limit(bindparam("limit"))
    .subquery("next")
)
_SLICE = Statement(select(func.max(_next.c.row), func.count()).select_from(_next))
_SET_COUNTED = Statement(update(schema.index_state).values(counted=bindparam("row")))
_IS_COMPLETE = Statement(
    select(
        func.coalesce(select(func.max(_log.c.row)).scalar_subquery(), _zero)
        <= func.coalesce(select(func.max(schema.index_state.c.counted)).scalar_subquery(), _zero)
    )
)


def count_slice(db: Connection, counted: int, last: int) -> bool:
    """Add the next messages to the sums.

    Args:
        db: the writer's connection, with `index_state` locked.
        counted: the row of `entries` up to which they are counted.
        last: up to which row they may be.

    Returns:
        Whether all are counted now.
    """
    newest, rows = _SLICE(db, after=counted, last=last, limit=SLICE).fetchone()
    if rows:
        for add in _ADD[isinstance(db, PostgresSQL)]:
            add(db, after=counted, last=newest)
        _SET_COUNTED(db, row=newest)
    return bool(rows < SLICE)


def change(db: Connection, room_id: int, more: Mapping[int | None, tuple[int, int]]) -> None:
    """Change the sums that have some messages, in the transaction that changes or deletes them.

    Sums that stay as they are are not locked.

    Args:
        db: the writer's connection.
        room_id: the log that has the messages.
        more: id of each author, None where it is not known -> how many more messages, and how many
            more bytes of text there are.
    """
    if not more:
        return
    _add("rooms", db, room_id, *map(sum, zip(*more.values(), strict=True)))
    for account_id in sorted(one for one in more if one is not None):
        _add("accounts", db, account_id, *more[account_id])


def _add(by: CountedBy, db: Connection, owner_id: int, messages: int, size: int) -> None:
    if messages or size:
        _CHANGE[by](db, owner=owner_id, more_messages=messages, more_bytes=size)


def page(db: Connection, query: StorageQuery) -> StorageUse:
    """Return what the texts of messages take; see `IStorageStore.storage`."""
    rows = _LIST[query.by](db, limit=query.limit, exceptions=int(query.exceptions))
    return StorageUse(tuple(StoredTexts(*row) for row in rows), bool(_IS_COMPLETE.scalar(db)))


def one(db: Connection, by: CountedBy, owner_id: int) -> StoredTexts:
    """Return what one room or account takes; see `IStorageStore.stored_texts`."""
    row = _ONE[by](db, owner=owner_id).fetchone()
    return StoredTexts("", 0, 0) if row is None else StoredTexts(*row)


def over(db: Connection, limits: StorageLimits) -> AtQuota:
    """Return what is over its quota; see `IStorageStore.over_quota`."""
    return AtQuota(
        accounts=_over(db, "accounts", limits.account), rooms=_over(db, "rooms", limits.room)
    )


def _over(db: Connection, by: CountedBy, allowed: int) -> dict[int, tuple[int, int]]:
    own, general = _OVER[by]
    found: Sequence[Any] = own(db).fetchall()
    if allowed:
        found = [*found, *general(db, allowed=allowed)]
    return {
        owner_id: (size, allowed if quota is None else quota) for owner_id, size, quota in found
    }


def set_quota(db: Connection, by: CountedBy, owner_id: int, allowed: int | None) -> None:
    """Give a room or an account a quota; see `IStorageStore.set_quota`."""
    if _SET_QUOTA[by].scalar(db, owner=owner_id, bytes=allowed) is None:
        raise NoSuchRoom() if by == "rooms" else NoSuchUser()
