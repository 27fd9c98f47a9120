"""How a store hears at once that other nodes have written, and tells them that it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

import msgspec
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from gtchat.chat.node_records import SYSTEM_ID

_Int: TypeAlias = int | None
_Text: TypeAlias = str | None
#: An entry as it is read: the columns `entry_rows.COLUMNS`, seq first.
ReadRow = tuple[int, str, int, str, _Int, _Text, _Text, _Int, _Int, _Int, _Text, bool]


class CarriedRows(msgspec.Struct, frozen=True):
    """What a transaction has appended.

    Attributes:
        node_id: the node that did it.
        logs: room id -> its rows, at least one, of seqs that follow each other; of direct
            conversations, too.
        system: (kind, body) of entries of the system log, see `system_log`.
        system_first: seq of the first of them.

    Raises:
        ValueError: the rows of a log do not follow each other.
    """

    node_id: int
    logs: dict[int, tuple[ReadRow, ...]]
    system: tuple[tuple[str, str], ...] = ()
    system_first: int = 1

    def __post_init__(self) -> None:
        for rows in self.logs.values():
            if not rows or any(row[0] != seq for seq, row in enumerate(rows, rows[0][0])):
                raise ValueError("rows do not follow each other")

    @property
    def heads(self) -> dict[int, int]:
        """Room id -> seq of its newest entry."""
        heads = {room_id: rows[-1][0] for room_id, rows in self.logs.items()}
        if self.system:
            heads[SYSTEM_ID] = self.system_first + len(self.system) - 1
        return heads


class TakeHeads(Protocol):
    """Takes what another node has written. Called in the reactor thread."""

    def __call__(self, heads: Mapping[int, int] | None, rows: CarriedRows | None = None) -> None:
        """Take it.

        Args:
            heads: room id -> seq of its newest entry; None: any room may have been written.
            rows: what was written, None if it has to be read.
        """


class TellHeads(Protocol):
    """Tells other nodes what is committed. Never waits, never fails."""

    def __call__(self, heads: Mapping[int, int], rows: bytes | None = None) -> None:
        """Tell them.

        Args:
            heads: room id -> seq of its newest entry.
            rows: what `carried_rows.encode` has returned for all of it, None for nothing.
        """


def ignore_heads(heads: Mapping[int, int] | None, rows: object = None) -> None:
    """Tell no other node; hear none, until the store sets `INotifier.received`."""


class INotifier(Interface):
    """Wakes the other nodes of a database. What it loses, a look at the heads of logs finds."""

    received: TakeHeads = Attribute("Set by the store.")
    carries_rows: bool = Attribute("Whether it sends rows, too.")

    def join(chat: str) -> None:
        """Tell and hear the nodes of a chat from now on, and no others.

        Called in any thread, before `start` and whenever the node has loaded the chat.

        Args:
            chat: letters and digits that all nodes of the chat know; see `rooms.chat_id`.
        """

    def start() -> None:
        """Begin to listen."""

    def notify(heads: Mapping[int, int], rows: bytes | None = None) -> None:
        """Tell the other nodes; see `TellHeads`. Called in any thread."""

    def stop() -> Deferred[None]:
        """End all threads and connections; fires when they have ended."""
