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
from gtchat.chat.events import Event, Spoke
from gtchat.chat.interfaces import IAudience, IBurst, IOutlet, Phone
from gtchat.chat.rooms import Room
from gtchat.protocols.outbox import Turn
from gtchat.protocols.plain import iso

if TYPE_CHECKING:
    from gtchat.protocols.randomchat.api import RandomAPI

Object = dict[str, Any]


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
