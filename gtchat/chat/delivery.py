"""Delivery: what happens to a room's entry after it is stored.

The store reports finished entries in batches. Delivery sends each to the subscribers of its room. A
change is folded into the room when it is queued, and taken back if it was not stored. Messages of
one batch to one room are sent together: encoded once for each protocol, one append for each
subscriber. The sender of a message gets the ack in its place, so that every session sees the
entries of a room in the order of `seq`.

The session that asked for something is not sent the event: its reply tells it, before anything that
is sent later. All other sessions of its user are sent it. Changes of messages alone go to all.
"""

from __future__ import annotations

from collections.abc import Sequence

from gtchat.chat.appending import ChangeQueue
from gtchat.chat.audit import write_line
from gtchat.chat.events import (
    Edited,
    Entry,
    Event,
    InvitationEnded,
    Joined,
    Kicked,
    Left,
    MessageSent,
    Reacted,
    Removed,
    RoomCreated,
    RoomDeleted,
    RoomListed,
)
from gtchat.chat.interfaces import (
    Ack,
    EndedInvitations,
    IConnection,
    IEncodedBatch,
    PendingEntry,
    PendingRoomChange,
)
from gtchat.chat.queued import (
    PendingChange,
    PendingMessage,
    QueuedMessageChange,
    text_of,
)
from gtchat.chat.rooms import QueuedChange, Room
from gtchat.chat.state import State
from gtchat.chat.subscribers import connections_of
from gtchat.chat.users import Session, User, UserRegistry


class Delivery(ChangeQueue):
    """Sends stored entries to the subscribers of their rooms.

    Args:
        state: the chat's shared objects. The store reports to `committed` from now on.
    """

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._sender_marks = state.sender_marks
        self._loader = state.loader
        self._measures = state.measures
        self._store.committed = self.committed
        self._store.failed = self.take_back

    def committed(self, entries: Sequence[PendingEntry]) -> None:
        """Deliver what the store has finished.

        Args:
            entries: stored or failed entries in the order of the queue.
        """
        batches: dict[Room, list[PendingMessage]] = {}
        room_of: dict[Session, Room] = {}
        for entry in entries:
            if isinstance(entry, PendingMessage) and entry.error is None and entry.earlier is None:
                room, session = entry.room, entry.session
                # Rooms are sent one after the other. A session whose messages to several rooms
                # come in one batch must get its acks in the order of its requests.
                if room_of.setdefault(session, room) is not room:
                    self._publish_messages(batches)
                    batches, room_of = {}, {session: room}
                if room in batches:
                    batches[room].append(entry)
                else:
                    batches[room] = [entry]
                continue
            self._publish_messages(batches)
            batches, room_of = {}, {}
            if isinstance(entry, PendingMessage):
                outcome = entry.error or entry.earlier
                assert outcome is not None
                self._quota.give_back(entry.session, entry.entry.msg)
                entry.done(outcome)
            elif isinstance(entry, QueuedMessageChange):
                self._finish_message_change(entry)
            else:
                assert isinstance(entry, PendingChange)
                if entry.entry.seq:
                    self._finish_change(entry)
                else:
                    self._report_failed(entry)
        self._publish_messages(batches)

    def _publish_messages(self, batches: dict[Room, list[PendingMessage]]) -> None:
        """Send the messages of each room to its subscribers.

        A sender and those who block the sender do not receive a message; they are sent the parts
        of the batch between the messages that they are left out of.
        """
        for room, messages in batches.items():
            entries: list[MessageSent] = []
            left_out: dict[Session, list[int]] = {}
            exclude: list[IConnection] = []
            for index, message in enumerate(messages):
                entries.append(message.entry)
                session = message.session
                without = [session]
                if session.user.blocked_by:
                    without += self._users.blockers_of(session.user.id)
                for session in without:
                    if session in left_out:
                        left_out[session].append(index)
                    else:
                        left_out[session] = [index]
                        exclude.append(session.connection)
            room.advance(entries[-1].seq, len(entries))
            encoded = room.subscribers.publish(entries, exclude)
            measures = self._measures
            measures.messages += len(entries)
            measures.deliveries += len(entries) * len(room.subscribers)
            for session, indexes in left_out.items():
                batch = encoded[session.encoder] if session in room.subscribers else None
                if batch is not None:
                    measures.deliveries -= len(indexes)
                own = _send_parts(batch, session, indexes, messages)
                if own and batch is not None:  # else it was not sent what came before
                    marks = self._sender_marks
                    if not marks.pending:
                        marks.start_timer()
                    marks.pending[session.user, room] = own, session

    def _finish_change(self, change: PendingChange) -> None:
        """Report a stored change to the one who waits for it, then send it to its subscribers."""
        room, entry = change.room, change.entry
        self._rooms.stored(room, change)
        if isinstance(entry, RoomCreated):
            room.id = change.room_id
            self._rooms.add(room)
        room.advance(entry.seq)
        _write_line(change)
        leaver = change_membership(self._users, room, entry)
        change.done.callback(change.ack)
        self.publish_change(room, entry, change.actor)
        self.publish_ended(room.name, change.ended)
        if leaver is not None:
            leaver.unsubscribe(room)
        self._loader.idle([room])

    def _finish_message_change(self, change: QueuedMessageChange) -> None:
        """Report a change of a message, then send it to the subscribers of the room.

        Those who block a user are not sent what the user says: edits and reactions.
        """
        entry, session = change.entry, change.session
        if not entry.seq:  # an error, a repeated request, or nothing to change
            self._quota.give_back(session, text_of(entry))
            if change.error is not None:
                change.done.errback(change.error)
            else:
                change.done.callback(change.earlier or Ack("", 0, entry.at))
            return
        change.room.advance(entry.seq)
        _write_line(change)
        change.done.callback(Ack("", entry.seq, entry.at))
        hides = isinstance(entry, Edited | Reacted) and session.user.blocked_by
        blockers = self._users.blockers_of(session.user.id) if hides else ()
        change.room.publish(entry, connections_of(blockers))

    def take_back(self, changes: Sequence[PendingRoomChange]) -> None:
        """Take back the changes of a batch that were not stored; see `IStore.failed`.

        One after the other, each would have those after it taken back and made again.

        Args:
            changes: the changes, which have an error or were made before.
        """
        failed: dict[Room, set[QueuedChange]] = {}
        for change in changes:
            assert isinstance(change, PendingChange)
            failed.setdefault(change.room, set()).add(change)
        for room, found in failed.items():
            self._rooms.take_back(room, found)
            room.foreign += 1

    def _report_failed(self, change: PendingChange) -> None:
        """Tell why a change was not stored."""
        if change.actor is not None:
            self._quota.give_back(change.actor, text_of(change.entry))
        if change.earlier is not None:
            change.done.callback(change.earlier)
        else:
            change.done.errback(change.error)

    # What is not sent to the session that asked for it.

    def publish_change(self, room: Room, entry: Entry, actor: Session | None) -> None:
        """Send a change to the room; a new public room is announced to all other users."""
        self._publish(room, entry, actor)
        if isinstance(entry, RoomCreated) and room.public:
            listed = RoomListed(
                room_name=room.name,
                usr=entry.usr,
                seq=entry.seq,
                preview=entry.preview,
                at=entry.at,
            )
            self.announce(room, listed, actor)

    def publish_deletion(
        self, room: Room, by: str, actor: Session | None, ended: EndedInvitations
    ) -> None:
        """Announce a deletion to the members and, if the room was public, to all other users.

        Args:
            room: the room, which is deleted.
            by: name of the user who deleted it.
            actor: the session that asked for it, None if no session did.
            ended: the invitations to it.
        """
        members = tuple(room.members.values())
        event = RoomDeleted(room_name=room.name, usr=by, members=members, at=self._users.now())
        self._publish(room, event, actor)
        owner = self._users.get_by_id(room.owner_id)
        if room.public:
            self.announce(room, event, actor)
        elif owner is not None and owner.registered:  # may be no member any more
            for session in owner.sessions:
                if session is not actor and session not in room.subscribers:
                    session.send(event)
        self.publish_ended(room.name, ended)

    def _publish(self, room: Room, event: Event, actor: Session | None) -> None:
        """Send an event to the sessions in a room but the one that asked for it."""
        room.subscribers.publish([event], connections_of([actor]) if actor else ())

    def announce(self, room: Room, event: Event, actor: Session | None) -> None:
        """Send an event to all sessions that are not in the room but the one that asked for it."""
        told = [one for _, connections in room.subscribers for one in connections]
        if actor is not None:
            told.append(actor.connection)
        self._users.subscribers.publish([event], told)

    def publish_ended(self, room_name: str, ended: EndedInvitations) -> None:
        """Tell users who are online of invitations to a room that have ended."""
        for user in self._users.known(ended):
            for inviter in ended[user.id]:
                if inviter.id not in user.blocked:
                    user.send(
                        InvitationEnded(room_name=room_name, usr=inviter.name, at=self._users.now())
                    )


def change_membership(users: UserRegistry, room: Room, entry: Entry) -> User | None:
    """Note in the user that a stored entry is about whether the room is one of theirs now.

    Args:
        users: those with sessions here.
        room: the room, of which the entry was folded.
        entry: the entry.

    Returns:
        The user whose membership has ended, if it did: to unsubscribe once the entry was sent.
    """
    subject = users.get_by_id(entry.subject_id)
    if subject is None:
        return None
    if isinstance(entry, RoomCreated | Joined):
        subject.add_room(room, entry.seq)
    elif isinstance(entry, Left | Kicked | Removed):
        subject.remove_room(room)
        return subject
    return None


def _write_line(pending: PendingEntry) -> None:
    """Write the line of the audit log of an entry that is stored, if it has one."""
    record = pending.audit() if pending.audit is not None else None
    if record is not None:
        write_line(record)


def _send_parts(
    batch: IEncodedBatch | None,
    session: Session,
    left_out: list[int],
    messages: list[PendingMessage],
) -> int:
    """Send a session the messages of a batch but some, and the acks of its own in their place.

    Args:
        batch: the encoded messages; None if the session is not subscribed any more and gets
            acks only.
        session: the session.
        left_out: indexes of the messages that the session does not receive, in order.
        messages: the messages of the batch.

    Returns:
        The `seq` of its own last message, 0 if none is its own.
    """
    start = own = 0
    for index in left_out:
        if batch is not None and index > start:
            batch.send_part(session.connection, start, index)
        message = messages[index]
        if message.session is session:
            entry = message.entry
            own = entry.seq
            message.done(Ack(entry.id, entry.seq, entry.at))
        start = index + 1
    if batch is not None and start < len(messages):
        batch.send_part(session.connection, start, len(messages))
    return own
