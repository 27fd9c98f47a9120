"""`/export/TOKEN`: an export of an account, which is sent once."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from typing import Any, BinaryIO, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
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


class Export(Protocol):
    """An export; `path` is that of its file."""

    path: str


#: Takes the export of a token.
Take = Callable[[str], Coroutine[Any, Any, Export | None]]


@implementer(IPushProducer)
class FileProducer:
    """Sends a file as fast as the client reads, in the time that it needs as long as it reads.

    Args:
        request: has the headers of the response.
        file: the file, which is closed at the end.
    """

    def __init__(self, request: Any, file: BinaryIO) -> None:
        self._request = request
        self._file = file
        self._paused = False

    def start(self) -> None:
        """Write until the transport is full."""
        size = os.fstat(self._file.fileno()).st_size
        self._request.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % size])
        self._request.registerProducer(self, True)
        self.resumeProducing()

    def pauseProducing(self) -> None:
        """Stop writing: the transport is full (IPushProducer.pauseProducing)."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Go on writing (IPushProducer.resumeProducing)."""
        self._paused = False
        self._request.prolong()
        while not self._paused:
            data = self._file.read(PIECE_BYTES)
            if not data:
                self.stopProducing()
                self._request.unregisterProducer()
                self._request.finish()
                return
            self._request.write(data)

    def stopProducing(self) -> None:
        """Close the file: all is sent, or the connection is lost (IProducer.stopProducing)."""
        self._paused = True
        self._file.close()


class Exports(Resource):
    """Exports below their path.

    Args:
        take: returns the export of a token, once; None if it is not good.
        delete: deletes the file of one.
    """

    def __init__(self, take: Take, delete: Callable[[str], None]) -> None:
        super().__init__()
        self._take = take
        self._delete = delete

    def render(self, request: Any) -> Any:
        """Send nothing: there is no list of exports."""
        return NotFound().render(request)

    def getChild(self, path: bytes, request: Any) -> IResource:
        """Return the response to a request for an export; only GET takes it."""
        answer: IResource = NotFound()
        if request.method == b"GET" and not request.postpath and len(path) <= TOKEN_BYTES:
            answer = _File(path.decode("utf-8", "replace"), self._take, self._delete)
        return answer


class _File(Resource):
    """The response to a request for one export."""

    isLeaf = True

    def __init__(self, token: str, take: Take, delete: Callable[[str], None]) -> None:
        super().__init__()
        self._token = token
        self._take = take
        self._delete = delete

    def render_GET(self, request: Any) -> Any:
        """Send the file, if the link is good."""
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)

        def send(export: Export | None) -> None:
            if gone:
                if export is not None:
                    self._delete(export.path)
            elif export is None:
                request.render(NotFound())
            else:
                self._send(request, export.path)

        taking = Deferred.fromCoroutine(self._take(self._token)).addCallback(send)
        run_in_background(taking, "sending an export")
        return NOT_DONE_YET

    def _send(self, request: Any, path: str) -> None:
        """Send a file."""
        request.setHeader(b"Content-Type", b"application/zip")
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"Content-Disposition", b'attachment; filename="gtchat-export.zip"')
        file = open(path, "rb")  # noqa: SIM115
        # It is gone once it is closed, whatever happens to the client or to the server.
        self._delete(path)
        FileProducer(request, file).start()
