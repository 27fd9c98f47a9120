"""What the protocols of plain text share: clean text, times, and events as words for each reader.

A protocol says in words what an event is to its readers, once for all of them; each reader then
takes the words in its own time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Sequence
from typing import Protocol, cast

import attrs
from zope.interface import implementer

from gtchat.chat.events import Event
from gtchat.chat.interfaces import IConnection, IEncodedBatch, IEncoder

LOBBY = "lobby"

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def strip_controls(data: bytes | str) -> str:
    """A text as somebody sent it, without white space at the end and control characters in it.

    Args:
        data: UTF-8; what is not is replaced.
    """
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).rstrip()


def escape_controls(text: str) -> str:
    """A text of somebody's as a terminal may have it: nothing in it acts on the terminal, and its
    further lines can't be taken for somebody else's words or for the server's.
    """
    if text.isprintable():
        return text
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text).replace("\n", "\n    ")


def split_text(text: str, limit: int) -> list[str]:
    """A text in pieces of at most `most` characters (0: any number) that are not blank."""
    if not limit:
        return [text] if text.strip() else []
    cut = [text[start : start + limit] for start in range(0, len(text), limit)]
    return [piece for piece in cut if piece.strip()]


def format_clock(at: int) -> str:
    """A time of day as these protocols show it, in the server's zone. at: ms since 1970, UTC."""
    return time.strftime("[%H:%M:%S]", time.localtime(at / 1000))


def rfc3339(at: int) -> str:
    """A time as RFC 3339 has it, in UTC. at: ms since 1970."""
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at // 1000))
    return f"{second}.{at % 1000:03d}Z"


class TextConnection(Protocol):
    """Somebody who is told events in words."""

    def on_event(self, event: Event, words: str) -> None:
        """Take the words for an event."""


@implementer(IEncoder)
@attrs.define(eq=False)
class TextEncoder:
    """All sessions of one protocol of plain text.

    Args:
        say: the words for an event; None for one that this protocol can't express.
    """

    say: Callable[[Event], str | None]

    def encode(self, events: Sequence[Event]) -> TextBatch:
        """Find the words for events, once."""
        return TextBatch([(event, self.say(event)) for event in events])


@implementer(IEncodedBatch)
@attrs.define(eq=False)
class TextBatch:
    """Some events with their words, in order."""

    _told: list[tuple[Event, str | None]]

    def send(self, connections: Collection[IConnection]) -> None:
        """Give all that has words to each reader."""
        self._give(connections, self._told)

    def send_part(self, connection: IConnection, start: int, stop: int) -> None:
        """Give the events [start:stop] to one reader."""
        self._give((connection,), self._told[start:stop])

    def _give(
        self, connections: Collection[IConnection], told: list[tuple[Event, str | None]]
    ) -> None:
        said = [(event, words) for event, words in told if words is not None]
        for reader in cast("Collection[TextConnection]", connections):
            for event, words in said:
                reader.on_event(event, words)
