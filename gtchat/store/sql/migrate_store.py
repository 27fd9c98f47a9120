"""Copying a whole chat from an SQLite file into an empty PostgreSQL database.

One transaction of PostgreSQL writes all rows and checks them: an interrupted copy leaves nothing.
Ids, the positions of clients, their sessions and the epoch are those of the file. The index of
messages is not copied: the next server makes it in its idle time, as after any migration.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import attrs
from sqlalchemy import Table, Text

from gtchat.chat.background import Progress
from gtchat.store.sql import nodes, schema
from gtchat.store.sql.consistency import find_contradictions
from gtchat.store.sql.copied_tables import TABLES, count_rows, last_ids, rows_of
from gtchat.store.sql.database import Connection, StoreError
from gtchat.store.sql.opening import require_newest
from gtchat.store.sql.postgres import PostgresDatabase
from gtchat.store.sql.sqlite import advice, connect
from gtchat.store.sql.watchdog import PostgresConnection

#: Rows between two reports of progress.
SLICE = 1000
#: The tables whose rows are compared with the logs at the end, which takes its time.
_COMPARED = (schema.rooms, schema.members)
#: Tables of which each chat has rows, or each database to which accounts were imported.
_OF_ANY_CHAT = (schema.accounts, schema.rooms, schema.starts)
#: Stands for NUL, which PostgreSQL cannot store (PostgreSQL's documentation, "Character Types").
_REPLACEMENT = "\ufffd"


@attrs.frozen
class Migrated:
    """What was copied.

    Attributes:
        rows: number of rows.
        replaced: number of texts in which NUL was replaced.
        contradictions: what the file contradicts itself in, and so does the copy; see
            `find_contradictions`.
    """

    rows: int
    replaced: int
    contradictions: tuple[str, ...]


def migrate_store(
    source: Path, target: PostgresDatabase, progress: Progress | None = None
) -> Migrated:
    """Copy a chat, which no server uses.

    Args:
        source: the file of SQLite; it is not changed.
        target: the database; it has no tables, or empty ones.
        progress: called repeatedly.

    Raises:
        StoreError: a database cannot be used, or the copy differs; the target has no rows.
    """
    require_newest(source)
    try:
        with closing(connect(source, "ro")) as old:
            old.execute("BEGIN")
            return _migrate(old, target, progress or (lambda done, total: None))
    except sqlite3.Error as error:
        raise StoreError(f"{source} can't be read: {advice(error)}.") from error


def _migrate(old: sqlite3.Connection, target: PostgresDatabase, progress: Progress) -> Migrated:
    try:
        require_empty(target)  # before its tables are migrated
        target.alone = True
        target.prepare()
        with closing(target.open_writer()) as db:
            target.begin_long(db)
            _require_empty(db, target.name)
            result = _copy(old, cast(PostgresConnection, db), progress)
            target.commit(db)
            target.leave(db)
            return result
    except target.errors as error:
        raise target.refused(error) from error


def require_empty(target: PostgresDatabase) -> None:
    """Raise StoreError if a database has a chat."""
    with closing(target.open_reader()) as db:
        _require_empty(db, target.name)


def _require_empty(db: Connection, name: str) -> None:
    """Raise StoreError if a database has a chat. name: of the database."""
    for table in _OF_ANY_CHAT:
        exists = f"SELECT to_regclass('{table.name}') IS NOT NULL"
        has_rows = f"SELECT EXISTS (SELECT FROM {table.name})"
        if db.execute(exists).fetchone()[0] and db.execute(has_rows).fetchone()[0]:
            raise StoreError(f"The {name} has a chat already: name an empty database.")


def _copy(old: sqlite3.Connection, db: PostgresConnection, progress: Progress) -> Migrated:
    """Copy all tables and check them, within a transaction of either database."""
    counts = [count_rows(old, table) for table in TABLES]
    compared = sum(counts[TABLES.index(table)] for table in _COMPARED)
    copier = _Copier(old, db, sum(counts) + compared, progress)
    for table in TABLES:
        copier.copy(table)
    _set_identities(old, db)
    # The planner knows nothing of the rows otherwise until PostgreSQL looks at them by itself.
    db.execute("ANALYZE " + ", ".join(table.name for table in TABLES))
    for table, count in zip(TABLES, counts, strict=True):
        found = count_rows(db, table)
        if found != count:
            raise StoreError(
                f"The copy has {found} rows in {table.name}, not {count}: nothing was copied."
            )
    contradictions = find_contradictions(db, copier.advance)
    if contradictions and contradictions != find_contradictions(old):
        raise StoreError(f"The copy differs: {contradictions[0]}; nothing was copied.")
    db.execute(nodes.ADD_HEADS)
    copier.finish()
    return Migrated(sum(counts), copier.replaced, tuple(contradictions))


@attrs.define
class _Copier:
    """Copies tables row by row.

    Args:
        old: the file.
        db: the database.
        total: number of rows that are copied, and compared at the end.
        progress: called after each slice and each table, and during the comparison.

    Attributes:
        replaced: number of texts in which NUL was replaced.
    """

    _old: sqlite3.Connection
    _db: PostgresConnection
    _total: int
    _progress: Progress
    replaced: int = 0
    _done: int = 0

    def copy(self, table: Table) -> None:
        """Copy the rows of a table."""
        names = ", ".join(f'"{column.name}"' for column in table.columns)
        texts = [n for n, column in enumerate(table.columns) if isinstance(column.type, Text)]
        statement = f"COPY {table.name} ({names}) FROM STDIN".encode()
        with self._db.cursor() as cursor, cursor.copy(statement) as target:
            for row in self._old.execute(f"SELECT {names} {rows_of(table)}"):
                for n in texts:
                    if row[n] and "\0" in row[n]:
                        row = self._without_nul(row, n)
                target.write_row(row)
                self._done += 1
                if self._done % SLICE == 0:
                    self.advance(0)
        self.advance(0)

    def advance(self, compared: int) -> None:
        """Report progress. compared: rows that were compared since the call before."""
        self._done += compared
        self._progress(self._done, self._total)

    def finish(self) -> None:
        """Report that all is done: not all rooms are compared, such as those of two users."""
        self._progress(self._total, self._total)

    def _without_nul(self, row: Sequence[Any], n: int) -> Sequence[Any]:
        """Return a row with another character for NUL in the column n."""
        self.replaced += 1
        return (*row[:n], row[n].replace("\0", _REPLACEMENT), *row[n + 1 :])


def _set_identities(old: sqlite3.Connection, db: PostgresConnection) -> None:
    """Let ids go on after the last one that was given, also where its row was deleted."""
    for name, last in last_ids(old).items():
        column = schema.metadata.tables[name].autoincrement_column
        assert column is not None
        db.execute(
            f"SELECT setval(pg_get_serial_sequence('{name}', '{column.name}'), %s, %s)",
            (max(last, 1), last > 0),
        )
