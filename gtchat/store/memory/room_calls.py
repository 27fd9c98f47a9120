"""The methods of `IRoomStore` of the store in memory; `MemoryStore` inherits them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import islice

import attrs
from twisted.internet.defer import Deferred, succeed

import gtchat.store.room_tells as room_tells
from gtchat.chat.events import Entry, MessageSent
from gtchat.chat.interfaces import FoundRoom, ListedRoom, RoomRecord, UnreadRecord
from gtchat.chat.room_records import RecentMessages
from gtchat.store.memory.accounts import AccountTable
from gtchat.store.memory.calls import MemoryCalls
from gtchat.store.memory.mentions import MentionTable
from gtchat.store.memory.room_log import RoomLog
from gtchat.store.memory.rooms import RoomTable


@attrs.frozen
class RoomLists:
    """Rooms as records, and lists of them."""

    _rooms: RoomTable
    _accounts: AccountTable

    def all(self) -> tuple[RoomRecord, ...]:
        """Return all rooms."""
        return tuple(map(self._accounts.room_record, self._rooms.keys.values()))

    def some(self, ids: Collection[int], key: str | None = None) -> tuple[RoomRecord, ...]:
        """Return rooms; see `IRoomStore.load_rooms`."""
        return tuple(
            self._accounts.room_record(room)
            for room in self._rooms.keys.values()
            if room.id in ids or room.key == key
        )

    def lobby(self) -> tuple[RoomRecord, ...]:
        """Return the lobby."""
        return (self._accounts.room_record(self._rooms.lobby),)

    def _public(self) -> list[RoomLog]:
        """Return the public rooms in the order of their keys, without the lobby."""
        lobby, found = self._rooms.lobby, sorted(self._rooms.keys.items())
        return [room for _, room in found if room.public and room is not lobby]

    def listed(self, after: str | None, limit: int) -> tuple[ListedRoom, ...]:
        """Return public rooms; see `IRoomStore.public_rooms`."""
        found = (room for room in self._public() if after is None or room.key > after)
        return tuple(
            ListedRoom(
                room.id,
                room.name,
                room.key,
                room.topic,
                room.owner,
                room.last,
                room.preview,
                len(room.read),
            )
            for room in islice(found, limit)
        )

    def public_total(self) -> int:
        """Return how many public rooms there are, without the lobby."""
        return len(self._public())

    def ownerless(self) -> tuple[int, ...]:
        """Return the ids of the rooms without an owner, without the lobby."""
        return tuple(room.id for room in self._rooms.owned_by(None))

    def of_account(
        self, account_id: int | None, token_hash: bytes | None
    ) -> dict[int, tuple[str, str]]:
        """Return the rooms that an account is in or owns; see `IRoomStore.rooms_of`."""
        row = self._accounts.row_of(account_id, token_hash)
        found = [] if row is None else self._accounts.rooms_of(row)
        return {room.id: (room.name, room.key) for room in found}

    def find(self, keys: Collection[str]) -> dict[str, FoundRoom]:
        """Return what is told of rooms; see `IRoomStore.find_rooms`."""
        found = {key: self._rooms.keys.get(key) for key in keys}
        return {
            key: FoundRoom(room.id, room.public, room.preview, room.owner_id, room.moderation)
            for key, room in found.items()
            if room is not None
        }

    def search(self, search: str, after: str, limit: int) -> list[int]:
        """Return ids of rooms; see `IRoomStore.search_rooms`."""
        found = sorted(self._rooms.keys.items())
        return [room.id for key, room in found if key > after and search in key][:limit]

    def count_received(self, account_ids: Collection[int]) -> dict[int, int]:
        """Return how many rooms accounts have received; see `IRoomStore.count_received`."""
        counts = {one: self._rooms.received_by(one) for one in account_ids}
        return {account_id: count for account_id, count in counts.items() if count}

    def recent_messages(self, room_id: int, wanted: RecentMessages) -> list[int]:
        """Return seqs of messages of a user; see `IRoomStore.recent_messages`."""
        room = self._rooms.rooms.get(room_id)
        found = [] if room is None else room.after(wanted.after)
        seqs = [
            one.seq
            for one in reversed(found)
            if isinstance(one, MessageSent)
            and one.at >= wanted.since
            and (one.subject_id == wanted.account_id or one.usr == wanted.usr)
            and one.msg
        ]
        return seqs[: wanted.limit]

    def member_names(self, room_id: int, after: str | None, limit: int) -> tuple[list[str], int]:
        """Return names of members of a room; see `IRoomStore.member_names`."""
        room = self._rooms.rooms.get(room_id)
        members = [] if room is None else list(room.read)
        names = sorted(self._accounts.accounts[one].name for one in members)
        return [name for name in names if name > (after or "")][:limit], len(names)


class MemoryRoomCalls(MemoryCalls):
    """Calls of `IRoomStore`."""

    _rooms: RoomTable
    _room_lists: RoomLists
    _mentions: MentionTable
    _is_node: bool

    def load_rooms(
        self, ids: Collection[int], key: str | None = None
    ) -> Deferred[Sequence[RoomRecord]]:
        """See `IRoomStore.load_rooms`."""
        if self._is_node:
            return self._write(tuple, plan=room_tells.load_rooms(ids, key))
        return self._write(self._room_lists.some, ids, key)

    def release(self, rooms: Mapping[int, int]) -> Deferred[None]:
        """See `IRoomStore.release`."""
        if not self._is_node:
            return succeed(None)
        return self._write(lambda: None, plan=room_tells.release(rooms))

    def entries_since(self, room_id: int, seq: int, limit: int) -> Deferred[Sequence[Entry]]:
        """See `IRoomStore.entries_since`."""
        args = (room_id, seq, limit)
        return self._write(self._rooms.entries_since, *args, plan=room_tells.load_rooms([room_id]))

    def public_rooms(self, after: str | None, limit: int) -> Deferred[Sequence[ListedRoom]]:
        """See `IRoomStore.public_rooms`."""
        return self._write(self._room_lists.listed, after, limit)

    def count_public(self) -> Deferred[int]:
        """See `IRoomStore.count_public`."""
        return succeed(self._room_lists.public_total())

    def rooms_of(
        self, account_id: int | None, token_hash: bytes | None
    ) -> Deferred[tuple[Mapping[int, tuple[str, str]], Mapping[int, UnreadRecord]]]:
        """See `IRoomStore.rooms_of`."""

        def read() -> tuple[dict[int, tuple[str, str]], Mapping[int, UnreadRecord]]:
            rooms = self._room_lists.of_account(account_id, token_hash)
            return rooms, self._mentions.count(account_id, token_hash)

        return self._read(read)

    def find_rooms(self, keys: Collection[str]) -> Deferred[Mapping[str, FoundRoom]]:
        """See `IRoomStore.find_rooms`."""
        return self._read(self._room_lists.find, keys)

    def search_rooms(self, search: str, after: str, limit: int) -> Deferred[Sequence[int]]:
        """See `IRoomStore.search_rooms`."""
        return self._read(self._room_lists.search, search, after, limit)

    def count_received(self, account_ids: Collection[int]) -> Deferred[Mapping[int, int]]:
        """See `IRoomStore.count_received`."""
        return self._read(self._room_lists.count_received, account_ids)

    def recent_messages(self, room_id: int, wanted: RecentMessages) -> Deferred[Sequence[int]]:
        """See `IRoomStore.recent_messages`."""
        return self._read(self._room_lists.recent_messages, room_id, wanted)

    def member_names(
        self, room_id: int, after: str | None, limit: int
    ) -> Deferred[tuple[list[str], int]]:
        """See `IRoomStore.member_names`."""
        return self._read(self._room_lists.member_names, room_id, after, limit)
