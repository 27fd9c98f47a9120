"""Users: sessions, and the registry of who is known here; they are found by name in `directory`.

An account that is not logged in is in the store only. A temporary user whose connection was lost
stays in the registry, without a session, until the user comes back or the grace period ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import attrs
from twisted.internet.interfaces import IReactorTime

from gtchat.chat.audit import Actor
from gtchat.chat.events import Event, Invited
from gtchat.chat.interfaces import Direct, IConnection, IEncoder
from gtchat.chat.names import SortedNames
from gtchat.chat.node_store import INodeStore
from gtchat.chat.pending_delivery import PendingDelivery
from gtchat.chat.presence import Presence
from gtchat.chat.rooms import Room
from gtchat.chat.session_records import listed_session_id
from gtchat.chat.subscribers import Subscribers, connections_of


@attrs.define(eq=False)
class Session:
    """A user logged in over one connection.

    Attributes:
        user: the user.
        encoder: the encoder of its protocol.
        connection: where its events are sent.
        token_hash: names the session in the store, 32 bytes.
        port: TCP port on which its client accepts direct connections; None if it does not.
        pending: what came since it began, until it is sent what waited before; None then, and if
            its client shows `directs`.
        sent_directs: direct conversation -> seq of the newest message that it was sent of those
            that waited: other nodes may tell of one of them later.
        marks_read: whether its client marks what was read, and shows `invitations` and `directs`.
        invitations: those that were pending when it began; the reply to the login takes them, and
            the newest direct conversations.
        operator: whether its account has the operator mark.
        prepaid: bytes of text that it may store before it has to ask the `Quota` again.
    """

    user: User
    encoder: IEncoder
    connection: IConnection
    token_hash: bytes
    port: int | None = None
    pending: PendingDelivery | None = attrs.field(factory=PendingDelivery)
    sent_directs: Mapping[int, int] = MappingProxyType({})
    marks_read: bool = False
    invitations: Sequence[Invited] = ()
    directs: Sequence[Direct] = ()
    prepaid: int = 0
    operator: bool = False

    @property
    def actor(self) -> Actor:
        """Its user in the audit log."""
        session = listed_session_id(self.token_hash)
        return Actor(self.user.name, session, self.connection.address)

    def send(self, *events: Event) -> None:
        """Send events to this session only."""
        self.encoder.encode(events).send((self.connection,))


class GraceTimer(Protocol):
    """What ends a temporary user whose connection was lost, unless it is cancelled."""

    def cancel(self) -> None:
        """Do not end the user."""


@attrs.define(eq=False)
class User:
    """An account that is known here.

    Attributes:
        id: the account id.
        name: the name as displayed.
        key: the name as compared.
        registered: False for a temporary account.
        sessions: the sessions, oldest first.
        rooms: the rooms that the user is a member of, without the lobby -> `seq` of the last
            entry of each that counts as read.
        lobby_read_seq: the same for the lobby.
        unread: room id -> number of unread messages when they were counted last; rooms without
            unread messages are left out. `read_state` counts them before they are told.
        mentions: room id -> number of unread messages that mention the user, counted with `unread`.
        notify: room id -> of which messages the user is notified, where it is not of all.
        typed_at: room id -> monotonic seconds of the last typing notification; recent ones only.
        blocked: account id -> name of the accounts that this user blocks.
        blocked_by: ids of the accounts that block this user.
        address: IP address of the last login, or `network_key` of it if that was in an earlier run
            of the server.
        grace_timer: ends a temporary user whose connection was lost.
        ending: whether a temporary account is being deleted: it becomes no member and no owner.
    """

    id: int
    name: str
    key: str
    registered: bool
    sessions: list[Session] = attrs.field(factory=list)
    #: A dict takes half the memory of a set with the numbers beside it.
    rooms: dict[Room, int] = attrs.field(factory=dict)
    lobby_read_seq: int = 0
    unread: dict[int, int] = attrs.field(factory=dict)
    mentions: Mapping[int, int] = MappingProxyType({})
    notify: Mapping[int, str] = MappingProxyType({})
    typed_at: Mapping[int, float] = MappingProxyType({})
    blocked: dict[int, str] = attrs.field(factory=dict)
    blocked_by: frozenset[int] = frozenset()
    address: str = ""
    grace_timer: GraceTimer | None = None
    ending: bool = False

    @property
    def memberships(self) -> int:
        """The number of rooms that the user is a member of, without the lobby."""
        return len(self.rooms)

    def add_room(self, room: Room, seq: int) -> None:
        """Become a member of a room with an entry, and subscribe all sessions to it."""
        self.rooms[room] = seq
        for session in self.sessions:
            room.subscribers.add(session)

    def unsubscribe(self, room: Room) -> None:
        """Unsubscribe all sessions from a room that the user is not a member of any more."""
        for session in self.sessions:
            room.subscribers.discard(session)

    def remove_room(self, room: Room) -> None:
        """Forget a room that the user is not a member of any more."""
        self.rooms.pop(room, None)
        self.unread.pop(room.id, None)
        if room.id in self.mentions:
            self.mentions = {key: n for key, n in self.mentions.items() if key != room.id}
        if room.id in self.notify:
            self.notify = {key: level for key, level in self.notify.items() if key != room.id}

    def read_seq(self, room: Room) -> int:
        """Return the `seq` of the last entry of a room that counts as read, 0 for none."""
        return self.lobby_read_seq if room.is_lobby else self.rooms.get(room, 0)

    def set_read_seq(self, room: Room, seq: int) -> None:
        """Set the last entry of a room that counts as read; nothing if the user is not in it."""
        if room.is_lobby:
            self.lobby_read_seq = seq
        elif room in self.rooms:
            self.rooms[room] = seq

    def cancel_grace_timer(self) -> None:
        """Stop waiting for a temporary user whose connection was lost."""
        if self.grace_timer is not None:
            self.grace_timer.cancel()
            self.grace_timer = None

    def send(self, *events: Event, exclude: Session | None = None) -> None:
        """Send events to all sessions of this user, except one that has asked for them."""
        for session in self.sessions:
            if session is not exclude:
                session.send(*events)


class UserRegistry:
    """The users who are known here: all who are logged in, and temporary users who may return.

    Args:
        store: tells other nodes who is online here.
        clock: schedules calls.
        wall: returns the time of day in seconds since 1970.

    Attributes:
        presence: who is online in the whole chat.
        subscribers: all sessions, for events of the whole server.
    """

    def __init__(self, store: INodeStore, clock: IReactorTime, wall: Callable[[], float]) -> None:
        self._by_key: dict[str, User] = {}
        self._by_id: dict[int, User] = {}
        #: Account id -> the users who are logged in and block it.
        self._blocking: dict[int | None, dict[User, None]] = {}
        self._clock = clock
        self._wall = wall
        self.subscribers = Subscribers()
        self.presence = Presence(store, clock, self.now, self.subscribers)

    def __iter__(self) -> Iterator[User]:
        return iter(self._by_id.values())

    @property
    def online(self) -> SortedNames:
        """The names of the users who are logged in, here or at another node."""
        return self.presence.online

    def now(self) -> int:
        """Return the time of day in milliseconds since 1970, UTC."""
        return int(self._wall() * 1000)

    def call_soon(self, call: Callable[..., None], *args: object) -> None:
        """Call a function in the next turn of the reactor, after the replies of this one."""
        self._clock.callLater(0, call, *args)

    def get(self, key: str) -> User | None:
        """Return the user with a name as it is compared, None if not known here."""
        return self._by_key.get(key)

    def get_by_id(self, account_id: int | None) -> User | None:
        """Return the user of an account, None if not known here."""
        return None if account_id is None else self._by_id.get(account_id)

    def known(self, accounts: Mapping[int, object]) -> Iterator[User]:
        """Yield those of some accounts that are known here; costs what the fewer of both cost."""
        return map(self._by_id.__getitem__, self._by_id.keys() & accounts.keys())

    def is_online(self, account_id: int) -> bool:
        """Return whether an account is logged in, here or at another node."""
        return self.presence.is_online(account_id)

    def blockers_of(self, account_id: int | None) -> list[Session]:
        """Return the sessions of the users who block an account; None blocks no account."""
        blocking = self._blocking.get(account_id, ())
        return [session for user in blocking for session in user.sessions]

    def set_block(self, user: User, account_id: int, on: bool) -> None:
        """Take note that a user who is logged in blocks an account, or does so no more."""
        if on:
            self._blocking.setdefault(account_id, {})[user] = None
        elif account_id in self._blocking:
            self._blocking[account_id].pop(user, None)
            if not self._blocking[account_id]:
                del self._blocking[account_id]

    def add(self, user: User) -> None:
        """Add a user."""
        self._by_key[user.key] = user
        self._by_id[user.id] = user

    def discard(self, user: User) -> None:
        """Remove a user if it is there."""
        if self._by_id.get(user.id) is user:
            del self._by_id[user.id]
        # Another node may have given the name of a temporary user to another account.
        if self._by_key.get(user.key) is user:
            del self._by_key[user.key]

    def forget_account(self, account_id: int) -> None:
        """Forget the blocks by and of an account that is deleted, as the store does."""
        for blocker in self._blocking.pop(account_id, ()):
            blocker.blocked.pop(account_id, None)
        user = self._by_id.get(account_id)
        for blocked in self.known(user.blocked) if user is not None else ():
            blocked.blocked_by -= {account_id}

    def add_session(self, session: Session, rooms: list[Room]) -> None:
        """Begin a session: subscribe it, and announce the user if it is the only session.

        Args:
            session: the session.
            rooms: the rooms that its user is in, with the lobby.
        """
        user = session.user
        user.address = session.connection.address
        user.cancel_grace_timer()
        user.sessions.append(session)
        for room in rooms:
            room.subscribers.add(session)
        if len(user.sessions) == 1:
            for account_id in user.blocked:
                self.set_block(user, account_id, True)
            self.presence.came(user.id, user.name)
        self.subscribers.add(session)

    def remove_session(self, session: Session, rooms: list[Room]) -> None:
        """End a session: unsubscribe it, and announce the user's logout if it was the last one.

        Args:
            session: the session.
            rooms: the rooms that its user is in, with the lobby.
        """
        user = session.user
        user.sessions.remove(session)
        self.subscribers.discard(session)
        for room in rooms:
            room.subscribers.discard(session)
        if not user.sessions:
            for account_id in user.blocked:
                self.set_block(user, account_id, False)
            self.presence.went(user.id, user.name)
            if user.registered:
                self.discard(user)

    def broadcast(self, event: Event, exclude: Session | None = None) -> int:
        """Send an event to every logged-in user.

        Args:
            event: the event.
            exclude: a session that does not receive it.

        Returns:
            The number of users who received it, also at other nodes.
        """
        self.subscribers.publish([event], connections_of([exclude]) if exclude else ())
        user = exclude.user if exclude is not None else None
        elsewhere = self.presence.elsewhere
        without = user is not None and len(user.sessions) == 1 and user.id not in elsewhere
        return len(self.online) - without

    def clear(self) -> None:
        """Forget all users and their sessions, without an event."""
        self.stop()
        for user in self:
            user.sessions.clear()
        self._by_key, self._by_id, self._blocking = {}, {}, {}
        self.presence.clear()
        self.subscribers.clear()

    def stop(self) -> None:
        """Cancel all timers. What other nodes and users would be told by them is dropped."""
        self.presence.stop()
        for user in self:
            user.cancel_grace_timer()
