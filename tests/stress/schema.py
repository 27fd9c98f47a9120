"""SIGKILL while a database is created or migrated, at moments spread over the whole time.

Afterwards the database opens and has its content, each time: no partial schema remains. The
children are forked from a process that has imported everything, so that nearly all of their time
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

from gtchat.store.sql.opening import prepare
from gtchat.store.sql.schema import APPLICATION_ID, REVISIONS, SQLITE_REVISIONS


@attrs.define
class Result:
    """The result of a run.

    Attributes:
        kills: SIGKILLs that were sent.
        too_late: those to children that had finished before.
        violations: one line each.
    """

    kills: int = 0
    too_late: int = 0
    violations: list[str] = attrs.field(factory=list)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills while a database was created or migrated, {self.too_late} of them "
            f"too late; {len(self.violations)} violations"
        )


def create_first_version(path: Path) -> None:
    """Create a database of the first revision with one account."""
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
    """Kill the creation and the migration of a database at each moment.

    Args:
        moments: the number of moments, for each of the two.
        progress: called with the number of kills.
    """
    folder = Path(tempfile.mkdtemp(prefix="gtchat-schema-"))
    old = folder / "old.sqlite"
    create_first_version(old)
    result = Result()
    try:
        for start in (None, old):
            total = _seconds(folder / "whole.sqlite", start)
            for number in range(moments):
                seconds = total * 1.1 * number / moments
                if not _kill_and_check(folder / "gtchat.sqlite", start, seconds, result):
                    total = min(total, seconds)  # it was measured while the machine was busy
                progress(result.kills)
    finally:
        shutil.rmtree(folder)
    return result


def _reset(path: Path, start: Path | None) -> None:
    """Delete the database; copy the old one to its place if there is one."""
    for file in path.parent.glob(path.name + "*"):
        file.unlink()
    if start is not None:
        shutil.copy(start, path)


def _seconds(path: Path, start: Path | None) -> float:
    """Return the seconds that the work takes to its end."""
    _reset(path, start)
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


def _kill_and_check(path: Path, start: Path | None, seconds: float, result: Result) -> bool:
    """Kill the work after some seconds, and check the database.

    Returns:
        Whether the work was under way.
    """
    _reset(path, start)
    child = _fork(path)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    result.kills += 1
    result.too_late += status == 0
    try:
        prepare(path)
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            revision = db.execute("SELECT version_num FROM alembic_version").fetchone()[0]
            assert revision == SQLITE_REVISIONS[-1], revision
            names = [row[0] for row in db.execute("SELECT name FROM accounts")]
            assert names == ([] if start is None else ["Ann"]), names
    except Exception as error:
        result.violations.append(f"after {seconds:.4f} s: {error!r}")
    return status != 0
