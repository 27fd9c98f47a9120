"""Making the index of messages again, while no server uses the database."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from gtchat.store.sql.database import Connection, Database
from gtchat.store.sql.opening import prepare
from gtchat.store.sql.search_index import add_slice, begin_again, last_row, read_state
from gtchat.store.sql.sqlite import SQLiteDatabase

if TYPE_CHECKING:
    from gtchat.store.sql.postgres import PostgresDatabase


def open_offline(place: Path | PostgresDatabase) -> Database:
    """Return a database, which is created or migrated if necessary.

    Args:
        place: a file of SQLite, or a database of PostgreSQL.

    Raises:
        StoreError: the database cannot be used.
    """
    if isinstance(place, Path):
        prepare(place)
        return SQLiteDatabase(place)
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
    try:
        with closing(database.open_writer()) as db:
            database.wait_for_disk(db, False)  # what is lost is indexed again
            _transact(database, db, begin_again)
            total = last_row(db)
            more = True
            while more:
                more = _transact(database, db, add_slice)
                if progress is not None:
                    progress(read_state(db).row, total)
    except database.errors as error:
        raise database.refused(error) from error


def _transact(
    database: Database, db: Connection, function: Callable[[Connection], bool | None]
) -> bool:
    """Call a function in a transaction; return what it returns."""
    database.begin_long(db)
    result = function(db)
    database.commit(db)
    return bool(result)
