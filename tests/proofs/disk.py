"""A server on a disk that fails when it is told to: see shim.c. Needs a C compiler."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.e2e.server import Server

COMPILER = shutil.which("gcc") or shutil.which("cc")


class FailingDisk:
    """The shim, compiled, and what it is told."""

    def __init__(self) -> None:
        assert COMPILER is not None
        self._folder = Path(tempfile.mkdtemp(prefix="gtchat-disk-"))
        self._told = self._folder / "faults"
        self._library = self._folder / "shim.so"
        source = Path(__file__).with_name("shim.c")
        words = [COMPILER, "-shared", "-fPIC", "-O1", "-o", str(self._library), str(source)]
        subprocess.run([*words, "-ldl"], check=True)
        self.heal()

    def fail(self, way: str, percent: int) -> None:
        """From now on so many of a hundred calls fail in this way."""
        new = self._folder / "new"
        new.write_text(f"{way} {percent}\n")
        new.rename(self._told)

    def heal(self) -> None:
        """Nothing fails any more."""
        self.fail("none", 0)

    def environment(self) -> dict[str, str]:
        """What a process is run with that has this disk."""
        return {"LD_PRELOAD": str(self._library), "GTCHAT_FAULTS": str(self._told)}

    def remove(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self._folder)


class ServerOnIt(Server):
    """A server whose database is on such a disk."""

    def __init__(self, disk: FailingDisk, *options: str) -> None:
        super().__init__(*options)
        self._disk = disk

    def environment(self) -> dict[str, str]:
        """What it is run with."""
        return {**super().environment(), **self._disk.environment()}
