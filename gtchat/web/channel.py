"""A connection to the site: HTTP/1.1 as twisted.web speaks it, and stricter.

Whether a request is served is decided where its headers end. Only GET and HEAD without content are;
nothing of what follows a refused request is read. A request that two HTTP implementations could
parse differently gets 400 (RFC 9112); a request that is not complete in time, and a client that
does not read its response in time, are disconnected. The next request is read when the response to
the one before it is sent, so that no connection holds more than `PIPELINE_BYTES` of requests and
the response to one.

Names of twisted.web that it does not document are relied on; tests/web/test_site.py has a test of
what each is for, and `setup.py` bounds its version.

    HTTPChannel._command, _path, _version      the request line, as parsed
    HTTPChannel.length                         the Content-Length
    HTTPChannel._respondToBadRequestAndDisconnect      its answer to what it cannot parse
    HTTPChannel._handlingRequest, _dataBuffer  a response is under way; what was read meanwhile
    HTTPChannel._waitingForTransport, _requestProducer     the transport is full; what is paused
    HTTPChannel._abortingCall                  a timer that ends with the connection
    HTTPChannel._log                           its lines about idle clients
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from math import ceil
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.logger import ILogObserver, LogEvent, Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, datetimeToString
from twisted.web.server import Request, Site
from zope.interface import provider

from gtchat.chat.errors import Banned
from gtchat.protocols.base.connection_limit import ConnectionLimiter
from gtchat.protocols.base.http_access import peer_address
from gtchat.protocols.base.request_log import RequestLog

WEBSOCKET = b"/ws"
#: Seconds for a client to send a request, and to read its response.
REQUEST_SECONDS, ANSWER_SECONDS = 10, 60
#: Seconds that a refused client has to read the response before TCP is closed: what it sent and
#: the server did not read makes TCP reset the connection, and the response is lost.
REFUSAL_LINGER_SECONDS = 0.5
#: Bytes of further requests that are read before the response to the first is sent.
PIPELINE_BYTES = 16_384
#: Most digits of a Content-Length: 2^63 has as many.
LENGTH_DIGITS = 19

#: What the page may load and do (CSP Level 3). The policy of Trusted Types makes the addresses of
#: the workers and of the scripts that are loaded later (static/js/workers.js), and in one of the
#: workers that of its library (js/code_worker.js).
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"connect-src 'self'%b; manifest-src 'self'; worker-src 'self'; frame-ancestors 'none'; "
    b"base-uri 'none'; form-action 'none'; "
    b"require-trusted-types-for 'script'; trusted-types gtchat-worker"
)
#: A Host header that can stand in a policy: a name or an IPv4 address, and a port. Browsers that do
#: not count `ws:` and `wss:` of the same host as 'self' need it; there is no form for IPv6.
_HOST = re.compile(rb"[A-Za-z0-9.-]+(?::[0-9]{1,5})?")
_HEADERS = {
    b"X-Content-Type-Options": b"nosniff",
    b"Referrer-Policy": b"no-referrer",
    b"Cross-Origin-Opener-Policy": b"same-origin",
    b"Cache-Control": b"no-cache",
}


def security_headers(host: bytes) -> dict[bytes, bytes]:
    """Return the headers that every response has.

    Args:
        host: the Host header of the request, empty if there is none.
    """
    sockets = b" ws://%b wss://%b" % (host, host) if _HOST.fullmatch(host) else b""
    return {b"Content-Security-Policy": _POLICY % sockets, **_HEADERS}


@provider(ILogObserver)
def _ignore(event: LogEvent) -> None:
    """Discard a line about an idle client, of which there would be one for each connection."""


class SiteChannel(HTTPChannel):
    """A connection to the site, stricter than that of twisted.web."""

    transport: Any
    site: QuietSite
    _log = Logger(observer=_ignore)
    _paused: Any = None
    _refused = False
    #: Bytes in `_dataBuffer`.
    _pipelined = 0
    #: A request whose response is written, but not sent.
    _sending: Any = None
    #: The address that the connection is counted for; empty when it is not counted.
    _counted = ""

    def connectionMade(self) -> None:
        """Count the connection; abort it if its address has too many."""
        super().connectionMade()
        limiter = self.site.limiter
        if limiter is not None:
            self._counted = peer_address(self.transport.getPeer())
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

    # Reading a request.

    def dataReceived(self, data: bytes) -> None:
        """Process bytes without restarting the time limit, which is for a whole request."""
        if self.line_mode and b"\n\n" in data:
            self.refuse(400, "lines that do not end in CRLF")
        else:
            LineReceiver.dataReceived(self, data)

    def lineReceived(self, line: bytes) -> None:
        """Process a line of the header."""
        if line[:1] in (b" ", b"\t") or b"\n" in line or b"\r" in line:
            # RFC 9112 sections 2.2, 5.2: no folding, lines end in CRLF
            self.refuse(400, "a folded line, or one that does not end in CRLF")
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a line that is too long."""
        self.refuse(400, "a line is too long")

    def headerReceived(self, line: bytes) -> bool:
        """Process a header; return whether it is valid."""
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and len(value.strip()) > LENGTH_DIGITS:
            self.refuse(400, "a Content-Length with too many digits")  # int() raises beyond 4,300
        return not self._refused and super().headerReceived(line)

    def allHeadersReceived(self) -> None:
        """Refuse the request, or go on to its response."""
        request = self.requests[-1]
        code, reason = self._check(request)
        banned = self._banned(request) if not code else None
        if code:
            self.refuse(code, reason)
        elif banned is not None:
            self.refuse(403, "banned", banned)
        elif not self._refused:
            # There is no content, so the client does not wait for the server's consent to send it.
            request.requestHeaders.removeHeader(b"expect")
            super().allHeadersReceived()

    def _check(self, request: Request) -> tuple[int, str]:
        """Return the status code to refuse a request with, and why; 0 if it is to be served."""
        headers = request.requestHeaders
        hosts = headers.getRawHeaders(b"host", [])
        encodings = headers.getRawHeaders(b"transfer-encoding")
        if len(hosts) != 1 and not (self._version == b"HTTP/1.0" and not hosts):
            return 400, "not one Host header"
        if encodings and (self._version != b"HTTP/1.1" or encodings[0].lower() != b"chunked"):
            return 400, "an invalid Transfer-Encoding"  # RFC 9112 section 6.1
        if hosts and not self.site.known_host(hosts[0].decode("latin-1")):
            return 421, "the host is not in allowed_hosts"
        if self._command not in (b"GET", b"HEAD"):
            return 405, "only GET and HEAD are allowed"
        if encodings:
            return 411, "content of unknown length"
        if self.length:
            return 413, "a request has no content here"
        return 0, ""

    def _banned(self, request: Request) -> Banned | None:
        """Return why the client is banned, None if it is not, or is told by WebSocket."""
        if self._path.partition(b"?")[0] == WEBSOCKET:
            return None
        return self.site.refusal(self._client_address(request))

    def refuse(self, code: int, reason: str, banned: Banned | None = None) -> None:
        """Refuse a request, read nothing more, and close the connection after a delay.

        Args:
            code: HTTP status code.
            reason: for the log.
            banned: what the client is told, None for nothing but the code.
        """
        if self._refused:
            return
        self._refused, self.persistent = True, False
        self.line_mode, self.length = False, None  # the loops of twisted.web go on to no response
        self.transport.write(_refusal(code, banned))
        self.transport.pauseProducing()
        self.setTimeout(REFUSAL_LINGER_SECONDS)
        self._log_refusal(code, reason)

    def _log_refusal(self, code: int, reason: str) -> None:
        request = self.requests[-1] if self.requests else None
        address = self._client_address(request)
        host, origin = _field(request, b"host"), _field(request, b"origin")
        self.site.request_log.refused(address, code, reason, host, origin)

    def _client_address(self, request: Request | None) -> str:
        """Return the IP address of the client, as a trusted proxy states it if there is one."""
        return self.site.request_log.client_address(
            peer_address(self.transport.getPeer()),
            _field(request, b"x-forwarded-for"),
            _field(request, b"forwarded"),
        )

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(400, "a malformed request")

    def rawDataReceived(self, data: bytes) -> None:
        """Keep requests behind the one that is served; ignore what follows a refused one."""
        if self._refused:
            return
        # No request has content, so there is nothing else. twisted.web would keep without limit
        # what a client sends that reads no response.
        self._dataBuffer.append(data)
        self._pipelined += len(data)
        if self._pipelined > PIPELINE_BYTES and self.transport is not None:
            self.transport.pauseProducing()

    # Writing a response. HTTPChannel pauses a producer for each write to a full transport and
    # resumes it once, even one that was never paused, and starts the next response before the
    # transport has sent the last. Here each producer is resumed as often as it was paused.

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
        paused, self._paused = self._paused, None  # what is written now may pause it again
        if producer is not None and producer is paused:
            producer.resumeProducing()
        elif self._sending is not None:
            sent, self._sending = self._sending, None
            self.requestDone(sent)
        elif not (self._handlingRequest or self._refused):
            self.transport.resumeProducing()

    def requestDone(self, request: Request) -> None:
        """Go on to the next request once the transport has taken the response to this one."""
        if self._waitingForTransport and self.persistent:
            self._sending = request
            self.setTimeout(ANSWER_SECONDS)
        else:
            self._pipelined = 0
            if not self.persistent:
                # TCP is closed when all is sent, for which the client has to read.
                self._abortingCall = self.callLater(ANSWER_SECONDS, self.forceAbortClient)
            super().requestDone(request)


def _field(request: Request | None, name: bytes) -> str | None:
    """Return the values of a header field, None if it has none."""
    values = request.requestHeaders.getRawHeaders(name) if request is not None else None
    return b", ".join(values).decode("latin-1") if values else None


def _refusal(code: int, banned: Banned | None = None) -> bytes:
    """Return a complete response, after which the connection is closed.

    Args:
        code: HTTP status code.
        banned: what its content says, None for no content.
    """
    content = b"" if banned is None else f"{banned.text}\n".encode()
    headers = {
        b"Date": datetimeToString(),
        **security_headers(b""),
        b"Content-Length": b"%d" % len(content),
        b"Connection": b"close",
    }
    if banned is not None:
        headers[b"Content-Type"] = b"text/plain; charset=utf-8"
        if banned.retry_after is not None:
            headers[b"Retry-After"] = b"%d" % ceil(banned.retry_after)
    if code == 405:
        headers[b"Allow"] = b"GET, HEAD"  # RFC 9110 section 15.5.6
    lines = [f"HTTP/1.1 {code} {HTTPStatus(code).phrase}".encode()]
    lines += [name + b": " + value for name, value in headers.items()]
    return b"\r\n".join(lines) + b"\r\n\r\n" + content


class SiteRequest(Request):
    """A request whose response has the security headers."""

    #: Ends the connection of a client that does not read its response.
    _late: IDelayedCall | None = None

    def setHeader(self, name: Any, value: Any) -> None:
        """Set a header of the response, except `Server`.

        Args:
            name: the header's name, in bytes or text.
            value: its value.
        """
        if name.lower() != b"server":
            super().setHeader(name, value)

    def process(self) -> None:
        """Set the security headers, then respond."""
        host = self.requestHeaders.getRawHeaders(b"host", [b""])[0]
        for name, value in security_headers(host).items():
            self.responseHeaders.setRawHeaders(name, [value])
        if self.path != WEBSOCKET:
            late = self.channel.callLater(ANSWER_SECONDS, self.channel.forceAbortClient)
            self.notifyFinish().addBoth(lambda _: late.cancel() if late.active() else None)
            self._late = late
        super().process()

    def prolong(self) -> None:
        """Give the client as much time again: it reads a response that takes longer."""
        if self._late is not None and self._late.active():
            self._late.reset(ANSWER_SECONDS)


class QuietSite(Site):
    """A site without an access log.

    Attributes:
        limiter: counts connections by address; None: no limit.
        known_host: returns whether a Host header names this server.
        request_log: logs refused requests.
        refusal: returns why an IP address is banned, None if it is not.
    """

    noisy = False
    protocol = SiteChannel  # type: ignore[assignment]
    refusal: Callable[[str], Banned | None] = staticmethod(lambda address: None)
    limiter: ConnectionLimiter | None = None
    known_host: Callable[[str], bool]
    request_log: RequestLog

    def acceptableProtocols(self) -> list[bytes]:
        """Return the protocols that TLS may choose: not HTTP/2, which is not checked here."""
        return [b"http/1.1"]

    def log(self, request: Any) -> None:
        """Do not log a request."""
