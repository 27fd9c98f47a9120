"""Connections to a database that fail or wait where a test wants it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

from twisted.internet import reactor

from gtchat.store import SQLStore
from gtchat.store.sql.sqlite import connect


class FlakyConnection:
    """A connection that announces each statement to a `Disk`, which can raise."""

    def __init__(self, db: sqlite3.Connection, disk: Disk) -> None:
        self._db = db
        self._disk = disk

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        self._disk.before(sql)
        return self._db.execute(sql, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


class Disk:
    """Opens the connections of a store, and injects faults into those that write.

    Attributes:
        path: the database.
        faults: beginning of statements -> function that is called before they are executed.
        executed: the first word of each statement since `open`.
        connected: number of connections that were opened to write.
        writer: the last one of them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults: dict[str, Callable[[], object]] = {}
        self.executed: list[str] = []
        self.connected = 0
        self.writer: Any = None

    def before(self, sql: str) -> None:
        self.executed.append(sql.split()[0])
        for beginning, fault in list(self.faults.items()):
            if sql.startswith(beginning):
                fault()

    def connect(self, path: Path, mode: str, busy: float) -> Any:
        db = connect(path, mode, busy)
        if mode == "ro":
            return db
        self.connected += 1
        self.writer = FlakyConnection(db, self)
        return self.writer

    def open(self) -> SQLStore:
        return SQLStore.open(self.path, reactor, connect=self.connect, busy=0.05)

    def fail(self, beginning: str, text: str) -> None:
        """Let statements fail from now on.

        Args:
            beginning: how they begin.
            text: the message of the error.
        """

        def failing() -> None:
            raise sqlite3.OperationalError(text)

        self.faults[beginning] = failing

    def hold(self, word: str) -> Callable[[], None]:
        """Let statements that begin with a word wait until the returned function is called."""
        released = Event()
        self.faults[word] = lambda: released.wait(60)

        def release() -> None:
            del self.faults[word]
            released.set()

        return release
