"""The examples with every version of Python, each in a fresh environment with the wheel."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import attrs

from tests.examples.environments import build_wheel, downloading, run_examples


@attrs.define
class Result:
    """The result of a run.

    Attributes:
        lines: what was done, one line for each version of Python.
        violations: one for each that failed.
    """

    lines: list[str] = attrs.Factory(list)
    violations: list[str] = attrs.Factory(list)

    def __str__(self) -> str:
        return "\n".join([*self.lines, f"{len(self.violations)} violations"])


def run(interpreters: Iterable[str]) -> Result:
    """Install the wheel for some interpreters and run the examples.

    Args:
        interpreters: names on the path; those that are not there are violations.
    """
    result = Result()
    with tempfile.TemporaryDirectory(prefix="gtchat-pythons-") as name:
        folder = Path(name)
        wheel = build_wheel(folder)
        for interpreter in interpreters:
            began = time.monotonic()
            try:
                if shutil.which(interpreter) is None:
                    raise RuntimeError(f"{interpreter} is not on the path")
                lines = run_examples(downloading(interpreter, wheel, folder), folder)
            except RuntimeError as error:
                result.violations.append(f"{interpreter}: {error}")
            else:
                seconds = time.monotonic() - began
                result.lines.append(f"{interpreter}, {seconds:.0f} s: {', '.join(lines)}")
    return result
