"""A server whose disk and clock fail when they are told to: see shim.c. Needs a C compiler."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.e2e.server import Server

COMPILER = shutil.which("gcc") or shutil.which("cc")


class FailingMachine:
    """The shim, compiled, and what it is told."""

    def __init__(self) -> None:
        assert COMPILER is not None
        self._folder = Path(tempfile.mkdtemp(prefix="gtchat-disk-"))
        self._library = self._folder / "shim.so"
        source = Path(__file__).with_name("shim.c")
        words = [COMPILER, "-shared", "-fPIC", "-O1", "-o", str(self._library), str(source)]
        subprocess.run([*words, "-ldl"], check=True)
        self.heal()
        self.set_clock(0)

    def fail(self, way: str, percent: int) -> None:
        """From now on so many of a hundred calls fail in this way."""
        self._tell("faults", f"{way} {percent}")

    def set_clock(self, seconds: int) -> None:
        """From now on the time of day is wrong by so many seconds."""
        self._tell("clock", str(seconds))

    def _tell(self, name: str, words: str) -> None:
        new = self._folder / "new"
        new.write_text(words + "\n")
        new.rename(self._folder / name)

    def heal(self) -> None:
        """Nothing fails any more."""
        self.fail("none", 0)

    def environment(self) -> dict[str, str]:
        """What a process is run with that has this disk."""
        return {
            "LD_PRELOAD": str(self._library),
            "GTCHAT_FAULTS": str(self._folder / "faults"),
            "GTCHAT_CLOCK": str(self._folder / "clock"),
        }

    def remove(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self._folder)


class ServerOnIt(Server):
    """A server whose database is on such a disk."""

    def __init__(self, disk: FailingMachine, *options: str) -> None:
        super().__init__(*options)
        self._disk = disk

    def environment(self) -> dict[str, str]:
        """What it is run with."""
        return {**super().environment(), **self._disk.environment()}
