"""What a user of RandomChat missed: `state`, and the messages for which it has no room.

`state` has all chats of the user and at most `REPLY_BYTES`, filled with the oldest messages of each
chat in turn. Chats that do not fit follow as `new_member`, the other messages as `message`, as if
they were sent now, and as fast as the client reads. Events that come meanwhile wait in
`DeferredFrames`. The user's own messages, and those of users that the user blocks, were not missed.
"""

from __future__ import annotations

import json
from typing import Protocol

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.blocks import hides
from gtchat.chat.errors import NoSuchRoom, NotInRoom
from gtchat.chat.events import MessageSent
from gtchat.chat.interfaces import HistoryPage, HistoryQuery
from gtchat.chat.limits import REPLY_BYTES
from gtchat.chat.rooms import Room
from gtchat.chat.users import Session
from gtchat.protocols.base.legacy import plain_message
from gtchat.protocols.base.outbox import Outbox
from gtchat.protocols.randomchat.state import Object, RandomChatState

#: Messages that are read from the store at once, and seconds between two looks whether the client
#: has read what it was sent.
PAGE, PAUSE_S = 200, 0.05


class MissedClient(Protocol):
    """A connection that is sent what its user missed.

    Attributes:
        session: the session, None when it has ended.
        outbox: where frames are written.
    """

    session: Session | None
    outbox: Outbox

    def check_deferred(self) -> None:
        """Disconnect if too much waits for the end of this."""


@attrs.define
class _MissedRoom:
    """A chat and what its user missed there.

    Attributes:
        room: the room.
        after: seq behind which the next message is.
        last: seq of the last entry that may be one.
        chat: the room as an object.
        texts: the messages in `state`.
    """

    room: Room
    after: int
    last: int
    chat: Object
    texts: list[Object] = attrs.field(factory=list)


class MissedMessages:
    """Sends what the user of a new session missed.

    Args:
        state: what all connections of RandomChat share.
        client: the connection.
        session: the session.
    """

    def __init__(self, state: RandomChatState, client: MissedClient, session: Session) -> None:
        self._state = state
        self._client = client
        self._session = session
        self._hidden = hides(session.user)
        self._written = 0

    async def send(self) -> None:
        """Send `state` and what follows it, until the session ends.

        Raises:
            NotStored: the messages can't be read.
        """
        user = self._session.user
        rooms = sorted(user.rooms, key=lambda room: room.name)
        # Before anything is read: what comes from now on is an event of its own.
        # Not from the unread counts: messages that came between the count and the login of a room
        # without others are in none.
        waiting = [(room, user.read_seq(room), room.last_seq) for room in rooms]
        missed = [_MissedRoom(*one, self._state.chat_of(one[0])) for one in waiting]
        in_state = await self._fill_state(missed)
        self._write({"type": "state", "chats": in_state})
        listed = len(in_state)
        me = self._state.user(user.name)
        for index, one in enumerate(missed):
            if index >= listed:
                self._write({"type": "new_member", "chat": one.chat, "user": me})
            await self._send_rest(one)

    async def _fill_state(self, missed: list[_MissedRoom]) -> list[Object]:
        """Return the chats of `state`, as many as fit; rooms that are gone are removed."""
        left = REPLY_BYTES
        chats: list[Object] = []
        for one in list(missed):
            left -= _size(one.chat)
            if left < 0:
                break
            try:
                left = await self._fill_chat(one, left)
            except (NoSuchRoom, NotInRoom):
                missed.remove(one)  # deleted, or the user was removed, while others were read
                continue
            chats.append({"chat": one.chat, "messages": one.texts})
        return chats

    async def _fill_chat(self, one: _MissedRoom, left: int) -> int:
        """Add messages to a chat of `state`. Return how many bytes are left for others."""
        while one.after < one.last and left > 0 and self._current:
            for entry in await self._read(one):
                if self._shows(entry):
                    text = self._state.brief_message(entry)
                    left -= _size(text)
                    if left < 0:
                        return 0
                    one.texts.append(text)
                one.after = entry.seq
        return left

    async def _send_rest(self, one: _MissedRoom) -> None:
        """Send the messages of a chat that are not in `state`."""
        try:
            while one.after < one.last and self._current:
                for entry in await self._read(one):
                    await self._wait_for_reader()
                    if not self._current:
                        return
                    if self._shows(entry):
                        text = self._state.brief_message(entry)
                        self._write({"type": "message", "chat": one.chat, **text})
                    one.after = entry.seq
        except (NoSuchRoom, NotInRoom):
            return

    async def _read(self, one: _MissedRoom) -> list[MessageSent]:
        """Return the next messages of a chat; after the last ones, `after` is `last`."""
        query = HistoryQuery(after=one.after, limit=PAGE, kinds=frozenset({MessageSent.kind}))
        page: HistoryPage = await self._state.chat.history(self._session, one.room.name, query)
        entries = [
            entry
            for entry in page.entries
            if isinstance(entry, MessageSent) and entry.seq <= one.last
        ]
        if not entries:
            one.after = one.last
        return entries

    def _shows(self, entry: MessageSent) -> bool:
        """Return whether the client gets a message: not its user's own, hidden or deleted ones."""
        own = entry.usr == self._session.user.name
        return not own and not self._hidden(entry) and plain_message(entry) is not None

    @property
    def _current(self) -> bool:
        return self._client.session is self._session

    def _write(self, thing: Object) -> None:
        if self._current:
            frame = self._state.encode_object(thing)
            self._written += len(frame)
            self._client.outbox.write_reply(frame)

    async def _wait_for_reader(self) -> None:
        """Wait until the client has read what it was sent, where that is much."""
        if self._written < REPLY_BYTES:
            return
        self._written = 0
        while True:
            waiting: Deferred[None] = Deferred()
            self._state.chat.clock.callLater(PAUSE_S, waiting.callback, None)
            await waiting
            self._client.check_deferred()
            if not self._current or not self._client.outbox.buffered_bytes:
                return


def _size(thing: Object) -> int:
    return len(json.dumps(thing)) + 40  # the names of the fields around it
