"""The runner of ./t.sh: its counts, and that it leaves no process behind."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.e2e.fork_server import ENABLED
from tests.e2e.server import Server
from tests.run import TOP, Run, count_results, missing

#: What trial had written when it was ended, during its fourth test.
ENDED = """\
Running 5 tests.
tests.test_run.RunTests.test_results_are_counted_by_the_last_line ... [OK]
tests.test_run.RunTests.test_results_of_a_trial_that_was_ended_are_counted_one_by_one ... [OK]
tests.test_run.RunTests.test_a_run_that_hangs_ends_with_a_verdict ... [FAILURE][ERROR]
tests.test_run.RunTests.test_daemons_are_killed ... [SKIPPED]
tests.test_run.RunTests.test_a_server_that_is_left_holds_up_no_process ... [OK]
tests.test_run.Other.test_that_does_not_exist ... [ERROR]
tests.test_run.Other.test_that_runs ... """

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


#: A test that never ends.
HANGING = """
import threading, unittest
class Hanging(unittest.TestCase):
    def test_waits(self):
        threading.Event().wait()
"""


class RunTests(SynchronousTestCase):
    def test_results_are_counted_by_the_last_line(self) -> None:
        output = "failures=9 ...\nFAILED (skips=1, failures=2, errors=3, successes=40)\n"
        self.assertEqual(count_results(output), (40, 5, 1))
        self.assertEqual(count_results("PASSED (successes=3)\n\n"), (3, 0, 0))
        self.assertEqual(count_results("trial: no such module"), (0, 0, 0))

    def test_results_of_a_trial_that_was_ended_are_counted_one_by_one(self) -> None:
        self.assertEqual(count_results(ENDED), (3, 2, 1))
        self.assertEqual(missing(["tests.test_run.RunTests"], ENDED), "none")
        of_two = "tests.test_run.RunTests.test_daemons_are_killed ... [OK]\n"
        self.assertEqual(missing(["tests.test_run"], of_two), "tests.test_run (4)")

    def test_a_run_that_hangs_ends_with_a_verdict(self) -> None:
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        (folder / "hanging.py").write_text(HANGING)
        self.patch(sys, "path", [*sys.path, str(folder)])
        run = Run(folder, seconds=0.5)
        run.environment["PYTHONPATH"] = f"{TOP}:{folder}"
        with redirect_stdout(io.StringIO()) as printed:
            asyncio.run(run.tests("hanging", workers=1))
        self.assertEqual((run.passed, run.failed), (0, 1))
        self.assertIn("too long; without a result: hanging (1)", printed.getvalue())

    def test_a_server_that_is_left_holds_up_no_process(self) -> None:
        if not ENABLED:
            raise SkipTest("servers are not forked")
        server = Server("--store", "memory").start()
        self.addCleanup(server.kill)
        assert server.process is not None and server._reader is not None
        self.assertTrue(server._reader.daemon)
        stat = Path(f"/proc/{server.process.pid}/stat").read_text()
        waiting = stat.rpartition(")")[2].split()[1]
        # Trial waits until its pipes are closed; the server has a pipe of its own.
        self.assertEqual({"1", "2"} & set(os.listdir(f"/proc/{waiting}/fd")), set())

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
