"""The PROXY protocol: a header before the bytes of a client says which address it connects from.

Twisted reads the header. What is added here: only trusted proxies may send one, it must come in
time, and a protocol begins when it is read, so that it sees and counts the client's address from
the beginning. Source: HAProxy's specification, versions 1 and 2.

Names of Twisted that it does not document are relied on; tests/server/test_proxy_protocol.py has a
test of each, and `setup.py` bounds its version.

    haproxy._wrapper.HAProxyProtocolWrapper, HAProxyWrappingFactory     are inherited from
    HAProxyProtocolWrapper._proxyInfo       None until the header is read
"""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper, HAProxyWrappingFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from gtchat.protocols.base.http_access import Proxies, peer_address

#: Seconds for the header of a connection: proxies send it at once.
HEADER_TIMEOUT = 5.0


class _HeldBytes(Protocol):
    """Stands for the protocol of a connection until its header is read.

    Attributes:
        data: bytes behind the header.
    """

    data = b""

    def dataReceived(self, data: bytes) -> None:
        """Keep what follows the header in the same segment."""
        self.data += data


class ProxiedConnection(HAProxyProtocolWrapper):
    """A connection whose protocol begins when the header is read.

    A protocol of Twisted's own class begins before that, with the proxy's address.
    """

    transport: Any
    factory: ProxiedFactory
    _timer: IDelayedCall | None = None

    def makeConnection(self, transport: Any) -> None:
        """Expect the header (Twisted: Protocol.makeConnection)."""
        self._protocol: IProtocol = self.wrappedProtocol
        self._held = _HeldBytes()
        self.wrappedProtocol = self._held
        self._timer = self.factory.clock.callLater(HEADER_TIMEOUT, self._abort_late)
        super().makeConnection(transport)  # type: ignore[no-untyped-call]

    def dataReceived(self, data: bytes) -> None:
        """Read the header, or pass on what follows it (Twisted: Protocol.dataReceived)."""
        super().dataReceived(data)
        if self._timer is not None and self._proxyInfo is not None and not self.disconnecting:
            self._begin()

    def _begin(self) -> None:
        """Connect the protocol, and give it what was read behind the header."""
        self._cancel_timer()
        self.wrappedProtocol = self._protocol
        self.wrappedProtocol.makeConnection(self)  # type: ignore[arg-type]
        # The protocol may have refused the connection. Twisted reads nothing more then.
        if self._held.data and not self.disconnecting:
            self.wrappedProtocol.dataReceived(self._held.data)

    def abortConnection(self) -> None:
        """Close the connection without sending what is left (ITCPTransport.abortConnection)."""
        self.disconnecting = 1
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone (Twisted: Protocol.connectionLost)."""
        self._cancel_timer()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _abort_late(self) -> None:
        self._timer = None
        self.transport.abortConnection()


class ProxiedFactory(HAProxyWrappingFactory):
    """Makes connections that begin with a header of the PROXY protocol.

    Args:
        wrapped: makes their protocols.
        clock: calls later.
    """

    protocol = ProxiedConnection  # type: ignore[assignment]
    noisy = False

    def __init__(self, wrapped: IProtocolFactory, clock: IReactorTime) -> None:
        super().__init__(wrapped)  # type: ignore[no-untyped-call]
        self.clock = clock


@attrs.define(eq=False)
class TrustedProxyFactory(Factory):
    """Accept connections of trusted proxies only: other peers could claim any address."""

    wrapped: Any
    proxies: Proxies
    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Return the wrapped factory's protocol, or None to refuse the connection."""
        if peer_address(addr) not in self.proxies:
            return None
        built: Protocol | None = self.wrapped.buildProtocol(addr)
        return built

    def doStart(self) -> None:
        """Start the wrapped factory."""
        self.wrapped.doStart()

    def doStop(self) -> None:
        """Stop the wrapped factory."""
        self.wrapped.doStop()


@implementer(IStreamServerEndpoint)
@attrs.frozen
class ProxyEndpoint:
    """An endpoint whose connections come from trusted proxies, with a header each.

    Args:
        wrapped: accepts the connections of the proxies.
        proxies: the trusted proxies.
        clock: calls later.
    """

    wrapped: IStreamServerEndpoint
    proxies: Proxies
    clock: IReactorTime

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen (IStreamServerEndpoint.listen)."""
        listening: Deferred[IListeningPort] = self.wrapped.listen(
            TrustedProxyFactory(ProxiedFactory(factory, self.clock), self.proxies)
        )
        return listening
