"""SQLAlchemy Core statements, compiled once and run on the driver's own connection.

Compiling and wrapping results costs Core more than SQLite takes for the work; so statements are
written in Core, and what runs is the SQL that came of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection, Cursor
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.sql import ClauseElement, FromClause


class _Compiler(SQLiteCompiler):
    """Lets `with_hint` name an index, which Core does for other databases only."""

    def get_from_hint_text(self, table: FromClause, text: str | None) -> str | None:
        return text


_NAMED = sqlite.dialect(paramstyle="named")
_NAMED.statement_compiler = _Compiler
_POSITIONAL = sqlite.dialect(paramstyle="qmark")


class Statement:
    """A statement with named parameters.

    Args:
        clause: what Core says; `bindparam` names what is given with each call.
        columns: of an INSERT without values, the columns that it fills.
    """

    def __init__(self, clause: ClauseElement, columns: Sequence[str] | None = None) -> None:
        compiled = clause.compile(dialect=_NAMED, column_keys=columns)
        self.sql = str(compiled)
        self.constants = {
            name: value
            for name, value in compiled.params.items()
            if not compiled.binds[name].required  # type: ignore[attr-defined]
        }

    def __call__(self, db: Connection, **values: Any) -> Cursor:
        """Run it."""
        return db.execute(self.sql, {**self.constants, **values})

    def scalar(self, db: Connection, **values: Any) -> Any:
        """The first column of the first row, None where there is no row."""
        row = self(db, **values).fetchone()
        return None if row is None else row[0]


class BulkInsert:
    """Inserts rows, many in one statement.

    The driver gives the interpreter's lock away at each statement and has to wait for it
    afterwards; a busy reactor thread makes that the dearest part of a small insert.
    """

    #: Rows in one statement; each size is a statement of its own in the driver's cache.
    SIZES = (128, 64, 32, 16, 8, 4, 2, 1)

    def __init__(self, table: Table) -> None:
        columns = [column.name for column in table.columns]
        self.width = len(columns)
        one = str(insert(table).compile(dialect=_POSITIONAL, column_keys=columns))
        row = ", (" + ", ".join("?" * self.width) + ")"
        self._steps = tuple((size * self.width, one + row * (size - 1)) for size in self.SIZES)

    def __call__(self, db: Connection, values: list[Any]) -> None:
        """Insert rows, whose values follow each other in the order of the table's columns."""
        start, end = 0, len(values)
        for length, sql in self._steps:
            while end - start >= length:
                db.execute(sql, values[start : start + length])
                start += length
