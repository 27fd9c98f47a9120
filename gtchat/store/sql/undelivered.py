"""Direct messages that were not delivered: what waits for an account, and what has arrived.

Each account has a mark in each log, up to which it has received the messages of the other one.
Single messages before the mark that did not arrive are rows of `missed`, and so are messages of
rooms that did not reach an account.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from sqlalchemy import (
    bindparam,
    case,
    delete,
    false,
    func,
    literal_column,
    select,
    union_all,
    update,
)

from gtchat.chat.errors import NoSuchRoom, NoSuchUser
from gtchat.chat.events import MessageSent
from gtchat.chat.interfaces import Arrived, StoredWhisper
from gtchat.chat.message_rules import whisper_of
from gtchat.store.paging import event_bytes, window
from gtchat.store.sql import schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.entry_rows import COLUMNS, entry_of
from gtchat.store.sql.statements import Statement, insert

_directs = schema.directs
_missed = schema.missed
_rooms = schema.rooms
_log = schema.entries
_is_direct = (
    _directs.c.account_id == bindparam("account"),
    _directs.c.room_id == bindparam("room"),
)
_is_missed = (
    _missed.c.account_id == bindparam("account"),
    _missed.c.room_id == bindparam("room"),
)
_is_message = _log.c.kind == literal_column(f"'{MessageSent.kind}'")
_is_of_other = func.coalesce(_log.c.subject_id, 0) != bindparam("account")

_has_text = _log.c.msg != literal_column("''")

#: Messages that were not delivered, after the mark and up to an entry; deleted ones never are.
_AFTER_MARK = Statement(
    select(_log.c.seq)
    .join_from(_directs, _log, _log.c.room_id == _directs.c.room_id)
    .where(
        *_is_direct,
        _log.c.seq > _directs.c.delivered_seq,
        _log.c.seq <= bindparam("last"),
        _is_message,
        _is_of_other,
        _has_text,
    )
)
#: It locks the row: what is counted then is as other nodes have left it.
_SET_MARK = Statement(
    update(_directs)
    .where(*_is_direct)
    .values(
        delivered_seq=case(
            (_directs.c.delivered_seq < bindparam("seq"), bindparam("seq")),
            else_=_directs.c.delivered_seq,
        )
    )
)
_COUNT_PENDING = Statement(
    update(_directs)
    .where(*_is_direct)
    .values(
        pending=select(func.count())
        .where(
            _log.c.room_id == _directs.c.room_id,
            _log.c.seq > _directs.c.delivered_seq,
            _is_message,
            _is_of_other,
            _has_text,
        )
        .scalar_subquery()
        + select(func.count()).where(*_is_missed).scalar_subquery()
    )
)
_SET_READ = Statement(
    update(_directs)
    .where(*_is_direct, _directs.c.read_seq < bindparam("seq"))
    .values(read_seq=bindparam("seq"))
)
_MISSED_COUNT = Statement(select(func.count()).where(_missed.c.account_id == bindparam("account")))
_ACCOUNT = Statement(
    select(schema.accounts.c.id).where(schema.accounts.c.id == bindparam("account"))
)
_ROOM = Statement(select(_rooms.c.id).where(_rooms.c.id == bindparam("room")))
_ADD_MISSED = Statement(
    insert(_missed).on_conflict_do_nothing(), columns=("account_id", "room_id", "seq")
)
_DELETE_MISSED = Statement(delete(_missed).where(*_is_missed, _missed.c.seq == bindparam("seq")))
_DELETE_MISSED_TO = Statement(delete(_missed).where(*_is_missed, _missed.c.seq <= bindparam("seq")))
#: A message that is deleted is waited for no more by the user who had not received it.
_ONE_LESS = (
    update(_directs)
    .where(_directs.c.room_id == bindparam("room"), _directs.c.pending > literal_column("0"))
    .values(pending=_directs.c.pending - 1)
)
_ERASED = Statement(
    _ONE_LESS.where(
        _directs.c.account_id != bindparam("author"), _directs.c.delivered_seq < bindparam("seq")
    )
)
_ERASED_MISSED = Statement(_ONE_LESS.where(_directs.c.account_id == bindparam("account")))
_FORGET_MISSED = Statement(
    delete(_missed)
    .where(_missed.c.room_id == bindparam("room"), _missed.c.seq == bindparam("seq"))
    .returning(_missed.c.account_id)
)
#: Rows before a page are skipped in the index, which has their numbers.
_is_later = _log.c.row > bindparam("after")
_waiting = union_all(
    select(_log.c.row.label("number"), false().label("of_room"))
    .join_from(
        _directs,
        _log,
        (_log.c.room_id == _directs.c.room_id) & (_log.c.seq > _directs.c.delivered_seq),
    )
    .where(
        _directs.c.account_id == bindparam("account"),
        _directs.c.pending > literal_column("0"),
        _is_message,
        _is_of_other,
        _is_later,
    ),
    select(_log.c.row, _directs.c.room_id.is_(None))
    .join_from(_missed, _log, (_log.c.room_id == _missed.c.room_id) & (_log.c.seq == _missed.c.seq))
    .outerjoin(
        _directs,
        (_directs.c.room_id == _missed.c.room_id) & (_directs.c.account_id == _missed.c.account_id),
    )
    .where(_missed.c.account_id == bindparam("account"), _is_message, _is_later),
).subquery("waiting")
#: A deleted message has no text, and is delivered to no client any more.
_WAITING = Statement(
    select(_log.c.row, _log.c.room_id, _waiting.c.of_room, *COLUMNS)
    .join_from(_waiting, _log, _log.c.row == _waiting.c.number)
    .where(_has_text)
    .order_by(_waiting.c.number)
    .limit(bindparam("limit"))
)


def whispers(db: Connection, account_id: int, after: int, limit: int) -> list[StoredWhisper]:
    """Return the messages that were not delivered; see `IMailStore.whispers`."""
    with closing(_WAITING(db, account=account_id, after=after, limit=limit)) as rows:
        found = (_stored(row) for row in rows)
        return window(iter(()), found, limit, lambda found: event_bytes(found.event))[0]


def _stored(row: Any) -> StoredWhisper:
    number, room_id, of_room, *columns = row
    message = entry_of(columns, "")
    assert isinstance(message, MessageSent)
    seq = message.seq
    event = whisper_of(message)
    if of_room:
        event.seq = 0
    return StoredWhisper(number, room_id, seq, event)


def set_delivered(db: Connection, arrived: Arrived) -> None:
    """Take note that messages have arrived; see `IMailStore.set_delivered`."""
    for room_id, seq in arrived.told.items():
        log = {"account": arrived.account_id, "room": room_id}
        _DELETE_MISSED_TO(db, **log, seq=seq)
        _SET_MARK(db, **log, seq=seq)
        _COUNT_PENDING(db, **log)
    for room_id, seqs in arrived.messages.items():
        log = {"account": arrived.account_id, "room": room_id}
        _arrive(db, log, frozenset(seqs), arrived.read)


def _arrive(db: Connection, log: Mapping[str, int], seqs: frozenset[int], read: bool) -> None:
    """Take note that messages of one log have arrived.

    The mark moves to the last one. What lies before it and has not arrived is kept as missed, so
    that nothing is delivered twice because of it.

    Args:
        db: the writer's connection.
        log: account and room, as the statements have them.
        seqs: the messages.
        read: whether they count as read.
    """
    last = max(seqs)
    waiting = {row[0] for row in _AFTER_MARK(db, **log, last=last)}
    left = sorted(waiting - seqs)
    for seq in left:
        _ADD_MISSED(db, account_id=log["account"], room_id=log["room"], seq=seq)
    for seq in seqs - waiting:  # before the mark, or of a room
        _DELETE_MISSED(db, **log, seq=seq)
    _SET_MARK(db, **log, seq=last)
    _COUNT_PENDING(db, **log)
    if read:
        _SET_READ(db, **log, seq=left[0] - 1 if left else last)


def add_missed(db: Connection, account_id: int, room_id: int, seq: int, limit: int) -> None:
    """Have a message of a room delivered once more; see `IMailStore.add_missed`."""
    if _ACCOUNT.scalar(db, account=account_id) is None:
        raise NoSuchUser()
    if _ROOM.scalar(db, room=room_id) is None:
        raise NoSuchRoom()
    if not limit or _MISSED_COUNT.scalar(db, account=account_id) < limit:
        _ADD_MISSED(db, account_id=account_id, room_id=room_id, seq=seq)


def forget(db: Connection, room_id: int, message: MessageSent) -> None:
    """Have a message delivered to no account any more that is about to lose its text.

    Args:
        db: the writer's connection.
        room_id: the room or direct conversation.
        message: the message, as it is.
    """
    # First what locks the row: then it is known whether another node keeps it as missed.
    _ERASED(db, room=room_id, author=message.subject_id or 0, seq=message.seq)
    for (account_id,) in _FORGET_MISSED(db, room=room_id, seq=message.seq).fetchall():
        _ERASED_MISSED(db, room=room_id, account=account_id)
