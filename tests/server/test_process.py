"""What is set for the whole process: the clock of the reactor, signals, descriptors, memory."""

from __future__ import annotations

import gc
import resource
import signal
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.base import ReactorBase
from twisted.logger import FileLogObserver
from twisted.python.logfile import LogFile
from twisted.trial.unittest import SynchronousTestCase

from gtchat.server import process
from gtchat.server.logs import LogTarget, text_line
from gtchat.server.process import (
    StartError,
    handle_signals,
    pause_garbage_collector,
    raise_descriptor_limit,
    tune_garbage_collector,
    use_monotonic_clock,
)
from tests.server.fakes import FakeReactor


class BareReactor(ReactorBase):
    """Twisted's scheduling, without descriptors."""

    def installWaker(self) -> None:
        """Do nothing: nothing wakes this reactor up."""

    def wakeUp(self) -> None:
        """Do nothing."""


class MonotonicClock(SynchronousTestCase):
    def setUp(self) -> None:
        self.wall, self.monotonic = 1_800_000_000.0, 50.0
        self.reactor: Any = BareReactor()
        self.reactor.seconds = lambda: self.wall
        self.patch(process, "time", SimpleNamespace(monotonic=lambda: self.monotonic))

    def test_timers_ignore_jumps_of_the_wall_clock(self) -> None:
        use_monotonic_clock(self.reactor)
        for jump in (-86_400.0, 86_400.0):
            fired: list[str] = []
            self.reactor.callLater(0, fired.append, "now")
            self.reactor.callLater(10, fired.append, "later")
            self.wall += jump
            self.reactor.runUntilCurrent()
            self.assertEqual((fired, self.reactor.timeout()), (["now"], 10))
            self.monotonic += 10
            self.reactor.runUntilCurrent()
            self.assertEqual((fired, self.reactor.timeout()), (["now", "later"], None))

    def test_twisted_reads_the_time_through_one_attribute(self) -> None:
        """Without it a jump back delays timers: the reason for `use_monotonic_clock`."""
        fired: list[str] = []
        self.reactor.callLater(0, fired.append, "now")
        self.wall -= 86_400
        self.reactor.runUntilCurrent()
        self.assertEqual((fired, self.reactor.timeout()), ([], 86_400))

    def test_clock_of_a_reactor_in_use_is_not_changed(self) -> None:
        self.reactor.callLater(1, str)
        self.assertRaises(RuntimeError, use_monotonic_clock, self.reactor)
        self.assertEqual(self.reactor.seconds(), self.wall)


class Signals(SynchronousTestCase):
    def setUp(self) -> None:
        self.handlers: dict[int, Any] = {}
        self.ignored: set[int] = set()
        self.terminal = False
        self.actions: list[str] = []
        self.patch(process.signal, "signal", self.handlers.__setitem__)
        self.patch(process.signal, "getsignal", self.current)
        self.patch(process.os, "isatty", lambda descriptor: self.terminal)
        self.patch(process, "reopen", lambda file: self.actions.append("reopen"))

    def current(self, number: int) -> object:
        return signal.SIG_IGN if number in self.ignored else signal.SIG_DFL

    def on(self, number: int, log: LogTarget | None = None) -> list[str]:
        """Return what a signal does."""
        self.handlers.clear()
        self.actions.clear()
        handle_signals(
            FakeReactor(),
            lambda: self.actions.append("drain"),
            lambda: self.actions.append("stop"),
            lambda: self.actions.append("reload"),
            log,
        )
        if number in self.handlers:
            self.handlers[number](number, None)
        return self.actions

    def test_sigterm_drains_and_sigint_stops(self) -> None:
        self.assertEqual(self.on(signal.SIGTERM), ["drain"])
        self.assertEqual(self.on(signal.SIGINT), ["stop"])

    def test_sighup_stops_a_server_on_a_terminal_only(self) -> None:
        self.assertEqual(self.on(signal.SIGHUP), ["reload"])
        self.terminal = True
        self.assertEqual(self.on(signal.SIGHUP), ["stop"])

    def test_ignored_signals_stay_ignored(self) -> None:
        self.ignored = {signal.SIGHUP}
        self.assertEqual(self.on(signal.SIGHUP), [])
        self.assertNotIn(signal.SIGHUP, self.handlers)

    def test_log_file_is_reopened_and_rotated(self) -> None:
        path = Path(self.mktemp()).resolve()
        file = LogFile.fromFullPath(str(path))
        self.addCleanup(file.close)
        file.write("a line\n")
        log = LogTarget(FileLogObserver(file, text_line), file)
        self.assertEqual(self.on(signal.SIGHUP, log), ["reopen", "reload"])
        self.on(signal.SIGUSR1, log)
        self.assertEqual(path.with_name(path.name + ".1").read_text(), "a line\n")

    def test_standard_output_is_not_reopened(self) -> None:
        log = LogTarget(FileLogObserver(StringIO(), text_line))
        self.assertEqual(self.on(signal.SIGHUP, log), ["reload"])
        self.assertNotIn(signal.SIGUSR1, self.handlers)


class Process(SynchronousTestCase):
    def test_descriptor_limit_is_raised_to_the_hard_limit(self) -> None:
        limits: list[tuple[int, tuple[int, int]]] = []
        self.patch(resource, "getrlimit", lambda which: (1024, 4096))
        self.patch(resource, "setrlimit", lambda *call: limits.append(call))
        raise_descriptor_limit()
        self.assertEqual(limits, [(resource.RLIMIT_NOFILE, (4096, 4096))])

    def test_descriptor_limit_that_cannot_be_raised_is_kept(self) -> None:
        def refuse(*call: object) -> None:
            raise ValueError("not allowed to raise maximum limit")

        self.patch(resource, "setrlimit", refuse)
        raise_descriptor_limit()

    def test_garbage_is_collected_again_after_a_start(self) -> None:
        self.addCleanup(gc.enable)
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.unfreeze)
        pause_garbage_collector()
        self.assertFalse(gc.isenabled())
        tune_garbage_collector()
        self.assertTrue(gc.isenabled())

    def test_objects_of_the_start_are_excluded_from_collections(self) -> None:
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.unfreeze)
        tune_garbage_collector()
        self.assertGreater(gc.get_freeze_count(), 0)
        self.assertEqual(gc.get_threshold()[0], 100_000)

    def test_reason_of_a_failed_start_is_its_text(self) -> None:
        self.assertEqual(str(StartError("the port is in use")), "the port is in use")
