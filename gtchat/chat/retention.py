"""How much of a log is kept: what operators and owners of rooms set, and the rule.

What is removed is a prefix of the log. The stores do it in slices; what a room was behind what is
removed they keep as a snapshot.
"""

from __future__ import annotations

from typing import TypeVar

import attrs

N = TypeVar("N", int, float)

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


def _narrower(one: N, other: N) -> N:
    """Return the smaller of two limits, of which 0 is none."""
    return min(one, other) if one and other else one or other


@attrs.frozen
class Keep:
    """How much of a log is kept: what either says is too much is removed. 0 for no limit.

    Attributes:
        messages: so many of the newest messages.
        days: what is not older than so many days.
    """

    messages: int = 0
    days: int | float = 0

    def narrowed(self, other: Keep) -> Keep:
        """Return what is kept where another limit holds as well."""
        return Keep(_narrower(self.messages, other.messages), _narrower(self.days, other.days))


KEEP_ALL = Keep()


@attrs.frozen
class Retention:
    """How much of all logs is kept at a time.

    Entries of the last hour always are: nodes that catch up read them, and clients that were
    disconnected for a moment resume with them.

    Attributes:
        at: now, in milliseconds since 1970, UTC; 0 to keep all.
        keep: what the server keeps of each log.
    """

    at: int = 0
    keep: Keep = KEEP_ALL

    def removes(self, keep: Keep, made_at: int, later: int) -> bool:
        """Return whether an entry is removed, given that all entries before it are.

        Args:
            keep: what is kept of its log, narrowed by what the server keeps.
            made_at: when it was made, in milliseconds since 1970, UTC.
            later: number of messages behind it.
        """
        age = self.at - made_at
        if age <= _HOUR_MS:
            return False
        is_old = bool(keep.days) and age > keep.days * _DAY_MS
        return is_old or bool(keep.messages) and later >= keep.messages


NOTHING_REMOVED = Retention()
