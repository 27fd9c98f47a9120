"""A room or direct conversation with its log, as `MemoryStore` keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count

import attrs

from gtchat.chat.events import AnnotatedMessage, Entry, MessageSent
from gtchat.chat.fold import RoomState
from gtchat.chat.interfaces import RoomRecord, UnreadRecord
from gtchat.chat.moderation import UNMODERATED, Moderation
from gtchat.chat.retention import KEEP_ALL, Keep
from gtchat.chat.room_records import ShownRoom
from gtchat.store.memory.message_rows import MemoryMessages
from gtchat.store.paging import MAX_SEQ, UNREAD_EXACT, UNREAD_WINDOW


@attrs.define(eq=False)
class RoomLog:
    """A room and its log.

    Attributes:
        id, key, name, public, topic, max, owner_id, owner, creator_id, preview, moderation: of
            `RoomRecord`.
        public_since: of a public room the entry that made it public, 0 if it always was.
        log: the entries that are kept; the entry with seq n is at index n - `first`.
        first: the lowest seq that is kept, or the next one.
        message_count: number of messages in the log.
        rows, next_row: seq -> place of the entry among those of all rooms; yields the next place.
        read: account id of each member, in the order of joining -> seq up to which it has read.
        joined: account id of each member -> the entry with which the membership began.
        spoken: account id -> when its last message was for which there was slow mode.
        set_mentions: keeps what a message mentions, given the message and its text.
        erased: takes note that a message is deleted, given its seq.
        messages: the messages in the log, and what was changed of them.
        keep: of `RoomRecord`.
        base: what the room was before the first entry that is kept.
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
    preview: bool = False
    moderation: Moderation = UNMODERATED
    public_since: int = 0
    log: list[Entry] = attrs.field(factory=list)
    first: int = 1
    message_count: int = 0
    rows: dict[int, int] = attrs.field(factory=dict)
    next_row: Iterator[int] = attrs.field(factory=lambda: count(1))
    read: dict[int, int] = attrs.field(factory=dict)
    joined: dict[int, int] = attrs.field(factory=dict)
    spoken: dict[int, int] = attrs.field(factory=dict)
    set_mentions: Callable[[MessageSent, str], None] = lambda message, msg: None
    erased: Callable[[int], None] = lambda seq: None
    keep: Keep = KEEP_ALL
    base: RoomState = attrs.field(factory=RoomState)
    messages: MemoryMessages = attrs.field(
        init=False, default=attrs.Factory(MemoryMessages, takes_self=True)
    )

    @property
    def last(self) -> int:
        """The seq of the newest entry, 0 if there never was one."""
        return self.first + len(self.log) - 1

    def after(self, seq: int, stop: int = MAX_SEQ) -> list[Entry]:
        """Return the entries after `seq`, up to and including `stop`, oldest first."""
        kept = range(max(seq + 1, self.first), min(stop, self.last) + 1)
        return [self.messages.entry(seq) for seq in kept]

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
            last_seq=self.last,
            message_count=self.message_count,
            members=tuple(members),
            preview=self.preview,
            moderation=self.moderation,
            keep=self.keep,
        )

    def shown(self) -> ShownRoom:
        """Return what lists show of the room."""
        return ShownRoom(self.key, self.name, self.public, len(self.read))

    def unread(self, read_seq: int, not_counted: Mapping[int, str]) -> UnreadRecord:
        """Count the messages after a seq; see `UnreadRecord`.

        Args:
            read_seq: the last entry that counts as read.
            not_counted: id and name of the accounts whose messages are not unread.
        """
        messages = [entry for entry in self.after(read_seq) if entry.kind == MessageSent.kind]
        unread = len(messages)
        if unread <= UNREAD_EXACT:
            oldest = self.last - UNREAD_WINDOW
            unread -= sum(is_hidden(one, not_counted) for one in messages if one.seq > oldest)
        return UnreadRecord(unread, self.message_count)

    def append(self, entry: Entry) -> None:
        """Append an entry to the log, and fill in its seq."""
        self.log.append(entry)
        entry.seq = self.first + len(self.log) - 1
        self.rows[entry.seq] = next(self.next_row)
        if isinstance(entry, MessageSent):
            self.message_count += 1
            if "@" in entry.msg:
                self.set_mentions(entry, entry.msg)


def is_hidden(message: Entry, not_counted: Mapping[int, str]) -> bool:
    """Return whether a message is deleted, or of an account whose messages are not unread."""
    if isinstance(message, AnnotatedMessage) and message.deleted is not None:
        return True
    if message.subject_id is None:
        return message.usr in not_counted.values()
    return message.subject_id in not_counted
