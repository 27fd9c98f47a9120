"""Reading what `export` has written, into a new file of SQLite of the same revision.

Such a file is migrated and verified like any other copy, and put in place (`restore`) or copied to
PostgreSQL (`migrate_store`).
"""

from __future__ import annotations

import hashlib
import sqlite3
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import attrs
import msgspec

from gtchat.chat.background import Progress
from gtchat.store.sql.copied_tables import TABLES
from gtchat.store.sql.database import StoreDamaged, StoreError, StoreTooNew
from gtchat.store.sql.export import VERSION, ExportEnd, ExportHead
from gtchat.store.sql.opening import create, migrate
from gtchat.store.sql.schema import REVISIONS, SQLITE_REVISIONS
from gtchat.store.sql.sqlite import connect
from gtchat.store.sql.verify import Steps

#: How the first line begins.
_BEGINNING = b'{"gtchat_export":'
#: Names of the tables that an export can have.
_COPIED = {table.name for table in TABLES}
#: Largest id that SQLite can give.
_MAX_ID = 2**63 - 1
#: Longest line, in bytes: no row is nearly as long.
_MAX_LINE = 64 * 1024 * 1024
#: Page cache of the connection that writes, in KiB: rows go all over some indexes.
_CACHE_KIB = 65_536
#: Rows between two reports of progress.
_SLICE = 1000
#: What a column may have, by its type in SQLite; others have whole numbers.
_TYPES: dict[str, tuple[type, ...]] = {"TEXT": (str,), "BLOB": (str,)}

_decode_head = msgspec.json.Decoder(dict[str, ExportHead]).decode
_decode_end = msgspec.json.Decoder(dict[str, ExportEnd]).decode
_decode_row = msgspec.json.Decoder(dict[str, dict[str, str | int | bool | None]]).decode


def is_export(path: Path) -> bool:
    """Return whether a file begins as an export does. Raises StoreError: it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(_BEGINNING)) == _BEGINNING
    except OSError as error:
        raise StoreError(f"{path} can't be opened: {error.strerror}.") from error


@attrs.define
class ExportFile:
    """An export that is read. Called, it makes a database: a `restore.Build`.

    Args:
        path: the file.

    Raises:
        StoreError: it is no export.
        StoreTooNew: it is of a newer version.
    """

    path: Path
    _head: ExportHead = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        if not is_export(self.path):
            raise StoreError(f"{self.path} is no export: name a file that gtchat export has made.")
        with self.path.open("rb") as file:
            self._head = _read_head(file, self.path)

    def __call__(self, path: Path, steps: Steps) -> None:
        """Make a database of the newest revision.

        Args:
            path: its file, which does not exist.
            steps: shows progress.

        Raises:
            StoreDamaged: the export is not as it was written.
        """
        revision = max(one for one in SQLITE_REVISIONS if one <= self._head.revision)
        create(path, revision)
        with closing(connect(path, "rw")) as db:
            for setting in (
                "journal_mode = OFF",
                "synchronous = OFF",
                f"cache_size = -{_CACHE_KIB}",
            ):
                db.execute(
                    f"PRAGMA {setting}"
                ).fetchall()  # of a file that is deleted if this fails
            db.execute("BEGIN")
            with self.path.open("rb") as file:
                _Reader(self.path, file, db, self._head).read(steps("reading"))
            db.execute("COMMIT")
        if revision != SQLITE_REVISIONS[-1]:
            steps("migrating")(0, 1)
            migrate(path)


def _read_head(file: IO[bytes], path: Path) -> ExportHead:
    try:
        head = _decode_head(file.readline(_MAX_LINE))["gtchat_export"]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreDamaged(f"{path} is damaged: its first line is none of an export.") from error
    if head.version > VERSION or head.revision > REVISIONS[-1]:
        raise StoreTooNew(
            f"{path} was written by a newer version ({head.program}): install that version."
        )
    if head.version < 1 or head.revision not in REVISIONS:
        raise StoreDamaged(f"{path} is damaged: its first line names no version.")
    return head


@attrs.define
class _Table:
    """A table that is filled.

    Attributes:
        insert: the statement that inserts a row.
        types: column -> what it may have, besides nothing.
        blobs: the columns with bytes.
        rows: number of rows so far.
    """

    insert: str
    types: dict[str, tuple[type, ...]]
    blobs: list[str]
    rows: int = 0

    @classmethod
    def of(cls, db: sqlite3.Connection, name: str) -> _Table:
        """Return a table of a database. name: of one that it has."""
        columns = {row[1]: row[2] for row in db.execute(f"PRAGMA table_info('{name}')")}
        names = ", ".join(f'"{one}"' for one in columns)
        values = ", ".join(f":{one}" for one in columns)
        return cls(
            f"INSERT INTO {name} ({names}) VALUES ({values})",
            {one: _TYPES.get(type_, (int, bool)) for one, type_ in columns.items()},
            [one for one, type_ in columns.items() if type_ == "BLOB"],
        )

    def add(self, db: sqlite3.Connection, row: dict[str, Any]) -> None:
        """Insert a row. Raises ValueError, OverflowError or sqlite3.Error: it is none."""
        if row.keys() != self.types.keys():
            raise ValueError("it has other columns than the table")
        for name, types in self.types.items():
            if row[name] is not None and not isinstance(row[name], types):
                raise ValueError(f"{name} is of another type")
        for name in self.blobs:
            if row[name] is not None:
                row[name] = b64decode(row[name], validate=True)
        db.execute(self.insert, row)
        self.rows += 1


@attrs.define
class _Reader:
    """Reads all lines, once.

    Args:
        path: the export, for errors.
        file: the same, at its beginning.
        db: a new database, within a transaction.
        head: what the first line says.
    """

    _path: Path
    _file: IO[bytes]
    _db: sqlite3.Connection
    _head: ExportHead
    _number: int = 0

    def read(self, progress: Progress) -> None:
        """Fill the database. Raises StoreDamaged: the export is not as it was written."""
        schema = "SELECT name FROM sqlite_schema WHERE type = 'table'"
        # Those of SQLite itself, of its index and of the migrations are not written from a file.
        known = {name for (name,) in self._db.execute(schema)} & _COPIED
        wanted = self._head.rows
        if not known.issuperset(wanted) or not known.issuperset(self._head.ids):
            raise self._damaged("there are tables that are not of its version")
        if any(not 0 <= last <= _MAX_ID for last in self._head.ids.values()):
            raise self._damaged("its first line has ids that are none")
        tables = {name: _Table.of(self._db, name) for name in wanted}
        total = sum(wanted.values())
        for line in self._lines():
            try:
                [(name, row)] = _decode_row(line).items()
                tables[name].add(self._db, row)
            except (msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
                raise self._damaged(f"line {self._number} is no row") from error
            except (ValueError, OverflowError, sqlite3.IntegrityError) as error:
                raise self._damaged(f"line {self._number}: {error}") from error
            if self._number % _SLICE == 0:
                progress(min(self._number, total), total)
        if {name: table.rows for name, table in tables.items()} != wanted:
            raise self._damaged("it has another number of rows than it says")
        for name, last in self._head.ids.items():
            self._db.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            self._db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, last))
        progress(1, 1)

    def _lines(self) -> Iterator[bytes]:
        """Yield the lines between the first one and the last one, and check the last one."""
        digest, line = hashlib.sha256(), self._next()
        while True:
            digest.update(line)
            line = self._next()
            if line.startswith(b'{"end":'):
                break
            yield line
        try:
            end = _decode_end(line)["end"]
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._damaged("its last line is none of an export") from error
        if end.sha256 != digest.hexdigest() or self._file.read(1):
            raise self._damaged("its lines are not those that were written")

    def _next(self) -> bytes:
        line = self._file.readline(_MAX_LINE)
        self._number += 1
        if not line.endswith(b"\n"):
            raise self._damaged(
                "its end is missing" if len(line) < _MAX_LINE else "a line is too long"
            )
        return line

    def _damaged(self, text: str) -> StoreDamaged:
        return StoreDamaged(f"{self._path} is damaged: {text}.")
