"""Presence: the events that tell all users who has logged in or out.

An event says what is, not what has changed: a client that has the list of users already may get a
login of a user who is in it, or a logout of one who is not.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gtchat.chat.events import LoggedIn, LoggedOut, PresenceChanged
from gtchat.chat.rooms import Subscribers

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
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
