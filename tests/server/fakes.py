"""A reactor without sockets, and log events as text, for tests of the server program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import Logger, LogLevel, formatEvent

from tests.fakes import PlainPasswords


class FakeReactor(MemoryReactorClock):
    """A reactor in memory; ports in `taken` and, if `no_unix`, Unix sockets cannot be had."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: set[int] = set()
        self.no_unix = False

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        if port in self.taken:
            raise CannotListenError(interface, port, OSError(98, "Address already in use"))
        return super().listenTCP(port, factory, backlog, interface)

    def listenUNIX(self, address: str, factory: Any, *args: Any, **options: Any) -> Any:
        if self.no_unix:
            raise CannotListenError(None, address, OSError(36, "File name too long"))
        return super().listenUNIX(address, factory, *args, **options)

    def callInThread(self, call: Callable[..., object], *args: object) -> None:
        call(*args)

    def callFromThread(self, call: Callable[..., object], *args: object) -> None:
        call(*args)

    def factory(self, port: int) -> Any:
        """Return the factory that listens on a TCP port."""
        return next(factory for number, factory, _, _ in self.tcpServers if number == port)


class FakePasswords(PlainPasswords):
    """Passwords without threads; has the signature of `Passwords`."""

    def __init__(self, reactor: Any, threads: int) -> None:
        super().__init__()
        self.running = False
        self.waiting = 0

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False


class RecordingLog:
    """Keeps the text of log events, and those above `info` in `warnings`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.warnings: list[str] = []
        self.logger = Logger(namespace="test", observer=self)

    def __call__(self, event: dict[str, Any]) -> None:
        text = formatEvent(event)
        self.lines.append(text)
        if event["log_level"] > LogLevel.info:
            self.warnings.append(text)
