"""Whispers that wait, and invitations."""

from __future__ import annotations

from collections.abc import Collection
from sqlite3 import Connection

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from gtchat.chat.errors import NoSuchUser, NotAllowed
from gtchat.chat.events import Invited, WhisperSent
from gtchat.chat.interfaces import Ack, StoredWhisper
from gtchat.store.sql import accounts, schema
from gtchat.store.sql.idempotency import find_ack, fingerprint_hash, save_ack
from gtchat.store.sql.statements import Statement

_whispers = schema.whispers
_invitations = schema.invitations
_for_target = _whispers.c.target_id == bindparam("target")
_is_invitation = (
    _invitations.c.room_id == bindparam("room"),
    _invitations.c.account_id == bindparam("account"),
    _invitations.c.inviter == bindparam("by"),
)

_KEEP = Statement(insert(_whispers), columns=("target_id", "at", "usr", "id", "msg"))
_WAITING = Statement(
    select(_whispers.c.number).where(_for_target).limit(1).offset(bindparam("skip"))
)
_LIST = Statement(
    select(_whispers.c.number, _whispers.c.usr, _whispers.c.msg, _whispers.c.id, _whispers.c.at)
    .where(_for_target, _whispers.c.number > bindparam("after"))
    .order_by(_whispers.c.number)
    .limit(bindparam("limit"))
)
_FORGET = Statement(delete(_whispers).where(_for_target, _whispers.c.number == bindparam("n")))

_kept = insert(_invitations)
_INVITE = Statement(
    _kept.on_conflict_do_update(
        index_elements=["room_id", "account_id", "inviter"],
        set_={"told": _kept.excluded.told, "at": _kept.excluded.at},
    ),
    columns=("room_id", "account_id", "inviter", "told", "at"),
)
_TAKE_BACK = Statement(delete(_invitations).where(*_is_invitation))
_LATER = Statement(update(_invitations).where(*_is_invitation).values(told=False))
_INVITED = Statement(
    select(_invitations.c.room_id).where(
        *_is_invitation[:2],
        or_(bindparam("by").is_(None), _invitations.c.inviter == bindparam("by")),
    )
)
_wanted = (
    _invitations.c.account_id == bindparam("account"),
    _invitations.c.told <= bindparam("told_too"),
)
_INVITATIONS = Statement(
    select(schema.rooms.c.name, _invitations.c.inviter, _invitations.c.at)
    .join_from(_invitations, schema.rooms, schema.rooms.c.id == _invitations.c.room_id)
    .where(*_wanted)
    .order_by(_invitations.c.at, _invitations.c.room_id, _invitations.c.inviter)
)
_TOLD = Statement(update(_invitations).where(*_wanted).values(told=True))


def whisper(
    db: Connection, sender_id: int, target_id: int, event: WhisperSent, txn: str | None, limit: int
) -> tuple[Ack, int]:
    """Keep a whisper, as `IStore.whisper` says."""
    content = fingerprint_hash(f"account {target_id}", event.msg)
    if txn is not None:
        earlier = find_ack(db, sender_id, txn, content)
        if earlier is not None:
            return earlier, 0
    if accounts.numbered(db, target_id) is None:
        raise NoSuchUser()
    if limit and _WAITING(db, target=target_id, skip=limit - 1).fetchone():
        raise NotAllowed("Too many whispers wait for this person already.")
    kept = _KEEP(db, target_id=target_id, at=event.at, usr=event.usr, id=event.id, msg=event.msg)
    assert kept.lastrowid is not None
    receipt = Ack(id=event.id, seq=0, at=event.at)
    if txn is not None:
        save_ack(db, sender_id, txn, content, receipt)
    return receipt, kept.lastrowid


def whispers(db: Connection, account_id: int, after: int, limit: int) -> list[StoredWhisper]:
    """Whispers that wait for an account."""
    return [
        StoredWhisper(number, WhisperSent(usr=usr, msg=msg, id=id_, at=at))
        for number, usr, msg, id_, at in _LIST(db, target=account_id, after=after, limit=limit)
    ]


def delete_whispers(db: Connection, account_id: int, numbers: Collection[int]) -> None:
    """These whispers have arrived."""
    for number in numbers:
        _FORGET(db, target=account_id, n=number)


def invite(
    db: Connection, room_id: int, account_id: int, inviter: str, told: bool, at: int
) -> None:
    """Keep an invitation."""
    _INVITE(db, room_id=room_id, account_id=account_id, inviter=inviter, told=told, at=at)


def end_invitations(
    db: Connection, room_id: int, account_id: int, inviter: str, later: bool
) -> None:
    """Take an invitation back, or let it be told again."""
    (_LATER if later else _TAKE_BACK)(db, room=room_id, account=account_id, by=inviter)


def invited(db: Connection, room_id: int, account_id: int, inviter: str | None) -> bool:
    """Whether somebody, or `inviter`, has invited the account into the room."""
    return _INVITED(db, room=room_id, account=account_id, by=inviter).fetchone() is not None


def invitations(db: Connection, account_id: int, untold: bool) -> list[Invited]:
    """Invitations of an account, which count as told then."""
    which = {"account": account_id, "told_too": not untold}
    found = [
        Invited(room_name=name, usr=inviter, msg="", at=at)
        for name, inviter, at in _INVITATIONS(db, **which)
    ]
    _TOLD(db, **which)
    return found
