"""The clock of a node: that of PostgreSQL, where the machine's differs from it.

What a node stores with its time counts at all others: the ends of bans, mutes and suspensions, the
last message of a user where slow mode is on, when a session was lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs
from twisted.logger import Logger

from gtchat.store.sql.database import Connection

#: Seconds by which the clocks may differ, beside the time that the answer took. NTP keeps them much
#: closer; an offset that followed each measurement would move the clock back now and then.
TOLERANCE_S = 1.0
_TIME = "SELECT extract(epoch FROM clock_timestamp())::float8"


@attrs.define(eq=False)
class NodeClock:
    """Returns the time in seconds since 1970, UTC, in any thread.

    Args:
        wall: the clock of the machine, in the same unit.

    Attributes:
        offset: seconds that are added to it.
    """

    _log = Logger()

    _wall: Callable[[], float] = time.time
    offset: float = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self._wall() + self.offset

    def measure(self, db: Connection) -> None:
        """Compare the clock with that of PostgreSQL, and go by that one if they differ.

        Raises:
            psycopg.Error: the database does not answer.
        """
        before = self._wall()
        there = db.execute(_TIME).fetchone()[0]
        after = self._wall()
        offset = there - (before + after) / 2
        if abs(offset - self.offset) <= TOLERANCE_S + abs(after - before) / 2:
            return
        self.offset = 0.0 if abs(offset) <= TOLERANCE_S else offset
        if self.offset:
            self._log.warn(
                "The clock of this machine is {s:.0f} s {where} PostgreSQL's, which counts: run NTP"
                " on both.",
                s=abs(offset),
                where="behind" if offset > 0 else "ahead of",
            )
        else:
            self._log.info("The clock of this machine agrees with that of PostgreSQL again.")
