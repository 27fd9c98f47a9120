"""What the texts of messages take, as SQLite counts it; the contract has what every store does."""

from __future__ import annotations

import sqlite3

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.admin_store import DELETED_ROOMS, StorageQuery, StoredTexts
from gtchat.store.sql import schema, storage


class Counting(SynchronousTestCase):
    def setUp(self) -> None:
        self.db = sqlite3.connect(":memory:")
        self.addCleanup(self.db.close)
        for table in schema.metadata.sorted_tables:
            self.db.execute(str(CreateTable(table).compile(dialect=sqlite.dialect())))
        for index in schema.entries.indexes:
            self.db.execute(str(CreateIndex(index).compile(dialect=sqlite.dialect())))

    def test_rooms_whose_log_is_still_being_deleted_are_one_sum(self) -> None:
        for room_id in (7, 8):
            self.db.execute(
                "INSERT INTO entries (room_id, seq, message_count, kind, at, usr, msg)"
                " VALUES (?, 1, 1, 'speak', 1, 'Ann', 'text')",
                (room_id,),
            )
        use = storage.count(self.db, StorageQuery("rooms"))
        self.assertEqual(use.texts, (StoredTexts(DELETED_ROOMS, 2, 8),))

    def test_only_the_newest_rows_are_read(self) -> None:
        for by in ("rooms", "accounts"):
            statement = storage._COUNT[by, False]
            values = {**statement.constants, "above": 1, "limit": 1}
            plan = self.db.execute(f"EXPLAIN QUERY PLAN {statement.sql}", values)
            steps = [step for *_, step in plan if "entries" in step]
            self.assertEqual(steps, ["SEARCH entries USING INTEGER PRIMARY KEY (rowid>?)"], by)
