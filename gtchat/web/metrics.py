"""`/metrics`, for programs on this machine: what a proxy passes on is answered as not found."""

from __future__ import annotations

from collections.abc import Callable, Container, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from gtchat.protocols.base.http_access import peer_address
from gtchat.web.files import send
from gtchat.web.site import NotFound

#: Headers of requests that a proxy has passed on: the peer is not who asks.
FORWARDING = (
    b"forwarded",
    b"via",
    b"x-client-ip",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-real-ip",
)

_log = Logger()


class MetricsPage(Resource):
    """The metrics, in Prometheus' text format.

    Args:
        render: returns them.
        allowed: addresses that may ask, but not through a proxy; None for all, in any way.
    """

    isLeaf = True

    def __init__(
        self, render: Callable[[], Coroutine[Any, Any, bytes]], allowed: Container[str] | None
    ) -> None:
        super().__init__()
        self._render = render
        self._allowed = allowed

    def render_GET(self, request: Any) -> Any:
        """Send the metrics once they are known."""
        if not self._may_ask(request):
            return NotFound().render(request)
        Deferred.fromCoroutine(self._answer(request))
        return NOT_DONE_YET

    def _may_ask(self, request: Any) -> bool:
        if request.postpath or self._allowed is None:
            return not request.postpath
        forwarded = any(map(request.requestHeaders.hasHeader, FORWARDING))
        return not forwarded and peer_address(request.channel.transport.getPeer()) in self._allowed

    async def _answer(self, request: Any) -> None:
        gone: list[object] = []
        request.notifyFinish().addBoth(gone.append)
        try:
            body = await self._render()
        except Exception:
            _log.failure("the metrics cannot be read")
            request.setResponseCode(500)
            body = b"The log says why.\n"
        if not gone:
            request.setHeader(b"Content-Type", b"text/plain; version=0.0.4; charset=utf-8")
            send(request, body)
