"""The panic switch: what an operator turns on while the chat is raided, until a time.

While it is on no account can be registered, and no guest logs in (`access` asks here). Guests who
are logged in, and accounts that are new, can read and not speak: those who raid have come lately.
Each other account says one thing every `panic_slow_seconds`, wherever that is: a message, an edit,
the reason of a deletion, a reaction, a new room, an invitation, the text of the profile. It is a
choice of operators as others of `access`, so that it holds at all nodes and after a restart; each
node counts what is said there.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gtchat.chat.errors import SlowMode
from gtchat.chat.limits import Limits
from gtchat.chat.moderation import ModeratedPlace, Rank, rank_of
from gtchat.chat.names import HOST
from gtchat.chat.token_buckets import BucketTable
from gtchat.chat.users import Session

#: Name of the choice; its value is the time of the end in milliseconds since 1970, UTC, and behind
#: a space the id of the first account that is new. Ids ascend, so those above it are new, too.
PANIC = "panic"
_VALUE = re.compile(r"(\d{1,16}) (\d{1,18})", re.ASCII)
#: Longest time for which it is on, in milliseconds; the usual one, and the age of new accounts.
MAX_MS, USUAL_MS, NEW_MS = 7 * 24 * 3600 * 1000, 3600 * 1000, 3600 * 1000
#: Seconds after which one more refused request of an account is looked up in the store.
LOOK_UP_S = 10


def _slow_rate(limits: Limits) -> tuple[float, float]:
    seconds = limits.panic_slow_seconds
    return (1 / seconds, 1.0) if seconds else (0.0, 0.0)


def _look_up_rate(limits: Limits) -> tuple[float, float]:
    """Return how many refused requests of an account may have been done before.

    A client has no reply to more than `commands_burst` when its connection ends. In PostgreSQL each
    look-up takes the writer a round trip: those who raid the chat must not have one per request.
    """
    return 1 / LOOK_UP_S, limits.commands_burst


class PanicMode:
    """Says whether the panic switch is on, and who may speak then.

    Args:
        limits: the limits that the operator set.
        seconds: returns monotonic seconds.
        wall: returns the time of day in seconds since 1970.

    Attributes:
        until: when it ends or has ended, in milliseconds since 1970, UTC; 0 if it is off.
        new_from: id of the first account that is new, 0 for none.
    """

    def __init__(
        self, limits: Limits, seconds: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self._wall = wall
        self._said = BucketTable(limits.rate(_slow_rate), seconds)
        self._looked_up = BucketTable(limits.rate(_look_up_rate), seconds)
        self.until = self.new_from = 0

    def take(self, value: str | None) -> None:
        """Take note of the choice; None, or what is none of its values: it is off."""
        found = _VALUE.fullmatch(value or "")
        self.until, self.new_from = map(int, found.groups()) if found else (0, 0)

    @property
    def is_on(self) -> bool:
        """Whether it is on now."""
        return self.until > self._wall() * 1000

    def check(
        self, session: Session, room: ModeratedPlace | None = None, txn: str | None = None
    ) -> SlowMode | None:
        """Check that a user may say something, and count it if the switch is on.

        Operators may at any time, and in a room those who moderate it.

        Args:
            session: a session of the user.
            room: where, None for no room.
            txn: the idempotency key of the request, None if it has none.

        Returns:
            None if the user may; else, of a request with a txn, its refusal, which the store gives
            it unless it was done before: see `PendingEntry.refusal`. That is looked up for a few
            requests of an account; others are refused at once, and can be sent again.

        Raises:
            SlowMode: the user has just said something, or has no account, or a new one.
        """
        refusal = self._find_refusal(session, room) if self.until else None
        if refusal is not None and (txn is None or self._looked_up.take(session.user.id)):
            raise refusal
        return refusal

    def _find_refusal(self, session: Session, room: ModeratedPlace | None) -> SlowMode | None:
        left = self.until / 1000 - self._wall()
        user = session.user
        if left <= 0 or session.operator or user.key == HOST.key:
            return None
        if room is not None and rank_of(room, user.id, user.name) >= Rank.MODERATOR:
            return None
        if not user.registered or 0 < self.new_from <= user.id:
            return SlowMode(
                "Guests and new accounts can only read at the moment.", retry_after=left
            )
        if wait := self._said.take(user.id):
            return SlowMode(
                "The whole chat is in slow mode. Wait before you say more.", retry_after=wait
            )
        return None
