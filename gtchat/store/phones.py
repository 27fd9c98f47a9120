"""Accounts that come by a telephone number."""

from __future__ import annotations

from sqlite3 import Connection

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.sqlite import insert

from gtchat.chat.interfaces import Phone
from gtchat.store import accounts, schema
from gtchat.store.statements import Statement

_phones = schema.phones

_KEEP = Statement(insert(_phones), columns=("account_id", "number", "left_at"))
_LEFT = Statement(
    update(_phones)
    .where(_phones.c.account_id == bindparam("account"))
    .values(left_at=bindparam("at"))
)
_ALL = Statement(
    select(_phones.c.account_id, schema.accounts.c.name, _phones.c.number, _phones.c.left_at)
    .join_from(_phones, schema.accounts, schema.accounts.c.id == _phones.c.account_id)
    .order_by(_phones.c.account_id)
)


def register(db: Connection, name: str, key: str, number: str, credential: bytes, at: int) -> int:
    """Make an account with a telephone number; its id. Raises NameTaken."""
    account_id = accounts.register(db, name, key, None, credential, at)
    _KEEP(db, account_id=account_id, number=number, left_at=at)
    return account_id


def left(db: Connection, account_id: int, at: int) -> None:
    """Somebody was here last."""
    _LEFT(db, account=account_id, at=at)


def phones(db: Connection) -> list[Phone]:
    """All that there are."""
    return [Phone(*row) for row in _ALL(db)]
