"""What the store needs of a database, whichever it is: a seam between `SQLStore` and the drivers.

`sqlite` and `postgres` implement it. A `Connection` is that of the driver: SQLite's own, or one
with the same methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime

from gtchat.store.sql.living import Life, LivingStore
from gtchat.store.sql.node_standing import NodeStanding


class StoreError(Exception):
    """A database cannot be opened or copied; the text is one line that says what to do."""


class StoreUnavailable(StoreError):
    """A database does not answer now; that may change without a change of settings."""


class StoreDamaged(StoreError):
    """A database has lost some of what was written to it."""


class StoreTooNew(StoreError):
    """A newer program has written a database or an export; this one cannot read it."""


class StoreAhead(StoreTooNew):
    """A newer program has migrated a database; servers of this version can go on with it."""


class StoreUnprepared(StoreError):
    """A server has to be started with a database first: it is empty, or of an older version."""


class UncertainCommit(Exception):
    """The connection was lost while a commit was under way: `Database.was_committed` finds out."""


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows the statement changed."""

    def fetchone(self) -> Any:
        """Return the next row, None if there is none."""

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""

    def close(self) -> object:
        """End the statement; what it has not read yet is dropped."""

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A connection on which only explicit statements begin and end transactions."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Cursor:
        """Execute a statement with its parameters."""

    def close(self) -> None:
        """Close the connection."""


class PostgresSQL(ABC):
    """A connection that understands PostgreSQL's SQL; others understand SQLite's."""

    @abstractmethod
    def server_cursor(self, rows: int) -> Any:
        """Return a cursor that reads a result bit by bit. rows: number of rows at a time."""

    @abstractmethod
    def send(self, sql: str, parameters: Any) -> None:
        """Execute a statement whose result is not read, at the latest before the next `execute`.

        So it costs no wait for an answer of its own. A ROLLBACK drops it.
        """


class Database(ABC):
    """A database that the store uses.

    Attributes:
        errors: the exceptions of its driver.
        has_nodes: whether several servers can use it.
        standing: how this server stands among these; only with `has_nodes`.
    """

    errors: tuple[type[Exception], ...]
    has_nodes = False
    standing: NodeStanding

    @property
    def node_id(self) -> int | None:
        """The number of this server among those that use the database; it may get another one.

        None before it writes, and always where only one server can use the database.
        """
        return None

    @abstractmethod
    def open_writer(self) -> Connection:
        """Return a new connection to write with: its commits wait for the disk.

        Raises:
            StoreError: the database does not support that.
        """

    @abstractmethod
    def open_reader(self) -> Connection:
        """Return a new connection to read with."""

    def open_searcher(self) -> Connection:
        """Return a new connection for searches, which end sooner than other reads."""
        return self.open_reader()

    @abstractmethod
    def check(self) -> None:
        """Raise an error of `errors` if this is no longer the database that was opened."""

    @abstractmethod
    def begin(self, db: Connection, then: str = "") -> Cursor | None:
        """Begin a transaction that writes.

        Args:
            db: the writer's connection.
            then: a statement without parameters that is sent in the same message, "" for none.

        Returns:
            The result of that, None for none.
        """

    @abstractmethod
    def begin_long(self, db: Connection) -> None:
        """Begin a transaction that writes and may take long: nothing else waits for it."""

    def begin_load(self, db: Connection) -> None:
        """Begin a long transaction that loads the chat, and sees the database as of one moment.

        No other node loads meanwhile.
        """
        self.begin_long(db)

    def open_same_moment(self, db: Connection) -> Connection | None:
        """Return a new connection which reads what the transaction that loads the chat has found.

        It is in a transaction of its own, which may take long.

        Args:
            db: the connection that loads, within its transaction.

        Returns:
            None where nothing takes long.
        """
        return None

    @abstractmethod
    def begin_read(self, db: Connection) -> None:
        """Begin a transaction that sees the database as of one moment."""

    @abstractmethod
    def commit(self, db: Connection) -> None:
        """Commit a transaction that writes.

        Raises:
            UncertainCommit: it is not known whether it was.
        """

    @abstractmethod
    def was_committed(self) -> bool:
        """Return whether the commit that was uncertain took place.

        Raises:
            Exception: the database does not answer, an error of `errors`; ask again.
        """

    @abstractmethod
    def is_lost(self, db: Connection, error: BaseException) -> bool:
        """Return whether an error means that the connection has ended: another one may work."""

    @abstractmethod
    def in_transaction(self, db: Connection) -> bool:
        """Return whether a transaction has begun and has not ended, also not by an error."""

    @abstractmethod
    def is_store_failure(self, error: Exception) -> bool:
        """Return whether an error means that the database failed, rather than one statement."""

    @abstractmethod
    def is_conflict(self, error: Exception) -> bool:
        """Return whether a transaction met another one, and may succeed when it is done again.

        Its connection is usable after a rollback.
        """

    def is_expired(self, error: Exception) -> bool:
        """Return whether an error means that this server is no node of the database any more."""
        return False

    @abstractmethod
    def wait_for_disk(self, db: Connection, on: bool) -> None:
        """Let the commits that follow wait for the disk, or not: what is lost is made again."""

    def reason(self, error: Exception) -> str:
        """Return the text of an error in one line, without secrets: for logs, replies and exits.

        It has no password of the database, and nothing of what a statement was to store.
        """
        return " ".join(str(error).split()) or type(error).__name__

    @abstractmethod
    def describe(self, error: Exception) -> str:
        """Return an error as `reason`, with the database and what to do where that is known."""

    @abstractmethod
    def sizes(self, db: Connection) -> Mapping[str, int]:
        """Return bytes by part; see `IMeasuredStore.sizes`. db: a connection to read with."""

    @abstractmethod
    def leave(self, db: Connection) -> Mapping[int, int]:
        """Take note that the server stops, with the connection on which it has written last.

        Returns:
            Room id -> seq that other servers have to read.
        """

    def life(self, reactor: Any, store: LivingStore) -> Life | None:
        """Return what keeps this server alive among those that use the database.

        Args:
            reactor: an IReactorTime and IReactorFromThreads.
            store: the store of the server.

        Returns:
            None if only one server can use the database.
        """
        return None

    @abstractmethod
    def start_watching(self, clock: IReactorTime) -> None:
        """Let calls fail that get no answer from now on. Called in the reactor thread."""

    @abstractmethod
    def stop_watching(self) -> None:
        """Watch no more."""

    def refused(self, error: Exception) -> StoreError:
        """Return the reason why the database cannot be used, for an error of `errors`."""
        return StoreError(self.describe(error))
