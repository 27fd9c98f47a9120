"""Mentions of accounts in messages, and the levels of notifications: what is written of them.

The functions for messages run in the writer's transaction that stores or changes the message, only
for texts with an `@`. What is read of mentions is in `mention_pages` and `read_state`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import attrs
from sqlalchemy import and_, bindparam, delete, exists, or_, select

from gtchat.chat.events import MessageSent
from gtchat.chat.mentions import (
    ROOM,
    MentionLimits,
    find_mentions,
    may_mention_room,
    possible_names,
)
from gtchat.chat.moderation import Moderation
from gtchat.chat.rooms import LOBBY
from gtchat.store.sql import moderation, schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.statements import BulkInsert, Lookup, Statement, insert


@attrs.frozen
class _Place:
    """Of a room, what says who moderates it (ModeratedPlace)."""

    owner_id: int | None
    moderation: Moderation


_mentions = schema.mentions
_older = _mentions.alias("older")
_accounts = schema.accounts
_members = schema.members
_directs = schema.directs
_rooms = schema.rooms
_levels = schema.notify_levels

_MEMBER = Statement(
    select(_accounts.c.id).where(
        _accounts.c.key == bindparam("name"),
        or_(
            exists().where(
                _members.c.room_id == bindparam("room"), _members.c.account_id == _accounts.c.id
            ),
            exists().where(
                _directs.c.room_id == bindparam("room"), _directs.c.account_id == _accounts.c.id
            ),
            and_(
                _accounts.c.registered.is_(True),
                exists().where(_rooms.c.id == bindparam("room"), _rooms.c.key == LOBBY),
            ),
        ),
    )
)
_ACCOUNTS_NAMED = Lookup(select(_accounts.c.key), _accounts.c.key)
_PLACE = Statement(
    select(_rooms.c.owner_id, _rooms.c.moderation).where(_rooms.c.id == bindparam("room"))
)
_INSERT = BulkInsert(insert(_mentions), ("account_id", "room_id", "seq"))
_is_of_message = (_mentions.c.room_id == bindparam("room"), _mentions.c.seq == bindparam("number"))
_OF_MESSAGE = Statement(select(_mentions.c.account_id).where(*_is_of_message))
_DELETE = Statement(delete(_mentions).where(*_is_of_message))
_DELETE_ONE = Statement(
    delete(_mentions).where(
        *_is_of_message, _mentions.c.account_id.is_not_distinct_from(bindparam("account"))
    )
)
#: The oldest of an account, and those of all members of a room, beyond the newest ones.
_DELETE_OLDEST = Statement(
    delete(_mentions).where(
        _mentions.c.account_id == bindparam("account"),
        _mentions.c.row
        <= select(_older.c.row)
        .where(_older.c.account_id == bindparam("account"))
        .order_by(_older.c.row.desc())
        .limit(1)
        .offset(bindparam("kept"))
        .scalar_subquery(),
    )
)
_DELETE_OLDEST_OF_ROOM = Statement(
    delete(_mentions).where(
        _mentions.c.room_id == bindparam("room"),
        _mentions.c.account_id.is_(None),
        _mentions.c.seq
        <= select(_older.c.seq)
        .where(_older.c.room_id == bindparam("room"), _older.c.account_id.is_(None))
        .order_by(_older.c.seq.desc())
        .limit(1)
        .offset(bindparam("kept"))
        .scalar_subquery(),
    )
)

_new_level = insert(_levels)
_SET_LEVEL = Statement(
    _new_level.on_conflict_do_update(
        index_elements=["account_id", "room_id"], set_={"level": _new_level.excluded.level}
    ),
    columns=("account_id", "room_id", "level"),
)
_DELETE_LEVEL = Statement(
    delete(_levels).where(
        _levels.c.account_id == bindparam("account"), _levels.c.room_id == bindparam("room")
    )
)


def add(db: Connection, messages: Sequence[tuple[int, MessageSent]], limits: MentionLimits) -> None:
    """Store what new messages mention.

    The names in all of them are looked up together first: often there is no such account.

    Args:
        db: the writer's connection.
        messages: each with its room, and with its `seq`.
        limits: the limits.
    """
    names = [possible_names(message.msg) for _, message in messages]
    known = _known(db, list(set().union(*names)))
    for (room_id, message), mentioned in zip(messages, names, strict=True):
        if not known.isdisjoint(mentioned):
            found = _find(db, room_id, message, message.msg, limits)
            _insert(db, room_id, message.seq, found, limits)


def _known(db: Connection, names: Sequence[str]) -> set[str]:
    """Return those names that mean an account, or all members of a room."""
    return {ROOM, *(key for (key,) in _ACCOUNTS_NAMED(db, names))}


def replace(
    db: Connection, room_id: int, message: MessageSent, msg: str, limits: MentionLimits
) -> None:
    """Store what a message mentions after it has got another text; other mentions of it end.

    Args:
        db, limits: as in `add`.
        room_id: the room of the message.
        message: the message.
        msg: its new text.
    """
    before = {account_id for (account_id,) in _OF_MESSAGE(db, room=room_id, number=message.seq)}
    wanted = _find(db, room_id, message, msg, limits)
    for account_id in before.difference(wanted):
        _DELETE_ONE(db, room=room_id, number=message.seq, account=account_id)
    _insert(db, room_id, message.seq, [one for one in wanted if one not in before], limits)


def remove(db: Connection, room_id: int, seq: int) -> None:
    """Delete what a message mentions."""
    _DELETE(db, room=room_id, number=seq)


def _find(
    db: Connection, room_id: int, message: MessageSent, msg: str, limits: MentionLimits
) -> list[int | None]:
    """Return what a text of a message mentions; see `find_mentions`."""
    author_id = message.subject_id
    return find_mentions(
        msg,
        author_id,
        lambda key: _MEMBER.scalar(db, name=key, room=room_id),
        lambda: may_mention_room(_place(db, room_id), author_id, message.usr),
        limits.message,
    )


def _place(db: Connection, room_id: int) -> _Place:
    owner_id, stored = _PLACE(db, room=room_id).fetchone()
    return _Place(owner_id, moderation.decode(stored))


def _insert(
    db: Connection, room_id: int, seq: int, found: Collection[int | None], limits: MentionLimits
) -> None:
    """Insert mentions, and delete the oldest ones of each account beyond the limit."""
    _INSERT(db, [value for account_id in found for value in (account_id, room_id, seq)])
    if not limits.kept:
        return
    for account_id in found:
        if account_id is None:
            _DELETE_OLDEST_OF_ROOM(db, room=room_id, kept=limits.kept)
        else:
            _DELETE_OLDEST(db, account=account_id, kept=limits.kept)


def set_level(db: Connection, account_id: int, room_id: int, level: str) -> None:
    """Store of which messages of a room a user wants to be notified; `all` needs no row."""
    if level == "all":
        _DELETE_LEVEL(db, account=account_id, room=room_id)
    else:
        _SET_LEVEL(db, account_id=account_id, room_id=room_id, level=level)
