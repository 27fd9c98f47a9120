"""Messages as clients of older protocols are shown them, which know no changes of messages.

An edit is a further message, an action and a reply are texts. What such a client can't be shown
(deletions, reactions, pins) is left to the protocols, which have no text for it.
"""

from __future__ import annotations

import re
from collections import OrderedDict

import attrs

from gtchat.chat.events import AnnotatedMessage, Edited, Event, MessageSent, WhisperSent

#: Milliseconds between two edits of one message that are shown.
EDIT_INTERVAL_MS = 30_000


def plain_message(message: MessageSent) -> MessageSent | None:
    """Return a message with all that there is to say of it in its text, None for a deleted one."""
    if not isinstance(message, AnnotatedMessage):
        return message
    if message.deleted is not None:
        return None
    if isinstance(message, WhisperSent) and message.to:
        return None  # what the user has sent by another client
    text = f"* {message.usr} {message.msg}" if message.style == "action" else message.msg
    if message.reply is not None and not _names(message.msg, message.reply.usr):
        text = f"{message.reply.usr}: {text}"
    return _message(message, text, message.id)


def _names(text: str, name: str) -> bool:
    """Return whether a text has a name as a word of its own."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def _message(entry: Edited | MessageSent, text: str, id_: str) -> MessageSent:
    """Return a message with a text, to a room or to the receiver alone."""
    if isinstance(entry, WhisperSent):
        return attrs.evolve(entry, msg=text)
    if isinstance(entry, Edited) and entry.target_user:
        return WhisperSent(
            usr=entry.usr, subject_id=entry.subject_id, at=entry.at, msg=text, id=id_
        )
    return MessageSent(
        room_name=entry.room_name,
        usr=entry.usr,
        seq=entry.seq,
        subject_id=entry.subject_id,
        at=entry.at,
        msg=text,
        id=id_,
    )


@attrs.define(eq=False)
class LegacyMessages:
    """Turns entries into messages that older clients can be shown, for one protocol.

    Args:
        show_edits: whether an edit is shown as a message.
    """

    show_edits: bool
    #: Room or conversation and seq of a message -> time and seq of the edit of it that was shown
    #: last, oldest first.
    _shown: OrderedDict[tuple[str | int, int], tuple[int, int]] = attrs.field(factory=OrderedDict)

    def translate(self, event: Event) -> Event | None:
        """Return the event that is shown in place of another, None for none."""
        if isinstance(event, AnnotatedMessage):
            return plain_message(event)
        if isinstance(event, Edited):
            return self._edit(event) if self.show_edits else None
        return event

    def _edit(self, edit: Edited) -> MessageSent | None:
        """Return the message that shows an edit, None so soon after another of the same message.

        What the user has edited in a direct conversation is not shown to the user.
        """
        if edit.target_user and edit.target_user != edit.usr:
            return None
        while (
            self._shown and abs(edit.at - next(iter(self._shown.values()))[0]) >= EDIT_INTERVAL_MS
        ):
            self._shown.popitem(last=False)
        # An edit of a direct message is translated for each session of the user.
        last = self._shown.setdefault((edit.log_id or edit.room_name, edit.of), (edit.at, edit.seq))
        if last != (edit.at, edit.seq):
            return None
        return _message(edit, f"(edited) {edit.msg}", "")
