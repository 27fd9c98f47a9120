"""How a server stands among those of its chat, as its heartbeat tells and `gtchat nodes` shows."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs


@attrs.define(eq=False)
class NodeStanding:
    """How far a server is behind what the others have stored, and whether it is about to stop.

    It is set in the reactor thread, and read in that of the heartbeat.

    Args:
        now: returns monotonic seconds.

    Attributes:
        draining: whether it is about to stop, and has new users sent to others meanwhile.
        behind_since: the time of `now` since which it misses something, None if it has all.
    """

    now: Callable[[], float] = time.monotonic
    draining: bool = False
    behind_since: float | None = None

    def lag(self) -> float:
        """Return for how many seconds something has been missing here, 0.0 if nothing is."""
        since = self.behind_since
        return 0.0 if since is None else max(0.0, self.now() - since)
