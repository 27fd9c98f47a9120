"""RandomChat: JSON over WebSocket, on the same port as the JSON API (seed 001).

    → register {user: {name, phone}}                 ← state {chats: [{chat, messages}]}
    → create_chat {name}                             ← new_member for oneself
    → send_message {chat, message}                   ← message to all members, oneself too
    → add_member {chat, phone}                       ← new_member to all members
    → remove_member {chat, phone}                    ← member_removed to all members
    → delete_chat {chat}                             ← chat_deleted to all members
                                                     ← error {detail, code}

    User {name, phone, disconnection_date}   Chat {name, members, owner}
    message {chat, from, date, message}      new_member, member_removed {chat, user}

A telephone number is all that proves who somebody is. The first object of a connection says which
API it speaks: one with `cmd` the JSON API, one with `type` and no `cmd` this one.
Source: spec/randomchat.md.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Protocol, cast

import attrs
import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from gtchat.chat import events
from gtchat.chat.accounts import phone_number
from gtchat.chat.chat import Chat
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
from gtchat.chat.events import Event, Spoke
from gtchat.chat.interfaces import IAudience, IBurst, IOutlet, Phone, Receipt, Span
from gtchat.chat.limits import TokenBucket
from gtchat.chat.membership import Settings
from gtchat.chat.people import Session
from gtchat.chat.rooms import Room
from gtchat.chat.unattended import unattended
from gtchat.protocols.outbox import Outbox, Turn
from gtchat.protocols.plain import iso

#: Close codes: replaced by a register elsewhere, put out by the operator, policy.
ELSEWHERE, PUT_OUT, POLICY = 4409, 4002, 1008
#: Requests that wait for the ones before them; beyond it no more are read.
WAITING_MOST = 64
#: Requests in a row refused for their rate, after which a connection is closed.
REFUSED_MOST = 100
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

_log = Logger()
Object = dict[str, Any]


class Connection(Protocol):
    """What the transport offers."""

    api: Any

    @property
    def outbox(self) -> Outbox: ...

    @property
    def address(self) -> str: ...

    def close(self, code: int, reason: str) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


@attrs.define(eq=False)
class RandomChat:
    """All of RandomChat: its audience, and the telephone numbers that there are.

    Args:
        chat: the chat. turn: writes at the end of the reactor's turn. frame: makes a frame of a
            message. seconds: tells the time. phones: reads the numbers from the store.
    """

    chat: Chat
    turn: Turn
    frame: Callable[[bytes], bytes]
    seconds: Callable[[], float]
    store: Any
    audience: RandomAudience = attrs.field(init=False)
    _by_id: dict[int, Phone] = attrs.field(factory=dict)
    _by_number: dict[str, Phone] = attrs.field(factory=dict)
    _by_name: dict[str, Phone] = attrs.field(factory=dict)
    _loading: Deferred[None] | None = None
    _loaded: bool = False

    def __attrs_post_init__(self) -> None:
        self.audience = RandomAudience(self)

    async def load(self) -> None:
        """Know the numbers; read once, when the first one comes. Raises NotStored."""
        if self._loaded:
            return
        if self._loading is None:
            self._loading = Deferred.fromCoroutine(self._load())
        waiting: Deferred[None] = Deferred()
        self._loading.chainDeferred(waiting)
        await waiting

    async def _load(self) -> None:
        try:
            for phone in await self.store.phones():
                self.know(phone)
            self._loaded = True
        finally:
            self._loading = None

    def know(self, phone: Phone) -> None:
        """There is this number, or it has changed."""
        self._by_id[phone.account_id] = self._by_number[phone.number] = phone
        self._by_name[phone.name] = phone

    def numbered(self, number: str) -> Phone | None:
        """Who has a number."""
        return self._by_number.get(number)

    async def left(self, account_id: int) -> None:
        """Somebody is not here any more."""
        phone = self._by_id.get(account_id)
        if phone is not None:
            now = self.chat.people.now()
            self.know(attrs.evolve(phone, left_at=now))
            await self.store.left_phone(account_id, now)

    # Objects of the protocol.

    def user(self, name: str) -> Object:
        """User: people of other protocols have no number."""
        phone = self._by_name.get(name)
        here = name in self.chat.people.online
        left = None if here or phone is None else iso(phone.left_at)
        return {"name": name, "phone": phone.number if phone else "", "disconnection_date": left}

    def of_room(self, room: Room) -> Object:
        """Chat. The lobby has no members, since everybody is in it."""
        members = [self.user(name) for name in room.members.values()]
        return {"name": room.name, "members": members, "owner": self.user(room.owner)}

    def brief(self, entry: Spoke) -> Object:
        """BriefMessage."""
        return {"from": self.user(entry.usr), "date": iso(entry.at), "message": entry.msg}

    def said(self, event: Event) -> Object | None:
        """An event as these clients read it, None if they can't."""
        if isinstance(event, events.Whispered):
            person = self.user(event.usr)
            talk = {"name": event.usr, "members": [], "owner": person}
            return {
                "type": "message",
                "chat": talk,
                "from": person,
                "date": iso(event.at),
                "message": event.msg,
            }
        if isinstance(event, events.RoomGone):
            gone = {"name": event.room_name, "members": [], "owner": self.user(event.usr)}
            return {"type": "chat_deleted", "chat": gone}
        kind = {
            events.Spoke: "message",
            events.Joined: "new_member",
            events.Left: "member_removed",
            events.Kicked: "member_removed",
            events.Removed: "member_removed",
        }.get(type(event))
        if kind is None or not isinstance(event, events.Entry):
            return None
        try:
            chat = self.of_room(self.chat.rooms.named(event.room_name))
        except ChatError:
            return None
        if isinstance(event, events.Spoke):
            return {"type": kind, "chat": chat, **self.brief(event)}
        return {"type": kind, "chat": chat, "user": self.user(event.usr)}

    def framed(self, thing: Object) -> bytes:
        """An object as it is written."""
        return self.frame(json.dumps(thing).encode())


@implementer(IAudience)
@attrs.define(eq=False)
class RandomAudience:
    """All sessions of RandomChat."""

    house: RandomChat

    def burst(self, told: Sequence[Event]) -> RandomBurst:
        """Encode events, each once; one that can't be told is empty."""
        house = self.house
        objects = [house.said(event) for event in told]
        frames = [house.framed(thing) if thing is not None else b"" for thing in objects]
        return RandomBurst(house.turn, frames)


@implementer(IBurst)
@attrs.define(eq=False)
class RandomBurst:
    """Some frames in order."""

    _turn: Turn
    _frames: list[bytes]

    def tell(self, outlets: Collection[IOutlet]) -> None:
        """Append all frames to each outlet."""
        self._give(outlets, b"".join(self._frames))

    def tell_part(self, outlet: IOutlet, start: int, stop: int) -> None:
        """Append the frames [start:stop] to one outlet."""
        self._give((outlet,), b"".join(self._frames[start:stop]))

    def _give(self, outlets: Collection[IOutlet], data: bytes) -> None:
        if not data:
            return
        apis = cast("Collection[RandomAPI]", outlets)
        for api in apis:
            if api.held is not None:
                api.held.append(data)
        self._turn.write_all([api.outbox for api in apis if api.held is None], data)


@implementer(IOutlet)
class RandomAPI:
    """RandomChat to one connection.

    Attributes:
        held: what is told before `state` was; None once it was.
    """

    def __init__(self, house: RandomChat, connection: Connection) -> None:
        self.house = house
        self.connection = connection
        self.outbox = connection.outbox
        self.session: Session | None = None
        self.held: list[bytes] | None = None
        self._waiting: deque[Object] = deque()
        self._busy = False
        self._lost = False
        self._refused = 0
        limits = house.chat.limits
        self._rate = TokenBucket(limits.commands_per_second, limits.commands_burst)

    # IOutlet.

    @property
    def address(self) -> str:
        """IP address that the person came from."""
        return self.connection.address

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent."""
        return self.outbox.unsent

    def end(self, event: Event | None, reason: str) -> None:
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
        wait = self._rate.take(self.house.seconds())
        if wait:
            self._refused += 1
            self._complain("", RateLimited(retry_after=wait))
            if self._refused >= REFUSED_MOST:
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
            if len(self._waiting) == WAITING_MOST:
                self.connection.pause()
            self._next()

    def connection_lost(self, clean: bool) -> None:
        """The connection is gone."""
        self._lost = True
        self._waiting.clear()
        self._part()

    def _part(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            self.house.chat.sessions.lose(session, clean=False)
            left = self.house.left(session.user.id)
            unattended(Deferred.fromCoroutine(left), "leaving RandomChat")

    # Requests, one after the other.

    def _next(self) -> None:
        if self._busy or not self._waiting or self._lost:
            return
        self._busy = True
        request = self._waiting.popleft()
        if len(self._waiting) == WAITING_MOST - 1:
            self.connection.resume()
        unattended(Deferred.fromCoroutine(self._do(request)), "RandomChat")

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
            self.house.chat.people.soon(self._next)

    def _complain(self, kind: str, error: ChatError) -> None:
        detail = DETAILS.get((kind, type(error)), error.text)
        self._write({"type": "error", "detail": detail, "code": error.code})

    def _write(self, thing: Object) -> None:
        if not self._lost:
            self.outbox.write(self.house.framed(thing))

    async def register(self, user: Object) -> None:
        """Come in by a telephone number; whoever is new gets an account."""
        name, raw = user.get("name"), user.get("phone")
        if not isinstance(name, str) or not isinstance(raw, str):
            raise BadRequest("user: name and phone are wanted.")
        number, house = phone_number(raw), self.house
        await house.load()
        self._part()
        self.held = []
        try:
            self.session = await self._enter(name, number)
            if self._lost:
                self._part()
                return
            chats = [
                {"chat": house.of_room(room), "messages": await self._missed(room, count, last)}
                for room, count, last in self._unread(self.session)
            ]
            self._write({"type": "state", "chats": chats})
        finally:
            held, self.held = self.held, None
            for data in held:
                self.outbox.write(data)
        await house.chat.whispers.give(self.session)

    async def _enter(self, name: str, number: str) -> Session:
        """Log in, after making an account if there is none."""
        house = self.house
        sessions = house.chat.sessions
        try:
            return await sessions.login_phone(number, house.audience, self, None)
        except BadCredentials:
            house.know(await house.chat.accounts.register_phone(name, number, self.address))
        return await sessions.login_phone(number, house.audience, self, None)

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
            span = Span(before=before, limit=limit, kinds=frozenset({Spoke.kind}))
            page = await self.house.chat.history(self.session, room.name, span)
            said = [entry for entry in page.entries if isinstance(entry, Spoke)]
            if not said:
                break
            found = [self.house.brief(entry) for entry in said] + found
            before = said[0].seq
        return found

    async def create_chat(self, name: str) -> None:
        """Make a chat of one's own; its creator is told of himself as its first member."""
        assert self.session is not None
        wanted = Settings(public=False)
        room = await self.house.chat.membership.create(self.session, name, wanted)
        me = self.house.user(self.session.user.name)
        self._write({"type": "new_member", "chat": self.house.of_room(room), "user": me})

    async def send_message(self, name: str, text: str) -> None:
        """Say something; oneself is told too."""
        session = self.session
        assert session is not None
        done: Deferred[Receipt] = Deferred()

        def spoken(result: Receipt | ChatError) -> None:
            if isinstance(result, ChatError):
                done.errback(result)
            else:
                done.callback(result)

        self.house.chat.speak(session, name, text, None, spoken)
        receipt = await done
        room = self.house.chat.rooms.named(name)
        entry = Spoke(
            room_name=room.name, usr=session.user.name, msg=text, id=receipt.id, at=receipt.at
        )
        told = {"type": "message", "chat": self.house.of_room(room), **self.house.brief(entry)}
        self._write(told)

    def _named(self, raw: str) -> str:
        """The name of whoever has a number. Raises NoSuchUser, BadRequest."""
        phone = self.house.numbered(phone_number(raw))
        if phone is None:
            raise NoSuchUser()
        return phone.name

    async def add_member(self, name: str, number: str) -> None:
        """Make somebody a member."""
        assert self.session is not None
        await self.house.chat.membership.add(self.session, name, self._named(number))

    async def remove_member(self, name: str, number: str) -> None:
        """End somebody's membership, or one's own."""
        assert self.session is not None
        await self.house.chat.membership.remove(self.session, name, self._named(number))

    async def delete_chat(self, name: str) -> None:
        """Delete a chat of one's own."""
        assert self.session is not None
        await self.house.chat.membership.delete(self.session, name)


def _field(request: Object, name: str) -> Any:
    """A field of a request, of its type. Raises BadRequest."""
    value = request.get(name)
    wanted = dict if name == "user" else str
    if not isinstance(value, wanted):
        raise BadRequest(f"{name}: {'an object' if name == 'user' else 'text'} is wanted.")
    return value


@attrs.frozen
class Command:
    """A request: what does it, and its fields in order."""

    run: Callable[..., Awaitable[None]]
    fields: tuple[str, ...]


COMMANDS: dict[str, Command] = {
    "register": Command(RandomAPI.register, ("user",)),
    "create_chat": Command(RandomAPI.create_chat, ("name",)),
    "send_message": Command(RandomAPI.send_message, ("chat", "message")),
    "add_member": Command(RandomAPI.add_member, ("chat", "phone")),
    "remove_member": Command(RandomAPI.remove_member, ("chat", "phone")),
    "delete_chat": Command(RandomAPI.delete_chat, ("chat",)),
}


class FirstObject:
    """The API of a connection that has said nothing yet: its first object picks one.

    Args:
        connection: whose `api` this is until then.
        usual: makes the JSON API. house: RandomChat.
    """

    logged_in = False

    def __init__(
        self, connection: Connection, usual: Callable[[Any], Any], house: RandomChat
    ) -> None:
        self._connection = connection
        self._usual = usual
        self._house = house

    def message(self, payload: bytes) -> None:
        """Pick an API, and give it the message."""
        try:
            first = msgspec.json.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            first = None
        connection = self._connection
        if isinstance(first, dict) and "type" in first and "cmd" not in first:
            connection.api = RandomAPI(self._house, connection)
        else:
            connection.api = self._usual(connection)
        connection.api.message(payload)

    def connection_lost(self, clean: bool) -> None:
        """The connection is gone without a word."""
