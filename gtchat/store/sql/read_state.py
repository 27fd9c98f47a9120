"""How far accounts have read their rooms: the seq of the last entry that counts as read.

For a session that marks what was read, these marks count. For any other session, what was sent to
it counts as read when it ends. The number of unread messages is that of the log, in `heads`, less
`entries.message_count` of that entry, or of the first one that is kept; where it is small, the
messages that do not count are looked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    union,
    union_all,
    update,
)

from gtchat.chat.direct_records import LISTED_DIRECTS
from gtchat.chat.errors import BadSession, NotInRoom
from gtchat.chat.events import MessageSent
from gtchat.chat.interfaces import MembershipRecord, UnreadRecord
from gtchat.chat.rooms import LOBBY
from gtchat.store.paging import MAX_SEQ, UNREAD_EXACT, UNREAD_WINDOW
from gtchat.store.sql import mentions, schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.statements import Statement

_accounts = schema.accounts
_log = schema.entries
_heads = schema.heads
_members = schema.members
_directs = schema.directs
_rooms = schema.rooms
_sessions = schema.sessions
_levels = schema.notify_levels
_mentions = schema.mentions

_is_account = _members.c.account_id == bindparam("account")
_is_session = _sessions.c.token_hash == bindparam("token")

_memberships = select(_members.c.room_id, _members.c.read_seq).where(_is_account)
_lobby = (
    select(_rooms.c.id.label("room_id"), _accounts.c.lobby_read_seq.label("read_seq"))
    .select_from(_accounts)
    .join(_rooms, _rooms.c.key == LOBBY)
    .where(_accounts.c.id == bindparam("account"))
)
_level = func.coalesce(_levels.c.level, literal_column("'all'"))
_is_level_of = _levels.c.account_id == bindparam("account")
_leveled = _memberships.add_columns(_level).outerjoin_from(
    _members, _levels, and_(_is_level_of, _levels.c.room_id == _members.c.room_id)
)
_MEMBERSHIPS = Statement(_leveled.order_by(_members.c.room_id))
_READ_SEQ = Statement(
    union_all(
        _memberships.where(_members.c.room_id == bindparam("room")),
        select(_directs.c.room_id, _directs.c.read_seq).where(
            _directs.c.account_id == bindparam("account"), _directs.c.room_id == bindparam("room")
        ),
        _lobby.where(_rooms.c.id == bindparam("room")),
    )
)
_LOBBY = Statement(
    _lobby.add_columns(_level).outerjoin(
        _levels, and_(_is_level_of, _levels.c.room_id == _rooms.c.id)
    )
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
_MARK_DIRECT = Statement(
    update(_directs)
    .where(
        _directs.c.account_id == bindparam("account"),
        _directs.c.room_id == bindparam("room"),
        _directs.c.read_seq < bindparam("seq"),
    )
    .values(read_seq=bindparam("seq"))
)
_MARK_ROOM_UNREAD = Statement(
    update(_members)
    .where(
        _is_account, _members.c.room_id == bindparam("room"), _members.c.read_seq > bindparam("seq")
    )
    .values(read_seq=bindparam("seq"))
)
_MARK_LOBBY_UNREAD = Statement(
    update(_accounts)
    .where(
        _accounts.c.id == bindparam("account"),
        _accounts.c.lobby_read_seq > bindparam("seq"),
        select(_rooms.c.id).where(_rooms.c.key == LOBBY).scalar_subquery() == bindparam("room"),
    )
    .values(lobby_read_seq=bindparam("seq"))
)
_MARK_DIRECT_UNREAD = Statement(
    update(_directs)
    .where(
        _directs.c.account_id == bindparam("account"),
        _directs.c.room_id == bindparam("room"),
        _directs.c.read_seq > bindparam("seq"),
    )
    .values(read_seq=bindparam("seq"))
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

_SESSION_ACCOUNT = Statement(select(_sessions.c.account_id).where(_is_session))

_newest_directs = (
    select(_directs.c.room_id, _directs.c.read_seq)
    .where(
        _directs.c.account_id == bindparam("account"),
        _directs.c.newest > 0,
        _directs.c.newest < bindparam("before"),
    )
    .order_by(_directs.c.newest.desc())
    .limit(bindparam("limit"))
)
_read, _hidden = _log.alias("read"), _log.alias("hidden")
#: The accounts whose messages are not unread: the account itself, and those that it blocks.
_not_counted = union_all(
    select(_accounts.c.id, _accounts.c.name).where(_accounts.c.id == bindparam("account")),
    select(_accounts.c.id, _accounts.c.name)
    .join(schema.blocks, schema.blocks.c.blocked_id == _accounts.c.id)
    .where(schema.blocks.c.account_id == bindparam("account")),
).cte("not_counted")


def _unread_statement(marks: CompoundSelect[Any] | Select[Any]) -> Statement:
    """Return the statement that counts unread messages.

    All rooms of an account are in one: the driver waits for the interpreter's lock after each.

    Args:
        marks: `room_id` and `read_seq` of each room.
    """
    mark = marks.cte("marks")
    is_kept = mark.c.read_seq >= _heads.c.first
    # The number of messages up to the mark: that of the marked entry, or else of the first entry
    # that is kept, less that entry itself.
    messages_read = func.coalesce(
        _read.c.message_count - case((is_kept, 0), (_read.c.kind == MessageSent.kind, 1), else_=0),
        _heads.c.messages,
    )
    behind = _heads.c.messages - messages_read
    # Messages that are not unread: those of these accounts, or, where the account is not known, of
    # these names; and deleted ones, which alone have no text.
    hidden_count = (
        select(func.count())
        .where(
            _hidden.c.room_id == mark.c.room_id,
            _hidden.c.seq > mark.c.read_seq,
            _hidden.c.seq > _heads.c.seq - UNREAD_WINDOW,
            _hidden.c.kind == literal_column(f"'{MessageSent.kind}'"),
            or_(
                _hidden.c.msg == literal_column("''"),
                _hidden.c.subject_id.in_(select(_not_counted.c.id)),
                and_(
                    _hidden.c.subject_id.is_(None), _hidden.c.usr.in_(select(_not_counted.c.name))
                ),
            ),
        )
        .scalar_subquery()
    )
    return Statement(
        select(
            mark.c.room_id,
            behind - case((behind <= UNREAD_EXACT, hidden_count), else_=0),
            _heads.c.messages,
        )
        .select_from(mark)
        .join(_heads, _heads.c.room_id == mark.c.room_id)
        .outerjoin(
            _read,
            and_(
                _read.c.room_id == mark.c.room_id,
                _read.c.seq == case((is_kept, mark.c.read_seq), else_=_heads.c.first),
            ),
        )
        .where(_heads.c.seq > mark.c.read_seq, behind > 0)
    )


def _mentions_statement(marks: CompoundSelect[Any] | Select[Any]) -> Statement:
    """Return the statement that counts the mentions after read marks; see `_unread_statement`."""
    mark = marks.cte("marks")

    def unread(is_mentioned: ColumnElement[bool]) -> Select[tuple[int, int]]:
        return select(mark.c.room_id, _mentions.c.seq).join_from(
            mark,
            _mentions,
            and_(
                _mentions.c.room_id == mark.c.room_id,
                _mentions.c.seq > mark.c.read_seq,
                is_mentioned,
            ),
        )

    found = union(
        unread(_mentions.c.account_id == bindparam("account")),
        unread(_mentions.c.account_id.is_(None)),
    ).subquery()
    is_counted = or_(
        and_(
            _log.c.subject_id.is_not(None),
            _log.c.subject_id.not_in(select(_not_counted.c.id)),
        ),
        and_(_log.c.subject_id.is_(None), _log.c.usr.not_in(select(_not_counted.c.name))),
    )
    return Statement(
        select(found.c.room_id, func.count())
        .join_from(found, _log, and_(_log.c.room_id == found.c.room_id, _log.c.seq == found.c.seq))
        .where(is_counted)
        .group_by(found.c.room_id)
    )


_marks = union_all(_memberships, _lobby, select(_newest_directs.subquery("newest_directs")))
_UNREAD, _MENTIONS = _unread_statement(_marks), _mentions_statement(_marks)
_UNREAD_DIRECTS = _unread_statement(_newest_directs)
_MENTIONS_IN_DIRECTS = _mentions_statement(_newest_directs)


def memberships(db: Connection, account_id: int) -> tuple[MembershipRecord, ...]:
    """Return the rooms of an account, the lobby first, and how far each is read."""
    lobby = _LOBBY(db, account=account_id).fetchall()
    rooms = _MEMBERSHIPS(db, account=account_id).fetchall()
    return tuple(MembershipRecord(*row) for row in lobby + rooms)


def mark_read(db: Connection, account_id: int, token_hash: bytes, room_id: int, seq: int) -> int:
    """Mark a room as read up to an entry; see `IStore.mark_read`."""
    _read_seq(db, account_id, room_id)
    set_marks_read(db, account_id, token_hash)
    set_read(db, {(account_id, room_id): seq})
    return _read_seq(db, account_id, room_id)


def mark_unread(db: Connection, account_id: int, token_hash: bytes, room_id: int, seq: int) -> int:
    """Set back up to which entry a room is read; see `IMentionStore.mark_unread`."""
    _read_seq(db, account_id, room_id)
    set_marks_read(db, account_id, token_hash)
    for statement in (_MARK_ROOM_UNREAD, _MARK_LOBBY_UNREAD, _MARK_DIRECT_UNREAD):
        statement(db, account=account_id, room=room_id, seq=seq)
    return _read_seq(db, account_id, room_id)


def set_notify(db: Connection, account_id: int, room_id: int, level: str) -> None:
    """Store of which messages a user wants to be notified; see `IMentionStore.set_notify`."""
    _read_seq(db, account_id, room_id)
    mentions.set_level(db, account_id, room_id, level)


def _read_seq(db: Connection, account_id: int, room_id: int) -> int:
    """Return up to which entry an account has read a room or a direct conversation.

    Raises:
        NotInRoom: it is not in it.
    """
    row = _READ_SEQ(db, account=account_id, room=room_id).fetchone()
    if row is None:
        raise NotInRoom()
    read_seq: int = row[1]
    return read_seq


def set_marks_read(db: Connection, account_id: int, token_hash: bytes) -> None:
    """Store that a session marks itself what was read."""
    _SET_MARKS_READ(db, token=token_hash, account=account_id)


def set_read(db: Connection, marks: Mapping[tuple[int, int], int]) -> None:
    """Mark rooms as read; see `IStore.set_read`."""
    for (account_id, room_id), seq in marks.items():
        # An id is that of a room, the lobby or a direct conversation: one of them at most changes.
        for mark in (_MARK_ROOM, _MARK_LOBBY, _MARK_DIRECT):
            if mark(db, account=account_id, room=room_id, seq=seq).rowcount:
                break


def unread(
    db: Connection, account_id: int | None, token_hash: bytes | None
) -> dict[int, UnreadRecord]:
    """Count the unread messages of an account; see `IStore.unread`."""
    if account_id is None:
        account_id = _SESSION_ACCOUNT.scalar(db, token=token_hash)
        if account_id is None:
            raise BadSession()
    bound = {"account": account_id, "before": MAX_SEQ, "limit": LISTED_DIRECTS}
    return _records(_UNREAD(db, **bound), _MENTIONS(db, **bound))


def unread_directs(
    db: Connection, account_id: int, before: int, limit: int
) -> dict[int, UnreadRecord]:
    """Count the unread messages of direct conversations; see `IMailStore.directs`."""
    bound = {"account": account_id, "before": before, "limit": limit}
    return _records(_UNREAD_DIRECTS(db, **bound), _MENTIONS_IN_DIRECTS(db, **bound))


def _records(
    counted: Iterable[tuple[int, int, int]], mentioned: Iterable[tuple[int, int]]
) -> dict[int, UnreadRecord]:
    mentions_of = dict(mentioned)
    return {
        room_id: UnreadRecord(count, messages, mentions_of.get(room_id, 0))
        for room_id, count, messages in counted
        if count
    }


def set_sent_read(
    db: Connection, account_id: int, token_hash: bytes, sent: Mapping[int, int]
) -> None:
    """Mark what was sent to a session as read, unless the session marks it itself.

    Args:
        db: the writer's connection.
        account_id: the account.
        token_hash: names the session.
        sent: room id -> last seq that was sent to the session.
    """
    if not _MARKS_READ.scalar(db, token=token_hash, account=account_id):
        set_read(db, {(account_id, room_id): seq for room_id, seq in sent.items()})
