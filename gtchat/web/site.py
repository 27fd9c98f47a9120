"""The site: static files with security headers, `/ws` for WebSocket, `/healthz` for monitors,
`/site.json` for the login page.

How requests are read and refused is in `channel`, what is sent of the files in `files`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
from autobahn.twisted.resource import WebSocketResource
from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource, Resource
from zope.interface import implementer

from gtchat import __version__
from gtchat.protocols.base.connection_limit import ConnectionLimiter
from gtchat.protocols.base.http_access import Proxies
from gtchat.protocols.base.request_log import RequestLog
from gtchat.web.branding import NO_BRANDING, Branding
from gtchat.web.channel import REQUEST_SECONDS, WEBSOCKET, QuietSite, SiteRequest
from gtchat.web.files import load_files, send

#: Path of the metrics below `/`.
METRICS = b"metrics"


class NotFound(Resource):
    """The response to a path that does not exist."""

    isLeaf = True

    def render(self, request: Any) -> Any:
        """Send a text that repeats nothing of the request."""
        request.setResponseCode(404)
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        return send(request, b"Not found.\n")


class Empty(Resource):
    """A root with nothing but the children that are put into it."""

    def getChild(self, path: bytes, request: Any) -> IResource:
        """Return the response to a path that does not exist."""
        found: IResource = NotFound()
        return found


class Health(Resource):
    """The health check.

    Args:
        health: returns "ok", or in a word why users should go to another server.
    """

    isLeaf = True

    def __init__(self, health: Callable[[], str]) -> None:
        super().__init__()
        self._health = health

    def render_GET(self, request: Any) -> Any:
        """Send the state as JSON, with status 200 or 503."""
        status = self._health()
        request.setHeader(b"Content-Type", b"application/json")
        if status != "ok":
            request.setResponseCode(503)
        return send(request, msgspec.json.encode({"status": status, "version": __version__}))


class SiteInfo(Resource):
    """What the login page shows of the server, as JSON.

    Args:
        info: returns it: who can register and so on; see `hello` of the JSON API.
    """

    isLeaf = True

    def __init__(self, info: Callable[[], Mapping[str, Any]]) -> None:
        super().__init__()
        self._info = info

    def render_GET(self, request: Any) -> Any:
        """Send it. It may change at any time."""
        request.setHeader(b"Content-Type", b"application/json")
        request.setHeader(b"Cache-Control", b"no-store")
        return send(request, msgspec.json.encode(self._info()))


@implementer(IResource)
class Root(Resource):
    """The files of a directory, the page at `/`, and the children that are put beside them.

    Args:
        directory: the static files, which are read once.
        branding: the operator's own look of the page.
    """

    def __init__(self, directory: Path, branding: Branding = NO_BRANDING) -> None:
        super().__init__()
        self._files = {
            tuple(name.encode().split(b"/")): file
            for name, file in load_files(directory, branding).items()
        }

    def getChild(self, path: bytes, request: Any) -> IResource:
        """Return the resource of a path below `/`.

        Args:
            path: the first segment.
            request: has the further segments.
        """
        segments = (path, *request.postpath)
        request.postpath = []
        file: IResource = self._files.get(segments) or NotFound()
        return file


class WebSocketEndpoint(WebSocketResource):
    """Opens WebSocket connections, which from then on are counted by their own factory."""

    def render(self, request: Any) -> Any:
        """Hand the connection over to the WebSocket factory.

        A path below `/ws`, and one that is it only when decoded, are not found: `SiteRequest` and
        the factory compare the path as it is.
        """
        if request.path != WEBSOCKET:
            return NotFound().render(request)
        request.channel.stop_counting()
        return super().render(request)


def static_directory() -> Path:
    """Return the directory of the page: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "static"
    return installed if installed.is_dir() else package.parent / "static"


def build_site(
    directory: Path,
    websocket: WebSocketServerFactory,
    health: Callable[[], str],
    reactor: IReactorTime,
    known_host: Callable[[str], bool] = lambda host: True,
    limiter: ConnectionLimiter | None = None,
    request_log: RequestLog | None = None,
    info: Callable[[], Mapping[str, Any]] = dict,
    metrics: IResource | None = None,
    branding: Branding = NO_BRANDING,
    others: Mapping[bytes, IResource] = MappingProxyType({}),
) -> QuietSite:
    """Build the site, as a factory to listen with.

    Args:
        directory: the static files.
        websocket: makes the WebSocket connections of `/ws`.
        health: see `Health`.
        reactor: schedules timeouts.
        known_host: returns whether a Host header names this server; by default any does.
        limiter: counts connections by address; by default there is no limit.
        request_log: logs refused requests; by default one that trusts no proxy.
        info: see `SiteInfo`.
        branding: the operator's own look of the page.
        metrics: what is at `/metrics`; None for nothing.
        others: further paths below `/`, and what is there.
    """
    root = Root(directory, branding)
    root.putChild(WEBSOCKET.lstrip(b"/"), WebSocketEndpoint(websocket))
    root.putChild(b"healthz", Health(health))
    root.putChild(b"site.json", SiteInfo(info))
    if metrics is not None:
        root.putChild(METRICS, metrics)
    for path, resource in others.items():
        root.putChild(path, resource)
    return _build(root, reactor, known_host, limiter, request_log or RequestLog(reactor, Proxies()))


def build_metrics_site(
    metrics: IResource, reactor: IReactorTime, request_log: RequestLog
) -> QuietSite:
    """Build a site that has `/metrics` alone, as a factory to listen with.

    Args:
        metrics, reactor, request_log: see `build_site`.
    """
    root = Empty()
    root.putChild(METRICS, metrics)
    return _build(root, reactor, lambda host: True, None, request_log)


def _build(
    root: Resource,
    reactor: IReactorTime,
    known_host: Callable[[str], bool],
    limiter: ConnectionLimiter | None,
    request_log: RequestLog,
) -> QuietSite:
    site = QuietSite(root, requestFactory=SiteRequest, timeout=REQUEST_SECONDS, reactor=reactor)
    site.displayTracebacks = False
    site.known_host = known_host
    site.limiter = limiter
    site.request_log = request_log
    return site
