"""Accounts: found, made, changed, ended; and whom they block. Sessions are in `sessions`."""

from __future__ import annotations

from sqlite3 import Connection, IntegrityError
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, literal, select, update
from sqlalchemy.dialects.sqlite import insert

from gtchat.chat.errors import NameTaken
from gtchat.chat.interfaces import Account, PhoneAccount
from gtchat.store.sql import schema
from gtchat.store.sql.statements import Statement

_accounts = schema.accounts
_sessions = schema.sessions
_blocks = schema.blocks
_is_account = _accounts.c.id == bindparam("account_id")
_shown = (
    _accounts.c.id,
    _accounts.c.name,
    _accounts.c.key,
    _accounts.c.registered,
    _accounts.c.password_hash,
)
_newest = schema.entries.alias()

#: The newest entry of the lobby.
lobby_last = func.coalesce(
    select(func.max(_newest.c.seq))
    .where(
        _newest.c.room_id
        == select(schema.rooms.c.id).where(schema.rooms.c.key == "lobby").scalar_subquery()
    )
    .scalar_subquery(),
    0,
)

_FIND = Statement(
    select(
        *_shown,
        exists().where(
            _blocks.c.account_id == _accounts.c.id, _blocks.c.blocked_id == bindparam("asker")
        ),
    ).where(_accounts.c.key == bindparam("key"))
)
_FIND_UUID = Statement(select(*_shown).where(_accounts.c.uuid_hash == bindparam("uuid_hash")))
_NUMBERED = Statement(select(*_shown).where(_is_account))
_GUESTS = Statement(
    select(*_shown).where(_accounts.c.registered.is_(False)).order_by(_accounts.c.id)
)
_LOBBY_LAST = Statement(select(lobby_last))
_CREATE = Statement(
    insert(_accounts),
    columns=(
        "name",
        "key",
        "registered",
        "password_hash",
        "uuid_hash",
        "created_at",
        "lobby_read",
    ),
)
_SET_PASSWORD = Statement(
    update(_accounts).where(_is_account).values(password_hash=bindparam("new_hash"))
)
_END_SESSIONS = Statement(
    delete(_sessions).where(
        _sessions.c.account_id == bindparam("account_id"),
        func.coalesce(_sessions.c.token_hash != bindparam("keep"), literal(True)),
    )
)
_END_GUEST = Statement(delete(_accounts).where(_is_account, _accounts.c.registered.is_(False)))
_FORGET_TXNS = Statement(
    delete(schema.txns).where(
        schema.txns.c.account_id == bindparam("account_id"),
        ~exists().where(_accounts.c.id == bindparam("account_id")),
    )
)
_BLOCK = Statement(insert(_blocks).on_conflict_do_nothing(), columns=("account_id", "blocked_id"))
_UNBLOCK = Statement(
    delete(_blocks).where(
        _blocks.c.account_id == bindparam("account_id"),
        _blocks.c.blocked_id == bindparam("blocked_id"),
    )
)


def _account(row: Any) -> Account:
    """An account of id, name, key, registered, password_hash, and perhaps blocks_asker."""
    id_, name, key, registered, password_hash, *blocks = row
    return Account(id_, name, key, bool(registered), password_hash, any(blocks))


def find(db: Connection, key: str, asker: int | None) -> Account | None:
    """The account of that name."""
    row = _FIND(db, key=key, asker=asker).fetchone()
    return None if row is None else _account(row)


def find_by_uuid(db: Connection, uuid_hash: bytes) -> Account | None:
    """The account whose credential is that UUID."""
    row = _FIND_UUID(db, uuid_hash=uuid_hash).fetchone()
    return None if row is None else _account(row)


def numbered(db: Connection, account_id: int) -> Account | None:
    """The account of that number."""
    row = _NUMBERED(db, account_id=account_id).fetchone()
    return None if row is None else _account(row)


def guests(db: Connection) -> tuple[Account, ...]:
    """All temporary accounts."""
    return tuple(map(_account, _GUESTS(db)))


def register(
    db: Connection,
    name: str,
    key: str,
    password_hash: str | None,
    uuid_hash: bytes | None,
    at: int,
) -> int:
    """Make a registered account; its id. Raises NameTaken."""
    return create(db, name, key, at, True, password_hash, uuid_hash)


def create(
    db: Connection,
    name: str,
    key: str,
    at: int,
    registered: bool,
    password_hash: str | None = None,
    uuid_hash: bytes | None = None,
) -> int:
    """Make an account, which has read everything; its id.

    Raises:
        NameTaken: the name or the UUID is somebody's already.
    """
    try:
        made = _CREATE(
            db,
            name=name,
            key=key,
            registered=registered,
            password_hash=password_hash,
            uuid_hash=uuid_hash,
            created_at=at,
            lobby_read=_LOBBY_LAST.scalar(db),
        )
    except IntegrityError as error:
        raise NameTaken() from error
    assert made.lastrowid is not None
    return made.lastrowid


def set_password(db: Connection, account_id: int, password_hash: str, keep: bytes | None) -> None:
    """Change a password; sessions other than `keep` end."""
    _SET_PASSWORD(db, account_id=account_id, new_hash=password_hash)
    end_sessions(db, account_id, keep)


def end_sessions(db: Connection, account_id: int, keep: bytes | None) -> None:
    """End all sessions of an account but one."""
    _END_SESSIONS(db, account_id=account_id, keep=keep)


def end_guest(db: Connection, account_id: int) -> None:
    """Delete a temporary account; what names it goes along."""
    _END_GUEST(db, account_id=account_id)
    _FORGET_TXNS(db, account_id=account_id)


def block(db: Connection, account_id: int, blocked_id: int, on: bool) -> None:
    """Begin or end a block."""
    (_BLOCK if on else _UNBLOCK)(db, account_id=account_id, blocked_id=blocked_id)


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


def register_phone(
    db: Connection, name: str, key: str, number: str, credential: bytes, at: int
) -> int:
    """Make an account with a telephone number; its id. Raises NameTaken."""
    account_id = register(db, name, key, None, credential, at)
    _KEEP(db, account_id=account_id, number=number, left_at=at)
    return account_id


def set_phone_left(db: Connection, account_id: int, at: int) -> None:
    """Somebody was here last."""
    _LEFT(db, account=account_id, at=at)


def phones(db: Connection) -> list[PhoneAccount]:
    """All that there are."""
    return [PhoneAccount(*row) for row in _ALL(db)]
