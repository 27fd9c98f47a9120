"""The messages of a room and what was changed of them, as `MemoryStore` keeps them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Protocol

import attrs

from gtchat.chat.events import AnnotatedMessage, Edited, Entry, MessageSent, Reacted
from gtchat.chat.interfaces import MessageVersion, MessageVersions
from gtchat.chat.message_rules import OwnReaction, as_seen_by
from gtchat.store.paging import versions_of


@attrs.frozen
class ReactionRow:
    """A reaction of an account to a message; see `reactions` of the SQL store."""

    usr: str
    present: bool
    entry_seq: int
    changes: int


class KeptEntries(Protocol):
    """The log of a room; the entry with seq n is at index n - `first`."""

    log: list[Entry]
    first: int
    set_mentions: Callable[[MessageSent, str], None]
    erased: Callable[[int], None]


@attrs.define(eq=False)
class MemoryMessages:
    """The messages of a room; see `MessageRows` and `EntryRows`.

    Args:
        room: the log of the room.
    """

    _room: KeptEntries
    _reactions: defaultdict[int, dict[tuple[int, str], ReactionRow]] = attrs.field(
        factory=lambda: defaultdict(dict)
    )
    _pins: set[int] = attrs.field(factory=set)
    _versions: defaultdict[int, dict[int, str]] = attrs.field(factory=lambda: defaultdict(dict))

    def entry(self, seq: int) -> Entry:
        """Return the entry with a seq, which is kept, as it is now."""
        entry = self._room.log[seq - self._room.first]
        if isinstance(entry, Edited):
            message = self.find(entry.of)
            return attrs.evolve(entry, msg=message.msg if message is not None else "")
        return entry

    def find(self, seq: int) -> MessageSent | None:
        """See `MessageRows.find`."""
        index = seq - self._room.first
        if not 0 <= index < len(self._room.log):
            return None
        entry = self._room.log[index]
        return entry if isinstance(entry, MessageSent) else None

    def save(self, message: AnnotatedMessage) -> None:
        """See `MessageRows.save`."""
        self._room.log[message.seq - self._room.first] = message

    def reactions_of(self, seq: int, account_id: int) -> dict[str, OwnReaction]:
        """See `MessageRows.reactions_of`."""
        return {
            emoji: OwnReaction(row.present, row.changes)
            for (account, emoji), row in self._reactions.get(seq, {}).items()
            if account == account_id
        }

    def set_reaction(self, seq: int, reacted: Reacted) -> None:
        """See `MessageRows.set_reaction`."""
        assert reacted.subject_id is not None
        key = (reacted.subject_id, reacted.emoji)
        before = self._reactions[seq].get(key)
        changes = 1 if before is None else before.changes + 1
        self._reactions[seq][key] = ReactionRow(reacted.usr, reacted.on, reacted.seq, changes)

    def reaction_users(self, seq: int, emoji: str, limit: int) -> list[str]:
        """See `MessageRows.reaction_users`."""
        rows = [row for (_, e), row in self._reactions[seq].items() if e == emoji and row.present]
        return [row.usr for row in sorted(rows, key=lambda row: row.entry_seq)[:limit]]

    def pin_count(self) -> int:
        """See `MessageRows.pin_count`."""
        return len(self._pins)

    def set_pin(self, seq: int, on: bool) -> None:
        """See `MessageRows.set_pin`."""
        if on:
            self._pins.add(seq)
        else:
            self._pins.discard(seq)

    def add_version(self, seq: int, version_seq: int, msg: str) -> None:
        """See `MessageRows.add_version`."""
        self._versions[seq][version_seq] = msg

    def set_mentions(self, message: MessageSent, msg: str) -> None:
        """See `MessageRows.set_mentions`."""
        self._room.set_mentions(message, msg)

    def erase(self, message: MessageSent) -> None:
        """See `MessageRows.erase`."""
        self._room.set_mentions(message, "")
        self._room.erased(message.seq)
        self._reactions.pop(message.seq, None)
        self._versions.pop(message.seq, None)
        self._pins.discard(message.seq)

    def replace(self, entry: Entry) -> None:
        """See `EntryRows.replace`."""
        self._room.log[entry.seq - self._room.first] = entry

    def rename_reactions(self, seq: int, account_id: int, name: str) -> None:
        """See `EntryRows.rename_reactions`."""
        for key, row in self._reactions.get(seq, {}).items():
            if key[0] == account_id:
                self._reactions[seq][key] = attrs.evolve(row, usr=name)

    def versions(self, seq: int) -> MessageVersions:
        """Return the texts of a message; see `IStore.versions`."""
        return versions_of(self.find(seq), self._texts)

    def _texts(self, message: AnnotatedMessage) -> Iterator[MessageVersion]:
        """Yield the texts of a message, newest first."""
        texts = {**self._versions.get(message.seq, {}), message.edited or message.seq: message.msg}
        for seq in sorted(texts, reverse=True):
            yield MessageVersion(seq, self._room.log[seq - self._room.first].at, texts[seq])

    def seen_by(
        self, entries: Iterable[Entry], viewer: int | None, blocked: Collection[int]
    ) -> tuple[Entry, ...]:
        """Return entries as one account sees them; see `HistoryQuery.viewer`.

        Args:
            entries: entries of the room.
            viewer: the account, None for no account.
            blocked: the accounts that it blocks.
        """
        return tuple(
            self._seen_by(one, viewer, blocked)
            if isinstance(one, AnnotatedMessage) and one.reactions and viewer is not None
            else one
            for one in entries
        )

    def _seen_by(
        self, message: AnnotatedMessage, viewer: int, blocked: Collection[int]
    ) -> AnnotatedMessage:
        present = {key: row for key, row in self._reactions[message.seq].items() if row.present}
        own = {emoji for account, emoji in present if account == viewer}
        hidden = [(key[1], row.usr) for key, row in present.items() if key[0] in blocked]
        return as_seen_by(message, own, hidden)
