"""A database that fails when it is told to."""

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
    """A connection that tells what it is about to execute, to somebody who may raise."""

    def __init__(self, db: sqlite3.Connection, disk: Disk) -> None:
        self._db = db
        self._disk = disk

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        self._disk.before(sql)
        return self._db.execute(sql, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


class Disk:
    """What connections of one store are made of.

    Attributes:
        faults: how SQL begins -> what happens before it.
        executed: the first words of all SQL since `open`.
        connected: how often somebody connected to write.
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
        """From now on this is what happens instead of SQL that begins so."""

        def failing() -> None:
            raise sqlite3.OperationalError(text)

        self.faults[beginning] = failing

    def hold(self, word: str) -> Callable[[], None]:
        """From now on nothing goes beyond such SQL, until what this returns is called."""
        going_on = Event()
        self.faults[word] = lambda: going_on.wait(10)

        def go_on() -> None:
            del self.faults[word]
            going_on.set()

        return go_on
