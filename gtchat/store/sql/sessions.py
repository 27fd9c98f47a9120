"""Sessions: begun, lost, found again with what was missed meanwhile, ended."""

from __future__ import annotations

from collections.abc import Mapping
from sqlite3 import Connection

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from gtchat.chat.errors import BadSession, NoSuchUser
from gtchat.chat.events import Entry
from gtchat.chat.interfaces import AccountState, ResumeResult
from gtchat.store.paging import ConnectedInterval, LogInfo, backlogs
from gtchat.store.sql import accounts, read_state, schema
from gtchat.store.sql.history import entries_after
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.statements import Statement

_accounts = schema.accounts
_rooms = schema.rooms
_sessions = schema.sessions
_blocks = schema.blocks
_is_session = _sessions.c.token_hash == bindparam("token")

_BEGIN = Statement(insert(_sessions), columns=("token_hash", "account_id", "began"))
_FIND = Statement(
    select(_sessions.c.account_id, _sessions.c.began, _sessions.c.lost, _sessions.c.aged).where(
        _is_session
    )
)
_AGAIN = Statement(
    update(_sessions).where(_is_session).values(began=bindparam("at"), lost=None, aged=None)
)
_LOSE = Statement(
    update(_sessions)
    .where(_is_session, _sessions.c.account_id == bindparam("account"))
    .values(lost=bindparam("at"), aged=bindparam("at"))
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


def belongings(db: Connection, account_id: int) -> AccountState:
    """What an account finds when it comes.

    Raises:
        NoSuchUser: it is gone.
    """
    account = accounts.numbered(db, account_id)
    if account is None:
        raise NoSuchUser()
    return AccountState(
        account=account,
        memberships=read_state.places(db, account_id),
        blocked=dict(_BLOCKED(db, account=account_id).fetchall()),
        blocked_by=frozenset(row[0] for row in _BLOCKED_BY(db, account=account_id)),
    )


def login(
    db: Connection, account_id: int, token_hash: bytes, end_others: bool, at: int
) -> AccountState:
    """Begin a session of a registered account."""
    found = belongings(db, account_id)
    if end_others:
        accounts.end_sessions(db, account_id, None)
    _BEGIN(db, token_hash=token_hash, account_id=account_id, began=at)
    return found


def login_guest(db: Connection, name: str, key: str, token_hash: bytes, at: int) -> int:
    """Make a temporary account with a session; its id."""
    account_id = accounts.create(db, name, key, at, False)
    _BEGIN(db, token_hash=token_hash, account_id=account_id, began=at)
    return account_id


def end(db: Connection, account_id: int, token_hash: bytes) -> None:
    """A session has ended."""
    read_state.told_all(db, account_id, token_hash)
    _END(db, token=token_hash, account=account_id)


def lose(
    db: Connection, account_id: int, token_hash: bytes, at: int, told: Mapping[int, int]
) -> None:
    """A session's connection was lost."""
    read_state.told_until(db, account_id, token_hash, told)
    _LOSE(db, token=token_hash, account=account_id, at=at)


def resume(
    db: Connection,
    log_writer: LogWriter,
    token_hash: bytes,
    at: int,
    oldest: int,
    seen: Mapping[int, int],
    liveness_ms: int,
    limit: int,
) -> ResumeResult:
    """Find a session again, as `IStore.resume` says."""
    row = _FIND(db, token=token_hash).fetchone()
    if row is None or (row[3] is not None and row[3] <= oldest):
        raise BadSession()
    account_id, began, lost, _ = row
    names: dict[int, str] = {}

    def know(room_id: int) -> LogInfo | None:
        room = _ROOM(db, room=room_id).fetchone()
        head = log_writer.position(db, room_id)
        if room is None or head is None:
            return None
        names[room_id] = room[0]
        return LogInfo(head.seq, room[1])

    def read(room_id: int, start: int, stop: int) -> tuple[Entry, ...]:
        return entries_after(db, room_id, names[room_id], start, stop - start)

    lapse = ConnectedInterval(began, lost)
    found = ResumeResult(
        belongings(db, account_id),
        backlogs(seen, limit, lambda gone: lapse.saw_deletion(gone, liveness_ms), know, read),
    )
    _AGAIN(db, token=token_hash, at=at)
    return found
