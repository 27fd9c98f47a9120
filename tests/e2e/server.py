"""A real twistd on free ports that tests start and kill, and a WebSocket client on a socket."""

from __future__ import annotations

import base64
import json
import os
import re
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests import frames, postgres
from tests.databases import create_empty
from tests.e2e.fork_server import ENABLED, TOP, ForkedProcess, default_signals
from tests.e2e.frame_check import REPORT

#: Timeout of everything that tests wait for, in seconds; long, so that they pass on a busy machine.
SECONDS = 60
#: Whether servers use a PostgreSQL database each, where a test does not say which store.
ON_POSTGRES = bool(os.environ.get("TESTS_POSTGRES"))
#: Options that allow any amount of text, for tests that send much.
NO_QUOTA = (
    *("--daily-bytes-account", "0"),
    *("--daily-bytes-guest", "0"),
    *("--daily-bytes-guests-address", "0"),
)


def keep_port() -> socket.socket:
    """Return a socket that keeps a port for a server, which may be started again.

    It never listens: on Linux the server can, as both have SO_REUSEADDR, and the system gives the
    port to no other socket while the server does not run.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    return kept


class Server:
    """`twistd -n gtchat` on a data folder. The ports stay the same when it is started again.

    Args:
        options: of `twistd gtchat`, besides the data folder and the endpoints.
        data: the data folder; by default one with an empty database, deleted with this object.

    Attributes:
        program: the Python code that is run with the command line.
        by_fork: whether it is started by fork, not by executing `command`; see fork_server.
        folder: the data folder.
        ws_port, web_port: the ports; where it is not Linux, chosen by the first start.
        process: None while the server does not run.
        stdin: of the process, as subprocess takes it.
        lines: the output so far, line by line.
    """

    program = "from twisted.scripts.twistd import run; run()"
    by_fork = ENABLED

    def __init__(self, *options: str, data: str | None = None) -> None:
        self.folder = Path(data or tempfile.mkdtemp(prefix="gtchat-"))
        if data is None:
            weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
            create_empty(self.folder / "gtchat.sqlite")
        if data is None and ON_POSTGRES and "--store" not in options:
            options = ("--store", postgres.create_empty(), *options)
        if any(option.startswith("postgresql:") for option in options):
            options = ("--drain-seconds", "0", *options)
        if "--ping-timeout" not in options:
            # A `Client` answers pings while a test reads from it, which may be long after.
            options = ("--ping-timeout", str(10 * SECONDS), *options)
        self.options = options
        self.ws_port = self.web_port = 0
        if sys.platform == "linux":
            self._kept = [keep_port() for _ in range(2)]
            self.ws_port, self.web_port = (one.getsockname()[1] for one in self._kept)
        self.process: subprocess.Popen[str] | ForkedProcess | None = None
        self.stdin = subprocess.DEVNULL
        self.lines: list[str] = []
        self._reader: threading.Thread | None = None

    def command(self) -> list[str]:
        """Return the command line."""
        return [
            sys.executable,
            "-c",
            self.program,
            "-n",
            "--pidfile=",
            "gtchat",
            "--data",
            str(self.folder),
            "--ws",
            f"tcp:{self.ws_port}:interface=127.0.0.1",
            "--web",
            f"tcp:{self.web_port}:interface=127.0.0.1",
            *self.options,
        ]

    def environment(self) -> dict[str, str]:
        """Return the environment variables of the process."""
        return {**os.environ, "PYTHONPATH": str(TOP)}

    def spawn(self) -> subprocess.Popen[str] | ForkedProcess:
        """Start a process without waiting for it."""
        words, env, cwd = self.command(), self.environment(), str(self.folder)
        if self.by_fork:
            return ForkedProcess(words[2:], env, cwd, self.stdin)
        return subprocess.Popen(
            words,
            env=env,
            cwd=cwd,
            stdin=self.stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=default_signals,
        )

    def start(self) -> Server:
        """Start the server and wait until it listens.

        Raises:
            AssertionError: it ended, or did not listen within `SECONDS`.
        """
        self.process = self.spawn()
        assert self.process.stdout is not None
        timeout = threading.Timer(SECONDS, self.process.kill)
        timeout.start()
        for line in self.process.stdout:
            self.lines.append(line)
            if found := re.search(r"(page|WebSocket): \w+://[^:]+:(\d+)/", line):
                if found[1] == "page":
                    self.web_port = int(found[2])
                else:
                    self.ws_port = int(found[2])
            if re.search('[ "]data: ', line):
                timeout.cancel()
                # The server would block when the pipe is full. A test that fails may leave the
                # server running: it must not keep the process of the test from ending.
                self._reader = threading.Thread(
                    target=self.lines.extend, args=[self.process.stdout], daemon=True
                )
                self._reader.start()
                return self
        timeout.cancel()
        raise AssertionError("the server did not start:\n" + "".join(self.lines))

    def health(self) -> int:
        """Return the status of /healthz, which tells a proxy whether it can send users."""
        url = f"http://127.0.0.1:{self.web_port}/healthz"
        try:
            with urllib.request.urlopen(url, timeout=SECONDS) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def wait_healthy(self) -> None:
        """Wait until a proxy can send users."""
        ends = time.monotonic() + SECONDS
        while (found := self.health()) != 200:
            assert time.monotonic() < ends, found
            time.sleep(0.05)

    def kill(self) -> None:
        """Send SIGKILL and wait for the end."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Send SIGTERM, wait for the end and return the exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(number)
        status = process.wait(SECONDS)
        if self._reader is not None:
            self._reader.join(SECONDS)
        assert process.stdout is not None
        process.stdout.close()
        unknown = [line for line in self.lines if REPORT in line]
        assert not unknown, unknown
        return status


class Closed(Exception):
    """The server closed the connection.

    Attributes:
        code: the close code of the WebSocket, None if there was none.
        reason: its close reason.
    """

    def __init__(self, code: int | None, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Client:
    """A WebSocket client (RFC 6455) that does nothing by itself but answer pings.

    Args:
        port: of the server.
        path: of the opening handshake.
        headers: further lines of the opening handshake, each with its line end.
        receive_bytes: size of the receive buffer of the socket.
        context: for TLS.
        address: IP address of the client, one of this machine; "" for the usual one.

    Attributes:
        socket: the socket.
        status: the status code of the opening handshake.
        taken: messages that arrived before the reply that `call` waited for.

    Raises:
        Closed: the server closed the connection without an answer.
    """

    def __init__(
        self,
        port: int,
        path: str = "/",
        headers: str = "",
        receive_bytes: int | None = None,
        context: ssl.SSLContext | None = None,
        address: str = "",
    ) -> None:
        self.socket = socket.socket()
        if address:
            self.socket.bind((address, 0))
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(SECONDS)
        self.socket.connect(("127.0.0.1", port))
        if context is not None:
            self.socket = context.wrap_socket(self.socket)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            (
                f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                f"Sec-WebSocket-Version: 13\r\n{headers}\r\n"
            ).encode()
        )
        self._data = b""
        while b"\r\n\r\n" not in self._data:
            self._data += self._read()
        head, self._data = self._data.split(b"\r\n\r\n", 1)
        self.status = int(head.split()[1])
        self.taken: list[dict[str, Any]] = []
        self._numbers = iter(range(1, 10**9))

    def _read(self) -> bytes:
        data = self.socket.recv(65536)
        if not data:
            raise Closed(None)
        return data

    def frame(self, payload: bytes, opcode: int = 1, final: bool = True) -> None:
        """Send a masked frame.

        Args:
            payload: without the mask.
            opcode: 1 is text.
            final: whether the message ends here.
        """
        self.socket.sendall(masked(payload, opcode, final))

    def peek(self) -> bool:
        """Return whether there is data to read, without waiting."""
        return bool(self._data) or bool(select.select([self.socket], [], [], 0)[0])

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Yield the opcode and the payload of each frame that arrives."""
        while True:
            yield self.next_frame()

    def next_frame(self) -> tuple[int, bytes]:
        """Return the opcode and the payload of the next frame."""
        while True:
            data = self._data
            if len(data) >= 2:
                size, head = data[1] & 127, 2
                if size == 126 and len(data) >= 4:
                    size, head = struct.unpack("!H", data[2:4])[0], 4
                elif size == 127 and len(data) >= 10:
                    size, head = struct.unpack("!Q", data[2:10])[0], 10
                elif size >= 126:
                    size = 1 << 62
                if len(data) >= head + size:
                    self._data = data[head + size :]
                    return data[0] & 15, data[head : head + size]
            self._data += self._read()

    def message(self) -> dict[str, Any]:
        """Return the next JSON object; answer pings and a close frame.

        Raises:
            Closed: the connection ended.
        """
        while True:
            opcode, payload = self.next_frame()
            if opcode == 8:
                with suppress(OSError):
                    self.frame(payload[:2], 8)  # a server that shuts down waits for it
                code = struct.unpack("!H", payload[:2])[0] if payload else None
                raise Closed(code, payload[2:].decode())
            if opcode == 9:
                self.frame(payload, 10)
            elif opcode == 1:
                message = dict(json.loads(payload))
                if "cmd" in message:  # messages of RandomChat have none
                    frames.check(message)
                return message

    def send(self, cmd: str, **fields: object) -> str:
        """Send a request and return its tracker."""
        tracker = str(next(self._numbers))
        self.frame(json.dumps({"cmd": cmd, "tracker": tracker, **fields}).encode())
        return tracker

    def call(self, cmd: str, **fields: object) -> dict[str, Any]:
        """Send a request and return its reply. What precedes it is kept in `taken`."""
        tracker = self.send(cmd, **fields)
        while True:
            message = self.message()
            if message["cmd"] == "c_response" and message["tracker"] == tracker:
                return message
            self.taken.append(message)

    def wait_closed(self) -> int | None:
        """Read until the server closes; return the close code, None if there was none."""
        try:
            while True:
                self.message()
        except Closed as closed:
            return closed.code
        except OSError:
            return None

    def close(self) -> None:
        """Close the socket without a closing handshake."""
        self.socket.close()


def masked(payload: bytes, opcode: int = 1, final: bool = True) -> bytes:
    """Return a masked frame; see `Client.frame`."""
    size = len(payload)
    head = bytes([opcode | (128 if final else 0)])
    if size < 126:
        head += bytes([128 | size])
    elif size < 65536:
        head += b"\xfe" + struct.pack("!H", size)
    else:
        head += b"\xff" + struct.pack("!Q", size)
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
