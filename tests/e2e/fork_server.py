"""Starts servers by fork from a process that has imported everything already.

Most of the CPU time of a start is spent on imports: this takes a tenth of it. One such process
belongs to each process that runs tests; it is started when it is first needed and ends with it.
`./t.sh` uses it; without TESTS_FORK_SERVERS=1 in the environment each server is executed.

These servers hash passwords with the least work that Argon2 can do: a hash at its usual cost takes
as much time of a core as two starts, and each start makes one. The usual cost is that of
tests/server/test_passwords.py. Files of the page are compressed once.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

#: The folder of the repository.
TOP = Path(__file__).resolve().parents[2]
#: Whether to use it.
ENABLED = sys.platform == "linux" and os.environ.get("TESTS_FORK_SERVERS") == "1"
#: Maximum bytes of a request, which is one datagram.
REQUEST_BYTES = 128 * 1024


def default_signals() -> None:
    """Reset the signals that a parent may ignore, as nohup does. A `preexec_fn` of subprocess."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class ForkedProcess:
    """A process that was started by fork, with the part of Popen's interface that tests use.

    Args:
        words: as for `python -c`: the code, and the arguments.
        env: its environment variables.
        cwd: its working directory.
        stdin: a file descriptor, or subprocess.DEVNULL.
        stderr: a file descriptor for standard error, by default that of standard output.

    Attributes:
        pid: its process id.
        stdout: its standard output, and error if that has no descriptor of its own, as text.
        returncode: the exit status, the negative signal number, or None while it runs.
    """

    def __init__(
        self,
        words: list[str],
        env: dict[str, str],
        cwd: str,
        stdin: int,
        stderr: int | None = None,
    ) -> None:
        request = json.dumps({"words": words, "env": env, "cwd": cwd}).encode()
        reading, writing = os.pipe()
        null = os.open(os.devnull, os.O_RDWR)
        self._status, theirs = socket.socketpair()
        descriptors = [
            null if stdin == subprocess.DEVNULL else stdin,
            writing,
            writing if stderr is None else stderr,
            theirs.fileno(),
        ]
        socket.send_fds(_control(), [request], descriptors)
        os.close(null)
        os.close(writing)
        theirs.close()
        self.stdout = open(reading, encoding="utf-8", errors="replace")  # noqa: SIM115
        self.returncode: int | None = None
        self.pid: int = self._receive(None)

    def _receive(self, timeout: float | None) -> int:
        self._status.settimeout(timeout)
        data = self._status.recv(4)
        if len(data) < 4:
            raise AssertionError("the fork server has ended")
        return int(struct.unpack("i", data)[0])

    def poll(self) -> int | None:
        """Return the exit status, None while the process runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; return the exit status.

        Raises:
            subprocess.TimeoutExpired: it runs after `timeout` seconds.
        """
        if self.returncode is None:
            try:
                self.returncode = os.waitstatus_to_exitcode(self._receive(timeout))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("forked server", timeout or 0) from None
            self._status.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def run(
    words: list[str], env: dict[str, str], cwd: str, timeout: float, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, by fork if that is enabled; as subprocess.run with captured output.

    Args:
        words, env, cwd: as for `ForkedProcess`.
        timeout: in seconds.
        typed: what it finds on standard input.

    Raises:
        subprocess.TimeoutExpired: it has not ended.
    """
    if not ENABLED:
        return subprocess.run(
            [sys.executable, "-c", *words],
            env=env,
            cwd=cwd,
            input=typed,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    temporary = functools.partial(tempfile.TemporaryFile, "w+", encoding="utf-8")
    with temporary() as errors, temporary() as given:
        given.write(typed)
        given.seek(0)
        process = ForkedProcess(words, env, cwd, given.fileno(), errors.fileno())
        late = threading.Timer(timeout, process.kill)
        late.start()
        with process.stdout:
            output = process.stdout.read()
        status = process.wait(timeout)
        late.cancel()
        errors.seek(0)
        return subprocess.CompletedProcess(words, status, output, errors.read())


def start(
    words: list[str], env: dict[str, str], cwd: str, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[str] | ForkedProcess:
    """Start a program, by fork if that is enabled; see `ForkedProcess`."""
    if ENABLED:
        return ForkedProcess(words, env, cwd, stdin)
    return subprocess.Popen(
        [sys.executable, "-c", *words],
        env=env,
        cwd=cwd,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=default_signals,
    )


@functools.cache
def _control() -> socket.socket:
    """Start the fork server of this process; return the socket for requests."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.fork_server", str(theirs.fileno())],
            env={**os.environ, "PYTHONPATH": str(TOP)},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
    return ours


def _serve(control: socket.socket) -> dict[str, Any]:
    """Fork for each request; return the request in the new process only."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, REQUEST_BYTES, 4)
        # Not by ignoring SIGCHLD: the time of the servers would not be counted as that of children.
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not data:
            os._exit(0)
        if os.fork() == 0:
            control.close()
            return _fork_and_wait(json.loads(data), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _fork_and_wait(
    request: dict[str, Any], stdin: int, stdout: int, stderr: int, status: int
) -> dict[str, Any]:
    """Fork once more: report the pid and the end of the child, which alone returns."""
    child = os.fork()
    if child == 0:
        for target, source in ((0, stdin), (1, stdout), (2, stderr)):
            os.dup2(source, target)
        for descriptor in (stdin, stdout, stderr, status):
            os.close(descriptor)
        return request
    # A test that fails may leave the server running. This process must not hold the output of the
    # one that ran the test: trial waits until that is closed.
    for descriptor in (stdin, stdout, stderr, 1, 2):
        os.close(descriptor)
    with suppress(OSError):  # the test has ended
        os.write(status, struct.pack("i", child))
        os.write(status, struct.pack("i", os.waitpid(child, 0)[1]))
    os._exit(0)


def _become(request: dict[str, Any]) -> str:
    """Take over the environment of a request; return the code to run."""
    default_signals()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as Python does at its start
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    # The objects that are there were made for the files of the fork server.
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(  # noqa: SIM115
        2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )
    program, *arguments = request["words"]
    sys.argv = ["-c", *arguments]
    return str(program)


if __name__ == "__main__":
    import alembic.command  # noqa: F401
    import sqlalchemy.dialects.sqlite  # noqa: F401
    import twisted.application.app  # noqa: F401
    import twisted.internet.epollreactor  # noqa: F401
    import twisted.scripts.twistd  # noqa: F401
    import twisted.words.iwords  # noqa: F401

    import gtchat.cli
    import gtchat.server.import_accounts
    import gtchat.server.service
    import gtchat.tap  # noqa: F401
    import twisted.plugins.gtchat_plugin  # noqa: F401
    from gtchat.server import passwords
    from gtchat.web import files
    from tests.e2e import frame_check

    passwords.PasswordHasher = functools.partial(  # type: ignore[assignment,misc]
        passwords.PasswordHasher, time_cost=1, memory_cost=8, parallelism=1
    )
    files.Content.of = functools.cache(files.Content.of)  # type: ignore[method-assign]
    for file in files.load_files(TOP / "static").values():
        _ = file.content.gzipped  # compresses it here, not in each server

    frame_check.install()
    assert "twisted.internet.reactor" not in sys.modules, "a reactor does not survive a fork"
    gc.freeze()
    exec(_become(_serve(socket.socket(fileno=int(sys.argv[1])))), {"__name__": "__main__"})
