"""Subscribers: the sessions that receive the events of a room, or of the server."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Protocol

import attrs

from gtchat.chat.events import Event
from gtchat.chat.interfaces import IConnection, IEncodedBatch, IEncoder


class Subscriber(Protocol):
    """What subscriptions use of a session."""

    encoder: IEncoder
    connection: IConnection


@attrs.define(eq=False)
class Subscribers:
    """The sessions that receive the events of a room or of the server, grouped by protocol."""

    #: Dicts without values: sets take up to twice the memory.
    _by_encoder: dict[IEncoder, dict[IConnection, None]] = attrs.field(factory=dict)

    def __bool__(self) -> bool:
        return bool(self._by_encoder)

    def __len__(self) -> int:
        return sum(map(len, self._by_encoder.values()))

    def __contains__(self, session: Subscriber) -> bool:
        return session.connection in self._by_encoder.get(session.encoder, ())

    def __iter__(self) -> Iterator[tuple[IEncoder, Collection[IConnection]]]:
        return iter(self._by_encoder.items())

    def add(self, session: Subscriber) -> None:
        """Subscribe a session."""
        self._by_encoder.setdefault(session.encoder, {})[session.connection] = None

    def discard(self, session: Subscriber) -> None:
        """Unsubscribe a session if it is subscribed."""
        connections = self._by_encoder.get(session.encoder)
        if connections is not None:
            connections.pop(session.connection, None)
            if not connections:
                del self._by_encoder[session.encoder]

    def clear(self) -> None:
        """Unsubscribe all sessions."""
        self._by_encoder.clear()

    def publish(
        self, events: Sequence[Event], exclude: Collection[IConnection] = ()
    ) -> dict[IEncoder, IEncodedBatch]:
        """Send events to all subscribers, encoded once for each protocol.

        Args:
            events: the events, in order.
            exclude: connections that receive none of them from here.

        Returns:
            The encoded batch of each encoder, for excluded connections that get a part of it.
        """
        batches: dict[IEncoder, IEncodedBatch] = {}
        for encoder, connections in self._by_encoder.items():
            batch = batches[encoder] = encoder.encode(events)
            excluded: dict[IConnection, None] = {}
            for connection in exclude:
                if connection in connections:
                    del connections[connection]
                    excluded[connection] = None
            try:
                if connections:
                    batch.send(connections)
            finally:
                connections.update(excluded)
        return batches


def connections_of(sessions: Iterable[Subscriber]) -> list[IConnection]:
    """Return the connections of sessions."""
    return [session.connection for session in sessions]
