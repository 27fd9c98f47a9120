"""People: who is here, on which sessions, and how others learn of their coming and going.

An account that is not online is in the store alone. A temporary user whose connection was lost
is still known here, with no session, until he comes back or his time is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gtchat.chat.events import Event, LoggedIn, LoggedOut, Presence
from gtchat.chat.interfaces import IAudience, IOutlet
from gtchat.chat.rooms import Listeners, Room, SortedNames, outlets

#: Comings and goings told one by one within a second; beyond it they are told together.
SINGLY = 20


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
    audience: IAudience
    outlet: IOutlet
    token_hash: bytes
    port: int | None = None
    owed: int | None = 0

    def tell(self, *events: Event) -> None:
        """Tell this session alone."""
        self.audience.burst(events).tell((self.outlet,))


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
    lobby_read: int = 0
    unread: dict[int, int] = attrs.field(factory=dict)
    typed: Mapping[int, float] = MappingProxyType({})
    blocked: dict[int, str] = attrs.field(factory=dict)
    blocked_by: frozenset[int] = frozenset()
    address: str = ""
    expiry: IDelayedCall | None = None
    going: bool = False

    def forget(self, room: Room) -> None:
        """The user does not belong to a room any more."""
        self.rooms.pop(room, None)
        self.unread.pop(room.id, None)

    def read(self, room: Room) -> int:
        """The last entry of a room that counts as read."""
        return self.lobby_read if room.is_lobby else self.rooms.get(room, 0)

    def has_read(self, room: Room, seq: int, unread: int) -> None:
        """Entries up to one count as read from now on, and so many messages after it do not."""
        if room.is_lobby:
            self.lobby_read = seq
        elif room in self.rooms:
            self.rooms[room] = seq
        else:
            return  # he has been put out meanwhile
        self.unread.pop(room.id, None)
        if unread > 0:
            self.unread[room.id] = unread

    def tell(self, *events: Event) -> None:
        """Tell all sessions of this user."""
        for session in self.sessions:
            session.tell(*events)


class People:
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
        self.listeners = Listeners()
        self._presence = PresenceNews(clock, self.now, self.listeners)

    def __iter__(self) -> Iterator[User]:
        return iter(self._by_key.values())

    def now(self) -> int:
        """Milliseconds since 1970, UTC."""
        return int(self._wall() * 1000)

    def soon(self, call: Callable[..., None], *args: object) -> None:
        """Call something when what goes on now is done, after the answers that belong to it."""
        self._clock.callLater(0, call, *args)

    def get(self, key: str) -> User | None:
        """The user of that name, if known here."""
        return self._by_key.get(key)

    def numbered(self, account_id: int | None) -> User | None:
        """The user of that account, if known here."""
        return None if account_id is None else self._by_id.get(account_id)

    def blockers(self, user: User) -> list[Session]:
        """The sessions of those here who block a user."""
        found = (self.numbered(blocker) for blocker in user.blocked_by)
        return [session for blocker in found if blocker for session in blocker.sessions]

    def add(self, user: User) -> None:
        """A user is known here from now on."""
        self._by_key[user.key] = user
        self._by_id[user.id] = user

    def discard(self, user: User) -> None:
        """A user is not known here any more."""
        if self._by_id.pop(user.id, None):
            del self._by_key[user.key]

    def enter(self, session: Session, rooms: list[Room]) -> None:
        """A session begins: it hears its rooms, and others learn that its user is here."""
        user = session.user
        user.address = session.outlet.address
        if user.expiry is not None:
            user.expiry.cancel()
            user.expiry = None
        user.sessions.append(session)
        for room in rooms:
            room.listeners.add(session)
        if len(user.sessions) == 1:
            self.online.add(user.name)
            self._presence.came(user.name, self.now())
        self.listeners.add(session)

    def leave(self, session: Session, rooms: list[Room]) -> None:
        """A session ends: it hears nothing any more; the last one of a user takes him along."""
        user = session.user
        user.sessions.remove(session)
        self.listeners.discard(session)
        for room in rooms:
            room.listeners.discard(session)
        if not user.sessions:
            self.online.discard(user.name)
            self._presence.went(user.name, self.now())
            if user.registered:
                self.discard(user)

    def tell_all(self, event: Event, but: Session | None = None) -> int:
        """Tell everybody who is logged in; how many people that are."""
        self.listeners.tell([event], outlets([but]) if but else ())
        alone = but is not None and len(but.user.sessions) == 1
        return len(self.online) - alone

    def stop(self) -> None:
        """Leave no timer behind."""
        self._presence.stop()
        for user in self:
            if user.expiry is not None:
                user.expiry.cancel()
                user.expiry = None


class PresenceNews:
    """Tells comings and goings: at once while they are few, else once a second for all."""

    def __init__(self, clock: IReactorTime, now: Callable[[], int], listeners: Listeners) -> None:
        self._clock = clock
        self._now = now
        self._listeners = listeners
        self._second = 0.0
        self._told = 0
        self._logins: dict[str, None] = {}
        self._logouts: dict[str, None] = {}
        self._later: IDelayedCall | None = None

    def came(self, name: str, at: int) -> None:
        """A person came; told before the new session listens."""
        if self._singly():
            self._listeners.tell([LoggedIn(usr=name, at=at)])
        elif name in self._logouts:
            del self._logouts[name]
        else:
            self._logins[name] = None

    def went(self, name: str, at: int) -> None:
        """A person went."""
        if self._singly():
            self._listeners.tell([LoggedOut(usr=name, at=at)])
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
        if self._told <= SINGLY:
            return True
        self._later = self._clock.callLater(1.0, self._tell)
        return False

    def _tell(self) -> None:
        """Tell all that has gathered, and go on gathering as long as there is any."""
        self._later = None
        if not self._logins and not self._logouts:
            return
        event = Presence(
            logins=tuple(self._logins),
            logouts=tuple(self._logouts),
            at=self._now(),
        )
        self._logins, self._logouts = {}, {}
        self._later = self._clock.callLater(1.0, self._tell)
        self._listeners.tell([event])

    def stop(self) -> None:
        """Leave no timer behind."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
