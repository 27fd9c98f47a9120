"""Giving back the space of what was removed.

SQLite keeps free pages in its file for later rows. It gives them back in slices while it is in use
where the database was created so (`auto_vacuum = INCREMENTAL`). Others, and those with half-filled
pages, are copied without them while no server uses them (`vacuum_file`). PostgreSQL uses free space
again after its own VACUUM, which autovacuum does by itself.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from gtchat.store.sql.database import Connection, StoreError
from gtchat.store.sql.opening import check_folder, remove, require_newest
from gtchat.store.sql.restore import settle
from gtchat.store.sql.sqlite import (
    advice,
    beside,
    connect,
    give_to_owner,
    sync_file,
    sync_folder,
)

if TYPE_CHECKING:
    from gtchat.store.sql.postgres import PostgresDatabase

#: Pages that are given back in one transaction: one MiB is moved.
SLICE_PAGES = 256
#: Instructions of SQLite between two reports of progress.
_INSTRUCTIONS = 100_000
#: `PRAGMA auto_vacuum`: free pages are given back when that is asked for.
_INCREMENTAL = 2
#: Tables of PostgreSQL with the most that is removed.
_TABLES = (
    "SELECT relname, n_live_tup, n_dead_tup, greatest(last_vacuum, last_autovacuum)::text"
    " FROM pg_stat_user_tables WHERE schemaname = current_schema()"
    " ORDER BY n_dead_tup DESC, relname LIMIT %s"
)
_ALL_TABLES = (
    "SELECT quote_ident(relname) FROM pg_stat_user_tables WHERE schemaname = current_schema()"
    " ORDER BY relname"
)
#: How many of them are shown.
SHOWN_TABLES = 5


@attrs.frozen
class Vacuumed:
    """What has come of it: sizes of the database before and after, in bytes."""

    before: int
    after: int


def count_pages(db: Connection) -> dict[str, int]:
    """Return the size of a database of SQLite, and of its free pages, in bytes.

    Its file is as long as that after the next checkpoint of the write-ahead log.
    """
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return {"database": pages * size, "free": free * size}


def gives_back(db: Connection) -> bool:
    """Return whether a database of SQLite gives back pages while it is in use."""
    mode: int = db.execute("PRAGMA auto_vacuum").fetchone()[0]
    return mode == _INCREMENTAL


def give_back_slice(db: Connection) -> int:
    """Give back some free pages at the end of the file; return how many are left.

    Args:
        db: the writer's connection, within a transaction.
    """
    db.execute(f"PRAGMA incremental_vacuum({SLICE_PAGES})").fetchall()
    free: int = db.execute("PRAGMA freelist_count").fetchone()[0]
    return free


def describe_tables(db: Connection) -> list[str]:
    """Return a line for each of the tables of PostgreSQL with the most removed rows."""
    lines = []
    for name, live, dead, at in db.execute(_TABLES, (SHOWN_TABLES,)).fetchall():
        since = "never" if at is None else at.partition(".")[0]
        lines.append(f"{name}: {live} rows, {dead} removed ones; vacuumed: {since}")
    return lines


def vacuum_file(path: Path, progress: Callable[[int, int], None] | None = None) -> Vacuumed:
    """Copy a file that no server uses without its free pages, and put the copy in its place.

    A process that is killed leaves the file as it was, or the copy.

    Args:
        path: the file, of the newest revision.
        progress: called repeatedly with the number of bytes that are written, and of all.

    Raises:
        StoreError: it cannot be used, or there is too little space; nothing has changed.
    """
    check_folder(path)
    require_newest(path)
    new = beside(path, ".vacuum")
    try:
        remove(new)  # of a process that was killed
        settle(path)
        before = path.stat().st_size
        try:
            _copy(path, new, progress)
            give_to_owner(new)
            sync_file(new)
            os.replace(new, path)
        finally:
            remove(new)
        sync_folder(path.parent)
    except sqlite3.Error as error:
        raise StoreError(f"{path} can't be vacuumed: {advice(error)}.") from error
    except OSError as error:
        raise StoreError(f"{path} can't be vacuumed: {error.strerror}.") from error
    return Vacuumed(before, path.stat().st_size)


def _copy(path: Path, new: Path, progress: Callable[[int, int], None] | None) -> None:
    """Copy what is used of a database. new: a file that does not exist."""
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(connect(path, "rw")) as db:
        sizes = count_pages(db)
        total = sizes["database"] - sizes["free"]
        _check_space(path, total)

        def report() -> None:
            if progress is not None:
                progress(min(new.stat().st_size, total - 1), total)

        db.set_progress_handler(report, _INSTRUCTIONS)
        # What was taken out of the index of messages is still in its pages.
        db.execute("INSERT INTO message_index (message_index) VALUES ('optimize')")
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("VACUUM INTO ?", (str(new),))
    with closing(connect(new, "rw")) as db:
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)
    if progress is not None:
        progress(total, total)


def _check_space(path: Path, needed: int) -> None:
    """Raise StoreError if a copy of so many bytes, and the index again, have no space."""
    free = shutil.disk_usage(path.parent).free
    if free < 2 * needed:
        raise StoreError(
            f"{path} has to be copied: {2 * needed // 2**20 + 1} MiB must be free in "
            f"{path.parent}, and {free // 2**20} MiB are; free some space."
        )


def vacuum_postgres(
    place: PostgresDatabase, progress: Callable[[int, int], None] | None = None
) -> Vacuumed:
    """Run PostgreSQL's VACUUM on all tables, also while servers use them.

    Args:
        place: the database, of the newest revision.
        progress: called repeatedly with the number of tables that are done, and of all.

    Raises:
        StoreError: the database cannot be used.
    """
    try:
        place.require_newest()
        with closing(place.open_maintenance()) as db:
            before = place.sizes(db)["database"]
            tables = [row[0] for row in db.execute(_ALL_TABLES).fetchall()]
            for done, name in enumerate(tables):
                if progress is not None:
                    progress(done, len(tables))
                db.execute(f"VACUUM (ANALYZE) {name}")
            if progress is not None:
                progress(1, 1)
            return Vacuumed(before, place.sizes(db)["database"])
    except place.errors as error:
        raise place.refused(error) from error
