"""What all connections of RandomChat share: the telephone numbers, and events as objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain, islice
from typing import Any, Protocol, cast

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from gtchat.chat import events
from gtchat.chat.background import run_in_background
from gtchat.chat.chat import Chat
from gtchat.chat.credentials import phone_number
from gtchat.chat.errors import ChatError, NoSuchUser, NotStored
from gtchat.chat.events import Event, MessageSent
from gtchat.chat.interfaces import IConnection, IEncodedBatch, IEncoder, PhoneAccount
from gtchat.chat.rooms import Room
from gtchat.protocols.base.legacy import LegacyMessages, plain_message
from gtchat.protocols.base.outbox import Outbox, WriteBatcher
from gtchat.protocols.base.request_log import RequestLines
from gtchat.protocols.base.text import rfc3339
from gtchat.protocols.base.unsent import join_frames

#: Members of a chat that are listed in each object about it.
MEMBERS = 200

#: A JSON object of the protocol.
Object = dict[str, Any]

#: Entries that are told to the members of a chat, with the `type` that tells them.
ENTRY_OBJECTS: dict[type[Event], str] = {
    events.MessageSent: "message",
    events.GuestMessage: "message",
    events.Joined: "new_member",
    events.Left: "member_removed",
    events.Kicked: "member_removed",
    events.Removed: "member_removed",
}


@attrs.define(eq=False)
class RandomChatState:
    """The telephone numbers of all accounts that have one, and the objects of the protocol.

    Numbers are in objects that can't wait for the store, so all are kept here; other nodes tell of
    theirs.

    Args:
        chat: the chat.
        batcher: writes at the end of the reactor's turn.
        frame: makes a WebSocket frame of a message.
        requests: writes a line for each request.
    """

    chat: Chat
    batcher: WriteBatcher
    frame: Callable[[bytes], bytes]
    requests: RequestLines = attrs.field(factory=RequestLines)
    encoder: RandomChatEncoder = attrs.field(init=False)
    _legacy: LegacyMessages = attrs.field(init=False)
    _by_id: dict[int, PhoneAccount] = attrs.field(factory=dict)
    _by_number: dict[str, PhoneAccount] = attrs.field(factory=dict)
    _by_name: dict[str, PhoneAccount] = attrs.field(factory=dict)
    _loading: Deferred[None] | None = None
    _loaded: bool = False

    def __attrs_post_init__(self) -> None:
        self.encoder = RandomChatEncoder(self)
        self._legacy = LegacyMessages(self.chat.legacy_edits)
        self.chat.hear({PhoneAccount: self._changed_elsewhere})

    # Telephone numbers.

    async def load(self) -> None:
        """Read the numbers from the store, once, when the first client registers.

        Raises:
            NotStored: they can't be read.
        """
        if self._loaded:
            return
        if self._loading is None:
            self._loading = Deferred.fromCoroutine(self._load())
            run_in_background(self._loading, "reading telephone numbers")
        waiting: Deferred[None] = Deferred()
        self._loading.addCallback(waiting.callback)
        await waiting
        if not self._loaded:
            self._loading = None
            raise NotStored()

    async def _load(self) -> None:
        for phone in await self.chat.phones.listed():
            self.add_phone(phone)
        self._loaded = True

    def add_phone(self, phone: PhoneAccount) -> None:
        """Add a number, or replace what was known of it."""
        self._by_id[phone.account_id] = self._by_number[phone.number] = phone
        self._by_name[phone.name] = phone

    def _changed_elsewhere(self, node_id: int, phone: PhoneAccount) -> None:
        """Take note of a number that is new at another node, or whose user was online there."""
        if self._loading is not None:  # else it will be read
            self.add_phone(phone)

    def has_number(self, number: str) -> bool:
        """Return whether a user has a number, as `phone_number` normalizes it."""
        return number in self._by_number

    def forget_number(self, number: str) -> None:
        """Forget a number, of which the account was deleted, if another client has not done so."""
        phone = self._by_number.pop(number, None)
        if phone is not None:
            self._by_id.pop(phone.account_id, None)
            self._by_name.pop(phone.name, None)

    def require_name(self, raw: str) -> str:
        """Return the name of the user with a number.

        Raises:
            NoSuchUser, BadRequest: no user has this number; it is not a number.
        """
        phone = self._by_number.get(phone_number(raw))
        if phone is None:
            raise NoSuchUser()
        return phone.name

    async def user_left(self, account_id: int) -> None:
        """Note when a user with a number was last connected."""
        phone = self._by_id.get(account_id)
        if phone is not None:
            phone = attrs.evolve(phone, left_at=self.chat.users.now())
            self.add_phone(phone)
            await self.chat.phones.set_left(phone)

    # Objects of the protocol.

    def user(self, name: str) -> Object:
        """Return a User; users of other protocols have no number."""
        phone = self._by_name.get(name)
        online = name in self.chat.users.online
        left = None if online or phone is None else rfc3339(phone.left_at)
        return {"name": name, "phone": phone.number if phone else "", "disconnection_date": left}

    def chat_of(self, room: Room) -> Object:
        """Return the Chat of a room with its first `MEMBERS` members.

        The lobby has no members here: all users are in it.
        """
        return self._chat(room.name, room.members.values(), room.owner)

    def _chat(self, name: str, members: Iterable[str], owner: str) -> Object:
        users = [self.user(member) for member in islice(members, MEMBERS)]
        return {"name": name, "members": users, "owner": self.user(owner)}

    def brief_message(self, entry: MessageSent) -> Object:
        """Return a BriefMessage of a message that is not deleted."""
        entry = plain_message(entry) or entry
        return {"from": self.user(entry.usr), "date": rfc3339(entry.at), "message": entry.msg}

    def render(self, event: Event) -> Object | None:
        """Return an event as an object of the protocol, None if it has none.

        An edit is a further message.
        """
        shown = self._legacy.translate(event)
        if shown is None:
            return None
        event = shown
        if isinstance(event, events.WhisperSent):
            sender = self.user(event.usr)
            chat = {"name": event.usr, "members": [], "owner": sender}
            body = {"from": sender, "date": rfc3339(event.at), "message": event.msg}
            return {"type": "message", "chat": chat, **body}
        if isinstance(event, events.RoomDeleted):
            return self._deletion(event.room_name, event.members, event.usr)
        kind = ENTRY_OBJECTS.get(type(event))
        if kind is None or not isinstance(event, events.Entry):
            return None
        try:
            room = self.chat.rooms.find(event.room_name)
        except ChatError:
            return None
        if kind == "member_removed":
            return self.removal(room, event.usr)
        chat = self.chat_of(room)
        if isinstance(event, events.MessageSent):
            return {"type": kind, "chat": chat, **self.brief_message(event)}
        return {"type": kind, "chat": chat, "user": self.user(event.usr)}

    def deletion(self, room: Room, by: str) -> Object:
        """Return that a room was deleted. by: the user who did."""
        return self._deletion(room.name, room.members.values(), by)

    def _deletion(self, name: str, members: Iterable[str], by: str) -> Object:
        return {"type": "chat_deleted", "chat": self._chat(name, members, by)}

    def removal(self, room: Room, name: str) -> Object:
        """Return that a user is no member any more; as in the original, the chat still has them."""
        chat = self._chat(room.name, chain([name], room.members.values()), room.owner)
        return {"type": "member_removed", "chat": chat, "user": self.user(name)}

    def encode_object(self, thing: Object) -> bytes:
        """Return the frame of an object."""
        return self.frame(json.dumps(thing).encode())


class RandomChatConnection(Protocol):
    """A connection that events are written to.

    Attributes:
        outbox: where frames are written.
        deferred: frames that wait until `state` was sent; None once it was.
    """

    outbox: Outbox
    deferred: DeferredFrames | None


@attrs.define
class DeferredFrames:
    """Frames that wait until `state` was sent.

    Args:
        max_bytes: beyond it all are dropped; 0 for no limit.

    Attributes:
        overflowed: whether frames were dropped.
    """

    max_bytes: int
    frames: list[bytes] = attrs.field(factory=list)
    overflowed: bool = False
    _size: int = 0

    def extend(self, frames: list[bytes]) -> None:
        """Append frames."""
        self._size += sum(map(len, frames))
        self.frames.extend(frames)
        if 0 < self.max_bytes < self._size:
            self.overflowed = True
            self.frames.clear()


@implementer(IEncoder)
@attrs.define(eq=False)
class RandomChatEncoder:
    """Encodes events for all sessions of RandomChat."""

    state: RandomChatState

    def encode(self, sent: Sequence[Event]) -> RandomChatBatch:
        """Encode events, each once; one that the protocol can't express is empty."""
        state = self.state
        objects = [state.render(event) for event in sent]
        frames = [state.encode_object(thing) if thing is not None else b"" for thing in objects]
        return RandomChatBatch(state.batcher, frames)


@implementer(IEncodedBatch)
@attrs.define(eq=False)
class RandomChatBatch:
    """The frames of some events, in order."""

    _batcher: WriteBatcher
    _frames: list[bytes]

    def send(self, connections: Collection[IConnection]) -> None:
        """Append all frames to each connection."""
        self._write(connections, self._frames)

    def send_part(self, connection: IConnection, start: int, stop: int) -> None:
        """Append the frames [start:stop] to one connection."""
        self._write((connection,), self._frames[start:stop])

    def _write(self, connections: Collection[IConnection], frames: list[bytes]) -> None:
        pieces = [piece for piece in join_frames(frames) if piece]
        written = cast("Collection[RandomChatConnection]", connections)
        for connection in written:
            if connection.deferred is not None:
                connection.deferred.extend(pieces)
        ready = [connection.outbox for connection in written if connection.deferred is None]
        for piece in pieces:
            self._batcher.write_all(ready, piece)
