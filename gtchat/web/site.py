"""The site: static files with security headers, `/ws` beside them, and `/healthz` for monitors.

Paths are checked before twisted.web looks at the disk. Only GET and HEAD are answered. A request
that two readers could understand differently gets 400 (RFC 9112); all of it has to come in time.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec
from autobahn.twisted.resource import WebSocketResource
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site
from twisted.web.static import File
from zope.interface import implementer

from gtchat import __version__

PAGE = b"client.html"
WEBSOCKET = b"/ws"
#: Seconds in which a request has to be sent, and in which its answer has to be taken.
REQUEST_SECONDS, ANSWER_SECONDS = 10, 60

HEADERS = {
    b"Content-Security-Policy": b"default-src 'none'; script-src 'self'; style-src 'self'; "
    b"img-src 'self' data:; connect-src 'self' ws: wss:; frame-ancestors 'none'; "
    b"base-uri 'none'; form-action 'none'; "
    b"require-trusted-types-for 'script'; trusted-types 'none'",
    b"X-Content-Type-Options": b"nosniff",
    b"Referrer-Policy": b"no-referrer",
    b"Cross-Origin-Opener-Policy": b"same-origin",
    b"Cache-Control": b"no-cache",
}


class SiteChannel(HTTPChannel):
    """A connection of the site's, stricter than twisted.web's own."""

    transport: Any
    site: Any
    _paused: Any = None
    _counted = ""

    def connectionMade(self) -> None:
        """Somebody has connected; more than his share he may not."""
        super().connectionMade()
        limiter = self.site.limiter
        if limiter is not None:
            self._counted = str(getattr(self.transport.getPeer(), "host", "local"))
            if not limiter.acquire(self._counted):
                self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is no more."""
        self.leave()
        super().connectionLost(reason)

    def leave(self) -> None:
        """This is no connection of the site's any more."""
        if self._counted:
            self.site.limiter.release(self._counted)
            self._counted = ""

    def dataReceived(self, data: bytes) -> None:
        """Take bytes. They are no reason for more time: a request has to be whole in time."""
        if self.line_mode and b"\n\n" in data:
            self.refuse()
        else:
            LineReceiver.dataReceived(self, data)

    def lineReceived(self, line: bytes) -> None:
        """Take a line of the header."""
        if line[:1] in (b" ", b"\t") or b"\n" in line or b"\r" in line:
            self.refuse()  # RFC 9112 sections 2.2 and 5.2: no folding, no other ends of lines
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line is too long."""
        self.refuse()

    # Twisted's own channel stops a producer for each write to a full transport, and lets it go on
    # once, also one that was never stopped.

    def pauseProducing(self) -> None:
        """The transport is full."""
        self._waitingForTransport = True
        producer = self._requestProducer
        if producer is not None and producer is not self._paused:
            self._paused = producer
            producer.pauseProducing()
        if not self._handlingRequest:
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The transport is empty."""
        self._waitingForTransport = False
        producer: Any = self._requestProducer
        if producer is not None and producer is self._paused:
            producer.resumeProducing()
        self._paused = None
        if not self._handlingRequest:
            self.transport.resumeProducing()

    def refuse(self) -> None:
        """Say that this is no request, and hear no more of it."""
        self.line_mode = False
        self.rawDataReceived = _ignore  # type: ignore[method-assign]
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        self.loseConnection()


def _ignore(data: bytes) -> None:
    """Take bytes that nobody reads."""


class SiteRequest(Request):
    """A request whose answer has the site's headers, and which has to be a proper one."""

    def setHeader(self, name: Any, value: Any) -> None:
        """Set a header of the answer, other than twisted.web's name."""
        if name.lower() != b"server":
            super().setHeader(name, value)

    def process(self) -> None:
        """Answer, once the headers are set and the request is one that we take."""
        for name, value in HEADERS.items():
            self.responseHeaders.setRawHeaders(name, [value])
        channel: Any = self.channel
        hosts = self.requestHeaders.getRawHeaders(b"host", [])
        if len(hosts) != 1 and not (self.clientproto == b"HTTP/1.0" and not hosts):
            self._refuse(400)
        elif hosts and not channel.site.known_host(hosts[0].decode("latin-1")):
            self._refuse(421)
        elif self.method not in (b"GET", b"HEAD"):
            self.setHeader(b"Allow", b"GET, HEAD")
            self._refuse(405)
        else:
            if self.path != WEBSOCKET:
                late = self.channel.callLater(ANSWER_SECONDS, self.channel.forceAbortClient)
                self.notifyFinish().addBoth(lambda _: late.cancel() if late.active() else None)
            super().process()

    def _refuse(self, code: int) -> None:
        self.setResponseCode(code)
        self.setHeader(b"Content-Length", b"0")
        self.setHeader(b"Connection", b"close")
        # What stands behind it is no request either.
        self.channel.persistent = False
        self.finish()


class NotFound(Resource):
    """There is nothing here, whatever was asked for."""

    isLeaf = True

    def render(self, request: Any) -> bytes:
        """Say so, in words that repeat nothing of the request."""
        request.setResponseCode(404)
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        return b"There is nothing here.\n"


class Health(Resource):
    """Whether the server does its work.

    Args:
        healthy: whether what is said now would be stored.
    """

    isLeaf = True

    def __init__(self, healthy: Callable[[], bool]) -> None:
        super().__init__()
        self._healthy = healthy

    def render_GET(self, request: Any) -> bytes:
        """Answer a monitor."""
        healthy = self._healthy()
        request.setHeader(b"Content-Type", b"application/json")
        if not healthy:
            request.setResponseCode(503)
        status = "ok" if healthy else "not_stored"
        return msgspec.json.encode({"status": status, "version": __version__})


@implementer(IResource)
class Root(Resource):
    """The files of a folder, the page at `/`, and what stands beside them.

    Args:
        folder: the static files.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder.resolve()

    def getChild(self, path: bytes, request: Any) -> IResource:
        """The resource of a path below `/`."""
        parts = [path, *request.postpath]
        request.postpath = []
        if parts == [b""]:
            parts = [PAGE]
        try:
            names = [part.decode("ascii") for part in parts]
        except UnicodeDecodeError:
            return NotFound()
        if any(not name or name.startswith(".") or set(name) & set("\\\0/%") for name in names):
            return NotFound()
        file = self._folder.joinpath(*names)
        try:
            found_inside = file.is_file() and file.resolve().is_relative_to(self._folder)
        except OSError:  # a name longer than names can be
            found_inside = False
        if not found_inside:
            return NotFound()
        found = File(str(file))
        found.isLeaf = True
        return found


class WebSocketEndpoint(WebSocketResource):
    """Where WebSockets open: they are counted by their own factory from here on."""

    def render(self, request: Any) -> Any:
        """Hand the connection over."""
        request.channel.leave()
        return super().render(request)


class ConnectionLimiter(Protocol):
    """Counts connections by address."""

    def acquire(self, address: str) -> bool:
        """Somebody has connected; whether there is room for him."""

    def release(self, address: str) -> None:
        """A connection is no more."""


class QuietSite(Site):
    """A site that keeps no log of who looks at it."""

    noisy = False
    protocol = SiteChannel  # type: ignore[assignment]
    limiter: ConnectionLimiter | None = None
    known_host: Callable[[str], bool]

    def log(self, request: Any) -> None:
        """Write nothing."""


def build_site(
    folder: Path,
    websocket: Any,
    healthy: Callable[[], bool],
    reactor: Any,
    known_host: Callable[[str], bool] = lambda host: True,
    limiter: ConnectionLimiter | None = None,
) -> Site:
    """The site, as a factory to listen with.

    Args:
        folder: the static files.
        websocket: factory of WebSocket connections, for `/ws`.
        healthy: whether what is said now would be stored.
        known_host: whether the server may be called so.
        crowd: sees that nobody has more than his share of the connections.
    """
    root = Root(folder)
    root.putChild(WEBSOCKET.lstrip(b"/"), WebSocketEndpoint(websocket))
    root.putChild(b"healthz", Health(healthy))
    site = QuietSite(root, requestFactory=SiteRequest, timeout=REQUEST_SECONDS, reactor=reactor)
    site.displayTracebacks = False
    site.known_host = known_host
    site.limiter = limiter
    return site
