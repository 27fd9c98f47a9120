"""What waited for the user of a new session, while the session is sent it page by page.

Several nodes do not commit in the order of the numbers that messages have: a page may have passed
one. So what comes meanwhile is kept, and what no page had is looked for from the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs

from gtchat.chat.direct_records import StoredWhisper
from gtchat.chat.events import Invited


@attrs.define
class PendingDelivery:
    """What a session was sent of what waited, and what came meanwhile.

    Attributes:
        came: direct conversation -> seq of its newest message, which waits for older ones.
        sent: direct conversation -> seq of its newest message that was sent.
        invitations: those that came, which were sent at once.
    """

    came: dict[int, int] = attrs.field(factory=dict)
    sent: dict[int, int] = attrs.field(factory=dict)
    invitations: list[Invited] = attrs.field(factory=list)
    _sought: Mapping[int, int] = MappingProxyType({})

    def is_new(self, whisper: StoredWhisper) -> bool:
        """Return whether a message is sent now: each of a room, others if they were not yet."""
        seq = whisper.event.seq
        if not seq:
            return True
        if seq <= self.sent.get(whisper.room_id, 0):
            return False
        self.sent[whisper.room_id] = seq
        return True

    def end_pass(self, came: Mapping[int, int]) -> bool:
        """Take note that there is no further page; return whether to look from the start again.

        Args:
            came: `came` when the last page was asked for.
        """
        # What was looked for from the start and not found is gone: it was deleted, or another
        # session of the user has received it.
        for room_id, seq in self._sought.items():
            self.sent[room_id] = max(seq, self.sent.get(room_id, 0))
        self._sought = {id: seq for id, seq in came.items() if seq > self.sent.get(id, 0)}
        return bool(self._sought)
