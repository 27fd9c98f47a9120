"""SIGKILL while a database is made or brought to a newer version, at moments over all that time.

Afterwards the database opens and has what it had, each time: a half-made one is never left.
Children are forked from a process that has imported everything, so that nearly all of their time
is the work itself.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import alembic.command
import attrs
from alembic.config import Config
from sqlalchemy import create_engine

from gtchat.store.sql.schema import APPLICATION_ID, REVISIONS
from gtchat.store.sql.sqlite import prepare


@attrs.define
class Result:
    """How it went: `whole` children had finished before they were killed."""

    moments: int = 0
    whole: int = 0
    faults: list[str] = attrs.field(factory=list)

    def __str__(self) -> str:
        return (
            f"{self.moments} kills while a database was made or migrated, {self.whole} of them "
            f"too late; {len(self.faults)} faults"
        )


def first_version(path: Path) -> None:
    """Make a database of the first revision, with an account in it."""
    config = Config()
    config.set_main_option("script_location", "gtchat.store.sql:migrations")
    with create_engine(f"sqlite:///{path}").begin() as connection:
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, REVISIONS[0])
        connection.exec_driver_sql(
            "INSERT INTO accounts (name, key, registered, created_at, lobby_seen) "
            "VALUES ('Ann', 'ann', 1, 5, 0)"
        )


def run(moments: int, progress: Callable[[int], None] = lambda _: None) -> Result:
    """Kill at so many moments, of a new database and of one that is migrated."""
    folder = Path(tempfile.mkdtemp(prefix="gtchat-schema-"))
    old = folder / "old.sqlite"
    first_version(old)
    result = Result()
    try:
        for start in (None, old):
            whole = _seconds(folder / "whole.sqlite", start)
            for number in range(moments):
                _one(folder / "gtchat.sqlite", start, whole * 1.1 * number / moments, result)
                progress(result.moments)
    finally:
        shutil.rmtree(folder)
    return result


def _begin(path: Path, start: Path | None) -> None:
    for one in path.parent.glob(path.name + "*"):
        one.unlink()
    if start is not None:
        shutil.copy(start, path)


def _seconds(path: Path, start: Path | None) -> float:
    """How long it takes to the end."""
    _begin(path, start)
    began = time.monotonic()
    _, status = os.waitpid(_fork(path), 0)
    assert status == 0
    return time.monotonic() - began


def _fork(path: Path) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            prepare(path)
            status = 0
        finally:
            os._exit(status)
    return child


def _one(path: Path, start: Path | None, seconds: float, result: Result) -> None:
    """Kill after so many seconds, and see what is left."""
    _begin(path, start)
    child = _fork(path)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    result.moments += 1
    result.whole += status == 0
    try:
        prepare(path)
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            revision = db.execute("SELECT version_num FROM alembic_version").fetchone()[0]
            assert revision == REVISIONS[-1], revision
            names = [row[0] for row in db.execute("SELECT name FROM accounts")]
            assert names == ([] if start is None else ["Ann"]), names
    except Exception as error:
        result.faults.append(f"after {seconds:.4f} s: {error!r}")
