"""Bans as a table: write, read and prune them."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from sqlalchemy import bindparam, delete, func, not_, or_, select

from gtchat.chat.ban_records import Ban, NamePattern
from gtchat.chat.errors import NoSuchUser, TooMany
from gtchat.chat.interfaces import EndedSession
from gtchat.store.sql import accounts, schema, session_ends
from gtchat.store.sql.database import Connection
from gtchat.store.sql.statements import Statement, insert

_bans = schema.bans
_accounts = schema.accounts

_COLUMNS = ("key", "kind", "target", "account_id", "reason", "by", "at", "until")
_ALL = Statement(
    select(
        _bans.c.id,
        _bans.c.kind,
        _bans.c.target,
        _bans.c.account_id,
        _bans.c.reason,
        _bans.c.by,
        _bans.c.at,
        _bans.c.until,
    )
    .where(or_(_bans.c.until.is_(None), _bans.c.until > bindparam("now")))
    .order_by(_bans.c.id)
)
_add = insert(_bans)
_ADD = Statement(
    _add.on_conflict_do_update(
        index_elements=["key"],
        set_={name: getattr(_add.excluded, name) for name in ("target", "reason", "by", "at")}
        | {"until": _add.excluded.until},
    ).returning(_bans.c.id),
    columns=_COLUMNS,
)
_COUNT_OTHERS = Statement(
    select(func.count()).select_from(_bans).where(_bans.c.key != bindparam("key"))
)
_REMOVE = Statement(delete(_bans).where(_bans.c.id == bindparam("id")))
_PRUNE = Statement(delete(_bans).where(_bans.c.until <= bindparam("now")))
_COUNT_NAMES = Statement(
    select(func.count())
    .select_from(_accounts)
    .where(
        not_(_accounts.c.operator),
        or_(
            _accounts.c.key.like(bindparam("like_key"), escape="\\"),
            _accounts.c.skeleton.like(bindparam("like_skeleton"), escape="\\"),
        ),
    )
)


def stored(db: Connection, now: int) -> tuple[Ban, ...]:
    """Return the bans that are not over at a time, in milliseconds since 1970."""
    return tuple(Ban(*row) for row in _ALL(db, now=now).fetchall())


def count_names(db: Connection, pattern: NamePattern) -> int:
    """Return how many accounts match a pattern; see `IAdminStore.count_names`."""
    found: int = _COUNT_NAMES.scalar(
        db, like_key=pattern.like_key, like_skeleton=pattern.like_skeleton
    )
    return found


def add(db: Connection, ban: Ban, limit: int, connected: Sequence[EndedSession]) -> Ban:
    """Keep a ban; see `IAdminStore.add_ban`."""
    prune(db, ban.at)
    if ban.account_id is not None:
        account = accounts.get(db, ban.account_id)
        if account is None or not account.registered:
            raise NoSuchUser()
    if limit and _COUNT_OTHERS.scalar(db, key=ban.key) >= limit:
        raise TooMany("There are as many bans as the limit `bans` allows.")
    values = {name: getattr(ban, name) for name in _COLUMNS}
    ban = attrs.evolve(ban, id=_ADD.scalar(db, **values))
    if ban.account_id is not None:
        session_ends.end_other_sessions(db, ban.account_id, None, connected)
    return ban


def remove(db: Connection, ban_id: int) -> None:
    """Forget a ban, if there is one with that number."""
    _REMOVE(db, id=ban_id)


def prune(db: Connection, now: int) -> None:
    """Delete the bans that are over at a time, in milliseconds since 1970."""
    _PRUNE(db, now=now)
