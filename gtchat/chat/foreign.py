"""What other nodes have stored: it is made here too, and sent to the sessions that are here.

Rooms and presence are here. What is done with the other entries of the system log is registered by
the parts of the chat that know sessions, guests, direct messages, blocks and invitations.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import ParamSpec

import attrs
from twisted.logger import Logger

from gtchat.chat.delivery import Delivery, change_membership
from gtchat.chat.events import (
    Edited,
    Entry,
    MessageChange,
    MessageSent,
    Reacted,
    RoomDeleted,
    RoomListed,
)
from gtchat.chat.foreign_joins import ForeignJoins
from gtchat.chat.interfaces import IEncodedBatch
from gtchat.chat.node_records import (
    DirectEntry,
    Foreign,
    ForeignHandlers,
    InvitationsEnded,
    MemberJoined,
    NodeGone,
    Online,
    RoomAdded,
    RoomGone,
    RoomListing,
    SystemEntry,
)
from gtchat.chat.ownership import Ownership
from gtchat.chat.room_records import ListedRoom, RoomRecord
from gtchat.chat.rooms import Room
from gtchat.chat.state import State
from gtchat.chat.subscribers import connections_of
from gtchat.chat.users import Session

P = ParamSpec("P")

_log = Logger()


class NotDelivered(Exception):
    """Not all that other nodes have stored could be made here, or sent: see the log."""


@attrs.frozen
class ForeignDirect:
    """An entry of a direct conversation that another node has stored: a `DirectEntry` with it.

    Attributes:
        room_id: the conversation.
        entry: the message, or the change of one.
        users: (account id, name) of its author, then of the other user; twice the same for notes.
    """

    room_id: int
    entry: Entry
    users: tuple[tuple[int, str], tuple[int, str]]


class ForeignDelivery:
    """Makes the changes of other nodes here, and sends them to the sessions here.

    Args:
        state: the chat's shared objects. The store reports to `deliver` from now on.
        delivery: sends events to rooms.
        ownership: forgets rooms that are deleted.
        joins: brings in the rooms that users here join elsewhere.

    Attributes:
        handlers: what each part of the chat does with system entries, in order. Of a `DirectEntry`
            they get a `ForeignDirect`, under that class, if its entry is still there.
    """

    def __init__(
        self, state: State, delivery: Delivery, ownership: Ownership, joins: ForeignJoins
    ) -> None:
        self._loader = state.loader
        self._joins = joins
        self._users = state.users
        self._measures = state.measures
        self._rooms = state.rooms
        self._delivery = delivery
        self._ownership = ownership
        self._failures = 0
        self.handlers: list[ForeignHandlers] = [
            {
                RoomAdded: self._list_new,
                RoomListing: self._list_changed,
                RoomGone: self._delete,
                InvitationsEnded: self._end_invitations,
                Online: self._set_online,
                NodeGone: self._end_node,
            },
            joins.handlers(),
        ]
        state.store.foreign = self.deliver

    def deliver(self, foreign: Foreign) -> None:
        """Make what other nodes have stored, in the order of its attributes; see `INodeStore`.

        A room whose name another one has by now is deleted before: users know rooms by their names.
        A failure with one room or one system entry is logged, and the others are delivered: each
        is told once.

        Raises:
            NotDelivered: there were such failures, at the end.
        """
        self._failures = 0
        names = {record.key for record in foreign.loaded}
        early: set[int] = set()
        for node_id, entry in foreign.system if names else ():
            if isinstance(entry, RoomGone) and self._has_name(entry.room_id, names):
                last = foreign.entries.get(entry.room_id, ())
                self._attempt(self._deliver_entries, entry.room_id, last)
                self._attempt(self._handle, node_id, entry, foreign)
                early.add(entry.room_id)
        for room_id, entries in foreign.entries.items():
            self._attempt(self._deliver_entries, room_id, entries)
        self._attempt(self._bring_in, foreign.loaded)
        for node_id, entry in foreign.system:
            if not (isinstance(entry, RoomGone) and entry.room_id in early):
                self._attempt(self._handle, node_id, entry, foreign)
        if self._failures:
            raise NotDelivered(f"{self._failures} failures")

    def _attempt(self, deliver: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Deliver something; log and count the failure."""
        try:
            deliver(*args, **kwargs)
        except Exception:
            self._failures += 1
            _log.failure("The chat failed on what another node has stored.")

    # Rooms.

    def _has_name(self, room_id: int, keys: Collection[str]) -> bool:
        """Return whether a room is here, and its name is one of those with some keys."""
        room = self._rooms.get(room_id)
        return room is not None and room.key in keys

    def _bring_in(self, records: Iterable[RoomRecord]) -> None:
        """Bring rooms into memory, which leave it again if they are not used."""
        self._loader.idle(self._loader.add(records))

    def _deliver_entries(self, room_id: int, entries: Iterable[Entry]) -> None:
        """Make the entries of a room, and send them to its sessions here.

        Where an entry is made, and only its sending fails, those after it are delivered.

        Args:
            room_id: the room; nothing is done if it is not here.
            entries: the entries in order.
        """
        room = self._rooms.get(room_id)
        if room is None:
            return
        messages: list[MessageSent] = []
        for entry in entries:
            seq = room.last_seq + len(messages) + 1
            assert entry.seq == seq, f"entry {entry.seq} of {room.name} comes in place of {seq}"
            if isinstance(entry, MessageSent):
                messages.append(entry)
                continue
            self._attempt(self._send_messages, room, messages)
            messages = []
            if isinstance(entry, MessageChange):
                self._attempt(self._change_message, room, entry)
            else:
                self._attempt(self._change_room, room, entry)
        self._attempt(self._send_messages, room, messages)

    def _send_messages(self, room: Room, messages: Sequence[MessageSent]) -> None:
        """Send messages that follow each other, without those of authors that a receiver blocks."""
        if not messages:
            return
        left_out: dict[Session, list[int]] = {}
        for index, message in enumerate(messages):
            for session in self._users.blockers_of(message.subject_id):
                left_out.setdefault(session, []).append(index)
        room.advance(messages[-1].seq, len(messages))
        encoded = room.subscribers.publish(messages, connections_of(left_out))
        self._measures.deliveries += len(messages) * len(room.subscribers)
        for session, indexes in left_out.items():
            if session in room.subscribers:
                self._measures.deliveries -= len(indexes)
                _send_others(encoded[session.encoder], session, indexes, len(messages))

    def _change_message(self, room: Room, entry: MessageChange) -> None:
        """Send a change of a message; those who block the user do not get what is said."""
        room.advance(entry.seq)
        hides = isinstance(entry, Edited | Reacted)
        blockers = self._users.blockers_of(entry.subject_id) if hides else ()
        room.publish(entry, connections_of(blockers))

    def _change_room(self, room: Room, entry: Entry) -> None:
        """Make a change of a room, and send it; its subject may have sessions here."""
        self._rooms.fold_stored(room, entry)
        room.foreign += 1
        room.advance(entry.seq)
        leaver = change_membership(self._users, room, entry)
        try:
            self._delivery.publish_change(room, entry, None)
        finally:
            if leaver is not None:
                leaver.unsubscribe(room)

    def _delete(self, node_id: int, deleted: RoomGone) -> None:
        """Forget a room that another node has deleted, and tell of it."""
        room, public = self._rooms.get(deleted.room_id), self._rooms.public
        public.total -= deleted.public
        if room is not None:
            room.deleted = True
            self._ownership.discard(room, deleted.by, None, deleted.ended, is_foreign=True)
        elif deleted.name:
            public.hide(deleted.key)
            if deleted.public:
                event = RoomDeleted(room_name=deleted.name, usr=deleted.by, at=self._users.now())
                self._users.subscribers.publish([event])
            self._delivery.publish_ended(deleted.name, deleted.ended)

    def _list_new(self, node_id: int, added: RoomAdded) -> None:
        """List a room that is new, and tell of it if it is public; its creator may be here."""
        creator = self._users.get_by_id(added.creator_id)
        if added.public:
            self._rooms.public.total += 1
            if self._rooms.get(added.room_id) is None:
                self._rooms.public.told(_listed_new(added))
            event = RoomListed(
                room_name=added.name,
                usr=added.usr,
                seq=1,
                preview=added.preview,
                at=added.at,
            )
            without = connections_of(creator.sessions) if creator is not None else ()
            self._users.subscribers.publish([event], without)
        if added.creator_id is not None:
            self._joins.joined(MemberJoined(added.room_id, added.creator_id, 1))

    def _list_changed(self, node_id: int, listing: RoomListing) -> None:
        """List a room as it is now; of one in memory its log says it, which may be behind."""
        public, room = self._rooms.public, self._rooms.get(listing.room_id)
        public.total += listing.public - listing.was_public
        if room is not None and room.last_seq >= listing.seq:
            return
        if not listing.public:
            public.hide(listing.key)
        elif room is None:
            public.told(_listed(listing))
        else:
            public.show(listing.key)

    # System entries.

    def _handle(self, node_id: int, entry: SystemEntry, foreign: Foreign) -> None:
        """Let all parts of the chat do what they do with a system entry."""
        told: object = entry
        if isinstance(entry, DirectEntry):
            found = foreign.directs.get((entry.room_id, entry.seq))
            if found is None:
                return
            told = ForeignDirect(entry.room_id, found, entry.users)
        for handlers in self.handlers:
            handler = handlers.get(type(told))
            if handler is not None:
                handler(node_id, told)

    def _end_invitations(self, node_id: int, entry: InvitationsEnded) -> None:
        """Tell users of invitations that have ended; those to a room that is gone are told."""
        if entry.name:
            self._delivery.publish_ended(entry.name, entry.ended)

    def _set_online(self, node_id: int, entry: Online) -> None:
        """Take note of who has come online at another node, and who is not online there."""
        self._users.presence.came_elsewhere(node_id, entry.came)
        self._users.presence.went_elsewhere(node_id, entry.went)

    def _end_node(self, node_id: int, entry: NodeGone) -> None:
        """Take note that nothing is online at a node. It may be another than has noticed that."""
        self._users.presence.node_gone(entry.node_id)


def _listed_new(added: RoomAdded) -> ListedRoom:
    """Return a room as it is listed when it is new."""
    return ListedRoom(
        added.room_id, added.name, added.key, added.topic, added.usr, 1, added.preview, 1
    )


def _listed(listing: RoomListing) -> ListedRoom:
    """Return a room as it is listed when its settings were changed."""
    return ListedRoom(
        listing.room_id,
        listing.name,
        listing.key,
        listing.topic,
        listing.owner,
        listing.seq,
        listing.preview,
        listing.member_count,
    )


def _send_others(
    batch: IEncodedBatch, session: Session, left_out: Iterable[int], count: int
) -> None:
    """Send a session the messages of a batch but some.

    Args:
        batch: the encoded messages.
        session: the session.
        left_out: indexes of the messages that it does not receive, in order.
        count: how many messages the batch has.
    """
    start = 0
    for index in (*left_out, count):
        if index > start:
            batch.send_part(session.connection, start, index)
        start = index + 1
