"""Accounts with their memberships, blocks and read state, as `MemoryStore` keeps them.

What happens to their sessions is in `sessions`.

Methods with the name of a method of `IStore` do the same, but return the result at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping

import attrs

from gtchat.chat.deletion_rules import FOR_EVER
from gtchat.chat.direct_records import LISTED_DIRECTS
from gtchat.chat.errors import Blocked, NameTaken, NoSuchUser, NotInRoom, NotStored
from gtchat.chat.events import Invited
from gtchat.chat.interfaces import (
    Account,
    AccountState,
    EndedSession,
    MembershipRecord,
    MessageSearch,
    PhoneAccount,
    RoomRecord,
    SearchPage,
    StoredGuest,
)
from gtchat.chat.look_alikes import rivals, skeleton
from gtchat.chat.names import RESERVED
from gtchat.chat.profile_store import NO_PROFILE, Profile
from gtchat.store.memory.room_log import RoomLog
from gtchat.store.memory.rooms import RoomTable, SkeletonIndex
from gtchat.store.memory.rows import AccountDirects, AccountRow, ReservedName, SessionRow
from gtchat.store.memory.search import search
from gtchat.store.pending import check_blocks


class AccountTable:
    """All accounts and their sessions.

    Args:
        rooms: the rooms that accounts are members of.

    Attributes:
        accounts: account id -> account.
        sessions: token hash -> session.
        reserved: key of a former name -> for which account it is reserved.
    """

    def __init__(self, rooms: RoomTable) -> None:
        self.accounts: dict[int, AccountRow] = {}
        self._keys: dict[str, AccountRow] = {}
        self._uuids: dict[bytes, AccountRow] = {}
        self._skeletons = SkeletonIndex()
        self.reserved: dict[str, ReservedName] = {}
        self._phones: dict[int, PhoneAccount] = {}
        self.sessions: dict[bytes, SessionRow] = {}
        self._blocked_by: defaultdict[int, set[int]] = defaultdict(set)
        self._rooms = rooms
        self._last_id = 0
        #: Returns the invitations of an account; set by the mailbox, which has them.
        self.pending_invitations: Callable[[int], tuple[Invited, ...]] = lambda _: ()
        #: The direct conversations; they set this themselves.
        self.directs: AccountDirects

    def guests(self) -> tuple[StoredGuest, ...]:
        """Return all temporary accounts."""
        return tuple(
            StoredGuest(row.record(), row.network, bool(row.sessions))
            for row in self.accounts.values()
            if not row.registered
        )

    def missing(self, row: AccountRow, known: Collection[int]) -> tuple[RoomRecord, ...]:
        """Return the rooms of an account that are not in memory; see `AccountState.rooms`."""
        return tuple(self.room_record(one) for one in self.rooms_of(row) if one.id not in known)

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

    def is_name_taken(self, name: str, key: str) -> bool:
        """Return whether an account has a name, or one that looks like it; or had it."""
        found = self._skeletons.rival(name), self._reserved_for(name, key), self._keys.get(key)
        return found != (None, None, None)

    def _reserved_for(self, name: str, key: str) -> int | None:
        """Return the account for which a name, or one that looks like it, is reserved, if any."""
        looks = rivals(skeleton(name)) if self.reserved else ()
        for reserved_key, one in self.reserved.items():
            if reserved_key == key or skeleton(one.name) in looks:
                return one.account_id
        return None

    def reserve(self, account_id: int, name: str, key: str, until: int) -> None:
        """Reserve a former name for its account until a time."""
        self.reserved[key] = ReservedName(account_id, name, until)

    def rename(self, row: AccountRow, name: str, key: str) -> bool:
        """Give an account another name. Return whether it is free."""
        holder = self._reserved_for(name, key)
        self._skeletons.discard(row.name, row.id)
        is_taken = key in self._keys and self._keys[key] is not row
        if is_taken or self._skeletons.rival(name) is not None or holder not in (None, row.id):
            self._skeletons.add(row.name, row.id)
            return False
        del self._keys[row.key]
        row.name, row.key, self._keys[key] = name, key, row
        self._skeletons.add(name, row.id)
        return True

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
        self.accounts[account_id].created_at = at
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
        if self._reserved_for(name, key) is not None:
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

    def require_lasting(self, account_id: int) -> AccountRow:
        """Return an account that is not being deleted. Raises NoSuchUser."""
        row = self.require_account(account_id)
        if row.is_ending:
            raise NoSuchUser()
        return row

    def find_profile(self, account_id: int) -> tuple[Profile, int]:
        """Return the profile of an account; see `IProfileStore.find_profile`."""
        row = self.accounts.get(account_id)
        if row is None:
            return NO_PROFILE, 0
        sessions = map(self.sessions.__getitem__, row.sessions)
        seen = [one.began_at if one.lost_at is None else one.lost_at for one in sessions]
        seen += [device.last_seen for device in row.devices.values()]
        return row.profile, max(seen, default=0)

    def set_profile(self, account_id: int, profile: Profile) -> None:
        """Keep the profile of an account; see `IProfileStore.set_profile`."""
        self.require_account(account_id).profile = profile

    def begin_ending(self, row: AccountRow) -> None:
        """Take all from an account that is being deleted with which its user could come in."""
        row.is_ending, row.operator, row.password_hash = True, False, None
        self._uuids.pop(row.uuid_hash or b"", None)
        self._phones.pop(row.id, None)
        row.uuid_hash = None
        self.reserve(row.id, row.name, row.key, FOR_EVER)
        for key, one in self.reserved.items():
            if one.account_id == row.id:
                self.reserved[key] = attrs.evolve(one, until=FOR_EVER)

    def end_sessions(self, row: AccountRow, keep: bytes | None) -> None:
        """Delete the sessions of an account but one; None: all."""
        for token_hash in row.sessions - {keep}:
            self.end(token_hash, row.id)

    def sessions_on(self, row: AccountRow, device: str | None) -> dict[bytes, SessionRow]:
        """Return the sessions of an account on a device by token hash; None: without a device."""
        sessions = {one: self.sessions[one] for one in row.sessions}
        return {one: session for one, session in sessions.items() if session.device == device}

    def end(self, token_hash: bytes, account_id: int) -> SessionRow | None:
        """Delete a session of an account and return it, None if there is none."""
        session = self.sessions.get(token_hash)
        if session is None or session.account_id != account_id:
            return None
        del self.sessions[token_hash]
        self.accounts[account_id].sessions -= {token_hash}
        return session

    def rooms_of(self, row: AccountRow) -> list[RoomLog]:
        """Return the rooms that an account is in or owns, in the order of their ids."""
        ids = {*row.rooms, *(room.id for room in self._rooms.owned_by(row.id))}
        return [self._rooms.rooms[id_] for id_ in sorted(ids)]

    def account_state(self, row: AccountRow) -> AccountState:
        """Return what a login loads of an account, without its rooms."""
        rooms = map(self._rooms.rooms.__getitem__, sorted(row.rooms))
        return AccountState(
            account=row.record(),
            memberships=(
                *(
                    MembershipRecord(room.id, read_seq, row.notify.get(room.id, "all"))
                    for room, read_seq in (
                        (self._rooms.lobby, row.lobby_read_seq),
                        *((room, room.read[row.id]) for room in rooms),
                    )
                ),
            ),
            blocked={other: self.accounts[other].name for other in sorted(row.blocks)},
            blocked_by=frozenset(self._blocked_by.get(row.id, ())),
            invitations=self.pending_invitations(row.id),
            directs=self.directs.newest(row.id, LISTED_DIRECTS),
        )

    def set_sent_read(self, ended: EndedSession) -> None:
        """Mark what was sent to a session as read, unless the session marks it itself."""
        row, session = self.accounts.get(ended.account_id), self.sessions.get(ended.token_hash)
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

    def row_of(self, account_id: int | None, token_hash: bytes | None) -> AccountRow | None:
        """Return an account, or that of a session; None if there is none."""
        session = self.sessions.get(token_hash or b"")
        return self.accounts.get(account_id or (session.account_id if session is not None else 0))

    def search(self, wanted: MessageSearch) -> SearchPage:
        """Return the newest messages that fulfil a query; see `IStore.search`."""
        row = self.accounts.get(wanted.account_id)
        rooms = dict.fromkeys([self._rooms.lobby.id, *(() if row is None else row.rooms)])
        return search(self._rooms, rooms | self.directs.others(wanted.account_id), wanted)

    def mark_read(self, account_id: int, token_hash: bytes, room_id: int, seq: int) -> int:
        """Mark a room as read up to an entry; see `IStore.mark_read`."""
        row, room = self.accounts.get(account_id), self._rooms.rooms.get(room_id)
        is_lobby = room is self._rooms.lobby
        if row is None or room is None or not (is_lobby or account_id in room.read):
            raise NotInRoom()
        session = self.sessions.get(token_hash)
        if session is not None and session.account_id == account_id:
            session.marks_read = True
        self.set_read({(account_id, room_id): seq})
        return row.lobby_read_seq if is_lobby else room.read[account_id]

    def block(self, account_id: int, blocked_id: int, on: bool, limit: int) -> None:
        """Block an account, or unblock it; see `IStore.block`."""
        if on:
            row, blocked = self.require_account(account_id), self.require_account(blocked_id)
            others = len(row.blocks - {blocked.id})
            check_blocks(limit, lambda limit: others >= limit)
            row.blocks |= {blocked.id}
            self._blocked_by[blocked_id].add(account_id)
        elif account_id in self.accounts:
            self.accounts[account_id].blocks -= {blocked_id}
            self._blocked_by[blocked_id].discard(account_id)

    def require_unblocked(self, account_id: int, by_id: int) -> None:
        """Raise Blocked if an account is blocked by another one, which there is."""
        if account_id in self.accounts[by_id].blocks:
            raise Blocked()

    def remove_guest(self, account_id: int) -> bool:
        """Delete an account that ends with its sessions and blocks.

        Returns:
            Whether there was such an account.

        Raises:
            NotStored: it is a member or the owner of a room.
        """
        row = self.accounts.get(account_id)
        if row is None or (row.registered and not row.is_ending):
            return False
        if row.rooms or any(room.owner_id == row.id for room in self._rooms.rooms.values()):
            raise NotStored("A member or owner of a room can't be deleted.")
        self.end_sessions(row, None)
        for other in self._blocked_by.pop(account_id, ()):
            self.accounts[other].blocks -= {account_id}
        for other in row.blocks:
            self._blocked_by[other].discard(account_id)
        del self.accounts[account_id], self._keys[row.key]
        self._skeletons.discard(row.name, account_id)
        return True
