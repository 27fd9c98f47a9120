"""The methods of `IRoomStore` of the store on disk; `SQLStore` inherits them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, succeed

import gtchat.store.room_tells as room_tells
from gtchat.chat.events import Entry
from gtchat.chat.interfaces import FoundRoom, ListedRoom, RoomRecord, UnreadRecord
from gtchat.chat.room_records import RecentMessages
from gtchat.store.jobs import NO_PLAN, Plan
from gtchat.store.sql import read_state, room_records
from gtchat.store.sql.database import Connection
from gtchat.store.sql.follower import Follower
from gtchat.store.sql.history import entries_after
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.public_count import PublicCount
from gtchat.store.sql.read_pool import ReadPool
from gtchat.store.sql.room_changes import find_shown

T = TypeVar("T")


class RoomCalls(ABC):
    """Calls of `IRoomStore`: those with a place in the queue go there, reads to the read pool."""

    _reads: ReadPool
    _log_writer: LogWriter
    _follower: Follower | None
    _public_count: PublicCount

    @abstractmethod
    def _write(self, function: Callable[..., T], *args: Any, plan: Plan = NO_PLAN) -> Deferred[T]:
        """Queue a call of a function with the writer's connection; return its result."""

    def load_rooms(
        self, ids: Collection[int], key: str | None = None
    ) -> Deferred[Sequence[RoomRecord]]:
        """See `IRoomStore.load_rooms`."""
        if self._follower is not None:
            return self._write(_hand_out_nothing, plan=room_tells.load_rooms(ids, key))
        return self._write(room_records.load, self._log_writer, ids, key)

    def release(self, rooms: Mapping[int, int]) -> Deferred[None]:
        """See `IRoomStore.release`."""
        if self._follower is None:
            return succeed(None)
        return self._write(_do_nothing, plan=room_tells.release(rooms))

    def entries_since(self, room_id: int, seq: int, limit: int) -> Deferred[Sequence[Entry]]:
        """See `IRoomStore.entries_since`."""
        args, plan = (self._log_writer, room_id, seq, limit), room_tells.load_rooms([room_id])
        return self._write(_entries_since, *args, plan=plan)

    def public_rooms(self, after: str | None, limit: int) -> Deferred[Sequence[ListedRoom]]:
        """See `IRoomStore.public_rooms`."""
        return self._write(room_records.listed, self._log_writer, after, limit)

    def count_public(self) -> Deferred[int]:
        """See `IRoomStore.count_public`."""
        return self._public_count.count()

    def rooms_of(
        self, account_id: int | None, token_hash: bytes | None
    ) -> Deferred[tuple[Mapping[int, tuple[str, str]], Mapping[int, UnreadRecord]]]:
        """See `IRoomStore.rooms_of`."""

        def read(db: Connection) -> tuple[dict[int, tuple[str, str]], Mapping[int, UnreadRecord]]:
            rooms = room_records.of_account(db, account_id, token_hash)
            return rooms, read_state.unread(db, account_id, token_hash)

        return self._reads.run(read)

    def find_rooms(self, keys: Collection[str]) -> Deferred[Mapping[str, FoundRoom]]:
        """See `IRoomStore.find_rooms`."""
        return self._reads.run(lambda db: room_records.find(db, keys))

    def search_rooms(self, search: str, after: str, limit: int) -> Deferred[Sequence[int]]:
        """See `IRoomStore.search_rooms`."""
        return self._reads.run(lambda db: room_records.search(db, search, after, limit))

    def count_received(self, account_ids: Collection[int]) -> Deferred[Mapping[int, int]]:
        """See `IRoomStore.count_received`."""
        return self._reads.run(lambda db: room_records.count_received(db, account_ids))

    def recent_messages(self, room_id: int, wanted: RecentMessages) -> Deferred[Sequence[int]]:
        """See `IRoomStore.recent_messages`."""
        return self._reads.run(lambda db: room_records.recent_messages(db, room_id, wanted))

    def member_names(
        self, room_id: int, after: str | None, limit: int
    ) -> Deferred[tuple[list[str], int]]:
        """See `IRoomStore.member_names`."""
        return self._reads.run(lambda db: room_records.member_names(db, room_id, after, limit))


def _do_nothing(db: Connection) -> None:
    """Do what a call does of which only its plan matters."""


def _hand_out_nothing(db: Connection) -> tuple[RoomRecord, ...]:
    """Return no records: the follower has handed them out, by the plan of the call."""
    return ()


def _entries_since(
    db: Connection, log_writer: LogWriter, room_id: int, seq: int, limit: int
) -> tuple[Entry, ...]:
    """Return entries; see `IRoomStore.entries_since`."""
    room, position = find_shown(db, room_id), log_writer.position(db, room_id)
    if room is None or position is None:
        return ()
    count = min(limit, position.seq - seq + 1)
    return tuple(entries_after(db, room_id, room.name, seq - 1, count)) if count > 0 else ()
