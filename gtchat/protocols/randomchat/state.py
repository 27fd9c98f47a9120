"""All of RandomChat: the telephone numbers that there are, and events as its clients read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, cast

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from gtchat.chat import events
from gtchat.chat.chat import Chat
from gtchat.chat.errors import ChatError
from gtchat.chat.events import Event, MessageSent
from gtchat.chat.interfaces import IConnection, IEncodedBatch, IEncoder, PhoneAccount
from gtchat.chat.rooms import Room
from gtchat.protocols.base.outbox import WriteBatcher
from gtchat.protocols.base.text import rfc3339

if TYPE_CHECKING:
    from gtchat.protocols.randomchat.api import RandomChatAPI

Object = dict[str, Any]


@attrs.define(eq=False)
class RandomChatState:
    """All of RandomChat: its audience, and the telephone numbers that there are.

    Args:
        chat: the chat. turn: writes at the end of the reactor's turn. frame: makes a frame of a
            message. seconds: tells the time. phones: reads the numbers from the store.
    """

    chat: Chat
    turn: WriteBatcher
    frame: Callable[[bytes], bytes]
    seconds: Callable[[], float]
    store: Any
    encoder: RandomChatEncoder = attrs.field(init=False)
    _by_id: dict[int, PhoneAccount] = attrs.field(factory=dict)
    _by_number: dict[str, PhoneAccount] = attrs.field(factory=dict)
    _by_name: dict[str, PhoneAccount] = attrs.field(factory=dict)
    _loading: Deferred[None] | None = None
    _loaded: bool = False

    def __attrs_post_init__(self) -> None:
        self.encoder = RandomChatEncoder(self)

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
                self.add_phone(phone)
            self._loaded = True
        finally:
            self._loading = None

    def add_phone(self, phone: PhoneAccount) -> None:
        """There is this number, or it has changed."""
        self._by_id[phone.account_id] = self._by_number[phone.number] = phone
        self._by_name[phone.name] = phone

    def find_phone(self, number: str) -> PhoneAccount | None:
        """Who has a number."""
        return self._by_number.get(number)

    async def user_left(self, account_id: int) -> None:
        """Somebody is not here any more."""
        phone = self._by_id.get(account_id)
        if phone is not None:
            now = self.chat.users.now()
            self.add_phone(attrs.evolve(phone, left_at=now))
            await self.store.set_phone_left(account_id, now)

    # Objects of the protocol.

    def user(self, name: str) -> Object:
        """User: people of other protocols have no number."""
        phone = self._by_name.get(name)
        here = name in self.chat.users.online
        left = None if here or phone is None else rfc3339(phone.left_at)
        return {"name": name, "phone": phone.number if phone else "", "disconnection_date": left}

    def chat_of(self, room: Room) -> Object:
        """Chat. The lobby has no members, since everybody is in it."""
        members = [self.user(name) for name in room.members.values()]
        return {"name": room.name, "members": members, "owner": self.user(room.owner)}

    def brief_message(self, entry: MessageSent) -> Object:
        """BriefMessage."""
        return {"from": self.user(entry.usr), "date": rfc3339(entry.at), "message": entry.msg}

    def render(self, event: Event) -> Object | None:
        """An event as these clients read it, None if they can't."""
        if isinstance(event, events.WhisperSent):
            person = self.user(event.usr)
            talk = {"name": event.usr, "members": [], "owner": person}
            return {
                "type": "message",
                "chat": talk,
                "from": person,
                "date": rfc3339(event.at),
                "message": event.msg,
            }
        if isinstance(event, events.RoomDeleted):
            gone = {"name": event.room_name, "members": [], "owner": self.user(event.usr)}
            return {"type": "chat_deleted", "chat": gone}
        kind = {
            events.MessageSent: "message",
            events.Joined: "new_member",
            events.Left: "member_removed",
            events.Kicked: "member_removed",
            events.Removed: "member_removed",
        }.get(type(event))
        if kind is None or not isinstance(event, events.Entry):
            return None
        try:
            chat = self.chat_of(self.chat.rooms.find(event.room_name))
        except ChatError:
            return None
        if isinstance(event, events.MessageSent):
            return {"type": kind, "chat": chat, **self.brief_message(event)}
        return {"type": kind, "chat": chat, "user": self.user(event.usr)}

    def framed(self, thing: Object) -> bytes:
        """An object as it is written."""
        return self.frame(json.dumps(thing).encode())


@implementer(IEncoder)
@attrs.define(eq=False)
class RandomChatEncoder:
    """All sessions of RandomChat."""

    state: RandomChatState

    def encode(self, told: Sequence[Event]) -> RandomChatBatch:
        """Encode events, each once; one that can't be told is empty."""
        state = self.state
        objects = [state.render(event) for event in told]
        frames = [state.framed(thing) if thing is not None else b"" for thing in objects]
        return RandomChatBatch(state.turn, frames)


@implementer(IEncodedBatch)
@attrs.define(eq=False)
class RandomChatBatch:
    """Some frames in order."""

    _turn: WriteBatcher
    _frames: list[bytes]

    def send(self, connections: Collection[IConnection]) -> None:
        """Append all frames to each outlet."""
        self._give(connections, b"".join(self._frames))

    def send_part(self, connection: IConnection, start: int, stop: int) -> None:
        """Append the frames [start:stop] to one outlet."""
        self._give((connection,), b"".join(self._frames[start:stop]))

    def _give(self, connections: Collection[IConnection], data: bytes) -> None:
        if not data:
            return
        apis = cast("Collection[RandomChatAPI]", connections)
        for api in apis:
            if api.held is not None:
                api.held.append(data)
        self._turn.write_all([api.outbox for api in apis if api.held is None], data)
