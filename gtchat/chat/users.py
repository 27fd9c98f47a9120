"""People: who is here, on which sessions, and how others learn of their coming and going.

An account that is not online is in the store alone. A temporary user whose connection was lost
is still known here, with no session, until he comes back or his time is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gtchat.chat.errors import BadName, NoSuchUser, SelfTarget
from gtchat.chat.events import Event, LoggedIn, LoggedOut, PresenceChanged
from gtchat.chat.interfaces import IConnection, IEncoder, IStore
from gtchat.chat.names import user_name
from gtchat.chat.rooms import Room, SortedNames, Subscribers, connections_of

#: Comings and goings told one by one within a second; beyond it they are told together.
PRESENCE_SINGLE_LIMIT = 20


@attrs.define(eq=False)
class Session:
    """Somebody here, over one connection.

    Attributes:
        audience: his protocol. outlet: where he is spoken to.
        token_hash: names the session in the store.
        port: where his client listens for peers, None if it does not.
        owed: number of the newest whisper that has to wait until older ones are given; None where
            they are.
    """

    user: User
    encoder: IEncoder
    connection: IConnection
    token_hash: bytes
    port: int | None = None
    pending_whisper: int | None = 0

    def send(self, *events: Event) -> None:
        """Tell this session alone."""
        self.encoder.encode(events).send((self.connection,))


@attrs.define(eq=False)
class User:
    """An account that is known here.

    Attributes:
        rooms: those that the user belongs to, without the lobby, and the last entry of each that
            counts as read. lobby_read: that of the lobby. unread: room id -> how many of its
            messages he had not read when he came, or marked the room as read.
        typed: room id -> when he was typing there; of the last seconds only.
        blocked: account id -> name of those he blocks. blocked_by: ids of those who block him.
        address: where he came from last.
        expiry: ends a temporary user whose connection was lost. going: that is happening.
    """

    id: int
    name: str
    key: str
    registered: bool
    sessions: list[Session] = attrs.field(factory=list)
    #: A dict has half the size of a set with numbers beside it.
    rooms: dict[Room, int] = attrs.field(factory=dict)
    lobby_read_seq: int = 0
    unread: dict[int, int] = attrs.field(factory=dict)
    typed_at: Mapping[int, float] = MappingProxyType({})
    blocked: dict[int, str] = attrs.field(factory=dict)
    blocked_by: frozenset[int] = frozenset()
    address: str = ""
    grace_timer: IDelayedCall | None = None
    leaving: bool = False

    def remove_room(self, room: Room) -> None:
        """The user does not belong to a room any more."""
        self.rooms.pop(room, None)
        self.unread.pop(room.id, None)

    def read_seq(self, room: Room) -> int:
        """The last entry of a room that counts as read."""
        return self.lobby_read_seq if room.is_lobby else self.rooms.get(room, 0)

    def set_read_seq(self, room: Room, seq: int, unread: int) -> None:
        """Entries up to one count as read from now on, and so many messages after it do not."""
        if room.is_lobby:
            self.lobby_read_seq = seq
        elif room in self.rooms:
            self.rooms[room] = seq
        else:
            return  # he has been put out meanwhile
        self.unread.pop(room.id, None)
        if unread > 0:
            self.unread[room.id] = unread

    def send(self, *events: Event) -> None:
        """Tell all sessions of this user."""
        for session in self.sessions:
            session.send(*events)


class UserRegistry:
    """Everybody who is here.

    Args:
        clock: calls later. wall: tells the time of day, in seconds since 1970.
    """

    def __init__(self, clock: IReactorTime, wall: Callable[[], float]) -> None:
        self._by_key: dict[str, User] = {}
        self._by_id: dict[int, User] = {}
        self._clock = clock
        self._wall = wall
        self.online = SortedNames()
        self.subscribers = Subscribers()
        self._presence = PresenceCoalescer(clock, self.now, self.subscribers)

    def __iter__(self) -> Iterator[User]:
        return iter(self._by_key.values())

    def now(self) -> int:
        """Milliseconds since 1970, UTC."""
        return int(self._wall() * 1000)

    def call_soon(self, call: Callable[..., None], *args: object) -> None:
        """Call something when what goes on now is done, after the answers that belong to it."""
        self._clock.callLater(0, call, *args)

    def get(self, key: str) -> User | None:
        """The user of that name, if known here."""
        return self._by_key.get(key)

    def get_by_id(self, account_id: int | None) -> User | None:
        """The user of that account, if known here."""
        return None if account_id is None else self._by_id.get(account_id)

    def blockers(self, user: User) -> list[Session]:
        """The sessions of those here who block a user."""
        found = (self.get_by_id(blocker) for blocker in user.blocked_by)
        return [session for blocker in found if blocker for session in blocker.sessions]

    def add(self, user: User) -> None:
        """A user is known here from now on."""
        self._by_key[user.key] = user
        self._by_id[user.id] = user

    def discard(self, user: User) -> None:
        """A user is not known here any more."""
        if self._by_id.pop(user.id, None):
            del self._by_key[user.key]

    def add_session(self, session: Session, rooms: list[Room]) -> None:
        """A session begins: it hears its rooms, and others learn that its user is here."""
        user = session.user
        user.address = session.connection.address
        if user.grace_timer is not None:
            user.grace_timer.cancel()
            user.grace_timer = None
        user.sessions.append(session)
        for room in rooms:
            room.subscribers.add(session)
        if len(user.sessions) == 1:
            self.online.add(user.name)
            self._presence.logged_in(user.name, self.now())
        self.subscribers.add(session)

    def remove_session(self, session: Session, rooms: list[Room]) -> None:
        """A session ends: it hears nothing any more; the last one of a user takes him along."""
        user = session.user
        user.sessions.remove(session)
        self.subscribers.discard(session)
        for room in rooms:
            room.subscribers.discard(session)
        if not user.sessions:
            self.online.discard(user.name)
            self._presence.logged_out(user.name, self.now())
            if user.registered:
                self.discard(user)

    def broadcast(self, event: Event, exclude: Session | None = None) -> int:
        """Tell everybody who is logged in; how many people that are."""
        self.subscribers.publish([event], connections_of([exclude]) if exclude else ())
        alone = exclude is not None and len(exclude.user.sessions) == 1
        return len(self.online) - alone

    def stop(self) -> None:
        """Leave no timer behind."""
        self._presence.stop()
        for user in self:
            if user.grace_timer is not None:
                user.grace_timer.cancel()
                user.grace_timer = None


class PresenceCoalescer:
    """Tells comings and goings: at once while they are few, else once a second for all."""

    def __init__(self, clock: IReactorTime, now: Callable[[], int], listeners: Subscribers) -> None:
        self._clock = clock
        self._now = now
        self._listeners = listeners
        self._second = 0.0
        self._told = 0
        self._logins: dict[str, None] = {}
        self._logouts: dict[str, None] = {}
        self._later: IDelayedCall | None = None

    def logged_in(self, name: str, at: int) -> None:
        """A person came; told before the new session listens."""
        if self._singly():
            self._listeners.publish([LoggedIn(usr=name, at=at)])
        elif name in self._logouts:
            del self._logouts[name]
        else:
            self._logins[name] = None

    def logged_out(self, name: str, at: int) -> None:
        """A person went."""
        if self._singly():
            self._listeners.publish([LoggedOut(usr=name, at=at)])
        elif name in self._logins:
            del self._logins[name]
        else:
            self._logouts[name] = None

    def _singly(self) -> bool:
        """Whether the next one is told alone; where not, it is told within a second."""
        if self._later is not None:
            return False
        now = self._clock.seconds()
        if now - self._second >= 1.0:
            self._second, self._told = now, 0
        self._told += 1
        if self._told <= PRESENCE_SINGLE_LIMIT:
            return True
        self._later = self._clock.callLater(1.0, self._tell)
        return False

    def _tell(self) -> None:
        """Tell all that has gathered, and go on gathering as long as there is any."""
        self._later = None
        if not self._logins and not self._logouts:
            return
        event = PresenceChanged(
            logins=tuple(self._logins),
            logouts=tuple(self._logouts),
            at=self._now(),
        )
        self._logins, self._logouts = {}, {}
        self._later = self._clock.callLater(1.0, self._tell)
        self._listeners.publish([event])

    def stop(self) -> None:
        """Leave no timer behind."""
        if self._later is not None:
            self._later.cancel()
            self._later = None


@attrs.frozen
class ResolvedUser:
    """Somebody who has an account.

    Attributes:
        user: who that is, if known here; not so if a registered account is away.
        blocks_asker: whether he blocks the one who asked.
    """

    id: int
    name: str
    registered: bool
    user: User | None
    blocks_asker: bool


class UserDirectory:
    """Everybody who has an account."""

    def __init__(self, store: IStore, users: UserRegistry) -> None:
        self._store = store
        self._users = users

    async def resolve(self, raw: str, asker: User | None = None) -> ResolvedUser:
        """The person of that name.

        Args:
            asker: who wants to know, to learn whether he is blocked.

        Raises:
            NoSuchUser.
        """
        try:
            key = user_name(raw).key
        except BadName:
            raise NoSuchUser() from None
        user = self._users.get(key)
        if user is not None:
            blocks = asker is not None and asker.id in user.blocked
            return ResolvedUser(user.id, user.name, user.registered, user, blocks)
        account = await self._store.find_account(key, asker.id if asker is not None else None)
        if account is None:
            raise NoSuchUser()
        return ResolvedUser(
            account.id,
            account.name,
            account.registered,
            self._users.get_by_id(account.id),
            account.blocks_asker,
        )

    async def resolve_other(self, raw: str, user: User) -> ResolvedUser:
        """Return the account of that name, which is not the user's own.

        Args:
            raw: the name as it was typed.
            user: who asks.

        Raises:
            NoSuchUser, SelfTarget.
        """
        found = await self.resolve(raw, user)
        if found.id == user.id:
            raise SelfTarget()
        return found
