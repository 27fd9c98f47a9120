"""How far accounts have read their rooms: the `seq` of the last entry that counts as read.

A session that says itself what its user reads (`mark`) is taken at its word. One that never does
counts as having read what it was told, when it ends. What is unread follows from the entry's own
count of messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from sqlite3 import Connection

from sqlalchemy import bindparam, func, select, update

from gtchat.chat.errors import NotInRoom
from gtchat.chat.interfaces import MembershipRecord
from gtchat.store.sql import accounts, schema
from gtchat.store.sql.statements import Statement

_accounts = schema.accounts
_log = schema.entries
_members = schema.members
_rooms = schema.rooms
_sessions = schema.sessions

_is_account = _members.c.account_id == bindparam("account")
_is_session = _sessions.c.token_hash == bindparam("token")

_READ_ROOMS = Statement(
    update(_members)
    .where(_is_account)
    .values(
        read_seq=func.coalesce(
            select(func.max(_log.c.seq))
            .where(_log.c.room_id == _members.c.room_id)
            .scalar_subquery(),
            0,
        )
    )
)
_READ_LOBBY = Statement(
    update(_accounts)
    .where(_accounts.c.id == bindparam("account"))
    .values(lobby_read=accounts.lobby_last)
)
_places = (
    select(_members.c.room_id, _members.c.read_seq, func.coalesce(_log.c.spoken, 0))
    .outerjoin_from(
        _members,
        _log,
        (_log.c.room_id == _members.c.room_id) & (_log.c.seq == _members.c.read_seq),
    )
    .where(_is_account)
)
_PLACES = Statement(_places.order_by(_members.c.room_id))
_PLACE = Statement(_places.where(_members.c.room_id == bindparam("room")))
_LOBBY = Statement(
    select(_rooms.c.id, _accounts.c.lobby_read, func.coalesce(_log.c.spoken, 0))
    .select_from(_accounts)
    .join(_rooms, _rooms.c.key == "lobby")
    .outerjoin(_log, (_log.c.room_id == _rooms.c.id) & (_log.c.seq == _accounts.c.lobby_read))
    .where(_accounts.c.id == bindparam("account"))
)
_MARK_ROOM = Statement(
    update(_members)
    .where(
        _is_account, _members.c.room_id == bindparam("room"), _members.c.read_seq < bindparam("seq")
    )
    .values(read_seq=bindparam("seq"))
)
_MARK_LOBBY = Statement(
    update(_accounts)
    .where(
        _accounts.c.id == bindparam("account"),
        _accounts.c.lobby_read < bindparam("seq"),
        select(_rooms.c.id).where(_rooms.c.key == "lobby").scalar_subquery() == bindparam("room"),
    )
    .values(lobby_read=bindparam("seq"))
)
_MARKS = Statement(
    update(_sessions)
    .where(
        _is_session,
        _sessions.c.account_id == bindparam("account"),
        _sessions.c.marks.is_(False),
    )
    .values(marks=True)
)
_DOES_MARK = Statement(
    select(_sessions.c.marks).where(_is_session, _sessions.c.account_id == bindparam("account"))
)


def places(db: Connection, account_id: int) -> tuple[MembershipRecord, ...]:
    """The rooms of an account, the lobby first, and how far it has read them."""
    rows = _LOBBY(db, account=account_id).fetchall() + _PLACES(db, account=account_id).fetchall()
    return tuple(MembershipRecord(*row) for row in rows)


def mark(
    db: Connection, account_id: int, token_hash: bytes, room_id: int, seq: int
) -> MembershipRecord:
    """Somebody has read a room up to an entry, or further; how far he is.

    Raises:
        NotInRoom: he does not belong to it any more.
    """
    if _place(db, account_id, room_id) is None:
        raise NotInRoom()
    _MARKS(db, token=token_hash, account=account_id)
    _MARK_ROOM(db, account=account_id, room=room_id, seq=seq)
    _MARK_LOBBY(db, account=account_id, room=room_id, seq=seq)
    place = _place(db, account_id, room_id)
    assert place is not None
    return place


def _place(db: Connection, account_id: int, room_id: int) -> MembershipRecord | None:
    row = _PLACE(db, account=account_id, room=room_id).fetchone()
    if row is None:
        row = _LOBBY(db, account=account_id).fetchone()
    return MembershipRecord(*row) if row is not None and row[0] == room_id else None


def told_until(db: Connection, account_id: int, token_hash: bytes, told: Mapping[int, int]) -> None:
    """A session is over: so far its rooms count as read, unless it said itself what was read."""
    if not _DOES_MARK.scalar(db, token=token_hash, account=account_id):
        for room_id, seq in told.items():
            _MARK_ROOM(db, account=account_id, room=room_id, seq=seq)
            _MARK_LOBBY(db, account=account_id, room=room_id, seq=seq)


def told_all(db: Connection, account_id: int, token_hash: bytes) -> None:
    """A session is over: its rooms count as read, unless it said itself what was read."""
    if not _DOES_MARK.scalar(db, token=token_hash, account=account_id):
        _READ_ROOMS(db, account=account_id)
        _READ_LOBBY(db, account=account_id)
