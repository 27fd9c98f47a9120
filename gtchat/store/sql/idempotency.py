"""Idempotency: which account used which txn (idempotency key), for what, and the ack it got.

The same txn with the same content is the same message, sent again by a client that did not receive
the ack; with other content it is a conflict.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import TypeVar

from sqlalchemy import bindparam, delete, select, tuple_

from gtchat.chat.errors import TxnConflict
from gtchat.chat.interfaces import Ack, PendingEntry, RepeatableRequest
from gtchat.store.pending import request_content
from gtchat.store.sql import schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.statements import Statement

T = TypeVar("T")

_txns = schema.txns
_columns = ("account_id", "txn", "content", "id", "seq", "at")

_FIND = Statement(
    select(_txns.c.content, _txns.c.id, _txns.c.seq, _txns.c.at).where(
        _txns.c.account_id == bindparam("account_id"), _txns.c.txn == bindparam("txn")
    )
)
_SAVE = Statement(_txns.insert(), columns=_columns)
_OLD = (
    select(_txns.c.account_id, _txns.c.txn)
    .where(_txns.c.at < bindparam("before"))
    .limit(bindparam("limit"))
)
_DELETE_OLD = Statement(delete(_txns).where(tuple_(_txns.c.account_id, _txns.c.txn).in_(_OLD)))


def fingerprint_hash(target: str, text: str) -> bytes:
    """Return the 16-byte fingerprint of a request.

    Args:
        target: where the text goes, such as `account 7`.
        text: the text of the message.
    """
    return blake2b(f"{target}\0{text}".encode(), digest_size=16).digest()


def fingerprint(pending: PendingEntry) -> bytes:
    """Return the 16-byte fingerprint of an entry; see `request_content`."""
    return fingerprint_hash(*request_content(pending))


def find_ack(db: Connection, account_id: int | None, txn: str | None, content: bytes) -> Ack | None:
    """Return the ack of the request that used this txn before, None if there was none.

    Args:
        db: a connection.
        account_id: the account that sends.
        txn: its idempotency key.
        content: the fingerprint of what it sends.

    Raises:
        TxnConflict: the txn was used for other content.
    """
    row = _FIND(db, account_id=account_id, txn=txn).fetchone()
    if row is None:
        return None
    if row[0] != content:
        raise TxnConflict()
    return Ack(id=row[1], seq=row[2], at=row[3], dup=True)


def save_ack(db: Connection, account_id: int | None, txn: str, content: bytes, ack: Ack) -> None:
    """Keep the ack that an account gets for a txn; the arguments are those of `find_ack`."""
    _SAVE(
        db,
        account_id=account_id,
        txn=txn,
        content=content,
        id=ack.id,
        seq=ack.seq,
        at=ack.at,
    )


def find_request(db: Connection, request: RepeatableRequest) -> Ack | None:
    """Return the ack of the request that used a txn before; see `IStore.find_ack`."""
    content = fingerprint_hash(request.content, "")
    return find_ack(db, request.account_id, request.txn, content)


def do_once(db: Connection, request: RepeatableRequest | None, done: T, do: Callable[[], T]) -> T:
    """Do what a request that appends no entry asks for, unless it was done before.

    Args:
        db: the writer's connection.
        request: the request, None if it may not be repeated.
        done: is returned if it was done before.
        do: does it, and raises a ChatError before it has written anything.

    Raises:
        TxnConflict: its txn was used for other content.
    """
    if request is None:
        return do()
    if find_request(db, request) is not None:
        return done
    result = do()
    content = fingerprint_hash(request.content, "")
    save_ack(db, request.account_id, request.txn, content, Ack("", 0, request.at))
    return result


def prune_slice(db: Connection, before: int, limit: int) -> bool:
    """Delete old txns; return whether there may be more of them.

    Args:
        db: the writer's connection.
        before: delete those stored before this time, in milliseconds since 1970, UTC.
        limit: the largest number to delete.
    """
    return _DELETE_OLD(db, before=before, limit=limit).rowcount == limit
