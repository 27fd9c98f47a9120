"""Databases of earlier revisions.

Each process makes an empty one of each revision once, out of the one before.
"""

from __future__ import annotations

import functools
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from gtchat.store.sql.schema import APPLICATION_ID, REVISIONS


@functools.cache
def _empty(revision: str) -> bytes:
    """Return the file of an empty database of a revision."""
    number = REVISIONS.index(revision)
    config = Config()
    config.set_main_option("script_location", "gtchat.store.sql:migrations")
    with tempfile.TemporaryDirectory(prefix="gtchat-old-") as folder:
        path = Path(folder, "gtchat.sqlite")
        if number:
            path.write_bytes(_empty(REVISIONS[number - 1]))
        engine = create_engine(f"sqlite:///{path}")
        with engine.begin() as connection:
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
        engine.dispose()
        return path.read_bytes()


def create_old_database(path: Path, revision: str, rows: str = "") -> None:
    """Create a database of a revision.

    Args:
        path: the file, which does not exist.
        revision: the revision.
        rows: SQL that fills it.
    """
    path.write_bytes(_empty(revision))
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(rows)


def definitions(path: Path) -> dict[str, str]:
    """Return the SQL of each table and index, without Alembic's own table.

    White space does not matter, nor do the quotes that SQLite puts around the name of a table that
    was renamed.
    """
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    return {
        name: " ".join(sql.replace(f'"{name}"', name).split())
        for name, sql in found
        if name != "alembic_version"
    }


def dump(path: Path) -> str:
    """Return the SQL that makes a database, with all its rows, without the index of messages."""
    with closing(sqlite3.connect(":memory:")) as db:
        with closing(sqlite3.connect(path)) as source:
            source.backup(db)
        db.execute("DROP TABLE IF EXISTS message_index")  # it can't be read row by row
        return "\n".join(db.iterdump())
