"""The schema: what the migrations make is what the statements are written for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from twisted.trial.unittest import SynchronousTestCase

from gtchat.store.opening import prepare
from gtchat.store.schema import REVISIONS, metadata


def described(path: Path) -> dict[str, str]:
    """What SQLite says of each table and index, without names that do not matter."""
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    return {name: " ".join(sql.split()) for name, sql in found if name != "alembic_version"}


class SchemaTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "gtchat.sqlite"
        prepare(self.path)

    def test_migrations_make_the_tables_that_statements_use(self) -> None:
        engine = create_engine(f"sqlite:///{self.path}")
        self.addCleanup(engine.dispose)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection)
            self.assertEqual(compare_metadata(context, metadata), [])

    def test_migrations_make_them_to_the_letter(self) -> None:
        other = self.folder / "other.sqlite"
        engine = create_engine(f"sqlite:///{other}")
        metadata.create_all(engine)
        engine.dispose()
        self.assertEqual(described(self.path), described(other))

    def test_the_revisions_are_known_without_asking_alembic(self) -> None:
        config = Config()
        config.set_main_option("script_location", "gtchat.store:migrations")
        scripts = list(ScriptDirectory.from_config(config).walk_revisions())
        self.assertEqual(tuple(script.revision for script in reversed(scripts)), REVISIONS)
