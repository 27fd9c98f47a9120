"""`/export/TOKEN`: an export of an account, which is sent once, while it is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import ceil
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from gtchat.chat.background import run_in_background
from gtchat.web.files import PIECE_BYTES
from gtchat.web.site import NotFound

#: Path of the exports below `/`.
EXPORT = b"export"
#: Longest token, in bytes; ours are shorter.
TOKEN_BYTES = 128


class Send(Protocol):
    """Sends the export of a token; returns False if it is not good (`DataExports.send`)."""

    def __call__(self, token: str, take: Callable[[bytes], Awaitable[None]]) -> Awaitable[bool]: ...


class ClientGone(Exception):
    """The client has closed the connection, or reads nothing."""


@implementer(IPushProducer)
class Download:
    """The response with an export: it has begun once a piece was taken.

    Args:
        request: the request.

    Attributes:
        begun: whether the response has begun.
        gone: whether the connection is lost.
    """

    def __init__(self, request: Any) -> None:
        self._request = request
        self._resumed: Deferred[None] | None = None
        self.begun = self.gone = False
        request.notifyFinish().addErrback(lambda _: self.stopProducing())

    async def take(self, data: bytes) -> None:
        """Send a piece, which may be empty; return when the client has read most of it.

        Raises:
            ClientGone.
        """
        self._check()
        if not self.begun:
            self._begin()
        self._request.prolong()
        for start in range(0, len(data), PIECE_BYTES):
            self._request.write(data[start : start + PIECE_BYTES])
            if self._resumed is not None:
                await self._resumed
                self._request.prolong()
            self._check()

    def _check(self) -> None:
        if self.gone:
            raise ClientGone()

    def _begin(self) -> None:
        """Set the headers; the length is not known yet."""
        self.begun = True
        self._request.setHeader(b"Content-Type", b"application/zip")
        self._request.setHeader(b"Cache-Control", b"no-store")
        self._request.setHeader(b"Content-Disposition", b'attachment; filename="gtchat-export.zip"')
        self._request.registerProducer(self, True)

    def finish(self) -> None:
        """End the response."""
        self._request.unregisterProducer()
        self._request.finish()

    # IPushProducer.

    def pauseProducing(self) -> None:
        """Take no more: the transport is full."""
        if self._resumed is None:
            self._resumed = Deferred()

    def resumeProducing(self) -> None:
        """Go on."""
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            resumed.callback(None)

    def stopProducing(self) -> None:
        """Take no more for good: the connection is lost."""
        self.gone = True
        self.resumeProducing()


class Exports(Resource):
    """Exports below their path.

    Args:
        send: sends the export of a token, once.
    """

    def __init__(self, send: Send) -> None:
        super().__init__()
        self._send = send

    def render(self, request: Any) -> Any:
        """Send nothing: there is no list of exports."""
        return NotFound().render(request)

    def getChild(self, path: bytes, request: Any) -> IResource:
        """Return the response to a request for an export; only GET takes it."""
        answer: IResource = NotFound()
        if request.method == b"GET" and not request.postpath and len(path) <= TOKEN_BYTES:
            answer = _Export(path.decode("utf-8", "replace"), self._send)
        return answer


class _Export(Resource):
    """The response to a request for one export."""

    isLeaf = True

    def __init__(self, token: str, send: Send) -> None:
        super().__init__()
        self._token = token
        self._send = send

    def render_GET(self, request: Any) -> Any:
        """Send the export, if the link is good."""
        sending = Deferred.fromCoroutine(self._respond(request))
        run_in_background(sending, "sending an export")
        return NOT_DONE_YET

    async def _respond(self, request: Any) -> None:
        download = Download(request)
        try:
            is_good = await self._send(self._token, download.take)
        except ClientGone:
            return
        except Exception as error:
            if download.begun and not download.gone:
                request.channel.forceAbortClient()  # the client must see that it has not all
            elif not download.gone:
                _refuse(request, getattr(error, "retry_after", None))
            raise
        if is_good:
            download.finish()
        elif not download.gone:
            request.render(NotFound())


def _refuse(request: Any, retry_after: float | None) -> None:
    """Say that an export can't be sent now."""
    request.setResponseCode(503)
    request.setHeader(b"Retry-After", b"%d" % ceil(30 if retry_after is None else retry_after))
    request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
    request.write(b"The export can't be sent now. Try again later.\n")
    request.finish()
