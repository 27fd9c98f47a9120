"""Runs what `./t.sh` runs: all tests and checks in parallel, or the tests that are named.

The output of a step is shown if it fails. The last line is `N passed, N failed, N skipped`, where a
check that fails counts as one; the line before says how much time of a core the run took. No
process that a test started is left behind, also if the run is ended by a signal: they are all
descendants of this process, and are killed at its end. A run that hangs ends after `MAX_SECONDS`.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import TestSuite

from twisted.trial.runner import TestLoader

TESTS = Path(__file__).resolve().parent
TOP = TESTS.parent
#: Tests of gtchat/chat that try very many cases. They run beside the other packages: with coverage
#: each takes several times as long, and no branch needs them to be covered. (Not test_leaks: the
#: objects that it counts would be those of other packages, too.)
LONG = tuple(
    f"tests.chat.test_{name}"
    for name in (
        *("changed_limits", "endings", "fold", "nodes", "page_merge", "room_queue"),
        *("room_requests", "scaling", "search_forms", "session_modes"),
    )
)
#: Seconds after which a run is ended: something waits for what does not come.
MAX_SECONDS = 20 * 60
#: A line of trial about one test, and the name of its counts.
RESULT = re.compile(r"^(\S+) \.\.\. \[([A-Z!?]+)\]", re.MULTILINE)
WORDS = {
    "OK": "successes",
    "TODO": "expectedFailures",
    "FAILURE": "failures",
    "ERROR": "errors",
    "SUCCESS!?!": "unexpectedSuccesses",
    "SKIPPED": "skips",
}
#: See prctl(2).
PR_SET_CHILD_SUBREAPER = 36


class Run:
    """One run.

    Args:
        folder: for output and temporary files.
        seconds: after which steps that are not finished are ended, and count as failed.
    """

    def __init__(self, folder: Path, seconds: float = MAX_SECONDS) -> None:
        self.folder = folder
        self._end = time.monotonic() + seconds
        # Without the cache of compiled modules each child process compiles all of them.
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self.environment = {
            **inherited,
            "TESTS_FORK_SERVERS": "1",
            "TMPDIR": str(folder),
            "COVERAGE_FILE": str(folder / "coverage"),
        }
        self.passed = self.failed = self.skipped = 0

    async def everything(self) -> None:
        """Run all tests and checks."""
        await asyncio.gather(self.tests(*_packages(), workers=_workers()), self.checks())

    async def checks(self) -> None:
        """Run the linters, and the tests of gtchat/chat, which must cover all branches of it."""
        await self.check("ruff", "check", "--quiet", ".")
        await self.check("ruff", "format", "--quiet", "--check", ".")
        await self.check("mypy", "--no-error-summary")
        chat = [f"tests.chat.{path.stem}" for path in sorted(TESTS.glob("chat/test_*.py"))]
        covering = [name for name in chat if name not in LONG]
        await self.tests(*covering, before=("coverage", "run", "--source=gtchat/chat", "-m"))
        show = ("report", "--show-missing", "--skip-covered", "--fail-under=100")
        await self.check("coverage", *show)

    async def check(self, *words: str) -> None:
        """Run a module that fails if something is wrong."""
        status, output = await self._run(*words)
        if status != 0:
            print(f"{' '.join(words)}:\n{output}")
            self.failed += 1

    async def tests(self, *names: str, workers: int = 0, before: tuple[str, ...] = ()) -> None:
        """Run trial and count its results.

        Args:
            names: packages, modules, classes or methods.
            workers: number of processes; 0 is none but trial's own.
            before: a module that runs trial, with its options.
        """
        temporary = self.folder / f"trial-{names[-1]}"
        options = ["--reporter=bwverbose", f"--temp-directory={temporary}"]
        if workers:
            options.append(f"--jobs={workers}")
        status, output = await self._run(*before, "twisted.trial", *options, *names)
        passed, failed, skipped = count_results(output)
        if status is None:
            failed += 1
            print(f"ended because it took too long; without a result: {missing(names, output)}")
        self.passed += passed
        self.failed += failed or bool(status)
        self.skipped += skipped
        if status != 0:
            # Without the lines of the tests that passed, unless trial itself failed.
            print(output[max(0, output.find("\n=====")) :].strip() if failed else output)

    async def _run(self, *words: str) -> tuple[int | None, str]:
        """Run a module in a session of its own.

        Returns:
            The exit status, None if it had to be ended, and the output.
        """
        with tempfile.TemporaryFile(dir=self.folder) as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-u", "-m", *words),
                cwd=TOP,
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            status: int | None
            try:
                status = await asyncio.wait_for(process.wait(), self._end - time.monotonic())
            except asyncio.TimeoutError:
                status = None
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
            output.seek(0)
            return status, output.read().decode(errors="replace")


def count_results(output: str) -> tuple[int, int, int]:
    """Return how many tests passed, failed and were skipped, by the last line of trial's output.

    If trial was ended before that line, they are counted one by one.
    """
    last = output.rstrip().rpartition("\n")[2]
    counts = {word: int(number) for word, number in re.findall(r"(\w+)=(\d+)", last)}
    if not last.startswith(("PASSED", "FAILED")):
        results = Counter(result for _, result in RESULT.findall(output))
        counts = {name: results[word] for word, name in WORDS.items()}
    return (
        counts.get("successes", 0) + counts.get("expectedFailures", 0),
        counts.get("failures", 0) + counts.get("errors", 0) + counts.get("unexpectedSuccesses", 0),
        counts.get("skips", 0),
    )


def missing(names: Sequence[str], output: str) -> str:
    """Return the modules with tests that have no result, and how many: `tests.chat.test_x (2)`.

    Args:
        names: packages, modules, classes or methods that trial was to run.
        output: of trial.
    """
    ids = set(_ids(TestLoader().loadByNames([*names])))
    ids -= {name for name, _ in RESULT.findall(output)}
    modules = Counter(name.rsplit(".", 2)[0] for name in ids)
    return ", ".join(f"{module} ({count})" for module, count in sorted(modules.items())) or "none"


def _ids(tests: Any) -> Iterator[str]:
    """Yield the ids of all tests of a suite, or of one test."""
    if isinstance(tests, TestSuite):
        for part in tests:
            yield from _ids(part)
    else:
        yield tests.id()


def _workers() -> int:
    """Return the number of processes that run tests: one more than cores, as browsers wait."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 2
    return max(2, cores) + 1


def _packages() -> list[str]:
    """Return the packages and modules of tests, without those that `checks` runs.

    The slowest start first: no long test is left alone at the end.
    """
    names = [f"tests.{path.stem}" for path in TESTS.glob("test_*.py")]
    names += [f"tests.{path.parent.name}" for path in TESTS.glob("*/__init__.py")]
    names.remove("tests.chat")
    names.remove("tests.e2e")
    slow = [f"tests.e2e.{path.stem}" for path in sorted(TESTS.glob("e2e/test_*.py"))]
    slow += ["tests.stress", *LONG]
    return slow + sorted(name for name in names if name not in slow)


def adopt_orphans() -> None:
    """Become the parent of each descendant whose parent has ended; needs Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _descendants() -> Iterator[int]:
    """Yield the ids of all processes below this one."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(stat.parent.name))
    found = [os.getpid()]
    for parent in found:
        below = children.get(parent, [])
        found += below
        yield from below


def kill_descendants() -> None:
    """Kill all processes below this one, and those that they start meanwhile."""
    while pids := list(_descendants()):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def reap() -> None:
    """Wait for the processes that were killed, lest they stay as zombies."""
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _stop_at_signals(task: asyncio.Task[None]) -> list[signal.Signals]:
    """Cancel a task at a signal that is not ignored; return the list that gets the signal."""
    received: list[signal.Signals] = []
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:

            def stop(number: signal.Signals = number) -> None:
                received.append(number)
                task.cancel()

            asyncio.get_running_loop().add_signal_handler(number, stop)
    return received


async def main(names: list[str]) -> int:
    """Run the tests that are named, or else all tests and checks.

    Returns:
        The exit status.
    """
    adopt_orphans()
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="gtchat-tests-"))
    folder.chmod(0o711)  # PostgreSQL runs as another user if this one is root
    run = Run(folder)
    task = asyncio.ensure_future(run.tests(*names) if names else run.everything())
    received = _stop_at_signals(task)
    try:
        await task
    except asyncio.CancelledError:
        print(f"stopped by {received[0].name}")
        return 128 + received[0]
    finally:
        kill_descendants()
        shutil.rmtree(folder, ignore_errors=True)
    reap()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{used.ru_utime + used.ru_stime:.0f} s of a core in {time.monotonic() - began:.0f} seconds"
    )
    print(f"{run.passed} passed, {run.failed} failed, {run.skipped} skipped")
    return 1 if run.failed else 0


if __name__ == "__main__":
    status = asyncio.run(main(sys.argv[1:]))
    reap()
    sys.exit(status)
