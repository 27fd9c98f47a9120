"""`gtchat backup`, `verify`, `restore`, `export` and `import` with a large chat, and SIGKILL.

Each command is measured. What is exported, imported into either database and exported again are the
same bytes. A restore or an import that is killed leaves the database that was there, or the new
one; both are whole, and the next run finishes.
"""

from __future__ import annotations

import filecmp
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import attrs

from tests.databases import create_empty
from tests.postgres import MISSING, PostgresServer
from tests.stress.migrate import Size, Usage, fill, measure, start


@attrs.define
class BackupsResult:
    """The result of a run.

    Attributes:
        megabytes: size of the database.
        export_megabytes: size of the export.
        used: what each command took.
        kills: SIGKILLs that were sent.
        replaced: after how many of them the new database was in place.
        violations: one line each.
    """

    megabytes: float = 0.0
    export_megabytes: float = 0.0
    used: dict[str, Usage] = attrs.field(factory=dict)
    kills: int = 0
    replaced: int = 0
    violations: list[str] = attrs.field(factory=list)

    def __str__(self) -> str:
        lines = [f"{self.megabytes:.0f} MB, {self.export_megabytes:.0f} MB as an export"]
        lines += [f"  {name}: {used}" for name, used in self.used.items()]
        lines.append(
            f"{self.kills} kills, after {self.replaced} of them the new database was in place; "
            f"{len(self.violations)} violations"
        )
        return "\n".join(lines)


class Backups:
    """One run.

    Args:
        size: of the chat.
        kills: how many restores, and as many imports, are killed, at moments spread over the time.
        on_postgres: whether the export is imported into PostgreSQL, too.
    """

    def __init__(self, size: Size, kills: int, on_postgres: bool = True) -> None:
        self.result = BackupsResult()
        self._size, self._kills = size, kills
        self._on_postgres = on_postgres and MISSING is None
        self._folder = Path(tempfile.mkdtemp(prefix="gtchat-backups-"))
        self._data = self._folder / "data"
        self._other = self._folder / "other"

    def run(self, progress: Callable[[int], None] = lambda _: None) -> BackupsResult:
        """Measure, compare, and kill. progress: called with the number of kills."""
        try:
            self._data.mkdir()
            self._other.mkdir()
            source = self._data / "gtchat.sqlite"
            fill(source, self._size)
            self.result.megabytes = source.stat().st_size / 1e6
            self._measure_all()
            for name, file in (("restore", "copy"), ("import", "export")):
                for number in range(self._kills if not self.result.violations else 0):
                    share = (number + 0.5) / self._kills
                    self._kill(name, file, share * self.result.used[name].seconds)
                    progress(self.result.kills)
        finally:
            shutil.rmtree(self._folder)
        return self.result

    def _path(self, name: str) -> str:
        return str(self._folder / name)

    def _measure_all(self) -> None:
        data, other = ("--data", str(self._data)), ("--data", str(self._other))
        self._command("backup", self._path("copy"), *data)
        self._command("verify", self._path("copy"))
        self._command("restore", self._path("copy"), *other)
        self._command("export", self._path("export"), *data)
        self.result.export_megabytes = (self._folder / "export").stat().st_size / 1e6
        self._command("verify", self._path("export"), name="verify the export")
        self._command("import", self._path("export"), *other)
        self._again("again", *other)
        if not self._on_postgres:
            return
        postgres = PostgresServer()
        try:
            postgres.start()
            postgres.execute("CREATE DATABASE chat")
            store = ("--store", postgres.url("chat"), "--data", self._path("postgres"))
            self._command("import", self._path("export"), *store, name="import into PostgreSQL")
            self._again("postgres.export", *store)
            self._command("verify", *store, name="verify PostgreSQL")
        finally:
            postgres.close()

    def _command(self, *words: str, name: str = "") -> None:
        """Run a command to its end, and measure it. name: in the result."""
        command = start(words, self._folder)
        self.result.used[name or words[0]] = measure(command)
        assert command.stdout is not None
        said = command.stdout.read()
        if command.returncode != 0:
            self.result.violations.append(f"{words[0]}: {command.returncode} {said}")

    def _again(self, file: str, *where: str) -> None:
        """Export once more, and compare with the first export."""
        self._command("export", self._path(file), *where, name=f"export {file}")
        if not self.result.violations:
            same = filecmp.cmp(self._path("export"), self._path(file), shallow=False)
            if not same:
                self.result.violations.append(f"the export {file} differs")

    def _kill(self, name: str, file: str, seconds: float) -> None:
        """Kill a command that replaces a small database, and look at what is there."""
        shutil.rmtree(self._other)
        self._other.mkdir()
        target = self._other / "gtchat.sqlite"
        create_empty(target)
        words = (name, self._path(file), "--data", str(self._other))
        command = start(words, self._folder)
        time.sleep(seconds)
        command.send_signal(signal.SIGKILL)
        command.wait()
        self.result.kills += 1
        accounts = self._accounts(target)
        self.result.replaced += accounts > 0
        again = start(words, self._folder)
        again.communicate()
        kept = [self._accounts(one) for one in self._other.glob("*.replaced-*")]
        expected = [0, *([accounts] if accounts else [])]
        left = {one.name for one in self._other.iterdir() if ".replaced-" not in one.name}
        if (again.returncode, self._accounts(target), sorted(kept)) != (
            (0, self._size.accounts, expected)
        ) or left != {"gtchat.sqlite", "gtchat.lock"}:
            text = f"{name} killed after {seconds:.2f} s: then {again.returncode}, {kept}, {left}"
            self.result.violations.append(text)

    def _accounts(self, path: Path) -> int:
        """Return the number of accounts of a database, -1 if it is not whole."""
        copy = self._folder / "looked at"
        shutil.copy(path, copy)
        with closing(sqlite3.connect(copy)) as db:
            whole = db.execute("PRAGMA quick_check").fetchall() == [("ok",)]
            found: int = db.execute("SELECT count(*) FROM accounts").fetchone()[0]
        return found if whole and found in (0, self._size.accounts) else -1
