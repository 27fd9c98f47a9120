"""How far accounts have read their rooms: the seq of the last entry that counts as read.

For a session that sends read markers, these markers count. For a session that never sent one, what
was sent to it counts as read when it ends. The number of unread messages follows from
`entries.message_count` of that entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from sqlite3 import Connection

from sqlalchemy import bindparam, func, select, update

from gtchat.chat.errors import NotInRoom
from gtchat.chat.interfaces import MembershipRecord
from gtchat.chat.rooms import LOBBY
from gtchat.store.sql import accounts, schema
from gtchat.store.sql.statements import Statement

_accounts = schema.accounts
_log = schema.entries
_members = schema.members
_rooms = schema.rooms
_sessions = schema.sessions

_is_account = _members.c.account_id == bindparam("account")
_is_session = _sessions.c.token_hash == bindparam("token")

_READ_ALL_ROOMS = Statement(
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
_READ_ALL_OF_LOBBY = Statement(
    update(_accounts)
    .where(_accounts.c.id == bindparam("account"))
    .values(lobby_read_seq=accounts.lobby_last_seq)
)
_memberships = (
    select(_members.c.room_id, _members.c.read_seq, func.coalesce(_log.c.message_count, 0))
    .outerjoin_from(
        _members,
        _log,
        (_log.c.room_id == _members.c.room_id) & (_log.c.seq == _members.c.read_seq),
    )
    .where(_is_account)
)
_MEMBERSHIPS = Statement(_memberships.order_by(_members.c.room_id))
_MEMBERSHIP = Statement(_memberships.where(_members.c.room_id == bindparam("room")))
_LOBBY = Statement(
    select(_rooms.c.id, _accounts.c.lobby_read_seq, func.coalesce(_log.c.message_count, 0))
    .select_from(_accounts)
    .join(_rooms, _rooms.c.key == LOBBY)
    .outerjoin(_log, (_log.c.room_id == _rooms.c.id) & (_log.c.seq == _accounts.c.lobby_read_seq))
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
        _accounts.c.lobby_read_seq < bindparam("seq"),
        select(_rooms.c.id).where(_rooms.c.key == LOBBY).scalar_subquery() == bindparam("room"),
    )
    .values(lobby_read_seq=bindparam("seq"))
)
_SET_MARKS_READ = Statement(
    update(_sessions)
    .where(
        _is_session,
        _sessions.c.account_id == bindparam("account"),
        _sessions.c.marks_read.is_(False),
    )
    .values(marks_read=True)
)
_MARKS_READ = Statement(
    select(_sessions.c.marks_read).where(
        _is_session, _sessions.c.account_id == bindparam("account")
    )
)


def memberships(db: Connection, account_id: int) -> tuple[MembershipRecord, ...]:
    """Return the rooms of an account, the lobby first, and how far each is read."""
    lobby = _LOBBY(db, account=account_id).fetchall()
    rooms = _MEMBERSHIPS(db, account=account_id).fetchall()
    return tuple(MembershipRecord(*row) for row in lobby + rooms)


def mark_read(
    db: Connection, account_id: int, token_hash: bytes, room_id: int, seq: int
) -> MembershipRecord:
    """Mark a room as read up to an entry; see `IStore.mark_read`."""
    if _membership(db, account_id, room_id) is None:
        raise NotInRoom()
    _SET_MARKS_READ(db, token=token_hash, account=account_id)
    _MARK_ROOM(db, account=account_id, room=room_id, seq=seq)
    _MARK_LOBBY(db, account=account_id, room=room_id, seq=seq)
    membership = _membership(db, account_id, room_id)
    assert membership is not None
    return membership


def _membership(db: Connection, account_id: int, room_id: int) -> MembershipRecord | None:
    row = _MEMBERSHIP(db, account=account_id, room=room_id).fetchone()
    if row is None:
        row = _LOBBY(db, account=account_id).fetchone()
    return MembershipRecord(*row) if row is not None and row[0] == room_id else None


def set_sent_read(
    db: Connection, account_id: int, token_hash: bytes, sent: Mapping[int, int]
) -> None:
    """Mark what was sent to a session as read, unless the session sent read markers.

    Args:
        db: the writer's connection.
        account_id: the account.
        token_hash: names the session.
        sent: room id -> last seq that was sent to the session.
    """
    if not _MARKS_READ.scalar(db, token=token_hash, account=account_id):
        for room_id, seq in sent.items():
            _MARK_ROOM(db, account=account_id, room=room_id, seq=seq)
            _MARK_LOBBY(db, account=account_id, room=room_id, seq=seq)


def set_all_read(db: Connection, account_id: int, token_hash: bytes) -> None:
    """Mark all rooms of an account as read, unless the session sent read markers.

    Args:
        db: the writer's connection.
        account_id: the account.
        token_hash: names the session.
    """
    if not _MARKS_READ.scalar(db, token=token_hash, account=account_id):
        _READ_ALL_ROOMS(db, account=account_id)
        _READ_ALL_OF_LOBBY(db, account=account_id)
