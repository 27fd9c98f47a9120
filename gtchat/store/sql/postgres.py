"""A PostgreSQL database: open connections, number commits, say what to do about an error.

The driver is psycopg 3, used as SQLite's is: it blocks in the threads that write and read. How the
schema is created is in `postgres_schema`.

The table `commits` has one number, which each commit of a server changes: the number of its start
times 2³² plus that of the commit. By it a server finds out whether a commit took place whose answer
was lost, and whether another server has written since.
"""

from __future__ import annotations

from typing import Any, cast

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.numeric import Int8Dumper

from gtchat.store.sql import postgres_schema
from gtchat.store.sql.database import (
    Connection,
    Database,
    PostgresSQL,
    StoreError,
    StoreUnavailable,
    UncertainCommit,
)

#: Parameters of each connection that the address may set otherwise.
_PARAMETERS = {"application_name": "gtchat", "connect_timeout": "5", "tcp_user_timeout": "3000"}
#: Settings of each session; those in the `options` of the address come after them. A client that
#: is gone, or that stops within a transaction, keeps its locks no longer than these times.
_SESSION = {
    "client_encoding": "UTF8",
    "default_transaction_isolation": "read\\ committed",
    "jit": "off",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
_WRITER = {
    "lock_timeout": "5s",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "1s",
}
_READER = {
    "statement_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
    "default_transaction_read_only": "on",
}
#: Statements that a connection keeps prepared; each size of a bulk insert is one.
_PREPARED = 400
#: The lock of the server that writes, with the schema that the tables are in: one of a database's
#: users may have several chats in as many schemas. Any number that is always the same.
_WRITER_LOCK = 0x47544369
#: Errors of a transaction that met another one.
#: Source: PostgreSQL's documentation, "PostgreSQL Error Codes": 40P01, 40001, 55P03.
_CONFLICTS = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.LockNotAvailable,
)
#: Severities of errors after which the server closes the connection.
_FATAL = ("FATAL", "PANIC")
#: Commits that a start has room for.
_COMMITS = 1 << 32
#: Milliseconds to wait for the end of the connection that was lost.
_END_MS = 5_000


class PostgresConnection(psycopg.Connection[Any], PostgresSQL):
    """A connection on which only explicit statements begin and end transactions."""


class WrittenByAnother(Exception):
    """The database is not as this server has left it."""


class PostgresDatabase(Database):
    """A database of a PostgreSQL server.

    Args:
        url: where it is, `postgresql://…`: any URI of libpq.

    Raises:
        StoreError: that is no such URI.
    """

    errors = (psycopg.Error, WrittenByAnother, UncertainCommit)

    def __init__(self, url: str) -> None:
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error:
            # The driver's text may have the password in it.
            raise StoreError(
                "The setting store is no address of PostgreSQL:"
                " use postgresql://USER@HOST/DATABASE, with % and two digits for other characters."
            ) from None
        self._options = str(given.pop("options", None) or "")
        parameters: dict[str, Any] = {**_PARAMETERS, **given}
        self._conninfo = make_conninfo(**parameters)
        #: The last commit, and the last one that waited for the disk; None before the first.
        self._commits: int | None = None
        self._durable = 0
        self._waits_for_disk = True
        #: Number of the process of PostgreSQL that writes for this server.
        self._backend: int | None = None

    @property
    def name(self) -> str:
        """The database without secrets."""
        given = conninfo_to_dict(self._conninfo)
        host = given.get("host") or given.get("hostaddr") or "localhost"
        return f"PostgreSQL database {given.get('dbname') or given.get('user') or ''} at {host}"

    def __str__(self) -> str:
        return f"the {self.name}"

    def prepare(self) -> None:
        """Create the schema if there is none.

        Raises:
            StoreError: the database cannot be used.
        """
        try:
            db = self._connect(_WRITER)
            try:
                self.begin_long(db)
                postgres_schema.prepare(db, self.name)
                db.execute("COMMIT")
            finally:
                db.close()
        except psycopg.Error as error:
            raise self.refused(error) from error

    def refused(self, error: Exception) -> StoreError:
        """Return the reason why the database cannot be used, for an error of the driver."""
        passing = isinstance(error, (psycopg.OperationalError, UncertainCommit, WrittenByAnother))
        kind = StoreUnavailable if passing else StoreError
        return kind(self.describe(error))

    def _connect(self, settings: dict[str, str]) -> PostgresConnection:
        db = PostgresConnection.connect(
            self._conninfo, autocommit=True, options=self._session(settings)
        )
        self._prepare(db)
        return db

    def _session(self, settings: dict[str, str]) -> str:
        """Return the settings of a session as libpq takes them."""
        ours = [f"-c {name}={value}" for name, value in {**_SESSION, **settings}.items()]
        return " ".join([*ours, self._options])

    def _prepare(self, db: PostgresConnection) -> None:
        # One type for all numbers: a statement is prepared once, not for each size of a number.
        db.adapters.register_dumper(int, Int8Dumper)
        db.prepared_max = _PREPARED

    def open_writer(self) -> Connection:
        """See `Database.open_writer`: no other server writes until this connection ends."""
        db = self._connect(_WRITER)
        try:
            self.wait_for_disk(db, True)
            self._lock(db)
            self._number_commits(db)
        except BaseException:
            db.close()
            raise
        self._backend = db.info.backend_pid
        return db

    def _lock(self, db: PostgresConnection) -> None:
        """Take the lock of the server that writes; it is released when the connection ends.

        The process of a connection that was lost may not have noticed, and have the lock.
        """
        db.execute(
            "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity WHERE pid = %s"
            " AND pid <> pg_backend_pid() AND usename = current_user"
            " AND datname = current_database()"
            " AND application_name = current_setting('application_name')",
            (_END_MS, self._backend),
        )
        try:
            db.execute(f"SELECT pg_advisory_lock({_WRITER_LOCK}, hashtext(current_schema()))")
        except psycopg.errors.LockNotAvailable as error:
            raise WrittenByAnother("another server uses it: stop that one") from error

    def _number_commits(self, db: PostgresConnection) -> None:
        """Read the number of the last commit; at the start begin with the next number of a start.

        Raises:
            WrittenByAnother: it is not that of this server, or is one from before.
        """
        if self._commits is None:
            # The transaction of its own is on disk before this server writes anything.
            number = _value(
                db,
                f"UPDATE commits SET n = (n / {_COMMITS} + 1) * {_COMMITS} RETURNING n",
            )
            self._durable = number
        else:
            number = _value(db, "SELECT n FROM commits")
            if number // _COMMITS != self._commits // _COMMITS:
                raise WrittenByAnother("another server has used it meanwhile: start this one again")
            if number < self._durable:
                raise WrittenByAnother(
                    "it has lost what was committed, as after a failover: start the server again"
                )
        self._commits = number

    def open_reader(self) -> Connection:
        """See `Database.open_reader`."""
        return self._connect(_READER)

    def check(self) -> None:
        """See `Database.check`: a connection that is open leads to the same database."""

    def begin(self, db: Connection) -> None:
        """See `Database.begin`."""
        db.execute("BEGIN")

    def begin_long(self, db: Connection) -> None:
        """See `Database.begin_long`."""
        db.execute("BEGIN")
        db.execute("SET LOCAL statement_timeout = 0")
        db.execute("SET LOCAL idle_in_transaction_session_timeout = 0")

    def begin_read(self, db: Connection) -> None:
        """See `Database.begin_read`."""
        db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def commit(self, db: Connection) -> None:
        """See `Database.commit`."""
        assert self._commits is not None
        number = self._commits + 1
        try:
            # Both in one message. A server that ends the connection gives no answer, or one that
            # says so: either may come after the commit.
            sql = f"UPDATE commits SET n = {number}; COMMIT"
            cast(PostgresConnection, db).execute(sql, prepare=False)
        except psycopg.Error as error:
            if error.diag.severity_nonlocalized == "ERROR":
                raise
            raise UncertainCommit(self.describe(error)) from error
        self._commits = number
        if self._waits_for_disk:
            self._durable = number

    def was_committed(self) -> bool:
        """See `Database.was_committed`."""
        assert self._commits is not None
        expected = self._commits + 1
        self.open_writer().close()
        return self._commits == expected

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

    def wait_for_disk(self, db: Connection, on: bool) -> None:
        """See `Database.wait_for_disk`."""
        db.execute(f"SET synchronous_commit = {'on' if on else 'off'}")
        self._waits_for_disk = on

    def describe(self, error: Exception) -> str:
        """See `Database.describe`."""
        text = " ".join(str(error).split()) or type(error).__name__
        password = conninfo_to_dict(self._conninfo).get("password")
        if password:
            text = text.replace(str(password), "…")
        return f"The {self.name} can't be used: {text.rstrip('.')}."


def _value(db: PostgresConnection, sql: str) -> Any:
    """Return the first column of the only row of a query."""
    row: Any = db.execute(sql).fetchone()
    return row[0]
