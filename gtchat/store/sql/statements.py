"""SQLAlchemy Core statements, compiled once and executed on the driver's own connection.

Compiling a statement and wrapping its results costs Core more time than SQLite takes for the work.
So statements are written in Core, and only their SQL runs: they are compiled for a database when
they are executed first. A start executes 39 of 360; to compile all took a fifth of its time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Select, bindparam
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement, ColumnElement, FromClause

from gtchat.store.sql.database import Connection, Cursor, PostgresSQL

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
#: With PostgreSQL's driver, psycopg; parameters are `%(name)s` or `%s`.
_POSTGRES_NAMED = PGDialect_psycopg(paramstyle="pyformat")  # type: ignore[no-untyped-call]
_POSTGRES_POSITIONAL = PGDialect_psycopg(paramstyle="format")  # type: ignore[no-untyped-call]


def _compile(
    clause: ClauseElement, dialect: Dialect, columns: Sequence[str] | None
) -> tuple[str, dict[str, Any]]:
    """Return the SQL of a statement, and those of its parameters that have values already."""
    compiled = clause.compile(dialect=dialect, column_keys=columns)
    constants = {
        name: value
        for name, value in compiled.params.items()
        if not compiled.binds[name].required  # type: ignore[attr-defined]
    }
    return str(compiled), constants


class Statement:
    """A statement with named parameters.

    Args:
        clause: the statement in Core; each `bindparam` is an argument of a call.
        columns: of an INSERT without values, the columns that it fills.

    Attributes:
        clause, columns: as given; what they mean does not depend on the database.
    """

    def __init__(self, clause: ClauseElement, columns: Sequence[str] | None = None) -> None:
        self.clause = clause
        self.columns = columns

    @cached_property
    def _sqlite(self) -> tuple[str, dict[str, Any]]:
        """The statement as SQLite understands it, and its constants."""
        return _compile(self.clause, _NAMED, self.columns)

    @cached_property
    def _postgres(self) -> tuple[str, dict[str, Any]]:
        """The statement as PostgreSQL understands it, and its constants."""
        return _compile(self.clause, _POSTGRES_NAMED, self.columns)

    @property
    def sql(self) -> str:
        """The statement as SQLite understands it."""
        return self._sqlite[0]

    @property
    def constants(self) -> dict[str, Any]:
        """Its parameters for SQLite that have values already."""
        return self._sqlite[1]

    def __call__(self, db: Connection, **values: Any) -> Cursor:
        """Execute it with the values of its parameters."""
        sql, constants = self._postgres if isinstance(db, PostgresSQL) else self._sqlite
        return db.execute(sql, {**constants, **values})

    def scalar(self, db: Connection, **values: Any) -> Any:
        """Execute it; return the first column of the first row, None if there is no row."""
        row = self(db, **values).fetchone()
        return None if row is None else row[0]


class BulkInsert:
    """An INSERT of many rows in few statements.

    SQLite's driver releases the interpreter's lock for each statement and has to wait for it
    afterwards; with a busy reactor thread this wait is the most expensive part of a small insert.
    So up to `EXACT` rows are one statement. PostgreSQL's driver sends statements without waiting
    for them, and its server keeps what it has prepared: there fewer statements cost less.

    Args:
        clause: the INSERT, without values; it may return columns.
        columns: the columns that every row fills, in the order of the table.

    Attributes:
        clause, columns: as given.
        width: number of columns.
    """

    #: Rows in one statement; each size is one statement in the driver's cache.
    SIZES = (128, 64, 32, 16, 8, 4, 2, 1)
    #: The most rows for which SQLite has a statement of each size.
    EXACT = 32

    def __init__(self, clause: ClauseElement, columns: Sequence[str]) -> None:
        self.clause = clause
        self.columns = columns
        self.width = len(columns)

    @cached_property
    def _sqlite(self) -> dict[int, str]:
        large = [size for size in self.SIZES if size > self.EXACT]
        return self._for_each_size(_POSITIONAL, "?", (*large, *range(self.EXACT, 0, -1)))

    @cached_property
    def _postgres(self) -> dict[int, str]:
        return self._for_each_size(_POSTGRES_POSITIONAL, "%s", self.SIZES)

    def _for_each_size(self, dialect: Dialect, mark: str, sizes: Sequence[int]) -> dict[int, str]:
        """Return number of rows -> SQL of the statement, the largest first.

        Raises:
            ValueError: the columns are in another order than those of the table.
        """
        compiled = self.clause.compile(dialect=dialect, column_keys=self.columns)
        # Core has the columns in the order of the table, whatever the order of their names.
        if tuple(compiled.positiontup or ()) != tuple(self.columns):  # type: ignore[attr-defined]
            raise ValueError(f"columns: must be in the order of the table: {self.columns}")
        head, _, tail = str(compiled).partition(" VALUES (")
        head, tail = f"{head} VALUES ", tail[tail.index(")") + 1 :]
        row = "(" + ", ".join([mark] * self.width) + ")"
        return {size: head + ", ".join([row] * size) + tail for size in sizes}

    def __call__(self, db: Connection, values: list[Any]) -> None:
        """Insert rows.

        Args:
            db: the connection.
            values: the rows one after the other, each in the order of the columns.

        Raises:
            ValueError: a row is incomplete; nothing is inserted.
        """
        run = db.send if isinstance(db, PostgresSQL) else db.execute
        for sql, part in self._parts(db, values):
            run(sql, part)

    def fetch(self, db: Connection, values: list[Any]) -> list[Any]:
        """Insert rows as a call does; return what the INSERT returns of them, in any order."""
        return [row for sql, part in self._parts(db, values) for row in db.execute(sql, part)]

    def _parts(self, db: Connection, values: list[Any]) -> Iterator[tuple[str, list[Any]]]:
        """Yield the statements for a database, and their values."""
        rows, rest = divmod(len(values), self.width)
        if rest:
            raise ValueError(f"{len(values)} values are not whole rows of {self.width} columns")
        sizes = self._postgres if isinstance(db, PostgresSQL) else self._sqlite
        start = 0
        while rows:
            size = rows if rows in sizes else next(size for size in sizes if size < rows)
            end = start + size * self.width
            yield sizes[size], values[start:end]
            start, rows = end, rows - size


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
    #: Values in one statement; each size is one statement in the driver's cache. The rooms of a
    #: login are read while it holds the lock of the system log.
    SIZES = (1, 4, 16, 64, 256)

    def __init__(self, clause: Select[Any], column: ColumnElement[Any]) -> None:
        self.clause = clause.where(column.in_([bindparam("value")]))

    @cached_property
    def _sqlite(self) -> tuple[tuple[int, str], ...]:
        return self._for_each_size(_POSITIONAL, "?")

    @cached_property
    def _postgres(self) -> tuple[tuple[int, str], ...]:
        return self._for_each_size(_POSTGRES_POSITIONAL, "%s")

    def _for_each_size(self, dialect: Dialect, mark: str) -> tuple[tuple[int, str], ...]:
        """Return number of values and SQL of the statement of each size."""
        head, _, tail = str(self.clause.compile(dialect=dialect)).partition(" IN (")
        tail = tail[tail.index(")") :]
        return tuple((size, f"{head} IN ({', '.join([mark] * size)}{tail}") for size in self.SIZES)

    def __call__(self, db: Connection, values: Sequence[Any]) -> Iterator[Any]:
        """Yield the rows that have one of some values, which are repeated to fill a statement."""
        largest = self.SIZES[-1]
        for start in range(0, len(values), largest):
            part = values[start : start + largest]
            steps = self._postgres if isinstance(db, PostgresSQL) else self._sqlite
            size, sql = next(step for step in steps if step[0] >= len(part))
            yield from db.execute(sql, [*part, *[part[0]] * (size - len(part))])
