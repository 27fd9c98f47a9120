"""The runner of ./t.sh: its counts, and that it leaves no process behind."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.run import TOP, count_results

#: Starts a daemon: a process in another session, whose parent has ended. Prints its id.
DAEMON = """
import os, time
from tests.run import adopt_orphans, kill_descendants, reap
adopt_orphans()
if os.fork() == 0:
    os.setsid()
    if (pid := os.fork()) == 0:
        time.sleep(600)
    print(pid, flush=True)
    os._exit(0)
os.wait()
kill_descendants()
reap()
"""


class RunTests(SynchronousTestCase):
    def test_results_are_counted_by_the_last_line(self) -> None:
        output = "failures=9 ...\nFAILED (skips=1, failures=2, errors=3, successes=40)\n"
        self.assertEqual(count_results(output), (40, 5, 1))
        self.assertEqual(count_results("PASSED (successes=3)\n\n"), (3, 0, 0))
        self.assertEqual(count_results("trial: no such module"), (0, 0, 0))

    def test_daemons_are_killed(self) -> None:
        if sys.platform != "linux":
            raise SkipTest("needs /proc and prctl")
        done = subprocess.run(
            [sys.executable, "-c", DAEMON],
            env={**os.environ, "PYTHONPATH": str(TOP)},
            capture_output=True,
            text=True,
            check=True,
        )
        with self.assertRaises(ProcessLookupError):
            os.kill(int(done.stdout), 0)
