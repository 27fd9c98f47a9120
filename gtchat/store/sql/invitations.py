"""Invitations of accounts to rooms. They also end with `join_room`, in `log_writer`."""

from __future__ import annotations

from sqlite3 import Connection

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from gtchat.chat.errors import NoSuchRoom
from gtchat.chat.events import Invited
from gtchat.store.sql import accounts, schema
from gtchat.store.sql.statements import Statement

_invitations = schema.invitations
_is_for = (
    _invitations.c.room_id == bindparam("room"),
    _invitations.c.account_id == bindparam("account"),
)
_is_invitation = (*_is_for, _invitations.c.inviter == bindparam("by"))

_upsert = insert(_invitations)
_INVITE = Statement(
    _upsert.on_conflict_do_update(
        index_elements=["room_id", "account_id", "inviter"],
        set_={"delivered": _upsert.excluded.delivered, "at": _upsert.excluded.at},
    ),
    columns=("room_id", "account_id", "inviter", "delivered", "at"),
)
_ROOM = Statement(select(schema.rooms.c.id).where(schema.rooms.c.id == bindparam("room")))
_DELETE = Statement(delete(_invitations).where(*_is_invitation))
_SET_UNDELIVERED = Statement(update(_invitations).where(*_is_invitation).values(delivered=False))
_FIND = Statement(
    select(_invitations.c.room_id).where(
        *_is_for,
        or_(bindparam("by").is_(None), _invitations.c.inviter == bindparam("by")),
    )
)
_is_selected = (
    _invitations.c.account_id == bindparam("account"),
    _invitations.c.delivered <= bindparam("max_delivered"),
)
_LIST = Statement(
    select(schema.rooms.c.name, _invitations.c.inviter, _invitations.c.at)
    .join_from(_invitations, schema.rooms, schema.rooms.c.id == _invitations.c.room_id)
    .where(*_is_selected)
    .order_by(_invitations.c.at, _invitations.c.room_id, _invitations.c.inviter)
)
_SET_DELIVERED = Statement(update(_invitations).where(*_is_selected).values(delivered=True))


def invite(
    db: Connection, room_id: int, account_id: int, inviter: str, delivered: bool, at: int
) -> None:
    """Store an invitation; see `IStore.invite`."""
    if _ROOM(db, room=room_id).fetchone() is None:
        raise NoSuchRoom()
    accounts.require(db, account_id)
    _INVITE(db, room_id=room_id, account_id=account_id, inviter=inviter, delivered=delivered, at=at)


def end_invitations(
    db: Connection, room_id: int, account_id: int, inviter: str, later: bool
) -> None:
    """Delete an invitation or have it delivered again; see `IStore.end_invitations`."""
    (_SET_UNDELIVERED if later else _DELETE)(db, room=room_id, account=account_id, by=inviter)


def is_invited(db: Connection, room_id: int, account_id: int, inviter: str | None) -> bool:
    """Return whether an account is invited to a room; see `IStore.is_invited`."""
    return _FIND(db, room=room_id, account=account_id, by=inviter).fetchone() is not None


def invitations(db: Connection, account_id: int, undelivered: bool) -> list[Invited]:
    """Return invitations and mark them as delivered; see `IStore.invitations`."""
    selection = {"account": account_id, "max_delivered": not undelivered}
    found = [
        Invited(room_name=name, usr=inviter, msg="", at=at)
        for name, inviter, at in _LIST(db, **selection)
    ]
    _SET_DELIVERED(db, **selection)
    return found
