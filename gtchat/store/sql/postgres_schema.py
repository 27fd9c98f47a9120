"""The schema in PostgreSQL: create it in an empty database, refuse a database that is not usable.

The tables are those of `schema`, `tsvector` and `commits` of `postgres`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Text
from sqlalchemy.dialects.postgresql.base import PGTypeCompiler
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.schema import CreateIndex, CreateTable

from gtchat.store.sql import schema, tsvector
from gtchat.store.sql.database import Connection, StoreError

#: Oldest version that is supported, as `server_version_num` counts.
MIN_VERSION = 150_000
#: The lock of what creates the schema: any number that is always the same.
_LOCK = 0x47544368


class _TypeCompiler(PGTypeCompiler):
    """Have all text compared by code points, as Python and SQLite do, whatever the locale is."""

    def visit_TEXT(self, type_: Text, **kw: Any) -> str:  # noqa: N802
        return 'TEXT COLLATE "C"'


def prepare(db: Connection, name: str) -> None:
    """Create the schema if there is none.

    Args:
        db: a connection, within a transaction.
        name: the database, for errors.

    Raises:
        StoreError: the database cannot be used.
    """
    _check_server(db, name)
    db.execute(f"SELECT pg_advisory_xact_lock({_LOCK}, hashtext(current_schema()))")
    revision = _revision(db)
    if revision is None:
        _create(db)
    elif revision != schema.REVISIONS[-1]:
        raise StoreError(
            f"The {name} was written by another version (revision {revision}): install that one."
        )


def _check_server(db: Connection, name: str) -> None:
    """Raise StoreError if the server cannot keep the promises of the store."""
    version, encoding, fsync = db.execute(
        "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),"
        " current_setting('fsync')"
    ).fetchone()
    if version < MIN_VERSION:
        raise StoreError(f"The {name} is of a version before 15: use a newer one.")
    if encoding != "UTF8":
        raise StoreError(f"The {name} has the encoding {encoding}: create one with UTF8.")
    if fsync != "on":
        raise StoreError(f"The {name} does not wait for its disk: set fsync = on.")


def _revision(db: Connection) -> str | None:
    """Return the revision of the schema, None if there is none yet."""
    if db.execute("SELECT to_regclass('alembic_version')").fetchone()[0] is None:
        return None
    return str(db.execute("SELECT max(version_num) FROM alembic_version").fetchone()[0])


def _create(db: Connection) -> None:
    """Create all tables."""
    dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]
    dialect.type_compiler_instance = _TypeCompiler(dialect)
    for table in schema.metadata.sorted_tables:
        db.execute(str(CreateTable(table).compile(dialect=dialect)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            db.execute(str(CreateIndex(index).compile(dialect=dialect)))
    db.execute("CREATE TABLE commits (n bigint NOT NULL) WITH (fillfactor = 50)")
    db.execute("INSERT INTO commits VALUES (0)")
    for statement in tsvector.CREATE:
        db.execute(statement)
    db.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    db.execute("INSERT INTO alembic_version VALUES (%s)", (schema.REVISIONS[-1],))
