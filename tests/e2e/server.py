"""A real twistd on free ports, started and killed by tests, and a client made of a bare socket."""

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
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[2]
SECONDS = 20


class Server:
    """`twistd -n gtchat` on a data folder. Ports stay the same over restarts.

    Attributes:
        program: what Python runs, which takes the words of a command line.
    """

    program = "from twisted.scripts.twistd import run; run()"

    def __init__(self, *options: str, data: str | None = None) -> None:
        self.folder = Path(data or tempfile.mkdtemp(prefix="gtchat-"))
        if data is None:
            weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.options = options
        self.ws_port = self.web_port = 0
        self.process: subprocess.Popen[str] | None = None
        self.stdin = subprocess.DEVNULL
        self.lines: list[str] = []
        self._reader: threading.Thread | None = None

    def command(self) -> list[str]:
        """What is run."""
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
        """What it is run with."""
        return {**os.environ, "PYTHONPATH": str(TOP)}

    def start(self) -> Server:
        """Start, and wait until it listens."""
        self.process = subprocess.Popen(
            self.command(),
            env=self.environment(),
            cwd=self.folder,
            stdin=self.stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        late = threading.Timer(SECONDS, self.process.kill)
        late.start()
        for line in self.process.stdout:
            self.lines.append(line)
            if found := re.search(r"(page|WebSocket): \w+://[^:]+:(\d+)/", line):
                if found[1] == "page":
                    self.web_port = int(found[2])
                else:
                    self.ws_port = int(found[2])
            if re.search('[ "]data: ', line):
                late.cancel()
                # A pipe that nobody reads would stop the server when it is full.
                self._reader = threading.Thread(
                    target=self.lines.extend, args=[self.process.stdout]
                )
                self._reader.start()
                return self
        late.cancel()
        raise AssertionError("the server did not start:\n" + "".join(self.lines))

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
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
        return status


class Closed(Exception):
    """The server closed the connection; `code` is the WebSocket's, None without one."""

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


class Client:
    """A WebSocket client that does exactly what it is told (RFC 6455)."""

    def __init__(
        self,
        port: int,
        path: str = "/",
        headers: str = "",
        receive_bytes: int | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.socket = socket.socket()
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
        """Send a masked frame."""
        self.socket.sendall(masked(payload, opcode, final))

    def peek(self) -> bool:
        """Whether something has come, without waiting for it."""
        return bool(self._data) or bool(select.select([self.socket], [], [], 0)[0])

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Frames that come: opcode and payload."""
        while True:
            yield self.next_frame()

    def next_frame(self) -> tuple[int, bytes]:
        """The next frame; waits for it."""
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
        """The next JSON object.

        Raises:
            Closed: there is none.
        """
        while True:
            opcode, payload = self.next_frame()
            if opcode == 8:
                with suppress(OSError):
                    self.frame(payload[:2], 8)  # a server that stops waits for it
                raise Closed(struct.unpack("!H", payload[:2])[0] if payload else None)
            if opcode == 9:
                self.frame(payload, 10)
            elif opcode == 1:
                return dict(json.loads(payload))

    def send(self, cmd: str, **fields: object) -> str:
        """Send a request; its tracker."""
        tracker = str(next(self._numbers))
        self.frame(json.dumps({"cmd": cmd, "tracker": tracker, **fields}).encode())
        return tracker

    def say(self, cmd: str, **fields: object) -> dict[str, Any]:
        """Send a request; its reply. What comes before it is kept in `taken`."""
        tracker = self.send(cmd, **fields)
        while True:
            message = self.message()
            if message["cmd"] == "c_response" and message["tracker"] == tracker:
                return message
            self.taken.append(message)

    def wait_closed(self) -> int | None:
        """Read until the server closes; the close code."""
        try:
            while True:
                self.message()
        except Closed as closed:
            return closed.code
        except OSError:
            return None

    def close(self) -> None:
        """Leave without a word."""
        self.socket.close()


def masked(payload: bytes, opcode: int = 1, final: bool = True) -> bytes:
    """A client's frame."""
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
