"""Clients of Message Center and PA1 in a process of their own, which read as the originals do.

They bind their port without SO_REUSEADDR, read a push once, and close the connection: so a test can
start them again at the same port, stop them and kill them. The process prints a line of JSON for
the login and one for each push.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.original_program import framed
from tests.e2e.server import SECONDS

PROGRAM = Path(__file__).with_name("original_program.py")


class OriginalClient:
    """A client that has logged in.

    Args:
        protocol: "message_center" or "pa1".
        server: port of the server.
        name: the user name.
        password: of the user.
        port: at which the client listens; 0 for a free one.

    Attributes:
        port: at which the client listens.
        token: of Message Center.
    """

    def __init__(self, protocol: str, server: int, name: str, password: str, port: int = 0) -> None:
        words = [protocol, str(server), name, password, str(port)]
        self.process = subprocess.Popen(
            [sys.executable, "-IS", str(PROGRAM), *words],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.server = server
        self.name = name
        self.port, self.token = self.next_line()

    def next_line(self) -> Any:
        """Return what the next line of the process says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the client has ended"
        return json.loads(line)

    def stop(self) -> None:
        """Stop the process, as Ctrl-Z does."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def resume(self) -> None:
        """Let the process go on."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.wait(SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def request(self, kind: str) -> None:
        """Send a request of Message Center, and wait until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.server), SECONDS) as line:
            line.sendall(framed(f"{kind}|{self.name}|{self.token}|".encode()))
            while line.recv(100):
                pass
