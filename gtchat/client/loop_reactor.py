"""A Twisted reactor for a loop of asyncio that runs already; it is not installed.

It watches sockets and keeps timers by means of the loop, has no thread, no signal handlers, and
nothing that would have to be closed. Names are resolved by `loop.getaddrinfo`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator

import attrs
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectingCancelledError, DNSLookupError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from gtchat.client.asyncio_bridge import as_deferred
from gtchat.client.link import IEndpointSource

#: Seconds for the attempt to connect to one address of a name.
CONNECT_TIMEOUT = 10


@implementer(IEndpointSource)
class LoopReactor(AsyncioSelectorReactor):
    """A reactor on a loop that runs.

    Args:
        loop: the loop.

    Attributes:
        at_end: what the loop closes at its end, to be kept as long as the reactor is used.

    Raises:
        TypeError: the loop can't watch sockets (Windows: use `asyncio.SelectorEventLoop`).
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.loop = loop
        self.at_end: AsyncGenerator[None, None] | None = None

    def installWaker(self) -> None:
        """Do nothing: the loop has a waker."""

    def endpoint(self, host: str, port: int) -> IStreamClientEndpoint:
        """Return the endpoint of a host (see IEndpointSource)."""
        return _LoopEndpoint(self, host, port)


@implementer(IStreamClientEndpoint)
@attrs.frozen
class _LoopEndpoint:
    """Connects to the first address of a host that accepts the connection.

    Twisted's HostnameEndpoint installs the default reactor when it connects.
    """

    _reactor: LoopReactor
    _host: str
    _port: int

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect. factory: makes the protocol."""
        return Deferred.fromCoroutine(self._connect(factory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        failure: Exception = DNSLookupError(f"{self._host} has no address")
        for address in await self._resolve():
            kind = TCP6ClientEndpoint if isIPv6Address(address) else TCP4ClientEndpoint
            endpoint = kind(self._reactor, address, self._port, CONNECT_TIMEOUT)
            try:
                return await endpoint.connect(factory)
            except (CancelledError, ConnectingCancelledError):
                raise
            except Exception as error:
                failure = error
        raise failure

    async def _resolve(self) -> list[str]:
        """Return the addresses; a thread of the loop is used for names alone."""
        if isIPAddress(self._host) or isIPv6Address(self._host):
            return [self._host]
        loop = self._reactor.loop
        found = loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        return [str(address[0]) for _, _, _, _, address in await as_deferred(found)]
