"""Accounts with their sessions, memberships and blocks as `MemoryStore` keeps them.

Methods named like those of `IStore` do what it says, at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import attrs

from gtchat.chat.errors import BadSession, NameTaken, NoSuchUser, NotInRoom, NotStored
from gtchat.chat.interfaces import (
    Account,
    AccountState,
    MembershipRecord,
    PhoneAccount,
    ResumeResult,
)
from gtchat.store.memory.rooms import RoomTable
from gtchat.store.paging import ConnectedInterval, backlogs


@attrs.define(eq=False)
class AccountRow:
    """An account with what belongs to it.

    Attributes:
        lobby_read: the entry of the lobby that it has read up to.
        rooms: ids of those that it is a member of.
        blocks: ids of the accounts that it blocks.
        sessions: token hashes.
    """

    id: int
    name: str
    key: str
    registered: bool
    password_hash: str | None = None
    uuid_hash: bytes | None = None
    lobby_read_seq: int = 0
    rooms: set[int] = attrs.field(factory=set)
    blocks: frozenset[int] = frozenset()
    sessions: frozenset[bytes] = frozenset()

    def account(self, asker: int | None = None) -> Account:
        """It, as a chat wants to know it."""
        return Account(
            id=self.id,
            name=self.name,
            key=self.key,
            registered=self.registered,
            password_hash=self.password_hash,
            blocks_asker=asker in self.blocks,
        )


@attrs.define(eq=False)
class SessionRow:
    """A session as in the tables: `lost` and `aged` are None while it is connected."""

    account_id: int
    began_at: int
    lost_at: int | None = None
    expires_from: int | None = None
    marks_read: bool = False


class AccountTable:
    """All accounts."""

    def __init__(self, logs: RoomTable) -> None:
        self.accounts: dict[int, AccountRow] = {}
        self._keys: dict[str, AccountRow] = {}
        self._uuids: dict[bytes, AccountRow] = {}
        self._phones: dict[int, PhoneAccount] = {}
        self._sessions: dict[bytes, SessionRow] = {}
        self._blocked_by: defaultdict[int, set[int]] = defaultdict(set)
        self._logs = logs
        self._last_id = 0

    def mark_disconnected(self, at: int) -> None:
        """Sessions that were connected until now grow old from here on."""
        for session in self._sessions.values():
            if session.expires_from is None:
                session.expires_from = at

    def guests(self) -> tuple[Account, ...]:
        """All temporary accounts."""
        return tuple(one.account() for one in self.accounts.values() if not one.registered)

    def find(self, key: str, asker: int | None) -> Account | None:
        """The account of that name."""
        person = self._keys.get(key)
        return None if person is None else person.account(asker)

    def find_by_uuid(self, uuid_hash: bytes) -> Account | None:
        """The account whose credential is that UUID."""
        person = self._uuids.get(uuid_hash)
        return None if person is None else person.account()

    def create(
        self,
        name: str,
        key: str,
        registered: bool,
        password_hash: str | None = None,
        uuid_hash: bytes | None = None,
    ) -> int:
        """Make an account; its id. Raises: NameTaken."""
        if key in self._keys or uuid_hash in self._uuids:
            raise NameTaken()
        self._last_id += 1
        read = len(self._logs.lobby.log)
        person = AccountRow(self._last_id, name, key, registered, password_hash, uuid_hash, read)
        self.accounts[person.id] = self._keys[key] = person
        if uuid_hash is not None:
            self._uuids[uuid_hash] = person
        return person.id

    def register_phone(self, name: str, key: str, number: str, credential: bytes, at: int) -> int:
        """Make an account with a telephone number; its id. Raises: NameTaken."""
        account_id = self.create(name, key, True, None, credential)
        self._phones[account_id] = PhoneAccount(account_id, name, number, at)
        return account_id

    def set_phone_left(self, account_id: int, at: int) -> None:
        """Somebody was here last."""
        phone = self._phones.get(account_id)
        if phone is not None:
            self._phones[account_id] = attrs.evolve(phone, left_at=at)

    def phones(self) -> list[PhoneAccount]:
        """All accounts with telephone numbers."""
        return list(self._phones.values())

    def require_account(self, account_id: int | None) -> AccountRow:
        """An account. Raises: NotStored, if it is gone."""
        person = None if account_id is None else self.accounts.get(account_id)
        if person is None:
            raise NotStored()
        return person

    def set_password(self, account_id: int, password_hash: str, keep: bytes | None) -> None:
        """Change a password; sessions other than `keep` end."""
        person = self.accounts.get(account_id)
        if person is not None:
            person.password_hash = password_hash
            self._end_sessions(person, keep)

    def _end_sessions(self, person: AccountRow, keep: bytes | None) -> None:
        for token_hash in person.sessions - {keep}:
            self._end(token_hash, person.id)

    def _end(self, token_hash: bytes, account_id: int) -> None:
        session = self._sessions.get(token_hash)
        if session is not None and session.account_id == account_id:
            del self._sessions[token_hash]
            self.accounts[account_id].sessions -= {token_hash}

    def login(self, account_id: int, token_hash: bytes, end_others: bool, at: int) -> AccountState:
        """Begin a session of a registered account."""
        found = self._belongings(account_id)
        if end_others:
            self._end_sessions(self.accounts[account_id], None)
        self._begin(account_id, token_hash, at)
        return found

    def login_guest(self, name: str, key: str, token_hash: bytes, at: int) -> int:
        """Make a temporary account with a session; its id."""
        account_id = self.create(name, key, False)
        self._begin(account_id, token_hash, at)
        return account_id

    def _begin(self, account_id: int, token_hash: bytes, at: int) -> None:
        if token_hash in self._sessions:
            raise NotStored()
        self._sessions[token_hash] = SessionRow(account_id, at)
        self.accounts[account_id].sessions |= {token_hash}

    def _belongings(self, account_id: int) -> AccountState:
        person = self.accounts.get(account_id)
        if person is None:
            raise NoSuchUser()
        rooms = map(self._logs.rooms.__getitem__, sorted(person.rooms))
        return AccountState(
            account=person.account(),
            memberships=(
                self._logs.lobby.membership(person.lobby_read_seq),
                *(room.membership(room.read[account_id]) for room in rooms),
            ),
            blocked={one: self.accounts[one].name for one in sorted(person.blocks)},
            blocked_by=frozenset(self._blocked_by.get(account_id, ())),
        )

    def resume(
        self,
        token_hash: bytes,
        at: int,
        oldest: int,
        seen: Mapping[int, int],
        liveness_ms: int,
        limit: int,
    ) -> ResumeResult:
        """Find a session again."""
        session = self._sessions.get(token_hash)
        if session is None or (session.expires_from is not None and session.expires_from <= oldest):
            raise BadSession()
        lapse = ConnectedInterval(session.began_at, session.lost_at)
        logs = self._logs
        found = backlogs(
            seen,
            limit,
            lambda gone: lapse.saw_deletion(gone, liveness_ms),
            logs.log_info,
            logs.read,
        )
        session.began_at, session.lost_at, session.expires_from = at, None, None
        return ResumeResult(self._belongings(session.account_id), found)

    def end_session(self, account_id: int, token_hash: bytes) -> None:
        """A session has ended; its rooms count as read, unless it said itself what was read."""
        person, session = self.accounts.get(account_id), self._sessions.get(token_hash)
        marks = session is not None and session.account_id == account_id and session.marks_read
        if person is not None and not marks:
            person.lobby_read_seq = len(self._logs.lobby.log)
            for room in map(self._logs.rooms.__getitem__, person.rooms):
                room.read[account_id] = len(room.log)
        self._end(token_hash, account_id)

    def lose_session(
        self, account_id: int, token_hash: bytes, at: int, told: Mapping[int, int]
    ) -> None:
        """A session's connection was lost."""
        person, session = self.accounts.get(account_id), self._sessions.get(token_hash)
        if session is not None and session.account_id == account_id:
            session.lost_at = session.expires_from = at
            if session.marks_read:
                return
        if person is not None:
            person.lobby_read_seq = max(person.lobby_read_seq, told.get(self._logs.lobby.id, 0))
            for room_id in person.rooms & told.keys():
                read = self._logs.rooms[room_id].read
                read[account_id] = max(read[account_id], told[room_id])

    def mark_read(
        self, account_id: int, token_hash: bytes, room_id: int, seq: int
    ) -> MembershipRecord:
        """Somebody has read a room up to an entry. Raises: NotInRoom."""
        person, room = self.accounts.get(account_id), self._logs.rooms.get(room_id)
        is_lobby = room is self._logs.lobby
        if person is None or room is None or not (is_lobby or room_id in person.rooms):
            raise NotInRoom()
        session = self._sessions.get(token_hash)
        if session is not None and session.account_id == account_id:
            session.marks_read = True
        if is_lobby:
            person.lobby_read_seq = read = max(person.lobby_read_seq, seq)
        else:
            room.read[account_id] = read = max(room.read[account_id], seq)
        return room.membership(read)

    def prune(self, before: int) -> None:
        """Forget sessions that grow old since before a time."""
        for token_hash, session in list(self._sessions.items()):
            if session.expires_from is not None and session.expires_from < before:
                self._end(token_hash, session.account_id)

    def block(self, account_id: int, blocked_id: int, on: bool) -> None:
        """Begin or end a block."""
        if on:
            self.require_account(account_id).blocks |= {self.require_account(blocked_id).id}
            self._blocked_by[blocked_id].add(account_id)
        elif account_id in self.accounts:
            self.accounts[account_id].blocks -= {blocked_id}
            self._blocked_by[blocked_id].discard(account_id)

    def remove_guest(self, account_id: int) -> bool:
        """Delete a temporary account with its sessions, memberships and blocks; whether it was
        there."""
        person = self.accounts.get(account_id)
        if person is None or person.registered:
            return False
        self._end_sessions(person, None)
        for room_id in person.rooms:
            del self._logs.rooms[room_id].read[account_id]
        for other in self._blocked_by.pop(account_id, ()):
            self.accounts[other].blocks -= {account_id}
        for other in person.blocks:
            self._blocked_by[other].discard(account_id)
        del self.accounts[account_id], self._keys[person.key]
        return True
