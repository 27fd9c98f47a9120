"""What runs the scenarios of clients: a proxy that breaks links, peers, the process of a client."""

from __future__ import annotations

import json
import queue
import socket
import struct
import subprocess
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.e2e.server import SECONDS, Client

#: Requests of a peer that may be on their way at once: half of `commands_burst`.
WINDOW = 10


class Proxy:
    """A TCP proxy before a server that ends, silences and fills the links of clients.

    Args:
        target: the port of the server.

    Attributes:
        port: where clients connect.
        refuses: whether new links are closed at once.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.refuses = False
        self._links: list[tuple[socket.socket, socket.socket]] = []
        self._silent: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                try:
                    if self.refuses:
                        raise ConnectionRefusedError
                    server = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    client.close()
                    continue
                for one in (client, server):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._links.append((client, server))
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if source not in self._silent:
                    sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def silence(self, clients: bool = False) -> None:
        """Swallow what the server sends on the links that are there; with `clients` all."""
        for client, server in self._links:
            self._silent |= {client, server} if clients else {server}

    def end(self, frame: bytes = b"") -> None:
        """End all links, after sending a frame to the clients."""
        links, self._links = self._links, []
        for client, server in links:
            # The server must not see the client's answer to the frame: it would be a logout.
            self._silent |= {client, server}
            with suppress(OSError):
                client.sendall(frame)
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            if not frame:
                with suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop listening and end all links."""
        self.refuses = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.end()


def close_frame(code: int, reason: str) -> bytes:
    """Return the close frame of a server (RFC 6455, section 5.5.1)."""
    payload = struct.pack("!H", code) + reason.encode()
    return bytes([0x88, len(payload)]) + payload


class Peer:
    """A user whose connection goes to the server directly.

    Args:
        port: of the server.

    Attributes:
        name: of the account, once it has logged in.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.name = ""
        self.client = Client(port)

    def log_in(self, name: str, password: str) -> None:
        """Log in to an account, on a new connection if there was one."""
        if self.name:
            self.client.close()
            self.client = Client(self._port)
        self.name = name
        self.call("login", type="reg", usr=name, pwd=password)

    def call(self, cmd: str, **fields: Any) -> dict[str, Any]:
        """Return the reply to a command, which is ok."""
        return self.calls([(cmd, fields)])[0]

    def calls(self, requests: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        """Send requests in order, some ahead of the replies, and return the replies.

        Raises:
            AssertionError: one is refused, other than because of the rate.
        """
        done: dict[int, dict[str, Any]] = {}
        waiting, sent = deque(enumerate(requests)), {}
        while waiting or sent:
            while waiting and len(sent) < WINDOW:
                number, (cmd, fields) = waiting.popleft()
                sent[self.client.send(cmd, **fields)] = number
            message = self.client.message()
            if message["cmd"] != "c_response":
                self.client.taken.append(message)
                continue
            number = sent.pop(message["tracker"])
            if message.get("code") == "rate_limited":
                time.sleep(message["retry_after"])  # sooner would be a flood
                waiting.appendleft((number, requests[number]))
                continue
            assert message["status"] == "ok", message
            done[number] = message
        return [done[number] for number in range(len(requests))]

    def next_text(self, user: str) -> str:
        """Return the text of the next message of a user, in any room."""
        found = self._next(lambda push: push["cmd"] == "c_speak" and push["usr"] == user)
        return str(found["msg"])

    def wait_offline(self, user: str) -> None:
        """Wait for the push that says that a user went offline."""
        self._next(
            lambda push: (
                (push.get("type") == "logout" and push["usr"] == user)
                or user in push.get("logouts", ())
            )
        )

    def _next(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Remove the first push of a kind and return it, when it is there."""
        number = 0
        while True:
            while number < len(self.client.taken):
                if wanted(self.client.taken[number]):
                    return self.client.taken.pop(number)
                number += 1
            self.client.taken.append(self.client.message())


class Driver:
    """A process that runs clients of one language, as commands in lines of JSON tell it.

    Commands have `do`, `client` (a name of a test) and `id`; the line with the same `id` is the
    result: `ok` with a value, or `error`: a code of the protocol, `unanswered` or `closed`. Lines
    with `saw` are what a client got. The commands:

        open: url, login, timeout (seconds), events (how many wait), after (the positions of an
            earlier client: {room: {epoch, seq}}); `ok` has `user`
        call: cmd, fields; `ok` is the reply
        close, end (close at once), hold (read no events), release
        rooms: the value is how many the client knows

    and what is seen: `message` (room, seq, epoch, user, text), `whisper` (user, text),
    `lost` (code, retry_in: seconds), `restored`, `reset` (room, reason), `closed` (code, and with
    4001 and 4002 reason: its first word).

    Args:
        words: the command line.
        env: the environment.
    """

    def __init__(self, words: list[str], env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._ids = 0
        self._streams: dict[tuple[str, str], queue.Queue[dict[str, Any]]]
        self._streams = defaultdict(queue.Queue)
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)
            found = json.loads(line)
            if "id" in found:
                stream = f"reply {found['id']}"
            elif found["saw"] == "message":
                stream = f"room {found['room']}"
            else:
                stream = "whispers" if found["saw"] == "whisper" else "states"
            self._stream(found["client"], stream).put(found)

    def _stream(self, client: str, stream: str) -> queue.Queue[dict[str, Any]]:
        with self._lock:  # both threads may be the first to ask for it
            return self._streams[client, stream]

    def tell(self, client: str, do: str, **fields: Any) -> str:
        """Send a command; return the stream of its result."""
        assert self.process.stdin is not None
        self._ids += 1
        command = {"do": do, "client": client, "id": self._ids, **fields}
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return f"reply {self._ids}"

    def next(self, client: str, stream: str, seconds: float = SECONDS) -> dict[str, Any]:
        """Return the next observation of a stream.

        Raises:
            AssertionError: there is none in time.
        """
        try:
            return self._stream(client, stream).get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"no {stream} after {''.join(self._lines[-10:])}") from None

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(SECONDS)
        finally:
            self.process.kill()
            self._reader.join()
            self.process.stdout.close()
