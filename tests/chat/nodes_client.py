"""A client of one of several nodes, which checks what it is sent while it is sent it.

It keeps, as clients do, how far it has seen each room and each direct conversation: over all of its
connections, to whatever node.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import attrs
from zope.interface import implementer

from gtchat.chat.events import (
    Edited,
    Entry,
    Event,
    Joined,
    Kicked,
    Left,
    MessageChange,
    MessageSent,
    Reacted,
    Removed,
    RoomCreated,
    RoomDeleted,
    WhisperSent,
)
from gtchat.chat.interfaces import Ack, Backlog, IConnection, IEncodedBatch, IEncoder
from gtchat.chat.resume import ResumedSession
from gtchat.chat.rooms import Room
from gtchat.chat.users import Session
from tests.fakes import RecordingConnection


@implementer(IEncodedBatch)
class CheckedBatch:
    """Events that connections check when they are sent."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events

    def send(self, connections: Collection[Any]) -> None:
        for connection in list(connections):
            for event in self._events:
                connection.receive(event)

    def send_part(self, connection: Any, start: int, stop: int) -> None:
        for event in self._events[start:stop]:
            connection.receive(event)


@implementer(IEncoder)
class CheckedEncoder:
    """The encoder of clients that check what they are sent."""

    def encode(self, events: Sequence[Event]) -> CheckedBatch:
        return CheckedBatch(events)


@implementer(IConnection)
class CheckedConnection(RecordingConnection):
    """A connection of a client.

    Args:
        client: gets what is sent to it, as long as it is the client's connection.
    """

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.client = client

    @property
    def is_given_up(self) -> bool:
        """Whether the client has another connection by now, or none."""
        return self.client.connection is not self

    def receive(self, event: Event) -> None:
        assert self.close_reason is None, (self.client.name, event)
        if not self.is_given_up:
            self.client.receive(event)

    def close(self, event: Event | None, reason: str, text: str = "") -> None:
        super().close(event, reason)
        self.client.closed(self, reason)


#: What an owner may ask for who is not a member.
BY_MODERATORS = frozenset({"set", "kick", "hand over", "role", "punish", "forgive", "moderate"})


@attrs.define
class Seen:
    """How far a client has seen a log: its id, and the last entry."""

    id: int
    seq: int


@attrs.define(eq=False)
class Client:
    """A client that is logged in, or can resume its session.

    Attributes:
        name: its user.
        find_missed: returns whether it need not be sent an entry: (log id, seq).
        node: where it is connected.
        connection, session: None while it is not connected.
        token, epoch: as of its login.
        hidden: names of the users that its user has blocked at some time.
        rooms: name of a room that it is in -> what it has seen.
        directs: name of the other user -> the same of a direct conversation.
        unanswered: txn -> (what, method, arguments) of its requests that have no reply yet.
        ended: whether it has to log in anew.
    """

    name: str
    find_missed: Callable[[int, int], Entry | None]
    node: Any
    connection: CheckedConnection | None = None
    session: Session | None = None
    token: str = ""
    epoch: str = ""
    rooms: dict[str, Seen] = attrs.field(factory=dict)
    directs: dict[str, Seen] = attrs.field(factory=dict)
    unanswered: dict[str, tuple[Any, ...]] = attrs.field(factory=dict)
    hidden: set[str] = attrs.field(factory=set)
    ended: bool = False

    def connect(self, node: Any) -> CheckedConnection:
        """Return a new connection to a node; the one before is given up."""
        self.node, self.session = node, None
        self.connection = CheckedConnection(self)
        return self.connection

    def is_resuming(self, node: Any) -> bool:
        """Return whether it waits for the reply to a resume at a node."""
        return self.node is node and self.session is None and self.connection is not None

    def give_up(self) -> None:
        """Lose the connection."""
        self.connection = self.session = None

    def closed(self, connection: CheckedConnection, reason: str) -> None:
        """The server has closed a connection."""
        if connection is self.connection:
            self.give_up()
            self.ended = reason != "lost"

    # What it has seen.

    def begin(self, session: Session, token: str, epoch: str) -> None:
        """Take the reply to a login."""
        self.session, self.token, self.epoch = session, token, epoch
        rooms = [self.node.chat.rooms.lobby, *session.user.rooms]
        self.rooms = {room.name: Seen(room.id, room.last_seq) for room in rooms}
        self.directs = {one.other: Seen(one.id, one.last_seq) for one in session.directs}

    def resume(self, resumed: ResumedSession) -> None:
        """Take the reply to a resume: nothing is missing, and nothing that was seen is reset."""
        self.session = resumed.session
        before, self.rooms = self.rooms, {}
        for name, (room, missed) in resumed.missed.items():
            if room is not None:
                self.rooms[name] = Seen(room.id, room.last_seq)
                if name in before and before[name].id == room.id:
                    self._took(before[name], missed, room.last_seq)
        known = {seen.id: other for other, seen in self.directs.items()}
        listed = {one.other: Seen(one.id, one.last_seq) for one in resumed.session.directs}
        for id_, (direct, missed) in resumed.directs.items():
            assert direct is not None, known[id_]
            self._took(self.directs[known[id_]], missed, direct.last_seq)
        self.directs |= listed

    def _took(self, seen: Seen, missed: Backlog, head: int) -> None:
        """Check what was missed of a log that it goes on in."""
        # A room that was created again may be reset though it is the new one that was seen: the
        # times do not say which of both.
        if missed.behind or missed.reset == "recreated":
            return
        assert not missed.reset, (self.name, seen, missed.reset)
        seen = Seen(seen.id, seen.seq)
        for entry in missed.entries:
            self._advance(seen, entry.seq)
        self._advance(seen, head + 1)

    def _advance(self, seen: Seen, seq: int) -> None:
        """Take an entry: it must be the next one, but for those that are hidden."""
        assert seq > seen.seq, (self.name, seen, seq)
        for number in range(seen.seq + 1, seq):
            assert self._is_hidden(seen.id, number), (self.name, seen, seq)
        seen.seq = seq

    def _is_hidden(self, log_id: int, seq: int) -> bool:
        """Return whether an entry may be kept from it: of a user that its user blocks."""
        entry = self.find_missed(log_id, seq)
        may_be = entry is None or isinstance(entry, MessageSent | Edited | Reacted)
        return bool(self.hidden) and may_be and (entry is None or entry.usr in self.hidden)

    def up_to_date(self, heads: dict[int, int]) -> None:
        """Check that it has seen all, given the seq of the newest entry of each log."""
        for seen in (*self.rooms.values(), *self.directs.values()):
            self._advance(Seen(seen.id, seen.seq), heads[seen.id] + 1)

    # What it is sent.

    def receive(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, RoomDeleted):
            self.rooms.pop(event.room_name, None)
        elif isinstance(event, WhisperSent):
            self.took_direct(event.to if event.usr == self.name else event.usr, event.seq)
        elif isinstance(event, MessageChange) and event.log_id:
            self.took_direct(event.target_user, event.seq)
        elif isinstance(event, Entry):
            self.took(event.room_name, event.seq, event)

    def took(self, name: str, seq: int, entry: Entry | None, begins: bool = False) -> None:
        """Take an entry of a room, or the ack of its own request for one.

        Args:
            name, seq: the entry.
            entry: the entry, None for an ack.
            begins: whether it becomes a member by it, of an ack.
        """
        own = entry is not None and entry.usr == self.name
        if begins or (own and isinstance(entry, RoomCreated | Joined)):
            assert name not in self.rooms, (self.name, name, seq)
            room = self.node.chat.rooms.find_displayed(name)
            assert isinstance(room, Room)
            self.rooms[name] = Seen(room.id, seq)
            return
        assert name in self.rooms, (self.name, name, seq, entry)
        self._advance(self.rooms[name], seq)
        if own and isinstance(entry, Left | Kicked | Removed):
            del self.rooms[name]

    def took_direct(self, other: str, seq: int) -> None:
        """Take an entry of the conversation with a user."""
        if other not in self.directs:
            self.directs[other] = Seen(self.node.world.direct_id(self.name, other), 0)
        self._advance(self.directs[other], seq)

    def answered(self, what: str, name: str, args: Iterable[object], ack: Ack) -> None:
        """Take the reply to a request about a room.

        Args:
            what: what was asked for.
            name: the room.
            args: the other arguments.
            ack: the ack; of one that was done before it tells nothing new.
        """
        if what == "delete":
            self.rooms.pop(name, None)
        elif name not in self.rooms and what in BY_MODERATORS:
            pass  # of an owner who is not a member
        elif ack.seq and not ack.dup:
            self.took(name, ack.seq, None, begins=what in ("create", "join"))
            if what == "leave" or (what == "remove" and self.name in args):
                del self.rooms[name]
