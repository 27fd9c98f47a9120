"""RandomChat on one connection: its requests, in order, and their answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import attrs
import msgspec
from twisted.internet.defer import Deferred
from zope.interface import implementer

from gtchat.chat.accounts import phone_number
from gtchat.chat.background import run_in_background
from gtchat.chat.errors import (
    BadCredentials,
    BadRequest,
    ChatError,
    NoSuchUser,
    NotLoggedIn,
    NotOwner,
    RateLimited,
    UnknownCommand,
)
from gtchat.chat.events import Event, MessageSent
from gtchat.chat.interfaces import Ack, HistoryQuery, IConnection
from gtchat.chat.limits import TokenBucket
from gtchat.chat.membership import RoomSettings
from gtchat.chat.rooms import Room
from gtchat.chat.users import Session
from gtchat.protocols.base.outbox import Outbox
from gtchat.protocols.randomchat.state import Object, RandomChatState

#: Close codes: replaced by a register elsewhere, put out by the operator, policy.
ELSEWHERE, PUT_OUT, POLICY = 4409, 4002, 1008
#: Requests that wait for the ones before them; beyond it no more are read.
QUEUE_LIMIT = 64
#: Requests in a row refused for their rate, after which a connection is closed.
REJECTED_LIMIT = 100
#: Entries asked for at once.
PAGE = 200

#: What the seed says where ours would say something else.
DETAILS: dict[tuple[str, type[ChatError]], str] = {
    ("add_member", NoSuchUser): "User not found",
    ("remove_member", NotOwner): (
        "Only the chat owner is able to remove a member, or the member to himself"
    ),
    ("delete_chat", NotOwner): "Only the chat owner is able to delete it",
}


class RandomChatTransport(Protocol):
    """What the transport offers."""

    api: Any

    @property
    def outbox(self) -> Outbox: ...

    @property
    def address(self) -> str: ...

    def close(self, code: int, reason: str) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


@implementer(IConnection)
class RandomChatAPI:
    """RandomChatState to one connection.

    Attributes:
        held: what is told before `state` was; None once it was.
    """

    def __init__(self, state: RandomChatState, connection: RandomChatTransport) -> None:
        self.state = state
        self.connection = connection
        self.outbox = connection.outbox
        self.session: Session | None = None
        self.held: list[bytes] | None = None
        self._waiting: deque[Object] = deque()
        self._busy = False
        self._lost = False
        self._refused = 0
        limits = state.chat.limits
        self._rate = TokenBucket(limits.commands_per_second, limits.commands_burst)

    # IOutlet.

    @property
    def address(self) -> str:
        """IP address that the person came from."""
        return self.connection.address

    @property
    def buffered_bytes(self) -> int:
        """Bytes that wait since the peer does not read; as long as `state` does, one at least."""
        return self.outbox.buffered_bytes + (self.held is not None)

    @property
    def closed(self) -> bool:
        """Whether the connection is lost."""
        return self._lost

    def close(self, event: Event | None, reason: str) -> None:
        """The session has ended."""
        self.session = None
        if reason == "kicked":
            self.connection.close(PUT_OUT, "put out by the operator")
        else:
            self.connection.close(ELSEWHERE, "You opened another session.")

    # What the transport asks of an API.

    @property
    def logged_in(self) -> bool:
        """Whether the connection has a user."""
        return self.session is not None

    def message(self, payload: bytes) -> None:
        """Take a request."""
        wait = self._rate.take(self.state.seconds())
        if wait:
            self._refused += 1
            self._complain("", RateLimited(retry_after=wait))
            if self._refused >= REJECTED_LIMIT:
                self.connection.close(POLICY, "too fast for too long")
            return
        self._refused = 0
        try:
            request = msgspec.json.decode(payload)
            if not isinstance(request, dict):
                raise BadRequest("A JSON object is wanted.")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._complain("", BadRequest("This is not JSON."))
        except BadRequest as error:
            self._complain("", error)
        else:
            self._waiting.append(request)
            if len(self._waiting) == QUEUE_LIMIT:
                self.connection.pause()
            self._next()

    def connection_lost(self, clean: bool) -> None:
        """The connection is gone."""
        self._lost = True
        self._waiting.clear()
        self._end_membership()

    def _end_membership(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            self.state.chat.sessions.connection_lost(session, clean=False)
            left = self.state.user_left(session.user.id)
            run_in_background(Deferred.fromCoroutine(left), "leaving RandomChat")

    # Requests, one after the other.

    def _next(self) -> None:
        if self._busy or not self._waiting or self._lost:
            return
        self._busy = True
        request = self._waiting.popleft()
        if len(self._waiting) == QUEUE_LIMIT - 1:
            self.connection.resume()
        run_in_background(Deferred.fromCoroutine(self._do(request)), "RandomChatState")

    async def _do(self, request: Object) -> None:
        kind = request.get("type")
        try:
            command = COMMANDS.get(kind) if isinstance(kind, str) else None
            if command is None:
                raise UnknownCommand()
            if self.session is None and kind != "register":
                raise NotLoggedIn()
            await command.run(self, *[_field(request, name) for name in command.fields])
        except ChatError as error:
            self._complain(str(kind), error)
        finally:
            self._busy = False
            self.state.chat.users.call_soon(self._next)

    def _complain(self, kind: str, error: ChatError) -> None:
        detail = DETAILS.get((kind, type(error)), error.text)
        self._write({"type": "error", "detail": detail, "code": error.code})

    def _write(self, thing: Object) -> None:
        if not self._lost:
            self.outbox.write(self.state.framed(thing))

    async def register(self, user: Object) -> None:
        """Come in by a telephone number; whoever is new gets an account."""
        name, raw = user.get("name"), user.get("phone")
        if not isinstance(name, str) or not isinstance(raw, str):
            raise BadRequest("user: name and phone are wanted.")
        number, state = phone_number(raw), self.state
        await state.load()
        self._end_membership()
        self.held = []
        try:
            self.session = await self._enter(name, number)
            if self._lost:
                self._end_membership()
                return
            chats = [
                {"chat": state.chat_of(room), "messages": await self._missed(room, count, last)}
                for room, count, last in self._unread(self.session)
            ]
            self._write({"type": "state", "chats": chats})
        finally:
            held, self.held = self.held, None
            for data in held:
                self.outbox.write(data)
        await state.chat.whispers.deliver_pending(self.session)

    async def _enter(self, name: str, number: str) -> Session:
        """Log in, after making an account if there is none."""
        state = self.state
        sessions = state.chat.sessions
        try:
            return await sessions.login_phone(number, state.encoder, self, None)
        except BadCredentials:
            state.add_phone(await state.chat.accounts.register_phone(name, number, self.address))
        return await sessions.login_phone(number, state.encoder, self, None)

    def _unread(self, session: Session) -> list[tuple[Room, int, int]]:
        """Rooms of somebody who has just come, how many messages he missed, and the last seq."""
        user = session.user
        rooms = sorted(user.rooms, key=lambda room: room.name)
        return [(room, user.unread.get(room.id, 0), room.last_seq) for room in rooms]

    async def _missed(self, room: Room, count: int, last: int) -> list[Object]:
        """The last so many messages of a log up to `last`, oldest first."""
        found: list[Object] = []
        before = last + 1
        while count > len(found) and self.session is not None:
            limit = min(PAGE, count - len(found))
            span = HistoryQuery(before=before, limit=limit, kinds=frozenset({MessageSent.kind}))
            page = await self.state.chat.history(self.session, room.name, span)
            said = [entry for entry in page.entries if isinstance(entry, MessageSent)]
            if not said:
                break
            found = [self.state.brief_message(entry) for entry in said] + found
            before = said[0].seq
        return found

    async def create_chat(self, name: str) -> None:
        """Make a chat of one's own; its creator is told of himself as its first member."""
        assert self.session is not None
        wanted = RoomSettings(public=False)
        room = await self.state.chat.membership.create(self.session, name, wanted)
        me = self.state.user(self.session.user.name)
        self._write({"type": "new_member", "chat": self.state.chat_of(room), "user": me})

    async def send_message(self, name: str, text: str) -> None:
        """Say something; oneself is told too."""
        session = self.session
        assert session is not None
        done: Deferred[Ack] = Deferred()

        def spoken(result: Ack | ChatError) -> None:
            if isinstance(result, ChatError):
                done.errback(result)
            else:
                done.callback(result)

        self.state.chat.speak(session, name, text, None, spoken)
        receipt = await done
        room = self.state.chat.rooms.find(name)
        entry = MessageSent(
            room_name=room.name, usr=session.user.name, msg=text, id=receipt.id, at=receipt.at
        )
        told = {
            "type": "message",
            "chat": self.state.chat_of(room),
            **self.state.brief_message(entry),
        }
        self._write(told)

    def _named(self, raw: str) -> str:
        """The name of whoever has a number. Raises NoSuchUser, BadRequest."""
        phone = self.state.find_phone(phone_number(raw))
        if phone is None:
            raise NoSuchUser()
        return phone.name

    async def add_member(self, name: str, number: str) -> None:
        """Make somebody a member."""
        assert self.session is not None
        await self.state.chat.membership.add(self.session, name, self._named(number))

    async def remove_member(self, name: str, number: str) -> None:
        """End somebody's membership, or one's own."""
        assert self.session is not None
        await self.state.chat.membership.remove(self.session, name, self._named(number))

    async def delete_chat(self, name: str) -> None:
        """Delete a chat of one's own."""
        assert self.session is not None
        await self.state.chat.membership.delete(self.session, name)


def _field(request: Object, name: str) -> Any:
    """A field of a request, of its type. Raises BadRequest."""
    value = request.get(name)
    wanted = dict if name == "user" else str
    if not isinstance(value, wanted):
        raise BadRequest(f"{name}: {'an object' if name == 'user' else 'text'} is wanted.")
    return value


@attrs.frozen
class RandomChatCommand:
    """A request: what does it, and its fields in order."""

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


class ProtocolNegotiator:
    """The API of a connection that has said nothing yet: its first object picks one.

    Args:
        connection: whose `api` this is until then.
        usual: makes the JSON API. house: RandomChat.
    """

    logged_in = False

    def __init__(
        self, connection: RandomChatTransport, usual: Callable[[Any], Any], state: RandomChatState
    ) -> None:
        self._connection = connection
        self._usual = usual
        self._house = state

    def message(self, payload: bytes) -> None:
        """Pick an API, and give it the message."""
        try:
            first = msgspec.json.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            first = None
        connection = self._connection
        if isinstance(first, dict) and "type" in first and "cmd" not in first:
            connection.api = RandomChatAPI(self._house, connection)
        else:
            connection.api = self._usual(connection)
        connection.api.message(payload)

    def connection_lost(self, clean: bool) -> None:
        """The connection is gone without a word."""
