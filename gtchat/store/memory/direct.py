"""Direct conversations as `MemoryStore` keeps them; see `store.sql.direct`.

Methods with the name of a method of `IStore` do the same, but return the result at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator

import attrs

from gtchat.chat.errors import NoSuchMessage, NoSuchRoom, NoSuchUser
from gtchat.chat.events import AnnotatedMessage, MessageSent
from gtchat.chat.interfaces import (
    Ack,
    Arrived,
    Direct,
    DirectPage,
    PendingEntry,
    PendingWhisper,
    StoredWhisper,
    UnreadRecord,
    WhisperLimits,
)
from gtchat.chat.message_rules import whisper_of
from gtchat.store.memory.accounts import AccountTable
from gtchat.store.memory.room_log import RoomLog
from gtchat.store.memory.rooms import RoomTable
from gtchat.store.memory.rows import AccountRow
from gtchat.store.paging import MAX_SEQ, event_bytes, window
from gtchat.store.pending import check_whispers


@attrs.define(eq=False)
class DirectRow:
    """A direct conversation of an account; see `directs` of the SQL store.

    How far it is read stands in the log, as for a room.

    Attributes:
        newest_seq: seq of the message with the number `newest`.
    """

    account_id: int
    other_id: int
    log: RoomLog
    other: str
    other_guest: bool
    wrote: bool = False
    delivered_seq: int = 0
    newest: int = 0
    newest_seq: int = 0

    def deliver(self, seq: int) -> None:
        """Take note that the account has received the log up to an entry."""
        self.delivered_seq = max(self.delivered_seq, seq)

    def waiting(self) -> Iterator[MessageSent]:
        """Yield the messages of the other account that were not delivered, but deleted ones."""
        for entry in self.log.after(self.delivered_seq):
            if isinstance(entry, MessageSent) and entry.subject_id != self.account_id and entry.msg:
                yield entry


class DirectTable:
    """All direct conversations.

    Args:
        rooms: has their logs, which nothing finds by name.
        accounts: the accounts.
        append: stores an entry, and fills in the result.

    Attributes:
        count: counts what is unread for an account in a log; set by the table of mentions.
    """

    def __init__(
        self, rooms: RoomTable, accounts: AccountTable, append: Callable[[PendingEntry], None]
    ) -> None:
        self._rooms = rooms
        self._accounts = accounts
        self._append = append
        accounts.directs = self
        rooms.erased = self._erased
        self.count: Callable[[AccountRow, RoomLog], UnreadRecord]
        #: Account id -> id of the other account -> the conversation.
        self._rows: defaultdict[int, dict[int, DirectRow]] = defaultdict(dict)
        #: Account id -> room id and seq -> number of a message that did not arrive.
        self._missed: defaultdict[int, dict[tuple[int, int], int]] = defaultdict(dict)
        #: Room id and seq -> number of each direct message.
        self._numbers: dict[tuple[int, int], int] = {}
        self._last_number = 0

    def whisper(self, pending: PendingWhisper, limits: WhisperLimits) -> Ack:
        """Store a direct message; see `IMailStore.whisper`."""
        sender_id, target_id = pending.sender_id, pending.target_id
        earlier = self._rooms.find_ack(pending)
        if earlier is not None:
            return earlier
        if pending.refusal is not None:
            raise pending.refusal
        accounts = self._accounts.accounts
        if target_id not in accounts or sender_id not in accounts:
            raise NoSuchUser()
        self._accounts.require_unblocked(sender_id, target_id)
        received = self._rows.get(target_id, {}).get(sender_id)
        is_first = received is None or not self._pending(received)
        if sender_id != target_id:
            self._check(target_id, received, limits)
        if received is None and pending.entry.reply is not None:
            raise NoSuchMessage()
        if received is None:
            received = self._create(accounts[sender_id], accounts[target_id])
        pending.room_id = received.log.id
        self._append(pending)
        if pending.error is not None:
            raise pending.error
        sent, seq = self._rows[sender_id][target_id], pending.entry.seq
        self._last_number += 1
        self._numbers[pending.room_id, seq] = self._last_number
        sent.newest = received.newest = self._last_number
        sent.newest_seq = received.newest_seq = seq
        sent.wrote = True
        received.log.read[sender_id] = seq
        if sender_id != target_id and is_first:
            received.delivered_seq = seq - 1
        return Ack(pending.entry.id, seq, pending.entry.at)

    def _check(self, target_id: int, received: DirectRow | None, limits: WhisperLimits) -> None:
        """Raise NotAllowed if too many messages wait for the target."""
        pending = 0 if received is None else self._pending(received)
        rows = self._rows.get(target_id, {}).values()
        strangers = sum(self._pending(row) for row in rows if not row.wrote)
        check_whispers(
            limits,
            is_stranger=received is None or not received.wrote,
            pair=lambda limit: pending >= limit,
            strangers=lambda limit: strangers >= limit,
        )

    def _pending(self, row: DirectRow) -> int:
        """Return the number of messages of the other account that were not delivered."""
        missed = self._missed.get(row.account_id, {})
        waiting = sum(1 for _ in row.waiting())
        return waiting + sum(1 for room, _ in missed if room == row.log.id)

    def _erased(self, room: RoomLog, seq: int) -> None:
        """Take note that a message is deleted, which is delivered to no account any more."""
        for missed in self._missed.values():
            missed.pop((room.id, seq), None)

    def _create(self, sender: AccountRow, target: AccountRow) -> DirectRow:
        """Create the conversation of two accounts; return that of the target."""
        log = self._rooms.create_direct()
        for account, other in ((sender, target), (target, sender)):
            row = DirectRow(account.id, other.id, log, other.name, not other.registered)
            self._rows[account.id][other.id] = row
            log.read[account.id] = 0
        return self._rows[target.id][sender.id]

    def whispers(self, account_id: int, after: int, limit: int) -> list[StoredWhisper]:
        """Return the messages that were not delivered; see `IMailStore.whispers`."""
        waiting = {
            (row.log.id, one.seq): self._numbers[row.log.id, one.seq]
            for row in self._rows.get(account_id, {}).values()
            for one in row.waiting()
        }
        waiting |= self._missed.get(account_id, {})
        in_order = sorted(waiting.items(), key=lambda item: item[1])
        found = (self._stored(*key, number) for key, number in in_order if number > after)
        present = (one for one in found if one is not None)
        return window(iter(()), present, limit, lambda found: event_bytes(found.event))[0]

    def _stored(self, room_id: int, seq: int, number: int) -> StoredWhisper | None:
        """Return a message that waits, None if it was deleted."""
        room = self._rooms.rooms.get(room_id)
        message = None if room is None else room.messages.find(seq)
        if message is None or isinstance(message, AnnotatedMessage) and message.deleted is not None:
            return None
        event = whisper_of(message)
        if (room_id, seq) not in self._numbers:  # of a room
            event.seq = 0
        return StoredWhisper(number, room_id, seq, event)

    def set_delivered(self, arrived: Arrived) -> None:
        """Take note that messages have arrived; see `IMailStore.set_delivered`."""
        account_id = arrived.account_id
        rows = {row.log.id: row for row in self._rows.get(account_id, {}).values()}
        missed = self._missed[account_id]
        for room_id, seq in arrived.told.items():
            if room_id in rows:
                rows[room_id].deliver(seq)
            for key in [key for key in missed if key[0] == room_id and key[1] <= seq]:
                del missed[key]
        for room_id, seqs in arrived.messages.items():
            for seq in seqs:
                missed.pop((room_id, seq), None)
            if room_id in rows:
                self._arrive(rows[room_id], seqs, arrived.read)

    def _arrive(self, row: DirectRow, seqs: Collection[int], read: bool) -> None:
        """Move the mark of a conversation; keep as missed what lies before and has not arrived."""
        room_id, last = row.log.id, max(seqs)
        left = [one.seq for one in row.waiting() if one.seq <= last and one.seq not in seqs]
        for seq in left:
            self._missed[row.account_id][room_id, seq] = self._numbers[room_id, seq]
        row.deliver(last)
        if read:
            seq = left[0] - 1 if left else last
            self._accounts.set_read({(row.account_id, room_id): seq})

    def add_missed(self, account_id: int, room_id: int, seq: int, limit: int) -> None:
        """Have a message of a room delivered once more; see `IMailStore.add_missed`."""
        self._accounts.require_account(account_id)
        if room_id not in self._rooms.rooms:
            raise NoSuchRoom()
        if not limit or len(self._missed[account_id]) < limit:
            self._last_number += 1
            self._missed[account_id].setdefault((room_id, seq), self._last_number)

    def last_delivered(self, room_id: int) -> int:
        """Return the last entry of a log that may be removed: what waits in a conversation stays.

        Of the messages of a room that did not reach an account, none stays for that.
        """
        rows = [row for of in self._rows.values() for row in of.values() if row.log.id == room_id]
        waiting = [one.seq for row in rows if (one := next(row.waiting(), None)) is not None]
        waiting += [
            seq
            for missed in self._missed.values()
            for room, seq in missed
            if rows and room == room_id
        ]
        return min(waiting, default=MAX_SEQ) - 1

    def removed(self, room_id: int, first: int) -> None:
        """Take note that the entries of a log before `first` are removed."""
        for missed in self._missed.values():
            for key in [key for key in missed if key[0] == room_id and key[1] < first]:
                del missed[key]
        for key in [key for key in self._numbers if key[0] == room_id and key[1] < first]:
            del self._numbers[key]

    def find(
        self, account_id: int, room_id: int | None, other_id: int | None = None
    ) -> Direct | None:
        """Return a conversation; see `IMailStore.find_direct`."""
        rows = self._rows.get(account_id, {})
        if room_id is None:
            row = rows.get(other_id or 0)
        else:
            row = next((row for row in rows.values() if row.log.id == room_id), None)
        return None if row is None else self._record(row)

    def _record(self, row: DirectRow) -> Direct:
        other = self._accounts.accounts.get(row.other_id)
        return Direct(
            id=row.log.id,
            other_id=row.other_id,
            other=self._other(row),
            guest=row.other_guest,
            ended=other is None,
            last_seq=row.log.last,
            message_count=row.log.message_count,
            read_seq=row.log.read[row.account_id],
            delivered_seq=row.delivered_seq,
            pending=self._pending(row),
            at=row.log.messages.entry(row.newest_seq).at if row.newest_seq >= row.log.first else 0,
            position=row.newest,
            notify=self._accounts.accounts[row.account_id].notify.get(row.log.id, "all"),
        )

    def _other(self, row: DirectRow) -> str:
        """Return the name of the other user."""
        other = self._accounts.accounts.get(row.other_id)
        return row.other if other is None else other.name

    def others(self, account_id: int) -> dict[int, str]:
        """Return the ids of the conversations of an account, and who the other user is."""
        return {row.log.id: self._other(row) for row in self._rows.get(account_id, {}).values()}

    def newest(self, account_id: int, limit: int, before: int | None = None) -> tuple[Direct, ...]:
        """Return the newest conversations before a position, without unread messages."""
        rows = sorted(self._rows.get(account_id, {}).values(), key=lambda row: -row.newest)
        below = MAX_SEQ if before is None else before
        listed = [row for row in rows if 0 < row.newest < below]
        return tuple(map(self._record, listed[:limit]))

    def of_rooms(self, account_id: int, ids: Collection[int]) -> tuple[Direct, ...]:
        """Return those of the conversations with some ids that an account has."""
        found = (self.find(account_id, room_id) for room_id in ids)
        return tuple(one for one in found if one is not None)

    def page(self, account_id: int, before: int | None, limit: int) -> DirectPage:
        """Return a page of conversations; see `IMailStore.directs`."""
        found = self.newest(account_id, limit + 1, before)
        listed = tuple(self._with_unread(account_id, one) for one in found[:limit])
        return DirectPage(listed, listed[-1].position if len(found) > limit else None)

    def _with_unread(self, account_id: int, direct: Direct) -> Direct:
        """Return a conversation with its unread messages and mentions."""
        log = self._rooms.rooms[direct.id]
        record = self.count(self._accounts.accounts[account_id], log)
        return attrs.evolve(direct, unread=record.unread, mentions=record.mentions)

    def rename_other(self, account_id: int, name: str) -> None:
        """Show an account that ends under another name in the conversations of others."""
        for other_id in self._rows.get(account_id, {}):
            self._rows[other_id][account_id].other = name

    def is_direct(self, room_id: int) -> bool:
        """Return whether a log is that of a direct conversation."""
        rows = (row for of_account in self._rows.values() for row in of_account.values())
        return any(row.log.id == room_id for row in rows)

    def end_guest(self, account_id: int) -> None:
        """Delete the conversations of a temporary account that has ended."""
        self._missed.pop(account_id, None)
        for other_id, row in self._rows.pop(account_id, {}).items():
            row.log.read.pop(account_id, None)
            if account_id not in self._rows.get(other_id, {}):
                self._rooms.rooms.pop(row.log.id)
