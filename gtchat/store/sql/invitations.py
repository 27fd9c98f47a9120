"""Invitations of accounts to rooms. They also end with entries of the room, in `log_writer`."""

from __future__ import annotations

from sqlalchemy import Text, bindparam, delete, exists, or_, select, update

from gtchat.chat.errors import NoSuchRoom
from gtchat.chat.events import Invited
from gtchat.chat.interfaces import InvitationLimits
from gtchat.store.pending import LISTED_INVITATIONS, check_invitations, check_members
from gtchat.store.sql import accounts, schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.statements import Statement, insert

_invitations = schema.invitations
_blocks = schema.blocks
_members = schema.members
_is_account = _invitations.c.account_id == bindparam("account")
_is_inviter = _invitations.c.inviter_id == bindparam("inviter_account")
_is_for = (_invitations.c.room_id == bindparam("room"), _is_account)
_is_invitation = (*_is_for, _invitations.c.inviter == bindparam("by"))

_INVITE = Statement(
    insert(_invitations),
    columns=("room_id", "account_id", "inviter_id", "inviter", "delivered", "at"),
)
_ROOM = Statement(select(schema.rooms.c.id).where(schema.rooms.c.id == bindparam("room")))
_MEMBER = Statement(
    select(_members.c.room_id).where(
        _members.c.room_id == bindparam("room"), _members.c.account_id == bindparam("account")
    )
)
_DELETE = Statement(delete(_invitations).where(*_is_invitation))
_POSTPONE = Statement(
    update(_invitations)
    .where(*_is_invitation, _invitations.c.postponed.is_(False))
    .values(delivered=False, postponed=True)
)
_SET_UNDELIVERED = Statement(update(_invitations).where(*_is_invitation).values(delivered=False))
_FIND = Statement(
    select(_invitations.c.room_id).where(
        *_is_for,
        or_(bindparam("by", type_=Text).is_(None), _invitations.c.inviter == bindparam("by")),
    )
)
_nth = select(_invitations.c.room_id).limit(1).offset(bindparam("index"))
_NTH_OF_ACCOUNT = Statement(_nth.where(_is_account))
_NTH_OF_PAIR = Statement(_nth.where(_is_inviter, _is_account))
_NTH_OF_INVITER = Statement(_nth.where(_is_inviter))
_is_undelivered = _invitations.c.delivered <= bindparam("max_delivered")
_LIST = Statement(
    select(schema.rooms.c.name, _invitations.c.inviter, _invitations.c.at)
    .join_from(_invitations, schema.rooms, schema.rooms.c.id == _invitations.c.room_id)
    .where(
        _is_account,
        _is_undelivered,
        ~exists().where(
            _blocks.c.account_id == _invitations.c.account_id,
            _blocks.c.blocked_id == _invitations.c.inviter_id,
        ),
    )
    .order_by(
        _invitations.c.at.desc(), _invitations.c.room_id.desc(), _invitations.c.inviter.desc()
    )
    .limit(bindparam("limit"))
)
_SET_DELIVERED = Statement(
    update(_invitations).where(_is_account, _is_undelivered).values(delivered=True)
)


def invite(
    db: Connection,
    room_id: int,
    account_id: int,
    inviter_id: int,
    event: Invited,
    delivered: bool,
    limits: InvitationLimits,
) -> bool:
    """Store an invitation; see `IStore.invite`."""
    if _ROOM(db, room=room_id).fetchone() is None:
        raise NoSuchRoom()
    accounts.require(db, account_id)
    check_members(_is_member(db, room_id, inviter_id), _is_member(db, room_id, account_id))
    accounts.require_unblocked(db, inviter_id, account_id)
    if is_invited(db, room_id, account_id, event.usr):
        return False

    def reached(nth: Statement, limit: int) -> bool:
        found = nth(db, account=account_id, inviter_account=inviter_id, index=limit - 1)
        return found.fetchone() is not None

    check_invitations(
        limits,
        pair=lambda limit: reached(_NTH_OF_PAIR, limit),
        inviter=lambda limit: reached(_NTH_OF_INVITER, limit),
        invited=lambda limit: reached(_NTH_OF_ACCOUNT, limit),
    )
    _INVITE(
        db,
        room_id=room_id,
        account_id=account_id,
        inviter_id=inviter_id,
        inviter=event.usr,
        delivered=delivered,
        at=event.at,
    )
    return True


def _is_member(db: Connection, room_id: int, account_id: int) -> bool:
    """Return whether an account is a member of a room."""
    return _MEMBER(db, room=room_id, account=account_id).fetchone() is not None


def answer(db: Connection, room_id: int, account_id: int, inviter: str, later: bool) -> bool:
    """Delete an invitation or keep it; see `IStore.answer_invitation`."""
    names = {"room": room_id, "account": account_id, "by": inviter}
    if not later:
        return _DELETE(db, **names).rowcount > 0
    postponed = _POSTPONE(db, **names).rowcount > 0
    _SET_UNDELIVERED(db, **names)
    return postponed


def is_invited(db: Connection, room_id: int, account_id: int, inviter: str | None) -> bool:
    """Return whether an account is invited to a room; see `IStore.is_invited`."""
    return _FIND(db, room=room_id, account=account_id, by=inviter).fetchone() is not None


def pending(db: Connection, account_id: int, undelivered: bool = False) -> list[Invited]:
    """Return pending invitations; see `AccountState.invitations`.

    Args:
        db: a connection.
        account_id: the invited account.
        undelivered: whether to leave out those that were delivered.
    """
    rows = _LIST(
        db, account=account_id, max_delivered=not undelivered, limit=LISTED_INVITATIONS
    ).fetchall()
    return [
        Invited(room_name=name, usr=inviter, msg="", at=at) for name, inviter, at in reversed(rows)
    ]


def take_undelivered(db: Connection, account_id: int) -> list[Invited]:
    """Return invitations and mark them as delivered; see `IStore.invitations`."""
    found = pending(db, account_id, undelivered=True)
    _SET_DELIVERED(db, account=account_id, max_delivered=False)
    return found
