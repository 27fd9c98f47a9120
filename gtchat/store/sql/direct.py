"""Whispers (direct messages) that wait for their targets."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from sqlite3 import Connection

from sqlalchemy import bindparam, delete, literal_column, select, update

from gtchat.chat.errors import NoSuchUser
from gtchat.chat.events import WhisperSent
from gtchat.chat.interfaces import Ack, StoredWhisper, WhisperLimits
from gtchat.store.paging import event_bytes, window
from gtchat.store.pending import check_whispers
from gtchat.store.sql import accounts, schema
from gtchat.store.sql.idempotency import find_ack, fingerprint_hash, save_ack
from gtchat.store.sql.statements import Statement, insert

_whispers = schema.whispers
_correspondents = schema.correspondents
_for_target = _whispers.c.target_id == bindparam("target")
_from_sender = _whispers.c.sender_id == bindparam("sender")

_ADD = Statement(
    insert(_whispers).returning(_whispers.c.number),
    columns=("target_id", "at", "usr", "id", "msg", "sender_id", "from_stranger"),
)
_nth = select(_whispers.c.target_id).where(_for_target).limit(1).offset(bindparam("index"))
_NTH_OF_PAIR = Statement(_nth.where(_from_sender))
_NTH_OF_STRANGERS = Statement(
    _nth.with_hint(_whispers, "INDEXED BY whispers_strangers", "sqlite").where(
        literal_column("from_stranger")  # as the index has it
    )
)
_WROTE_TO = Statement(
    select(_correspondents.c.target_id).where(
        _correspondents.c.account_id == bindparam("account"),
        _correspondents.c.target_id == bindparam("other"),
    )
)
_ADD_CORRESPONDENT = Statement(
    insert(_correspondents).on_conflict_do_nothing(), columns=("account_id", "target_id")
)
_SET_KNOWN = Statement(
    update(_whispers)
    .where(_for_target, _from_sender, _whispers.c.from_stranger)
    .values(from_stranger=False)
)
_LIST = Statement(
    select(_whispers.c.number, _whispers.c.usr, _whispers.c.msg, _whispers.c.id, _whispers.c.at)
    .where(_for_target, _whispers.c.number > bindparam("after"))
    .order_by(_whispers.c.number)
    .limit(bindparam("limit"))
)
_DELETE = Statement(delete(_whispers).where(_for_target, _whispers.c.number == bindparam("n")))


def whisper(
    db: Connection,
    sender_id: int,
    target_id: int,
    event: WhisperSent,
    txn: str | None,
    limits: WhisperLimits,
    is_direct: bool = True,
) -> tuple[Ack, int]:
    """Store a whisper; see `IStore.whisper`."""
    content = fingerprint_hash(f"account {target_id}", event.msg)
    if txn is not None:
        earlier = find_ack(db, sender_id, txn, content)
        if earlier is not None:
            return earlier, 0
    if accounts.get(db, target_id) is None:
        raise NoSuchUser()
    is_stranger = _WROTE_TO(db, account=target_id, other=sender_id).fetchone() is None

    def reached(nth: Statement, limit: int) -> bool:
        found = nth(db, target=target_id, sender=sender_id, index=limit - 1)
        return found.fetchone() is not None

    check_whispers(
        limits,
        is_stranger,
        pair=lambda limit: reached(_NTH_OF_PAIR, limit),
        strangers=lambda limit: reached(_NTH_OF_STRANGERS, limit),
    )
    number: int = _ADD.scalar(
        db,
        target_id=target_id,
        at=event.at,
        usr=event.usr,
        id=event.id,
        msg=event.msg,
        sender_id=sender_id,
        from_stranger=is_stranger,
    )
    if is_direct and _ADD_CORRESPONDENT(db, account_id=sender_id, target_id=target_id).rowcount:
        _SET_KNOWN(db, target=sender_id, sender=target_id)
    ack = Ack(id=event.id, seq=0, at=event.at)
    if txn is not None:
        save_ack(db, sender_id, txn, content, ack)
    return ack, number


def whispers(db: Connection, account_id: int, after: int, limit: int) -> list[StoredWhisper]:
    """Return whispers that wait for an account; see `IStore.whispers`."""
    with closing(_LIST(db, target=account_id, after=after, limit=limit)) as rows:
        found = (
            StoredWhisper(number, WhisperSent(usr=usr, msg=msg, id=id_, at=at))
            for number, usr, msg, id_, at in rows
        )
        return window(iter(()), found, limit, lambda found: event_bytes(found.event))[0]


def delete_whispers(db: Connection, account_id: int, numbers: Collection[int]) -> None:
    """Delete whispers that have arrived; see `IStore.delete_whispers`."""
    for number in numbers:
        _DELETE(db, target=account_id, n=number)
