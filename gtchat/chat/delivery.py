"""The way of an entry: queued in the store, then, once it is stored, told to its room.

Messages that come back from the store together are told together: encoded once for each protocol,
one append to each listener. Whoever wrote one of them gets the answer in its place instead, so
that everybody hears a room in the order of `seq`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.errors import ChatError
from gtchat.chat.events import (
    Entry,
    Joined,
    Kicked,
    Left,
    MessageSent,
    Removed,
    RoomChanged,
    RoomCreated,
    RoomListed,
)
from gtchat.chat.interfaces import Ack, IEncodedBatch, IStore, PendingEntry
from gtchat.chat.rooms import Room, RoomRegistry, connections_of
from gtchat.chat.users import Session, User, UserRegistry


@attrs.define(eq=False, kw_only=True)
class PendingMessage(PendingEntry):
    """A message on its way.

    Attributes:
        done: called with the receipt or with why there is none, in the order of the room. It is
            a plain call, not a Deferred: this is the way of every message.
    """

    entry: MessageSent
    room: Room
    session: Session
    done: Callable[[Ack | ChatError], None]

    def acknowledge(self) -> None:
        """Tell its writer that it is stored."""
        entry = self.entry
        self.done(Ack(entry.id, entry.seq, entry.at))


@attrs.define(eq=False, kw_only=True)
class PendingChange(PendingEntry):
    """A change of a room on its way.

    Attributes:
        actor: the session that asked for it; it is answered before it is told anything.
        done: fires with the stored entry.
    """

    room: Room
    actor: Session | None
    done: Deferred[Entry] = attrs.field(factory=Deferred)


class Delivery:
    """All rooms' logs."""

    def __init__(self, store: IStore, users: UserRegistry, rooms: RoomRegistry) -> None:
        self._store = store
        self._users = users
        self._rooms = rooms
        store.committed = self.committed

    def append_change(
        self,
        room: Room,
        entry: Entry,
        subject: int | None,
        actor: Session | None,
    ) -> Deferred[Entry]:
        """Queue a change; fires with the entry once it is stored, before the room is told.

        Args:
            subject: account id of the person whom the entry is about.
            actor: the session that asked for it, if one did.

        Raises:
            NotStored: (through the Deferred) it could not be kept.
        """
        change = PendingChange(
            room_id=room.id,
            room_key=room.key,
            entry=entry,
            subject_id=subject,
            room=room,
            actor=actor,
        )
        self._store.append(change)
        return change.done

    def committed(self, entries: Sequence[PendingEntry]) -> None:
        """Take what the store has done, in its order, and tell it."""
        run: dict[Room, list[PendingMessage]] = {}
        spoken_in: dict[Session, Room] = {}
        for append in entries:
            if (
                isinstance(append, PendingMessage)
                and append.error is None
                and append.earlier is None
            ):
                room, session = append.room, append.session
                # Rooms are told one after the other. Somebody whose messages to several rooms
                # come back together must get his answers in the order of his requests.
                if spoken_in.setdefault(session, room) is not room:
                    self._publish_run(run)
                    run, spoken_in = {}, {session: room}
                if room in run:
                    run[room].append(append)
                else:
                    run[room] = [append]
                continue
            self._publish_run(run)
            run, spoken_in = {}, {}
            if isinstance(append, PendingMessage):
                outcome = append.error or append.earlier
                assert outcome is not None
                append.done(outcome)
            else:
                assert isinstance(append, PendingChange)
                self._finish(append)
        self._publish_run(run)

    def _publish_run(self, run: dict[Room, list[PendingMessage]]) -> None:
        for room, messages in run.items():
            self._publish_messages(room, messages)

    def _publish_messages(self, room: Room, messages: list[PendingMessage]) -> None:
        """Tell a room some messages, each to all but its writer and those who block him."""
        entries = [speech.entry for speech in messages]
        room.advance(entries[-1].seq, len(entries))
        partly: dict[Session, list[int]] = {}
        for index, speech in enumerate(messages):
            session = speech.session
            if session in partly:
                partly[session].append(index)
            else:
                partly[session] = [index]
            if session.user.blocked_by:
                for blocker in self._users.blockers(session.user):
                    partly.setdefault(blocker, []).append(index)
        bursts = room.subscribers.publish(entries, exclude=connections_of(partly))
        for session, gaps in partly.items():
            burst = bursts[session.encoder] if session in room.subscribers else None
            _send_partly(burst, session, gaps, messages)

    def _finish(self, change: PendingChange) -> None:
        """Answer for a change, then tell it."""
        if change.error is not None:
            change.done.errback(change.error)
            return
        room = change.room
        if isinstance(change.entry, RoomCreated):
            room.id = change.room_id
        entry = change.entry
        room.advance(entry.seq)
        subject = self._users.get_by_id(change.subject_id)
        if subject is not None and isinstance(entry, RoomCreated | Joined):
            subject.rooms[room] = entry.seq
            for session in subject.sessions:
                room.subscribers.add(session)
        change.done.callback(entry)
        self._publish_change(room, entry, change.actor, subject)
        if subject is not None and isinstance(entry, Left | Kicked | Removed):
            subject.remove_room(room)
            for session in subject.sessions:
                room.subscribers.discard(session)

    def _publish_change(
        self, room: Room, entry: Entry, actor: Session | None, subject: User | None
    ) -> None:
        """Tell a change to whom it concerns."""
        if isinstance(entry, RoomCreated):
            if room.public:
                appeared = RoomListed(
                    room_name=room.name, usr=entry.usr, seq=entry.seq, at=entry.at
                )
                self._users.broadcast(appeared, exclude=actor)
            return
        own = actor is not None and actor.user is subject and not isinstance(entry, RoomChanged)
        room.subscribers.publish([entry], connections_of([actor]) if own and actor else ())


def _send_partly(
    burst: IEncodedBatch | None, session: Session, gaps: list[int], messages: list[PendingMessage]
) -> None:
    """Tell a session a burst of speeches with gaps; what it wrote itself is answered there.

    Args:
        burst: None if the session does not listen (any more), and is answered only.
        gaps: indexes of the speeches that it is not told, in order.
    """
    start = 0
    for gap in gaps:
        if burst is not None and gap > start:
            burst.send_part(session.connection, start, gap)
        speech = messages[gap]
        if speech.session is session:
            speech.acknowledge()
        start = gap + 1
    if burst is not None and start < len(messages):
        burst.send_part(session.connection, start, len(messages))
