"""Whispers (direct messages) that wait for their targets."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from sqlite3 import Connection

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from gtchat.chat.errors import NoSuchUser, NotAllowed
from gtchat.chat.events import WhisperSent
from gtchat.chat.interfaces import Ack, StoredWhisper
from gtchat.store.paging import event_bytes, window
from gtchat.store.sql import accounts, schema
from gtchat.store.sql.idempotency import find_ack, fingerprint_hash, save_ack
from gtchat.store.sql.statements import Statement

_whispers = schema.whispers
_for_target = _whispers.c.target_id == bindparam("target")

_ADD = Statement(insert(_whispers), columns=("target_id", "at", "usr", "id", "msg"))
_NUMBER_AT = Statement(
    select(_whispers.c.number).where(_for_target).limit(1).offset(bindparam("index"))
)
_LIST = Statement(
    select(_whispers.c.number, _whispers.c.usr, _whispers.c.msg, _whispers.c.id, _whispers.c.at)
    .where(_for_target, _whispers.c.number > bindparam("after"))
    .order_by(_whispers.c.number)
    .limit(bindparam("limit"))
)
_DELETE = Statement(delete(_whispers).where(_for_target, _whispers.c.number == bindparam("n")))


def whisper(
    db: Connection, sender_id: int, target_id: int, event: WhisperSent, txn: str | None, limit: int
) -> tuple[Ack, int]:
    """Store a whisper; see `IStore.whisper`."""
    content = fingerprint_hash(f"account {target_id}", event.msg)
    if txn is not None:
        earlier = find_ack(db, sender_id, txn, content)
        if earlier is not None:
            return earlier, 0
    if accounts.get(db, target_id) is None:
        raise NoSuchUser()
    if limit and _NUMBER_AT(db, target=target_id, index=limit - 1).fetchone():
        raise NotAllowed("This user has too many direct messages waiting.")
    inserted = _ADD(db, target_id=target_id, at=event.at, usr=event.usr, id=event.id, msg=event.msg)
    assert inserted.lastrowid is not None
    ack = Ack(id=event.id, seq=0, at=event.at)
    if txn is not None:
        save_ack(db, sender_id, txn, content, ack)
    return ack, inserted.lastrowid


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
