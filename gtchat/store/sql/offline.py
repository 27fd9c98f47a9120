"""What is done to a database while no server uses it: index it again, begin a new epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gtchat.store.sql.database import Connection, Database
from gtchat.store.sql.opening import prepare
from gtchat.store.sql.rooms import DELETE_EPOCH
from gtchat.store.sql.search_horizon import Horizon, Rest
from gtchat.store.sql.search_index import DELAY_S, add_slice, begin_again, last_row, read_state
from gtchat.store.sql.sqlite import SQLiteDatabase

if TYPE_CHECKING:
    from gtchat.store.sql.postgres import PostgresDatabase

T = TypeVar("T")


def open_offline(place: Path | PostgresDatabase) -> Database:
    """Return a database that no server uses, created or migrated if necessary.

    Args:
        place: a file of SQLite, or a database of PostgreSQL.

    Raises:
        StoreError: the database cannot be used.
    """
    if isinstance(place, Path):
        prepare(place)
        return SQLiteDatabase(place)
    place.alone = True
    place.prepare()
    return place


def reindex(
    place: Path | PostgresDatabase, progress: Callable[[int, int], None] | None = None
) -> None:
    """Empty the index of messages and index all of them.

    If it is interrupted, the server indexes the rest after its next start.

    Args:
        place: see `open_offline`.
        progress: called repeatedly with the number of entries that are done, and of all.

    Raises:
        StoreError: the database cannot be used.
    """
    database = open_offline(place)
    horizon, rest = Horizon(), Rest.MORE
    with _writer(database) as db:
        database.wait_for_disk(db, False)  # what is lost is indexed again
        _transact(database, db, begin_again)
        total = last_row(db)
        while rest is not Rest.NOTHING:
            if rest is Rest.LATER:
                time.sleep(DELAY_S)
            rest = _transact(database, db, lambda db: add_slice(db, horizon))
            if progress is not None:
                progress(read_state(db).row, total)


def begin_epoch(place: Path | PostgresDatabase) -> None:
    """Have the next start begin a new epoch, so that clients load their rooms again.

    That is for a database that was restored: clients may have been told more than it has.

    Args:
        place: see `open_offline`.

    Raises:
        StoreError: the database cannot be used.
    """
    database = open_offline(place)
    with _writer(database) as db:
        _transact(database, db, DELETE_EPOCH)


@contextmanager
def _writer(database: Database) -> Iterator[Connection]:
    """Open a connection to write with, and close it.

    Raises:
        StoreError: the database cannot be used.
    """
    try:
        with closing(database.open_writer()) as db:
            yield db
    except database.errors as error:
        raise database.refused(error) from error


def _transact(database: Database, db: Connection, function: Callable[[Connection], T]) -> T:
    """Call a function in a transaction; return what it returns."""
    database.begin_long(db)
    result = function(db)
    database.commit(db)
    return result
