"""Presence: who is online, the events that tell all users of it, and what other nodes are told.

An event says what is, not what has changed: a client that has the list of users already may get a
login of a user who is in it, or a logout of one who is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gtchat.chat.elsewhere import Elsewhere
from gtchat.chat.events import LoggedIn, LoggedOut, PresenceChanged
from gtchat.chat.names import SortedNames
from gtchat.chat.node_store import INodeStore
from gtchat.chat.subscribers import Subscribers

#: Logins and logouts within a second that get an event each; later ones share one event.
PRESENCE_SINGLE_LIMIT = 20


class PresenceCoalescer:
    """Announces logins and logouts: at once while they are few, else together once a second.

    Args:
        clock: schedules calls, and returns monotonic seconds.
        now: returns the time of day in milliseconds since 1970, UTC.
        subscribers: who receives the events.
    """

    def __init__(
        self, clock: IReactorTime, now: Callable[[], int], subscribers: Subscribers
    ) -> None:
        self._clock = clock
        self._now = now
        self._subscribers = subscribers
        self._second = 0.0
        self._sent = 0
        #: Name -> whether the user is online now, of those who logged in or out.
        self._collected: dict[str, bool] = {}
        self._timer: IDelayedCall | None = None

    def logged_in(self, name: str, at: int) -> None:
        """Announce a login; called before the new session is subscribed.

        Args:
            name: the user's name as displayed.
            at: time of day in milliseconds since 1970, UTC.
        """
        if self._may_send_single():
            self._subscribers.publish([LoggedIn(usr=name, at=at)])
        else:
            self._collected[name] = True

    def logged_out(self, name: str, at: int) -> None:
        """Announce a logout; the arguments are those of `logged_in`."""
        if self._may_send_single():
            self._subscribers.publish([LoggedOut(usr=name, at=at)])
        else:
            # Also after a login: who logged in between has read a list of users with the name.
            self._collected[name] = False

    def _may_send_single(self) -> bool:
        """Return whether the next event is sent by itself; if not, start the timer."""
        if self._timer is not None:
            return False
        now = self._clock.seconds()
        if now - self._second >= 1.0:
            self._second, self._sent = now, 0
        self._sent += 1
        if self._sent <= PRESENCE_SINGLE_LIMIT:
            return True
        self._timer = self._clock.callLater(1.0, self._send_collected)
        return False

    def _send_collected(self) -> None:
        """Send what was collected in a second, and go on collecting if there was anything."""
        self._timer = None
        if not self._collected:
            return
        collected, self._collected = self._collected, {}
        event = PresenceChanged(
            logins=tuple(name for name, online in collected.items() if online),
            logouts=tuple(name for name, online in collected.items() if not online),
            at=self._now(),
        )
        self._timer = self._clock.callLater(1.0, self._send_collected)
        self._subscribers.publish([event])

    def stop(self) -> None:
        """Cancel the timer, and drop what was collected."""
        self._collected = {}
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Announcer:
    """Tells other nodes who is online here: at most once in a turn of the reactor.

    Args:
        store: tells them.
        clock: schedules calls.
    """

    def __init__(self, store: INodeStore, clock: IReactorTime) -> None:
        self._store = store
        self._clock = clock
        #: Account id -> its name if it is online here, else None; of those that other nodes do not
        #: know yet.
        self._changed: dict[int, str | None] = {}
        self._call: IDelayedCall | None = None

    def announce(self, account_id: int, name: str | None) -> None:
        """Tell other nodes soon that an account has come online, or is not online any more.

        Args:
            account_id: the account.
            name: its name if it is online now, None if it is not.
        """
        self._changed[account_id] = name
        if self._call is None:
            self._call = self._clock.callLater(0, self._send)

    def _send(self) -> None:
        """Tell what has changed in this turn."""
        self._call = None
        changed, self._changed = self._changed, {}
        came = {account_id: name for account_id, name in changed.items() if name is not None}
        self._store.announce(came, changed.keys() - came.keys())

    def stop(self) -> None:
        """Tell nothing more of what has changed."""
        self._changed = {}
        if self._call is not None:
            self._call.cancel()
            self._call = None


class Presence:
    """Who is online in the whole chat, and the events and announcements of it.

    Args:
        store: tells other nodes who is online here.
        clock: schedules calls, and returns monotonic seconds.
        now: returns the time of day in milliseconds since 1970, UTC.
        subscribers: who receives the events.

    Attributes:
        online: the names of all who are online, here or at another node.
        elsewhere: the accounts that are online at other nodes.
    """

    def __init__(
        self,
        store: INodeStore,
        clock: IReactorTime,
        now: Callable[[], int],
        subscribers: Subscribers,
    ) -> None:
        self._now = now
        self._events = PresenceCoalescer(clock, now, subscribers)
        self._announcer = Announcer(store, clock)
        #: Ids of the accounts that are online here.
        self._here: set[int] = set()
        self.online = SortedNames()
        self.elsewhere = Elsewhere()

    def is_online(self, account_id: int) -> bool:
        """Return whether an account is online, here or at another node."""
        return account_id in self._here or account_id in self.elsewhere

    def came(self, account_id: int, name: str) -> None:
        """Take note that an account has come online here; called before it is subscribed.

        Args:
            account_id: the account.
            name: its name as displayed.
        """
        self._here.add(account_id)
        self._announcer.announce(account_id, name)
        if account_id not in self.elsewhere:
            self._logged_in(name)

    def went(self, account_id: int, name: str) -> None:
        """Take note that an account is not online here any more; see `came`."""
        self._here.discard(account_id)
        self._announcer.announce(account_id, None)
        if account_id not in self.elsewhere:
            self.online.discard(name)
            self._announce_logouts((name,))

    def begin(self, accounts: Iterable[tuple[int, str, Iterable[int]]]) -> None:
        """Begin with the accounts that are online at other nodes.

        Args:
            accounts: (account id, name as displayed, other nodes) of each.
        """
        names = []
        for account_id, name, node_ids in accounts:
            names.append(name)
            for node_id in node_ids:
                self.elsewhere.came(node_id, {account_id: name})
        self.online = SortedNames(sorted(names))

    def came_elsewhere(self, node_id: int, accounts: Mapping[int, str]) -> None:
        """Take note that accounts have come online at another node.

        Args:
            node_id: the node.
            accounts: account id -> name as displayed.
        """
        for account_id, name in self.elsewhere.came(node_id, accounts).items():
            if account_id not in self._here:
                self._logged_in(name)

    def went_elsewhere(self, node_id: int, accounts: Iterable[int]) -> None:
        """Take note that accounts are not online any more at another node."""
        self._went(self.elsewhere.went(node_id, accounts))

    def node_gone(self, node_id: int) -> None:
        """Take note that another node has ended, and with it all that was online there."""
        self._went(self.elsewhere.node_gone(node_id))

    def _went(self, accounts: Mapping[int, str]) -> None:
        """Take note of accounts, with their names, that are at no other node any more."""
        here = self._here
        names = [name for account_id, name in accounts.items() if account_id not in here]
        self.online.discard_all(names)
        self._announce_logouts(names)

    def _logged_in(self, name: str) -> None:
        """List a name, and announce it."""
        self.online.add(name)
        self._events.logged_in(name, self._now())

    def _announce_logouts(self, names: Iterable[str]) -> None:
        """Announce names that were removed, but those that new temporary users have by now."""
        now = self._now()
        for name in names:
            if name not in self.online:
                self._events.logged_out(name, now)

    def clear(self) -> None:
        """Forget who is online, without an event."""
        self.stop()
        self._here = set()
        self.online, self.elsewhere = SortedNames(), Elsewhere()

    def stop(self) -> None:
        """Cancel all timers. What users and other nodes would be told by them is dropped."""
        self._events.stop()
        self._announcer.stop()
