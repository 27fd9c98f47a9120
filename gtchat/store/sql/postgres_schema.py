"""The schema in PostgreSQL: create it, migrate it, refuse a database that is not usable.

A new database gets the tables of today: those of `schema`, `tsvector` and `nodes`. A test compares
them with those that migrations lead to. The oldest revision in PostgreSQL is 0012.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import Text
from sqlalchemy.dialects.postgresql.base import PGTypeCompiler
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.schema import CreateIndex, CreateTable
from twisted.logger import Logger

from gtchat.store.sql import nodes, schema, tsvector
from gtchat.store.sql.database import (
    Connection,
    StoreAhead,
    StoreError,
    StoreTooNew,
    StoreUnprepared,
)
from gtchat.store.sql.nodes import WrittenByAnother
from gtchat.store.sql.opening import Progress

if TYPE_CHECKING:
    from sqlalchemy import Connection as CoreConnection

#: Oldest version that is supported, as `server_version_num` counts.
MIN_VERSION = 150_000
#: Oldest revision that there is in PostgreSQL.
BASE = "0012"
#: Lets a transaction take as long as it needs.
WITHOUT_TIME_LIMIT = (
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
)
#: The lock of what creates or migrates the schema: any number that is always the same.
_LOCK = f"{0x47544368}, hashtext(current_schema())"
#: How long a migration waits for a table that is in use, how often it is tried, and the longest
#: pause in between, in seconds: all others that want the table wait behind it.
_TABLE_LOCK_TIMEOUT = "2s"
_TRIES = 10
PAUSE_S = 1.0

_log = Logger()


class _TypeCompiler(PGTypeCompiler):
    """Have all text compared by code points, as Python and SQLite do, whatever the locale is."""

    def visit_TEXT(self, type_: Text, **kw: Any) -> str:  # noqa: N802
        return 'TEXT COLLATE "C"'


def prepare(connect: Callable[[], Any], name: str) -> None:
    """Create the schema if there is none, and migrate it if it is of an older revision.

    Args:
        connect: opens a connection of psycopg on which only explicit statements begin and end
            transactions.
        name: the database, for errors.

    Raises:
        StoreError: the database cannot be used.
        WrittenByAnother: a server uses it, which could not go on after the migration.
        psycopg.Error: it does not answer, or its tables are in use for too long.
    """
    with closing(connect()) as db:
        _check_server(db, name)
        db.execute(f"BEGIN; {WITHOUT_TIME_LIMIT}")
        _lock(db)
        revision = _revision(db)
        if revision is None:
            _create(db)
        db.execute("COMMIT")
    if revision is not None and _is_older(revision, name):
        _log.info("migrating {name} to revision {new}", name=name, new=schema.REVISIONS[-1])
        _try_to_migrate(connect)


def require_newest(db: Connection, name: str) -> None:
    """Check a database that is only read; see `prepare`.

    Raises:
        StoreAhead: it is of a later revision, which servers of this version can use.
        StoreError: it has no chat, or is of another revision.
    """
    revision = _revision(db)
    if revision is None:
        raise StoreUnprepared(f"The {name} has no chat: name that of a server.")
    if _is_older(revision, name):
        raise StoreUnprepared(
            f"The {name} is of an older version (revision {revision[0]}): start the server with it"
            " once, which migrates it."
        )
    if revision[0] != schema.REVISIONS[-1]:
        raise StoreAhead(
            f"A newer version has migrated the {name} (revision {revision[0]}): install that one."
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


def _lock(db: Connection) -> None:
    """Wait until no other server creates or migrates the schema, until the transaction ends."""
    if not db.execute(f"SELECT pg_try_advisory_xact_lock({_LOCK})").fetchone()[0]:
        _log.info("waiting for another server that creates or migrates the tables")
        db.execute("SET LOCAL lock_timeout = 0")
        db.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")


def _revision(db: Connection) -> tuple[str, str] | None:
    """Return the revision of the schema and the oldest program for it, None if there is none."""
    if db.execute("SELECT to_regclass('alembic_version')").fetchone()[0] is None:
        return None
    revision = str(db.execute("SELECT max(version_num) FROM alembic_version").fetchone()[0])
    program = db.execute("SELECT value FROM meta WHERE key = 'min_program'").fetchone()
    return revision, revision if program is None else program[0]


def _is_older(found: tuple[str, str], name: str) -> bool:
    """Return whether a schema has to be migrated.

    Raises:
        StoreError: this program cannot use it: it is older than those that can, or the schema is
            of a revision that no program for PostgreSQL has made.
    """
    revision, min_program = found
    if revision < BASE or min_program > schema.REVISIONS[-1]:
        if revision > schema.REVISIONS[-1]:
            raise StoreTooNew(
                f"A newer version has migrated the {name} (revision {revision}), and servers of"
                " this version can't use it: install that one."
            )
        kind = StoreError if revision < BASE else StoreTooNew
        raise kind(
            f"The {name} was written by another version (revision {revision}): install that one."
        )
    return revision < schema.REVISIONS[-1]


def _create(db: Connection) -> None:
    """Create all tables."""
    dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]
    dialect.type_compiler_instance = _TypeCompiler(dialect)
    for table in schema.metadata.sorted_tables:
        db.execute(str(CreateTable(table).compile(dialect=dialect)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            db.execute(str(CreateIndex(index).compile(dialect=dialect)))
    for statement in (*nodes.CREATE, *tsvector.CREATE):
        db.execute(statement)
    db.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    db.execute("INSERT INTO alembic_version VALUES (%s)", (schema.REVISIONS[-1],))
    db.execute("INSERT INTO meta VALUES ('min_program', %s)", (schema.MIN_PROGRAM,))


def _try_to_migrate(connect: Callable[[], Any]) -> None:
    """Migrate the schema, again if its tables are in use."""
    for _ in range(_TRIES - 1):
        if _has_migrated(connect):
            return
        time.sleep(random.uniform(0, PAUSE_S))
    _migrate(connect)


def _has_migrated(connect: Callable[[], Any]) -> bool:
    """Migrate the schema; return whether its tables were free."""
    try:
        _migrate(connect)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        return False
    return True


def _migrate(connect: Callable[[], Any]) -> None:
    """Bring the schema to the newest revision, in one transaction, unless it is there meanwhile.

    Alembic is imported here: the import takes longer than all other steps of a start.
    """
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import NullPool, create_engine, event
    from sqlalchemy.exc import DBAPIError

    engine = create_engine(
        "postgresql+psycopg://", creator=connect, poolclass=NullPool, use_native_hstore=False
    )
    engine.dialect.type_compiler_instance = _TypeCompiler(engine.dialect)

    @event.listens_for(engine, "begin")
    def begin(connection: CoreConnection) -> None:
        connection.exec_driver_sql(f"BEGIN; {WITHOUT_TIME_LIMIT}")

    config = Config()
    config.set_main_option("script_location", "gtchat.store.sql:migrations")
    try:
        with engine.begin() as connection:
            db = connection.connection.dbapi_connection
            assert isinstance(db, psycopg.Connection)
            _lock(db)
            found = _revision(db)
            assert found is not None
            _stop_writers(db, found[0])
            db.execute(f"SET LOCAL lock_timeout = '{_TABLE_LOCK_TIMEOUT}'")
            config.attributes["connection"] = connection
            config.attributes["progress"] = Progress(_log, "migrating: {done} of {total} entries")
            command.upgrade(config, "head")
            db.execute(
                "INSERT INTO meta VALUES ('min_program', %s)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (schema.MIN_PROGRAM,),
            )
    except DBAPIError as error:
        raise error.orig or error from error


def _stop_writers(db: Connection, revision: str) -> None:
    """Let no server write during a migration from a revision that does more than add.

    Raises:
        WrittenByAnother: one does.
    """
    pending = [each for each in schema.REVISIONS if each > revision]
    if all(each in schema.ONLY_ADDING for each in pending):
        return
    if not db.execute(f"SELECT pg_try_advisory_xact_lock({nodes.WRITER_LOCK})").fetchone()[0]:
        raise WrittenByAnother("another server uses it, and its tables change: stop that one")
