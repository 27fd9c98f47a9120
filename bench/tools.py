"""The programs in C: the load generator and the physical limit, compiled when they are needed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class BenchError(Exception):
    """What stands in the way of measuring: one line for whoever measures."""


def compiled(name: str) -> Path:
    """A program of this folder, compiled for this machine.

    Args:
        name: `loadgen` or `limit`.

    Raises:
        BenchError: there is no compiler, or it fails.
    """
    source = HERE / f"{name}.c"
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise BenchError("a C compiler is needed: apt-get install gcc libc6-dev")
    digest = hashlib.sha256(source.read_bytes() + compiler.encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "gtchat-bench"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        cache = Path(tempfile.mkdtemp(prefix="gtchat-bench-"))
    program = cache / f"{name}-{digest}"
    if not program.exists():
        half = program.with_suffix(f".{os.getpid()}")
        words = [compiler, "-O2", "-march=native", "-w", "-o", str(half), str(source)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchError(f"{source.name} can't be compiled: {done.stderr.strip()[:300]}")
        half.rename(program)
    return program


def _program(words: Sequence[str], core: int | None) -> list[str]:
    """The load generator with its options, kept on a CPU where the machine can."""
    program = [str(compiled("loadgen")), *words]
    if core is not None and shutil.which("taskset"):
        program = ["taskset", "-c", str(core), *program]
    return program


def generate(words: Sequence[str], *, core: int | None = None, timeout: float = 600) -> Any:
    """Run the load generator.

    Args:
        words: its options; `loadgen` without any prints them.
        core: CPU to keep it on.
        timeout: seconds.

    Returns:
        What it measured, as its JSON line has it; the keys `lost`, `reord`, `misrouted`,
        `undelivered` and `dead` are 0 where all went well.

    Raises:
        BenchError: it measured nothing.
    """
    program = _program(words, core)
    try:
        done = subprocess.run(program, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"the load generator did not end within {timeout:.0f} s") from error
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        words_of_it = (done.stderr or done.stdout).strip().splitlines()
        raise BenchError(words_of_it[-1] if words_of_it else "no result") from error


@contextmanager
def generating(words: Sequence[str], *, core: int | None = None) -> Iterator[None]:
    """Keep the load generator running beside; what it measures is nobody's.

    Raises:
        BenchError: it can't be compiled.
    """
    running = subprocess.Popen(
        _program(words, core), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        running.kill()
        running.wait()


FAULTS = ("lost", "reord", "misrouted", "undelivered", "dead")


def faults(result: Any) -> int:
    """How many deliveries were lost, repeated, misrouted or late for good."""
    return sum(int(result[key]) for key in FAULTS)
