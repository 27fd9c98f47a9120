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
    Removed,
    RoomAppeared,
    RoomChanged,
    RoomCreated,
    Spoke,
)
from gtchat.chat.interfaces import Append, IBurst, IStore, Receipt
from gtchat.chat.people import People, Session, User
from gtchat.chat.rooms import Room, Rooms, outlets


@attrs.define(eq=False, kw_only=True)
class Speech(Append):
    """A message on its way.

    Attributes:
        done: called with the receipt or with why there is none, in the order of the room. It is
            a plain call, not a Deferred: this is the way of every message.
    """

    entry: Spoke
    room: Room
    session: Session
    done: Callable[[Receipt | ChatError], None]

    def answer(self) -> None:
        """Tell its writer that it is stored."""
        entry = self.entry
        self.done(Receipt(entry.id, entry.seq, entry.at))


@attrs.define(eq=False, kw_only=True)
class Change(Append):
    """A change of a room on its way.

    Attributes:
        actor: the session that asked for it; it is answered before it is told anything.
        done: fires with the stored entry.
    """

    room: Room
    actor: Session | None
    done: Deferred[Entry] = attrs.field(factory=Deferred)


class Log:
    """All rooms' logs."""

    def __init__(self, store: IStore, people: People, rooms: Rooms) -> None:
        self._store = store
        self._people = people
        self._rooms = rooms
        store.committed = self.committed

    def change(
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
        change = Change(
            room_id=room.id,
            room_key=room.key,
            entry=entry,
            subject=subject,
            room=room,
            actor=actor,
        )
        self._store.append(change)
        return change.done

    def committed(self, appends: Sequence[Append]) -> None:
        """Take what the store has done, in its order, and tell it."""
        run: dict[Room, list[Speech]] = {}
        spoken_in: dict[Session, Room] = {}
        for append in appends:
            if isinstance(append, Speech) and append.error is None and append.earlier is None:
                room, session = append.room, append.session
                # Rooms are told one after the other. Somebody whose messages to several rooms
                # come back together must get his answers in the order of his requests.
                if spoken_in.setdefault(session, room) is not room:
                    self._tell_run(run)
                    run, spoken_in = {}, {session: room}
                if room in run:
                    run[room].append(append)
                else:
                    run[room] = [append]
                continue
            self._tell_run(run)
            run, spoken_in = {}, {}
            if isinstance(append, Speech):
                outcome = append.error or append.earlier
                assert outcome is not None
                append.done(outcome)
            else:
                assert isinstance(append, Change)
                self._finish(append)
        self._tell_run(run)

    def _tell_run(self, run: dict[Room, list[Speech]]) -> None:
        for room, speeches in run.items():
            self._tell_speeches(room, speeches)

    def _tell_speeches(self, room: Room, speeches: list[Speech]) -> None:
        """Tell a room some messages, each to all but its writer and those who block him."""
        entries = [speech.entry for speech in speeches]
        room.advance(entries[-1].seq, len(entries))
        partly: dict[Session, list[int]] = {}
        for index, speech in enumerate(speeches):
            session = speech.session
            if session in partly:
                partly[session].append(index)
            else:
                partly[session] = [index]
            if session.user.blocked_by:
                for blocker in self._people.blockers(session.user):
                    partly.setdefault(blocker, []).append(index)
        bursts = room.listeners.tell(entries, but=outlets(partly))
        for session, gaps in partly.items():
            burst = bursts[session.audience] if session in room.listeners else None
            _tell_partly(burst, session, gaps, speeches)

    def _finish(self, change: Change) -> None:
        """Answer for a change, then tell it."""
        if change.error is not None:
            change.done.errback(change.error)
            return
        room = change.room
        if isinstance(change.entry, RoomCreated):
            room.id = change.room_id
        entry = change.entry
        room.advance(entry.seq)
        subject = self._people.numbered(change.subject)
        if subject is not None and isinstance(entry, RoomCreated | Joined):
            subject.rooms[room] = entry.seq
            for session in subject.sessions:
                room.listeners.add(session)
        change.done.callback(entry)
        self._tell_change(room, entry, change.actor, subject)
        if subject is not None and isinstance(entry, Left | Kicked | Removed):
            subject.forget(room)
            for session in subject.sessions:
                room.listeners.discard(session)

    def _tell_change(
        self, room: Room, entry: Entry, actor: Session | None, subject: User | None
    ) -> None:
        """Tell a change to whom it concerns."""
        if isinstance(entry, RoomCreated):
            if room.public:
                appeared = RoomAppeared(
                    room_name=room.name, usr=entry.usr, seq=entry.seq, at=entry.at
                )
                self._people.tell_all(appeared, but=actor)
            return
        own = actor is not None and actor.user is subject and not isinstance(entry, RoomChanged)
        room.listeners.tell([entry], outlets([actor]) if own and actor else ())


def _tell_partly(
    burst: IBurst | None, session: Session, gaps: list[int], speeches: list[Speech]
) -> None:
    """Tell a session a burst of speeches with gaps; what it wrote itself is answered there.

    Args:
        burst: None if the session does not listen (any more), and is answered only.
        gaps: indexes of the speeches that it is not told, in order.
    """
    start = 0
    for gap in gaps:
        if burst is not None and gap > start:
            burst.tell_part(session.outlet, start, gap)
        speech = speeches[gap]
        if speech.session is session:
            speech.answer()
        start = gap + 1
    if burst is not None and start < len(speeches):
        burst.tell_part(session.outlet, start, len(speeches))
