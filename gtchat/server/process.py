"""What concerns the process as a whole: its clock, signals, descriptors, memory and exit status.

Nothing here knows of chats or protocols.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
from twisted.internet.interfaces import IDelayedCall
from twisted.python.logfile import LogFile

from gtchat.chat.measures import Histogram
from gtchat.server.logs import LogTarget, reopen

#: Seconds between two measurements of the event loop.
LAG_INTERVAL_S = 1.0
#: Exit statuses: a resource is not available; a setting or the database is invalid (EX_CONFIG of
#: sysexits.h, on which a service manager does not need to retry).
EXIT_UNAVAILABLE, EXIT_CONFIG = 1, 78


@attrs.frozen
class StartError(Exception):
    """The server cannot start.

    Attributes:
        text: the reason, in one line, for the operator.
        status: exit status of the process.
    """

    text: str
    status: int = EXIT_UNAVAILABLE

    def __str__(self) -> str:
        return self.text


def use_monotonic_clock(reactor: Any) -> None:
    """Make a reactor schedule by `time.monotonic`, so that no timer follows the wall clock.

    Twisted's reactors schedule by `time.time`: when the wall clock is set back by a day, a timer
    fires a day late, and when it is set forward all timers fire at once. `ReactorBase` reads the
    time through its attribute `seconds` only, so replacing that one attribute moves all timers,
    those of Twisted itself included (connection timeouts, pauses of `accept`).

    A wrapper around the reactor cannot do that. Its own queue of timers needs a wake-up from the
    reactor, and every `callLater` of the reactor, with a delay of 0 too, is late by as much as the
    wall clock was set back while it waited. A wake-up by a thread or a timer descriptor costs
    system calls in each turn, and timers that Twisted starts would still follow the wall clock.

    Args:
        reactor: a `ReactorBase` on which nothing is scheduled yet.

    Raises:
        RuntimeError: something is scheduled; its time would mean another one afterwards.
    """
    if reactor.getDelayedCalls():
        raise RuntimeError("the clock cannot be changed: the reactor has delayed calls")
    reactor.seconds = time.monotonic


class LoopLag:
    """Measures how late the event loop is: once a second, by a timer.

    Args:
        clock: an IReactorTime.

    Attributes:
        seconds: how late the timer was.
    """

    def __init__(self, clock: Any) -> None:
        self.seconds = Histogram()
        self._clock = clock
        self._timer: IDelayedCall | None = None
        self._due = 0.0

    def start(self) -> None:
        """Measure from now on."""
        self._due = self._clock.seconds() + LAG_INTERVAL_S
        self._timer = self._clock.callLater(LAG_INTERVAL_S, self._look)

    def stop(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self.seconds.observe(max(0.0, self._clock.seconds() - self._due))
        self.start()


def raise_descriptor_limit() -> None:
    """Allow as many file descriptors as the system permits; the usual 1,024 are too few."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pause_garbage_collector() -> None:
    """Collect nothing until `tune_garbage_collector`.

    Nearly everything that a start creates stays. To look at all of it again and again took an
    eighth of its CPU time.
    """
    gc.disable()


def tune_garbage_collector() -> None:
    """Exclude what was loaded at the start from collections, and collect less often.

    It is not looked through for garbage before: that took a tenth of a start, and found 2 MB.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    gc.enable()


def handle_signals(
    reactor: Any,
    drain: Callable[[], None],
    stop: Callable[[], None],
    reload: Callable[[], None],
    log: LogTarget | None,
) -> None:
    """Act on SIGTERM, SIGINT and SIGHUP, and with a log file on SIGUSR1.

    A signal that is ignored stays ignored: `nohup` asks for that.

    Args:
        reactor: runs the actions, through `callFromThread`.
        drain: stops the server once a proxy had time to notice; SIGTERM does, which is what service
            managers send.
        stop: stops the server at once.
        reload: reads what may have been renewed on disk.
        log: where the log goes; None where twistd decides.
    """
    actions: dict[int, Callable[[], object]] = {signal.SIGTERM: drain, signal.SIGINT: stop}
    if log is not None and log.file is not None:
        actions[signal.SIGHUP] = partial(_reopen_and_reload, log.file, reload)
        actions[signal.SIGUSR1] = log.file.rotate
    elif any(map(os.isatty, range(3))):
        actions[signal.SIGHUP] = stop  # the terminal was closed
    else:
        actions[signal.SIGHUP] = reload
    for number, action in actions.items():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_, action=action: reactor.callFromThread(action))


def _reopen_and_reload(file: LogFile, reload: Callable[[], None]) -> None:
    reopen(file)
    reload()
