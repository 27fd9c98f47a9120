"""Short runs of migrate.py; one that kills is for the runs of the tests on PostgreSQL."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gtchat.store.sql.consistency import find_contradictions
from gtchat.store.sql.sqlite import connect
from tests import postgres
from tests.e2e.server import ON_POSTGRES
from tests.stress.migrate import Migrate, Size, fill


class Filling(SynchronousTestCase):
    def test_a_chat_agrees_with_its_logs(self) -> None:
        path = Path(self.mktemp())
        path.parent.mkdir(parents=True, exist_ok=True)
        fill(path, Size(accounts=5, rooms=3, members=4, messages=20))
        with closing(connect(path, "ro")) as db:
            self.assertEqual(find_contradictions(db), [])
            counts: list[Any] = [
                db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("accounts", "rooms", "members", "entries")
            ]
        self.assertEqual(counts, [5, 4, 12, 32])


class Killing(SynchronousTestCase):
    skip = postgres.MISSING or (None if ON_POSTGRES else "only with TESTS_POSTGRES=1")

    def test_a_copy_that_was_killed_leaves_nothing_and_the_next_one_is_complete(self) -> None:
        result = Migrate(Size(accounts=20, rooms=5, members=4, messages=200), kills=1).run()
        self.assertEqual(result.violations, [])
        self.assertEqual((result.kills, result.rows), (1, 20 + 20 + 6 + 20 + 220 + 5 + 2))
