"""The site: static files with security headers, `/ws` for WebSocket, `/healthz` for monitors.

Paths are checked before twisted.web looks at the disk. Only GET and HEAD are allowed. A request
that two HTTP implementations could parse differently gets 400 (RFC 9112); a request that is not
complete in time, and a client that does not read its response in time, are disconnected.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from autobahn.twisted.resource import WebSocketResource
from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site
from twisted.web.static import File
from zope.interface import implementer

from gtchat import __version__
from gtchat.protocols.base.connection_limit import ConnectionLimiter

PAGE = b"client.html"
WEBSOCKET = b"/ws"
#: Seconds for a client to send a request, and to read its response.
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
    """A connection to the site, stricter than that of twisted.web."""

    transport: Any
    site: QuietSite
    _paused: Any = None
    #: The address that the connection is counted for; empty when it is not counted.
    _counted = ""

    def connectionMade(self) -> None:
        """Count the connection; abort it if its address has too many."""
        super().connectionMade()
        limiter = self.site.limiter
        if limiter is not None:
            self._counted = str(getattr(self.transport.getPeer(), "host", "local"))
            if not limiter.acquire(self._counted):
                self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Stop counting the connection."""
        self.stop_counting()
        super().connectionLost(reason)

    def stop_counting(self) -> None:
        """Count this connection no longer as one to the site."""
        limiter = self.site.limiter
        if self._counted and limiter is not None:
            limiter.release(self._counted)
            self._counted = ""

    def dataReceived(self, data: bytes) -> None:
        """Process bytes without restarting the time limit, which is for a whole request."""
        if self.line_mode and b"\n\n" in data:
            self.refuse()
        else:
            LineReceiver.dataReceived(self, data)

    def lineReceived(self, line: bytes) -> None:
        """Process a line of the header."""
        if line[:1] in (b" ", b"\t") or b"\n" in line or b"\r" in line:
            self.refuse()  # RFC 9112 sections 2.2, 5.2: no folding, lines end in CRLF
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a line that is too long."""
        self.refuse()

    # HTTPChannel pauses a producer for each write to a full transport and resumes it once, even
    # one that was never paused. Here each producer is resumed as often as it was paused.

    def pauseProducing(self) -> None:
        """Pause the response: the transport is full (IPushProducer.pauseProducing)."""
        self._waitingForTransport = True
        producer = self._requestProducer
        if producer is not None and producer is not self._paused:
            self._paused = producer
            producer.pauseProducing()
        if not self._handlingRequest:
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Resume the response: the transport is empty (IPushProducer.resumeProducing)."""
        self._waitingForTransport = False
        producer: Any = self._requestProducer
        if producer is not None and producer is self._paused:
            producer.resumeProducing()
        self._paused = None
        if not self._handlingRequest:
            self.transport.resumeProducing()

    def refuse(self) -> None:
        """Answer 400, ignore what follows, and close."""
        self.line_mode = False
        self.rawDataReceived = _ignore  # type: ignore[method-assign]
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        self.loseConnection()


def _ignore(data: bytes) -> None:
    """Discard bytes after a refused request."""


class SiteRequest(Request):
    """A request that is checked, and whose response has the security headers."""

    def setHeader(self, name: Any, value: Any) -> None:
        """Set a header of the response, except `Server`.

        Args:
            name: the header's name, in bytes or text.
            value: its value.
        """
        if name.lower() != b"server":
            super().setHeader(name, value)

    def process(self) -> None:
        """Set the security headers, check host and method, then respond."""
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
        # The body of a refused request must not be read as the next request.
        self.channel.persistent = False
        self.finish()


class NotFound(Resource):
    """The response to a path that does not exist."""

    isLeaf = True

    def render(self, request: Any) -> bytes:
        """Return a text that repeats nothing of the request."""
        request.setResponseCode(404)
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        return b"Not found.\n"


class Health(Resource):
    """The health check.

    Args:
        healthy: returns whether messages can be stored.
    """

    isLeaf = True

    def __init__(self, healthy: Callable[[], bool]) -> None:
        super().__init__()
        self._healthy = healthy

    def render_GET(self, request: Any) -> bytes:
        """Return the state as JSON, with status 200 or 503."""
        healthy = self._healthy()
        request.setHeader(b"Content-Type", b"application/json")
        if not healthy:
            request.setResponseCode(503)
        status = "ok" if healthy else "not_stored"
        return msgspec.json.encode({"status": status, "version": __version__})


@implementer(IResource)
class Root(Resource):
    """The files of a directory, the page at `/`, and the children that are put beside them.

    Args:
        directory: the static files.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory.resolve()

    def getChild(self, path: bytes, request: Any) -> IResource:
        """Return the resource of a path below `/`.

        Args:
            path: the first segment.
            request: has the further segments.
        """
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
        file = self._directory.joinpath(*names)
        try:
            found_inside = file.is_file() and file.resolve().is_relative_to(self._directory)
        except OSError:  # a name that is too long for the file system
            found_inside = False
        if not found_inside:
            return NotFound()
        found = File(str(file))
        found.isLeaf = True
        return found


class WebSocketEndpoint(WebSocketResource):
    """Opens WebSocket connections, which from then on are counted by their own factory."""

    def render(self, request: Any) -> Any:
        """Hand the connection over to the WebSocket factory."""
        request.channel.stop_counting()
        return super().render(request)


class QuietSite(Site):
    """A site without an access log.

    Attributes:
        limiter: counts connections by address; None: no limit.
        known_host: returns whether a Host header names this server.
    """

    noisy = False
    protocol = SiteChannel  # type: ignore[assignment]
    limiter: ConnectionLimiter | None = None
    known_host: Callable[[str], bool]

    def log(self, request: Any) -> None:
        """Do not log a request."""


def static_directory() -> Path:
    """Return the directory of the page: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "static"
    return installed if installed.is_dir() else package.parent / "static"


def build_site(
    directory: Path,
    websocket: WebSocketServerFactory,
    healthy: Callable[[], bool],
    reactor: IReactorTime,
    known_host: Callable[[str], bool] = lambda host: True,
    limiter: ConnectionLimiter | None = None,
) -> QuietSite:
    """Build the site, as a factory to listen with.

    Args:
        directory: the static files.
        websocket: makes the WebSocket connections of `/ws`.
        healthy: returns whether messages can be stored.
        reactor: schedules timeouts.
        known_host: returns whether a Host header names this server; by default any does.
        limiter: counts connections by address; by default there is no limit.
    """
    root = Root(directory)
    root.putChild(WEBSOCKET.lstrip(b"/"), WebSocketEndpoint(websocket))
    root.putChild(b"healthz", Health(healthy))
    site = QuietSite(root, requestFactory=SiteRequest, timeout=REQUEST_SECONDS, reactor=reactor)
    site.displayTracebacks = False
    site.known_host = known_host
    site.limiter = limiter
    return site
