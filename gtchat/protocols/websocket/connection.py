"""One WebSocket connection, from its opening handshake to its end.

    TCP → opening handshake (size, time, origin, count checked) → open → closing → gone

Frames that `frames` knows are handled here, all others by Autobahn, one at a time; so many a turn
of the reactor, and the rest of what was read waits. What is sent goes through the outbox.
Source: RFC 6455.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any

import txaio
from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.util import encode_truncate
from autobahn.websocket.protocol import WebSocketProtocol
from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from autobahn.websocket.utf8validator import Utf8Validator
from twisted.logger import Logger

from gtchat.chat.limits import TokenBucket
from gtchat.protocols.base.http_access import HEADER_END, bad_header, http_answer, plain_address
from gtchat.protocols.base.outbox import Outbox
from gtchat.protocols.websocket.frames import header_size, text_messages

if TYPE_CHECKING:
    from gtchat.protocols.websocket.factory import API, ChatFactory

SUBPROTOCOL = "gtchat.v1"
PATHS = ("/", "/ws")
HANDSHAKE_BYTES = 16_384
#: Seconds for the opening handshake, for the closing one, for a message to be whole, and for a
#: client that was refused to read why.
OPENING, CLOSING, MESSAGE, REFUSED = 5.0, 5.0, 30.0, 0.5
CONTROL_FRAMES_PER_SECOND, CONTROL_FRAMES_BURST = 100, 200
#: Frames of one connection in a turn of the reactor: nobody else waits for more of them.
FRAMES_A_TURN = 64

UNSUPPORTED, POLICY, TOO_BIG, OUR_FAULT = 1003, 1008, 1009, 1011
NO_LOGIN, TOO_SLOW, TOO_FAST = 4003, 4008, 4009

_CLOSED = WebSocketProtocol.STATE_CLOSED
_CONNECTING = WebSocketProtocol.STATE_CONNECTING
_OPEN = WebSocketProtocol.STATE_OPEN

#: What the opening handshake leaves behind in each connection begins with one of these. With ten
#: attributes or fewer, a connection at rest takes 200 bytes less.
_LEFT_BEHIND = ("http_", "websocket_", "_wskey", "connected")
#: What Autobahn leaves behind of a frame.
_OF_A_FRAME = {
    "_fragments",
    "_isMessageCompressed",
    "_message_began",
    "control_frame_data",
    "current_frame",
    "current_frame_masker",
    "data",
    "frame_data",
    "frame_length",
    "inside_message",
    "message_data",
    "message_data_total_length",
    "message_is_binary",
    "utf8validateIncomingCurrentMessage",
    "utf8validateLast",
    "utf8validator",
}

_log = Logger()


class ChatProtocol(WebSocketServerProtocol):
    """One WebSocket connection; `build_factory` makes the class ready.

    Attributes:
        address: IP address that the person came from, `local` where there is none.
        outbox: what is to be sent, once the connection is open.
        api: takes the messages, once the connection is open.
        tick: see `Deadlines`.
        counted: whether it counts for its address.
    """

    # Autobahn's own log has a warning for each hostile byte.
    log = txaio.make_logger(level="none")  # type: ignore[attr-defined]
    accepts_binary = False
    fragments_most = 4_096

    factory: ChatFactory
    transport: Any
    address = "local"
    outbox: Outbox = None  # type: ignore[assignment]
    api: API | None = None
    tick: int | None = None
    counted = False

    # What a connection has while it is at rest stands here, not in each.
    connected = 1
    websocket_version = 13
    websocket_protocol_in_use: str | None = None
    inside_message = False
    current_frame: Any = None
    _reading = True
    _unread: bytes | None = None
    _heard = True
    _unanswered = inf
    _ping_due = inf
    _login_due = inf
    _message_began = inf
    _fragments = 0
    _control_frames: TokenBucket | None = None

    def __init__(self) -> None:
        """Nothing: what Autobahn sets in each connection is in the class; see `factory.lean`."""

    @cached_property
    def utf8validator(self) -> Any:  # type: ignore[override]
        """What Autobahn looks into a text message with, while there is one."""
        return Utf8Validator()

    # Opening.

    def connectionMade(self) -> None:
        if not hasattr(self.transport, "send_now"):
            with suppress(AttributeError, OSError):
                self.transport.setTcpNoDelay(True)
        host = getattr(self.transport.getPeer(), "host", None)
        self.address = plain_address(host or "") or "local"
        self.factory.arrived(self)
        self.factory.deadlines.put(self, OPENING)
        if self.address not in self.factory.proxies and not self.factory.count(self):
            self._refuse(503)

    def onConnect(self, request: ConnectionRequest) -> str | None:
        """See whether a handshake is one that we want. Raises ConnectionDeny."""
        self.websocket_extensions: list[Any] = []
        if request.path not in PATHS:
            raise ConnectionDeny(404, "no such path")
        if not self.factory.hosts.known(request.headers.get("host", "")):
            raise ConnectionDeny(421, "no name of this server")
        origin = request.headers.get("origin")
        if origin is not None and "," in origin:  # several headers, which twisted.web joins
            raise ConnectionDeny(400, "more than one origin")
        if not self.factory.origins.allow(origin, request.headers.get("host", "")):
            raise ConnectionDeny(403, "this origin may not connect")
        self.address = self.factory.proxies.client(
            self.address, request.headers.get("x-forwarded-for")
        )
        if not self.counted and not self.factory.count(self):
            raise ConnectionDeny(503, "too many connections from this address")
        return SUBPROTOCOL if SUBPROTOCOL in request.protocols else None

    def _onOpen(self) -> None:
        self.outbox = Outbox(self.factory.turn, self.transport, self._too_slow)
        self.onOpen()
        self.__dict__ = {
            name: value for name, value in vars(self).items() if not name.startswith(_LEFT_BEHIND)
        }

    def onOpen(self) -> None:
        """Give the connection its API, and set its deadlines."""
        limits, now = self.factory.limits, self.factory.clock.seconds()
        if limits.ping_interval:
            self._ping_due = now + limits.ping_interval
        if limits.login_timeout:
            self._login_due = now + limits.login_timeout
        self._rest_until_due(now)
        try:
            self.api = self.factory.build_api(self)
        except Exception:
            _log.failure("a connection got no API")
            self.close(OUR_FAULT, "internal error")

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:
        """Refuse a handshake; Autobahn says so too."""
        # Autobahn sends a header of its own with a version that it does not speak, and no other.
        self._refuse(426 if responseHeaders else code)

    def _refuse(self, code: int) -> None:
        """Answer, and close when there was time to read it.

        A socket that is closed with something unread takes its answer back.
        """
        # Autobahn's reasons repeat what was sent, which may be anything.
        _log.debug("refused {address}: {code}", address=self.address, code=code)
        self.state = _CLOSED
        self.data = b""
        self.transport.write(http_answer(code))
        self.factory.deadlines.put(self, REFUSED)

    # Reading.

    def dataReceived(self, data: bytes) -> None:
        """Take bytes as they come."""
        if not self._heard:
            self._heard = True
        if self._unread is not None:
            self._unread += data
        elif self.state == _CONNECTING:
            self._shake_hands(data)
        else:
            self._take(data)

    def _shake_hands(self, data: bytes) -> None:
        """Give Autobahn the opening handshake, unless it is too large or malformed."""
        before = len(self.data)
        header = self.data + data
        end = header.find(HEADER_END, max(before - 3, 0)) + len(HEADER_END)
        whole = end >= len(HEADER_END)
        if (end if whole else len(header)) > HANDSHAKE_BYTES:
            self._refuse(431)
        elif not whole:
            self.data = header
        elif bad_header(header[:end]):
            self._refuse(400)
        else:
            self._dataReceived(header[before:end])
            if end < len(header):
                self._take(header[end:])

    def _take(self, data: bytes) -> None:
        """Take frames, until there are too many for this turn or we do not want to read."""
        start, end, left = 0, len(data), FRAMES_A_TURN
        while start < end and self.state != _CLOSED:
            if left <= 0 or not self._reading:
                self._leave(data[start:])
                return
            if self.state == _OPEN and self._at_rest():
                largest = self.factory.limits.message_bytes or 65_535
                messages, start = text_messages(data, start, largest, left)
                left -= len(messages)
                for payload in messages:
                    self.deliver(payload)
                if start == end or left <= 0:
                    continue
            start = self._give_autobahn(data, start)
            left -= 1
        if "current_frame" in vars(self) and self._at_rest():
            # A new dict: one that was larger once does not shrink.
            self.__dict__ = {
                name: value for name, value in vars(self).items() if name not in _OF_A_FRAME
            }

    def _at_rest(self) -> bool:
        """Whether Autobahn has no frame, no message and no part of a header under way."""
        return not (self.inside_message or self.current_frame or self.data)

    def _give_autobahn(self, data: bytes, start: int) -> int:
        """Give Autobahn a header, or the body of a frame, or as much of it as there is.

        Returns:
            Where that ends.
        """
        stop: int
        if self.current_frame is not None:
            stop = start + self.current_frame.length - self.current_frame_masker.pointer()
        elif self.data:
            stop = start + 1  # the rest of a header, which has 14 bytes at most
        elif len(data) - start < 2:
            stop = len(data)
        else:
            stop = start + header_size(data, start)
        self._dataReceived(data[start:stop])
        return min(stop, len(data))

    def _leave(self, data: bytes) -> None:
        """Leave what was read for later, and read no more until then."""
        self._unread = data
        self.transport.pauseProducing()
        if self._reading:
            self.factory.clock.callLater(0, self._drain)

    def _drain(self) -> None:
        """Take what was left."""
        data, self._unread = self._unread, None
        if self.state == _CLOSED or data is None:
            return
        self._take(data)
        if self._unread is None and self._reading and self.state != _CLOSED:
            self.transport.resumeProducing()

    def pause(self) -> None:
        """Read no more, until `resume`."""
        if self._reading and self.state == _OPEN:
            self._reading = False
            self.transport.pauseProducing()

    def resume(self) -> None:
        """Read again."""
        if not self._reading:
            self._reading = True
            if self._unread is None:
                self._unread = b""
            self.factory.clock.callLater(0, self._drain)

    # What was read.

    def onMessageBegin(self, isBinary: bool) -> None:
        self._fragments = 0
        self._message_began = self.factory.clock.seconds()
        super().onMessageBegin(isBinary)

    def onMessageFrameBegin(self, length: int) -> None:
        super().onMessageFrameBegin(length)
        self._fragments += 1
        if self._fragments > self.fragments_most:
            self.close(TOO_BIG, "too many fragments")

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if isBinary and not self.accepts_binary:
            self.close(UNSUPPORTED, "text messages are wanted")
        else:
            self.deliver(payload)

    def deliver(self, payload: bytes) -> None:
        """Give a message to the API. This is the one place where messages leave this module."""
        api = self.api
        if api is None or self.state != _OPEN:
            return
        try:
            api.message(payload)
        except Exception:
            _log.failure("a message could not be handled")
            self.close(OUR_FAULT, "internal error")

    def onPing(self, payload: bytes) -> None:
        self._charge_control_frame()
        self.sendPong(payload)  # type: ignore[no-untyped-call]

    def onPong(self, payload: bytes) -> None:
        if self._unanswered < inf:
            self._unanswered = inf
        else:
            self._charge_control_frame()

    def _charge_control_frame(self) -> None:
        """Count a ping, or a pong that nobody asked for; close at a flood of them."""
        if self._control_frames is None:
            self._control_frames = TokenBucket(CONTROL_FRAMES_PER_SECOND, CONTROL_FRAMES_BURST)
        if self._control_frames.take(self.factory.clock.seconds()):
            self.close(TOO_FAST, "too many pings")

    # Time.

    def due(self) -> None:
        """A deadline has passed (see `Deadlines`)."""
        if self.state == _OPEN:
            self._see_who_is_there(self.factory.clock.seconds())
        elif self.state == _CONNECTING:
            self.dropConnection(abort=True)
        elif self.state == _CLOSED and not self.transport.disconnecting:
            self._closeConnection()
        else:
            self.state = _CLOSED
            self.transport.abortConnection()

    def _see_who_is_there(self, now: float) -> None:
        limits = self.factory.limits
        if now >= self._login_due:
            del self._login_due
            if self.api is not None and not self.api.logged_in:
                self.close(NO_LOGIN, "no login in time")
                return
        if self.inside_message and now >= self._message_began + MESSAGE:
            self.close(POLICY, "a message takes too long")
            return
        if self._heard or not self._reading:
            self._unanswered = inf
        if limits.ping_timeout and now >= self._unanswered + limits.ping_timeout:
            self.dropConnection(abort=True)
            return
        if now >= self._ping_due:
            self.sendPing()
            self._heard = False
            self._ping_due = now + limits.ping_interval
            self._unanswered = min(self._unanswered, now)
        self._rest_until_due(now)

    def _rest_until_due(self, now: float) -> None:
        timeout = self.factory.limits.ping_timeout or inf
        due = min(self._ping_due, self._login_due, self._unanswered + timeout)
        if due < inf:
            self.factory.deadlines.put(self, due - now)

    # Writing and closing.

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Send what Autobahn has to say, behind what waits to be sent."""
        if self.outbox is not None and not self.outbox.closed:
            self.outbox.write(data)
        else:
            getattr(self.transport, "write_direct", self.transport.write)(data)

    def close(self, code: int, reason: str) -> None:
        """Close the connection behind what is to be sent yet.

        Args:
            code: RFC 6455 section 7.4, or 4000 to 4999.
            reason: cut at 123 bytes in UTF-8.
        """
        if self.state == _OPEN:
            self.sendCloseFrame(code=code, reasonUtf8=encode_truncate(reason, 123))
            self.resume()  # its answer is to be read
        elif self.state == _CONNECTING:
            self._refuse(503)

    def sendCloseFrame(
        self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False
    ) -> None:
        if self.state == _OPEN:
            super().sendCloseFrame(code, reasonUtf8, isReply)
            _log.debug("closing {address}: {code}", address=self.address, code=code)
            self.outbox.close()
            self.factory.deadlines.put(self, CLOSING)
            # Nothing more can be told here: whatever is said from now on was missed.
            self._end_api(clean=isReply and self.remoteCloseCode in (1000, None))

    def _too_slow(self) -> None:
        self.outbox.close()
        self.close(TOO_SLOW, "too slow: resume to get what you missed")

    def unregisterProducer(self) -> None:
        """Nothing: the producer is the outbox, which sees to that itself."""

    def _closeConnection(self, abort: bool = False) -> None:
        if self.outbox is not None:
            self.outbox.close()
        if abort and not self.wasClean:
            self.transport.abortConnection()
        else:
            self.transport.loseConnection()
            self.factory.deadlines.put(self, CLOSING)

    def connectionLost(self, reason: Any = None) -> None:
        """The connection is gone, whoever closed it."""
        self.state = _CLOSED
        self._unread = None
        if self.outbox is not None:
            self.outbox.stopProducing()
        try:
            self._end_api(clean=False)
        finally:
            self.factory.gone(self)  # last: when all are gone the store is closed

    def _end_api(self, clean: bool) -> None:
        """Tell the API that its connection is gone. clean: the client closed it by intention,
        with code 1000 or none."""
        api, self.api = self.api, None
        if api is not None:
            api.connection_lost(clean)
