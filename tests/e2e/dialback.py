"""Clients of Message Center and PA1 as the server sees the originals: they are called back."""

from __future__ import annotations

import socket
import struct
from queue import Empty, Queue
from threading import Thread

from tests.e2e.server import SECONDS


class Listener:
    """The port that a client listens on; what each call says is taken off `calls`."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listening.getsockname()[1])
        self.answer = b""
        self._calls: Queue[list[bytes]] = Queue()
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(SECONDS)
                self._calls.put(self._take(connection))

    def _take(self, connection: socket.socket) -> list[bytes]:
        """All reads of a call, as the original reads: at once when something comes."""
        reads: list[bytes] = []
        try:
            while data := connection.recv(4096):
                reads.append(data)
                if data.startswith(b"Privacy") and self.answer:
                    connection.sendall(self.answer)
        except OSError:
            pass
        return reads

    def call(self) -> list[bytes]:
        """What the next call says, by reads."""
        return self._calls.get(timeout=SECONDS)

    def nothing(self) -> bool:
        """Whether nobody has called, as far as is known now."""
        try:
            self._calls.get_nowait()
        except Empty:
            return True
        return False

    def die(self) -> None:
        """As after SIGKILL: nobody listens any more."""
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()


class CenterClient(Listener):
    """A client of Message Center."""

    token = b""
    name = b""

    def __init__(self, server: int) -> None:
        super().__init__()
        self.server = server

    def connect(self) -> socket.socket:
        """A connection to the server."""
        return socket.create_connection(("127.0.0.1", self.server), SECONDS)

    def log_in(self, name: bytes, *passwords: bytes) -> list[bytes]:
        """Try passwords; the answers."""
        answers = []
        with self.connect() as line:
            line.sendall(framed(b"LIN"))
            for password in passwords:
                line.sendall(framed(name) + framed(password))
                answers.append(frame(line))
            if answers[-1] == b"LOGIN_OKAY":
                self.name, self.token = name, frame(line)
                line.sendall(framed(b"localhost") + framed(str(self.port).encode()))
                assert line.recv(1) == b""
        return answers

    def ask(self, kind: bytes, rest: bytes = b"", token: bytes | None = None) -> bytes:
        """Send a request; what is answered on its connection."""
        with self.connect() as line:
            words = [kind, self.name, self.token if token is None else token, rest]
            line.sendall(framed(b"|".join(words)))
            answer = b""
            while data := line.recv(4096):
                answer += data
            return answer[4:]

    def shown(self) -> str:
        """The text of the next push."""
        data = b"".join(self.call())
        assert struct.unpack("!I", data[:4])[0] == len(data) - 4, data
        return data[4:].decode()


class PA1Client(Listener):
    """A client of PA1."""

    def __init__(self, server: int) -> None:
        super().__init__()
        self.server = server

    def say(self, line: str) -> None:
        """Send a command, and wait until the server closes."""
        with socket.create_connection(("127.0.0.1", self.server), SECONDS) as command:
            command.sendall(line.encode())
            while command.recv(4096):
                pass

    def log_in(self, name: str, password: str) -> list[bytes]:
        """Log in; the reads of the answering call."""
        self.say(f"logIn {name} {password} {self.port}")
        return self.call()

    def shown(self) -> str:
        """The text of the next call."""
        return b"".join(self.call()).decode()


def framed(body: bytes) -> bytes:
    """A frame."""
    return struct.pack("!I", len(body)) + body


def frame(line: socket.socket) -> bytes:
    """The next frame."""
    data = b""
    while len(data) < 4 or len(data) < 4 + struct.unpack("!I", data[:4])[0]:
        more = line.recv(1 if len(data) < 4 else 4 + struct.unpack("!I", data[:4])[0] - len(data))
        if not more:
            return data[4:]
        data += more
    return data[4:]
