"""What the texts of messages take, and quotas, as `MemoryStore` counts them.

Methods with the name of a method of `IStorageStore` do the same, but return the result at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs

from gtchat.chat.errors import NoSuchRoom, NoSuchUser
from gtchat.chat.events import MessageSent
from gtchat.chat.rooms import LOBBY
from gtchat.chat.storage_store import (
    DIRECT_MESSAGES,
    AtQuota,
    CountedBy,
    StorageLimits,
    StorageQuery,
    StorageUse,
    StoredTexts,
)
from gtchat.store.memory.accounts import AccountTable
from gtchat.store.memory.room_log import RoomLog
from gtchat.store.memory.rooms import RoomTable


class StorageTable:
    """Counts texts each time that it is asked.

    Args:
        accounts: the accounts.
        rooms: the rooms.
    """

    def __init__(self, accounts: AccountTable, rooms: RoomTable) -> None:
        self._accounts = accounts
        self._rooms = rooms
        #: What has a quota of its own, by id -> bytes, 0 for any number.
        self._quotas: Mapping[CountedBy, dict[int, int]] = {"rooms": {}, "accounts": {}}

    def storage(self, query: StorageQuery) -> StorageUse:
        """Return what the texts of messages take, by room or by account."""
        found: dict[str, StoredTexts] = {}
        for texts in self._sums(query.by).values():
            if (texts.quota is not None) if query.exceptions else texts.messages:
                sums = found.get(texts.name, StoredTexts(texts.name, 0, 0))
                found[texts.name] = attrs.evolve(
                    texts,
                    messages=texts.messages + sums.messages,
                    bytes=texts.bytes + sums.bytes,
                )
        rows = sorted(found.values(), key=lambda one: (-one.bytes, one.name))
        return StorageUse(tuple(rows[: query.limit]), True)

    def stored_texts(self, by: CountedBy, owner_id: int) -> StoredTexts:
        """Return what one room or account takes; without a name if there is none."""
        return self._sums(by).get(owner_id, StoredTexts("", 0, 0))

    def over_quota(self, limits: StorageLimits) -> AtQuota:
        """Return the rooms and accounts that are at their quota or above."""
        return AtQuota(
            accounts=dict(self._over("accounts", limits.account)),
            rooms=dict(self._over("rooms", limits.room)),
        )

    def _over(self, by: CountedBy, limit: int) -> Iterator[tuple[int, tuple[int, int]]]:
        if not limit and not self._quotas[by]:
            return
        lobby = self._rooms.keys[LOBBY].id if by == "rooms" else None
        for owner_id, texts in self._sums(by).items():
            general = 0 if owner_id == lobby or texts.name == DIRECT_MESSAGES else limit
            allowed = general if texts.quota is None else texts.quota
            if allowed and texts.bytes >= allowed:
                yield owner_id, (texts.bytes, allowed)

    def set_quota(self, by: CountedBy, owner_id: int, quota: int | None) -> None:
        """Give a room or a registered account a quota of its own."""
        if by == "rooms":
            room = self._rooms.rooms.get(owner_id)
            if room is None or not self._is_room(room):
                raise NoSuchRoom()
        elif owner_id not in self._sums(by):
            raise NoSuchUser()
        self._quotas[by].pop(owner_id, None)
        if quota is not None:
            self._quotas[by][owner_id] = quota

    def _is_room(self, room: RoomLog) -> bool:
        """Return whether a log is that of a room, not of a direct conversation."""
        return self._rooms.keys.get(room.key) is room

    def _sums(self, by: CountedBy) -> dict[int, StoredTexts]:
        """Return the id of each room or registered account -> what it takes."""
        rooms = self._rooms.rooms.values()
        if by == "rooms":
            names = {one.id: one.name if self._is_room(one) else DIRECT_MESSAGES for one in rooms}
        else:
            registered = (one for one in self._accounts.accounts.values() if one.registered)
            names = {one.id: one.name for one in registered}
        counts, sizes = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
        for room in rooms:
            for message in _messages(room.log):
                owner_id = room.id if by == "rooms" else message.subject_id
                if owner_id in names:
                    counts[owner_id] += 1
                    sizes[owner_id] += len(message.msg.encode())
        quotas = self._quotas[by]
        return {
            one: StoredTexts(name, counts[one], sizes[one], quotas.get(one))
            for one, name in names.items()
        }


def _messages(log: Iterable[object]) -> Iterator[MessageSent]:
    return (entry for entry in log if isinstance(entry, MessageSent))
