"""Rooms with their logs, and the txns of their messages, as `MemoryStore` keeps them.

Methods with the name of a method of `IStore` do the same, but return the result at once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Generator, Mapping
from functools import partial
from itertools import count
from operator import itemgetter

import attrs

from gtchat.chat.admin_store import OwnEntries
from gtchat.chat.errors import NoSuchMessage, RoomExists
from gtchat.chat.events import PAGE_KINDS, Entry, MessageSent
from gtchat.chat.interfaces import (
    Ack,
    Backlog,
    HistoryPage,
    HistoryQuery,
    MessageVersions,
    PendingEntry,
)
from gtchat.chat.look_alikes import rivals, skeleton
from gtchat.chat.rooms import LOBBY
from gtchat.store.memory.idempotency import TxnTable
from gtchat.store.memory.room_log import RoomLog
from gtchat.store.paging import (
    LogInfo,
    ReadBudget,
    find_page,
    shown_part,
)
from gtchat.store.pending import request_content


@attrs.define(eq=False)
class SkeletonIndex:
    """Names of accounts or of rooms by what they look like."""

    _ids: defaultdict[str, set[int]] = attrs.field(factory=lambda: defaultdict(set))

    def add(self, name: str, id_: int) -> None:
        """Add a name."""
        self._ids[skeleton(name)].add(id_)

    def discard(self, name: str, id_: int) -> None:
        """Remove a name that was added."""
        ids = self._ids[skeleton(name)]
        ids.discard(id_)
        if not ids:
            del self._ids[skeleton(name)]

    def rival(self, name: str) -> int | None:
        """Return the id of a name that looks like a new one, None if there is none."""
        found = (self._ids.get(each, ()) for each in rivals(skeleton(name)))
        return next((id_ for ids in found for id_ in ids), None)


class RoomTable:
    """All rooms by id and by key, and the txns of the messages in them.

    The logs of direct conversations are among `rooms`, and not among `keys`.

    Attributes:
        starts: for each start of the server, the length of each room's log at that moment.
        set_mentions: keeps what a message of a room mentions; set by the table of mentions.
        erased: takes note that a message of a room is deleted; set by the table of conversations.
    """

    def __init__(self) -> None:
        self.starts: list[dict[int, int]] = []
        self.set_mentions: Callable[[RoomLog, MessageSent, str], None] = lambda *_: None
        self.erased: Callable[[RoomLog, int], None] = lambda *_: None
        self.rooms: dict[int, RoomLog] = {}
        self.keys: dict[str, RoomLog] = {}
        self.deleted_at: dict[str, int] = {}
        self.txns = TxnTable()
        #: Account id -> number of rooms that it has created, and the rooms that it owns by id.
        self._created: Counter[int | None] = Counter()
        self._owned: defaultdict[int | None, dict[int, RoomLog]] = defaultdict(dict)
        self._last_id = 0
        self._next_row = count(1)
        self._skeletons = SkeletonIndex()
        self.lobby = self.create(LOBBY, LOBBY)

    def create(self, key: str, name: str) -> RoomLog:
        """Create a room and return it.

        Args:
            key: the name as it is compared.
            name: the name as it is displayed.

        Raises:
            RoomExists: a room has this key, or a name that looks like this one.
        """
        if key in self.keys or self._skeletons.rival(name) is not None:
            raise RoomExists()
        self._last_id += 1
        self._skeletons.add(name, self._last_id)
        room = RoomLog(self._last_id, key, name, next_row=self._next_row)
        self.rooms[room.id] = self.keys[key] = room
        self._keep_mentions(room)
        return room

    def create_direct(self) -> RoomLog:
        """Create the log of a direct conversation, which has no name, and return it."""
        self._last_id += 1
        log = self.rooms[self._last_id] = RoomLog(
            self._last_id, "", "", public=False, next_row=self._next_row
        )
        self._keep_mentions(log)
        return log

    def _keep_mentions(self, room: RoomLog) -> None:
        """Have the mentions of the messages of a log kept."""
        room.set_mentions = lambda message, msg: self.set_mentions(room, message, msg)
        room.erased = lambda seq: self.erased(room, seq)

    def find_ack(self, pending: PendingEntry) -> Ack | None:
        """Return the ack of an earlier entry with the same txn; see `TxnTable.find_ack`."""
        if pending.txn is None:
            return None
        return self.txns.find_ack(pending.sender_id or 0, pending.txn, request_content(pending))

    def delete(self, room_id: int, at: int) -> None:
        """Delete a room with its log.

        Args:
            room_id: the room; if there is no such room, nothing happens.
            at: now, in milliseconds since 1970, UTC.
        """
        room = self.rooms.pop(room_id, None)
        if room is not None:
            del self.keys[room.key]
            self._created[room.creator_id] -= 1
            self._owned[room.owner_id].pop(room.id, None)
            self._skeletons.discard(room.name, room.id)
            self.deleted_at[room.key] = at

    def set_creator(self, room: RoomLog, account_id: int | None) -> None:
        """Set who has created a room, once."""
        room.creator_id = account_id
        self._created[account_id] += 1

    def set_owner(self, room: RoomLog, account_id: int | None) -> None:
        """Set the owner of a room."""
        self._owned[room.owner_id].pop(room.id, None)
        room.owner_id = account_id
        self._owned[account_id][room.id] = room

    def owned_by(self, account_id: int | None) -> list[RoomLog]:
        """Return the rooms that an account owns; None: those without an owner, but the lobby."""
        return [room for _, room in sorted(self._owned.get(account_id, {}).items())]

    def created_by(self, account_id: int) -> int:
        """Return how many rooms an account has created."""
        return self._created[account_id]

    def received_by(self, account_id: int) -> int:
        """Return how many rooms an account owns that others have created."""
        return sum(
            room.creator_id != account_id for room in self._owned.get(account_id, {}).values()
        )

    def own_entries(self, account_id: int) -> OwnEntries:
        """Return the entries of rooms that are about an account; see `IAdminStore.own_entries`."""
        found = [
            (room.rows[one.seq], room.messages.entry(one.seq))
            for room in self.keys.values()
            for one in room.log
            if one.subject_id == account_id
        ]
        return OwnEntries(tuple(entry for _, entry in sorted(found, key=itemgetter(0))), None)

    def begin_start(self) -> None:
        """Note the lengths of all logs at a start of the server."""
        self.starts.append({room.id: room.last for room in self.rooms.values()})

    def was_lost(self, start: int, room_id: int, seq: int) -> bool:
        """Return whether a log had no entry with a seq yet at the end of a run of the server.

        Args:
            start: number of starts until that run; False if it has not ended.
            room_id, seq: the entry.
        """
        return start < len(self.starts) and seq > self.starts[start].get(room_id, 0)

    def log_info(self, room_id: int) -> LogInfo | None:
        """Return the bounds of a room's log, None if there is no such room."""
        room = self.rooms.get(room_id)
        if room is None:
            return None
        return LogInfo(room.first, room.last, self.deleted_at.get(room.key))

    def find_log(self, directs: Collection[int], room_id: int) -> LogInfo | None:
        """Return the bounds of a log, None for one that an account can't resume.

        Args:
            directs: the direct conversations of the account.
            room_id: the log.
        """
        room = self.rooms.get(room_id)
        is_direct = room is not None and self.keys.get(room.key) is not room
        return None if is_direct and room_id not in directs else self.log_info(room_id)

    def read(self, room_id: int, start: int, stop: int) -> Generator[Entry, None, None]:
        """Yield the entries of a room from `start` + 1 to `stop`."""
        yield from self.rooms[room_id].after(start, stop)

    def entries_since(self, room_id: int, seq: int, limit: int) -> list[Entry]:
        """Return entries of a room; see `IRoomStore.entries_since`."""
        room = self.rooms.get(room_id)
        return [] if room is None else room.after(seq - 1, seq - 1 + limit)

    def history(
        self, room_id: int, query: HistoryQuery, blocked: Collection[int] = ()
    ) -> HistoryPage:
        """Return part of a room's log.

        Args:
            room_id, query: those of `IStore.history`.
            blocked: the accounts that the one that reads blocks.
        """
        room = self.rooms.get(room_id)
        if room is None:
            return HistoryPage((), 0, 0, False)
        last = room.last
        since = room.public_since if room.public and room.preview else None
        query, shown = shown_part(query, room.first, last, since)
        kinds = query.kinds or PAGE_KINDS
        found, more = find_page(
            query, partial(_read, room, shown, kinds), partial(_find_nearest, room, shown, kinds)
        )
        seen = room.messages.seen_by(found, query.viewer, blocked)
        return HistoryPage(seen, room.first if last else 0, last, more)

    def seen_by(
        self, missed: Mapping[int, Backlog], viewer: int, blocked: Collection[int]
    ) -> dict[int, Backlog]:
        """Return what a client missed, by room id, as its account sees it.

        Args:
            missed: what it missed.
            viewer: the account.
            blocked: the accounts that it blocks.
        """
        found = dict(missed)
        for room_id, backlog in missed.items():
            if backlog.entries:
                entries = self.rooms[room_id].messages.seen_by(backlog.entries, viewer, blocked)
                found[room_id] = attrs.evolve(backlog, entries=entries)
        return found

    def versions(self, room_id: int, seq: int) -> MessageVersions:
        """Return the texts of a message; see `IStore.versions`."""
        room = self.rooms.get(room_id)
        if room is None:
            raise NoSuchMessage()
        return room.messages.versions(seq)


def _side(room: RoomLog, first: int, seq: int, backwards: bool) -> range:
    """Return the seqs of the entries on one side of a seq, from `first` on, nearest first."""
    if backwards:
        return range(min(seq - 1, room.last), first - 1, -1)
    return range(max(seq + 1, first), room.last + 1)


def _read(
    room: RoomLog,
    first: int,
    kinds: Collection[str],
    seq: int | None,
    backwards: bool,
    budget: ReadBudget,
) -> Generator[Entry, None, None]:
    """Yield the entries of some kinds from `first` on; see `paging.PageReader`."""
    for number in () if seq is None else _side(room, first, seq, backwards):
        if not budget.take():
            return
        entry = room.messages.entry(number)
        if entry.kind in kinds:
            yield entry


def _find_nearest(
    room: RoomLog, first: int, kinds: Collection[str], seq: int, backwards: bool
) -> int | None:
    """Return the seq of the nearest entry of some kinds on one side of a seq, None for none."""
    side = _side(room, first, seq, backwards)
    return next((n for n in side if room.log[n - room.first].kind in kinds), None)
