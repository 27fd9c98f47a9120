"""A whole chat as lines of JSON, from either database; `read_export` reads them.

    {"gtchat_export": {"version": 1, "revision": "0016", "program": "0.1.0",
                       "rows": {"accounts": 2, …}, "ids": {"accounts": 7, …}}}
    {"accounts": {"id": 1, "name": "Ann", …}}
    …
    {"end": {"rows": 17, "sha256": "…"}}

Each line in between is a row of the table that it names, with all its columns as `schema` has them
in that revision; bytes are in base64. Tables come in the order of `rows`, rows in that of their
primary key. `ids` has the last id that each table has given. The hash is that of all lines before.

The epoch is not in it: clients may have been told more than an export has, and an import begins a
new one. Nor is the index of messages, which a server makes anew.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Boolean, Table

from gtchat import __version__
from gtchat.chat.background import Progress
from gtchat.store.sql import schema
from gtchat.store.sql.backup import new_file
from gtchat.store.sql.copied_tables import TABLES, count_rows, last_ids, rows_of
from gtchat.store.sql.database import Connection, PostgresSQL, StoreError
from gtchat.store.sql.opening import require_newest
from gtchat.store.sql.sqlite import advice, connect
from gtchat.store.sql.verify import Steps, no_steps

if TYPE_CHECKING:
    from gtchat.store.sql.postgres import PostgresDatabase

#: Version of the format.
VERSION = 1
#: Rows of `meta` that belong to one database and its clients.
_NOT_META = "key NOT IN ('epoch', 'epoch_start', 'chat')"
#: Rows that are read from PostgreSQL at a time, and between two reports of progress.
_SLICE = 1000


class ExportHead(msgspec.Struct):
    """What the first line says."""

    version: int
    revision: str
    program: str
    rows: dict[str, int]
    ids: dict[str, int]


class ExportEnd(msgspec.Struct):
    """What the last line says: the number of rows, and the SHA-256 of all lines before, in hex."""

    rows: int
    sha256: str


def export(place: Path | PostgresDatabase, target: Path, steps: Steps = no_steps) -> int:
    """Write a chat to a file as of one moment, also while servers use it; return its rows.

    Args:
        place: a file of SQLite, or a database of PostgreSQL; of the newest revision.
        target: the file, which must not exist; only its owner can read it.
        steps: shows progress.

    Raises:
        StoreError: the database cannot be used, or the file cannot be written; there is no file.
    """
    with new_file(place, target) as part, part.open("wb") as file, _reading(place) as db:
        return _write(db, file, steps("exporting"))


def _reading(place: Path | PostgresDatabase) -> AbstractContextManager[Connection]:
    """Open a connection within a transaction that sees the database as of one moment.

    Raises:
        StoreError: the database cannot be used, then or within the context.
    """
    return _reading_file(place) if isinstance(place, Path) else _reading_postgres(place)


@contextmanager
def _reading_file(path: Path) -> Iterator[Connection]:
    require_newest(path)
    try:
        with closing(connect(path, "ro")) as db:
            db.execute("BEGIN")
            yield db
    except sqlite3.Error as error:
        raise StoreError(f"{path} can't be read: {advice(error)}.") from error


@contextmanager
def _reading_postgres(place: PostgresDatabase) -> Iterator[Connection]:
    try:
        place.require_newest()
        with closing(place.open_reader()) as db:
            place.begin_long_read(db)
            yield db
    except place.errors as error:
        raise place.refused(error) from error


def _write(db: Connection, file: IO[bytes], progress: Progress) -> int:
    """Write all lines; return the number of rows."""
    rows = {table.name: count_rows(db, table, _condition(table)) for table in TABLES}
    head = ExportHead(VERSION, schema.REVISIONS[-1], __version__, rows, last_ids(db))
    digest, total = hashlib.sha256(), sum(rows.values())
    for done, line in enumerate(_lines(db, head)):
        digest.update(line)
        file.write(line)
        if done % _SLICE == 0:
            progress(done, total)
    end = ExportEnd(total, digest.hexdigest())
    file.write(msgspec.json.encode({"end": end}) + b"\n")
    progress(1, 1)
    return total


def _lines(db: Connection, head: ExportHead) -> Iterator[bytes]:
    """Yield all lines but the last one."""
    encoder = msgspec.json.Encoder()
    yield encoder.encode({"gtchat_export": head}) + b"\n"
    for table in TABLES:
        names = [column.name for column in table.columns]
        flags = [column.name for column in table.columns if isinstance(column.type, Boolean)]
        for values in _rows(db, table, names):
            row = dict(zip(names, values, strict=True))
            for name in flags:  # SQLite has numbers
                row[name] = None if row[name] is None else bool(row[name])
            yield encoder.encode({table.name: row}) + b"\n"


def _rows(db: Connection, table: Table, names: list[str]) -> Iterator[Any]:
    """Yield the rows of a table, which are not in memory at once."""
    order = ", ".join(f'"{column.name}"' for column in table.primary_key)
    columns = ", ".join(f'"{name}"' for name in names)
    sql = f"SELECT {columns} {rows_of(table, _condition(table))} ORDER BY {order}"
    if isinstance(db, PostgresSQL):
        with db.server_cursor(_SLICE) as cursor:
            yield from cursor.execute(sql)
    else:
        yield from db.execute(sql)


def _condition(table: Table) -> str:
    return _NOT_META if table is schema.meta else ""
