"""Direct conversations: the logs of two users, named by the other user or by the id of the log.

They are not kept in memory: each request reads what it needs from the store. Sending a direct
message, and what has arrived of them, is in `direct`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import attrs

from gtchat.chat.errors import (
    Blocked,
    NoSuchMessage,
    NoSuchRoom,
    NotAllowed,
)
from gtchat.chat.events import Entry, MessageChange, MessageSent
from gtchat.chat.foreign_joins import ForeignJoins
from gtchat.chat.interfaces import Direct, DirectPage, IConnection
from gtchat.chat.message_records import Pair
from gtchat.chat.message_rules import whisper_of
from gtchat.chat.repetition import REFUSALS, catch_up_with_room
from gtchat.chat.rooms import Member, Room
from gtchat.chat.state import State
from gtchat.chat.users import Session, User, UserRegistry


@attrs.frozen
class DirectTarget:
    """How a client names a direct conversation: by one of the two.

    Attributes:
        usr: the name of the other user; it means the account that has the name now.
        id: the id of the conversation.
    """

    usr: str | None = None
    id: int | None = None


#: A room by its name, or a direct conversation.
Target = str | DirectTarget


@attrs.frozen(eq=False)
class Conversation:
    """A direct conversation as one of its users has it; it stands where a `Room` can.

    Attributes:
        id: the id of its log, 0 if it has not begun.
        name: "", since it has no name.
        user: the user.
        other_id: the other account.
        other: name of the other user.
        ended: whether the other account has ended; then nothing can be written or changed.
        blocked: whether the other user blocks the user.
        last_seq: seq of the newest entry.
        read_seq: the last entry that counts as read.
        notify: of which messages the user is notified.
    """

    _users: UserRegistry
    user: User
    other_id: int
    other: str
    ended: bool = False
    blocked: bool = False
    id: int = 0
    last_seq: int = 0
    read_seq: int = 0
    notify: str = "all"
    name: str = attrs.field(init=False, default="")

    @property
    def users(self) -> Pair:
        """The user and the other user."""
        return (self.user.id, self.user.name), (self.other_id, self.other)

    def has_member(self, user: Member) -> bool:
        """See `Room.has_member`; others do not find it."""
        return True

    def require_begun(self) -> None:
        """Raise NoSuchMessage if there are no messages yet."""
        if not self.id:
            raise NoSuchMessage()

    def require_present(self) -> None:
        """Raise NotAllowed if the other account has ended."""
        if self.ended:
            raise NotAllowed("The account of this user has ended: you can only read.")

    def require_open(self) -> None:
        """Check that the user can write in it.

        Raises:
            NotAllowed: the other account has ended.
            Blocked: the other user blocks this one.
        """
        self.require_present()
        if self.blocked:
            raise Blocked()

    def advance(self, seq: int, messages: int = 0) -> None:
        """See `Room.advance`; nothing here is kept."""

    def publish(self, entry: Entry, exclude: Collection[IConnection] = ()) -> None:
        """Send a change to both users, to each as it is seen from the own side."""
        assert isinstance(entry, MessageChange)
        publish_change(self._users, entry, self.id, self.users, exclude)

    def entries(self, found: Sequence[Entry]) -> tuple[Entry, ...]:
        """Return entries of the log as the user has them, all with the name of who gets them."""
        return as_seen_by(found, self.user, self.other)


def publish_change(
    users: UserRegistry,
    change: MessageChange,
    room_id: int,
    between: Pair,
    exclude: Collection[IConnection],
) -> None:
    """Send a change of a direct message to its two users, to each as it is seen from the own side.

    Args:
        users: has those who are known here.
        change: the change.
        room_id: the log that has it.
        between: the users.
        exclude: connections that do not receive it.
    """
    (first_id, first), (second_id, second) = between
    for own_id, other in {first_id: second, second_id: first}.items():
        user = users.get_by_id(own_id)
        event = attrs.evolve(change, log_id=room_id, target_user=other)
        for session in user.sessions if user is not None else ():
            if session.connection not in exclude:
                session.send(event)


def as_seen_by(found: Sequence[Entry], user: User, other: str) -> tuple[Entry, ...]:
    """Return entries of the log of two users as one of them has them.

    Args:
        found: the entries.
        user: the one user.
        other: name of the other one.
    """
    return tuple(_seen_from(entry, user.id, user.name, other) for entry in found)


def _seen_from(entry: Entry, own_id: int, own: str, other: str) -> Entry:
    if isinstance(entry, MessageSent):
        return whisper_of(entry, other if entry.subject_id == own_id else own)
    assert isinstance(entry, MessageChange)
    return attrs.evolve(entry, target_user=other)


class Conversations:
    """Finds rooms and direct conversations for users who are in them.

    Args:
        state: the chat's shared objects.
        joins: knows of users who have joined a room at another node.
    """

    def __init__(self, state: State, joins: ForeignJoins) -> None:
        self._joins = joins
        self._store = state.store
        self._users = state.users
        self._rooms = state.rooms
        self._loader = state.loader
        self._directory = state.directory

    async def require(self, target: Target, user: User) -> Room | Conversation:
        """Return the room or the conversation that a user is in.

        Raises:
            NoSuchRoom, NotInRoom, NoSuchUser, NotStored.
        """
        if not isinstance(target, str):
            return await self.find(target, user)
        try:
            return await self._loader.require_member(target, user)
        except REFUSALS:
            if not await catch_up_with_room(self._store, self._rooms, target):
                raise
            await self._joins.finished(user)
        return await self._loader.require_member(target, user)

    async def require_open(self, target: Target, user: User) -> Room | Conversation:
        """Return the room or the conversation that a user can write in, and change messages of.

        Raises:
            NoSuchRoom, NotInRoom, NoSuchUser, NotStored.
            NoSuchMessage: the conversation has not begun.
            NotAllowed, Blocked: as `Conversation.require_open`.
        """
        found = await self.require(target, user)
        if isinstance(found, Conversation):
            found.require_open()
            found.require_begun()
        return found

    async def find_any(self, target: Target, user: User) -> Room | Conversation:
        """Return a room, also for those who are not in it, or a conversation of the user.

        Raises:
            NoSuchRoom, NoSuchUser, NotStored.
        """
        if isinstance(target, str):
            return await self._loader.find(target)
        return await self.find(target, user)

    async def find(self, target: DirectTarget, user: User) -> Conversation:
        """Return a conversation of a user.

        Raises:
            NoSuchRoom: the user has no conversation with this id.
            NoSuchUser: no account has this name.
            NotStored.
        """
        if target.usr is not None:
            empty = await self.with_user(target.usr, user)
            direct = await self._store.find_direct(user.id, None, empty.other_id)
            if direct is None:
                return empty
            return _begun(empty, direct)
        direct = await self._store.find_direct(user.id, target.id, None)
        if direct is None:
            raise NoSuchRoom("There is no such direct conversation.")
        blocked = direct.other_id in user.blocked_by
        found = Conversation(
            self._users, user, direct.other_id, direct.other, ended=direct.ended, blocked=blocked
        )
        return _begun(found, direct)

    async def with_user(self, name: str, user: User) -> Conversation:
        """Return the conversation with the user who has a name, without what is in it.

        Raises:
            NoSuchUser: no account has this name.
            NotStored.
        """
        found = await self._directory.resolve(name, user)
        return Conversation(self._users, user, found.id, found.name, blocked=found.blocks_asker)

    async def page(self, session: Session, before: int | None, limit: int) -> DirectPage:
        """Return a page of the conversations of a user, newest first.

        Args:
            session: a session of the user.
            before: the `DirectPage.next` of the page before, None for the first page.
            limit: the largest number of conversations.

        Raises:
            NotStored.
        """
        return await self._store.directs(session.user.id, before, limit)


def _begun(empty: Conversation, direct: Direct) -> Conversation:
    """Return a conversation with what the store has of it."""
    return attrs.evolve(
        empty,
        id=direct.id,
        last_seq=direct.last_seq,
        read_seq=direct.read_seq,
        notify=direct.notify,
    )
