"""Records of the history of rooms that the chat and its store exchange; others are in `records`."""

from __future__ import annotations

import attrs

from gtchat.chat.events import Entry

#: How many of the newest entries of a room those are of which a preview has the messages.
PREVIEW_ENTRIES = 50


@attrs.frozen
class HistoryPage:
    """Some entries of a log.

    Attributes:
        entries: the entries, oldest first.
        first: the lowest `seq` of the log that is kept, `last` + 1 if none is; 0 if the log has
            not begun.
        last: `seq` of the newest entry of the log, 0 if it has not begun.
        more: whether there are more entries in the direction asked for.
    """

    entries: tuple[Entry, ...]
    first: int
    last: int
    more: bool


@attrs.frozen
class HistoryQuery:
    """Which entries of a log to read; the newest if none of the three positions is given.

    Attributes:
        before: the newest entries before this `seq`.
        after: the oldest entries after this `seq`.
        around: the entries on both sides of this `seq`.
        limit: maximum number of entries, 1 to 200.
        kinds: only these kinds of entries; empty for those that a page shows (`PAGE_KINDS`).
        viewer: the account that reads: its reactions are marked, and those of accounts that it
            blocks are left out; None for no account.
        preview: whether to read what users who are not members see: the messages among the newest
            `PREVIEW_ENTRIES` entries since the room became public, whatever the positions and
            `kinds` are; none if the room is private or has no preview.
    """

    before: int | None = None
    after: int | None = None
    around: int | None = None
    limit: int = 50
    kinds: frozenset[str] = frozenset()
    viewer: int | None = None
    preview: bool = False
