"""A server with injected disk and clock faults: see shim.c. Needs a C compiler."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.e2e.server import Server

COMPILER = shutil.which("gcc") or shutil.which("cc")


class FaultInjector:
    """The compiled shim, and the files that control it."""

    def __init__(self) -> None:
        assert COMPILER is not None
        self._folder = Path(tempfile.mkdtemp(prefix="gtchat-disk-"))
        self._library = self._folder / "shim.so"
        source = Path(__file__).with_name("shim.c")
        words = [COMPILER, "-shared", "-fPIC", "-O1", "-o", str(self._library), str(source)]
        subprocess.run([*words, "-ldl"], check=True)
        self.heal()
        self.set_clock(0)

    def fail(self, fault: str, percent: int) -> None:
        """Let calls on the database's files fail from now on.

        Args:
            fault: "fsync", "write", "short", "full" or "none" (see shim.c).
            percent: of the calls that fail.
        """
        self._write("faults", f"{fault} {percent}")

    def set_clock(self, seconds: int) -> None:
        """Shift the wall clock of the process by `seconds` from now on."""
        self._write("clock", str(seconds))

    def _write(self, name: str, content: str) -> None:
        new = self._folder / "new"
        new.write_text(content + "\n")
        new.rename(self._folder / name)

    def heal(self) -> None:
        """End the faults."""
        self.fail("none", 0)

    def environment(self) -> dict[str, str]:
        """Return the environment variables of a process with these faults."""
        return {
            "LD_PRELOAD": str(self._library),
            "SHIM_FAULTS": str(self._folder / "faults"),
            "SHIM_CLOCK": str(self._folder / "clock"),
        }

    def remove(self) -> None:
        """Delete the files."""
        shutil.rmtree(self._folder)


class FaultyServer(Server):
    """A server with injected faults.

    Args:
        injector: controls the faults.
        options: see `Server`.
    """

    by_fork = False  # LD_PRELOAD needs a new program

    def __init__(self, injector: FaultInjector, *options: str) -> None:
        super().__init__(*options)
        self._injector = injector

    def environment(self) -> dict[str, str]:
        """Return the environment variables of the process."""
        return {**super().environment(), **self._injector.environment()}
