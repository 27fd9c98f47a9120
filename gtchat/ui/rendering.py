"""Formats events as lines for a terminal; the lines are safe to print.

Replies and errors are formatted in `replies`, requests are sent in `interpreter`; this module does
no input or output.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

from gtchat.client import (
    Broadcast,
    ChatMessage,
    ConnectionLost,
    ConnectionRestored,
    Event,
    RoomReset,
    Whisper,
)
from gtchat.ui.descriptions import describe_event, format_place, is_hidden
from gtchat.ui.formatting import Paint, format_room, format_user, local_time
from gtchat.ui.notes import after_text, before_text
from gtchat.ui.terminal import escape_controls

#: Formats of times: of what has just happened, and of what may be of any day.
CLOCK, DATE = "%H:%M", "%Y-%m-%d %H:%M"


class Renderer:
    """Formats lines.

    Args:
        paint: styles a text.
        zone: time zone of the times shown; None for that of this machine.

    Attributes:
        paint: the same.
        numbers: whether the numbers of messages are shown.
    """

    def __init__(self, paint: Paint, zone: tzinfo | None = None) -> None:
        self.paint = paint
        self._zone = zone
        self.numbers = False

    def event_lines(self, event: Event) -> list[str]:
        """Return the lines of an event."""
        if isinstance(event, ConnectionLost):
            reason = escape_controls(event.reason)
            return [self.notice(f"connection lost ({reason}); reconnecting")]
        if isinstance(event, ConnectionRestored):
            return [self.notice("reconnected")]
        if isinstance(event, RoomReset):
            room = format_room(event.room)
            if event.reason == "left":
                return [self.notice(f"you are no longer in {room}")]
            return [self.notice(f"{room} was reset; /history shows its messages")]
        return self.pushed_lines(event)

    def pushed_lines(self, event: Event) -> list[str]:
        """Return the lines of an event that the server sent."""
        if isinstance(event, ChatMessage) and not event.blocked and event.deleted is None:
            is_action = event.style == "action"
            sender = f"* {format_user(event.user)}" if is_action else f"<{format_user(event.user)}>"
            return self.message_lines(event, self._head(event, sender))
        if isinstance(event, Broadcast):
            head = self.paint(f"<{format_user(event.user)}> to all users:", "bold")
            return self.text_lines(event.text, event.at, head)
        if is_hidden(event):
            return []
        at = getattr(event, "at", None)
        return [f"{self.time(at)} {self.notice(describe_event(event))}"]

    def _head(self, message: ChatMessage, sender: str) -> str:
        """Return what stands before a message: where it is, and of which user."""
        if isinstance(message, Whisper):
            to = f" to {format_user(message.to)}" if message.to else ""
            return self.paint(f"{sender} direct message{to}:", "direct")
        room = self.paint(format_place(message.room), "room")
        return f"{room} {self.paint(sender, 'bold')}"

    def message_lines(self, message: ChatMessage, head: str, form: str = CLOCK) -> list[str]:
        """Return the lines of a message."""
        number = f"{message.seq} " if self.numbers and message.seq else ""
        text = f"{before_text(message)}{message.text}"
        lines = self.text_lines(text, message.at, f"{number}{head}", form)
        return [*lines[:-1], lines[-1] + after_text(message)]

    def text_lines(self, text: str, at: datetime | None, head: str, form: str = CLOCK) -> list[str]:
        """Return the lines of a text; the second and later ones begin with a bar.

        The bar keeps a line of a text from looking like the message of another user.
        """
        first, *more = map(escape_controls, text.split("\n"))
        return [f"{self.time(at, form)} {head} {first}", *(f"      | {line}" for line in more)]

    def notice(self, text: str) -> str:
        """Return a line that is no message of a user."""
        return self.paint(f"* {text}", "dim")

    def time(self, at: datetime | None, form: str = CLOCK) -> str:
        """Return when something was, as it stands at the beginning of a line."""
        time = local_time(at, self._zone)
        return self.paint(time.strftime(form) if time else "--:--", "dim")

    def date(self, at: datetime | None) -> str:
        """Return when something was, without a style."""
        time = local_time(at, self._zone)
        return time.strftime(DATE) if time else "?"
