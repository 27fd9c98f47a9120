"""Rooms with their logs, and the txns of their messages, as `MemoryStore` keeps them.

Methods with the name of a method of `IStore` do the same, but return the result at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import partial

import attrs

from gtchat.chat.errors import NotStored, TxnConflict
from gtchat.chat.events import Entry, MessageSent
from gtchat.chat.interfaces import Ack, HistoryPage, HistoryQuery, RoomRecord, UnreadRecord
from gtchat.chat.rooms import LOBBY
from gtchat.store.paging import UNREAD_EXACT, UNREAD_WINDOW, LogInfo, bounds, window


@attrs.define(eq=False)
class RoomLog:
    """A room and its log.

    Attributes:
        id, key, name, public, topic, max, owner_id, owner, creator_id: those of `RoomRecord`.
        log: the entries; the entry with seq n is at index n - 1.
        message_count: number of messages in the log.
        read: account id of each member, in the order of joining -> seq up to which it has read.
    """

    id: int
    key: str
    name: str
    public: bool = True
    topic: str = ""
    max: int = 0
    owner_id: int | None = None
    owner: str = ""
    creator_id: int | None = None
    log: list[Entry] = attrs.field(factory=list)
    message_count: int = 0
    read: dict[int, int] = attrs.field(factory=dict)

    def record(self, members: Iterable[tuple[int, str, bool]]) -> RoomRecord:
        """Return the room as the chat loads it.

        Args:
            members: (account id, name, registered) of the members, in the order of joining.
        """
        return RoomRecord(
            id=self.id,
            name=self.name,
            key=self.key,
            public=self.public,
            topic=self.topic,
            max=self.max,
            owner_id=self.owner_id,
            owner=self.owner,
            creator_id=self.creator_id,
            last_seq=len(self.log),
            message_count=self.message_count,
            members=tuple(members),
        )

    def unread(self, read_seq: int, not_counted: Collection[str]) -> UnreadRecord:
        """Count the messages after a seq; see `UnreadRecord`.

        Args:
            read_seq: the last entry that counts as read.
            not_counted: names of the users whose messages are not unread.
        """
        messages = [entry for entry in self.log[read_seq:] if entry.kind == MessageSent.kind]
        unread = len(messages)
        if unread <= UNREAD_EXACT:
            oldest = len(self.log) - UNREAD_WINDOW
            unread -= sum(one.usr in not_counted and one.seq > oldest for one in messages)
        return UnreadRecord(unread, self.message_count)

    def append(self, entry: Entry) -> None:
        """Append an entry to the log, and fill in its seq."""
        self.log.append(entry)
        entry.seq = len(self.log)
        self.message_count += entry.kind == MessageSent.kind


class TxnTable:
    """The txns (idempotency keys) of all accounts, with the acks that they got."""

    def __init__(self) -> None:
        self._acks: defaultdict[int, dict[str, tuple[object, Ack]]] = defaultdict(dict)

    def find_ack(self, account_id: int, txn: str, content: object) -> Ack | None:
        """Return the ack of the request that used this txn before, None if there was none.

        Args:
            account_id: the account that sends.
            txn: its idempotency key.
            content: what it sends.

        Raises:
            TxnConflict: the txn was used for other content.
        """
        found = self._acks[account_id].get(txn)
        if found is None:
            return None
        if found[0] != content:
            raise TxnConflict()
        return attrs.evolve(found[1], dup=True)

    def save_ack(self, account_id: int, txn: str, content: object, ack: Ack) -> None:
        """Keep the ack that an account gets for a txn; the arguments are those of `find_ack`."""
        self._acks[account_id][txn] = (content, ack)

    def delete_account(self, account_id: int) -> None:
        """Delete the txns of an account."""
        self._acks.pop(account_id, None)

    def prune(self, before: int) -> None:
        """Delete txns stored before a time, in milliseconds since 1970, UTC."""
        for account_id, acks in list(self._acks.items()):
            young = {txn: acks[txn] for txn in acks if acks[txn][1].at >= before}
            if young:
                self._acks[account_id] = young
            else:
                del self._acks[account_id]


class RoomTable:
    """All rooms by id and by key, and the txns of the messages in them."""

    def __init__(self) -> None:
        self.rooms: dict[int, RoomLog] = {}
        self.keys: dict[str, RoomLog] = {}
        self.deleted_at: dict[str, int] = {}
        self.txns = TxnTable()
        self._last_id = 0
        self.lobby = self.create(LOBBY, LOBBY)

    def create(self, key: str, name: str) -> RoomLog:
        """Create a room and return it.

        Args:
            key: the name as it is compared.
            name: the name as it is displayed.

        Raises:
            NotStored: a room has this key.
        """
        if key in self.keys:
            raise NotStored()
        self._last_id += 1
        room = self.rooms[self._last_id] = self.keys[key] = RoomLog(self._last_id, key, name)
        return room

    def delete(self, room_id: int, at: int) -> None:
        """Delete a room with its log.

        Args:
            room_id: the room; if there is no such room, nothing happens.
            at: now, in milliseconds since 1970, UTC.
        """
        room = self.rooms.pop(room_id, None)
        if room is not None:
            del self.keys[room.key]
            self.deleted_at[room.key] = at

    def log_info(self, room_id: int) -> LogInfo | None:
        """Return the length of a room's log, None if there is no such room."""
        room = self.rooms.get(room_id)
        return None if room is None else LogInfo(len(room.log), self.deleted_at.get(room.key))

    def read(self, room_id: int, start: int, stop: int) -> tuple[Entry, ...]:
        """Return the entries of a room from `start` + 1 to `stop`."""
        return tuple(self.rooms[room_id].log[start:stop])

    def history(self, room_id: int, query: HistoryQuery) -> HistoryPage:
        """Return part of a room's log."""
        room = self.rooms.get(room_id)
        if room is None:
            return HistoryPage((), 0, 0, False)
        last = len(room.log)
        before, after = bounds(query)
        older = [] if before is None else range(min(before - 1, last), 0, -1)
        newer = [] if after is None else range(after + 1, last + 1)
        select = partial(_select, room, query)
        seqs, more = window(select(older), select(newer), query.limit)
        found = tuple(room.log[seq - 1] for seq in seqs)
        return HistoryPage(found, min(1, last), last, more)


def _select(room: RoomLog, query: HistoryQuery, seqs: Iterable[int]) -> list[int]:
    """Return the first `limit` + 1 of some seqs whose entries are of the wanted kinds."""
    found: list[int] = []
    for seq in seqs:
        if len(found) > query.limit:
            break
        if not query.kinds or room.log[seq - 1].kind in query.kinds:
            found.append(seq)
    return found
