"""Reports in SQLite: those of the word filter, and those of the revision before it made some."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase, TestCase

from gtchat.chat.errors import NotStored
from gtchat.chat.interfaces import HistoryQuery
from gtchat.store.sql import opening, reports
from tests.store.contract import StoreCase, message
from tests.store.reports_contract import FLAG, MADE, NO_LIMITS
from tests.store.sql.test_store import OnDisk

ROW = {
    "log_id": 7,
    "room": "Garden",
    "seq": 3,
    "author_id": 2,
    "author": "Bob",
    "msg": "buy this",
    "sent_at": 90,
    "reporter_id": 1,
    "reporter": "Ann",
    "reason": "spam",
    "at": 100,
    "outcome": "",
    "answer": "",
    "answered_by": "",
    "answered_at": 0,
}


def add(db: sqlite3.Connection, **fields: object) -> None:
    row = {**ROW, **fields}
    marks = ", ".join("?" * len(row))
    db.execute(f"INSERT INTO reports ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))


class ReportMigration(SynchronousTestCase):
    def test_reports_are_kept_and_the_filter_needs_no_account(self) -> None:
        path = Path(self.mktemp())
        opening.create(path, "0027")
        with closing(sqlite3.connect(path)) as db, db:
            add(db)
            add(db, seq=4, author_id=None)
        opening.prepare(path)
        with closing(sqlite3.connect(path)) as db:
            rows = db.execute(
                "SELECT id, seq, author_id, reporter_id, rule FROM reports"
            ).fetchall()
            self.assertEqual(rows, [(1, 3, 2, 1, ""), (2, 4, None, 1, "")])
            for _ in range(2):
                add(db, reporter_id=None, reporter="word filter", rule="spam")
            with self.assertRaises(sqlite3.IntegrityError):
                add(db)
            db.execute("DELETE FROM reports WHERE id > 2")
            add(db, seq=5)
            [(newest,)] = db.execute("SELECT max(id) FROM reports").fetchall()
            self.assertEqual(newest, 5, "a number is given again")


class FlagTests(OnDisk, StoreCase, TestCase):
    async def test_a_message_is_not_stored_without_its_flag(self) -> None:
        """Both are in one transaction: what ends it between them ends both."""
        failing: list[Any] = [sqlite3.OperationalError("disk I/O error")]
        add = reports.add

        def fail_once(*args: Any) -> int:
            if failing:
                raise failing.pop()
            return add(*args)

        self.patch(reports, "add", fail_once)
        said = self.append(self.lobby, message("x"))
        flagging = self.store.add_report(FLAG, MADE, NO_LIMITS, None, said)
        await self.assertFails(flagging, NotStored)
        self.assertIsInstance(said.error, NotStored)
        self.assertEqual(await self.texts(self.lobby, HistoryQuery()), [])
        again = self.append(self.lobby, message("x"))
        number = await self.store.add_report(FLAG, MADE, NO_LIMITS, None, again)
        self.assertEqual((await self.store.report(number)).seq, again.entry.seq)
