"""The two C programs of this folder: compile them when needed, run the load generator.

`loadgen.c` is the load generator, `limit.c` the fastest server that can be written (servers.py
starts it).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent

#: What a run of the load generator measured: the numbers of its JSON line.
LoadResult = dict[str, float]

#: The counters of a result that are 0 when every message was delivered once and in order.
FAULTS = ("lost", "reord", "misrouted", "undelivered", "dead")


class BenchError(Exception):
    """Why nothing can be measured, as one line for the terminal."""


def compile_program(name: str) -> Path:
    """Compile a program of this folder for this machine, unless that was done before.

    Args:
        name: `loadgen` or `limit`.

    Returns:
        The path of the program, in the user's cache folder.

    Raises:
        BenchError: There is no compiler, or it fails.
    """
    source = HERE / f"{name}.c"
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise BenchError("a C compiler is needed: apt-get install gcc libc6-dev")
    digest = hashlib.sha256(source.read_bytes() + compiler.encode()).hexdigest()[:16]
    program = _cache_folder() / f"{name}-{digest}"
    if not program.exists():
        # Renamed when complete, so that two processes can compile at the same time.
        unfinished = program.with_suffix(f".{os.getpid()}")
        command = [compiler, "-O2", "-march=native", "-w", "-o", str(unfinished), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchError(f"{source.name} does not compile: {done.stderr.strip()[:300]}")
        unfinished.rename(program)
    return program


def _cache_folder() -> Path:
    """Return the folder for compiled programs; a temporary one where the cache is read-only."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "gtchat-bench"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="gtchat-bench-"))
    return cache


def pin_to_core(core: int) -> list[str]:
    """Return the command prefix that keeps a program on one CPU; empty without `taskset`."""
    return ["taskset", "-c", str(core)] if shutil.which("taskset") else []


def _loadgen_command(arguments: Sequence[str], core: int | None) -> list[str]:
    prefix = [] if core is None else pin_to_core(core)
    return [*prefix, str(compile_program("loadgen")), *arguments]


def generate_load(
    arguments: Sequence[str], *, core: int | None = None, timeout: float = 600
) -> LoadResult:
    """Run the load generator.

    Args:
        arguments: Its options; `loadgen` without any lists them.
        core: The CPU to keep it on; None for any.
        timeout: Seconds.

    Returns:
        What it measured; the keys of `FAULTS` are 0 when all went well.

    Raises:
        BenchError: It measured nothing.
    """
    command = _loadgen_command(arguments, core)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"the load generator did not end within {timeout:.0f} s") from error
    try:
        result = json.loads(done.stdout)
    except ValueError as error:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise BenchError(lines[-1] if lines else "the load generator printed nothing") from error
    return {key: value for key, value in result.items() if isinstance(value, (int, float))}


@contextmanager
def background_load(arguments: Sequence[str], *, core: int | None = None) -> Iterator[None]:
    """Keep the load generator running; its result is not used.

    Args:
        arguments: Its options.
        core: The CPU to keep it on; None for any.

    Raises:
        BenchError: It does not compile.
    """
    process = subprocess.Popen(
        _loadgen_command(arguments, core), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def count_faults(result: Mapping[str, float]) -> int:
    """Return how many deliveries were lost, repeated, reordered, misrouted or never arrived.

    A connection that died counts as one.
    """
    return sum(int(result[key]) for key in FAULTS)
