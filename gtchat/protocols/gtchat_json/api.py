"""API_Chatroom: one object behind each connection that speaks the JSON API.

It decodes requests, keeps their order, sees to the rates, and says what the chat answered. Which
commands there are stands in `commands`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from secrets import token_hex
from typing import Protocol, Union

import attrs
import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from gtchat.chat.accounts import login_key
from gtchat.chat.background import run_in_background
from gtchat.chat.chat import Chat
from gtchat.chat.errors import (
    ChatError,
    NotLoggedIn,
    NotYou,
    RateLimited,
)
from gtchat.chat.events import Event
from gtchat.chat.interfaces import Ack, IConnection
from gtchat.chat.limits import TokenBucket
from gtchat.chat.users import Session
from gtchat.protocols.base.outbox import Outbox
from gtchat.protocols.gtchat_json import strict_json
from gtchat.protocols.gtchat_json.commands import COMMANDS
from gtchat.protocols.gtchat_json.diagnostics import explain
from gtchat.protocols.gtchat_json.encoder import JSONEncoder
from gtchat.protocols.gtchat_json.messages import spoke
from gtchat.protocols.gtchat_json.requests import CMD, REQUESTS, Request, Speak
from gtchat.protocols.gtchat_json.responses import ErrorReply, LoginReply, Reply

#: So many requests that can't be understood, in so many seconds, are one too many.
MALFORMED_LIMIT, MALFORMED_WINDOW_S = 20, 10.0
#: Whoever goes on at so many times the rate is put out.
FLOOD = 10
#: Requests that wait for their turn; beyond it no more are read.
QUEUE_LIMIT = 64

POLICY = 1008
#: Why a session ended -> what its connection is closed with.
ENDS: dict[str, tuple[int, str]] = {
    "replaced": (4001, "logged in elsewhere"),
    "password": (4001, "the password was changed"),
    "kicked": (4002, "put out by the operator"),
}

_decode = msgspec.json.Decoder(Union[REQUESTS]).decode  # noqa: UP007 (of a tuple)
_encode = msgspec.json.Encoder().encode
_log = Logger()


class JSONTransport(Protocol):
    """What the transport offers."""

    @property
    def outbox(self) -> Outbox: ...

    @property
    def address(self) -> str: ...

    def close(self, code: int, reason: str) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


@attrs.frozen
class RejectedRequest:
    """A request that is refused when its turn comes."""

    error: ChatError
    last_cmd: str
    tracker: str


@attrs.frozen
class MalformedRequest:
    """A request that can't be understood, and the refusal if it is one too many besides.

    What is wrong with it depends on what those before it have done.
    """

    payload: bytes
    refusal: ChatError | None


@implementer(IConnection)
class API_Chatroom:
    """The JSON API to one connection.

    Args:
        chat: the chat.
        audience: all sessions of this protocol.
        connection: where to write, and whom from.
        seconds: tells the time.

    Attributes:
        session: who is logged in here, if anybody is.
    """

    __slots__ = (
        "_bad",
        "_busy",
        "_flood",
        "_lost",
        "_rate",
        "_speaking",
        "_waiting",
        "encoder",
        "chat",
        "connection",
        "outbox",
        "seconds",
        "session",
    )

    def __init__(
        self,
        chat: Chat,
        encoder: JSONEncoder,
        connection: JSONTransport,
        seconds: Callable[[], float],
    ) -> None:
        self.chat = chat
        self.encoder = encoder
        self.connection = connection
        self.outbox = connection.outbox
        self.seconds = seconds
        self.session: Session | None = None
        limits = chat.limits
        self._rate = TokenBucket(limits.commands_per_second, limits.commands_burst)
        self._flood: TokenBucket | None = None
        self._bad: deque[float] | None = None
        self._waiting: deque[Request | RejectedRequest | MalformedRequest] | None = None
        self._speaking = 0
        self._busy = False
        self._lost = False

    @property
    def logged_in(self) -> bool:
        """Whether the connection has a user."""
        return self.session is not None

    @property
    def require_session(self) -> Session:
        """Who is logged in, for a command that is only done for somebody."""
        assert self.session is not None, "seen to before the command is done"
        return self.session

    # What the chat asks of an outlet.

    @property
    def address(self) -> str:
        """IP address that the person came from."""
        return self.connection.address

    @property
    def buffered_bytes(self) -> int:
        """Bytes that wait since the peer does not read; a reply that came too late is one."""
        return self.outbox.buffered_bytes + self._lost

    @property
    def closed(self) -> bool:
        """Whether the connection is lost."""
        return self._lost

    def close(self, event: Event | None, reason: str) -> None:
        """The session has ended: tell `event`, then close."""
        self.session = None
        if event is not None:
            self.encoder.encode([event]).send((self,))
        self.connection.close(*ENDS[reason])

    # What the transport asks of an API.

    def message(self, payload: bytes) -> None:
        """Take a request: a JSON object in UTF-8."""
        try:
            request = _decode(payload)
            speaks = type(request) is Speak
            # A message that has nothing but what its decoder has seen needs no second look.
            if not (speaks and payload.count(b'"') == request.quotes() and b"\\" not in payload):
                strict_json.check(payload)
        except (msgspec.MsgspecError, ChatError, RecursionError, UnicodeDecodeError):
            self._reject_malformed(payload)
            return
        refusal = self._charge()
        if refusal is not None:
            self._enqueue(RejectedRequest(refusal, CMD[type(request)], _tracker(request)))
        elif speaks and not self._busy and self._waiting is None and request.room_name is not None:
            self._speak(request, request.room_name)
        else:
            self._enqueue(request)

    def connection_lost(self, clean: bool) -> None:
        """The connection is gone. clean: its client closed it by intention."""
        self._waiting = None
        session, self.session = self.session, None
        if session is not None:
            self.chat.sessions.connection_lost(session, clean)
        self._lost = True  # last: what was told until now has left

    # Order and rates.

    def _charge(self) -> RateLimited | None:
        """Count a request; the refusal, if it is one too many."""
        if not self._rate.rate:
            return None
        now = self.seconds()
        wait = self._rate.take(now)
        if not wait:
            return None
        if self._flood is None:
            limits = self.chat.limits
            self._flood = TokenBucket(
                limits.commands_per_second * FLOOD,
                max(limits.commands_burst, 1) * FLOOD,
            )
        if self._flood.take(now):
            self.connection.close(POLICY, "too fast for too long")
        return RateLimited(retry_after=wait)

    def _enqueue(self, request: Request | RejectedRequest | MalformedRequest) -> None:
        """Handle a request, or let it wait until those before it are answered."""
        if self._ready(request) and not self._waiting:
            self._handle(request)
            return
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(request)
        if len(self._waiting) == QUEUE_LIMIT:
            self.connection.pause()

    def _ready(self, request: Request | RejectedRequest | MalformedRequest) -> bool:
        """Whether nothing that is under way must be answered before.

        Messages to rooms may follow each other, since they come back in their order.
        """
        return not self._busy and (type(request) is Speak or not self._speaking)

    def _drain(self) -> None:
        """Handle what waited."""
        while self._waiting and not self._lost and self._ready(self._waiting[0]):
            self._handle(self._waiting.popleft())
        if self._waiting is not None and not self._waiting:
            self._waiting = None
            self.connection.resume()

    def _handle(self, request: Request | RejectedRequest | MalformedRequest) -> None:
        if isinstance(request, RejectedRequest):
            self._refuse(request.error, request.last_cmd, request.tracker)
        elif isinstance(request, MalformedRequest):
            error, last_cmd, tracker = explain(request.payload, self.logged_in)
            self._refuse(request.refusal or error, last_cmd, tracker)
        elif type(request) is Speak and request.room_name is not None:
            self._speak(request, request.room_name)
        else:
            self._run(request)

    # Speaking: the way of every message.

    def _speak(self, request: Speak, room_name: str) -> None:
        """Say something in a room; the answer comes when it is stored."""
        done = partial(self._spoken, request.tracker)
        try:
            session = self.session
            if session is None or request.usr is not None:
                session = self._user_of(request)
            self.chat.speak(session, room_name, request.msg, request.txn, done)
        except ChatError as error:
            if self._speaking:
                self._enqueue_first(RejectedRequest(error, "speak", _tracker(request)))
            else:
                self._refuse(error, "speak", _tracker(request))
        else:
            self._speaking += 1

    def _enqueue_first(self, refused: RejectedRequest) -> None:
        """Let a refusal wait for the answers to what came before it."""
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.appendleft(refused)

    def _spoken(self, number: str | int | None, result: Ack | ChatError) -> None:
        """A message is stored, or is not. number: what the client calls its request."""
        self._speaking -= 1
        tracker = "0" if number is None else str(number)
        if self._lost:
            return
        if isinstance(result, Ack):
            self.outbox.write(self.encoder.frame(_encode(spoke(result, tracker))))
        else:
            self._refuse(result, "speak", tracker)
        if self._waiting and not self._speaking:
            self.chat.users.call_soon(self._drain)

    # All other commands.

    def _run(self, request: Request) -> None:
        """Do a command, and answer it."""
        self._busy = True
        command = COMMANDS[type(request)]
        try:
            if not command.before_login or self.session is not None:
                self._check_usr(request, command.usr_is_subject)
            result = command.handler(self, request)
        except ChatError as error:
            result = error
        if isinstance(result, Coroutine):
            Deferred.fromCoroutine(result).addErrback(_expected).addBoth(self._answer, request)
        else:
            self._answer(result, request)

    def _check_usr(self, request: Request, usr_is_subject: bool) -> None:
        """See that somebody is logged in, and that a request does not speak for somebody else."""
        if self.session is None:
            raise NotLoggedIn()
        usr, user = request.usr, self.session.user
        if usr is None or usr == user.name or usr_is_subject:
            return
        if login_key(usr) != user.key:
            raise NotYou()

    def _user_of(self, request: Request) -> Session:
        """The session, for a request that needs one."""
        self._check_usr(request, usr_is_subject=False)
        return self.require_session

    def _answer(self, result: Reply | ChatError | Failure, request: Request) -> None:
        """Answer a command; whoever has come by it is given what waits for him."""
        self._busy = False
        cmd, tracker = CMD[type(request)], _tracker(request)
        session = self.session
        if self._lost:
            if session is not None:
                self.session = None
                self.chat.sessions.connection_lost(session, clean=False)
            return
        if isinstance(result, Reply):
            result.last_cmd, result.tracker = cmd, tracker
            result.msg = COMMANDS[type(request)].message
            self._write(result)
        elif isinstance(result, ChatError):
            self._refuse(result, cmd, tracker)
        else:
            self._fail(result, cmd, tracker)
        if isinstance(result, LoginReply) and session is not None:
            run_in_background(
                Deferred.fromCoroutine(self.chat.deliver_pending(session)), "giving what waits"
            )
        if self._waiting:
            self.chat.users.call_soon(self._drain)

    # Answers.

    def _write(self, reply: Reply) -> None:
        self.outbox.write(self.encoder.frame(_encode(reply)))

    def _refuse(self, error: ChatError, last_cmd: str, tracker: str) -> None:
        wait = error.retry_after
        self._write(
            ErrorReply(
                last_cmd=last_cmd,
                tracker=tracker,
                msg=error.text,
                code=error.code,
                retry_after=msgspec.UNSET if wait is None else round(wait + 0.0005, 3),
            )
        )

    def _fail(self, failure: Failure, cmd: str, tracker: str) -> None:
        """A bug of ours: the log has the whole of it, the client its number."""
        incident = token_hex(4)
        _log.failure("incident {incident} in {cmd}", failure, incident=incident, cmd=cmd)
        self._write(
            ErrorReply(
                last_cmd=cmd,
                tracker=tracker,
                msg=f"Something went wrong on our side (incident {incident}).",
                code="internal",
                incident=incident,
            )
        )

    # What can't be understood.

    def _reject_malformed(self, payload: bytes) -> None:
        """Say what is wrong with a request; too many of them are too many."""
        now = self.seconds()
        if self._bad is None:
            self._bad = deque(maxlen=MALFORMED_LIMIT)
        if len(self._bad) == MALFORMED_LIMIT and now - self._bad[0] < MALFORMED_WINDOW_S:
            self.connection.close(POLICY, "too many requests that can't be understood")
            return
        self._bad.append(now)
        self._enqueue(MalformedRequest(payload, self._charge()))


def _tracker(request: Request) -> str:
    """What the client finds the answer by."""
    return "0" if request.tracker is None else str(request.tracker)


def _expected(failure: Failure) -> ChatError | Failure:
    """What people can do wrong is an answer; all else is a failure."""
    return failure.value if isinstance(failure.value, ChatError) else failure
