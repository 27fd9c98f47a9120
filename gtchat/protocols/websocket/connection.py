"""A WebSocket connection from OPEN to the end of TCP: messages, control frames, closing handshake.

States, what Autobahn does and what is done here: see the package's docstring. Text messages take
the quick path of `frames`; all other frames go through Autobahn, one at a time. At most
`FRAMES_PER_ITERATION` are handled in a reactor iteration, and the rest of what was read waits.
Everything that is sent goes through the outbox. Source: RFC 6455, whose sections are cited.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from math import inf
from typing import Any

from autobahn.util import encode_truncate
from autobahn.websocket.utf8validator import Utf8Validator
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from gtchat.chat.background import run_in_background, within
from gtchat.chat.token_buckets import Rate, TokenBucket
from gtchat.protocols.base.closing import REASON_BYTES, CloseReason, with_word
from gtchat.protocols.base.outbox import Outbox
from gtchat.protocols.websocket.context import (
    API,
    CLOSING_TIMEOUT_S,
    END_TIMEOUT_S,
    MESSAGE_TIMEOUT_S,
    ConnectionState,
)
from gtchat.protocols.websocket.deadlines import NEVER, Deadlines, Keepalive
from gtchat.protocols.websocket.footprint import without_frame, without_handshake
from gtchat.protocols.websocket.frames import header_size, text_messages
from gtchat.protocols.websocket.opening import OpeningProtocol

#: Pings and unsolicited pongs that a peer may send: the rate, and the size of the token bucket.
CONTROL_FRAMES = Rate(100, 200)
#: Maximum number of frames of one connection in a reactor iteration. Other connections wait for it.
FRAMES_PER_ITERATION = 64

# What is compared for each frame: plain numbers, since comparing members of an IntEnum, and finding
# them in their class, would cost 2 % of the time that a frame takes.
_CONNECTING, _OPEN, _CLOSED = (
    ConnectionState.CONNECTING.value,
    ConnectionState.OPEN.value,
    ConnectionState.CLOSED.value,
)
_PING_SENT = Keepalive.PING_SENT
#: Close codes of a client that ends its session, and of one that has read what it was sent: a page
#: that is left closes with 1001.
_CLEAN = (1000, None)
_IN_ORDER = (*_CLEAN, 1001)

_log = Logger()


class ChatProtocol(OpeningProtocol):
    """One WebSocket connection. `build_factory` makes the class ready for use.

    Attributes:
        outbox: what is to be sent. Set once the connection is OPEN.
        api: receives the messages. Set while the connection is OPEN.
        build_api: makes the API when the connection becomes OPEN. Set by the factory.
        accepts_binary: whether binary messages go to `onMessage` instead of closing with 1003.
        max_fragments: maximum number of frames of one message.
    """

    accepts_binary = False
    max_fragments = 4_096

    maxMessagePayloadSize: int  # an option of Autobahn, in bytes
    build_api: Callable[[ChatProtocol], API]
    outbox: Outbox = None  # type: ignore[assignment]
    api: API | None = None

    # The values of a connection at rest are attributes of the class: an instance holds only what
    # differs from them (see `footprint`).
    connected = 1
    websocket_version = 13
    websocket_protocol_in_use: str | None = None
    inside_message = False
    current_frame: Any = None
    _reading = True
    _unread: bytes | None = None
    _deadlines = Deadlines()
    _message_began = NEVER
    _fragments = 0
    _control_frames: TokenBucket | None = None

    @cached_property
    def utf8validator(self) -> Any:  # type: ignore[override]
        """Autobahn's UTF-8 validator (section 8.1), made when a text message needs it."""
        return Utf8Validator()

    # Becoming OPEN (section 4.2.2, last paragraph).

    def _onOpen(self) -> None:
        self.outbox = Outbox(self.context.batcher, self.transport, self._outbox_overflow)
        self.onOpen()
        self.__dict__ = without_frame(without_handshake(vars(self)))

    def onOpen(self) -> None:
        """Build the API, and set the deadlines of an OPEN connection."""
        limits, now = self.context.limits, self.context.clock.seconds()
        self._deadlines = Deadlines.start(now, limits.ping_interval, limits.login_timeout)
        self._set_timer(now)
        if (banned := self.context.refusal(self.address)) is not None:
            # Not in the handshake: browsers show a page nothing of why that was refused.
            closing = CloseReason.BANNED(banned.text)
            self.context.request_log.refused(self.address, closing[0], "banned", None, None)
            self.close(*closing)
            return
        try:
            self.api = self.build_api(self)
        except Exception:
            _log.failure("building the API of a connection failed")
            self.close(*CloseReason.INTERNAL("the server has failed"))

    # Reading.

    def dataReceived(self, data: bytes) -> None:
        """Handle received bytes (Twisted: Protocol.dataReceived)."""
        if self._deadlines.keepalive is _PING_SENT:
            self._deadlines.keepalive = Keepalive.RECEIVED
        if self._unread is not None:
            self._unread += data
        elif self.state == _CONNECTING:
            rest = self._receive_handshake(data)
            if rest:
                self._receive_frames(rest)
        else:
            self._receive_frames(data)

    def _receive_frames(self, data: bytes) -> None:
        """Handle frames, until this iteration's share is used up or reading is paused."""
        start, end, left = 0, len(data), FRAMES_PER_ITERATION
        while start < end and self.state != _CLOSED:
            if left <= 0 or not self._reading:
                self._keep_unread(data[start:])
                return
            if self.state == _OPEN and self._between_messages():
                largest = self.maxMessagePayloadSize or 65_535
                messages, start = text_messages(data, start, largest, left)
                left -= len(messages)
                for payload in messages:
                    self.deliver(payload)
                if start == end or left <= 0:
                    continue
            start = self._feed_autobahn(data, start)
            left -= 1
        if "current_frame" in self.__dict__ and self._between_messages():
            self.__dict__ = without_frame(vars(self))

    def _between_messages(self) -> bool:
        """Return whether Autobahn holds no part of a header, frame or message."""
        return not (self.inside_message or self.current_frame or self.data)

    def _feed_autobahn(self, data: bytes, start: int) -> int:
        """Give Autobahn one frame header, or the rest of a frame's body, as far as received.

        Args:
            data: bytes that were received.
            start: offset of the first byte that Autobahn does not have.

        Returns:
            The offset behind what it got.
        """
        stop: int
        if self.current_frame is not None:
            stop = start + self.current_frame.length - self.current_frame_masker.pointer()
        elif self.data:
            stop = start + 1  # in a header, which has at most 14 bytes (section 5.2)
        elif len(data) - start < 2:
            stop = len(data)
        else:
            stop = start + header_size(data, start)
        self._dataReceived(data[start:stop])
        return min(stop, len(data))

    def _keep_unread(self, data: bytes) -> None:
        """Keep bytes for a later iteration, and read no more from the transport until then."""
        self._unread = data
        self.transport.pauseProducing()
        if self._reading:
            self.context.clock.callLater(0, self._receive_unread)

    def _receive_unread(self) -> None:
        data, self._unread = self._unread, None
        if self.state == _CLOSED or data is None:
            return
        self._receive_frames(data)
        if self._unread is None and self._reading and self.state != _CLOSED:
            self.transport.resumeProducing()

    def pause(self) -> None:
        """Deliver and read nothing more, until `resume`. Pings are not answered either."""
        if self._reading and self.state == _OPEN:
            self._reading = False
            self.transport.pauseProducing()

    def resume(self) -> None:
        """Deliver and read again, from the next reactor iteration on."""
        if not self._reading:
            self._reading = True
            if self._unread is None:
                self._unread = b""
            self.context.clock.callLater(0, self._receive_unread)

    # Messages (sections 5.4 and 6.2) and control frames (section 5.5).

    def onMessageBegin(self, isBinary: bool) -> None:
        """Note when the first frame of a message began (called by Autobahn)."""
        self._fragments = 0
        self._message_began = self.context.clock.seconds()
        super().onMessageBegin(isBinary)

    def onMessageFrameBegin(self, length: int) -> None:
        """Close if a message has too many fragments (section 5.4; called by Autobahn)."""
        super().onMessageFrameBegin(length)
        self._fragments += 1
        if self._fragments > self.max_fragments:
            self.close(*CloseReason.TOO_BIG("the message has too many fragments"))

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Deliver a message that came through Autobahn.

        Args:
            payload: the whole message, of at most `message_bytes` bytes.
            isBinary: whether its opcode is 2, which the server does not accept (section 7.4.1).
        """
        if isBinary and not self.accepts_binary:
            self.close(*CloseReason.BINARY("only text messages are accepted"))
        else:
            self.deliver(payload)

    def deliver(self, payload: bytes) -> None:
        """Give a text message to the API. Every message leaves this module here."""
        api = self.api
        if api is None or self.state != _OPEN:
            return
        try:
            api.message(payload)
        except Exception:
            _log.failure("handling a message failed")
            self.close(*CloseReason.INTERNAL("the server has failed"))

    def onPing(self, payload: bytes) -> None:
        """Answer a ping with its own payload (section 5.5.3)."""
        self._charge_control_frame()
        self.sendPong(payload)  # type: ignore[no-untyped-call]

    def onPong(self, payload: bytes) -> None:
        """Note the answer to a ping. An unsolicited pong is allowed, at a rate (section 5.5.3)."""
        # Only the answer to a ping proves what has arrived: a pong may also be unsolicited.
        proves = payload == self._deadlines.ping_payload
        if not self._deadlines.answered():
            self._charge_control_frame()
        elif proves and self.api is not None:
            self.api.pong_received()

    def _charge_control_frame(self) -> None:
        """Count a ping or an unsolicited pong, and close beyond the rate."""
        if self._control_frames is None:
            self._control_frames = TokenBucket(CONTROL_FRAMES)
        now = self.context.clock.seconds()
        if self._control_frames.take(now):
            self.close(*CloseReason.flood(self._control_frames.wait(now, inf)))

    # Deadlines.

    def timer_expired(self) -> None:
        """Check the deadlines of an OPEN connection, close one in any other state."""
        if self.state == ConnectionState.OPEN:
            self._check_deadlines(self.context.clock.seconds())
        else:
            super().timer_expired()

    def _check_deadlines(self, now: float) -> None:
        """Close if a deadline of an OPEN connection has passed; send a ping if one is due."""
        limits, deadlines = self.context.limits, self._deadlines
        if deadlines.login_passed(now) and self.api is not None and not self.api.logged_in:
            self.close(*CloseReason.LOGIN_TIMEOUT("no login in time"))
        elif self.inside_message and now >= self._message_began + MESSAGE_TIMEOUT_S:
            self.close(*CloseReason.SLOW_SENDER("a message was not complete in time"))
        elif deadlines.peer_lost(now, limits.ping_timeout, self._reading):
            self.dropConnection(abort=True)
        else:
            if deadlines.take_ping(now, limits.ping_interval):
                self._ping(now)
            self._set_timer(now)

    def _ping(self, now: float) -> None:
        """Send a ping; the API is told of the one whose answer it is told of."""
        deadlines = self._deadlines
        if deadlines.ping_sent == now:
            self.sendPing(deadlines.ping_payload)
            if self.api is not None:
                self.api.ping_sent()
        else:
            self.sendPing()

    def _set_timer(self, now: float) -> None:
        due = self._deadlines.next(self.context.limits.ping_timeout)
        if due < NEVER:
            self.context.timers.put(self, due - now)

    # Sending and closing (section 7).

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Send a frame or an HTTP response of Autobahn's, behind what the outbox holds.

        Args:
            data: whole frames.
            sync: ignored.
            chopsize: ignored.
        """
        if self.outbox is not None and not self.outbox.closed:
            self.outbox.write(data)
        else:
            getattr(self.transport, "write_direct", self.transport.write)(data)

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake behind what is still to be sent (section 7.1.2).

        Args:
            code: close code (section 7.4).
            reason: shortened to 123 bytes in UTF-8 (section 5.5).
        """
        if self.state == ConnectionState.OPEN:
            self.sendCloseFrame(code=code, reasonUtf8=encode_truncate(reason, REASON_BYTES))
            self.resume()  # the peer's close frame must be read
        else:
            super().close(code, reason)

    def onCloseFrame(self, code: int, reasonRaw: bytes) -> bool | None:
        """Answer a close frame, if need be when the end of the session is stored (by Autobahn).

        Args:
            code: close code, None for a frame without payload.
            reasonRaw: close reason, None without one.
        """
        answer = partial(super().onCloseFrame, code, reasonRaw)
        ended = None
        if self.state == _OPEN and code in _IN_ORDER:
            self.outbox.flush()  # what is sent now has arrived, if the client takes the answer
            ended = self._detach_api(clean=code in _CLEAN, arrived=True)
        if ended is None:
            return answer()
        waited = within(END_TIMEOUT_S, self.context.clock, ended)
        run_in_background(waited.addCallback(lambda _: answer()), "closing a connection")
        return None

    def sendCloseFrame(
        self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False
    ) -> None:
        """Send a close frame, once (section 5.5.1), and detach the API.

        Args:
            code: close code, None for a frame without payload.
            reasonUtf8: close reason, at most 123 bytes.
            isReply: whether the peer sent its close frame first.
        """
        if self.state == ConnectionState.OPEN:
            if not isReply:
                reasonUtf8 = with_word(code, reasonUtf8 or b"")
            super().sendCloseFrame(code, reasonUtf8, isReply)
            _log.debug("closing {address}: {code}", address=self.address, code=code)
            self.outbox.close()
            self.context.timers.put(self, CLOSING_TIMEOUT_S)
            # Nothing more can be delivered here: events from now on count as missed.
            self._detach_api(clean=False)

    def _outbox_overflow(self) -> None:
        self.outbox.close()
        self.close(*CloseReason.SLOW_READER("resume to get what you missed"))

    def unregisterProducer(self) -> None:
        """Do nothing (called by Autobahn): the producer is the outbox, which unregisters itself."""

    def _closeConnection(self, abort: bool = False) -> None:
        if self.outbox is not None:
            self.outbox.close()
        super()._closeConnection(abort)

    def connectionLost(self, reason: Any = None) -> None:
        """End the session if it has not ended yet (Twisted: Protocol.connectionLost)."""
        self._unread = None
        if self.outbox is not None:
            self.outbox.stopProducing()
        try:
            self._detach_api(clean=False)
        finally:
            super().connectionLost(reason)  # last: with the last connection the store is closed

    def _detach_api(self, clean: bool, arrived: bool = False) -> Deferred[None] | None:
        """Tell the API that its connection has ended, once (see `API.connection_lost`)."""
        api, self.api = self.api, None
        return None if api is None else api.connection_lost(clean, arrived)
