"""RandomChat on one connection: its requests, in order, and their answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import attrs
import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from gtchat.chat.background import run_in_background
from gtchat.chat.credentials import phone_number
from gtchat.chat.errors import (
    BadCredentials,
    BadRequest,
    ChatError,
    NameTaken,
    NoSuchUser,
    NotLoggedIn,
    NotOwner,
    UnknownCommand,
)
from gtchat.chat.events import Event, MessageSent
from gtchat.chat.interfaces import Ack, DeliveryProof, IConnection
from gtchat.chat.messages import text as message_text
from gtchat.chat.ownership import RoomSettings
from gtchat.chat.rooms import Room
from gtchat.chat.users import Session
from gtchat.protocols.base import login
from gtchat.protocols.base.closing import CloseReason
from gtchat.protocols.base.command_queue import CommandQueue
from gtchat.protocols.base.outbox import MessageTransport
from gtchat.protocols.randomchat.missed import MissedMessages
from gtchat.protocols.randomchat.state import DeferredFrames, Object, RandomChatState

#: How a connection is closed that a `register` elsewhere replaces: the original's reason, and its
#: code 409 as one that RFC 6455 section 7.4.2 allows.
REPLACED = 4409, "You opened another session."

#: Error texts that the seed names, where ours would differ.
DETAILS: dict[tuple[str, type[ChatError]], str] = {
    ("add_member", NoSuchUser): "User not found",
    ("remove_member", NotOwner): (
        "Only the chat owner is able to remove a member, or the member to himself"
    ),
    ("delete_chat", NotOwner): "Only the chat owner is able to delete it",
}

_log = Logger()


class ConnectionAPI(Protocol):
    """What takes the messages of a WebSocket connection."""

    @property
    def logged_in(self) -> bool: ...

    def message(self, payload: bytes) -> None: ...

    def ping_sent(self) -> None: ...

    def pong_received(self) -> None: ...

    def connection_lost(self, clean: bool, arrived: bool = False) -> Deferred[None] | None: ...


class RandomChatTransport(MessageTransport, Protocol):
    """A WebSocket connection whose API can be changed."""

    api: ConnectionAPI | None


@implementer(IConnection)
class RandomChatAPI:
    """RandomChat on one connection.

    Args:
        state: what all connections of RandomChat share.
        transport: the WebSocket connection.

    Attributes:
        deferred: frames that wait until `state` was sent; None once it was.
        session: the session of the user who has registered, None before that.
        closed: whether the connection is lost.
    """

    resumable = False
    protocol = "randomchat"

    def __init__(self, state: RandomChatState, transport: RandomChatTransport) -> None:
        self.state = state
        self.transport = transport
        self.outbox = transport.outbox
        self.queue = CommandQueue[Object | ChatError](self, state.chat)
        self.session: Session | None = None
        self.deferred: DeferredFrames | None = None
        self.closed = False

    # IConnection.

    @property
    def address(self) -> str:
        """IP address of the client."""
        return self.transport.address

    @property
    def buffered_bytes(self) -> int:
        """Bytes that were not sent; at least one as long as `state` was not."""
        return self.outbox.buffered_bytes + (self.deferred is not None)

    @property
    def delivery_proof(self) -> DeliveryProof:
        """What proves that a whisper has arrived: a pong, if the server sends pings."""
        return DeliveryProof.PONG if self.state.chat.limits.ping_interval else DeliveryProof.TIME

    def close(self, event: Event | None, reason: str, text: str = "") -> None:
        """Close the connection after its session has ended."""
        session, self.session = self.session, None
        if reason in ("kicked", "banned"):
            if session is not None:
                self._note_left(session)
            kicked = CloseReason.KICKED("disconnected by the operator")
            self.transport.close(*(CloseReason.BANNED(text) if text else kicked))
        else:
            self.transport.close(*REPLACED)

    # What the transport asks of an API.

    @property
    def logged_in(self) -> bool:
        """Whether the connection has a user."""
        return self.session is not None

    def message(self, payload: bytes) -> None:
        """Take a request: a JSON object in UTF-8."""
        refusal = self.queue.charge()
        try:
            self.queue.submit(decode_object(payload) if refusal is None else refusal)
        except BadRequest as error:
            self.queue.submit(error)

    def ping_sent(self) -> None:
        """A ping was sent behind all that was written."""
        if self.session is not None:
            self.state.chat.whispers.ping_sent(self.session)

    def pong_received(self) -> None:
        """The client has answered that ping."""
        if self.session is not None:
            self.state.chat.whispers.pong_received(self.session)

    def connection_lost(self, clean: bool, arrived: bool = False) -> Deferred[None] | None:
        """The connection is gone. arrived: whether its client closed it in order.

        The client has the answer when that is stored: what it has received does not come again,
        whatever node it registers at then.
        """
        self.closed = True
        self.queue.close()
        return self._end_session(arrived)

    def check_deferred(self) -> None:
        """Disconnect a client that reads its `state` so slowly that too much waits behind it."""
        if self.deferred is not None and self.deferred.overflowed:
            self.transport.close(*CloseReason.SLOW_READER("the first messages were not read"))

    def _end_session(self, arrived: bool = False) -> Deferred[None] | None:
        """End the session, if there is one; return what fires when that is stored."""
        session, self.session = self.session, None
        if session is None:
            return None
        sessions = self.state.chat.sessions
        stored = sessions.connection_lost(session, clean=False, arrived=arrived)
        self._note_left(session)
        return stored

    # What a login asks of its client.

    def abandon(self, session: Session) -> None:
        """Give up a session, which can't be resumed here."""
        self.state.chat.sessions.connection_lost(session, clean=False)
        self._note_left(session)

    def _note_left(self, session: Session) -> None:
        left = self.state.user_left(session.user.id)
        run_in_background(Deferred.fromCoroutine(left), "noting when a user was last connected")

    # What the queue asks of a client.

    def pause_reading(self) -> None:
        """Read no more requests for now."""
        self.transport.pause()

    def resume_reading(self) -> None:
        """Read requests again."""
        self.transport.resume()

    def disconnect_flood(self) -> None:
        """Disconnect a client that sends many times more than it may."""
        self.transport.close(*CloseReason.flood(self.queue.recovery_seconds))

    def run_command(self, request: Object | ChatError) -> Coroutine[Any, Any, None] | None:
        """Run a request, or refuse it in its turn; see `CommandClient.run_command`."""
        if not isinstance(request, ChatError):
            return self._run(request)
        self._refuse("", request)
        return None

    async def _run(self, request: Object) -> None:
        kind = request.get("type")
        try:
            command = COMMANDS.get(kind) if isinstance(kind, str) else None
            if command is None:
                raise UnknownCommand()
            if self.session is None and kind != "register":
                raise NotLoggedIn()
            await command.run(self, *[_field(request, name) for name in command.fields])
            self.state.requests.note(str(kind), self)
        except ChatError as error:
            self._refuse(str(kind), error)
        except Exception:
            _log.failure("a request of type {kind} failed", kind=str(kind))
            self._refuse("", ChatError())

    def _refuse(self, kind: str, error: ChatError) -> None:
        self.state.chat.measures.refusals[error.code] += 1
        self.state.requests.note(kind or "?", self, error)
        detail = DETAILS.get((kind, type(error)), error.text)
        self._write({"type": "error", "detail": detail, "code": error.code})

    def _write(self, thing: Object) -> None:
        if not self.closed:
            self.outbox.write_reply(self.state.encode_object(thing))

    @property
    def require_session(self) -> Session:
        """The session, for a request that is only run after `register`."""
        assert self.session is not None, "checked before the request is run"
        return self.session

    # Requests.

    async def register(self, user: Object) -> None:
        """Log in by a telephone number; a new number creates an account."""
        name, raw = user.get("name"), user.get("phone")
        if not isinstance(name, str) or not isinstance(raw, str):
            raise BadRequest("user: name and phone are required.")
        number, chat = phone_number(raw), self.state.chat
        await self.state.load()
        if not self.state.has_number(number):
            await self._add_number(name, number)
        self._end_session()  # not before: a refused request changes nothing
        self.deferred = DeferredFrames(chat.limits.outbox_bytes)
        try:
            session = await self._log_in(number)
            login.keep_session(self, session)
            await MissedMessages(self.state, self, session).send()
        except BaseException:
            self._end_session()  # without its state a client is of no use
            raise
        finally:
            self.check_deferred()
            deferred, self.deferred = self.deferred, None
            # Without its session the client did not get all that was before them: its closing
            # handshake may wait for the store, and what it reads until then counts as received.
            for frame in deferred.frames if self.session is not None else ():
                self.outbox.write(frame)
        if self.session is not None:
            login.deliver_pending(chat, self.session)

    async def _log_in(self, number: str) -> Session:
        """Log in by a number; it is forgotten if its account was deleted."""
        try:
            return await self.state.chat.logins.login_phone(number, self.state.encoder, self, None)
        except BadCredentials:
            self.state.forget_number(number)
            raise

    async def _add_number(self, name: str, number: str) -> None:
        """Create an account with a number, unless it has got one meanwhile, at whatever node."""
        try:
            phone = await self.state.chat.phones.register(name, number, self.address)
        except NameTaken:
            if not self.state.has_number(number):
                raise
        else:
            self.state.add_phone(phone)

    async def create_chat(self, name: str) -> None:
        """Create a private room; the creator is its first member."""
        session = self.require_session
        wanted = RoomSettings(public=False)
        created = await self.state.chat.membership.create(session, name, wanted)
        self._tell_new_member(created.room, session.user.name)

    def _tell_new_member(self, room: Room | None, name: str) -> None:
        """Tell the client of a new member; the chat does not tell the session that asked for it."""
        if room is not None:
            chat, user = self.state.chat_of(room), self.state.user(name)
            self._write({"type": "new_member", "chat": chat, "user": user})

    async def send_message(self, name: str, text: str) -> None:
        """Send a message to a room; the sender gets it too."""
        session = self.require_session
        text = message_text(text, self.state.chat.limits.text_chars)
        stored: Deferred[Ack] = Deferred()

        def answered(result: Ack | ChatError) -> None:
            if isinstance(result, ChatError):
                stored.errback(result)
            else:
                stored.callback(result)

        self.state.chat.speak(session, name, text, None, answered)
        ack = await stored
        room = self.state.chat.rooms.find(name)
        entry = MessageSent(
            room_name=room.name, usr=session.user.name, msg=text, id=ack.id, at=ack.at
        )
        chat, body = self.state.chat_of(room), self.state.brief_message(entry)
        self._write({"type": "message", "chat": chat, **body})

    async def add_member(self, name: str, number: str) -> None:
        """Add the user with a number to a room."""
        membership, user = self.state.chat.membership, self.state.require_name(number)
        added = await membership.add(self.require_session, name, user)
        self._tell_new_member(added.room, user)

    async def remove_member(self, name: str, number: str) -> None:
        """Remove the user with a number from a room."""
        session, removed = self.require_session, self.state.require_name(number)
        room = (await self.state.chat.membership.remove(session, name, removed)).room
        if room is not None:
            self._write(self.state.removal(room, removed))

    async def delete_chat(self, name: str) -> None:
        """Delete a room of the user's own."""
        session, chat = self.require_session, self.state.chat
        room = await chat.loader.look(name)
        await chat.membership.delete(session, name)
        if isinstance(room, Room):  # else it was not the user's
            self._write(self.state.deletion(room, session.user.name))


def decode_object(payload: bytes) -> Object:
    """Return the object of a message; raise BadRequest if it is none."""
    try:
        request = msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadRequest("The message is not JSON.") from None
    if not isinstance(request, dict):
        raise BadRequest("A JSON object is required.")
    return request


def _field(request: Object, name: str) -> Any:
    """Return a field of a request; raise BadRequest if it has another type."""
    value = request.get(name)
    wanted = dict if name == "user" else str
    if not isinstance(value, wanted):
        raise BadRequest(f"{name}: {'an object' if name == 'user' else 'text'} is required.")
    return value


@attrs.frozen
class RandomChatCommand:
    """A request: the method that runs it, and the fields that it takes, in order."""

    run: Callable[..., Awaitable[None]]
    fields: tuple[str, ...]


COMMANDS: dict[str, RandomChatCommand] = {
    "register": RandomChatCommand(RandomChatAPI.register, ("user",)),
    "create_chat": RandomChatCommand(RandomChatAPI.create_chat, ("name",)),
    "send_message": RandomChatCommand(RandomChatAPI.send_message, ("chat", "message")),
    "add_member": RandomChatCommand(RandomChatAPI.add_member, ("chat", "phone")),
    "remove_member": RandomChatCommand(RandomChatAPI.remove_member, ("chat", "phone")),
    "delete_chat": RandomChatCommand(RandomChatAPI.delete_chat, ("chat",)),
}
