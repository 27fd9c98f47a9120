"""Text and times as several protocols write them, and the encoder of the protocols of plain text.

Such a protocol renders an event as text once, for all of its connections; each connection sends
the text in its own time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timezone
from functools import lru_cache
from typing import Generic, Protocol, TypeVar, cast

import attrs
from zope.interface import implementer

from gtchat.chat.events import Event
from gtchat.chat.interfaces import IConnection, IEncodedBatch, IEncoder
from gtchat.protocols.base.legacy import LegacyMessages

Item = TypeVar("Item")

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
#: What is not shown as it is: controls, line and paragraph separators, and the controls that change
#: the order in which a terminal shows text (UAX 9, explicit directional formatting).
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def strip_controls(data: bytes | str) -> str:
    """Return a text without control characters, and without white space at its end.

    Args:
        data: UTF-8, or text that is decoded; what is not UTF-8 is replaced.
    """
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).rstrip()


def escape_controls(text: str) -> str:
    """Return a user's text as every plain protocol and the console show it, live or stored.

    It can do no harm in a terminal: control characters are shown as `\\x..` or `\\u....`, and
    further lines are indented, so that they can't be taken for the message of another user or of
    the server.
    """
    if text.isprintable():
        return text
    return _UNSAFE.sub(_escaped, text).replace("\n", "\n    ")


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def split_text(text: str, limit: int) -> list[str]:
    """Return the parts of a text that are not blank, each of at most `limit` characters.

    Args:
        text: the text.
        limit: the longest part, in characters; 0: any length.
    """
    if not limit:
        return [text] if text.strip() else []
    parts = [text[start : start + limit] for start in range(0, len(text), limit)]
    return [part for part in parts if part.strip()]


class TextGroups(Generic[Item]):
    """The texts of some items, joined in order to as few texts as possible.

    Args:
        render: returns the text of an item.
        size: largest joined text, in bytes of UTF-8; a longer text is not joined to others.
        limit: number of joined texts. What is added when there are no more is left out, and all
            that is added after it.
        max_bytes: largest number of bytes of all joined texts, but for the first item; as with
            `limit`. 0 disables the limit.

    Attributes:
        groups: the joined texts, each with its items.
    """

    def __init__(
        self, render: Callable[[Item], str], size: int, limit: int, max_bytes: int = 0
    ) -> None:
        self._render = render
        self._size = size
        self._limit = limit
        self._max_bytes = max_bytes
        self._room = self._bytes = 0
        self._full = False
        self._texts: list[list[str]] = []
        self._items: list[list[Item]] = []

    @property
    def groups(self) -> list[tuple[str, list[Item]]]:
        texts = ["".join(texts) for texts in self._texts]
        return list(zip(texts, self._items, strict=True))

    def add(self, item: Item) -> None:
        """Add an item after the others."""
        if self._full:
            return
        text = self._render(item)
        size = len(text.encode())
        self._bytes += size
        if self._max_bytes and self._texts and self._bytes > self._max_bytes:
            self._full = True
            return
        if not self._texts or size > self._room:
            if len(self._texts) >= self._limit:
                self._full = True
                return
            self._texts.append([])
            self._items.append([])
            self._room = self._size
        self._texts[-1].append(text)
        self._items[-1].append(item)
        self._room -= size


def first_names(names: Iterable[str], max_bytes: int) -> list[str]:
    """Return the first names that have at most `max_bytes` in UTF-8, with a byte between them."""
    found = []
    for name in names:
        max_bytes -= len(name.encode()) + 1
        if max_bytes < 0:
            break
        found.append(name)
    return found


def join_names(names: Sequence[str], end: str, max_bytes: int) -> str:
    """Join names for a list of plain text, and say how many it has no room for.

    Args:
        names: the names.
        end: one character that follows each.
        max_bytes: largest text, in bytes of UTF-8.
    """
    found = first_names(names, max_bytes - len("and  more") - len(str(len(names))) - 1)
    text = "".join(f"{name}{end}" for name in found)
    missing = len(names) - len(found)
    return f"{text}and {missing} more{end}" if missing else text


def format_clock(at: int) -> str:
    """Return the time of day as `[HH:MM:SS]` in the server's zone. at: ms since 1970, UTC."""
    return time.strftime("[%H:%M:%S]", time.localtime(at / 1000))


@lru_cache(maxsize=256)
def _format_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=256)
def rfc3339(at: int) -> str:
    """Return a time as RFC 3339 section 5.6 writes it, with milliseconds, in UTC.

    Args:
        at: milliseconds since 1970, UTC.
    """
    seconds, milliseconds = divmod(at, 1000)
    return f"{_format_second(seconds)}.{milliseconds:03d}Z"


class TextConnection(Protocol):
    """A connection that takes events as text."""

    def on_event(self, event: Event, text: str) -> None:
        """Send an event. text: what `TextEncoder.render` made of it."""


@implementer(IEncoder)
@attrs.define(eq=False)
class TextEncoder:
    """Renders events for all sessions of one protocol of plain text.

    Args:
        render: returns the text of an event; None for one that the protocol can't express.
        show_edits: whether an edit of a message is shown, as a further message.
    """

    render: Callable[[Event], str | None]
    show_edits: bool = True
    _legacy: LegacyMessages = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._legacy = LegacyMessages(self.show_edits)

    def encode(self, events: Sequence[Event]) -> TextBatch:
        """Render events, each once; connections get them as they are shown."""
        shown = map(self._legacy.translate, events)
        return TextBatch(
            [(event, None if event is None else self.render(event)) for event in shown]
        )


@implementer(IEncodedBatch)
@attrs.define(eq=False)
class TextBatch:
    """Some events with their texts, in order."""

    _rendered: Sequence[tuple[Event | None, str | None]]

    def send(self, connections: Collection[IConnection]) -> None:
        """Give all events that have a text to each connection."""
        self._send(connections, self._rendered)

    def send_part(self, connection: IConnection, start: int, stop: int) -> None:
        """Give the events [start:stop] to one connection."""
        self._send((connection,), self._rendered[start:stop])

    def _send(
        self,
        connections: Collection[IConnection],
        rendered: Sequence[tuple[Event | None, str | None]],
    ) -> None:
        texts = [(event, text) for event, text in rendered if event and text is not None]
        for connection in cast("Collection[TextConnection]", connections):
            for event, text in texts:
                connection.on_event(event, text)
