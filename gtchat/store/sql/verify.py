"""Whether a database is whole: its pages, its references, and each room against its log."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from gtchat.chat.background import Progress
from gtchat.store.sql import schema
from gtchat.store.sql.consistency import find_contradictions
from gtchat.store.sql.database import Connection, StoreDamaged, StoreError
from gtchat.store.sql.opening import require_newest
from gtchat.store.sql.sqlite import advice, connect

if TYPE_CHECKING:
    from gtchat.store.sql.postgres import PostgresDatabase

#: Faults of one kind that are looked for.
_MOST = 100
_COUNTS = (
    "SELECT count(*) FROM accounts",
    "SELECT count(*) FROM rooms WHERE kind = 'room'",
    "SELECT count(*) FROM entries",
)
#: Rows with which progress is reported: those of the tables that are compared.
_COMPARED = "SELECT (SELECT count(*) FROM rooms) + (SELECT count(*) FROM members)"

#: Returns what shows how many parts of a step are done; it names the step to the user.
Steps = Callable[[str], Progress]


def no_steps(name: str) -> Progress:
    """Show nothing: a `Steps`."""
    return lambda done, total: None


@attrs.frozen
class Verified:
    """What a database has.

    Attributes:
        revision: of its schema.
        accounts, rooms, entries: how many there are; rooms without conversations of two.
        contradictions: a line for each room that is not what its log says.
    """

    revision: str
    accounts: int
    rooms: int
    entries: int
    contradictions: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"revision {self.revision}, {self.accounts:,} accounts, {self.rooms:,} rooms,"
            f" {self.entries:,} entries"
        )


def verify(place: Path | PostgresDatabase, steps: Steps = no_steps) -> Verified:
    """Look at all of a database, which may be in use, as of one moment.

    Args:
        place: a file of SQLite, or a database of PostgreSQL; of the newest revision.
        steps: shows progress.

    Raises:
        StoreDamaged: a page cannot be read, or refers to what is missing.
        StoreError: the database cannot be used, or is of another revision.
    """
    if isinstance(place, Path):
        return verify_file(place, steps)
    try:
        place.require_newest()
        with closing(place.open_reader()) as db:
            place.begin_long_read(db)
            return _compare(db, steps)
    except place.errors as error:
        raise place.refused(error) from error


def verify_file(path: Path, steps: Steps = no_steps, source: Path | None = None) -> Verified:
    """Look at all of a file of SQLite; see `verify`. source: its origin, for errors."""
    require_newest(path)
    try:
        with closing(connect(path, "ro")) as db:
            db.execute("BEGIN")
            steps("checking")(0, 1)  # one statement, which does not say how far it is
            if lines := _damage(db):
                more = f", and {len(lines) - 1} faults more" if len(lines) > 1 else ""
                raise sqlite3.DatabaseError(lines[0] + more)
            return _compare(db, steps)
    except sqlite3.OperationalError as error:
        raise StoreError(f"{source or path} can't be read: {advice(error)}.") from error
    except sqlite3.DatabaseError as error:
        raise StoreDamaged(f"{source or path} is damaged: {error}.") from error


def _damage(db: sqlite3.Connection) -> list[str]:
    """Return what SQLite itself finds wrong."""
    found = [str(row[0]) for row in db.execute(f"PRAGMA integrity_check({_MOST})")]
    lines = [] if found == ["ok"] else [" ".join(line.split()) for line in found]
    for table, row, parent, _ in db.execute("PRAGMA foreign_key_check").fetchmany(_MOST):
        where = "" if row is None else f" (row {row})"
        lines.append(f"{table}{where} refers to what is missing in {parent}")
    return lines


def _compare(db: Connection, steps: Steps) -> Verified:
    """Count, and compare each room with its log, within a transaction."""
    total: int = db.execute(_COMPARED).fetchone()[0]
    progress, compared = steps("comparing"), 0

    def advance(number: int) -> None:
        nonlocal compared
        compared += number
        progress(compared, total)

    accounts, rooms, entries = (db.execute(sql).fetchone()[0] for sql in _COUNTS)
    contradictions = tuple(find_contradictions(db, advance))
    progress(1, 1)
    return Verified(schema.REVISIONS[-1], accounts, rooms, entries, contradictions)
