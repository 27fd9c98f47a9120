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
import struct
import subprocess
import sys
from typing import Any

from tests.e2e.dialback import framed, read_frame
from tests.e2e.server import SECONDS, TOP


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
            [sys.executable, "-m", "tests.e2e.original_client", *words],
            env={**os.environ, "PYTHONPATH": str(TOP)},
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


def say(value: object) -> None:
    """Print a value as a line of JSON."""
    print(json.dumps(value), flush=True)


def log_in_message_center(server: int, name: str, password: str, port: int) -> str:
    """Log in; return the token."""
    with socket.create_connection(("127.0.0.1", server), SECONDS) as line:
        line.sendall(framed(b"LIN") + framed(name.encode()) + framed(password.encode()))
        assert read_frame(line) == b"LOGIN_OKAY"
        token = read_frame(line).decode()
        line.sendall(framed(b"localhost") + framed(str(port).encode()))
        assert line.recv(1) == b""
    return token


def log_in_pa1(server: int, name: str, password: str, port: int) -> str:
    """Log in; the answer is a push."""
    with socket.create_connection(("127.0.0.1", server), SECONDS) as line:
        line.sendall(f"logIn {name} {password} {port}".encode())
        assert line.recv(1) == b""
    return ""


def read_message_center(call: socket.socket) -> str:
    """Return a push: one read for the length, one for the text."""
    return call.recv(struct.unpack("!I", call.recv(4))[0]).decode()


def read_pa1(call: socket.socket) -> str:
    """Return a push: one read, and another one for what follows Ok."""
    text = call.recv(4096).decode()
    return text + call.recv(4096).decode() if text == "Ok" else text


def main(protocol: str, server: str, name: str, password: str, port: str) -> None:
    """Log in, and print what is pushed, until the process is killed."""
    log_in, read = {
        "message_center": (log_in_message_center, read_message_center),
        "pa1": (log_in_pa1, read_pa1),
    }[protocol]
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", int(port)))
        listening.listen(5)
        own = listening.getsockname()[1]
        say([own, log_in(int(server), name, password, own)])
        while True:
            call, _ = listening.accept()
            with call:
                text = read(call)
            say(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
