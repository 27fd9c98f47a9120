"""The base classes of events, and of those that are entries of a log; `events` has the others."""

from __future__ import annotations

from typing import ClassVar

import attrs


@attrs.define(kw_only=True)
class Event:
    """An event. Receivers do not change it.

    Attributes:
        at: time of day in milliseconds since 1970, UTC; for display, not for ordering.
    """

    at: int


@attrs.define(kw_only=True)
class Entry(Event):
    """An entry of the log of a room.

    The store sets `seq` in place, before the event is sent: a copy of each message, or a frozen
    class, would cost more than all of the rules.

    Attributes:
        kind: the stable name of the class.
        room_name: name of the room as displayed.
        usr: name, as displayed, of the user that the entry is about.
        seq: number in the log; 0 until it is stored.
        subject_id: the account that the entry is about: the author of a message, the user who
            joins, leaves, is kicked or removed, the owner that the room has from here on; None for
            no owner, and where the account is not known. Clients are not told.
    """

    kind: ClassVar[str]
    room_name: str
    usr: str
    seq: int = 0
    subject_id: int | None = None
