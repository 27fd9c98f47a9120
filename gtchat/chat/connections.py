"""Interfaces of client connections, encoders of events, and password hashing.

`interfaces` has the interface of the store, and exports these too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import Enum

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from gtchat.chat.events import Event


class DeliveryProof(Enum):
    """What proves that a client has received what was sent to its connection."""

    #: Each call to the client: the protocol calls `Whispers.confirm`.
    CALL = "call"
    #: A pong, or the closing handshake: the protocol calls `Whispers.ping_sent` and
    #: `pong_received`.
    PONG = "pong"
    #: Nothing: it counts as received when the connection outlives the time to notice a loss.
    TIME = "time"


class IConnection(Interface):
    """A client connection with one session; made by a protocol."""

    address: str = Attribute("IP address of the client")
    buffered_bytes: int = Attribute("bytes that were sent and have not left, as far as is known")
    closed: bool = Attribute("whether the connection is lost, so that no session can begin on it")
    delivery_proof: DeliveryProof = Attribute("what proves that a whisper has arrived")
    protocol: str = Attribute("name of the protocol, as in docs/protocol.md, Sessions")
    resumable: bool = Attribute("whether clients of the protocol can resume a session")

    def close(event: Event | None, reason: str, text: str = "") -> None:
        """Send an event and close the connection, because the session has ended.

        Args:
            event: the event, None for none.
            reason: key of the protocol's table of close reasons: `replaced`, `password`,
                `kicked`, `banned`, `ended`.
            text: what the user is told beyond that, "" for nothing.
        """


class IEncodedBatch(Interface):
    """Events in order, encoded once for all connections of a protocol."""

    def send(connections: Collection[IConnection]) -> None:
        """Append all events to the outbox of each connection, and do nothing else for each."""

    def send_part(connection: IConnection, start: int, stop: int) -> None:
        """Append the events [start:stop] to the outbox of one connection.

        Args:
            connection: the connection.
            start, stop: indexes of events, as in a slice.
        """


class IEncoder(Interface):
    """Encodes events for all sessions of a protocol; there is one for each protocol."""

    def encode(events: Sequence[Event]) -> IEncodedBatch:
        """Encode events, each once."""


class IPasswords(Interface):
    """Hashes passwords outside of the reactor thread."""

    def hash(password: str) -> Deferred[str]:
        """Return the Argon2id hash of a password as text.

        Raises:
            RateLimited: too many are being hashed.
        """

    def verify(hash: str | None, password: str) -> Deferred[bool]:
        """Return whether a password is right.

        Args:
            hash: the hash as text; None, for an unknown user, takes as long and is False.
            password: the password.
        """
