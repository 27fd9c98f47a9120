"""Listening with TLS: the port of `TLSServer`, its credentials, and the bounds of handshakes."""

from __future__ import annotations

import ssl
from typing import Any, Protocol, cast

import attrs
from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import (
    IDelayedCall,
    IListeningPort,
    IProtocolFactory,
    IProtocolNegotiationFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from zope.interface import implementer

from gtchat.protocols.base.tls_transport import TLSServer
from gtchat.protocols.base.transport import EagerPort

#: Seconds for a handshake, from the accepted TCP connection on.
HANDSHAKE_SECONDS = 10.0
#: Handshakes that may be under way on a port. One more, and the first of them is aborted: those of
#: honest clients take a few round trips.
MAX_HANDSHAKES = 2_000


class TLSCredentials(Protocol):
    """The key and the certificates of a port.

    Attributes:
        context: makes the connections from now on. It may be replaced at any time.
    """

    context: ssl.SSLContext

    def offer(self, protocols: list[str]) -> None:
        """Let clients choose an application protocol (ALPN, RFC 7301).

        Args:
            protocols: their names, the preferred one first.
        """


@attrs.define(eq=False)
class BoundedHandshakes:
    """The handshakes under way on a port, bounded in time and number.

    Args:
        clock: monotonic time in seconds, and delayed calls.
    """

    clock: IReactorTime
    _began: dict[TLSServer, float] = attrs.field(init=False, factory=dict)
    _timer: IDelayedCall | None = attrs.field(init=False, default=None)

    def add(self, connection: TLSServer) -> None:
        """Take note of a handshake that begins; abort the first one if there are too many."""
        if len(self._began) >= MAX_HANDSHAKES:
            self._abort(next(iter(self._began)))
        self._began[connection] = self.clock.seconds()
        if self._timer is None:
            self._timer = self.clock.callLater(HANDSHAKE_SECONDS, self._abort_late)

    def discard(self, connection: TLSServer) -> None:
        """Take note that a handshake has ended, if it has not ended before."""
        self._began.pop(connection, None)
        if not self._began and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _abort_late(self) -> None:
        self._timer = None
        now = self.clock.seconds()
        for connection, began in list(self._began.items()):
            if began + HANDSHAKE_SECONDS > now:
                self._timer = self.clock.callLater(
                    began + HANDSHAKE_SECONDS - now, self._abort_late
                )
                return
            self._abort(connection)

    def _abort(self, connection: TLSServer) -> None:
        del self._began[connection]
        connection.abortConnection()  # type: ignore[no-untyped-call]


class TLSPort(EagerPort):
    """A listening port whose connections are instances of `TLSServer`.

    Args:
        credentials: make the TLS of its connections.
        args: see `tcp.Port`.
        kwargs: see `tcp.Port`.

    Attributes:
        outgoing: records that a connection is about to send.
        handshakes: those under way.
    """

    transport = TLSServer
    _type = "TLS"

    def __init__(self, credentials: TLSCredentials, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.credentials = credentials
        self.outgoing = ssl.MemoryBIO()
        self.handshakes = BoundedHandshakes(cast("IReactorTime", self.reactor))

    def wrap(self, incoming: ssl.MemoryBIO) -> ssl.SSLObject:
        """Return the TLS of a connection, with the present key and certificates.

        Args:
            incoming: what the connection receives.
        """
        return self.credentials.context.wrap_bio(incoming, self.outgoing, server_side=True)


@implementer(IStreamServerEndpoint)
@attrs.frozen
class TLSEndpoint:
    """An endpoint with TLS.

    Args:
        reactor: listens.
        port: TCP port number, 0 for a free one.
        credentials: key and certificates.
        backlog: number of connections that may wait to be accepted.
        interface: IP address to listen on, "" for all.
    """

    reactor: Any
    port: int
    credentials: TLSCredentials
    backlog: int
    interface: str

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen (IStreamServerEndpoint.listen).

        Args:
            factory: makes the protocols. It may name application protocols, as the site does
                (IProtocolNegotiationFactory).
        """
        if IProtocolNegotiationFactory.providedBy(factory):
            names = IProtocolNegotiationFactory(factory).acceptableProtocols()
            self.credentials.offer([name.decode("ascii") for name in names])
        listening: Deferred[IListeningPort] = execute(self._start, factory)
        return listening

    def _start(self, factory: IProtocolFactory) -> TLSPort:
        port = TLSPort(
            self.credentials, self.port, factory, self.backlog, self.interface, self.reactor
        )
        port.startListening()
        return port
