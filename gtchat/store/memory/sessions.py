"""Sessions of accounts, as `MemoryStore` keeps them. Their devices are in `devices`.

Methods with the name of a method of `ISessionStore` do the same, but return the result at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial

import attrs

from gtchat.chat.devices import CONNECTED_ELSEWHERE
from gtchat.chat.errors import AlreadyLoggedIn, BadCredentials, BadSession, NotStored
from gtchat.chat.interfaces import (
    AccountState,
    Backlog,
    EndedSession,
    NewSession,
    Replaces,
    ResumeResult,
    SessionRecord,
)
from gtchat.chat.limits import network_key
from gtchat.chat.session_records import LISTED_SESSIONS
from gtchat.store.memory.accounts import AccountTable
from gtchat.store.memory.devices import DeviceTable
from gtchat.store.memory.rooms import RoomTable
from gtchat.store.memory.rows import AccountRow, DeviceRow, SessionRow
from gtchat.store.paging import ConnectedInterval, LogsShortened, backlogs


class SessionTable:
    """What happens to the sessions of accounts.

    Args:
        accounts: the accounts, which have them.
        devices: the devices that they are on.
        rooms: the rooms that accounts are members of.
    """

    def __init__(self, accounts: AccountTable, devices: DeviceTable, rooms: RoomTable) -> None:
        self._accounts = accounts
        self._devices = devices
        self._sessions = accounts.sessions
        self._rooms = rooms
        #: Number of starts at the last new epoch.
        self._epoch_start = 0
        #: The node whose batch is being done; None while only one uses the tables.
        self.writing: int | None = None
        #: Ends the login link of an account; set by the tables, which have it.
        self.use_login_link: Callable[[int, bytes, int], None] = lambda *_: None

    def mark_disconnected(self, at: int) -> None:
        """Let the sessions that are connected expire from a time, in milliseconds since 1970."""
        for session in self._sessions.values():
            if session.expires_from is None:
                session.expires_from = at
                self._devices.seen(session, at)

    # Beginning.

    def login(self, account_id: int, proved: str | None, session: NewSession) -> AccountState:
        """Begin a session of a registered account; see `ISessionStore.login`."""
        device = session.device
        if device is not None and device.proved is not None:
            row = self._accounts.require_account(account_id)
            self._devices.check_token(row, device, session.limits.tokens_after)
        elif session.link is not None:
            row = self._accounts.require_account(account_id)
            self.use_login_link(account_id, session.link, session.at)
        else:
            row = self.check_proof(account_id, proved)
        session = self._with_own(session)
        self._check_refused(row, session)
        self._end_all(session.ended, session.at)
        ended = self._end_for_login(row, session)
        row.add_network(session.network, session.at)
        self._begin(row, session)
        return attrs.evolve(self._account_state(row, session.known), ended=ended)

    def _account_state(self, row: AccountRow, known: Collection[int]) -> AccountState:
        """Return what a login loads of an account; a node has all rooms in memory."""
        rooms = () if self.writing is not None else self._accounts.missing(row, known)
        return attrs.evolve(self._accounts.account_state(row), rooms=rooms)

    def check_proof(self, account_id: int, proved: str | None) -> AccountRow:
        """Return an account, which must have the password hash that was proved.

        Raises:
            NoSuchUser, BadCredentials.
        """
        row = self._accounts.require_account(account_id)
        if row.password_hash != proved:
            raise BadCredentials()
        return self._accounts.require_lasting(account_id)

    def _with_own(self, new: NewSession) -> NewSession:
        """Return a login that ends only sessions that were not resumed at another node."""
        rows = ((one, self._sessions.get(one.token_hash)) for one in new.ended)
        own = (one for one, row in rows if row is None or not self._is_elsewhere(row))
        return attrs.evolve(new, ended=tuple(own))

    def _check_refused(self, row: AccountRow, session: NewSession) -> None:
        """Raise AlreadyLoggedIn if a login is refused: a session is connected that goes on."""
        others = row.sessions - {one.token_hash for one in session.ended}
        if session.refuses and any(self._sessions[one].expires_from is None for one in others):
            raise AlreadyLoggedIn(CONNECTED_ELSEWHERE)

    def _end_for_login(self, row: AccountRow, session: NewSession) -> frozenset[bytes]:
        """End the sessions that a login replaces, and those that are too many with it.

        The device of the new session is stored too.

        Returns:
            The token hashes of the sessions that have ended.
        """
        name, limits = session.device.device if session.device is not None else None, session.limits
        ended: set[bytes] = set()

        def end(hashes: Iterable[bytes]) -> None:
            ended.update(hashes)
            self._end_all(_records(row.id, hashes, session.connected), session.at)

        old = {one: self._sessions[one] for one in row.sessions}
        end([one for one, other in old.items() if _is_replaced(other, session)])
        if limits.sessions:
            end(self._of_device(row, name)[limits.sessions - 1 :])
        if session.device is not None:
            for device in self._devices.begin(row, session.device, limits, session.at):
                end(self._of_device(row, device))
                self._devices.delete(row, device)
        return frozenset(ended)

    def _of_device(self, row: AccountRow, device: str | None) -> list[bytes]:
        """Return the sessions on a device, None: on none; those last that end first."""
        found = self._accounts.sessions_on(row, device)
        return sorted(found, key=lambda one: _connected_first(one, found[one]))

    def login_guest(self, name: str, key: str, session: NewSession) -> int:
        """Create a temporary account with a session and return its id."""
        row = self._accounts.accounts[self._accounts.create(name, key, False)]
        self._end_all(self._with_own(session).ended, session.at)
        row.network = session.network
        self._begin(row, session)
        return row.id

    def _begin(self, row: AccountRow, session: NewSession) -> None:
        if session.token_hash in self._sessions:
            raise NotStored()
        if session.token_hash is not None:
            self._sessions[session.token_hash] = SessionRow(
                row.id,
                len(self._rooms.starts),
                session.at,
                marks_read=session.marks_read,
                device=session.device.device if session.device is not None else None,
                protocol=session.protocol,
                address=session.address,
                created_at=session.at,
            )
            row.sessions |= {session.token_hash}

    # Resuming.

    def resume(
        self,
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
    ) -> ResumeResult:
        """Resume a session; see `ISessionStore.resume`.

        Args:
            token_hash, at, oldest, seen, liveness_ms, limit, network, marks_read, address, known:
                those of `ISessionStore.resume`.
            new_epoch: the epoch that may begin if the logs are shorter than what the client was
                told.
        """
        session = self._sessions.get(token_hash)
        if session is None or (session.expires_from is not None and session.expires_from <= oldest):
            raise BadSession()
        row = self._accounts.accounts[session.account_id]
        moved = session.expires_from is None and self._is_elsewhere(session)
        interval = ConnectedInterval(session.began_at, session.lost_at)
        directs = self._accounts.directs.of_rooms(row.id, seen)
        epoch = None
        try:
            missed = backlogs(
                seen,
                limit,
                lambda deleted_at: interval.saw_deletion(deleted_at, liveness_ms),
                partial(self._rooms.find_log, {one.id for one in directs}),
                self._rooms.read,
                lambda room_id, seq, _: self._rooms.was_lost(session.start, room_id, seq),
            )
        except LogsShortened:
            missed = dict.fromkeys(seen, Backlog(reset="epoch"))
            start = len(self._rooms.starts)
            if row.registered and self._epoch_start < start:
                epoch, self._epoch_start = new_epoch, start
        missed = self._rooms.seen_by(missed, row.id, row.blocks)
        session.marks_read |= marks_read
        received = {room: seq for room, seq in seen.items() if not missed[room].reset}
        self._accounts.set_sent_read(EndedSession(row.id, token_hash, received))
        session.start = len(self._rooms.starts)
        session.began_at, session.lost_at, session.expires_from = at, None, None
        session.address = address
        row.network = network
        return ResumeResult(self._account_state(row, known), missed, epoch, directs, moved)

    def _is_elsewhere(self, session: SessionRow) -> bool:
        """Return whether another node has a session, or waits for its client."""
        return session.node_id not in (None, self.writing)

    def session_lost(self, session: EndedSession, at: int) -> None:
        """Store that a session's connection was lost; see `ISessionStore.session_lost`."""
        self._accounts.set_sent_read(session)
        row = self._sessions.get(session.token_hash)
        if row is not None and row.account_id == session.account_id and not self._is_elsewhere(row):
            row.lost_at = row.expires_from = at
            self._devices.seen(row, at)

    # Listing.

    def sessions(self, account_id: int, oldest: int, tokens_after: int) -> Sequence[SessionRecord]:
        """Return the sessions and devices of an account; see `ISessionStore.sessions`."""
        row = self._accounts.accounts.get(account_id)
        if row is None:
            return []
        found = {one: self._sessions[one] for one in row.sessions}
        listed = [
            self._session_record(row, token_hash, session, tokens_after)
            for token_hash, session in sorted(found.items(), key=lambda one: _connected_first(*one))
            if session.expires_from is None or session.expires_from > oldest
        ][:LISTED_SESSIONS]
        listed.sort(key=lambda one: (one.began_at, one.token_hash or b""))
        on_devices = {one.device for one in listed}
        rest = self._devices.without_session(row, on_devices, tokens_after)
        return [*listed, *rest[: LISTED_SESSIONS - len(listed)]]

    def sessions_at(self, network: str, oldest: int) -> Sequence[tuple[str, SessionRecord]]:
        """Return the sessions of an address; see `ISessionStore.sessions_at`."""
        found = [
            (row.name, attrs.evolve(record, device_name="", remembered=False))
            for row in self._accounts.accounts.values()
            for record in self.sessions(row.id, oldest, 0)
            if record.token_hash is not None and network_key(record.address) == network
        ]
        found.sort(key=lambda one: (-one[1].began_at, one[1].token_hash or b""))
        return found[:LISTED_SESSIONS]

    def _session_record(
        self, row: AccountRow, token_hash: bytes, session: SessionRow, tokens_after: int
    ) -> SessionRecord:
        """Return a session as it is listed."""
        device = row.devices.get(session.device or "")
        return SessionRecord(
            token_hash,
            session.protocol,
            session.address,
            session.created_at,
            session.expires_from,
            session.device,
            device.name if device is not None else "",
            device is not None and self._devices.is_remembered(row, device, tokens_after),
        )

    # Ending.

    def end_session(self, session: EndedSession, at: int, forget: bool) -> None:
        """End a session for good; see `ISessionStore.end_session`."""
        row = self._sessions.get(session.token_hash)
        own = row is not None and row.account_id == session.account_id
        self._end_all([session], at)
        if forget and own and row is not None:
            self._devices.forget(session.account_id, row.device)

    def end_other_sessions(
        self,
        account_id: int,
        keep: bytes | None,
        connected: Sequence[EndedSession],
        at: int | None = None,
    ) -> frozenset[bytes]:
        """End all other sessions, or all; see `ISessionStore.end_other_sessions`."""
        row = self._accounts.accounts.get(account_id)
        return self._end_others(row, keep, connected, at)[1] if row is not None else frozenset()

    def set_password(
        self,
        account_id: int,
        proved: str | None,
        password_hash: str,
        keep: bytes | None,
        ended: Sequence[EndedSession],
        new_token: bytes | None,
    ) -> bool:
        """Change a password, end sessions, revoke tokens; see `ISessionStore.set_password`."""
        row = self.check_proof(account_id, proved)
        device = self._end_others(row, keep, ended)[0]
        row.password_hash = password_hash
        if device is None or device.token_hash is None:
            return False
        self._devices.set_token(row, device, new_token)
        return True

    def _end_others(
        self,
        row: AccountRow,
        keep: bytes | None,
        connected: Sequence[EndedSession],
        at: int | None = None,
    ) -> tuple[DeviceRow | None, frozenset[bytes]]:
        """End all sessions of an account but one, and revoke other tokens if `at` is None.

        Returns:
            The device of the session that goes on, and the token hashes of the others.
        """
        others = row.sessions - {keep}
        self._end_all(_records(row.id, others, connected), at)
        kept = self._sessions[keep] if keep is not None and keep in row.sessions else None
        device = row.devices.get(kept.device or "") if kept is not None else None
        for other in row.devices.values():
            if at is None and other is not device:
                self._devices.set_token(row, other, None)
        return device, others

    def _end_all(self, ended: Iterable[EndedSession], at: int | None) -> None:
        """Delete sessions; what they were sent counts as read.

        Args:
            ended: the sessions.
            at: when their devices were seen last; None if that does not matter.
        """
        for session in ended:
            self._accounts.set_sent_read(session)
            row = self._accounts.end(session.token_hash, session.account_id)
            if row is not None and at is not None:
                self._devices.seen(row, at)

    def prune(self, before: int, tokens_before: int) -> None:
        """Delete what expires from a time before; see `IStore.prune`.

        Args:
            before: sessions, and devices without a token, in milliseconds since 1970, UTC.
            tokens_before: devices with a token.
        """
        for token_hash, session in list(self._sessions.items()):
            if session.expires_from is not None and session.expires_from < before:
                self._accounts.end(token_hash, session.account_id)
        self._devices.prune(before, tokens_before)


def _connected_first(token_hash: bytes, session: SessionRow) -> tuple[bool, int, bytes]:
    """Return the place of a session among those of its account, those last that end first."""
    lost_at = session.expires_from
    return lost_at is not None, -(session.created_at if lost_at is None else lost_at), token_hash


def _is_replaced(old: SessionRow, new: NewSession) -> bool:
    """Return whether a session ends with the login of another one."""
    if new.replaces in (Replaces.NOTHING, Replaces.ALL):
        return new.replaces is Replaces.ALL
    without = new.replaces is Replaces.WITHOUT_DEVICE
    return old.protocol == new.protocol and not (without and old.device is not None)


def _records(
    account_id: int, hashes: Iterable[bytes], connected: Iterable[EndedSession]
) -> list[EndedSession]:
    """Return the records of sessions that end: what was sent to them, if they are connected."""
    known = {session.token_hash: session for session in connected}
    return [known.get(one) or EndedSession(account_id, one, {}) for one in hashes]
