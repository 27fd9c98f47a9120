"""The number of public rooms: where it takes long it is counted behind the start (PostgreSQL).

The count is as of the transaction that loads the chat, whose moment another connection shares.
What is stored since then is not in it, and the chat adds all of that, in whatever order it comes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from threading import Thread
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from gtchat.chat.errors import NotStored
from gtchat.store.sql import room_records
from gtchat.store.sql.database import Connection, Database


class PublicCount:
    """Counts the public rooms, once for each load.

    Args:
        reactor: an IReactorFromThreads.
        database: the database.
        failed: called when the rooms can't be counted, which are not counted again.
    """

    def __init__(self, reactor: Any, database: Database, failed: Callable[[Failure], None]) -> None:
        self._reactor = reactor
        self._database = database
        self._failed = failed
        self._total = 0
        #: Reads what the load has found; None where the count is known.
        self._moment: Connection | None = None
        #: The count of the last load, which may go on.
        self._counting: Deferred[int] | None = None

    def begin(self, db: Connection) -> None:
        """Settle what is counted. db: the connection that loads, within its transaction."""
        self.close()
        self._moment = self._database.open_same_moment(db)
        if self._moment is None:
            self._total = room_records.public_total(db)

    def count(self) -> Deferred[int]:
        """See `IRoomStore.count_public`. Called in the reactor thread."""
        moment, self._moment = self._moment, None
        if moment is None:
            return succeed(self._total)
        counting: Deferred[int] = Deferred()
        self._counting = counting
        args = (moment, counting)
        Thread(target=self._run, args=args, name="gtchat count", daemon=True).start()
        return counting

    def _run(self, moment: Connection, counting: Deferred[int]) -> None:
        """Count, and close the connection. Called in a thread."""
        try:
            with closing(moment):
                total = room_records.public_total(moment)
        except Exception:
            self._reactor.callFromThread(self._fail, counting, Failure())
        else:
            self._reactor.callFromThread(counting.callback, total)

    def _fail(self, counting: Deferred[int], failure: Failure) -> None:
        """Say that a count has failed, unless the chat was loaded anew since."""
        if counting is self._counting:
            self._failed(failure)
        counting.errback(NotStored())

    def close(self) -> None:
        """Count no more, if it has not begun."""
        moment, self._moment = self._moment, None
        if moment is not None:
            moment.close()
