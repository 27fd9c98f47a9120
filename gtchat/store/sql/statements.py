"""SQLAlchemy Core statements, compiled once and executed on the driver's own connection.

Compiling a statement and wrapping its results costs Core more time than SQLite takes for the work.
So statements are written in Core, compiled when a module is imported, and only their SQL runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from sqlite3 import Connection, Cursor
from typing import Any

from sqlalchemy import Select, bindparam
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.sql import ClauseElement, ColumnElement, FromClause

#: `insert` has ON CONFLICT, which is not in Core itself; the statements import it from here. It is
#: that of PostgreSQL: what SQLite has is a part of it, which both compilers understand.
__all__ = ["BulkInsert", "Insert", "Lookup", "Statement", "insert"]


class _Compiler(SQLiteCompiler):
    """Compile `with_hint`, which Core does for other databases only."""

    def get_from_hint_text(self, table: FromClause, text: str | None) -> str | None:
        return text


_NAMED = sqlite.dialect(paramstyle="named")
_NAMED.statement_compiler = _Compiler
_POSITIONAL = sqlite.dialect(paramstyle="qmark")


class Statement:
    """A statement with named parameters.

    Args:
        clause: the statement in Core; each `bindparam` is an argument of a call.
        columns: of an INSERT without values, the columns that it fills.

    Attributes:
        clause, columns: as given; what they mean does not depend on the database.
        sql: the statement as SQLite understands it.
        constants: its parameters that have values already.
    """

    def __init__(self, clause: ClauseElement, columns: Sequence[str] | None = None) -> None:
        self.clause = clause
        self.columns = columns
        compiled = clause.compile(dialect=_NAMED, column_keys=columns)
        self.sql = str(compiled)
        self.constants = {
            name: value
            for name, value in compiled.params.items()
            if not compiled.binds[name].required  # type: ignore[attr-defined]
        }

    def __call__(self, db: Connection, **values: Any) -> Cursor:
        """Execute it with the values of its parameters."""
        return db.execute(self.sql, {**self.constants, **values})

    def scalar(self, db: Connection, **values: Any) -> Any:
        """Execute it; return the first column of the first row, None if there is no row."""
        row = self(db, **values).fetchone()
        return None if row is None else row[0]


class BulkInsert:
    """An INSERT of many rows in few statements.

    The driver releases the interpreter's lock for each statement and has to wait for it afterwards;
    with a busy reactor thread this wait is the most expensive part of a small insert.

    Args:
        clause: the INSERT, without values; it may return columns.
        columns: the columns that every row fills.

    Attributes:
        clause, columns: as given.
        width: number of columns.
    """

    #: Rows in one statement; each size is one statement in the driver's cache.
    SIZES = (128, 64, 32, 16, 8, 4, 2, 1)

    def __init__(self, clause: ClauseElement, columns: Sequence[str]) -> None:
        self.clause = clause
        self.columns = columns
        self.width = len(columns)
        one = str(clause.compile(dialect=_POSITIONAL, column_keys=columns))
        row = "(" + ", ".join("?" * self.width) + ")"
        self._steps = tuple(
            (size * self.width, one.replace(row, ", ".join([row] * size), 1)) for size in self.SIZES
        )

    def __call__(self, db: Connection, values: list[Any]) -> None:
        """Insert rows.

        Args:
            db: the connection.
            values: the rows one after the other, each in the order of the columns.

        Raises:
            ValueError: a row is incomplete; nothing is inserted.
        """
        for sql, part in self._parts(values):
            db.execute(sql, part)

    def fetch(self, db: Connection, values: list[Any]) -> list[Any]:
        """Insert rows as a call does; return what the INSERT returns of them, in any order."""
        return [row for sql, part in self._parts(values) for row in db.execute(sql, part)]

    def _parts(self, values: list[Any]) -> Iterator[tuple[str, list[Any]]]:
        """Yield statements, and their values."""
        start, end = 0, len(values)
        if end % self.width:
            raise ValueError(f"{end} values are not whole rows of {self.width} columns")
        for length, sql in self._steps:
            while end - start >= length:
                yield sql, values[start : start + length]
                start += length


class Lookup:
    """A SELECT of the rows in which a column has one of many values, in few statements.

    Args:
        clause: the SELECT, without a condition.
        column: the column.

    Attributes:
        clause: the SELECT for one value.
    """

    #: It is no INSERT.
    columns = None
    #: Values in one statement; each size is one statement in the driver's cache.
    SIZES = (1, 4, 16, 64)

    def __init__(self, clause: Select[Any], column: ColumnElement[Any]) -> None:
        self.clause = clause.where(column.in_([bindparam("value")]))
        one = str(self.clause.compile(dialect=_POSITIONAL))
        self._steps = tuple(
            (size, one.replace("(?)", f"({', '.join('?' * size)})", 1)) for size in self.SIZES
        )

    def __call__(self, db: Connection, values: Sequence[Any]) -> Iterator[Any]:
        """Yield the rows that have one of some values, which are repeated to fill a statement."""
        largest = self.SIZES[-1]
        for start in range(0, len(values), largest):
            part = values[start : start + largest]
            size, sql = next(step for step in self._steps if step[0] >= len(part))
            yield from db.execute(sql, [*part, *[part[0]] * (size - len(part))])
