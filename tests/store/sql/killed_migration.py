"""Kills migrations at every step, each in a process of its own: run by `test_log_migration`.

Arguments: a database of an old revision, a folder to work in, and of how many steps one is tried. A
step is a statement, a report of progress, or some thousand instructions of SQLite. Prints the
number of the last step.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from alembic import command, config  # noqa: F401  (imported once, before the processes fork)

from gtchat.store.sql import backup, opening
from gtchat.store.sql.opening import prepare
from gtchat.store.sql.sqlite import connect
from tests.store.sql.old_databases import dump

#: Instructions of SQLite in a step.
INSTRUCTIONS = 20_000


def kill_at(step: int) -> Callable[..., None]:
    """Return a function that kills this process in its nth call."""
    calls = 0

    def count(*args: object) -> None:
        nonlocal calls
        calls += 1
        if calls == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return count


def migrate_until(path: Path, step: int) -> bool:
    """Migrate a database in another process, killed at a step; return whether it was."""
    process = os.fork()
    if process == 0:
        count = kill_at(step)

        def watched(*args: Any) -> sqlite3.Connection:
            db = connect(*args)
            db.set_trace_callback(count)
            db.set_progress_handler(count, INSTRUCTIONS)
            return db

        opening.connect = backup.connect = watched
        opening.Progress.__call__ = lambda self, done, total: count()  # type: ignore[method-assign]
        try:
            prepare(path)
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = os.waitpid(process, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    if status != 0:
        raise AssertionError(f"step {step}: status {status}")
    return False


def digest(path: Path) -> str:
    """Return a hash of the SQL that makes a database, with all its rows."""
    return hashlib.sha256(dump(path).encode()).hexdigest()


def main(template: Path, folder: Path, stride: int) -> int:
    """Kill a migration at each nth step, finish it, and compare; return the last step."""
    whole = folder / "whole.sqlite"
    shutil.copy(template, whole)
    prepare(whole)
    expected, before = digest(whole), digest(template)
    step = 1 - stride
    killed = True
    while killed:
        step += stride
        path = folder / f"{step}.sqlite"
        shutil.copy(template, path)
        killed = migrate_until(path, step)
        prepare(path)
        if digest(path) != expected:
            raise AssertionError(f"step {step}: the migrated database differs")
        copy = path.with_name(f"{path.name}.revision-0005")
        if digest(copy) != before:
            raise AssertionError(f"step {step}: the copy differs")
        left = {file.name for file in folder.glob(f"{path.name}*")}
        if left != {path.name, copy.name}:
            raise AssertionError(f"step {step}: files are left: {left}")
        for file in (path, copy):
            with closing(sqlite3.connect(file)) as db:
                if db.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                    raise AssertionError(f"step {step}: {file.name} is damaged")
            file.unlink()
    return step


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
