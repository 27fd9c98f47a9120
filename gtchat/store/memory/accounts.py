"""Accounts with their sessions, memberships and blocks, as `MemoryStore` keeps them.

Methods with the name of a method of `IStore` do the same, but return the result at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

import attrs

from gtchat.chat.errors import (
    BadCredentials,
    BadSession,
    NameTaken,
    NoSuchUser,
    NotInRoom,
    NotStored,
)
from gtchat.chat.events import Invited
from gtchat.chat.interfaces import (
    Account,
    AccountState,
    Backlog,
    EndedSession,
    MembershipRecord,
    MessageSearch,
    NewSession,
    PhoneAccount,
    ResumeResult,
    RoomRecord,
    SearchPage,
    StoredGuest,
    UnreadRecord,
)
from gtchat.chat.names import RESERVED
from gtchat.store.memory.rooms import RoomLog, RoomTable, SkeletonIndex
from gtchat.store.memory.rows import AccountRow, SessionRow
from gtchat.store.memory.search import search
from gtchat.store.paging import ConnectedInterval, LogsShortened, backlogs


class AccountTable:
    """All accounts and their sessions.

    Args:
        rooms: the rooms that accounts are members of.
    """

    def __init__(self, rooms: RoomTable) -> None:
        self.accounts: dict[int, AccountRow] = {}
        self._keys: dict[str, AccountRow] = {}
        self._uuids: dict[bytes, AccountRow] = {}
        self._skeletons = SkeletonIndex()
        self._phones: dict[int, PhoneAccount] = {}
        self._sessions: dict[bytes, SessionRow] = {}
        self._blocked_by: defaultdict[int, set[int]] = defaultdict(set)
        self._rooms = rooms
        self._last_id = 0
        #: Number of starts at the last new epoch.
        self._epoch_start = 0
        #: Returns the invitations of an account; set by the mailbox, which has them.
        self.pending_invitations: Callable[[int], tuple[Invited, ...]] = lambda _: ()

    def mark_disconnected(self, at: int) -> None:
        """Let the sessions that are connected expire from a time, in milliseconds since 1970."""
        for session in self._sessions.values():
            if session.expires_from is None:
                session.expires_from = at

    def guests(self) -> tuple[StoredGuest, ...]:
        """Return all temporary accounts."""
        return tuple(
            StoredGuest(row.record(), row.network, bool(row.sessions))
            for row in self.accounts.values()
            if not row.registered
        )

    def room_record(self, room: RoomLog) -> RoomRecord:
        """Return a room with its members, as the chat loads it."""
        members = (self.accounts[account_id] for account_id in room.read)
        return room.record((row.id, row.name, row.registered) for row in members)

    def find(self, key: str, asker: int | None, network: str | None = None) -> Account | None:
        """Return the account with a name; see `IStore.find_account`."""
        row = self._keys.get(key)
        if row is None:
            return None
        return attrs.evolve(row.record(asker, network), memberships=len(row.rooms))

    def find_similar(self, name: str, key: str) -> Account | None:
        """Return the account with a name, else one with a name that looks like it."""
        rival = self._skeletons.rival(name)
        return self.find(key, None) or (None if rival is None else self.accounts[rival].record())

    def find_by_uuid(self, uuid_hash: bytes) -> Account | None:
        """Return the account with a credential."""
        row = self._uuids.get(uuid_hash)
        return None if row is None else row.record()

    def register(
        self,
        name: str,
        key: str,
        password_hash: str | None,
        uuid_hash: bytes | None,
        at: int,
        network: str | None,
    ) -> int:
        """Create a registered account; see `IStore.register`."""
        account_id = self.create(name, key, True, password_hash, uuid_hash)
        self.accounts[account_id].add_network(network, at)
        return account_id

    def create(
        self,
        name: str,
        key: str,
        registered: bool,
        password_hash: str | None = None,
        uuid_hash: bytes | None = None,
    ) -> int:
        """Create an account and return its id. Everything in the lobby counts as read.

        Args:
            name: the name as it is displayed.
            key: the name as it is compared.
            registered: False for a temporary account.
            password_hash: Argon2id hash as text, None without a password.
            uuid_hash: credential of 32 bytes, None without one.

        Raises:
            NameTaken: an account has the name, one that looks like it, or the credential.
        """
        if key in self._keys or uuid_hash in self._uuids:
            raise NameTaken()
        if key not in RESERVED and self._skeletons.rival(name) is not None:
            raise NameTaken()
        self._last_id += 1
        read_seq = self._rooms.lobby.last
        row = AccountRow(self._last_id, name, key, registered, password_hash, uuid_hash, read_seq)
        self.accounts[row.id] = self._keys[key] = row
        self._skeletons.add(name, row.id)
        if uuid_hash is not None:
            self._uuids[uuid_hash] = row
        return row.id

    def register_phone(self, name: str, key: str, number: str, credential: bytes, at: int) -> int:
        """Create an account with a telephone number and return its id."""
        account_id = self.create(name, key, True, None, credential)
        self._phones[account_id] = PhoneAccount(account_id, name, number, at)
        return account_id

    def set_phone_left(self, account_id: int, at: int) -> None:
        """Store when the user of an account with a telephone number was last connected."""
        phone = self._phones.get(account_id)
        if phone is not None:
            self._phones[account_id] = attrs.evolve(phone, left_at=at)

    def phones(self) -> list[PhoneAccount]:
        """Return all accounts with telephone numbers."""
        return list(self._phones.values())

    def require_account(self, account_id: int | None) -> AccountRow:
        """Return an account.

        Raises:
            NoSuchUser: there is no such account.
        """
        row = None if account_id is None else self.accounts.get(account_id)
        if row is None:
            raise NoSuchUser()
        return row

    def set_password(
        self,
        account_id: int,
        proved: str,
        password_hash: str,
        keep: bytes | None,
        ended: Iterable[EndedSession],
    ) -> None:
        """Change a password, and end the sessions other than `keep`; see `IStore.set_password`."""
        row = self._check_proof(account_id, proved)
        self._end_all(ended)
        row.password_hash = password_hash
        self._end_sessions(row, keep)

    def _check_proof(self, account_id: int, proved: str | None) -> AccountRow:
        """Return an account, which must have the password hash that was proved.

        Raises:
            NoSuchUser, BadCredentials.
        """
        row = self.require_account(account_id)
        if row.password_hash != proved:
            raise BadCredentials()
        return row

    def _end_sessions(self, row: AccountRow, keep: bytes | None) -> None:
        for token_hash in row.sessions - {keep}:
            self._end(token_hash, row.id)

    def _end(self, token_hash: bytes, account_id: int) -> None:
        session = self._sessions.get(token_hash)
        if session is not None and session.account_id == account_id:
            del self._sessions[token_hash]
            self.accounts[account_id].sessions -= {token_hash}

    def login(
        self, account_id: int, proved: str | None, session: NewSession, end_others: bool
    ) -> AccountState:
        """Begin a session of a registered account; see `IStore.login`."""
        row = self._check_proof(account_id, proved)
        self._end_all(session.ended)
        row.add_network(session.network, session.at)
        if end_others:
            self._end_sessions(row, None)
        self._begin(row, session)
        return self._account_state(row)

    def login_guest(self, name: str, key: str, session: NewSession) -> int:
        """Create a temporary account with a session and return its id."""
        row = self.accounts[self.create(name, key, False)]
        self._end_all(session.ended)
        row.network = session.network
        self._begin(row, session)
        return row.id

    def _begin(self, row: AccountRow, session: NewSession) -> None:
        if session.token_hash in self._sessions:
            raise NotStored()
        if session.token_hash is not None:
            starts = len(self._rooms.starts)
            self._sessions[session.token_hash] = SessionRow(
                row.id, starts, session.at, marks_read=session.marks_read
            )
            row.sessions |= {session.token_hash}

    def _account_state(self, row: AccountRow) -> AccountState:
        rooms = map(self._rooms.rooms.__getitem__, sorted(row.rooms))
        return AccountState(
            account=row.record(),
            memberships=(
                MembershipRecord(self._rooms.lobby.id, row.lobby_read_seq),
                *(MembershipRecord(room.id, room.read[row.id]) for room in rooms),
            ),
            blocked={other: self.accounts[other].name for other in sorted(row.blocks)},
            blocked_by=frozenset(self._blocked_by.get(row.id, ())),
            invitations=self.pending_invitations(row.id),
        )

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
        new_epoch: str,
    ) -> ResumeResult:
        """Resume a session; see `IStore.resume`.

        Args:
            token_hash, at, oldest, seen, liveness_ms, limit, network, marks_read: those of
                `IStore.resume`.
            new_epoch: the epoch that may begin if the logs are shorter than what the client was
                told.
        """
        session = self._sessions.get(token_hash)
        if session is None or (session.expires_from is not None and session.expires_from <= oldest):
            raise BadSession()
        row = self.accounts[session.account_id]
        interval = ConnectedInterval(session.began_at, session.lost_at)
        epoch = None
        try:
            missed = backlogs(
                seen,
                limit,
                lambda deleted_at: interval.saw_deletion(deleted_at, liveness_ms),
                self._rooms.log_info,
                self._rooms.read,
                lambda room_id, seq, _: self._rooms.was_lost(session.start, room_id, seq),
            )
        except LogsShortened:
            missed = dict.fromkeys(seen, Backlog(reset=True))
            start = len(self._rooms.starts)
            if row.registered and self._epoch_start < start:
                epoch, self._epoch_start = new_epoch, start
        missed = self._rooms.seen_by(missed, row.id, row.blocks)
        session.marks_read |= marks_read
        received = {room: seq for room, seq in seen.items() if not missed[room].reset}
        self._set_sent_read(EndedSession(row.id, token_hash, received))
        session.start = len(self._rooms.starts)
        session.began_at, session.lost_at, session.expires_from = at, None, None
        row.network = network
        return ResumeResult(self._account_state(row), missed, epoch)

    def end_session(self, session: EndedSession) -> None:
        """End a session for good; see `IStore.end_session`."""
        self._end_all([session])

    def _end_all(self, ended: Iterable[EndedSession]) -> None:
        """Delete sessions; what they were sent counts as read."""
        for session in ended:
            self._set_sent_read(session)
            self._end(session.token_hash, session.account_id)

    def session_lost(self, session: EndedSession, at: int) -> None:
        """Store that a session's connection was lost; see `IStore.session_lost`."""
        self._set_sent_read(session)
        row = self._sessions.get(session.token_hash)
        if row is not None and row.account_id == session.account_id:
            row.lost_at = row.expires_from = at

    def _set_sent_read(self, ended: EndedSession) -> None:
        """Mark what was sent to a session as read, unless the session marks it itself."""
        row, session = self.accounts.get(ended.account_id), self._sessions.get(ended.token_hash)
        marks = session is not None and session.account_id == ended.account_id
        if row is None or (marks and session is not None and session.marks_read):
            return
        self.set_read({(row.id, room_id): seq for room_id, seq in ended.sent.items()})

    def set_read(self, marks: Mapping[tuple[int, int], int]) -> None:
        """Mark rooms as read; see `IStore.set_read`."""
        for (account_id, room_id), seq in marks.items():
            row, room = self.accounts.get(account_id), self._rooms.rooms.get(room_id)
            if row is not None and room is self._rooms.lobby:
                row.lobby_read_seq = max(row.lobby_read_seq, seq)
            elif room is not None and account_id in room.read:
                room.read[account_id] = max(room.read[account_id], seq)

    def unread(self, account_id: int | None, token_hash: bytes | None) -> dict[int, UnreadRecord]:
        """Count the unread messages of an account; see `IStore.unread`."""
        session = self._sessions.get(token_hash or b"")
        row = self.accounts.get(account_id or (session.account_id if session is not None else 0))
        if row is None:
            return {}
        not_counted = {other: self.accounts[other].name for other in (row.id, *row.blocks)}
        lobby = self._rooms.lobby
        counts = {lobby.id: lobby.unread(row.lobby_read_seq, not_counted)}
        for room in map(self._rooms.rooms.__getitem__, row.rooms):
            counts[room.id] = room.unread(room.read[row.id], not_counted)
        return {room_id: record for room_id, record in counts.items() if record.unread}

    def search(self, wanted: MessageSearch) -> SearchPage:
        """Return the newest messages that fulfil a query; see `IStore.search`."""
        row = self.accounts.get(wanted.account_id)
        readable = {self._rooms.lobby.id} | (set() if row is None else row.rooms)
        return search(self._rooms, readable, wanted)

    def mark_read(self, account_id: int, token_hash: bytes, room_id: int, seq: int) -> int:
        """Mark a room as read up to an entry; see `IStore.mark_read`."""
        row, room = self.accounts.get(account_id), self._rooms.rooms.get(room_id)
        is_lobby = room is self._rooms.lobby
        if row is None or room is None or not (is_lobby or room_id in row.rooms):
            raise NotInRoom()
        session = self._sessions.get(token_hash)
        if session is not None and session.account_id == account_id:
            session.marks_read = True
        self.set_read({(account_id, room_id): seq})
        return row.lobby_read_seq if is_lobby else room.read[account_id]

    def prune(self, before: int) -> None:
        """Delete sessions that expire from a time before this one, in milliseconds since 1970."""
        for token_hash, session in list(self._sessions.items()):
            if session.expires_from is not None and session.expires_from < before:
                self._end(token_hash, session.account_id)

    def block(self, account_id: int, blocked_id: int, on: bool) -> None:
        """Block an account, or unblock it; see `IStore.block`."""
        if on:
            self.require_account(account_id).blocks |= {self.require_account(blocked_id).id}
            self._blocked_by[blocked_id].add(account_id)
        elif account_id in self.accounts:
            self.accounts[account_id].blocks -= {blocked_id}
            self._blocked_by[blocked_id].discard(account_id)

    def remove_guest(self, account_id: int) -> bool:
        """Delete a temporary account with its sessions and blocks.

        Returns:
            Whether there was such an account.

        Raises:
            NotStored: it is a member or the owner of a room.
        """
        row = self.accounts.get(account_id)
        if row is None or row.registered:
            return False
        if row.rooms or any(room.owner_id == row.id for room in self._rooms.rooms.values()):
            raise NotStored("A member or owner of a room can't be deleted.")
        self._end_sessions(row, None)
        for other in self._blocked_by.pop(account_id, ()):
            self.accounts[other].blocks -= {account_id}
        for other in row.blocks:
            self._blocked_by[other].discard(account_id)
        del self.accounts[account_id], self._keys[row.key]
        self._skeletons.discard(row.name, account_id)
        return True
