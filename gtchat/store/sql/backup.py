"""Copying a database while it is in use."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from gtchat.store.sql.rooms import FORGET_EPOCH
from gtchat.store.sql.schema import APPLICATION_ID
from gtchat.store.sql.sqlite import StoreError, connect, sync_folder

#: Pages copied between two reports of progress.
_PAGES = 2048


def backup(source: Path, target: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Copy a database, which may be in use, as it is at one moment.

    The copy is on disk when this returns. It is a log of its own: the first start on it picks
    another epoch, so that clients load their rooms anew.

    Args:
        source: the database.
        target: the copy, which must not be there yet.
        progress: told from time to time how many pages are done, and how many there are.

    Raises:
        StoreError: that can't be; no copy is left.
    """
    part = target.with_name(target.name + ".part")
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        raise StoreError(f"{target} is there already: name another file.") from error
    except OSError as error:
        raise StoreError(f"{target} can't be written: {error.strerror}.") from error
    try:
        _copy(source, part, progress)
        os.replace(part, target)
        sync_folder(target.absolute().parent)
    except BaseException as error:
        target.unlink(missing_ok=True)
        part.unlink(missing_ok=True)
        if isinstance(error, (sqlite3.Error, OSError)):
            raise StoreError(f"{source} can't be copied to {target}: {error}.") from error
        raise


def _copy(source: Path, part: Path, progress: Callable[[int, int], None] | None) -> None:
    """Copy a database's pages, and mark the copy."""
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(connect(source, "ro")) as old, closing(connect(part, "rw")) as new:
        if old.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise StoreError(f"{source} is not a database of this program.")
        old.execute("BEGIN")
        old.execute("SELECT count(*) FROM meta").fetchone()

        def report(status: int, remaining: int, total: int) -> None:
            if progress is not None:
                progress(total - remaining, total)

        old.backup(new, pages=_PAGES, progress=report)
        new.execute("PRAGMA journal_mode = DELETE")
        new.execute("PRAGMA synchronous = FULL")
        FORGET_EPOCH(new)
    handle = os.open(part, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
