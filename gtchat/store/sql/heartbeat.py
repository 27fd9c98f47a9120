"""The heartbeat of a node: its row is prolonged, and nodes whose rows have expired are ended.

A row lives for `LIFE_S` on the clock of PostgreSQL. A node that could not prolong it for that long
counts as given up: another one may have ended it. So the heartbeat has a thread and a connection of
its own, and the end of another node, which may wait for a batch, has others.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from threading import Event, Thread
from typing import Protocol

import psycopg
from twisted.logger import Logger

from gtchat.store.sql import expiry
from gtchat.store.sql.database import Connection
from gtchat.store.sql.node_clock import NodeClock
from gtchat.store.sql.node_ports import NodePorts
from gtchat.store.sql.node_standing import NodeStanding

#: Seconds between two beats, and after the last one that a node lives.
BEAT_S = 1.0
LIFE_S = 3.0
#: Seconds to the next beat after one that failed. PostgreSQL may be back before the row expires.
RETRY_S = 0.2
#: Beats between two looks for guests that no node waits for.
ORPHANS = 600

_PROLONG = (
    f"UPDATE nodes SET expires = clock_timestamp() + interval '{LIFE_S} s', url = %s,"
    " lag = %s, draining = %s WHERE id = %s AND expires > clock_timestamp()"
)
_OTHERS = "SELECT id, url, expires < clock_timestamp() FROM nodes WHERE id <> %s ORDER BY id"


class HeartbeatDatabase(Protocol):
    """Opens the connections of a heartbeat: `PostgresDatabase`.

    Attributes:
        ports: what the nodes tell each other.
        standing: what each beat tells of this node.
        wall: tells the time by which the node goes; each beat measures it.
    """

    ports: NodePorts
    standing: NodeStanding
    wall: NodeClock

    def open_heartbeat(self) -> Connection:
        """Return a new connection whose statements end within a second."""

    def open_expiry(self) -> Connection:
        """Return a new connection that waits for locks as one that writes."""

    def reason(self, error: Exception) -> str:
        """See `Database.reason`."""


class Heartbeat:
    """Keeps the row of a node that has loaded the chat.

    Args:
        database: opens connections.
        node_id: the node.
        lost: called in a thread of the heartbeat, once, when the row is gone.
        told: called in a thread of the heartbeat with the seq of an entry of the system log, when
            it has ended another node.
        seconds: returns monotonic seconds.
    """

    _log = Logger()

    def __init__(
        self,
        database: HeartbeatDatabase,
        node_id: int,
        lost: Callable[[], None],
        told: Callable[[int], None],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._node_id = node_id
        self._lost = lost
        self._told = told
        self._seconds = seconds
        self._stopped = Event()
        self._db: Connection | None = None
        self._prolonged = seconds()
        self._beats = 0
        #: Ends another node, None while there is none to end.
        self._ending: Thread | None = None

    def start(self) -> None:
        """Beat from now on."""
        Thread(target=self._run, name="gtchat heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Beat no more. Does not wait for a beat that is under way."""
        self._stopped.set()

    def is_overdue(self) -> bool:
        """Return whether the row may have expired. Called in any thread."""
        return self._seconds() - self._prolonged > LIFE_S

    def _run(self) -> None:
        reported = ""
        while True:
            alive, wait = True, BEAT_S
            try:
                alive = self.beat()
                reported = ""
            except psycopg.Error as error:
                self._disconnect()
                wait = RETRY_S
                reason = self._database.reason(error)
                if reason != reported:
                    reported = reason
                    self._log.warn(
                        "The row of this node was not prolonged: {reason}", reason=reason
                    )
            except Exception:  # a bug: the row expires, and the node is lost, if it stays
                self._disconnect()
                self._log.failure("The row of this node was not prolonged.")
            if not alive and not self._stopped.is_set():
                self._lost()
            if not alive or self._stopped.wait(wait):
                self._disconnect()
                return

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def beat(self) -> bool:
        """Prolong the row, and look at those of the others, which may have expired.

        Returns:
            Whether the row was still there, and had not expired.

        Raises:
            psycopg.Error: the database does not answer.
        """
        began = self._seconds()
        if self._db is None:
            self._db = self._database.open_heartbeat()
        ports, standing = self._database.ports, self._database.standing
        told = (ports.told, standing.lag(), standing.draining, self._node_id)
        if self._db.execute(_PROLONG, told).rowcount != 1:
            return False
        self._prolonged = began
        self._beats += 1
        self._database.wall.measure(self._db)
        others = self._db.execute(_OTHERS, (self._node_id,)).fetchall()
        ports.hear(url for _, url, _ in others)
        expired = next((id_ for id_, _, is_expired in others if is_expired), None)
        if expired is not None:
            self._begin(lambda db, at: expiry.expire(db, expired, self._node_id, at))
        elif self._beats % ORPHANS == 0:
            self._begin(lambda db, at: expiry.adopt_orphans(db, self._node_id, at))
        return True

    def _begin(self, function: Callable[[Connection, int], int | None]) -> None:
        """Call a function with a connection and the time, in a thread, unless one is under way."""
        if self._ending is None or not self._ending.is_alive():
            self._ending = Thread(target=self._end, args=(function,), daemon=True)
            self._ending.start()

    def _end(self, function: Callable[[Connection, int], int | None]) -> None:
        try:
            with closing(self._database.open_expiry()) as db:
                told = function(db, int(self._database.wall() * 1000))
        except psycopg.Error as error:
            reason = self._database.reason(error)
            self._log.warn("Another node could not be ended: {reason}", reason=reason)
            return
        except Exception:
            self._log.failure("Another node could not be ended.")
            return
        if told is not None:
            self._told(told)
