"""Talking to somebody directly: frames as Message Center has them, from client to client.

    frame    4 bytes, big-endian: the length; then `<name>: <text>` in UTF-8; one a connection

Where somebody listens is told by the server, if he allows it. Who calls says a name, which nothing
proves; so the address that he calls from is shown beside it.
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

#: Bytes of a frame, seconds for a call, and calls at once.
LARGEST, SECONDS, AT_ONCE = 65_536, 10.0, 32


class PeerError(Exception):
    """Somebody can't be reached, or we can't listen; the text says why."""


def framed(text: str) -> bytes:
    """A frame."""
    data = text.encode()
    return struct.pack("!I", len(data)) + data


class _Heard(Protocol):
    """Somebody calls: one frame."""

    transport: Any

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._data = b""
        self._late: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self._peers.calls.add(self)
        self._late = self._peers.reactor.callLater(SECONDS, self.transport.abortConnection)
        if len(self._peers.calls) > AT_ONCE:
            self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        if len(self._data) < 4:
            return
        size = struct.unpack("!I", self._data[:4])[0]
        if not 1 <= size <= LARGEST:
            self.transport.abortConnection()
        elif len(self._data) >= 4 + size:
            text = self._data[4 : 4 + size].decode("utf-8", "replace")
            self._peers.heard(self.transport.getPeer().host, text)
            self.transport.loseConnection()

    def connectionLost(self, reason: Any = None) -> None:
        self._peers.calls.discard(self)
        if self._late is not None and self._late.active():
            self._late.cancel()


class _Said(Protocol):
    """We call: one frame, in one write."""

    transport: Any

    def __init__(self, text: str, done: Deferred[None]) -> None:
        self._text = text
        self._done = done

    def connectionMade(self) -> None:
        self.transport.write(framed(self._text))
        self.transport.loseConnection()

    def connectionLost(self, reason: Any = None) -> None:
        self._done.callback(None)


class Peers(Factory):
    """Those whom one talks to directly.

    Args:
        reactor: connects and listens.
        heard: called with the address of somebody who called, and what he said.

    Attributes:
        port: where we listen; None: nowhere.
    """

    noisy = False

    def __init__(self, reactor: Any, heard: Callable[[str, str], None]) -> None:
        self.reactor = reactor
        self.heard = heard
        self.port: int | None = None
        self.calls: set[_Heard] = set()
        self._addresses: dict[str, tuple[str, int]] = {}

    async def listen(self, port: int) -> None:
        """Let others call.

        Args:
            port: 1024 to 65535, 0 for any that is free.

        Raises:
            PeerError: that is not possible.
        """
        try:
            listening = await TCP4ServerEndpoint(self.reactor, port).listen(self)
        except (CannotListenError, ValueError) as error:
            raise PeerError(f"can't listen on port {port}: choose another --peer-port") from error
        self.port = listening.getHost().port

    def buildProtocol(self, addr: IAddress | None) -> _Heard:
        """Somebody calls."""
        return _Heard(self)

    def learn(self, name: str, host: str, port: int) -> None:
        """Somebody has let us know where he listens."""
        self._addresses[name.casefold()] = host, port

    async def say(self, me: str, name: str, text: str) -> None:
        """Say something to somebody directly.

        Raises:
            PeerError: he has not told his address, or can't be reached there.
        """
        address = self._addresses.get(name.casefold())
        if address is None:
            raise PeerError(f"{name} has not told you an address: /getaddress {name} asks for it")
        done: Deferred[None] = Deferred()
        factory = Factory.forProtocol(lambda: _Said(f"{me}: {text}", done))
        try:
            await HostnameEndpoint(self.reactor, *address, timeout=SECONDS).connect(factory)
        except Exception as error:
            raise PeerError(f"{name} can't be reached at {address[0]}:{address[1]}") from error
        await done
