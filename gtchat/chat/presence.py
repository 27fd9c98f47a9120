"""Presence: the events that tell all users who has logged in or out."""

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
        self._logins: dict[str, None] = {}
        self._logouts: dict[str, None] = {}
        self._timer: IDelayedCall | None = None

    def logged_in(self, name: str, at: int) -> None:
        """Announce a login; called before the new session is subscribed.

        Args:
            name: the user's name as displayed.
            at: time of day in milliseconds since 1970, UTC.
        """
        if self._may_send_single():
            self._subscribers.publish([LoggedIn(usr=name, at=at)])
        elif name in self._logouts:
            del self._logouts[name]
        else:
            self._logins[name] = None

    def logged_out(self, name: str, at: int) -> None:
        """Announce a logout; the arguments are those of `logged_in`."""
        if self._may_send_single():
            self._subscribers.publish([LoggedOut(usr=name, at=at)])
        elif name in self._logins:
            del self._logins[name]
        else:
            self._logouts[name] = None

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
        if not self._logins and not self._logouts:
            return
        event = PresenceChanged(
            logins=tuple(self._logins),
            logouts=tuple(self._logouts),
            at=self._now(),
        )
        self._logins, self._logouts = {}, {}
        self._timer = self._clock.callLater(1.0, self._send_collected)
        self._subscribers.publish([event])

    def stop(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
