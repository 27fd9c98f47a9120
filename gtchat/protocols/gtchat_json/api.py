"""API_Chatroom: one object behind each connection that speaks the JSON API.

It decodes requests, sees to their rate and order (`CommandQueue`), and answers them. `commands`
has the table of commands, whose handlers are in `sessions`, `rooms` and `messages`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine
from functools import partial
from secrets import token_hex
from typing import Any, Union

import attrs
import msgspec
from twisted.logger import Logger
from twisted.python.failure import Failure

from gtchat.chat.accounts import login_key
from gtchat.chat.chat import Chat
from gtchat.chat.errors import ChatError, NotLoggedIn, NotYou
from gtchat.chat.interfaces import Ack
from gtchat.chat.users import Session
from gtchat.protocols.base.closing import CloseReason
from gtchat.protocols.base.command_queue import CommandQueue
from gtchat.protocols.base.outbox import MessageTransport
from gtchat.protocols.base.text import rfc3339
from gtchat.protocols.gtchat_json import strict_json
from gtchat.protocols.gtchat_json.commands import CMD, COMMANDS
from gtchat.protocols.gtchat_json.context import Context
from gtchat.protocols.gtchat_json.diagnostics import check_fields, explain
from gtchat.protocols.gtchat_json.pushes import JSONEncoder
from gtchat.protocols.gtchat_json.requests import Hello, Request, Speak
from gtchat.protocols.gtchat_json.responses import ErrorReply, Reply, SpeakReply

#: A connection is closed at more than so many malformed requests in so many seconds.
MALFORMED_LIMIT, MALFORMED_WINDOW_S = 20, 10.0

_decode = msgspec.json.Decoder(Union[tuple(COMMANDS)]).decode  # noqa: UP007 (of a tuple)
_encode = msgspec.json.Encoder().encode
_STORED = COMMANDS[Speak].message
_log = Logger()


@attrs.frozen
class RejectedRequest:
    """A request that is refused when it is its turn."""

    error: ChatError | Failure
    last_cmd: str
    tracker: str


@attrs.frozen
class MalformedRequest:
    """A request that can't be decoded, to be explained when it is its turn.

    What is wrong with it depends on what the requests before it have done.

    Attributes:
        payload: the request as it came.
        strict: whether it must not have unknown fields.
        rejection: why it is refused besides, if it is one too many.
    """

    payload: bytes
    strict: bool
    rejection: ChatError | None


class API_Chatroom(Context):
    """The JSON API on one connection.

    Args:
        chat: the chat.
        encoder: the encoder of the JSON API.
        transport: the WebSocket connection.
    """

    __slots__ = ("_malformed",)

    def __init__(self, chat: Chat, encoder: JSONEncoder, transport: MessageTransport) -> None:
        super().__init__(chat, encoder, transport)
        self.queue = CommandQueue[Any](self, chat)
        self._malformed: deque[float] | None = None

    # What the transport asks of an API.

    def message(self, payload: bytes) -> None:
        """Take a request: a JSON object in UTF-8."""
        try:
            request = _decode(payload)
            speaks = type(request) is Speak
            to_room = speaks and request.room_name is not None
            # A message that has nothing but what its decoder has seen needs no second look.
            if not (
                speaks and payload.count(b'"') == _count_quotes(request) and b"\\" not in payload
            ):
                strict_json.check(payload)
                if self.strict:
                    check_fields(payload, type(request))
                to_room = to_room and _is_to_room(request)
        except (msgspec.MsgspecError, ChatError, RecursionError, UnicodeDecodeError):
            self._reject_malformed(payload)
            return
        queue = self.queue
        rejection = queue.charge()
        if rejection is not None:
            queue.submit(RejectedRequest(rejection, CMD[type(request)], _tracker(request)))
        elif not to_room:
            if type(request) is Hello and request.strict is not None:
                self.strict = request.strict  # now: it holds for the requests that come behind it
            queue.submit(request)
        elif queue.idle:
            self._speak(request)
        else:
            queue.submit(request, pipelined=True)

    def ping_sent(self) -> None:
        """A ping was sent behind all that was written."""
        if self.session is not None:
            self.chat.whispers.ping_sent(self.session)

    def pong_received(self) -> None:
        """The client has answered that ping."""
        if self.session is not None:
            self.chat.whispers.pong_received(self.session)

    def connection_lost(self, clean: bool, arrived: bool = False) -> None:
        """The connection is gone.

        Args:
            clean: whether its user closed the client.
            arrived: whether its client closed it in order, or left the page.
        """
        self.queue.close()
        session, self.session = self.session, None
        if session is not None:
            self.chat.sessions.connection_lost(session, clean, arrived)
        self.closed = True  # last: what was sent until now has left

    # What the queue asks of a client.

    def run_command(
        self, request: Request | RejectedRequest | MalformedRequest
    ) -> Coroutine[Any, Any, None] | None:
        """Run a request; see `CommandClient.run_command`."""
        if isinstance(request, RejectedRequest):
            self._reply_error(request.error, request.last_cmd, request.tracker)
        elif isinstance(request, MalformedRequest):
            error, last_cmd, tracker = explain(request.payload, self.logged_in, request.strict)
            self._refuse(request.rejection or error, last_cmd, tracker)
        elif type(request) is Speak and _is_to_room(request):
            self._speak(request)
        else:
            return self._run(request)
        return None

    def pause_reading(self) -> None:
        """Read no more requests for now."""
        self.transport.pause()

    def resume_reading(self) -> None:
        """Read requests again."""
        self.transport.resume()

    def disconnect_flood(self) -> None:
        """Disconnect a client that sends many times more than it may."""
        self.transport.close(*CloseReason.flood(self.queue.recovery_seconds))

    # Messages to a room.

    def _speak(self, request: Speak) -> None:
        """Send a message to a room; the answer comes when it is stored."""
        try:
            session = self.session
            if session is None or request.usr is not None:
                session = self._check_usr(request, usr_is_subject=False)
            self.chat.speak(
                session,
                request.room_name,  # type: ignore[arg-type] # not None where this is called
                request.msg,
                request.txn,
                partial(self._answer_speak, request.tracker),
                request.reply,
                request.style,
            )
        except ChatError as error:
            self._reject_speak(request, error)
        except Exception:
            self._reject_speak(request, Failure())
        else:
            self.queue.in_flight += 1

    def _reject_speak(self, request: Speak, error: ChatError | Failure) -> None:
        rejected = RejectedRequest(error, "speak", _tracker(request))
        if self.queue.in_flight:
            self.queue.submit_first(rejected)  # behind the answers that are to come
        else:
            self.run_command(rejected)

    def _answer_speak(self, tracker: str | int | None, result: Ack | ChatError) -> None:
        """Answer a message that is stored, or is not."""
        self.queue.answered()
        if self.closed:
            return
        echoed = "0" if tracker is None else str(tracker)
        if isinstance(result, Ack):
            reply = SpeakReply(
                last_cmd="speak",
                tracker=echoed,
                msg=_STORED,
                id=result.id,
                seq=result.seq,
                at=rfc3339(result.at),
                dup=result.dup or msgspec.UNSET,
            )
            self.outbox.write(self.encoder.frame(_encode(reply)))
            if self.encoder.requests.enabled:
                self._log_request("speak", echoed, "ok")
        else:
            self._refuse(result, "speak", echoed)

    # All other commands.

    def _run(self, request: Request) -> Coroutine[Any, Any, None] | None:
        """Run a command, and answer it now or when it is done."""
        command = COMMANDS[type(request)]
        try:
            if not command.before_login or self.session is not None:
                self._check_usr(request, command.usr_is_subject)
            result = command.handler(self, request)
        except ChatError as error:
            self._answer(request, error)
        except Exception:
            self._answer(request, Failure())
        else:
            if isinstance(result, Coroutine):
                return self._answer_later(request, result)
            self._answer(request, result)
        return None

    def _check_usr(self, request: Request, usr_is_subject: bool) -> Session:
        """Return the session of a request that needs one.

        Args:
            request: its `usr` has to be the user who is logged in, where it has one.
            usr_is_subject: `usr` is the user that the command is about instead.

        Raises:
            NotLoggedIn, NotYou.
        """
        session = self.session
        if session is None:
            raise NotLoggedIn()
        usr, user = request.usr, session.user
        if usr is None or usr == user.name or usr_is_subject or login_key(usr) == user.key:
            return session
        raise NotYou()

    async def _answer_later(
        self, request: Request, work: Coroutine[Any, Any, Reply | ChatError]
    ) -> None:
        try:
            result: Reply | ChatError | Failure = await work
        except ChatError as error:
            result = error
        except Exception:
            result = Failure()
        self._answer(request, result)

    def _answer(self, request: Request, result: Reply | ChatError | Failure) -> None:
        """Answer a command, then do what is to be done after the answer."""
        if self.closed:
            return
        cmd, tracker = CMD[type(request)], _tracker(request)
        if isinstance(result, Reply):
            command = COMMANDS[type(request)]
            result.last_cmd, result.tracker, result.msg = cmd, tracker, command.message
            self._write(result)
            self._log_request(cmd, tracker, "ok")
            if command.after is not None:
                command.after(self)
        else:
            self._reply_error(result, cmd, tracker)

    # Answers.

    def _write(self, reply: Reply) -> None:
        self.outbox.write_reply(self.encoder.frame(_encode(reply)))

    def _log_request(self, cmd: str, tracker: str, outcome: str) -> None:
        """Write the line of a request, if that is set."""
        if self.encoder.requests.enabled:
            user = "" if self.session is None else self.session.user.name
            self.encoder.requests.answered(cmd, tracker, user, self.address, outcome)

    def _reply_error(self, error: ChatError | Failure, last_cmd: str, tracker: str) -> None:
        if isinstance(error, ChatError):
            self._refuse(error, last_cmd, tracker)
        else:
            self._fail(error, last_cmd, tracker)

    def _refuse(self, error: ChatError, last_cmd: str, tracker: str) -> None:
        self.chat.measures.refusals[error.code] += 1
        self._log_request(last_cmd, tracker, error.code)
        wait = error.retry_after
        self._write(
            ErrorReply(
                last_cmd=last_cmd,
                tracker=tracker,
                msg=error.text,
                code=error.code,
                retry_after=msgspec.UNSET if wait is None else round(wait + 0.0005, 3),
                window=msgspec.UNSET if error.window is None else error.window,
                used=msgspec.UNSET if error.used is None else error.used,
                allowed=msgspec.UNSET if error.allowed is None else error.allowed,
            )
        )

    def _fail(self, failure: Failure, cmd: str, tracker: str) -> None:
        """Answer a command that met a bug: the log has all of it, the client its number."""
        self.chat.measures.refusals["internal"] += 1
        self._log_request(cmd, "", "internal")
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

    def _reject_malformed(self, payload: bytes) -> None:
        """Explain what is wrong with a request; close the connection at too many of them."""
        now = self.chat.clock.seconds()
        if self._malformed is None:
            self._malformed = deque(maxlen=MALFORMED_LIMIT)
        recent = self._malformed
        if len(recent) == MALFORMED_LIMIT and now - recent[0] < MALFORMED_WINDOW_S:
            self.transport.close(*CloseReason.MALFORMED("too many malformed requests"))
            return
        recent.append(now)
        self.queue.submit(MalformedRequest(payload, self.strict, self.queue.charge()))


def _tracker(request: Request) -> str:
    """Return what the client finds the answer by."""
    return "0" if request.tracker is None else str(request.tracker)


def _is_to_room(request: Speak) -> bool:
    """Return whether a message names a room and nothing else."""
    names_direct = request.target_user is not None or request.direct is not None
    return request.room_name is not None and not names_direct


def _count_quotes(request: Speak) -> int:
    """Return the number of quotation marks in the shortest JSON of a message.

    JSON with a repeated key, an unknown field or a null has more of them, as long as none is
    escaped; so has one that names a direct conversation. Counting them is how a message is seen to
    be strict without being parsed again.
    """
    quotes = 8 if request.room_name is None else 12
    if request.txn is not None:
        quotes += 4
    if request.tracker is not None:
        quotes += 4 if type(request.tracker) is str else 2
    if request.usr is not None:
        quotes += 4
    if request.reply is not None:
        quotes += 2
    if request.style:
        quotes += 4
    return quotes if request.broadcast_key is None else quotes + 4
