"""Clients of Message Center and PA1, to which the server connects back for each push."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from queue import Queue
from threading import Thread

from tests.e2e.names import AS_WRITTEN, Names
from tests.e2e.original_program import framed, read_frame
from tests.e2e.server import SECONDS


def listen(address: str) -> socket.socket:
    """Return a socket that listens at an address, at a port that no server of this machine has.

    Servers listen on 127.0.0.1, and the system may give their port to a client that listens at
    another address. No server of their chat calls a client at such a port.
    """
    while True:
        listening = socket.create_server((address, 0))
        if address == "127.0.0.1":
            return listening
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", listening.getsockname()[1]))
            return listening
        listening.close()


class DialbackListener:
    """The port that a client listens on.

    Args:
        server: the port of the server.
        address: IP address of the client, one of this machine.
        names: what the users are called.

    Attributes:
        server, address: as given.
        port: the port.
        answer: what the client answers to a privacy question of PA1.
    """

    def __init__(self, server: int, address: str = "127.0.0.1", names: Names = AS_WRITTEN) -> None:
        self.server = server
        self.address = address
        self._names = names
        self._listening = listen(address)
        self.port = int(self._listening.getsockname()[1])
        self.answer = b""
        self._calls: Queue[list[bytes]] = Queue()
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        # Closed by this thread only: it could accept at the next socket with the same number.
        with self._listening, suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with connection:
                    connection.settimeout(SECONDS)
                    self._calls.put(self._read_all(connection))

    def _read_all(self, connection: socket.socket) -> list[bytes]:
        """Return the reads of one connection, as the original makes them: when data arrives."""
        reads: list[bytes] = []
        try:
            while data := connection.recv(4096):
                reads.append(data)
                if data.startswith(b"Privacy") and self.answer:
                    connection.sendall(self.answer)
        except OSError:
            pass
        return reads

    def next_call(self) -> list[bytes]:
        """Return the reads of the next connection of the server."""
        return self._calls.get(timeout=SECONDS)

    def connect(self) -> socket.socket:
        """Open a connection to the server."""
        return socket.create_connection(("127.0.0.1", self.server), SECONDS, (self.address, 0))

    def die(self) -> None:
        """Stop listening, as a client that was killed, if it still does."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)


class MessageCenterClient(DialbackListener):
    """A client of Message Center."""

    token = b""
    name = b""

    def log_in(self, name: bytes, *passwords: bytes) -> list[bytes]:
        """Log in.

        Args:
            name: the user name.
            passwords: tried one after the other on one connection.

        Returns:
            the answer to each password.
        """
        answers = []
        with self.connect() as line:
            line.sendall(framed(b"LIN"))
            for password in passwords:
                line.sendall(framed(self._names.sent(name)) + framed(password))
                answers.append(read_frame(line))
            if answers[-1] == b"LOGIN_OKAY":
                self.name, self.token = name, read_frame(line)
                line.sendall(framed(b"localhost") + framed(str(self.port).encode()))
                assert line.recv(1) == b""
        return answers

    def request(self, kind: bytes, rest: bytes = b"", token: bytes | None = None) -> bytes:
        """Send a request; return the answer on its connection.

        Args:
            kind: three letters.
            rest: the arguments, separated by "|".
            token: instead of the one that the login gave.
        """
        with self.connect() as line:
            fields = [kind, self.name, self.token if token is None else token, rest]
            line.sendall(framed(self._names.sent(b"|".join(fields))))
            answer = b""
            while data := line.recv(4096):
                answer += data
            return answer[4:]

    def next_push(self) -> str:
        """Return the text of the next push."""
        data = b"".join(self.next_call())
        assert struct.unpack("!I", data[:4])[0] == len(data) - 4, data
        return self._names.received(data[4:]).decode()

    def log_out(self) -> None:
        """Log out, if the client has logged in."""
        if self.token:
            self.request(b"OUT")


class PA1Client(DialbackListener):
    """A client of PA1."""

    name = ""

    def request(self, line: str) -> None:
        """Send a command and wait until the server closes the connection."""
        with self.connect() as command:
            command.sendall(self._names.sent(line.encode()))
            while command.recv(4096):
                pass

    def log_in(self, name: str, password: str) -> bytes:
        """Log in; return the answer, of which a client that is slow reads both parts at once."""
        self.name = name
        self.request(f"logIn {name} {password} {self.port}")
        return b"".join(self.next_call())

    def log_out(self) -> None:
        """Log out, if the client has tried to log in."""
        if self.name:
            self.request(f"{self.name} logout")

    def next_call(self) -> list[bytes]:
        return [self._names.received(data) for data in super().next_call()]

    def next_push(self) -> str:
        """Return the text of the next connection."""
        return b"".join(self.next_call()).decode()
