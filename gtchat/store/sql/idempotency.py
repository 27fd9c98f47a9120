"""Marks against doubles: which account used which txn, for what, and what it got for it.

The same txn with the same content is the same message, sent again by a client that did not hear
of it; with other content it is a conflict.
"""

from __future__ import annotations

from hashlib import blake2b
from sqlite3 import Connection

from sqlalchemy import bindparam, delete, select, tuple_

from gtchat.chat.errors import TxnConflict
from gtchat.chat.interfaces import Ack, PendingEntry
from gtchat.store.sql import schema
from gtchat.store.sql.statements import Statement

_txns = schema.txns
_columns = ("account_id", "txn", "content", "id", "seq", "at")

_FIND = Statement(
    select(_txns.c.content, _txns.c.id, _txns.c.seq, _txns.c.at).where(
        _txns.c.account_id == bindparam("account_id"), _txns.c.txn == bindparam("txn")
    )
)
_REMEMBER = Statement(_txns.insert(), columns=_columns)
_OLD = (
    select(_txns.c.account_id, _txns.c.txn)
    .where(_txns.c.at < bindparam("before"))
    .limit(bindparam("slice"))
)
_FORGET = Statement(delete(_txns).where(tuple_(_txns.c.account_id, _txns.c.txn).in_(_OLD)))


def fingerprint_hash(target: str, text: str) -> bytes:
    """What a txn stands for: where a text goes (`room 7`, `account 7`) and the text."""
    return blake2b(f"{target}\0{text}".encode(), digest_size=16).digest()


def fingerprint(append: PendingEntry) -> bytes:
    """What the txn of an entry stands for."""
    text = getattr(append.entry, "msg", "")
    return fingerprint_hash(f"room {append.room_id} {append.entry.kind}", text)


def find_ack(db: Connection, account_id: int | None, txn: str | None, content: bytes) -> Ack | None:
    """The receipt of what was stored under this txn before, if anything was.

    Raises:
        TxnConflict: it was something else.
    """
    row = _FIND(db, account_id=account_id, txn=txn).fetchone()
    if row is None:
        return None
    if row[0] != content:
        raise TxnConflict()
    return Ack(id=row[1], seq=row[2], at=row[3], dup=True)


def save_ack(
    db: Connection, account_id: int | None, txn: str, content: bytes, receipt: Ack
) -> None:
    """Keep what an account got for a txn."""
    _REMEMBER(
        db,
        account_id=account_id,
        txn=txn,
        content=content,
        id=receipt.id,
        seq=receipt.seq,
        at=receipt.at,
    )


def prune_slice(db: Connection, before: int, slice_: int) -> bool:
    """Forget at most `slice_` txns stored before a time; whether that many were found."""
    return _FORGET(db, before=before, slice=slice_).rowcount == slice_
