"""Peer messages: from client to client, past the server, in the frames of Message Center.

    frame    4 bytes, big-endian: length in bytes; then `<name>: <text>` in UTF-8; one a connection

The server sends the address of a user who allows it. The name in a frame is not verified; so the
address that the frame came from is shown with it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Factory, Protocol

#: Maximum size of a frame's text in bytes.
MAX_FRAME_BYTES = 65_536
#: Seconds for connecting, and for receiving a frame.
TIMEOUT = 10.0
#: Incoming connections at the same time; further ones are aborted.
MAX_CONNECTIONS = 32


class PeerError(Exception):
    """A user can't be reached, or the port can't be opened; the text says why."""


def encode_frame(text: str) -> bytes:
    """Return a frame with a text."""
    data = text.encode()
    return struct.pack("!I", len(data)) + data


class _IncomingMessage(Protocol):
    """An incoming connection: receives one frame."""

    transport: Any

    def __init__(self, peers: PeerMessenger) -> None:
        self._peers = peers
        self._data = b""
        self._timeout: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self._peers.incoming.add(self)
        self._timeout = self._peers.reactor.callLater(TIMEOUT, self.transport.abortConnection)
        if len(self._peers.incoming) > MAX_CONNECTIONS:
            self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        if len(self._data) < 4:
            return
        size = struct.unpack("!I", self._data[:4])[0]
        if not 1 <= size <= MAX_FRAME_BYTES:
            self.transport.abortConnection()
        elif len(self._data) >= 4 + size:
            text = self._data[4 : 4 + size].decode("utf-8", "replace")
            self._peers.received(self.transport.getPeer().host, text)
            self.transport.loseConnection()

    def connectionLost(self, reason: Any = None) -> None:
        self._peers.incoming.discard(self)
        if self._timeout is not None and self._timeout.active():
            self._timeout.cancel()


class _OutgoingMessage(Protocol):
    """An outgoing connection: sends one frame in one write, as Message Center expects it."""

    transport: Any

    def __init__(self, text: str, done: Deferred[None]) -> None:
        self._text = text
        self._done = done

    def connectionMade(self) -> None:
        self.transport.write(encode_frame(self._text))
        self.transport.loseConnection()

    def connectionLost(self, reason: Any = None) -> None:
        self._done.callback(None)


class PeerMessenger(Factory):
    """Sends and receives peer messages.

    Args:
        reactor: connects and listens.
        received: called with the address that a message came from, and its text.

    Attributes:
        port: the port that we listen on; None: none.
        incoming: incoming connections.
    """

    noisy = False

    def __init__(self, reactor: Any, received: Callable[[str, str], None]) -> None:
        self.reactor = reactor
        self.received = received
        self.port: int | None = None
        self.incoming: set[_IncomingMessage] = set()
        self._addresses: dict[str, tuple[str, int]] = {}

    async def listen(self, port: int) -> None:
        """Accept messages.

        Args:
            port: 1024 to 65535; 0 for any free port.

        Raises:
            PeerError: the port can't be opened.
        """
        try:
            listening = await TCP4ServerEndpoint(self.reactor, port).listen(self)
        except (CannotListenError, ValueError) as error:
            raise PeerError(f"can't listen on port {port}: choose another --peer-port") from error
        self.port = listening.getHost().port

    def buildProtocol(self, addr: IAddress | None) -> _IncomingMessage:
        """Accept a connection."""
        return _IncomingMessage(self)

    def add_address(self, name: str, host: str, port: int) -> None:
        """Remember the address that a user sent.

        Args:
            name: of the user.
            host: IP address or host name.
            port: TCP port.
        """
        self._addresses[name.casefold()] = host, port

    async def send(self, sender: str, name: str, text: str) -> None:
        """Send a message to a user.

        Args:
            sender: our own name.
            name: of the user.
            text: the message.

        Raises:
            PeerError: the user's address is unknown, or can't be reached.
        """
        address = self._addresses.get(name.casefold())
        if address is None:
            raise PeerError(f"{name} has not sent you an address: /getaddress {name} asks for it")
        done: Deferred[None] = Deferred()
        factory = Factory.forProtocol(lambda: _OutgoingMessage(f"{sender}: {text}", done))
        try:
            await HostnameEndpoint(self.reactor, *address, timeout=TIMEOUT).connect(factory)
        except Exception as error:
            raise PeerError(f"{name} can't be reached at {address[0]}:{address[1]}") from error
        await done
