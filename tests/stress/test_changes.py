"""Kills while messages are changed; see `changes`."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.server import NO_QUOTA, Server
from tests.stress.changes import Changes

OPTIONS = (
    *("--commands-per-second", "0"),
    *("--registrations-per-minute", "0"),
    *("--reactions-per-minute", "0"),
    *NO_QUOTA,
)


class KilledChanges(SynchronousTestCase):
    def test_six_kills_leave_no_change_lost_doubled_or_half_made(self) -> None:
        server = Server(*OPTIONS)
        self.addCleanup(server.kill)
        changes = Changes(server, random.Random(14))
        changes.run(6)
        self.assertEqual(changes.violations, [])
        requests = [one for user in changes.requests.values() for one in user]
        stored = {one.cmd for one in requests if one.reply is not None and "seq" in one.reply}
        self.assertEqual(stored, {"speak", "edit", "delete", "react", "pin", "unpin"})
        self.assertTrue(changes.repeated(), "no reply was lost")
        self.assertNotIn("Traceback", "".join(server.lines))
