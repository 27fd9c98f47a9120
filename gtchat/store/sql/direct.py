"""Direct conversations: the logs of two accounts; `undelivered` has what waits in them.

A conversation is a row of `rooms`, which nothing finds by its key, and one of `directs` for each of
the two accounts. Its messages are written by `log_writer` as those of rooms are.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import attrs
from sqlalchemy import (
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    literal_column,
    select,
    true,
    update,
)

from gtchat.chat.errors import NoSuchMessage, NoSuchUser
from gtchat.chat.interfaces import (
    Account,
    Ack,
    Direct,
    DirectPage,
    PendingWhisper,
    WhisperLimits,
)
from gtchat.store.paging import MAX_SEQ
from gtchat.store.pending import check_whispers
from gtchat.store.sql import accounts, deletions, read_state, rooms, schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.idempotency import find_ack, fingerprint
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.statements import Statement, insert

_directs = schema.directs
_rooms = schema.rooms
_log = schema.entries
_heads = schema.heads
_levels = schema.notify_levels
_other = schema.accounts.alias("other_account")
_side = _directs.alias("other_side")
_of_account = _directs.c.account_id == bindparam("account")
_is_direct = (_of_account, _directs.c.room_id == bindparam("room"))

#: Conversations of an account, in the order of the attributes of `Direct`, without what is unread.
_CONVERSATIONS = (
    select(
        _directs.c.room_id.label("id"),
        _directs.c.other_id,
        func.coalesce(_other.c.name, _directs.c.other).label("other"),
        _directs.c.other_guest.label("guest"),
        _other.c.id.is_(None).label("ended"),
        func.coalesce(_heads.c.seq, 0).label("last_seq"),
        func.coalesce(_heads.c.messages, 0).label("message_count"),
        _directs.c.read_seq,
        _directs.c.delivered_seq,
        _directs.c.pending,
        func.coalesce(_log.c.at, 0).label("at"),
        _directs.c.newest.label("position"),
        func.coalesce(_levels.c.level, literal_column("'all'")).label("notify"),
    )
    .select_from(_directs)
    .outerjoin(_other, _other.c.id == _directs.c.other_id)
    .outerjoin(_heads, _heads.c.room_id == _directs.c.room_id)
    .outerjoin(_log, _log.c.row == _directs.c.newest)
    .outerjoin(
        _levels,
        and_(
            _levels.c.account_id == _directs.c.account_id, _levels.c.room_id == _directs.c.room_id
        ),
    )
    .where(_of_account)
)
_PAGE = Statement(
    _CONVERSATIONS.where(_directs.c.newest > 0, _directs.c.newest < bindparam("before"))
    .order_by(_directs.c.newest.desc())
    .limit(bindparam("limit"))
)
_BY_ROOM = Statement(_CONVERSATIONS.where(_directs.c.room_id == bindparam("room")))
_BY_OTHER = Statement(_CONVERSATIONS.where(_directs.c.other_id == bindparam("other")))
_STRANGERS = Statement(
    select(func.coalesce(func.sum(_directs.c.pending), 0)).where(
        _of_account, _directs.c.pending > literal_column("0"), _directs.c.wrote.is_(False)
    )
)
_WROTE = Statement(
    select(_directs.c.wrote).where(_of_account, _directs.c.other_id == bindparam("other"))
)
_CREATE_LOG = Statement(
    insert(_rooms)
    .values(
        key=bindparam("new_key"),
        name="",
        public=false(),
        topic="",
        max=0,
        owner="",
        kind="direct",
    )
    .returning(_rooms.c.id)
)
_CREATE = Statement(
    insert(_directs).values(
        account_id=bindparam("account"),
        other_id=bindparam("other_id"),
        room_id=bindparam("room"),
        other=bindparam("name"),
        other_guest=bindparam("guest"),
        wrote=false(),
        read_seq=0,
        delivered_seq=0,
        pending=0,
        newest=0,
    )
)
_ROW = Statement(
    select(_log.c.row).where(_log.c.room_id == bindparam("room"), _log.c.seq == bindparam("seq"))
)
_SENT = Statement(
    update(_directs)
    .where(*_is_direct)
    .values(wrote=true(), read_seq=bindparam("seq"), newest=bindparam("row"))
)
_RECEIVED = Statement(
    update(_directs)
    .where(*_is_direct)
    .values(
        pending=_directs.c.pending + 1,
        newest=bindparam("row"),
        # Own messages lie before it at most: who looks for what waits need not read those.
        delivered_seq=case(
            (_directs.c.pending == literal_column("0"), bindparam("seq") - 1),
            else_=_directs.c.delivered_seq,
        ),
    )
)
#: The logs of an account that no other account has.
_ONLY_OWN = Statement(
    select(_directs.c.room_id).where(
        _of_account,
        ~exists().where(
            _side.c.room_id == _directs.c.room_id, _side.c.account_id != _directs.c.account_id
        ),
    )
)


def whisper(
    db: Connection, log_writer: LogWriter, pending: PendingWhisper, limits: WhisperLimits
) -> Ack:
    """Store a direct message; see `IMailStore.whisper`."""
    sender_id, target_id = pending.sender_id, pending.target_id
    if pending.txn is not None:
        earlier = find_ack(db, sender_id, pending.txn, fingerprint(pending))
        if earlier is not None:
            return earlier
        if pending.refusal is not None:
            raise pending.refusal
    sender, target = accounts.get(db, sender_id), accounts.get(db, target_id)
    if target is None or sender is None:
        raise NoSuchUser()
    accounts.require_unblocked(db, sender_id, target_id)
    received = find(db, target_id, None, sender_id)
    if sender_id != target_id:
        _check(db, target_id, sender_id, received, limits)
    if received is not None:
        pending.room_id = received.id
    elif pending.entry.reply is not None:
        raise NoSuchMessage()
    else:
        pending.room_id = _create(db, sender, target)
    log_writer.write(db, [pending])
    if pending.error is not None:
        raise pending.error
    seq = pending.entry.seq
    row = _ROW.scalar(db, room=pending.room_id, seq=seq)
    _SENT(db, account=sender_id, room=pending.room_id, seq=seq, row=row)
    if sender_id != target_id:
        _RECEIVED(db, account=target_id, room=pending.room_id, seq=seq, row=row)
    log_writer.write_heads(db)
    return Ack(pending.entry.id, seq, pending.entry.at)


def _check(
    db: Connection, target_id: int, sender_id: int, received: Direct | None, limits: WhisperLimits
) -> None:
    """Raise NotAllowed if too many messages wait for the target."""
    pending = 0 if received is None else received.pending
    check_whispers(
        limits,
        is_stranger=not _WROTE.scalar(db, account=target_id, other=sender_id),
        pair=lambda limit: pending >= limit,
        strangers=lambda limit: bool(_STRANGERS.scalar(db, account=target_id) >= limit),
    )


def _create(db: Connection, sender: Account, target: Account) -> int:
    """Create the conversation of two accounts; return its id."""
    low, high = sorted((sender.id, target.id))
    room_id: int = _CREATE_LOG.scalar(db, new_key=f"direct\n{low} {high}")
    sides = {sender.id: target, target.id: sender}
    for account_id, other in sides.items():
        _CREATE(
            db,
            account=account_id,
            other_id=other.id,
            room=room_id,
            name=other.name,
            guest=not other.registered,
        )
    return room_id


def find(
    db: Connection, account_id: int, room_id: int | None, other_id: int | None
) -> Direct | None:
    """Return a conversation; see `IMailStore.find_direct`."""
    if room_id is None:
        row = _BY_OTHER(db, account=account_id, other=other_id).fetchone()
    else:
        row = _BY_ROOM(db, account=account_id, room=room_id).fetchone()
    return None if row is None else _direct(row)


def _direct(row: Any) -> Direct:
    """Return a row of `_CONVERSATIONS`."""
    names = (field.name for field in attrs.fields(Direct))
    values = dict(zip(names, row, strict=False))
    return Direct(**{**values, "guest": bool(values["guest"]), "ended": bool(values["ended"])})


def newest(db: Connection, account_id: int, limit: int) -> tuple[Direct, ...]:
    """Return the newest conversations of an account, without unread messages."""
    return tuple(map(_direct, _PAGE(db, account=account_id, before=MAX_SEQ, limit=limit)))


def of_rooms(db: Connection, account_id: int, ids: Collection[int]) -> tuple[Direct, ...]:
    """Return those of the conversations with some ids that an account has."""
    found = (find(db, account_id, room_id, None) for room_id in ids)
    return tuple(one for one in found if one is not None)


def page(db: Connection, account_id: int, before: int | None, limit: int) -> DirectPage:
    """Return a page of conversations; see `IMailStore.directs`."""
    start = MAX_SEQ if before is None else before
    found = [_direct(row) for row in _PAGE(db, account=account_id, before=start, limit=limit + 1)]
    counted = read_state.unread_directs(db, account_id, start, limit)
    listed = tuple(
        attrs.evolve(one, unread=counted[one.id].unread, mentions=counted[one.id].mentions)
        if one.id in counted
        else one
        for one in found[:limit]
    )
    return DirectPage(listed, listed[-1].position if len(found) > limit else None)


def end_guest(db: Connection, account_id: int) -> list[int]:
    """Delete an account that ends; see `IStore.end_guest`. Return the logs that are deleted later.

    Conversations with accounts that have not ended stay.
    """
    own = [row[0] for row in _ONLY_OWN(db, account=account_id)]
    deletions.prepare_end(db, account_id)
    accounts.end_guest(db, account_id)
    if accounts.get(db, account_id) is not None:
        return []
    for room_id in own:
        rooms.delete_log(db, room_id)
    return own
