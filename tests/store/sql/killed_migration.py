"""Kills migrations at every step: run by `test_log_migration`.

Arguments: a database of an old revision, a folder to work in, and of how many steps one is tried. A
step is a statement, a report of progress, or some thousand instructions of SQLite. Prints the
number of the last step, and how many different states of the files were finished.

A process that is killed leaves its files as they are. So one migration runs to its end, and its
files are copied at each step that is tried. Most steps leave what the step before has left, since
SQLite keeps changes in memory up to the commit: the same bytes are finished once.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import sys
import traceback
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
from alembic import command, config  # noqa: F401  (imported once, before the processes fork)

from gtchat.store.sql import backup, opening
from gtchat.store.sql.opening import prepare
from gtchat.store.sql.sqlite import connect
from tests.store.sql.old_databases import dump

#: Instructions of SQLite in a step.
INSTRUCTIONS = 20_000


def digest(path: Path) -> str:
    """Return a hash of the SQL that makes a database, with all its rows."""
    return hashlib.sha256(dump(path).encode()).hexdigest()


@attrs.define
class Kills:
    """Kills of one migration.

    Args:
        path: the database, which is migrated.
        stride: of how many steps one is tried.
        expected: digests of the migrated database and of its copy of the old one.

    Attributes:
        steps: how many there were.
        states: hashes of the files that were finished.
        failed: steps after which the next start did not finish.
    """

    path: Path
    stride: int
    expected: tuple[str, str]
    steps: int = 0
    states: set[bytes] = attrs.field(factory=set)
    failed: list[int] = attrs.field(factory=list)

    def step(self, *args: object) -> None:
        """Count a step, and try each nth."""
        self.steps += 1
        if self.steps % self.stride == 1 % self.stride:
            self.kill()

    def kill(self) -> None:
        """Finish what a kill would leave now, unless the same was finished before.

        To read the files ends SQLite's locks on them; no other process asks for these.
        """
        files = sorted(self.path.parent.iterdir())
        state = hashlib.sha256()
        for file in files:
            state.update(f"{file.name} {file.stat().st_size} ".encode())
            state.update(file.read_bytes())
        if state.digest() in self.states:
            return
        self.states.add(state.digest())
        folder = self.path.parent.with_name(f"step {self.steps}")
        shutil.copytree(self.path.parent, folder)
        process = os.fork()  # Alembic can't migrate two databases of a process at once
        if process == 0:
            status = 1
            try:
                opening.connect = backup.connect = connect
                opening.Progress.__call__ = lambda *args: None  # type: ignore[method-assign]
                finish(folder / self.path.name, self.expected)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        if os.waitpid(process, 0)[1] != 0:
            self.failed.append(self.steps)
        shutil.rmtree(folder)


def finish(path: Path, expected: tuple[str, str]) -> None:
    """Start after a kill: the database and the copy of the old one must be whole, and alone."""
    prepare(path)
    copy = path.with_name(f"{path.name}.revision-0005")
    for file, contents in zip((path, copy), expected, strict=True):
        if digest(file) != contents:
            raise AssertionError(f"{file.name} differs")
        with closing(sqlite3.connect(file)) as db:
            if db.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise AssertionError(f"{file.name} is damaged")
    left = {file.name for file in path.parent.iterdir()}
    if left != {path.name, copy.name}:
        raise AssertionError(f"files are left: {left}")


def main(template: Path, folder: Path, stride: int) -> Kills:
    """Kill a migration at each nth step, finish it, and compare."""
    whole = folder / "whole.sqlite"
    shutil.copy(template, whole)
    prepare(whole)
    path = folder / "killed" / "gtchat.sqlite"
    path.parent.mkdir()
    shutil.copy(template, path)
    kills = Kills(path, stride, (digest(whole), digest(template)))

    def watched(*args: Any) -> sqlite3.Connection:
        db = connect(*args)
        db.set_trace_callback(kills.step)
        db.set_progress_handler(kills.step, INSTRUCTIONS)
        return db

    opening.connect = backup.connect = watched
    opening.Progress.__call__ = lambda self, done, total: kills.step()  # type: ignore[method-assign]
    prepare(path)
    kills.kill()
    return kills


if __name__ == "__main__":
    kills = main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    print(kills.steps, len(kills.states))
    sys.exit(f"not finished after steps {kills.failed}" if kills.failed else 0)
