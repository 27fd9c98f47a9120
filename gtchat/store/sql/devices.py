"""Devices of accounts: their tokens, and how many an account has. Their sessions are in `sessions`.

A device is connected while one of its sessions is; its token does not expire meanwhile.
"""

from __future__ import annotations

from sqlalchemy import (
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

from gtchat.chat.errors import BadCredentials
from gtchat.chat.interfaces import Account, NewDevice, SessionLimits, SessionRecord
from gtchat.store.sql import accounts, schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.statements import Statement, insert

_accounts = schema.accounts
_devices = schema.devices
_sessions = schema.sessions
_other = _sessions.alias()

_of_account = _devices.c.account_id == bindparam("account")
_is_device = and_(_of_account, _devices.c.device == bindparam("device"))
_has_session = and_(
    _other.c.account_id == _devices.c.account_id, _other.c.device == _devices.c.device
)
_connected = exists().where(_has_session, _other.c.expires_from.is_(None))
_valid = and_(
    _devices.c.token_hash.is_not(None),
    or_(_devices.c.last_seen > bindparam("tokens_after"), _connected),
)
_unused = and_(_devices.c.token_hash.is_(None), ~exists().where(_has_session))

_FIND = Statement(
    select(_devices.c.device, *accounts.COLUMNS)
    .join_from(_devices, _accounts, _accounts.c.id == _devices.c.account_id)
    .where(_devices.c.token_hash == bindparam("token"), _valid)
)
_HAS_TOKEN = Statement(
    select(literal_column("1")).where(
        _is_device, _devices.c.token_hash == bindparam("token"), _valid
    )
)
_EXPIRE = Statement(
    update(_devices)
    .where(_of_account, _devices.c.last_seen <= bindparam("tokens_after"), ~_connected)
    .values(token_hash=None)
)
_DROP_UNUSED = Statement(delete(_devices).where(_of_account, _unused))
_new = insert(_devices).values(
    account_id=bindparam("account"),
    device=bindparam("device"),
    token_hash=bindparam("token"),
    name=func.coalesce(bindparam("given_name"), ""),
    created_at=bindparam("at"),
    last_seen=bindparam("at"),
)
_PUT = Statement(
    _new.on_conflict_do_update(
        index_elements=["account_id", "device"],
        set_={
            "token_hash": func.coalesce(_new.excluded.token_hash, _devices.c.token_hash),
            "name": func.coalesce(bindparam("given_name"), _devices.c.name),
            "last_seen": _new.excluded.last_seen,
        },
    )
)
_SURPLUS = Statement(
    select(_devices.c.device)
    .where(_of_account, _devices.c.device != bindparam("device"))
    .order_by(_connected.desc(), _devices.c.last_seen.desc(), _devices.c.device)
    .offset(bindparam("kept"))
)
_DELETE = Statement(delete(_devices).where(_is_device))
_SEEN = Statement(
    update(_devices)
    .where(_is_device, _devices.c.last_seen < bindparam("at"))
    .values(last_seen=bindparam("at"))
)
_CONNECTED_SEEN = Statement(
    update(_devices)
    .where(
        tuple_(_devices.c.account_id, _devices.c.device).in_(
            select(_sessions.c.account_id, _sessions.c.device).where(
                _sessions.c.expires_from.is_(None), _sessions.c.device.is_not(None)
            )
        )
    )
    .values(last_seen=bindparam("at"))
)
_FORGET = Statement(update(_devices).where(_is_device).values(token_hash=None))
_FORGET_OTHERS = Statement(
    update(_devices)
    .where(_of_account, _devices.c.device.is_distinct_from(bindparam("device")))
    .values(token_hash=None)
)
_REPLACE_TOKEN = Statement(
    update(_devices)
    .where(_is_device, _devices.c.token_hash.is_not(None))
    .values(token_hash=bindparam("token"))
)
_resumable = or_(_other.c.expires_from.is_(None), _other.c.expires_from > bindparam("oldest"))
_WITHOUT_SESSION = Statement(
    select(_devices.c.created_at, _devices.c.last_seen, _devices.c.device, _devices.c.name)
    .where(_of_account, _valid, ~exists().where(_has_session, _resumable))
    .order_by(_devices.c.last_seen, _devices.c.device)
    .limit(bindparam("limit"))
)
_PRUNE_UNUSED = Statement(
    delete(_devices).where(_devices.c.last_seen < bindparam("before"), _unused)
)
_PRUNE_EXPIRED = Statement(
    delete(_devices).where(
        _devices.c.last_seen < bindparam("before"), ~exists().where(_has_session)
    )
)

#: SQL: whether a row of `devices` has a valid token; its parameter is `tokens_after`.
IS_REMEMBERED = _valid


def find(db: Connection, token_hash: bytes, tokens_after: int) -> tuple[Account, str] | None:
    """Return the account and the device of a token; see `ISessionStore.find_device`."""
    row = _FIND(db, token=token_hash, tokens_after=tokens_after).fetchone()
    return None if row is None else (accounts.from_row(row[1:]), row[0])


def check_token(db: Connection, account_id: int, device: NewDevice, tokens_after: int) -> None:
    """Raise BadCredentials if a device does not have the token that was proved any more."""
    found = _HAS_TOKEN.scalar(
        db,
        account=account_id,
        device=device.device,
        token=device.proved,
        tokens_after=tokens_after,
    )
    if found is None:
        raise BadCredentials()


def begin(
    db: Connection, account_id: int, device: NewDevice, limits: SessionLimits, at: int
) -> list[str]:
    """Store the device of a session that begins. Return the devices that are too many with it.

    Args:
        db: the writer's connection.
        account_id: the account.
        device: the device.
        limits: how many devices the account can have.
        at: now, in milliseconds since 1970, UTC.
    """
    _EXPIRE(db, account=account_id, tokens_after=limits.tokens_after)
    _DROP_UNUSED(db, account=account_id)
    _PUT(
        db,
        account=account_id,
        device=device.device,
        token=device.token_hash,
        given_name=device.name,
        at=at,
    )
    if not limits.devices:
        return []
    found = _SURPLUS(db, account=account_id, device=device.device, kept=limits.devices - 1)
    return [row[0] for row in found.fetchall()]


def delete_device(db: Connection, account_id: int, device: str) -> None:
    """Delete a device, whose sessions have ended."""
    _DELETE(db, account=account_id, device=device)


def seen(db: Connection, account_id: int, device: str | None, at: int) -> None:
    """Store that a session of a device has begun or ended; None for a session without one."""
    if device is not None:
        _SEEN(db, account=account_id, device=device, at=at)


def connected_seen(db: Connection, at: int) -> None:
    """Store that the devices of all connected sessions were seen: the server has stopped."""
    _CONNECTED_SEEN(db, at=at)


def forget(db: Connection, account_id: int, device: str | None) -> None:
    """Revoke the token of a device; None for a session without one."""
    if device is not None:
        _FORGET(db, account=account_id, device=device)


def forget_others(db: Connection, account_id: int, device: str | None) -> None:
    """Revoke the tokens of all devices of an account but one; None: of all."""
    _FORGET_OTHERS(db, account=account_id, device=device)


def replace_token(
    db: Connection, account_id: int, device: str | None, token_hash: bytes | None
) -> bool:
    """Give a device another token, None for none. Return whether it had one."""
    changed = _REPLACE_TOKEN(db, account=account_id, device=device, token=token_hash)
    return bool(changed.rowcount)


def without_session(
    db: Connection, account_id: int, oldest: int, tokens_after: int, limit: int
) -> list[SessionRecord]:
    """Return the devices of an account that have a token only; see `ISessionStore.sessions`."""
    found = _WITHOUT_SESSION(
        db, account=account_id, oldest=oldest, tokens_after=tokens_after, limit=limit
    )
    return [
        SessionRecord(None, "", "", created_at, last_seen, device, name, True)
        for created_at, last_seen, device, name in found
    ]


def prune(db: Connection, before: int, tokens_before: int) -> None:
    """Delete devices without a session: without a token too, or with one that has expired.

    Args:
        db: the writer's connection.
        before: those without a token, if they were seen last before this time, in milliseconds
            since 1970, UTC.
        tokens_before: the same for those with a token.
    """
    _PRUNE_UNUSED(db, before=before)
    _PRUNE_EXPIRED(db, before=tokens_before)
