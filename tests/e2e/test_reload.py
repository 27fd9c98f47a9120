"""`gtchat admin reload` with clients connected; `python -m tests.stress reload` has 1,000."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.stress.reload import Reload


class Reloading(SynchronousTestCase):
    def test_nobody_is_disconnected_and_a_broken_file_changes_nothing(self) -> None:
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        result = Reload(folder, 30).run(2, lambda done: None)
        self.assertEqual((result.reloads, result.violations), (4, []), result)
