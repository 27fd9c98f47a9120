"""One WebSocket to a server, on Autobahn: opening, text messages, liveness, closing.

What the messages mean stands in `connection`, which also decides what follows when a link is lost.
All times go by the clock that is given. Source: RFC 6455.
"""

from __future__ import annotations

import os
from typing import Any, Protocol

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from autobahn.websocket.util import parse_url
from OpenSSL import SSL
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.python.failure import Failure

SUBPROTOCOL = "gtchat.v1"
#: Bytes of a message that the server may send.
MESSAGE_MOST = 16 * 1024 * 1024
#: Seconds: for the opening handshake; between two looks whether the server lives; for closing.
OPENING, LIVENESS, CLOSING = 10.0, 20.0, 2.0


class Owner(Protocol):
    """Whom a link belongs to."""

    def link_opened(self, link: Link) -> None: ...

    def link_received(self, link: Link, payload: bytes) -> None: ...

    def link_lost(self, link: Link, code: int | None, reason: str) -> None: ...


class Link(WebSocketClientProtocol):
    """One WebSocket connection.

    Attributes:
        factory: has the owner and the clock.
    """

    factory: LinkFactory
    transport: Any
    _timer: IDelayedCall | None = None
    _heard = True

    def connectionMade(self) -> None:
        self._call_later(OPENING, "no WebSocket handshake in time")
        super().connectionMade()

    def onOpen(self) -> None:
        self._check_liveness()
        self.factory.owner.link_opened(self)

    def dataReceived(self, data: bytes) -> None:
        self._heard = True
        super().dataReceived(data)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if isBinary:
            self.drop("the server sent a binary message")
        else:
            self.factory.owner.link_received(self, payload)

    def send(self, payload: bytes) -> None:
        """Send a text message. payload: UTF-8."""
        self.sendMessage(payload)  # type: ignore[no-untyped-call]

    def pause(self) -> None:
        """Read no more, until `resume`."""
        self._cancel_timer()
        self.transport.pauseProducing()

    def resume(self) -> None:
        """Read again."""
        self.transport.resumeProducing()
        self._heard = True
        self._check_liveness()

    def finish(self) -> None:
        """Close in an orderly way (code 1000); a server that does not answer is not waited for."""
        if self.state == self.STATE_OPEN:
            self.sendClose(1000)
            self._call_later(CLOSING, "the server did not answer the close")
        else:
            self.drop("closed")

    def drop(self, why: str) -> None:
        """Cut the connection."""
        self.wasNotCleanReason = why
        self.dropConnection(abort=True)

    def _check_liveness(self) -> None:
        """Ping; a server that says nothing until the next look is gone."""
        if not self._heard:
            self.drop("the server does not answer")
            return
        self._heard = False
        self.sendPing()
        self._cancel_timer()
        self._timer = self.factory.clock.callLater(LIVENESS, self._check_liveness)

    def _call_later(self, seconds: float, why: str) -> None:
        self._cancel_timer()
        self._timer = self.factory.clock.callLater(seconds, self.drop, why)

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._cancel_timer()
        found = self.wasNotCleanReason  # Autobahn's own default says less than it seems
        super().connectionLost(reason)
        text = self.remoteCloseReason or found or "the server is gone"
        if isinstance(reason.value, SSL.Error):
            text = f"no safe connection: {_tls_reason(reason.value)}"
        self.factory.owner.link_lost(self, self.remoteCloseCode, text)


def _tls_reason(error: SSL.Error) -> str:
    """OpenSSL's own words for what is wrong."""
    found = [entry[-1] for entry in (error.args[0] if error.args else ()) if entry[-1]]
    return found[-1] if found else "the TLS handshake failed"


class LinkFactory(WebSocketClientFactory):
    """Makes links to one URL.

    Args:
        url: `ws://…` or `wss://…`.

    Raises:
        ValueError: the URL is not one.
    """

    protocol: Any = Link
    noisy = False

    def __init__(self, url: str, owner: Owner, clock: IReactorTime) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            url, reactor=clock, protocols=[SUBPROTOCOL], useragent="GTChat"
        )
        self.owner = owner
        self.clock = clock
        self.setProtocolOptions(  # type: ignore[no-untyped-call]
            maxFramePayloadSize=MESSAGE_MOST,
            maxMessagePayloadSize=MESSAGE_MOST,
            # Autobahn's own timers go by the global reactor.
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            serverConnectionDropTimeout=0,
        )


def endpoint_for(url: str, reactor: Any, ca_file: str | None = None) -> IStreamClientEndpoint:
    """The endpoint that a URL names; with wss:// the server's certificate is verified.

    Args:
        ca_file: PEM file of the authorities to trust instead of the platform's.

    Raises:
        ValueError: the URL is not one, or the file has no certificate.
        OSError: the file can't be read.
    """
    secure, host, port, *_ = parse_url(url)
    endpoint: IStreamClientEndpoint = HostnameEndpoint(reactor, host, port)
    if not secure:
        return endpoint
    trust = trustRootFromCertificates(_certificates(ca_file)) if ca_file else None
    return wrapClientTLS(optionsForClientTLS(host, trustRoot=trust), endpoint)


def _certificates(path: str) -> list[Certificate]:
    """All certificates of a PEM file."""
    mark = b"-----BEGIN CERTIFICATE-----"
    with open(path, "rb") as file:
        parts = file.read().split(mark)[1:]
    if not parts:
        raise ValueError(f"{path} has no certificate in it")
    try:
        return [Certificate.loadPEM(mark + part) for part in parts]
    except SSL.Error as error:
        raise ValueError(f"{path} has a certificate that can't be read") from error


def why(error: BaseException | None) -> str:
    """Why there is no connection, in one clause."""
    number = getattr(error, "osError", None)
    if isinstance(number, int):
        return os.strerror(number)
    return str(error).rstrip(".") or type(error).__name__
