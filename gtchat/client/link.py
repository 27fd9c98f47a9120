"""One WebSocket connection to a server, on Autobahn: handshake, text messages, pings, closing.

What the messages mean, and what follows when a link is lost, is decided in `connection`. All
timers run on the clock that is passed in. Source: RFC 6455.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from typing import Any, Protocol

import attrs
from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from autobahn.websocket.util import parse_url
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import (
    IDelayedCall,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

SUBPROTOCOL = "gtchat.v1"
#: Maximum size in bytes of a message from the server.
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
#: Seconds: for the opening handshake; between two pings; for the closing handshake.
OPEN_TIMEOUT, PING_INTERVAL, CLOSE_TIMEOUT = 10.0, 20.0, 2.0


class LinkOwner(Protocol):
    """What a link reports to."""

    def link_opened(self, link: WebSocketLink) -> None:
        """Handle the end of the opening handshake."""

    def link_received(self, link: WebSocketLink, payload: bytes) -> None:
        """Handle a text message.

        Args:
            link: that received it.
            payload: UTF-8.
        """

    def link_lost(self, link: WebSocketLink, code: int | None, reason: str) -> None:
        """Handle the end of a link.

        Args:
            link: that ended.
            code: the server's close code; None: it sent none.
            reason: one clause.
        """


class WebSocketLink(WebSocketClientProtocol):
    """One WebSocket connection.

    Attributes:
        factory: has the owner and the clock.
    """

    factory: WebSocketLinkFactory
    transport: Any
    _timer: IDelayedCall | None = None
    _received_data = True
    _paused = False

    def __init__(self) -> None:
        super().__init__()
        self._unread: deque[bytes] = deque()

    def connectionMade(self) -> None:
        # Nagle's algorithm holds a frame back until the one before it is acknowledged, up to 40 ms:
        # the close of a login that is given up would come after the login that follows it.
        with suppress(AttributeError, OSError):  # a Unix socket, or lost
            self.transport.setTcpNoDelay(True)
        self._drop_later(OPEN_TIMEOUT, "no WebSocket handshake in time")
        super().connectionMade()

    def onOpen(self) -> None:
        self._check_liveness()
        self.factory.owner.link_opened(self)

    def dataReceived(self, data: bytes) -> None:
        self._received_data = True
        super().dataReceived(data)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if isBinary:
            self.drop("the server sent a binary message")
        elif self._paused or self._unread:
            self._unread.append(payload)
        else:
            self.factory.owner.link_received(self, payload)

    @property
    def can_send(self) -> bool:
        """Whether messages can be sent: neither side has begun to close it."""
        return bool(self.state == self.STATE_OPEN)

    def send(self, payload: bytes) -> None:
        """Send a text message. payload: UTF-8."""
        self.sendMessage(payload)  # type: ignore[no-untyped-call]

    def pause(self) -> None:
        """Stop reading until `resume` is called; pings stop too."""
        if not self._paused:
            self._paused = True
            if self.can_send:  # else the closing has to end in time, read or not
                self._cancel_timer()
            self.transport.pauseProducing()

    def resume(self) -> None:
        """Read again, first what was received with the message that made the owner pause."""
        if not self._paused:
            return
        self._paused = False
        while self._unread and not self._paused:
            self.factory.owner.link_received(self, self._unread.popleft())
        if not self._paused:
            self.transport.resumeProducing()
            self._received_data = True
            if self._timer is None:  # else it is closing
                self._timer = self.factory.clock.callLater(PING_INTERVAL, self._check_liveness)

    def unread(self) -> list[bytes]:
        """Return the messages that were received and not passed on, and forget them."""
        unread, self._unread = list(self._unread), deque()
        return unread

    def finish(self) -> None:
        """Close with code 1000; drop the link if the server does not answer in CLOSE_TIMEOUT."""
        if self.can_send:
            self.sendClose(1000)
            self._drop_later(CLOSE_TIMEOUT, "the server did not answer the close")
        else:
            self.drop("closed")

    def drop(self, reason: str) -> None:
        """Abort the TCP connection. reason: passed to `LinkOwner.link_lost`."""
        self.wasNotCleanReason = reason
        self.dropConnection(abort=True)

    def _check_liveness(self) -> None:
        """Send a ping, or drop the link if nothing arrived since the ping before."""
        if not self._received_data:
            self.drop("the server does not answer")
            return
        self._received_data = False
        self.sendPing()
        self._cancel_timer()
        self._timer = self.factory.clock.callLater(PING_INTERVAL, self._check_liveness)

    def _drop_later(self, seconds: float, reason: str) -> None:
        self._cancel_timer()
        self._timer = self.factory.clock.callLater(seconds, self.drop, reason)

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._cancel_timer()
        # Read first: Autobahn replaces it by a text of its own that says less.
        our_reason = self.wasNotCleanReason
        super().connectionLost(reason)
        text = self.remoteCloseReason or our_reason or "closed by the server"
        if isinstance(reason.value, SSL.Error):
            text = f"TLS error: {_describe_tls_error(reason.value)}"
        self.factory.owner.link_lost(self, self.remoteCloseCode, text)


def _describe_tls_error(error: SSL.Error) -> str:
    """Return OpenSSL's own description."""
    reasons = [entry[-1] for entry in (error.args[0] if error.args else ()) if entry[-1]]
    return reasons[-1] if reasons else "the handshake failed"


class WebSocketLinkFactory(WebSocketClientFactory):
    """Makes links to one URL.

    Args:
        url: `ws://…` or `wss://…`.
        owner: what the links report to.
        clock: runs their timers.

    Raises:
        ValueError: the URL is invalid.
    """

    protocol: Any = WebSocketLink
    noisy = False

    def __init__(self, url: str, owner: LinkOwner, clock: IReactorTime) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            url, reactor=clock, protocols=[SUBPROTOCOL], useragent="GTChat"
        )
        self.owner = owner
        self.clock = clock
        self.setProtocolOptions(  # type: ignore[no-untyped-call]
            maxFramePayloadSize=MAX_MESSAGE_BYTES,
            maxMessagePayloadSize=MAX_MESSAGE_BYTES,
            # Autobahn's timers run on the global reactor: ours replace them.
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            serverConnectionDropTimeout=0,
        )


class IEndpointSource(Interface):
    """A reactor that has endpoints of its own, since Twisted's would use the installed reactor."""

    def endpoint(host: str, port: int) -> IStreamClientEndpoint:
        """Return the endpoint of a TCP port. host: a name or an address."""


@implementer(IStreamClientEndpoint)
@attrs.frozen
class _TLSEndpoint:
    """Connects with TLS; the delayed writes of `wrapClientTLS` run on the installed reactor."""

    _tcp: IStreamClientEndpoint
    _options: Any
    _clock: IReactorTime

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect. factory: makes the protocol within TLS."""
        wrapped = TLSMemoryBIOFactory(self._options, True, factory, self._clock)
        connected: Deferred[Any] = self._tcp.connect(wrapped)
        return connected.addCallback(lambda protocol: protocol.wrappedProtocol)


def endpoint_for(url: str, reactor: Any, ca_file: str | None = None) -> IStreamClientEndpoint:
    """Return the endpoint that a URL names.

    Args:
        url: `ws://…`, or `wss://…`, for which the server's certificate is verified.
        reactor: Twisted's reactor.
        ca_file: PEM file of the certificate authorities to trust; None for the platform's.

    Raises:
        ValueError: the URL is invalid, or the file has no usable certificate.
        OSError: the file can't be read.
    """
    secure, host, port, *_ = parse_url(url)
    endpoint: IStreamClientEndpoint
    if IEndpointSource.providedBy(reactor):
        endpoint = reactor.endpoint(host, port)
    else:
        endpoint = HostnameEndpoint(reactor, host, port)
    if not secure:
        return endpoint
    trust = trustRootFromCertificates(_load_certificates(ca_file)) if ca_file else None
    return _TLSEndpoint(endpoint, optionsForClientTLS(host, trustRoot=trust), reactor)


def _load_certificates(path: str) -> list[Certificate]:
    """Return all certificates of a PEM file."""
    mark = b"-----BEGIN CERTIFICATE-----"
    with open(path, "rb") as file:
        parts = file.read().split(mark)[1:]
    if not parts:
        raise ValueError(f"{path} contains no certificate")
    try:
        return [Certificate.loadPEM(mark + part) for part in parts]
    except SSL.Error as error:
        raise ValueError(f"{path} contains an invalid certificate") from error


def describe_failure(error: BaseException | None) -> str:
    """Return in one clause why a connection attempt failed."""
    number = getattr(error, "osError", None)
    if isinstance(number, int):
        return os.strerror(number)
    return str(error).rstrip(".") or type(error).__name__
