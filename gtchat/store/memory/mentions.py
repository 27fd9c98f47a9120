"""Mentions of accounts in messages, and what is unread, as `MemoryStore` keeps them.

Methods with the name of a method of `IStore` do the same, but return the result at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import attrs

from gtchat.chat.direct_records import LISTED_DIRECTS
from gtchat.chat.errors import BadSession, NotInRoom
from gtchat.chat.events import Entry, MessageSent
from gtchat.chat.interfaces import UnreadRecord
from gtchat.chat.mentions import MentionLimits, MentionsPage, find_mentions, may_mention_room
from gtchat.store.memory.accounts import AccountTable
from gtchat.store.memory.direct import DirectTable
from gtchat.store.memory.room_log import RoomLog, is_hidden
from gtchat.store.memory.rooms import RoomTable
from gtchat.store.memory.rows import AccountRow
from gtchat.store.paging import MAX_SEQ, event_bytes, window


@attrs.frozen
class MentionRow:
    """A mention; see `mentions` of the SQL store.

    Attributes:
        row: gives the order.
        account_id: the account, None for all members.
        room_id, seq: the message.
    """

    row: int
    account_id: int | None
    room_id: int
    seq: int


class MentionTable:
    """All mentions.

    Args:
        rooms: the rooms.
        accounts: the accounts.
        directs: the direct conversations.

    Attributes:
        limits: see `IMentionStore`.
    """

    def __init__(self, rooms: RoomTable, accounts: AccountTable, directs: DirectTable) -> None:
        self.limits = MentionLimits()
        self._rooms = rooms
        self._accounts = accounts
        self._directs = directs
        directs.count = self.count_room
        self._last_row = 0
        #: (room id, seq) of a message -> account, None for all members -> the mention.
        self._of_message: dict[tuple[int, int], dict[int | None, MentionRow]] = {}
        #: Account -> its mentions, oldest first.
        self._of_account: defaultdict[int, dict[int, MentionRow]] = defaultdict(dict)
        #: Room id -> the mentions of all of its members, oldest first.
        self._of_room: defaultdict[int, dict[int, MentionRow]] = defaultdict(dict)
        rooms.set_mentions = self.replace

    def replace(self, room: RoomLog, message: MessageSent, msg: str) -> None:
        """Keep what a message mentions.

        Args:
            room: its room.
            message: the message.
            msg: its text from now on; "" if it is deleted.
        """
        before = self._of_message.get((room.id, message.seq), {})
        wanted = find_mentions(
            msg,
            message.subject_id,
            lambda key: self._find_member(room, key),
            lambda: may_mention_room(room, message.subject_id, message.usr),
            self.limits.message,
        )
        for account_id, row in list(before.items()):
            if account_id not in wanted:
                self._discard(row)
        for account_id in wanted:
            if account_id not in before:
                self._add(room.id, message.seq, account_id)

    def _find_member(self, room: RoomLog, key: str) -> int | None:
        account = self._accounts.find(key, None)
        if account is None:
            return None
        is_lobby = room is self._rooms.lobby
        return account.id if (account.registered if is_lobby else account.id in room.read) else None

    def _rows_of(self, room_id: int, account_id: int | None) -> dict[int, MentionRow]:
        """Return the rows that count against one limit."""
        return self._of_room[room_id] if account_id is None else self._of_account[account_id]

    def _add(self, room_id: int, seq: int, account_id: int | None) -> None:
        self._last_row += 1
        row = MentionRow(self._last_row, account_id, room_id, seq)
        self._of_message.setdefault((room_id, seq), {})[account_id] = row
        rows = self._rows_of(room_id, account_id)
        rows[row.row] = row
        if 0 < self.limits.kept < len(rows):
            # Of all members, the ones of the oldest messages go; of an account, the oldest ones.
            self._discard(
                min(rows.values(), key=lambda one: one.seq if account_id is None else one.row)
            )

    def _discard(self, row: MentionRow) -> None:
        message = self._of_message[row.room_id, row.seq]
        del message[row.account_id], self._rows_of(row.room_id, row.account_id)[row.row]
        if not message:
            del self._of_message[row.room_id, row.seq]

    def delete_room(self, room_id: int) -> None:
        """Delete the mentions in a room."""
        for room, seq in [key for key in self._of_message if key[0] == room_id]:
            for row in list(self._of_message[room, seq].values()):
                self._discard(row)

    def delete_account(self, account_id: int) -> None:
        """Delete the mentions of an account."""
        for row in list(self._of_account.pop(account_id, {}).values()):
            self._of_account[account_id][row.row] = row
            self._discard(row)
        self._of_account.pop(account_id, None)

    def count(self, account_id: int | None, token_hash: bytes | None) -> dict[int, UnreadRecord]:
        """Count unread messages and mentions; see `IStore.unread`."""
        row = self._accounts.row_of(account_id, token_hash)
        if row is None:
            if account_id is None:
                raise BadSession()
            return {}
        directs = self._directs.newest(row.id, LISTED_DIRECTS)
        ids = [self._rooms.lobby.id, *row.rooms, *(one.id for one in directs)]
        counted = {room_id: self.count_room(row, self._rooms.rooms[room_id]) for room_id in ids}
        return {room_id: record for room_id, record in counted.items() if record.unread}

    def count_room(self, row: AccountRow, room: RoomLog) -> UnreadRecord:
        """Count the unread messages and mentions of an account in a room of it."""
        not_counted = row.not_counted(self._accounts.accounts)
        read_seq = row.lobby_read_seq if room is self._rooms.lobby else room.read[row.id]
        mentions = self._unread(row, room, read_seq, not_counted)
        return attrs.evolve(room.unread(read_seq, not_counted), mentions=mentions)

    def _unread(
        self, row: AccountRow, room: RoomLog, read_seq: int, not_counted: Mapping[int, str]
    ) -> int:
        """Return the number of messages of a room after a seq that mention an account."""
        rows = [*self._of_account[row.id].values(), *self._of_room[room.id].values()]
        seqs = {one.seq for one in rows if one.room_id == room.id and one.seq > read_seq}
        return sum(not is_hidden(room.messages.entry(seq), not_counted) for seq in seqs)

    def mentions(self, account_id: int, before: int | None, limit: int) -> MentionsPage:
        """Return messages that mention an account; see `IMentionStore.mentions`."""
        row = self._accounts.accounts.get(account_id)
        if row is None:
            return MentionsPage((), None)
        found = self._messages(row, MAX_SEQ if before is None else before)
        taken, more = window(found, iter(()), limit, lambda one: event_bytes(one[1]))
        taken.reverse()
        entries = [
            entry
            for mention, message in taken
            for entry in self._rooms.rooms[mention.room_id].messages.seen_by(
                [message], account_id, row.blocks
            )
        ]
        return MentionsPage(tuple(entries), taken[-1][0].row if more else None)

    def _messages(self, row: AccountRow, before: int) -> Iterator[tuple[MentionRow, Entry]]:
        """Yield the messages of mentions that an account may see, the newest mention first."""
        not_counted = row.not_counted(self._accounts.accounts)
        rooms = {self._rooms.lobby.id, *row.rooms}
        mentions = list(self._of_account[row.id].values())
        for room_id in rooms:
            mentions += self._of_room[room_id].values()
        done: set[tuple[int, int]] = set()
        rooms |= {one.id for one in self._directs.newest(row.id, MAX_SEQ)}
        for mention in sorted(mentions, key=lambda one: -one.row):
            key = (mention.room_id, mention.seq)
            if mention.row >= before or mention.room_id not in rooms or key in done:
                continue
            room = self._rooms.rooms[mention.room_id]
            message = room.messages.entry(mention.seq)
            since = room.joined.get(row.id, 0)
            if mention.account_id is None and (
                mention.seq <= since or (room is self._rooms.lobby and message.at < row.created_at)
            ):
                continue
            if not is_hidden(message, not_counted):
                done.add(key)
                yield mention, message

    def mark_unread(self, account_id: int, token_hash: bytes, room_id: int, seq: int) -> int:
        """Set back up to which entry a room is read; see `IMentionStore.mark_unread`."""
        self._accounts.mark_read(account_id, token_hash, room_id, 0)
        row, room = self._accounts.accounts[account_id], self._rooms.rooms[room_id]
        if room is self._rooms.lobby:
            row.lobby_read_seq = min(row.lobby_read_seq, seq)
            return row.lobby_read_seq
        room.read[account_id] = min(room.read[account_id], seq)
        return room.read[account_id]

    def set_notify(self, account_id: int, room_id: int, level: str) -> None:
        """Store of which messages a user wants to be notified; see `IMentionStore.set_notify`."""
        row, room = self._accounts.accounts.get(account_id), self._rooms.rooms.get(room_id)
        is_lobby = room is self._rooms.lobby
        if row is None or room is None or not (is_lobby or account_id in room.read):
            raise NotInRoom()
        row.notify.pop(room_id, None)
        if level != "all":
            row.notify[room_id] = level
