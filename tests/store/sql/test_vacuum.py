"""Giving back the space of what was removed, while a database is in use and while it is not."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from gtchat.store import SQLStore, StoreError, vacuum_file, verify
from gtchat.store.sql import vacuum
from gtchat.store.sql.admin_calls import AUTOVACUUM, STOP_FIRST
from gtchat.store.sql.search_index import Indexer
from gtchat.store.sql.vacuum import vacuum_postgres
from tests import postgres
from tests.databases import create_empty
from tests.store.contract import message
from tests.store.retention_contract import RetentionCase
from tests.store.sql.old_databases import dump

SECRET = "a removed word: xylophone"


class VacuumCase(RetentionCase, TestCase):
    """A room of which most messages are removed."""

    def open_store(self) -> SQLStore:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = folder / "gtchat.sqlite"
        create_empty(self.path)
        return SQLStore.open(self.path, reactor)

    async def fill(self) -> None:
        await self.prepare()
        for number in range(3000):
            self.append(self.room_id, message(f"{SECRET} {number}"), self.ann)
        await self.say("kept")
        await self.store.index_now()
        await self.remove(messages=1)

    async def make_old(self) -> None:
        """Stop, and make it a database that was created by an older version."""
        await self.store.close()
        with closing(sqlite3.connect(self.path)) as db:
            db.execute("PRAGMA auto_vacuum = NONE")
            db.execute("VACUUM")


class InUse(VacuumCase):
    async def test_free_pages_are_given_back_between_other_writes(self) -> None:
        self.patch(vacuum, "SLICE_PAGES", 20)
        self.patch(Indexer, "wait", lambda _: None)  # it takes free pages
        await self.fill()
        shown: list[tuple[int, int]] = []
        given = self.store.give_back(lambda *so_far: shown.append(so_far))
        for text in ("while", "it", "runs"):
            await self.say(text)
        found = await given
        self.assertEqual(found.notes, ())
        of_slices = [so_far for so_far in shown if so_far != (0, 1)]
        self.assertEqual(of_slices, sorted(of_slices))
        self.assertGreater(len(of_slices), 3)
        self.assertGreater(found.before["free"], 100_000)
        self.assertEqual(found.after["free"], 0)
        self.assertLess(found.after["database"], found.before["database"] - 100_000)
        await self.store.close()
        self.assertEqual(self.path.stat().st_size, found.after["database"])
        self.assertNotIn(b"xylophone", self.path.read_bytes())
        self.assertEqual(verify(self.path).contradictions, ())
        self.store = SQLStore.open(self.path, reactor)
        self.store.load()
        self.assertEqual(await self.find("kept"), ["kept"])

    async def test_an_older_database_has_to_be_copied_once(self) -> None:
        await self.prepare()
        await self.make_old()
        self.store = SQLStore.open(self.path, reactor)
        self.store.load()
        self.assertEqual((await self.store.give_back()).notes, (STOP_FIRST,))
        await self.store.close()
        vacuum_file(self.path)
        self.store = SQLStore.open(self.path, reactor)
        self.assertEqual((await self.store.give_back()).notes, ())


class Stopped(VacuumCase):
    async def filled(self) -> str:
        """Return all rows of a database that is not in use."""
        await self.fill()
        await self.store.close()
        return dump(self.path)

    async def test_a_copy_without_free_pages_takes_its_place(self) -> None:
        before, told = await self.filled(), []
        done = vacuum_file(self.path, lambda *parts: told.append(parts))
        self.assertEqual(done.after, self.path.stat().st_size)
        self.assertLess(done.after, done.before - 100_000)
        self.assertEqual(told[-1][0], told[-1][1])
        self.assertTrue(all(0 <= part < total for part, total in told[:-1]), told)
        self.assertEqual(len(dump(self.path)), len(before))
        self.assertNotIn(b"xylophone", self.path.read_bytes())
        self.assertEqual(oct(self.path.stat().st_mode & 0o777), "0o600")
        self.assertEqual([one.name for one in self.path.parent.iterdir()], [self.path.name])
        self.assertEqual(verify(self.path).contradictions, ())
        self.store = SQLStore.open(self.path, reactor)
        self.store.load()
        self.assertEqual(await self.say("next"), 3006)

    async def test_without_space_nothing_changes(self) -> None:
        before = await self.filled()
        with mock.patch.object(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000)):
            error = self.assertRaises(StoreError, vacuum_file, self.path)
        self.assertIn("MiB must be free", str(error))
        self.assertEqual(dump(self.path), before)
        self.assertEqual([one.name for one in self.path.parent.iterdir()], [self.path.name])

    async def test_a_copy_that_fails_changes_nothing(self) -> None:
        before = await self.filled()
        left = self.path.with_name(f"{self.path.name}.vacuum")
        left.write_bytes(b"of a process that was killed")
        failing = mock.Mock(side_effect=OSError(5, "Input/output error"))
        with mock.patch.object(vacuum, "sync_file", failing):
            error = self.assertRaises(StoreError, vacuum_file, self.path)
        self.assertIn("Input/output error", str(error))
        self.assertFalse(left.exists())
        self.assertEqual(len(dump(self.path)), len(before))

    async def test_what_is_no_database_stays(self) -> None:
        await self.store.close()
        self.path.write_bytes(b"x" * 5000)
        self.assertRaises(StoreError, vacuum_file, self.path)
        self.assertEqual(self.path.read_bytes(), b"x" * 5000)


class InPostgres(RetentionCase, TestCase):
    if postgres.MISSING:
        skip = postgres.MISSING

    def open_store(self) -> SQLStore:
        self.database = postgres.QuickDatabase()
        return SQLStore(self.database, reactor)

    async def test_operators_are_told_what_postgres_does(self) -> None:
        await self.prepare()
        first, *lines = (await self.store.give_back()).notes
        self.assertEqual(first, AUTOVACUUM)
        self.assertEqual(len(lines), vacuum.SHOWN_TABLES)
        self.assertIn("removed ones", lines[0])

    async def test_it_is_vacuumed_while_it_is_in_use(self) -> None:
        await self.prepare()
        told: list[tuple[int, int]] = []
        done = vacuum_postgres(self.database, lambda *parts: told.append(parts))
        self.assertGreater(done.after, 0)
        self.assertEqual(told[-1], (1, 1))
        self.assertGreater(len(told), 20)
        sql = (
            "SELECT count(*) FROM pg_stat_user_tables WHERE schemaname = current_schema()"
            " AND relname = 'entries' AND last_vacuum IS NOT NULL"
        )
        with closing(self.database.open_reader()) as db:
            db.execute("SELECT pg_stat_force_next_flush()")
            self.assertEqual(db.execute(sql).fetchone(), (1,))
        await self.say("on")
