"""Making the index of messages again, while no server uses the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from gtchat.store.sql.opening import prepare
from gtchat.store.sql.search_index import add_slice, begin_again, last_row, read_state
from gtchat.store.sql.sqlite import StoreError, advice, configure_writer, connect


def reindex(path: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Empty the index of messages and index all of them.

    If it is interrupted, the server indexes the rest after its next start.

    Args:
        path: the database; it is migrated if it is of an older revision.
        progress: called repeatedly with the number of entries that are done, and of all.

    Raises:
        StoreError: the database cannot be used.
    """
    prepare(path)
    try:
        with closing(connect(path, "rw")) as db:
            configure_writer(db)
            db.execute("PRAGMA synchronous = NORMAL")  # what is lost is indexed again
            _transact(db, begin_again)
            total = last_row(db)
            more = True
            while more:
                more = _transact(db, add_slice)
                if progress is not None:
                    progress(read_state(db).row, total)
    except sqlite3.Error as error:
        raise StoreError(f"{path} can't be indexed: {advice(error)}.") from error


def _transact(
    db: sqlite3.Connection, function: Callable[[sqlite3.Connection], bool | None]
) -> bool:
    """Call a function in a transaction; return what it returns."""
    db.execute("BEGIN IMMEDIATE")
    result = function(db)
    db.execute("COMMIT")
    return bool(result)
