"""Connections to PostgreSQL that get no answer: their sockets are shut down.

A thread that waits for an answer waits as long as the socket is open. The time limit of a statement
does not help if the server cannot say that it is over; nor does TCP's own limit on a Unix socket,
or behind a proxy that acknowledges everything and forwards nothing. After the shutdown the thread
sees that its connection is lost, and does what it does then.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from threading import Lock
from typing import Any

import psycopg
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from gtchat.store.sql.database import PostgresSQL

#: Seconds beyond the time limit of a statement that the server has to answer.
GRACE_S = 3.0
#: Seconds between two looks, by which a shutdown may come later.
LOOK_S = 1.0
#: Time limit of a statement, in seconds, as long as the server has not said its own.
_USUAL_LIMIT_S = 10.0


class PostgresConnection(psycopg.Connection[Any], PostgresSQL):
    """A connection on which only explicit statements begin and end transactions.

    Attributes:
        calls: how often a statement began or ended: odd while one waits for its answer.
        limit: seconds that a statement may take, None if there is no limit.
        patience: seconds to wait for an answer, None for any time.
    """

    calls = 0
    limit: float | None = None
    patience: float | None = _USUAL_LIMIT_S + GRACE_S
    _socket: socket.socket | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._guard = Lock()
        #: Statements that wait for the next one, with their parameters.
        self._unsent: list[tuple[str, Any]] = []

    def keep_socket(self) -> None:
        """Prepare for `shut_down`, and read the time limit of statements.

        A handle of its own: the number of the driver's may be that of another file meanwhile.
        """
        self._socket = socket.socket(fileno=os.dup(self.fileno()))
        row: Any = self.execute(
            "SELECT extract(epoch FROM current_setting('statement_timeout')::interval)::float8"
        ).fetchone()
        self.limit = row[0] or None
        self.limit_answers(True)

    def limit_answers(self, limited: bool) -> None:
        """Have the time limit of statements observed from now on, or not."""
        self.patience = self.limit + GRACE_S if limited and self.limit is not None else None

    def server_cursor(self, rows: int) -> psycopg.ServerCursor[Any]:
        """See `PostgresSQL.server_cursor`."""
        cursor = self.cursor(name="rows")
        cursor.itersize = rows
        return cursor

    def send(self, sql: str, parameters: Any) -> None:
        """See `PostgresSQL.send`."""
        self._unsent.append((sql, parameters))

    def execute(self, *args: Any, **options: Any) -> psycopg.Cursor[Any]:
        """Execute a statement; see `psycopg.Connection.execute`.

        What `send` got comes before it, in the same message; its errors are raised here.
        """
        if self._unsent and args[0].startswith("ROLLBACK"):
            self._unsent.clear()
        self.calls += 1
        try:
            return (
                self._execute_all(args, options)
                if self._unsent
                else super().execute(*args, **options)
            )
        finally:
            self.calls += 1

    def _execute_all(self, args: tuple[Any, ...], options: dict[str, Any]) -> psycopg.Cursor[Any]:
        unsent, self._unsent = self._unsent, []
        with self.pipeline():
            for statement in unsent:
                super().execute(*statement)
            return super().execute(*args, **options)

    def shut_down(self) -> None:
        """Let the statement fail that waits for an answer. Called in another thread."""
        with self._guard, suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        super().close()
        if self._socket is not None:
            with self._guard:
                self._socket.close()


class Watchdog:
    """Looks at connections once a second, in the reactor thread."""

    _log = Logger()

    def __init__(self) -> None:
        self._connections: set[PostgresConnection] = set()
        #: What `calls` was at the last look, and since when.
        self._seen: dict[PostgresConnection, tuple[int, float]] = {}
        self._looking: LoopingCall | None = None

    def add(self, db: PostgresConnection) -> None:
        """Look at a connection, too, until it is closed. Called in any thread."""
        self._connections.add(db)

    def start(self, clock: IReactorTime) -> None:
        """Look from now on."""
        self._clock = clock
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock
        self._looking.start(LOOK_S, now=False)

    def stop(self) -> None:
        """Look no more."""
        if self._looking is not None and self._looking.running:
            self._looking.stop()

    def cut_off(self) -> None:
        """Shut down all connections: what waits for an answer gets none."""
        for db in tuple(self._connections):
            db.shut_down()

    def _look(self) -> None:
        now = self._clock.seconds()
        for db in tuple(self._connections):
            if db.closed:
                self._connections.discard(db)
                self._seen.pop(db, None)
                continue
            calls, patience = db.calls, db.patience
            seen, since = self._seen.get(db, (-1, now))
            if calls != seen or not calls % 2:
                self._seen[db] = calls, now
            elif patience is not None and now - since > patience:
                self._seen[db] = calls, now
                self._log.warn("PostgreSQL has not answered for {s} s: cut off", s=now - since)
                db.shut_down()
