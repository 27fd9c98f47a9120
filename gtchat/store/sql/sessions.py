"""Sessions: begin, lose, resume and end them. What they have read is in `read_state`."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from sqlite3 import Connection

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from gtchat.chat.errors import BadSession, NoSuchUser
from gtchat.chat.events import Entry
from gtchat.chat.interfaces import AccountState, ResumeResult
from gtchat.store.paging import ConnectedInterval, LogInfo, backlogs
from gtchat.store.sql import accounts, invitations, read_state, schema
from gtchat.store.sql.history import entries_after
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.statements import Statement

_accounts = schema.accounts
_rooms = schema.rooms
_sessions = schema.sessions
_blocks = schema.blocks
_is_session = _sessions.c.token_hash == bindparam("token")

_BEGIN = Statement(
    insert(_sessions), columns=("token_hash", "account_id", "began_at", "marks_read")
)
_FIND = Statement(
    select(
        _sessions.c.account_id,
        _sessions.c.began_at,
        _sessions.c.lost_at,
        _sessions.c.expires_from,
    ).where(_is_session)
)
_RESUME = Statement(
    update(_sessions)
    .where(_is_session)
    .values(began_at=bindparam("at"), lost_at=None, expires_from=None)
)
_SET_LOST = Statement(
    update(_sessions)
    .where(_is_session, _sessions.c.account_id == bindparam("account"))
    .values(lost_at=bindparam("at"), expires_from=bindparam("at"))
)
_END = Statement(
    delete(_sessions).where(_is_session, _sessions.c.account_id == bindparam("account"))
)
_BLOCKED = Statement(
    select(_blocks.c.blocked_id, _accounts.c.name)
    .join_from(_blocks, _accounts, _accounts.c.id == _blocks.c.blocked_id)
    .where(_blocks.c.account_id == bindparam("account"))
    .order_by(_blocks.c.blocked_id)
)
_BLOCKED_BY = Statement(
    select(_blocks.c.account_id).where(_blocks.c.blocked_id == bindparam("account"))
)
_ROOM = Statement(
    select(_rooms.c.name, schema.tombstones.c.deleted_at)
    .outerjoin_from(_rooms, schema.tombstones, schema.tombstones.c.key == _rooms.c.key)
    .where(_rooms.c.id == bindparam("room"))
)


def account_state(db: Connection, account_id: int) -> AccountState:
    """Return what a login loads of an account.

    Raises:
        NoSuchUser: the account was deleted.
    """
    account = accounts.get(db, account_id)
    if account is None:
        raise NoSuchUser()
    return AccountState(
        account=account,
        memberships=read_state.memberships(db, account_id),
        blocked=dict(_BLOCKED(db, account=account_id).fetchall()),
        blocked_by=frozenset(row[0] for row in _BLOCKED_BY(db, account=account_id)),
        invitations=tuple(invitations.pending(db, account_id)),
    )


def login(
    db: Connection,
    account_id: int,
    token_hash: bytes,
    end_others: bool,
    at: int,
    marks_read: bool,
) -> AccountState:
    """Begin a session of a registered account; see `IStore.login`."""
    state = account_state(db, account_id)
    if end_others:
        accounts.end_sessions(db, account_id, None)
    _begin(db, account_id, token_hash, at, marks_read)
    return state


def _begin(db: Connection, account_id: int, token_hash: bytes, at: int, marks_read: bool) -> None:
    _BEGIN(db, token_hash=token_hash, account_id=account_id, began_at=at, marks_read=marks_read)


def login_guest(
    db: Connection, name: str, key: str, token_hash: bytes, at: int, marks_read: bool
) -> int:
    """Create a temporary account with a session; see `IStore.login_guest`."""
    account_id = accounts.create(db, name, key, at, False)
    _begin(db, account_id, token_hash, at, marks_read)
    return account_id


def end_session(db: Connection, account_id: int, token_hash: bytes) -> None:
    """End a session for good; see `IStore.end_session`."""
    read_state.set_all_read(db, account_id, token_hash)
    _END(db, token=token_hash, account=account_id)


def session_lost(
    db: Connection, account_id: int, token_hash: bytes, at: int, sent: Mapping[int, int]
) -> None:
    """Store that a session's connection was lost; see `IStore.session_lost`."""
    read_state.set_sent_read(db, account_id, token_hash, sent)
    _SET_LOST(db, token=token_hash, account=account_id, at=at)


def resume(
    db: Connection,
    log_writer: LogWriter,
    token_hash: bytes,
    at: int,
    oldest: int,
    seen: Mapping[int, int],
    liveness_ms: int,
    limit: int,
    marks_read: bool,
) -> ResumeResult:
    """Resume a session; see `IStore.resume`.

    Args:
        db: the writer's connection.
        log_writer: knows the ends of logs.
        token_hash, at, oldest, seen, liveness_ms, limit, marks_read: those of `IStore.resume`.
    """
    row = _FIND(db, token=token_hash).fetchone()
    if row is None or (row[3] is not None and row[3] <= oldest):
        raise BadSession()
    account_id, began_at, lost_at, _ = row
    interval = ConnectedInterval(began_at, lost_at)
    names: dict[int, str] = {}

    def log_info(room_id: int) -> LogInfo | None:
        room = _ROOM(db, room=room_id).fetchone()
        position = log_writer.position(db, room_id)
        if room is None or position is None:
            return None
        names[room_id] = room[0]
        return LogInfo(position.seq, room[1])

    def read(room_id: int, start: int, stop: int) -> Generator[Entry, None, None]:
        return entries_after(db, room_id, names[room_id], start, stop - start)

    state = account_state(db, account_id)
    missed = backlogs(
        seen,
        limit,
        lambda deleted_at: interval.saw_deletion(deleted_at, liveness_ms),
        log_info,
        read,
    )
    _RESUME(db, token=token_hash, at=at)
    if marks_read:
        read_state.set_marks_read(db, account_id, token_hash)
    return ResumeResult(state, missed)
