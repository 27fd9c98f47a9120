"""Accounts with their sessions, memberships and blocks as `MemoryStore` keeps them.

Methods named like those of `IStore` do what it says, at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import attrs

from gtchat.chat.errors import BadSession, NameTaken, NoSuchUser, NotInRoom, NotStored
from gtchat.chat.interfaces import Account, Belongings, Membership, Phone, Resumed
from gtchat.store.memory_rooms import Logs
from gtchat.store.spans import Lapse, missed


@attrs.define(eq=False)
class Person:
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
    lobby_read: int = 0
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
class Session:
    """A session as in the tables: `lost` and `aged` are None while it is connected."""

    account_id: int
    began: int
    lost: int | None = None
    aged: int | None = None
    marks: bool = False


class People:
    """All accounts."""

    def __init__(self, logs: Logs) -> None:
        self.accounts: dict[int, Person] = {}
        self._keys: dict[str, Person] = {}
        self._uuids: dict[bytes, Person] = {}
        self._phones: dict[int, Phone] = {}
        self._sessions: dict[bytes, Session] = {}
        self._blocked_by: defaultdict[int, set[int]] = defaultdict(set)
        self._logs = logs
        self._last_id = 0

    def strand(self, at: int) -> None:
        """Sessions that were connected until now grow old from here on."""
        for session in self._sessions.values():
            if session.aged is None:
                session.aged = at

    def guests(self) -> tuple[Account, ...]:
        """All temporary accounts."""
        return tuple(one.account() for one in self.accounts.values() if not one.registered)

    def find(self, key: str, asker: int | None) -> Account | None:
        """The account of that name."""
        person = self._keys.get(key)
        return None if person is None else person.account(asker)

    def find_uuid(self, uuid_hash: bytes) -> Account | None:
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
        person = Person(self._last_id, name, key, registered, password_hash, uuid_hash, read)
        self.accounts[person.id] = self._keys[key] = person
        if uuid_hash is not None:
            self._uuids[uuid_hash] = person
        return person.id

    def register_phone(self, name: str, key: str, number: str, credential: bytes, at: int) -> int:
        """Make an account with a telephone number; its id. Raises: NameTaken."""
        account_id = self.create(name, key, True, None, credential)
        self._phones[account_id] = Phone(account_id, name, number, at)
        return account_id

    def left_phone(self, account_id: int, at: int) -> None:
        """Somebody was here last."""
        phone = self._phones.get(account_id)
        if phone is not None:
            self._phones[account_id] = attrs.evolve(phone, left_at=at)

    def phones(self) -> list[Phone]:
        """All accounts with telephone numbers."""
        return list(self._phones.values())

    def known(self, account_id: int | None) -> Person:
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

    def _end_sessions(self, person: Person, keep: bytes | None) -> None:
        for token_hash in person.sessions - {keep}:
            self._end(token_hash, person.id)

    def _end(self, token_hash: bytes, account_id: int) -> None:
        session = self._sessions.get(token_hash)
        if session is not None and session.account_id == account_id:
            del self._sessions[token_hash]
            self.accounts[account_id].sessions -= {token_hash}

    def login(self, account_id: int, token_hash: bytes, end_others: bool, at: int) -> Belongings:
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
        self._sessions[token_hash] = Session(account_id, at)
        self.accounts[account_id].sessions |= {token_hash}

    def _belongings(self, account_id: int) -> Belongings:
        person = self.accounts.get(account_id)
        if person is None:
            raise NoSuchUser()
        rooms = map(self._logs.rooms.__getitem__, sorted(person.rooms))
        return Belongings(
            account=person.account(),
            memberships=(
                self._logs.lobby.place(person.lobby_read),
                *(room.place(room.read[account_id]) for room in rooms),
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
        sure_ms: int,
        most: int,
    ) -> Resumed:
        """Find a session again."""
        session = self._sessions.get(token_hash)
        if session is None or (session.aged is not None and session.aged <= oldest):
            raise BadSession()
        lapse = Lapse(session.began, session.lost)
        logs = self._logs
        found = missed(seen, most, lambda gone: lapse.saw_go(gone, sure_ms), logs.known, logs.read)
        session.began, session.lost, session.aged = at, None, None
        return Resumed(self._belongings(session.account_id), found)

    def end_session(self, account_id: int, token_hash: bytes) -> None:
        """A session has ended; its rooms count as read, unless it said itself what was read."""
        person, session = self.accounts.get(account_id), self._sessions.get(token_hash)
        marks = session is not None and session.account_id == account_id and session.marks
        if person is not None and not marks:
            person.lobby_read = len(self._logs.lobby.log)
            for room in map(self._logs.rooms.__getitem__, person.rooms):
                room.read[account_id] = len(room.log)
        self._end(token_hash, account_id)

    def lose_session(
        self, account_id: int, token_hash: bytes, at: int, told: Mapping[int, int]
    ) -> None:
        """A session's connection was lost."""
        person, session = self.accounts.get(account_id), self._sessions.get(token_hash)
        if session is not None and session.account_id == account_id:
            session.lost = session.aged = at
            if session.marks:
                return
        if person is not None:
            person.lobby_read = max(person.lobby_read, told.get(self._logs.lobby.id, 0))
            for room_id in person.rooms & told.keys():
                read = self._logs.rooms[room_id].read
                read[account_id] = max(read[account_id], told[room_id])

    def mark_read(self, account_id: int, token_hash: bytes, room_id: int, seq: int) -> Membership:
        """Somebody has read a room up to an entry. Raises: NotInRoom."""
        person, room = self.accounts.get(account_id), self._logs.rooms.get(room_id)
        is_lobby = room is self._logs.lobby
        if person is None or room is None or not (is_lobby or room_id in person.rooms):
            raise NotInRoom()
        session = self._sessions.get(token_hash)
        if session is not None and session.account_id == account_id:
            session.marks = True
        if is_lobby:
            person.lobby_read = read = max(person.lobby_read, seq)
        else:
            room.read[account_id] = read = max(room.read[account_id], seq)
        return room.place(read)

    def prune(self, before: int) -> None:
        """Forget sessions that grow old since before a time."""
        for token_hash, session in list(self._sessions.items()):
            if session.aged is not None and session.aged < before:
                self._end(token_hash, session.account_id)

    def block(self, account_id: int, blocked_id: int, on: bool) -> None:
        """Begin or end a block."""
        if on:
            self.known(account_id).blocks |= {self.known(blocked_id).id}
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
