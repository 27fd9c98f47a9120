"""Whether writes to the database succeed: while they fail, they are tried."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from gtchat.store.jobs import Job, StoreCall
from gtchat.store.sql.batch_writer import Outcome
from gtchat.store.sql.health import TRIAL_S, StoreHealth, write_trial
from gtchat.store.sql.sqlite import connect
from tests.databases import create_empty

BATCH: list[Job] = [StoreCall(None)]


class HealthTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.trials: list[Deferred[Any]] = []
        self.logged: list[str] = []
        log = Logger(observer=lambda event: self.logged.append(event["log_format"]))
        self.health = StoreHealth(self.clock, log, str, self.write)

    def write(self) -> Deferred[Any]:
        self.trials.append(Deferred())
        return self.trials[-1]

    def note_failure(self) -> None:
        self.health.note(BATCH, Outcome(error=OSError("no space")))

    def fail_trial(self) -> None:
        """Let the trial fail that is under way, as the writer does."""
        self.note_failure()
        self.trials[-1].errback(OSError("no space"))

    def test_a_write_is_tried_until_one_succeeds_and_the_log_has_the_first_failure(self) -> None:
        self.note_failure()
        self.assertEqual((self.health.healthy, self.trials), (False, []))
        for number in (1, 2, 3):
            self.clock.advance(TRIAL_S)
            self.assertEqual(len(self.trials), number)
            self.clock.advance(9 * TRIAL_S)
            self.assertEqual(len(self.trials), number)  # one at a time
            if number < 3:
                self.fail_trial()
        self.health.note(BATCH, Outcome())
        self.trials[-1].callback(None)
        self.assertTrue(self.health.healthy)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.logged), 2, self.logged)  # that writes fail, and work again

    def test_a_trial_without_a_batch_is_repeated(self) -> None:
        self.health.note([], Outcome(error=OSError("the connection ended within a commit")))
        self.clock.advance(TRIAL_S)
        self.trials[0].errback(OSError("this node is lost"))
        self.clock.advance(TRIAL_S)
        self.assertEqual(len(self.trials), 2)

    def test_none_is_left_when_the_store_closes(self) -> None:
        self.note_failure()
        self.health.stop()
        self.note_failure()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_trial_writes_and_leaves_nothing(self) -> None:
        path = Path(self.mktemp())
        create_empty(path)
        with closing(connect(path, "rw")) as db:
            db.execute("PRAGMA journal_mode = WAL")
            before = db.execute("SELECT * FROM meta ORDER BY key").fetchall()
            written = db.total_changes
            db.execute("BEGIN IMMEDIATE")
            write_trial(db)
            db.execute("COMMIT")
            self.assertEqual(db.total_changes - written, 2)
            self.assertGreater(path.with_name(path.name + "-wal").stat().st_size, 0)
            self.assertEqual(db.execute("SELECT * FROM meta ORDER BY key").fetchall(), before)
