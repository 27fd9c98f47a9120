"""A PostgreSQL database: open connections, number commits, say what to do about an error.

The driver is psycopg 3, used as SQLite's is: it blocks in the threads that write and read. What
connections are made with is in `postgres_address`, how the schema is created in `postgres_schema`.

By the number of its last commit (`nodes`) a server finds out whether a commit took place whose
answer was lost, and whether other nodes have given it up since.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from typing import Any, cast

import psycopg
from psycopg import pq
from psycopg.types.numeric import Int8Dumper
from twisted.internet.interfaces import IReactorTime

from gtchat.chat.node_records import SYSTEM_ID
from gtchat.store.sql import joining, nodes, postgres_schema
from gtchat.store.sql.database import (
    Connection,
    Cursor,
    Database,
    StoreError,
    StoreUnavailable,
    UncertainCommit,
)
from gtchat.store.sql.living import Life, LivingStore
from gtchat.store.sql.node_clock import NodeClock
from gtchat.store.sql.node_life import NodeLife
from gtchat.store.sql.node_ports import NodePorts
from gtchat.store.sql.node_standing import NodeStanding
from gtchat.store.sql.nodes import Node, NodeExpired, WrittenByAnother
from gtchat.store.sql.postgres_address import (
    HEARTBEAT,
    MAINTENANCE,
    READ_ONLY,
    READER,
    SEARCHER,
    WRITER,
    PostgresAddress,
)
from gtchat.store.sql.watchdog import PostgresConnection, Watchdog

#: Seconds that a statement has which reads what a load has found.
_MOMENT_S = 300.0
#: Row of a node that writes alone: nothing has to wait for its end.
_ALONE_S = 0.0
#: Statements that a connection keeps prepared; each size of a bulk insert is one.
_PREPARED = 400
#: Errors of a transaction that met another one.
#: Source: PostgreSQL's documentation, "PostgreSQL Error Codes": 40P01, 40001, 55P03.
_CONFLICTS = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.LockNotAvailable,
)
#: Errors that may be over without a change of settings. After a failover the address may lead to a
#: standby that takes no writes yet.
_PASSING = (
    psycopg.OperationalError,
    psycopg.errors.ReadOnlySqlTransaction,
    UncertainCommit,
    WrittenByAnother,
)
#: Severities of errors after which the server closes the connection.
_FATAL = ("FATAL", "PANIC")
#: Milliseconds to wait for the end of the connection that was lost.
_END_MS = 5_000
_SIZE = (
    "SELECT pg_database_size(current_database()),"
    " has_function_privilege('pg_ls_waldir()', 'execute')"
)
_WAL_SIZE = "SELECT sum(size) FROM pg_ls_waldir()"
_OWN_BACKEND = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"


class PostgresDatabase(Database):
    """A database of a PostgreSQL server.

    Args:
        url: where it is, `postgresql://…`: any URI of libpq.
        node: name of this node; "" for that of the machine with the number of the process.
        wall: returns the time in seconds since 1970, UTC, by the machine's clock.

    Attributes:
        alone: whether no other server may use it meanwhile.
        ports: those of all servers.
        standing: how this server stands among them.
        wall: tells the time by which this server goes.

    Raises:
        StoreError: that is no such URI.
    """

    errors = (psycopg.Error, WrittenByAnother, UncertainCommit)
    has_nodes = True

    def __init__(self, url: str, node: str = "", wall: Callable[[], float] = time.time) -> None:
        self._address = PostgresAddress(url)
        self.alone = False
        self.ports = NodePorts()
        self.standing = NodeStanding()
        self.wall = NodeClock(wall)
        self._node = Node(node, self.wall)
        self._watchdog = Watchdog()
        self._waits_for_disk = True
        #: Number of the process of PostgreSQL that writes for this server, and when it began: after
        #: a restart of PostgreSQL another one may have the number, for instance that of a node.
        self._backend: tuple[int, datetime] | None = None

    @property
    def node_id(self) -> int | None:
        """See `Database.node_id`."""
        return self._node.id

    @property
    def name(self) -> str:
        """The database without secrets."""
        return self._address.name

    def __str__(self) -> str:
        return f"the {self.name}"

    def prepare(self) -> None:
        """Create the schema if there is none, and migrate it if it is of an older revision.

        Raises:
            StoreError: the database cannot be used.
        """
        try:
            postgres_schema.prepare(lambda: self._connect(WRITER), self.name)
        except self.errors as error:
            raise self.refused(error) from error

    def require_newest(self) -> None:
        """Check a database that is only read.

        Raises:
            StoreError: it has no chat, or is of another revision.
        """
        with closing(self.open_reader()) as db:
            postgres_schema.require_newest(db, self.name)

    def refused(self, error: Exception) -> StoreError:
        """Return the reason why the database cannot be used, for an error of the driver."""
        kind = StoreUnavailable if isinstance(error, _PASSING) else StoreError
        return kind(self.describe(error))

    def _connect(self, settings: dict[str, str]) -> PostgresConnection:
        db = PostgresConnection.connect(
            self._address.conninfo, autocommit=True, options=self._address.options(settings)
        )
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _connect_to_read(self, settings: dict[str, str]) -> PostgresConnection:
        db = self._connect(settings)
        try:
            db.execute(READ_ONLY)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: PostgresConnection) -> None:
        # One type for all numbers: a statement is prepared once, not for each size of a number.
        db.adapters.register_dumper(int, Int8Dumper)
        db.prepared_max = _PREPARED
        self._watchdog.add(db)
        db.keep_socket()

    def sizes(self, db: Connection) -> Mapping[str, int]:
        """See `Database.sizes`. That of the log needs the role pg_monitor."""
        [(size, may_see)] = db.execute(_SIZE)
        wal = db.execute(_WAL_SIZE).fetchone()[0] if may_see else None
        return {"database": size} if wal is None else {"database": size, "wal": int(wal)}

    def leave(self, db: Connection) -> Mapping[int, int]:
        """See `Database.leave`."""
        told = self._node.leave(db)
        return {} if told is None else {SYSTEM_ID: told}

    def life(self, reactor: Any, store: LivingStore) -> Life | None:
        """See `Database.life`."""
        return NodeLife(reactor, self, store)

    def start_watching(self, clock: IReactorTime) -> None:
        """See `Database.start_watching`."""
        self._watchdog.start(clock)

    def stop_watching(self) -> None:
        """See `Database.stop_watching`."""
        self._watchdog.stop()

    def renew(self) -> None:
        """Have the next connection that writes enter as a new node."""
        self._node.renew()

    def cut_off(self) -> None:
        """Let all calls fail that wait for an answer. Called in any thread."""
        self._watchdog.cut_off()

    def open_writer(self) -> Connection:
        """See `Database.open_writer`: until this connection ends, none writes alone."""
        db = self._connect(WRITER)
        try:
            self.wait_for_disk(db, True)
            self.wall.measure(db)
            self._end_predecessor(db)
            self._lock(db)
            if self._node.entered:
                self._node.find_commits(db)
            elif self.alone:
                self._node.enter(db, _ALONE_S)
            else:
                self._node.enter(db)
        except BaseException:
            db.close()
            raise
        self._backend = db.execute(_OWN_BACKEND).fetchone()
        return db

    def _end_predecessor(self, db: PostgresConnection) -> None:
        """End the process of the connection that was lost, which may not have noticed."""
        if self._backend is not None:
            db.execute(
                "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity"
                " WHERE pid = %s AND backend_start = %s AND usename = current_user",
                (_END_MS, *self._backend),
            )

    def _lock(self, db: PostgresConnection) -> None:
        """Let no server write alone until the connection ends, or no other one write at all."""
        shared = "" if self.alone else "_shared"
        try:
            db.execute(f"SELECT pg_advisory_lock{shared}({nodes.WRITER_LOCK})")
        except psycopg.errors.LockNotAvailable as error:
            raise WrittenByAnother("another server uses it: stop that one") from error
        if self.alone:
            nodes.delete_others(db, self._node)

    def open_reader(self) -> Connection:
        """See `Database.open_reader`."""
        return self._connect_to_read(READER)

    def open_searcher(self) -> Connection:
        """See `Database.open_searcher`."""
        return self._connect_to_read(SEARCHER)

    def open_heartbeat(self) -> Connection:
        """Return a new connection that prolongs the row of the node."""
        return self._connect(HEARTBEAT)

    def open_maintenance(self) -> PostgresConnection:
        """Return a new connection whose statements may take as long as they need."""
        db = self._connect(MAINTENANCE)
        db.limit_answers(False)
        return db

    def open_expiry(self) -> Connection:
        """Return a new connection that ends another node."""
        return self._connect(WRITER)

    def check(self) -> None:
        """See `Database.check`: a connection that is open leads to the same database."""

    def begin(self, db: Connection, then: str = "") -> Cursor | None:
        """See `Database.begin`."""
        return self._begin(db, then=then)

    def begin_long(self, db: Connection) -> None:
        """See `Database.begin_long`."""
        self._begin(db, f"BEGIN; {postgres_schema.WITHOUT_TIME_LIMIT}", is_long=True)

    def begin_load(self, db: Connection) -> None:
        """See `Database.begin_load`.

        What the transaction sees is settled by its first statement: the lock is taken before, and
        handed over to the transaction, with which it ends. A node that stops meanwhile does not
        keep others from loading for longer than it may take itself.
        """
        if self._node.id is not None:
            joining.prolong(db, self._node.id)
        db.execute(f"SELECT pg_advisory_lock({joining.START_LOCK})")
        begin = (
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL statement_timeout = 0;"
            f" SET LOCAL idle_in_transaction_session_timeout = '{joining.START_S}s';"
            f" SELECT pg_advisory_xact_lock({joining.START_LOCK});"
            f" SELECT pg_advisory_unlock({joining.START_LOCK})"
        )
        self._begin(db, begin, is_long=True)

    def open_same_moment(self, db: Connection) -> Connection:
        """See `Database.open_same_moment`."""
        [(snapshot,)] = db.execute("SELECT pg_export_snapshot()")
        reader = self._connect(READER)
        try:
            self.begin_long_read(reader)
            reader.patience = _MOMENT_S  # logins wait for what it reads
            reader.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        except BaseException:
            reader.close()
            raise
        return reader

    def _begin(
        self, db: Connection, begin: str = "BEGIN", is_long: bool = False, then: str = ""
    ) -> Cursor | None:
        """Begin a transaction, count it, and execute a statement: all in one message.

        Raises:
            NodeExpired: the server's row is gone, or has another number.
        """
        connection = cast(PostgresConnection, db)
        connection.limit_answers(not is_long)
        cursor = connection.execute(f"{begin}; {self._count()}; {then}", prepare=False)
        while not (cursor.statusmessage or "").startswith("UPDATE"):
            cursor.nextset()
        if cursor.rowcount != 1:
            raise NodeExpired()
        return cursor if cursor.nextset() else None

    def _count(self) -> str:
        """Return the first statement of a transaction."""
        return self._node.count()

    def begin_read(self, db: Connection) -> None:
        """See `Database.begin_read`."""
        db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def begin_long_read(self, db: Connection) -> None:
        """Begin a transaction as `begin_read` that may take long."""
        self.begin_read(db)
        cast(PostgresConnection, db).limit_answers(False)
        db.execute(postgres_schema.WITHOUT_TIME_LIMIT)

    def commit(self, db: Connection) -> None:
        """See `Database.commit`."""
        try:
            cursor = cast(PostgresConnection, db).execute("COMMIT", prepare=False)
        except psycopg.Error as error:
            if error.diag.severity_nonlocalized == "ERROR":
                raise
            # A server that ends the connection gives no answer, or one that says so: either may
            # come after the commit.
            raise UncertainCommit(self.describe(error)) from error
        if cursor.statusmessage != "COMMIT":
            # PostgreSQL's documentation of COMMIT: "ROLLBACK", and no error, after a failure.
            raise psycopg.errors.InFailedSqlTransaction("a statement has failed: nothing is stored")
        self._node.committed(self._waits_for_disk)

    def was_committed(self) -> bool:
        """See `Database.was_committed`."""
        with closing(self.open_writer()) as db:
            return self._node.find_commits(db) == self._node.begun

    def is_lost(self, db: Connection, error: BaseException) -> bool:
        """See `Database.is_lost`: after a fatal error the driver may not have noticed the end."""
        is_fatal = isinstance(error, psycopg.Error) and error.diag.severity_nonlocalized in _FATAL
        return is_fatal or cast(PostgresConnection, db).closed

    def in_transaction(self, db: Connection) -> bool:
        """See `Database.in_transaction`."""
        status = cast(PostgresConnection, db).info.transaction_status
        return status != pq.TransactionStatus.IDLE

    def is_store_failure(self, error: Exception) -> bool:
        """See `Database.is_store_failure`."""
        failures = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)
        return isinstance(error, (*failures, WrittenByAnother))

    def is_conflict(self, error: Exception) -> bool:
        """See `Database.is_conflict`; a statement that took too long would do so again."""
        return isinstance(error, _CONFLICTS)

    def is_expired(self, error: Exception) -> bool:
        """See `Database.is_expired`."""
        return isinstance(error, NodeExpired)

    def wait_for_disk(self, db: Connection, on: bool) -> None:
        """See `Database.wait_for_disk`."""
        db.execute(f"SET synchronous_commit = {'on' if on else 'off'}")
        self._waits_for_disk = on

    def reason(self, error: Exception) -> str:
        """See `Database.reason`.

        Of an error of a statement it has the primary message: the details have whole rows.
        Source: PostgreSQL's documentation, "Error and Notice Message Fields".
        """
        primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
        text = super().reason(error if primary is None else Exception(primary))
        return self._address.without_password(text)

    def describe(self, error: Exception) -> str:
        """See `Database.describe`."""
        return f"The {self.name} can't be used: {self.reason(error).rstrip('.')}."
