"""Rooms with their logs as `MemoryStore` keeps them, and its marks against doubles.

Methods named like those of `IStore` do what it says, at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

import attrs

from gtchat.chat.errors import NotStored, TxnConflict
from gtchat.chat.events import Entry, MessageSent
from gtchat.chat.interfaces import Ack, HistoryPage, HistoryQuery, MembershipRecord, RoomRecord
from gtchat.store.paging import LogInfo, bounds, window

if TYPE_CHECKING:
    from gtchat.store.memory.accounts import AccountTable

LOBBY = "lobby"


@attrs.define(eq=False)
class RoomLog:
    """A room and its log, whose entries are numbered by their places.

    Attributes:
        read: account id -> the seq that it has read up to; longest member first.
    """

    id: int
    key: str
    name: str
    public: bool = True
    topic: str = ""
    max: int = 0
    owner_id: int | None = None
    owner: str = ""
    log: list[Entry] = attrs.field(factory=list)
    message_count: int = 0
    read: dict[int, int] = attrs.field(factory=dict)

    def record(self, accounts: AccountTable) -> RoomRecord:
        """It, as a chat wants to know it."""
        members = (accounts.accounts[member] for member in self.read)
        return RoomRecord(
            id=self.id,
            name=self.name,
            key=self.key,
            public=self.public,
            topic=self.topic,
            max=self.max,
            owner_id=self.owner_id,
            owner=self.owner,
            last_seq=len(self.log),
            message_count=self.message_count,
            members=tuple((one.id, one.name, one.registered) for one in members),
        )

    def membership(self, read: int) -> MembershipRecord:
        """The place of somebody who has read up to a seq."""
        unread = sum(entry.kind == MessageSent.kind for entry in self.log[read:])
        return MembershipRecord(self.id, read, self.message_count - unread)

    def append(self, entry: Entry) -> None:
        """Number an entry, and put it into the log."""
        self.log.append(entry)
        entry.seq = len(self.log)
        self.message_count += entry.kind == MessageSent.kind


class Txns:
    """Marks against doubles."""

    def __init__(self) -> None:
        self._kept: defaultdict[int, dict[str, tuple[object, Ack]]] = defaultdict(dict)

    def find(self, account_id: int, txn: str, content: object) -> Ack | None:
        """The receipt for this txn, if it was used. Raises: TxnConflict."""
        kept = self._kept[account_id].get(txn)
        if kept is None:
            return None
        if kept[0] != content:
            raise TxnConflict()
        return attrs.evolve(kept[1], dup=True)

    def keep(self, account_id: int, txn: str, content: object, receipt: Ack) -> None:
        """Remember what an account got for a txn."""
        self._kept[account_id][txn] = (content, receipt)

    def forget(self, account_id: int) -> None:
        """Forget all of an account."""
        self._kept.pop(account_id, None)

    def prune(self, before: int) -> None:
        """Forget what was stored before a time."""
        for account_id, kept in list(self._kept.items()):
            young = {txn: kept[txn] for txn in kept if kept[txn][1].at >= before}
            if young:
                self._kept[account_id] = young
            else:
                del self._kept[account_id]


class RoomTable:
    """Rooms, by number and by name; and what is kept against doubles in them."""

    def __init__(self) -> None:
        self.rooms: dict[int, RoomLog] = {}
        self.keys: dict[str, RoomLog] = {}
        self.deleted_at: dict[str, int] = {}
        self.txns = Txns()
        self._last_id = 0
        self.lobby = self.create(LOBBY, LOBBY)

    def create(self, key: str, name: str) -> RoomLog:
        """Make a room. Raises: NotStored, if there is one of that name."""
        if key in self.keys:
            raise NotStored()
        self._last_id += 1
        room = self.rooms[self._last_id] = self.keys[key] = RoomLog(self._last_id, key, name)
        return room

    def delete(self, room_id: int, at: int) -> None:
        """Delete a room with its log."""
        room = self.rooms.pop(room_id, None)
        if room is not None:
            del self.keys[room.key]
            self.deleted_at[room.key] = at

    def log_info(self, room_id: int) -> LogInfo | None:
        """How far a room's log goes."""
        room = self.rooms.get(room_id)
        return None if room is None else LogInfo(len(room.log), self.deleted_at.get(room.key))

    def read(self, room_id: int, start: int, stop: int) -> tuple[Entry, ...]:
        """A room's entries from `start` + 1 to `stop`."""
        return tuple(self.rooms[room_id].log[start:stop])

    def history(self, room_id: int, span: HistoryQuery) -> HistoryPage:
        """Part of a room's log."""
        room = self.rooms.get(room_id)
        if room is None:
            return HistoryPage((), 0, 0, False)
        last = len(room.log)
        before, after = bounds(span)
        older = [] if before is None else range(min(before - 1, last), 0, -1)
        newer = [] if after is None else range(after + 1, last + 1)
        some = partial(_some, room, span)
        seqs, more = window(some(older), some(newer), span.limit)
        found = tuple(room.log[seq - 1] for seq in seqs)
        return HistoryPage(found, min(1, last), last, more)


def _some(room: RoomLog, span: HistoryQuery, seqs: Iterable[int]) -> list[int]:
    """The first of these numbers, one more than wanted, whose entries are of the kinds."""
    found: list[int] = []
    for seq in seqs:
        if len(found) > span.limit:
            break
        if not span.kinds or room.log[seq - 1].kind in span.kinds:
            found.append(seq)
    return found
