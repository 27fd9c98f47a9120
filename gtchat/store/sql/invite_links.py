"""Invitations: links with which users register; and what such a registration is let in by."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import and_, bindparam, delete, exists, func, not_, select, update

from gtchat.chat.errors import BadInvite, NotAllowed
from gtchat.chat.invite_store import (
    OVER_MS,
    OVER_PER_ACCOUNT,
    Admission,
    InviteLimits,
    InviteLink,
    NewInviteLink,
)
from gtchat.store.invite_rules import OPERATOR_LINKS, check_counts, refuse_operator
from gtchat.store.sql import choices, schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.statements import Statement, insert

#: The row of `meta` with the links for the first operator: [hash in hexadecimal, end] of each.
_KEY = "operator links"

_accounts = schema.accounts
_links = schema.invite_links
_is_valid = (_links.c.used < _links.c.uses) & (_links.c.expires_at > bindparam("at"))
_rows = select(
    _links.c.id,
    _links.c.maker_id,
    func.coalesce(_accounts.c.name, ""),
    _links.c.created_at,
    _links.c.expires_at,
    _links.c.uses,
    _links.c.used,
    _links.c.rooms,
).select_from(_links.outerjoin(_accounts, _accounts.c.id == _links.c.maker_id))
_LIST = Statement(
    _rows.where(_is_valid, _links.c.id < bindparam("before"))
    .order_by(_links.c.id.desc())
    .limit(bindparam("limit"))
)
_LIST_OF = Statement(
    _rows.where(
        _is_valid, _links.c.id < bindparam("before"), _links.c.maker_id == bindparam("maker")
    )
    .order_by(_links.c.id.desc())
    .limit(bindparam("limit"))
)
_FIND = Statement(_rows.where(_links.c.token_hash == bindparam("token")))
_GET = Statement(_rows.where(_links.c.id == bindparam("link")))
_ADD = Statement(
    insert(_links).returning(_links.c.id),
    columns=("token_hash", "maker_id", "created_at", "expires_at", "uses", "used", "rooms"),
)
_COUNT = Statement(select(func.count()).select_from(_links).where(_is_valid))
_COUNT_OF = Statement(
    select(func.count())
    .select_from(_links)
    .where(_is_valid, _links.c.maker_id == bindparam("maker"))
)
_end = (
    update(_links)
    .where(_links.c.id == bindparam("link"), _is_valid)
    .values(expires_at=bindparam("at"))
    .returning(_links.c.id)
)
_END = Statement(_end)
_END_OF = Statement(_end.where(_links.c.maker_id == bindparam("maker")))
_over_of = and_(not_(_is_valid), _links.c.maker_id == bindparam("maker"))
_DROP_OVER = Statement(
    delete(_links).where(
        _over_of,
        _links.c.id.not_in(
            select(_links.c.id).where(_over_of).order_by(_links.c.id.desc()).limit(OVER_PER_ACCOUNT)
        ),
    )
)
_USE = Statement(
    update(_links).where(_links.c.token_hash == bindparam("token")).values(used=_links.c.used + 1)
)
_PRUNE = Statement(delete(_links).where(_links.c.expires_at < bindparam("at")))
_SET_INVITED = Statement(
    update(_accounts)
    .where(_accounts.c.id == bindparam("account"))
    .values(invite_id=bindparam("link"))
)
_INVITED = Statement(select(_accounts.c.invite_id).where(_accounts.c.id == bindparam("account")))
_HAS_OPERATOR = Statement(select(exists().where(_accounts.c.operator, _accounts.c.registered)))
_MAKE_OPERATOR = Statement(
    update(_accounts).where(_accounts.c.id == bindparam("account")).values(operator=True)
)
#: Above all ids.
_NEWEST = 2**63 - 1


def add(db: Connection, link: NewInviteLink, limits: InviteLimits) -> int:
    """Keep an invitation; see `IInviteStore.add_invite_link`."""
    own = 0 if link.maker_id is None else _COUNT_OF.scalar(db, at=link.at, maker=link.maker_id)
    check_counts(limits, own, _COUNT.scalar(db, at=link.at))
    if link.maker_id is not None:
        _DROP_OVER(db, at=link.at, maker=link.maker_id)
    added: int = _ADD.scalar(
        db,
        token_hash=link.token_hash,
        maker_id=link.maker_id,
        created_at=link.at,
        expires_at=link.expires_at,
        uses=link.uses,
        used=0,
        rooms=" ".join(map(str, link.rooms)),
    )
    return added


def page(
    db: Connection, maker_id: int | None, at: int, before: int | None, limit: int
) -> list[InviteLink]:
    """Return invitations, newest first; see `IInviteStore.invite_links`."""
    wanted = {"at": at, "before": _NEWEST if before is None else before, "limit": limit}
    rows = _LIST(db, **wanted) if maker_id is None else _LIST_OF(db, **wanted, maker=maker_id)
    return list(map(_from_row, rows))


def find(db: Connection, token_hash: bytes) -> InviteLink | None:
    """Return the invitation with a secret; see `IInviteStore.find_invite_link`."""
    row = _FIND(db, token=token_hash).fetchone()
    return None if row is None else _from_row(row)


def invited_with(db: Connection, account_id: int) -> InviteLink | None:
    """Return the invitation of an account; see `IInviteStore.invited_with`."""
    row = _GET(db, link=_INVITED.scalar(db, account=account_id)).fetchone()
    return None if row is None else _from_row(row)


def rooms_joined(db: Connection, account_id: int) -> None:
    """Note that the rooms are joined; see `IInviteStore.rooms_joined`."""
    _SET_INVITED(db, account=account_id, link=None)


def _from_row(row: Any) -> InviteLink:
    id_, maker_id, maker, created_at, expires_at, uses, used, rooms = row
    return InviteLink(
        id=id_,
        maker_id=maker_id,
        maker=maker,
        created_at=created_at,
        expires_at=expires_at,
        uses=uses,
        used=used,
        rooms=tuple(map(int, rooms.split())),
    )


def revoke(db: Connection, link_id: int, maker_id: int | None, at: int) -> None:
    """End an invitation; see `IInviteStore.revoke_invite_link`."""
    if maker_id is None:
        found = _END.scalar(db, link=link_id, at=at)
    else:
        found = _END_OF.scalar(db, link=link_id, maker=maker_id, at=at)
    if found is None:
        raise NotAllowed("There is no such invitation.")


def prune(db: Connection, at: int) -> None:
    """Delete the invitations that ended long before a time, in milliseconds."""
    _PRUNE(db, at=at - OVER_MS)


# The first operator.


def add_operator_link(db: Connection, token_hash: bytes, expires_at: int) -> None:
    """Keep a link for the first operator; see `IInviteStore.add_operator_link`."""
    refuse_operator(_HAS_OPERATOR.scalar(db))
    kept = [*_operator_links(db), (token_hash.hex(), expires_at)][-OPERATOR_LINKS:]
    choices.set_value(db, _KEY, msgspec.json.encode(kept).decode())


def find_operator_link(db: Connection, token_hash: bytes, at: int) -> bool:
    """Return whether a link is valid; see `IInviteStore.find_operator_link`."""
    is_kept = any(
        one == token_hash.hex() and expires_at > at for one, expires_at in _operator_links(db)
    )
    return is_kept and not _HAS_OPERATOR.scalar(db)


def _operator_links(db: Connection) -> list[tuple[str, int]]:
    return msgspec.json.decode(choices.value(db, _KEY) or "[]", type=list[tuple[str, int]])


# Registrations.


def check_admission(db: Connection, admission: Admission, at: int) -> None:
    """Check that a registration is let in; nothing is written.

    Raises:
        BadInvite: it is not: the link is used up, or too old, or there is an operator by now.
    """
    if admission.operator:
        if not find_operator_link(db, admission.token_hash, at):
            raise BadInvite()
    else:
        link = find(db, admission.token_hash)
        if link is None or link.is_over(at):
            raise BadInvite()


def use_admission(db: Connection, admission: Admission, account_id: int) -> None:
    """Count an account that was registered after `check_admission`, in the same transaction."""
    if admission.operator:
        _MAKE_OPERATOR(db, account=account_id)
        choices.set_value(db, _KEY, None)
        return
    _USE(db, token=admission.token_hash)
    link = find(db, admission.token_hash)
    if link is not None and link.rooms:
        _SET_INVITED(db, account=account_id, link=link.id)
