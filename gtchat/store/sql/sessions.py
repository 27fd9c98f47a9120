"""Sessions: begin, resume and list them. How they end is in `session_ends`.

What they have read is in `read_state`, their devices are in `devices`.

A session remembers the start of the server (`starts`) in which it was last connected. With the end
of the log at the next start, `resume` sees whether the client was told more than was kept.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping

import attrs
from sqlalchemy import and_, bindparam, delete, func, literal_column, or_, select, update

from gtchat.chat.direct_records import LISTED_DIRECTS
from gtchat.chat.errors import BadSession, NoSuchUser
from gtchat.chat.events import Entry
from gtchat.chat.interfaces import (
    AccountState,
    Backlog,
    Direct,
    NewSession,
    ResumeResult,
    SessionRecord,
)
from gtchat.chat.session_records import LISTED_SESSIONS
from gtchat.store.paging import ConnectedInterval, LogInfo, LogsShortened, backlogs
from gtchat.store.sql import (
    accounts,
    administration,
    devices,
    direct,
    invitations,
    message_changes,
    read_state,
    room_records,
    schema,
    session_ends,
    session_lists,
)
from gtchat.store.sql.database import Connection
from gtchat.store.sql.history import entries_after
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.rooms import begin_epoch
from gtchat.store.sql.statements import Statement, insert

_accounts = schema.accounts
_rooms = schema.rooms
_sessions = schema.sessions
_blocks = schema.blocks
_starts = schema.starts
_log = schema.entries
_heads = schema.heads
_networks = schema.account_networks
_this_start = select(func.max(_starts.c.id)).scalar_subquery()
_is_session = _sessions.c.token_hash == bindparam("token")
_of_account = _sessions.c.account_id == bindparam("account")

_BEGIN = Statement(
    insert(_sessions).values(
        token_hash=bindparam("token"),
        account_id=bindparam("account"),
        began_at=bindparam("at"),
        created_at=bindparam("at"),
        marks_read=bindparam("marks"),
        start_id=_this_start,
        device=bindparam("device"),
        protocol=bindparam("protocol"),
        address=bindparam("address"),
    )
)
_FIND = Statement(
    select(
        _sessions.c.account_id,
        _sessions.c.began_at,
        _sessions.c.lost_at,
        _sessions.c.expires_from,
        func.coalesce(_sessions.c.start_id, 0),
    ).where(_is_session)
)
_RESUME = Statement(
    update(_sessions)
    .where(_is_session)
    .values(
        began_at=bindparam("at"),
        lost_at=None,
        expires_from=None,
        start_id=_this_start,
        address=bindparam("address"),
    )
)
_LIST = Statement(
    select(
        *session_lists.COLUMNS,
        func.coalesce(schema.devices.c.name, ""),
        devices.IS_REMEMBERED,
    )
    .outerjoin_from(
        _sessions,
        schema.devices,
        and_(
            schema.devices.c.account_id == _sessions.c.account_id,
            schema.devices.c.device == _sessions.c.device,
        ),
    )
    .where(
        _of_account,
        or_(_sessions.c.expires_from.is_(None), _sessions.c.expires_from > bindparam("oldest")),
    )
    .order_by(*session_ends.CONNECTED_FIRST)
    .limit(bindparam("limit"))
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
    select(
        _rooms.c.name,
        schema.tombstones.c.deleted_at,
        func.coalesce(_heads.c.first, 1),
        _rooms.c.kind == literal_column("'direct'"),
    )
    .outerjoin_from(_rooms, schema.tombstones, schema.tombstones.c.key == _rooms.c.key)
    .outerjoin(_heads, _heads.c.room_id == _rooms.c.id)
    .where(_rooms.c.id == bindparam("room"))
)
_FIRST_MARK_AFTER = Statement(
    select(_starts.c.entries_mark)
    .where(_starts.c.id > bindparam("start"))
    .order_by(_starts.c.id)
    .limit(1)
)
_ENTRY_ROW = Statement(
    select(_log.c.row).where(_log.c.room_id == bindparam("room"), _log.c.seq == bindparam("seq"))
)
_FORGET_NETWORKS = Statement(
    delete(_networks).where(_networks.c.account_id == bindparam("account"))
)
_ADD_NETWORK = Statement(insert(_networks), columns=("account_id", "network", "seen_at"))


def account_state(
    db: Connection,
    log_writer: LogWriter,
    account_id: int,
    known: Collection[int],
    node_id: int | None,
) -> AccountState:
    """Return what a login loads of an account.

    Args:
        db: the writer's connection.
        log_writer: knows the ends of logs.
        account_id: the account.
        known: as of `NewSession`.
        node_id: this node, which has all rooms in memory; None if no other can use the database.

    Raises:
        NoSuchUser: the account was deleted.
    """
    account = accounts.get(db, account_id)
    if account is None:
        raise NoSuchUser()
    log_writer.write_heads(db)  # the ends of rooms and conversations are read from there
    return AccountState(
        account=account,
        memberships=read_state.memberships(db, account_id),
        blocked=dict(_BLOCKED(db, account=account_id).fetchall()),
        blocked_by=frozenset(row[0] for row in _BLOCKED_BY(db, account=account_id)),
        invitations=tuple(invitations.pending(db, account_id)),
        directs=direct.newest(db, account_id, LISTED_DIRECTS),
        rooms=() if node_id is not None else room_records.missing(db, account_id, known),
    )


def login(
    db: Connection,
    log_writer: LogWriter,
    account_id: int,
    proved: str | None,
    session: NewSession,
    node_id: int | None = None,
) -> AccountState:
    """Begin a session of a registered account; see `ISessionStore.login`.

    Args:
        db: the writer's connection.
        log_writer: knows the ends of logs.
        account_id, proved, session: those of `ISessionStore.login`.
        node_id: as of `session_ends.is_elsewhere`.
    """
    session = attrs.evolve(session, ended=session_ends.own(db, session.ended, node_id))
    account, device = accounts.get(db, account_id), session.device
    if account is not None and device is not None and device.proved is not None:
        devices.check_token(db, account_id, device, session.limits.tokens_after)
    elif account is not None and session.link is not None:
        administration.use_login_link(db, account_id, session.link, session.at)
    else:
        session_ends.check_proof(db, account, proved)
    session_ends.check_refused(db, account_id, session)
    session_ends.end(db, session.ended, session.at)
    ended = session_ends.end_for_login(db, account_id, session)
    state = account_state(db, log_writer, account_id, session.known, node_id)
    accounts.add_network(db, account_id, session.network, session.at)
    _begin(db, account_id, session)
    return attrs.evolve(state, ended=ended)


def _begin(db: Connection, account_id: int, session: NewSession) -> None:
    if session.token_hash is not None:
        _BEGIN(
            db,
            token=session.token_hash,
            account=account_id,
            at=session.at,
            marks=session.marks_read,
            device=session.device.device if session.device is not None else None,
            protocol=session.protocol,
            address=session.address,
        )


def _set_network(db: Connection, account_id: int, network: str, at: int) -> None:
    """Keep the network of a temporary account's client, in place of an earlier one."""
    _FORGET_NETWORKS(db, account=account_id)
    _ADD_NETWORK(db, account_id=account_id, network=network, seen_at=at)


def listed(db: Connection, account_id: int, oldest: int, tokens_after: int) -> list[SessionRecord]:
    """Return the sessions and remembered devices of an account; see `ISessionStore.sessions`."""
    found = _LIST(
        db, account=account_id, oldest=oldest, tokens_after=tokens_after, limit=LISTED_SESSIONS
    )
    records = [attrs.evolve(SessionRecord(*row), remembered=bool(row[-1])) for row in found]
    records.sort(key=lambda one: (one.began_at, one.token_hash))
    return records + devices.without_session(
        db, account_id, oldest, tokens_after, LISTED_SESSIONS - len(records)
    )


@attrs.define(eq=False)
class _ClientLogs:
    """The logs of which a client that resumes its session has received a part, as they are now.

    Args:
        db: the writer's connection.
        log_writer: knows the ends of logs.
        account_id: the account of the session.
        mark: the newest row of `entries` at the first start since the client connected, None if
            there was none since.

    Attributes:
        directs: the direct conversations among them whose `info` was asked for.
    """

    db: Connection
    log_writer: LogWriter
    account_id: int
    mark: int | None
    directs: list[Direct] = attrs.field(init=False, factory=list)
    _names: dict[int, str] = attrs.field(init=False, factory=dict)

    def info(self, room_id: int) -> LogInfo | None:
        """Return the log of a room, None if there is none for the account."""
        room = _ROOM(self.db, room=room_id).fetchone()
        position = self.log_writer.position(self.db, room_id)
        if room is None or position is None:
            return None
        self._names[room_id], deleted_at, first, is_direct = room
        if is_direct:
            own = direct.find(self.db, self.account_id, room_id, None)
            if own is None:
                return None
            self.directs.append(attrs.evolve(own, last_seq=position.seq))
        return LogInfo(first, position.seq, deleted_at)

    def read(self, room_id: int, start: int, stop: int) -> Generator[Entry, None, None]:
        """Return the entries after `start` up to `stop` of a room whose `info` was asked for."""
        return entries_after(self.db, room_id, self._names[room_id], start, stop - start)

    def was_lost(self, room_id: int, seq: int, last: int) -> bool:
        """Return whether the log had no such entry when the client received it; see `backlogs`."""
        if self.mark is None or seq > last:
            return self.mark is not None
        # Rows of a log have growing numbers: one above the mark was stored after that start. An
        # entry that is not kept any more is older than all that could have been lost.
        row = _ENTRY_ROW.scalar(self.db, room=room_id, seq=seq)
        return row is not None and row > self.mark


def resume(
    db: Connection,
    log_writer: LogWriter,
    token_hash: bytes,
    at: int,
    oldest: int,
    seen: Mapping[int, int],
    liveness_ms: int,
    limit: int,
    network: str,
    marks_read: bool,
    address: str,
    known: Collection[int],
    new_epoch: str,
    node_id: int | None = None,
) -> ResumeResult:
    """Resume a session; see `ISessionStore.resume`.

    Args:
        db: the writer's connection.
        log_writer: knows the ends of logs.
        token_hash, at, oldest, seen, liveness_ms, limit, network, marks_read, address, known: those
            of `ISessionStore.resume`.
        new_epoch: the epoch that begins if the logs are shorter than what the client was told.
        node_id: as of `session_ends.is_elsewhere`.
    """
    row = _FIND(db, token=token_hash).fetchone()
    if row is None or (row[3] is not None and row[3] <= oldest):
        raise BadSession()
    account_id, began_at, lost_at, _, start_id = row
    moved = row[3] is None and session_ends.is_elsewhere(db, token_hash, node_id)
    mark = _FIRST_MARK_AFTER.scalar(db, start=start_id)
    logs = _ClientLogs(db, log_writer, account_id, mark)
    interval = ConnectedInterval(began_at, lost_at)
    epoch = None
    try:
        missed = backlogs(
            seen,
            limit,
            lambda deleted_at: interval.saw_deletion(deleted_at, liveness_ms),
            logs.info,
            logs.read,
            logs.was_lost,
        )
    except LogsShortened:
        missed = dict.fromkeys(seen, Backlog(reset="epoch"))
        account = accounts.get(db, account_id)
        if account is not None and account.registered and begin_epoch(db, new_epoch):
            epoch = new_epoch
    if marks_read:
        read_state.set_marks_read(db, account_id, token_hash)
    for room_id, backlog in missed.items():
        entries = message_changes.seen_by(db, room_id, backlog.entries, account_id)
        missed[room_id] = attrs.evolve(backlog, entries=tuple(entries))
    received = {room: seq for room, seq in seen.items() if not missed[room].reset}
    read_state.set_sent_read(db, account_id, token_hash, received)
    _RESUME(db, token=token_hash, at=at, address=address)
    state = account_state(db, log_writer, account_id, known, node_id)
    if not state.account.registered:
        _set_network(db, account_id, network, at)
        session_ends.left_others(db, account_id, node_id)
    return ResumeResult(state, missed, epoch, tuple(logs.directs), moved)
