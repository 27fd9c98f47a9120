"""Starting under twistd: how a start that fails ends, whether or not the server is a daemon.

twistd starts a daemon by forking. The first process waits on a pipe for a byte of the last one,
whose standard error is closed by then. A last process that exits in any other way than by an
`Exception` leaves the first one waiting for ever, and its PID file behind. Here it writes the
reason and its exit status into that pipe, and the first process prints and returns them.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from typing import Any

from twisted.python.util import untilConcludes
from twisted.scripts._twistd_unix import UnixApplicationRunner

from gtchat.server.process import EXIT_UNAVAILABLE, StartError

#: What the last process writes when it has started, as twistd does.
_STARTED = b"0"
#: Begins the report of a failed start: exit status and reason follow, separated by a space.
_FAILED = b"gtchat "
#: Most bytes of a report; less than a pipe takes at once (POSIX: PIPE_BUF is at least 512).
_REPORT_BYTES = 500


def wait_as_first_process() -> None:
    """Make the first process of a daemon report a failed start, with its exit status."""
    UnixApplicationRunner._waitForStart = _wait_for_start  # type: ignore[assignment,method-assign]


def _wait_for_start(runner: UnixApplicationRunner, pipe: int) -> int:
    """Return the exit status of the first process, once the last one has started or failed.

    Args:
        runner: twistd's.
        pipe: descriptor of the end to read.
    """
    _close_other_end(pipe)
    report: bytes = untilConcludes(os.read, pipe, _REPORT_BYTES)
    if report == _STARTED:
        return 0
    status, reason = EXIT_UNAVAILABLE, report.removeprefix(b"1 ").decode("utf-8", "replace")
    if report.startswith(_FAILED):
        number, _, reason = report.removeprefix(_FAILED).decode("utf-8", "replace").partition(" ")
        status = int(number)
    _print(reason or "the server ended while it started")
    return status


def _close_other_end(pipe: int) -> None:
    """Close the end to write of this process, so that the pipe ends when the last one exits."""
    inode = os.fstat(pipe).st_ino
    for descriptor in map(int, os.listdir("/dev/fd")):
        with contextlib.suppress(OSError):  # the one of listdir itself
            if descriptor != pipe and os.fstat(descriptor).st_ino == inode:
                os.close(descriptor)


def _print(reason: str) -> None:
    # twistd has made sys.stderr a part of its log.
    print(f"gtchat: {reason}", file=sys.__stderr__, flush=True)


def fail(error: StartError, twistd: Mapping[str, Any]) -> SystemExit:
    """Report a failed start to the operator. Return the exception that ends the process.

    Args:
        error: why the server cannot start.
        twistd: options of twistd, with `statusPipe` in the last process of a daemon.
    """
    if twistd.get("pidfile"):
        with contextlib.suppress(OSError):
            os.unlink(twistd["pidfile"])
    if (pipe := twistd.get("statusPipe")) is not None:
        report = _FAILED + f"{error.status} {error.text}".encode()
        untilConcludes(os.write, pipe, report[:_REPORT_BYTES])
    else:
        _print(error.text)
    return SystemExit(error.status)


def check_pid_file(twistd: Mapping[str, Any]) -> None:
    """Check that twistd can write its PID file.

    Args:
        twistd: options of twistd; `pidfile` is an absolute path or empty.

    Raises:
        StartError: it cannot.
    """
    path = twistd.get("pidfile")
    if not path:
        return
    existed = os.path.exists(path)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        if not existed:
            os.unlink(path)
    except OSError as error:
        raise StartError(
            f"cannot write {path}: {error.strerror}; choose another file with "
            "`twistd --pidfile=FILE`, or none with `twistd --pidfile=`"
        ) from error
