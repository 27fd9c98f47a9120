"""A short run of backups.py, with both databases: in the runs of the tests on PostgreSQL."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.server import ON_POSTGRES
from tests.stress.backups import Backups
from tests.stress.migrate import Size


class Killing(SynchronousTestCase):
    skip = None if ON_POSTGRES else "only with TESTS_POSTGRES=1"

    def test_exports_are_the_same_and_kills_leave_one_database_or_the_other(self) -> None:
        result = Backups(Size(accounts=20, rooms=5, members=4, messages=200), kills=2).run()
        self.assertEqual(result.violations, [])
        self.assertEqual(result.kills, 4)
